//! An outage, with error bars at both ends.

use floodwall_model::Timestamp;

use crate::cause::Cause;

/// Different causes that one outage counts; further ones count as the last.
pub const CAUSES_MAX: usize = 8;

/// A moment known to lie within an interval, in microseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// Not before this. `None` where nothing was known before.
    pub earliest_unix_micros: Option<i64>,
    /// Not after this.
    pub latest_unix_micros: i64,
}

impl Edge {
    /// From `earliest` to `latest`: as far apart as the monotonic clock says, so that a clock that was
    /// stepped between them neither widens nor turns the interval.
    pub(crate) fn between(earliest: Option<Timestamp>, latest: Timestamp) -> Self {
        let latest_unix_micros = latest.wall_unix_micros();
        let earliest_unix_micros =
            earliest.map(|earliest| latest_unix_micros.saturating_sub(micros_between(earliest, latest)));
        Self { earliest_unix_micros, latest_unix_micros }
    }

    /// The interval's middle: the best single figure for it. Where nothing was known before, its end.
    #[must_use]
    pub fn middle_unix_micros(&self) -> i64 {
        self.latest_unix_micros.saturating_sub(self.half_width_micros())
    }

    /// How far the true moment can be from the middle either way, in microseconds; 0 where nothing was
    /// known before.
    #[must_use]
    pub fn half_width_micros(&self) -> i64 {
        self.earliest_unix_micros
            .map_or(0, |earliest| self.latest_unix_micros.saturating_sub(earliest).max(0) / 2)
    }

    /// Whether `unix_micros` is within it.
    #[must_use]
    pub fn contains(&self, unix_micros: i64) -> bool {
        self.earliest_unix_micros.is_none_or(|earliest| earliest <= unix_micros)
            && unix_micros <= self.latest_unix_micros
    }
}

/// By the monotonic clock.
pub(crate) fn micros_between(earlier: Timestamp, later: Timestamp) -> i64 {
    i64::try_from(later.since(earlier).as_micros()).unwrap_or(i64::MAX)
}

/// How often an outage's samples had one cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CauseCount {
    /// The cause.
    pub cause: Cause,
    /// Samples.
    pub samples: u32,
}

/// A time in which a target was down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outage {
    /// When it began: between the last sample that was up and the first that was down.
    pub start: Edge,
    /// When it ended, once that is confirmed.
    pub end: Option<Edge>,
    /// What its samples saw, the most frequent first, the earlier first of equals; at most [`CAUSES_MAX`].
    pub causes: Vec<CauseCount>,
    /// Time within it of which nothing is known, in microseconds.
    pub unknown_micros: u64,
}

impl Outage {
    pub(crate) fn beginning(start: Edge) -> Self {
        Self { start, end: None, causes: Vec::new(), unknown_micros: 0 }
    }

    /// What most of its samples saw.
    #[must_use]
    pub fn cause(&self) -> Option<Cause> {
        self.causes.first().map(|count| count.cause)
    }

    pub(crate) fn count(&mut self, cause: Cause) {
        self.count_many(cause, 1);
    }

    pub(crate) fn count_many(&mut self, cause: Cause, samples: u32) {
        let place = match self.causes.iter().position(|count| count.cause == cause) {
            Some(place) => place,
            None if self.causes.len() < CAUSES_MAX => {
                self.causes.push(CauseCount { cause, samples: 0 });
                self.causes.len() - 1
            }
            None => CAUSES_MAX - 1,
        };
        if let Some(count) = self.causes.get_mut(place) {
            count.samples = count.samples.saturating_add(samples);
        }
        self.causes.sort_by_key(|count| std::cmp::Reverse(count.samples));
    }

    /// From the middle of its start to the middle of its end, or to `now_unix_micros`, in microseconds.
    #[must_use]
    pub fn length_micros(&self, now_unix_micros: i64) -> u64 {
        let end = self.end.map_or(now_unix_micros, |end| end.middle_unix_micros());
        u64::try_from(end.saturating_sub(self.start.middle_unix_micros())).unwrap_or(0)
    }

    /// How far the true length can be from [`Self::length_micros`] either way, in microseconds.
    #[must_use]
    pub fn length_error_micros(&self) -> u64 {
        let after = self.end.map_or(0, |end| end.half_width_micros());
        u64::try_from(self.start.half_width_micros().saturating_add(after)).unwrap_or(0)
    }
}
