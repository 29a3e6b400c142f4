//! Outages in the store's form and back.

use std::sync::Arc;

use floodwall_outage::{
    Cause, CauseCount, Edge, Outage, OutageRecord, Span, UnknownCause, UnknownRecord, WatchRecord,
    WatchedRecord, family_name, family_of_name,
};
use floodwall_store::{StoredOutage, StoredUnknown, StoredWatched, WatchRows};

/// As the store takes it.
pub(crate) fn to_rows(record: &WatchRecord) -> WatchRows {
    WatchRows {
        outages: record.outages.iter().map(stored_outage).collect(),
        unknown: record.unknown.iter().map(stored_unknown).collect(),
        watched: record.watched.iter().map(stored_watched).collect(),
    }
}

/// As it is shown. Rows that cannot be read are left out: a damaged one hides no other.
pub(crate) fn from_rows(rows: &WatchRows) -> WatchRecord {
    WatchRecord {
        outages: rows.outages.iter().filter_map(outage).collect(),
        unknown: rows.unknown.iter().filter_map(unknown).collect(),
        watched: rows.watched.iter().filter_map(watched).collect(),
    }
}

fn stored_outage(record: &OutageRecord) -> StoredOutage {
    let outage = &record.outage;
    let causes = outage.causes.iter().map(|count| format!("{}={}", count.cause.as_str(), count.samples));
    StoredOutage {
        key: record.key.to_string(),
        target: record.target.to_string(),
        site: record.site.as_deref().map(str::to_owned),
        vantage: record.vantage.to_string(),
        family: family_name(record.family).to_owned(),
        start_earliest_unix_micros: outage.start.earliest_unix_micros,
        start_latest_unix_micros: outage.start.latest_unix_micros,
        end_earliest_unix_micros: outage.end.and_then(|end| end.earliest_unix_micros),
        end_latest_unix_micros: outage.end.map(|end| end.latest_unix_micros),
        unknown_micros: i64::try_from(outage.unknown_micros).unwrap_or(i64::MAX),
        causes: causes.collect::<Vec<_>>().join(" "),
    }
}

/// One outage as it is shown.
pub(crate) fn outage(stored: &StoredOutage) -> Option<OutageRecord> {
    let causes = stored.causes.split_whitespace().filter_map(|count| {
        let (cause, samples) = count.split_once('=')?;
        Some(CauseCount { cause: Cause::of_name(cause)?, samples: samples.parse().ok()? })
    });
    let end = stored.end_latest_unix_micros.map(|latest_unix_micros| Edge {
        earliest_unix_micros: stored.end_earliest_unix_micros,
        latest_unix_micros,
    });
    Some(OutageRecord {
        key: stored.key.as_str().into(),
        target: stored.target.as_str().into(),
        site: stored.site.as_deref().map(Arc::from),
        vantage: stored.vantage.as_str().into(),
        family: family_of_name(&stored.family)?,
        outage: Outage {
            start: Edge {
                earliest_unix_micros: stored.start_earliest_unix_micros,
                latest_unix_micros: stored.start_latest_unix_micros,
            },
            end,
            causes: causes.collect(),
            unknown_micros: u64::try_from(stored.unknown_micros).unwrap_or(0),
        },
    })
}

fn stored_unknown(record: &UnknownRecord) -> StoredUnknown {
    let start_unix_micros = record.span.start_unix_micros;
    StoredUnknown {
        target: record.target.to_string(),
        vantage: record.vantage.to_string(),
        family: family_name(record.family).to_owned(),
        start_unix_micros,
        // The store takes no time that runs backwards.
        end_unix_micros: record.span.end_unix_micros.max(start_unix_micros),
        cause: record.cause.as_str().to_owned(),
    }
}

fn unknown(stored: &StoredUnknown) -> Option<UnknownRecord> {
    Some(UnknownRecord {
        target: stored.target.as_str().into(),
        vantage: stored.vantage.as_str().into(),
        family: family_of_name(&stored.family)?,
        span: Span { start_unix_micros: stored.start_unix_micros, end_unix_micros: stored.end_unix_micros },
        cause: UnknownCause::of_name(&stored.cause)?,
    })
}

fn stored_watched(record: &WatchedRecord) -> StoredWatched {
    StoredWatched {
        target: record.target.to_string(),
        vantage: record.vantage.to_string(),
        family: family_name(record.family).to_owned(),
        site: record.site.as_deref().map(str::to_owned),
        since_unix_micros: record.since_unix_micros,
        known_until_unix_micros: record.known_until_unix_micros,
    }
}

fn watched(stored: &StoredWatched) -> Option<WatchedRecord> {
    Some(WatchedRecord {
        target: stored.target.as_str().into(),
        site: stored.site.as_deref().map(Arc::from),
        vantage: stored.vantage.as_str().into(),
        family: family_of_name(&stored.family)?,
        since_unix_micros: stored.since_unix_micros,
        known_until_unix_micros: stored.known_until_unix_micros,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use floodwall_outage::Family;

    #[test]
    fn what_is_stored_comes_back_as_it_was() {
        let edge = |earliest, latest| Edge { earliest_unix_micros: earliest, latest_unix_micros: latest };
        let count = |cause, samples| CauseCount { cause, samples };
        let record = |end, family| OutageRecord {
            key: "k".into(),
            target: "look up".into(),
            site: Some("sos".into()),
            vantage: "here".into(),
            family,
            outage: Outage {
                start: edge(None, 10),
                end,
                causes: vec![count(Cause::ConnectRefused, 5), count(Cause::StatusServerError, 1)],
                unknown_micros: 7,
            },
        };
        let record = WatchRecord {
            outages: vec![record(None, None), record(Some(edge(Some(20), 30)), Some(Family::V6))],
            unknown: vec![UnknownRecord {
                target: "look up".into(),
                vantage: "here".into(),
                family: Some(Family::V4),
                span: Span { start_unix_micros: 3, end_unix_micros: 9 },
                cause: UnknownCause::EgressGone,
            }],
            watched: vec![WatchedRecord {
                target: "look up".into(),
                site: None,
                vantage: "here".into(),
                family: Some(Family::V4),
                since_unix_micros: 1,
                known_until_unix_micros: 2,
            }],
        };
        assert_eq!(from_rows(&to_rows(&record)), record);
    }
}
