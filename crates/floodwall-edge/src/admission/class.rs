//! The gate of one path class, shared by all workers, and those who wait before it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use floodwall_model::{AdmissionCounts, GateMode, GateStatus, Timestamp};
use floodwall_policy::{
    Challenge, Charge, Decision, Difficulty, Gate, GateFacts, Outcome, Refusal, Rung, Ticket, Turn, WaitId,
    WaitingRoom, Wake,
};
use parking_lot::Mutex;
use smallvec::SmallVec;
use tokio::sync::oneshot;

use crate::pages::PlaceInLine;
use crate::query::PathPattern;

/// Paths whose requests cost the origin alike and share its budget.
pub(crate) struct PathClass {
    name: Arc<str>,
    /// Empty for the class of all that no other one names.
    paths: Vec<PathPattern>,
    /// The gate's rung, readable without its lock.
    rung: AtomicU8,
    inner: Mutex<Inner>,
}

struct Inner {
    gate: Gate,
    /// Since when the gate stands on its rung.
    since: Timestamp,
    room: WaitingRoom,
    waiting: HashMap<WaitId, oneshot::Sender<Woken>, foldhash::fast::RandomState>,
}

/// What becomes of one who waited.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Woken {
    Admitted,
    Refused(Refusal),
}

/// What an offer came to.
pub(crate) enum Offered {
    Admitted,
    Waits(WaitId, oneshot::Receiver<Woken>),
    Refused(Refusal),
    Challenged(Challenge),
}

/// Those to be told, once the lock is released.
type Wakes = SmallVec<[(oneshot::Sender<Woken>, Woken); 4]>;

impl PathClass {
    pub(super) fn new(name: Arc<str>, paths: Vec<PathPattern>, gate: Gate, now: Timestamp) -> Self {
        let inner = Inner { gate, since: now, room: WaitingRoom::new(now), waiting: HashMap::default() };
        Self { name, paths, rung: AtomicU8::new(Rung::Open.number()), inner: Mutex::new(inner) }
    }

    /// Whether a path is of this class.
    pub(super) fn is_for(&self, path: &str) -> bool {
        self.paths.is_empty() || self.paths.iter().any(|pattern| pattern.matches(path))
    }

    /// Whether anything is asked of anybody: from the first rung on.
    pub(crate) fn is_pressed(&self) -> bool {
        self.rung.load(Ordering::Relaxed) > Rung::Open.number()
    }

    /// The rung its gate stands on.
    pub(super) fn rung(&self) -> Rung {
        let number = usize::from(self.rung.load(Ordering::Relaxed));
        Rung::ALL.get(number).copied().unwrap_or_default()
    }

    /// Whether people are sent to the waiting room, by their choice or all of them.
    pub(super) fn has_waiting_room(&self) -> bool {
        self.rung.load(Ordering::Relaxed) >= Rung::Choice.number()
    }

    /// See [`Gate::admit_calmly`].
    pub(super) fn admit_calmly(&self, charge_to: Option<IpAddr>, now: Timestamp) -> bool {
        self.inner.lock().gate.admit_calmly(charge_to, now)
    }

    /// Offers a request to the gate; whether nothing is asked of anybody, too.
    pub(super) fn offer(&self, facts: &GateFacts, now: Timestamp) -> (Offered, Rung) {
        let mut inner = self.inner.lock();
        let decision = inner.gate.offer(facts, now);
        let rung = inner.gate.rung();
        let offered = match decision {
            Decision::Admit => Offered::Admitted,
            Decision::Refuse(refusal) => Offered::Refused(refusal),
            Decision::Challenge(challenge) => Offered::Challenged(challenge),
            Decision::Wait(id) => {
                let (tell, told) = oneshot::channel();
                inner.waiting.insert(id, tell);
                Offered::Waits(id, told)
            }
        };
        self.wake_and_unlock(inner, now);
        (offered, rung)
    }

    /// See [`Gate::let_in_all_the_same`].
    pub(super) fn let_in_all_the_same(&self) {
        self.inner.lock().gate.let_in_all_the_same();
    }

    /// What was let in has ended.
    pub(super) fn release(&self, outcome: Outcome, now: Timestamp) {
        let mut inner = self.inner.lock();
        inner.gate.on_release(outcome, now);
        self.wake_and_unlock(inner, now);
    }

    /// One who waited went away, told or not.
    pub(super) fn abandon(&self, id: WaitId, told: &mut oneshot::Receiver<Woken>, now: Timestamp) {
        // From here on nobody can tell him any more; what he was told before is there to be read.
        told.close();
        let mut inner = self.inner.lock();
        inner.waiting.remove(&id);
        match told.try_recv() {
            Ok(woken) => inner.give_back(woken, now),
            Err(_) => inner.gate.abandon(id),
        }
        self.wake_and_unlock(inner, now);
    }

    /// Tells those whose turn it is or who have waited long enough. Often enough, ten times a second.
    pub(super) fn wake(&self, now: Timestamp) {
        let inner = self.inner.lock();
        if inner.gate.waiting() > 0 {
            self.wake_and_unlock(inner, now);
        }
    }

    /// A second has passed.
    pub(super) fn tick(&self, now: Timestamp) {
        let mut inner = self.inner.lock();
        inner.gate.tick(now);
        let let_in = inner.gate.let_in_per_second();
        inner.room.tick(let_in, now);
        self.wake_and_unlock(inner, now);
    }

    /// A ticket is presented in the waiting room.
    pub(super) fn present(&self, ticket: &Ticket, now: Timestamp) -> Turn {
        self.inner.lock().room.present(ticket, now)
    }

    /// The end of the line, for one who has just taken a ticket and not presented it yet.
    pub(super) fn end_of_line(&self, ticket: &Ticket, now: Timestamp) -> PlaceInLine {
        let unpresented = Ticket { returns: 1, ..*ticket };
        match self.inner.lock().room.present(&unpresented, now) {
            Turn::Wait { ahead, expected, refresh, .. } => PlaceInLine { ahead, expected, refresh },
            Turn::Come { .. } => {
                PlaceInLine { ahead: 0, expected: WaitingRoom::WAIT_MIN, refresh: WaitingRoom::REFRESH }
            }
        }
    }

    /// How hard a proof of work should be now.
    pub(super) fn difficulty(&self) -> Difficulty {
        Difficulty::by_load(self.inner.lock().gate.load())
    }

    /// How far over its share a client is here.
    pub(super) fn standing_of(&self, client: IpAddr, now: Timestamp) -> Charge {
        self.inner.lock().gate.standing_of(client, now)
    }

    /// Figures for the operator.
    pub(super) fn status(&self, mode: GateMode) -> GateStatus {
        let inner = self.inner.lock();
        let counts = inner.gate.counts();
        let budget = inner.gate.budget();
        GateStatus {
            class: self.name.clone(),
            mode,
            rung: inner.gate.rung().number(),
            rung_name: inner.gate.rung().as_str(),
            since: inner.since,
            limit: budget.limit(),
            in_flight: budget.in_flight(),
            capacity_per_second: whole(budget.capacity_per_second()),
            waiting: u32::try_from(inner.gate.waiting()).unwrap_or(u32::MAX),
            in_waiting_room: inner.room.waiting(),
            calm_latency: budget.calm_latency(),
            memory_bytes_max: inner.gate.memory_bytes_max(),
            counts: AdmissionCounts {
                admitted: counts.admitted,
                waited: counts.waited,
                abandoned: counts.abandoned,
                over_share: counts.over_share,
                refused_no_room: counts.refused_no_room,
                refused_over_share: counts.refused_over_share,
                refused_displaced: counts.refused_displaced,
                refused_waited_out: counts.refused_waited_out,
                challenged_redirect: counts.challenged_redirect,
                challenged_choice: counts.challenged_choice,
                challenged_waiting_room: counts.challenged_waiting_room,
                sources_forgotten: counts.forgotten,
                tickets_uncounted: inner.room.overflows(),
            },
        }
    }

    /// Empties the gate's list of those to wake, releases its lock, and tells them.
    fn wake_and_unlock<'a>(&'a self, mut inner: parking_lot::MutexGuard<'a, Inner>, now: Timestamp) {
        loop {
            let mut wakes = Wakes::new();
            while let Some(wake) = inner.gate.next_wake(now) {
                let (id, woken) = match wake {
                    Wake::Admit(id) => (id, Woken::Admitted),
                    Wake::Refuse(id, refusal) => (id, Woken::Refused(refusal)),
                };
                match inner.waiting.remove(&id) {
                    Some(tell) => wakes.push((tell, woken)),
                    None => inner.give_back(woken, now),
                }
            }
            let rung = inner.gate.rung().number();
            if self.rung.swap(rung, Ordering::Relaxed) != rung {
                inner.since = now;
            }
            drop(inner);
            let unheard: SmallVec<[Woken; 4]> =
                wakes.into_iter().filter_map(|(tell, woken)| tell.send(woken).err()).collect();
            if unheard.is_empty() {
                return;
            }
            // They went away at that very moment: others may have their places.
            inner = self.inner.lock();
            unheard.into_iter().for_each(|woken| inner.give_back(woken, now));
        }
    }
}

impl Inner {
    /// One who was let in is not there any more; the gate must not believe that he is.
    fn give_back(&mut self, woken: Woken, now: Timestamp) {
        if matches!(woken, Woken::Admitted) {
            self.gate.on_release(Outcome::Unknown, now);
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a gauge, clamped")]
fn whole(rate: f64) -> u64 {
    if rate.is_finite() { rate.clamp(0.0, 1e9) as u64 } else { 0 }
}
