//! What visitors got, as a table for people.

use std::fmt::Write;

use floodwall_drill::measure::{Outcome as Fate, Share};
use floodwall_drill::run::Outcome;

/// The table of several drills.
pub(super) fn render(outcomes: &[Outcome]) -> String {
    let mut text = String::from(
        "                                       visitors, from the onset on                          edge\n\
         scenario          edge               pages  sessions refused failed  median     p99 protect    CPU  memory\n",
    );
    for outcome in outcomes {
        let _ = writeln!(text, "{}", row(outcome));
        for (kind, share) in &outcome.goodput.by_kind {
            if share.count(Fate::Arrived) < share.wants {
                let lost = format!(
                    "  {} of {} lost for kind {}",
                    share.wants - share.count(Fate::Arrived),
                    share.wants,
                    kind.as_str()
                );
                let _ = writeln!(text, "{lost}");
            }
        }
        if let Some(why) = &outcome.void {
            let _ = writeln!(text, "  VOID: {why}");
        }
    }
    text.push_str(
        "\npages: share of what visitors wanted that arrived; sessions: visits in which everything did; protect:\n\
         seconds from the onset until 99 % arrive and the 99th percentile is within 3x calm, for good.\n",
    );
    text
}

fn row(outcome: &Outcome) -> String {
    let share = &outcome.goodput.under_trouble;
    let percent = |percent: Option<f64>| percent.map_or("-".to_owned(), |percent| format!("{percent:.2}%"));
    let protect = match (outcome.scenario.onset_s(), outcome.goodput.time_to_protect_s) {
        (None, _) => "-".to_owned(),
        (Some(_), Some(seconds)) => format!("{seconds} s"),
        (Some(_), None) => "never".to_owned(),
    };
    format!(
        "{:17} {:17} {:>8} {:>8} {:>7} {:>6} {:>7} {:>7} {:>7} {:>5.1}s {:>5.0}MB",
        outcome.scenario.name,
        outcome.edge.name,
        percent(share.arrived_percent()),
        percent(share.sessions_percent()),
        share.count(Fate::Refused),
        failed(share),
        milliseconds(share.p50_ms),
        milliseconds(share.p99_ms),
        protect,
        outcome.edge_use.cpu_s,
        megabytes(outcome.edge_use.memory_peak_bytes),
    )
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
