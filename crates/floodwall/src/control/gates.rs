//! What the control loop remembers of a site's gates: the last minute, and the rung they stood on.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use floodwall_model::{AdmissionCounts, GateMode, GateStatus, SiteSnapshot};

use super::SECONDS_KEPT;

/// A gate stands on another rung than a second ago.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RungNews {
    pub(crate) site: Arc<str>,
    pub(crate) class: Arc<str>,
    pub(crate) before: u8,
    pub(crate) rung: u8,
    /// In a word, for whoever searches the log.
    pub(crate) rung_name: &'static str,
    pub(crate) mode: GateMode,
}

impl RungNews {
    /// Whether more is asked of visitors than before.
    pub(crate) fn is_worse(&self) -> bool {
        self.rung > self.before
    }

    /// The news in words.
    pub(crate) fn words(&self) -> String {
        let why = if self.is_worse() {
            "more is asked of the origin than it can answer"
        } else {
            "less is asked of the origin"
        };
        let what = match self.rung {
            0 => "nothing is asked of visitors any more",
            1 => "the cache works harder; nothing is asked of visitors",
            2 => "new visitors get an invisible redirect first",
            3 => "new visitors choose: their browser works, or they wait",
            _ => "visitors who have proven nothing go to the waiting room",
        };
        let but = match self.mode {
            GateMode::On => "",
            GateMode::Observe => " (or would: admission only observes, and lets everybody through)",
        };
        format!("{why}: {what}{but}")
    }
}

/// One site's gates as of the last second, by path class; as many as the settings name.
#[derive(Debug, Default)]
pub(super) struct GatesHistory {
    classes: HashMap<Arc<str>, GateHistory>,
    /// As of when it was last handed to the store, all classes together.
    handed_over: AdmissionCounts,
}

#[derive(Debug, Default)]
struct GateHistory {
    /// The counts as of each of the last seconds, oldest first.
    totals: VecDeque<AdmissionCounts>,
    rung: u8,
}

impl GatesHistory {
    /// Takes in a second. Each gate's last minute in the order of the snapshot's gates, and what is news.
    pub(super) fn second(&mut self, site: &SiteSnapshot) -> (Vec<AdmissionCounts>, Vec<RungNews>) {
        let mut news = Vec::new();
        let last_minute = |gate: &GateStatus| {
            let history = self.classes.entry(gate.class.clone()).or_default();
            let before = std::mem::replace(&mut history.rung, gate.rung);
            if before != gate.rung {
                let (site, class) = (site.name.clone(), gate.class.clone());
                let (rung, rung_name, mode) = (gate.rung, gate.rung_name, gate.mode);
                news.push(RungNews { site, class, before, rung, rung_name, mode });
            }
            history.last_minute(gate.counts)
        };
        (site.gates.iter().map(last_minute).collect(), news)
    }

    /// What the gates have done since this was last asked.
    pub(super) fn hand_over(&mut self, gates: &[GateStatus]) -> AdmissionCounts {
        let total = gates.iter().fold(AdmissionCounts::default(), |sum, gate| sum.plus(&gate.counts));
        total.since(&std::mem::replace(&mut self.handed_over, total))
    }
}

impl GateHistory {
    fn last_minute(&mut self, total: AdmissionCounts) -> AdmissionCounts {
        // Before the first second nothing was counted: the server had not started.
        let oldest = match self.totals.len() {
            SECONDS_KEPT => self.totals.pop_front().unwrap_or_default(),
            _ => AdmissionCounts::default(),
        };
        self.totals.push_back(total);
        total.since(&oldest)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use floodwall_model::{SiteId, Timestamp, TrafficCounts};

    use super::*;

    /// A site with a gate for each of these: its class, its rung, and how many it admitted.
    fn site(gates: &[(&str, u8, u64)]) -> SiteSnapshot {
        let gate = |(class, rung, admitted): &(&str, u8, u64)| GateStatus {
            class: (*class).into(),
            mode: GateMode::On,
            rung: *rung,
            rung_name: "as the policy names it",
            since: Timestamp::new(Duration::ZERO, 0),
            limit: 16,
            in_flight: 0,
            capacity_per_second: 100,
            waiting: 0,
            in_waiting_room: 0,
            calm_latency: None,
            memory_bytes_max: 0,
            counts: AdmissionCounts { admitted: *admitted, ..AdmissionCounts::default() },
        };
        SiteSnapshot {
            site: SiteId(0),
            name: "sos".into(),
            hosts: Vec::new(),
            role: None,
            counts: TrafficCounts::default(),
            origins: Vec::new(),
            gates: gates.iter().map(gate).collect(),
            person_reports: 0,
            last_person_report: None,
        }
    }

    #[test]
    fn the_last_minute_is_of_each_class_and_forgets_what_is_older() {
        let mut history = GatesHistory::default();
        let mut seen = Vec::new();
        for second in 1..=100 {
            let (last, _) = history.second(&site(&[("look-up", 0, second * 3), ("pages", 0, 500 + second)]));
            seen.push((last[0].admitted, last[1].admitted));
        }
        assert_eq!(seen[0], (3, 501), "counted since the start while it is younger");
        assert_eq!((seen[58], seen[59], seen[99]), ((177, 559), (180, 560), (180, 60)));
        assert!(history.classes.values().all(|gate| gate.totals.len() == SECONDS_KEPT));
    }

    #[test]
    fn a_rung_is_news_once_for_its_class() {
        let mut history = GatesHistory::default();
        let mut told = Vec::new();
        for rungs in [(0, 0), (0, 2), (0, 2), (3, 2), (3, 1), (3, 0)] {
            let (_, news) = history.second(&site(&[("look-up", rungs.0, 0), ("pages", rungs.1, 0)]));
            told.extend(news.into_iter().map(|news| format!("{}: {}", news.class, news.words())));
        }
        insta::assert_snapshot!(told.join("\n"), @r"
        pages: more is asked of the origin than it can answer: new visitors get an invisible redirect first
        look-up: more is asked of the origin than it can answer: new visitors choose: their browser works, or they wait
        pages: less is asked of the origin: the cache works harder; nothing is asked of visitors
        pages: less is asked of the origin: nothing is asked of visitors any more
        ");
    }

    #[test]
    fn where_admission_only_observes_the_news_says_so() {
        let mut observed = site(&[("pages", 4, 0)]);
        observed.gates[0].mode = GateMode::Observe;
        let (_, news) = GatesHistory::default().second(&observed);
        insta::assert_snapshot!(news[0].words(), @"more is asked of the origin than it can answer: visitors who have proven nothing go to the waiting room (or would: admission only observes, and lets everybody through)");
    }

    #[test]
    fn what_is_handed_over_is_handed_over_once() {
        let mut history = GatesHistory::default();
        for (look_up, pages, added) in [(5, 7, 12), (5, 7, 0), (6, 9, 3)] {
            let gates = site(&[("look-up", 0, look_up), ("pages", 0, pages)]).gates;
            assert_eq!(history.hand_over(&gates).admitted, added);
        }
    }
}
