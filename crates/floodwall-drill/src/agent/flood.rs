//! The flood's host: every arrival of every flood at its time, within the scenario's bounds.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use hdrhistogram::Histogram;
use http::Request;
use http::header::HOST;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};

use super::{Post, slow};
use crate::clock::{Moment, until};
use crate::plan::FloodArrival;
use crate::scenario::{Flood, FloodKind};

/// How long a flooder waits for an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Idle connections that one source keeps.
const KEPT_PER_SOURCE: usize = 8;

/// What a flood did in one second of the scenario.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FloodSecond {
    /// Requests or connections begun.
    pub begun: u64,
    /// Answered with the page (2xx, 3xx).
    pub served: u64,
    /// Refused by status (4xx).
    pub refused: u64,
    /// Answered with 5xx.
    pub server_errors: u64,
    /// No connection, or it broke off, or no answer in time.
    pub failed: u64,
    /// Not begun because the flood had its most connections open.
    pub left_out: u64,
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
    /// When the flood is over.
    pub(super) ends: Moment,
    kept: Mutex<HashMap<IpAddr, Vec<SendRequest<Empty<Bytes>>>>>,
    state: Mutex<State>,
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
    Refused,
    ServerError,
    Failed,
}

/// Carries all floods of the plan out, side by side.
pub(super) async fn run(post: &Post, start: Moment) -> Vec<FloodSeen> {
    let mut floods = Vec::new();
    for place in 0..post.plan.scenario.floods.len() {
        floods.push(tokio::spawn(run_one(post.clone(), place, start)));
    }
    let mut seen = Vec::new();
    for flood in floods {
        seen.push(flood.await.unwrap_or_default());
    }
    seen
}

async fn run_one(post: Post, place: usize, start: Moment) -> FloodSeen {
    let (Some(flood), Some(arrivals)) =
        (post.plan.scenario.floods.get(place).cloned(), post.plan.flood(place))
    else {
        return FloodSeen::default();
    };
    let duration_s = usize::try_from(post.plan.scenario.duration_s).unwrap_or(0);
    let running = Arc::new(Running {
        ends: start.plus_us(u64::from(flood.until_s) * 1_000_000),
        kept: Mutex::new(HashMap::new()),
        state: Mutex::new(State { seconds: vec![FloodSecond::default(); duration_s], ..State::default() }),
        post,
        flood,
    });
    let mut lateness = Histogram::<u64>::new(3).ok();
    let mut tasks = tokio::task::JoinSet::new();
    for arrival in arrivals {
        let due = start.plus_us(arrival.at_us);
        until(due).await;
        if let Some(lateness) = lateness.as_mut() {
            lateness.saturating_record(Moment::now().us_since(due));
        }
        let second = usize::try_from(arrival.at_us / 1_000_000).unwrap_or(0);
        if running.may_begin(second) {
            let running = running.clone();
            tasks.spawn(async move {
                let fate = attack(&running, &arrival).await;
                running.ended(second, fate);
            });
        }
        while tasks.try_join_next().is_some() {}
    }
    // What is in the air when the flood ends is let go.
    until(running.ends).await;
    tasks.abort_all();
    while tasks.join_next().await.is_some() {}
    let state = running.state.lock().unwrap_or_else(PoisonError::into_inner);
    FloodSeen {
        seconds: state.seconds.clone(),
        schedule_error_us: lateness.map_or((0, 0), |late| (late.value_at_quantile(0.99), late.max())),
        connections_peak: state.peak,
    }
}

impl Running {
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
                Fate::Refused => counts.refused += 1,
                Fate::ServerError => counts.server_errors += 1,
                Fate::Failed => counts.failed += 1,
            }
        }
    }

    fn take(&self, source: IpAddr) -> Option<SendRequest<Empty<Bytes>>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let connections = kept.get_mut(&source)?;
        while let Some(connection) = connections.pop() {
            if connection.is_ready() {
                return Some(connection);
            }
        }
        None
    }

    fn keep(&self, source: IpAddr, connection: SendRequest<Empty<Bytes>>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let connections = kept.entry(source).or_default();
        if connections.len() < KEPT_PER_SOURCE {
            connections.push(connection);
        }
    }
}

async fn attack(running: &Running, arrival: &FloodArrival) -> Fate {
    let source = running.post.own.source(arrival.source);
    match running.flood.kind {
        FloodKind::Pages | FloodKind::LookUps | FloodKind::CacheBust | FloodKind::BareAddress => {
            let asking = ask(running, source, &arrival.target);
            tokio::time::timeout(PATIENCE, asking).await.ok().flatten().unwrap_or(Fate::Failed)
        }
        FloodKind::Connections | FloodKind::SlowHeaders | FloodKind::SlowBody | FloodKind::SlowRead => {
            slow::hold(running, source, &arrival.target).await
        }
    }
}

/// One request over a connection of that source.
async fn ask(running: &Running, source: IpAddr, target: &str) -> Option<Fate> {
    let address = running.post.own.edge(source, running.post.port);
    let mut connection = match running.take(source) {
        Some(connection) => connection,
        None => {
            let stream = address.connect(source).await.ok()?;
            let _ = stream.set_nodelay(true);
            let (connection, driver) = handshake(TokioIo::new(stream)).await.ok()?;
            tokio::spawn(driver);
            connection
        }
    };
    let host = match running.flood.kind {
        FloodKind::BareAddress => address.socket().to_string(),
        _ => running.post.site.clone(),
    };
    let request = Request::get(target)
        .header(HOST, host)
        .header("user-agent", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36")
        .header("accept", "*/*");
    let response = connection.send_request(request.body(Empty::new()).ok()?).await.ok()?;
    let status = response.status().as_u16();
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        frame.ok()?;
    }
    running.keep(source, connection);
    Some(match status {
        200..=399 => Fate::Served,
        400..=499 => Fate::Refused,
        _ => Fate::ServerError,
    })
}
