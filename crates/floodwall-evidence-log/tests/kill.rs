//! Killed at any moment (SIGKILL), a hundred times, the log is consistent each time and holds every
//! record that was acknowledged.
//!
//! The test runs itself as the writer that is killed: [`writer`] does nothing unless it is told a log
//! to write. It says how many records are acknowledged; the killer reads so many of these lines and
//! then kills, so that no time passes that is not spent writing.

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use floodwall_evidence::{Checkpoint, Fact, Origin, Record, Stop};
use floodwall_evidence_log::{Appended, EvidenceHandle, HandleSettings, LogReader, current_log, open};
use floodwall_model::{Clock, Timestamp};

const LOG_TO_WRITE: &str = "FLOODWALL_TEST_LOG_TO_WRITE";
const OPENING: &str = "log test: opening";
const ACKNOWLEDGED: &str = "log test: acknowledged ";
const ROUNDS: u64 = 100;
const SEED: u64 = 0x2022_1108;
const WAIT: Duration = Duration::from_secs(60);

type Outcome = Result<(), Box<dyn Error>>;

struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        Timestamp::new(Duration::ZERO, 1_667_916_127_000_000)
    }
}

fn origin() -> Origin {
    Origin::new(Stopped.now(), [7; 8])
}

/// The record at this place of the log: it says so itself.
fn record(place: u64) -> Result<Vec<u8>, Box<dyn Error>> {
    Ok(origin().record(Stopped.now(), Fact::Stop(Stop { reason: place.to_string() })).to_bytes()?)
}

/// Not a test of its own: the process that is killed.
#[test]
fn writer() -> Outcome {
    let Some(path) = std::env::var_os(LOG_TO_WRITE) else { return Ok(()) };
    let mut out = std::io::stdout();
    writeln!(out, "\n{OPENING}")?;
    let (log, _) = open(Path::new(&path), "sos.example.gov", &origin(), Stopped.now())?;
    let mut next = log.checkpoint().size;
    let handle = EvidenceHandle::start(log, origin(), Arc::new(Stopped), HandleSettings::default())?;
    let mut state = SEED ^ next;
    loop {
        // From one record to several bundles.
        let count = 1 + random(&mut state) % if random(&mut state).is_multiple_of(5) { 400 } else { 20 };
        let records = (next..next + count).map(record).collect::<Result<Vec<_>, _>>()?;
        match handle.append_acknowledged(records).wait(WAIT) {
            Some(Appended::At(places)) => assert_eq!(places, next..next + count),
            other => return Err(format!("not written: {other:?}").into()),
        }
        next += count;
        writeln!(out, "{ACKNOWLEDGED}{next}")?;
    }
}

/// Kills it also when the test fails half-way: it would write for ever.
struct Victim(Child);

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start_writer(path: &Path) -> Result<(Victim, BufReader<ChildStdout>), Box<dyn Error>> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(["--exact", "writer", "--nocapture"])
        .env(LOG_TO_WRITE, path)
        .stdout(Stdio::piped())
        .spawn()?;
    let out = child.stdout.take().ok_or("the writer has no output")?;
    Ok((Victim(child), BufReader::new(out)))
}

/// Lets a writer have `batches` acknowledged, kills it, and gives the size it had acknowledged.
fn write_and_kill(path: &Path, batches: u64) -> Result<Option<u64>, Box<dyn Error>> {
    let (mut writer, mut out) = start_writer(path)?;
    let mut acknowledged = None;
    let (mut opening, mut seen, mut killed) = (false, 0, false);
    let mut line = String::new();
    loop {
        line.clear();
        if out.read_line(&mut line)? == 0 {
            break;
        }
        opening |= line.trim_end() == OPENING;
        // The pipe holds lines from before the kill: they count as well. The last may be cut.
        if let Some(size) = line.strip_suffix('\n').and_then(|line| line.strip_prefix(ACKNOWLEDGED)) {
            acknowledged = Some(size.parse()?);
            seen += 1;
        }
        if !killed && opening && seen >= batches {
            writer.0.kill()?;
            killed = true;
        }
    }
    assert!(killed, "the writer ended by itself after {seen} batches");
    Ok(acknowledged)
}

/// SplitMix64: the same moments in every run.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// What a stranger finds who gets the directory just after the kill, before anybody mends it.
fn check(
    path: &Path,
    round: u64,
    acknowledged: Option<u64>,
    earlier: Option<&Checkpoint>,
) -> Result<Checkpoint, Box<dyn Error>> {
    let log = current_log(path)?.ok_or("there is no log")?;
    let reader = LogReader::open(&log, None)?;
    let findings = reader.verify(|_| {});
    assert_eq!(findings.fault, None, "round {round}");
    assert!(
        Some(reader.checkpoint().size) >= acknowledged,
        "round {round}: {acknowledged:?} was acknowledged"
    );
    let mut wrong = None;
    reader.records(1..u64::MAX, |place, bytes| {
        let is_right = record(place).is_ok_and(|expected| expected == bytes) && Record::parse(bytes).is_ok();
        if !is_right {
            wrong = Some(place);
        }
        is_right
    })?;
    assert_eq!(wrong, None, "round {round}: this record is another, missing or there twice");
    if let Some(earlier) = earlier {
        assert_eq!(reader.continues(earlier), Some(true), "round {round}");
    }
    Ok(reader.checkpoint().clone())
}

#[test]
fn killed_a_hundred_times_it_holds_each_time_everything_acknowledged() -> Outcome {
    let directory = tempfile::tempdir()?;
    let mut state = SEED;
    let mut earlier: Option<Checkpoint> = None;
    for round in 0..ROUNDS {
        // Nine of ten rounds go on with one log; the tenth kills a new log a moment after it began.
        let is_new = round % 10 == 9;
        let name = if is_new { "new" } else { "log" };
        let path = directory.path().join(format!("{name}-{}", round / 10));
        if round % 10 == 0 {
            earlier = None;
        }
        let batches = if is_new { random(&mut state) % 2 } else { 1 + random(&mut state) % 5 };
        let acknowledged = write_and_kill(&path, batches)?;
        if is_new && current_log(&path)?.is_none() {
            assert_eq!(acknowledged, None, "round {round}");
            continue;
        }
        let found = check(&path, round, acknowledged, earlier.as_ref().filter(|_| !is_new))?;
        if !is_new {
            earlier = Some(found);
        }
    }
    Ok(())
}
