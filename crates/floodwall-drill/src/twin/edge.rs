//! The edge's path for one request, from its facts to its answer: what `floodwall-edge` does in its
//! `proxy` and `upstream`, with the same bounds, and admission by the policy itself.

mod requests;
mod turns;

use floodwall_model::{Prefix, RequestFacts, SiteId, Verdict};
use floodwall_policy::{OriginFailure, Outcome as Release};

use super::World;
use super::cache::{Boarding, LookUp, Page, Target};
use super::events::{Event, SECOND_US};
use super::origin::{Ended, Failure};
use crate::plan::Source;

pub(super) use requests::{Client, Request, RequestId, Requests, Stage, State};
pub(super) use turns::Turns;

/// What an answer of the edge's own costs on its way: a guess, and far below anything that decides.
pub(super) const EDGE_US: u64 = 250;
/// The longest a request waits for another's fetch of the same page.
const FOLLOW_US: u64 = 5 * SECOND_US;
/// With a copy at hand a visitor waits this long for the origin.
const PATIENCE_WITH_COPY_US: u64 = 3 * SECOND_US;
/// Without, the origin is given this long.
const ORIGIN_PATIENCE_US: u64 = 30 * SECOND_US;
/// How often a request may find that what it waited for is no use to it.
const ROUNDS_MAX: u8 = 3;

/// On whose behalf something is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Asker {
    /// The visitor of the session at that place.
    Person(usize),
    /// One source of a flood, begun in one second of the scenario, who gives up at that time.
    Flood { flood: usize, second: usize, source: Source, followed: u8, until_us: u64 },
    /// The edge, which revalidates a copy that it serves meanwhile.
    Beside,
    /// The edge, which asks the origin how it is.
    Probe,
}

/// What is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Answer {
    Page,
    /// By a limit.
    Refused,
    ServerError,
    /// To the same address, with a token or without a mark.
    SentBack,
    /// The invisible proof.
    Redirected,
    /// The page with the choice.
    Choice {
        tries: u64,
        again_s: u64,
    },
    /// The waiting room.
    Line {
        again_s: u64,
    },
    /// No room within the bound on waiting; `refuses` where the source asks for too much.
    Busy {
        again_s: u64,
        refuses: bool,
    },
}

/// Something about one request that is due; void where the request has gone on since.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Timer {
    pub(super) request: RequestId,
    pub(super) leg: u32,
    pub(super) due: Due,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    /// The asker has waited long enough: counts on every leg.
    AskerGoes,
    /// The other's fetch takes too long.
    FollowEnds,
    /// The turn at the origin does not come.
    TurnWaitEnds,
    /// The origin takes too long.
    OriginTooSlow,
    /// The origin begins to work on it.
    OriginBegins,
    /// The line before the database is too long.
    LineEnds,
    /// The origin has done what it does.
    OriginEnds(Ended),
}

/// How a fetch that others wait for went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Landing {
    Stored,
    Failed,
    Abandoned,
}

impl World<'_> {
    /// A request arrives.
    pub(super) fn begin(&mut self, asker: Asker, client: Client, target: Target, patience_us: u64) {
        let id = self.requests.add(Request::new(asker, client, target));
        self.look(id);
        if self.requests.get(id).is_some() {
            self.due_in(id, patience_us, Due::AskerGoes);
        }
    }

    pub(super) fn due_in(&mut self, id: RequestId, span_us: u64, due: Due) {
        let leg = self.requests.get(id).map_or(0, |request| request.leg);
        self.queue.put(self.now_us + span_us, Event::Request(Timer { request: id, leg, due }));
    }

    pub(super) fn on_timer(&mut self, timer: Timer) {
        let Some(request) = self.requests.get(timer.request) else { return };
        let (id, copy) = (timer.request, request.copy);
        if timer.due == Due::AskerGoes {
            self.let_go(id);
            return;
        }
        if request.leg != timer.leg {
            return;
        }
        match timer.due {
            Due::AskerGoes => {}
            // What is at hand is better than asking the origin once more.
            Due::FollowEnds if copy => self.answer_stale(id),
            Due::FollowEnds => self.fetch(id),
            Due::TurnWaitEnds => self.failed(id, Failure::Busy),
            Due::OriginTooSlow => self.origin_too_slow(id),
            Due::OriginBegins => self.origin_begins(id),
            Due::LineEnds => self.line_ends(id),
            Due::OriginEnds(ended) => self.origin_ends(id, ended),
        }
    }

    /// Looks into the cache, once more after each wait in vain.
    fn look(&mut self, id: RequestId) {
        let Some(request) = self.requests.get_mut(id) else { return };
        request.go_on(State::AtEdge);
        request.rounds += 1;
        let rounds = request.rounds;
        let Target::Page(page) = request.target else {
            self.fetch(id);
            return;
        };
        match self.cache.look_up(page, self.now_us) {
            LookUp::Fresh => self.answer_copy(id, false),
            LookUp::Stale { being_revalidated } if being_revalidated || self.origin.is_down => {
                self.answer_stale(id);
            }
            _ if rounds > ROUNDS_MAX => self.fetch(id),
            LookUp::Stale { .. } => self.board(id, page, true),
            LookUp::Miss => self.board(id, page, false),
        }
    }

    /// Fetches the page for all who want it, or waits for who does.
    fn board(&mut self, id: RequestId, page: Page, copy: bool) {
        let boarding = self.flights.board(page, id);
        let Some(request) = self.requests.get_mut(id) else { return };
        request.copy = copy;
        match boarding {
            Boarding::Lead => {
                request.leads = true;
                self.fetch(id);
            }
            Boarding::Alone => self.fetch(id),
            Boarding::Follow => {
                request.go_on(State::Follows);
                self.due_in(id, FOLLOW_US, Due::FollowEnds);
            }
        }
    }

    /// Ends the flight that this request leads, if it does.
    fn land(&mut self, id: RequestId, landing: Landing) {
        let Some(request) = self.requests.get_mut(id) else { return };
        let Target::Page(page) = request.target else { return };
        if !std::mem::take(&mut request.leads) {
            return;
        }
        for follower in self.flights.land(page) {
            match self.requests.get(follower) {
                Some(request) if request.state != State::Follows => {}
                Some(request) if landing == Landing::Failed && request.copy => self.answer_stale(follower),
                Some(_) => self.look(follower),
                None => {}
            }
        }
    }

    /// Asks the origin, metered and by the gate.
    fn fetch(&mut self, id: RequestId) {
        if let Some(request) = self.requests.get_mut(id) {
            request.go_on(State::AtEdge);
        }
        if self.is_refused(id, true) {
            self.turn_away(id, Answer::Refused);
        } else if self.passes_gate(id) {
            self.ask(id);
        }
    }

    /// Whoever waits for what this request fetches looks for themselves.
    pub(super) fn abandon_flight(&mut self, id: RequestId) {
        self.land(id, Landing::Abandoned);
    }

    /// Asks the origin when it is this request's turn.
    pub(super) fn ask(&mut self, id: RequestId) {
        if self.origin.is_down {
            self.seen.known_down += 1;
            self.failed(id, Failure::KnownDown);
        } else if self.turns.take() {
            self.send(id);
        } else if self.turns.wait(id) {
            if let Some(request) = self.requests.get_mut(id) {
                request.go_on(State::WaitsForTurn);
            }
            self.due_in(id, turns::WAIT_US, Due::TurnWaitEnds);
        } else {
            self.failed(id, Failure::Busy);
        }
    }

    /// The request has its turn.
    fn send(&mut self, id: RequestId) {
        self.seen.turns_max = self.seen.turns_max.max(self.turns.taken());
        let now_us = self.now_us;
        let Some(request) = self.requests.get_mut(id) else { return };
        request.go_on(State::AtOrigin(Stage::Arriving));
        request.sent_us = now_us;
        let with_copy = request.copy && request.asker != Asker::Beside;
        let patience_us = if with_copy { PATIENCE_WITH_COPY_US } else { ORIGIN_PATIENCE_US };
        self.due_in(id, patience_us, Due::OriginTooSlow);
        self.origin_takes(id);
    }

    fn origin_too_slow(&mut self, id: RequestId) {
        let Some(request) = self.requests.get(id) else { return };
        let with_copy = request.copy && request.asker != Asker::Beside;
        if request.asker == Asker::Probe {
            self.probe_ends(id, Some(OriginFailure::TimedOut));
            return;
        }
        self.leave_origin(id);
        self.failed(id, if with_copy { Failure::Slow } else { Failure::TimedOut });
    }

    /// The origin answered.
    pub(super) fn fetched(&mut self, id: RequestId, ended: Ended) {
        self.leave_origin(id);
        let Some(request) = self.requests.get(id).copied() else { return };
        let after = std::time::Duration::from_micros(self.now_us.saturating_sub(request.sent_us));
        let says_overload = ended == Ended::Busy;
        self.release(
            id,
            if says_overload { Release::Overloaded } else { Release::Answered(after, request.target.work()) },
        );
        if ended != Ended::Well {
            self.land(id, Landing::Failed);
            self.answer_failure(id);
            return;
        }
        if let Target::Page(page) = request.target {
            self.cache.store(page, self.now_us);
            self.land(id, Landing::Stored);
        }
        self.answer(id, Answer::Page);
    }

    /// There is no answer of the origin's.
    pub(super) fn failed(&mut self, id: RequestId, failure: Failure) {
        self.seen.busy += u64::from(failure == Failure::Busy);
        let Some(request) = self.requests.get_mut(id) else { return };
        let was_waiting = request.state == State::WaitsForTurn;
        request.go_on(State::AtEdge);
        let (target, client, sent_us) = (request.target, request.client, request.sent_us);
        if was_waiting {
            self.turns.stop_waiting();
        }
        self.note_failure(failure, sent_us);
        let known = failure == Failure::KnownDown;
        self.release(id, if known { Release::Unknown } else { Release::Overloaded });
        if let (Failure::Slow, Target::Page(page)) = (failure, target)
            && self.cache.try_begin_revalidation(page, self.now_us, ORIGIN_PATIENCE_US)
        {
            let beside = Request { copy: true, ..Request::new(Asker::Beside, client, target) };
            let beside = self.requests.add(beside);
            self.ask(beside);
        }
        self.land(id, Landing::Failed);
        self.answer_failure(id);
    }

    fn answer_failure(&mut self, id: RequestId) {
        if self.requests.get(id).is_some_and(|request| request.copy) {
            self.answer_stale(id);
        } else {
            self.answer(id, Answer::ServerError);
        }
    }

    pub(super) fn answer_stale(&mut self, id: RequestId) {
        self.answer_copy(id, true);
    }

    /// Answers from a copy, which only a limit on all requests can refuse.
    fn answer_copy(&mut self, id: RequestId, stale: bool) {
        if self.requests.get(id).is_some_and(|request| request.asker == Asker::Beside) {
            self.requests.remove(id);
            return;
        }
        if self.is_refused(id, false) {
            self.answer(id, Answer::Refused);
            return;
        }
        if stale {
            self.seen.stale += 1;
        } else {
            self.seen.hits += 1;
        }
        self.answer(id, Answer::Page);
    }

    fn is_refused(&self, id: RequestId, origin_bound: bool) -> bool {
        let Some(request) = self.requests.get(id) else { return false };
        let facts = RequestFacts {
            site: SiteId(0),
            client: request.client.address,
            prefix: request.client.prefix,
            method: "GET",
            path: if matches!(request.target, Target::Page(_)) { "/" } else { "/polling-place/lookup" },
            origin_bound,
        };
        self.admission.admit(&self.policy, &facts, self.now()) != Verdict::Admit
    }

    /// Hands the answer over.
    pub(super) fn answer(&mut self, id: RequestId, answer: Answer) {
        self.release(id, Release::Unknown);
        let Some(request) = self.requests.remove(id) else { return };
        self.seen.refused += u64::from(answer == Answer::Refused);
        match request.asker {
            Asker::Person(place) => {
                self.queue.put(self.now_us + EDGE_US, Event::PersonGets(place, Some(answer)));
            }
            asker @ Asker::Flood { .. } => self.flood_gets(asker, request.target, answer),
            Asker::Beside | Asker::Probe => {}
        }
    }

    /// Whoever asked goes away; the edge sees it and drops what it did for them.
    pub(super) fn let_go(&mut self, id: RequestId) {
        let Some(state) = self.requests.get(id).map(|request| request.state) else { return };
        match state {
            State::AtEdge | State::Follows => {}
            State::WaitsAtGate(wait) => self.stop_waiting_at_gate(id, wait),
            State::WaitsForTurn => self.turns.stop_waiting(),
            State::AtOrigin(_) => self.leave_origin(id),
        }
        let left = self.requests.get(id).filter(|request| matches!(request.state, State::AtOrigin(_)));
        let left = left.map_or(Release::Unknown, |request| {
            let after = std::time::Duration::from_micros(self.now_us.saturating_sub(request.sent_us));
            Release::Left(after, request.target.work())
        });
        self.release(id, left);
        self.land(id, Landing::Abandoned);
        let Some(request) = self.requests.remove(id) else { return };
        match request.asker {
            Asker::Person(place) => self.queue.put(self.now_us, Event::PersonGets(place, None)),
            Asker::Flood { flood, second, .. } => self.floods.ended(flood, second, None),
            Asker::Beside | Asker::Probe => {}
        }
    }

    /// The request is no longer at the origin: its place there and its turn are free for the next.
    pub(super) fn leave_origin(&mut self, id: RequestId) {
        let Some(request) = self.requests.get_mut(id) else { return };
        let State::AtOrigin(stage) = request.state else { return };
        request.go_on(State::AtEdge);
        let is_probe = request.asker == Asker::Probe;
        self.leave_database(stage);
        if is_probe {
            return;
        }
        self.turns.give_back();
        while let Some(next) = self.turns.next() {
            let waits = self.requests.get(next).is_some_and(|request| request.state == State::WaitsForTurn);
            if waits && self.turns.take() {
                self.turns.stop_waiting();
                self.send(next);
                return;
            }
        }
    }
}

/// The client that stands for the edge itself.
pub(super) fn own_client() -> Client {
    let address = std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    Client { address, prefix: Prefix::of_client(address) }
}
