//! The visitors' host: every session at its time, each want with what became of it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::client::{Client, Got};
use super::lateness::Lateness;
use super::work::Solver;
use super::{AgentError, Post};
use crate::clock::{Moment, until};
use crate::measure::{Outcome, Record, Way};
use crate::plan::{Session, Step, Want, page};
use crate::scenario::VisitorKind;

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
    /// How much later than their devices would have had it visitors' proofs of work were computed,
    /// likewise.
    pub proofs_late_us: (u64, u64),
    /// Sessions that this network cannot have (IPv6 on loopback).
    pub sessions_left_out: u64,
}

/// Waits until the edge answers the home page.
pub(super) async fn wait_for_edge(post: &Post) -> Result<(), AgentError> {
    let want = page(0);
    let mut last = Outcome::NotReached;
    for _ in 0..EDGE_PATIENCE_S * EDGE_TRIES_PER_SECOND {
        let source = post.own.source(crate::plan::Source::V4(0x0021));
        let mut client = Client::new(post, source, VisitorKind::Monitor, None);
        last = client.get(&want, Moment::now()).await.outcome;
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
    let solver = Solver::start();
    let mut running = tokio::task::JoinSet::new();
    for session in &post.plan.sessions {
        if !post.own.network().has(session.source) {
            left_out += 1;
            continue;
        }
        let begins = start.plus_us(session.start_us);
        until(begins).await;
        lateness.note(begins);
        let (post, records, session, solver) =
            (shared.clone(), records.clone(), session.clone(), solver.clone());
        running.spawn(async move {
            let own = attend(&post, &session, start, solver).await;
            records.lock().unwrap_or_else(PoisonError::into_inner).extend(own);
        });
        while running.try_join_next().is_some() {}
    }
    while running.join_next().await.is_some() {}
    let records = std::mem::take(&mut *records.lock().unwrap_or_else(PoisonError::into_inner));
    let schedule_error_us = lateness.p99_and_max_us();
    let proofs_late_us = solver.late_us();
    VisitorsSeen { records, schedule_error_us, proofs_late_us, sessions_left_out: left_out }
}

/// One session. Whoever waits in vain for a page gives up, and what they still wanted counts as not
/// reached. What a visit comes to only after the scenario's end is not asked for.
async fn attend(post: &Post, session: &Session, start: Moment, solver: Solver) -> Vec<Record> {
    let ends = start.plus_us(u64::from(post.plan.scenario.duration_s) * 1_000_000);
    let source = post.own.source(session.source);
    let mut visit = Visit {
        session,
        start,
        client: Client::new(post, source, session.kind, Some(solver)),
        records: Vec::new(),
    };
    // A person reads for the time the plan gives, from when the page came.
    let mut read_from = start.plus_us(session.start_us);
    let mut previous_us = 0;
    let mut given_up = None;
    for step in &session.steps {
        let wanted = read_from.plus_us(step.at_us.saturating_sub(previous_us));
        previous_us = step.at_us;
        if given_up.is_none() && wanted >= ends {
            given_up = Some(Outcome::AfterTheEnd);
        }
        if let Some(outcome) = given_up {
            wants(step).for_each(|want| visit.record(want, wanted, wanted, without(outcome)));
            continue;
        }
        until(wanted).await;
        if step.roams {
            visit.client.roam(post.own.source(session.second_source));
        }
        if !visit.take_step(step, wanted).await {
            given_up = Some(Outcome::NotReached);
        }
        read_from = Moment::now();
    }
    visit.records
}

/// One session while it goes on.
struct Visit<'a> {
    session: &'a Session,
    start: Moment,
    client: Client<'a>,
    records: Vec<Record>,
}

impl Visit<'_> {
    /// One page with its assets. Returns whether the page came.
    async fn take_step(&mut self, step: &Step, wanted: Moment) -> bool {
        let mut since = wanted;
        let mut page_came = true;
        for (place, want) in wants(step).enumerate() {
            if !page_came {
                self.record(want, since, since, without(Outcome::NotReached));
                continue;
            }
            let got = self.client.get(want, since).await;
            let now = Moment::now();
            self.record(want, since, now, got);
            if place == 0 {
                page_came = got.outcome == Outcome::Arrived;
            }
            since = now;
        }
        page_came
    }

    fn record(&mut self, want: &Want, wanted: Moment, now: Moment, got: Got) {
        self.records.push(Record {
            kind: self.session.kind,
            session: self.session.start_us,
            what: want.what,
            wanted_us: wanted.us_since(self.start),
            latency_us: now.us_since(wanted),
            outcome: got.outcome,
            way: got.way,
        });
    }
}

/// What was not asked for.
fn without(outcome: Outcome) -> Got {
    Got { outcome, way: Way::default() }
}

fn wants(step: &Step) -> impl Iterator<Item = &Want> {
    std::iter::once(&step.page).chain(&step.assets)
}
