//! The console as one value: what it shows, its bounds, and its routes.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use floodwall_model::Clock;
use tokio::sync::watch;

use crate::events::EventStreams;
use crate::guard::{Guard, guard};
use crate::minutes::Reader;
use crate::snapshot::{History, SharedSnapshot};
use crate::{api, events, incident, metrics, outage, page};

/// What the operator may set.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Host names the console answers to besides loopback names and IP addresses.
    pub host_names: Vec<String>,
    /// Live streams at once; further ones are answered 503. Default 32.
    pub event_streams_max: usize,
    /// `/healthz` fails when the newest snapshot is older than this. Default 5 seconds.
    pub snapshot_age_max: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { host_names: Vec::new(), event_streams_max: 32, snapshot_age_max: Duration::from_secs(5) }
    }
}

/// The pages and the API over the newest snapshot. Clones share everything.
#[derive(Clone)]
pub struct Console {
    pub(crate) state: Arc<ConsoleState>,
}

/// What the handlers share.
pub(crate) struct ConsoleState {
    pub(crate) snapshot: watch::Receiver<SharedSnapshot>,
    pub(crate) minutes: Reader,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) streams: EventStreams,
    guard: Arc<Guard>,
    snapshot_age_max: Duration,
}

impl ConsoleState {
    /// The newest snapshot, without holding up its publisher.
    pub(crate) fn newest(&self) -> SharedSnapshot {
        Arc::clone(&self.snapshot.borrow())
    }
}

/// Every path answered, as the OpenAPI description writes it.
pub const ROUTES: [&str; 15] = [
    "/",
    "/console.js",
    "/console.css",
    "/icon.svg",
    "/events",
    "/metrics",
    "/healthz",
    "/readyz",
    "/api/v1/sites",
    "/api/v1/sites/{name}",
    "/api/v1/sites/{name}/traffic",
    "/api/v1/incidents",
    "/api/v1/incidents/{id}",
    "/api/v1/outages",
    "/api/openapi.json",
];

impl Console {
    /// `snapshot` is expected to change once a second. `clock` must be the one the snapshots are
    /// stamped by.
    #[must_use]
    pub fn new(
        snapshot: watch::Receiver<SharedSnapshot>,
        history: Arc<dyn History>,
        clock: Arc<dyn Clock>,
        settings: &Settings,
    ) -> Self {
        let state = ConsoleState {
            snapshot,
            minutes: Reader::new(history),
            clock,
            streams: EventStreams::new(settings.event_streams_max),
            guard: Arc::new(Guard::new(&settings.host_names)),
            snapshot_age_max: settings.snapshot_age_max,
        };
        Self { state: Arc::new(state) }
    }

    /// The routes, behind the checks every request passes.
    pub fn router(&self) -> Router {
        let routes = ROUTES.into_iter().fold(Router::new(), |router, path| match handler(path) {
            Some(answer) => router.route(path, answer),
            None => router,
        });
        routes
            .fallback(not_found)
            .layer(axum::middleware::from_fn_with_state(Arc::clone(&self.state.guard), guard))
            .with_state(Arc::clone(&self.state))
    }

    /// Ends every live stream, so that a graceful shutdown does not wait for their readers; new
    /// ones end at once.
    pub fn close_event_streams(&self) {
        self.state.streams.close();
    }
}

fn handler(path: &str) -> Option<MethodRouter<Arc<ConsoleState>>> {
    let answer = match path {
        "/" => get(page::console),
        "/console.js" => asset("text/javascript; charset=utf-8", include_str!("../assets/console.js")),
        "/console.css" => asset("text/css; charset=utf-8", include_str!("../assets/console.css")),
        "/icon.svg" => asset("image/svg+xml", include_str!("../assets/icon.svg")),
        "/events" => get(events::events),
        "/metrics" => get(metrics::metrics),
        "/healthz" => get(healthz),
        "/readyz" => get(readyz),
        "/api/v1/sites" => get(api::sites),
        "/api/v1/sites/{name}" => get(api::site),
        "/api/v1/sites/{name}/traffic" => get(api::traffic),
        "/api/v1/incidents" => get(incident::api::incidents),
        "/api/v1/incidents/{id}" => get(incident::api::incident),
        "/api/v1/outages" => get(outage::api::outages),
        "/api/openapi.json" => asset("application/json", include_str!("../assets/openapi.json")),
        _ => return None,
    };
    Some(answer)
}

fn asset(content_type: &'static str, text: &'static str) -> MethodRouter<Arc<ConsoleState>> {
    get(move || async move { ([(header::CONTENT_TYPE, content_type)], text) })
}

async fn not_found(uri: Uri) -> Response {
    page::fault(uri.path(), StatusCode::NOT_FOUND, "There is no such page here.")
}

/// Alive: the control loop goes on reporting.
async fn healthz(State(state): State<Arc<ConsoleState>>) -> Response {
    let age = state.clock.now().since(state.newest().at);
    if age <= state.snapshot_age_max {
        return (StatusCode::OK, "ok\n").into_response();
    }
    let text = format!("the control loop has not reported for {} s\n", age.as_secs());
    (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
}

/// Ready: visitors can be served.
async fn readyz(State(state): State<Arc<ConsoleState>>) -> Response {
    match state.newest().readiness.fault() {
        None => (StatusCode::OK, "ready\n").into_response(),
        Some(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {reason}\n")).into_response(),
    }
}
