//! One origin's circuit, shared by all worker threads.
//!
//! While the origin is well, asking and reporting an answer are one atomic read. Only around
//! failures is a lock taken, for a few nanoseconds and only by requests that would go to the
//! origin; nothing is awaited and nothing can panic while it is held.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::sync::{Mutex, MutexGuard, PoisonError};

use floodwall_model::{OriginHealth, Timestamp};

use crate::origin_health::{CircuitSettings, OriginCircuit, OriginFailure, Permit};

/// [`OriginCircuit`] through a shared reference.
#[derive(Debug)]
pub struct SharedCircuit {
    /// The origin is up and answered last. A copy of what the circuit knows, written under its lock.
    /// A thread that reads it a moment late lets one more request go, or leaves one answer
    /// unreported that came at the same moment as another's failure: there is no order to violate.
    steady: AtomicBool,
    circuit: Mutex<OriginCircuit>,
}

impl SharedCircuit {
    /// Starts with an origin of which nothing is known.
    #[must_use]
    pub fn new(settings: CircuitSettings) -> Self {
        Self { steady: AtomicBool::new(false), circuit: Mutex::new(OriginCircuit::new(settings)) }
    }

    /// As [`OriginCircuit::permit`].
    pub fn permit(&self, now: Timestamp) -> Permit {
        if self.steady.load(Acquire) {
            return Permit::Go;
        }
        self.lock().permit(now)
    }

    /// As [`OriginCircuit::on_success`].
    pub fn on_success(&self, now: Timestamp) -> Option<OriginHealth> {
        if self.steady.load(Acquire) {
            return None;
        }
        self.change(|circuit| circuit.on_success(now))
    }

    /// As [`OriginCircuit::on_failure`].
    pub fn on_failure(&self, sent: Timestamp, now: Timestamp, reason: OriginFailure) -> Option<OriginHealth> {
        self.change(|circuit| circuit.on_failure(sent, now, reason))
    }

    /// A copy of the circuit at this moment, for pages and metrics.
    #[must_use]
    pub fn snapshot(&self) -> OriginCircuit {
        self.lock().clone()
    }

    fn change(
        &self,
        change: impl FnOnce(&mut OriginCircuit) -> Option<OriginHealth>,
    ) -> Option<OriginHealth> {
        let mut circuit = self.lock();
        let changed = change(&mut circuit);
        self.steady.store(circuit.is_steady(), Release);
        changed
    }

    fn lock(&self) -> MutexGuard<'_, OriginCircuit> {
        // Nothing panics under the lock, and every state of the circuit is a valid one.
        self.circuit.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The short cuts change no answer.
        #[test]
        fn answers_as_the_plain_circuit_does(steps in prop::collection::vec((0_u8..4, 0_u64..400), 0..200)) {
            let settings = CircuitSettings::default();
            let (shared, mut plain) = (SharedCircuit::new(settings), OriginCircuit::new(settings));
            let mut now = Timestamp::new(Duration::from_secs(1), 0);
            for (step, millis) in steps {
                now = now.plus(Duration::from_millis(millis));
                match step {
                    0 | 1 => prop_assert_eq!(shared.permit(now), plain.permit(now)),
                    2 => prop_assert_eq!(shared.on_success(now), plain.on_success(now)),
                    _ => {
                        let reason = OriginFailure::Connect;
                        prop_assert_eq!(shared.on_failure(now, now, reason), plain.on_failure(now, now, reason));
                    }
                }
                let copy = shared.snapshot();
                prop_assert_eq!((copy.health(), copy.since()), (plain.health(), plain.since()));
            }
        }
    }

    #[test]
    fn many_threads_get_one_trial_per_interval() {
        let shared = SharedCircuit::new(CircuitSettings::default());
        let down = Timestamp::new(Duration::from_secs(1), 0);
        for _ in 0..3 {
            shared.on_failure(down, down, OriginFailure::TimedOut);
        }
        for round in 1..=20 {
            let now = down.plus(Duration::from_millis(250 * round));
            let trials: usize = std::thread::scope(|scope| {
                let ask = || (0..100).filter(|_| shared.permit(now) == Permit::Trial).count();
                let threads: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).sum()
            });
            assert_eq!(trials, 1, "round {round}");
        }
    }
}
