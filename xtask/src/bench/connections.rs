//! `bench connections`: memory of each idle connection, beside nginx.
//!
//! What is measured is the growth of the server's proportional set size over what it was with a few
//! connections used and closed, divided by the connections. The kernel's own memory for sockets is
//! the same for every server and not counted.

use std::path::Path;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::Serialize;

use super::clock::pause;
use super::figures::{as_f64, kib};
use super::http::{Client, request};
use super::machine::Machine;
use super::servers::{CACHED, Ground, HOST, Server, Wants, page_body};

/// Memory one idle keep-alive connection may take.
const TARGET_BYTES: f64 = 16.0 * 1024.0;
/// Floodwall puts a connection to sleep two seconds after its last answer.
const SETTLE: Duration = Duration::from_secs(5);
/// Descriptors this program and the servers need besides the connections.
const SPARE_FILES: u64 = 512;

#[derive(clap::Args, Debug)]
pub(crate) struct ConnectionsArguments {
    /// Connections open at once
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(100..=25_000))]
    count: u32,
}

#[derive(Debug, Serialize)]
struct Report {
    machine: Machine,
    connections: u32,
    target_bytes_per_connection: f64,
    servers: Vec<Figures>,
}

/// Bytes of memory for each connection.
#[derive(Debug, Serialize)]
struct Figures {
    server: &'static str,
    before_bytes: u64,
    /// Accepted, nothing said yet.
    silent_bytes: f64,
    /// Just answered.
    answered_bytes: f64,
    /// Answered, and idle for five seconds.
    idle_bytes: f64,
    /// Of the last, what lies in huge pages.
    idle_huge_page_bytes: f64,
}

/// Measures; prints with `say`. The document, and whether the target was reached.
pub(super) fn run(
    arguments: &ConnectionsArguments,
    floodwall: &Path,
    say: &mut dyn FnMut(&str),
) -> Result<(serde_json::Value, bool), String> {
    let count = arguments.count;
    raise_open_files(u64::from(count) + SPARE_FILES)?;
    let ground = Ground::prepare(floodwall.to_owned(), false)?;
    let machine = Machine::read(floodwall, &[&["nginx", "-v"]]);
    say(&machine.text());
    say(&format!("{count} connections open at once; memory of each (growth of the server's PSS)\n"));
    say(&format!("  {:<10} {:>12} {:>12} {:>12} {:>12}", "", "at rest", "silent", "answered", "idle 5 s"));
    let origin = ground.start_origin()?;
    let room = usize::try_from(count).unwrap_or(usize::MAX).saturating_add(1000);
    let mut servers = Vec::new();
    for name in ["nginx", "floodwall"] {
        let start = || {
            // All come from one address, which may hold up to half of what there is.
            let wants = Wants { connections_max: room.saturating_mul(2), ..Wants::default() };
            match name {
                "nginx" => ground.start_rival(origin.http, room),
                _ => ground.start_floodwall(name, &ground.floodwall, origin.http, wants),
            }
        };
        let figures = measure(name, count, &start)?;
        say(&format!(
            "  {name:<10} {:>12} {:>12} {:>12} {:>12}",
            kib(as_f64(figures.before_bytes)),
            kib(figures.silent_bytes),
            kib(figures.answered_bytes),
            kib(figures.idle_bytes)
        ));
        servers.push(figures);
    }
    let reached = servers.last().is_some_and(|floodwall| floodwall.idle_bytes <= TARGET_BYTES);
    let word = if reached { "reached" } else { "NOT REACHED" };
    say(&format!("\n  wanted of floodwall, idle: at most {}: {word}", kib(TARGET_BYTES)));
    let report = Report { machine, connections: count, target_bytes_per_connection: TARGET_BYTES, servers };
    let document = serde_json::to_value(report).map_err(|error| error.to_string())?;
    Ok((document, reached))
}

fn measure(
    name: &'static str,
    count: u32,
    start: &dyn Fn() -> Result<Server, String>,
) -> Result<Figures, String> {
    let each = |server: &Server, before: u64| -> Result<f64, String> {
        let now = server.process.memory()?.pss_bytes;
        Ok((as_f64(now) - as_f64(before)) / f64::from(count))
    };
    let (silent_bytes, before_bytes) = {
        let server = start()?;
        let before = settled(&server)?;
        let open = open(&server, count)?;
        // Accepting is what is waited for; the server does nothing else.
        pause(Duration::from_secs(1));
        let silent = each(&server, before)?;
        drop(open);
        (silent, before)
    };
    let server = start()?;
    let before = settled(&server)?;
    let mut open = open(&server, count)?;
    use_all(&mut open)?;
    let answered_bytes = each(&server, before)?;
    pause(SETTLE);
    let idle_bytes = each(&server, before)?;
    let huge = server.process.memory()?.huge_bytes;
    Ok(Figures {
        server: name,
        before_bytes,
        silent_bytes,
        answered_bytes,
        idle_bytes,
        idle_huge_page_bytes: as_f64(huge) / f64::from(count),
    })
}

/// Memory once the cache is filled and a few connections have come and gone.
fn settled(server: &Server) -> Result<u64, String> {
    let mut open = open(server, 20)?;
    for _ in 0..10 {
        use_all(&mut open)?;
    }
    drop(open);
    pause(Duration::from_secs(1));
    Ok(server.process.memory()?.pss_bytes)
}

fn open(server: &Server, count: u32) -> Result<Vec<Client>, String> {
    (0..count)
        .map(|number| Client::connect(server.http).map_err(|error| format!("connection {number}: {error}")))
        .collect()
}

/// One request on each connection, all sent before the first answer is read.
fn use_all(open: &mut [Client]) -> Result<(), String> {
    let asking = request(HOST, CACHED, "");
    let mut use_each = || -> std::io::Result<bool> {
        for client in open.iter_mut() {
            client.send(asking.as_bytes())?;
        }
        let mut good = true;
        for client in open.iter_mut() {
            let answer = client.receive()?;
            good &= answer.status == 200 && answer.body.len() == page_body().len();
        }
        Ok(good)
    };
    match use_each() {
        Ok(true) => Ok(()),
        Ok(false) => Err("an answer was not the page".to_owned()),
        Err(error) => Err(format!("a connection was not answered: {error}")),
    }
}

/// Takes as many open files as are wanted, for this program and those it starts.
fn raise_open_files(wanted: u64) -> Result<(), String> {
    let limit = getrlimit(Resource::Nofile);
    if limit.maximum.is_some_and(|maximum| maximum < wanted) {
        let maximum = limit.maximum.unwrap_or(0);
        return Err(format!(
            "{wanted} open files are needed and {maximum} allowed: raise the hard limit (ulimit -Hn {wanted}), or give a smaller --count"
        ));
    }
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    setrlimit(Resource::Nofile, raised).map_err(|error| format!("the limit of open files: {error}"))
}
