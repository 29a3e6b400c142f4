//! `floodwall status publish`: the page's files, written once where one wants them.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use floodwall_model::Clock;
use floodwall_status::File;

use super::maker::files_of;
use super::publisher::write;
use crate::admin_socket::client::{self, AskError};
use crate::clock::SystemClock;
use crate::commands::{EXIT_NO, EXIT_USAGE, show_faults};
use crate::serve::STORE_FILE;
use crate::settings::Settings;

#[derive(Args, Debug)]
pub(crate) struct StatusArguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    /// Write the status page's files into a directory, once
    #[command(after_help = "\
Examples:
  floodwall status publish /var/www/status --config /etc/floodwall/floodwall.toml
  floodwall status publish /tmp/status --config /etc/floodwall/floodwall.toml && rsync -r /tmp/status/ elsewhere:

The running server is asked; when it does not run, its store is read, and how things stand now is not
known. With `[status]` in the settings the server writes the page by itself.
Exit status: 0 written, 1 not, 2 usage or configuration.")]
    Publish {
        /// Directory to write to; it must exist
        #[arg(value_name = "DIRECTORY")]
        directory: PathBuf,
        /// Settings file (TOML)
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Print what was written as JSON
        #[arg(long)]
        json: bool,
    },
}

/// Publishes; the exit status.
pub(crate) fn run(arguments: &StatusArguments, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    let What::Publish { directory, config, json } = &arguments.what;
    let settings = match Settings::load(config) {
        Ok((settings, _)) => settings,
        Err(faults) => {
            show_faults(&faults);
            return EXIT_USAGE;
        }
    };
    match publish(&settings, directory) {
        Ok(files) => {
            let names: Vec<_> = files.iter().map(|file| directory.join(file.name)).collect();
            // A reader that has gone away needs no message.
            let _ = if *json {
                writeln!(out, "{:#}", serde_json::json!({ "files": names }))
            } else {
                names.iter().try_for_each(|name| writeln!(out, "{}", name.display()))
            };
            0
        }
        Err(message) => {
            let _ = writeln!(err, "floodwall: {message}");
            EXIT_NO
        }
    }
}

fn publish(settings: &Settings, directory: &Path) -> Result<Vec<File>, String> {
    let state = &settings.server.state;
    let files = match client::get(state, "/status") {
        Ok(answer) => of_answer(&answer)?,
        Err(asked @ AskError::NotRunning(_)) => {
            let store = state.join(STORE_FILE);
            if !store.is_file() {
                return Err(format!("{asked}, and it has no store"));
            }
            files_of(settings, &store, SystemClock::start().now().wall_unix_micros())?
        }
        Err(asked) => return Err(asked.to_string()),
    };
    write(directory, &files).map_err(|error| format!("{}: {error}", directory.display()))?;
    Ok(files)
}

/// Files as the admin socket gives them.
pub(crate) fn to_answer(files: &[File]) -> serde_json::Value {
    let content = |file: &File| (file.name.to_owned(), file.content.clone().into());
    serde_json::Value::Object(files.iter().map(content).collect())
}

fn of_answer(answer: &str) -> Result<Vec<File>, String> {
    let wrong = |error: String| format!("the running server is of another version: {error}");
    let all: std::collections::BTreeMap<String, String> =
        serde_json::from_str(answer).map_err(|error| wrong(error.to_string()))?;
    let file = |(name, content): (String, String)| {
        // Names become paths: none but those that are known.
        let name = floodwall_status::FILE_NAMES.into_iter().find(|known| *known == name);
        Ok(File { name: name.ok_or_else(|| wrong("an unknown file".to_owned()))?, content })
    };
    all.into_iter().map(file).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_server_gives_is_what_is_written() {
        let files = vec![
            File { name: "es.html", content: "á \"x\"".to_owned() },
            File { name: "index.html", content: "<p>".to_owned() },
        ];
        assert_eq!(of_answer(&to_answer(&files).to_string()).unwrap(), files);
        assert!(of_answer("{\"../x\": \"y\"}").is_err());
    }
}
