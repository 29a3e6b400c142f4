//! `cargo xtask bench evidence`: records appended a second, and records verified a second.
//!
//! Appending is what a server does: records are handed to the thread that writes, and the clock stops
//! when the last one is acknowledged as durable. Verifying reads the same log again, every record and
//! tile of it, on one thread.

use std::error::Error;
use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use floodwall_evidence::{Fact, MinuteSummary, Origin, SensorHealth, SiteMinute};
use floodwall_evidence_log::{
    Appended, EvidenceHandle, HandleSettings, LogReader, Receipt, current_log, open,
};
use floodwall_model::{Clock, Timestamp};

const RECORDS: usize = 1_000_000;
const BATCH: usize = 4_096;
const ROUNDS: usize = 3;
const APPEND_TARGET: f64 = 50_000.0;
const VERIFY_TARGET: f64 = 500_000.0;

struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        Timestamp::new(Duration::ZERO, 1_667_916_127_000_000)
    }
}

/// A minute of a site with traffic.
fn record(origin: &Origin, number: usize) -> Result<Vec<u8>, Box<dyn Error>> {
    let number = number as u64;
    let count = |name: &str, value: u64| (name.to_owned(), value);
    let site = SiteMinute {
        traffic: [
            count("requests", 40_000 + number),
            count("responses_2xx", 39_000 + number),
            count("cache_hits", 38_000),
        ]
        .into(),
        gates: [count("admitted", 900 + number % 50)].into(),
        origins: [count("up", 2)].into(),
    };
    let summary = MinuteSummary {
        minute_unix_s: i64::try_from(number)? * 60,
        sites: [("sos".to_owned(), site)].into(),
        sensor: SensorHealth {
            seconds_read: 60,
            connections_open: number % 10_000,
            ..SensorHealth::default()
        },
    };
    Ok(origin.record(Stopped.now(), Fact::Minute(summary)).to_bytes()?)
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn seconds(work: impl FnOnce() -> Result<(), Box<dyn Error>>) -> Result<f64, Box<dyn Error>> {
    let started = Instant::now();
    work()?;
    Ok(started.elapsed().as_secs_f64())
}

fn acknowledged(receipt: &Receipt) -> Result<(), Box<dyn Error>> {
    match receipt.wait(Duration::from_secs(60)) {
        Some(Appended::At(_)) => Ok(()),
        other => Err(format!("not written: {other:?}").into()),
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut out = std::io::stdout();
    let origin = Origin::new(Stopped.now(), [7; 8]);
    let records = (0..RECORDS).map(|number| record(&origin, number)).collect::<Result<Vec<_>, _>>()?;
    let bytes: usize = records.iter().map(Vec::len).sum();
    writeln!(out, "{RECORDS} records of {} bytes, batches of {BATCH}, {ROUNDS} rounds", bytes / RECORDS)?;
    let (mut append, mut verify) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let directory = match std::env::var_os("FLOODWALL_BENCH_DIRECTORY") {
            Some(folder) => tempfile::tempdir_in(folder)?,
            None => tempfile::tempdir()?,
        };
        let (log, _) = open(directory.path(), "bench.example", &origin, Stopped.now())?;
        let handle =
            EvidenceHandle::start(log, origin.clone(), Arc::new(Stopped), HandleSettings::default())?;
        let batches: Vec<Vec<Vec<u8>>> = records.chunks(BATCH).map(<[_]>::to_vec).collect();
        append.push(seconds(|| {
            // Two batches are on their way at any time: the queue never overflows.
            let mut waiting: Option<Receipt> = None;
            for batch in batches {
                let receipt = handle.append_acknowledged(batch);
                if let Some(before) = waiting.replace(receipt) {
                    acknowledged(&before)?;
                }
            }
            waiting.as_ref().map_or(Ok(()), acknowledged)
        })?);
        if !handle.close(Duration::from_secs(60)) {
            return Err("the log did not close".into());
        }
        let path = current_log(directory.path())?.ok_or("there is no log")?;
        verify.push(seconds(|| {
            let findings = LogReader::open(&path, None)?.verify(|_| {});
            match findings.fault {
                None if findings.records > RECORDS as u64 => Ok(()),
                fault => Err(format!("{} records, {fault:?}", findings.records).into()),
            }
        })?);
    }
    let append = report(&mut out, "append", append, APPEND_TARGET)?;
    let verify = report(&mut out, "verify", verify, VERIFY_TARGET)?;
    if append && verify { Ok(()) } else { Err("a target was not reached".into()) }
}

fn report(
    out: &mut impl std::io::Write,
    what: &str,
    mut seconds: Vec<f64>,
    target: f64,
) -> Result<bool, Box<dyn Error>> {
    seconds.sort_by(f64::total_cmp);
    let rate = |seconds: f64| RECORDS as f64 / seconds;
    let [slowest, median, fastest] = [seconds.last(), seconds.get(seconds.len() / 2), seconds.first()]
        .map(|found| found.copied().map_or(0.0, rate));
    let reached = median >= target;
    let verdict = if reached { "reached" } else { "NOT REACHED" };
    writeln!(
        out,
        "{what}: {median:.0} records/s (slowest {slowest:.0}, fastest {fastest:.0}); target {target:.0}: {verdict}"
    )?;
    Ok(reached)
}
