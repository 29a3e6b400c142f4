//! The gate before one path class of one site: who is let to the origin, who waits, who is asked for
//! proof and who is told to come back.
//!
//! [`Gate::offer`] judges a request that would take work at the origin. What is better proven goes
//! first ([`Place`], best first):
//!
//! | Place | Who |
//! |---|---|
//! | 0 | *proven*: a token that suffices at this rung; and whom the operator always lets in |
//! | 1 | *known*: seen behaving in calm times; and what is never challenged |
//! | 2 | *unknown* |
//! | 3, 4 | asking for more than their share, up to twice: first the proven and known, then the others |
//! | 5, 6 | up to four times; and so on |
//! | 15, 16 | 64 times and more |
//! | 17 | matches a live signature, and has not paid for a token by work or by waiting |
//!
//! From 4 on they are *suspect*; those asking for four times their share and more leave a fifth of the
//! origin's budget free for others even while nobody else is there.
//!
//! A share is charged to the client's prefix, to its network and to its token ([`SourceLedger`]); the
//! worst of them counts. So a token handed to many machines is one visitor's share, one machine with
//! many tokens has the share its prefix has, and a prefix with many proven visitors has all of theirs.
//! Who has paid for his token, by work or by waiting, and spends it sparingly, does not go down with
//! a neighbour who floods. A kind of client ([`ClientFingerprint`](crate::ClientFingerprint)) that
//! suddenly makes up several times its part of calm times is suspect as a whole, unless proven; so is
//! an autonomous system, where it is known.
//!
//! Who matches a signature is no reason to ask anything of others: the ladder does not count him. He is
//! shown the page with the choice where there is no room for him, on whatever rung.
//!
//! Nothing here refuses anybody while there is room. When there is none, the queue's bound on waiting
//! is kept: who cannot be served within it is asked for the invisible proof, if he has not given it,
//! whatever the rung; otherwise he is told to come back, and when. So protection begins with the first
//! request there is no room for, not when the ladder has looked.
//!
//! Limits: one gate is used through one lock; an offer takes well under a microsecond and allocates
//! nothing unless it waits. Memory is [`Gate::memory_bytes_max`], from the start.

use std::net::IpAddr;
use std::time::Duration;

use floodwall_model::{Prefix, Timestamp};

use crate::fair_queue::{Enqueued, FairQueue, Place, WaitId};
use crate::ladder::{Ladder, LadderFacts, Rung};
use crate::origin_budget::{OriginBudget, Outcome};
use crate::source_ledger::{Charge, Excess, SourceKey, SourceLedger};
use crate::token::{ProofKind, TokenId};

mod client_groups;
mod counts;
mod decision;
mod facts;
mod figures;
mod judged;

use client_groups::ClientGroups;
pub use counts::GateCounts;
pub use decision::{Challenge, Decision, Refusal, RefusalReason, Wake};
pub use facts::{GateFacts, GateSettings, RequestKind, Standing};
use judged::{HEAVY, Judged, place, proof_at, worse};

/// What part of the origin's budget suspects may fill while nobody better is there: the rest is kept
/// free for the next person.
const SUSPECTS_OF_LIMIT: f64 = 0.8;
/// Requests in less than a second that are too many for the ladder to wait with a page.
const OVERFULL_MIN: f64 = 200.0;
/// Requests to the origin a visitor makes who is let in from the waiting room.
const REQUESTS_PER_VISIT: f64 = 4.0;
/// What part of the capacity the waiting room always gets.
const WAITING_ROOM_MIN: f64 = 0.05;

/// The gate of one path class of one site.
pub struct Gate {
    settings: GateSettings,
    budget: OriginBudget,
    ledger: SourceLedger,
    groups: ClientGroups,
    systems: ClientGroups,
    queue: FairQueue,
    ladder: Ladder,
    rung_told: Rung,
    /// Those who lost their place and were not told yet.
    displaced: Vec<WaitId>,
    /// What was offered since the last tick.
    second: LadderFacts,
    /// What was offered in the second before, a second.
    last_second: LadderFacts,
    second_started: Timestamp,
    /// Requests of each place since the last tick; and a second, in the second before, those of better
    /// places included.
    offered_by_place: [u32; Place::COUNT],
    offered_up_to: [f64; Place::COUNT],
    /// Requests let in without being judged, since one was; and when that was.
    unjudged: u8,
    judged: Timestamp,
    counts: GateCounts,
}

impl Gate {
    /// Builds a gate that is open; takes its memory now. `hash_seed` must be random and secret.
    #[must_use]
    pub fn new(settings: GateSettings, hash_seed: u64, now: Timestamp) -> Self {
        Self {
            budget: OriginBudget::new(settings.budget, now),
            ledger: SourceLedger::new(settings.sources_max, hash_seed),
            groups: ClientGroups::default(),
            systems: ClientGroups::default(),
            queue: FairQueue::new(settings.wait_max, settings.waiting_max),
            ladder: Ladder::default(),
            rung_told: Rung::Open,
            displaced: Vec::with_capacity(DISPLACED_MAX),
            second: LadderFacts::default(),
            last_second: LadderFacts::default(),
            second_started: now,
            offered_by_place: [0; Place::COUNT],
            offered_up_to: [0.0; Place::COUNT],
            unjudged: 0,
            judged: now,
            counts: GateCounts::default(),
            settings,
        }
    }

    /// Lets a request in without judging it: while nothing is asked of anybody, nobody waits and there is
    /// room for whoever asks, so that [`Self::offer`] would let it in whatever it carries. One in eight is
    /// not let in this way, though of thousands a second no more than 250, so that the gate goes on
    /// learning what is usual; offer it, as all others that are not.
    ///
    /// From half of the origin's budget on it is charged to `charge_to`, where that is given: it may get
    /// tight soon, and then what each source asked for has to be known. Below, a few nanoseconds, and no
    /// memory of sources is read.
    pub fn admit_calmly(&mut self, charge_to: Option<IpAddr>, now: Timestamp) -> bool {
        let calm = self.has_room(SUSPECTS_FROM) && self.ladder.rung() == Rung::Open && self.queue.is_empty();
        let is_due = self.unjudged >= UNJUDGED_MAX && now.since(self.judged) >= JUDGED_EVERY;
        if !calm || is_due {
            (self.unjudged, self.judged) = (0, now);
            return false;
        }
        self.unjudged = self.unjudged.saturating_add(1);
        let fills_up = self.budget.in_flight().saturating_mul(2) >= self.budget.limit();
        if let Some(client) = charge_to.filter(|_| fills_up) {
            let _not_asked_for = self.charge(client, None, now);
        }
        self.second.offered += 1.0;
        self.budget.on_start();
        self.counts.admitted += 1;
        true
    }

    /// Judges one request that would take work at the origin. Then empty [`Self::next_wake`]: the
    /// newcomer may have taken somebody's place.
    pub fn offer(&mut self, facts: &GateFacts, now: Timestamp) -> Decision {
        let judged = self.judge(facts, now);
        self.count_offer(facts, &judged);
        if let Some(challenge) = self.challenge(facts, &judged) {
            self.counts.challenged(challenge);
            return Decision::Challenge(challenge);
        }
        if self.has_room(judged.place) {
            self.budget.on_start();
            self.counts.admitted += 1;
            return Decision::Admit;
        }
        let capacity = self.budget.capacity_per_second();
        let is_felt = self.queue.backlog(capacity) > self.felt_wait();
        self.second.pressed += f64::from(u8::from(is_felt && !judged.is_no_reason_to_climb(facts)));
        self.end_second_if_overfull(now);
        let may_displace = self.displaced.len() < DISPLACED_MAX;
        match self.queue.enqueue(judged.place, capacity, may_displace, now) {
            Enqueued::Waits { id, displaced } => {
                self.displaced.extend(displaced);
                self.counts.waited += 1;
                Decision::Wait(id)
            }
            Enqueued::TooLong { .. } if Self::can_redirect(facts) => {
                self.counts.challenged(Challenge::Redirect);
                Decision::Challenge(Challenge::Redirect)
            }
            Enqueued::TooLong { .. } if Self::may_clear_himself(facts, &judged) => {
                self.counts.challenged(Challenge::Choice);
                Decision::Challenge(Challenge::Choice)
            }
            Enqueued::TooLong { .. } => Decision::Refuse(self.refusal(&judged, facts)),
        }
    }

    /// A request goes to the origin whatever was decided on it, as where decisions are only observed: it
    /// takes room like others, and is to be released like them.
    pub fn let_in_all_the_same(&mut self) {
        self.budget.on_start();
    }

    /// A request that was admitted has ended, in whatever way: one that is never reported takes up
    /// room for good. Then empty [`Self::next_wake`]: there is room.
    pub fn on_release(&mut self, outcome: Outcome, now: Timestamp) {
        self.budget.on_end(outcome, now);
    }

    /// One who waited went away; nothing is kept for him.
    pub fn abandon(&mut self, id: WaitId) {
        if self.queue.remove(id) {
            self.counts.abandoned += 1;
        }
    }

    /// The next of those who wait for whom something is to be done, until `None`. Ask after each
    /// offer and release, and ten times a second.
    pub fn next_wake(&mut self, now: Timestamp) -> Option<Wake> {
        if let Some(id) = self.displaced.pop() {
            return Some(Wake::Refuse(id, self.refuse_waiting(id, RefusalReason::Displaced)));
        }
        let (anybody, no_suspect) = (Place::new(u8::MAX), Place::new(SUSPECTS_FROM.number() - 1));
        let fitting = [anybody, no_suspect].into_iter().find(|worst| self.has_room(*worst));
        if let Some((id, _)) = fitting.and_then(|worst| self.queue.dequeue(worst)) {
            self.budget.on_start();
            self.counts.admitted += 1;
            return Some(Wake::Admit(id));
        }
        let id = self.queue.expire(now)?;
        Some(Wake::Refuse(id, self.refuse_waiting(id, RefusalReason::WaitedOut)))
    }

    /// A second has passed: the ladder looks at it. The new rung if it changed since the last tick.
    /// Call it once a second; rates are taken over the time that has passed, should it be late.
    pub fn tick(&mut self, now: Timestamp) -> Option<Rung> {
        self.end_second(now);
        let rung = self.rung();
        (std::mem::replace(&mut self.rung_told, rung) != rung).then_some(rung)
    }

    /// From what wait on the next rung is climbed to. What nobody sees is asked for as soon as somebody
    /// could notice the wait, so that it need not become a long one; what people see, when it is long.
    fn felt_wait(&self) -> Duration {
        match self.rung() {
            Rung::Open | Rung::Collapse => self.settings.wait_max / 10,
            Rung::Redirect | Rung::Choice | Rung::WaitingRoom => self.settings.wait_max / 2,
        }
    }

    fn end_second(&mut self, now: Timestamp) {
        let seconds = now.since(self.second_started).as_secs_f64().clamp(0.05, 60.0);
        self.second_started = now;
        let second = std::mem::take(&mut self.second);
        self.last_second = LadderFacts {
            capacity: self.budget.capacity_per_second(),
            offered: second.offered / seconds,
            offered_with_cookie: second.offered_with_cookie / seconds,
            offered_with_proof: second.offered_with_proof / seconds,
            pressed: second.pressed / seconds,
        };
        let calm = self.rung() == Rung::Open && self.last_second.offered <= self.last_second.capacity;
        self.groups.tick(calm);
        self.systems.tick(calm);
        let mut sum = 0.0;
        let offered = std::mem::take(&mut self.offered_by_place);
        self.offered_up_to = offered.map(|offered| {
            sum += f64::from(offered) / seconds;
            sum
        });
        self.ladder.tick(&self.last_second);
    }

    /// A second in which several times of all there is was asked for already need not come to its end
    /// before the ladder sees it: twice, where it climbs to what nobody sees; four times, and by
    /// hundreds, where it climbs to a page.
    fn end_second_if_overfull(&mut self, now: Timestamp) {
        let capacity = self.budget.capacity_per_second();
        let overfull = match self.rung() {
            Rung::Open | Rung::Collapse => capacity * 2.0,
            Rung::Redirect => (capacity * 4.0).max(OVERFULL_MIN),
            Rung::Choice | Rung::WaitingRoom => return,
        };
        if self.second.pressed > 0.0 && Ladder::wanted_at(self.rung(), &self.second) > overfull {
            self.end_second(now);
        }
    }

    /// Charges the request to its sources and finds its place.
    fn judge(&mut self, facts: &GateFacts, now: Timestamp) -> Judged {
        if facts.standing == Standing::Allowed {
            let charge = Charge { excess: Excess(0), recovers_s: 0.0 };
            return Judged { place: Place::new(0), charge, token_excess: Excess(0), proven: true };
        }
        let mut charge = self.charge(facts.client, facts.token, now);
        if facts.token.is_some_and(|(_, proof)| proof >= ProofKind::WaitingRoom) {
            // Who has paid for his token and spends it sparingly does not go down with a neighbour
            // behind the same address who floods.
            charge.excess = charge.excess.min(Excess(1));
        }
        let mut token_excess = Excess(0);
        if let Some((id, _)) = facts.token {
            let token = self.ledger.charge(SourceKey::Token(id), self.settings.token, None, now);
            token_excess = token.excess;
            charge = worse(charge, token);
        }
        // The redirect's token costs a script nothing: it does not lift what speaks against a suspect.
        let least =
            if facts.standing == Standing::Suspect { ProofKind::WaitingRoom } else { ProofKind::Redirect };
        let suffices = |(_, proof): (TokenId, ProofKind)| proof >= proof_at(self.ladder.rung()).max(least);
        let proven = facts.token.is_some_and(suffices);
        let crowd = self.groups.count(facts.fingerprint)
            | facts.system.is_some_and(|number| self.systems.count_system(number));
        if !proven && crowd && charge.excess.is_none() {
            charge.excess = Excess(1);
        }
        Judged { place: place(facts, proven, charge.excess), charge, token_excess, proven }
    }

    /// Charges a request to its client and to the client's network; the worse of the two.
    fn charge(&mut self, client: IpAddr, token: Option<(TokenId, ProofKind)>, now: Timestamp) -> Charge {
        let source = self.settings.source;
        let network = source.times(self.settings.network_visitors);
        let mut charge_to = |prefix: Prefix, share| {
            let key = SourceKey::Prefix(prefix.client_key(), prefix.length_bits());
            self.ledger.charge(key, share, token, now)
        };
        let client_charge = charge_to(Prefix::of_client(client), source);
        let network_charge = charge_to(Prefix::of_network(client), network);
        worse(client_charge, network_charge)
    }

    fn count_offer(&mut self, facts: &GateFacts, judged: &Judged) {
        if let Some(offered) = self.offered_by_place.get_mut(usize::from(judged.place.number())) {
            *offered += 1;
        }
        let excess = judged.charge.excess;
        self.counts.over_share += u64::from(!excess.is_none());
        if judged.is_no_reason_to_climb(facts) {
            return;
        }
        self.second.offered += 1.0;
        if let Some((_, proof)) = facts.token.filter(|_| facts.kind != RequestKind::Exempt) {
            self.second.offered_with_cookie += 1.0;
            if proof >= ProofKind::WaitingRoom && excess.is_none() {
                self.second.offered_with_proof += 1.0;
            }
        }
    }

    fn challenge(&self, facts: &GateFacts, judged: &Judged) -> Option<Challenge> {
        // A token that was spent is not to be exchanged for a better one, again and again.
        if judged.proven || facts.kind != RequestKind::Page || judged.token_excess >= Excess::MAX {
            return None;
        }
        let can_redirect = Self::can_redirect(facts);
        match self.ladder.rung() {
            Rung::Open | Rung::Collapse => None,
            Rung::Redirect => can_redirect.then_some(Challenge::Redirect),
            // First what costs nobody anything; the page is for those who come back from it.
            Rung::Choice if can_redirect => Some(Challenge::Redirect),
            Rung::Choice => Some(Challenge::Choice),
            Rung::WaitingRoom => Some(Challenge::WaitingRoom),
        }
    }

    /// Whether the invisible proof can be asked for.
    fn can_redirect(facts: &GateFacts) -> bool {
        facts.kind == RequestKind::Page
            && facts.standing != Standing::Allowed
            && facts.token.is_none()
            && !facts.keeps_no_cookies
    }

    /// Whether somebody who matches a signature is shown the page with the choice instead of being told
    /// that there is no room: he may be a person, and proof lifts it.
    fn may_clear_himself(facts: &GateFacts, judged: &Judged) -> bool {
        facts.standing == Standing::Suspect
            && facts.kind == RequestKind::Page
            && !judged.proven
            && judged.charge.excess < HEAVY
    }

    fn has_room(&self, place: Place) -> bool {
        let limit = self.budget.limit();
        let part = if place >= SUSPECTS_FROM { SUSPECTS_OF_LIMIT } else { 1.0 };
        f64::from(self.budget.in_flight()) < (f64::from(limit) * part).max(1.0)
    }

    fn refusal(&mut self, judged: &Judged, facts: &GateFacts) -> Refusal {
        let waits = self.expected_retry(judged.place);
        let (reason, wait) = if judged.charge.excess.is_none() {
            (RefusalReason::NoRoom, waits)
        } else if judged.charge.excess < HEAVY {
            // Many may be behind one address: each of them may prove himself and be served sooner.
            (RefusalReason::OverShare, waits)
        } else {
            let recovers = Duration::from_secs_f32(judged.charge.recovers_s).min(HEAVY_RETRY_MAX);
            (RefusalReason::OverShare, waits.max(recovers))
        };
        self.counts.refused(reason);
        // Those who are refused together do not come back together.
        let spread = Prefix::of_client(facts.client).client_key().wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56;
        let spread = u32::try_from(spread).unwrap_or(0);
        Refusal { reason, retry_after: wait + wait / 2 * spread / 256 }
    }

    fn refuse_waiting(&mut self, id: WaitId, reason: RefusalReason) -> Refusal {
        self.counts.refused(reason);
        Refusal { reason, retry_after: self.expected_retry(id.place()) }
    }

    /// When to come back: the bound on waiting, as many times as those who go before want more than
    /// there is. Once, where the ladder can still climb or the visitor's next request is answered
    /// with a challenge; and half of it while the ladder is climbing.
    fn expected_retry(&self, place: Place) -> Duration {
        let capacity = self.budget.capacity_per_second();
        let wait = self.queue.backlog(capacity).max(self.settings.wait_max);
        if self.ladder.seconds_on_rung() < SETTLING_S {
            return wait / 2;
        }
        if self.rung() < Rung::Choice || place == UNKNOWN {
            return wait;
        }
        let before = self.offered_up_to.get(usize::from(place.number())).copied().unwrap_or(0.0);
        wait.mul_f64((before / capacity).clamp(1.0, RETRY_WAITS_MAX))
    }
}

/// Of eight requests in calm times one is judged.
const UNJUDGED_MAX: u8 = 7;
/// Where that would be more than a few hundred a second, how long after one is judged the next is: to judge
/// takes as long as a third of all else that is done for a request.
const JUDGED_EVERY: Duration = Duration::from_millis(4);

/// Who has proven nothing and asks for no more than his share.
const UNKNOWN: Place = Place::new(2);

/// Times the bound on waiting anybody is told to stay away: in as long as that, sources that ask for
/// more than their share are known as such, whatever they have proven.
const RETRY_WAITS_MAX: f64 = 5.0;

/// How long what was asked for on the rung before still tells more than what is asked for on this.
const SETTLING_S: u32 = 5;

/// How many may be displaced between two times that [`Gate::next_wake`] is emptied.
const DISPLACED_MAX: usize = 16;

/// From here on nobody takes the last of the room.
const SUSPECTS_FROM: Place = Place::new(7);

/// The longest such a source is told to stay away; an office's visitors may be behind it.
const HEAVY_RETRY_MAX: Duration = Duration::from_secs(30);

#[cfg(test)]
mod calm_tests;
#[cfg(test)]
mod tests;
