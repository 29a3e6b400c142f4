//! What admission would have done: every request of a log that would have reached the origin is
//! offered to the gate, in simulated time, before an origin that is assumed.
//!
//! A log says who came, not who would have come back. So a visitor who was seen to load the parts of
//! pages is taken for a browser: it follows a redirect, and lets its browser work when it is shown the
//! choice. All others are taken to do nothing when they are asked, and nobody is taken to wait in the
//! waiting room. That makes the figures of people who get through a lower bound.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::time::Duration;

use floodwall_model::{Prefix, RequestFacts, SiteId, Timestamp, Verdict};
use floodwall_policy::{
    Admission, AdmissionPolicy, Challenge, ClientFingerprint, Decision, Gate, GateFacts, GateSettings,
    KnownClients, Outcome, PrefixLimiter, ProofKind, Refusal, RefusalReason, RequestKind, Rung, SitePolicy,
    Standing, WaitId, Wake, WorkKind,
};

use super::assumed_origin::{AssumedOrigin, OriginAssumption};
use super::event::{Asked, Event, SEED};
use super::minutes::{MinuteCounts, WorstMinutes};
use super::visitors::Visitors;

const SECOND: i64 = 1_000_000;
const POLL: i64 = SECOND / 10;
/// What a browser takes to come back from a redirect, and from the page with the choice.
const REDIRECT_TAKES: i64 = 40_000;
const WORK_TAKES: i64 = 2 * SECOND;
/// Those who are on their way back, at most; further ones count as not coming back.
const COMING_BACK_MAX: usize = 65_536;
/// Seconds without a request for which the gate is still told that time passes.
const QUIET_S: i64 = 300;

/// What is replayed with.
#[derive(Clone, Debug)]
pub(crate) struct AdmissionOptions {
    pub(crate) gate: GateSettings,
    pub(crate) origin: OriginAssumption,
    /// The limits of a settings file's first site, and how many clients they are kept for.
    pub(crate) limits: Option<(SitePolicy, usize)>,
}

/// What became of the requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct AdmissionCounts {
    /// Requests that would have reached the origin.
    pub(crate) offered: u64,
    pub(crate) admitted: u64,
    /// Of these, after a wait.
    pub(crate) admitted_after_wait: u64,
    /// Put to wait, whatever became of it.
    pub(crate) waited: u64,
    pub(crate) challenged_redirect: u64,
    pub(crate) challenged_choice: u64,
    pub(crate) challenged_waiting_room: u64,
    /// Of those challenged, from visitors who load parts of pages: they came back with a proof.
    pub(crate) came_back: u64,
    pub(crate) refused_limit: u64,
    pub(crate) refused_no_room: u64,
    pub(crate) refused_over_share: u64,
    pub(crate) refused_displaced: u64,
    pub(crate) refused_waited_out: u64,
    /// Of those refused, from visitors who load parts of pages.
    pub(crate) refused_browsers: u64,
}

impl AdmissionCounts {
    pub(crate) fn refused(&self) -> u64 {
        self.refused_limit
            + self.refused_no_room
            + self.refused_over_share
            + self.refused_displaced
            + self.refused_waited_out
    }

    pub(crate) fn challenged(&self) -> u64 {
        self.challenged_redirect + self.challenged_choice + self.challenged_waiting_room
    }
}

#[derive(Clone, Copy, Debug)]
enum Due {
    Answer { began: i64 },
    Asks(Event),
}

/// Ordered by when it is due, then by when it was planned.
struct Planned {
    at: i64,
    sequence: u64,
    due: Due,
}

impl PartialEq for Planned {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.sequence) == (other.at, other.sequence)
    }
}

impl Eq for Planned {}

impl PartialOrd for Planned {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Planned {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.sequence).cmp(&(other.at, other.sequence))
    }
}

/// The gate in simulated time.
pub(crate) struct AdmissionReplay {
    began: i64,
    gate: Gate,
    known: KnownClients,
    limits: Option<(Admission, AdmissionPolicy)>,
    visitors: Visitors,
    origin: AssumedOrigin,
    due: BinaryHeap<Reverse<Planned>>,
    sequence: u64,
    coming_back: usize,
    waiting: HashMap<WaitId, Event>,
    next_tick: i64,
    next_poll: i64,
    rung: Rung,
    /// The highest rung there was.
    pub(crate) rung_max: Rung,
    counts: AdmissionCounts,
    pub(crate) worst: WorstMinutes,
}

impl AdmissionReplay {
    /// Before the first request of a log, which came then (microseconds since 1970).
    pub(crate) fn new(options: &AdmissionOptions, began: i64) -> Self {
        let limits = options.limits.map(|(site, clients)| {
            (Admission::new(PrefixLimiter::new(clients, SEED)), AdmissionPolicy::new(vec![site]))
        });
        Self {
            began,
            gate: Gate::new(options.gate, SEED, stamp(began, began)),
            known: KnownClients::new(SEED),
            limits,
            visitors: Visitors::new(),
            origin: AssumedOrigin::new(options.origin),
            due: BinaryHeap::new(),
            sequence: 0,
            coming_back: 0,
            waiting: HashMap::new(),
            next_tick: i64::MIN,
            next_poll: i64::MIN,
            rung: Rung::Open,
            rung_max: Rung::Open,
            counts: AdmissionCounts::default(),
            worst: WorstMinutes::default(),
        }
    }

    /// Takes a second's requests, in the order of their times.
    pub(crate) fn second(&mut self, events: &[Event]) {
        for event in events {
            self.visitors.see(event);
            if event.origin_bound() {
                self.pass_until(event.unix_micros);
                self.counts.offered += 1;
                self.minute(event.unix_micros, |minute| minute.offered += 1);
                self.ask(event);
            }
        }
    }

    /// Lets time pass until nobody waits any more; what became of all.
    pub(crate) fn finish(&mut self) -> AdmissionCounts {
        // The longest anything takes: a wait, work, and an answer.
        self.pass_until(self.next_tick.saturating_add(120 * SECOND));
        self.worst.finish();
        self.counts
    }

    /// Answers of which the log said how long they took.
    pub(crate) fn latencies_from_log(&self) -> u64 {
        self.origin.latencies_from_log
    }

    fn minute(&mut self, unix_micros: i64, count: impl FnOnce(&mut MinuteCounts)) {
        count(self.worst.at(unix_micros.div_euclid(60 * SECOND)));
    }

    /// What happens until then: answers, those who come back, seconds that pass.
    fn pass_until(&mut self, until: i64) {
        if self.next_tick == i64::MIN {
            self.next_tick = until + SECOND;
            self.next_poll = until + POLL;
        }
        loop {
            let planned = self.due.peek().map_or(i64::MAX, |Reverse(planned)| planned.at);
            let poll = if self.waiting.is_empty() { i64::MAX } else { self.next_poll };
            let next = planned.min(poll).min(self.next_tick);
            if next > until {
                // Polls are due only while somebody waits.
                self.next_poll = self.next_poll.max(until);
                return;
            }
            if next == planned {
                if let Some(Reverse(planned)) = self.due.pop() {
                    self.happen(planned.due, planned.at);
                }
            } else if next == self.next_tick {
                self.tick(until);
            } else {
                self.wake(next);
                self.next_poll = next + POLL;
            }
        }
    }

    fn happen(&mut self, due: Due, now: i64) {
        match due {
            Due::Answer { began } => {
                let latency = Duration::from_micros(u64::try_from(now - began).unwrap_or(0));
                self.gate
                    .on_release(Outcome::Answered(latency, WorkKind::of("GET", "/look-up")), self.stamp(now));
                self.wake(now);
            }
            Due::Asks(mut event) => {
                self.coming_back -= 1;
                event.unix_micros = now;
                self.ask(&event);
            }
        }
    }

    fn tick(&mut self, until: i64) {
        let now = self.next_tick;
        if let Some(rung) = self.gate.tick(stamp(self.began, now)) {
            self.rung = rung;
            self.rung_max = self.rung_max.max(rung);
        }
        self.wake(now);
        self.next_tick = now + SECOND;
        let quiet = self.due.is_empty() && self.waiting.is_empty() && self.rung == Rung::Open;
        if quiet && until - self.next_tick > QUIET_S * SECOND {
            self.next_tick = until - QUIET_S * SECOND;
        }
    }

    fn ask(&mut self, event: &Event) {
        if !self.within_limits(event) {
            return self.refused(event, None);
        }
        let now = self.stamp(event.unix_micros);
        let prefix = Prefix::of_client(event.client);
        let over_share = self.gate.counts().over_share;
        let token = self.visitors.token(event);
        let facts = GateFacts {
            client: event.client,
            fingerprint: fingerprint(event),
            system: None,
            token,
            standing: if self.known.is_known(prefix, now) { Standing::Known } else { Standing::Unknown },
            kind: match event.asked {
                Asked::Page => RequestKind::Page,
                Asked::Exempt => RequestKind::Exempt,
                Asked::Part | Asked::Other | Asked::Malformed => RequestKind::Other,
            },
            keeps_no_cookies: false,
        };
        match self.gate.offer(&facts, now) {
            Decision::Admit => {
                if self.rung == Rung::Open && self.gate.counts().over_share == over_share {
                    self.known.note(prefix, now);
                }
                self.start(event, event.unix_micros);
            }
            Decision::Wait(id) => {
                self.counts.waited += 1;
                self.minute(event.unix_micros, |minute| minute.waited += 1);
                self.waiting.insert(id, *event);
            }
            Decision::Challenge(challenge) => self.challenged(event, challenge),
            Decision::Refuse(refusal) => self.refused(event, Some(refusal)),
        }
        self.wake(event.unix_micros);
    }

    fn within_limits(&self, event: &Event) -> bool {
        let Some((admission, policy)) = &self.limits else { return true };
        let facts = RequestFacts {
            site: SiteId(0),
            client: event.client,
            prefix: Prefix::of_client(event.client),
            method: "",
            path: "",
            origin_bound: true,
        };
        admission.admit(policy, &facts, self.stamp(event.unix_micros)) == Verdict::Admit
    }

    fn start(&mut self, event: &Event, now: i64) {
        self.counts.admitted += 1;
        let at = self.origin.serve(event.origin_us, now);
        self.plan(at, Due::Answer { began: now });
    }

    fn challenged(&mut self, event: &Event, challenge: Challenge) {
        let (count, proof, takes) = match challenge {
            Challenge::Redirect => {
                (&mut self.counts.challenged_redirect, Some(ProofKind::Redirect), REDIRECT_TAKES)
            }
            Challenge::Choice => (&mut self.counts.challenged_choice, Some(ProofKind::Work), WORK_TAKES),
            Challenge::WaitingRoom => (&mut self.counts.challenged_waiting_room, None, 0),
        };
        *count += 1;
        self.minute(event.unix_micros, |minute| minute.challenged += 1);
        let Some(proof) = proof.filter(|_| self.coming_back < COMING_BACK_MAX) else { return };
        if self.visitors.loads_parts(event) {
            self.visitors.give_token(event, proof);
            self.counts.came_back += 1;
            self.coming_back += 1;
            self.plan(event.unix_micros + takes, Due::Asks(*event));
        }
    }

    /// `None` for a limit of the settings.
    fn refused(&mut self, event: &Event, refusal: Option<Refusal>) {
        *match refusal.map(|refusal| refusal.reason) {
            None => &mut self.counts.refused_limit,
            Some(RefusalReason::NoRoom) => &mut self.counts.refused_no_room,
            Some(RefusalReason::OverShare) => &mut self.counts.refused_over_share,
            Some(RefusalReason::Displaced) => &mut self.counts.refused_displaced,
            Some(RefusalReason::WaitedOut) => &mut self.counts.refused_waited_out,
        } += 1;
        self.counts.refused_browsers += u64::from(self.visitors.loads_parts(event));
        self.minute(event.unix_micros, |minute| minute.refused += 1);
    }

    fn wake(&mut self, now: i64) {
        while let Some(wake) = self.gate.next_wake(stamp(self.began, now)) {
            let (Wake::Admit(id) | Wake::Refuse(id, _)) = wake;
            let Some(event) = self.waiting.remove(&id) else { continue };
            match wake {
                Wake::Admit(_) => {
                    self.counts.admitted_after_wait += 1;
                    self.start(&event, now);
                }
                Wake::Refuse(_, refusal) => self.refused(&event, Some(refusal)),
            }
        }
    }

    fn stamp(&self, unix_micros: i64) -> Timestamp {
        stamp(self.began, unix_micros)
    }

    fn plan(&mut self, at: i64, due: Due) {
        self.sequence += 1;
        self.due.push(Reverse(Planned { at, sequence: self.sequence, due }));
    }
}

/// The kind of client, as far as a log tells: its user agent.
fn fingerprint(event: &Event) -> ClientFingerprint {
    #[expect(clippy::cast_possible_truncation, reason = "the half of a hash is one")]
    let agent = event.agent() as u32;
    ClientFingerprint(agent)
}

/// In a replay both clocks are the log's; the monotonic one starts with it.
fn stamp(began: i64, unix_micros: i64) -> Timestamp {
    let since = u64::try_from(unix_micros.saturating_sub(began)).unwrap_or(0);
    Timestamp::new(Duration::from_micros(since), unix_micros)
}
