//! The waiting room: whose turn it is, and how long it still takes, without a list of who waits.
//!
//! The line is the tickets' time of issue; the room keeps only how far it has been called, and for
//! each second how many tickets issued in it were presented at least once. Those who take tickets
//! and never come back are therefore not waited for: a flood that cannot keep a cookie makes nobody's
//! wait longer. A ticket counts when it is presented for the first time; from then on it is signed
//! anew with the number of times it came.
//!
//! Whoever hands out tickets limits them by prefix ([`Meter::Tickets`](crate::Meter::Tickets); one a
//! second and sixty at once do for an office), or one address takes the whole line.
//!
//! Limits: tickets count one in each cell of a second, 8,192 seconds back ([`TICKET_LIFETIME`](crate::TICKET_LIFETIME) and
//! more), 128 KiB. A first presentation that is replayed counts again: it makes the estimate of those
//! behind it longer, at one request each, and lets nobody in earlier. After a restart the room has
//! forgotten how many wait and lets those with old tickets in as they come; the gate's queue holds
//! them to what the origin can carry.

use std::time::Duration;

use floodwall_model::Timestamp;

use crate::ticket::{Ticket, unix_millis};

const CELLS: usize = 8_192;
/// Seconds in which those who were called and are still there have asked.
const COMING_SECONDS: usize = 6;

/// Where a ticket's bearer stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Turn {
    /// He may come in: [`Keyring::redeem_ticket`](crate::Keyring::redeem_ticket), with this time as
    /// that of his turn.
    Come {
        /// When his turn came, in seconds since 1970; the same however often he asks.
        called_unix_s: u32,
    },
    /// He waits on.
    Wait {
        /// Tickets before his.
        ahead: u64,
        /// How long that will take, at the rate of the last seconds.
        expected: Duration,
        /// The answer's `Refresh`.
        refresh: Duration,
        /// The ticket to give him in place of the one he has.
        ticket: Ticket,
    },
}

#[derive(Clone, Copy, Debug, Default)]
struct Cell {
    /// Which second this is, since 1970.
    second: u64,
    /// Tickets of this second that were presented, up to what fits.
    presented: u32,
    /// When the first of it were called, in seconds since 1970; 0 while none was.
    called: u32,
}

/// The waiting room of one gate.
pub struct WaitingRoom {
    cells: Box<[Cell]>,
    /// All seconds before this one have been called, and of this one as many as `called_in_it`.
    calling: u64,
    called_in_it: f64,
    /// Tickets called per second, as of late.
    rate: f64,
    /// Of those called, how many came in: both per second, as of late. Those who are called come
    /// when they ask next, so what was called is looked at as it was seconds ago.
    called: f64,
    came: f64,
    calls: [f64; COMING_SECONDS],
    came_in_this: u32,
    overflows: u64,
}

impl WaitingRoom {
    /// How often those who wait ask.
    pub const REFRESH: Duration = Duration::from_secs(5);
    /// How long a ticket waits at least: long enough for those before it to have asked once.
    pub const WAIT_MIN: Duration = Duration::from_secs(8);

    /// An empty room.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self {
            cells: vec![Cell::default(); CELLS].into_boxed_slice(),
            calling: (unix_millis(now) / 1_000).saturating_sub(CELLS as u64 / 2),
            called_in_it: 0.0,
            rate: 1.0,
            called: 1.0,
            came: 1.0,
            calls: [0.0; COMING_SECONDS],
            came_in_this: 0,
            overflows: 0,
        }
    }

    /// A ticket is presented.
    pub fn present(&mut self, ticket: &Ticket, now: Timestamp) -> Turn {
        let second = ticket.issued_unix_ms / 1_000;
        if ticket.returns == 0 && second >= self.calling {
            let overflow = match self.cell_mut(second) {
                Some(cell) => {
                    cell.presented = cell.presented.saturating_add(1);
                    false
                }
                None => true,
            };
            self.overflows += u64::from(overflow);
        }
        if self.is_called(ticket) {
            self.came_in_this = self.came_in_this.saturating_add(1);
            let called = self.cell(second).map(|cell| cell.called).filter(|called| *called > 0);
            let issued = u32::try_from(second).unwrap_or(u32::MAX);
            return Turn::Come { called_unix_s: called.unwrap_or(issued) };
        }
        let ahead = self.ahead_of(second);
        let least = ticket.issued_unix_ms + millis(Self::WAIT_MIN);
        let least = Duration::from_millis(least.saturating_sub(unix_millis(now)));
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let expected = Duration::from_secs_f64((ahead as f64 / self.rate).min(86_400.0)).max(least);
        let ticket = Ticket { returns: ticket.returns.saturating_add(1), ..*ticket };
        Turn::Wait { ahead, expected, refresh: Self::REFRESH, ticket }
    }

    /// A second has passed; so many visitors may come in. As many more are called as lately did not
    /// come when they were, up to ten times: who gave up must not keep his place from those behind.
    pub fn tick(&mut self, let_in: f64, now: Timestamp) {
        let let_in = if let_in.is_finite() { let_in.clamp(0.0, 1e6) } else { 0.0 };
        self.came += (f64::from(std::mem::take(&mut self.came_in_this)) - self.came) * 0.1;
        let coming = (self.came / self.called.max(0.001)).clamp(0.1, 1.0);
        let to_call = let_in / coming;
        self.rate += (to_call.max(0.01) - self.rate) * 0.2;
        let [called_before, ..] = self.calls;
        self.called += (called_before - self.called) * 0.1;
        self.calls.rotate_left(1);
        let called = to_call - self.call(to_call, now);
        let [.., last] = &mut self.calls;
        *last = called;
    }

    /// Calls so many tickets; how many more could have been.
    fn call(&mut self, mut left: f64, now: Timestamp) -> f64 {
        let now_s = unix_millis(now) / 1_000;
        if self.calling > now_s {
            // The clock was set back.
            self.calling = now_s;
            self.called_in_it = 0.0;
        }
        let newest = now_s.saturating_sub(Self::WAIT_MIN.as_secs());
        // Of what is longer ago no ticket is valid.
        self.calling = self.calling.max(newest.saturating_sub(CELLS as u64));
        while self.calling < newest {
            let presented = self.cell(self.calling).map_or(0, |cell| cell.presented);
            let waiting = f64::from(presented) - self.called_in_it;
            let called = u32::try_from(now_s).unwrap_or(u32::MAX);
            if let Some(cell) = self.cell_mut(self.calling).filter(|cell| cell.called == 0) {
                cell.called = called;
            }
            if waiting > left {
                self.called_in_it += left;
                return 0.0;
            }
            left -= waiting.max(0.0);
            self.calling += 1;
            self.called_in_it = 0.0;
        }
        left
    }

    /// Tickets that wait, as far as they were presented.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.ahead_of(u64::MAX)
    }

    /// Tickets that could not be counted, being from too far away in time.
    #[must_use]
    pub fn overflows(&self) -> u64 {
        self.overflows
    }

    fn is_called(&self, ticket: &Ticket) -> bool {
        let second = ticket.issued_unix_ms / 1_000;
        if second != self.calling {
            return second < self.calling;
        }
        // Of the second that is being called, the earlier part.
        let presented = self.cell(second).map_or(0, |cell| cell.presented);
        let part = self.called_in_it / f64::from(presented.max(1));
        let within = u32::try_from(ticket.issued_unix_ms % 1_000).unwrap_or(0);
        f64::from(within) < part * 1_000.0
    }

    /// Presented tickets of seconds before this one that were not called.
    fn ahead_of(&self, second: u64) -> u64 {
        let end = second.min(self.calling.saturating_add(CELLS as u64));
        let waiting = (self.calling..end).filter_map(|second| self.cell(second));
        let presented: u64 = waiting.map(|cell| u64::from(cell.presented)).sum();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of one cell")]
        let called = self.called_in_it as u64;
        presented.saturating_sub(called)
    }

    fn cell(&self, second: u64) -> Option<&Cell> {
        let cell = self.cells.get(usize::try_from(second % CELLS as u64).ok()?)?;
        (cell.second == second).then_some(cell)
    }

    /// The second's cell, made its own if an older one has it.
    fn cell_mut(&mut self, second: u64) -> Option<&mut Cell> {
        let cell = self.cells.get_mut(usize::try_from(second % CELLS as u64).ok()?)?;
        if cell.second < second {
            *cell = Cell { second, ..Cell::default() };
        }
        (cell.second == second).then_some(cell)
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
