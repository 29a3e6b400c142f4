//! docs/goodput.md.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use super::cells::{Cell, Cells, Figures, Title, spread};
use super::state::{About, Run};
use super::{EDGES, shortfalls};
use crate::bench::machine::Machine;

/// Where and how it was measured.
pub(super) struct Circumstances {
    pub(super) machine: String,
    pub(super) seeds: Vec<u64>,
    pub(super) seconds: Option<u32>,
}

impl Circumstances {
    pub(super) fn read(about: &About, floodwall: &Path, wanted: &[Run]) -> Self {
        let mut seeds: Vec<u64> = wanted.iter().map(|run| run.seed).collect();
        seeds.sort_unstable();
        seeds.dedup();
        let machine = Machine::read(floodwall, &[]).text();
        let machine = machine.trim_end_matches([',', ' ']).to_owned();
        Self { machine, seeds, seconds: about.seconds }
    }
}

/// The whole document.
pub(super) fn write(circumstances: &Circumstances, scenarios: &[String], cells: &Cells) -> String {
    let mut text = head(circumstances, &versions(cells));
    let missing = cells.all().map(|(_, _, cell)| cell.missing).sum::<usize>();
    if missing > 0 {
        let _ = write!(text, "\n**Not whole: {missing} runs are missing**, listed at the end.\n");
    }
    text.push_str("\n## What arrived\n\n");
    summary(&mut text, scenarios, cells);
    text.push_str(&shortfalls::write(scenarios, cells));
    text.push_str("\n## Scenario by scenario\n");
    text.push_str(LEGEND);
    for scenario in scenarios {
        if let Some(title) = cells.title(scenario) {
            section(&mut text, scenario, title, cells);
        }
    }
    notes(&mut text, cells);
    text
}

/// The rivals' versions, as the drills told them.
fn versions(cells: &Cells) -> String {
    let version = |edge: &str| {
        let mut of_it = cells.all().filter(|(_, name, cell)| *name == edge && !cell.version.is_empty());
        of_it.next().map(|(_, _, cell)| format!(", {edge} {}", cell.version))
    };
    EDGES.iter().skip(1).filter_map(|edge| version(edge)).collect()
}

fn head(circumstances: &Circumstances, versions: &str) -> String {
    let seeds: Vec<String> = circumstances.seeds.iter().map(u64::to_string).collect();
    let seeds = seeds.join(",");
    let length = circumstances
        .seconds
        .map_or("at full length".to_owned(), |seconds| format!("shortened to {seconds} s each"));
    let option = circumstances.seconds.map_or(String::new(), |seconds| format!(" --seconds {seconds}"));
    format!(
        "# What visitors get under every flood\n\n\
         Written by `cargo xtask bench goodput{option} --seeds {seeds}`; not by hand. Scenarios {length}; what \
         they are and how it is measured: [drill.md](drill.md). The rivals are Debian's packages in \
         [configurations](../crates/floodwall-drill/rivals) as a careful administrator would write them.\n\n\
         ```text\n{}{versions}\n```\n\n\
         Figures are medians over the seeds, with the least and the greatest in parentheses where they \
         differ. Void runs, in which the drill itself could not keep up, do not count; they are listed at the \
         end. Servers marked † met less than 95 % of the planned flood and stand beside no other.{}\n",
        circumstances.machine,
        circumstances.seconds.map_or("", |_| {
            " In floods this short the first seconds, in which limits fill, weigh more than in long ones, \
             and time-outs of ten seconds do not come to bear."
        }),
    )
}

/// Scenario by server: the median shares of what visitors wanted, and of visits.
fn summary(text: &mut String, scenarios: &[String], cells: &Cells) {
    let _ = writeln!(text, "| | {} |\n|---|{}", EDGES.join(" | "), "---:|".repeat(EDGES.len()));
    for scenario in scenarios {
        let row: Vec<String> = EDGES.iter().map(|edge| in_summary(cells.get(scenario, edge))).collect();
        let _ = writeln!(text, "| {scenario} | {} |", row.join(" | "));
    }
    text.push_str(
        "\nPercent of everything that visitors wanted (pages, style sheets, look-ups) / of visits in which \
         everything arrived, from the onset to the end. \
         *n/a*: the server cannot take part, for want of TLS. *void*: no run counted.\n",
    );
}

fn in_summary(cell: Option<&Cell>) -> String {
    let Some(cell) = cell else { return "missing".to_owned() };
    let middle = |of: fn(&Figures) -> f64| spread(&cell.runs, of).map(|(_, middle, _)| middle);
    if let Some((pages, visits)) = middle(|run| run.pages_percent).zip(middle(|run| run.visits_percent)) {
        let mark = if cell.not_comparable.is_empty() { "" } else { " †" };
        return format!("{pages:.1} / {visits:.0}{mark}");
    }
    match cell {
        Cell { left_out: Some(_), .. } => "n/a",
        Cell { void, .. } if !void.is_empty() => "void",
        _ => "missing",
    }
    .to_owned()
}

const LEGEND: &str = "\n\
    *Visits*: those in which everything arrived. *Protected*: seconds from the onset until 99 % arrive and the \
    99th percentile is within 3x calm, for good; *once over* where that was when the trouble had ended by itself. \
    *Refused*: visitors' requests taken for an attacker's (401, 403, 429). *Origin*: look-ups it was given, \
    against the 267 a second that its database can serve, and how many that turned away. *Memory*: the most. \
    *CPU*: of one processor, over the whole run. *Flood*: share of the planned flood that the server met.\n";

fn section(text: &mut String, scenario: &str, title: &Title, cells: &Cells) {
    let _ = write!(
        text,
        "\n### {scenario}\n\n{}.\n\n\
         | | pages | visits | median | 99th | protected | refused | origin | memory | CPU | flood |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
        title.title
    );
    for edge in EDGES {
        let Some(cell) = cells.get(scenario, edge) else { continue };
        if let Some(row) = row(title, cell) {
            let mark = if cell.not_comparable.is_empty() { "" } else { " †" };
            let void = match cell.void.len() {
                0 => String::new(),
                count => format!(" ({count} void)"),
            };
            let _ = writeln!(text, "| {edge}{mark}{void} {row}");
        } else {
            let _ = writeln!(text, "| {edge} | {} {}", in_summary(Some(cell)), "| ".repeat(10));
        }
    }
}

fn row(title: &Title, cell: &Cell) -> Option<String> {
    cell.runs.first()?;
    let show = |of: fn(&Figures) -> f64, text: &dyn Fn(f64) -> String| shown(&cell.runs, of, text);
    let percent = |value: f64| format!("{value:.1} %");
    let whole = |value: f64| format!("{value:.0}");
    let protected = |seconds: f64| protected(title, seconds);
    let origin = show(|run| run.origin_percent, &|value| format!("{value:.0} %"));
    let away = spread(&cell.runs, |run| run.turned_away).filter(|(_, _, most)| *most > 0.0);
    let away = away.map_or(String::new(), |(_, middle, _)| format!("; {middle:.0} away"));
    let columns = [
        show(|run| run.pages_percent, &percent),
        show(|run| run.visits_percent, &percent),
        show(|run| run.p50_ms, &latency),
        show(|run| run.p99_ms, &latency),
        show(|run| run.protect_s, &protected),
        show(|run| run.refused, &whole),
        format!("{origin}{away}"),
        show(|run| run.memory_mb, &|value| format!("{value:.0} MB")),
        show(|run| run.cpu_percent, &|value| format!("{value:.0} %")),
        if title.has_flood {
            show(|run| run.met_percent, &|value| format!("{value:.0} %"))
        } else {
            "-".to_owned()
        },
    ];
    Some(format!("| {} |", columns.join(" | ")))
}

/// Median, with the extremes where they differ as shown.
fn shown(runs: &[Figures], of: fn(&Figures) -> f64, text: &dyn Fn(f64) -> String) -> String {
    let Some((least, middle, most)) = spread(runs, of) else { return String::new() };
    let (least, middle, most) = (text(least), text(middle), text(most));
    if least == most { middle } else { format!("{middle} ({least} - {most})") }
}

fn protected(title: &Title, seconds: f64) -> String {
    if !title.has_onset {
        "-".to_owned()
    } else if seconds.is_infinite() {
        "never".to_owned()
    } else if seconds > 0.0 && title.lasts_s > 0.0 && seconds >= title.lasts_s {
        "once over".to_owned()
    } else {
        format!("{seconds:.0} s")
    }
}

pub(super) fn latency(ms: f64) -> String {
    if ms >= 1_000.0 { format!("{:.1} s", ms / 1_000.0) } else { format!("{ms:.0} ms") }
}

/// What did not count, and what is not there.
fn notes(text: &mut String, cells: &Cells) {
    let mut of = |heading: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            let _ = write!(text, "\n## {heading}\n\n{}", lines.concat());
        }
    };
    let each = |words: fn(&Cell) -> &Vec<String>| {
        let lines = cells.all().flat_map(|(scenario, edge, cell)| {
            words(cell).iter().map(move |why| format!("- {scenario} / {edge}, {why}\n"))
        });
        lines.collect::<Vec<_>>()
    };
    of("Void runs", each(|cell| &cell.void));
    of("Runs that stand beside no other", each(|cell| &cell.not_comparable));
    let mut missing: BTreeMap<&str, usize> = BTreeMap::new();
    for (scenario, _, cell) in cells.all().filter(|(_, _, cell)| cell.missing > 0) {
        *missing.entry(scenario).or_default() += cell.missing;
    }
    of("Missing runs", missing.iter().map(|(scenario, count)| format!("- {scenario}: {count}\n")).collect());
}
