//! `bench sources`: a million distinct sources through the limiter, by real requests.
//!
//! Each request comes through a trusted proxy on loopback and names a source of its own, half of
//! them IPv4 addresses, half IPv6 /64 networks. It is for a page that has to come from the origin,
//! so that the limiter is asked as it is by default. Twice: with the default table, which has room
//! for all, and with a small one, which must forget.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::Range;
use std::path::Path;

use serde::Serialize;

use super::clock::Stopwatch;
use super::figures::{as_f64, mib, thousands};
use super::http::{Client, request};
use super::machine::Machine;
use super::servers::{Ground, HOST, SMALL, Server, Wants};

const CONNECTIONS: u32 = 16;
/// Requests sent on one connection before their answers are read.
const PIPELINED: u32 = 16;
/// How often memory is looked at on the way.
const LOOKS: u32 = 20;
/// What may grow beside the limiter's table: connections, buffers, the control loop's own figures.
const GROWTH_BYTES_MAX: u64 = 16 << 20;
const SMALL_TABLE: usize = 4096;

#[derive(clap::Args, Debug)]
pub(crate) struct SourcesArguments {
    /// Distinct sources
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1000..=16_000_000))]
    count: u32,
}

#[derive(Debug, Serialize)]
struct Report {
    machine: Machine,
    sources: u32,
    runs: Vec<Figures>,
}

#[derive(Debug, Serialize)]
struct Figures {
    tracked_prefixes: usize,
    limiter_bytes_max: u64,
    pss_bytes_before: u64,
    pss_bytes_most: u64,
    pss_bytes_after: u64,
    limiter_prefixes_most: u64,
    limiter_evictions: u64,
    requests_per_second: f64,
    requests_per_cpu_second: f64,
}

/// Measures; prints with `say`. The document, and whether memory stayed within its bound.
pub(super) fn run(
    arguments: &SourcesArguments,
    floodwall: &Path,
    say: &mut dyn FnMut(&str),
) -> Result<(serde_json::Value, bool), String> {
    let ground = Ground::prepare(floodwall.to_owned(), false)?;
    let machine = Machine::read(floodwall, &[&["nginx", "-v"]]);
    say(&machine.text());
    say(&format!(
        "{} sources, one request each to the origin, through a trusted proxy\n",
        thousands(f64::from(arguments.count))
    ));
    let origin = ground.start_origin()?;
    let mut runs = Vec::new();
    for tracked_prefixes in [1 << 20, SMALL_TABLE] {
        let wants = Wants {
            trusts_loopback: true,
            tracked_prefixes,
            // The slowest there is: each source owes a second for its one request, so that as many
            // as come in a second have to be remembered at once.
            origin_requests_per_second: 1,
            origin_burst: 1,
            ..Wants::default()
        };
        let server = ground.start_floodwall("floodwall", floodwall, origin.http, wants)?;
        let figures = measure(&server, tracked_prefixes, arguments.count)?;
        say(&text(&figures));
        runs.push(figures);
    }
    let bounded = runs.iter().all(|run| run.pss_bytes_most <= run.pss_bytes_before + GROWTH_BYTES_MAX);
    let word = if bounded { "kept" } else { "NOT KEPT" };
    say(&format!(
        "  bound: the table is taken at the start, 16 bytes a place; beside it memory may grow by {}: {word}",
        mib(GROWTH_BYTES_MAX)
    ));
    let report = Report { machine, sources: arguments.count, runs };
    let document = serde_json::to_value(report).map_err(|error| error.to_string())?;
    Ok((document, bounded))
}

fn measure(server: &Server, tracked_prefixes: usize, count: u32) -> Result<Figures, String> {
    let mut clients = connect(server.http)?;
    let pss_bytes_before = server.process.memory()?.pss_bytes;
    let limiter_bytes_max = server.metric("floodwall_limiter_size_max_bytes")?;
    let cpu_before = server.process.cpu_seconds()?;
    let watch = Stopwatch::start();
    let (mut pss_bytes_most, mut limiter_prefixes_most) = (pss_bytes_before, 0);
    for look in 0..LOOKS {
        let part = |look: u32| u64::from(count) * u64::from(look) / u64::from(LOOKS);
        let sources = part(look)..part(look + 1);
        ask(&mut clients, sources)?;
        pss_bytes_most = pss_bytes_most.max(server.process.memory()?.pss_bytes);
        limiter_prefixes_most = limiter_prefixes_most.max(server.metric("floodwall_limiter_prefixes")?);
    }
    let wall = watch.elapsed().as_secs_f64();
    let cpu = server.process.cpu_seconds()? - cpu_before;
    Ok(Figures {
        tracked_prefixes,
        limiter_bytes_max,
        pss_bytes_before,
        pss_bytes_most,
        pss_bytes_after: server.process.memory()?.pss_bytes,
        limiter_prefixes_most,
        limiter_evictions: server.metric("floodwall_limiter_evictions_total")?,
        requests_per_second: f64::from(count) / wall,
        requests_per_cpu_second: f64::from(count) / cpu,
    })
}

fn connect(address: SocketAddr) -> Result<Vec<Client>, String> {
    let clients = (0..CONNECTIONS).map(|_| Client::connect(address));
    clients.collect::<Result<_, _>>().map_err(|error| format!("{address}: {error}"))
}

/// One request from each source; all of them must be answered with 200.
fn ask(clients: &mut [Client], sources: Range<u64>) -> Result<(), String> {
    let mut next = sources.start;
    while next < sources.end {
        let mut sent = Vec::new();
        for client in clients.iter_mut() {
            let last = (next + u64::from(PIPELINED)).min(sources.end);
            let text: String = (next..last).map(request_of).collect();
            client.send(text.as_bytes()).map_err(|error| error.to_string())?;
            sent.push(last - next);
            next = last;
        }
        for (client, sent) in clients.iter_mut().zip(sent) {
            for _ in 0..sent {
                let answer = client.receive().map_err(|error| format!("not answered: {error}"))?;
                if answer.status != 200 {
                    return Err(format!("a source was answered with {}", answer.status));
                }
            }
        }
    }
    Ok(())
}

fn request_of(source: u64) -> String {
    request(HOST, SMALL, &format!("X-Forwarded-For: {}\r\n", address_of(source)))
}

/// The address of a source: even ones IPv4, odd ones each in a /64 of its own.
fn address_of(source: u64) -> std::net::IpAddr {
    let number = u32::try_from(source / 2).unwrap_or(u32::MAX);
    if source.is_multiple_of(2) {
        // From 20.0.0.0 on: far from loopback, multicast and the private networks.
        Ipv4Addr::from_bits(0x1400_0000_u32.wrapping_add(number)).into()
    } else {
        Ipv6Addr::from_bits((0x2001_0db8_u128 << 96) | (u128::from(number) << 64) | 1).into()
    }
}

fn text(figures: &Figures) -> String {
    format!(
        "  table of {} places, {}
    memory before {}, most {}, after {}
    remembered at once, most {}; forgotten early {}
    {} requests/s, {} per second of CPU time
",
        thousands(as_f64(u64::try_from(figures.tracked_prefixes).unwrap_or(u64::MAX))),
        mib(figures.limiter_bytes_max),
        mib(figures.pss_bytes_before),
        mib(figures.pss_bytes_most),
        mib(figures.pss_bytes_after),
        thousands(as_f64(figures.limiter_prefixes_most)),
        thousands(as_f64(figures.limiter_evictions)),
        thousands(figures.requests_per_second),
        thousands(figures.requests_per_cpu_second)
    )
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_source_is_another_one() {
        let networks: HashSet<u128> = (0..10_000)
            .map(|source| match address_of(source) {
                std::net::IpAddr::V4(address) => u128::from(address.to_bits()),
                std::net::IpAddr::V6(address) => address.to_bits() >> 64,
            })
            .collect();
        assert_eq!(networks.len(), 10_000);
    }
}
