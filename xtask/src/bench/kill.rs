//! `cargo xtask bench kill`: the server is killed (SIGKILL) while it answers, again and again; what
//! visitors saw answered is compared with what the store holds.

use std::path::Path;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};

use super::live::{Origin, Server, Visitor, let_pass, now, say};

const VISITORS: usize = 4;

/// What may be missing: the answers of this long before the kill.
const LOSS_MAX: Duration = Duration::from_secs(1);

/// The same moments in every run.
const SEED: u64 = 0x2022_1108;

/// One kill.
struct Round {
    /// Answers that visitors had in hand.
    answered: u64,
    /// Of these, not in the store.
    missing: u64,
    /// Age of the oldest missing one when the server was killed.
    oldest_missing: Duration,
}

/// Kills the server `rounds` times.
///
/// # Errors
/// The store did not open, is damaged, or lacks more than the last second's requests.
pub(super) fn run(binary: &Path, rounds: u32) -> Result<(), String> {
    let directory = tempfile::tempdir().map_err(|error| format!("a temporary directory: {error}"))?;
    let origin = Origin::start(0, "page", "max-age=3600")?;
    let store = directory.path().join("state").join("floodwall.db");
    let mut random = SEED;
    let mut done: Vec<Round> = Vec::new();
    let mut stored_before = 0;
    let mut server = Server::start(binary, directory.path(), origin.address)?;
    for number in 1..=rounds {
        // From 0.3 to 2.8 s after the start: anywhere between two writes.
        let life = Duration::from_millis(300 + next_random(&mut random) % 2500);
        let (killed, answers) = answer_and_kill(&mut server, life)?;
        // The server itself is the first to open what the killed one left.
        server = Server::start(binary, directory.path(), origin.address)
            .map_err(|error| format!("round {number}: not started again: {error}"))?;
        let stored = stored_requests(&store).map_err(|error| format!("round {number}: {error}"))?;
        done.push(compare(killed, &answers, stored.saturating_sub(stored_before)));
        stored_before = stored;
    }
    report(&done)
}

/// Lets visitors ask for `life` and kills the server; when that was, and when each answer came.
fn answer_and_kill(server: &mut Server, life: Duration) -> Result<(Instant, Vec<Instant>), String> {
    let visitors: Vec<JoinHandle<Vec<Instant>>> = (0..VISITORS)
        .map(|_| {
            let mut visitor = Visitor::connect(server.http)?;
            Ok(std::thread::spawn(move || {
                let mut answers = Vec::new();
                while visitor.get("/page/1").is_some_and(|answer| answer.status == 200) {
                    answers.push(now());
                }
                answers
            }))
        })
        .collect::<Result<_, String>>()?;
    let_pass(life);
    let killed = now();
    server.kill()?;
    let mut answers = Vec::new();
    for visitor in visitors {
        answers.extend(visitor.join().map_err(|_| "a visitor failed".to_owned())?);
    }
    answers.sort_unstable();
    Ok((killed, answers))
}

fn compare(killed: Instant, answers: &[Instant], stored: u64) -> Round {
    let answered = u64::try_from(answers.len()).unwrap_or(u64::MAX);
    let missing = answered.saturating_sub(stored);
    let oldest = usize::try_from(stored).ok().and_then(|stored| answers.get(stored));
    let oldest_missing = oldest.map_or(Duration::ZERO, |oldest| killed.saturating_duration_since(*oldest));
    Round { answered, missing, oldest_missing }
}

/// Requests of all minutes, read as any SQLite program reads them, after a check of the whole file.
fn stored_requests(store: &Path) -> Result<u64, String> {
    let read = || {
        let connection = Connection::open_with_flags(store, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        let verdict: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
        let sum: i64 =
            connection.query_row("SELECT coalesce(sum(requests), 0) FROM traffic", [], |row| row.get(0))?;
        Ok((verdict, sum))
    };
    let (verdict, sum) = read().map_err(|error: rusqlite::Error| format!("{}: {error}", store.display()))?;
    if verdict != "ok" {
        return Err(format!("{} is damaged: {verdict}", store.display()));
    }
    u64::try_from(sum).map_err(|_| format!("{} holds a negative sum", store.display()))
}

fn report(rounds: &[Round]) -> Result<(), String> {
    let mut losses: Vec<_> = rounds.iter().map(|round| round.oldest_missing).collect();
    losses.sort_unstable();
    let worst = losses.last().copied().unwrap_or_default();
    let median = losses.get(losses.len() / 2).copied().unwrap_or_default();
    let answered: u64 = rounds.iter().map(|round| round.answered).sum();
    let missing: u64 = rounds.iter().map(|round| round.missing).sum();
    let most = rounds.iter().map(|round| round.missing).max().unwrap_or_default();
    say(&format!("kill -9 while {VISITORS} visitors are answered, {} times", rounds.len()))?;
    say(&format!("  store opened and sound    {0} of {0}", rounds.len()))?;
    say(&format!("  answers seen by visitors  {answered}"))?;
    say(&format!("  of these not in the store {missing} (at most {most} in one round)"))?;
    say(&format!(
        "  oldest answer missing     {} ms before the kill in the median round, {} ms in the worst",
        median.as_millis(),
        worst.as_millis()
    ))?;
    if worst > LOSS_MAX {
        return Err(format!("more than the last second was lost: {} ms", worst.as_millis()));
    }
    Ok(())
}

/// `SplitMix64`.
fn next_random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}
