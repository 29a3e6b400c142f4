//! The store's format and how an older one becomes the present one.
//!
//! Every step is one transaction that also counts up the file's `user_version`, so that a process
//! killed in the midst leaves the format before or after a step, never between. A step that was
//! released is never changed again: later formats are later steps.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use crate::StoreError;

/// Marks an SQLite file as ours in its header (`PRAGMA application_id`): the letters `FLDW`.
pub(crate) const APPLICATION_ID: i64 = 0x464C_4457;

/// The steps in order; the first makes format 1 out of an empty file.
pub(crate) const STEPS: &[&str] = &[
    // 1: traffic by site and minute. `minute` is its start in seconds since 1970. The primary key
    // is the table's own order on disk (WITHOUT ROWID): a site's minutes lie together.
    "CREATE TABLE traffic (
         site TEXT NOT NULL,
         minute INTEGER NOT NULL CHECK (minute % 60 = 0),
         requests INTEGER NOT NULL CHECK (requests >= 0),
         responses_2xx INTEGER NOT NULL CHECK (responses_2xx >= 0),
         responses_3xx INTEGER NOT NULL CHECK (responses_3xx >= 0),
         responses_4xx INTEGER NOT NULL CHECK (responses_4xx >= 0),
         responses_5xx INTEGER NOT NULL CHECK (responses_5xx >= 0),
         cache_hits INTEGER NOT NULL CHECK (cache_hits >= 0),
         cache_stale INTEGER NOT NULL CHECK (cache_stale >= 0),
         cache_misses INTEGER NOT NULL CHECK (cache_misses >= 0),
         refused_prefix_rate INTEGER NOT NULL CHECK (refused_prefix_rate >= 0),
         origin_requests INTEGER NOT NULL CHECK (origin_requests >= 0),
         origin_errors INTEGER NOT NULL CHECK (origin_errors >= 0),
         origin_5xx INTEGER NOT NULL CHECK (origin_5xx >= 0),
         origin_wait_us INTEGER NOT NULL CHECK (origin_wait_us >= 0),
         request_body_bytes INTEGER NOT NULL CHECK (request_body_bytes >= 0),
         response_body_bytes INTEGER NOT NULL CHECK (response_body_bytes >= 0),
         PRIMARY KEY (site, minute)
     ) STRICT, WITHOUT ROWID;",
    // 2: what a site's gates did in that minute. Of minutes from before there were gates: nothing.
    "ALTER TABLE traffic ADD COLUMN admission_admitted INTEGER NOT NULL DEFAULT 0 CHECK (admission_admitted >= 0);
     ALTER TABLE traffic ADD COLUMN admission_waited INTEGER NOT NULL DEFAULT 0 CHECK (admission_waited >= 0);
     ALTER TABLE traffic ADD COLUMN admission_abandoned INTEGER NOT NULL DEFAULT 0 CHECK (admission_abandoned >= 0);
     ALTER TABLE traffic ADD COLUMN admission_over_share INTEGER NOT NULL DEFAULT 0 CHECK (admission_over_share >= 0);
     ALTER TABLE traffic ADD COLUMN admission_refused_no_room INTEGER NOT NULL DEFAULT 0 CHECK (admission_refused_no_room >= 0);
     ALTER TABLE traffic ADD COLUMN admission_refused_over_share INTEGER NOT NULL DEFAULT 0 CHECK (admission_refused_over_share >= 0);
     ALTER TABLE traffic ADD COLUMN admission_refused_displaced INTEGER NOT NULL DEFAULT 0 CHECK (admission_refused_displaced >= 0);
     ALTER TABLE traffic ADD COLUMN admission_refused_waited_out INTEGER NOT NULL DEFAULT 0 CHECK (admission_refused_waited_out >= 0);
     ALTER TABLE traffic ADD COLUMN admission_challenged_redirect INTEGER NOT NULL DEFAULT 0 CHECK (admission_challenged_redirect >= 0);
     ALTER TABLE traffic ADD COLUMN admission_challenged_choice INTEGER NOT NULL DEFAULT 0 CHECK (admission_challenged_choice >= 0);
     ALTER TABLE traffic ADD COLUMN admission_challenged_waiting_room INTEGER NOT NULL DEFAULT 0 CHECK (admission_challenged_waiting_room >= 0);
     ALTER TABLE traffic ADD COLUMN admission_sources_forgotten INTEGER NOT NULL DEFAULT 0 CHECK (admission_sources_forgotten >= 0);
     ALTER TABLE traffic ADD COLUMN admission_tickets_uncounted INTEGER NOT NULL DEFAULT 0 CHECK (admission_tickets_uncounted >= 0);",
    // 3: incidents and every judgement of them. `opened` in seconds, `at` in microseconds since 1970.
    "CREATE TABLE incident (
         key TEXT NOT NULL PRIMARY KEY,
         site TEXT NOT NULL,
         opened INTEGER NOT NULL,
         open INTEGER NOT NULL CHECK (open IN (0, 1)),
         document TEXT NOT NULL
     ) STRICT, WITHOUT ROWID;
     CREATE INDEX incident_by_opened ON incident (opened);
     CREATE TABLE incident_revision (
         incident TEXT NOT NULL REFERENCES incident (key),
         at INTEGER NOT NULL,
         document TEXT NOT NULL,
         PRIMARY KEY (incident, at)
     ) STRICT, WITHOUT ROWID;",
    // 4: what the watch saw. Times in microseconds since 1970; `end_latest` is missing while an outage goes on.
    "CREATE TABLE outage (
         key TEXT NOT NULL PRIMARY KEY,
         target TEXT NOT NULL,
         site TEXT,
         vantage TEXT NOT NULL,
         family TEXT NOT NULL CHECK (family IN ('any', 'ipv4', 'ipv6')),
         start_earliest INTEGER,
         start_latest INTEGER NOT NULL,
         end_earliest INTEGER,
         end_latest INTEGER,
         unknown_micros INTEGER NOT NULL CHECK (unknown_micros >= 0),
         causes TEXT NOT NULL
     ) STRICT, WITHOUT ROWID;
     CREATE INDEX outage_by_start ON outage (start_latest);
     CREATE TABLE unknown_time (
         target TEXT NOT NULL,
         vantage TEXT NOT NULL,
         family TEXT NOT NULL CHECK (family IN ('any', 'ipv4', 'ipv6')),
         start INTEGER NOT NULL,
         end INTEGER NOT NULL CHECK (end >= start),
         cause TEXT NOT NULL,
         PRIMARY KEY (target, vantage, family, start)
     ) STRICT, WITHOUT ROWID;
     CREATE INDEX unknown_time_by_end ON unknown_time (end);
     CREATE TABLE watched (
         target TEXT NOT NULL,
         vantage TEXT NOT NULL,
         family TEXT NOT NULL CHECK (family IN ('any', 'ipv4', 'ipv6')),
         site TEXT,
         since INTEGER NOT NULL,
         known_until INTEGER NOT NULL,
         PRIMARY KEY (target, vantage, family)
     ) STRICT, WITHOUT ROWID;",
];

/// Refuses files that are not ours to write, without having changed anything in them.
///
/// # Errors
/// [`StoreError::Foreign`], [`StoreError::Newer`]; [`StoreError::Damaged`] and others when the file
/// cannot be read.
pub(crate) fn check_identity(connection: &Connection, path: &Path, steps: &[&str]) -> Result<(), StoreError> {
    let read = |sql: &str| {
        connection
            .query_row(sql, [], |row| row.get::<_, i64>(0))
            .map_err(|error| StoreError::from_sqlite(path, &error))
    };
    let application = read("PRAGMA application_id")?;
    let found = read("PRAGMA user_version")?;
    let tables = read("SELECT count(*) FROM sqlite_schema")?;
    let is_empty = application == 0 && found == 0 && tables == 0;
    if application != APPLICATION_ID && !is_empty {
        return Err(StoreError::Foreign { path: path.to_owned() });
    }
    let known = format_number(steps.len());
    if found > known {
        return Err(StoreError::Newer { path: path.to_owned(), found, known });
    }
    Ok(())
}

/// Brings the file to the format of the last of `steps`; does nothing when it has it.
///
/// # Errors
/// As SQLite reports them; the steps before the failed one stay done.
pub(crate) fn migrate(connection: &mut Connection, steps: &[&str]) -> Result<(), rusqlite::Error> {
    let mut is_new = false;
    for (step, number) in steps.iter().zip(1_i64..) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let found: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if found >= number {
            continue;
        }
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", number)?;
        transaction.commit()?;
        if found == 0 && number == 1 {
            is_new = true;
            tracing::info!("a new store was made");
        } else if !is_new {
            tracing::info!(format = number, "the store was brought to a newer format");
        }
    }
    Ok(())
}

fn format_number(steps: usize) -> i64 {
    i64::try_from(steps).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A later format, as a test of the way there.
    const ADD_NOTE: &str = "ALTER TABLE traffic ADD COLUMN note TEXT NOT NULL DEFAULT '-';";
    const FAILS_HALFWAY: &str = "CREATE TABLE extra (a); INSERT INTO nowhere VALUES (1);";

    fn number(connection: &Connection, sql: &str) -> i64 {
        connection.query_row(sql, [], |row| row.get(0)).unwrap()
    }

    fn columns(connection: &Connection) -> Vec<String> {
        let mut statement = connection.prepare("SELECT name FROM pragma_table_info('traffic')").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    #[test]
    fn an_empty_file_gets_the_present_format_once() {
        let mut connection = Connection::open_in_memory().unwrap();
        for _ in 0..2 {
            migrate(&mut connection, STEPS).unwrap();
            assert_eq!(number(&connection, "PRAGMA user_version"), format_number(STEPS.len()));
            assert_eq!(number(&connection, "PRAGMA application_id"), APPLICATION_ID);
        }
    }

    #[test]
    fn a_later_step_keeps_the_rows() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(include_str!("../tests/formats/1.sql")).unwrap();
        let mut steps = STEPS.to_vec();
        steps.push(ADD_NOTE);
        migrate(&mut connection, &steps).unwrap();
        assert_eq!(columns(&connection).last().map(String::as_str), Some("note"));
        assert_eq!(number(&connection, "SELECT sum(requests) FROM traffic WHERE note = '-'"), 1310);
    }

    #[test]
    fn minutes_from_before_there_were_gates_say_that_these_did_nothing() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(include_str!("../tests/formats/1.sql")).unwrap();
        migrate(&mut connection, STEPS).unwrap();
        let added: Vec<String> =
            columns(&connection).into_iter().filter(|name| name.starts_with("admission_")).collect();
        let sum = format!("SELECT sum({}) FROM traffic", added.join(" + "));
        assert_eq!((added.len(), number(&connection, &sum)), (13, 0));
        assert_eq!(number(&connection, "SELECT sum(requests) FROM traffic"), 1310);
    }

    #[test]
    fn a_step_that_fails_leaves_the_format_before_it() {
        let mut connection = Connection::open_in_memory().unwrap();
        let steps = [STEPS[0], FAILS_HALFWAY];
        assert!(migrate(&mut connection, &steps).is_err());
        assert_eq!(number(&connection, "PRAGMA user_version"), 1);
        assert_eq!(number(&connection, "SELECT count(*) FROM sqlite_schema WHERE name = 'extra'"), 0);
        migrate(&mut connection, &[STEPS[0], ADD_NOTE]).unwrap();
        assert_eq!(number(&connection, "PRAGMA user_version"), 2);
    }

    #[test]
    fn the_released_formats_are_what_the_steps_make() {
        let schema = |connection: &Connection| -> Vec<String> {
            let mut statement = connection.prepare("SELECT sql FROM sqlite_schema").unwrap();
            let texts = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
            texts.map(|text| text.unwrap().split_whitespace().collect()).collect()
        };
        let formats = [
            include_str!("../tests/formats/1.sql"),
            include_str!("../tests/formats/2.sql"),
            include_str!("../tests/formats/3.sql"),
            include_str!("../tests/formats/4.sql"),
        ];
        assert_eq!(formats.len(), STEPS.len(), "each format has its example");
        for (steps, format) in (1..).zip(formats) {
            let mut made = Connection::open_in_memory().unwrap();
            migrate(&mut made, &STEPS[..steps]).unwrap();
            let released = Connection::open_in_memory().unwrap();
            released.execute_batch(format).unwrap();
            let changed = "a released step is never changed; add a step";
            assert_eq!(schema(&made), schema(&released), "{changed}");
            assert_eq!(number(&released, "PRAGMA user_version"), format_number(steps));
        }
    }
}
