//! Episodes from calm to their end, second by second: what is opened, what is said, what is closed.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the lint's exception for tests does not reach the helpers of one"
)]

use std::net::Ipv4Addr;
use std::time::Duration;

use floodwall_detection::{
    CachePart, Change, ConnectionsSeen, Detector, LogFeed, Notice, OriginSeen, PacketsSeen, RequestReader,
    RequestSeen, RequestText, Sketches, Surroundings, WatchFault, WatchSeen,
};
use floodwall_model::{IncidentState, OriginHealth, RoutineCause, SiteId, Timestamp, TrafficVerdict, Vector};

const NOON_UNIX_S: i64 = 1_667_908_800;
const AGENTS: [&str; 5] = [
    "Mozilla/5.0 Firefox/131.0",
    "Mozilla/5.0 Chrome/130.0",
    "Mozilla/5.0 Safari/18.0",
    "Mozilla/5.0 Edg/130.0",
    "Mozilla/5.0 Chrome/129.0",
];

/// A site with visitors, and its detector.
struct Site {
    reader: RequestReader,
    sketches: Sketches,
    detector: Detector,
    second: u64,
    wall_ahead_s: i64,
    number: u32,
    around: Surroundings,
    changes: Vec<(u64, Change)>,
}

impl Site {
    fn new() -> Self {
        let origin = OriginSeen { requests: 5, failures: 0, wait_ms: 400.0, health: OriginHealth::Up };
        Self {
            reader: RequestReader::new(1, &["vote.example"]),
            sketches: Sketches::new(1),
            detector: Detector::new(SiteId(3), 1),
            second: 0,
            wall_ahead_s: 0,
            number: 0,
            around: Surroundings {
                origin: Some(origin),
                connections: Some(ConnectionsSeen { accepted: 8, ..ConnectionsSeen::default() }),
                packets: Some(PacketsSeen { syn: 9, handshakes: 8, ..PacketsSeen::default() }),
                ..Surroundings::default()
            },
            changes: Vec::new(),
        }
    }

    fn request(&mut self, client: u32, target: &str, referer: Option<&str>, agent: &str) -> RequestSeen {
        let mut seen = self.reader.read(&RequestText {
            client: Ipv4Addr::from(client).into(),
            method: "GET",
            target,
            referer,
            user_agent: Some(agent),
            status: 200,
        });
        seen.cache = if target.contains('?') { CachePart::OriginBound } else { CachePart::Answered };
        seen
    }

    /// A visitor: a page, what it needs, and for every third a look-up.
    fn visitor(&mut self) {
        self.number += 1;
        let (number, own) = (self.number, Some("https://vote.example/polling-place"));
        let client = 0x0A00_0000 + number.wrapping_mul(7_919) % 0x00FF_FFFF;
        let agent = AGENTS[number as usize % 5];
        let from = (number % 2 == 0).then_some("https://search.example/");
        let mut wants = vec![
            ("/polling-place".to_owned(), from),
            ("/site.css".to_owned(), own),
            ("/seal.svg".to_owned(), own),
        ];
        if number % 3 == 0 {
            wants.push((format!("/lookup?address={number}"), own));
        }
        for (target, referer) in wants {
            let seen = self.request(client, &target, referer, agent);
            self.sketches.observe(&seen);
        }
    }

    /// A flood's request: a look-up that never repeats.
    fn flood(&mut self, sources: u32) {
        self.number += 1;
        let client = 0xC633_0000 + self.number % sources * 257;
        let seen = self.request(
            client,
            &format!("/lookup?address={}", self.number),
            None,
            "Mozilla/5.0 Chrome/99.0",
        );
        self.sketches.observe(&seen);
    }

    fn now(&self) -> Timestamp {
        let wall = NOON_UNIX_S + i64::try_from(self.second).unwrap() + self.wall_ahead_s;
        Timestamp::new(Duration::from_secs(self.second), wall * 1_000_000)
    }

    /// So many seconds, with so many visitors and flood requests in each.
    fn go(&mut self, seconds: u32, visitors: u32, flood: u32) {
        for _ in 0..seconds {
            // Uneven, as arrivals are.
            let chance = (self.second.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 62) as u32;
            (0..visitors + chance.min(visitors)).for_each(|_| self.visitor());
            (0..flood).for_each(|_| self.flood(2_000));
            self.tick();
        }
    }

    fn tick(&mut self) {
        let (summary, now) = (self.sketches.take_summary(), self.now());
        let changes = self.detector.tick(&summary, &self.around, now);
        self.changes.extend(changes.into_iter().map(|change| (self.second, change)));
        self.second += 1;
    }

    /// Opened, ended, reopened, in the order in which that happened.
    fn turns(&self) -> Vec<(&'static str, u64)> {
        let turn = |change: &Change| match change {
            Change::Opened(_) => Some("opened"),
            Change::Ended(_) => Some("ended"),
            Change::Reopened(_) => Some("reopened"),
            _ => None,
        };
        self.changes.iter().filter_map(|(second, change)| Some((turn(change)?, *second))).collect()
    }

    fn said(&self) -> TrafficVerdict {
        self.detector.open_incident().unwrap().judgement().unwrap().verdict
    }
}

#[test]
fn calm_stays_calm() {
    let mut site = Site::new();
    site.go(1_800, 4, 0);
    assert_eq!(site.changes, []);
}

#[test]
fn a_flood_is_noticed_in_its_first_second_called_an_attack_and_ended_at_its_last() {
    let mut site = Site::new();
    site.go(600, 4, 0);
    site.go(30, 4, 300);
    assert_eq!(site.turns(), [("opened", 600)]);
    let incident = site.detector.open_incident().unwrap().clone();
    assert_eq!(incident.onset.likely_unix_s, NOON_UNIX_S + 600);
    let judgement = incident.judgement().unwrap();
    assert_eq!(judgement.verdict, TrafficVerdict::Attack);
    assert_eq!(judgement.vectors.first(), Some(&Vector::LookUps));
    assert!(judgement.grounds.len() >= 3, "{:?}", judgement.grounds);
    site.go(120, 4, 0);
    let ended = site.detector.incidents().last().unwrap();
    assert_eq!((ended.state, ended.id), (IncidentState::Ended, incident.id));
    let last = ended.ended_unix_s.unwrap() - NOON_UNIX_S;
    assert!((629..638).contains(&last), "{last}");
    assert!((9_000.0..11_000.0).contains(&ended.toll.requests_beyond), "{}", ended.toll.requests_beyond);
    assert!(ended.toll.peak_requests_per_s >= 300.0);
}

#[test]
fn a_crowd_is_no_attack() {
    let mut site = Site::new();
    site.go(600, 4, 0);
    for visitors in 4..80 {
        site.go(1, visitors, 0);
    }
    site.go(60, 80, 0);
    assert_eq!(site.turns().len(), 1);
    assert_eq!(site.said(), TrafficVerdict::Crowd);
    let incident = site.detector.open_incident().unwrap();
    assert!(incident.revisions.iter().all(|judgement| judgement.verdict != TrafficVerdict::Attack));
}

/// As a fresh server sees it on which somebody tries something out: nothing is known of calm times.
#[test]
fn one_source_that_asks_again_and_again_is_no_crowd() {
    for (sources, a_second) in [(1, 12), (1, 200), (2, 40)] {
        let mut site = Site::new();
        site.around = Surroundings::default();
        site.go(40, 0, 0);
        for _ in 0..20 {
            (0..a_second).for_each(|_| site.flood(sources));
            site.tick();
        }
        let revisions = &site.detector.open_incident().unwrap().revisions;
        assert!(
            revisions.iter().all(|said| said.verdict != TrafficVerdict::Crowd),
            "{sources}: {revisions:?}"
        );
        assert_ne!(site.said(), TrafficVerdict::Crowd, "{sources} at {a_second}/s");
    }
}

/// The same with many sources, as a crowd and a flood have: nobody can tell yet which it is.
#[test]
fn of_a_server_that_knows_no_calm_times_nothing_is_sure() {
    for (sources, a_second) in [(30, 60), (400, 800)] {
        let mut site = Site::new();
        site.around = Surroundings::default();
        site.go(40, 0, 0);
        for _ in 0..30 {
            (0..a_second).for_each(|_| site.flood(sources));
            site.tick();
        }
        let revisions = &site.detector.open_incident().unwrap().revisions;
        for said in revisions {
            let likelihoods = said.likelihoods;
            let sure = likelihoods.attack.max(likelihoods.crowd);
            assert!(sure < 0.6 && said.verdict == TrafficVerdict::Unknown, "{sources}: {said:?}");
            assert!(likelihoods.attack > 0.2, "{sources}: {said:?}");
        }
    }
}

#[test]
fn an_origin_that_dies_is_routine() {
    let mut site = Site::new();
    site.go(600, 4, 0);
    site.around.origin =
        Some(OriginSeen { requests: 5, failures: 5, wait_ms: 10.0, health: OriginHealth::Down });
    site.go(20, 4, 0);
    assert_eq!(site.said(), TrafficVerdict::Routine);
    let judgement = site.detector.open_incident().unwrap().judgement().unwrap();
    assert_eq!(judgement.routine, Some(RoutineCause::OriginDown));
    assert!(judgement.vectors.is_empty());
}

/// As on a site at night that only the watch asks: when it is up again, nothing is left to be judged by.
#[test]
fn an_outage_that_nobody_meets_is_never_a_crowd() {
    let mut site = Site::new();
    site.around = Surroundings::default();
    site.go(120, 0, 0);
    let watch = |unreachable, fails_at| Some(WatchSeen { unreachable, fails_at });
    site.around.watch = watch(1.0, Some(WatchFault::Tcp));
    site.go(20, 0, 0);
    assert_eq!(site.said(), TrafficVerdict::Routine);
    site.around.watch = watch(0.0, None);
    for _ in 0..80 {
        site.go(1, 0, 0);
        let revisions = site.detector.open_incident().map(|open| open.revisions.clone()).unwrap_or_default();
        assert!(revisions.iter().all(|said| said.verdict != TrafficVerdict::Crowd), "{revisions:?}");
    }
}

#[test]
fn packets_from_nowhere_are_an_attack_without_any_request() {
    let mut site = Site::new();
    site.go(600, 4, 0);
    site.around.packets = Some(PacketsSeen { syn: 40_000, handshakes: 8, ..PacketsSeen::default() });
    site.go(5, 4, 0);
    assert_eq!(site.said(), TrafficVerdict::Attack);
    let judgement = site.detector.open_incident().unwrap().judgement().unwrap();
    assert_eq!(judgement.vectors.first(), Some(&Vector::Syn));
}

#[test]
fn what_comes_and_goes_is_one_incident() {
    let mut site = Site::new();
    site.go(600, 4, 0);
    for _ in 0..8 {
        site.go(15, 4, 200);
        site.go(15, 4, 0);
    }
    site.go(90, 4, 0);
    assert_eq!(site.turns().iter().map(|turn| turn.0).collect::<Vec<_>>(), ["opened", "ended"]);
}

#[test]
fn what_comes_again_soon_is_the_same_incident() {
    let mut site = Site::new();
    site.go(600, 4, 0);
    site.go(20, 4, 200);
    site.go(200, 4, 0);
    site.go(20, 4, 200);
    site.go(300, 4, 0);
    assert_eq!(
        site.turns().iter().map(|turn| turn.0).collect::<Vec<_>>(),
        ["opened", "ended", "reopened", "ended"]
    );
    assert_eq!(site.detector.incidents().count(), 1);
    assert_eq!(site.detector.incidents().last().unwrap().reopened, 1);
    // An hour later it is another.
    site.go(900, 4, 0);
    site.go(20, 4, 200);
    assert_eq!(site.detector.incidents().count(), 2);
}

#[test]
fn an_attack_that_begins_in_a_crowd_is_seen() {
    let mut site = Site::new();
    site.go(600, 4, 0);
    for visitors in 4..40 {
        site.go(1, visitors, 0);
    }
    site.go(40, 40, 0);
    assert_eq!(site.said(), TrafficVerdict::Crowd);
    site.go(10, 40, 600);
    assert_eq!(site.said(), TrafficVerdict::Attack);
}

#[test]
fn a_proxy_that_hides_everybody_is_noticed_and_is_no_attacker() {
    let mut site = Site::new();
    for _ in 0..300 {
        for visitor in 0..4_u32 {
            site.number += 1;
            let agent = format!("Mozilla/5.0 Browser/{}", site.number % 90);
            for target in ["/polling-place", "/site.css"] {
                let seen = site.request(0x0A00_0001 + visitor % 2, target, None, &agent);
                site.sketches.observe(&seen);
            }
        }
        site.tick();
    }
    let notices = site.changes.iter().filter_map(|(_, change)| match change {
        Change::Noticed(notice) => Some(notice.to_string()),
        _ => None,
    });
    let notices: Vec<_> = notices.collect();
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert!(
        notices[0].contains("10.0.0.1/32") && notices[0].contains("set trusted_proxies"),
        "{}",
        notices[0]
    );
    assert_eq!(site.detector.incidents().count(), 0);
}

#[test]
fn a_stepped_clock_and_a_gap_are_said_and_open_nothing() {
    let mut site = Site::new();
    site.go(600, 4, 0);
    site.wall_ahead_s = -7_200;
    site.go(60, 4, 0);
    site.second += 5_000;
    site.go(60, 4, 0);
    let said: Vec<_> = site.changes.iter().map(|(_, change)| change.clone()).collect();
    assert_eq!(
        said,
        [
            Change::Noticed(Notice::ClockStepped { seconds: -7_200 }),
            Change::Noticed(Notice::Gap { seconds: 5_001 }),
        ]
    );
}

#[test]
fn a_log_of_one_line_and_a_log_out_of_order() {
    let mut site = Site::new();
    let seen = site.request(0x0A00_0001, "/", None, AGENTS[0]);
    let mut feed = LogFeed::new(1, 90, Surroundings::default());
    assert!(feed.push(&mut site.detector, NOON_UNIX_S, &seen).is_empty());
    assert!(feed.finish(&mut site.detector, 60).is_empty());
    // Within what is waited for, order does not matter; what is later is counted.
    let mut feed = LogFeed::new(1, 90, Surroundings::default());
    let mut detector = Detector::new(SiteId(0), 1);
    for second in 0..600 {
        let shuffled = NOON_UNIX_S + second / 60 * 60 + (second * 37) % 60;
        assert_eq!(feed.push(&mut detector, shuffled, &seen), []);
    }
    assert_eq!(feed.left_out(), 0);
    feed.push(&mut detector, NOON_UNIX_S, &seen);
    assert_eq!(feed.left_out(), 1);
    // Years between two lines are a gap, not a loop of years.
    feed.push(&mut detector, NOON_UNIX_S + 20 * 365 * 86_400, &seen);
    feed.finish(&mut detector, 60);
    assert_eq!(detector.incidents().count(), 0);
}

#[test]
fn floods_of_distinct_values_leave_memory_as_it_is_and_the_heavy_one_is_named() {
    let mut site = Site::new();
    site.go(300, 4, 0);
    for round in 0..3_u32 {
        for number in 0..60_000_u32 {
            let number = number + round * 60_000;
            let client = if number % 10 == 0 { 0xC0A8_0101 } else { number.wrapping_mul(2_654_435_761) };
            let seen = site.request(client, &format!("/{number}?{number}"), None, &format!("agent {number}"));
            site.sketches.observe(&seen);
        }
        site.tick();
    }
    let incident = site.detector.open_incident().unwrap();
    assert_eq!(incident.judgement().unwrap().verdict, TrafficVerdict::Attack);
    let top = incident.top_sources.first().unwrap();
    assert_eq!(top.prefix.to_string(), "192.168.1.1/32");
    assert!((0.08..0.12).contains(&top.share), "{}", top.share);
    assert!((50_000.0..60_000.0).contains(&incident.toll.peak_sources), "{}", incident.toll.peak_sources);
}

#[test]
fn the_same_facts_give_the_same_incidents() {
    let run = || {
        let mut site = Site::new();
        site.go(300, 4, 0);
        site.go(30, 4, 90);
        (site.changes, site.detector.incidents().cloned().collect::<Vec<_>>())
    };
    assert_eq!(run(), run());
}
