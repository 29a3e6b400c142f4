//! The server's own log: to stderr, for people by default, as JSON lines when asked.
//!
//! Nothing that happens once per request logs above TRACE.

use tracing_subscriber::EnvFilter;

/// Starts logging. `FLOODWALL_LOG` sets what is logged (`info`, `floodwall_edge=debug`, ...),
/// `FLOODWALL_LOG_FORMAT=json` makes each line a JSON object.
pub(crate) fn start() {
    let filter = EnvFilter::try_from_env("FLOODWALL_LOG").unwrap_or_else(|_| EnvFilter::new("info,h2=error"));
    let as_json = std::env::var("FLOODWALL_LOG_FORMAT").is_ok_and(|format| format == "json");
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(crate::commands::stderr_form().color);
    // Called twice (tests do) the first one stays; there is nothing to mend.
    let _ = if as_json { builder.json().try_init() } else { builder.with_target(false).try_init() };
}
