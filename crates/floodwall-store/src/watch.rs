//! The tables `outage`, `unknown_time` and `watched`: what the watch saw. All three are kept for ever:
//! they are small, and what an office is asked years later.
//!
//! Times are in microseconds since 1970. A `family` is `any`, `ipv4` or `ipv6`.

use std::collections::BTreeMap;

use rusqlite::{Connection, Row, params};

/// An outage as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredOutage {
    /// Its name, unique.
    pub key: String,
    /// The target's name.
    pub target: String,
    /// The site it belongs to.
    pub site: Option<String>,
    /// From where it was seen.
    pub vantage: String,
    /// Over which addresses.
    pub family: String,
    /// It did not begin before this; `None` where nothing was known before.
    pub start_earliest_unix_micros: Option<i64>,
    /// It did not begin after this.
    pub start_latest_unix_micros: i64,
    /// It did not end before this; `None` where that is not known, or it goes on.
    pub end_earliest_unix_micros: Option<i64>,
    /// It did not end after this; `None` while it goes on.
    pub end_latest_unix_micros: Option<i64>,
    /// Time within it of which nothing is known.
    pub unknown_micros: i64,
    /// What its samples saw: `cause=samples`, the most frequent first, with blanks between.
    pub causes: String,
}

/// A time of which nothing is known, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredUnknown {
    /// The target's name.
    pub target: String,
    /// From where.
    pub vantage: String,
    /// Over which addresses.
    pub family: String,
    /// Its start.
    pub start_unix_micros: i64,
    /// Its end.
    pub end_unix_micros: i64,
    /// Why.
    pub cause: String,
}

/// That a target is watched, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredWatched {
    /// The target's name.
    pub target: String,
    /// From where.
    pub vantage: String,
    /// Over which addresses.
    pub family: String,
    /// The site it belongs to.
    pub site: Option<String>,
    /// When it was first seen.
    pub since_unix_micros: i64,
    /// When it was last known how it was.
    pub known_until_unix_micros: i64,
}

/// Rows of all three tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WatchRows {
    /// Outages.
    pub outages: Vec<StoredOutage>,
    /// Times of which nothing is known.
    pub unknown: Vec<StoredUnknown>,
    /// What is watched.
    pub watched: Vec<StoredWatched>,
}

impl WatchRows {
    /// How many rows they are.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.outages.len().saturating_add(self.unknown.len()).saturating_add(self.watched.len())
    }
}

/// Rows that wait to be written: of an outage, and of a target's being watched, the newest only.
#[derive(Debug, Default)]
pub(crate) struct WatchWaiting {
    outages: BTreeMap<String, StoredOutage>,
    unknown: BTreeMap<(String, String, String, i64), StoredUnknown>,
    watched: BTreeMap<(String, String, String), StoredWatched>,
}

impl WatchWaiting {
    pub(crate) fn rows(&self) -> usize {
        self.outages.len().saturating_add(self.unknown.len()).saturating_add(self.watched.len())
    }

    /// Takes newer rows.
    pub(crate) fn add(&mut self, newer: WatchRows) {
        self.outages.extend(newer.outages.into_iter().map(|row| (row.key.clone(), row)));
        self.unknown.extend(newer.unknown.into_iter().map(|row| {
            ((row.target.clone(), row.vantage.clone(), row.family.clone(), row.start_unix_micros), row)
        }));
        self.watched.extend(
            newer
                .watched
                .into_iter()
                .map(|row| ((row.target.clone(), row.vantage.clone(), row.family.clone()), row)),
        );
    }

    /// All of them.
    pub(crate) fn take(&mut self) -> WatchRows {
        let Self { outages, unknown, watched } = std::mem::take(self);
        WatchRows {
            outages: outages.into_values().collect(),
            unknown: unknown.into_values().collect(),
            watched: watched.into_values().collect(),
        }
    }
}

const PUT_OUTAGE: &str = "INSERT INTO outage (key, target, site, vantage, family, start_earliest, start_latest,
         end_earliest, end_latest, unknown_micros, causes) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
     ON CONFLICT (key) DO UPDATE SET site = excluded.site, end_earliest = excluded.end_earliest,
         end_latest = excluded.end_latest, unknown_micros = excluded.unknown_micros, causes = excluded.causes";

const PUT_UNKNOWN: &str = "INSERT INTO unknown_time (target, vantage, family, start, end, cause)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6)
     ON CONFLICT (target, vantage, family, start) DO UPDATE SET end = excluded.end, cause = excluded.cause";

const PUT_WATCHED: &str = "INSERT INTO watched (target, vantage, family, site, since, known_until)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6)
     ON CONFLICT (target, vantage, family) DO UPDATE SET site = excluded.site, known_until = excluded.known_until";

const OUTAGES: &str = "SELECT key, target, site, vantage, family, start_earliest, start_latest, end_earliest,
         end_latest, unknown_micros, causes FROM outage
     WHERE end_latest IS NULL OR end_latest >= ?1 ORDER BY start_latest DESC, key LIMIT ?2";

const UNKNOWN: &str = "SELECT target, vantage, family, start, end, cause FROM unknown_time
     WHERE end >= ?1 ORDER BY end DESC, target, family LIMIT ?2";

const WATCHED: &str = "SELECT target, vantage, family, site, since, known_until FROM watched
     ORDER BY target, vantage, family LIMIT ?1";

/// Writes rows, whether or not they were written before. The caller brings the transaction.
pub(crate) fn put(connection: &Connection, rows: &WatchRows) -> Result<(), rusqlite::Error> {
    let mut statement = connection.prepare_cached(PUT_OUTAGE)?;
    for outage in &rows.outages {
        statement.execute(params![
            outage.key,
            outage.target,
            outage.site,
            outage.vantage,
            outage.family,
            outage.start_earliest_unix_micros,
            outage.start_latest_unix_micros,
            outage.end_earliest_unix_micros,
            outage.end_latest_unix_micros,
            outage.unknown_micros,
            outage.causes,
        ])?;
    }
    let mut statement = connection.prepare_cached(PUT_UNKNOWN)?;
    for time in &rows.unknown {
        statement.execute(params![
            time.target,
            time.vantage,
            time.family,
            time.start_unix_micros,
            time.end_unix_micros,
            time.cause,
        ])?;
    }
    let mut statement = connection.prepare_cached(PUT_WATCHED)?;
    for watched in &rows.watched {
        statement.execute(params![
            watched.target,
            watched.vantage,
            watched.family,
            watched.site,
            watched.since_unix_micros,
            watched.known_until_unix_micros,
        ])?;
    }
    Ok(())
}

/// The newest outages that were not over before `from_unix_micros`, newest first.
pub(crate) fn outages(
    connection: &Connection,
    from_unix_micros: i64,
    rows_max: usize,
) -> Result<Vec<StoredOutage>, rusqlite::Error> {
    let mut statement = connection.prepare_cached(OUTAGES)?;
    statement.query_map([from_unix_micros, as_limit(rows_max)], outage)?.collect()
}

/// Everything that is on record of the time from `from_unix_micros` on, and all that is watched: at most
/// `rows_max` of each, the newest.
pub(crate) fn since(
    connection: &Connection,
    from_unix_micros: i64,
    rows_max: usize,
) -> Result<WatchRows, rusqlite::Error> {
    let outages = outages(connection, from_unix_micros, rows_max)?;
    let mut statement = connection.prepare_cached(UNKNOWN)?;
    let unknown = statement.query_map([from_unix_micros, as_limit(rows_max)], |row| {
        Ok(StoredUnknown {
            target: row.get(0)?,
            vantage: row.get(1)?,
            family: row.get(2)?,
            start_unix_micros: row.get(3)?,
            end_unix_micros: row.get(4)?,
            cause: row.get(5)?,
        })
    })?;
    let unknown = unknown.collect::<Result<_, _>>()?;
    let mut statement = connection.prepare_cached(WATCHED)?;
    let watched = statement.query_map([as_limit(rows_max)], |row| {
        Ok(StoredWatched {
            target: row.get(0)?,
            vantage: row.get(1)?,
            family: row.get(2)?,
            site: row.get(3)?,
            since_unix_micros: row.get(4)?,
            known_until_unix_micros: row.get(5)?,
        })
    })?;
    Ok(WatchRows { outages, unknown, watched: watched.collect::<Result<_, _>>()? })
}

fn outage(row: &Row<'_>) -> Result<StoredOutage, rusqlite::Error> {
    Ok(StoredOutage {
        key: row.get(0)?,
        target: row.get(1)?,
        site: row.get(2)?,
        vantage: row.get(3)?,
        family: row.get(4)?,
        start_earliest_unix_micros: row.get(5)?,
        start_latest_unix_micros: row.get(6)?,
        end_earliest_unix_micros: row.get(7)?,
        end_latest_unix_micros: row.get(8)?,
        unknown_micros: row.get(9)?,
        causes: row.get(10)?,
    })
}

fn as_limit(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migrations::{STEPS, migrate};

    fn stored(key: &str, start: i64, end: Option<i64>) -> StoredOutage {
        StoredOutage {
            key: key.to_owned(),
            target: "home".to_owned(),
            site: Some("sos".to_owned()),
            vantage: "here".to_owned(),
            family: "ipv4".to_owned(),
            start_earliest_unix_micros: Some(start - 5),
            start_latest_unix_micros: start,
            end_earliest_unix_micros: end.map(|end| end - 5),
            end_latest_unix_micros: end,
            unknown_micros: 0,
            causes: "connect_refused=3".to_owned(),
        }
    }

    fn watched(until: i64) -> StoredWatched {
        StoredWatched {
            target: "home".to_owned(),
            vantage: "here".to_owned(),
            family: "ipv4".to_owned(),
            site: Some("sos".to_owned()),
            since_unix_micros: 1,
            known_until_unix_micros: until,
        }
    }

    fn unknown(start: i64, end: i64) -> StoredUnknown {
        StoredUnknown {
            target: "home".to_owned(),
            vantage: "here".to_owned(),
            family: "ipv4".to_owned(),
            start_unix_micros: start,
            end_unix_micros: end,
            cause: "silent".to_owned(),
        }
    }

    #[test]
    fn an_outage_is_written_when_it_opens_and_again_when_it_ends() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, STEPS).unwrap();
        let rows = |outages, unknown, watched| WatchRows { outages, unknown, watched };
        let open = stored("b", 100, None);
        put(&connection, &rows(vec![stored("a", 10, Some(50)), open.clone()], vec![], vec![watched(90)]))
            .unwrap();
        assert_eq!(outages(&connection, 0, 9).unwrap(), [open.clone(), stored("a", 10, Some(50))]);
        assert_eq!(outages(&connection, 60, 9).unwrap(), [open]);
        let ended = stored("b", 100, Some(200));
        let since_first = StoredWatched { since_unix_micros: 70, ..watched(190) };
        put(&connection, &rows(vec![ended.clone()], vec![unknown(120, 130)], vec![since_first])).unwrap();
        let found = since(&connection, 60, 9).unwrap();
        // When it was first seen stays.
        assert_eq!(found, rows(vec![ended], vec![unknown(120, 130)], vec![watched(190)]));
        assert_eq!(since(&connection, 131, 9).unwrap().unknown, []);
    }

    #[test]
    fn only_the_newest_of_an_outage_waits() {
        let mut waiting = WatchWaiting::default();
        waiting.add(WatchRows { outages: vec![stored("a", 10, None)], ..WatchRows::default() });
        waiting.add(WatchRows {
            outages: vec![stored("a", 10, Some(20))],
            watched: vec![watched(5), watched(6)],
            ..WatchRows::default()
        });
        assert_eq!(waiting.rows(), 2);
        let rows = waiting.take();
        assert_eq!(rows.outages, [stored("a", 10, Some(20))]);
        assert_eq!(rows.watched, [watched(6)]);
        assert_eq!(waiting.rows(), 0);
    }
}
