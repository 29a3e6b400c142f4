//! The visitors' host: every session at its time, each want with what became of it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::client::Client;
use super::lateness::Lateness;
use super::{AgentError, Post};
use crate::clock::{Moment, until};
use crate::measure::{Outcome, Record};
use crate::plan::{PAGES, Session, Step, Want};
use crate::scenario::VisitorKind;

/// How long a person waits for a page.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long the edge may take to come up before the drill begins, and how often it is tried.
const EDGE_PATIENCE_S: u64 = 20;
const EDGE_TRIES_PER_SECOND: u64 = 10;

/// What the visitors saw.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct VisitorsSeen {
    /// Every want, in no order.
    pub records: Vec<Record>,
    /// How late sessions began against the plan, microseconds: 99th percentile and maximum. This is
    /// the generator's own fault and not the edge's.
    pub schedule_error_us: (u64, u64),
    /// Sessions that this network cannot have (IPv6 on loopback).
    pub sessions_left_out: u64,
}

/// Waits until the edge answers the home page.
pub(super) async fn wait_for_edge(post: &Post) -> Result<(), AgentError> {
    let (target, words) = PAGES.first().copied().unwrap_or(("/", ""));
    let want = Want { target: target.to_owned(), words };
    let mut last = Outcome::NotReached;
    for _ in 0..EDGE_PATIENCE_S * EDGE_TRIES_PER_SECOND {
        let mut client = Client::new(post, post.own.source(crate::plan::Source::V4(0x0021)), "drill");
        last = client.get(&want, Moment::now(), PATIENCE).await.outcome;
        if last == Outcome::Arrived {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(1_000 / EDGE_TRIES_PER_SECOND)).await;
    }
    Err(AgentError::NoEdge { seconds: EDGE_PATIENCE_S, last: format!("{last:?}") })
}

/// Carries the plan's sessions out.
pub(super) async fn run(post: &Post, start: Moment) -> VisitorsSeen {
    let records = Arc::new(Mutex::new(Vec::with_capacity(post.plan.wants())));
    let shared = Arc::new(post.clone());
    let mut lateness = Lateness::new();
    let mut left_out = 0;
    let mut running = tokio::task::JoinSet::new();
    for session in &post.plan.sessions {
        if !post.own.network().has(session.source) {
            left_out += 1;
            continue;
        }
        let begins = start.plus_us(session.start_us);
        until(begins).await;
        lateness.note(begins);
        let (post, records, session) = (shared.clone(), records.clone(), session.clone());
        running.spawn(async move {
            let own = attend(&post, &session, start, begins).await;
            records.lock().unwrap_or_else(PoisonError::into_inner).extend(own);
        });
        while running.try_join_next().is_some() {}
    }
    while running.join_next().await.is_some() {}
    let records = std::mem::take(&mut *records.lock().unwrap_or_else(PoisonError::into_inner));
    let schedule_error_us = lateness.p99_and_max_us();
    VisitorsSeen { records, schedule_error_us, sessions_left_out: left_out }
}

/// One session. Whoever waits in vain for a page gives up, and what they still wanted counts as not
/// reached.
async fn attend(post: &Post, session: &Session, start: Moment, begins: Moment) -> Vec<Record> {
    let mut client = Client::new(post, post.own.source(session.source), user_agent(session.kind));
    let mut records = Vec::new();
    // A person reads for the time the plan gives, from when the page came.
    let mut read_from = begins;
    let mut previous_us = 0;
    let mut given_up = false;
    for step in &session.steps {
        let wanted = read_from.plus_us(step.at_us.saturating_sub(previous_us));
        previous_us = step.at_us;
        if given_up {
            records
                .extend(wants(step).map(|_| record(session, start, wanted, wanted, Outcome::NotReached, 0)));
            continue;
        }
        until(wanted).await;
        if step.roams {
            client.roam(post.own.source(session.second_source));
        }
        given_up = !take_step(&mut client, session, step, start, wanted, &mut records).await;
        read_from = Moment::now();
    }
    records
}

/// One page with its assets. Returns whether the page came.
async fn take_step(
    client: &mut Client<'_>,
    session: &Session,
    step: &Step,
    start: Moment,
    wanted: Moment,
    records: &mut Vec<Record>,
) -> bool {
    let mut since = wanted;
    let mut page_came = true;
    for (place, want) in wants(step).enumerate() {
        if !page_came {
            records.push(record(session, start, since, since, Outcome::NotReached, 0));
            continue;
        }
        let got = client.get(want, since, PATIENCE).await;
        let now = Moment::now();
        records.push(record(session, start, since, now, got.outcome, got.detours));
        if place == 0 {
            page_came = got.outcome == Outcome::Arrived;
        }
        since = now;
    }
    page_came
}

fn wants(step: &Step) -> impl Iterator<Item = &Want> {
    std::iter::once(&step.page).chain(&step.assets)
}

fn record(
    session: &Session,
    start: Moment,
    wanted: Moment,
    now: Moment,
    outcome: Outcome,
    detours: u32,
) -> Record {
    Record {
        kind: session.kind,
        session: session.start_us,
        wanted_us: wanted.us_since(start),
        latency_us: now.us_since(wanted),
        outcome,
        detours,
    }
}

/// How they introduce themselves.
fn user_agent(kind: VisitorKind) -> &'static str {
    match kind {
        VisitorKind::Phone => {
            "Mozilla/5.0 (Linux; Android 14; Mobile) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Mobile Safari/537.36"
        }
        VisitorKind::Crawler => "Mozilla/5.0 (compatible; DrillCrawler/1.0)",
        VisitorKind::Monitor => "DrillMonitor/1.0",
        _ => "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0",
    }
}
