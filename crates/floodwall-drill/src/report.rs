//! The report that a person prints and hands over: what visitors got, second by second, with the
//! flood behind it. One HTML file without scripts or anything from elsewhere.

mod chart;
mod words;

use askama::Template;

use crate::measure::{Outcome as Fate, met_percent, to_f64};
use crate::run::Outcome;
use crate::scenario::Scenario;
use chart::Chart;
pub use words::{between, parts};

/// Where and when it was measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Circumstances {
    /// For people: `2026-11-25 02:00 UTC`.
    pub when: String,
    /// Processor, cores, kernel.
    pub machine: String,
}

/// One row of the summary.
struct Row {
    edge: String,
    arrived: String,
    cached: String,
    look_ups: String,
    sessions: String,
    refused: u64,
    failed: u64,
    p50: String,
    p99: String,
    protect: String,
    flood_met: String,
    origin_requests: u64,
    cpu: String,
    memory: String,
    void: Option<String>,
    not_comparable: Option<String>,
}

/// One edge's figures of one scenario.
struct Part {
    edge: String,
    anchor: String,
    chart: Chart,
    kinds: Vec<Kind>,
    between: Option<String>,
    /// Of Floodwall: what people are promised and did not get.
    falls_short: Vec<String>,
    generators: String,
}

struct Kind {
    name: &'static str,
    wants: u64,
    arrived: String,
    visits: u64,
    whole: String,
    redirected: u64,
    proved: u64,
    waited: u64,
    shown_a_page: u64,
    p99: String,
    p99_untold: String,
}

/// One scenario with everything that was put through it.
struct Section {
    scenario: Scenario,
    rows: Vec<Row>,
    parts: Vec<Part>,
}

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    circumstances: &'a Circumstances,
    network: &'static str,
    seeds: String,
    sections: Vec<Section>,
}

/// The report of several drills, those of one scenario together.
///
/// # Errors
/// The template cannot be filled: a fault of the program.
pub fn html(outcomes: &[Outcome], circumstances: &Circumstances) -> Result<String, askama::Error> {
    let mut sections: Vec<Section> = Vec::new();
    for (outcome, number) in outcomes.iter().zip(1_u32..) {
        let place = sections.iter().position(|section| section.scenario == outcome.scenario);
        let section = match place.and_then(|place| sections.get_mut(place)) {
            Some(section) => section,
            None => {
                let scenario = outcome.scenario.clone();
                sections.push(Section { scenario, rows: Vec::new(), parts: Vec::new() });
                let Some(section) = sections.last_mut() else { continue };
                section
            }
        };
        section.rows.push(row(outcome));
        section.parts.push(part(outcome, number));
    }
    let mut seeds: Vec<u64> = outcomes.iter().map(|outcome| outcome.seed).collect();
    seeds.sort_unstable();
    seeds.dedup();
    let namespaces = outcomes.iter().all(|outcome| outcome.network == crate::hosts::Network::Namespaces);
    Page {
        circumstances,
        network: if namespaces {
            "each host in a network namespace of its own"
        } else {
            "all hosts on loopback, without IPv6 visitors"
        },
        seeds: seeds.iter().map(u64::to_string).collect::<Vec<_>>().join(", "),
        sections,
    }
    .render()
}

fn row(outcome: &Outcome) -> Row {
    let share = &outcome.goodput.under_trouble;
    Row {
        edge: format!("{} {}", outcome.edge.name, outcome.edge.version),
        arrived: percent(share.arrived_percent()),
        cached: percent(outcome.goodput.documents.arrived_percent()),
        look_ups: percent(outcome.goodput.look_ups.arrived_percent()),
        sessions: percent(share.sessions_percent()),
        refused: share.count(Fate::Refused),
        failed: share.wants - share.count(Fate::Arrived) - share.count(Fate::Refused),
        p50: latency(share.p50_ms),
        p99: latency(share.p99_ms),
        protect: match (outcome.scenario.onset_s(), outcome.goodput.time_to_protect_s) {
            (None, _) => "calm".to_owned(),
            (Some(_), Some(seconds)) => format!("{seconds} s"),
            (Some(_), None) => "never".to_owned(),
        },
        flood_met: met_percent(&outcome.floods_met)
            .map_or("-".to_owned(), |percent| format!("{percent:.0} %")),
        origin_requests: outcome.origin.requests,
        cpu: format!("{:.1} s", outcome.edge_use.cpu_s),
        memory: format!("{:.0} MB", to_f64(outcome.edge_use.memory_peak_bytes) / 1e6),
        void: outcome.void.clone(),
        not_comparable: outcome.not_comparable.clone(),
    }
}

fn part(outcome: &Outcome, number: u32) -> Part {
    let kinds = outcome.goodput.by_kind.iter().map(|(kind, share)| Kind {
        name: kind.as_str(),
        wants: share.wants,
        arrived: percent(share.arrived_percent()),
        visits: share.sessions,
        whole: percent(share.sessions_percent()),
        redirected: share.detours.redirected,
        proved: share.detours.proved,
        waited: share.detours.waited,
        shown_a_page: share.detours.sessions_shown_a_page,
        p99: latency(share.p99_ms),
        p99_untold: latency(share.p99_untold_ms),
    });
    let generators = &outcome.generators;
    let is_promised = outcome.edge.name == "floodwall";
    let falls_short = outcome.promises.iter().filter(|promise| is_promised && !promise.kept);
    Part {
        edge: outcome.edge.name.clone(),
        anchor: format!("drill-{number}"),
        chart: Chart::of(outcome),
        kinds: kinds.collect(),
        between: between(&outcome.goodput.under_trouble),
        falls_short: falls_short.map(ToString::to_string).collect(),
        generators: format!(
            "The generators used {:.0} % of their processor, {:.0} % while a flood was on; sessions began at most {:.1} ms late (99th \
             percentile {:.1} ms), the flood at most {:.1} ms (99th percentile {:.1} ms).",
            generators.cpu_share * 100.0,
            generators.cpu_share_flooded * 100.0,
            milliseconds(generators.visitors_late_us.1),
            milliseconds(generators.visitors_late_us.0),
            milliseconds(generators.flood_late_us.1),
            milliseconds(generators.flood_late_us.0),
        ),
    }
}

fn milliseconds(micros: u64) -> f64 {
    to_f64(micros) / 1_000.0
}

fn percent(percent: Option<f64>) -> String {
    percent.map_or("none wanted".to_owned(), |percent| format!("{percent:.2} %"))
}

fn latency(ms: f64) -> String {
    if ms >= 1_000.0 { format!("{:.1} s", ms / 1_000.0) } else { format!("{ms:.0} ms") }
}
