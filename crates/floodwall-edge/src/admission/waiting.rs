//! One who waits before a gate.

use std::rc::Rc;

use floodwall_policy::{Refusal, RefusalReason, WaitId};
use tokio::sync::oneshot;

use super::class::Woken;
use super::{AtGate, Pass};
use crate::worker::Worker;

/// A place in line. Dropped before its turn it is given up, and nothing is kept for its holder.
pub(super) struct Waits {
    worker: Rc<Worker>,
    gate: AtGate,
    id: WaitId,
    told: oneshot::Receiver<Woken>,
    is_over: bool,
}

impl Waits {
    pub(super) fn new(worker: &Rc<Worker>, gate: AtGate, id: WaitId, told: oneshot::Receiver<Woken>) -> Self {
        Self { worker: worker.clone(), gate, id, told, is_over: false }
    }

    /// Waits until the gate says what becomes of it: the bound on waiting at most.
    pub(super) async fn woken(mut self) -> Result<Pass, Refusal> {
        let woken = (&mut self.told).await;
        self.is_over = true;
        match woken {
            Ok(Woken::Admitted) => Ok(Pass::new(&self.worker, self.gate, self.worker.now())),
            Ok(Woken::Refused(refusal)) => Err(refusal),
            // The gate is gone, which is the edge's end.
            Err(_) => Err(Refusal { reason: RefusalReason::WaitedOut, retry_after: RETRY_AFTER }),
        }
    }
}

const RETRY_AFTER: std::time::Duration = std::time::Duration::from_secs(5);

impl Drop for Waits {
    fn drop(&mut self) {
        if !self.is_over
            && let Some(class) = self.worker.shared.gatehouse.class(self.gate.site, self.gate.class)
        {
            class.abandon(self.id, &mut self.told, self.worker.now());
        }
    }
}
