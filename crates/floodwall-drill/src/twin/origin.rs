//! The sample site behind the edge, with its slow database and its troubles, and what the edge knows
//! of its health.

use std::collections::VecDeque;

use floodwall_model::OriginHealth;
use floodwall_policy::{CircuitSettings, OriginCircuit, OriginFailure, Permit};

use super::cache::{Page, Target};
use super::edge::{Asker, Due, Request, RequestId, Stage, State, own_client};
use super::events::SECOND_US;
use super::{World, timestamp};
use crate::agent::OriginSeen;
use crate::scenario::Trouble;

/// A document's way from the site to the edge, or a connection's refusal.
const WAY_US: u64 = 1_000;
/// How much longer a slow site takes.
const SLOW_US: u64 = 10 * SECOND_US;
/// The database: look-ups at a time, how many may be in line, and for how long.
const SERVED_MAX: u64 = 20;
const LINE_MAX: usize = 512;
const LINE_US: u64 = 10 * SECOND_US;

/// After how long a silence the edge probes, and how long it waits for the answer.
const QUIET_US: u64 = 5 * SECOND_US;
const PROBE_PATIENCE_US: u64 = 2 * SECOND_US;

/// What the origin does with a request in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Ended {
    Well,
    /// A 500.
    WithError,
    /// A 503: too much to do.
    Busy,
    /// No connection.
    Refused,
}

/// Why the edge has no answer of the origin's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    KnownDown,
    Busy,
    Connect,
    TimedOut,
    /// Longer than one waits who has a copy at hand.
    Slow,
}

/// The origin and what is known of it.
#[derive(Debug)]
pub(super) struct Origin {
    pub(super) seen: OriginSeen,
    pub(super) is_down: bool,
    circuit: OriginCircuit,
    last_answer_us: u64,
    /// A page got no answer, and nothing was answered since.
    suspect: bool,
    probed: bool,
    served: u64,
    /// In the order of their coming, with some who have gone.
    line: VecDeque<RequestId>,
    in_line: usize,
}

impl Default for Origin {
    fn default() -> Self {
        Self {
            seen: OriginSeen::default(),
            is_down: false,
            circuit: OriginCircuit::new(CircuitSettings::default()),
            last_answer_us: 0,
            suspect: false,
            probed: false,
            served: 0,
            line: VecDeque::new(),
            in_line: 0,
        }
    }
}

/// What a look-up costs: 50 to 100 ms, always the same for the same one.
fn cost_us(look_up: u64) -> u64 {
    (50 + (look_up >> 20) % 51) * 1_000
}

impl World<'_> {
    fn at_origin(&mut self, id: RequestId, stage: Stage) {
        if let Some(request) = self.requests.get_mut(id) {
            // The same leg: the edge's patience with the origin goes on.
            request.state = State::AtOrigin(stage);
        }
    }

    /// A request reaches the origin, or finds nobody there.
    pub(super) fn origin_takes(&mut self, id: RequestId) {
        let trouble = self.trouble();
        if trouble != Some(Trouble::Down) {
            self.origin.seen.requests += 1;
        }
        match trouble {
            Some(Trouble::Down) => self.origin_will_end(id, WAY_US, Ended::Refused),
            Some(Trouble::Errors) => self.origin_will_end(id, WAY_US, Ended::WithError),
            Some(Trouble::Slow) => self.due_in(id, SLOW_US, Due::OriginBegins),
            None => self.origin_begins(id),
        }
    }

    fn origin_will_end(&mut self, id: RequestId, span_us: u64, ended: Ended) {
        self.at_origin(id, Stage::Leaving);
        self.due_in(id, span_us, Due::OriginEnds(ended));
    }

    pub(super) fn origin_begins(&mut self, id: RequestId) {
        let Some(Request { target, .. }) = self.requests.get(id).copied() else { return };
        match target {
            Target::Page(_) => self.origin_will_end(id, WAY_US, Ended::Well),
            Target::LookUp(look_up) if self.origin.served < SERVED_MAX => self.serve(id, look_up),
            Target::LookUp(_) if self.origin.in_line < LINE_MAX => {
                self.origin.in_line += 1;
                self.origin.line.push_back(id);
                self.at_origin(id, Stage::InLine);
                self.due_in(id, LINE_US, Due::LineEnds);
            }
            Target::LookUp(_) => {
                self.origin.seen.lookups_refused += 1;
                self.origin_will_end(id, WAY_US, Ended::Busy);
            }
        }
    }

    fn serve(&mut self, id: RequestId, look_up: u64) {
        let origin = &mut self.origin;
        origin.served += 1;
        origin.seen.lookups += 1;
        origin.seen.lookups_in_progress_max = origin.seen.lookups_in_progress_max.max(origin.served);
        self.at_origin(id, Stage::Served);
        self.due_in(id, cost_us(look_up), Due::OriginEnds(Ended::Well));
    }

    /// Who has waited in line for too long is sent away.
    pub(super) fn line_ends(&mut self, id: RequestId) {
        let waits = |request: &Request| request.state == State::AtOrigin(Stage::InLine);
        if self.requests.get(id).is_some_and(waits) {
            self.leave_database(Stage::InLine);
            self.origin.seen.lookups_refused += 1;
            self.origin_will_end(id, WAY_US, Ended::Busy);
        }
    }

    /// A look-up leaves its place; the next in line takes it.
    pub(super) fn leave_database(&mut self, stage: Stage) {
        match stage {
            Stage::Arriving | Stage::Leaving => {}
            Stage::InLine => self.origin.in_line = self.origin.in_line.saturating_sub(1),
            Stage::Served => {
                self.origin.served = self.origin.served.saturating_sub(1);
                while let Some(next) = self.origin.line.pop_front() {
                    if let Some(Request { state: State::AtOrigin(Stage::InLine), target, .. }) =
                        self.requests.get(next).copied()
                        && let Target::LookUp(look_up) = target
                    {
                        self.origin.in_line = self.origin.in_line.saturating_sub(1);
                        self.serve(next, look_up);
                        return;
                    }
                }
            }
        }
    }

    pub(super) fn origin_ends(&mut self, id: RequestId, ended: Ended) {
        let is_probe = self.requests.get(id).is_some_and(|request| request.asker == Asker::Probe);
        if ended != Ended::Refused {
            self.answered();
        }
        if is_probe {
            self.probe_ends(id, (ended == Ended::Refused).then_some(OriginFailure::Connect));
            return;
        }
        if ended == Ended::Refused {
            self.leave_origin(id);
            self.failed(id, Failure::Connect);
        } else {
            self.fetched(id, ended);
        }
    }

    /// It crashes: whatever it was doing is cut off. A GET is sent once more then, and finds nobody.
    pub(super) fn origin_goes_down(&mut self) {
        let cut_off = self.requests.all_where(|request| matches!(request.state, State::AtOrigin(_)));
        self.origin.line.clear();
        (self.origin.served, self.origin.in_line) = (0, 0);
        for id in cut_off {
            if let Some(request) = self.requests.get_mut(id) {
                request.go_on(State::AtOrigin(Stage::Leaving));
            }
            self.origin_will_end(id, WAY_US, Ended::Refused);
        }
    }

    /// The origin answered, with whatever status.
    pub(super) fn answered(&mut self) {
        let now = self.now();
        self.origin.last_answer_us = self.now_us;
        self.origin.suspect = false;
        if self.origin.circuit.on_success(now).is_some() {
            self.origin.is_down = false;
        }
    }

    /// What a failure says of the origin's health: that it takes no connection, that it is down; that
    /// one page hangs, that the edge should ask for itself.
    pub(super) fn note_failure(&mut self, failure: Failure, sent_us: u64) {
        match failure {
            Failure::KnownDown | Failure::Busy | Failure::Slow => {}
            Failure::TimedOut => self.origin.suspect = true,
            Failure::Connect => self.circuit_fails(OriginFailure::Connect, sent_us),
        }
    }

    fn circuit_fails(&mut self, reason: OriginFailure, sent_us: u64) {
        let now = self.now();
        if let Some(health) = self.origin.circuit.on_failure(timestamp(sent_us), now, reason) {
            self.origin.is_down = health == OriginHealth::Down;
            self.seen.origin_downs += u64::from(self.origin.is_down);
        }
    }

    pub(super) fn look_whether_to_probe(&mut self) {
        let now = self.now();
        let quiet = self.now_us.saturating_sub(self.origin.last_answer_us) >= QUIET_US;
        let wanted = !self.origin.probed
            && match self.origin.circuit.permit(now) {
                Permit::Trial => true,
                Permit::Withhold => false,
                Permit::Go => quiet || self.origin.suspect,
            };
        if wanted {
            self.probe();
        }
    }

    /// Asks the origin for its root page, without waiting for a turn.
    fn probe(&mut self) {
        self.origin.probed = true;
        let mut request = Request::new(Asker::Probe, own_client(), Target::Page(Page::HOME));
        request.sent_us = self.now_us;
        request.go_on(State::AtOrigin(Stage::Arriving));
        let id = self.requests.add(request);
        self.due_in(id, PROBE_PATIENCE_US, Due::OriginTooSlow);
        self.origin_takes(id);
    }

    /// A probe was answered, or failed for a reason.
    pub(super) fn probe_ends(&mut self, id: RequestId, failure: Option<OriginFailure>) {
        self.leave_origin(id);
        let Some(request) = self.requests.remove(id) else { return };
        self.origin.probed = false;
        if let Some(reason) = failure {
            self.circuit_fails(reason, request.sent_us);
        }
    }
}
