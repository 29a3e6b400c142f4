//! The commands, and where they find claims and records.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use floodwall_assessment::{DeclaredSite, HostRule, TargetName};

use super::{add, import, list, test_command};
use crate::commands::{EXIT_NO, EXIT_USAGE, show_faults};
use crate::settings::{HostPattern, Origin, Settings, Site};

#[derive(Args, Debug)]
pub(crate) struct ClaimArguments {
    #[command(subcommand)]
    command: ClaimCommand,
}

#[derive(Debug, Subcommand)]
enum ClaimCommand {
    /// Write down one claim
    #[command(after_help = "\
Examples:
  floodwall claim add --config floodwall.toml --claimant \"Example Group\" --channel t.me/example \\
      --posted 2022-11-08T14:02Z --text-file post.txt
  floodwall claim add --config floodwall.toml --claimant \"Example Group\" --channel t.me/example \\
      --posted 2022-11-08 --target www.sos.example.gov --effect down --method http_flood --lasted 2h

What is not given is read out of the text by its words; what is given counts. Write a time as exactly
as it is known: 2022-11-08, 2022-11-08T14:02Z, 2022-11-08T14:02:07Z.
Exit status: 0 written down or known already, 1 it failed, 2 usage or configuration.")]
    Add(Box<add::AddArguments>),
    /// Read claims out of a file: a Telegram export, RSS or Atom, a table, a published list of targets
    #[command(after_help = "\
Examples:
  floodwall claim import --config floodwall.toml result.json
  floodwall claim import --config floodwall.toml --only-named feed.xml
  floodwall claim import --config floodwall.toml --claimant DDoSia --posted 2024-11-05 target-list.json
  floodwall claim import --config floodwall.toml --encoding windows-1251 claims.csv

Nothing is fetched. The same file can be read again: what is known stays, a post in another form is
kept beside its earlier one. docs/claims.md names the columns of a table.
Exit status: 0 read, 1 it ended early or failed, 2 usage or configuration.")]
    Import(import::ImportArguments),
    /// The claims that are kept, newest first, and which of them name your sites
    #[command(after_help = "\
Examples:
  floodwall claim list --config floodwall.toml
  floodwall claim list --config floodwall.toml --named --json

Exit status: 0 listed, 1 none is like that, 2 usage or configuration.")]
    List(list::ListArguments),
    /// Test a claim line by line against what was recorded
    #[command(after_help = "\
Examples:
  floodwall claim test c-3f2a91c0d4e5 --config floodwall.toml
  floodwall claim test c-3f2a91c0d4e5 --config floodwall.toml --public-since 2022-11-08T15:10Z --json
  floodwall claim test --all --config floodwall.toml

What there is no record of is untested, and never contradicts. Nothing is fetched, and nobody is asked.
Exit status: 0 tested, whatever came of it, 1 there is no such claim, 2 usage or configuration.")]
    Test(test_command::TestArguments),
}

/// Where claims and records are.
#[derive(Args, Debug)]
pub(super) struct Place {
    /// Settings file (TOML): names the state directory and your sites
    #[arg(long, value_name = "FILE", conflicts_with = "state")]
    config: Option<PathBuf>,
    /// The state directory of the server, without a settings file: then no site is known as yours
    #[arg(long, value_name = "DIRECTORY", default_value = "/var/lib/floodwall")]
    state: PathBuf,
}

/// The same, looked up.
pub(super) struct Found {
    pub(super) state: PathBuf,
    pub(super) sites: Vec<DeclaredSite>,
}

impl Place {
    /// An exit status where the settings are at fault.
    pub(super) fn find(&self) -> Result<Found, u8> {
        let Some(file) = &self.config else {
            return Ok(Found { state: self.state.clone(), sites: Vec::new() });
        };
        match Settings::load(file) {
            Ok((settings, _)) => {
                let sites = settings.sites.iter().map(declared).collect();
                Ok(Found { state: settings.server.state, sites })
            }
            Err(faults) => {
                show_faults(&faults);
                Err(EXIT_USAGE)
            }
        }
    }
}

/// A site as claims are compared with it.
pub(super) fn declared(site: &Site) -> DeclaredSite {
    let mut addresses: Vec<_> =
        site.origins.iter().filter_map(Origin::literal_address).map(|at| at.ip()).collect();
    let rule = |host: &HostPattern| match host {
        HostPattern::Exact(name) => Some(HostRule::Exact(name.clone())),
        HostPattern::Below(name) => Some(HostRule::Below(name.clone())),
        HostPattern::Any => None,
    };
    let mut hosts: Vec<HostRule> = site.hosts.iter().filter_map(rule).collect();
    hosts.retain(|host| match host {
        HostRule::Exact(name) => match TargetName::parse(name) {
            Ok((TargetName::Address(address), _)) => {
                addresses.push(address);
                false
            }
            _ => true,
        },
        HostRule::Below(_) => true,
    });
    DeclaredSite { name: site.name.clone(), hosts, addresses }
}

/// Why a command comes to nothing.
pub(super) enum Refusal {
    /// The answer is no, or something failed.
    No(String),
    /// What was asked for makes no sense.
    Usage(String),
    /// Something failed after this was done.
    After(String, String),
    /// It was said already.
    Said(u8),
}

impl<T: std::error::Error> From<T> for Refusal {
    fn from(error: T) -> Self {
        Self::No(error.to_string())
    }
}

/// Runs the command; its exit status.
pub(crate) fn run(arguments: &ClaimArguments, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    let done = match &arguments.command {
        ClaimCommand::Add(arguments) => add::run(arguments),
        ClaimCommand::Import(arguments) => import::run(arguments),
        ClaimCommand::List(arguments) => list::run(arguments),
        ClaimCommand::Test(arguments) => test_command::run(arguments),
    };
    let (message, status) = match done {
        Ok(text) => {
            // A reader that has gone away needs no message.
            let _ = out.write_all(text.as_bytes());
            return 0;
        }
        Err(Refusal::No(message)) => (message, EXIT_NO),
        Err(Refusal::Usage(message)) => (message, EXIT_USAGE),
        Err(Refusal::After(text, message)) => {
            let _ = out.write_all(text.as_bytes());
            (message, EXIT_NO)
        }
        Err(Refusal::Said(status)) => return status,
    };
    let _ = writeln!(err, "floodwall: {message}");
    status
}
