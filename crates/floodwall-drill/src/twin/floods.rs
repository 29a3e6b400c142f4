//! The floods, as `agent::flood` carries them out.

use floodwall_model::Prefix;

use super::World;
use super::cache::Target;
use super::edge::{Answer, Asker, Client};
use super::events::{Event, SECOND_US};
use crate::agent::{FloodSecond, FloodSeen};
use crate::hosts::{Host, Network};
use crate::plan::{FloodArrival, FloodArrivals, Plan};
use crate::scenario::{Flood, FloodKind};

/// All floods of a plan.
#[derive(Debug)]
pub(super) struct Floods(Vec<Running>);

#[derive(Debug)]
struct Running {
    flood: Flood,
    arrivals: FloodArrivals,
    next: Option<FloodArrival>,
    seconds: Vec<FloodSecond>,
    open: u64,
    peak: u64,
    is_over: bool,
}

/// Whether a flood of that kind can do anything where there are no connections.
fn has_meaning(kind: FloodKind) -> bool {
    matches!(kind, FloodKind::Pages | FloodKind::LookUps | FloodKind::CacheBust | FloodKind::BareAddress)
}

impl Floods {
    pub(super) fn new(plan: &Plan) -> Self {
        let duration_s = usize::try_from(plan.scenario.duration_s).unwrap_or(0);
        let floods = plan.scenario.floods.iter().enumerate().filter_map(|(place, flood)| {
            let mut arrivals = plan.flood(place)?;
            let next = if has_meaning(flood.kind) { arrivals.next() } else { None };
            let seconds = vec![FloodSecond::default(); duration_s];
            Some(Running { flood: flood.clone(), arrivals, next, seconds, open: 0, peak: 0, is_over: false })
        });
        Self(floods.collect())
    }

    pub(super) fn left_out(&self) -> Vec<FloodKind> {
        self.0.iter().map(|running| running.flood.kind).filter(|kind| !has_meaning(*kind)).collect()
    }

    pub(super) fn seen(self) -> Vec<FloodSeen> {
        let seen = |running: Running| FloodSeen {
            seconds: running.seconds,
            schedule_error_us: (0, 0),
            connections_peak: running.peak,
        };
        self.0.into_iter().map(seen).collect()
    }

    /// Notes what came of an arrival; `None` where nothing did.
    pub(super) fn ended(&mut self, flood: usize, second: usize, answer: Option<Answer>) {
        let Some(running) = self.0.get_mut(flood).filter(|running| !running.is_over) else { return };
        running.open = running.open.saturating_sub(1);
        if let Some(counts) = running.seconds.get_mut(second) {
            match answer {
                Some(Answer::Page) => counts.served += 1,
                Some(Answer::Refused) => counts.refused += 1,
                Some(Answer::ServerError) => counts.server_errors += 1,
                None => {
                    counts.failed += 1;
                    counts.gave_up += 1;
                }
            }
        }
    }
}

impl Running {
    fn may_begin(&mut self, second: usize) -> bool {
        let allowed = self.open < u64::from(self.flood.connections_max);
        if allowed {
            self.open += 1;
            self.peak = self.peak.max(self.open);
        }
        if let Some(counts) = self.seconds.get_mut(second) {
            if allowed { counts.begun += 1 } else { counts.left_out += 1 }
        }
        allowed
    }
}

impl World<'_> {
    pub(super) fn begin_floods(&mut self) {
        for (place, running) in self.floods.0.iter().enumerate() {
            if let Some(first) = &running.next {
                self.queue.put(first.at_us, Event::FloodArrives(place));
                let ends_us = u64::from(running.flood.until_s) * SECOND_US;
                self.queue.put(ends_us, Event::FloodEnds(place));
            }
        }
    }

    pub(super) fn flood_arrives(&mut self, flood: usize) {
        let Some(running) = self.floods.0.get_mut(flood) else { return };
        let Some(arrival) = std::mem::replace(&mut running.next, running.arrivals.next()) else { return };
        if let Some(next) = &running.next {
            self.queue.put(next.at_us, Event::FloodArrives(flood));
        }
        let second = usize::try_from(arrival.at_us / SECOND_US).unwrap_or(0);
        if !running.may_begin(second) {
            return;
        }
        if running.flood.kind == FloodKind::BareAddress {
            // 421 at the edge: no site is called that.
            self.floods.ended(flood, second, Some(Answer::Refused));
            return;
        }
        let (v4, v6) = Network::Namespaces.sources(Host::Flood);
        let address = arrival.source.within(v4, v6);
        let client = Client { address, prefix: Prefix::of_client(address) };
        let patience_us = u64::from(running.flood.patience_s) * SECOND_US;
        self.begin(Asker::Flood { flood, second }, client, Target::of(&arrival.target), patience_us);
    }

    /// What is in the air when the flood ends is let go, and came to nothing that is counted.
    pub(super) fn flood_ends(&mut self, ended: usize) {
        if let Some(running) = self.floods.0.get_mut(ended) {
            running.is_over = true;
        }
        let is_its = |asker: Asker| matches!(asker, Asker::Flood { flood, .. } if flood == ended);
        for request in self.requests.all_where(|request| is_its(request.asker)) {
            self.let_go(request);
        }
    }
}
