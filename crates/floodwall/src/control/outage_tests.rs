//! Results of probes in, commands out.

use floodwall_outage::{Families, Outage, Sample, TargetSettings};

use super::*;

const V4: Option<Family> = Some(Family::V4);
const V6: Option<Family> = Some(Family::V6);
const REFUSED: Seen = Seen::Down(Cause::ConnectRefused);

fn at(seconds: u64) -> Timestamp {
    Timestamp::new(Duration::from_secs(seconds), i64::try_from(seconds).unwrap() * 1_000_000)
}

fn target(name: &str, site: Option<&str>) -> TargetToWatch {
    TargetToWatch {
        name: name.into(),
        site: site.map(Arc::from),
        vantage: "here".into(),
        silent_after: Duration::from_secs(180),
        before: Vec::new(),
    }
}

/// Probes one target once a minute.
struct Probes {
    families: Families,
    outages: Outages,
    name: &'static str,
    minute: u64,
}

impl Probes {
    fn of(name: &'static str, outages: Outages) -> Self {
        Self { families: Families::new(TargetSettings::default()), outages, name, minute: 0 }
    }

    fn probe(&mut self, seen: &[(Option<Family>, Seen)]) -> Vec<Command> {
        self.minute += 1;
        let now = at(self.minute * 60);
        let sample = |(family, seen): &(Option<Family>, Seen)| {
            (*family, Sample { started: now, finished: now, seen: *seen })
        };
        let samples: Vec<_> = seen.iter().map(sample).collect();
        let judged = self.families.take(&samples);
        let families = judged.into_iter().map(|judged| FamilyResult { judged, figures: None }).collect();
        self.outages.probed(ProbeResult { now, target: self.name.into(), families })
    }

    fn now(&self) -> Timestamp {
        at(self.minute * 60)
    }
}

fn kept(commands: &[Command]) -> WatchRecord {
    let mut all = WatchRecord::default();
    for command in commands {
        if let Command::KeepWatch(record) = command {
            all.outages.extend(record.outages.iter().cloned());
            all.unknown.extend(record.unknown.iter().cloned());
            all.watched.extend(record.watched.iter().cloned());
        }
    }
    all
}

fn told(commands: &[Command]) -> Vec<(OutageNews, Arc<str>)> {
    let told = commands.iter().filter_map(|command| match command {
        Command::TellOutage { news, record } => Some((*news, record.key.clone())),
        _ => None,
    });
    told.collect()
}

#[test]
fn an_outage_is_told_twice_and_written_under_one_name() {
    let mut probes = Probes::of("home", Outages::new(vec![target("home", Some("sos"))]));
    let mut commands = probes.probe(&[(V4, Seen::Up)]);
    for seen in [REFUSED, REFUSED, REFUSED, REFUSED, Seen::Up, Seen::Up, Seen::Up] {
        commands.extend(probes.probe(&[(V4, seen)]));
    }
    let key: Arc<str> = "home-ipv4-120".into();
    assert_eq!(told(&commands), [(OutageNews::Opened, key.clone()), (OutageNews::Ended, key.clone())]);
    let kept = kept(&commands);
    assert!(kept.outages.iter().all(|outage| outage.key == key), "{kept:?}");
    let last = kept.outages.last().unwrap();
    assert_eq!(last.outage.end.map(|end| end.latest_unix_micros), Some(360_000_000));
    // What it came to meanwhile was written too.
    assert!(kept.outages.iter().any(|one| one.outage.end.is_none() && one.outage.causes[0].samples == 4));
    assert_eq!(kept.watched.last().unwrap().known_until_unix_micros, 480_000_000);
    assert_eq!(kept.watched.last().unwrap().since_unix_micros, 60_000_000);
}

#[test]
fn nothing_is_written_at_every_probe() {
    let mut probes = Probes::of("home", Outages::new(vec![target("home", None)]));
    assert_eq!(kept(&probes.probe(&[(V4, Seen::Up)])).watched.len(), 1);
    let now = probes.now();
    let judged = probes.families.take(&[(V4, Sample { started: now, finished: now, seen: Seen::Up })]);
    let families = judged.into_iter().map(|judged| FamilyResult { judged, figures: None }).collect();
    assert_eq!(probes.outages.probed(ProbeResult { now, target: "home".into(), families }), []);
    let unknown = ProbeResult { now, target: "nobody's".into(), families: Vec::new() };
    assert_eq!(probes.outages.probed(unknown), []);
}

#[test]
fn detection_is_told_what_visitors_cannot_reach() {
    let all = || vec![target("home", Some("sos")), target("look up", Some("sos")), target("mail", None)];
    for (samples, expected) in [
        (vec![], None),
        (vec![(V4, Seen::Up), (V6, REFUSED)], Some((0.0, None))),
        (vec![(V4, REFUSED), (V6, Seen::Up)], Some((1.0, Some(WatchFault::Tcp)))),
        (vec![(None, Seen::Down(Cause::NameUnknown))], Some((1.0, Some(WatchFault::Dns)))),
        (vec![(V4, Seen::Down(Cause::CertificateExpired))], Some((1.0, Some(WatchFault::Tls)))),
        (vec![(V4, Seen::Down(Cause::StatusServerError))], Some((1.0, Some(WatchFault::Http)))),
        (vec![(V4, Seen::Down(Cause::RefusedByDefence))], Some((0.0, None))),
        (vec![(V4, Seen::Unknown(UnknownCause::EgressGone))], None),
    ] {
        let mut probes = Probes::of("home", Outages::new(all()));
        for _ in 0..3 {
            if !samples.is_empty() {
                probes.probe(&samples);
            }
        }
        let seen = probes.outages.seen_of("sos", probes.now());
        assert_eq!(seen.map(|seen| (seen.unreachable, seen.fails_at)), expected, "{samples:?}");
        let long_after = probes.now().plus(Duration::from_secs(181));
        assert_eq!(probes.outages.seen_of("sos", long_after), None, "a silent watch knows nothing");
    }
}

#[test]
fn a_target_that_goes_on_is_shown_as_unknown_until_it_is_probed() {
    let edge = floodwall_outage::Edge { earliest_unix_micros: None, latest_unix_micros: 5 };
    let outage = Outage { start: edge, end: None, causes: Vec::new(), unknown_micros: 0 };
    let record = WatchedRecord {
        target: "home".into(),
        site: None,
        vantage: "here".into(),
        family: V4,
        since_unix_micros: 1,
        known_until_unix_micros: 9,
    };
    let open = OutageRecord {
        key: "home-ipv4-0".into(),
        target: "home".into(),
        site: None,
        vantage: "here".into(),
        family: V4,
        outage,
    };
    let outages = Outages::new(vec![TargetToWatch {
        before: vec![(record, Some(open.clone()))],
        ..target("home", None)
    }]);
    let status = &outages.status(at(100))[0].families[0];
    assert_eq!(status.state, State::Unknown(UnknownCause::Silent));
    assert_eq!((status.outage.as_ref(), status.known_until_unix_micros), (Some(&open), 9));
    // Nothing was seen in this run: the record stays as it is.
    assert_eq!(outages.last_words(), None);
}
