//! `floodwall block` and `floodwall allow`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use floodwall_model::Prefix;

use super::{Effect, FIELD, OrderRequest, Ordered, ShownOrder};
use crate::admin_socket::client;
use crate::commands::{EXIT_NO, EXIT_USAGE, show_faults};
use crate::settings::{Settings, duration};

#[derive(Args, Debug)]
pub(crate) struct OrderArguments {
    /// Addresses, or prefixes such as 192.0.2.0/24 and 2001:db8::/48; up to a /16 of IPv4, a /32 of IPv6
    #[arg(value_name = "ADDRESS", required_unless_present = "list")]
    addresses: Vec<Prefix>,
    /// How long it holds, up to 400d; or `ever`, until it is lifted
    #[arg(long = "for", value_name = "DURATION", default_value = "24h", value_parser = time)]
    lifetime: Lifetime,
    /// Why, in a few words: for whoever looks at it later
    #[arg(long, value_name = "TEXT", default_value = "")]
    why: String,
    /// Take such an order back
    #[arg(long, conflicts_with_all = ["list", "why"])]
    lift: bool,
    /// Show all orders that are in force
    #[arg(long, conflicts_with = "addresses")]
    list: bool,
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

/// How long an order holds; `None`: until it is lifted.
#[derive(Clone, Copy, Debug)]
struct Lifetime(Option<Duration>);

fn time(text: &str) -> Result<Lifetime, String> {
    if text == "ever" {
        return Ok(Lifetime(None));
    }
    let time = duration(text)?;
    let is_good = time >= Duration::from_secs(1) && time <= Duration::from_secs(400 * 86_400);
    is_good.then_some(Lifetime(Some(time))).ok_or_else(|| "it takes 1s to 400d, or `ever`".to_owned())
}

/// Gives the orders, or lists them; the exit status.
pub(crate) fn run(
    effect: Effect,
    arguments: &OrderArguments,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> u8 {
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
    let (done, failed) = if arguments.list { list(&state) } else { give(effect, arguments, &state) };
    // A reader that has gone away needs no message; the status still tells.
    let _ = match &done {
        Done::Listed(orders) => write_list(orders, arguments.json, out),
        Done::Given(ordered) => write_given(ordered, arguments.json, out),
    };
    failed.map_or(0, |message| {
        let _ = writeln!(err, "floodwall: {message}");
        EXIT_NO
    })
}

enum Done {
    Listed(Vec<ShownOrder>),
    Given(Vec<Ordered>),
}

fn list(state: &Path) -> (Done, Option<String>) {
    let answer = client::get(state, "/orders").map_err(|error| error.to_string());
    match answer.and_then(|answer| serde_json::from_str(&answer).map_err(|error| other_version(&error))) {
        Ok(orders) => (Done::Listed(orders), None),
        Err(message) => (Done::Listed(Vec::new()), Some(message)),
    }
}

/// One after the other; what was done before one is refused stands, and is shown.
fn give(effect: Effect, arguments: &OrderArguments, state: &Path) -> (Done, Option<String>) {
    let mut done = Vec::new();
    for prefix in &arguments.addresses {
        let request = OrderRequest {
            effect,
            prefix: prefix.to_string(),
            lift: arguments.lift,
            for_s: arguments.lifetime.0.map(|time| time.as_secs()),
            why: arguments.why.trim().to_owned(),
        };
        let answer = serde_json::to_string(&request).map_err(|error| error.to_string());
        let answer = answer.and_then(|json| {
            client::post(state, "/orders", &[(FIELD, &ascii(&json))]).map_err(|error| error.to_string())
        });
        let ordered =
            answer.and_then(|answer| serde_json::from_str(&answer).map_err(|error| other_version(&error)));
        match ordered {
            Ok(ordered) => done.push(ordered),
            Err(message) => return (Done::Given(done), Some(message)),
        }
    }
    (Done::Given(done), None)
}

fn other_version(error: &serde_json::Error) -> String {
    format!("the running server is of another version: {error}")
}

/// JSON in ASCII alone, as a header field may hold it: other characters stand in strings only.
fn ascii(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        if character.is_ascii() {
            text.push(character);
        } else {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                text.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    text
}

fn write_list(orders: &[ShownOrder], json: bool, out: &mut dyn Write) -> std::io::Result<()> {
    if json {
        return writeln!(out, "{}", serde_json::to_string_pretty(orders).unwrap_or_default());
    }
    if orders.is_empty() {
        return writeln!(out, "Nobody is blocked or allowed by an order.");
    }
    orders.iter().try_for_each(|order| writeln!(out, "{}", line(order, "")))
}

fn write_given(done: &[Ordered], json: bool, out: &mut dyn Write) -> std::io::Result<()> {
    if json {
        return writeln!(out, "{}", serde_json::to_string_pretty(done).unwrap_or_default());
    }
    for Ordered { order, lifted, warning } in done {
        writeln!(out, "{}", line(order, if *lifted { "no longer " } else { "" }))?;
        if let Some(warning) = warning {
            writeln!(out, "  but: {warning}")?;
        }
    }
    Ok(())
}

fn line(order: &ShownOrder, no_longer: &str) -> String {
    let verb = match order.effect {
        Effect::Block => "blocked",
        Effect::Allow => "allowed",
    };
    if !no_longer.is_empty() {
        return format!("{}: {no_longer}{verb}", order.prefix);
    }
    let until = match order.until_unix_s {
        Some(at) => format!("until {}", super::second(at)),
        None => "until it is lifted".to_owned(),
    };
    let why = if order.why.is_empty() { String::new() } else { format!(" ({})", order.why) };
    format!("{}: {verb} {until}{why}", order.prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_in_ascii_is_the_same_json() {
        let json = serde_json::to_string("b\u{fc}ro \u{1f3db} \"x\"").unwrap();
        let text = ascii(&json);
        assert!(text.is_ascii());
        assert_eq!(serde_json::from_str::<String>(&text).unwrap(), "b\u{fc}ro \u{1f3db} \"x\"");
    }

    #[test]
    fn times() {
        for (text, good) in
            [("1h", true), ("400d", true), ("ever", true), ("0s", false), ("401d", false), ("soon", false)]
        {
            assert_eq!(time(text).is_ok(), good, "{text}");
        }
    }
}
