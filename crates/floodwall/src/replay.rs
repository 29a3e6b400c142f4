//! `floodwall replay`: past traffic through detection and admission, and what would have been said
//! and refused.
//!
//! Log files become [`event::Event`]s, in the order of their times ([`merge`], [`order`]); detection
//! and the gate take them second by second, as they would take live traffic. Nothing is connected to
//! and nothing is changed. Memory is bounded, whatever the log.

mod addresses;
mod admission;
mod assumed_origin;
mod clock_steps;
mod counts;
mod detection;
mod episode;
mod event;
mod files;
mod json;
mod merge;
mod minutes;
mod order;
mod outcome;
mod plot;
mod reading;
mod series;
mod source;
mod tally;
mod text;
mod visitors;
mod words;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use clap::Args;
use floodwall_detection::Baselines;
use floodwall_exchange::access_log::{LogFormat, parse_utc_offset};
use floodwall_model::Prefix;
use floodwall_policy::GateSettings;
use indicatif::{ProgressBar, ProgressStyle};

use crate::baselines_file::{self, BaselinesError};
use crate::commands::{EXIT_NO, EXIT_USAGE, fail, show_faults, tell};
use crate::edge_config::edge_config;
use crate::settings::{Settings, parse_duration};
use admission::AdmissionOptions;
use assumed_origin::OriginAssumption;
use detection::DetectionOptions;
use files::LogFile;
use outcome::{Outcome, Replayed};
use source::ReadOptions;

/// What `floodwall replay` takes.
#[derive(Args, Debug)]
pub(crate) struct ReplayArguments {
    /// Log files, plain or gzip, in any order; `-` for standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Their format: auto, combined, common, nginx-json, caddy, haproxy, w3c, counts
    #[arg(long, value_name = "FORMAT", default_value = "auto", value_parser = format)]
    format: Format,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    /// Write the traffic as a picture (SVG) to this file
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// Take limits and trusted proxies from this settings file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Proxies whose word on a visitor's address is taken; may be given several times
    #[arg(long, value_name = "PREFIX")]
    trusted_proxies: Vec<Prefix>,
    /// Offset from UTC of times that say none: +02:00
    #[arg(long, value_name = "OFFSET", default_value = "+00:00", value_parser = utc_offset, allow_hyphen_values = true)]
    utc_offset: i32,
    /// The site's own name, by which referrers are told apart; may be given several times [default: found
    /// in the log]
    #[arg(long, value_name = "HOST")]
    host: Vec<String>,
    /// Begin with what was learned before, from this file
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Keep what is learned of calm times in this file, as the server reads it from its state directory;
    /// what it holds of other sites stays
    #[arg(long, value_name = "FILE")]
    learn: Option<PathBuf>,
    /// The site's name in these files [default: that of the settings' first site, or site]
    #[arg(long, value_name = "NAME")]
    site: Option<String>,
    /// Answers a second that the origin is taken to be able to give
    #[arg(long, value_name = "NUMBER", default_value_t = OriginAssumption::PER_SECOND, value_parser = per_second)]
    origin_capacity: f64,
    /// How long the origin is taken to need for an answer [default: what the log says, or 80ms]
    #[arg(long, value_name = "TIME", value_parser = latency)]
    origin_latency: Option<Duration>,
}

/// A format, or whichever it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Auto,
    One(LogFormat),
}

fn format(name: &str) -> Result<Format, String> {
    if name == "auto" {
        return Ok(Format::Auto);
    }
    name.parse()
        .map(Format::One)
        .map_err(|error: floodwall_exchange::access_log::UnknownFormat| format!("{error}, or auto"))
}

fn utc_offset(text: &str) -> Result<i32, String> {
    parse_utc_offset(text).ok_or_else(|| format!("`{text}` is no offset from UTC; write for example +02:00"))
}

fn per_second(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if (0.1..=1_000_000.0).contains(&number) => Ok(number),
        _ => Err(format!("`{text}` is no number of answers a second from 0.1 to 1000000")),
    }
}

fn latency(text: &str) -> Result<Duration, String> {
    let duration = parse_duration(text)?;
    if (Duration::from_millis(1)..=Duration::from_secs(30)).contains(&duration) {
        Ok(duration)
    } else {
        Err(format!("`{text}` is not between 1ms and 30s"))
    }
}

/// Everything a replay is told.
struct Options {
    /// The site's name where what is learned is kept.
    site: String,
    read: ReadOptions,
    admission: AdmissionOptions,
    detection: DetectionOptions,
}

/// Replays the logs and prints what came of it.
pub(crate) fn run(arguments: &ReplayArguments) -> ExitCode {
    let files = match find(&arguments.files) {
        Ok(files) => files,
        Err(message) => return fail(&message, EXIT_USAGE),
    };
    let options = match options(arguments) {
        Ok(options) => options,
        Err(status) => return status,
    };
    let site = options.site.clone();
    let outcome = match replay(&files, options) {
        Ok(outcome) => outcome,
        Err(error) => return fail(&format!("floodwall: no thread to read with: {error}"), EXIT_NO),
    };
    if let Err(message) = write_files(arguments, &site, &outcome) {
        return fail(&message, EXIT_NO);
    }
    let text = if arguments.json { json::render(&outcome) } else { text::render(&outcome) };
    // Nobody reads any more: no fault of ours.
    let _ = std::io::stdout().write_all(text.as_bytes());
    let unread: Vec<_> = outcome.tallies.iter().filter(|tally| tally.records == 0).collect();
    for tally in &unread {
        tell(&format!(
            "floodwall: {}: no line of it could be read; name its format with --format, or see docs/replay.md",
            tally.name
        ));
    }
    if unread.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_NO) }
}

/// Writes the picture and what was learned, where they are wanted.
fn write_files(arguments: &ReplayArguments, site: &str, outcome: &Outcome) -> Result<(), String> {
    let write = |file: &Path, content: String| {
        std::fs::write(file, content).map_err(|error| format!("floodwall: {}: {error}", file.display()))
    };
    if let Some(file) = &arguments.plot {
        write(file, plot::svg(outcome))?;
    }
    if let Some(file) = &arguments.learn {
        learn(file, site, &outcome.detected.baselines).map_err(|error| format!("floodwall: {error}"))?;
    }
    Ok(())
}

/// Adds what was learned of a site to a file, or makes it.
fn learn(file: &Path, site: &str, learned: &Baselines) -> Result<(), BaselinesError> {
    let mut sites = if file.exists() { baselines_file::read(file)?.sites } else { BTreeMap::new() };
    sites.insert(site.to_owned(), learned.clone());
    baselines_file::write(file, sites.iter().map(|(site, baselines)| (site.as_str(), baselines)))
}

/// Looks for all files; every fault in one message.
fn find(paths: &[PathBuf]) -> Result<Vec<LogFile>, String> {
    let (mut files, mut faults) = (Vec::new(), Vec::new());
    for path in paths {
        match LogFile::find(path) {
            Ok(file) => files.push(file),
            Err(fault) => faults.push(format!("floodwall: {fault}")),
        }
    }
    if faults.is_empty() { Ok(files) } else { Err(faults.join("\n")) }
}

/// What the command line and the settings say.
///
/// # Errors
/// The exit status, once it has been said why.
fn options(arguments: &ReplayArguments) -> Result<Options, ExitCode> {
    let mut trusted_proxies = arguments.trusted_proxies.clone();
    let mut hosts = arguments.host.clone();
    let (mut limits, mut first_site) = (None, None);
    if let Some(path) = &arguments.config {
        let (settings, warnings) = Settings::load(path).map_err(|faults| {
            show_faults(&faults);
            ExitCode::from(EXIT_USAGE)
        })?;
        show_faults(&warnings);
        let config = edge_config(&settings);
        trusted_proxies.extend(config.trusted_proxies);
        if let Some(site) = config.sites.first() {
            first_site = Some(site.name.to_string());
            limits = Some((site.policy, config.tracked_prefixes));
            // Of `*.example.gov` no page is known by name.
            hosts.extend(site.hosts.iter().filter(|host| !host.contains('*')).map(ToString::to_string));
        }
    }
    let site = arguments.site.clone().or(first_site).unwrap_or_else(|| "site".to_owned());
    let baselines = match &arguments.baseline {
        Some(file) => Some(read_baseline(file, &site).map_err(|message| fail(&message, EXIT_USAGE))?),
        None => None,
    };
    let format = match arguments.format {
        Format::Auto => None,
        Format::One(format) => Some(format),
    };
    let utc_offset_s = arguments.utc_offset;
    let origin =
        OriginAssumption { per_second: arguments.origin_capacity, latency: arguments.origin_latency };
    Ok(Options {
        site,
        read: ReadOptions { format, utc_offset_s, trusted_proxies, hosts },
        admission: AdmissionOptions { gate: GateSettings::default(), origin, limits },
        detection: DetectionOptions { baselines, utc_offset_s },
    })
}

fn read_baseline(file: &Path, site: &str) -> Result<Baselines, String> {
    let mut learned = baselines_file::read(file).map_err(|error| format!("floodwall: {error}"))?;
    let known: Vec<_> = learned.sites.keys().cloned().collect();
    learned.sites.remove(site).ok_or_else(|| {
        let faults: String = learned.faults.iter().map(|fault| format!("; {fault}")).collect();
        format!(
            "floodwall: {}: nothing is known of the site `{site}`{faults}; name one with --site: {}",
            file.display(),
            known.join(", ")
        )
    })
}

fn replay(files: &[LogFile], options: Options) -> std::io::Result<Outcome> {
    let read_bytes = Arc::new(AtomicU64::new(0));
    let bar = progress_bar(files);
    let mut replayed = Replayed::new(options.admission, options.detection);
    let read = merge::read_all(files, &options.read, &read_bytes, &mut replayed, || {
        bar.set_position(read_bytes.load(Relaxed));
    })?;
    bar.finish_and_clear();
    Ok(replayed.finish(read, read_bytes.load(Relaxed)))
}

fn progress_bar(files: &[LogFile]) -> ProgressBar {
    let bar = ProgressBar::new(files.iter().map(|file| file.bytes).sum());
    let template = "{wide_bar} {bytes:>10} of {total_bytes}  {bytes_per_sec}  {eta} left";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}
