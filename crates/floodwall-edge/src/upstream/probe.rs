//! The edge's own questions to its origins: is one that was down back, does a quiet one still live?

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Method, Request, header};

use super::{Origin, RequestBody, exchange};
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
        let due = worker.shared.origins.all().filter(|origin| origin.wants_probe(now, QUIET_FOR));
        let probes: Vec<_> =
            due.map(|origin| tokio::task::spawn_local(probe(worker.clone(), origin.clone()))).collect();
        for probe in probes {
            let _ = probe.await;
        }
    }
}

/// Any answer counts, also an error page: whether it is a good one is for the visitors' requests to
/// show.
async fn probe(worker: Rc<Worker>, origin: Arc<Origin>) {
    let mut request = Request::new(RequestBody::Empty);
    *request.method_mut() = Method::HEAD;
    let headers = request.headers_mut();
    if let Ok(host) = HeaderValue::from_str(&origin.probe_host) {
        headers.insert(header::HOST, host);
    }
    headers.insert(header::USER_AGENT, HeaderValue::from_static("floodwall-health-probe"));
    headers.insert(header::VIA, worker.shared.via.clone());
    if let Err(failure) = exchange(&worker, &origin, request, worker.now(), PATIENCE).await {
        tracing::debug!(origin = %origin.url, %failure, "probe failed");
    }
}
