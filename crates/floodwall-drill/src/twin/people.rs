//! The visitors' sessions, as `agent::visitors` carries them out: ten seconds of patience, and who
//! waits in vain gives up.

use floodwall_model::Prefix;

use super::World;
use super::cache::Target;
use super::edge::{Asker, Client};
use super::events::Event;
use crate::hosts::{Host, Network};
use crate::measure::{Outcome, Record, Way};
use crate::plan::{Session, Want, Wanted};

/// How long a person waits for a page.
pub(super) const PATIENCE_US: u64 = 10 * super::events::SECOND_US;

/// All visitors.
#[derive(Debug)]
pub(super) struct People<'a> {
    sessions: &'a [Session],
    people: Vec<Person>,
    pub(super) records: Vec<Record>,
}

/// Where one visitor is in their session.
#[derive(Clone, Copy, Debug, Default)]
struct Person {
    step: usize,
    /// The page itself, then its assets.
    want: usize,
    since_us: u64,
    roamed: bool,
}

impl<'a> People<'a> {
    pub(super) fn new(sessions: &'a [Session]) -> Self {
        Self { sessions, people: vec![Person::default(); sessions.len()], records: Vec::new() }
    }

    fn record(&mut self, place: usize, what: Wanted, wanted_us: u64, now_us: u64, outcome: Outcome) {
        let Some(session) = self.sessions.get(place) else { return };
        self.records.push(Record {
            kind: session.kind,
            session: session.start_us,
            wanted_us,
            latency_us: now_us.saturating_sub(wanted_us),
            outcome,
            what,
            way: Way::default(),
        });
    }

    /// What the visitor wants now.
    fn want(&self, place: usize) -> Option<&'a Want> {
        let (session, person) = (self.sessions.get(place)?, self.people.get(place)?);
        let step = session.steps.get(person.step)?;
        if person.want == 0 { Some(&step.page) } else { step.assets.get(person.want - 1) }
    }

    /// How long after the end of the step before it the current step is wanted.
    fn pause_us(&self, place: usize, step: usize) -> Option<u64> {
        let steps = &self.sessions.get(place)?.steps;
        let before = step.checked_sub(1).and_then(|before| steps.get(before)).map_or(0, |step| step.at_us);
        Some(steps.get(step)?.at_us.saturating_sub(before))
    }

    /// The page did not come: what was still wanted is not reached.
    fn give_up(&mut self, place: usize, now_us: u64) {
        let (Some(session), Some(person)) = (self.sessions.get(place), self.people.get(place).copied())
        else {
            return;
        };
        for (number, step) in session.steps.iter().enumerate().skip(person.step) {
            let here = number == person.step;
            let wanted_us = if here { now_us } else { now_us + self.pause_us(place, number).unwrap_or(0) };
            // Of this step the page has its record already.
            let page = (!here).then_some(&step.page);
            for want in page.into_iter().chain(&step.assets) {
                self.record(place, want.what, wanted_us, wanted_us, Outcome::NotReached);
            }
        }
    }
}

impl World<'_> {
    pub(super) fn begin_sessions(&mut self) {
        if let Some(first) = self.people.sessions.first() {
            self.queue.put(first.start_us, Event::SessionBegins(0));
        }
    }

    pub(super) fn session_begins(&mut self, place: usize) {
        if let Some(next) = self.people.sessions.get(place + 1) {
            self.queue.put(next.start_us, Event::SessionBegins(place + 1));
        }
        let pause_us = self.people.pause_us(place, 0).unwrap_or(0);
        self.queue.put(self.now_us + pause_us, Event::PersonWants(place));
    }

    pub(super) fn person_wants(&mut self, place: usize) {
        let (Some(session), Some(person)) =
            (self.people.sessions.get(place), self.people.people.get_mut(place))
        else {
            return;
        };
        let roams = session.steps.get(person.step).is_some_and(|step| step.roams);
        person.roamed |= roams && person.want == 0;
        person.since_us = self.now_us;
        let source = if person.roamed { session.second_source } else { session.source };
        let Some(want) = self.people.want(place) else { return };
        let (v4, v6) = Network::Namespaces.sources(Host::Visitors);
        let address = source.within(v4, v6);
        let client = Client { address, prefix: Prefix::of_client(address) };
        self.begin(Asker::Person(place), client, Target::of(&want.target), PATIENCE_US);
    }

    pub(super) fn person_gets(&mut self, place: usize, outcome: Outcome) {
        let Some(person) = self.people.people.get(place).copied() else { return };
        let Some(want) = self.people.want(place) else { return };
        self.people.record(place, want.what, person.since_us, self.now_us, outcome);
        if person.want == 0 && outcome != Outcome::Arrived {
            self.people.give_up(place, self.now_us);
            return;
        }
        if let Some(person) = self.people.people.get_mut(place) {
            person.want += 1;
        }
        if self.people.want(place).is_some() {
            self.person_wants(place);
            return;
        }
        if let Some(person) = self.people.people.get_mut(place) {
            (person.step, person.want) = (person.step + 1, 0);
        }
        if let Some(pause_us) = self.people.pause_us(place, person.step + 1) {
            self.queue.put(self.now_us + pause_us, Event::PersonWants(place));
        }
    }
}
