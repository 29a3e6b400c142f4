//! Letting the browser work, and waiting in line.

use std::time::Duration;

use crate::support::origin::page;
use crate::support::{Answer, Origin, TestClock, Visitor, until};
use crate::support::{start_with, start_with_clock};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use floodwall_edge::EdgeHandle;
use floodwall_model::SiteId;
use sha2::{Digest, Sha256};

const CACHEABLE: (&str, &str) = ("cache-control", "public, max-age=60");

use crate::person::*;

/// Brings the ladder to the page with the choice, by more who have been redirected than the origin can
/// answer by far; one of them.
fn climb_to_choice(edge: &EdgeHandle) -> Person {
    let mut people: Vec<Person> = (0..460).map(Person::new).collect();
    for (number, person) in people.iter_mut().enumerate() {
        assert_eq!(person.ask(edge, &format!("/look-up?{number}")).status, 307);
    }
    // Of those who came back from the redirect one has a place in line; for the others there is none.
    let first = people[0].send(edge, "/look-up?first");
    until("one of them waits", || gate(edge).waiting == 2);
    for (number, person) in people.iter_mut().enumerate().skip(1) {
        let answer = person.ask(edge, &format!("/look-up?{number}"));
        assert_eq!(answer.status, 503);
        if gate(edge).rung == 3 {
            drop(first);
            until("he has gone", || gate(edge).waiting == 1);
            return people.pop().unwrap();
        }
    }
    panic!("the ladder stays at {:?}", gate(edge));
}

/// What a browser makes of the page's challenge.
fn solve(page: &str) -> String {
    let at = page.find("data-challenge=").expect("a challenge") + "data-challenge=".len();
    let quote = page[at..].chars().next().unwrap();
    let json = page[at + 1..].split(quote).next().unwrap().replace("&quot;", "\"").replace("&amp;", "&");
    let mut fields: serde_json::Value = serde_json::from_str(&json).unwrap();
    let (salt, wanted) = (fields["salt"].as_str().unwrap(), fields["challenge"].as_str().unwrap());
    let number = (0..=fields["maxnumber"].as_u64().unwrap())
        .find(|number| {
            let digest = Sha256::digest(format!("{salt}{number}"));
            digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>() == wanted
        })
        .expect("an answer");
    fields["number"] = number.into();
    STANDARD.encode(fields.to_string())
}

#[test]
fn who_lets_his_browser_work_gets_in_before_others() {
    let origin = look_up();
    let edge = start(one_at_a_time(&origin));
    let _held = fill(&edge, &origin);
    let mut person = climb_to_choice(&edge);
    let (shown, _) = person.browse(&edge, "/look-up");
    assert_eq!(shown.status, 503);
    assert!(shown.header("set-cookie").unwrap().starts_with("floodwall_ticket="));
    person.cookies.push(("floodwall_work".into(), solve(&shown.text())));
    let exchanged = person.ask(&edge, "/look-up");
    assert_eq!((exchanged.status, exchanged.header("location")), (307, Some("/look-up")));
    let names: Vec<_> = person.cookies.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["floodwall_token"], "what was exchanged is gone");
    let mut asked = person.send(&edge, "/look-up");
    origin.open_gate();
    assert_eq!(asked.read_answer(false).status, 200);
}

#[test]
fn who_waits_gets_in_with_cookies_and_without() {
    let origin = look_up();
    let (edge, clock) = start_with_clock(one_at_a_time(&origin));
    let held = fill(&edge, &origin);
    let mut person = climb_to_choice(&edge);
    let mut careful = Person { keeps_cookies: false, ..Person::new(2_000) };
    let (shown, _) = person.browse(&edge, "/look-up");
    assert_eq!(shown.status, 503);
    let (refresh, at) = careful.browse(&edge, "/look-up");
    assert_eq!(refresh.status, 503, "{at}");
    let mut ticket_at = where_to_ask_again(&refresh);
    assert!(ticket_at.starts_with("/look-up?floodwall=t."), "{ticket_at}");
    // Both present their tickets for the first time, and are counted.
    assert_eq!(person.ask(&edge, "/look-up").status, 503);
    ticket_at = where_to_ask_again(&careful.ask(&edge, &ticket_at));
    origin.open_gate();
    drop(held);
    let clock: &TestClock = &clock;
    until("his turn has come", || {
        clock.skip(Duration::from_secs(3));
        let (answer, _) = person.browse(&edge, "/look-up");
        assert!(matches!(answer.status, 200 | 503), "{answer:?}");
        answer.status == 200
    });
    until("so has hers", || {
        clock.skip(Duration::from_secs(3));
        let (answer, _) = careful.browse(&edge, &ticket_at);
        if answer.status == 503 && answer.header("refresh").is_some() {
            ticket_at = where_to_ask_again(&answer);
        }
        answer.status == 200
    });
}

#[test]
fn what_visitors_carry_for_the_edge_makes_no_answer_private() {
    let origin = Origin::start(|_| page("for everybody", &[CACHEABLE, ("vary", "cookie")]));
    let edge = start(one_at_a_time(&origin));
    assert_eq!(Person::new(1).ask(&edge, "/deadlines").status, 200);
    let mut carrying = Person::new(2);
    for name in ["floodwall_token", "floodwall_ticket", "floodwall_work", "_ga"] {
        carrying.cookies.push((name.into(), "anything".into()));
    }
    assert_eq!(carrying.ask(&edge, "/deadlines").status, 200);
    assert_eq!(origin.count(), 1);
    carrying.cookies.push(("session".into(), "1".into()));
    assert_eq!(carrying.ask(&edge, "/deadlines").status, 200);
    let asked = origin.asked();
    assert_eq!(asked[1].headers()["cookie"], "_ga=anything; session=1", "what is for the edge stays there");
}

#[test]
fn under_pressure_parameters_that_nobody_uses_in_calm_times_lead_to_the_kept_page() {
    let clock = TestClock::standing();
    let of_origin = clock.clone();
    let origin = Origin::start(move |asked| {
        let is_kept = asked.uri().path() == "/news";
        if is_kept {
            // It takes as long as the edge believes of an origin it does not know.
            of_origin.skip(Duration::from_millis(100));
        }
        let kept = ("cache-control", if is_kept { "public, max-age=6000" } else { "no-store" });
        page(&asked.uri().to_string(), &[kept])
    });
    let edge = start_with(one_at_a_time(&origin), clock);
    for number in 0..240 {
        let (asked, status) = (format!("/news?page={number}"), 200);
        assert_eq!(Person::new(5_000 + number).ask(&edge, &asked).status, status);
        until("its place is given back", || gate(&edge).in_flight == 0);
    }
    assert_eq!(Person::new(6_000).ask(&edge, "/news").status, 200);
    until("all places are given back", || gate(&edge).in_flight == 0);
    // In calm times the origin decides what a parameter means.
    assert_eq!(Person::new(6_000).ask(&edge, "/news?cb=1").text(), "/news?cb=1");
    until("all places are given back", || gate(&edge).in_flight == 0);
    let _held = fill(&edge, &origin);
    let _person = climb_to_choice(&edge);
    let before = origin.count();
    for (asked, answered) in [
        ("/news?cb=2", Some("/news")),
        ("/news?page=7&cb=3", Some("/news?page=7")),
        ("/news?page=7", Some("/news?page=7")),
        // There is no copy of it, and it may mean something.
        ("/news?page=9000", None),
        ("/look-up?cb=1", None),
    ] {
        let answer = Person::new(9_000).ask(&edge, asked);
        let text = (answer.status == 200).then(|| answer.text());
        assert_eq!(text.as_deref(), answered, "{asked}");
    }
    assert_eq!(origin.count(), before);
}

#[test]
fn a_page_asks_for_its_visitors_place_and_the_origin_hears_nothing_of_it() {
    const ASKING: &str =
        "User-Agent: Browser/1 Mobile\r\nAccept: */*\r\nSec-Fetch-Dest: empty\r\nFloodwall-Place: 1\r\n";
    let origin = look_up();
    let edge = start(one_at_a_time(&origin));
    let _held = fill(&edge, &origin);
    let mut person = climb_to_choice(&edge);
    let (shown, _) = person.browse(&edge, "/look-up");
    assert_eq!(shown.status, 503);
    let before = origin.count();
    person.fields = ASKING;
    let place = person.ask(&edge, "/look-up");
    assert_eq!((place.status, place.header("content-type")), (503, Some("text/plain; charset=utf-8")));
    assert!(place.header("refresh").is_some());
    person.cookies.push(("floodwall_work".into(), solve(&shown.text())));
    assert_eq!(person.ask(&edge, "/look-up").status, 307, "his turn has come");
    assert_eq!(person.ask(&edge, "/look-up").status, 204, "and he is told so");
    assert_eq!(origin.count(), before);
}

/// The fields with which the page's script asks for the place in line; `fetch` says that it is no page.
const SCRIPT: &str = "User-Agent: Browser/1 Mobile\r\nAccept: */*\r\nAccept-Language: es-US\r\n\
                      Sec-Fetch-Dest: empty\r\nFloodwall-Place: ?1\r\n";

#[test]
fn the_pages_script_is_told_the_place_and_when_the_turn_has_come() {
    let origin = look_up();
    let (edge, clock) = start_with_clock(one_at_a_time(&origin));
    let held = fill(&edge, &origin);
    let mut person = climb_to_choice(&edge);
    let mut careful = Person { keeps_cookies: false, ..Person::new(2_000) };
    assert_eq!(person.browse(&edge, "/look-up").0.status, 503);
    let mut ticket_at = where_to_ask_again(&careful.browse(&edge, "/look-up").0);
    (person.fields, careful.fields) = (SCRIPT, SCRIPT);
    let told = person.ask(&edge, "/look-up");
    assert_eq!((told.status, told.header("content-type")), (503, Some("text/plain; charset=utf-8")));
    assert!(told.text().contains("antes de usted"), "{}", told.text());
    ticket_at = where_to_ask_again(&careful.ask(&edge, &ticket_at));
    origin.open_gate();
    drop(held);
    let clock: &TestClock = &clock;
    until("his turn has come", || {
        clock.skip(Duration::from_secs(3));
        let answer = person.ask(&edge, "/look-up");
        assert!(matches!(answer.status, 307 | 503), "{answer:?}");
        answer.status == 307
    });
    until("so has hers", || {
        clock.skip(Duration::from_secs(3));
        let answer = careful.ask(&edge, &ticket_at);
        assert!(matches!(answer.status, 204 | 503), "{answer:?}");
        if answer.status == 503 {
            ticket_at = where_to_ask_again(&answer);
        }
        answer.status == 204
    });
    (person.fields, careful.fields) = (BROWSER, BROWSER);
    until("both are in", || {
        clock.skip(Duration::from_secs(3));
        person.browse(&edge, "/look-up").0.status == 200 && careful.browse(&edge, &ticket_at).0.status == 200
    });
}

fn where_to_ask_again(page: &Answer) -> String {
    let text = page.text();
    let of_meta = text.split("url=").nth(1).map(|rest| rest.split(['"', '\'']).next().unwrap().to_owned());
    let of_field = page.header("refresh").and_then(|refresh| refresh.split("url=").nth(1)).map(str::to_owned);
    of_field.or(of_meta).expect("where to ask again").replace("&amp;", "&")
}

#[test]
fn a_report_of_a_person_is_counted_and_kept() {
    let origin = look_up();
    let edge = start(one_at_a_time(&origin));
    let mut visitor = Visitor::connect(&edge);
    visitor.send(
        b"POST /.well-known/floodwall/person?reference=7F3K-9QWX-02MB HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n\r\n",
    );
    let answer = visitor.read_answer(false);
    assert_eq!(answer.status, 200);
    assert!(answer.text().contains("7F3K-9QWX-02MB"));
    for (from, back) in [
        ("http://a.test/look-up?zip=1", "href=\"/look-up?zip=1\""),
        ("http://a.test.evil.test/x", "href=\"/\""),
        ("none", "href=\"/\""),
    ] {
        let mut visitor = Visitor::connect(&edge);
        let head = "POST /.well-known/floodwall/person HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0";
        visitor.send(format!("{head}\r\nReferer: {from}\r\n\r\n").as_bytes());
        assert!(visitor.read_answer(false).text().contains(back), "back from {from}");
    }
    let (count, reports) = edge.person_reports(SiteId(0));
    assert_eq!((count, reports[0].reference), (4, Some("7F3K-9QWX-02MB".parse().unwrap())));
    let site = edge.sites().remove(0);
    assert_eq!((site.person_reports, site.last_person_report), (4, reports.last().copied()));
    assert_eq!(Visitor::connect(&edge).get("/.well-known/floodwall/person").status, 405);
    assert_eq!(origin.count(), 0);
}
