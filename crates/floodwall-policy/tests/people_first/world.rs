//! The world around the gate: events in the order of their microsecond.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use floodwall_model::Timestamp;
use floodwall_policy::{
    Binding, Challenge, ClientFingerprint, Decision, Difficulty, Gate, GateFacts, GateSettings, Outcome,
    ProofKind, RequestKind, SiteTag, Standing, Ticket, TokenId, Turn, WaitId, WaitingRoom, Wake, WorkKind,
};

use crate::bots::{Flood, Skill};
use crate::people::Kind;
use crate::seen::Seen;
use crate::signatures::Watched;

const SECOND: u64 = 1_000_000;
const CALM_S: u64 = 70;
const FLOOD_S: u64 = 60;
const SERVED_MAX: usize = 20;
const LOOK_UPS: u32 = 3;
/// A person gives up after this long for one look-up; who is told his place waits longer.
const PATIENCE: u64 = 30 * SECOND;
const PATIENCE_IN_LINE: u64 = 120 * SECOND;
const ROUND_TRIP: u64 = 40_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Tick,
    Poll,
    PersonComes,
    BotAsks,
    Asks(u64),
    Presents(u64),
    Answers { asker: u64, started: u64 },
    GivesUp { asker: u64, look_up: u32 },
}

/// Whoever asks.
#[derive(Clone, Debug)]
struct Asker {
    /// None: a bot.
    kind: Option<Kind>,
    address: IpAddr,
    fingerprint: u32,
    token: Option<(TokenId, ProofKind)>,
    ticket: Option<Ticket>,
    no_cookies: bool,
    look_up: u32,
    since: u64,
    waiting: Option<WaitId>,
    skill: Skill,
}

pub(crate) struct World {
    flood: Option<Flood>,
    people_per_s: f64,
    flood_s: u64,
    /// Everybody alike: a budget and a line, and nothing else.
    plain: bool,
    now: u64,
    sequence: u64,
    events: BinaryHeap<Reverse<(u64, u64, Event)>>,
    random: u64,
    gate: Gate,
    room: WaitingRoom,
    askers: HashMap<u64, Asker>,
    waiting: HashMap<WaitId, u64>,
    next_id: u64,
    serving: usize,
    line: VecDeque<(u64, u64)>,
    seen: Seen,
    watched: Option<Watched>,
}

impl World {
    pub(crate) fn new(flood: Option<Flood>, people_per_s: f64, seed: u64) -> Self {
        let now = timestamp(0);
        let mut world = Self {
            flood,
            people_per_s,
            flood_s: FLOOD_S,
            plain: false,
            now: 0,
            sequence: 0,
            events: BinaryHeap::new(),
            random: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1,
            gate: Gate::new(GateSettings::default(), seed, now),
            room: WaitingRoom::new(now),
            askers: HashMap::new(),
            waiting: HashMap::new(),
            next_id: 1,
            serving: 0,
            line: VecDeque::new(),
            seen: Seen::default(),
            watched: None,
        };
        world.at(SECOND, Event::Tick);
        world.at(SECOND / 10, Event::Poll);
        world.at(0, Event::PersonComes);
        if flood.is_some() {
            world.at(CALM_S * SECOND, Event::BotAsks);
        }
        world
    }

    /// Instead of a minute.
    pub(crate) fn lasting(self, flood_s: u64) -> Self {
        Self { flood_s, ..self }
    }

    pub(crate) fn watched(self, watched: Watched) -> Self {
        Self { watched: Some(watched), ..self }
    }

    /// Without tiers, shares and challenges: for comparison.
    pub(crate) fn plain(self) -> Self {
        Self { plain: true, ..self }
    }

    pub(crate) fn run(mut self) -> Seen {
        let end = (CALM_S + self.flood_s) * SECOND;
        while let Some(Reverse((at, _, event))) = self.events.pop() {
            // Those under way are seen to their end.
            if at > end + PATIENCE_IN_LINE {
                break;
            }
            self.now = at;
            match event {
                Event::Tick => self.tick(),
                Event::Poll => {
                    self.wake();
                    self.at(SECOND / 10, Event::Poll);
                }
                Event::PersonComes if at < end => self.person_comes(),
                Event::BotAsks if at < end => self.bot_asks(),
                Event::PersonComes | Event::BotAsks => {}
                Event::Asks(asker) => self.ask(asker),
                Event::Presents(asker) => self.present(asker),
                Event::Answers { asker, started } => self.answer(asker, started),
                Event::GivesUp { asker, look_up } => self.give_up(asker, look_up),
            }
        }
        self.seen.rules = self.watched.map(|watched| watched.outcome());
        self.seen
    }

    fn at(&mut self, after: u64, event: Event) {
        self.sequence += 1;
        self.events.push(Reverse((self.now + after, self.sequence, event)));
    }

    /// xorshift64*
    fn random(&mut self) -> u64 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        self.random.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11
    }

    fn unit(&mut self) -> f64 {
        self.random() as f64 / (1_u64 << 53) as f64
    }

    fn exponential(&mut self, per_second: f64) -> u64 {
        micros(-(1.0 - self.unit()).ln() / per_second)
    }

    fn tick(&mut self) {
        let let_in = self.gate.let_in_per_second();
        self.room.tick(let_in, timestamp(self.now));
        self.gate.tick(timestamp(self.now));
        let overloaded = self.is_overloaded();
        if let Some(watched) = &mut self.watched {
            watched.tick(overloaded, timestamp(self.now));
        }
        self.seen.rung_max = self.seen.rung_max.max(self.gate.rung().number());
        self.wake();
        self.at(SECOND, Event::Tick);
    }

    fn is_overloaded(&self) -> bool {
        self.gate.rung() > floodwall_policy::Rung::Open || self.gate.load() > 1.0
    }

    fn person_comes(&mut self) {
        let id = self.fresh_id();
        let (percent, random) = (self.random() % 100, self.random());
        let kind = Kind::of_percent(percent);
        let asker = Asker {
            kind: Some(kind),
            address: kind.address(id, random),
            fingerprint: kind.fingerprint(id),
            token: None,
            ticket: None,
            no_cookies: false,
            look_up: 0,
            since: self.now,
            waiting: None,
            skill: Skill::None,
        };
        self.askers.insert(id, asker);
        self.begin_look_up(id);
        let after = self.exponential(self.people_per_s);
        self.at(after, Event::PersonComes);
    }

    fn begin_look_up(&mut self, id: u64) {
        let random = self.random();
        let Some(asker) = self.askers.get_mut(&id) else { return };
        asker.look_up += 1;
        asker.since = self.now;
        if asker.kind == Some(Kind::Phone) {
            asker.address = Kind::Phone.address(id, random);
        }
        let look_up = asker.look_up;
        self.at(PATIENCE, Event::GivesUp { asker: id, look_up });
        self.ask(id);
    }

    fn bot_asks(&mut self) {
        let flood = self.flood.unwrap();
        let after = self.exponential(flood.rate);
        self.at(after, Event::BotAsks);
        let second = self.now / SECOND - CALM_S;
        if flood.pulse_s.is_some_and(|pulse_s| second / pulse_s % 2 == 1) {
            return;
        }
        let source = self.random() % flood.sources;
        let id = if flood.one_shot { self.fresh_id() } else { 1 << 40 | source };
        let capable = match flood.skill {
            Skill::Some { percent } if source % 100 < percent => Skill::Redirect,
            Skill::Some { .. } => Skill::None,
            skill => skill,
        };
        let now = self.now;
        let asker = self.askers.entry(id).or_insert_with(|| Asker {
            kind: None,
            address: IpAddr::V4((0x4000_0000 + u32::try_from(source % (1 << 28)).unwrap() * 37).into()),
            // As browsers do, so that nothing tells them apart.
            fingerprint: Kind::Browser.fingerprint(source),
            token: None,
            ticket: None,
            no_cookies: false,
            look_up: 0,
            since: now,
            waiting: None,
            skill: capable,
        });
        if matches!(flood.skill, Skill::FreshRedirect | Skill::FreshSolve { .. }) {
            asker.token = None;
        }
        self.ask(id);
    }

    fn ask(&mut self, id: u64) {
        let Some(asker) = self.askers.get(&id) else { return };
        let overloaded = self.is_overloaded();
        let judged = (id, asker.kind.is_some());
        let standing = self.watched.as_mut().map_or(Standing::Unknown, |watched| {
            watched.standing(judged, asker.address, asker.token, overloaded, timestamp(self.now))
        });
        let facts = GateFacts {
            client: asker.address,
            fingerprint: ClientFingerprint(asker.fingerprint),
            system: None,
            token: asker.token,
            standing: if self.plain { Standing::Allowed } else { standing },
            kind: RequestKind::Page,
            keeps_no_cookies: asker.no_cookies,
        };
        let is_person = asker.kind.is_some();
        match self.gate.offer(&facts, timestamp(self.now)) {
            Decision::Admit => self.start(id),
            Decision::Wait(wait) => {
                self.waiting.insert(wait, id);
                if let Some(asker) = self.askers.get_mut(&id) {
                    asker.waiting = Some(wait);
                }
            }
            Decision::Refuse(refusal) => {
                self.seen.people_refused += u64::from(is_person);
                self.refused(id, refusal.retry_after);
            }
            Decision::Challenge(challenge) => self.challenged(id, challenge),
        }
        self.wake();
    }

    fn refused(&mut self, id: u64, retry_after: Duration) {
        if self.askers.get(&id).is_some_and(|asker| asker.kind.is_some()) {
            self.at(u64::try_from(retry_after.as_micros()).unwrap(), Event::Asks(id));
        }
    }

    fn challenged(&mut self, id: u64, challenge: Challenge) {
        let (fresh, random) = (self.fresh_id(), self.random());
        let load = self.gate.load();
        let now = timestamp(self.now);
        let Some(asker) = self.askers.get_mut(&id) else { return };
        let number_max = f64::from(Difficulty::by_load(load).number_max());
        let hashes = number_max * (random % 1_000) as f64 / 1_000.0;
        let solves = match (asker.kind, asker.skill) {
            (Some(kind), _) if kind.has_script() => Some(kind.hashes_per_second()),
            (_, Skill::Solve { per_second } | Skill::FreshSolve { per_second }) => Some(per_second),
            _ => None,
        };
        let follows = asker.kind.is_some() || asker.skill != Skill::None;
        let page = challenge != Challenge::Redirect;
        let after = match (challenge, solves) {
            (Challenge::Redirect, _) if follows => {
                asker.token = Some((TokenId(fresh), ProofKind::Redirect));
                ROUND_TRIP
            }
            (Challenge::Choice, Some(per_second)) => {
                asker.token = Some((TokenId(fresh), ProofKind::Work));
                2 * ROUND_TRIP + micros(hashes / per_second)
            }
            _ if asker.kind.is_some() || asker.skill == Skill::Wait => {
                let binding = Binding {
                    site: SiteTag(1),
                    fingerprint: ClientFingerprint(asker.fingerprint),
                    generation: 0,
                };
                self.seen.pages_shown += u64::from(asker.kind.is_some());
                if asker.ticket.is_none() {
                    asker.ticket = Some(Ticket::take(&binding, random, now));
                    self.at(5 * SECOND, Event::Presents(id));
                }
                return;
            }
            _ => return,
        };
        self.seen.pages_shown += u64::from(page && asker.kind.is_some());
        self.at(after, Event::Asks(id));
    }

    fn present(&mut self, id: u64) {
        let fresh = self.fresh_id();
        let Some(asker) = self.askers.get_mut(&id) else { return };
        let Some(ticket) = asker.ticket else { return };
        match self.room.present(&ticket, timestamp(self.now)) {
            Turn::Come { .. } => {
                asker.ticket = None;
                asker.token = Some((TokenId(fresh), ProofKind::WaitingRoom));
                self.ask(id);
            }
            Turn::Wait { ticket, refresh, .. } => {
                asker.ticket = Some(ticket);
                self.at(u64::try_from(refresh.as_micros()).unwrap(), Event::Presents(id));
            }
        }
    }

    fn wake(&mut self) {
        while let Some(wake) = self.gate.next_wake(timestamp(self.now)) {
            let (Wake::Admit(wait) | Wake::Refuse(wait, _)) = wake;
            let Some(id) = self.waiting.remove(&wait) else { continue };
            if let Some(asker) = self.askers.get_mut(&id) {
                asker.waiting = None;
            }
            match wake {
                Wake::Admit(_) => self.start(id),
                Wake::Refuse(_, refusal) => {
                    let is_person = self.askers.get(&id).is_some_and(|asker| asker.kind.is_some());
                    self.seen.people_refused += u64::from(is_person);
                    self.refused(id, refusal.retry_after);
                }
            }
        }
        self.seen.in_flight_max = self.seen.in_flight_max.max(self.gate.budget().in_flight());
    }

    /// The request reaches the origin.
    fn start(&mut self, id: u64) {
        if self.serving < SERVED_MAX {
            self.serve(id, self.now);
        } else {
            self.line.push_back((id, self.now));
        }
    }

    fn serve(&mut self, asker: u64, started: u64) {
        self.serving += 1;
        let service = 50_000 + self.random() % 50_000;
        self.at(service, Event::Answers { asker, started });
    }

    fn answer(&mut self, id: u64, started: u64) {
        self.serving -= 1;
        if let Some((next, since)) = self.line.pop_front() {
            self.serve(next, since);
        }
        let latency = Duration::from_micros(self.now - started);
        self.gate
            .on_release(Outcome::Answered(latency, WorkKind::of("GET", "/look-up")), timestamp(self.now));
        let person = self.askers.get(&id).and_then(|asker| asker.kind.map(|kind| (kind, asker.since)));
        match person {
            None => self.seen.bots_served += 1,
            Some((kind, since)) => self.looked_up(id, kind, since, true),
        }
        self.wake();
    }

    fn looked_up(&mut self, id: u64, kind: Kind, since: u64, good: bool) {
        let flooded = CALM_S * SECOND..(CALM_S + self.flood_s) * SECOND;
        if flooded.contains(&since) {
            let (of_good, all) = self.seen.looked_up.entry(kind).or_default();
            *of_good += u64::from(good);
            *all += 1;
            if good && kind.has_script() {
                self.seen.latencies.push(self.now - since);
            } else if good {
                self.seen.latencies_no_script.push(self.now - since);
            }
        }
        self.seen.people_served += u64::from(good);
        let asker = self.askers.get(&id).unwrap();
        if !good || asker.look_up == LOOK_UPS {
            self.askers.remove(&id);
            return;
        }
        // Some thought, 3 to 13 s; the next look-up begins then.
        let thought = 3 * SECOND + self.random() % (10 * SECOND);
        let next = self.now + thought;
        if let Some(asker) = self.askers.get_mut(&id) {
            asker.since = next;
        }
        self.at(thought, Event::GivesUp { asker: id, look_up: u32::MAX });
    }

    /// A look-up took too long; or, where there was none, the next one begins.
    fn give_up(&mut self, id: u64, look_up: u32) {
        if look_up == u32::MAX {
            self.begin_look_up(id);
            return;
        }
        let Some(asker) = self.askers.get(&id) else { return };
        if asker.look_up != look_up || asker.since + PATIENCE > self.now {
            return;
        }
        if asker.ticket.is_some() && asker.since + PATIENCE_IN_LINE > self.now {
            self.at(PATIENCE, Event::GivesUp { asker: id, look_up });
            return;
        }
        let (kind, since) = (asker.kind.unwrap(), asker.since);
        if let Some(wait) = asker.waiting {
            self.gate.abandon(wait);
            self.waiting.remove(&wait);
        }
        self.looked_up(id, kind, since, false);
    }

    fn fresh_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }
}

fn micros(seconds: f64) -> u64 {
    u64::try_from(Duration::from_secs_f64(seconds).as_micros()).unwrap()
}

fn timestamp(micros: u64) -> Timestamp {
    let wall = 1_667_916_000_000_000 + i64::try_from(micros).unwrap();
    Timestamp::new(Duration::from_micros(micros + SECOND), wall)
}
