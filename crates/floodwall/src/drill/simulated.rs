//! `floodwall drill --simulated`: the same scenarios in simulated time, within seconds.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use floodwall_drill::random::Seed;
use floodwall_drill::twin::{Simulated, TwinSettings, simulate};
use floodwall_drill::{Plan, Scenario};
use floodwall_edge::{AdmissionMode, PathPattern, SiteAdmission};
use floodwall_policy::GateSettings;

use super::{DrillArguments, table};
use crate::commands::{EXIT_USAGE, show_faults};
use crate::edge_config::edge_config;
use crate::settings::{Faults, Settings};

/// Simulates the scenarios one after the other and prints what came of them.
pub(super) fn run(arguments: &DrillArguments, scenarios: &[Scenario]) -> ExitCode {
    let settings = match arguments.config.as_deref().map_or(Ok(TwinSettings::default()), settings) {
        Ok(settings) => settings,
        Err(faults) => {
            show_faults(&faults);
            return ExitCode::from(EXIT_USAGE);
        }
    };
    let plans = scenarios.iter().map(|scenario| Plan::new(scenario, Seed(arguments.seed)));
    let outcomes: Vec<Simulated> = plans.map(|plan| simulate(&plan, &settings)).collect();
    let text = if arguments.json {
        serde_json::to_string_pretty(&serde_json::json!({ "simulated": outcomes })).unwrap_or_default()
    } else {
        table::render_simulated(&outcomes)
    };
    let _ = writeln!(std::io::stdout(), "{text}");
    ExitCode::SUCCESS
}

/// What the twin takes from a settings file: the limits and the gates of its first site.
fn settings(path: &Path) -> Result<TwinSettings, Faults> {
    let (settings, warnings) = Settings::load(path)?;
    show_faults(&warnings);
    let config = edge_config(&settings);
    let own = TwinSettings { tracked_prefixes: config.tracked_prefixes, ..TwinSettings::default() };
    let Some(site) = config.sites.first() else { return Ok(own) };
    let admission = &site.admission;
    let gate =
        GateSettings { budget: admission.budget, wait_max: admission.wait_max, ..GateSettings::default() };
    Ok(TwinSettings {
        policy: site.policy,
        gate: (admission.mode == AdmissionMode::On).then_some(gate),
        look_ups_apart: class_of(admission, LOOK_UP_PATH) != class_of(admission, "/"),
        ..own
    })
}

/// The sample site's look-up.
const LOOK_UP_PATH: &str = "/polling-place/lookup";

/// The class that names a path first.
fn class_of(admission: &SiteAdmission, path: &str) -> Option<usize> {
    let names = |pattern: &PathPattern| match pattern {
        PathPattern::Exact(whole) => **whole == *path,
        PathPattern::Below(start) => path.starts_with(&**start),
    };
    admission.classes.iter().position(|(_, patterns)| patterns.iter().any(names))
}
