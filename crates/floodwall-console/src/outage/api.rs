//! `/api/v1/outages`: how every target of the watch stands, and the newest outages.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::{OutageDocument, TargetDocument, with_open};
use crate::api::Problem;
use crate::console::ConsoleState;

/// Outages in one answer.
const MAX: u16 = 1000;
const MAX_DEFAULT: u16 = 100;

/// What may be asked of the list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    max: Option<u16>,
}

#[derive(Serialize)]
struct Outages {
    as_of: String,
    watched: Vec<TargetDocument>,
    outages: Vec<OutageDocument>,
}

/// `GET /api/v1/outages?max=100`: newest first.
pub(crate) async fn outages(
    state: State<Arc<ConsoleState>>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let State(state) = state;
    let max = query.ok().map(|Query(query)| query.max.unwrap_or(MAX_DEFAULT));
    let Some(max) = max.filter(|max| (1..=MAX).contains(max)) else {
        let detail = format!("The one parameter is `max`, a whole number from 1 to {MAX}.");
        return Err(Problem::new(StatusCode::BAD_REQUEST, detail));
    };
    let read = state.minutes.ask(move |history| history.outages(usize::from(max))).await;
    let recorded = read.map_err(|fault| {
        tracing::warn!(%fault, "outages could not be read");
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, format!("Outages could not be read: {fault}."))
    })?;
    let snapshot = state.newest();
    let now_unix_micros = snapshot.at.wall_unix_micros();
    let mut outages = with_open(&snapshot.watched, recorded);
    outages.truncate(usize::from(max));
    Ok(Json(Outages {
        as_of: snapshot.at.to_string(),
        watched: snapshot.watched.iter().map(TargetDocument::from).collect(),
        outages: outages.iter().map(|record| OutageDocument::new(record, now_unix_micros)).collect(),
    })
    .into_response())
}
