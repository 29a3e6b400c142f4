//! What a gate answers.

use std::time::Duration;

use crate::fair_queue::WaitId;

/// What is to be done with a request.
#[derive(Clone, Copy, Debug, PartialEq)]
#[must_use]
pub enum Decision {
    /// It goes to the origin now; report its end with [`Gate::on_release`](crate::Gate::on_release).
    Admit,
    /// It waits, until [`Gate::next_wake`](crate::Gate::next_wake) names it.
    Wait(WaitId),
    /// It is answered at the edge.
    Refuse(Refusal),
    /// The visitor is asked for proof.
    Challenge(Challenge),
}

/// What the visitor is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Challenge {
    /// To follow a redirect and bring a cookie back; he sees nothing of it. A status that keeps the
    /// method (307) carries the token of [`ProofKind::Redirect`](crate::ProofKind::Redirect) and a mark
    /// in the address, by which a visitor who keeps no cookies is known when he comes back
    /// ([`GateFacts::keeps_no_cookies`](crate::GateFacts::keeps_no_cookies)).
    Redirect,
    /// To let his browser work ([`Keyring::issue_challenge`](crate::Keyring::issue_challenge)), or to
    /// wait ([`Ticket::take`](crate::Ticket::take)); his choice, on one page with status 503.
    Choice,
    /// To wait: a page with status 503, a ticket in a cookie, and `Refresh`. Whoever has a ticket keeps
    /// it, however many tabs ask.
    WaitingRoom,
}

/// An answer that there is no room, and when to come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub reason: RefusalReason,
    /// The answer's `Retry-After`: an honest estimate.
    pub retry_after: Duration,
}

/// Why there is no room. One closed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RefusalReason {
    /// More is asked for than the origin can answer, and the wait would exceed its bound.
    NoRoom,
    /// The same, and the source asks for more than its share.
    OverShare,
    /// Waited, until somebody better proven took the place.
    Displaced,
    /// Waited for the whole bound.
    WaitedOut,
}

impl RefusalReason {
    /// Every reason there is.
    pub const ALL: &'static [Self] = &[Self::NoRoom, Self::OverShare, Self::Displaced, Self::WaitedOut];

    /// A short name for logs and metrics labels.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoRoom => "no_room",
            Self::OverShare => "over_share",
            Self::Displaced => "displaced",
            Self::WaitedOut => "waited_out",
        }
    }
}

/// What becomes of one who waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// He goes to the origin now; report the end with [`Gate::on_release`](crate::Gate::on_release).
    Admit(WaitId),
    /// He is told to come back.
    Refuse(WaitId, Refusal),
}
