//! What a gate counts.

use super::{Challenge, RefusalReason};

/// What a gate decided since it was built. Every figure only grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GateCounts {
    /// Let to the origin, at once or after a wait.
    pub admitted: u64,
    /// Had to wait.
    pub waited: u64,
    /// Went away while waiting.
    pub abandoned: u64,
    /// Offered by a source that asked for more than its share.
    pub over_share: u64,
    /// Refused for want of room.
    pub refused_no_room: u64,
    /// Refused for want of room, the source being over its share.
    pub refused_over_share: u64,
    /// Refused after a wait, for somebody better proven.
    pub refused_displaced: u64,
    /// Refused after the longest wait.
    pub refused_waited_out: u64,
    /// Asked to follow the redirect.
    pub challenged_redirect: u64,
    /// Shown the page with the choice.
    pub challenged_choice: u64,
    /// Sent to the waiting room.
    pub challenged_waiting_room: u64,
    /// Sources forgotten before their bucket was empty.
    pub forgotten: u64,
}

impl GateCounts {
    /// Refused, whatever the reason.
    #[must_use]
    pub fn refused_all(&self) -> u64 {
        self.refused_no_room + self.refused_over_share + self.refused_displaced + self.refused_waited_out
    }

    pub(super) fn refused(&mut self, reason: RefusalReason) {
        *match reason {
            RefusalReason::NoRoom => &mut self.refused_no_room,
            RefusalReason::OverShare => &mut self.refused_over_share,
            RefusalReason::Displaced => &mut self.refused_displaced,
            RefusalReason::WaitedOut => &mut self.refused_waited_out,
        } += 1;
    }

    pub(super) fn challenged(&mut self, challenge: Challenge) {
        *match challenge {
            Challenge::Redirect => &mut self.challenged_redirect,
            Challenge::Choice => &mut self.challenged_choice,
            Challenge::WaitingRoom => &mut self.challenged_waiting_room,
        } += 1;
    }
}
