//! The live stream: one server-sent event for each snapshot (HTML Standard, section 9.2).
//!
//! Every stream has a task of its own that waits for the next snapshot. A reader slower than the
//! snapshots skips some; one that takes nothing for [`STALL_MAX`] loses its place. At most
//! `event_streams_max` are open at once.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;

use crate::console::ConsoleState;
use crate::page;
use crate::snapshot::{SharedSnapshot, Snapshot};
use crate::view::View;

/// A reader that takes no event for this long is taken for gone.
const STALL_MAX: Duration = Duration::from_secs(30);
/// How soon a browser is asked to connect again, and a refused one to retry.
const RETRY: Duration = Duration::from_secs(5);

/// The places for live streams.
pub(crate) struct EventStreams {
    places: Arc<Semaphore>,
    max: usize,
    refused: AtomicU64,
    closing: watch::Sender<bool>,
}

impl EventStreams {
    pub(crate) fn new(max: usize) -> Self {
        let max = max.min(Semaphore::MAX_PERMITS);
        Self {
            places: Arc::new(Semaphore::new(max)),
            max,
            refused: AtomicU64::new(0),
            closing: watch::Sender::new(false),
        }
    }

    /// Streams open now.
    pub(crate) fn open(&self) -> u64 {
        u64::try_from(self.max.saturating_sub(self.places.available_permits())).unwrap_or(u64::MAX)
    }

    /// Streams refused since the start because all places were taken.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    pub(crate) fn close(&self) {
        self.closing.send_replace(true);
    }
}

/// What one event says; the script puts each text where its key stands in the page.
#[derive(Serialize)]
struct Payload<'a> {
    as_of: &'a str,
    layout: &'a str,
    incidents: &'a str,
    minute_unix_seconds: i64,
    time_of_day: &'a str,
    figures: BTreeMap<&'a str, &'a str>,
    states: BTreeMap<&'a str, StatePayload<'a>>,
}

#[derive(Serialize)]
struct StatePayload<'a> {
    health: &'a str,
    announcement: &'a str,
}

fn event(snapshot: &Snapshot) -> Option<Event> {
    let view = View::new(snapshot);
    let payload = Payload {
        as_of: &snapshot.at.to_string(),
        layout: &view.layout,
        incidents: &view.incidents_marker,
        minute_unix_seconds: view.minute_unix_seconds,
        time_of_day: &view.time_of_day,
        figures: view.figures().map(|figure| (figure.key.as_str(), figure.text.as_str())).collect(),
        states: view
            .states()
            .map(|state| {
                (state.key.as_str(), StatePayload { health: state.health, announcement: &state.announcement })
            })
            .collect(),
    };
    match Event::default().event("snapshot").retry(RETRY).json_data(payload) {
        Ok(event) => Some(event),
        Err(error) => {
            tracing::error!(%error, "a snapshot could not be written as JSON");
            None
        }
    }
}

/// `GET /events`.
pub(crate) async fn events(State(state): State<Arc<ConsoleState>>) -> Response {
    let streams = &state.streams;
    let Ok(place) = Arc::clone(&streams.places).try_acquire_owned() else {
        streams.refused.fetch_add(1, Ordering::Relaxed);
        return refusal();
    };
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(feed(place, state.snapshot.clone(), streams.closing.subscribe(), sender));
    Sse::new(ReceiverStream::new(receiver)).keep_alive(KeepAlive::default()).into_response()
}

fn refusal() -> Response {
    let text = "All places for live updates are taken. Reload the page for newer figures.";
    let mut response = page::fault("/events", StatusCode::SERVICE_UNAVAILABLE, text);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(RETRY.as_secs()));
    response
}

/// Sends the snapshot there is and then each new one, until the reader leaves, stalls or the
/// console closes. Holds the stream's place as long as it runs.
async fn feed(
    _place: OwnedSemaphorePermit,
    mut snapshots: watch::Receiver<SharedSnapshot>,
    mut closing: watch::Receiver<bool>,
    sender: mpsc::Sender<Result<Event, Infallible>>,
) {
    loop {
        let snapshot = Arc::clone(&snapshots.borrow_and_update());
        let Some(event) = event(&snapshot) else {
            return;
        };
        tokio::select! {
            biased;
            _ = closing.wait_for(|closing| *closing) => return,
            sent = tokio::time::timeout(STALL_MAX, sender.send(Ok(event))) => {
                if !matches!(sent, Ok(Ok(()))) {
                    return;
                }
            }
        }
        tokio::select! {
            biased;
            _ = closing.wait_for(|closing| *closing) => return,
            () = sender.closed() => return,
            changed = snapshots.changed() => if changed.is_err() { return },
        }
    }
}
