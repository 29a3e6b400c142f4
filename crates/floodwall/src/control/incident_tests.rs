use floodwall_detection::{RequestReader, RequestText, Sketches};
use floodwall_model::{GateMode, GateStatus, OriginStatus};

use super::*;
use crate::control::{Control, Event, Figures};

const SEED: u64 = 0x5EED;
/// A Tuesday at noon.
const BEGAN_UNIX_S: u64 = 1_667_908_800;

/// A site in simulated time: hours of seconds in milliseconds.
struct Simulation {
    control: Control,
    reader: RequestReader,
    sketches: Sketches,
    counts: TrafficCounts,
    rung: u8,
    health: OriginHealth,
    second: u64,
    commands: Vec<(u64, Command)>,
}

impl Simulation {
    fn new() -> Self {
        let watched = SiteToWatch {
            name: "sos".into(),
            calendar: Calendar::default(),
            zone: TimeZone::UTC,
            baselines: None,
            seed: SEED,
        };
        Self {
            control: Control::new(Duration::from_secs(3600), Detection::new(vec![watched])),
            reader: RequestReader::new(SEED, &["vote.example.gov"]),
            sketches: Sketches::new(SEED),
            counts: TrafficCounts::default(),
            rung: 0,
            health: OriginHealth::Up,
            second: 0,
            commands: Vec::new(),
        }
    }

    fn request(&mut self, client: u32, target: &str, referer: Option<&str>, agent: &str, status: u16) {
        let seen = self.reader.read(&RequestText {
            client: std::net::Ipv4Addr::from(client).into(),
            method: "GET",
            target,
            referer,
            user_agent: Some(agent),
            status,
        });
        self.sketches.observe(&seen);
        self.counts.requests += 1;
        self.counts.origin_requests += 1;
        self.counts.origin_wait_us += 20_000;
    }

    /// Five visitors a second, each with a page and what it needs.
    fn visitors(&mut self) {
        let number = u32::try_from(self.second).unwrap();
        for visitor in 0..5 {
            let client = 0xC000_0200 + (number * 5 + visitor) * 641;
            let agent = ["Firefox/131.0", "Chrome/130.0", "Safari/18.0"][client as usize % 3];
            self.request(client, "/polling-place", None, agent, 200);
            self.request(client, "/site.css", Some("https://vote.example.gov/polling-place"), agent, 200);
        }
    }

    /// 800 requests a second with queries that never repeat.
    fn flood(&mut self) {
        for number in 0..800_u32 {
            let target = format!("/lookup?address={}-{number}", self.second);
            self.request(0x0A00_0000 + number * 97, &target, None, "Firefox/131.0", 200);
        }
    }

    fn tick(&mut self) {
        let micros = i64::try_from((BEGAN_UNIX_S + self.second) * 1_000_000).unwrap();
        let now = Timestamp::new(Duration::from_secs(self.second), micros);
        let snapshot = SiteSnapshot {
            site: SiteId(0),
            name: "sos".into(),
            hosts: Vec::new(),
            role: None,
            counts: self.counts,
            origins: vec![OriginStatus {
                url: "http://o".into(),
                health: self.health,
                since: None,
                last_failure: None,
            }],
            gates: vec![gate(self.rung, now)],
            person_reports: 0,
            last_person_report: None,
        };
        let seen = SecondSeen { sites: vec![self.sketches.take_summary()], processor: Some(0.2) };
        let event = Event::Second { now, sites: vec![snapshot], edge: EdgeCounts::default(), seen };
        let commands = self.control.handle(event);
        self.commands.extend(commands.into_iter().map(|command| (self.second, command)));
        self.second += 1;
    }

    fn run(&mut self, seconds: u64, mut each: impl FnMut(&mut Self)) {
        for _ in 0..seconds {
            each(self);
            self.tick();
        }
    }

    fn news(&self) -> Vec<(u64, IncidentNews)> {
        let told = self.commands.iter().filter_map(|(at, command)| match command {
            Command::TellIncident { news, .. } => Some((*at, *news)),
            _ => None,
        });
        told.collect()
    }

    fn kept(&self) -> Vec<(u64, &IncidentRecord)> {
        let kept = self.commands.iter().filter_map(|(at, command)| match command {
            Command::KeepIncident(record) => Some((*at, &**record)),
            _ => None,
        });
        kept.collect()
    }

    fn figures(&self) -> &Figures {
        let newest = self.commands.iter().rev().find_map(|(_, command)| match command {
            Command::Publish(figures) => Some(figures),
            _ => None,
        });
        newest.unwrap()
    }
}

fn gate(rung: u8, now: Timestamp) -> GateStatus {
    GateStatus {
        class: "pages".into(),
        mode: GateMode::On,
        rung,
        rung_name: ["open", "cache", "redirect", "choice", "waiting_room"][usize::from(rung)],
        since: now,
        limit: 40,
        in_flight: 3,
        capacity_per_second: 100,
        waiting: 0,
        in_waiting_room: 0,
        calm_latency: None,
        memory_bytes_max: 0,
        counts: floodwall_model::AdmissionCounts::default(),
    }
}

#[test]
fn calm_hours_say_nothing_and_save_what_was_learned() {
    let mut simulation = Simulation::new();
    simulation.run(2 * 3600, Simulation::visitors);
    assert_eq!(simulation.news(), []);
    assert!(simulation.kept().is_empty());
    let saves = simulation.commands.iter().filter(|(_, command)| *command == Command::SaveBaselines);
    assert_eq!(saves.count(), 2 * 3600 / 300 - 1);
    assert!(simulation.figures().incidents.is_empty());
    let learned = simulation.control.baselines();
    assert_eq!(&*learned[0].0, "sos");
    let noon = i64::try_from(BEGAN_UNIX_S).unwrap();
    let expected = learned[0].1.expected(floodwall_detection::Figure::Requests, noon, 0).unwrap();
    assert!((8.0..12.0).contains(&expected.middle), "{expected:?}");
}

#[test]
fn a_flood_is_told_kept_and_ended_with_what_was_done() {
    let mut simulation = Simulation::new();
    simulation.run(600, Simulation::visitors);
    simulation.run(5, |it| {
        it.visitors();
        it.flood();
    });
    assert_eq!(simulation.news().first(), Some(&(600, IncidentNews::Opened)));
    simulation.rung = 3;
    simulation.run(60, |it| {
        it.visitors();
        it.flood();
    });
    let open = simulation.figures().incidents.clone();
    assert_eq!((open.len(), simulation.figures().incidents_opened.as_slice()), (1, &[1][..]));
    let judgement = open[0].incident.judgement().unwrap();
    assert_eq!(judgement.verdict, TrafficVerdict::Attack);
    assert!(!judgement.grounds.is_empty());
    assert_eq!(&*open[0].key, "sos-20221108-121000-1");
    let rungs: Vec<_> = open[0].measures.iter().map(|measure| (measure.rung, measure.rung_name)).collect();
    assert_eq!(rungs, [(3, "choice")]);

    simulation.rung = 0;
    simulation.run(900, Simulation::visitors);
    assert_eq!(simulation.news().last().map(|(_, news)| *news), Some(IncidentNews::Ended));
    assert!(simulation.figures().incidents.is_empty());
    let kept = simulation.kept();
    let (_, last) = kept.last().unwrap();
    assert_eq!((&*last.key, last.incident.state), ("sos-20221108-121000-1", IncidentState::Ended));
    assert!((800.0..820.0).contains(&last.incident.toll.peak_requests_per_s), "{:?}", last.incident.toll);
    assert!(last.incident.ended_unix_s.is_some());
    let rungs: Vec<_> = last.measures.iter().map(|measure| measure.rung).collect();
    assert_eq!(rungs, [3, 0]);
    // Whatever happens to the process, at most so much of an open incident is not in the store.
    let times: Vec<u64> = kept.iter().map(|(at, _)| *at).collect();
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] <= KEPT_EVERY.as_secs()), "{times:?}");
}

#[test]
fn an_origin_that_is_down_is_no_attack() {
    let mut simulation = Simulation::new();
    simulation.run(600, Simulation::visitors);
    simulation.health = OriginHealth::Down;
    simulation.run(60, |it| {
        let number = u32::try_from(it.second).unwrap();
        for visitor in 0..5 {
            let client = 0xC000_0200 + (number * 5 + visitor) * 641;
            it.request(client, "/polling-place", None, "Firefox/131.0", 502);
            it.counts.origin_errors += 1;
        }
    });
    let open = simulation.figures().incidents.clone();
    let judgement = open[0].incident.judgement().unwrap();
    assert_eq!(judgement.verdict, TrafficVerdict::Routine, "{judgement:?}");
}

#[test]
fn a_name_stands_in_an_address_whatever_the_site_is_called() {
    for (site, name) in [
        ("sos", "sos-20221108-120000-7"),
        ("Ergebnisse / live?", "Ergebnisse---live--20221108-120000-7"),
        ("../etc", "..-etc-20221108-120000-7"),
    ] {
        assert_eq!(&*key(site, i64::try_from(BEGAN_UNIX_S).unwrap(), 7), name);
    }
    assert!(key(&"é".repeat(300), 0, 1).len() < 70);
}

#[test]
fn what_was_done_is_bounded() {
    let mut measures = Vec::new();
    for number in 0..10_000_u64 {
        let rung = u8::try_from(number % 5).unwrap();
        let at = Timestamp::new(Duration::from_secs(number), 0);
        add_measure(
            &mut measures,
            Measure { at, class: "pages".into(), rung, rung_name: "", mode: GateMode::On },
        );
    }
    assert_eq!(measures.len(), MEASURES_MAX);
    assert_eq!(measures.last().unwrap().rung, 4);
}
