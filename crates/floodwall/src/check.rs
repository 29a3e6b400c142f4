//! `floodwall check`: every fault of a settings file in one go, with a look at the machine.
//!
//! Beyond the file itself it tries what would otherwise fail at the start or on the day it matters:
//! certificates and keys, ports, origins, directories. It connects to origins and hangs up; it sends
//! nothing and changes nothing.

mod certificates;
mod places;
#[cfg(test)]
mod tests;

use std::io::Write;
use std::path::PathBuf;

use crate::doctor::machine::{Machine, ThisMachine};
use crate::settings::{Faults, Place, Reading, Settings, Severity, TextForm};

/// All is well, warnings notwithstanding.
const GOOD: u8 = 0;
/// There are faults.
const FAULTY: u8 = 1;
/// The file cannot be read.
const UNREADABLE: u8 = 2;

/// What is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// The settings file.
    pub(crate) config: PathBuf,
    /// One JSON object on standard output instead of text.
    pub(crate) json: bool,
    /// Look at the file alone.
    pub(crate) offline: bool,
    /// How text is written.
    pub(crate) form: TextForm,
}

/// A fault found by looking at the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Probed {
    severity: Severity,
    place: Place,
    problem: String,
    fix: String,
}

impl Probed {
    fn error(place: &Place, problem: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { severity: Severity::Error, place: place.clone(), problem: problem.into(), fix: fix.into() }
    }

    fn warning(place: &Place, problem: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(place, problem, fix) }
    }
}

/// Checks a settings file. Faults go to `err` as text or to `out` as one JSON object. Gives the exit
/// status: 0 good, 1 faulty, 2 when the file cannot be read.
pub(crate) fn run(options: &Options, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    run_on(&ThisMachine, options, out, err)
}

fn run_on(machine: &dyn Machine, options: &Options, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    let result = Reading::of_file(&options.config).and_then(|mut reading| {
        if !options.offline {
            for found in probe(machine, &reading) {
                reading.add(found.severity, &found.place, found.problem, found.fix);
            }
        }
        reading.finish()
    });
    let (status, faults, settings) = match result {
        Ok((settings, warnings)) => (GOOD, warnings, Some(settings)),
        Err(faults) if faults.is_unreadable() => (UNREADABLE, faults, None),
        Err(faults) => (FAULTY, faults, None),
    };
    // A reader that has gone away needs no message; the status still tells.
    let _ = if options.json {
        writeln!(out, "{:#}", as_json(options, status, &faults))
    } else {
        write_text(options, &faults, settings.as_ref(), out, err)
    };
    status
}

fn probe(machine: &dyn Machine, reading: &Reading) -> Vec<Probed> {
    let targets = reading.probe_targets();
    let mut found = places::listeners(machine, &targets.listeners);
    found.extend(places::directories(machine, &targets));
    found.extend(places::origins(machine, &targets));
    found.extend(places::client_files(&targets));
    for target in &targets.certificates {
        found.extend(certificates::look(target, machine.now_unix_seconds()));
    }
    found
}

fn as_json(options: &Options, status: u8, faults: &Faults) -> serde_json::Value {
    serde_json::json!({
        "file": options.config.display().to_string(),
        "good": status == GOOD,
        "errors": faults.count(Severity::Error),
        "warnings": faults.count(Severity::Warning),
        "faults": faults.to_json(),
    })
}

fn write_text(
    options: &Options,
    faults: &Faults,
    settings: Option<&Settings>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> std::io::Result<()> {
    if !faults.is_empty() {
        write!(err, "{}", faults.render(options.form))?;
    }
    let file = options.config.display();
    let warnings = count(faults.count(Severity::Warning), "warning");
    let Some(settings) = settings else {
        return writeln!(err, "{file}: {}, {warnings}", count(faults.count(Severity::Error), "error"));
    };
    let sites = count(settings.sites.len(), "site");
    let looked = if options.offline { "; the machine was not looked at (--offline)" } else { "" };
    let warnings = if faults.is_empty() { String::new() } else { format!(", {warnings}") };
    writeln!(out, "{file} is good: {sites}{warnings}{looked}")
}

/// `1 site`, `2 sites`.
fn count(number: usize, word: &str) -> String {
    if number == 1 { format!("1 {word}") } else { format!("{number} {word}s") }
}
