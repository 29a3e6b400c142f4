//! `cargo xtask bench outage`: the origin dies under load and comes back, several times; what visitors
//! were answered before, during and after, how soon it was noticed, and what reached the origin.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::live::{Origin, Server, Visitor, let_pass, now, say};

const ROUNDS: u32 = 10;
const PAGES: usize = 20;
/// Visitors of pages that the cache has.
const READERS: usize = 200;
/// Visitors of look-ups that always need the origin.
const ASKERS: usize = 20;
/// Between two requests of one visitor.
const PAUSE: Duration = Duration::from_millis(20);
/// Each of before, during and after.
const SPAN: Duration = Duration::from_secs(2);

const PHASES: [&str; 3] = ["before", "during", "after"];

/// Answers by phase, kind of visitor and status.
type Tally = BTreeMap<(usize, &'static str, String), u64>;

/// What all visitors of one round share.
#[derive(Default)]
struct Round {
    phase: AtomicUsize,
    stop: AtomicBool,
    tally: Mutex<Tally>,
    /// When the returned origin's first answers were in a visitor's hand: a page's, a look-up's.
    first_page: Mutex<Option<Instant>>,
    first_look_up: Mutex<Option<Instant>>,
}

/// What came of one round.
struct Recovery {
    page: Duration,
    look_up: Duration,
    /// The most requests for any one page after the return.
    per_page_max: usize,
    at_once_max: usize,
}

/// Runs all rounds and prints the figures.
///
/// # Errors
/// A cached page was answered with an error, the origin was not noticed again, or a page was asked
/// for more than once after its return.
pub(super) fn run(binary: &Path) -> Result<(), String> {
    let directory = tempfile::tempdir().map_err(|error| format!("a temporary directory: {error}"))?;
    let mut tally = Tally::new();
    let mut recoveries = Vec::new();
    for _ in 0..ROUNDS {
        let origin = Origin::start(0, "old", "max-age=1, stale-if-error=600")?;
        let server = Server::start(binary, directory.path(), origin.address)?;
        recoveries.push(round(&server, origin, &mut tally)?);
    }
    report(&tally, &recoveries)
}

fn round(server: &Server, mut origin: Origin, sum: &mut Tally) -> Result<Recovery, String> {
    let mut warm = Visitor::connect(server.http)?;
    for page in 0..PAGES {
        warm.get(&format!("/page/{page}")).ok_or("the cache could not be filled")?;
    }
    let shared = Round::default();
    let port = origin.address.port();
    let returned = std::thread::scope(|scope| {
        let stop = StopsWhenDropped(&shared.stop);
        for number in 0..READERS {
            let visitor = Visitor::connect(server.http)?;
            let shared = &shared;
            scope.spawn(move || visit(visitor, shared, "page", number));
        }
        for number in 0..ASKERS {
            let visitor = Visitor::connect(server.http)?;
            let shared = &shared;
            scope.spawn(move || visit(visitor, shared, "look-up", number));
        }
        let_pass(SPAN);
        shared.phase.store(1, Ordering::SeqCst);
        origin.kill();
        let_pass(SPAN);
        // Counted as "after" only from then on: what is on its way belongs to the outage.
        let returned = Origin::start(port, "new", "max-age=600")?;
        shared.phase.store(2, Ordering::SeqCst);
        let_pass(SPAN);
        drop(stop);
        Ok::<_, String>(returned)
    })?;
    for (key, count) in locked(&shared.tally).iter() {
        *sum.entry(key.clone()).or_default() += count;
    }
    let since = |first: &Mutex<Option<Instant>>, what: &str| {
        let first =
            (*locked(first)).ok_or_else(|| format!("no {what} of the returned origin within {SPAN:?}"))?;
        Ok::<_, String>(first.saturating_duration_since(returned.since))
    };
    let asked = returned.asked();
    let pages = asked.iter().filter(|(path, _)| path.starts_with("/page/")).map(|(_, count)| *count);
    Ok(Recovery {
        page: since(&shared.first_page, "page")?,
        look_up: since(&shared.first_look_up, "look-up")?,
        per_page_max: pages.max().unwrap_or_default(),
        at_once_max: returned.in_progress_max(),
    })
}

/// Ends the visitors also where the round fails half-way.
struct StopsWhenDropped<'a>(&'a AtomicBool);

impl Drop for StopsWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

fn visit(mut visitor: Visitor, shared: &Round, kind: &'static str, number: usize) {
    let mut own = Tally::new();
    let mut count = number;
    while !shared.stop.load(Ordering::SeqCst) {
        let path = match kind {
            "page" => format!("/page/{}", count % PAGES),
            _ => format!("/look-up/{number}/{count}"),
        };
        count += 1;
        let phase = shared.phase.load(Ordering::SeqCst);
        let answer = visitor.get(&path);
        let status = match &answer {
            Some(answer) if answer.is_stale => format!("{} stale", answer.status),
            Some(answer) => answer.status.to_string(),
            None => "none".to_owned(),
        };
        *own.entry((phase, kind, status)).or_default() += 1;
        let Some(answer) = answer else { break };
        if answer.body.starts_with("new") {
            let first = if kind == "page" { &shared.first_page } else { &shared.first_look_up };
            locked(first).get_or_insert_with(now);
        }
        let_pass(PAUSE);
    }
    let mut tally = locked(&shared.tally);
    for (key, count) in own {
        *tally.entry(key).or_default() += count;
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn report(tally: &Tally, recoveries: &[Recovery]) -> Result<(), String> {
    say(&format!(
        "origin killed under load and brought back, {ROUNDS} times: {READERS} visitors on {PAGES} cached pages, \
         {ASKERS} on look-ups"
    ))?;
    for kind in ["page", "look-up"] {
        for (number, phase) in PHASES.iter().enumerate() {
            let of_phase = tally.iter().filter(|((at, whose, _), _)| *at == number && *whose == kind);
            let answers: Vec<_> =
                of_phase.map(|((_, _, status), count)| format!("{status}: {count}")).collect();
            say(&format!("  {kind:8}{phase:8}{}", answers.join(", ")))?;
        }
    }
    for (what, mut times) in [
        ("page", recoveries.iter().map(|recovery| recovery.page).collect::<Vec<_>>()),
        ("look-up", recoveries.iter().map(|recovery| recovery.look_up).collect()),
    ] {
        times.sort_unstable();
        let median = times.get(times.len() / 2).copied().unwrap_or_default();
        let worst = times.last().copied().unwrap_or_default();
        say(&format!(
            "  from the origin's listen to its first {what} at a visitor: median {} ms, worst {} ms",
            median.as_millis(),
            worst.as_millis()
        ))?;
    }
    let per_page = recoveries.iter().map(|recovery| recovery.per_page_max).max().unwrap_or_default();
    let at_once = recoveries.iter().map(|recovery| recovery.at_once_max).max().unwrap_or_default();
    say(&format!("  requests per page at the returned origin: at most {per_page}"))?;
    say(&format!("  requests at once at the returned origin: at most {at_once}"))?;
    let is_error = |status: &str| !status.starts_with("200") && !status.starts_with("304");
    let errors: u64 = tally
        .iter()
        .filter(|((_, kind, status), _)| *kind == "page" && is_error(status))
        .map(|(_, count)| count)
        .sum();
    match (errors, per_page) {
        (0, 0..=1) => Ok(()),
        _ => {
            Err(format!("{errors} errors on cached pages; {per_page} requests for one page after the return"))
        }
    }
}
