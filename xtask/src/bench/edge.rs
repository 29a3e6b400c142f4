//! `bench edge`: requests per second of the server's CPU time, beside nginx, in alternation.
//!
//! CPU time and not wall time: on a machine that does other work the first moves by a few per cent
//! where the second halves. What other work there is meets both sides alike, since they take turns.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::clock::Stopwatch;
use super::figures::{Spread, as_f64, thousands};
use super::http;
use super::load::{self, Generator, Run};
use super::machine::Machine;
use super::servers::{CACHED, GUARDED, Ground, HOST, Server, THROUGH, Wants, page_body};

/// Requests of ours and of health probes that the origin may see beside those of a row.
const STRAY_REQUESTS_MAX: u64 = 10;
const WARM_UP_SECONDS: u64 = 1;

#[derive(clap::Args, Debug)]
pub(crate) struct EdgeArguments {
    /// Rounds of each row; in each both servers take their turn
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Seconds of load on one server in one round
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Connections of the generator
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4096))]
    connections: u16,
    /// Rows to measure, of these; all by default
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Row::ALL)]
    rows: Vec<Row>,
    /// Another build of floodwall to compare with, instead of nginx
    #[arg(long, value_name = "FILE")]
    versus: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Row {
    Cached,
    PassThrough,
    Guarded,
    TlsHttp1,
    TlsHttp2,
}

impl Row {
    const ALL: [Self; 5] = [Self::Cached, Self::PassThrough, Self::Guarded, Self::TlsHttp1, Self::TlsHttp2];

    fn title(self) -> &'static str {
        match self {
            Self::Cached => "10 KiB page from the cache, HTTP/1.1 keep-alive",
            Self::PassThrough => "10 KiB page passed through from the origin, HTTP/1.1 keep-alive",
            Self::Guarded => "the same, with nginx limiting by address and asking its cache as well",
            Self::TlsHttp1 => "10 KiB page from the cache, TLS, HTTP/1.1 keep-alive",
            Self::TlsHttp2 => "10 KiB page from the cache, TLS, HTTP/2",
        }
    }

    /// What the ratio to nginx must reach.
    fn target(self) -> Option<f64> {
        match self {
            Self::Cached => Some(1.3),
            Self::PassThrough => Some(1.0),
            Self::Guarded | Self::TlsHttp1 | Self::TlsHttp2 => None,
        }
    }

    fn generator(self) -> Generator {
        match self {
            Self::Cached | Self::PassThrough | Self::Guarded => Generator::Wrk,
            Self::TlsHttp1 => Generator::TlsHttp1,
            Self::TlsHttp2 => Generator::TlsHttp2,
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::PassThrough => THROUGH,
            Self::Guarded => GUARDED,
            Self::Cached | Self::TlsHttp1 | Self::TlsHttp2 => CACHED,
        }
    }

    fn is_cached(self) -> bool {
        !matches!(self, Self::PassThrough | Self::Guarded)
    }
}

/// The whole outcome.
#[derive(Debug, Serialize)]
struct Report {
    machine: Machine,
    rounds: u32,
    seconds: u64,
    connections: u16,
    rows: Vec<RowReport>,
}

#[derive(Debug, Serialize)]
struct RowReport {
    title: &'static str,
    rival: &'static str,
    /// `None` when every round was void.
    compared: Option<Compared>,
    void_rounds: Vec<String>,
    target_ratio: Option<f64>,
    reached: Option<bool>,
}

#[derive(Debug, Serialize)]
struct Compared {
    rival_per_cpu_second: Spread,
    floodwall_per_cpu_second: Spread,
    rival_per_wall_second: Spread,
    floodwall_per_wall_second: Spread,
    ratio_of_medians: f64,
    paired_ratios: Spread,
}

/// One server's share of one round.
#[derive(Clone, Copy, Debug)]
struct Turn {
    per_cpu_second: f64,
    per_wall_second: f64,
}

/// The programs the rows need, with their Debian packages.
pub(super) fn packages(arguments: &EdgeArguments) -> Vec<(&'static str, &'static str)> {
    let mut packages = vec![("nginx", "nginx-light"), ("wrk", "wrk")];
    if arguments.wants_tls() {
        packages.extend([("h2load", "nghttp2-client"), ("openssl", "openssl")]);
    }
    packages
}

impl EdgeArguments {
    fn wants_tls(&self) -> bool {
        self.rows.iter().any(|row| row.generator() != Generator::Wrk)
    }
}

/// Measures; prints with `say` as it goes. The document, and whether every target was reached.
pub(super) fn run(
    arguments: &EdgeArguments,
    floodwall: &Path,
    say: &mut dyn FnMut(&str),
) -> Result<(serde_json::Value, bool), String> {
    let ground = Ground::prepare(floodwall.to_owned(), arguments.wants_tls())?;
    let machine = Machine::read(floodwall, &[&["nginx", "-v"], &["wrk", "-v"], &["h2load", "--version"]]);
    say(&machine.text());
    say(&format!(
        "server on core {}, generator and origin on core {}; {} rounds of {} s each, {} connections; \
         requests per second of the server's CPU time\n",
        ground.server_core, ground.other_core, arguments.rounds, arguments.seconds, arguments.connections
    ));
    let origin = ground.start_origin()?;
    let rival = match &arguments.versus {
        None => ground.start_rival(origin.http, 4096)?,
        Some(binary) => ground.start_floodwall("other build", binary, origin.http, Wants::default())?,
    };
    let ours = ground.start_floodwall("floodwall", floodwall, origin.http, Wants::default())?;
    let servers = Servers { ground: &ground, origin: &origin, rival: &rival, ours: &ours };
    let mut rows = Vec::new();
    for row in &arguments.rows {
        let report = measure_row(&servers, *row, arguments)?;
        say(&row_text(&report));
        rows.push(report);
    }
    let good = rows.iter().all(|row| row.reached != Some(false) && row.compared.is_some());
    let document = serde_json::to_value(Report {
        machine,
        rounds: arguments.rounds,
        seconds: arguments.seconds,
        connections: arguments.connections,
        rows,
    });
    document.map(|document| (document, good)).map_err(|error| error.to_string())
}

struct Servers<'a> {
    ground: &'a Ground,
    origin: &'a Server,
    rival: &'a Server,
    ours: &'a Server,
}

fn measure_row(servers: &Servers<'_>, row: Row, arguments: &EdgeArguments) -> Result<RowReport, String> {
    let mut pairs = Vec::new();
    let mut void_rounds = Vec::new();
    for round in 1..=arguments.rounds {
        let rival = take_turn(servers, servers.rival, row, arguments)?;
        let ours = take_turn(servers, servers.ours, row, arguments)?;
        match (rival, ours) {
            (Ok(rival), Ok(ours)) => pairs.push((rival, ours)),
            (Err(why), _) | (_, Err(why)) => void_rounds.push(format!("round {round}: {why}")),
        }
    }
    let compared = compare(&pairs);
    // Against another build of ours there is nothing to reach.
    let target_ratio = if arguments.versus.is_none() { row.target() } else { None };
    let reached = target_ratio
        .map(|target| compared.as_ref().is_some_and(|compared| compared.ratio_of_medians >= target));
    let rival = servers.rival.name;
    Ok(RowReport { title: row.title(), rival, compared, void_rounds, target_ratio, reached })
}

/// One server's turn; `Err` within says why it does not count.
fn take_turn(
    servers: &Servers<'_>,
    server: &Server,
    row: Row,
    arguments: &EdgeArguments,
) -> Result<Result<Turn, String>, String> {
    let address = if row.generator() == Generator::Wrk { Some(server.http) } else { server.https };
    let mut run = Run {
        generator: row.generator(),
        core: servers.ground.other_core,
        address: address.ok_or("a TLS row without a TLS listener")?,
        path: row.path(),
        connections: usize::from(arguments.connections),
        seconds: WARM_UP_SECONDS,
    };
    load::run(&run)?;
    if let Err(why) = check_answer(server, row) {
        return Ok(Err(why));
    }
    run.seconds = arguments.seconds;
    let asked_before = servers.origin.origin_requests()?;
    let cpu_before = server.process.cpu_seconds()?;
    let watch = Stopwatch::start();
    let load = load::run(&run)?;
    let wall = watch.elapsed().as_secs_f64();
    let cpu = server.process.cpu_seconds()? - cpu_before;
    let asked = servers.origin.origin_requests()?.saturating_sub(asked_before);
    let name = server.name;
    if load.errors > 0 {
        return Ok(Err(format!("{name}: {} errors", load.errors)));
    }
    if row.is_cached() && asked > STRAY_REQUESTS_MAX {
        return Ok(Err(format!("{name}: the origin was asked {asked} times for a page that is cached")));
    }
    if !row.is_cached() && asked < load.requests {
        return Ok(Err(format!("{name}: {} answers, but the origin was asked {asked} times", load.requests)));
    }
    if cpu <= 0.0 || load.requests == 0 {
        return Ok(Err(format!("{name}: {} requests in {cpu} s of CPU time", load.requests)));
    }
    let requests = as_f64(load.requests);
    Ok(Ok(Turn { per_cpu_second: requests / cpu, per_wall_second: requests / wall }))
}

/// Looks at one answer: the same page on both sides, and from where it should come. In clear text,
/// over TLS as well: that what TLS gives comes from the cache, the origin's count shows.
fn check_answer(server: &Server, row: Row) -> Result<(), String> {
    if row.generator() != Generator::Wrk {
        // Copies are kept apart by scheme: this one may not be there yet.
        http::get(server.http, HOST, row.path())?;
    }
    let answer = http::get(server.http, HOST, row.path())?;
    let name = server.name;
    if answer.status != 200 || answer.body != page_body().as_bytes() {
        return Err(format!("{name}: status {}, {} bytes: not the page", answer.status, answer.body.len()));
    }
    let hit = match (answer.field("x-cache-status"), answer.field("cache-status")) {
        (Some(nginx), _) => nginx == "HIT",
        (None, Some(floodwall)) => floodwall.contains("; hit") && answer.field("age").is_some(),
        (None, None) => false,
    };
    if hit == row.is_cached() { Ok(()) } else { Err(format!("{name}: from the cache: {hit}")) }
}

fn compare(pairs: &[(Turn, Turn)]) -> Option<Compared> {
    let spread = |figure: &dyn Fn(&(Turn, Turn)) -> f64| Spread::of(pairs.iter().map(figure).collect());
    let rival = spread(&|(rival, _)| rival.per_cpu_second)?;
    let ours = spread(&|(_, ours)| ours.per_cpu_second)?;
    Some(Compared {
        rival_per_cpu_second: rival,
        floodwall_per_cpu_second: ours,
        rival_per_wall_second: spread(&|(rival, _)| rival.per_wall_second)?,
        floodwall_per_wall_second: spread(&|(_, ours)| ours.per_wall_second)?,
        ratio_of_medians: ours.median / rival.median,
        paired_ratios: spread(&|(rival, ours)| ours.per_cpu_second / rival.per_cpu_second)?,
    })
}

fn row_text(row: &RowReport) -> String {
    let mut lines = vec![row.title.to_owned()];
    if let Some(compared) = &row.compared {
        lines.push(format!(
            "  {:<12} {:>10} {:>10} {:>10}   {:>14}",
            "", "min", "median", "max", "wall, median"
        ));
        let line = |name: &str, cpu: Spread, wall: Spread| {
            format!(
                "  {name:<12} {:>10} {:>10} {:>10}   {:>14}",
                thousands(cpu.min),
                thousands(cpu.median),
                thousands(cpu.max),
                thousands(wall.median)
            )
        };
        lines.push(line(row.rival, compared.rival_per_cpu_second, compared.rival_per_wall_second));
        let (cpu, wall) = (compared.floodwall_per_cpu_second, compared.floodwall_per_wall_second);
        lines.push(line("floodwall", cpu, wall));
        let paired = compared.paired_ratios;
        let mut verdict = format!(
            "  ratio of medians {:.2}; of paired rounds {:.2} (from {:.2} to {:.2})",
            compared.ratio_of_medians, paired.median, paired.min, paired.max
        );
        if let (Some(target), Some(reached)) = (row.target_ratio, row.reached) {
            let word = if reached { "reached" } else { "NOT REACHED" };
            verdict.push_str(&format!("; wanted {target:.1}: {word}"));
        }
        lines.push(verdict);
    }
    for void in &row.void_rounds {
        lines.push(format!("  void, {void}"));
    }
    lines.push(String::new());
    lines.join("\n")
}
