//! The processes that run on the drill's hosts: each is given its orders as one JSON line on
//! standard input, says `ready`, is told when to start, and prints what it saw as JSON.
//!
//! An agent ends when its standard input does: whatever becomes of the drill, none is left behind.

mod answer;
mod client;
mod counters;
mod flood;
mod h2;
mod handshakes;
mod introduction;
mod jar;
mod lateness;
mod packets;
mod page;
mod slow;
#[cfg(test)]
mod standin;
mod tls;
mod visitors;
mod work;

use std::io::{BufRead, Write};

use serde::{Deserialize, Serialize};

pub use counters::{Counters, run as run_counters};
pub use flood::{FloodSecond, FloodSeen};
pub(crate) use introduction::{FLOODERS_USER_AGENT, user_agent};
pub use tls::TlsOrders;
pub use visitors::VisitorsSeen;

use tls::Tls;

use crate::clock::Moment;
use crate::hosts::{Host, HostsError, Network, OwnHost};
use crate::plan::Plan;
use crate::random::Seed;
use crate::scenario::Scenario;

/// What an agent is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Orders {
    /// Where it runs.
    pub network: Network,
    /// As which host.
    pub host: Host,
    /// The scenario; checked once more by the agent.
    pub scenario: Scenario,
    /// The seed.
    pub seed: u64,
    /// The port that it serves, or connects to.
    pub port: u16,
    /// The edge's port with TLS, where the scenario needs it.
    pub tls: Option<TlsOrders>,
    /// The site's host name, for `Host`.
    pub site: String,
}

/// Why an agent cannot do its work.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// Standard input ended or held something else.
    #[error("an agent of the drill takes its orders from `floodwall drill` alone: {0}")]
    Orders(String),
    /// It is not where it should be.
    #[error(transparent)]
    Hosts(#[from] HostsError),
    /// The operating system refuses something.
    #[error("the operating system gave no event loop: {0}")]
    Runtime(#[source] std::io::Error),
    /// The TLS library refuses something.
    #[error("no TLS handshake can be prepared: {0}")]
    Handshake(#[source] std::io::Error),
    /// The edge never answered.
    #[error("the edge did not answer the first page within {seconds} s: {last}")]
    NoEdge {
        /// How long it was tried.
        seconds: u64,
        /// What came last.
        last: String,
    },
}

/// What the origin saw, its own counts since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OriginSeen {
    /// Requests of any kind.
    pub requests: u64,
    /// Look-ups that reached the database.
    pub lookups: u64,
    /// Look-ups turned away because the database was busy.
    pub lookups_refused: u64,
    /// The most look-ups in the database at one moment.
    pub lookups_in_progress_max: u64,
}

/// What an agent works with.
#[derive(Clone, Debug)]
pub(crate) struct Post {
    pub(crate) own: OwnHost,
    pub(crate) port: u16,
    pub(crate) tls: Option<Tls>,
    pub(crate) site: String,
    pub(crate) plan: Plan,
}

/// Takes the orders for `host` from standard input.
///
/// # Errors
/// They are not there, not for this host, out of bounds, or this process is elsewhere.
pub fn take_orders(host: Host) -> Result<(Orders, OwnHost), AgentError> {
    let mut orders: Orders = told()?;
    let own = OwnHost::confirm(orders.network, host)?;
    let faults = |faults: Vec<_>| faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    orders.scenario = orders.scenario.checked().map_err(|found| AgentError::Orders(faults(found)))?;
    Ok((orders, own))
}

/// Runs the visitors' or the flood's agent to its end. The result goes to standard output.
///
/// # Errors
/// See [`AgentError`].
pub fn run(host: Host) -> Result<(), AgentError> {
    let (orders, own) = take_orders(host)?;
    let plan = Plan::new(&orders.scenario, Seed(orders.seed));
    let tls = orders.tls.map(|tls| Tls::new(&tls, &orders.site)).transpose()?;
    let post = Post { own, port: orders.port, tls, site: orders.site, plan };
    crate::machine::raise_open_files();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(AgentError::Runtime)?;
    if host == Host::Flood {
        let floods = flood::prepare(&post)?;
        let start = ready_and_start()?;
        tell_result(&runtime.block_on(flood::run(floods, start)))?;
    } else {
        runtime.block_on(visitors::wait_for_edge(&post))?;
        let start = ready_and_start()?;
        tell_result(&runtime.block_on(visitors::run(&post, start)))?;
    }
    // Connections that are still held end with the process, not one by one.
    runtime.shutdown_background();
    Ok(())
}

/// Prints what an agent saw.
///
/// # Errors
/// It cannot be put into JSON: a fault of the program.
pub fn tell_result(seen: &impl Serialize) -> Result<(), AgentError> {
    say(&serde_json::to_string(seen).map_err(|error| AgentError::Orders(error.to_string()))?);
    Ok(())
}

/// Says that all is prepared, and waits to be told the moment to start. From then on the end of
/// standard input ends this process.
fn ready_and_start() -> Result<Moment, AgentError> {
    ready();
    let start = told()?;
    std::thread::spawn(|| {
        while line().is_ok() {}
        std::process::exit(1);
    });
    Ok(start)
}

/// Says that all is prepared.
pub fn ready() {
    say("ready");
}

/// Waits for one thing to be told.
///
/// # Errors
/// Standard input ended, or held something else.
pub fn told<T: serde::de::DeserializeOwned>() -> Result<T, AgentError> {
    serde_json::from_str(&line()?).map_err(|error| AgentError::Orders(error.to_string()))
}

fn line() -> Result<String, AgentError> {
    let mut line = String::new();
    match std::io::stdin().lock().read_line(&mut line) {
        Ok(0) => Err(AgentError::Orders("standard input ended".to_owned())),
        Ok(_) => Ok(line),
        Err(error) => Err(AgentError::Orders(error.to_string())),
    }
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
