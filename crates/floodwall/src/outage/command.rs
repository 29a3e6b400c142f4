//! `floodwall outage list`: asks the running server, or reads its store when it does not run.

use std::fmt::Write as _;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use floodwall_console::OutageDocument;
use floodwall_model::Clock;
use floodwall_store::Store;
use serde::{Deserialize, Serialize};

use crate::admin_socket::client::{self, AskError};
use crate::clock::SystemClock;
use crate::commands::{EXIT_NO, EXIT_USAGE, show_faults};
use crate::serve::STORE_FILE;
use crate::settings::Settings;

#[derive(Args, Debug)]
pub(crate) struct OutageArguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    /// The newest outages, newest first
    #[command(after_help = "\
Examples:
  floodwall outage list --config /etc/floodwall/floodwall.toml
  floodwall outage list --max 5 --json

Exit status: 0 listed, also when there is none, 1 no server and no store, 2 usage or configuration.")]
    List {
        /// Settings file (TOML): names the state directory
        #[arg(long, value_name = "FILE", conflicts_with = "state")]
        config: Option<PathBuf>,
        /// The state directory of the server
        #[arg(long, value_name = "DIRECTORY", default_value = "/var/lib/floodwall")]
        state: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// How many at the most
        #[arg(long, value_name = "NUMBER", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
        max: u16,
    },
}

/// What `list --json` prints, and the server answers.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct OutageList {
    pub(crate) outages: Vec<OutageDocument>,
}

/// Lists; the exit status.
pub(crate) fn run(arguments: &OutageArguments, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    let What::List { config, state, json, max } = &arguments.what;
    let state = match config {
        None => state.clone(),
        Some(file) => match Settings::load(file) {
            Ok((settings, _)) => settings.server.state,
            Err(faults) => {
                show_faults(&faults);
                return EXIT_USAGE;
            }
        },
    };
    match list(&state, *max) {
        Ok(found) => {
            // A reader that has gone away needs no message.
            let _ = if *json {
                writeln!(out, "{}", serde_json::to_string_pretty(&found).unwrap_or_default())
            } else {
                out.write_all(text(&found.outages).as_bytes())
            };
            0
        }
        Err(message) => {
            let _ = writeln!(err, "floodwall: {message}");
            EXIT_NO
        }
    }
}

fn list(state: &Path, max: u16) -> Result<OutageList, String> {
    match client::get(state, &format!("/outages?max={max}")) {
        Ok(answer) => serde_json::from_str(&answer)
            .map_err(|error| format!("the running server is of another version: {error}")),
        Err(asked @ AskError::NotRunning(_)) => {
            let file = state.join(STORE_FILE);
            if !file.is_file() {
                return Err(format!(
                    "{asked}, and it has no store; name the settings file with --config, or the state directory with --state"
                ));
            }
            let now_unix_micros = SystemClock::start().now().wall_unix_micros();
            let store = Store::open(&file).map_err(|error| error.to_string())?;
            let rows = store.outages(usize::from(max)).map_err(|error| error.to_string())?;
            let records = rows.iter().filter_map(super::outage);
            Ok(OutageList {
                outages: records.map(|record| OutageDocument::new(&record, now_unix_micros)).collect(),
            })
        }
        Err(asked) => Err(asked.to_string()),
    }
}

fn text(outages: &[OutageDocument]) -> String {
    if outages.is_empty() {
        return "No outage is on record.\n".to_owned();
    }
    let mut text = String::new();
    for outage in outages {
        let over = match outage.family.as_str() {
            "ipv4" => " over IPv4",
            "ipv6" => " over IPv6",
            _ => "",
        };
        let when = match &outage.end {
            Some(end) => format!("from {} until {},", outage.start.likely, end.likely),
            None => format!("since {}, and it goes on: so far", outage.start.likely),
        };
        let error = match outage.length_error_seconds {
            0 => String::new(),
            error => format!(" (+-{error} s)"),
        };
        let unknown = match outage.unknown_seconds {
            0 => String::new(),
            unknown => format!(", of which {unknown} s are not known"),
        };
        let _ = writeln!(
            text,
            "{}  {}{over}\n  {when} {} s{error}{unknown}: {}",
            outage.id,
            outage.target,
            outage.length_seconds,
            outage.cause_text.as_deref().unwrap_or("no cause")
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use floodwall_console::EdgeDocument;

    #[test]
    fn outages_in_words() {
        assert_eq!(text(&[]), "No outage is on record.\n");
        let edge = |likely: &str| EdgeDocument { likely: likely.to_owned(), ..EdgeDocument::default() };
        let ended = OutageDocument {
            id: "home-ipv4-1667916127".to_owned(),
            target: "home".to_owned(),
            family: "ipv4".to_owned(),
            start: edge("2022-11-08T14:02:07Z"),
            end: Some(edge("2022-11-08T14:25:07Z")),
            length_seconds: 1_380,
            length_error_seconds: 60,
            unknown_seconds: 30,
            cause_text: Some("the server refused the connection".to_owned()),
            ..OutageDocument::default()
        };
        let open = OutageDocument { end: None, length_error_seconds: 0, unknown_seconds: 0, ..ended.clone() };
        insta::assert_snapshot!(text(&[open, ended]));
    }
}
