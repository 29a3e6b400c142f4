//! `cargo xtask bench goodput`: the drill's scenarios against Floodwall and its rivals, several
//! seeds each, as a table in docs/goodput.md.
//!
//! The table says what was measured, shortfalls included; nothing in it is chosen. A measurement that
//! is void stays in the table and is called so.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::machine::Machine;
use crate::repository;

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

/// What `cargo xtask bench goodput` takes.
#[derive(clap::Args, Debug)]
pub(super) struct GoodputArguments {
    /// Scenarios; all of them where none is named
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    scenarios: Vec<String>,
    /// One run of everything for each seed
    #[arg(long, value_delimiter = ',', value_name = "NUMBERS", default_values_t = [1, 2, 3])]
    seeds: Vec<u64>,
    /// Shorten each scenario to at most so many seconds
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<u32>,
}

/// The figures of one scenario and one edge, one for each seed.
#[derive(Debug, Default)]
struct Cell {
    version: String,
    arrived_percent: Vec<f64>,
    sessions_percent: Vec<f64>,
    p99_ms: Vec<f64>,
    protect_s: Vec<Option<u64>>,
    void: Vec<String>,
}

/// Runs everything and rewrites the document.
pub(super) fn run(
    arguments: &GoodputArguments,
    floodwall: &Path,
    say: &mut dyn FnMut(&str),
) -> Result<(), String> {
    let mut titles: Vec<(String, String)> = Vec::new();
    let mut cells: BTreeMap<(String, String), Cell> = BTreeMap::new();
    for seed in &arguments.seeds {
        let document = drill(arguments, *seed, floodwall)?;
        let drills = document.get("drills").and_then(Value::as_array).ok_or("the drill printed no drills")?;
        for drill in drills {
            take_in(drill, &mut titles, &mut cells).ok_or("the drill's document lacks a figure")?;
        }
        say(&format!("seed {seed}: {} drills", drills.len()));
    }
    let text = document(arguments, floodwall, &titles, &cells);
    say(&text);
    let path = repository().join(DOCUMENT);
    std::fs::write(&path, &text).map_err(|error| format!("{}: {error}", path.display()))
}

/// All scenarios against all edges in turn, with one seed.
fn drill(arguments: &GoodputArguments, seed: u64, floodwall: &Path) -> Result<Value, String> {
    let mut command = Command::new(floodwall);
    command.arg("drill").args(&arguments.scenarios).arg("--json");
    command.args(["--seed", &seed.to_string(), "--versus"]).arg(EDGES.get(1..).unwrap_or_default().join(","));
    if let Some(seconds) = arguments.seconds {
        command.args(["--seconds", &seconds.to_string()]);
    }
    let output = command.stderr(Stdio::inherit()).output().map_err(|error| error.to_string())?;
    // Status 1 says that a measurement is void: it is in the document.
    if !matches!(output.status.code(), Some(0 | 1)) {
        return Err(format!("floodwall drill ended with {}", output.status));
    }
    serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("floodwall drill printed no JSON: {error}"))
}

fn take_in(
    drill: &Value,
    titles: &mut Vec<(String, String)>,
    cells: &mut BTreeMap<(String, String), Cell>,
) -> Option<()> {
    let text = |pointer: &str| drill.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let number = |pointer: &str| drill.pointer(pointer).and_then(Value::as_f64);
    let (name, edge) = (text("/scenario/name")?, text("/edge/name")?);
    if titles.iter().all(|(known, _)| *known != name) {
        titles.push((name.clone(), text("/scenario/title")?));
    }
    let cell = cells.entry((name, edge)).or_default();
    cell.version = text("/edge/version")?;
    let share = "/goodput/under_trouble";
    let percent = |part: f64, whole: f64| if whole > 0.0 { part * 100.0 / whole } else { 0.0 };
    let arrived = number(&format!("{share}/outcomes/arrived")).unwrap_or(0.0);
    cell.arrived_percent.push(percent(arrived, number(&format!("{share}/wants"))?));
    let whole = number(&format!("{share}/sessions_whole"))?;
    cell.sessions_percent.push(percent(whole, number(&format!("{share}/sessions"))?));
    cell.p99_ms.push(number(&format!("{share}/p99_ms"))?);
    cell.protect_s.push(drill.pointer("/goodput/time_to_protect_s").and_then(Value::as_u64));
    cell.void.extend(text("/void"));
    Some(())
}

fn document(
    arguments: &GoodputArguments,
    floodwall: &Path,
    titles: &[(String, String)],
    cells: &BTreeMap<(String, String), Cell>,
) -> String {
    let machine = Machine::read(floodwall, &[]);
    let seeds: Vec<String> = arguments.seeds.iter().map(u64::to_string).collect();
    let length = arguments
        .seconds
        .map_or("at full length".to_owned(), |seconds| format!("shortened to {seconds} s each"));
    let mut text = format!(
        "# What visitors get under every flood\n\n\
         Written by `cargo xtask bench goodput`; not by hand. Each figure is the median of seeds {}, with the \
         lowest and the highest in parentheses where they differ; scenarios {length}. How it is measured, and \
         what the scenarios are: [drill.md](drill.md). The rivals' configurations: \
         [crates/floodwall-drill/rivals](../crates/floodwall-drill/rivals).\n\n```text\n{}```\n\n\
         *Arrived*: share of everything visitors wanted that came, from the onset to the end. *Whole visits*: \
         visits in which everything came. *Protected*: seconds from the onset until 99 % arrive and the 99th \
         percentile is within 3x calm, for good.\n",
        seeds.join(", "),
        machine.text(),
    );
    for (name, title) in titles {
        let _ = write!(
            text,
            "\n## {name}\n\n{title}.\n\n| | arrived | whole visits | 99th percentile | protected after |\n|---|---|---|---|---|\n"
        );
        for edge in EDGES {
            let Some(cell) = cells.get(&(name.clone(), edge.to_owned())) else { continue };
            let void = if cell.void.is_empty() { "" } else { " (VOID)" };
            let _ = writeln!(
                text,
                "| {edge} {}{void} | {} | {} | {} | {} |",
                cell.version,
                spread(&cell.arrived_percent, |percent| format!("{percent:.1} %")),
                spread(&cell.sessions_percent, |percent| format!("{percent:.1} %")),
                spread(&cell.p99_ms, latency),
                protect(name, &cell.protect_s),
            );
        }
    }
    let voids: Vec<String> = cells
        .iter()
        .flat_map(|((name, edge), cell)| {
            cell.void.iter().map(move |why| format!("- {name} / {edge}: {why}\n"))
        })
        .collect();
    if !voids.is_empty() {
        let _ = write!(text, "\n## Void measurements\n\n{}", voids.concat());
    }
    text
}

/// Median, with the extremes where they differ.
fn spread(values: &[f64], show: impl Fn(f64) -> String) -> String {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |place: usize| sorted.get(place).copied().map(&show).unwrap_or_default();
    let (low, middle, high) = (at(0), at(sorted.len() / 2), at(sorted.len().saturating_sub(1)));
    if low == high { middle } else { format!("{middle} ({low} - {high})") }
}

fn protect(name: &str, seconds: &[Option<u64>]) -> String {
    if name == "calm" {
        return "-".to_owned();
    }
    let each = seconds.iter().map(|seconds| seconds.map_or("never".to_owned(), |s| format!("{s} s")));
    let mut each: Vec<String> = each.collect();
    each.dedup();
    each.join(", ")
}

fn latency(ms: f64) -> String {
    if ms >= 1_000.0 { format!("{:.1} s", ms / 1_000.0) } else { format!("{ms:.0} ms") }
}
