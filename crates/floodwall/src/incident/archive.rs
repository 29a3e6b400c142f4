//! Incidents in the store's form and back.

use std::path::Path;
use std::sync::Arc;

use floodwall_console::{IncidentDocument, JudgementDocument, Snapshot};
use floodwall_model::IncidentRecord;
use floodwall_store::{Store, StoreError, StoreHandle, StoredIncident, StoredRevision};
use tokio::sync::watch;

/// How an incident stands that nobody saw the end of.
const INTERRUPTED: &str = "interrupted";

/// What is on record, with what goes on now as it is now.
#[derive(Clone, Debug)]
pub(crate) struct IncidentArchive {
    store: StoreHandle,
    snapshot: watch::Receiver<Arc<Snapshot>>,
}

impl IncidentArchive {
    pub(crate) fn new(store: StoreHandle, snapshot: watch::Receiver<Arc<Snapshot>>) -> Self {
        Self { store, snapshot }
    }

    /// The newest, newest first, without their revisions. Blocks.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) fn newest(&self, max: usize) -> Result<Vec<IncidentDocument>, StoreError> {
        let mut all: Vec<_> = self.store.incidents(max)?.iter().map(document).collect();
        for record in &self.snapshot.borrow().incidents {
            let now = IncidentDocument::from(record).without_revisions();
            match all.iter_mut().find(|known| known.id == now.id) {
                Some(known) => *known = now,
                None => all.insert(0, now),
            }
        }
        all.truncate(max);
        Ok(all)
    }

    /// One with every revision. Blocks.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) fn one(&self, id: &str) -> Result<Option<IncidentDocument>, StoreError> {
        let stored = self.store.incident(id)?.as_ref().map(document);
        let snapshot = self.snapshot.borrow();
        let open = snapshot.incidents.iter().find(|record| &*record.key == id).map(IncidentDocument::from);
        Ok(match (open, stored) {
            (Some(open), Some(stored)) => Some(joined(open, stored)),
            (open, stored) => open.or(stored),
        })
    }
}

/// What goes on, with the judgements that only the store still has.
fn joined(mut open: IncidentDocument, stored: IncidentDocument) -> IncidentDocument {
    let newer = std::mem::replace(&mut open.revisions, stored.revisions);
    for revision in newer {
        if !open.revisions.iter().any(|known| known.judged == revision.judged) {
            open.revisions.push(revision);
        }
    }
    open
}

/// The newest incidents of a store that no server has open.
///
/// # Errors
/// When it cannot be opened or read.
pub(crate) fn newest_of(path: &Path, max: usize) -> Result<Vec<IncidentDocument>, StoreError> {
    Ok(Store::open(path)?.incidents(max)?.iter().map(document).collect())
}

/// One incident of a store that no server has open.
///
/// # Errors
/// When it cannot be opened or read.
pub(crate) fn one_of(path: &Path, id: &str) -> Result<Option<IncidentDocument>, StoreError> {
    Ok(Store::open(path)?.incident(id)?.as_ref().map(document))
}

/// As the store takes it.
pub(crate) fn to_stored(record: &IncidentRecord) -> StoredIncident {
    let document = IncidentDocument::from(record);
    let judgements = record.incident.revisions.iter().zip(&document.revisions);
    let revisions = judgements.map(|(judgement, written)| StoredRevision {
        at_unix_micros: judgement.at.wall_unix_micros(),
        document: serde_json::to_string(written).unwrap_or_default(),
    });
    let revisions = revisions.collect();
    stored(&document.without_revisions(), record.incident.id.opened_unix_s, revisions)
}

fn stored(
    document: &IncidentDocument,
    opened_unix_seconds: i64,
    revisions: Vec<StoredRevision>,
) -> StoredIncident {
    StoredIncident {
        key: document.id.clone(),
        site: document.site.clone(),
        opened_unix_seconds,
        open: document.is_open(),
        document: serde_json::to_string(document).unwrap_or_default(),
        revisions,
    }
}

/// As it is shown. What cannot be read of it is left out: a damaged row hides no other.
fn document(stored: &StoredIncident) -> IncidentDocument {
    let mut document: IncidentDocument = serde_json::from_str(&stored.document).unwrap_or_default();
    document.id.clone_from(&stored.key);
    document.site.clone_from(&stored.site);
    let revisions = stored.revisions.iter();
    document.revisions = revisions
        .filter_map(|revision| serde_json::from_str::<JudgementDocument>(&revision.document).ok())
        .collect();
    document
}

/// Incidents that were open when the server last stopped: it is not known when they ended. Returns how
/// many there were.
///
/// # Errors
/// When the store cannot be read or written.
pub(crate) fn close_left_open(store: &mut Store) -> Result<usize, StoreError> {
    let left: Vec<_> = store.incidents_left_open()?;
    let closed: Vec<_> = left
        .iter()
        .map(|incident| {
            let document = IncidentDocument { state: INTERRUPTED.to_owned(), ..document(incident) };
            stored(&document, incident.opened_unix_seconds, Vec::new())
        })
        .collect();
    if !closed.is_empty() {
        store.put_incidents(&closed)?;
    }
    Ok(closed.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_open_when_the_server_stopped_is_said_to_be_interrupted() {
        let directory = tempfile::tempdir().unwrap();
        let mut store = Store::open(&directory.path().join("floodwall.db")).unwrap();
        let open = IncidentDocument {
            id: "sos-1".to_owned(),
            site: "sos".to_owned(),
            state: "open".to_owned(),
            ..IncidentDocument::default()
        };
        let judged = JudgementDocument { verdict: "crowd".to_owned(), ..JudgementDocument::default() };
        let revision =
            StoredRevision { at_unix_micros: 5, document: serde_json::to_string(&judged).unwrap() };
        store.put_incidents(&[stored(&open, 10, vec![revision])]).unwrap();
        assert_eq!(close_left_open(&mut store).unwrap(), 1);
        assert_eq!(close_left_open(&mut store).unwrap(), 0);
        let kept = document(&store.incident("sos-1").unwrap().unwrap());
        assert_eq!(
            kept,
            IncidentDocument { state: "interrupted".to_owned(), revisions: vec![judged], ..open }
        );
    }

    #[test]
    fn a_damaged_row_is_shown_by_its_name() {
        let damaged = StoredIncident {
            key: "sos-2".to_owned(),
            site: "sos".to_owned(),
            opened_unix_seconds: 3,
            open: false,
            document: "{half".to_owned(),
            revisions: vec![StoredRevision { at_unix_micros: 1, document: "]".to_owned() }],
        };
        let shown = document(&damaged);
        assert_eq!((shown.id.as_str(), shown.site.as_str(), shown.revisions.len()), ("sos-2", "sos", 0));
    }
}
