//! A disk that takes nothing: the log stays whole, what is lost is counted, and the count becomes a
//! record as soon as there is room; a hundred times over.
//!
//! The disk is full for one process only: it lowers its own limit of file sizes (RLIMIT_FSIZE), so
//! that every write of more fails in the middle, as on a full disk, and raises it again. The test runs
//! itself as that process: [`writer`].

use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use floodwall_evidence::{Fact, Origin, Record, Stop};
use floodwall_evidence_log::{Appended, EvidenceHandle, HandleSettings, LogReader, current_log, open};
use floodwall_model::{Clock, Timestamp};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const LOG_TO_WRITE: &str = "FLOODWALL_TEST_FULL_LOG";
const ROUNDS: u64 = 100;
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

fn record(round: u64, number: u64, bytes: usize) -> Result<Vec<u8>, Box<dyn Error>> {
    let reason = format!("{round} {number} {}", "x".repeat(bytes));
    Ok(origin().record(Stopped.now(), Fact::Stop(Stop { reason })).to_bytes()?)
}

/// SplitMix64: the same limits in every run.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// Not a test of its own: the process whose disk is full now and then. For each batch it says
/// whether it was written.
#[test]
fn writer() -> Outcome {
    let Some(path) = std::env::var_os(LOG_TO_WRITE) else { return Ok(()) };
    let mut out = std::io::stdout();
    // Without a handler the first refused write would end the process.
    signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::new(AtomicBool::new(false)))?;
    let (log, _) = open(Path::new(&path), "sos.example.gov", &origin(), Stopped.now())?;
    let handle = EvidenceHandle::start(log, origin(), Arc::new(Stopped), HandleSettings::default())?;
    let free = getrlimit(Resource::Fsize);
    let mut state = 0x2022_1108;
    for round in 0..ROUNDS {
        let limit = 100 + random(&mut state) % 40_000;
        setrlimit(Resource::Fsize, Rlimit { current: Some(limit), ..free })?;
        let records = (0..60).map(|number| record(round, number, 900)).collect::<Result<Vec<_>, _>>()?;
        let full = handle.append_acknowledged(records).wait(WAIT).ok_or("no answer")?;
        setrlimit(Resource::Fsize, free)?;
        writeln!(out, "\nlog test: full {round} {}", matches!(full, Appended::At(_)))?;
        // Room again.
        let room = handle.append_acknowledged(vec![record(round, 1000, 10)?]).wait(WAIT);
        writeln!(out, "\nlog test: room {round} {}", matches!(room, Some(Appended::At(_))))?;
    }
    assert!(handle.close(WAIT));
    Ok(())
}

#[test]
fn a_full_disk_costs_counted_records_and_nothing_else() -> Outcome {
    let directory = tempfile::tempdir()?;
    let output = Command::new(std::env::current_exe()?)
        .args(["--exact", "writer", "--nocapture"])
        .env(LOG_TO_WRITE, directory.path())
        .stderr(Stdio::inherit())
        .output()?;
    assert!(output.status.success());
    let said = String::from_utf8(output.stdout)?;
    let count = |words: &str, end: &str| {
        said.lines().filter(|line| line.starts_with(words) && line.ends_with(end)).count()
    };
    let (refused, written) = (count("log test: full", "false"), count("log test: full", "true"));
    assert_eq!(count("log test: room", "true"), 100, "each time there is room again, it is used");
    assert_eq!(refused + written, 100);
    assert!(refused >= 90, "the limit was meant to refuse: {refused}");

    let log = current_log(directory.path())?.ok_or("there is no log")?;
    let reader = LogReader::open(&log, None)?;
    assert_eq!(reader.verify(|_| {}).fault, None);
    let (mut lost, mut losses, mut others) = (0, 0, 0);
    reader.records(0..u64::MAX, |_, bytes| {
        match Record::parse(bytes).map(|record| record.fact) {
            Ok(Fact::Loss(loss)) => {
                lost += loss.records;
                losses += 1;
            }
            _ => others += 1,
        }
        true
    })?;
    assert_eq!((lost, losses), (60 * refused as u64, refused), "every lost record is counted in the log");
    assert_eq!(others, 1 + 100 + 60 * written, "and every other one is there");
    Ok(())
}
