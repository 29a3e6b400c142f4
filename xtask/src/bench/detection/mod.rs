//! `cargo xtask bench detection`: how right detection is, over episodes that are generated from the
//! drill's scenarios and real data, and over real data alone.
//!
//! What is fitted or chosen is fitted and chosen on seeds below [`FITTED_BELOW`] alone, by
//! cross-validation; what is reported is reported on the seeds from there on. docs/detection.md has
//! the figures.

mod edge;
mod episodes;
mod fit;
mod floods;
mod pool;
mod real;
mod score;
mod series;
mod visitors;
mod world;

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use floodwall_detection::Weights;
use floodwall_drill::random::Seed;
use floodwall_model::{RoutineCause, TrafficVerdict};

use episodes::Episode;
use pool::Pool;
use score::Score;
use series::Minute;
use world::Outcome;

/// Seeds below are for fitting and choosing, the others for reporting.
const FITTED_BELOW: u64 = 1_600;
/// Parts of a cross-validation: each is judged with weights that were fitted on the others.
const FOLDS: u64 = 5;

/// Arguments of `cargo xtask bench detection`.
#[derive(clap::Args, Debug)]
pub(crate) struct DetectionArguments {
    /// Requests per minute of the 1998 World Cup site (`period,count` lines)
    #[arg(long, value_name = "FILE")]
    traffic: PathBuf,
    /// An access log in Apache's combined format
    #[arg(long, value_name = "FILE")]
    log: PathBuf,
    /// Episodes that are reported
    #[arg(long, default_value_t = 800)]
    episodes: u64,
    /// The seed of the first of them. What was looked at once and acted upon is no test any more: give
    /// one beyond
    #[arg(long, default_value_t = FITTED_BELOW, value_parser = clap::value_parser!(u64).range(FITTED_BELOW..))]
    first: u64,
    /// Fit the weights on the seeds below 1600, and write crates/floodwall-detection/src/weights.rs
    #[arg(long)]
    fit: bool,
    /// Report on the seeds below 1600 instead, each fifth of them with weights fitted on the others
    #[arg(long)]
    cross_validate: bool,
    /// Only what real data alone shows
    #[arg(long)]
    real: bool,
    /// Write one line of JSON for each episode
    #[arg(long, value_name = "FILE")]
    each: Option<PathBuf>,
    /// Write docs/detection-figures.md
    #[arg(long)]
    document: bool,
    /// Only this episode, told second by second
    #[arg(long, value_name = "SEED")]
    only: Option<u64>,
}

/// Runs it; whether every target was reached.
pub(crate) fn run(
    arguments: &DetectionArguments,
    say: &mut dyn FnMut(&str),
) -> Result<(serde_json::Value, bool), String> {
    let minutes = series::minutes(&arguments.traffic)?;
    let lines = series::log(&arguments.log)?;
    if arguments.real {
        let text = real::report(&minutes, &lines)?;
        say(&text);
        return Ok((serde_json::Value::Null, true));
    }
    let of_log = Pool::of_log(&lines);
    let pools = [Pool::of_drill(&of_log.agents, Seed(1))?, of_log];
    if let Some(seed) = arguments.only {
        let outcome = world::run(&Episode::draw(seed), &pools, &minutes, None)?;
        say(&format!("{outcome:#?}"));
        return Ok((serde_json::Value::Null, true));
    }
    let run = |seeds: std::ops::Range<u64>, fitted: &[Weights]| {
        run_all(&seeds.collect::<Vec<_>>(), &pools, &minutes, fitted)
    };
    if arguments.fit {
        let outcomes = run(0..FITTED_BELOW, &[])?;
        let training: Vec<&Outcome> = outcomes.iter().collect();
        let path = crate::repository().join("crates/floodwall-detection/src/weights.rs");
        let source = fit::fit(&training).source(training.len());
        std::fs::write(&path, source).map_err(|error| format!("{}: {error}", path.display()))?;
        say(&format!("with the weights as they were:\n\n{}", Score::of(&training).tables()));
        say("weights.rs is written; run again without --fit for the figures");
        return Ok((serde_json::Value::Null, true));
    }
    let seeds = if arguments.cross_validate {
        0..FITTED_BELOW
    } else {
        arguments.first..arguments.first.saturating_add(arguments.episodes)
    };
    let outcomes = if arguments.cross_validate {
        let fitted = fit_folds(&run(seeds.clone(), &[])?);
        run(seeds.clone(), &fitted)?
    } else {
        run(seeds.clone(), &[])?
    };
    if let Some(path) = &arguments.each {
        let lines: Vec<String> = outcomes.iter().map(line).collect();
        std::fs::write(path, lines.join("\n")).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    let reported: Vec<&Outcome> = outcomes.iter().collect();
    let score = Score::of(&reported);
    let text = format!(
        "{} episodes, seeds from {} to {}\n\n{}",
        reported.len(),
        seeds.start,
        seeds.end - 1,
        score.tables()
    );
    say(&text);
    if arguments.document {
        let path = crate::repository().join("docs/detection-figures.md");
        let text = format!(
            "# Detection: figures\n\nWritten by `cargo xtask bench detection --document`. {text}\n{}",
            real::report(&minutes, &lines)?
        );
        std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    let reached = score.right >= 0.97
        && score.attack_called_crowd <= 0.01
        && score.crowd_called_attack <= 0.005
        && score.routine_called_attack <= 0.005
        && score.delay_sudden_s.median <= 2.0
        && score.delay_sudden_s.p95 <= 5.0;
    let document = serde_json::to_value(&score).map_err(|error| error.to_string())?;
    Ok((document, reached))
}

/// Which part of a cross-validation a seed belongs to.
fn fold(seed: u64) -> usize {
    // In eights: who is held out for the temperature goes by the remainder.
    usize::try_from(seed / 8 % FOLDS).unwrap_or(0)
}

/// Weights for each part, fitted on all others.
fn fit_folds(outcomes: &[Outcome]) -> Vec<Weights> {
    let parts = 0..usize::try_from(FOLDS).unwrap_or(1);
    std::thread::scope(|scope| {
        let threads: Vec<_> = parts
            .map(|part| {
                scope.spawn(move || {
                    let others = outcomes.iter().filter(|outcome| fold(outcome.episode.seed) != part);
                    fit::fit(&others.collect::<Vec<_>>()).weights()
                })
            })
            .collect();
        threads.into_iter().filter_map(|thread| thread.join().ok()).collect()
    })
}

/// Runs episodes on two threads, with weights for their part where there are some; in the order of
/// their seeds.
fn run_all(
    seeds: &[u64],
    pools: &[Pool; 2],
    minutes: &[Minute],
    fitted: &[Weights],
) -> Result<Vec<Outcome>, String> {
    let next = AtomicU64::new(0);
    let outcomes = Mutex::new(Vec::new());
    let work = || -> Result<(), String> {
        loop {
            let place = usize::try_from(next.fetch_add(1, Ordering::Relaxed)).unwrap_or(usize::MAX);
            let Some(seed) = seeds.get(place) else { return Ok(()) };
            let weights = fitted.get(fold(*seed)).cloned();
            let outcome = world::run(&Episode::draw(*seed), pools, minutes, weights)?;
            outcomes.lock().map_err(|error| error.to_string())?.push(outcome);
            if place % 100 == 99 {
                crate::say(&format!("{} of {} episodes", place + 1, seeds.len()));
            }
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..2).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().map_err(|_| "an episode ended in a panic".to_owned())?)
    })?;
    let mut outcomes = outcomes.into_inner().map_err(|error| error.to_string())?;
    outcomes.sort_by_key(|outcome| outcome.episode.seed);
    Ok(outcomes)
}

/// One episode as a line of JSON.
fn line(outcome: &Outcome) -> String {
    let episode = &outcome.episode;
    serde_json::json!({
        "seed": episode.seed,
        "what": episode.what.name(),
        "detail": format!("{:?}", episode.what),
        "size": episode.size,
        "calm_per_s": outcome.calm_rate,
        "peak_per_s": outcome.peak_rate,
        "of_log": episode.of_log,
        "days": episode.days,
        "night": episode.night,
        "announced": episode.announced,
        "log_only": episode.log_only,
        "noticed_s": outcome.noticed_s,
        "right_s": outcome.right_s,
        "false_alarms": outcome.false_alarms,
        "alarmed_by": outcome.alarmed_by,
        "incidents": outcome.incidents,
        "truth": episode.what.truth().map(TrafficVerdict::as_str),
        "said": outcome.verdict.map(TrafficVerdict::as_str),
        "early": outcome.early.map(TrafficVerdict::as_str),
        "mixed_with": outcome.mixed_with.map(TrafficVerdict::as_str),
        "ever": outcome.ever.iter().map(|verdict| verdict.as_str()).collect::<Vec<_>>(),
        "attack": outcome.likelihoods.attack,
        "crowd": outcome.likelihoods.crowd,
        "routine": outcome.likelihoods.routine,
        "cause": outcome.routine.map(RoutineCause::as_str),
        "grounds": outcome.grounds,
    })
    .to_string()
}
