//! What people got, and what the rules made of them.

use std::collections::HashMap;

use crate::people::Kind;
use crate::signatures::Outcome;

/// What people got.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) looked_up: HashMap<Kind, (u64, u64)>,
    pub(crate) latencies: Vec<u64>,
    pub(crate) latencies_no_script: Vec<u64>,
    pub(crate) rung_max: u8,
    pub(crate) in_flight_max: u32,
    /// Choice or waiting room, shown to people.
    pub(crate) pages_shown: u64,
    pub(crate) people_refused: u64,
    pub(crate) bots_served: u64,
    pub(crate) people_served: u64,
    pub(crate) rules: Option<Outcome>,
}

impl Seen {
    pub(crate) fn success(&self, kind: Kind) -> f64 {
        self.looked_up.get(&kind).map_or(1.0, |(good, all)| *good as f64 / *all as f64)
    }

    pub(crate) fn success_all(&self) -> f64 {
        let (good, all) = self.looked_up.values().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        good as f64 / all as f64
    }

    /// Answered within the stated wait and half a second.
    pub(crate) fn in_time(&self) -> f64 {
        let latencies = self.latencies.iter().chain(&self.latencies_no_script);
        let in_time = latencies.filter(|micros| **micros <= 3_500_000).count();
        in_time as f64 / self.looked_up.values().map(|(_, all)| all).sum::<u64>() as f64
    }

    pub(crate) fn p99_ms(&self) -> f64 {
        percentile(&self.latencies)
    }

    pub(crate) fn p99_no_script_ms(&self) -> f64 {
        percentile(&self.latencies_no_script)
    }
}

fn percentile(latencies: &[u64]) -> f64 {
    let mut sorted = latencies.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() * 99 / 100).map_or(0.0, |micros| *micros as f64 / 1_000.0)
}
