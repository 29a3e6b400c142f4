//! What visitors look like in calm times: an even sample of them over the last week.
//!
//! A visitor is a client's prefix in one hour, so that who comes often does not count more than who
//! comes once. Of each day those with the smallest keyed hashes are kept (bottom-k sampling, Cohen
//! and Kaplan 2007): an even sample of distinct visitors without keeping a list of them, and the same
//! again from the same traffic. Of each visitor up to four different requests are kept, chosen in the
//! same way. When there is no more room, the day of which most are kept gives up its largest hash.
//!
//! Limits: [`VISITORS_MAX`] visitors, 2.6 MiB at worst and 1.2 MiB for searches, taken as they come;
//! lost when the process ends. Of a visitor who asked for more than four kinds of things some are not seen.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use floodwall_model::{Prefix, Timestamp};

use super::traits::ClientTraits;
use crate::prefix_limiter::hash_words;

/// Visitors that are kept, of all days together.
pub(super) const VISITORS_MAX: usize = 6_144;
/// Requests that are kept of each.
pub(super) const REQUESTS_MAX: usize = 4;
const PERIODS: usize = 7;
const PERIOD: Duration = Duration::from_secs(86_400);
const HOUR: Duration = Duration::from_secs(3_600);

#[derive(Clone, Debug)]
struct CalmVisitor {
    requests: [ClientTraits; REQUESTS_MAX],
    kept: u8,
}

impl CalmVisitor {
    fn requests(&self) -> &[ClientTraits] {
        self.requests.get(..usize::from(self.kept)).unwrap_or_default()
    }

    /// Keeps the requests whose hashes are the smallest.
    fn note(&mut self, traits: &ClientTraits, hash: impl Fn(&ClientTraits) -> u64) -> bool {
        if self.requests().contains(traits) {
            return false;
        }
        if let Some(place) = self.requests.get_mut(usize::from(self.kept)) {
            *place = *traits;
            self.kept += 1;
            return true;
        }
        let Some(largest) = self.requests.iter_mut().max_by_key(|kept| hash(kept)) else { return false };
        let is_smaller = hash(traits) < hash(largest);
        if is_smaller {
            *largest = *traits;
        }
        is_smaller
    }
}

/// The sample. See the module's head.
#[derive(Debug)]
pub(super) struct CalmSample {
    /// Visitors by hash, of the current day and those before.
    periods: [BTreeMap<u64, CalmVisitor>; PERIODS],
    period: u64,
    keys: (u64, u64),
    visitors_max: usize,
    baseline: Arc<CalmBaseline>,
    /// The sample has changed since the baseline was made.
    changed: bool,
}

/// The sample as a search wants it: every visitor's requests, one visitor after the other.
#[derive(Clone, Debug, Default)]
pub(super) struct CalmBaseline {
    /// [`REQUESTS_MAX`] for each visitor; who made fewer, repeats his first.
    pub(super) requests: Vec<ClientTraits>,
}

impl CalmBaseline {
    pub(super) fn visitors(&self) -> u32 {
        u32::try_from(self.requests.len() / REQUESTS_MAX).unwrap_or(u32::MAX)
    }
}

impl CalmSample {
    pub(super) fn new(visitors_max: usize, seed: u64) -> Self {
        Self {
            periods: Default::default(),
            period: 0,
            keys: (seed, hash_words((seed, !seed), seed, 4)),
            visitors_max: visitors_max.clamp(1, VISITORS_MAX),
            baseline: Arc::default(),
            changed: false,
        }
    }

    /// A visitor was served in calm times.
    pub(super) fn note(&mut self, client: Prefix, traits: &ClientTraits, now: Timestamp) {
        self.turn(now);
        let hour = now.monotonic_nanos() / nanos(HOUR);
        let visitor = hash_words(self.keys, client.client_key(), hour);
        let keys = self.keys;
        let of_request = |traits: &ClientTraits| {
            traits.0.iter().fold(visitor, |hash, value| {
                (hash ^ u64::from(*value)).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29)
            }) ^ keys.1
        };
        let is_full = self.visitors() >= self.visitors_max;
        let largest_period = self.periods.iter().map(BTreeMap::len).max().unwrap_or(0);
        let [today, ..] = &mut self.periods;
        if let Some(known) = today.get_mut(&visitor) {
            if known.note(traits, of_request) {
                self.changed = true;
            }
            return;
        }
        if is_full {
            // Where today is the day of which most are kept, it makes room for its own.
            let largest = today.last_key_value().map_or(u64::MAX, |(hash, _)| *hash);
            if today.len() == largest_period && visitor >= largest {
                return;
            }
        }
        let mut requests = [ClientTraits::default(); REQUESTS_MAX];
        requests[0] = *traits;
        today.insert(visitor, CalmVisitor { requests, kept: 1 });
        self.changed = true;
        if is_full && let Some(largest) = self.periods.iter_mut().max_by_key(|period| period.len()) {
            largest.pop_last();
        }
    }

    pub(super) fn visitors(&self) -> usize {
        self.periods.iter().map(BTreeMap::len).sum()
    }

    /// Takes the sample as it is now for what searches compare with; half a millisecond.
    pub(super) fn take_baseline(&mut self, now: Timestamp) {
        self.turn(now);
        if !std::mem::take(&mut self.changed) {
            return;
        }
        let visitors = self.periods.iter().flat_map(BTreeMap::values);
        let requests = visitors.flat_map(|visitor| {
            let kept = usize::from(visitor.kept);
            let first = visitor.requests[0];
            let padded = visitor.requests.iter().enumerate();
            padded
                .map(move |(place, request)| if place < kept { *request } else { first })
                .collect::<Vec<_>>()
        });
        self.baseline = Arc::new(CalmBaseline { requests: requests.collect() });
    }

    /// The sample as it was taken last.
    pub(super) fn baseline(&self) -> Arc<CalmBaseline> {
        self.baseline.clone()
    }

    fn turn(&mut self, now: Timestamp) {
        let period = now.monotonic_nanos() / nanos(PERIOD);
        for _ in 0..period.saturating_sub(self.period).min(PERIODS as u64) {
            self.periods.rotate_right(1);
            self.periods[0].clear();
            self.changed = true;
        }
        self.period = self.period.max(period);
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::traits::TraitField;
    use super::*;

    fn client(number: u32) -> Prefix {
        Prefix::of_client(std::net::Ipv4Addr::from(number).into())
    }

    fn at_minute(minute: u64) -> Timestamp {
        Timestamp::new(Duration::from_secs(minute * 60), 0)
    }

    fn baseline(sample: &mut CalmSample, minute: u64) -> Arc<CalmBaseline> {
        sample.take_baseline(at_minute(minute));
        sample.baseline()
    }

    fn path(number: u32) -> ClientTraits {
        ClientTraits::default().with(TraitField::Path, number)
    }

    #[test]
    fn one_heavy_client_is_one_visitor_an_hour() {
        let mut sample = CalmSample::new(VISITORS_MAX, 3);
        for minute in 0..600 {
            sample.note(client(1), &path(u32::try_from(minute).unwrap()), at_minute(minute));
        }
        assert_eq!(sample.visitors(), 10);
        assert_eq!(baseline(&mut sample, 600).requests.len(), 10 * REQUESTS_MAX);
    }

    #[test]
    fn it_stays_within_its_bound_and_even() {
        let mut sample = CalmSample::new(VISITORS_MAX, 3);
        // A tenth of the visitors look different, on each of nine days; the fourth has few visitors.
        for day in 0..9_u64 {
            let visitors = if day == 6 { 300 } else { 20_000 };
            for visitor in 0..visitors {
                let now = at_minute(day * 1_440 + 5);
                let number = u32::try_from(day).unwrap() << 24 | visitor;
                sample.note(client(number), &path(1 + u32::from(visitor % 10 == 0)), now);
                assert!(sample.visitors() <= VISITORS_MAX);
            }
        }
        let baseline = baseline(&mut sample, 8 * 1_440 + 6);
        assert_eq!(baseline.visitors() as usize, VISITORS_MAX);
        let different = baseline.requests.iter().filter(|request| request.get(TraitField::Path) == 2).count();
        let share = different as f64 / baseline.requests.len() as f64;
        assert!((0.085..0.115).contains(&share), "{share}");
        let sizes = sample.periods.each_ref().map(BTreeMap::len);
        assert_eq!(sizes[2], 300, "all of the day with few");
        assert!(sizes.iter().all(|size| *size == 300 || (970..980).contains(size)), "{sizes:?}");
    }

    #[test]
    fn a_visitors_requests_are_kept_evenly_and_forgotten_after_a_week() {
        let mut sample = CalmSample::new(VISITORS_MAX, 3);
        for number in 0..2_000 {
            for asked in 0..8 {
                sample.note(client(number), &path(asked + 1), at_minute(1));
            }
        }
        let taken = baseline(&mut sample, 2);
        for asked in 1..=8 {
            let of = taken.requests.iter().filter(|request| request.get(TraitField::Path) == asked).count();
            assert!((900..1_100).contains(&of), "{asked}: {of}");
        }
        assert_eq!(baseline(&mut sample, 7 * 1_440 + 1).visitors(), 0);
    }
}
