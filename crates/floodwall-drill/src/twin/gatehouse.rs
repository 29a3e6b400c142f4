//! The gate before the origin: what `floodwall-edge` does in its `admission`, with the gate, the keys
//! and the waiting room of the policy itself. All paths are of one class, or look-ups have one of their own.

use std::collections::BTreeMap;
use std::time::Duration;

use floodwall_model::{SiteId, Timestamp};
use floodwall_policy::{
    Challenge, Decision, Difficulty, Gate, GateCounts, GateFacts, GateSettings, Keyring, Outcome, ProofKind,
    Refusal, RefusalReason, RequestKind, Rung, SealedText, Secret, Standing, Ticket, TokenClaims, TokenId,
    Turn, WaitId, WaitingRoom, Wake,
};

use super::cache::Target;
use super::credentials::{Bag, Mark};
use super::edge::{Answer, Asker, RequestId, State};
use super::{World, timestamp};
use crate::random::{Chance, Seed};

/// As in the edge: how long tokens are good.
const REDIRECT_LIFETIME: Duration = Duration::from_secs(3_600);
pub(super) const PROOF_LIFETIME: Duration = Duration::from_secs(8 * 3_600);
/// When to ask again who could not be given a ticket.
const TICKETS_RETRY_S: u64 = 10;
/// Pages that say that there is no room load themselves again after this long at least.
const BUSY_AGAIN_MIN_S: u64 = 5;

/// The gate of one class of paths, and what belongs to it.
pub(super) struct Gatehouse {
    gate: Gate,
    room: WaitingRoom,
    ring: Keyring,
    chance: Chance,
    waiting: BTreeMap<WaitId, RequestId>,
    pub(super) rung_max: u8,
}

/// Who asks, as far as the gate is concerned, after what they carry was exchanged.
struct Bearer {
    token: Option<(TokenId, ProofKind)>,
    keeps_no_cookies: bool,
    /// What the waiting room gave for the ticket.
    ticket: Option<Ticket>,
}

impl Gatehouse {
    /// The gate of the class of that number. All of them have the same keys.
    pub(super) fn new(settings: GateSettings, class: u64, seed: u64) -> Self {
        let (mut keys, mut chance) = (Seed(seed).stream("keys", 0), Seed(seed).stream("gatehouse", class));
        let now = timestamp(0);
        let mut secret = [0; 32];
        secret.iter_mut().for_each(|byte| *byte = keys.number().to_le_bytes()[0]);
        Self {
            gate: Gate::new(settings, chance.number(), now),
            room: WaitingRoom::new(now),
            ring: Keyring::new(&Secret::new(secret), now),
            chance,
            waiting: BTreeMap::new(),
            rung_max: 0,
        }
    }

    pub(super) fn counts(&self) -> GateCounts {
        self.gate.counts()
    }

    /// What proves a visitor's work, once it is done.
    pub(super) fn worked(&mut self, bag: &Bag, now_us: u64) -> TokenClaims {
        self.claims(bag, ProofKind::Work, PROOF_LIFETIME, now_us)
    }

    fn claims(&mut self, bag: &Bag, proof: ProofKind, lifetime: Duration, now_us: u64) -> TokenClaims {
        let binding = bag.binding();
        TokenClaims {
            site: binding.site,
            fingerprint: binding.fingerprint,
            proof,
            generation: binding.generation,
            issued_unix_s: u32::try_from(timestamp(now_us).wall_unix_seconds()).unwrap_or(0),
            lifetime_s: u32::try_from(lifetime.as_secs()).unwrap_or(0),
            id: TokenId(self.chance.number()),
        }
    }

    /// Exchanges what the bearer carries. `None` where that is answered with a redirect.
    fn exchange(&mut self, bag: &mut Bag, now_us: u64) -> Option<Bearer> {
        let now = timestamp(now_us);
        let binding = bag.binding();
        let verified =
            |text: SealedText| self.ring.verify_token(text.as_str().as_bytes(), &binding, now).ok();
        let mut token = bag.token.and_then(verified);
        let held = token.is_some();
        let mut waits = None;
        if token.is_none_or(|claims| claims.proof < ProofKind::WaitingRoom) {
            if let Some(claims) = bag.work.take() {
                self.send_back(bag, &claims);
                return None;
            }
            let shown = bag.shown_ticket().filter(|_| self.gate.rung() >= Rung::Choice);
            let ticket =
                shown.and_then(|text| self.ring.verify_ticket(text.as_str().as_bytes(), &binding, now).ok());
            if let Some(ticket) = ticket {
                match self.room.present(&ticket, now) {
                    Turn::Wait { ticket, .. } => waits = Some(ticket),
                    Turn::Come { called_unix_s } => {
                        let claims = self.ring.redeem_ticket(&ticket, called_unix_s, PROOF_LIFETIME);
                        if !matches!(bag.mark, Mark::Ticket(_)) {
                            self.send_back(bag, &claims);
                            return None;
                        }
                        token = Some(claims);
                    }
                }
            }
        }
        if held && bag.mark != Mark::None {
            bag.mark = Mark::None;
            return None;
        }
        Some(Bearer {
            token: token.map(|claims| (claims.id, claims.proof)),
            keeps_no_cookies: bag.mark != Mark::None,
            ticket: waits,
        })
    }

    fn send_back(&self, bag: &mut Bag, claims: &TokenClaims) {
        bag.token = Some(self.ring.issue_token(claims));
        (bag.ticket, bag.work, bag.mark) = (None, None, Mark::None);
    }
}

impl World<'_> {
    /// Whether a request goes on to the origin at once. Otherwise it waits, or has its answer.
    pub(super) fn passes_gate(&mut self, id: RequestId) -> bool {
        let now = self.now();
        let Some(request) = self.requests.get(id).copied() else { return false };
        let class = self.class_of(request.target);
        let is_own = matches!(request.asker, Asker::Beside | Asker::Probe);
        let Some(house) = self.gatehouses.get_mut(class) else { return true };
        if house.gate.admit_calmly((!is_own).then_some(request.client.address), now) {
            self.give_pass(id);
            return true;
        }
        let mut bag = self.bag(request.asker);
        let Some(house) = self.gatehouses.get_mut(class) else { return true };
        let Some(bearer) = house.exchange(&mut bag, self.now_us) else {
            self.put_bag(request.asker, bag);
            self.turn_away(id, Answer::SentBack);
            return false;
        };
        let facts = GateFacts {
            client: request.client.address,
            fingerprint: bag.fingerprint,
            system: None,
            token: bearer.token,
            standing: if is_own { Standing::Allowed } else { Standing::Unknown },
            kind: if is_own { RequestKind::Exempt } else { RequestKind::Page },
            keeps_no_cookies: bearer.keeps_no_cookies,
        };
        let decision = house.gate.offer(&facts, now);
        house.rung_max = house.rung_max.max(house.gate.rung().number());
        let passes = match decision {
            Decision::Admit => {
                self.give_pass(id);
                true
            }
            Decision::Wait(wait) => {
                house.waiting.insert(wait, id);
                if let Some(request) = self.requests.get_mut(id) {
                    request.go_on(State::WaitsAtGate(wait));
                }
                false
            }
            Decision::Refuse(refusal) => {
                self.turn_away(id, busy(refusal));
                false
            }
            Decision::Challenge(challenge) => {
                let answer = self.challenged(id, challenge, &mut bag, bearer.ticket);
                self.put_bag(request.asker, bag);
                self.turn_away(id, answer);
                false
            }
        };
        self.wake();
        passes
    }

    /// The class of a target; the first where there is one for all.
    fn class_of(&self, target: Target) -> usize {
        let apart = matches!(target, Target::LookUp(_)) && self.gatehouses.len() > 1;
        usize::from(apart)
    }

    fn challenged(
        &mut self,
        id: RequestId,
        challenge: Challenge,
        bag: &mut Bag,
        waits: Option<Ticket>,
    ) -> Answer {
        let (now_us, now) = (self.now_us, self.now());
        let Some(request) = self.requests.get(id).copied() else { return Answer::ServerError };
        let class = self.class_of(request.target);
        let Some(house) = self.gatehouses.get_mut(class) else { return Answer::ServerError };
        if challenge == Challenge::Redirect {
            let claims = house.claims(bag, ProofKind::Redirect, REDIRECT_LIFETIME, now_us);
            if bag.keeps_cookies {
                bag.token = Some(house.ring.issue_token(&claims));
            }
            bag.mark = Mark::Redirected;
            return Answer::Redirected;
        }
        let held = bag.shown_ticket();
        let sealed = match (waits, held) {
            (Some(ticket), _) => house.ring.issue_ticket(&ticket),
            (None, Some(held)) => held,
            (None, None) => {
                if !self.admission.may_take_ticket(SiteId(0), request.client.prefix, now) {
                    return Answer::Busy { again_s: TICKETS_RETRY_S, refuses: true };
                }
                house.ring.issue_ticket(&Ticket::take(&bag.binding(), house.chance.number(), now))
            }
        };
        bag.take_ticket(sealed);
        let again_s = WaitingRoom::REFRESH.as_secs();
        if challenge == Challenge::WaitingRoom {
            return Answer::Line { again_s };
        }
        let difficulty =
            if bag.is_slow_device { Difficulty::SLOW_DEVICE } else { Difficulty::by_load(house.gate.load()) };
        let tries = 1 + house.chance.below(u64::from(difficulty.number_max()) + 1);
        Answer::Choice { tries, again_s }
    }

    /// The request gets no further; a copy costs the origin nothing.
    pub(super) fn turn_away(&mut self, id: RequestId, answer: Answer) {
        self.abandon_flight(id);
        if self.requests.get(id).is_some_and(|request| request.copy) {
            self.answer_stale(id);
        } else {
            self.answer(id, answer);
        }
    }

    fn give_pass(&mut self, id: RequestId) {
        if let Some(request) = self.requests.get_mut(id) {
            request.pass = true;
        }
    }

    /// The origin is done with a request, or will not see it.
    pub(super) fn release(&mut self, id: RequestId, outcome: Outcome) {
        let Some(request) = self.requests.get_mut(id) else { return };
        if !std::mem::take(&mut request.pass) {
            return;
        }
        let target = request.target;
        let now = self.now();
        let class = self.class_of(target);
        if let Some(house) = self.gatehouses.get_mut(class) {
            house.gate.on_release(outcome, now);
        }
        self.wake();
    }

    /// One who waits goes away.
    pub(super) fn stop_waiting_at_gate(&mut self, id: RequestId, wait: WaitId) {
        let class = self.requests.get(id).map_or(0, |request| self.class_of(request.target));
        if let Some(house) = self.gatehouses.get_mut(class) {
            house.waiting.remove(&wait);
            house.gate.abandon(wait);
        }
        self.wake();
    }

    /// Tells those whose turn it is, or who have waited long enough.
    pub(super) fn wake(&mut self) {
        let now = self.now();
        // Whoever is let in may make room for the next at once: that is this loop's to see.
        if std::mem::replace(&mut self.is_waking, true) {
            return;
        }
        while let Some((class, wake, id)) = self.next_wake(now) {
            match (wake, id) {
                (Wake::Admit(_), Some(id)) => {
                    self.give_pass(id);
                    self.ask(id);
                }
                (Wake::Refuse(_, refusal), Some(id)) => self.turn_away(id, busy(refusal)),
                (Wake::Admit(_), None) => {
                    if let Some(house) = self.gatehouses.get_mut(class) {
                        house.gate.on_release(Outcome::Unknown, now);
                    }
                }
                (Wake::Refuse(..), None) => {}
            }
        }
        self.is_waking = false;
    }

    /// The next to be told, and by the gate of which class.
    fn next_wake(&mut self, now: Timestamp) -> Option<(usize, Wake, Option<RequestId>)> {
        self.gatehouses.iter_mut().enumerate().find_map(|(class, house)| {
            let wake = house.gate.next_wake(now)?;
            let (Wake::Admit(wait) | Wake::Refuse(wait, _)) = wake;
            Some((class, wake, house.waiting.remove(&wait)))
        })
    }

    /// A second has passed.
    pub(super) fn gate_ticks(&mut self) {
        let now = self.now();
        for house in &mut self.gatehouses {
            let _ = house.gate.tick(now);
            let let_in = house.gate.let_in_per_second();
            house.room.tick(let_in, now);
            house.rung_max = house.rung_max.max(house.gate.rung().number());
        }
        self.wake();
    }
}

fn busy(refusal: Refusal) -> Answer {
    let again_s = refusal.retry_after.as_secs_f64().ceil();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
    let again_s = again_s.clamp(0.0, 3_600.0) as u64;
    Answer::Busy {
        again_s: again_s.max(BUSY_AGAIN_MIN_S),
        refuses: refusal.reason == RefusalReason::OverShare,
    }
}
