//! The commands, and where they find the log.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{DIRECTORY, bundle, show, verify};
use crate::commands::{EXIT_USAGE, show_faults};
use crate::settings::Settings;

#[derive(Args, Debug)]
pub(crate) struct EvidenceArguments {
    #[command(subcommand)]
    command: EvidenceCommand,
}

#[derive(Debug, Subcommand)]
enum EvidenceCommand {
    /// Verify a bundle or a log, offline: every record, proof and signature
    #[command(after_help = "\
Examples:
  floodwall evidence verify incident.tar
  floodwall evidence verify incident.tar --key \"$(cat key-the-office-published.vkey)\"
  floodwall evidence verify /var/lib/floodwall/evidence --json
  floodwall evidence verify /var/lib/floodwall/evidence --earlier checkpoint-of-last-year

What it shows: nothing was changed after it was logged. What it does not: that the sensor saw the
truth; and without --key, that the key is the office's.
Exit status: 0 all holds, 1 something is wrong (the first thing is named), 2 usage.")]
    Verify(verify::VerifyArguments),
    /// Print records of the log
    #[command(after_help = "\
Examples:
  floodwall evidence show --state /var/lib/floodwall --last 20
  floodwall evidence show --config floodwall.toml --from 2026-11-03T06:00:00Z --to 2026-11-03T09:00:00Z
  floodwall evidence show --config floodwall.toml --kind rung --json

Printed is not verified: `floodwall evidence verify` does that.
Exit status: 0 printed, 1 there is nothing or it cannot be read, 2 usage or configuration.")]
    Show(show::ShowArguments),
    /// Write one file for somebody else: records, proofs, signatures, and how to verify them
    #[command(after_help = "\
Examples:
  floodwall evidence bundle --config floodwall.toml --output incident.tar \\
      --from 2026-11-03T06:00:00Z --to 2026-11-03T09:00:00Z --purpose \"for the county's counsel\"
  floodwall evidence bundle --state /var/lib/floodwall --output rungs.tar --kind rung

Run it as root or as the user Floodwall runs as: the bundle is signed with the log's key.
Exit status: 0 written, 1 nothing to bundle or it failed, 2 usage or configuration.")]
    Bundle(bundle::BundleArguments),
}

/// Where a server keeps its state.
#[derive(Args, Debug)]
pub(super) struct Place {
    /// Settings file (TOML): names the state directory
    #[arg(long, value_name = "FILE", conflicts_with = "state")]
    pub(super) config: Option<PathBuf>,
    /// The state directory of the server
    #[arg(long, value_name = "DIRECTORY", default_value = "/var/lib/floodwall")]
    pub(super) state: PathBuf,
}

impl Place {
    /// The directory of the logs; an exit status where the settings are at fault.
    pub(super) fn logs(&self) -> Result<PathBuf, u8> {
        let state = match &self.config {
            None => self.state.clone(),
            Some(file) => match Settings::load(file) {
                Ok((settings, _)) => settings.server.state,
                Err(faults) => {
                    show_faults(&faults);
                    return Err(EXIT_USAGE);
                }
            },
        };
        Ok(state.join(DIRECTORY))
    }
}

/// Which records.
#[derive(Args, Debug, Default)]
pub(super) struct Choice {
    /// Records from this time on, RFC 3339
    #[arg(long, value_name = "TIME")]
    pub(super) from: Option<jiff::Timestamp>,
    /// Records before this time, RFC 3339
    #[arg(long, value_name = "TIME")]
    pub(super) to: Option<jiff::Timestamp>,
    /// Records of this kind: start, stop, minute, rung, incident, capture, operator, claim, loss, key_change
    #[arg(long, value_name = "KIND")]
    pub(super) kind: Option<String>,
    /// Records that name this incident
    #[arg(long, value_name = "ID")]
    pub(super) incident: Option<String>,
}

impl Choice {
    pub(super) fn takes(&self, record: &floodwall_evidence::Record) -> bool {
        let at: Option<jiff::Timestamp> = record.at.parse().ok();
        let is_of_incident = |wanted: &String| match &record.fact {
            floodwall_evidence::Fact::Incident(revision) => revision.incident == *wanted,
            _ => false,
        };
        self.from.is_none_or(|from| at.is_some_and(|at| at >= from))
            && self.to.is_none_or(|to| at.is_some_and(|at| at < to))
            && self.kind.as_ref().is_none_or(|kind| record.fact.kind() == kind)
            && self.incident.as_ref().is_none_or(is_of_incident)
    }
}

/// Runs the command; its exit status.
pub(crate) fn run(arguments: &EvidenceArguments, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    match &arguments.command {
        EvidenceCommand::Verify(arguments) => verify::run(arguments, out, err),
        EvidenceCommand::Show(arguments) => show::run(arguments, out, err),
        EvidenceCommand::Bundle(arguments) => bundle::run(arguments, out, err),
    }
}

pub(super) fn fail(err: &mut dyn Write, message: impl std::fmt::Display, status: u8) -> u8 {
    let _ = writeln!(err, "floodwall: {message}");
    status
}
