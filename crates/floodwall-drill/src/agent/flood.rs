//! The flood's host: every arrival of every flood at its time, within the scenario's bounds.

mod requests;
mod skilled;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Empty;
use hyper::client::conn::http1::SendRequest;
use serde::{Deserialize, Serialize};

use super::lateness::Lateness;
use super::packets::Packets;
use super::tls::Tls;
use super::{AgentError, Post, h2, handshakes, slow};
use crate::clock::{Moment, until};
use crate::plan::FloodArrival;
use crate::scenario::{Flood, FloodKind};
use requests::ask;
use skilled::Skilled;

/// Idle connections that one source keeps.
const KEPT_PER_SOURCE: usize = 8;
/// What is in the air when a flood ends may take so long to say what became of it.
const GRACE_US: u64 = 250_000;
/// Packets sent before others get their turn.
const PACKETS_AT_ONCE: u32 = 64;

/// What a flood did in one second of the scenario.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FloodSecond {
    /// Requests, connections or handshakes begun, or packets sent.
    pub begun: u64,
    /// Requests answered with the page (2xx), handshakes answered, connections that were still
    /// open when the flood ended as far as the flooder can see. A reader that takes next to nothing
    /// sees no end that is queued behind data: what the edge still held says `Outcome::edge_held`.
    pub served: u64,
    /// Requests answered with a redirect in the end, which nobody followed or which led nowhere.
    #[serde(default)]
    pub redirected: u64,
    /// Requests that followed from an answer to another one, beside those begun.
    #[serde(default)]
    pub followed: u64,
    /// Proofs of work done.
    #[serde(default)]
    pub proofs: u64,
    /// Refused by status (4xx), or a connection closed by the edge.
    pub refused: u64,
    /// Of these, connections of HTTP/2 that the edge ended with a GOAWAY.
    pub told_to_go: u64,
    /// Answered with 5xx.
    pub server_errors: u64,
    /// No connection, or a request's connection broke off, or no answer in time, or a packet that
    /// the flood's own system did not take.
    pub failed: u64,
    /// Of these, given up because nothing came within the flooder's patience.
    pub gave_up: u64,
    /// In the air when the flood ended.
    pub unfinished: u64,
    /// Not begun because the flood had its most connections open.
    pub left_out: u64,
    /// Sent in this second on connections that send many: cancelled requests, frames of headers.
    pub sent: u64,
}

/// What one flood did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FloodSeen {
    /// By the second in which it was begun.
    pub seconds: Vec<FloodSecond>,
    /// How late arrivals were against the plan, microseconds: 99th percentile and maximum.
    pub schedule_error_us: (u64, u64),
    /// The most connections that were open at once.
    pub connections_peak: u64,
}

/// A flood while it runs.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) post: Post,
    pub(super) flood: Flood,
    /// The first message of a TLS handshake, for floods of those.
    pub(super) hello: Vec<u8>,
    start: Moment,
    /// When the flood is over.
    pub(super) ends: Moment,
    skilled: Skilled,
    kept: Mutex<Kept>,
    state: Mutex<State>,
}

/// Idle connections, by source.
#[derive(Debug, Default)]
struct Kept {
    by_source: HashMap<IpAddr, Vec<SendRequest<Empty<Bytes>>>>,
    count: u64,
}

#[derive(Debug, Default)]
struct State {
    seconds: Vec<FloodSecond>,
    open: u64,
    peak: u64,
}

/// What became of one arrival.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fate {
    Served,
    Redirected,
    Refused,
    ToldToGo,
    ServerError,
    Failed,
    GaveUp,
}

/// A flood that has all it needs.
#[derive(Debug)]
pub(super) struct Prepared {
    post: Post,
    place: usize,
    packets: Option<Packets>,
    hello: Vec<u8>,
}

/// Prepares all floods of the plan, so that what is missing is told before it starts.
pub(super) fn prepare(post: &Post) -> Result<Vec<Prepared>, AgentError> {
    let hello = post.tls.as_ref().map(Tls::hello).transpose().map_err(AgentError::Handshake)?;
    let hello = hello.unwrap_or_default();
    let places = 0..post.plan.scenario.floods.len();
    places
        .map(|place| {
            let packets = Packets::open(post, place)?;
            Ok(Prepared { post: post.clone(), place, packets, hello: hello.clone() })
        })
        .collect()
}

/// Carries the floods out, side by side.
pub(super) async fn run(floods: Vec<Prepared>, start: Moment) -> Vec<FloodSeen> {
    let floods: Vec<_> = floods.into_iter().map(|flood| tokio::spawn(run_one(flood, start))).collect();
    let mut seen = Vec::new();
    for flood in floods {
        seen.push(flood.await.unwrap_or_default());
    }
    seen
}

async fn run_one(prepared: Prepared, start: Moment) -> FloodSeen {
    let Prepared { post, place, mut packets, hello } = prepared;
    let (Some(flood), Some(arrivals)) =
        (post.plan.scenario.floods.get(place).cloned(), post.plan.flood(place))
    else {
        return FloodSeen::default();
    };
    let duration_s = usize::try_from(post.plan.scenario.duration_s).unwrap_or(0);
    let running = Arc::new(Running {
        hello,
        start,
        ends: start.plus_us(u64::from(flood.until_s) * 1_000_000),
        skilled: Skilled::of(&flood),
        kept: Mutex::default(),
        state: Mutex::new(State { seconds: vec![FloodSecond::default(); duration_s], ..State::default() }),
        post,
        flood,
    });
    let mut lateness = Lateness::new();
    let mut tasks = tokio::task::JoinSet::new();
    let mut packets_sent = 0_u32;
    for arrival in arrivals {
        let due = start.plus_us(arrival.at_us);
        until(due).await;
        lateness.note(due);
        let second = usize::try_from(arrival.at_us / 1_000_000).unwrap_or(0);
        if let Some(packets) = packets.as_mut() {
            running.packet(second, packets.send(&arrival));
            packets_sent = packets_sent.wrapping_add(1);
            if packets_sent.is_multiple_of(PACKETS_AT_ONCE) {
                tokio::task::yield_now().await;
            }
        } else if running.may_begin(second) {
            let running = running.clone();
            tasks.spawn(async move {
                let fate = attack(&running, &arrival).await;
                running.ended(second, fate);
            });
        }
        while tasks.try_join_next().is_some() {}
    }
    // Whoever holds a connection notices the end; what is in the air beyond that is let go.
    until(running.ends).await;
    let all_ended = async { while tasks.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(Duration::from_micros(GRACE_US), all_ended).await;
    tasks.abort_all();
    while tasks.join_next().await.is_some() {}
    running.seen(lateness.p99_and_max_us())
}

impl Running {
    /// How long one waits for an answer, or for a connection that is to be held.
    pub(super) fn patience(&self) -> Duration {
        Duration::from_secs(u64::from(self.flood.patience_s))
    }

    /// Notes what a connection has sent just now.
    pub(super) fn sent(&self, count: u64) {
        self.note(|counts| counts.sent += count);
    }

    /// Counts something in the second that it is now.
    fn note(&self, note: impl FnOnce(&mut FloodSecond)) {
        let second = usize::try_from(Moment::now().us_since(self.start) / 1_000_000).unwrap_or(usize::MAX);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(counts) = state.seconds.get_mut(second) {
            note(counts);
        }
    }

    fn packet(&self, second: usize, taken: bool) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(counts) = state.seconds.get_mut(second) {
            counts.begun += 1;
            if taken { counts.sent += 1 } else { counts.failed += 1 }
        }
    }

    fn seen(&self, schedule_error_us: (u64, u64)) -> FloodSeen {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut seconds = state.seconds.clone();
        let are_packets = self.flood.kind.is_packets();
        for second in seconds.iter_mut().filter(|_| !are_packets) {
            let answered = second.served + second.redirected + second.refused + second.server_errors;
            let told = answered + second.failed;
            second.unfinished = second.begun.saturating_sub(told);
        }
        FloodSeen { seconds, schedule_error_us, connections_peak: state.peak }
    }

    fn may_begin(&self, second: usize) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let allowed = state.open < u64::from(self.flood.connections_max);
        if allowed {
            state.open += 1;
            state.peak = state.peak.max(state.open);
        }
        if let Some(counts) = state.seconds.get_mut(second) {
            if allowed { counts.begun += 1 } else { counts.left_out += 1 }
        }
        allowed
    }

    fn ended(&self, second: usize, fate: Fate) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.open = state.open.saturating_sub(1);
        if let Some(counts) = state.seconds.get_mut(second) {
            match fate {
                Fate::Served => counts.served += 1,
                Fate::Redirected => counts.redirected += 1,
                Fate::Refused => counts.refused += 1,
                Fate::ToldToGo => {
                    counts.refused += 1;
                    counts.told_to_go += 1;
                }
                Fate::ServerError => counts.server_errors += 1,
                Fate::Failed => counts.failed += 1,
                Fate::GaveUp => {
                    counts.failed += 1;
                    counts.gave_up += 1;
                }
            }
        }
    }

    fn take(&self, source: IpAddr) -> Option<SendRequest<Empty<Bytes>>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let Kept { by_source, count } = &mut *kept;
        let connections = by_source.get_mut(&source)?;
        while let Some(connection) = connections.pop() {
            *count = count.saturating_sub(1);
            if connection.is_ready() {
                return Some(connection);
            }
        }
        None
    }

    /// Keeps it for the source's next request; of all sources no more than may be open at once.
    fn keep(&self, source: IpAddr, connection: SendRequest<Empty<Bytes>>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let Kept { by_source, count } = &mut *kept;
        let connections = by_source.entry(source).or_default();
        if connections.len() < KEPT_PER_SOURCE && *count < u64::from(self.flood.connections_max) {
            connections.push(connection);
            *count += 1;
        }
    }
}

async fn attack(running: &Running, arrival: &FloodArrival) -> Fate {
    let source = running.post.own.source(arrival.source);
    match running.flood.kind {
        FloodKind::Pages | FloodKind::LookUps | FloodKind::CacheBust | FloodKind::BareAddress => {
            let asking = ask(running, source, &arrival.target);
            let answered = tokio::time::timeout(running.patience(), asking).await;
            answered.map_or(Fate::GaveUp, |fate| fate.unwrap_or(Fate::Failed))
        }
        FloodKind::Connections | FloodKind::SlowHeaders | FloodKind::SlowBody | FloodKind::SlowRead => {
            slow::hold(running, source, &arrival.target).await
        }
        FloodKind::H2RapidReset
        | FloodKind::H2Continuation
        | FloodKind::H2MadeYouReset
        | FloodKind::H2HeaderBomb => h2::hold(running, source, arrival).await,
        FloodKind::TlsHandshakes => handshakes::shake(running, source, arrival).await,
        // Packets are sent without a task of their own.
        FloodKind::SynSpoofed | FloodKind::Udp => Fate::Failed,
    }
}
