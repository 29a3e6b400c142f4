//! The watch: probes every target at its time, judges what came of it, and tells.
//!
//! A target has one probe at a time at the most, so that targets that hang hold up nobody else; all
//! together have [`WatchSettings::probes_max`]. A probe that finds no place, or no processor, begins
//! late; how late is told with it, and what hangs on time is then not believed.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::sync::Arc;
use std::time::Duration;

use floodwall_model::{Clock, Timestamp};
use floodwall_outage::{
    Families, Family, FamilyJudged, References, Sample, Seen, Surroundings, TargetRecord, TargetSettings,
    judge, next_due, phase_of,
};
use tokio::sync::{Mutex, Semaphore, mpsc};
use tokio::task::JoinSet;

use crate::attempt::{Failure, Report};
use crate::lag::Lag;
use crate::probe::Prober;
use crate::target::ProbeTarget;

/// Results that wait for whoever takes them; then probes wait.
pub const RESULTS_WAITING_MAX: usize = 1024;

/// One target and how it is judged.
#[derive(Clone, Debug)]
pub struct Watched {
    /// Its name, unique: its phase follows from it.
    pub name: Arc<str>,
    /// What is probed.
    pub target: ProbeTarget,
    /// How it is judged.
    pub settings: TargetSettings,
    /// What is on record of it from before.
    pub records: Vec<(Option<Family>, TargetRecord)>,
}

/// How a watch works.
#[derive(Clone, Debug)]
pub struct WatchSettings {
    /// This vantage's name.
    pub vantage: String,
    /// Probes at once.
    pub probes_max: usize,
    /// How late the prober's own timers may come before samples that hang on time are not believed.
    pub lag_max: Duration,
    /// What is asked after a failure, to tell the target's trouble from the prober's own.
    pub references: Vec<ProbeTarget>,
}

impl Default for WatchSettings {
    fn default() -> Self {
        Self {
            vantage: "here".to_owned(),
            probes_max: 16_384,
            lag_max: Duration::from_secs(1),
            references: Vec::new(),
        }
    }
}

/// One probe's result and what it changed.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The target's name.
    pub name: Arc<str>,
    /// What was seen.
    pub report: Report,
    /// How much later than due it began.
    pub late: Duration,
    /// What it is taken for, of each family that is known, and what that changed.
    pub families: Vec<FamilyJudged>,
}

struct Finished {
    place: usize,
    due: Timestamp,
    report: Report,
    /// What was seen, by family; of none where there was no address.
    seen: Vec<(Option<Family>, Seen)>,
}

struct Shared {
    prober: Prober,
    clock: Arc<dyn Clock>,
    settings: WatchSettings,
    places: Semaphore,
    lag: Lag,
    /// When the references were last asked, and what came of it.
    references: Mutex<Option<(Timestamp, References)>>,
}

/// Watches until `results` is closed or the future is dropped.
pub async fn watch(
    prober: Prober,
    clock: Arc<dyn Clock>,
    settings: WatchSettings,
    targets: Vec<Watched>,
    results: mpsc::Sender<Judged>,
) {
    let shared = Arc::new(Shared {
        prober,
        clock: Arc::clone(&clock),
        places: Semaphore::new(settings.probes_max.clamp(1, Semaphore::MAX_PERMITS)),
        settings,
        lag: Lag::default(),
        references: Mutex::new(None),
    });
    let rounds = run(Arc::clone(&shared), &targets, &results);
    tokio::select! {
        () = rounds => {}
        () = shared.lag.measure(&*clock) => {}
        () = results.closed() => {}
    }
}

async fn run(shared: Arc<Shared>, targets: &[Watched], results: &mpsc::Sender<Judged>) {
    let started = shared.clock.now();
    let known = |watched: &Watched| Families::resumed(watched.settings, watched.records.iter().cloned());
    let mut judged: Vec<_> = targets.iter().map(known).collect();
    let mut due: BinaryHeap<_> = (0..)
        .zip(targets)
        .map(|(place, watched)| Reverse((first(watched, &shared.settings.vantage, started), place)))
        .collect();
    let mut running = JoinSet::new();
    loop {
        let next = due.peek().map(|Reverse((moment, _))| *moment);
        let wait = next.map_or(Duration::MAX, |next| next.since(shared.clock.now()));
        tokio::select! {
            biased;
            Some(finished) = running.join_next(), if !running.is_empty() => {
                // A probe that panicked is a fault of ours; it must not end the watch.
                let Ok(finished) = finished else { continue };
                let Finished { place, .. } = finished;
                let (Some(watched), Some(target)) = (targets.get(place), judged.get_mut(place)) else { continue };
                let told = tell(finished, watched, target);
                let now = shared.clock.now();
                let moment = if target.pace() < watched.settings.interval {
                    now.plus(target.pace())
                } else {
                    in_phase(watched, &shared.settings.vantage, started, now)
                };
                due.push(Reverse((moment, place)));
                if results.send(told).await.is_err() {
                    return;
                }
            }
            () = tokio::time::sleep(wait) => {
                let Some(Reverse((moment, place))) = due.pop() else { return };
                let Some(watched) = targets.get(place) else { continue };
                running.spawn(probe(Arc::clone(&shared), watched.target.clone(), place, moment));
            }
        }
    }
}

/// The first moment, soon: until then nobody knows how the target is. Spread over the shorter of its
/// intervals, so that a thousand targets do not begin at once.
fn first(watched: &Watched, vantage: &str, started: Timestamp) -> Timestamp {
    started.plus(phase_of(&watched.name, vantage, watched.settings.confirm_every))
}

/// The next moment of the target's phase after `now`. Phases count from 1970, so that those of several
/// vantages interleave; by the clocks as they stood when the watch began, so that a step moves nothing.
fn in_phase(watched: &Watched, vantage: &str, started: Timestamp, now: Timestamp) -> Timestamp {
    let interval = watched.settings.interval;
    let epoch = Duration::from_micros(u64::try_from(started.wall_unix_micros()).unwrap_or(0));
    let after = epoch.saturating_add(now.since(started));
    let next = next_due(after, phase_of(&watched.name, vantage, interval), interval);
    now.plus(next.saturating_sub(after))
}

async fn probe(shared: Arc<Shared>, target: ProbeTarget, place: usize, due: Timestamp) -> Finished {
    // Closed never; a probe without a place would only be one too many.
    let _place = shared.places.acquire().await;
    let report = shared.prober.probe(&target).await;
    let by_family = [Family::V4, Family::V6].into_iter().filter_map(|family| {
        let outcome = report.outcome_by_family(family)?;
        Some((Some(family), outcome))
    });
    let mut outcomes: Vec<_> = by_family.collect();
    if outcomes.is_empty() {
        outcomes.push((None, report.outcome()));
    }
    let could_be_own = |outcome: &Result<(), Failure>| matches!(outcome, Err(Failure::Target(cause)) if cause.could_be_own_egress());
    let references = if outcomes.iter().any(|(_, outcome)| could_be_own(outcome)) {
        shared.ask_references(report.started).await
    } else {
        References::default()
    };
    let around = Surroundings {
        due,
        started: report.started,
        finished: report.finished,
        lag: shared.lag.longest_since(report.started),
        lag_max: shared.settings.lag_max,
        references,
        all_fail_here: false,
    };
    let seen = outcomes.into_iter().map(|(family, outcome)| {
        let seen = match outcome {
            Err(Failure::Own(trouble)) => Seen::Unknown(trouble),
            Err(Failure::Target(cause)) => judge(Err(cause), &around),
            Ok(()) => Seen::Up,
        };
        (family, seen)
    });
    let seen = seen.collect();
    Finished { place, due, report, seen }
}

impl Shared {
    /// Asks the references, unless somebody has since `since`: a wave of failures asks once.
    async fn ask_references(&self, since: Timestamp) -> References {
        if self.settings.references.is_empty() {
            return References::default();
        }
        let mut last = self.references.lock().await;
        if let Some((at, references)) = *last
            && at >= since
        {
            return references;
        }
        let now = self.clock.now();
        let mut asking = JoinSet::new();
        for reference in &self.settings.references {
            let (prober, reference) = (self.prober.clone(), reference.clone());
            asking.spawn(async move { prober.probe(&reference).await.outcome().is_ok() });
        }
        let reached = asking.join_all().await;
        let count = |reached: usize| u32::try_from(reached).unwrap_or(u32::MAX);
        let references = References {
            asked: count(reached.len()),
            reached: count(reached.iter().filter(|reached| **reached).count()),
        };
        *last = Some((now, references));
        references
    }
}

fn tell(finished: Finished, watched: &Watched, target: &mut Families) -> Judged {
    let Finished { due, report, seen, .. } = finished;
    let sample = |seen| Sample { started: report.started, finished: report.finished, seen };
    let samples: Vec<_> = seen.into_iter().map(|(family, seen)| (family, sample(seen))).collect();
    Judged {
        name: Arc::clone(&watched.name),
        late: report.started.since(due),
        families: target.take(&samples),
        report,
    }
}

/// Whether every name is its own.
#[must_use]
pub fn names_are_unique(targets: &[Watched]) -> bool {
    targets.iter().map(|watched| &watched.name).collect::<BTreeSet<_>>().len() == targets.len()
}
