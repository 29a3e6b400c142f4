//! A flood's arrivals, one after the other: not held in memory, because there can be millions.

use crate::random::{Chance, Seed};
use crate::scenario::bounds::FLOOD_SOURCES_MAX;
use crate::scenario::{Flood, FloodKind};

use super::session::PAGES;
use super::{Source, micros};

/// From this source on nobody is: packets from there get no answer from the address they name.
pub const NOBODY_FROM: u16 = 0x8000;

/// One request, connection or packet of a flood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FloodArrival {
    /// When, microseconds from the scenario's start.
    pub at_us: u64,
    /// Where from, within the flood host's networks.
    pub source: Source,
    /// Path and query to ask for.
    pub target: String,
}

/// Iterates over a flood's arrivals in order of time: a Poisson process at its rate while it is on,
/// each from a source drawn evenly.
#[derive(Clone, Debug)]
pub struct FloodArrivals {
    flood: Flood,
    chance: Chance,
    at_s: f64,
}

impl FloodArrivals {
    pub(super) fn new(flood: Flood, place: u64, seed: Seed) -> Self {
        let at_s = f64::from(flood.from_s);
        Self { flood, chance: seed.stream("flood", place), at_s }
    }

    /// Where a flood that comes and goes comes next.
    fn next_span_s(&self) -> f64 {
        let from_s = f64::from(self.flood.from_s);
        let period_s = self.flood.pulse.map_or(1.0, |pulse| f64::from(pulse.on_s + pulse.off_s));
        from_s + (((self.at_s - from_s) / period_s).floor() + 1.0) * period_s
    }

    fn target(&mut self) -> String {
        let chance = &mut self.chance;
        let page = usize::try_from(chance.below(PAGES.len() as u64)).unwrap_or(0);
        let page = PAGES.get(page).map_or("/", |(target, _)| *target);
        match self.flood.kind {
            FloodKind::LookUps => {
                let (house, street) = (1 + chance.below(9_999), chance.number());
                format!("/polling-place/lookup?address={house}+{street:x}+Street")
            }
            FloodKind::CacheBust => format!("{page}?{:x}={:x}", chance.number(), chance.number()),
            // The largest page: the more there is to hold back, the longer it can be held.
            FloodKind::SlowRead => "/".to_owned(),
            _ => page.to_owned(),
        }
    }
}

impl Iterator for FloodArrivals {
    type Item = FloodArrival;

    fn next(&mut self) -> Option<FloodArrival> {
        let rate = self.flood.rate;
        if rate <= 0.0 {
            return None;
        }
        loop {
            self.at_s += self.chance.exponential(1.0 / rate);
            if self.at_s >= f64::from(self.flood.until_s) {
                return None;
            }
            if self.flood.is_on(self.at_s) {
                break;
            }
            // Arrivals know nothing of one another, so the next span may begin as if it were the first.
            self.at_s = self.next_span_s().max(self.at_s);
        }
        let sources = self.flood.sources.min(FLOOD_SOURCES_MAX);
        let number = u16::try_from(self.chance.below(u64::from(sources))).unwrap_or(0);
        // Source 0 is the network's own name.
        let first = if self.flood.kind.is_packets() { NOBODY_FROM } else { 1 };
        let number = first.saturating_add(number);
        let source = if self.flood.ipv6 { Source::V6(number) } else { Source::V4(number) };
        let target = self.target();
        Some(FloodArrival { at_us: micros(self.at_s), source, target })
    }
}
