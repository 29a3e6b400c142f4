//! `floodwall probe`: makes what a monitoring probe shows, so that the gates let it through and it
//! measures the site and not them.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use floodwall_model::Clock;
use floodwall_policy::{Keyring, PROBE_LIFETIME_MAX, ProbeClaims, ProbeName, SiteTag};

use crate::clock::SystemClock;
use crate::commands::{EXIT_NO, EXIT_USAGE, show_faults};
use crate::settings::{Settings, duration};
use crate::state_secret;

#[derive(Args, Debug)]
pub(crate) struct ProbeArguments {
    /// Whose probe it is, for records: up to 16 letters, digits, `-`, `_` and `.`
    name: ProbeName,
    /// Settings file (TOML) of the server
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The site it is for; by default all of them
    #[arg(long, value_name = "NAME")]
    site: Option<String>,
    /// How long it is valid, up to 400d
    #[arg(long = "for", value_name = "DURATION", default_value = "90d", value_parser = duration)]
    lifetime: Duration,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

/// Prints the header field; the exit status.
pub(crate) fn run(arguments: &ProbeArguments, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    let settings = match Settings::load(&arguments.config) {
        Ok((settings, _)) => settings,
        Err(faults) => {
            show_faults(&faults);
            return EXIT_USAGE;
        }
    };
    if arguments.lifetime > PROBE_LIFETIME_MAX || arguments.lifetime < Duration::from_secs(60) {
        return fail(err, "--for takes 1m to 400d", EXIT_USAGE);
    }
    let named = |name: &String| settings.sites.iter().any(|site| site.name == *name);
    if let Some(unknown) = arguments.site.as_ref().filter(|name| !named(name)) {
        let names: Vec<_> = settings.sites.iter().map(|site| site.name.as_str()).collect();
        return fail(
            err,
            &format!("no site is named `{unknown}`; there are {}", names.join(", ")),
            EXIT_USAGE,
        );
    }
    let secret = match state_secret::read(&settings.server.state) {
        Ok(secret) => secret,
        Err(error) => {
            return fail(err, &format!("{error}; it is made when `floodwall serve` first starts"), EXIT_NO);
        }
    };
    let now = SystemClock::start().now();
    let of_site = |name: &str| arguments.site.as_ref().is_none_or(|site| site == name);
    let sites = settings.sites.iter().filter(|site| of_site(&site.name));
    let claims = ProbeClaims {
        site: arguments.site.as_deref().map(SiteTag::of_name),
        name: arguments.name,
        generation: sites.map(|site| site.admission.generation).max().unwrap_or(0),
        issued_unix_s: u32::try_from(now.wall_unix_seconds()).unwrap_or(0),
        lifetime_s: u32::try_from(arguments.lifetime.as_secs()).unwrap_or(u32::MAX),
    };
    let text = Keyring::new(&secret, now).issue_probe(&claims);
    let until = jiff::Timestamp::from_second(now.wall_unix_seconds() + i64::from(claims.lifetime_s));
    let until = until.map(|until| until.to_string()).unwrap_or_default();
    // A reader that has gone away needs no message; the status still tells.
    let _ = if arguments.json {
        let document = serde_json::json!({
            "header": "Floodwall-Probe",
            "value": text.as_str(),
            "name": claims.name.as_str(),
            "site": arguments.site,
            "until": until,
        });
        writeln!(out, "{document:#}")
    } else {
        let note = format!(
            "It is valid until {until}. Whoever has it is let through: keep it as you keep a password, and send it \
             over HTTPS only."
        );
        let _ = writeln!(err, "{note}");
        writeln!(out, "Floodwall-Probe: {}", text.as_str())
    };
    0
}

fn fail(err: &mut dyn Write, message: &str, status: u8) -> u8 {
    let _ = writeln!(err, "floodwall: {message}");
    status
}
