//! Whose fault a failed probe is: the target's, or the prober's own.
//!
//! A failure is taken from the target only when the trouble at hand could have made it: a prober that
//! is cut off cannot invent a `500`. A success is always the target's.

use std::time::Duration;

use floodwall_model::Timestamp;

use crate::cause::Cause;
use crate::sample::{Seen, UnknownCause};

/// A clock that moves by more than this against the monotonic one was stepped, not steered.
const STEP: Duration = Duration::from_secs(1);

/// What other destinations, of which the operator says that they do not fail together with the
/// targets, had to say after a probe had failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct References {
    /// Asked.
    pub asked: u32,
    /// Of these, reached.
    pub reached: u32,
}

/// What surrounded a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Surroundings {
    /// When it was due.
    pub due: Timestamp,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub finished: Timestamp,
    /// The longest that the prober's own timer came late while the probe ran.
    pub lag: Duration,
    /// How late a timer may come before samples that hang on time are not believed.
    pub lag_max: Duration,
    /// Asked after the failure; none asked where there are none.
    pub references: References,
    /// Whether everything fails at this vantage, and not elsewhere.
    pub all_fail_here: bool,
}

/// The prober's own trouble.
pub type Trouble = UnknownCause;

/// What a probe's outcome says of the target, given what surrounded it.
#[must_use]
pub fn judge(outcome: Result<(), Cause>, around: &Surroundings) -> Seen {
    let Err(cause) = outcome else { return Seen::Up };
    let late = around.started.since(around.due).max(around.lag);
    if cause.could_be_starvation() && late > around.lag_max {
        return Seen::Unknown(UnknownCause::Starved);
    }
    if cause.could_be_clock() && clock_was_stepped(around.due, around.finished) {
        return Seen::Unknown(UnknownCause::ClockStepped);
    }
    if cause.could_be_own_egress() && around.references.asked > 0 && around.references.reached == 0 {
        return Seen::Unknown(UnknownCause::EgressGone);
    }
    if cause.could_be_own_egress() && around.all_fail_here {
        return Seen::Unknown(UnknownCause::VantageFault);
    }
    Seen::Down(cause)
}

/// Whether the wall clock and the monotonic clock disagree on how long it was from `a` to `b`.
fn clock_was_stepped(a: Timestamp, b: Timestamp) -> bool {
    let wall = b.wall_unix_micros().saturating_sub(a.wall_unix_micros());
    let monotonic = i64::try_from(b.since(a).as_micros()).unwrap_or(i64::MAX);
    u128::from(wall.abs_diff(monotonic)) > STEP.as_micros()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::new(
            Duration::from_secs(seconds),
            1_700_000_000_000_000 + i64::try_from(seconds).unwrap() * 1_000_000,
        )
    }

    fn calm() -> Surroundings {
        Surroundings {
            due: at(10),
            started: at(10),
            finished: at(15),
            lag: Duration::from_millis(3),
            lag_max: Duration::from_secs(1),
            references: References { asked: 2, reached: 1 },
            all_fail_here: false,
        }
    }

    #[test]
    fn a_failure_is_the_targets_unless_the_trouble_at_hand_could_have_made_it() {
        use UnknownCause::{ClockStepped, EgressGone, Starved, VantageFault};
        let starved = Surroundings { lag: Duration::from_secs(4), ..calm() };
        let late = Surroundings { started: at(13), ..calm() };
        let cut_off = Surroundings { references: References { asked: 2, reached: 0 }, ..calm() };
        let no_references = Surroundings { references: References::default(), ..calm() };
        let alone = Surroundings { all_fail_here: true, ..calm() };
        let stepped = Surroundings {
            finished: Timestamp::new(Duration::from_secs(15), 1_600_000_000_000_000),
            ..calm()
        };
        let (down, unknown) = (Seen::Down, Seen::Unknown);
        for (cause, around, expected) in [
            (Cause::ConnectTimeout, calm(), down(Cause::ConnectTimeout)),
            (Cause::ConnectTimeout, starved, unknown(Starved)),
            (Cause::ConnectTimeout, late, unknown(Starved)),
            (Cause::ConnectRefused, starved, down(Cause::ConnectRefused)),
            (Cause::ConnectTimeout, cut_off, unknown(EgressGone)),
            (Cause::ResolverFailed, cut_off, unknown(EgressGone)),
            (Cause::StatusServerError, cut_off, down(Cause::StatusServerError)),
            (Cause::ConnectTimeout, no_references, down(Cause::ConnectTimeout)),
            (Cause::ConnectTimeout, alone, unknown(VantageFault)),
            (Cause::BodyMismatch, alone, down(Cause::BodyMismatch)),
            (Cause::CertificateExpired, stepped, unknown(ClockStepped)),
            (Cause::CertificateExpired, calm(), down(Cause::CertificateExpired)),
            (Cause::StatusServerError, stepped, down(Cause::StatusServerError)),
        ] {
            assert_eq!(judge(Err(cause), &around), expected, "{cause:?} {around:?}");
            assert_eq!(judge(Ok(()), &around), Seen::Up);
        }
    }
}
