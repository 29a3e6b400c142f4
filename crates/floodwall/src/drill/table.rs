//! What visitors got, as a table for people.

use std::fmt::Write;

use floodwall_drill::Scenario;
use floodwall_drill::agent::{FloodSecond, FloodSeen};
use floodwall_drill::measure::{FloodMet, Goodput, Outcome as Fate, Share, met_percent};
use floodwall_drill::report::{between, parts};
use floodwall_drill::run::Outcome;
use floodwall_drill::scenario::{Flood, Skill};
use floodwall_drill::twin::Simulated;

use super::LeftOut;

/// What others may take of the edge's processor before people should know.
const TAKEN_PERCENT_MAX: f64 = 10.0;

/// The table of several drills.
pub(super) fn render(outcomes: &[Outcome], left_out: &[LeftOut]) -> String {
    let mut text = String::from(
        "                                         visitors, from the onset on               flood     edge\n\
         scenario            edge               pages  sessions refused failed  median     p99 protect    met    CPU  memory\n",
    );
    for outcome in outcomes {
        let used = &outcome.edge_use;
        let row = row(&outcome.scenario, &outcome.edge.name, &outcome.goodput);
        let met = met(&outcome.floods_met);
        let _ = writeln!(
            text,
            "{row} {met:>6} {:>5.1}s {:>5.0}MB",
            used.cpu_s,
            megabytes(used.memory_peak_bytes)
        );
        losses(&mut text, &outcome.goodput);
        for (flood, seen) in outcome.scenario.floods.iter().zip(&outcome.floods) {
            let _ = writeln!(text, "  {}", flooded(flood, seen));
        }
        if !outcome.floods.is_empty() {
            let held = used.held_peak;
            let _ = writeln!(
                text,
                "  the edge held {} connections at most, {} half-open",
                held.connections, held.half_open
            );
        }
        let admission: Vec<_> = (outcome.admission.iter())
            .filter(|(_, value)| **value > 0.0)
            .map(|(series, value)| format!("{series} {value}"))
            .collect();
        if !admission.is_empty() {
            let _ = writeln!(text, "  its admission: {}", admission.join(", "));
        }
        let taken =
            outcome.edge_use.taken_by_others_s * 100.0 / f64::from(outcome.scenario.duration_s.max(1));
        if taken > TAKEN_PERCENT_MAX {
            let _ = writeln!(text, "  other programs took {taken:.0} % of the edge's processor meanwhile");
        }
        if let Some(why) = &outcome.void {
            let _ = writeln!(text, "  VOID: {why}");
        }
        if let Some(why) = &outcome.not_comparable {
            let _ = writeln!(text, "  NOT COMPARABLE: {why}");
        }
    }
    for LeftOut { scenario, edge, why } in left_out {
        let _ = writeln!(text, "{scenario:19} {:17} {:>8}  {why}", edge.name, "-");
    }
    text.push_str(LEGEND);
    text
}

/// The table of several plans carried out in simulated time.
pub(super) fn render_simulated(outcomes: &[Simulated]) -> String {
    let mut text = String::from(
        "SIMULATED: limits and health decide as in earnest; hosts, network and time are a model.\n\
         \n\
         \x20                                        visitors, from the onset on               flood    at the\n\
         scenario            edge               pages  sessions refused failed  median     p99 protect    met  origin\n",
    );
    for outcome in outcomes {
        let row = row(&outcome.scenario, "floodwall", &outcome.goodput);
        let floods = outcome.scenario.floods.iter().zip(&outcome.floods);
        let floods_met: Vec<_> = floods.map(|(flood, seen)| FloodMet::of(flood, seen)).collect();
        let _ = writeln!(text, "{row} {:>6} {:>7}", met(&floods_met), outcome.origin.requests);
        losses(&mut text, &outcome.goodput);
        for kind in &outcome.left_out {
            let _ = writeln!(
                text,
                "  without its flood: {} needs connections, which only hosts have",
                kind.as_str()
            );
        }
    }
    text.push_str(LEGEND);
    text
}

const LEGEND: &str = "\npages: share of what visitors wanted that arrived; sessions: visits in which everything did; protect:\n\
     seconds from the onset until 99 % arrive and the 99th percentile is within 3x calm, for good;\n\
     flood met: share of the planned flood; below 95 % a row stands beside no other.\n";

/// How the parts went, by which ways, and which kinds of visitors went without.
fn losses(text: &mut String, goodput: &Goodput) {
    let _ = writeln!(text, "  {}", parts(goodput));
    if let Some(words) = between(&goodput.under_trouble) {
        let _ = writeln!(text, "  {words}");
    }
    for (kind, share) in &goodput.by_kind {
        let lost = share.wants - share.count(Fate::Arrived);
        if lost > 0 {
            let (wants, kind) = (share.wants, kind.as_str());
            let (visits, whole) = (share.sessions, share.sessions_whole);
            let _ = writeln!(
                text,
                "  {lost} of {wants} lost for kind {kind}, {} of {visits} visits",
                visits - whole
            );
        }
    }
}

/// Share of the planned flood that the edge met: who compares two edges has to know.
fn met(floods: &[FloodMet]) -> String {
    met_percent(floods).map_or("-".to_owned(), |percent| format!("{percent:.0}%"))
}

fn row(scenario: &Scenario, edge: &str, goodput: &Goodput) -> String {
    let share = &goodput.under_trouble;
    let percent = |percent: Option<f64>| percent.map_or("-".to_owned(), |percent| format!("{percent:.2}%"));
    let protect = match (scenario.onset_s(), goodput.time_to_protect_s) {
        (None, _) => "-".to_owned(),
        (Some(_), Some(seconds)) => format!("{seconds} s"),
        (Some(_), None) => "never".to_owned(),
    };
    format!(
        "{:19} {:17} {:>8} {:>8} {:>7} {:>6} {:>7} {:>7} {:>7}",
        scenario.name,
        edge,
        percent(share.arrived_percent()),
        percent(share.sessions_percent()),
        share.count(Fate::Refused),
        failed(share),
        milliseconds(share.p50_ms),
        milliseconds(share.p99_ms),
        protect,
    )
}

/// What a flood did and what the edge made of it.
fn flooded(flood: &Flood, seen: &FloodSeen) -> String {
    let sum = |field: fn(&FloodSecond) -> u64| seen.seconds.iter().map(field).sum::<u64>();
    let skill =
        if flood.skill == Skill::Plain { String::new() } else { format!(" ({})", flood.skill.as_str()) };
    let mut text = format!("{}{skill}: {} begun", flood.kind.as_str(), sum(|second| second.begun));
    for (count, what) in [
        (sum(|second| second.served), "served"),
        (sum(|second| second.redirected), "redirected"),
        (sum(|second| second.refused), "refused"),
        (sum(|second| second.server_errors), "5xx"),
        (sum(|second| second.failed), "failed"),
        (sum(|second| second.gave_up), "of these without an answer in time"),
        (sum(|second| second.unfinished), "unfinished"),
        (sum(|second| second.left_out), "left out"),
        (sum(|second| second.sent), "sent"),
        (sum(|second| second.followed), "more requests by redirects and proofs"),
        (sum(|second| second.proofs), "proofs of work"),
        (seen.connections_peak, "open at most"),
    ] {
        if count > 0 {
            let _ = write!(text, ", {count} {what}");
        }
    }
    text
}

/// Wants that came to nothing for another reason than a refusal.
fn failed(share: &Share) -> u64 {
    share.wants - share.count(Fate::Arrived) - share.count(Fate::Refused)
}

fn milliseconds(ms: f64) -> String {
    if ms >= 1_000.0 { format!("{:.1}s", ms / 1_000.0) } else { format!("{ms:.0}ms") }
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
