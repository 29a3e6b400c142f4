//! What a gate can be asked, without changing it.

use std::net::IpAddr;

use floodwall_model::{Prefix, Timestamp};

use super::{Gate, GateCounts, REQUESTS_PER_VISIT, WAITING_ROOM_MIN, worse};
use crate::ladder::Rung;
use crate::origin_budget::OriginBudget;
use crate::source_ledger::{Charge, Excess, SourceKey};

impl Gate {
    /// How far over its share a client is, by itself or with its network; nothing is charged for asking.
    #[must_use]
    pub fn standing_of(&self, client: IpAddr, now: Timestamp) -> Charge {
        let source = self.settings.source;
        let network = source.times(self.settings.network_visitors);
        let of = |prefix: Prefix, share| {
            let key = SourceKey::Prefix(prefix.client_key(), prefix.length_bits());
            self.ledger.standing(key, share, now).unwrap_or(Charge { excess: Excess(0), recovers_s: 0.0 })
        };
        worse(of(Prefix::of_client(client), source), of(Prefix::of_network(client), network))
    }

    /// The rung the gate stands on.
    #[must_use]
    pub fn rung(&self) -> Rung {
        self.ladder.rung()
    }

    /// How many times what the origin can answer was asked for in the last second, by whom it may be
    /// asked for: how hard a proof of work should be ([`crate::Difficulty::by_load`]).
    #[must_use]
    pub fn load(&self) -> f64 {
        self.last_second.offered / self.last_second.capacity.max(0.1)
    }

    /// How many visitors a second the waiting room may let in.
    #[must_use]
    pub fn let_in_per_second(&self) -> f64 {
        let capacity = self.budget.capacity_per_second();
        if self.rung() < Rung::Choice {
            return capacity;
        }
        let spare = capacity * 0.9 - self.last_second.offered_with_proof;
        spare.max(capacity * WAITING_ROOM_MIN) / REQUESTS_PER_VISIT
    }

    /// What was decided since the start.
    #[must_use]
    pub fn counts(&self) -> GateCounts {
        GateCounts { forgotten: self.ledger.evictions(), ..self.counts }
    }

    /// The origin's budget, for its gauges.
    #[must_use]
    pub fn budget(&self) -> &OriginBudget {
        &self.budget
    }

    /// How many wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Bytes of memory the gate takes at most, those who wait included.
    #[must_use]
    pub fn memory_bytes_max(&self) -> u64 {
        // Two ordered maps: an entry and its part of a node, half full at worst.
        const BYTES_PER_WAITING: u64 = 128;
        let waiting = u64::try_from(self.settings.waiting_max).unwrap_or(u64::MAX);
        size_of::<Self>() as u64 + self.ledger.memory_bytes_max() + waiting.saturating_mul(BYTES_PER_WAITING)
    }
}
