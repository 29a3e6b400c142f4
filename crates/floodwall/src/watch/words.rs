//! What the watch found, for people and for programs.

use std::fmt::Write as _;

use floodwall_outage::{Change, Edge, Outage, Phase, Sample, Seen, State};
use floodwall_watch::{Attempt, Check, Failure, Family, Judged, Report};
use serde_json::{Value, json};

/// A target's name: as it is written on the command line.
pub(super) fn name_of(check: &Check) -> String {
    match check {
        Check::Http(check) => check.url.to_string(),
        Check::Tcp { host, port } => format!("tcp://{host}:{port}"),
        Check::Tls { host, port } => format!("tls://{host}:{port}"),
        Check::Dns { host, .. } => format!("dns://{host}"),
    }
}

const PHASES: [Phase; 6] =
    [Phase::Resolve, Phase::Connect, Phase::Tls, Phase::Request, Phase::FirstByte, Phase::Transfer];

fn failure_words(failure: Failure) -> String {
    match failure {
        Failure::Target(cause) => format!("down: {} ({})", cause.in_english(), cause.as_str()),
        Failure::Own(trouble) => format!("unknown: this host's own trouble ({})", trouble.as_str()),
    }
}

/// A report as lines.
pub(super) fn report_text(name: &str, report: &Report) -> String {
    let mut text = format!("{name}\n");
    for attempt in &report.attempts {
        let place = attempt.address.map_or_else(|| "-".to_owned(), |address| address.to_string());
        let result = match attempt.result {
            Ok(()) => "up".to_owned(),
            Err(failure) => failure_words(failure),
        };
        let _ = write!(text, "  {place}  {result}");
        for phase in PHASES {
            if let Some(length) = attempt.stamps.get(phase).and_then(|span| span.length()) {
                let _ = write!(text, "  {} {:.1} ms", phase.as_str(), length.as_secs_f64() * 1000.0);
            }
        }
        text.push('\n');
    }
    text
}

/// A report as an object.
pub(super) fn report_json(name: &str, report: &Report) -> Value {
    json!({
        "target": name,
        "started": report.started.to_string(),
        "finished": report.finished.to_string(),
        "outcome": outcome_json(report.outcome()),
        "attempts": report.attempts.iter().map(attempt_json).collect::<Vec<_>>(),
    })
}

fn outcome_json(outcome: Result<(), Failure>) -> Value {
    match outcome {
        Ok(()) => json!({ "state": "up" }),
        Err(Failure::Target(cause)) => {
            json!({ "state": "down", "cause": cause.as_str(), "phase": cause.phase().as_str() })
        }
        Err(Failure::Own(trouble)) => json!({ "state": "unknown", "cause": trouble.as_str() }),
    }
}

fn attempt_json(attempt: &Attempt) -> Value {
    let family = attempt.family.map(|family| match family {
        Family::V4 => "ipv4",
        Family::V6 => "ipv6",
    });
    let phases: serde_json::Map<_, _> = PHASES
        .into_iter()
        .filter_map(|phase| {
            let span = attempt.stamps.get(phase)?;
            let length_ms = span.length().map(|length| length.as_secs_f64() * 1000.0);
            Some((
                phase.as_str().to_owned(),
                json!({ "start": span.start.to_string(), "length_ms": length_ms }),
            ))
        })
        .collect();
    let certificates = attempt.certificates.iter().map(|certificate| {
        json!({
            "subject": certificate.subject,
            "issuer": certificate.issuer,
            "names": certificate.names,
            "not_after_unix_seconds": certificate.not_after_unix_seconds,
        })
    });
    let evidence = attempt.evidence.as_ref().map(|evidence| {
        json!({
            "error": evidence.words,
            "url": evidence.url,
            "fields": evidence.fields,
            "body_start": String::from_utf8_lossy(&evidence.body),
            "resolver_codes": evidence.answers.iter().map(|answer| json!({
                "server": answer.server.to_string(),
                "code": answer.code,
            })).collect::<Vec<_>>(),
        })
    });
    json!({
        "family": family,
        "address": attempt.address.map(|address| address.to_string()),
        "outcome": outcome_json(attempt.result),
        "phases": phases,
        "http_status": attempt.status,
        "redirects": attempt.redirects,
        "body_bytes": attempt.body_bytes,
        "certificates": certificates.collect::<Vec<_>>(),
        "evidence": evidence,
    })
}

fn time(unix_micros: i64) -> String {
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

fn outage_words(outage: &Outage) -> String {
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

/// What a result changed, as lines; nothing when it changed nothing.
pub(super) fn judged_text(judged: &Judged) -> String {
    let mut text = String::new();
    for change in &judged.changes {
        let words = match change {
            Change::Opened(outage) => format!("down {}", outage_words(outage)),
            Change::Closed(outage) => format!("up again; it was down {}", outage_words(outage)),
            Change::Unknown(span, cause) => format!(
                "nothing is known from {} until {}: {}",
                time(span.start_unix_micros),
                time(span.end_unix_micros),
                cause.as_str()
            ),
        };
        let _ = writeln!(text, "{} {} {words}", judged.sample.finished, judged.name);
    }
    text
}

/// A result as an object.
pub(super) fn judged_json(judged: &Judged) -> Value {
    let changes = judged.changes.iter().map(|change| match change {
        Change::Opened(outage) => json!({ "kind": "outage_opened", "outage": outage_json(outage) }),
        Change::Closed(outage) => json!({ "kind": "outage_closed", "outage": outage_json(outage) }),
        Change::Unknown(span, cause) => json!({
            "kind": "unknown",
            "start": time(span.start_unix_micros),
            "end": time(span.end_unix_micros),
            "cause": cause.as_str(),
        }),
    });
    let state = match judged.state {
        State::Up => "up",
        State::Down => "down",
        State::Unknown(_) => "unknown",
    };
    json!({
        "sample": sample_json(&judged.sample),
        "late_ms": judged.late.as_secs_f64() * 1000.0,
        "state": state,
        "dissent_of_20": judged.dissent,
        "changes": changes.collect::<Vec<_>>(),
        "report": report_json(&judged.name, &judged.report),
    })
}

fn sample_json(sample: &Sample) -> Value {
    match sample.seen {
        Seen::Up => json!({ "seen": "up" }),
        Seen::Down(cause) => json!({ "seen": "down", "cause": cause.as_str() }),
        Seen::Unknown(cause) => json!({ "seen": "unknown", "cause": cause.as_str() }),
    }
}

fn outage_json(outage: &Outage) -> Value {
    let edge = |edge: &Edge| {
        json!({
            "earliest": edge.earliest_unix_micros.map(time),
            "latest": time(edge.latest_unix_micros),
            "error_s": edge.half_width_micros() / 1_000_000,
        })
    };
    json!({
        "start": edge(&outage.start),
        "end": outage.end.as_ref().map(edge),
        "cause": outage.cause().map(floodwall_outage::Cause::as_str),
        "causes": outage.causes.iter().map(|count| json!({
            "cause": count.cause.as_str(),
            "samples": count.samples,
        })).collect::<Vec<_>>(),
        "unknown_s": outage.unknown_micros / 1_000_000,
    })
}
