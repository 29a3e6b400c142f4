//! `floodwall doctor`: what this host can do, one line for each thing that matters, with what to do
//! where it falls short. Reads `/proc` and `/sys`, and tries ports; changes nothing.
//!
//! It knows no settings file: ports, state directory and numbers are those of the defaults.
//! `floodwall check` looks at what a file asks for.

pub(crate) mod machine;

#[cfg(test)]
pub(crate) mod fixture;
mod network;
mod system;
#[cfg(test)]
mod tests;

use std::io::Write;

use serde::Serialize;

use machine::{Machine, ThisMachine};
pub(crate) use system::{PORTS_BELOW_1024, clock_keeper};

/// The answer of one look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    /// As it should be.
    Ok,
    /// Works, but less well.
    Limited,
    /// Floodwall does not work without it.
    Missing,
    /// Cannot be told on this host.
    Unknown,
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Limited => "limited",
            Self::Missing => "missing",
            Self::Unknown => "unknown",
        }
    }
}

/// One thing looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Finding {
    name: String,
    state: State,
    /// What was found.
    found: String,
    /// What to do; empty where nothing is to be done.
    advice: String,
}

impl Finding {
    fn new(name: &str, state: State, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { name: name.to_owned(), state, found: found.into(), advice: advice.into() }
    }

    fn ok(name: &str, found: impl Into<String>) -> Self {
        Self::new(name, State::Ok, found, "")
    }

    fn limited(name: &str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(name, State::Limited, found, advice)
    }

    fn missing(name: &str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(name, State::Missing, found, advice)
    }

    fn unknown(name: &str, advice: impl Into<String>) -> Self {
        Self::new(name, State::Unknown, "cannot be told on this host", advice)
    }
}

/// Looks at this host and prints what was found, as lines or as one JSON object. Gives the exit
/// status: 0, or 1 when something is missing that Floodwall needs.
pub(crate) fn run(json: bool, out: &mut dyn Write) -> u8 {
    run_on(&ThisMachine, json, out)
}

fn run_on(machine: &dyn Machine, json: bool, out: &mut dyn Write) -> u8 {
    let findings = look(machine);
    let good = findings.iter().all(|finding| finding.state != State::Missing);
    let text = if json { as_json(&findings, good) } else { as_text(&findings, good) };
    // A reader that has gone away needs no message; the status still tells.
    let _ = out.write_all(text.as_bytes());
    u8::from(!good)
}

/// Everything there is to see, in the order of the listing.
fn look(machine: &dyn Machine) -> Vec<Finding> {
    let mut findings = vec![
        system::kernel(machine),
        system::processors(machine),
        system::memory(machine),
        system::open_files(machine),
        system::huge_pages(machine),
        network::accept_queue(machine),
        network::syn_cookies(machine),
        network::shared_ports(machine),
    ];
    findings.extend(system::capabilities(machine));
    findings.extend(network::interfaces(machine));
    findings.extend(network::ports(machine));
    findings.extend([system::clock(machine), system::state_directory(machine), system::disk_space(machine)]);
    findings
}

fn as_json(findings: &[Finding], good: bool) -> String {
    let document = serde_json::json!({ "good": good, "findings": findings });
    format!("{document:#}\n")
}

fn as_text(findings: &[Finding], good: bool) -> String {
    let width = findings.iter().map(|f| f.name.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for finding in findings {
        let state = finding.state.as_str();
        text.push_str(&format!("{state:<8} {:<width$}  {}\n", finding.name, finding.found));
        if !finding.advice.is_empty() {
            text.push_str(&format!("{:<8} {:<width$}  -> {}\n", "", "", finding.advice));
        }
    }
    let limited = findings.iter().filter(|f| f.state == State::Limited).count();
    text.push('\n');
    text.push_str(match (good, limited) {
        (false, _) => "This host cannot run Floodwall as it is: see the lines marked missing.\n",
        (true, 0) => "This host is ready for Floodwall.\n",
        (true, _) => "This host can run Floodwall; the lines marked limited say what would make it better.\n",
    });
    text
}
