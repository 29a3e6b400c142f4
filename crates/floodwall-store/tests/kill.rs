//! Killed at any moment (SIGKILL), the store opens again with everything that was committed.
//!
//! The test runs itself as the writer that is killed: [`writer`] does nothing unless it is told a
//! store to write. It says each number once its transaction is committed; the killer reads so many
//! of these lines and then kills, so that no time passes that is not spent writing.

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use floodwall_model::{AdmissionCounts, MinuteTraffic, TrafficCounts};
use floodwall_store::{Store, TRAFFIC_ROWS_MAX};

const STORE_TO_WRITE: &str = "FLOODWALL_TEST_STORE_TO_WRITE";
const OPENING: &str = "store test: opening";
const COMMITTED: &str = "store test: committed ";
const SITES: [&str; 3] = ["county", "sos", "town"];
const ROUNDS: u64 = 50;
const SEED: u64 = 0x2022_1108;

type Outcome = Result<(), Box<dyn Error>>;

/// The numbers are minutes: number n is minute n of every site with n requests, added in two halves.
/// Each site's rows lie in pages of their own: a transaction torn in two would show.
fn add(store: &mut Store, number: i64) -> Outcome {
    let (first, second) = (number / 2, number - number / 2);
    let mut records = Vec::new();
    for (site, requests) in SITES.into_iter().flat_map(|site| [(site, first), (site, second)]) {
        let counts = TrafficCounts { requests: requests.try_into()?, ..TrafficCounts::default() };
        let (minute_unix_seconds, admission) = (number * 60, AdmissionCounts::default());
        records.push(MinuteTraffic { site: site.into(), minute_unix_seconds, counts, admission });
    }
    store.add_traffic(&records)?;
    Ok(())
}

/// Every number of `site` in the store, in order; fails where one is not whole.
fn numbers(store: &Store, site: &str) -> Result<Vec<i64>, Box<dyn Error>> {
    let rows = store.traffic(site, 0, i64::MAX)?;
    assert!(rows.len() < TRAFFIC_ROWS_MAX, "this test writes less than one call gives");
    let number = |row: &MinuteTraffic| {
        let number = row.minute_unix_seconds / 60;
        assert_eq!(i64::try_from(row.counts.requests)?, number, "a transaction is whole");
        Ok(number)
    };
    rows.iter().map(number).collect()
}

/// Not a test of its own: the process that is killed.
#[test]
fn writer() -> Outcome {
    let Some(path) = std::env::var_os(STORE_TO_WRITE) else { return Ok(()) };
    let mut out = std::io::stdout();
    writeln!(out, "\n{OPENING}")?;
    let mut store = Store::open(Path::new(&path))?;
    let mut number = numbers(&store, SITES[0])?.last().copied().unwrap_or(0);
    loop {
        number += 1;
        add(&mut store, number)?;
        writeln!(out, "{COMMITTED}{number}")?;
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
        .env(STORE_TO_WRITE, path)
        .stdout(Stdio::piped())
        .spawn()?;
    let out = child.stdout.take().ok_or("the writer has no output")?;
    Ok((Victim(child), BufReader::new(out)))
}

/// Lets a writer commit `commits` times, kills it, and gives the last number it said was committed.
fn write_and_kill(path: &Path, commits: u64) -> Result<Option<i64>, Box<dyn Error>> {
    let (mut writer, mut out) = start_writer(path)?;
    let mut committed = None;
    let (mut opening, mut seen, mut killed) = (false, 0, false);
    let mut line = String::new();
    loop {
        line.clear();
        if out.read_line(&mut line)? == 0 {
            break;
        }
        opening |= line.trim_end() == OPENING;
        // The pipe holds lines from before the kill: they count as well. The last may be cut.
        if let Some(number) = line.strip_suffix('\n').and_then(|line| line.strip_prefix(COMMITTED)) {
            committed = Some(number.parse()?);
            seen += 1;
        }
        if !killed && opening && seen >= commits {
            writer.0.kill()?;
            killed = true;
        }
    }
    assert!(killed, "the writer ended by itself after {seen} commits");
    Ok(committed)
}

/// SplitMix64: the same moments in every run.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// Opens the store as the next start would, and looks for every number.
fn check(path: &Path, round: u64, committed: Option<i64>) -> Outcome {
    let store = Store::open(path)?;
    store.check_integrity()?;
    let found = numbers(&store, SITES[0])?;
    let expected: Vec<i64> = (1..).take(found.len()).collect();
    assert_eq!(found, expected, "round {round}: no number is missing or there twice");
    assert!(found.last().copied() >= committed, "round {round}: {committed:?} was committed and is gone");
    for site in SITES {
        assert_eq!(numbers(&store, site)?, expected, "round {round}: {site} has the same numbers");
    }
    Ok(())
}

#[test]
fn killed_fifty_times_it_opens_each_time_with_everything_committed() -> Outcome {
    let directory = tempfile::tempdir()?;
    let mut state = SEED;
    for round in 0..ROUNDS {
        // Four of five rounds go on with one store, past several checkpoints of its log; the fifth
        // kills a new store while it is made.
        let is_new = round % 5 == 4;
        let name = if is_new { format!("new-{round}.db") } else { "traffic.db".to_owned() };
        let path = directory.path().join(name);
        let commits = if is_new { random(&mut state) % 3 } else { random(&mut state) % 200 };
        let committed = write_and_kill(&path, commits)?;
        check(&path, round, committed)?;
    }
    Ok(())
}
