//! `floodwall incident list` and `show`: asks the running server, or reads its store when it does not run.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use floodwall_console::IncidentDocument;
use serde::{Deserialize, Serialize};

use super::archive::{newest_of, one_of};
use super::{statement, text};
use crate::admin_socket::client::{self, AskError};
use crate::commands::{EXIT_NO, EXIT_USAGE, show_faults};
use crate::serve::STORE_FILE;
use crate::settings::Settings;

#[derive(Args, Debug)]
pub(crate) struct IncidentArguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    /// The newest incidents, newest first
    #[command(after_help = "\
Examples:
  floodwall incident list --config /etc/floodwall/floodwall.toml
  floodwall incident list --max 5 --json

Exit status: 0 listed, also when there is none, 1 no server and no store, 2 usage or configuration.")]
    List {
        #[command(flatten)]
        place: Place,
        /// How many at the most
        #[arg(long, value_name = "NUMBER", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
        max: u16,
    },
    /// One incident: what, since when, how sure, why, and what it cost people
    #[command(after_help = "\
Examples:
  floodwall incident show sos-20261103-120000-1 --config /etc/floodwall/floodwall.toml
  floodwall incident show sos-20261103-120000-1 --json

Exit status: 0 shown, 1 there is no such incident, or no server and no store, 2 usage or configuration.")]
    Show {
        /// The incident, as `list` names it
        #[arg(value_name = "INCIDENT")]
        id: String,
        #[command(flatten)]
        place: Place,
    },
    /// What can be said in public: plain sentences, each backed by a record; or check a text of yours
    #[command(after_help = "\
Examples:
  floodwall incident statement sos-20261103-120000-1 --config /etc/floodwall/floodwall.toml
  floodwall incident statement sos-20261103-120000-1 --config floodwall.toml --language es --sources
  floodwall incident statement sos-20261103-120000-1 --config floodwall.toml --check statement.txt
  floodwall incident statement --check - < statement.txt

A text that is checked names records in brackets behind each sentence, as --sources shows them.
docs/claims.md says what is refused.
Exit status: 0 written, or nothing to object, 1 something is wrong with the text, or there is no
such incident, 2 usage or configuration.")]
    Statement(statement::StatementArguments),
}

#[derive(Args, Debug)]
struct Place {
    /// Settings file (TOML): names the state directory
    #[arg(long, value_name = "FILE", conflicts_with = "state")]
    config: Option<PathBuf>,
    /// The state directory of the server
    #[arg(long, value_name = "DIRECTORY", default_value = "/var/lib/floodwall")]
    state: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What `list --json` prints, and the server answers.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Incidents {
    pub(crate) incidents: Vec<IncidentDocument>,
}

/// Lists or shows; the exit status: 0 done, 1 nothing of that name or nowhere to look, 2 usage or
/// settings.
pub(crate) fn run(arguments: &IncidentArguments, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    let (What::List { place, .. } | What::Show { place, .. }) = &arguments.what else {
        return run_statement(arguments, out, err);
    };
    let state = match &place.config {
        None => place.state.clone(),
        Some(file) => match Settings::load(file) {
            Ok((settings, _)) => settings.server.state,
            Err(faults) => {
                show_faults(&faults);
                return EXIT_USAGE;
            }
        },
    };
    let answered = match &arguments.what {
        What::List { max, .. } => list(&state, *max, place.json),
        What::Show { id, .. } => show(&state, id, place.json),
        What::Statement(_) => return EXIT_USAGE,
    };
    match answered {
        Ok(text) => {
            // A reader that has gone away needs no message.
            let _ = out.write_all(text.as_bytes());
            0
        }
        Err(message) => {
            let _ = writeln!(err, "floodwall: {message}");
            EXIT_NO
        }
    }
}

/// As many of the newest incidents as can be asked for at once, of the running server or its store; none
/// where there is neither.
pub(crate) fn recent(state: &Path) -> Result<Vec<IncidentDocument>, String> {
    let has_store = state.join(STORE_FILE).is_file();
    if has_store { newest(state, 1000).map(|found| found.incidents) } else { Ok(Vec::new()) }
}

fn newest(state: &Path, max: u16) -> Result<Incidents, String> {
    match client::get(state, &format!("/incidents?max={max}")) {
        Ok(answer) => read(&answer),
        Err(asked) => {
            let incidents = newest_of(&store_file(state, asked)?, usize::from(max));
            Ok(Incidents { incidents: incidents.map_err(|error| error.to_string())? })
        }
    }
}

fn list(state: &Path, max: u16, json: bool) -> Result<String, String> {
    let found = newest(state, max)?;
    if json { as_json(&found) } else { Ok(text::list(&found.incidents)) }
}

fn run_statement(arguments: &IncidentArguments, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    let What::Statement(arguments) = &arguments.what else { return EXIT_USAGE };
    match statement::run(arguments) {
        Ok((text, status)) => {
            let _ = out.write_all(text.as_bytes());
            status
        }
        Err(statement::Refusal(message, status)) => {
            if !message.is_empty() {
                let _ = writeln!(err, "floodwall: {message}");
            }
            status
        }
    }
}

fn show(state: &Path, id: &str, json: bool) -> Result<String, String> {
    let incident = find(state, id)?;
    if json { as_json(&incident) } else { Ok(text::show(&incident)) }
}

/// One incident, of the running server or its store.
pub(super) fn find(state: &Path, id: &str) -> Result<IncidentDocument, String> {
    let stands = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if id.is_empty() || !id.chars().all(stands) {
        return Err(format!("`{id}` is no name of an incident; see `floodwall incident list`"));
    }
    let found: Option<IncidentDocument> = match client::get(state, &format!("/incidents/{id}")) {
        Ok(answer) => read(&answer)?,
        Err(asked) => one_of(&store_file(state, asked)?, id).map_err(|error| error.to_string())?,
    };
    found.ok_or_else(|| format!("there is no incident {id}; see `floodwall incident list`"))
}

/// The store of a server that does not run.
fn store_file(state: &Path, asked: AskError) -> Result<PathBuf, String> {
    let file = state.join(STORE_FILE);
    match asked {
        AskError::NotRunning(_) if file.is_file() => Ok(file),
        AskError::NotRunning(_) => Err(format!(
            "{asked}, and it has no store; name the settings file with --config, or the state directory with --state"
        )),
        asked => Err(asked.to_string()),
    }
}

fn read<T: serde::de::DeserializeOwned>(answer: &str) -> Result<T, String> {
    serde_json::from_str(answer).map_err(|error| format!("the running server is of another version: {error}"))
}

fn as_json(value: &impl Serialize) -> Result<String, String> {
    serde_json::to_string_pretty(value).map(|text| text + "\n").map_err(|error| error.to_string())
}
