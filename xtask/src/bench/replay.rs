//! `bench replay`: lines of log a second, from the file to the verdict, on one core.
//!
//! The log is combined lines of a busy site: people with the parts of pages, crawlers, and a flood of
//! look-ups in the middle; or a given one, repeated with its addresses changed. It is read once before
//! the first round, so that the disk is not what is measured.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::clock::Stopwatch;
use super::figures::{Spread, as_f64, mib, thousands};
use super::machine::Machine;
use super::process::{children_cpu_seconds, pinned};

/// Lines a second of processor time that are to be reached.
const TARGET: f64 = 500_000.0;
const CORE: usize = 0;

#[derive(clap::Args, Debug)]
pub(crate) struct ReplayArguments {
    /// Lines of the log
    #[arg(long, default_value_t = 3_000_000, value_parser = clap::value_parser!(u64).range(10_000..=100_000_000))]
    lines: u64,
    /// A combined log to repeat until there are so many, instead of one of our own making
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// Rounds
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
}

#[derive(Debug, Serialize)]
struct Report {
    machine: Machine,
    lines: u64,
    bytes: u64,
    lines_per_cpu_second: Spread,
    lines_per_second: Spread,
    target_lines_per_cpu_second: f64,
}

/// Measures; prints with `say`. The document, and whether the target was reached.
pub(super) fn run(
    arguments: &ReplayArguments,
    floodwall: &Path,
    say: &mut dyn FnMut(&str),
) -> Result<(serde_json::Value, bool), String> {
    let machine = Machine::read(floodwall, &[]);
    say(&machine.text());
    let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
    let log = directory.path().join("access.log");
    let bytes = write_log(arguments, &log).map_err(|error| format!("{}: {error}", log.display()))?;
    say(&format!("{} lines, {}, one core\n", thousands(as_f64(arguments.lines)), mib(bytes)));
    let (mut by_cpu, mut by_wall) = (Vec::new(), Vec::new());
    for round in 0..=arguments.rounds {
        let (cpu, wall) = replay(floodwall, &log, arguments.lines)?;
        // The first one warms the page cache.
        if round > 0 {
            by_cpu.push(as_f64(arguments.lines) / cpu);
            by_wall.push(as_f64(arguments.lines) / wall);
        }
    }
    let (Some(per_cpu), Some(per_wall)) = (Spread::of(by_cpu), Spread::of(by_wall)) else {
        return Err("no round was measured".to_owned());
    };
    for (what, spread) in [("lines/CPU s", per_cpu), ("lines/s", per_wall)] {
        let [min, median, max] = [spread.min, spread.median, spread.max].map(thousands);
        say(&format!("{what:12} {min:>10} {median:>10} {max:>10}"));
    }
    let reached = per_cpu.median >= TARGET;
    let verdict = if reached { "reached" } else { "NOT REACHED" };
    say(&format!("target: {} lines a CPU second: {verdict}", thousands(TARGET)));
    let report = Report {
        machine,
        lines: arguments.lines,
        bytes,
        lines_per_cpu_second: per_cpu,
        lines_per_second: per_wall,
        target_lines_per_cpu_second: TARGET,
    };
    Ok((serde_json::to_value(report).map_err(|error| error.to_string())?, reached))
}

/// One replay on one core: seconds of processor time, all threads, and seconds that passed.
fn replay(floodwall: &Path, log: &Path, lines: u64) -> Result<(f64, f64), String> {
    let cpu_before = children_cpu_seconds()?;
    let watch = Stopwatch::start();
    let output = pinned(CORE, floodwall).args(["replay", "--json"]).arg(log).output();
    let output = output.map_err(|error| format!("cannot start floodwall: {error}"))?;
    let wall = watch.elapsed().as_secs_f64();
    let cpu = children_cpu_seconds()? - cpu_before;
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let read = document.pointer("/read/requests").and_then(serde_json::Value::as_u64);
    if !output.status.success() || read != Some(lines) {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("a replay read {read:?} of {lines} requests: {said}"));
    }
    Ok((cpu.max(0.01), wall))
}

fn write_log(arguments: &ReplayArguments, to: &Path) -> std::io::Result<u64> {
    let mut out = BufWriter::new(File::create(to)?);
    match &arguments.log {
        Some(log) => repeat(&mut out, log, arguments.lines)?,
        None => generate(&mut out, arguments.lines)?,
    }
    out.flush()?;
    Ok(to.metadata()?.len())
}

/// A second's lines: 2,000 of people and crawlers, and in the middle fifth 8,000 of a flood.
fn generate(out: &mut impl Write, lines: u64) -> std::io::Result<()> {
    const CALM: u64 = 2_000;
    const FLOOD: u64 = 8_000;
    let (mut written, mut second) = (0, 0_u64);
    while written < lines {
        let flooded = (lines / 5 * 2..lines / 5 * 3).contains(&written);
        let all = CALM + if flooded { FLOOD } else { 0 };
        for number in 0..all.min(lines - written) {
            let luck = chance(second * 1_000_000 + number);
            out.write_all(line(second, luck, number >= CALM).as_bytes())?;
            written += 1;
        }
        second += 1;
    }
    Ok(())
}

fn line(second: u64, luck: u64, is_flood: bool) -> String {
    const PARTS: [&str; 5] = ["/site.css", "/seal.svg", "/app.js", "/photo.jpg", "/font.woff2"];
    let source = if is_flood { chance(luck % 20_000) } else { chance((1 << 40) | (luck % 60_000)) };
    let [one, two, three, four, agent, ..] = source.to_be_bytes();
    let page = format!("/polling-place/county-{}", luck % 300);
    let (hour, minute) = (second / 3_600 % 24, second / 60 % 60);
    let mut text = format!("{}.{two}.{three}.{four} - - [08/Nov/2022:{hour:02}:{minute:02}:", 1 + one % 220);
    let _ = write!(text, "{:02} +0000] \"GET ", second % 60);
    let part = PARTS.get(usize::try_from(luck >> 40).unwrap_or(0) % 8);
    let (status, bytes) = (200, 500 + luck % 40_000);
    let _ = match part {
        _ if is_flood => write!(text, "/lookup?address={luck} HTTP/1.1\" {status} {bytes} \"-\""),
        Some(part) => {
            write!(text, "{part} HTTP/1.1\" {status} {bytes} \"https://www.sos.example.gov{page}\"")
        }
        None => write!(text, "{page} HTTP/1.1\" {status} {bytes} \"https://www.sos.example.gov/\""),
    };
    let version = 90 + agent % 40;
    let _ = writeln!(
        text,
        " \"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{version}.0.0.0 \
         Safari/537.36\""
    );
    text
}

/// Repeats a log, one second for each thousand lines, the last two parts of IPv4 addresses changed.
fn repeat(out: &mut impl Write, log: &Path, lines: u64) -> std::io::Result<()> {
    let mut rests = Vec::new();
    for line in BufReader::new(File::open(log)?).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        let Some((client, rest)) = line.split_once(' ') else { continue };
        let Some((_, rest)) = rest.split_once("] ") else { continue };
        let network = client.rsplitn(3, '.').nth(2).filter(|network| network.contains('.'));
        rests.push((network.unwrap_or("192.0").to_owned(), rest.to_owned()));
    }
    for (number, (network, rest)) in (0..lines).zip(rests.iter().cycle()) {
        let second = number / 1_000;
        let (day, hour, minute) = (1 + second / 86_400 % 28, second / 3_600 % 24, second / 60 % 60);
        let luck = chance(number % 50_000);
        writeln!(
            out,
            "{network}.{}.{} - - [{day:02}/Nov/2022:{hour:02}:{minute:02}:{:02} +0000] {rest}",
            luck % 256,
            luck / 256 % 256,
            second % 60
        )?;
    }
    Ok(())
}

/// A number that looks like chance and is the same each time (splitmix64).
fn chance(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}
