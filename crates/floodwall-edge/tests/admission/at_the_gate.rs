//! Who passes, who waits, who is asked for something.

use std::sync::Arc;
use std::time::Duration;

use crate::support::origin::page;
use crate::support::{Origin, Visitor, config, until};
use crate::support::{start as start_running, start_with_clock, start_with_secret};
use floodwall_edge::{AdmissionMode, ClientRegister, PathPattern};
use floodwall_model::{Clock, Prefix, SiteId};
use floodwall_policy::{
    BudgetSettings, CrawlerStanding, Decided, Keyring, ProbeClaims, ReferenceKey, Secret, TokenId,
};

const PRIVATE: (&str, &str) = ("cache-control", "no-store");
const CACHEABLE: (&str, &str) = ("cache-control", "public, max-age=60");

use crate::person::*;

#[test]
fn in_calm_times_nobody_sees_anything() {
    let origin = look_up();
    let mut config = config(&[origin.address]);
    config.sites[0].admission.budget = BudgetSettings::default();
    let edge = start_running(config);
    let mut visitor = Visitor::connect(&edge);
    for number in 0..100 {
        let answer = visitor.get(&format!("/{number}"));
        assert_eq!((answer.status, answer.header("set-cookie")), (200, None));
    }
    let gate = gate(&edge);
    assert_eq!((gate.counts.admitted, gate.in_flight, gate.rung), (100, 0, 0));
    assert_eq!(gate.counts.waited + gate.counts.refused_no_room + gate.counts.challenged_redirect, 0);
}

/// A visitor who comes without a proxy in front has his fields passed on as they came, where that can be.
#[test]
fn what_visitors_carry_for_the_edge_does_not_reach_the_origin_whoever_is_in_front() {
    for trusted in [vec![], vec!["127.0.0.1".parse().unwrap()]] {
        let origin = look_up();
        let mut config = config(&[origin.address]);
        config.trusted_proxies = trusted;
        let edge = start_running(config);
        for (sent, received) in [
            ("floodwall_token=abc", None),
            ("session=1; floodwall_token=abc; theme=dark", Some("session=1; theme=dark")),
            ("floodwall_ticket=t; floodwall_work=w; session=1", Some("session=1")),
            ("session=1", Some("session=1")),
            ("my_floodwall_token=1", Some("my_floodwall_token=1")),
        ] {
            let answer = Visitor::connect(&edge).get_with("/look-up", &format!("Cookie: {sent}\r\n"));
            assert_eq!(answer.status, 200, "{sent}");
            let asked = origin.asked();
            let cookie = asked.last().unwrap().headers().get("cookie");
            assert_eq!(cookie.map(|cookie| cookie.to_str().unwrap()), received, "{sent}");
        }
    }
}

#[test]
fn who_there_is_no_room_for_waits_and_is_answered() {
    let origin = look_up();
    let mut config = one_at_a_time(&origin);
    config.sites[0].admission.wait_max = Duration::from_secs(20);
    let edge = start(config);
    let mut waiting = fill(&edge, &origin);
    assert_eq!(origin.count(), 1, "the second is not at the origin");
    origin.open_gate();
    for visitor in &mut waiting {
        assert_eq!(visitor.read_answer(false).status, 200);
    }
    until("all places are given back", || gate(&edge).in_flight == 0);
    assert_eq!(origin.in_progress_max(), 1);
    assert_eq!(gate(&edge).counts.waited, 1);
}

#[test]
fn the_bound_on_waiting_is_kept() {
    let origin = look_up();
    let (edge, clock) = start_with_clock(one_at_a_time(&origin));
    let mut waiting = fill(&edge, &origin);
    clock.skip(Duration::from_millis(100));
    let told = waiting[1].read_answer(false);
    assert_eq!(told.status, 503);
    assert!(told.header("retry-after").unwrap().parse::<u32>().unwrap() >= 1);
    assert_eq!(told.header("cache-control"), Some("no-store"));
    assert_eq!(gate(&edge).counts.refused_waited_out, 1);
    origin.open_gate();
    assert_eq!(waiting[0].read_answer(false).status, 200);
}

#[test]
fn who_goes_away_while_waiting_leaves_nothing_behind() {
    let origin = look_up();
    let mut config = one_at_a_time(&origin);
    config.sites[0].admission.wait_max = Duration::from_secs(20);
    let edge = start(config);
    let mut waiting = fill(&edge, &origin);
    drop(waiting.pop());
    until("the line is empty", || gate(&edge).waiting == 0);
    assert_eq!(gate(&edge).counts.abandoned, 1);
    origin.open_gate();
    assert_eq!(waiting[0].read_answer(false).status, 200);
    until("all places are given back", || gate(&edge).in_flight == 0);
}

#[test]
fn the_invisible_proof_lets_a_browser_go_first() {
    let origin = look_up();
    let mut config = one_at_a_time(&origin);
    config.sites[0].admission.wait_max = Duration::from_millis(200);
    let edge = start(config);
    let _held = fill(&edge, &origin);
    let _third = Person::new(1_002).send(&edge, "/held-3");
    until("two wait", || gate(&edge).waiting == 2);

    let mut person = Person::new(1);
    let answer = person.ask(&edge, "/look-up?address=1+Main+St");
    assert_eq!(answer.status, 307);
    let location = answer.header("location").unwrap().to_owned();
    assert!(location.starts_with("/look-up?address=1+Main+St&floodwall=r."), "{location}");
    assert!(answer.header("set-cookie").unwrap().starts_with("floodwall_token="));
    assert!(answer.header("set-cookie").unwrap().ends_with("; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax"));
    let back = person.ask(&edge, &location);
    assert_eq!((back.status, back.header("location")), (307, Some("/look-up?address=1+Main+St")));
    assert_eq!(back.header("set-cookie"), None);
    // Now he goes first of all who wait.
    let mut asked = person.send(&edge, "/look-up?address=1+Main+St");
    until("he waits", || gate(&edge).counts.waited >= 3);
    origin.open_gate();
    assert_eq!(asked.read_answer(false).text(), "/look-up");
    let asked = origin.asked();
    let his = asked.iter().find(|asked| asked.uri().path() == "/look-up").unwrap();
    assert_eq!(his.uri(), "/look-up?address=1+Main+St", "the mark is not for the origin");
    assert_eq!(his.headers().get("cookie"), None, "nor is the cookie");
}

#[test]
fn without_cookies_nobody_is_redirected_in_a_circle() {
    let origin = look_up();
    let edge = start(one_at_a_time(&origin));
    let _held = fill(&edge, &origin);
    let mut person = Person { keeps_cookies: false, ..Person::new(1) };
    let (answer, target) = person.browse(&edge, "/look-up");
    assert!(target.starts_with("/look-up?floodwall=r."));
    assert_eq!(answer.status, 503);
}

#[test]
fn what_is_no_page_is_not_challenged_and_what_is_essential_neither() {
    let origin = look_up();
    let mut config = one_at_a_time(&origin);
    config.sites[0].admission.essential = vec![PathPattern::Below("/status/".into())];
    let edge = start(config);
    let _held = fill(&edge, &origin);
    let picture = "Sec-Fetch-Dest: image\r\nAccept: image/avif,*/*\r\n";
    let data = "Accept: application/json\r\n";
    for (path, fields, status) in [
        ("/look-up", BROWSER, 307),
        ("/look-up", "Sec-Fetch-Dest: document\r\n", 307),
        ("/picture", picture, 503),
        ("/data", data, 503),
        // What it is hangs on how the origin reads it.
        ("/.well-known/../look-up", BROWSER, 307),
        ("/status/%2e%2e/look-up", BROWSER, 307),
    ] {
        let mut person = Person { fields, ..Person::new(1) };
        assert_eq!(person.ask(&edge, path).status, status, "{path} {fields}");
    }
    for path in ["/status/now", "/robots.txt"] {
        let essential = Person::new(1).send(&edge, path);
        until("it waits, before the one who waits already", || gate(&edge).waiting == 2);
        drop(essential);
        until("it has gone", || gate(&edge).waiting == 1);
    }
}

#[test]
fn the_cache_answers_everybody_meanwhile() {
    let origin = Origin::start(|asked| {
        let cached = asked.uri().path() == "/deadlines";
        page("what the origin says", &[if cached { CACHEABLE } else { PRIVATE }])
    });
    let edge = start(one_at_a_time(&origin));
    assert_eq!(Person::new(1).ask(&edge, "/deadlines").status, 200);
    until("all places are given back", || gate(&edge).in_flight == 0);
    let _held = fill(&edge, &origin);
    for number in 0..50 {
        let mut person = Person::new(number);
        person.cookies.push(("floodwall_token".into(), "not ours".into()));
        assert_eq!(person.ask(&edge, "/deadlines").status, 200);
        assert_eq!(person.ask(&edge, "/deadlines?floodwall=r.1").status, 200, "the mark is no other page");
    }
}

#[test]
fn observing_refuses_nobody_and_counts() {
    let origin = look_up();
    let mut config = one_at_a_time(&origin);
    config.sites[0].admission.mode = AdmissionMode::Observe;
    let edge = start(config);
    origin.close_gate();
    let mut all: Vec<Visitor> =
        (0..20).map(|number| Person::new(number).send(&edge, &format!("/look-up?{number}"))).collect();
    until("all are at the origin", || origin.in_progress_max() == 20);
    assert_eq!(gate(&edge).in_flight, 20, "who is let in all the same is counted");
    origin.open_gate();
    for visitor in &mut all {
        assert_eq!(visitor.read_answer(false).status, 200);
    }
    until("all places are given back", || gate(&edge).in_flight == 0);
    let counts = gate(&edge).counts;
    assert!(counts.challenged_redirect + counts.refused_no_room + counts.waited >= 18, "{counts:?}");
}

#[test]
fn off_means_no_gate() {
    let origin = look_up();
    let mut config = one_at_a_time(&origin);
    config.sites[0].admission.mode = AdmissionMode::Off;
    let edge = start(config);
    assert_eq!(Person::new(1).ask(&edge, "/look-up").status, 200);
    assert!(edge.sites()[0].gates.is_empty());
}

#[test]
fn allowed_clients_are_asked_for_nothing() {
    let origin = look_up();
    let mut config = one_at_a_time(&origin);
    config.sites[0].admission.wait_max = Duration::from_secs(20);
    config.sites[0].admission.allow = vec!["198.51.100.7".parse().unwrap()];
    let edge = start(config);
    let mut held = fill(&edge, &origin);
    for number in 0..199 {
        held.push(Person::new(number).send(&edge, &format!("/held-{number}")));
    }
    until("the line is full", || gate(&edge).counts.challenged_redirect > 0);
    let mut office = Person { address: "198.51.100.7".into(), ..Person::new(0) }.send(&edge, "/office");
    until("the office waits first in line", || gate(&edge).waiting > 0);
    origin.open_gate();
    assert_eq!(office.read_answer(false).status, 200);
}

/// Believes one address to be the crawler that it says it is.
struct OneCrawler(std::net::IpAddr);

impl ClientRegister for OneCrawler {
    fn crawler(&self, address: std::net::IpAddr, user_agent: &[u8]) -> CrawlerStanding {
        match (user_agent.starts_with(b"Crawler"), address == self.0) {
            (true, true) => CrawlerStanding::Verified,
            (true, false) => CrawlerStanding::Refused,
            (false, _) => CrawlerStanding::NotClaimed,
        }
    }

    fn key_holder(&self, site: SiteId, fields: &http::HeaderMap) -> Option<TokenId> {
        let holds = site == SiteId(0) && fields.get("x-api-key").is_some_and(|key| key == "the app's");
        holds.then_some(TokenId(7))
    }
}

#[test]
fn crawlers_probes_and_programs_with_keys_are_let_in_and_liars_are_not() {
    let origin = look_up();
    let secret = Secret::new([7; 32]);
    let crawler = Arc::new(OneCrawler("203.0.113.1".parse().unwrap()));
    let (edge, clock) = start_with_secret(one_at_a_time(&origin), &secret, crawler);
    let _held = fill(&edge, &origin);
    let now = clock.now();
    let claims = ProbeClaims {
        site: None,
        name: "office".parse().unwrap(),
        generation: 0,
        issued_unix_s: u32::try_from(now.wall_unix_seconds()).unwrap(),
        lifetime_s: 60,
    };
    let probe = Keyring::new(&secret, now).issue_probe(&claims);
    let signed = format!("{BROWSER}Floodwall-Probe: {}\r\n", probe.as_str());
    let forged = format!("{BROWSER}Floodwall-Probe: {}\r\n", "A".repeat(probe.as_str().len()));
    let keyed = format!("{BROWSER}X-Api-Key: the app's\r\n");
    let other_key = format!("{BROWSER}X-Api-Key: another's\r\n");
    let crawls = "User-Agent: Crawler/1\r\nAccept: text/html\r\n";
    for (address, fields, let_in) in [
        ("203.0.113.1", crawls, true),
        ("203.0.113.2", crawls, false),
        ("203.0.113.3", &signed, true),
        ("203.0.113.3", &forged, false),
        ("203.0.113.4", &keyed, true),
        ("203.0.113.4", &other_key, false),
    ] {
        let mut visitor = Visitor::connect(&edge);
        let lines = format!("X-Forwarded-For: {address}\r\n{fields}");
        visitor.send(format!("GET /page/{address} HTTP/1.1\r\nHost: a.test\r\n{lines}\r\n").as_bytes());
        if let_in {
            until("it waits, before others", || gate(&edge).waiting == 2);
            drop(visitor);
            until("it has gone", || gate(&edge).waiting == 1);
        } else {
            assert_eq!(visitor.read_answer(false).status, 307, "{address} {fields}");
        }
    }
}

#[test]
fn a_reference_says_what_was_decided_and_to_whom() {
    let origin = look_up();
    let secret = Secret::new([7; 32]);
    let nobody = Arc::new(OneCrawler("203.0.113.1".parse().unwrap()));
    let (edge, clock) = start_with_secret(one_at_a_time(&origin), &secret, nobody);
    let _held = fill(&edge, &origin);
    let mut person = Person { fields: "Accept: image/png\r\n", ..Person::new(1) };
    let refused = person.ask(&edge, "/map.png");
    assert_eq!(refused.status, 503);
    let key = ReferenceKey::new(&secret);
    let reference = refused.header("x-request-id").unwrap().parse().unwrap();
    let note = key.open(reference, 1, clock.now()).unwrap();
    assert_eq!((note.decided, note.site), (Decided::NoRoom, Some(0)));
    assert_eq!(note.at_unix_s, clock.now().wall_unix_seconds());
    let prefix = Prefix::of_client(person.address.parse().unwrap());
    assert_eq!(note.client, key.client_tag(prefix));
    assert!(refused.text().contains(refused.header("x-request-id").unwrap()));
}

#[test]
fn a_rung_is_dated_by_when_it_was_reached() {
    let origin = look_up();
    let (edge, clock) = start_with_clock(one_at_a_time(&origin));
    let begun = gate(&edge).since;
    clock.skip(Duration::from_secs(40));
    assert_eq!((gate(&edge).rung, gate(&edge).since), (0, begun));
    let _held = fill(&edge, &origin);
    let mut people = (0..460).map(Person::new);
    until("the ladder is climbed", || {
        people.next().expect("enough people").ask(&edge, "/look-up");
        gate(&edge).rung > 0
    });
    assert_eq!(gate(&edge).since, clock.now());
    assert_ne!(gate(&edge).since, begun);
}
