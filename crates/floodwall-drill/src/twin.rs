//! The drill's twin: the same plans in simulated time, without hosts, sockets or clocks.
//!
//! What decides is real: limits, gate, keys, waiting room and the origin's circuit are those of the policy
//! crate. What
//! carries is modelled, as simply as it can be and still answer as the edge does: the cache with its
//! collapsing and its stale copies, the turns at the origin, the sample site's slow database, the
//! visitors' and the floods' patience. Events come in the order of their microsecond; chance comes
//! from the plan's seed alone; so the same plan gives the same answer to the last figure.
//!
//! Limits
//! - The edge's own work, the network and the operating system cost a fixed quarter of a
//!   millisecond: the twin shows what decisions do, not what a machine can carry.
//! - Nobody hashes: how many numbers a proof of work takes is drawn by chance, and its time charged. All
//!   paths are of one class, and nobody is known from earlier days.
//! - Floods that only hold connections ([`FloodKind::Connections`], slow headers, bodies and readers)
//!   mean nothing without connections. They are left out, and [`Simulated::left_out`] names them.
//! - The cache forgets what was not used for longest, once it holds 32,768 copies (256 MiB of pages
//!   of 8 KiB); the edge's own is cleverer in what it forgets.

mod cache;
mod credentials;
mod edge;
mod events;
mod floods;
mod gatehouse;
mod origin;
mod people;

use std::time::Duration;

use floodwall_model::Timestamp;
use floodwall_policy::{Admission, AdmissionPolicy, GateSettings, PrefixLimiter, RateLimit, SitePolicy};
use serde::Serialize;

use crate::agent::{FloodSeen, OriginSeen};
use crate::measure::{Goodput, Record};
use crate::plan::Plan;
use crate::scenario::{FloodKind, Scenario, Trouble};

use cache::{Cache, Flights};
use credentials::Bag;
use edge::{Asker, Requests, Turns};
use events::{Event, Queue};
use floods::Floods;
use gatehouse::Gatehouse;
use origin::Origin;
use people::People;

/// How often the edge does what it does by the clock.
const BEAT_US: u64 = 50_000;

/// Copies the cache holds.
const COPIES_MAX: usize = 32_768;

/// What the edge is told about limits and memory.
#[derive(Clone, Copy, Debug)]
pub struct TwinSettings {
    /// The site's limits.
    pub policy: SitePolicy,
    /// Prefixes the limiter has room for.
    pub tracked_prefixes: usize,
    /// Copies the cache has room for.
    pub copies_max: usize,
    /// The gate before the origin, where there is one.
    pub gate: Option<GateSettings>,
}

/// What Floodwall does without a settings file: 20 requests a second to the origin for each prefix,
/// 200 at once.
impl Default for TwinSettings {
    fn default() -> Self {
        let origin_limit = RateLimit::from_numbers(20, 200).ok();
        Self {
            policy: SitePolicy { origin_limit, request_limit: None },
            tracked_prefixes: 1 << 20,
            copies_max: COPIES_MAX,
            gate: Some(GateSettings::default()),
        }
    }
}

/// What came of a plan in simulated time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Simulated {
    /// The scenario.
    pub scenario: Scenario,
    /// The seed.
    pub seed: u64,
    /// What visitors got.
    pub goodput: Goodput,
    /// What the floods did, in the scenario's order.
    pub floods: Vec<FloodSeen>,
    /// Floods that have no meaning here.
    pub left_out: Vec<FloodKind>,
    /// What reached the origin.
    pub origin: OriginSeen,
    /// What the edge did.
    pub edge: EdgeSeen,
    /// Events that were worked off.
    pub events: u64,
    /// What became of each want.
    #[serde(skip)]
    pub records: Vec<Record>,
}

/// What the edge did, its own counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct EdgeSeen {
    /// Answered from a fresh copy.
    pub hits: u64,
    /// Answered from a stale copy.
    pub stale: u64,
    /// Refused by admission.
    pub refused: u64,
    /// Turned away because too many waited for the origin already.
    pub busy: u64,
    /// Turned away because the origin was known to be down.
    pub known_down: u64,
    /// The most requests at the origin at once, probes left out.
    pub turns_max: u64,
    /// Copies of the site's own pages, without random query, that the cache had to forget.
    pub pages_lost: u64,
    /// Times the origin was found to be down.
    pub origin_downs: u64,
    /// The highest rung of the ladder.
    pub rung_max: u8,
    /// Answers of the gate, to visitors and floods alike: redirects.
    pub challenged_redirect: u64,
    /// Pages with the choice.
    pub challenged_choice: u64,
    /// Pages of the waiting room.
    pub challenged_waiting_room: u64,
    /// That there is no room.
    pub no_room: u64,
}

/// Carries a plan out in simulated time.
#[must_use]
pub fn simulate(plan: &Plan, settings: &TwinSettings) -> Simulated {
    let mut world = World::new(plan, settings);
    world.run();
    let edge = world.edge_seen();
    let records = world.people.records;
    let (duration_s, onset_s) = (plan.scenario.duration_s, plan.scenario.onset_s());
    Simulated {
        scenario: plan.scenario.clone(),
        seed: plan.seed,
        goodput: Goodput::of(&records, duration_s, onset_s),
        left_out: world.floods.left_out(),
        floods: world.floods.seen(),
        origin: world.origin.seen,
        edge,
        events: world.queue.taken(),
        records,
    }
}

/// Everything there is while a plan is carried out.
struct World<'a> {
    scenario: &'a Scenario,
    now_us: u64,
    queue: Queue,
    people: People<'a>,
    floods: Floods,
    requests: Requests,
    admission: Admission,
    policy: AdmissionPolicy,
    gatehouse: Option<Gatehouse>,
    cache: Cache,
    flights: Flights,
    turns: Turns,
    origin: Origin,
    seen: EdgeSeen,
}

impl<'a> World<'a> {
    fn new(plan: &'a Plan, settings: &TwinSettings) -> Self {
        let hash_seed = crate::random::Seed(plan.seed).stream("limiter", 0).number();
        Self {
            scenario: &plan.scenario,
            now_us: 0,
            queue: Queue::default(),
            people: People::new(&plan.sessions, plan.scenario.duration_s),
            floods: Floods::new(plan),
            requests: Requests::default(),
            admission: Admission::new(PrefixLimiter::new(settings.tracked_prefixes, hash_seed)),
            policy: AdmissionPolicy::new(vec![settings.policy]),
            gatehouse: settings.gate.map(|gate| Gatehouse::new(gate, plan.seed)),
            cache: Cache::new(settings.copies_max),
            flights: Flights::default(),
            turns: Turns::default(),
            origin: Origin::default(),
            seen: EdgeSeen::default(),
        }
    }

    fn run(&mut self) {
        self.prepare();
        while let Some((at_us, event)) = self.queue.take() {
            self.now_us = at_us;
            match event {
                Event::SessionBegins(session) => self.session_begins(session),
                Event::PersonWants(session) => self.person_wants(session),
                Event::PersonGets(session, answer) => self.person_gets(session, answer),
                Event::PersonAsksAgain(session) => self.person_asks_again(session),
                Event::FloodArrives(flood) => self.flood_arrives(flood),
                Event::FloodAsksAgain(asker, target) => self.flood_asks_again(asker, target),
                Event::FloodEnds(flood) => self.flood_ends(flood),
                Event::Request(timer) => self.on_timer(timer),
                Event::OriginGoesDown => self.origin_goes_down(),
                Event::Beat(number) => self.beat(number),
            }
        }
    }

    /// The edge has answered the first page once before the start, as in the drill on hosts.
    fn prepare(&mut self) {
        self.cache.store(cache::Page::HOME, 0);
        self.answered();
        self.queue.put(BEAT_US, Event::Beat(1));
        for trouble in &self.scenario.origin {
            if trouble.trouble == Trouble::Down {
                self.queue.put(u64::from(trouble.from_s) * events::SECOND_US, Event::OriginGoesDown);
            }
        }
        self.begin_floods();
        self.begin_sessions();
    }

    /// Twenty times a second: who waits at the gate is looked after at each second beat, the origin at each
    /// fifth, and a second is over with the twentieth.
    fn beat(&mut self, number: u64) {
        // Nothing else is to happen: everybody has gone home.
        if self.queue.is_empty() {
            return;
        }
        self.queue.put(self.now_us + BEAT_US, Event::Beat(number + 1));
        if number.is_multiple_of(20) {
            self.gate_ticks();
        } else if number.is_multiple_of(2) {
            self.wake();
        }
        if number.is_multiple_of(5) {
            self.look_whether_to_probe();
        }
    }

    /// What somebody carries.
    fn bag(&self, asker: Asker) -> Bag {
        let bag = match asker {
            Asker::Person(place) => self.people.bag(place),
            Asker::Flood { flood, source, .. } => Some(self.floods.bag(flood, source)),
            Asker::Beside | Asker::Probe => None,
        };
        bag.unwrap_or_else(|| Bag::of("", false))
    }

    fn put_bag(&mut self, asker: Asker, bag: Bag) {
        match asker {
            Asker::Person(place) => self.people.put_bag(place, bag),
            Asker::Flood { flood, source, .. } => self.floods.put_bag(flood, source, bag),
            Asker::Beside | Asker::Probe => {}
        }
    }

    fn edge_seen(&self) -> EdgeSeen {
        let seen = EdgeSeen { pages_lost: self.cache.pages_lost, ..self.seen };
        let Some(house) = &self.gatehouse else { return seen };
        let counts = house.counts();
        EdgeSeen {
            rung_max: house.rung_max,
            challenged_redirect: counts.challenged_redirect,
            challenged_choice: counts.challenged_choice,
            challenged_waiting_room: counts.challenged_waiting_room,
            no_room: counts.refused_all(),
            ..seen
        }
    }

    /// The present as policy takes it.
    fn now(&self) -> Timestamp {
        timestamp(self.now_us)
    }

    /// What the origin suffers from now.
    fn trouble(&self) -> Option<Trouble> {
        self.scenario.trouble_at(crate::measure::to_f64(self.now_us) / 1e6)
    }
}

/// A moment of the simulation; the edge's clock has run for a second before. By the wall clock it begins
/// on 8 November 2022, at noon.
fn timestamp(at_us: u64) -> Timestamp {
    const BEGINS_UNIX_US: i64 = 1_667_908_800_000_000;
    let wall_us = BEGINS_UNIX_US.saturating_add_unsigned(at_us);
    Timestamp::new(Duration::from_secs(1) + Duration::from_micros(at_us), wall_us)
}

#[cfg(test)]
mod tests;
