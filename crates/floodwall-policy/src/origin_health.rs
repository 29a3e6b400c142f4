//! Whether an origin answers, and who may find out: a circuit breaker.
//!
//! While an origin is down, visitors get kept copies or an honest refusal at once instead of a
//! time-out, and the origin is left alone but for one trial request per interval. The first answer,
//! whatever its status, puts it up again: with trials every 250 ms a recovery is seen within a
//! second, as long as visitors (or the edge's own probe) ask.
//!
//! Only missing or broken answers count as failures. An answer with status 5xx is an answer: an
//! application's faults are not for the edge to multiply by withholding the pages that work.
//!
//! Limits: a few dozen bytes per origin. A trial is counted when it starts and needs no report: one
//! that hangs does not hold up the next, so up to time-out / interval trials may be under way.

use std::num::NonZeroU32;
use std::time::Duration;

use floodwall_model::{OriginHealth, Timestamp};

/// When an origin counts as down and how often it is tried then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CircuitSettings {
    failures_to_open: NonZeroU32,
    trial_interval: Duration,
}

/// Why settings are not usable. The message says what to write.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CircuitSettingsError {
    /// Outside [`CircuitSettings::TRIAL_INTERVAL_MIN`] to [`CircuitSettings::TRIAL_INTERVAL_MAX`].
    #[error("a trial every {given:?} is outside what makes sense; write between 10ms and 60s")]
    TrialInterval {
        /// What was given.
        given: Duration,
    },
}

impl CircuitSettings {
    /// The shortest time between two trials.
    pub const TRIAL_INTERVAL_MIN: Duration = Duration::from_millis(10);
    /// The longest time between two trials.
    pub const TRIAL_INTERVAL_MAX: Duration = Duration::from_secs(60);

    /// Down after `failures_to_open` failures in a row; then one trial per `trial_interval`.
    ///
    /// # Errors
    /// The interval is outside its bounds.
    pub fn new(failures_to_open: NonZeroU32, trial_interval: Duration) -> Result<Self, CircuitSettingsError> {
        if !(Self::TRIAL_INTERVAL_MIN..=Self::TRIAL_INTERVAL_MAX).contains(&trial_interval) {
            return Err(CircuitSettingsError::TrialInterval { given: trial_interval });
        }
        Ok(Self { failures_to_open, trial_interval })
    }
}

/// Down after three failures in a row, a trial every 250 ms.
impl Default for CircuitSettings {
    fn default() -> Self {
        const THREE: NonZeroU32 = NonZeroU32::MIN.saturating_add(2);
        Self { failures_to_open: THREE, trial_interval: Duration::from_millis(250) }
    }
}

/// How an origin failed to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OriginFailure {
    /// No connection: refused, unreachable, TLS handshake failed.
    Connect,
    /// No connection or no answer within the time allowed.
    TimedOut,
    /// The connection ended before the answer was whole.
    ClosedEarly,
    /// What came back was not HTTP.
    Malformed,
}

impl OriginFailure {
    /// In plain words, for pages and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "no connection could be opened",
            Self::TimedOut => "no answer within the time allowed",
            Self::ClosedEarly => "the connection ended before the answer was whole",
            Self::Malformed => "the answer was not valid HTTP",
        }
    }
}

/// Whether a request may go to the origin now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Permit {
    /// It may.
    Go,
    /// It may, to find out whether the origin is back. Report what came of it.
    Trial,
    /// It may not: the origin is down and was tried less than an interval ago.
    Withhold,
}

/// The circuit of one origin: a plain state machine. [`crate::SharedCircuit`] makes it usable from
/// several threads.
#[derive(Clone, Debug)]
pub struct OriginCircuit {
    settings: CircuitSettings,
    state: State,
    /// Failures since the last answer.
    failures: u32,
    last_failure: Option<(Timestamp, OriginFailure)>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Unknown,
    Up { since: Timestamp },
    Down { since: Timestamp, last_trial: Timestamp },
}

impl OriginCircuit {
    /// Starts with an origin of which nothing is known.
    #[must_use]
    pub fn new(settings: CircuitSettings) -> Self {
        Self { settings, state: State::Unknown, failures: 0, last_failure: None }
    }

    /// Whether a request may go to the origin now. A trial counts as begun when it is permitted.
    pub fn permit(&mut self, now: Timestamp) -> Permit {
        match &mut self.state {
            State::Unknown | State::Up { .. } => Permit::Go,
            State::Down { last_trial, .. } => {
                if now.since(*last_trial) < self.settings.trial_interval {
                    return Permit::Withhold;
                }
                *last_trial = now;
                Permit::Trial
            }
        }
    }

    /// The origin answered a request, with whatever status. Returns the new health if it changed.
    pub fn on_success(&mut self, now: Timestamp) -> Option<OriginHealth> {
        self.failures = 0;
        if matches!(self.state, State::Up { .. }) {
            return None;
        }
        self.state = State::Up { since: now };
        Some(OriginHealth::Up)
    }

    /// The origin did not answer a request that was sent to it at `sent`. Returns the new health if
    /// it changed.
    ///
    /// A request sent before the origin came up again tells of the outage that is over: when dozens
    /// of them time out together, they must not take the origin down once more.
    pub fn on_failure(
        &mut self,
        sent: Timestamp,
        now: Timestamp,
        reason: OriginFailure,
    ) -> Option<OriginHealth> {
        self.last_failure = Some((now, reason));
        if let State::Up { since } = self.state
            && sent.monotonic_nanos() < since.monotonic_nanos()
        {
            return None;
        }
        self.failures = self.failures.saturating_add(1);
        if matches!(self.state, State::Down { .. }) || self.failures < self.settings.failures_to_open.get() {
            return None;
        }
        // The failure that opens the circuit was as good as a trial.
        self.state = State::Down { since: now, last_trial: now };
        Some(OriginHealth::Down)
    }

    /// Whether the origin answers.
    #[must_use]
    pub fn health(&self) -> OriginHealth {
        match self.state {
            State::Unknown => OriginHealth::Unknown,
            State::Up { .. } => OriginHealth::Up,
            State::Down { .. } => OriginHealth::Down,
        }
    }

    /// Since when it is in this state; `None` while unknown.
    #[must_use]
    pub fn since(&self) -> Option<Timestamp> {
        match self.state {
            State::Unknown => None,
            State::Up { since } | State::Down { since, .. } => Some(since),
        }
    }

    /// When and how it failed last; `None` when it has not failed since the start.
    #[must_use]
    pub fn last_failure(&self) -> Option<(Timestamp, OriginFailure)> {
        self.last_failure
    }

    /// Whether it is up and answered last: then a permit is `Go` and a success changes nothing.
    pub(crate) fn is_steady(&self) -> bool {
        matches!(self.state, State::Up { .. }) && self.failures == 0
    }
}

#[cfg(test)]
mod tests;
