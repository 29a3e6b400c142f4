//! `cargo xtask bench`: what the edge costs, measured on this machine beside Debian's nginx.
//!
//! Figures, not tests: nothing here runs in `cargo xtask test`, because a test of speed fails for
//! the machine's reasons and not for the code's. docs/benchmarks.md says how each is measured.

mod clock;
mod connections;
mod detection;
mod edge;
mod figures;
mod goodput;
mod http;
mod kill;
mod live;
mod load;
mod machine;
mod outage;
mod process;
mod replay;
mod servers;
mod sources;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::setup;

const EXAMPLES: &str = "\
Examples:
  cargo xtask bench edge
  cargo xtask bench edge --rows cached,pass-through --rounds 9 --json
  cargo xtask bench connections
  cargo xtask bench sources
  cargo xtask bench kill --rounds 50
  cargo xtask bench outage
  cargo xtask bench policy
  cargo xtask bench evidence
  cargo xtask bench replay
  cargo xtask bench detection --traffic worldcup98.csv --log access.log
  cargo xtask bench goodput --seconds 20 --seeds 1,2,3

Exit status: 0 when every target is reached, 1 when one is not or a figure could not be taken.";

/// Arguments of `cargo xtask bench`.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct BenchArguments {
    #[command(subcommand)]
    command: Bench,
    /// Print one JSON document instead of tables
    #[arg(long, global = true)]
    json: bool,
    /// A floodwall binary to measure, instead of building one
    #[arg(long, global = true, value_name = "FILE")]
    floodwall: Option<PathBuf>,
}

#[derive(clap::Subcommand, Debug)]
enum Bench {
    /// Requests per second of CPU time: cached, passed through, over TLS
    Edge(edge::EdgeArguments),
    /// Memory of each idle connection: silent, after an answer, and five seconds later
    Connections(connections::ConnectionsArguments),
    /// Memory under a million distinct sources, by real requests through the limiter
    Sources(sources::SourcesArguments),
    /// SIGKILL while it answers: whether the store opens, and what is missing in it
    Kill {
        /// How often it is killed
        #[arg(long, default_value_t = 50)]
        rounds: u32,
    },
    /// What real visitors get under every flood, beside the rivals; rewrites docs/goodput.md
    Goodput(goodput::GoodputArguments),
    /// The origin dies under load and comes back: what visitors are answered, how soon it is noticed
    Outage,
    /// How right detection is, over generated episodes and real data
    Detection(detection::DetectionArguments),
    /// What a decision costs: tokens verified, requests judged, from a thousand sources to ten million
    Policy,
    /// Records of evidence appended and verified a second, on one core
    Evidence,
    /// Lines of log a second, from the file to the verdict, on one core
    Replay(replay::ReplayArguments),
}

/// Runs one benchmark.
pub(crate) fn run(shell: &xshell::Shell, arguments: &BenchArguments) -> Result<(), String> {
    if matches!(arguments.command, Bench::Policy) {
        let bench = xshell::cmd!(shell, "cargo bench --package floodwall-policy --bench decisions");
        return crate::run_step("the policy's benchmark", &bench);
    }
    if matches!(arguments.command, Bench::Evidence) {
        let bench =
            xshell::cmd!(shell, "taskset -c 0 cargo bench --package floodwall-evidence-log --bench log");
        return crate::run_step("the evidence log's benchmark", &bench);
    }
    if let Bench::Detection(detection) = &arguments.command {
        let (document, reached) = detection::run(detection, &mut print)?;
        if arguments.json {
            print(&serde_json::to_string_pretty(&document).map_err(|error| error.to_string())?);
        }
        return if reached { Ok(()) } else { Err("a target was not reached: see above".to_owned()) };
    }
    let mut packages = vec![("setpriv", "util-linux"), ("taskset", "util-linux")];
    match &arguments.command {
        Bench::Edge(edge) => packages.extend(edge::packages(edge)),
        Bench::Connections(_) | Bench::Sources(_) => packages.push(("nginx", "nginx-light")),
        Bench::Goodput(_) => packages.extend(goodput::PACKAGES),
        Bench::Kill { .. }
        | Bench::Outage
        | Bench::Policy
        | Bench::Evidence
        | Bench::Replay(_)
        | Bench::Detection(_) => {}
    }
    setup::require_packages(shell, &packages)?;
    let floodwall = match &arguments.floodwall {
        Some(given) => std::path::absolute(given).map_err(|error| error.to_string())?,
        None => build()?,
    };
    let json = arguments.json;
    let mut say = |text: &str| {
        if !json {
            print(text);
        }
    };
    let (document, reached) = match &arguments.command {
        Bench::Edge(edge) => edge::run(edge, &floodwall, &mut say)?,
        Bench::Connections(connections) => connections::run(connections, &floodwall, &mut say)?,
        Bench::Sources(sources) => sources::run(sources, &floodwall, &mut say)?,
        Bench::Kill { rounds } => return kill::run(&floodwall, *rounds),
        Bench::Goodput(goodput) => return goodput::run(goodput, &floodwall, &mut say),
        Bench::Outage => return outage::run(&floodwall),
        Bench::Policy | Bench::Evidence | Bench::Detection(_) => return Ok(()),
        Bench::Replay(replay) => replay::run(replay, &floodwall, &mut say)?,
    };
    if json {
        print(&serde_json::to_string_pretty(&document).map_err(|error| error.to_string())?);
    }
    if reached { Ok(()) } else { Err("a target was not reached, or rounds were void: see above".to_owned()) }
}

/// Prints for people or programs. That nobody takes it is nothing we could tell them.
fn print(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Builds floodwall as it is released; the path of the binary, from cargo itself.
fn build() -> Result<PathBuf, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut command = Command::new(cargo);
    command.args([
        "build",
        "--release",
        "--package",
        "floodwall",
        "--message-format=json-render-diagnostics",
    ]);
    let output = command.current_dir(workspace).stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| format!("cannot start cargo: {error}"))?;
    if !output.status.success() {
        return Err("floodwall does not build".to_owned());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let mut executables = text.lines().filter_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let named = message.get("target")?.get("name")?.as_str() == Some("floodwall");
        let path = message.get("executable")?.as_str()?;
        named.then(|| PathBuf::from(path))
    });
    executables.next_back().ok_or_else(|| "cargo names no floodwall binary".to_owned())
}
