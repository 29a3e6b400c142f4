//! Over real sockets, against the stand-in edge and against servers that answer as they are told.

use std::sync::{Arc, Mutex};

use floodwall_policy::Rung;

use super::*;
use crate::agent::standin::{Answer, Asked, Bots, StandIn, listen, post};
use crate::hosts::Host;
use crate::plan::{Source, page};

const PERSON: Source = Source::V4(0x0200);

fn look_up() -> Want {
    Want {
        what: Wanted::LookUp,
        target: "/polling-place/lookup?address=1+Oak+Street".to_owned(),
        words: "<h1>Your polling place",
    }
}

fn told(got: Got) -> String {
    let Way { redirects, proofs, waits, reloads, refusals, .. } = got.way;
    let counts = [
        (redirects, "redirects"),
        (proofs, "proofs"),
        (waits.min(1), "waited"),
        (reloads, "reloads"),
        (refusals, "refusals"),
    ];
    let way: Vec<_> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    format!("{:?}: {}", got.outcome, way.join(", "))
}

/// What a visitor of each kind meets at each rung: the first page, and one more with what was proven.
#[tokio::test]
async fn every_kind_of_visitor_at_every_rung() {
    use VisitorKind::{Browser, BrowserNoScript, Crawler, Monitor, NoCookies, Phone, SlowPhone};
    let straight = "Arrived: ";
    let mut differs = Vec::new();
    for (bots, rung, kind, first, second) in [
        (Bots::None, Rung::Open, Browser, straight, straight),
        (Bots::ProvingNothing, Rung::Redirect, Browser, "Arrived: 2 redirects", straight),
        (Bots::ProvingNothing, Rung::Redirect, BrowserNoScript, "Arrived: 2 redirects", straight),
        (Bots::ProvingNothing, Rung::Redirect, NoCookies, "Arrived: 1 redirects", "Arrived: 1 redirects"),
        (Bots::ProvingNothing, Rung::Redirect, Crawler, "Arrived: 1 redirects", "Arrived: 1 redirects"),
        (Bots::FollowingRedirects, Rung::Choice, Browser, "Arrived: 3 redirects, 1 proofs", straight),
        (Bots::FollowingRedirects, Rung::Choice, Phone, "Arrived: 3 redirects, 1 proofs", straight),
        (Bots::FollowingRedirects, Rung::Choice, SlowPhone, "Arrived: 3 redirects, 1 proofs", straight),
        (Bots::FollowingRedirects, Rung::Choice, BrowserNoScript, "Arrived: 3 redirects, 1 waited", straight),
        (
            Bots::FollowingRedirects,
            Rung::Choice,
            NoCookies,
            "Arrived: 1 redirects, 1 waited",
            "Arrived: 1 redirects, 1 waited",
        ),
        (
            Bots::FollowingRedirects,
            Rung::Choice,
            Crawler,
            "ServerError: 1 redirects",
            "ServerError: 1 redirects",
        ),
        (Bots::Solving, Rung::WaitingRoom, Browser, "Arrived: 1 redirects, 1 waited", straight),
        (Bots::Solving, Rung::WaitingRoom, BrowserNoScript, "Arrived: 1 redirects, 1 waited", straight),
        (Bots::Solving, Rung::WaitingRoom, Monitor, "ServerError: ", "ServerError: "),
    ] {
        let mut edge = StandIn::under(bots);
        assert_eq!(edge.rung, rung, "{bots:?}");
        let port = listen(move |asked| edge.answer(&asked)).await;
        let post = post(Host::Visitors, port);
        let solver = Some(Solver::start());
        let mut client = Client::new(&post, post.own.source(PERSON), kind, solver);
        let got = told(client.get(&page(0), Moment::now()).await);
        // A phone goes on from elsewhere, and has proven what it has proven.
        if kind == Phone {
            client.roam(post.own.source(Source::V4(0x0300)));
        }
        let then = told(client.get(&look_up(), Moment::now()).await);
        if (got.as_str(), then.as_str()) != (first, second) {
            differs.push(format!("{kind:?} at {rung:?}: {got}; then {then}"));
        }
    }
    assert!(differs.is_empty(), "{differs:#?}");
}

/// A server that gives one answer after the other, the last for good, and notes what it was asked.
async fn scripted(answers: Vec<Answer>) -> (Post, Arc<Mutex<Vec<Asked>>>) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let notes = heard.clone();
    let port = listen(move |asked| {
        let mut notes = notes.lock().unwrap();
        notes.push(asked);
        answers.get(notes.len() - 1).or(answers.last()).unwrap().clone()
    })
    .await;
    (post(Host::Visitors, port), heard)
}

fn status(status: u16) -> Answer {
    Answer { status, ..Answer::default() }
}

#[tokio::test]
async fn error_pages_are_loaded_again_by_people_and_not_for_ever() {
    use VisitorKind::{Browser, Crawler, Monitor};
    let home = || Answer::page(page(0).words);
    let soon = |number| status(number).with("retry-after", "0");
    for (kind, want, answers, expected) in [
        (Browser, page(0), vec![soon(503), home()], "Arrived: 1 reloads"),
        (Browser, page(0), vec![soon(429), soon(429), home()], "Arrived: 2 reloads, 2 refusals"),
        (Browser, page(0), vec![soon(429), soon(429), soon(429), home()], "Refused: 2 reloads, 3 refusals"),
        (Browser, page(0), vec![status(503).with("retry-after", "31"), home()], "ServerError: "),
        (Browser, page(0), vec![status(403), home()], "Refused: 1 refusals"),
        (Browser, Want { what: Wanted::Part, ..page(0) }, vec![soon(503), home()], "ServerError: "),
        (Crawler, page(0), vec![soon(503), home()], "ServerError: "),
        (Monitor, page(0), vec![soon(429), home()], "Refused: 1 refusals"),
    ] {
        let (post, _) = scripted(answers).await;
        let mut client = Client::new(&post, post.own.source(PERSON), kind, None);
        assert_eq!(told(client.get(&want, Moment::now()).await), expected, "{kind:?}");
    }
}

#[tokio::test]
async fn circles_end() {
    let around = status(302).with("location", "/?again");
    let (post, heard) = scripted(vec![around]).await;
    let mut client = Client::new(&post, post.own.source(PERSON), VisitorKind::Browser, None);
    assert_eq!(told(client.get(&page(0), Moment::now()).await), "Wrong: 11 redirects");
    assert_eq!(heard.lock().unwrap().len(), 11);

    let waits = status(503).with("refresh", "0");
    let (post, heard) = scripted(vec![waits]).await;
    let mut client = Client::new(&post, post.own.source(PERSON), VisitorKind::Browser, None);
    assert_eq!(told(client.get(&page(0), Moment::now()).await), "Wrong: 1 waited");
    assert_eq!(heard.lock().unwrap().len(), 31);

    let elsewhere = status(302).with("location", "http://www.other.example/");
    let (post, heard) = scripted(vec![elsewhere]).await;
    let mut client = Client::new(&post, post.own.source(PERSON), VisitorKind::Browser, None);
    assert_eq!(told(client.get(&page(0), Moment::now()).await), "Wrong: ");
    assert_eq!(heard.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn cookies_go_back_with_those_who_keep_them() {
    use VisitorKind::{Browser, Crawler, NoCookies, Office};
    for (kind, sent) in [(Browser, true), (Office, true), (NoCookies, false), (Crawler, false)] {
        let first = status(307).with("location", "/").with("set-cookie", "a=1; Path=/");
        let (post, heard) = scripted(vec![first, Answer::page(page(0).words)]).await;
        let mut client = Client::new(&post, post.own.source(PERSON), kind, None);
        assert_eq!(told(client.get(&page(0), Moment::now()).await), "Arrived: 1 redirects");
        assert_eq!(heard.lock().unwrap()[1].fields.contains_key("cookie"), sent, "{kind:?}");
    }
}
