//! The command: asks the running server, or opens an ID with the secret.

use std::io::Write;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use clap::Args;
use floodwall_model::Clock;
use floodwall_policy::ReferenceKey;

use super::{Explanation, Subject, explain_reference};
use crate::admin_socket::client::{self, AskError};
use crate::clock::SystemClock;
use crate::commands::{EXIT_NO, EXIT_USAGE, show_faults};
use crate::settings::Settings;
use crate::state_secret;

#[derive(Args, Debug)]
pub(crate) struct ExplainArguments {
    /// A reference ID, as the visitor reads it out; an address; or a rule, like S3
    #[arg(value_name = "ID|ADDRESS|RULE")]
    subject: String,
    /// Settings file (TOML): names the state directory and the sites
    #[arg(long, value_name = "FILE", conflicts_with = "state")]
    config: Option<PathBuf>,
    /// The state directory of the server
    #[arg(long, value_name = "DIRECTORY", default_value = "/var/lib/floodwall")]
    state: PathBuf,
    /// Say whether the ID can have been given to this address
    #[arg(long, value_name = "ADDRESS")]
    from: Option<IpAddr>,
    /// Print the explanation as JSON
    #[arg(long)]
    json: bool,
}

/// Explains; the exit status: 0 explained, 1 nothing to say or no server, 2 usage or settings.
pub(crate) fn run(arguments: &ExplainArguments, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    let subject = match arguments.subject.parse::<Subject>() {
        Ok(subject) => subject,
        Err(message) => return fail(err, &message, EXIT_USAGE),
    };
    if arguments.from.is_some() && !matches!(subject, Subject::Reference(_)) {
        return fail(err, "--from goes with a reference ID", EXIT_USAGE);
    }
    let (state, sites) = match &arguments.config {
        None => (arguments.state.clone(), None),
        Some(file) => match Settings::load(file) {
            Ok((settings, _)) => (
                settings.server.state,
                Some(settings.sites.into_iter().map(|site| site.name).collect::<Vec<_>>()),
            ),
            Err(faults) => {
                show_faults(&faults);
                return EXIT_USAGE;
            }
        },
    };
    match find(subject, arguments.from, &state, sites.as_deref()) {
        Ok(explanation) => {
            // A reader that has gone away needs no message; the status still tells.
            let _ = write_out(&explanation, arguments.json, out);
            if explanation.found { 0 } else { EXIT_NO }
        }
        Err(message) => fail(err, &message, EXIT_NO),
    }
}

fn fail(err: &mut dyn Write, message: &str, status: u8) -> u8 {
    let _ = writeln!(err, "floodwall: {message}");
    status
}

fn find(
    subject: Subject,
    from: Option<IpAddr>,
    state: &Path,
    sites: Option<&[String]>,
) -> Result<Explanation, String> {
    let from_query = from.map(|address| format!("&from={address}")).unwrap_or_default();
    let asked = match client::get(state, &format!("/explain?subject={subject}{from_query}")) {
        Ok(answer) => {
            return serde_json::from_str(&answer)
                .map_err(|error| format!("the running server is of another version: {error}"));
        }
        Err(error) => error,
    };
    let Subject::Reference(id) = subject else {
        let hint = match &asked {
            AskError::NotRunning(_) => {
                "; addresses and rules are explained by the running server only: name its settings file with --config, or its state directory with --state"
            }
            _ => "",
        };
        return Err(format!("{asked}{hint}"));
    };
    // The ID says it all to whoever has the secret.
    let secret = state_secret::read(state).map_err(|error| {
        format!(
            "{asked}, and {error}; name the settings file with --config, or the state directory with --state"
        )
    })?;
    let now = SystemClock::start().now();
    Ok(explain_reference(&ReferenceKey::new(&secret), id, sites, from, now))
}

fn write_out(explanation: &Explanation, json: bool, out: &mut dyn Write) -> std::io::Result<()> {
    if json {
        let text = serde_json::to_string_pretty(explanation).unwrap_or_default();
        return writeln!(out, "{text}");
    }
    writeln!(out, "{}", explanation.subject)?;
    explanation.words.iter().try_for_each(|sentence| writeln!(out, "  {sentence}"))
}
