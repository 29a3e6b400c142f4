//! `cargo xtask bench goodput`: the drill's scenarios against Floodwall and its rivals, several
//! seeds each, as a table in docs/goodput.md.
//!
//! The table says what was measured, shortfalls included; nothing in it is chosen. Every run is kept as
//! soon as it ends, so that a table that takes more than an hour can be interrupted and gone on with.

mod cells;
mod document;
mod shortfalls;
mod state;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::clock::Stopwatch;
use crate::repository;
use cells::Cells;
use document::Circumstances;
use state::{About, Run, State};

/// What brings the rivals and the hosts.
pub(super) const PACKAGES: [(&str, &str); 6] = [
    ("ip", "iproute2"),
    ("nginx", "nginx-light"),
    ("haproxy", "haproxy"),
    ("varnishd", "varnish"),
    ("traffic_server", "trafficserver"),
    ("traffic_server", "trafficserver-experimental-plugins"),
];

const EDGES: [&str; 5] = ["floodwall", "nginx", "haproxy", "varnish", "trafficserver"];
const DOCUMENT: &str = "docs/goodput.md";
const STATE: &str = "target/goodput";

/// What `cargo xtask bench goodput` takes.
#[derive(clap::Args, Debug)]
pub(super) struct GoodputArguments {
    /// Scenarios; all of them where none is named
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    scenarios: Vec<String>,
    /// Servers; all of them where none is named
    #[arg(long, value_delimiter = ',', value_name = "NAMES", value_parser = EDGES)]
    servers: Vec<String>,
    /// One run of everything for each seed
    #[arg(long, value_delimiter = ',', value_name = "NUMBERS", default_values_t = [1, 2, 3])]
    seeds: Vec<u64>,
    /// Shorten each scenario to at most so many seconds
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<u32>,
    /// Throw away what is there and begin anew
    #[arg(long)]
    fresh: bool,
    /// Measure again what was void or failed
    #[arg(long)]
    again: bool,
    /// Measure nothing: write the document from what is there
    #[arg(long, conflicts_with_all = ["fresh", "again"])]
    document: bool,
}

/// Runs what is missing and rewrites the document.
pub(super) fn run(
    arguments: &GoodputArguments,
    floodwall: &Path,
    say: &mut dyn FnMut(&str),
) -> Result<(), String> {
    let about = About::of(floodwall, arguments.seconds)?;
    let directory = repository().join(STATE);
    let state = if arguments.document {
        State::open_as_it_is(&directory)?
    } else {
        State::open(&directory, &about, arguments.fresh)?
    };
    let scenarios = scenarios(floodwall, &arguments.scenarios)?;
    let wanted = wanted(arguments, &scenarios);
    let mut missing: Vec<Run> =
        wanted.iter().filter(|run| !state.has(run, arguments.again)).cloned().collect();
    say(&format!("{} of {} runs are there already ({STATE})", wanted.len() - missing.len(), wanted.len()));
    if arguments.document {
        missing.clear();
    }
    let total = missing.len();
    let watch = Stopwatch::start();
    for (run, number) in missing.iter().zip(1_u32..) {
        let said = measure(run, floodwall, arguments.seconds)?;
        state.keep(run, &said)?;
        let left = (watch.elapsed() / number)
            .saturating_mul(u32::try_from(total).unwrap_or(0).saturating_sub(number));
        say(&format!("{number}/{total} {run}: {}; about {} left", cells::in_brief(&said), minutes(left)));
        if missing.get(usize::try_from(number).unwrap_or(0)).is_none_or(|next| next.scenario != run.scenario)
        {
            write_document(&state, floodwall, &scenarios, &wanted)?;
        }
    }
    write_document(&state, floodwall, &scenarios, &wanted)?;
    say(&format!("written: {DOCUMENT}"));
    Ok(())
}

fn minutes(span: Duration) -> String {
    format!("{} min", span.as_secs().div_ceil(60))
}

/// All runs, seed by seed, so that a table of one seed is whole first. Servers take turns in beginning.
fn wanted(arguments: &GoodputArguments, scenarios: &[String]) -> Vec<Run> {
    let mut servers: Vec<&str> = EDGES.to_vec();
    if !arguments.servers.is_empty() {
        servers.retain(|edge| arguments.servers.iter().any(|server| server == edge));
    }
    let mut runs = Vec::new();
    for seed in &arguments.seeds {
        for scenario in scenarios {
            runs.extend(servers.iter().map(|edge| Run {
                scenario: scenario.clone(),
                edge: (*edge).to_owned(),
                seed: *seed,
            }));
        }
        if !servers.is_empty() {
            servers.rotate_left(1);
        }
    }
    runs
}

/// Names of the scenarios, in the program's own order.
fn scenarios(floodwall: &Path, chosen: &[String]) -> Result<Vec<String>, String> {
    let output = Command::new(floodwall).args(["drill", "--list", "--json"]).output();
    let output = output.map_err(|error| format!("{}: {error}", floodwall.display()))?;
    let list: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("floodwall drill --list printed no list: {error}"))?;
    let names = list.iter().filter_map(|scenario| scenario.get("name")?.as_str().map(str::to_owned));
    let names: Vec<String> = names.collect();
    if let Some(unknown) = chosen.iter().find(|name| !names.contains(name)) {
        return Err(format!("there is no scenario `{unknown}`; there are {}", names.join(", ")));
    }
    Ok(names.into_iter().filter(|name| chosen.is_empty() || chosen.contains(name)).collect())
}

/// One drill; what it printed, or why it printed nothing.
fn measure(run: &Run, floodwall: &Path, seconds: Option<u32>) -> Result<serde_json::Value, String> {
    let mut command = Command::new(floodwall);
    command.args(["drill", &run.scenario, "--only", &run.edge, "--json", "--seed", &run.seed.to_string()]);
    if let Some(seconds) = seconds {
        command.args(["--seconds", &seconds.to_string()]);
    }
    let output = command.stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    if matches!(output.status.code(), Some(2 | 130) | None) {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("floodwall drill ended with {}: {}", output.status, said.trim()));
    }
    // Status 1 says that a measurement is void, which is in the document, or that there is none.
    Ok(serde_json::from_slice(&output.stdout).unwrap_or_else(|_| {
        let said = String::from_utf8_lossy(&output.stderr);
        serde_json::json!({ "failed": said.lines().last().unwrap_or("without a word") })
    }))
}

fn write_document(
    state: &State,
    floodwall: &Path,
    scenarios: &[String],
    wanted: &[Run],
) -> Result<(), String> {
    let cells = Cells::read(state, wanted);
    let circumstances = Circumstances::read(state.about(), floodwall, wanted);
    let text = document::write(&circumstances, scenarios, &cells);
    let path = repository().join(DOCUMENT);
    std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))
}
