//! Where a rival does better, by more than the noise, and where nobody would call it protected. Written
//! from the figures, so that no shortfall can be left out.

use std::fmt::Write as _;

use super::EDGES;
use super::cells::{Cell, Cells, Figures, spread};
use super::document::latency;

/// Below this share of pages, visitors are not served, percent.
const SERVED_PERCENT: f64 = 99.0;
/// Shares that differ by less are the same, percentage points.
const SAME_PERCENT: f64 = 0.5;

/// One thing that is compared.
struct Measure {
    name: &'static str,
    of: fn(&Figures) -> f64,
    is_more_better: bool,
    /// What a difference must be at least, and by which factor at least.
    least: (f64, f64),
    /// Compared only with rivals that served as many: of what arrived it is easy to be fast when
    /// nothing arrives.
    is_of_served: bool,
    show: fn(f64) -> String,
}

fn percent(value: f64) -> String {
    format!("{value:.1} %")
}

fn protected(value: f64) -> String {
    if value.is_finite() { format!("{value:.0} s") } else { "never".to_owned() }
}

fn count(value: f64) -> String {
    format!("{value:.0}")
}

fn megabytes(value: f64) -> String {
    format!("{value:.0} MB")
}

const MEASURES: [Measure; 5] = [
    Measure {
        name: "pages",
        of: |run| run.pages_percent,
        is_more_better: true,
        least: (SAME_PERCENT, 1.0),
        is_of_served: false,
        show: percent,
    },
    Measure {
        name: "whole visits",
        of: |run| run.visits_percent,
        is_more_better: true,
        least: (1.0, 1.0),
        is_of_served: false,
        show: percent,
    },
    Measure {
        name: "99th percentile",
        of: |run| run.p99_ms,
        is_more_better: false,
        least: (20.0, 1.25),
        is_of_served: true,
        show: latency,
    },
    Measure {
        name: "protected after",
        of: |run| run.protect_s,
        is_more_better: false,
        least: (1.0, 1.0),
        is_of_served: false,
        show: protected,
    },
    Measure {
        name: "visitors' requests refused",
        of: |run| run.refused,
        is_more_better: false,
        least: (1.0, 1.0),
        is_of_served: false,
        show: count,
    },
];

const COSTS: [Measure; 2] = [
    Measure {
        name: "Memory",
        of: |run| run.memory_mb,
        is_more_better: false,
        least: (5.0, 1.1),
        is_of_served: true,
        show: megabytes,
    },
    Measure {
        name: "Processor",
        of: |run| run.cpu_percent,
        is_more_better: false,
        least: (1.0, 1.1),
        is_of_served: true,
        show: percent,
    },
];

impl Measure {
    fn middle(&self, cell: &Cell) -> f64 {
        spread(&cell.runs, self.of).map_or(f64::NAN, |(_, middle, _)| middle)
    }

    /// Whether the rival's worst run is better than our best one, by what counts as a difference.
    fn is_short(&self, own: &Cell, rival: &Cell) -> bool {
        let (Some(own_spread), Some(rival_spread)) =
            (spread(&own.runs, self.of), spread(&rival.runs, self.of))
        else {
            return false;
        };
        let pages =
            |cell: &Cell| spread(&cell.runs, |run| run.pages_percent).map_or(0.0, |(_, middle, _)| middle);
        if self.is_of_served && pages(rival) < pages(own) - SAME_PERCENT {
            return false;
        }
        let (lower, higher) =
            if self.is_more_better { (own_spread.2, rival_spread.0) } else { (rival_spread.2, own_spread.0) };
        let middles = (self.middle(own) - self.middle(rival)).abs();
        higher > lower && middles >= self.least.0 && higher >= lower * self.least.1
    }

    /// The rivals that do better, the best first.
    fn better<'a>(&self, cells: &'a Cells, scenario: &str) -> Vec<(&'static str, &'a Cell)> {
        let Some(own) = comparable(cells, scenario, "floodwall") else { return Vec::new() };
        let rivals = EDGES.into_iter().skip(1);
        let rivals = rivals.filter_map(|edge| Some((edge, comparable(cells, scenario, edge)?)));
        let mut better: Vec<_> = rivals.filter(|(_, rival)| self.is_short(own, rival)).collect();
        better.sort_by(|(_, a), (_, b)| {
            let order = self.middle(a).total_cmp(&self.middle(b));
            if self.is_more_better { order.reverse() } else { order }
        });
        better
    }
}

fn comparable<'a>(cells: &'a Cells, scenario: &str, edge: &str) -> Option<&'a Cell> {
    cells.get(scenario, edge).filter(|cell| !cell.runs.is_empty() && cell.not_comparable.is_empty())
}

/// The part of the document.
pub(super) fn write(scenarios: &[String], cells: &Cells) -> String {
    let mut text = String::from("\n## Where Floodwall falls short\n\n");
    promises(&mut text, scenarios, cells);
    let open = |scenario: &&String| -> Option<f64> {
        let (_, pages, _) = spread(&cells.get(scenario, "floodwall")?.runs, |run| run.pages_percent)?;
        (pages < SERVED_PERCENT).then_some(pages)
    };
    let under: Vec<String> = scenarios
        .iter()
        .filter_map(|scenario| Some(format!("`{scenario}` ({:.1} %)", open(&scenario)?)))
        .collect();
    if !under.is_empty() {
        let _ =
            write!(text, "Fewer than {SERVED_PERCENT:.0} % of pages arrived in {}.\n\n", under.join(", "));
    }
    let lines: Vec<String> = scenarios.iter().filter_map(|scenario| line(cells, scenario)).collect();
    if lines.is_empty() {
        text.push_str("No rival gave visitors more by more than the noise in any scenario.\n");
    } else {
        text.push_str(
            "A rival gave visitors more, by more than the noise (its worst seed better than Floodwall's best):\n\n",
        );
        text.push_str(&lines.concat());
    }
    for measure in &COSTS {
        let better: Vec<_> = scenarios
            .iter()
            .filter_map(|scenario| Some((scenario, *measure.better(cells, scenario).first()?)))
            .collect();
        let ratio = |(scenario, (_, rival)): &(&String, (&str, &Cell))| {
            let own = cells.get(scenario, "floodwall").map_or(0.0, |own| measure.middle(own));
            own / measure.middle(rival).max(0.1)
        };
        let Some(worst) = better.iter().max_by(|a, b| ratio(a).total_cmp(&ratio(b))) else { continue };
        let (scenario, (edge, rival)) = worst;
        let own = cells.get(scenario, "floodwall").map_or(0.0, |own| measure.middle(own));
        let _ = write!(
            text,
            "\n{}: a rival that served as many needed less in {} of {} scenarios; by the largest factor in \
             `{scenario}` ({edge} {}, Floodwall {}).\n",
            measure.name,
            better.len(),
            scenarios.len(),
            (measure.show)(measure.middle(rival)),
            (measure.show)(own),
        );
    }
    text
}

/// What is promised to people and was not kept.
fn promises(text: &mut String, scenarios: &[String], cells: &Cells) {
    let own = || scenarios.iter().filter_map(|name| Some((name, cells.get(name, "floodwall")?)));
    let promised: usize = own().map(|(_, cell)| cell.promised).sum();
    if promised == 0 {
        return;
    }
    let broken: usize = own().map(|(_, cell)| cell.broken.len()).sum();
    let _ = write!(
        text,
        "Of what is promised to people in floods and crowds ([drill.md](drill.md#what-you-see)), {} of {promised} \
         were kept, each seed counted.{}\n\n",
        promised.saturating_sub(broken),
        if broken > 0 { " Not kept:" } else { "" },
    );
    for (scenario, cell) in own().filter(|(_, cell)| !cell.broken.is_empty()) {
        let _ = writeln!(text, "- `{scenario}`: {}", cell.broken.join("; "));
    }
    if broken > 0 {
        text.push('\n');
    }
}

fn line(cells: &Cells, scenario: &str) -> Option<String> {
    let own = comparable(cells, scenario, "floodwall")?;
    let parts: Vec<String> = MEASURES
        .iter()
        .filter_map(|measure| {
            let better = measure.better(cells, scenario);
            if better.is_empty() {
                return None;
            }
            let names: Vec<String> = better
                .iter()
                .map(|(edge, rival)| format!("{edge} {}", (measure.show)(measure.middle(rival))))
                .collect();
            Some(format!(
                "{}: {}, Floodwall {}",
                measure.name,
                names.join(", "),
                (measure.show)(measure.middle(own))
            ))
        })
        .collect();
    (!parts.is_empty()).then(|| format!("- `{scenario}`: {}\n", parts.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::goodput::state::Run;

    /// Server, pages and 99th percentile of each seed, and why not comparable.
    type Row<'a> = (&'a str, &'a [(f64, u64)], Option<&'a str>);

    /// Cells of one scenario.
    fn cells(rows: &[Row<'_>]) -> Cells {
        cells_with(rows, &[])
    }

    /// What is written where these promises were made.
    fn text_with(promises: &[serde_json::Value]) -> String {
        write(&["many-light".to_owned()], &cells_with(&[("floodwall", &[(99.9, 100)], None)], promises))
    }

    fn cells_with(rows: &[Row<'_>], promises: &[serde_json::Value]) -> Cells {
        let mut cells = Cells::default();
        for (edge, runs, not_comparable) in rows {
            for ((pages, p99_ms), seed) in runs.iter().zip(1..) {
                let run = Run { scenario: "many-light".to_owned(), edge: (*edge).to_owned(), seed };
                let said = serde_json::json!({ "drills": [{
                    "scenario": { "title": "t", "duration_s": 12, "floods": [{ "from_s": 3, "until_s": 8 }] },
                    "edge": { "version": "1" },
                    "goodput": {
                        "under_trouble": {
                            "outcomes": { "arrived": pages * 10.0 }, "wants": 1000, "sessions": 10,
                            "sessions_whole": 9, "p50_ms": 1, "p99_ms": p99_ms,
                        },
                        "time_to_protect_s": 0,
                    },
                    "origin": { "lookups": 1600, "lookups_refused": 0 },
                    "edge_use": { "memory_peak_bytes": 30_000_000, "cpu_s": 1.0 },
                    "floods_met": [{ "planned": 100, "met": 100 }],
                    "promises": promises,
                    "void": null,
                    "not_comparable": not_comparable,
                }] });
                cells.take_in(&run, Some(&said));
            }
        }
        cells
    }

    fn said(rows: &[Row<'_>]) -> String {
        write(&["many-light".to_owned()], &cells(rows))
    }

    #[test]
    fn a_rival_is_better_when_its_worst_seed_beats_our_best() {
        let own = ("floodwall", &[(90.0, 100), (92.0, 110), (91.0, 105)][..], None);
        for (rival, is_better) in [
            (&[(93.0, 100), (95.0, 100), (94.0, 100)][..], true),
            // Within the noise, or by next to nothing.
            (&[(91.5, 100), (99.0, 100), (98.0, 100)], false),
            (&[(92.1, 100), (92.2, 100), (91.3, 100)], false),
            (&[(50.0, 1), (51.0, 1), (52.0, 1)], false),
        ] {
            let text = said(&[own, ("nginx", rival, None)]);
            assert_eq!(text.contains("- `many-light`: pages: nginx"), is_better, "{rival:?}\n{text}");
            assert!(text.contains("Fewer than 99 % of pages arrived in `many-light` (91.0 %)"), "{text}");
            // Fast only for the few that it served is not better.
            assert!(!text.contains("99th percentile"), "{text}");
        }
    }

    #[test]
    fn promises_that_were_not_kept_are_named_and_the_kept_ones_counted() {
        assert!(!said(&[("floodwall", &[(99.9, 100)], None)]).contains("promised"));
        let promise = |what: &str, least, most, figure: Option<f64>, kept| {
            serde_json::json!({
                "what": what, "at_least": least, "at_most": most, "figure": figure, "kept": kept,
            })
        };
        let (at_least, at_most) = (Some(99.0), Some(256.0));
        let promises = [
            promise("pages, %", at_least, None, Some(99.9), true),
            promise("memory, MiB", None, at_most, Some(300.0), false),
            promise("seconds", None, Some(3.0), None, false),
        ];
        let text = text_with(&promises);
        for words in [
            "1 of 3 were kept, each seed counted. Not kept:\n\n",
            "- `many-light`: seed 1: memory, MiB: 300.00, promised at most 256; seed 1: seconds: never, \
             promised at most 3\n",
        ] {
            assert!(text.contains(words), "{text}");
        }
    }

    #[test]
    fn who_met_a_smaller_flood_is_not_compared() {
        let own = ("floodwall", &[(90.0, 100)][..], None);
        let rival = &[(99.0, 10)][..];
        assert!(said(&[own, ("haproxy", rival, None)]).contains("pages: haproxy 99.0 %, Floodwall 90.0 %"));
        let text = said(&[own, ("haproxy", rival, Some("it met 28 % of the planned flood"))]);
        assert!(text.contains("No rival gave visitors more"), "{text}");
    }

    #[test]
    fn the_document_says_what_there_is_and_what_is_missing() {
        let mut cells = cells(&[
            ("floodwall", &[(90.0, 100), (92.0, 1_100)], None),
            ("haproxy", &[(99.0, 10)], Some("it met 28 % of the planned flood")),
        ]);
        let run = |edge: &str, seed| Run { scenario: "many-light".to_owned(), edge: edge.to_owned(), seed };
        let why = serde_json::json!({ "drills": [], "left_out": [{ "why": "not offered: no TLS" }] });
        cells.take_in(&run("varnish", 1), Some(&why));
        cells.take_in(&run("nginx", 1), Some(&serde_json::json!({ "failed": "the drill's edge ended" })));
        cells.take_in(&run("trafficserver", 1), None);
        let circumstances = super::super::document::Circumstances {
            machine: "a machine".to_owned(),
            seeds: vec![1, 2],
            seconds: Some(12),
        };
        let text = super::super::document::write(&circumstances, &["many-light".to_owned()], &cells);
        for words in [
            "--seconds 12 --seeds 1,2`",
            "**Not whole: 1 runs are missing**",
            "| many-light | 90.0 / 90 | void | 99.0 / 90 † | n/a | missing |",
            "| floodwall | 90.0 % (90.0 % - 92.0 %) | 90.0 % | 1 ms | 100 ms (100 ms - 1.1 s) | 0 s | 0 | 50 % | 30 MB | 8 % | 100 % |",
            "- many-light / nginx, seed 1: the drill's edge ended",
            "- many-light / haproxy, seed 1: it met 28 %",
            "- many-light: 1\n",
        ] {
            assert!(text.contains(words), "{words}\n\n{text}");
        }
    }
}
