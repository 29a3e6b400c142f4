//! `floodwall evidence show`: records of the log, for people or programs.

use std::collections::VecDeque;
use std::io::Write;

use clap::Args;
use floodwall_evidence::{Fact, Record};
use floodwall_evidence_log::{LogReader, current_log};

use super::command::{Choice, Place, fail};
use crate::commands::EXIT_NO;

#[derive(Args, Debug)]
pub(crate) struct ShowArguments {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    choice: Choice,
    /// Only the last so many of them
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    last: Option<u32>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &ShowArguments, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    let logs = match arguments.place.logs() {
        Ok(logs) => logs,
        Err(status) => return status,
    };
    let reader = match current_log(&logs) {
        Ok(Some(log)) => LogReader::open(&log, None),
        Ok(None) => {
            let message = format!("{} holds no evidence log yet; is it the right --state?", logs.display());
            return fail(err, message, EXIT_NO);
        }
        Err(error) => return fail(err, error, EXIT_NO),
    };
    let reader = match reader {
        Ok(reader) => reader,
        Err(error) => return fail(err, error, EXIT_NO),
    };
    // Bounded: what is printed at once is held, the rest is printed as it is read.
    let kept_max = usize::try_from(arguments.last.unwrap_or(u32::MAX)).unwrap_or(usize::MAX);
    let mut kept: VecDeque<(u64, Record)> = VecDeque::new();
    let mut shown: u64 = 0;
    if arguments.json {
        let _ = write!(out, "{{\"origin\":{},\"records\":[", serde_json::json!(reader.checkpoint().origin));
    }
    let mut print = |index: u64, record: &Record| {
        let line = if arguments.json { json(index, record, shown == 0) } else { line(index, record) };
        shown += 1;
        writeln!(out, "{line}").is_ok()
    };
    let outcome = reader.records(0..u64::MAX, |index, bytes| {
        // What a later version wrote is passed over, not misread.
        let Ok(record) = Record::parse(bytes) else { return true };
        if !arguments.choice.takes(&record) {
            return true;
        }
        if arguments.last.is_none() {
            return print(index, &record);
        }
        if kept.len() == kept_max {
            kept.pop_front();
        }
        kept.push_back((index, record));
        true
    });
    let _ = kept.iter().all(|(index, record)| print(*index, record));
    if arguments.json {
        let _ = writeln!(out, "]}}");
    }
    if let Err(error) = outcome {
        return fail(err, error, EXIT_NO);
    }
    if shown > 0 { 0 } else { fail(err, "no record is like that", EXIT_NO) }
}

fn json(index: u64, record: &Record, is_first: bool) -> String {
    let comma = if is_first { "" } else { "," };
    format!("{comma}{}", serde_json::json!({ "index": index, "record": record }))
}

/// One record in a line.
pub(super) fn line(index: u64, record: &Record) -> String {
    format!("{index:>9}  {}  {:<10}  {}", record.at, record.fact.kind(), words(&record.fact))
}

fn words(fact: &Fact) -> String {
    match fact {
        Fact::Start(start) => format!("version {}, sites {}", start.version, start.sites.join(", ")),
        Fact::Stop(stop) => stop.reason.clone(),
        Fact::Minute(minute) => {
            let figure = |site: &floodwall_evidence::SiteMinute, name: &str| {
                site.traffic.get(name).copied().unwrap_or(0)
            };
            let site = |(name, site): (&String, &floodwall_evidence::SiteMinute)| {
                format!(
                    "{name} {} requests, {} to the origin",
                    figure(site, "requests"),
                    figure(site, "origin_requests")
                )
            };
            let sites: Vec<_> = minute.sites.iter().map(site).collect();
            let dropped: u64 = minute.sensor.dropped.values().sum();
            let health = format!("{} of 60 seconds read, {dropped} dropped", minute.sensor.seconds_read);
            format!("{}; {health}", sites.join("; "))
        }
        Fact::Rung(rung) => format!("{} {}: rung {} ({})", rung.site, rung.path_class, rung.rung, rung.asks),
        Fact::Outage(outage) => {
            let said = if outage.end_latest_unix_s.is_some() { "was down, up again" } else { "is down" };
            let cause = outage.causes.first().map(String::as_str).unwrap_or_default();
            format!("{} {said}, seen from {} ({}): {cause}", outage.target, outage.vantage, outage.family)
        }
        Fact::Incident(incident) => {
            format!(
                "{} revision {}: {} {}",
                incident.incident, incident.revision, incident.state, incident.verdict
            )
        }
        Fact::Capture(capture) => {
            format!("{}, {} bytes, SHA-256 {}", capture.file, capture.bytes, capture.sha256)
        }
        Fact::Operator(action) => action.action.clone(),
        Fact::Claim(claim) => format!("{}, posted {}", claim.claim, claim.posted_at),
        Fact::Loss(loss) => {
            format!(
                "{} records are missing, from {} to {}: {}",
                loss.records, loss.first_at, loss.last_at, loss.why
            )
        }
        Fact::KeyChange(change) => match &change.continues {
            None => format!("the first log; key {}", change.key),
            Some(before) => format!("continues {}: {}", before.origin, before.why),
        },
    }
}
