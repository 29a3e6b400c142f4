//! The table `traffic`: which column holds which figure, and the statements that touch it.
//!
//! Columns are named after the figures today (those of the gates with `admission_` before it), but the two are not the same thing: a renamed figure
//! keeps its column, and a new figure does not compile until it has one (a new step in
//! `migrations.rs`).

use std::sync::{Arc, LazyLock};

use floodwall_model::{AdmissionCounts, MinuteTraffic, TrafficCounts};
use rusqlite::{Connection, Row, ToSql, params};

macro_rules! columns {
    ($($source:ident in $part:ident { $($field:ident => $column:literal,)+ })+) => {
        /// Every column that holds a figure, in the order the statements name them.
        pub(crate) const COLUMNS: &[&str] = &[$($($column,)+)+];

        /// The figures in the order of [`COLUMNS`]. SQLite's integers are signed: what is beyond
        /// them is kept as the largest.
        fn figures(record: &MinuteTraffic) -> [i64; COLUMNS.len()] {
            // Named one by one, without `..`: a figure without a column must not compile.
            $(let $source { $($field,)+ } = record.$part;)+
            [$($(i64::try_from($field).unwrap_or(i64::MAX),)+)+]
        }

        /// Reads the record of `site` from a row that has its minute, and then its figures in the
        /// order of [`COLUMNS`].
        fn record(site: &Arc<str>, row: &Row<'_>) -> Result<MinuteTraffic, rusqlite::Error> {
            let mut place = 0;
            let mut next = || {
                place += 1;
                let figure: i64 = row.get(place)?;
                // A negative figure cannot be written (CHECK); in a file changed from outside it is none.
                Ok::<u64, rusqlite::Error>(u64::try_from(figure).unwrap_or(0))
            };
            Ok(MinuteTraffic {
                site: site.clone(),
                minute_unix_seconds: row.get(0)?,
                $($part: $source { $($field: next()?,)+ },)+
            })
        }
    };
}

columns! {
    TrafficCounts in counts {
        requests => "requests",
        responses_2xx => "responses_2xx",
        responses_3xx => "responses_3xx",
        responses_4xx => "responses_4xx",
        responses_5xx => "responses_5xx",
        cache_hits => "cache_hits",
        cache_stale => "cache_stale",
        cache_misses => "cache_misses",
        refused_prefix_rate => "refused_prefix_rate",
        origin_requests => "origin_requests",
        origin_errors => "origin_errors",
        origin_5xx => "origin_5xx",
        origin_wait_us => "origin_wait_us",
        request_body_bytes => "request_body_bytes",
        response_body_bytes => "response_body_bytes",
    }
    AdmissionCounts in admission {
        admitted => "admission_admitted",
        waited => "admission_waited",
        abandoned => "admission_abandoned",
        over_share => "admission_over_share",
        refused_no_room => "admission_refused_no_room",
        refused_over_share => "admission_refused_over_share",
        refused_displaced => "admission_refused_displaced",
        refused_waited_out => "admission_refused_waited_out",
        challenged_redirect => "admission_challenged_redirect",
        challenged_choice => "admission_challenged_choice",
        challenged_waiting_room => "admission_challenged_waiting_room",
        sources_forgotten => "admission_sources_forgotten",
        tickets_uncounted => "admission_tickets_uncounted",
    }
}

/// Adds to the row of that site and minute. Guarded against overflow, because SQLite would go on
/// with a floating-point number, which the column refuses: one such row would block all others.
static ADD: LazyLock<String> = LazyLock::new(|| {
    let places: Vec<String> = (3..COLUMNS.len() + 3).map(|place| format!("?{place}")).collect();
    let sums: Vec<String> = COLUMNS
        .iter()
        .map(|c| format!("{c} = iif({c} > {max} - excluded.{c}, {max}, {c} + excluded.{c})", max = i64::MAX))
        .collect();
    format!(
        "INSERT INTO traffic (site, minute, {}) VALUES (?1, ?2, {}) ON CONFLICT (site, minute) DO UPDATE SET {}",
        COLUMNS.join(", "),
        places.join(", "),
        sums.join(", "),
    )
});

static READ: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT minute, {} FROM traffic WHERE site = ?1 AND minute >= ?2 AND minute < ?3 ORDER BY minute LIMIT ?4",
        COLUMNS.join(", "),
    )
});

/// Steps from site to site along the primary key, instead of looking at every row for its site.
const SITES: &str = "WITH RECURSIVE step(name) AS (
     SELECT min(site) FROM traffic
     UNION ALL
     SELECT (SELECT min(site) FROM traffic WHERE site > step.name) FROM step WHERE step.name IS NOT NULL
 ) SELECT name FROM step WHERE name IS NOT NULL LIMIT ?1";

const PRUNE: &str = "DELETE FROM traffic WHERE site = ?1 AND minute IN
     (SELECT minute FROM traffic WHERE site = ?1 AND minute < ?2 ORDER BY minute LIMIT ?3)";

/// Adds the records to what the table holds. The caller brings the transaction.
pub(crate) fn add(connection: &Connection, records: &[MinuteTraffic]) -> Result<(), rusqlite::Error> {
    let mut statement = connection.prepare_cached(&ADD)?;
    for record in records {
        let minute = minute_start(record.minute_unix_seconds);
        let figures = figures(record);
        let key: [&dyn ToSql; 2] = [&&*record.site, &minute];
        let values = key.into_iter().chain(figures.iter().map(|figure| figure as &dyn ToSql));
        statement.execute(rusqlite::params_from_iter(values))?;
    }
    Ok(())
}

/// The minutes of `site` in `from..to`, oldest first, at most `rows_max`.
pub(crate) fn read(
    connection: &Connection,
    site: &str,
    from: i64,
    to: i64,
    rows_max: usize,
) -> Result<Vec<MinuteTraffic>, rusqlite::Error> {
    let site: Arc<str> = Arc::from(site);
    let mut statement = connection.prepare_cached(&READ)?;
    let rows =
        statement.query_map(params![&*site, from, to, as_limit(rows_max)], |row| record(&site, row))?;
    rows.collect()
}

/// Every site that has a row, by name, at most `sites_max`.
pub(crate) fn sites(connection: &Connection, sites_max: usize) -> Result<Vec<Arc<str>>, rusqlite::Error> {
    let mut statement = connection.prepare_cached(SITES)?;
    let rows = statement.query_map([as_limit(sites_max)], |row| row.get::<_, String>(0).map(Arc::from))?;
    rows.collect()
}

/// Deletes the oldest of a site's minutes before `before`, at most `rows_max`; how many it were.
pub(crate) fn prune(
    connection: &Connection,
    site: &str,
    before: i64,
    rows_max: usize,
) -> Result<usize, rusqlite::Error> {
    connection.prepare_cached(PRUNE)?.execute(params![site, before, as_limit(rows_max)])
}

/// The start of the minute `unix_seconds` lies in.
pub(crate) fn minute_start(unix_seconds: i64) -> i64 {
    // Saturates upwards at the first minute that can be named, for times before the universe.
    unix_seconds.div_euclid(60).saturating_mul(60).max(i64::MIN / 60 * 60)
}

fn as_limit(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migrations::{STEPS, migrate};

    #[test]
    fn every_column_of_the_table_holds_a_figure_and_the_other_way_round() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, STEPS).unwrap();
        let mut statement = connection.prepare("SELECT name FROM pragma_table_info('traffic')").unwrap();
        let names: Vec<String> =
            statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        assert_eq!(names, [&["site", "minute"], COLUMNS].concat());
    }

    #[test]
    fn listing_sites_and_pruning_go_along_the_primary_key() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, STEPS).unwrap();
        for sql in [SITES, PRUNE, &READ] {
            let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            for place in 1..=statement.parameter_count() {
                statement.raw_bind_parameter(place, 1).unwrap();
            }
            let mut rows = statement.raw_query();
            while let Some(row) = rows.next().unwrap() {
                let plan: String = row.get("detail").unwrap();
                let whole_table = plan.starts_with("SCAN traffic") || plan.contains("TEMP B-TREE");
                assert!(!whole_table, "{sql}: {plan}");
            }
        }
    }

    #[test]
    fn minutes_start_on_the_minute() {
        for (seconds, start) in [(0, 0), (59, 0), (60, 60), (-1, -60), (i64::MAX, i64::MAX / 60 * 60)] {
            assert_eq!(minute_start(seconds), start);
        }
        assert_eq!(minute_start(i64::MIN) % 60, 0);
    }
}
