//! What the watch found, for people and for programs.

use std::fmt::Write as _;

use crate::outage::words::{self, time};
use floodwall_outage::{Change, Edge, Family, FamilyJudged, Outage, Phase, Sample, Seen, State, family_name};
use floodwall_watch::{Attempt, Check, Failure, Judged, Report};
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
    let family = attempt.family.map(Family::as_str);
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

/// What a result changed, as lines; nothing when it changed nothing.
pub(super) fn judged_text(judged: &Judged) -> String {
    let mut text = String::new();
    for one in &judged.families {
        let over = match one.family {
            Some(Family::V4) => " over IPv4",
            Some(Family::V6) => " over IPv6",
            None => "",
        };
        for change in &one.changes {
            let words = match change {
                Change::Opened(outage) => format!("down{over} {}", words::outage(outage)),
                Change::Closed(outage) => format!("up again{over}; it was down {}", words::outage(outage)),
                Change::Unknown(span, cause) => format!(
                    "nothing is known{over} from {} until {}: {}",
                    time(span.start_unix_micros),
                    time(span.end_unix_micros),
                    cause.as_str()
                ),
            };
            let _ = writeln!(text, "{} {} {words}", one.sample.finished, judged.name);
        }
    }
    text
}

/// A result as an object.
pub(super) fn judged_json(judged: &Judged) -> Value {
    json!({
        "late_ms": judged.late.as_secs_f64() * 1000.0,
        "families": judged.families.iter().map(family_json).collect::<Vec<_>>(),
        "report": report_json(&judged.name, &judged.report),
    })
}

fn family_json(judged: &FamilyJudged) -> Value {
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
        "family": family_name(judged.family),
        "sample": sample_json(&judged.sample),
        "state": state,
        "dissent_of_20": judged.dissent,
        "changes": changes.collect::<Vec<_>>(),
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
