//! A console over made-up figures: two sites on an election day, one with an origin that failed.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use axum::body::Body;
use floodwall_console::{
    Console, History, HistoryError, IncidentDocument, Losses, Readiness, Settings, SiteFigures, Snapshot,
};
use floodwall_model::{
    AdmissionCounts, Clock, EdgeCounts, GateMode, GateStatus, MinuteTraffic, OriginHealth, OriginStatus,
    PersonReport, Prefix, SiteId, SiteSnapshot, Timestamp, TrafficCounts,
};
use floodwall_outage::OutageRecord;
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use tokio::sync::watch;
use tower::ServiceExt;

use crate::{incident, outage};

/// 2022-11-08T14:02:07.125Z, 3720 seconds after the start.
pub(crate) fn now() -> Timestamp {
    Timestamp::new(Duration::from_secs(3720), 1_667_916_127_125_000)
}

/// `seconds` before [`now`].
pub(crate) fn ago(seconds: u64) -> Timestamp {
    let wall = now().wall_unix_micros() - i64::try_from(seconds).unwrap() * 1_000_000;
    Timestamp::new(Duration::from_secs(3720 - seconds), wall)
}

/// A clock turned by hand: [`now`] and some seconds.
#[derive(Default)]
pub(crate) struct HandClock(AtomicI64);

impl HandClock {
    pub(crate) fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        now().plus(Duration::from_secs(self.0.load(Ordering::SeqCst).unsigned_abs()))
    }
}

/// Fifty of the last sixty minutes; none for a site named `broken`.
pub(crate) struct SampleHistory;

impl History for SampleHistory {
    fn traffic(&self, site: &str, from: i64, to: i64) -> Result<Vec<MinuteTraffic>, HistoryError> {
        if site == "broken" {
            return Err(HistoryError("the disk is <full>".to_owned()));
        }
        let minutes = (from / 60..to / 60).filter(|minute| minute % 6 != 0);
        Ok(minutes
            .map(|minute| {
                let wave = u64::try_from(minute % 23).unwrap();
                let counts = traffic(400 + wave * wave * 20);
                let admission = admission(counts.origin_requests);
                MinuteTraffic { site: site.into(), minute_unix_seconds: minute * 60, counts, admission }
            })
            .collect())
    }

    fn incidents(&self, max: usize) -> Result<Vec<IncidentDocument>, HistoryError> {
        let all = [incident::attack(), incident::crowd(), incident::interrupted()];
        Ok(all.into_iter().take(max).map(IncidentDocument::without_revisions).collect())
    }

    fn outages(&self, max: usize) -> Result<Vec<OutageRecord>, HistoryError> {
        Ok(outage::recorded().into_iter().take(max).collect())
    }

    fn incident(&self, id: &str) -> Result<Option<IncidentDocument>, HistoryError> {
        let all = [incident::attack(), incident::crowd(), incident::interrupted()];
        Ok(all.into_iter().find(|incident| incident.id == id))
    }
}

/// A plausible mix for that many requests.
pub(crate) fn traffic(requests: u64) -> TrafficCounts {
    TrafficCounts {
        requests,
        responses_2xx: requests * 90 / 100,
        responses_3xx: requests * 4 / 100,
        responses_4xx: requests * 5 / 100,
        responses_5xx: requests / 100,
        cache_hits: requests * 80 / 100,
        cache_stale: requests * 2 / 100,
        cache_misses: requests * 10 / 100,
        refused_prefix_rate: requests * 3 / 100,
        origin_requests: requests * 15 / 100,
        origin_errors: requests / 100,
        origin_5xx: requests / 200,
        origin_wait_us: requests * 15 / 100 * 105_250,
        request_body_bytes: requests * 120,
        response_body_bytes: requests * 10_240,
    }
}

/// What gates do that let so many requests through while they are pressed.
pub(crate) fn admission(admitted: u64) -> AdmissionCounts {
    AdmissionCounts {
        admitted,
        waited: admitted / 4,
        abandoned: admitted / 80,
        over_share: admitted / 10,
        refused_no_room: admitted / 50,
        refused_over_share: admitted / 12,
        refused_displaced: admitted / 100,
        refused_waited_out: admitted / 200,
        challenged_redirect: admitted / 3,
        challenged_choice: admitted / 6,
        challenged_waiting_room: admitted / 30,
        sources_forgotten: 0,
        tickets_uncounted: 0,
    }
}

fn site(id: u16, name: &str, requests: u64, origins: Vec<OriginStatus>) -> SiteFigures {
    SiteFigures {
        state: SiteSnapshot {
            site: SiteId(id),
            name: name.into(),
            hosts: vec![format!("www.{name}.example.gov").into(), format!("{name}.example.gov").into()],
            role: Some("voter information; unreachable means people cannot look up where to vote".into()),
            counts: traffic(requests),
            origins,
            gates: vec![calm_gate("pages")],
            person_reports: 0,
            last_person_report: None,
        },
        last_second: traffic(requests / 10_000),
        last_minute: traffic(requests / 200),
        gates_last_minute: vec![calm_minute()],
    }
}

/// A gate that asks nothing of anybody, and never did.
fn calm_gate(class: &str) -> GateStatus {
    GateStatus {
        class: class.into(),
        mode: GateMode::On,
        rung: 0,
        rung_name: "nothing",
        since: ago(3700),
        limit: 64,
        in_flight: 3,
        capacity_per_second: 610,
        waiting: 0,
        in_waiting_room: 0,
        calm_latency: Some(Duration::from_millis(105)),
        memory_bytes_max: 12 << 20,
        counts: AdmissionCounts { admitted: 185_185, ..AdmissionCounts::default() },
    }
}

/// The last minute of such a gate.
fn calm_minute() -> AdmissionCounts {
    AdmissionCounts { admitted: 925, ..AdmissionCounts::default() }
}

/// A gate that lets people choose between work and the waiting room.
fn pressed_gate(class: &str) -> GateStatus {
    GateStatus {
        rung: 3,
        rung_name: "choice",
        since: ago(400),
        limit: 40,
        in_flight: 38,
        capacity_per_second: 320,
        waiting: 12,
        in_waiting_room: 1_204,
        counts: AdmissionCounts {
            admitted: 98_765,
            waited: 4_321,
            abandoned: 210,
            over_share: 7_654,
            refused_no_room: 31,
            refused_over_share: 5_432,
            refused_displaced: 17,
            refused_waited_out: 6,
            challenged_redirect: 30_303,
            challenged_choice: 20_202,
            challenged_waiting_room: 1_010,
            sources_forgotten: 2,
            tickets_uncounted: 1,
        },
        ..calm_gate(class)
    }
}

/// The figures most tests start from.
pub(crate) fn snapshot() -> Snapshot {
    let up = OriginStatus {
        url: "http://10.0.0.5:8080".into(),
        health: OriginHealth::Up,
        since: Some(ago(3700)),
        last_failure: None,
    };
    let down = OriginStatus {
        url: "http://10.0.0.6:8080".into(),
        health: OriginHealth::Down,
        since: Some(ago(90)),
        last_failure: Some("connection refused at 14:02:05 UTC".into()),
    };
    let mut sos = site(0, "sos", 1_234_567, vec![up, down]);
    sos.state.gates = vec![pressed_gate("look-up"), calm_gate("pages")];
    sos.gates_last_minute = vec![admission(6_000), calm_minute()];
    sos.state.person_reports = 3;
    sos.state.last_person_report = Some(PersonReport {
        reference: Some("7F3K-9QWX-02MB".parse().unwrap()),
        client: Prefix::of_client("192.0.2.7".parse().unwrap()),
        at: ago(55),
    });
    Snapshot {
        at: now(),
        started: ago(3720),
        version: "0.1.0",
        readiness: Readiness::Ready,
        sites: vec![sos, site(1, "results", 40_000, vec![unknown_origin()])],
        edge: EdgeCounts {
            connections_accepted: 61_234,
            connections_open: 1_024,
            connections_refused: 3,
            connections_timed_out: 77,
            tls_handshakes_failed: 5,
            tls_handshakes_full: 20_000,
            tls_handshakes_resumed: 9_000,
            tls_handshakes_refused: 44,
            tls_handshakes_in_progress: 2,
            proxy_headers_malformed: 1,
            malformed_requests: 12,
            oversized_headers: 2,
            unknown_hosts: 4_321,
            undeclared_paths: 17,
            blocked_requests: 3,
            limiter_prefixes: 10_000,
            limiter_evictions: 0,
            limiter_bytes_max: 16 << 20,
            cache_entries: 812,
            cache_bytes: 12 << 20,
            cache_bytes_max: 64 << 20,
            kept_copies: 640,
            kept_bytes: 9 << 20,
            kept_bytes_max: 1 << 30,
            kept_written: 700,
            kept_read: 3,
            kept_dropped: 0,
            kept_write_failures: 0,
            kept_corrupt: 0,
            access_records_dropped: 0,
        },
        incidents: vec![incident::open_attack()],
        incidents_opened: vec![3, 0],
        watched: outage::watched(),
        losses: Losses::default(),
        listeners: ["http://0.0.0.0:80", "https://0.0.0.0:443"].map(str::to_owned).to_vec(),
        admin_listener: "http://127.0.0.1:9800".to_owned(),
    }
}

fn unknown_origin() -> OriginStatus {
    OriginStatus {
        url: "http://10.0.0.7:8080".into(),
        health: OriginHealth::Unknown,
        since: None,
        last_failure: None,
    }
}

/// A console, and what moves it.
pub(crate) struct Sample {
    pub(crate) console: Console,
    pub(crate) publisher: watch::Sender<Arc<Snapshot>>,
    pub(crate) clock: Arc<HandClock>,
}

/// A console over `snapshot` with the default settings.
pub(crate) fn console(snapshot: Snapshot) -> Sample {
    console_with(snapshot, &Settings::default())
}

pub(crate) fn console_with(snapshot: Snapshot, settings: &Settings) -> Sample {
    let clock = Arc::new(HandClock::default());
    let (publisher, receiver) = watch::channel(Arc::new(snapshot));
    let shared: Arc<dyn Clock> = Arc::<HandClock>::clone(&clock);
    let console = Console::new(receiver, Arc::new(SampleHistory), shared, settings);
    Sample { console, publisher, clock }
}

impl Sample {
    /// Asks the router in memory.
    pub(crate) async fn ask(&self, method: Method, target: &str) -> Response<Body> {
        let request = Request::builder().method(method).uri(target);
        let request = request.header("host", "localhost:9800");
        let request = request.body(Body::empty()).unwrap();
        self.console.router().oneshot(request).await.unwrap()
    }

    /// Status and body of the answer to a GET.
    pub(crate) async fn get(&self, target: &str) -> (StatusCode, String) {
        let response = self.ask(Method::GET, target).await;
        (response.status(), text(response).await)
    }
}

/// The whole body.
pub(crate) async fn text(response: Response<Body>) -> String {
    let body = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

/// A header's value; empty when it is missing.
pub(crate) fn header<'r>(response: &'r Response<Body>, name: &str) -> &'r str {
    let value = response.headers().get(name);
    value.map_or("", |value| value.to_str().unwrap())
}
