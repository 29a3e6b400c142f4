//! Over real sockets, against the stand-in edge: how far each skill gets.

use std::sync::Arc;

use http::StatusCode;

use super::skilled::FOLLOWED_MAX;
use super::*;
use crate::agent::standin::{Answer, Bots, StandIn, listen, post};
use crate::agent::work::Challenge;
use crate::hosts::Host;
use crate::plan::Source;
use crate::scenario::{Skill, shipped};

const LOOK_UP: &str = "/polling-place/lookup?address=1+Oak+Street";

fn running(post: &Post, skill: Skill, proofs_per_second: f64) -> Running {
    let flood = Flood { skill, proofs_per_second, ..shipped("many-light").unwrap().floods.remove(0) };
    Running {
        post: post.clone(),
        hello: Vec::new(),
        start: Moment::now(),
        ends: Moment::now().plus_us(60_000_000),
        skilled: Skilled::of(&flood),
        kept: Mutex::default(),
        state: Mutex::new(State { seconds: vec![FloodSecond::default(); 70], ..State::default() }),
        flood,
    }
}

/// What became of one request from each of several sources, and what was done for it.
async fn fates(bots: Bots, skill: Skill, proofs_per_second: f64, sources: u16) -> (String, u64, u64) {
    let mut edge = StandIn::under(bots);
    let port = listen(move |asked| edge.answer(&asked)).await;
    let post = post(Host::Flood, port);
    let running = running(&post, skill, proofs_per_second);
    let mut fates = Vec::new();
    for source in 1..=sources {
        let fate = ask(&running, post.own.source(Source::V4(source)), LOOK_UP).await;
        fates.push(format!("{:?}", fate.unwrap()));
    }
    let seconds = running.seen((0, 0)).seconds;
    let sum = |field: fn(&FloodSecond) -> u64| seconds.iter().map(field).sum::<u64>();
    (fates.join(" "), sum(|second| second.followed), sum(|second| second.proofs))
}

#[tokio::test]
async fn each_skill_gets_as_far_as_it_can() {
    for (bots, skill, proofs, sources, expected, followed, solved) in [
        (Bots::None, Skill::Plain, 0.0, 2, "Served Served", 0, 0),
        (Bots::ProvingNothing, Skill::Plain, 5.0, 2, "Redirected Redirected", 0, 0),
        // Each to the mark and back.
        (Bots::ProvingNothing, Skill::Cookies, 5.0, 2, "Served Served", 4, 0),
        (Bots::ProvingNothing, Skill::SharedToken, 5.0, 2, "Served Served", 2, 0),
        (Bots::FollowingRedirects, Skill::Cookies, 5.0, 2, "ServerError ServerError", 4, 0),
        // The second comes too soon for another proof.
        (Bots::FollowingRedirects, Skill::Solves, 0.01, 2, "Served ServerError", 6, 1),
        (Bots::FollowingRedirects, Skill::SharedToken, 0.01, 3, "Served Served Served", 4, 1),
        (Bots::FollowingRedirects, Skill::Solves, 0.0, 1, "ServerError", 2, 0),
    ] {
        let got = fates(bots, skill, proofs, sources).await;
        assert_eq!(got, (expected.to_owned(), followed, solved), "{skill:?} against {bots:?}");
    }
}

#[tokio::test]
async fn a_circle_of_redirects_ends() {
    let port = listen(|_| Answer { status: 307, ..Answer::default() }.with("location", "/")).await;
    let post = post(Host::Flood, port);
    let running = Arc::new(running(&post, Skill::Cookies, 0.0));
    let fate = ask(&running, post.own.source(Source::V4(1)), "/").await;
    assert!(matches!(fate, Some(Fate::Redirected)), "{fate:?}");
    assert_eq!(running.seen((0, 0)).seconds[0].followed, u64::from(FOLLOWED_MAX));
}

#[test]
fn a_challenge_in_a_page_is_found_whatever_is_around_it() {
    let page = "<p data-challenge='x'><main data-challenge='{\"algorithm\":\"SHA-256\",\"challenge\":\"00\",\
                \"salt\":\"s\",\"signature\":\"t\",\"maxnumber\":5}'>";
    let found = crate::agent::answer::challenge(StatusCode::SERVICE_UNAVAILABLE, page.as_bytes());
    let expected = r#"{"algorithm":"SHA-256","challenge":"00","salt":"s","signature":"t","maxnumber":5}"#;
    assert_eq!(found, Challenge::read(expected));
    assert_eq!(crate::agent::answer::challenge(StatusCode::OK, page.as_bytes()), None);
}
