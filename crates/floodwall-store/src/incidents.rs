//! The tables `incident` and `incident_revision`: what was unusual at a site, and every judgement of it.
//!
//! What an incident says is a document that the binary writes and reads; the store knows by which name,
//! when and in which state. Incidents are kept for ever: they are few, and what an office is asked years
//! later.

use rusqlite::{Connection, OptionalExtension, Row, params};

/// An incident as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredIncident {
    /// Its name, unique.
    pub key: String,
    /// The site's name.
    pub site: String,
    /// When it was opened, in seconds since 1970.
    pub opened_unix_seconds: i64,
    /// Whether it had not ended when it was last written.
    pub open: bool,
    /// All that is said of it but its judgements.
    pub document: String,
    /// Its judgements that are known to whoever writes; those that were written before are kept.
    pub revisions: Vec<StoredRevision>,
}

impl StoredIncident {
    /// Adds the judgements of an earlier state of the same incident that this one no longer has.
    pub(crate) fn add_earlier(&mut self, earlier: &Self) {
        let known = |revision: &StoredRevision| {
            self.revisions.iter().any(|own| own.at_unix_micros == revision.at_unix_micros)
        };
        let missing: Vec<_> = earlier.revisions.iter().filter(|revision| !known(revision)).cloned().collect();
        let room = REVISIONS_WAITING_MAX.saturating_sub(self.revisions.len());
        self.revisions.extend(missing.into_iter().take(room));
    }
}

/// One judgement of an incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRevision {
    /// When, in microseconds since 1970; tells the judgements of an incident apart.
    pub at_unix_micros: i64,
    /// What it says.
    pub document: String,
}

const PUT: &str = "INSERT INTO incident (key, site, opened, open, document) VALUES (?1, ?2, ?3, ?4, ?5)
     ON CONFLICT (key) DO UPDATE SET open = excluded.open, document = excluded.document";

const PUT_REVISION: &str = "INSERT INTO incident_revision (incident, at, document) VALUES (?1, ?2, ?3) ON CONFLICT (incident, at) DO NOTHING";

const NEWEST: &str =
    "SELECT key, site, opened, open, document FROM incident ORDER BY opened DESC, key DESC LIMIT ?1";

const LEFT_OPEN: &str =
    "SELECT key, site, opened, open, document FROM incident WHERE open = 1 ORDER BY opened LIMIT ?1";

const ONE: &str = "SELECT key, site, opened, open, document FROM incident WHERE key = ?1";

const REVISIONS: &str = "SELECT at, document FROM incident_revision WHERE incident = ?1 ORDER BY at LIMIT ?2";

/// Most judgements of one incident that are read: the first ones.
const REVISIONS_MAX: usize = 10_000;

/// Most judgements of one incident that wait to be written.
const REVISIONS_WAITING_MAX: usize = 1_000;

/// Writes an incident, whether or not it was written before. The caller brings the transaction.
pub(crate) fn put(connection: &Connection, incident: &StoredIncident) -> Result<(), rusqlite::Error> {
    connection.prepare_cached(PUT)?.execute(params![
        incident.key,
        incident.site,
        incident.opened_unix_seconds,
        incident.open,
        incident.document
    ])?;
    let mut statement = connection.prepare_cached(PUT_REVISION)?;
    for revision in &incident.revisions {
        statement.execute(params![incident.key, revision.at_unix_micros, revision.document])?;
    }
    Ok(())
}

/// The newest incidents of all sites, newest first, without their judgements.
pub(crate) fn newest(
    connection: &Connection,
    rows_max: usize,
) -> Result<Vec<StoredIncident>, rusqlite::Error> {
    let mut statement = connection.prepare_cached(NEWEST)?;
    let rows = statement.query_map([as_limit(rows_max)], incident)?;
    rows.collect()
}

/// The incidents that had not ended when they were last written, oldest first.
pub(crate) fn left_open(
    connection: &Connection,
    rows_max: usize,
) -> Result<Vec<StoredIncident>, rusqlite::Error> {
    let mut statement = connection.prepare_cached(LEFT_OPEN)?;
    let rows = statement.query_map([as_limit(rows_max)], incident)?;
    rows.collect()
}

/// One incident with its judgements.
pub(crate) fn one(connection: &Connection, key: &str) -> Result<Option<StoredIncident>, rusqlite::Error> {
    let found = connection.prepare_cached(ONE)?.query_row([key], incident).optional()?;
    let Some(mut found) = found else { return Ok(None) };
    let mut statement = connection.prepare_cached(REVISIONS)?;
    let revision = |row: &Row<'_>| Ok(StoredRevision { at_unix_micros: row.get(0)?, document: row.get(1)? });
    let rows = statement.query_map(params![key, as_limit(REVISIONS_MAX)], revision)?;
    found.revisions = rows.collect::<Result<_, _>>()?;
    Ok(Some(found))
}

fn incident(row: &Row<'_>) -> Result<StoredIncident, rusqlite::Error> {
    Ok(StoredIncident {
        key: row.get(0)?,
        site: row.get(1)?,
        opened_unix_seconds: row.get(2)?,
        open: row.get(3)?,
        document: row.get(4)?,
        revisions: Vec::new(),
    })
}

fn as_limit(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migrations::{STEPS, migrate};

    fn stored(key: &str, opened: i64, open: bool, revisions: &[i64]) -> StoredIncident {
        let revision = |at: &i64| StoredRevision { at_unix_micros: *at, document: format!("judged at {at}") };
        StoredIncident {
            key: key.to_owned(),
            site: "sos".to_owned(),
            opened_unix_seconds: opened,
            open,
            document: format!("{key} open {open}"),
            revisions: revisions.iter().map(revision).collect(),
        }
    }

    #[test]
    fn an_incident_is_written_again_and_no_judgement_of_it_is_lost() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, STEPS).unwrap();
        put(&connection, &stored("a", 10, true, &[1, 2])).unwrap();
        put(&connection, &stored("b", 20, true, &[5])).unwrap();
        // Whoever judges has forgotten the first one by now.
        put(&connection, &stored("a", 10, false, &[2, 3])).unwrap();
        let newest = newest(&connection, 9).unwrap();
        assert_eq!(newest, [stored("b", 20, true, &[]), stored("a", 10, false, &[])]);
        assert_eq!(super::newest(&connection, 1).unwrap().len(), 1);
        assert_eq!(one(&connection, "a").unwrap(), Some(stored("a", 10, false, &[1, 2, 3])));
        assert_eq!(one(&connection, "c").unwrap(), None);
    }
}
