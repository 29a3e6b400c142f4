//! `/api/v1/incidents`: the newest incidents, and one with every judgement of it.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::IncidentDocument;
use crate::api::Problem;
use crate::console::ConsoleState;
use crate::snapshot::HistoryError;

/// Incidents in one answer.
const MAX: u16 = 1000;
const MAX_DEFAULT: u16 = 100;

/// What may be asked of the list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    max: Option<u16>,
}

#[derive(Serialize)]
struct Incidents {
    as_of: String,
    incidents: Vec<IncidentDocument>,
}

#[derive(Serialize)]
struct OneIncident {
    as_of: String,
    incident: IncidentDocument,
}

/// `GET /api/v1/incidents?max=100`: newest first, without their revisions.
pub(crate) async fn incidents(
    State(state): State<Arc<ConsoleState>>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let max = query.ok().map(|Query(query)| query.max.unwrap_or(MAX_DEFAULT));
    let Some(max) = max.filter(|max| (1..=MAX).contains(max)) else {
        let detail = format!("The one parameter is `max`, a whole number from 1 to {MAX}.");
        return Err(Problem::new(StatusCode::BAD_REQUEST, detail));
    };
    let read = state.minutes.ask(move |history| history.incidents(usize::from(max))).await;
    let incidents = read.map_err(|fault| unreadable(&fault))?;
    Ok(Json(Incidents { as_of: state.newest().at.to_string(), incidents }).into_response())
}

/// `GET /api/v1/incidents/{id}`.
pub(crate) async fn incident(
    State(state): State<Arc<ConsoleState>>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let Path(id) = id.map_err(|fault| Problem::new(StatusCode::BAD_REQUEST, fault.body_text()))?;
    let read = state.minutes.ask(move |history| history.incident(&id)).await;
    let incident = read.map_err(|fault| unreadable(&fault))?.ok_or_else(|| {
        Problem::new(StatusCode::NOT_FOUND, "There is no incident of this name; see /api/v1/incidents.")
    })?;
    Ok(Json(OneIncident { as_of: state.newest().at.to_string(), incident }).into_response())
}

fn unreadable(fault: &HistoryError) -> Problem {
    tracing::warn!(%fault, "incidents could not be read");
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, format!("Incidents could not be read: {fault}."))
}
