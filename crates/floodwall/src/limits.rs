//! `floodwall limits`: what can be reached through this server, and what cannot, in words that an
//! official can repeat.
//!
//! It is said from the settings alone: nothing is tried. So it is true of a server that was started, or
//! had its settings loaded, since they were last changed; and it says nothing of other ways to the same
//! machines, nor of what those machines can reach themselves.

use std::fmt::Write as _;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use crate::commands::{EXIT_USAGE, show_faults};
use crate::settings::{HostPattern, PathPattern, Settings, Site};

#[cfg(test)]
mod tests;

#[derive(Args, Debug)]
pub(crate) struct LimitsArguments {
    /// Settings file (TOML) of the server
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

/// Prints the report; the exit status.
pub(crate) fn run(arguments: &LimitsArguments, out: &mut dyn Write) -> u8 {
    let settings = match Settings::load(&arguments.config) {
        Ok((settings, _)) => settings,
        Err(faults) => {
            show_faults(&faults);
            return EXIT_USAGE;
        }
    };
    let reach = Reach::of(&settings);
    // A reader that has gone away needs no message; the status still tells.
    let _ = if arguments.json {
        serde_json::to_string_pretty(&reach).map_or(Ok(()), |text| writeln!(out, "{text}"))
    } else {
        write!(out, "{}", reach.text(&arguments.config))
    };
    0
}

/// What can be reached through a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Reach {
    sites: Vec<SiteReach>,
    /// Networks in which no site for the public has an origin.
    internal_networks: Vec<String>,
    console: Console,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct SiteReach {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<String>,
    hosts: Vec<String>,
    /// `None` for all paths.
    paths: Option<Vec<String>>,
    origins: Vec<String>,
    /// Whether its origins may be in an internal network.
    may_reach_internal: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Console {
    address: String,
    this_machine_only: bool,
}

impl Reach {
    pub(crate) fn of(settings: &Settings) -> Self {
        let admin = settings.server.admin;
        Self {
            sites: settings.sites.iter().map(SiteReach::of).collect(),
            internal_networks: settings.server.internal.iter().map(ToString::to_string).collect(),
            console: Console { address: admin.to_string(), this_machine_only: admin.ip().is_loopback() },
        }
    }

    fn text(&self, file: &Path) -> String {
        let mut text = format!("What can be reached through this server, by {}:\n", file.display());
        for site in &self.sites {
            text.push('\n');
            site.write(&mut text);
        }
        text.push_str("\nWhat cannot:\n");
        let mut say = |line: &str| {
            let _ = writeln!(text, "  - {line}");
        };
        say("Any other host name or address: it is answered here (421), and no other machine hears of it.");
        if self.sites.iter().any(|site| site.paths.is_some()) {
            say(
                "Any other path of a site whose paths are named: it is answered here (404). The same goes for paths that can be read in two ways, such as /news/../internal.",
            );
        }
        say(
            "Any other machine than those named behind \"comes from\": this server connects to no other on behalf of visitors.",
        );
        if !self.internal_networks.is_empty() {
            let networks = self.internal_networks.join(", ");
            say(&format!(
                "{networks}: no site for the public is fetched from there, even if a name should lead there one day."
            ));
        }
        let exceptions: Vec<&str> =
            self.sites.iter().filter(|site| site.may_reach_internal).map(|site| site.name.as_str()).collect();
        if !exceptions.is_empty() {
            say(&format!(
                "That does not hold for what is none for the public by its role: {}.",
                exceptions.join(", ")
            ));
        }
        let console = &self.console;
        say(&if console.this_machine_only {
            format!("The console ({}): it answers this machine alone.", console.address)
        } else {
            format!(
                "The console listens on {}: see that a firewall keeps the public away from it.",
                console.address
            )
        });
        if self.internal_networks.is_empty() {
            text.push_str(
                "\nNothing is said of networks the public must not reach: server.internal names none.\n",
            );
        }
        text.push_str(
            "\nThis is what the settings say; nothing was tried. It does not say what the machines named can \
             reach themselves, nor whether there are other ways to them.\n",
        );
        text
    }
}

impl SiteReach {
    fn of(site: &Site) -> Self {
        let paths = site.paths.iter().map(path_text).collect::<Vec<_>>();
        Self {
            name: site.name.clone(),
            role: site.role.clone(),
            hosts: site.hosts.iter().map(host_words).collect(),
            paths: (!paths.is_empty()).then_some(paths),
            origins: site.origins.iter().map(ToString::to_string).collect(),
            may_reach_internal: site.may_reach_internal(),
        }
    }

    fn write(&self, text: &mut String) {
        let role = self.role.as_ref().map(|role| format!(" ({role})")).unwrap_or_default();
        let paths = self.paths.as_ref().map_or_else(|| "every path".to_owned(), |paths| paths.join(", "));
        let _ = writeln!(text, "  {}{role}", self.name);
        for (what, value) in
            [("answers to", self.hosts.join(", ")), ("with", paths), ("comes from", self.origins.join(", "))]
        {
            let _ = writeln!(text, "    {what:<11} {value}");
        }
    }
}

fn host_words(host: &HostPattern) -> String {
    match host {
        HostPattern::Exact(name) => name.clone(),
        HostPattern::Below(name) => format!("every name below {name}"),
        HostPattern::Any => "any name".to_owned(),
    }
}

fn path_text(pattern: &PathPattern) -> String {
    format!("{}{}", pattern.path, if pattern.below { "*" } else { "" })
}
