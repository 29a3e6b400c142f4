//! The JSON API: its own types, so that a change inside never changes what scripts rely on.
//!
//! Names are snake_case with units, times RFC 3339 in UTC, one object per answer; faults are
//! problem details (RFC 9457). `assets/openapi.json` describes it and a test holds both in step.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use floodwall_model::{AdmissionCounts, EdgeCounts, GateStatus, OriginStatus, PersonReport, TrafficCounts};
use serde::{Deserialize, Serialize};

use crate::console::ConsoleState;
use crate::format::rfc_3339_seconds;
use crate::minutes::Window;
use crate::snapshot::{SiteFigures, Snapshot};
use crate::view::from_cache;

/// Minutes in one answer: a day.
const MINUTES_MAX: u16 = 1440;
const MINUTES_DEFAULT: u16 = 60;

/// Why a request cannot be met, as a problem-details object.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    detail: String,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into() }
    }
}

#[derive(Serialize)]
struct WireProblem<'a> {
    title: &'a str,
    status: u16,
    detail: &'a str,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let title = self.status.canonical_reason().unwrap_or("Error");
        let body = Json(WireProblem { title, status: self.status.as_u16(), detail: &self.detail });
        (self.status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response()
    }
}

macro_rules! wire_counts {
    ($(#[$meta:meta])* $name:ident from $source:ident { $($field:ident,)+ }) => {
        $(#[$meta])*
        #[derive(Serialize)]
        struct $name { $($field: u64,)+ }

        impl From<&$source> for $name {
            fn from(counts: &$source) -> Self {
                // Without `..`: a figure added to the model must be decided on here.
                let $source { $($field,)+ } = *counts;
                Self { $($field,)+ }
            }
        }
    };
}

wire_counts! {
    Traffic from TrafficCounts {
        requests, responses_2xx, responses_3xx, responses_4xx, responses_5xx, cache_hits, cache_stale, cache_misses,
        refused_prefix_rate, origin_requests, origin_errors, origin_5xx, origin_wait_us, request_body_bytes,
        response_body_bytes,
    }
}

wire_counts! {
    Edge from EdgeCounts {
        connections_accepted, connections_open, connections_refused, connections_timed_out, tls_handshakes_failed,
        tls_handshakes_full, tls_handshakes_resumed, tls_handshakes_refused, tls_handshakes_in_progress,
        proxy_headers_malformed,
        malformed_requests, oversized_headers, unknown_hosts, undeclared_paths, blocked_requests, limiter_prefixes, limiter_evictions, limiter_bytes_max,
        cache_entries, cache_bytes, cache_bytes_max, kept_copies, kept_bytes, kept_bytes_max, kept_written, kept_read,
        kept_dropped, kept_write_failures, kept_corrupt, access_records_dropped,
    }
}

wire_counts! {
    Admission from AdmissionCounts {
        admitted, waited, abandoned, over_share, refused_no_room, refused_over_share, refused_displaced,
        refused_waited_out, challenged_redirect, challenged_choice, challenged_waiting_room, sources_forgotten,
        tickets_uncounted,
    }
}

#[derive(Serialize)]
struct Losses {
    events_dropped: u64,
    store_backlog_records: u64,
    store_records_dropped: u64,
    evidence_records_lost: u64,
    crawler_checks_dropped: u64,
    access_records_dropped: u64,
}

#[derive(Serialize)]
struct Server {
    version: &'static str,
    started: String,
    ready: bool,
    not_ready_reason: Option<String>,
    listeners: Vec<String>,
    admin_listener: String,
    edge: Edge,
    losses: Losses,
}

impl From<&Snapshot> for Server {
    fn from(snapshot: &Snapshot) -> Self {
        let reason = snapshot.readiness.fault();
        Self {
            version: snapshot.version,
            started: snapshot.started.to_string(),
            ready: reason.is_none(),
            not_ready_reason: reason.map(str::to_owned),
            listeners: snapshot.listeners.clone(),
            admin_listener: snapshot.admin_listener.clone(),
            edge: Edge::from(&snapshot.edge),
            losses: Losses {
                events_dropped: snapshot.losses.events_dropped,
                store_backlog_records: snapshot.losses.store_backlog_records,
                store_records_dropped: snapshot.losses.store_records_dropped,
                evidence_records_lost: snapshot.losses.evidence_records_lost,
                crawler_checks_dropped: snapshot.losses.crawler_checks_dropped,
                access_records_dropped: snapshot.edge.access_records_dropped,
            },
        }
    }
}

#[derive(Serialize)]
struct Origin {
    url: String,
    health: &'static str,
    since: Option<String>,
    last_failure: Option<String>,
}

impl From<&OriginStatus> for Origin {
    fn from(origin: &OriginStatus) -> Self {
        Self {
            url: origin.url.to_string(),
            health: origin.health.as_str(),
            since: origin.since.map(|since| since.to_string()),
            last_failure: origin.last_failure.as_deref().map(str::to_owned),
        }
    }
}

#[derive(Serialize)]
struct Gate {
    class: String,
    mode: &'static str,
    rung: u8,
    rung_name: &'static str,
    since: String,
    limit_requests: u32,
    in_flight_requests: u32,
    capacity_requests_per_second: u64,
    waiting_requests: u32,
    waiting_room_tickets: u64,
    calm_latency_us: Option<u64>,
    memory_max_bytes: u64,
    last_minute: Admission,
    since_start: Admission,
}

impl Gate {
    fn new(gate: &GateStatus, last_minute: &AdmissionCounts) -> Self {
        let micros = |latency: Duration| u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        Self {
            class: gate.class.to_string(),
            mode: gate.mode.as_str(),
            rung: gate.rung,
            rung_name: gate.rung_name,
            since: gate.since.to_string(),
            limit_requests: gate.limit,
            in_flight_requests: gate.in_flight,
            capacity_requests_per_second: gate.capacity_per_second,
            waiting_requests: gate.waiting,
            waiting_room_tickets: gate.in_waiting_room,
            calm_latency_us: gate.calm_latency.map(micros),
            memory_max_bytes: gate.memory_bytes_max,
            last_minute: Admission::from(last_minute),
            since_start: Admission::from(&gate.counts),
        }
    }
}

/// The address stays out: more people and programs read these figures than need to know it.
#[derive(Serialize)]
struct LastReport {
    at: String,
    reference: Option<String>,
}

impl From<&PersonReport> for LastReport {
    fn from(report: &PersonReport) -> Self {
        Self { at: report.at.to_string(), reference: report.reference.map(|reference| reference.to_string()) }
    }
}

#[derive(Serialize)]
struct Site {
    name: String,
    hosts: Vec<String>,
    role: Option<String>,
    origins: Vec<Origin>,
    gates: Vec<Gate>,
    person_reports: u64,
    last_person_report: Option<LastReport>,
    /// Of the last minute's requests, 0 to 1; null without requests.
    cached_ratio_last_minute: Option<f64>,
    last_second: Traffic,
    last_minute: Traffic,
    since_start: Traffic,
}

impl From<&SiteFigures> for Site {
    fn from(site: &SiteFigures) -> Self {
        let last_minute = |number| site.gates_last_minute.get(number).copied().unwrap_or_default();
        let gates = site.state.gates.iter().enumerate();
        Self {
            name: site.state.name.to_string(),
            hosts: site.state.hosts.iter().map(ToString::to_string).collect(),
            role: site.state.role.as_deref().map(str::to_owned),
            origins: site.state.origins.iter().map(Origin::from).collect(),
            gates: gates.map(|(number, gate)| Gate::new(gate, &last_minute(number))).collect(),
            person_reports: site.state.person_reports,
            last_person_report: site.state.last_person_report.as_ref().map(LastReport::from),
            cached_ratio_last_minute: cached_ratio(&site.last_minute),
            last_second: Traffic::from(&site.last_second),
            last_minute: Traffic::from(&site.last_minute),
            since_start: Traffic::from(&site.state.counts),
        }
    }
}

fn cached_ratio(counts: &TrafficCounts) -> Option<f64> {
    let ten_thousandths = u128::from(from_cache(counts).min(counts.requests)) * 10_000;
    let ratio = ten_thousandths.checked_div(u128::from(counts.requests))?;
    u32::try_from(ratio).ok().map(|ratio| f64::from(ratio) / 10_000.0)
}

#[derive(Serialize)]
struct Sites {
    as_of: String,
    server: Server,
    sites: Vec<Site>,
}

#[derive(Serialize)]
struct OneSite {
    as_of: String,
    site: Site,
}

#[derive(Serialize)]
struct Minute {
    minute: String,
    traffic: Traffic,
    admission: Admission,
}

#[derive(Serialize)]
struct SiteTraffic {
    site: String,
    from: String,
    to: String,
    minutes: Vec<Minute>,
}

/// `GET /api/v1/sites`.
pub(crate) async fn sites(State(state): State<Arc<ConsoleState>>) -> Response {
    let snapshot = state.newest();
    Json(Sites {
        as_of: snapshot.at.to_string(),
        server: Server::from(&*snapshot),
        sites: snapshot.sites.iter().map(Site::from).collect(),
    })
    .into_response()
}

fn find(snapshot: &Snapshot, name: Result<Path<String>, PathRejection>) -> Result<&SiteFigures, Problem> {
    let Path(name) = name.map_err(|fault| Problem::new(StatusCode::BAD_REQUEST, fault.body_text()))?;
    let unknown =
        || Problem::new(StatusCode::NOT_FOUND, "No site of this name is protected; see /api/v1/sites.");
    snapshot.sites.iter().find(|site| *site.state.name == *name).ok_or_else(unknown)
}

/// `GET /api/v1/sites/{name}`.
pub(crate) async fn site(
    State(state): State<Arc<ConsoleState>>,
    name: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let snapshot = state.newest();
    let site = Site::from(find(&snapshot, name)?);
    Ok(Json(OneSite { as_of: snapshot.at.to_string(), site }).into_response())
}

/// What may be asked of a site's past minutes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TrafficQuery {
    minutes: Option<u16>,
}

/// `GET /api/v1/sites/{name}/traffic?minutes=60`: the last whole minutes, oldest first.
pub(crate) async fn traffic(
    State(state): State<Arc<ConsoleState>>,
    name: Result<Path<String>, PathRejection>,
    query: Result<Query<TrafficQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let snapshot = state.newest();
    let name = Arc::clone(&find(&snapshot, name)?.state.name);
    let minutes = query.ok().map(|Query(query)| query.minutes.unwrap_or(MINUTES_DEFAULT));
    let Some(minutes) = minutes.filter(|minutes| (1..=MINUTES_MAX).contains(minutes)) else {
        let detail = format!("The one parameter is `minutes`, a whole number from 1 to {MINUTES_MAX}.");
        return Err(Problem::new(StatusCode::BAD_REQUEST, detail));
    };
    let window = Window::before(state.clock.now().minute_start_unix_seconds(), minutes);
    let read = state.minutes.read(vec![Arc::clone(&name)], window).await;
    let read = read.map_err(|fault| {
        tracing::warn!(%fault, "past minutes could not be read");
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, format!("Past minutes could not be read: {fault}."))
    })?;
    let minute = |minute: floodwall_model::MinuteTraffic| Minute {
        minute: rfc_3339_seconds(minute.minute_unix_seconds),
        traffic: Traffic::from(&minute.counts),
        admission: Admission::from(&minute.admission),
    };
    Ok(Json(SiteTraffic {
        site: name.to_string(),
        from: rfc_3339_seconds(window.from_unix_seconds),
        to: rfc_3339_seconds(window.to_unix_seconds),
        minutes: read.into_iter().flatten().map(minute).collect(),
    })
    .into_response())
}
