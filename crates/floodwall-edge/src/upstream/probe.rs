//! The edge's own questions to its origins: is one that was down back, does a quiet one still live?

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, header};

use super::exchange::{Patience, exchange_in_turn};
use super::{Origin, OriginRequest, RequestBody};
use crate::edge::Phase;
use crate::worker::Worker;

/// How often it is looked which origin is due; a returning origin is noticed within about that.
const PACE: Duration = Duration::from_millis(250);

/// An origin that answered no visitor for this long is asked.
const QUIET_FOR: Duration = Duration::from_secs(5);

/// The longest a probe waits.
const PATIENCE: Duration = Duration::from_secs(2);

/// Probes on the first worker until the edge drains.
pub(crate) async fn run(worker: Rc<Worker>) {
    let mut pace = tokio::time::interval(PACE);
    pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while worker.shared.phase() == Phase::Serving {
        pace.tick().await;
        let now = worker.now();
        for origin in worker.shared.origins.all() {
            // One probe at a time for each, and none waits for another's: a silent origin must not
            // keep the return of another from being seen.
            if !origin.probed.load(Ordering::Relaxed) && origin.wants_probe(now, QUIET_FOR) {
                origin.probed.store(true, Ordering::Relaxed);
                tokio::task::spawn_local(probe(worker.clone(), origin.clone()));
            }
        }
    }
}

/// Any answer counts, also an error page: whether it is a good one is for the visitors' requests to
/// show.
async fn probe(worker: Rc<Worker>, origin: Arc<Origin>) {
    let mut headers = HeaderMap::new();
    if let Ok(host) = HeaderValue::from_str(&origin.probe_host) {
        headers.insert(header::HOST, host);
    }
    headers.insert(header::USER_AGENT, HeaderValue::from_static("floodwall-health-probe"));
    let target = PathAndQuery::from_static("/");
    let mut request = OriginRequest {
        method: Method::HEAD,
        target,
        fields: headers,
        introduction: None,
        body: RequestBody::Empty,
    };
    let patience = Patience::of_edge(PATIENCE);
    if let Err(attempt) = exchange_in_turn(&worker, &origin, &mut request, worker.now(), patience, None).await
    {
        tracing::debug!(origin = %origin.url, failure = %attempt.failure, "probe failed");
    }
    origin.probed.store(false, Ordering::Relaxed);
}
