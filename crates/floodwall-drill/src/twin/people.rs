//! The visitors' sessions, as `agent::visitors` and its client carry them out: the same patience, the
//! same steps from page to page.

use std::time::Duration;

use floodwall_model::Prefix;

use super::World;
use super::cache::Target;
use super::credentials::{Bag, Mark};
use super::edge::{Answer, Asker, Client};
use super::events::{Event, SECOND_US};
use crate::agent::user_agent;
use crate::hosts::{Host, Network};
use crate::measure::{Outcome, Record, Way};
use crate::patience::{ANSWER, IN_ALL, before_reload};
use crate::plan::{Session, Want, Wanted};

/// As visitors on hosts.
const REDIRECTS_MAX: u32 = 10;
const PAGES_MAX: u32 = 30;
const PROOFS_MAX: u32 = 3;

/// All visitors.
#[derive(Debug)]
pub(super) struct People<'a> {
    sessions: &'a [Session],
    people: Vec<Person>,
    ends_us: u64,
    pub(super) records: Vec<Record>,
}

/// Where one visitor is in their session.
#[derive(Clone, Copy, Debug)]
struct Person {
    step: usize,
    /// The page itself, then its assets.
    want: usize,
    since_us: u64,
    roamed: bool,
    bag: Bag,
    /// Since something was wanted.
    way: Way,
    answer_by_us: u64,
    /// Since something was shown.
    redirects: u32,
    pages: u32,
    /// Their browser works, and brings the answer when it asks again.
    works: bool,
    /// What has become of the want if patience ends before the next is asked.
    otherwise: Outcome,
}

impl Person {
    fn of(session: &Session) -> Self {
        Self {
            step: 0,
            want: 0,
            since_us: 0,
            roamed: false,
            bag: Bag::of(user_agent(session.kind), session.kind.keeps_cookies()),
            way: Way::default(),
            answer_by_us: 0,
            redirects: 0,
            pages: 0,
            works: false,
            otherwise: Outcome::TimedOut,
        }
    }

    fn patience_ends_us(&self) -> u64 {
        self.since_us.saturating_add(micros(IN_ALL))
    }

    /// Until then they stay with what they see, and then ask again.
    fn stay(&mut self, now_us: u64, span_us: u64, otherwise: Outcome) -> u64 {
        self.otherwise = otherwise;
        now_us.saturating_add(span_us).min(self.patience_ends_us())
    }
}

/// What a visitor does about an answer.
enum Next {
    Done(Outcome),
    AskNow,
    AskAt(u64),
}

impl<'a> People<'a> {
    pub(super) fn new(sessions: &'a [Session], duration_s: u32) -> Self {
        let people = sessions.iter().map(Person::of).collect();
        Self { sessions, people, ends_us: u64::from(duration_s) * SECOND_US, records: Vec::new() }
    }

    pub(super) fn bag(&self, place: usize) -> Option<Bag> {
        self.people.get(place).map(|person| person.bag)
    }

    pub(super) fn put_bag(&mut self, place: usize, bag: Bag) {
        if let Some(person) = self.people.get_mut(place) {
            person.bag = bag;
        }
    }

    fn record(&mut self, place: usize, what: Wanted, (wanted_us, now_us): (u64, u64), end: (Outcome, Way)) {
        let Some(session) = self.sessions.get(place) else { return };
        self.records.push(Record {
            kind: session.kind,
            session: session.start_us,
            wanted_us,
            latency_us: now_us.saturating_sub(wanted_us),
            outcome: end.0,
            what,
            way: end.1,
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

    /// Nothing more is asked for: of the steps from this one on, what is left is that.
    fn leave(&mut self, place: usize, now_us: u64, outcome: Outcome) {
        let (Some(session), Some(person)) = (self.sessions.get(place), self.people.get(place).copied())
        else {
            return;
        };
        for (number, step) in session.steps.iter().enumerate().skip(person.step) {
            let here = number == person.step && outcome == Outcome::NotReached;
            let wanted_us = if here { now_us } else { now_us + self.pause_us(place, number).unwrap_or(0) };
            // Of this step the page has its record already.
            let page = (!here).then_some(&step.page);
            for want in page.into_iter().chain(&step.assets) {
                self.record(place, want.what, (wanted_us, wanted_us), (outcome, Way::default()));
            }
        }
    }

    /// What a visitor does about an answer; `None` is nobody's.
    fn about(&mut self, place: usize, answer: Option<Answer>, now_us: u64) -> Option<Next> {
        let (kind, what) = (self.sessions.get(place)?.kind, self.want(place)?.what);
        let person = self.people.get_mut(place)?;
        let Some(answer) = answer else { return Some(Next::Done(Outcome::TimedOut)) };
        let way = &mut person.way;
        if matches!(answer, Answer::SentBack | Answer::Redirected) {
            (person.redirects, way.redirects) = (person.redirects + 1, way.redirects + 1);
            let circles = person.redirects > REDIRECTS_MAX;
            return Some(if circles { Next::Done(Outcome::Wrong) } else { Next::AskNow });
        }
        (person.redirects, person.pages) = (0, person.pages + 1);
        if matches!(answer, Answer::Refused | Answer::Busy { refuses: true, .. }) {
            way.refusals += 1;
        }
        let error = match answer {
            Answer::Page => return Some(Next::Done(Outcome::Arrived)),
            _ if person.pages > PAGES_MAX => return Some(Next::Done(Outcome::Wrong)),
            Answer::Refused => Outcome::Refused,
            Answer::ServerError => Outcome::ServerError,
            _ if what == Wanted::Part || !kind.is_person() => return Some(Next::Done(Outcome::ServerError)),
            Answer::Choice { tries, .. } if way.proofs < PROOFS_MAX && kind.hashes_per_second().is_some() => {
                let speed = u64::from(kind.hashes_per_second().unwrap_or(1));
                let working_us = tries.saturating_mul(SECOND_US) / speed;
                (way.proofs, way.working_us) = (way.proofs + 1, way.working_us + working_us);
                person.works = true;
                return Some(Next::AskAt(person.stay(now_us, working_us, Outcome::TimedOut)));
            }
            Answer::Choice { again_s, .. } | Answer::Line { again_s } | Answer::Busy { again_s, .. } => {
                if matches!(answer, Answer::Busy { .. }) {
                    person.bag.mark = Mark::None;
                }
                let until_us = person.stay(now_us, again_s * SECOND_US, Outcome::TimedOut);
                (person.way.waits, person.way.waiting_us) =
                    (person.way.waits + 1, person.way.waiting_us + (until_us - now_us));
                return Some(Next::AskAt(until_us));
            }
            Answer::SentBack | Answer::Redirected => return None,
        };
        let span = before_reload(way.reloads, None).filter(|_| kind.is_person() && what != Wanted::Part);
        let Some(span) = span else { return Some(Next::Done(error)) };
        way.reloads += 1;
        way.reloading_us += micros(span);
        person.bag.mark = Mark::None;
        Some(Next::AskAt(person.stay(now_us, micros(span), error)))
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
        person.answer_by_us = self.now_us + micros(ANSWER);
        (person.way, person.redirects, person.pages) = (Way::default(), 0, 0);
        person.bag.mark = Mark::None;
        self.person_asks(place);
    }

    /// A visitor who was shown something asks again.
    pub(super) fn person_asks_again(&mut self, place: usize) {
        let (now_us, house) = (self.now_us, self.gatehouse.as_mut());
        let Some(person) = self.people.people.get_mut(place) else { return };
        let ends_us = person.patience_ends_us();
        if now_us >= ends_us {
            let outcome = person.otherwise;
            self.person_has(place, outcome);
            return;
        }
        person.answer_by_us = (now_us + micros(ANSWER)).min(ends_us);
        if std::mem::take(&mut person.works)
            && let Some(house) = house
        {
            person.bag.work = Some(house.worked(&person.bag, now_us));
        }
        self.person_asks(place);
    }

    fn person_asks(&mut self, place: usize) {
        let (Some(session), Some(person)) = (self.people.sessions.get(place), self.people.people.get(place))
        else {
            return;
        };
        let source = if person.roamed { session.second_source } else { session.source };
        let patience_us = person.answer_by_us.saturating_sub(self.now_us);
        let Some(want) = self.people.want(place) else { return };
        let (v4, v6) = Network::Namespaces.sources(Host::Visitors);
        let address = source.within(v4, v6);
        let client = Client { address, prefix: Prefix::of_client(address) };
        self.begin(Asker::Person(place), client, Target::of(&want.target), patience_us);
    }

    pub(super) fn person_gets(&mut self, place: usize, answer: Option<Answer>) {
        match self.people.about(place, answer, self.now_us) {
            Some(Next::Done(outcome)) => self.person_has(place, outcome),
            Some(Next::AskNow) => self.person_asks(place),
            Some(Next::AskAt(at_us)) => self.queue.put(at_us, Event::PersonAsksAgain(place)),
            None => {}
        }
    }

    /// It is decided what has become of what a visitor wanted.
    fn person_has(&mut self, place: usize, outcome: Outcome) {
        let Some(person) = self.people.people.get(place).copied() else { return };
        let Some(want) = self.people.want(place) else { return };
        self.people.record(place, want.what, (person.since_us, self.now_us), (outcome, person.way));
        if person.want == 0 && outcome != Outcome::Arrived {
            self.people.leave(place, self.now_us, Outcome::NotReached);
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
        let Some(pause_us) = self.people.pause_us(place, person.step + 1) else { return };
        if self.now_us + pause_us >= self.people.ends_us {
            self.people.leave(place, self.now_us, Outcome::AfterTheEnd);
        } else {
            self.queue.put(self.now_us + pause_us, Event::PersonWants(place));
        }
    }
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}
