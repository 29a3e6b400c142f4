//! The floods, as `agent::flood` carries them out.

use std::collections::BTreeMap;

use floodwall_model::Prefix;

use super::World;
use super::cache::Target;
use super::credentials::Bag;
use super::edge::{Answer, Asker, Client};
use super::events::{Event, SECOND_US};
use crate::agent::{FLOODERS_USER_AGENT, FloodSecond, FloodSeen, user_agent};
use crate::hosts::{Host, Network};
use crate::plan::{FloodArrival, FloodArrivals, Plan, Source, micros};
use crate::scenario::{Flood, FloodKind, Skill, VisitorKind};

/// As flooders on hosts.
const FOLLOWED_MAX: u8 = 5;
/// What a native solver computes, hashes a second.
const NATIVE_HASHES_PER_SECOND: u64 = 10_000_000;

/// All floods of a plan, and what those carry who keep nothing.
#[derive(Debug)]
pub(super) struct Floods(Vec<Running>, Bag);

#[derive(Debug)]
struct Running {
    flood: Flood,
    arrivals: FloodArrivals,
    next: Option<FloodArrival>,
    seconds: Vec<FloodSecond>,
    open: u64,
    peak: u64,
    is_over: bool,
    /// By source; where one jar is for all, under `None`.
    bags: BTreeMap<Option<Source>, Bag>,
    next_proof_us: u64,
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
            Some(Running {
                flood: flood.clone(),
                arrivals,
                next,
                seconds,
                open: 0,
                peak: 0,
                is_over: false,
                bags: BTreeMap::new(),
                next_proof_us: 0,
            })
        });
        Self(floods.collect(), Bag::of(FLOODERS_USER_AGENT, false))
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
                Some(Answer::SentBack | Answer::Redirected) => counts.redirected += 1,
                Some(Answer::Refused | Answer::Busy { refuses: true, .. }) => counts.refused += 1,
                Some(
                    Answer::ServerError | Answer::Choice { .. } | Answer::Line { .. } | Answer::Busy { .. },
                ) => counts.server_errors += 1,
                None => {
                    counts.failed += 1;
                    counts.gave_up += 1;
                }
            }
        }
    }
}

impl Floods {
    /// What a source carries; nothing where it has no skill.
    pub(super) fn bag(&self, flood: usize, source: Source) -> Bag {
        let Some(running) = self.0.get(flood) else { return self.1 };
        match running.flood.skill {
            Skill::Plain => self.1,
            _ => running
                .bags
                .get(&running.key(source))
                .copied()
                .unwrap_or_else(|| Bag::of(user_agent(VisitorKind::Browser), true)),
        }
    }

    pub(super) fn put_bag(&mut self, flood: usize, source: Source, bag: Bag) {
        if let Some(running) = self.0.get_mut(flood).filter(|running| running.flood.skill != Skill::Plain) {
            let key = running.key(source);
            running.bags.insert(key, bag);
        }
    }
}

impl Running {
    fn key(&self, source: Source) -> Option<Source> {
        (self.flood.skill != Skill::SharedToken).then_some(source)
    }

    /// How long after an answer a flooder asks again, and whether by a proof of work; `None` where the
    /// answer stands.
    fn goes_on(&mut self, answer: Answer, now_us: u64) -> Option<(u64, bool)> {
        let (skill, proofs) = (self.flood.skill, self.flood.proofs_per_second);
        match answer {
            Answer::SentBack | Answer::Redirected if skill >= Skill::Cookies => Some((0, false)),
            Answer::Choice { tries, .. }
                if skill.solves() && proofs > 0.0 && now_us >= self.next_proof_us =>
            {
                self.next_proof_us = now_us + micros(1.0 / proofs);
                Some((tries.saturating_mul(SECOND_US) / NATIVE_HASHES_PER_SECOND, true))
            }
            _ => None,
        }
    }

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
        let (source, until_us) = (arrival.source, self.now_us + patience_us);
        let asker = Asker::Flood { flood, second, source, followed: 0, until_us };
        self.begin(asker, client, Target::of(&arrival.target), patience_us);
    }

    /// A flooder gets an answer, and goes on from it by its skill.
    pub(super) fn flood_gets(&mut self, asker: Asker, target: Target, answer: Answer) {
        let Asker::Flood { flood, second, source, followed, until_us } = asker else { return };
        let now_us = self.now_us;
        let running = self.floods.0.get_mut(flood).filter(|running| !running.is_over);
        let next = running.filter(|_| followed < FOLLOWED_MAX).and_then(|it| it.goes_on(answer, now_us));
        let Some((after_us, works)) = next.filter(|(after_us, _)| now_us + after_us < until_us) else {
            self.floods.ended(flood, second, Some(answer));
            return;
        };
        if works && let Some(house) = self.gatehouse.as_mut() {
            let mut bag = self.floods.bag(flood, source);
            bag.work = Some(house.worked(&bag, now_us + after_us));
            self.floods.put_bag(flood, source, bag);
        }
        let this_second = usize::try_from(now_us / SECOND_US).unwrap_or(usize::MAX);
        if let Some(counts) = self.floods.0.get_mut(flood).and_then(|it| it.seconds.get_mut(this_second)) {
            counts.followed += 1;
            counts.proofs += u64::from(works);
        }
        let asker = Asker::Flood { flood, second, source, followed: followed + 1, until_us };
        self.queue.put(now_us + super::edge::EDGE_US + after_us, Event::FloodAsksAgain(asker, target));
    }

    pub(super) fn flood_asks_again(&mut self, asker: Asker, target: Target) {
        let Asker::Flood { flood, second, source, until_us, .. } = asker else { return };
        if self.floods.0.get(flood).is_none_or(|running| running.is_over) || self.now_us >= until_us {
            self.floods.ended(flood, second, None);
            return;
        }
        let (v4, v6) = Network::Namespaces.sources(Host::Flood);
        let address = source.within(v4, v6);
        let client = Client { address, prefix: Prefix::of_client(address) };
        self.begin(asker, client, target, until_us - self.now_us);
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
