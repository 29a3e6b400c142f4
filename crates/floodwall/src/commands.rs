//! The command line: what it takes, and which command it leads to.

use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use floodwall_edge::EdgeError;

use crate::orders::Effect;
use crate::settings::{Faults, Settings, TextForm};
use crate::{
    check, claim, demo, doctor, drill, evidence, explain, incident, limits, logging, orders, outage,
    probe_credential, purge, replay, serve, status, watch,
};

/// The answer is no, or something failed.
pub(crate) const EXIT_NO: u8 = 1;
/// The command line or the configuration is at fault.
pub(crate) const EXIT_USAGE: u8 = 2;

const EXAMPLES: &str = "\
Examples:
  floodwall demo
  floodwall serve --listen 127.0.0.1:8080 --origin http://127.0.0.1:3000
  floodwall check --config floodwall.toml
  floodwall serve --config floodwall.toml

Exit status: 0 well, 1 the answer is no or something failed, 2 usage or configuration.";

/// Self-hosted DDoS defence for public-service websites.
#[derive(Debug, Parser)]
#[command(name = "floodwall", version, after_help = EXAMPLES, arg_required_else_help = true)]
pub(crate) struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Protect sites: edge, control loop, store and console on this host
    #[command(after_help = "\
Examples:
  floodwall serve --config /etc/floodwall/floodwall.toml
  floodwall serve --listen 127.0.0.1:8080 --origin http://127.0.0.1:3000

Signals: SIGTERM and SIGINT drain and stop (a second one stops at once); SIGHUP opens the access log anew, and loads the certificates and the files that say who clients are anew.

Exit status: 0 stopped, 1 failed now (a port in use, a disk that is full: starting again may help),
2 the command line or the settings must be changed first (for systemd: RestartPreventExitStatus=2).")]
    Serve(ServeArguments),
    /// Show a sample voter-information site behind the whole of it, on loopback
    #[command(after_help = "\
Examples:
  floodwall demo
  floodwall demo --site 127.0.0.1:8080 --admin 127.0.0.1:9800")]
    Demo(demo::DemoArguments),
    /// Find every fault of a settings file: line, key, what is wrong, what to write
    #[command(after_help = "\
Examples:
  floodwall check --config floodwall.toml
  floodwall check --config floodwall.toml --offline --json")]
    Check(CheckArguments),
    /// Say what this host can do: kernel, limits, capabilities, clock, ports
    #[command(after_help = "\
Examples:
  floodwall doctor
  floodwall doctor --json")]
    Doctor(DoctorArguments),
    /// Say what became of a request, by the reference ID on its page, or how an address stands
    #[command(after_help = "\
Examples:
  floodwall explain 7F3K-9QWX-02MB
  floodwall explain 7F3K-9QWX-02MB --from 192.0.2.7 --config /etc/floodwall/floodwall.toml
  floodwall explain 192.0.2.7 --json

An ID is read with the secret in the state directory, whether or not the server runs; an address is
explained by the running server. Run it as root or as the user Floodwall runs as.
Exit status: 0 explained, 1 nothing is known or the server does not run, 2 usage or configuration.")]
    Explain(explain::ExplainArguments),
    /// Say what can be reached through this server and what cannot, in words to repeat
    #[command(after_help = "\
Examples:
  floodwall limits --config /etc/floodwall/floodwall.toml
  floodwall limits --config /etc/floodwall/floodwall.toml --json

It is said from the settings alone; nothing is tried.
Exit status: 0 said, 2 usage or configuration.")]
    Limits(limits::LimitsArguments),
    /// Unusual traffic: what it was, since when, how sure, why, and what it cost people
    #[command(after_help = "\
Examples:
  floodwall incident list --config /etc/floodwall/floodwall.toml
  floodwall incident show sos-20261103-120000-1 --config /etc/floodwall/floodwall.toml

The running server is asked; when it does not run, its store is read. Run it as root or as the user
Floodwall runs as. docs/incidents.md says what an incident is.")]
    Incident(incident::IncidentArguments),
    /// Outages that the watch saw: what, since when, how long, why
    #[command(after_help = "\
Examples:
  floodwall outage list --config /etc/floodwall/floodwall.toml
  floodwall outage list --max 5 --json

The running server is asked; when it does not run, its store is read. docs/watch.md says what is
watched.")]
    Outage(outage::OutageArguments),
    /// The public status page
    #[command(after_help = "\
Examples:
  floodwall status publish /var/www/status --config /etc/floodwall/floodwall.toml

docs/watch.md says what is on it.")]
    Status(status::StatusArguments),
    /// Probe sites as a visitor would, and say since when, how long and why they are down
    #[command(after_help = "\
Examples:
  floodwall watch --once https://www.sos.example.gov/ dns://www.sos.example.gov
  floodwall watch --config /etc/floodwall/floodwall.toml --reference tcp://gateway.example.net:443
  floodwall watch --json --every 30s --inside http://10.0.0.5:8080/

Addresses of private networks are refused unless --inside allows them.
Exit status: 0 all up (--once) or told to stop, 1 not, 2 usage or configuration.")]
    Watch(watch::WatchArguments),
    /// Make what a monitoring probe shows, so that it is let through while visitors wait
    #[command(after_help = "\
Examples:
  floodwall probe uptime --config /etc/floodwall/floodwall.toml
  floodwall probe uptime --config /etc/floodwall/floodwall.toml --site sos --for 30d
  curl -H \"$(floodwall probe uptime --config floodwall.toml --for 1h)\" https://www.sos.example.gov/

Raising `generation` of the site revokes it, together with all that visitors were given.
Exit status: 0 made, 1 the secret cannot be read, 2 usage or configuration.")]
    Probe(probe_credential::ProbeArguments),
    /// Block addresses at the running server, for a time
    #[command(after_help = "\
Examples:
  floodwall block 192.0.2.7 --for 2h --why 'fetches the results file in a loop'
  floodwall block 2001:db8:7::/48 198.51.100.0/24 --config /etc/floodwall/floodwall.toml
  floodwall block --lift 192.0.2.7
  floodwall block --list

Many people can share one address. A flood is met by the gates without this; it is for what an
operator knows better. What another order allows is let in all the same.
Exit status: 0 done, 1 the server does not run or refused, 2 usage or configuration.")]
    Block(orders::OrderArguments),
    /// Let addresses in before everybody at the running server, for a time, and never ask anything of them
    #[command(after_help = "\
Examples:
  floodwall allow 198.51.100.12 --for 24h --why 'county clerk on a hotel network'
  floodwall allow --lift 198.51.100.12
  floodwall allow --list

For always, write site.admission.allow in the settings.
Exit status: 0 done, 1 the server does not run or refused, 2 usage or configuration.")]
    Allow(orders::OrderArguments),
    /// Have the running server ask anew for what it keeps, or forget it
    #[command(after_help = "\
Examples:
  floodwall purge https://www.sos.example.gov/deadlines --config /etc/floodwall/floodwall.toml
  floodwall purge 'https://www.sos.example.gov/news/*' --tag results
  floodwall purge --all --remove

What is purged stands in while the origin fails, unless --remove is given.
Exit status: 0 done, 1 the server does not run or refused, 2 usage or configuration.")]
    Purge(purge::PurgeArguments),
    /// Rehearse: real visitors and floods against this program, on hosts of its own
    #[command(after_help = "\
Examples:
  floodwall drill --quick
  floodwall drill many-light crowd
  floodwall drill --simulated
  floodwall drill --config floodwall.toml --json many-light
  floodwall drill --list

Everything happens on hosts that the drill makes itself: network namespaces as root, loopback
otherwise. Exit status: 0 measured, 1 a measurement is void or failed, 2 usage or configuration.")]
    Drill(drill::DrillArguments),
    /// Past traffic through detection and admission: what would have been said and refused
    #[command(after_help = "\
Examples:
  floodwall replay /var/log/nginx/access.log
  floodwall replay --json /var/log/nginx/access.log*
  floodwall replay --format counts requests-per-minute.csv
  floodwall replay --origin-capacity 40 --config /etc/floodwall/floodwall.toml access.log.1.gz access.log
  journalctl -u caddy -o cat | floodwall replay -

Exit status: 0 replayed, whatever was found, 1 of a file no line could be read, 2 usage or configuration.")]
    Replay(replay::ReplayArguments),
    /// What was recorded: verify it, show it, bundle it for somebody else
    #[command(after_help = "\
Examples:
  floodwall evidence verify incident.tar
  floodwall evidence show --config floodwall.toml --last 20
  floodwall evidence bundle --config floodwall.toml --output incident.tar --from 2026-11-03T06:00:00Z

Exit status: 0 well, 1 something is wrong or there is nothing, 2 usage or configuration.")]
    Evidence(evidence::EvidenceArguments),
    /// What somebody claims: write it down, see whether it names you, test it against what was recorded
    #[command(after_help = "\
Examples:
  floodwall claim import --config floodwall.toml result.json
  floodwall claim list --config floodwall.toml --named
  floodwall claim test c-3f2a91c0d4e5 --config floodwall.toml

A claim is never an attribution, however well it stands the test. docs/claims.md says how it is tested.
Exit status: 0 well, 1 the answer is no or it failed, 2 usage or configuration.")]
    Claim(claim::ClaimArguments),
    /// A process of the drill
    #[command(hide = true)]
    DrillAgent(drill::AgentArguments),
    /// The sample site of `demo` alone
    #[command(hide = true)]
    DemoOrigin(demo::DemoOriginArguments),
}

#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("what").args(["config", "origin"]).required(true).multiple(true))]
struct ServeArguments {
    /// Settings file (TOML)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["listen", "origin"])]
    config: Option<PathBuf>,
    /// Address to serve the site on, without a settings file; may be given several times
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: Vec<String>,
    /// Where the site's pages come from, without a settings file; may be given several times
    #[arg(long, value_name = "URL")]
    origin: Vec<String>,
    /// Address of the console, without a settings file [default: 127.0.0.1:9800]
    #[arg(long, value_name = "ADDRESS", conflicts_with = "config")]
    admin: Option<String>,
    /// Directory for the store, without a settings file; by default one that is removed at the end
    #[arg(long, value_name = "DIRECTORY", conflicts_with = "config")]
    state: Option<PathBuf>,
}

#[derive(Args, Debug)]
struct CheckArguments {
    /// Settings file (TOML)
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Print the faults as JSON
    #[arg(long)]
    json: bool,
    /// Look at the file only: try no port, origin or directory
    #[arg(long)]
    offline: bool,
}

#[derive(Args, Debug)]
struct DoctorArguments {
    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command that was asked for.
pub(crate) fn run(line: CommandLine) -> ExitCode {
    let (mut out, mut err) = (std::io::stdout().lock(), std::io::stderr().lock());
    match line.command {
        Command::Serve(arguments) => {
            drop((out, err));
            serve_command(arguments)
        }
        Command::Demo(arguments) => {
            drop((out, err));
            demo::run(&arguments)
        }
        Command::DemoOrigin(arguments) => {
            drop((out, err));
            demo::run_origin(&arguments)
        }
        Command::Drill(arguments) => {
            drop((out, err));
            drill::run(&arguments)
        }
        Command::Replay(arguments) => {
            drop((out, err));
            replay::run(&arguments)
        }
        Command::Watch(arguments) => {
            drop((out, err));
            watch::run(&arguments)
        }
        Command::DrillAgent(arguments) => {
            drop((out, err));
            drill::run_agent(&arguments)
        }
        Command::Check(arguments) => {
            let options = check::Options {
                config: arguments.config,
                json: arguments.json,
                offline: arguments.offline,
                form: stderr_form(),
            };
            check::run(&options, &mut out, &mut err).into()
        }
        Command::Doctor(arguments) => doctor::run(arguments.json, &mut out).into(),
        Command::Explain(arguments) => explain::run(&arguments, &mut out, &mut err).into(),
        Command::Limits(arguments) => limits::run(&arguments, &mut out).into(),
        Command::Block(arguments) => orders::run(Effect::Block, &arguments, &mut out, &mut err).into(),
        Command::Allow(arguments) => orders::run(Effect::Allow, &arguments, &mut out, &mut err).into(),
        Command::Purge(arguments) => purge::run(&arguments, &mut out, &mut err).into(),
        Command::Incident(arguments) => incident::run(&arguments, &mut out, &mut err).into(),
        Command::Outage(arguments) => outage::run(&arguments, &mut out, &mut err).into(),
        Command::Status(arguments) => status::run(&arguments, &mut out, &mut err).into(),
        Command::Evidence(arguments) => evidence::run(&arguments, &mut out, &mut err).into(),
        Command::Claim(arguments) => claim::run(&arguments, &mut out, &mut err).into(),
        Command::Probe(arguments) => probe_credential::run(&arguments, &mut out, &mut err).into(),
    }
}

/// How messages are written: as wide as the terminal, and coloured unless somebody minds
/// (<https://no-color.org>).
pub(crate) fn stderr_form() -> TextForm {
    let stderr = std::io::stderr();
    if !stderr.is_terminal() {
        return TextForm::PLAIN;
    }
    let columns = rustix::termios::tcgetwinsize(&stderr).map_or(0, |size| usize::from(size.ws_col));
    TextForm {
        color: std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        // Some terminals do not know their width.
        columns: if columns == 0 { TextForm::PLAIN.columns } else { columns },
    }
}

/// Prints a message for people on stderr. That it cannot be printed is nothing we could tell.
pub(crate) fn tell(message: &str) {
    let _ = writeln!(std::io::stderr(), "{message}");
}

fn serve_command(arguments: ServeArguments) -> ExitCode {
    logging::start();
    // Kept until the end: the directory goes when this value does.
    let mut temporary = None;
    let loaded = match &arguments.config {
        Some(file) => Settings::load(file),
        None => {
            let state = match state_directory(arguments.state, &mut temporary) {
                Ok(state) => state,
                Err(message) => return fail(&message, EXIT_NO),
            };
            Settings::from_listen_and_origin(
                &arguments.listen,
                &arguments.origin,
                arguments.admin.as_deref(),
                &state,
            )
        }
    };
    match loaded {
        Ok((settings, warnings)) => {
            show_faults(&warnings);
            run_server(&settings)
        }
        Err(faults) => {
            show_faults(&faults);
            ExitCode::from(EXIT_USAGE)
        }
    }
}

fn state_directory(
    given: Option<PathBuf>,
    temporary: &mut Option<tempfile::TempDir>,
) -> Result<PathBuf, String> {
    if let Some(directory) = given {
        return Ok(directory);
    }
    let directory = tempfile::Builder::new().prefix("floodwall-").tempdir().map_err(|error| {
        format!("floodwall: cannot make a temporary directory: {error}; name one with --state")
    })?;
    let path = directory.path().to_owned();
    *temporary = Some(directory);
    Ok(path)
}

fn run_server(settings: &Settings) -> ExitCode {
    let ready = |addresses: &serve::Addresses| {
        let list = |scheme: &str, addresses: &[SocketAddr]| {
            let urls: Vec<_> = addresses.iter().map(|address| format!("{scheme}://{address}")).collect();
            (!urls.is_empty()).then(|| urls.join(" "))
        };
        tracing::info!(
            http = list("http", &addresses.edge.http),
            https = list("https", &addresses.edge.https),
            console = format!("http://{}/", addresses.admin),
            "serving"
        );
    };
    match serve::run(settings, ready) {
        Ok(serve::Ended { failed: false }) => ExitCode::SUCCESS,
        Ok(serve::Ended { failed: true }) => ExitCode::from(EXIT_NO),
        Err(error) => fail_to_serve(&error),
    }
}

/// Says why serving could not begin. 2 where the settings must change first, so that a service
/// manager can tell what trying again does not mend.
pub(crate) fn fail_to_serve(error: &serve::ServeError) -> ExitCode {
    let hint = match error {
        serve::ServeError::Edge(EdgeError::Tls(_)) => {
            "\nthe files are those of `certificate` and `key` below [[site]]; `floodwall check --config FILE` shows \
             each with its line"
        }
        _ => "",
    };
    let message = format!("{error}{hint}");
    let lines: Vec<_> = message.lines().map(|line| format!("floodwall: {line}")).collect();
    fail(&lines.join("\n"), if error.is_about_settings() { EXIT_USAGE } else { EXIT_NO })
}

pub(crate) fn fail(message: &str, status: u8) -> ExitCode {
    tell(message);
    ExitCode::from(status)
}

pub(crate) fn show_faults(faults: &Faults) {
    if !faults.is_empty() {
        tell(faults.render(stderr_form()).trim_end());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_holds_together() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn a_file_and_an_origin_exclude_each_other() {
        for (line, good) in [
            ("floodwall serve --config f.toml", true),
            ("floodwall serve --origin http://127.0.0.1:3000", true),
            ("floodwall serve --listen 127.0.0.1:1 --origin http://127.0.0.1:3000", true),
            ("floodwall serve", false),
            ("floodwall serve --config f.toml --admin 127.0.0.1:1", false),
            ("floodwall serve --listen 127.0.0.1:1", false),
            ("floodwall serve --config f.toml --origin http://127.0.0.1:3000", false),
        ] {
            let parsed = CommandLine::try_parse_from(line.split(' '));
            assert_eq!(parsed.is_ok(), good, "{line}");
        }
    }
}
