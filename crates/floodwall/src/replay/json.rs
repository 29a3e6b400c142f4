//! The outcome as one JSON document.

use floodwall_exchange::access_log::LogFormat;
use floodwall_model::TrafficVerdict;
use serde_json::{Value, json};

use super::assumed_origin::OriginAssumption;
use super::episode::Episode;
use super::outcome::{AdmissionOutcome, Outcome};
use super::tally::Tally;
use super::text::rung;
use super::words::rfc_3339;

pub(super) fn render(outcome: &Outcome) -> String {
    let document = json!({
        "read": {
            "bytes": outcome.bytes,
            "requests": outcome.requests,
            "from": outcome.span_micros.map(|(first, _)| rfc_3339(first)),
            "until": outcome.span_micros.map(|(_, last)| rfc_3339(last)),
            "late_requests": outcome.late,
            "crowded_out_requests": outcome.crowded_out,
            "count_rows_left_out": outcome.counts_left_out,
            "files": outcome.tallies.iter().map(file).collect::<Vec<_>>(),
        },
        "proxies": outcome.proxies.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "episodes": outcome.detected.episodes.iter().map(episode).collect::<Vec<_>>(),
        "episodes_dropped": outcome.detected.episodes_dropped,
        "admission": outcome.admission.as_ref().map(admission),
        "traffic": {
            "step_s": outcome.series.bin_s(),
            "steps": traffic(outcome),
        },
    });
    // A document of our own making can be written.
    serde_json::to_string_pretty(&document).unwrap_or_default() + "\n"
}

fn file(tally: &Tally) -> Value {
    let faults: serde_json::Map<_, _> =
        tally.faults().map(|(fault, count)| (fault.as_str().to_owned(), count.into())).collect();
    let first: Vec<_> = tally
        .first_broken
        .iter()
        .map(|line| json!({ "line": line.number, "fault": line.fault.as_str(), "text": line.text }))
        .collect();
    json!({
        "name": tally.name,
        "format": tally.format.map(LogFormat::as_str),
        "lines": tally.lines,
        "records": tally.records,
        "other_format_lines": tally.other_format,
        "empty_lines": tally.nothing,
        "broken_lines": tally.broken_lines(),
        "broken_lines_by_fault": faults,
        "first_broken_lines": first,
        "stray_lines": tally.strays,
        "clock_put_back_times": tally.put_back,
        "clock_put_back_s_max": tally.put_back_max / 1_000_000,
        "broken_off": tally.broken_off,
    })
}

fn episode(episode: &Episode) -> Value {
    let likelihoods = &episode.likelihoods;
    json!({
        "verdict": episode.verdict.as_str(),
        "mixed_with": episode.mixed_with.map(TrafficVerdict::as_str),
        "likelihood": rounded(episode.likelihood),
        "likelihoods": {
            "attack": rounded(likelihoods.attack),
            "crowd": rounded(likelihoods.crowd),
            "routine": rounded(likelihoods.routine),
        },
        "vectors": episode.vectors,
        "reasons": episode.reasons,
        "onset": rfc_3339(episode.onset_s.saturating_mul(1_000_000)),
        "end": episode.end_s.map(|end| rfc_3339(end.saturating_mul(1_000_000))),
        "requests_per_second_max": rounded(episode.per_second_max),
        "requests_per_second_expected": rounded(episode.expected_per_second),
    })
}

fn admission(admission: &AdmissionOutcome) -> Value {
    let counts = &admission.counts;
    let latency = admission.options.origin.latency;
    let assumed_ms = match (latency, admission.latencies_from_log) {
        (Some(latency), _) => Some(latency),
        (None, 0) => Some(OriginAssumption::LATENCY),
        (None, _) => None,
    };
    let worst: Vec<_> = admission
        .worst
        .iter()
        .map(|minute| {
            json!({
                "minute": rfc_3339(minute.unix_minute.saturating_mul(60_000_000)),
                "offered": minute.offered,
                "waited": minute.waited,
                "challenged": minute.challenged,
                "refused": minute.refused,
            })
        })
        .collect();
    json!({
        "origin_answers_per_second": admission.options.origin.per_second,
        "origin_latency_ms": assumed_ms.map(|latency| u64::try_from(latency.as_millis()).unwrap_or(u64::MAX)),
        "origin_latencies_from_log": admission.latencies_from_log,
        "offered": counts.offered,
        "admitted": counts.admitted,
        "admitted_after_wait": counts.admitted_after_wait,
        "waited": counts.waited,
        "challenged": {
            "redirect": counts.challenged_redirect,
            "choice": counts.challenged_choice,
            "waiting_room": counts.challenged_waiting_room,
            "came_back": counts.came_back,
        },
        "refused": {
            "all": counts.refused(),
            "limit": counts.refused_limit,
            "no_room": counts.refused_no_room,
            "over_share": counts.refused_over_share,
            "displaced": counts.refused_displaced,
            "waited_out": counts.refused_waited_out,
            "from_browsers": counts.refused_browsers,
        },
        "rung_max": rung(admission.rung_max).replace(' ', "_"),
        "worst_minutes": worst,
    })
}

fn traffic(outcome: &Outcome) -> Vec<Value> {
    let series = &outcome.series;
    let bins = series.bins().iter().zip(0_i64..);
    bins.filter(|(bin, _)| bin.requests > 0)
        .map(|(bin, place)| {
            let from = series.first_s() + place * series.bin_s();
            let band = bin.band();
            json!({
                "from": rfc_3339(from.saturating_mul(1_000_000)),
                "requests": bin.requests,
                "requests_per_second_max": bin.second_max,
                "expected_requests_per_second_low": band.map(|(low, _)| rounded(low)),
                "expected_requests_per_second_high": band.map(|(_, high)| rounded(high)),
            })
        })
        .collect()
}

/// To thousandths: further digits say nothing.
fn rounded(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}
