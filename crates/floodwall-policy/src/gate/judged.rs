//! How a request stands, from the facts and what its sources have asked for.

use super::{GateFacts, RequestKind, Standing};
use crate::fair_queue::Place;
use crate::ladder::Rung;
use crate::source_ledger::{Charge, Excess};
use crate::token::ProofKind;

/// From this excess on (32 times its share) a source is no reason to ask anything of others.
pub(super) const HEAVY: Excess = Excess(6);

/// How a request stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Judged {
    pub(super) place: Place,
    pub(super) charge: Charge,
    pub(super) token_excess: Excess,
    pub(super) proven: bool,
}

impl Judged {
    /// Whoever is last in line already, for what he sends or for what he looks like, is no reason to
    /// ask anything of others.
    pub(super) fn is_no_reason_to_climb(&self, facts: &GateFacts) -> bool {
        self.charge.excess >= HEAVY || (facts.standing == Standing::Suspect && !self.proven)
    }
}

/// The proof that counts as proven at a rung.
pub(super) fn proof_at(rung: Rung) -> ProofKind {
    match rung {
        Rung::Open | Rung::Collapse | Rung::Redirect => ProofKind::Redirect,
        Rung::Choice | Rung::WaitingRoom => ProofKind::WaitingRoom,
    }
}

/// Its place in line: see the gate's table.
pub(super) fn place(facts: &GateFacts, proven: bool, excess: Excess) -> Place {
    let known = facts.standing == Standing::Known || facts.kind == RequestKind::Exempt;
    let number = match (facts.standing, excess.0) {
        (Standing::Suspect, _) if !proven => 17,
        (_, 0) if proven => 0,
        (_, 0) if known => 1,
        (_, 0) => 2,
        (_, excess) => 1 + 2 * excess + u8::from(!proven && !known),
    };
    Place::new(number)
}

/// The worse of two charges, each of its parts for itself.
pub(super) fn worse(one: Charge, other: Charge) -> Charge {
    Charge { excess: one.excess.max(other.excess), recovers_s: one.recovers_s.max(other.recovers_s) }
}
