//! Targets and outages in words, for the console's tables.

use std::time::Duration;

use floodwall_outage::{Family, OutageRecord, State, TargetStatus, UnknownCause, state_for_visitors};

use super::OutageDocument;
use crate::format::span;
use crate::incident::readable;

/// Over which addresses, to stand behind a state; empty where it says nothing.
fn over(family: Option<Family>) -> &'static str {
    match family {
        Some(Family::V4) => "IPv4",
        Some(Family::V6) => "IPv6",
        None => "no address",
    }
}

fn why_unknown(cause: UnknownCause) -> &'static str {
    match cause {
        UnknownCause::Starved => "this server was too busy to probe",
        UnknownCause::EgressGone => "this server reaches nothing else either",
        UnknownCause::ClockStepped => "this server's clock was put to another time",
        UnknownCause::VantageFault => "everything fails here and nowhere else",
        UnknownCause::Silent => "not probed yet",
        UnknownCause::ProberFailed => "the probe could not be made",
    }
}

/// What a target's state is called and drawn as: `up`, `down`, `pressed` or `unknown`.
pub(crate) fn target_cells(target: &TargetStatus) -> (&'static str, [String; 4]) {
    let states: Vec<_> = target.families.iter().map(|family| (family.family, family.state)).collect();
    let state = state_for_visitors(&states, State::Unknown(UnknownCause::Silent));
    let some_down = states.iter().any(|(_, state)| *state == State::Down);
    let (health, words) = match state {
        State::Up if some_down => ("pressed", "up, but not over every kind of address"),
        State::Up => ("up", "up"),
        State::Down => ("down", "down"),
        State::Unknown(_) => ("unknown", "not known"),
    };
    let each = target.families.iter().map(|family| match family.state {
        State::Up => format!("{}: up", over(family.family)),
        State::Down => {
            let cause = family.outage.as_ref().and_then(|record| record.outage.cause());
            format!("{}: {}", over(family.family), cause.map_or("down", |cause| cause.in_english()))
        }
        State::Unknown(cause) => format!("{}: {}", over(family.family), why_unknown(cause)),
    });
    let each: Vec<_> = each.collect();
    let took = target.families.iter().filter_map(|family| family.probe.as_ref()).map(|probe| probe.duration);
    let took = took.max().map_or_else(String::new, |took| format!("{:.1} ms", took.as_secs_f64() * 1000.0));
    let site = target.site.as_deref().unwrap_or("none").to_owned();
    (health, [words.to_owned(), each.join("; "), site, took])
}

/// The cells of one outage in the table of outages, after its name.
pub(crate) fn outage_cells(record: &OutageRecord, now_unix_micros: i64) -> [String; 6] {
    let document = OutageDocument::new(record, now_unix_micros);
    let seconds = |seconds: u64| span(Duration::from_secs(seconds));
    let error = match document.length_error_seconds {
        0 => String::new(),
        error => format!(" (\u{b1}{})", seconds(error)),
    };
    let unknown = match document.unknown_seconds {
        0 => String::new(),
        unknown => format!(", of which {} are not known", seconds(unknown)),
    };
    [
        document.target,
        over(record.family).to_owned(),
        readable(&document.start.likely),
        document.end.map_or_else(|| "goes on".to_owned(), |end| readable(&end.likely)),
        format!("{}{error}{unknown}", seconds(document.length_seconds)),
        document.cause_text.unwrap_or_default(),
    ]
}
