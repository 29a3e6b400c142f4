//! `floodwall purge`: has the running server ask anew for what it keeps, or forget it.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use floodwall_edge::PurgeTarget;
use serde::{Deserialize, Serialize};

use crate::admin_socket::client;
use crate::commands::{EXIT_NO, EXIT_USAGE, show_faults};
use crate::settings::Settings;

/// The field of the socket's request that says what is purged.
pub(crate) const TARGET_FIELD: &str = "floodwall-purge";
/// The field that says that it is to be gone.
pub(crate) const REMOVE_FIELD: &str = "floodwall-purge-remove";

#[derive(Args, Debug)]
pub(crate) struct PurgeArguments {
    /// Addresses as browsers show them; with `*` at its end, all that begin so
    #[arg(value_name = "URL", required_unless_present_any = ["tag", "all"])]
    urls: Vec<String>,
    /// What carries this tag (`Cache-Tag` or `Surrogate-Key` of the origin's answer); may be repeated
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
    /// Everything of all sites
    #[arg(long, conflicts_with_all = ["urls", "tag"])]
    all: bool,
    /// Forget it altogether, copies on disk too. Without this it stands in while the origin fails
    #[arg(long)]
    remove: bool,
    /// Settings file (TOML): names the state directory
    #[arg(long, value_name = "FILE", conflicts_with = "state")]
    config: Option<PathBuf>,
    /// The state directory of the server
    #[arg(long, value_name = "DIRECTORY", default_value = "/var/lib/floodwall")]
    state: PathBuf,
    /// Print what was done as JSON
    #[arg(long)]
    json: bool,
}

/// What the server did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Purged {
    /// As it was asked for.
    pub(crate) target: String,
    /// Whether it is gone, or stands in while the origin fails.
    pub(crate) removed: bool,
    /// Of how many addresses something was kept in memory.
    pub(crate) addresses: usize,
}

/// Reads a target as the socket is told it: a URL, `tag:NAME`, or `*` for all.
pub(crate) fn target_of(text: &str) -> Result<PurgeTarget, String> {
    if text == "*" {
        return Ok(PurgeTarget::All);
    }
    if let Some(tag) = text.strip_prefix("tag:") {
        let plain = !tag.is_empty() && tag.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',');
        return if plain {
            Ok(PurgeTarget::Tag(tag.to_owned()))
        } else {
            Err(format!("`{tag}` is no tag: letters, digits and signs without blanks"))
        };
    }
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic());
    is_plain.then(|| PurgeTarget::of_url(text)).flatten().ok_or_else(|| {
        format!("`{text}` is no address: write for example https://www.sos.example.gov/news/*, others than ASCII letters percent-encoded")
    })
}

/// Has everything purged that is asked for; the exit status.
pub(crate) fn run(arguments: &PurgeArguments, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    let tags = arguments.tag.iter().map(|tag| format!("tag:{tag}"));
    let all = arguments.all.then(|| "*".to_owned());
    let targets: Vec<String> = arguments.urls.iter().cloned().chain(tags).chain(all).collect();
    let faults: Vec<String> = targets.iter().filter_map(|target| target_of(target).err()).collect();
    if !faults.is_empty() {
        faults.iter().for_each(|fault| {
            let _ = writeln!(err, "floodwall: {fault}");
        });
        return EXIT_USAGE;
    }
    let state = match &arguments.config {
        None => arguments.state.clone(),
        Some(file) => match Settings::load(file) {
            Ok((settings, _)) => settings.server.state,
            Err(faults) => {
                show_faults(&faults);
                return EXIT_USAGE;
            }
        },
    };
    let mut done = Vec::new();
    for target in &targets {
        let mut fields = vec![(TARGET_FIELD, target.as_str())];
        if arguments.remove {
            fields.push((REMOVE_FIELD, "1"));
        }
        let purged = client::post(&state, "/purge", &fields).map_err(|error| error.to_string());
        let purged = purged.and_then(|answer| {
            serde_json::from_str::<Purged>(&answer)
                .map_err(|error| format!("the running server is of another version: {error}"))
        });
        match purged {
            Ok(purged) => done.push(purged),
            Err(message) => {
                let _ = writeln!(err, "floodwall: {message}");
                return EXIT_NO;
            }
        }
    }
    // A reader that has gone away needs no message; the status still tells.
    let _ = write_out(&done, arguments.json, out);
    0
}

fn write_out(done: &[Purged], json: bool, out: &mut dyn Write) -> std::io::Result<()> {
    if json {
        return writeln!(out, "{}", serde_json::to_string_pretty(done).unwrap_or_default());
    }
    for Purged { target, removed, addresses } in done {
        let what = match (target.as_str(), target.strip_prefix("tag:")) {
            ("*", _) => "everything".to_owned(),
            (_, Some(tag)) => format!("what carries the tag {tag}"),
            _ => target.clone(),
        };
        let (count, noun) = (addresses, if *addresses == 1 { "address" } else { "addresses" });
        let then = if *removed {
            "forgotten, on disk too"
        } else {
            "asked for anew by the next visitor; the copy stands in while the origin fails"
        };
        writeln!(out, "{what}: {count} {noun} in memory, {then}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets() {
        for (text, is_good) in [
            ("*", true),
            ("https://www.sos.example.gov/news/*", true),
            ("http://www.sos.example.gov", true),
            ("tag:news", true),
            ("tag:", false),
            ("tag:a b", false),
            ("/news", false),
            ("www.sos.example.gov/news", false),
            ("https://www.sos.example.gov/n\u{e9}ws", false),
            ("https://user@www.sos.example.gov/", false),
        ] {
            assert_eq!(target_of(text).is_ok(), is_good, "{text}");
        }
    }
}
