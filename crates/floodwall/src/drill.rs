//! `floodwall drill`: scenarios against this program, and the table of what visitors got.

mod origin_agent;
mod simulated;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;
use floodwall_drill::edges::{Edge, Floodwall, Label, Rival};
use floodwall_drill::hosts::{Host, Network};
use floodwall_drill::random::Seed;
use floodwall_drill::report::{Circumstances, html};
use floodwall_drill::run::{Drill, DrillError, Outcome};
use floodwall_drill::scenario::{SHIPPED, Scenario, shipped};
use floodwall_model::Clock;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::commands::{EXIT_USAGE, fail, show_faults, tell};
use crate::settings::Settings;

/// Scenarios of a quick drill, and the seconds that each takes then.
const QUICK: [&str; 2] = ["calm", "many-light"];
const QUICK_S: u32 = 20;

/// What `floodwall drill` takes.
#[derive(Args, Debug)]
pub(crate) struct DrillArguments {
    /// Scenarios to run, by name; all of them where none is named
    #[arg(value_name = "SCENARIO")]
    scenarios: Vec<String>,
    /// A scenario file of your own; may be given several times
    #[arg(long, value_name = "FILE")]
    file: Vec<PathBuf>,
    /// Rehearse the limits, cache and time-outs of this settings file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Run each scenario against these too, in turn: nginx, haproxy, varnish, trafficserver
    #[arg(long, value_name = "RIVALS", value_delimiter = ',', value_parser = rival)]
    versus: Vec<Rival>,
    /// Run each scenario against this one alone: floodwall or a rival
    #[arg(long, value_name = "SERVER", conflicts_with = "versus", value_parser = only)]
    only: Option<Only>,
    /// Chance is repeated with the same seed
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// An answer in under a minute: two scenarios, shortened
    #[arg(long)]
    quick: bool,
    /// Shorten each scenario to at most so many seconds
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(5..=600))]
    seconds: Option<u32>,
    /// Use loopback even as root
    #[arg(long)]
    loopback: bool,
    /// Simulate: no hosts, no waiting, no privileges; what limits and origin health would do
    #[arg(long, conflicts_with_all = ["versus", "only", "loopback"])]
    simulated: bool,
    /// List the scenarios and end
    #[arg(long, conflicts_with_all = ["scenarios", "file"])]
    list: bool,
    /// Write a report with plots, to read in a browser or print
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Print one JSON document with every figure
    #[arg(long)]
    json: bool,
}

/// The one server of a drill that has only one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Only {
    Floodwall,
    Rival(Rival),
}

/// What `floodwall drill-agent` takes.
#[derive(Args, Debug)]
pub(crate) struct AgentArguments {
    /// Which of them
    #[arg(value_parser = ["origin", "visitors", "flood", "counters"])]
    host: String,
}

/// Runs one process of a drill.
pub(crate) fn run_agent(arguments: &AgentArguments) -> ExitCode {
    let ended = match arguments.host.as_str() {
        "origin" => origin_agent::run(),
        "counters" => floodwall_drill::agent::run_counters().map_err(|error| error.to_string()),
        "flood" => floodwall_drill::agent::run(Host::Flood).map_err(|error| error.to_string()),
        _ => floodwall_drill::agent::run(Host::Visitors).map_err(|error| error.to_string()),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => fail(&message, 1),
    }
}

/// Runs the drill.
pub(crate) fn run(arguments: &DrillArguments) -> ExitCode {
    if arguments.list {
        return list(arguments.json);
    }
    let scenarios = match scenarios(arguments) {
        Ok(scenarios) => scenarios,
        Err(message) => return fail(&message, 2),
    };
    if arguments.simulated {
        return simulated::run(arguments, &scenarios);
    }
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return fail(&format!("floodwall: cannot find itself: {error}"), 1),
    };
    let mut rivals = arguments.versus.clone();
    if let Some(Only::Rival(rival)) = arguments.only {
        rivals.push(rival);
    }
    if let Some(missing) = rivals.iter().find(|rival| rival.find().is_none()) {
        let (name, packages) = (missing.as_str(), missing.packages().join(" "));
        return fail(
            &format!(
                "floodwall: {name} is not installed; as root, run: apt-get install --no-install-recommends {packages}"
            ),
            2,
        );
    }
    // A fault of the settings would end the edge before it answers, on a host where nobody reads it.
    if let Some(faults) = arguments.config.as_deref().and_then(|path| Settings::load(path).err()) {
        show_faults(&faults);
        return ExitCode::from(EXIT_USAGE);
    }
    let floodwall = Floodwall {
        program: program.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        settings: arguments.config.clone(),
    };
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        if let Err(error) = signal_hook::flag::register(signal, Arc::clone(&stop)) {
            return fail(&format!("floodwall: signals cannot be handled: {error}"), 1);
        }
    }
    let network = network(arguments.loopback);
    let own = (!matches!(arguments.only, Some(Only::Rival(_)))).then_some(&floodwall as &dyn Edge);
    let edges: Vec<&dyn Edge> =
        own.into_iter().chain(rivals.iter().map(|rival| rival as &dyn Edge)).collect();
    let (outcomes, left_out) = match hold(&scenarios, &edges, Seed(arguments.seed), network, &program, &stop)
    {
        Ok(held) => held,
        Err(status) => return status,
    };
    if let Some(file) = &arguments.report
        && let Err(message) = write_report(&outcomes, file)
    {
        return fail(&message, 1);
    }
    print(&outcomes, &left_out, arguments.json)
}

/// Holds every scenario with every edge. In turn within each scenario, so that a machine that grows
/// slower does so for all of them.
///
/// # Errors
/// The exit status, once it has been said why.
fn hold(
    scenarios: &[Scenario],
    edges: &[&dyn Edge],
    seed: Seed,
    network: Network,
    program: &std::path::Path,
    stop: &AtomicBool,
) -> Result<(Vec<Outcome>, Vec<LeftOut>), ExitCode> {
    let (mut outcomes, mut left_out) = (Vec::new(), Vec::new());
    for (scenario, edge) in
        scenarios.iter().flat_map(|scenario| edges.iter().map(move |edge| (scenario, *edge)))
    {
        let drill = Drill { scenario, seed, edge, network, program: program.to_owned(), stop };
        if let Some(why) = drill.left_out() {
            left_out.push(LeftOut { scenario: scenario.name.clone(), edge: edge.label(), why });
            continue;
        }
        match run_one(&drill) {
            Ok(outcome) => outcomes.push(outcome),
            Err(_) if stop.load(Ordering::Relaxed) => {
                tell("stopped; the drill's hosts and processes are gone");
                return Err(ExitCode::from(130));
            }
            Err(error) => {
                let name = edge.label().name;
                let message = format!("floodwall: {} / {name}: {error}", scenario.name);
                return Err(fail(&message, status_of(&error)));
            }
        }
    }
    Ok((outcomes, left_out))
}

/// A drill that was not held, and why: no failure of the edge.
#[derive(Debug, Serialize)]
struct LeftOut {
    scenario: String,
    edge: Label,
    why: String,
}

fn write_report(outcomes: &[Outcome], file: &std::path::Path) -> Result<(), String> {
    let now = crate::clock::SystemClock::start().now();
    let circumstances = Circumstances {
        // To the minute; the year has four digits for as long as anybody reads this.
        when: format!("{} UTC", now.to_string().replace('T', " ").chars().take(16).collect::<String>()),
        machine: machine(),
    };
    let html = html(outcomes, &circumstances).map_err(|error| format!("floodwall: the report: {error}"))?;
    std::fs::write(file, html)
        .map_err(|error| format!("floodwall: the report cannot be written to {}: {error}", file.display()))
}

/// Processor, number of cores and kernel.
fn machine() -> String {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map(|rest| rest.trim_start_matches([' ', '\t', ':']));
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let kernel = read("/proc/sys/kernel/osrelease");
    format!("{}, {cores} cores, Linux {}", model.unwrap_or("unknown processor"), kernel.trim())
}

fn status_of(error: &DrillError) -> u8 {
    if matches!(error, DrillError::Edge(_)) { 2 } else { 1 }
}

fn run_one(drill: &Drill<'_>) -> Result<Outcome, DrillError> {
    let bar = ProgressBar::new(u64::from(drill.scenario.duration_s));
    if let Ok(style) = ProgressStyle::with_template("{msg:30} {wide_bar} {pos:>3} of {len} s") {
        bar.set_style(style);
    }
    bar.set_message(format!("{} / {}", drill.scenario.name, drill.edge.label().name));
    let outcome = drill.run(|second| {
        bar.set_position(u64::from(second));
        // Where nobody sees the bar, one line says that it goes on.
        if second == 1 && bar.is_hidden() {
            let (scenario, edge) = (&drill.scenario.name, drill.edge.label().name);
            tell(&format!("floodwall: {scenario} / {edge} runs for {} s", drill.scenario.duration_s));
        }
    });
    bar.finish_and_clear();
    outcome
}

/// Namespaces where we may make them.
fn network(loopback: bool) -> Network {
    if loopback {
        return Network::Loopback;
    }
    if rustix::process::geteuid().is_root() {
        return Network::Namespaces;
    }
    tell(
        "floodwall: not root, so the drill runs on loopback: no IPv6 visitors, no hosts of their own. \
         Run it as root for the whole of it.",
    );
    Network::Loopback
}

/// The scenarios asked for, checked.
fn scenarios(arguments: &DrillArguments) -> Result<Vec<Scenario>, String> {
    let mut scenarios = Vec::new();
    for name in &arguments.scenarios {
        scenarios.push(shipped(name).ok_or_else(|| unknown(name))?);
    }
    for path in &arguments.file {
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("floodwall: cannot read {}: {error}", path.display()))?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        scenarios.push(Scenario::read(&name, &text).map_err(|faults| {
            let lines: Vec<_> = faults.iter().map(|fault| format!("  {fault}")).collect();
            format!("floodwall: {} cannot be used:\n{}", path.display(), lines.join("\n"))
        })?);
    }
    if scenarios.is_empty() {
        let all = SHIPPED.iter().map(|(name, _)| *name);
        let wanted: Vec<_> = if arguments.quick { QUICK.to_vec() } else { all.collect() };
        scenarios = wanted.into_iter().filter_map(shipped).collect();
    }
    if let Some(seconds) = arguments.seconds.or(arguments.quick.then_some(QUICK_S)) {
        scenarios = scenarios.iter().map(|scenario| scenario.shortened(seconds)).collect();
    }
    Ok(scenarios)
}

fn rival(name: &str) -> Result<Rival, String> {
    let known = Rival::ALL.map(Rival::as_str).join(", ");
    Rival::ALL
        .into_iter()
        .find(|rival| rival.as_str() == name)
        .ok_or_else(|| format!("the rivals are {known}"))
}

fn only(name: &str) -> Result<Only, String> {
    if name == "floodwall" {
        return Ok(Only::Floodwall);
    }
    let known = Rival::ALL.map(Rival::as_str).join(", ");
    rival(name).map(Only::Rival).map_err(|_| format!("the servers are floodwall, {known}"))
}

fn unknown(name: &str) -> String {
    let nearest = SHIPPED
        .iter()
        .map(|(known, _)| *known)
        .max_by(|a, b| strsim::jaro_winkler(name, a).total_cmp(&strsim::jaro_winkler(name, b)));
    let hint = nearest.map(|known| format!(" Did you mean `{known}`?")).unwrap_or_default();
    format!(
        "floodwall: there is no scenario `{name}`.{hint} `floodwall drill --list` shows all; --file takes your own."
    )
}

fn list(json: bool) -> ExitCode {
    use std::io::Write;
    let scenarios: Vec<Scenario> = SHIPPED.iter().filter_map(|(name, _)| shipped(name)).collect();
    let text = if json {
        serde_json::to_string_pretty(&scenarios).unwrap_or_default()
    } else {
        let lines = scenarios.iter().map(|scenario| {
            format!(
                "{:19} {:>4} s  {}\n{:27}{}",
                scenario.name, scenario.duration_s, scenario.title, "", scenario.why
            )
        });
        lines.collect::<Vec<_>>().join("\n")
    };
    let _ = writeln!(std::io::stdout(), "{text}");
    ExitCode::SUCCESS
}

fn print(outcomes: &[Outcome], left_out: &[LeftOut], json: bool) -> ExitCode {
    use std::io::Write;
    let text = if json {
        serde_json::to_string_pretty(&serde_json::json!({ "drills": outcomes, "left_out": left_out }))
            .unwrap_or_default()
    } else {
        table::render(outcomes, left_out)
    };
    let _ = writeln!(std::io::stdout(), "{text}");
    let void = outcomes.iter().any(|outcome| outcome.void.is_some() || outcome.not_comparable.is_some());
    ExitCode::from(u8::from(void))
}
