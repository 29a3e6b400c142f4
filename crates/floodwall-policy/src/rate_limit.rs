//! A rate limit and the rule by which requests conform to it.
//!
//! The rule is the generic cell rate algorithm (GCRA, ITU-T I.371 annex A, virtual scheduling): per
//! source one number is kept, the theoretical arrival time (TAT), at which the source's allowance
//! will be whole again. It equals a token bucket, without a refill to run.
//!
//! Limits: 1 to 1,000,000 requests a second; a burst takes at most an hour to earn back, so that
//! nobody pays for, and no table remembers, more than an hour of the past.

use std::num::NonZeroU32;
use std::time::Duration;

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// How far a TAT may lie beyond what the limit can have put there before it is taken for a leftover
/// of an older, looser limit. Threads read the clock at slightly different moments; a second is far
/// more than they differ by.
const LEFTOVER_SLACK_NANOS: u64 = NANOS_PER_SECOND;

/// At most `burst` requests at once, and `requests_per_second` over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    requests_per_second: NonZeroU32,
    burst: NonZeroU32,
    /// What one request costs: the time in which it is earned back. Rounded down to the nanosecond,
    /// in the visitor's favour: at most 0.1 % at the highest rate, nothing that shows below 1,000/s.
    interval_nanos: u64,
    /// What a whole burst costs.
    burst_nanos: u64,
}

/// Why two numbers are not a rate limit. The messages say what to write.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RateLimitError {
    /// A rate or burst of nothing would refuse everybody.
    #[error("a limit of 0 would refuse every visitor; write 1 or more, or leave the limit out to have none")]
    Zero,
    /// Above [`RateLimit::REQUESTS_PER_SECOND_MAX`].
    #[error(
        "{given} requests per second is above {max}, the most a limit can be; leave the limit out to have none",
        max = RateLimit::REQUESTS_PER_SECOND_MAX
    )]
    Rate {
        /// What was given, in requests per second.
        given: u32,
    },
    /// The burst takes longer than [`RateLimit::REFILL_MAX`] to earn back.
    #[error(
        "a burst of {given} takes more than an hour to earn back at this rate; write {most} or less, or a higher rate"
    )]
    Burst {
        /// What was given, in requests.
        given: u32,
        /// The largest burst at this rate.
        most: u32,
    },
}

/// How one request stands to the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Conformance {
    /// It conforms; the source's TAT becomes this.
    Conforms { tat_nanos: u64 },
    /// It does not; it would after this time.
    Exceeds { wait_nanos: u64 },
    /// It does not, and the TAT is a leftover of a looser limit, to be lowered to this.
    Leftover { tat_nanos: u64, wait_nanos: u64 },
}

impl RateLimit {
    /// The highest rate a limit can have.
    pub const REQUESTS_PER_SECOND_MAX: u32 = 1_000_000;
    /// The longest time in which a whole burst may be earned back.
    pub const REFILL_MAX: Duration = Duration::from_secs(3600);

    /// Builds a limit from its two numbers.
    ///
    /// # Errors
    /// The rate is above [`Self::REQUESTS_PER_SECOND_MAX`], or the burst takes longer than
    /// [`Self::REFILL_MAX`] to earn back.
    pub fn new(requests_per_second: NonZeroU32, burst: NonZeroU32) -> Result<Self, RateLimitError> {
        let rate = requests_per_second.get();
        if rate > Self::REQUESTS_PER_SECOND_MAX {
            return Err(RateLimitError::Rate { given: rate });
        }
        let burst_most = u64::from(rate).saturating_mul(Self::REFILL_MAX.as_secs());
        if u64::from(burst.get()) > burst_most {
            let most = u32::try_from(burst_most).unwrap_or(u32::MAX);
            return Err(RateLimitError::Burst { given: burst.get(), most });
        }
        let interval_nanos = NANOS_PER_SECOND / u64::from(rate);
        let burst_nanos = interval_nanos.saturating_mul(u64::from(burst.get()));
        Ok(Self { requests_per_second, burst, interval_nanos, burst_nanos })
    }

    /// Builds a limit from plain numbers, as a settings file has them.
    ///
    /// # Errors
    /// As [`Self::new`]; and a number is zero.
    pub fn from_numbers(requests_per_second: u32, burst: u32) -> Result<Self, RateLimitError> {
        match (NonZeroU32::new(requests_per_second), NonZeroU32::new(burst)) {
            (Some(rate), Some(burst)) => Self::new(rate, burst),
            _ => Err(RateLimitError::Zero),
        }
    }

    /// Requests allowed per second over time.
    #[must_use]
    pub fn requests_per_second(&self) -> NonZeroU32 {
        self.requests_per_second
    }

    /// Requests allowed at once after a rest.
    #[must_use]
    pub fn burst(&self) -> NonZeroU32 {
        self.burst
    }

    /// The time in which one request is earned back, in nanoseconds.
    #[cfg(test)]
    pub(crate) fn interval_nanos(&self) -> u64 {
        self.interval_nanos
    }

    /// The TAT after a source's first request.
    pub(crate) fn first_tat_nanos(&self, now_nanos: u64) -> u64 {
        now_nanos.saturating_add(self.interval_nanos)
    }

    /// Judges one request of a source whose TAT is `tat_nanos`.
    pub(crate) fn judge(&self, tat_nanos: u64, now_nanos: u64) -> Conformance {
        let latest = now_nanos.saturating_add(self.burst_nanos);
        if tat_nanos > latest.saturating_add(LEFTOVER_SLACK_NANOS) {
            // The limit was tightened while the source owed time under the old one. It owes the
            // most it can owe under this one, not hours.
            return Conformance::Leftover { tat_nanos: latest, wait_nanos: self.interval_nanos };
        }
        let next = tat_nanos.max(now_nanos).saturating_add(self.interval_nanos);
        if next <= latest {
            Conformance::Conforms { tat_nanos: next }
        } else {
            Conformance::Exceeds { wait_nanos: next.saturating_sub(latest) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faulty_limits_say_what_to_write() {
        for (rate, burst, message) in [
            (
                0,
                1,
                "a limit of 0 would refuse every visitor; write 1 or more, or leave the limit out to have none",
            ),
            (
                1,
                0,
                "a limit of 0 would refuse every visitor; write 1 or more, or leave the limit out to have none",
            ),
            (
                1_000_001,
                1,
                "1000001 requests per second is above 1000000, the most a limit can be; leave the limit out to have none",
            ),
            (
                1,
                3_601,
                "a burst of 3601 takes more than an hour to earn back at this rate; write 3600 or less, or a higher rate",
            ),
        ] {
            assert_eq!(
                RateLimit::from_numbers(rate, burst).unwrap_err().to_string(),
                message,
                "{rate} {burst}"
            );
        }
        for (rate, burst) in [(1, 1), (1, 3_600), (1_000_000, 1), (1_000_000, u32::MAX / 2)] {
            assert!(RateLimit::from_numbers(rate, burst).is_ok(), "{rate} {burst}");
        }
    }

    #[test]
    fn judges_by_the_theoretical_arrival_time() {
        const S: u64 = NANOS_PER_SECOND;
        // Two a second, three at once: a request costs half a second.
        let limit = RateLimit::from_numbers(2, 3).unwrap();
        for (case, tat, now, expected) in [
            ("never seen", 0, 10 * S, Conformance::Conforms { tat_nanos: 10 * S + S / 2 }),
            ("second of a burst", 10 * S + S / 2, 10 * S, Conformance::Conforms { tat_nanos: 11 * S }),
            ("third of a burst", 11 * S, 10 * S, Conformance::Conforms { tat_nanos: 11 * S + S / 2 }),
            ("fourth of a burst", 11 * S + S / 2, 10 * S, Conformance::Exceeds { wait_nanos: S / 2 }),
            (
                "a nanosecond early",
                11 * S + S / 2,
                10 * S + S / 2 - 1,
                Conformance::Exceeds { wait_nanos: 1 },
            ),
            ("just in time", 11 * S + S / 2, 10 * S + S / 2, Conformance::Conforms { tat_nanos: 12 * S }),
            (
                "left by a looser limit",
                9_999 * S,
                10 * S,
                Conformance::Leftover { tat_nanos: 11 * S + S / 2, wait_nanos: S / 2 },
            ),
            ("end of time", u64::MAX, u64::MAX, Conformance::Conforms { tat_nanos: u64::MAX }),
        ] {
            assert_eq!(limit.judge(tat, now), expected, "{case}");
        }
    }
}
