//! `cargo xtask bench detection`: how right detection is, over episodes that are generated from the
//! drill's scenarios and real data, and over real data alone.
//!
//! Seeds are split by parity: what is fitted or chosen is fitted and chosen on even seeds, what is
//! reported is reported on odd ones. docs/detection.md has the figures.

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

use floodwall_drill::random::Seed;
use floodwall_model::{RoutineCause, TrafficVerdict};

use episodes::Episode;
use pool::Pool;
use score::Score;
use series::Minute;
use world::Outcome;

/// Arguments of `cargo xtask bench detection`.
#[derive(clap::Args, Debug)]
pub(crate) struct DetectionArguments {
    /// Requests per minute of the 1998 World Cup site (`period,count` lines)
    #[arg(long, value_name = "FILE")]
    traffic: PathBuf,
    /// An access log in Apache's combined format
    #[arg(long, value_name = "FILE")]
    log: PathBuf,
    /// Episodes in all; even seeds are for fitting, odd ones for reporting
    #[arg(long, default_value_t = 1_200)]
    episodes: u64,
    /// Fit the weights on the even seeds, and write crates/floodwall-detection/src/weights.rs
    #[arg(long)]
    fit: bool,
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
        let outcome = world::run(&Episode::draw(seed), &pools, &minutes)?;
        say(&format!("{outcome:#?}"));
        return Ok((serde_json::Value::Null, true));
    }
    let first = if arguments.fit { 0 } else { 1 };
    let step = if arguments.fit || arguments.each.is_some() { 1 } else { 2 };
    let seeds: Vec<u64> = (first..arguments.episodes).step_by(step).collect();
    let outcomes = run_all(&seeds, &pools, &minutes)?;
    if let Some(path) = &arguments.each {
        let lines: Vec<String> = outcomes.iter().map(line).collect();
        std::fs::write(path, lines.join("\n")).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    let half =
        |odd: u64| -> Vec<&Outcome> { outcomes.iter().filter(|o| o.episode.seed % 2 == odd).collect() };
    if arguments.fit {
        let training = half(0);
        let path = crate::repository().join("crates/floodwall-detection/src/weights.rs");
        let source = fit::fit(&training).source(training.len());
        std::fs::write(&path, source).map_err(|error| format!("{}: {error}", path.display()))?;
        say(&format!("training half, with the weights as they were:\n\n{}", Score::of(&training).tables()));
        say("weights.rs is written; run again without --fit for the figures");
        return Ok((serde_json::Value::Null, true));
    }
    let reported = half(1);
    let score = Score::of(&reported);
    let text = format!(
        "{} episodes, odd seeds from 1 to {}\n\n{}",
        reported.len(),
        arguments.episodes,
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

/// Runs episodes on two threads; in the order of their seeds.
fn run_all(seeds: &[u64], pools: &[Pool; 2], minutes: &[Minute]) -> Result<Vec<Outcome>, String> {
    let next = AtomicU64::new(0);
    let outcomes = Mutex::new(Vec::new());
    let work = || -> Result<(), String> {
        loop {
            let place = usize::try_from(next.fetch_add(1, Ordering::Relaxed)).unwrap_or(usize::MAX);
            let Some(seed) = seeds.get(place) else { return Ok(()) };
            let outcome = world::run(&Episode::draw(*seed), pools, minutes)?;
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
