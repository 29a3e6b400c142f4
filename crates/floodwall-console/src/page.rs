//! The pages: the console itself and the short page that says what was wrong with a request.
//!
//! The console page is complete without JavaScript. At most [`SITES_WITH_MINUTES_MAX`] sites show
//! their past minutes, so that its size and its reads of the store stay bounded.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use floodwall_outage::TargetStatus;

use crate::api::Problem;
use crate::console::ConsoleState;
use crate::incident::{IncidentDocument, readable};
use crate::minutes::{COLUMNS, MinutesView, Window};
use crate::outage::{outage_cells, target_cells, with_open};
use crate::snapshot::HistoryError;
use crate::view::{SiteView, View};

/// Sites whose past minutes are in the page; those of further sites are read through the API.
const SITES_WITH_MINUTES_MAX: usize = 20;
/// Incidents that are over in the page, and incidents read for it: some may go on.
const PAST_INCIDENTS: usize = 10;
const INCIDENTS_READ: usize = 40;
/// Targets of the watch, and outages, in the page; more are read through the API.
const WATCHED_MAX: usize = 100;
const OUTAGES: usize = 20;
/// Past minutes in the page.
const MINUTES: u16 = 60;

#[derive(Template)]
#[template(path = "console.html")]
struct ConsolePage<'a> {
    view: &'a View,
    minutes: &'a Result<Vec<MinutesView>, HistoryError>,
    /// Incidents that are over, newest first.
    past: &'a Result<Vec<PastIncident>, HistoryError>,
    columns: [&'static str; COLUMNS.len()],
    /// How each target of the watch stands.
    watched: &'a [WatchedRow],
    /// The newest outages.
    outages: &'a Result<Vec<OutageRow>, HistoryError>,
}

/// One target of the watch.
struct WatchedRow {
    name: String,
    health: &'static str,
    words: String,
    cells: [String; 3],
}

impl From<&TargetStatus> for WatchedRow {
    fn from(target: &TargetStatus) -> Self {
        let (health, [words, each, site, took]) = target_cells(target);
        Self { name: target.name.to_string(), health, words, cells: [each, site, took] }
    }
}

/// One line of the table of outages.
struct OutageRow {
    cells: [String; 6],
}

/// One line of the table of incidents that are over.
struct PastIncident {
    address: String,
    id: String,
    cells: [String; 6],
}

impl From<IncidentDocument> for PastIncident {
    fn from(incident: IncidentDocument) -> Self {
        let judgement = &incident.judgement;
        let likely = format!("{:.0} %", judgement.likelihood * 100.0);
        let end = incident.end.as_deref().map_or_else(|| "not known".to_owned(), readable);
        let peak = format!("{:.0}/s", incident.traffic.peak_requests_per_second);
        Self {
            address: format!("/api/v1/incidents/{}", incident.id),
            cells: [incident.site.clone(), judgement.what(), likely, readable(&incident.onset), end, peak],
            id: incident.id,
        }
    }
}

impl ConsolePage<'_> {
    /// The columns of the table of incidents that are over, after their name.
    fn past_columns(&self) -> [&'static str; 6] {
        ["Site", "What it was", "How sure", "From", "To", "At most"]
    }

    fn watched_columns(&self) -> [&'static str; 4] {
        ["State", "By address", "Site", "Last probe took"]
    }

    fn outage_columns(&self) -> [&'static str; 6] {
        ["Target", "Over", "From", "To", "How long", "Why"]
    }

    fn minutes_of(&self, place: usize) -> Option<&MinutesView> {
        self.minutes.as_ref().ok().and_then(|minutes| minutes.get(place))
    }

    fn minutes_fault(&self) -> Option<&HistoryError> {
        self.minutes.as_ref().err()
    }

    /// The three numbers' periods, as the traffic table's columns.
    fn periods(&self) -> [&'static str; 3] {
        ["Last second", "Last minute", "Since start"]
    }

    fn hosts(site: &SiteView) -> String {
        let words = |host: &String| if host == "*" { "every host name".to_owned() } else { host.clone() };
        site.hosts.iter().map(words).collect::<Vec<_>>().join(", ")
    }
}

#[derive(Template)]
#[template(path = "fault.html")]
struct FaultPage<'a> {
    title: &'a str,
    status: u16,
    text: &'a str,
}

/// `GET /`.
pub(crate) async fn console(State(state): State<Arc<ConsoleState>>) -> Response {
    let snapshot = state.newest();
    let window = Window::before(state.clock.now().minute_start_unix_seconds(), MINUTES);
    let names = snapshot.sites.iter().take(SITES_WITH_MINUTES_MAX).map(|site| Arc::clone(&site.state.name));
    let minutes = state.minutes.read(names.collect(), window).await;
    if let Err(fault) = &minutes {
        tracing::warn!(%fault, "past minutes could not be read");
    }
    let minutes =
        minutes.map(|sites| sites.iter().map(|minutes| MinutesView::new(minutes, window)).collect());
    let past = state.minutes.ask(|history| history.incidents(INCIDENTS_READ)).await;
    let past = past.map(|incidents| {
        let over = incidents.into_iter().filter(|incident| !incident.is_open());
        over.take(PAST_INCIDENTS).map(PastIncident::from).collect()
    });
    let outages = state.minutes.ask(|history| history.outages(OUTAGES)).await;
    let outages = outages.map(|recorded| {
        let newest = with_open(&snapshot.watched, recorded);
        let now = snapshot.at.wall_unix_micros();
        newest.iter().take(OUTAGES).map(|record| OutageRow { cells: outage_cells(record, now) }).collect()
    });
    let watched: Vec<_> = snapshot.watched.iter().take(WATCHED_MAX).map(WatchedRow::from).collect();
    let page = ConsolePage {
        watched: &watched,
        outages: &outages,
        view: &View::new(&snapshot),
        minutes: &minutes,
        past: &past,
        columns: COLUMNS,
    };
    rendered(StatusCode::OK, &page)
}

/// The answer to a request that cannot be met: JSON under `/api`, a page elsewhere.
pub(crate) fn fault(path: &str, status: StatusCode, text: &str) -> Response {
    if path == "/api" || path.starts_with("/api/") {
        return Problem::new(status, text).into_response();
    }
    let title = status.canonical_reason().unwrap_or("Error");
    rendered(status, &FaultPage { title, status: status.as_u16(), text })
}

fn rendered(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page could not be rendered");
            (StatusCode::INTERNAL_SERVER_ERROR, "This page could not be put together.\n").into_response()
        }
    }
}
