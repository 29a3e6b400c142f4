//! Which copies are taken in: a flood that finds ever new addresses must not wear out the disk.
//!
//! What is kept already is written again as it changes. Of what is new, an address with a query is
//! taken when it is offered the second time, which random parameters never are, and all new ones
//! together have a budget of bytes: enough for a whole site at once, little for ever. Pure: it is given
//! the time.

use std::collections::{HashSet, VecDeque};

use super::name::Name;

/// Bytes of new copies at once.
const NEW_BYTES_MAX: u64 = 512 << 20;
/// Bytes of new copies a second, lasting.
const NEW_BYTES_A_SECOND: u64 = 4 << 20;
/// What a small copy counts at least: files cost by their number, too.
const COPY_BYTES_MIN: u64 = 16 << 10;
/// Addresses with a query that are remembered as offered once; of more, the longest ago is forgotten.
const OFFERED_ONCE_MAX: usize = 16_384;

/// What has been offered, and how much may still be taken in.
#[derive(Debug)]
pub(super) struct Intake {
    bytes_left: u64,
    refilled_unix_seconds: i64,
    offered_once: HashSet<Name, foldhash::quality::RandomState>,
    in_order: VecDeque<Name>,
}

impl Intake {
    pub(super) fn new() -> Self {
        Self {
            bytes_left: NEW_BYTES_MAX,
            refilled_unix_seconds: i64::MIN,
            offered_once: HashSet::default(),
            in_order: VecDeque::new(),
        }
    }

    /// Whether a new copy is worth its place: not of an address with a query offered for the first time.
    pub(super) fn is_worth_it(&mut self, name: Name) -> bool {
        if !name.has_query || self.offered_once.contains(&name) {
            return true;
        }
        if self.in_order.len() >= OFFERED_ONCE_MAX
            && let Some(longest_ago) = self.in_order.pop_front()
        {
            self.offered_once.remove(&longest_ago);
        }
        self.offered_once.insert(name);
        self.in_order.push_back(name);
        false
    }

    /// Takes a new copy's bytes out of the budget; false when it has not as many.
    pub(super) fn try_take(&mut self, bytes: u64, now_unix_seconds: i64) -> bool {
        let seconds = now_unix_seconds.saturating_sub(self.refilled_unix_seconds);
        if seconds != 0 {
            // A clock that was set back gives nothing and costs nothing.
            let refill = u64::try_from(seconds).unwrap_or(0).saturating_mul(NEW_BYTES_A_SECOND);
            self.bytes_left = self.bytes_left.saturating_add(refill).min(NEW_BYTES_MAX);
            self.refilled_unix_seconds = now_unix_seconds;
        }
        match self.bytes_left.checked_sub(bytes.max(COPY_BYTES_MIN)) {
            Some(left) => {
                self.bytes_left = left;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(n: usize, query: char) -> Name {
        Name::parse(&format!("{n:032x}-8{query}")).unwrap()
    }

    #[test]
    fn a_query_is_taken_the_second_time() {
        let mut intake = Intake::new();
        assert!(intake.is_worth_it(name(1, 'p')));
        assert!(!intake.is_worth_it(name(2, 'q')));
        assert!(intake.is_worth_it(name(2, 'q')));
        assert!(intake.is_worth_it(name(2, 'q')), "and ever after");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut intake = Intake::new();
        for n in 0..3 * OFFERED_ONCE_MAX {
            assert!(!intake.is_worth_it(name(n, 'q')));
        }
        assert_eq!((intake.offered_once.len(), intake.in_order.len()), (OFFERED_ONCE_MAX, OFFERED_ONCE_MAX));
        assert!(intake.is_worth_it(name(3 * OFFERED_ONCE_MAX - 1, 'q')));
        assert!(!intake.is_worth_it(name(0, 'q')), "forgotten");
    }

    #[test]
    fn new_bytes_have_a_budget() {
        let mut intake = Intake::new();
        let copies = |intake: &mut Intake, bytes: u64, now: i64| {
            (0..100_000).take_while(|_| intake.try_take(bytes, now)).count()
        };
        assert_eq!(copies(&mut intake, 100, 50), 32_768, "half a gibibyte in the smallest pieces");
        assert_eq!(copies(&mut intake, 100, 50), 0);
        assert_eq!(copies(&mut intake, 1 << 20, 51), 4);
        assert_eq!(copies(&mut intake, 1 << 20, 40), 0, "a clock set back");
        assert_eq!(copies(&mut intake, 1 << 20, 42), 8);
        assert_eq!(copies(&mut intake, 64 << 20, 1_000_000), 8, "and never more than at the start");
        assert!(!Intake::new().try_take(NEW_BYTES_MAX + 1, 0));
    }
}
