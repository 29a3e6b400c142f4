//! `floodwall watch`: probes from this vantage, by themselves: once, or until told to stop.
//!
//! Limits: what is found is printed and not kept; the watch inside `floodwall serve` keeps it.

mod words;

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use floodwall_model::Clock;
use floodwall_outage::TargetSettings;
use floodwall_watch::{
    AddressRule, Check, ProbeTarget, Prober, RESULTS_WAITING_MAX, Resolver, TIMEOUT_DEFAULT, WatchSettings,
    Watched,
};
use tokio::signal::unix::{SignalKind, signal};

use crate::clock::SystemClock;
use crate::commands::{EXIT_NO, EXIT_USAGE, fail, show_faults};
use crate::settings::{Settings, checks_of_site, duration};

/// Targets of one command.
const TARGETS_MAX: usize = 16_384;

#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("what").args(["config", "targets"]).required(true).multiple(true))]
pub(crate) struct WatchArguments {
    /// What to probe: https://host/path, http://..., tls://host:443, tcp://host:port, dns://host
    #[arg(value_name = "TARGET")]
    targets: Vec<Check>,
    /// Settings file (TOML): every exact host of every `[[site]]` is watched
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Time between two probes of a target
    #[arg(long, visible_alias = "interval", value_name = "DURATION", default_value = "60s", value_parser = duration)]
    every: Duration,
    /// The same while what is seen and what is said disagree
    #[arg(long, visible_alias = "confirm-interval", value_name = "DURATION", default_value = "10s", value_parser = duration)]
    confirm_every: Duration,
    /// Probes more against a state than for it that change it, both ways
    #[arg(long, value_name = "NUMBER", default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=20))]
    confirm: u8,
    /// Time that one probe of one address has
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    timeout: Duration,
    /// Asked after a failure; when none of them is reached either, the trouble is this host's own
    #[arg(long, value_name = "TARGET")]
    reference: Vec<Check>,
    /// Probe addresses of private networks and of this host too
    #[arg(long)]
    inside: bool,
    /// This vantage's name
    #[arg(long, value_name = "NAME", default_value = "here")]
    vantage: String,
    /// Probe every target once, say what came of it, and end
    #[arg(long)]
    once: bool,
    /// Print JSON: one object with --once, else one a line
    #[arg(long)]
    json: bool,
}

/// Probes; the exit status.
pub(crate) fn run(arguments: &WatchArguments) -> ExitCode {
    let watched = match targets(arguments) {
        Ok(watched) => watched,
        Err(status) => return status,
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let resolver = Resolver::of_system().unwrap_or_else(|error| {
        crate::commands::tell(&format!("floodwall: /etc/resolv.conf: {error}; names cannot be resolved"));
        Resolver { servers: Vec::new(), patience: Duration::from_secs(2) }
    });
    let prober = match Prober::new(Arc::clone(&clock), resolver, &[]) {
        Ok(prober) => prober,
        Err(error) => return fail(&format!("floodwall: {error}"), EXIT_NO),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("floodwall: no event loop: {error}"), EXIT_NO),
    };
    if arguments.once {
        runtime.block_on(once(&prober, &watched, arguments.json))
    } else {
        runtime.block_on(go_on(prober, clock, watched, arguments))
    }
}

fn targets(arguments: &WatchArguments) -> Result<Vec<Watched>, ExitCode> {
    let rule = if arguments.inside { AddressRule::Any } else { AddressRule::PublicOnly };
    let mut checks = arguments.targets.clone();
    if let Some(file) = &arguments.config {
        match Settings::load(file) {
            Ok((settings, warnings)) => {
                show_faults(&warnings);
                let own = settings.sites.iter().flat_map(checks_of_site);
                checks.extend(own.map(|(_, check)| check));
            }
            Err(faults) => {
                show_faults(&faults);
                return Err(ExitCode::from(EXIT_USAGE));
            }
        }
    }
    if checks.is_empty() || checks.len() > TARGETS_MAX {
        let message = format!("floodwall: {} targets; name 1 to {TARGETS_MAX}", checks.len());
        return Err(fail(&message, EXIT_USAGE));
    }
    let settings = TargetSettings {
        interval: arguments.every.max(Duration::from_secs(1)),
        confirm_every: arguments.confirm_every.clamp(Duration::from_secs(1), arguments.every),
        confirm: arguments.confirm,
        silent_after: arguments.every.saturating_mul(3).saturating_add(arguments.timeout),
    };
    let mut seen = BTreeSet::new();
    let named = checks.into_iter().map(|check| (words::name_of(&check), check));
    let own = named.filter(|(name, _)| seen.insert(name.clone()));
    let watched = own.map(|(name, check)| Watched {
        name: name.into(),
        target: ProbeTarget { check, timeout: arguments.timeout, addresses: rule },
        settings,
        records: Vec::new(),
    });
    Ok(watched.collect())
}

async fn once(prober: &Prober, watched: &[Watched], json: bool) -> ExitCode {
    let mut reports = Vec::new();
    for target in watched {
        reports.push((Arc::clone(&target.name), prober.probe(&target.target).await));
    }
    let all_up = reports.iter().all(|(_, report)| report.outcome().is_ok());
    let mut out = std::io::stdout().lock();
    // A reader that has gone away needs no message; the status still tells.
    let _ = if json {
        let targets: Vec<_> = reports.iter().map(|(name, report)| words::report_json(name, report)).collect();
        writeln!(out, "{:#}", serde_json::json!({ "all_up": all_up, "targets": targets }))
    } else {
        reports.iter().try_for_each(|(name, report)| write!(out, "{}", words::report_text(name, report)))
    };
    ExitCode::from(if all_up { 0 } else { EXIT_NO })
}

async fn go_on(
    prober: Prober,
    clock: Arc<dyn Clock>,
    watched: Vec<Watched>,
    arguments: &WatchArguments,
) -> ExitCode {
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return fail("floodwall: the operating system gave no signals", EXIT_NO);
    };
    let reference = |check: &Check| ProbeTarget {
        check: check.clone(),
        timeout: arguments.timeout.min(TIMEOUT_DEFAULT),
        addresses: AddressRule::Any,
    };
    let settings = WatchSettings {
        vantage: arguments.vantage.clone(),
        references: arguments.reference.iter().map(reference).collect(),
        ..WatchSettings::default()
    };
    if settings.references.is_empty() {
        crate::commands::tell(
            "floodwall: without --reference a failure of this host's own network looks like the targets'",
        );
    }
    let (results, mut judged) = tokio::sync::mpsc::channel(RESULTS_WAITING_MAX);
    let watching =
        tokio::spawn(floodwall_watch::watch(prober, Arc::clone(&clock), settings, watched, results));
    let status = loop {
        let told = tokio::select! {
            told = judged.recv() => told,
            _ = interrupt.recv() => break ExitCode::SUCCESS,
            _ = terminate.recv() => break ExitCode::SUCCESS,
        };
        let Some(told) = told else { break ExitCode::from(EXIT_NO) };
        let text = if arguments.json {
            format!("{}\n", words::judged_json(&told))
        } else {
            words::judged_text(&told)
        };
        if std::io::stdout().lock().write_all(text.as_bytes()).is_err() {
            break ExitCode::SUCCESS;
        }
    };
    watching.abort();
    status
}
