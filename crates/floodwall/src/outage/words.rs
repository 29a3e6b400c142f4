//! Outages in words, for terminals and logs.

use std::fmt::Write as _;

use floodwall_outage::{Edge, Outage};

/// A moment, to the second.
pub(crate) fn time(unix_micros: i64) -> String {
    jiff::Timestamp::from_microsecond(unix_micros).map(|time| format!("{time:.0}")).unwrap_or_default()
}

fn seconds(micros: i64) -> i64 {
    micros.saturating_add(500_000) / 1_000_000
}

fn edge_words(edge: &Edge) -> String {
    match edge.earliest_unix_micros {
        Some(_) => {
            format!("{} (+-{} s)", time(edge.middle_unix_micros()), seconds(edge.half_width_micros()))
        }
        None => format!("{} or earlier", time(edge.latest_unix_micros)),
    }
}

/// When and why.
pub(crate) fn outage(outage: &Outage) -> String {
    let cause = outage.cause().map_or("no cause", |cause| cause.in_english());
    let mut text = format!("since {}", edge_words(&outage.start));
    if let Some(end) = &outage.end {
        let length = i64::try_from(outage.length_micros(0)).unwrap_or(i64::MAX);
        let error = i64::try_from(outage.length_error_micros()).unwrap_or(i64::MAX);
        text = format!(
            "from {} until {}, {} s (+-{} s)",
            edge_words(&outage.start),
            edge_words(end),
            seconds(length),
            seconds(error)
        );
    }
    let unknown = i64::try_from(outage.unknown_micros).unwrap_or(i64::MAX);
    if unknown > 0 {
        let _ = write!(text, ", of which {} s are unknown", seconds(unknown));
    }
    format!("{text}: {cause}")
}
