//! How many requests the origin is given at once, learned from how it answers.
//!
//! Gradient2 (Netflix concurrency-limits; Envoy's adaptive concurrency filter is its sister): the
//! latency of the last few dozen answers is compared with that of calm times. As long as it is no
//! more than a tenth longer, the limit grows by half its square root; when it is longer, the limit
//! shrinks in proportion. Where more than a tenth of the answers say overload, or do not come,
//! the limit is cut by a fifth with each window (AIMD; Chiu & Jain 1989).
//!
//! Each answer is compared with calm times' answers of its own kind ([`WorkKind`]), so that a change of
//! what is asked for, from pages to look-ups, does not look like an origin that grows slow. Answers
//! that take less than 5 ms are never taken for overload, CoDel's bound on a queue that is not worth
//! acting on (RFC 8289): at an origin that answers in a fraction of a millisecond, what is measured is
//! how threads take turns.
//!
//! Latencies are averaged as logarithms, so that a few slow answers among many quick ones do not look
//! like overload. What is calm is learned only while less than half of the limit is in use, or
//! downwards: a flood cannot teach the budget that slow is normal. But an origin may be slow for
//! reasons of its own, and then fewer requests do not make it quick. So while the limit is held down,
//! it is halved every ten seconds for two windows (Envoy's recalculation of the minimum, milder): if
//! the latency is still three quarters of what it was, the queue is not to blame, and what was
//! measured at half the limit is what later windows are compared with, up to three times the calm.
//!
//! Limits: what is first asked for while the site is busy is taken for usual as it is then. The limit
//! never leaves floor and ceiling, whatever is measured.

use std::time::Duration;

use floodwall_model::Timestamp;

mod usual;

use usual::Usual;
pub use usual::WorkKind;

/// How far the latency may lie above that of calm times before the limit shrinks.
const TOLERANCE: f64 = 1.1;
/// A window ends with this many answers, or after this long.
const WINDOW_ANSWERS: u32 = 50;
const WINDOW_TIME: Duration = Duration::from_secs(1);
/// The share of a window's answers that may say overload.
const FAILURES_TOLERATED: f64 = 0.1;
const FAILURES_CUT: f64 = 0.8;
/// While the limit is held down by latency, how often it is halved to see whether that helps.
const TRIAL_INTERVAL: Duration = Duration::from_secs(10);
/// What part of the latency must be left at half the limit for the queue not to be its cause.
const TRIAL_UNCHANGED: f64 = 0.75;
/// How many times the calm latency may count as the origin's own.
const REFERENCE_MAX: f64 = 3.0;

/// Between what a budget's limit stays, in requests at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetSettings {
    floor: u32,
    ceiling: u32,
}

/// Why two numbers are no bounds. The messages say what to write.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BudgetSettingsError {
    /// Nothing would ever reach the origin.
    #[error("a floor of 0 requests at once would close the site; write 1 or more")]
    Zero,
    /// The floor is above the ceiling.
    #[error(
        "the floor of {floor} requests at once is above the ceiling of {ceiling}; write {ceiling} or less"
    )]
    Crossed {
        /// The floor that was given.
        floor: u32,
        /// The ceiling that was given.
        ceiling: u32,
    },
}

impl BudgetSettings {
    /// At least `floor` and at most `ceiling` requests at once.
    ///
    /// # Errors
    /// The floor is 0 or above the ceiling.
    pub fn new(floor: u32, ceiling: u32) -> Result<Self, BudgetSettingsError> {
        if floor == 0 {
            return Err(BudgetSettingsError::Zero);
        }
        if floor > ceiling {
            return Err(BudgetSettingsError::Crossed { floor, ceiling });
        }
        Ok(Self { floor, ceiling })
    }
}

/// 4 to 256 at once.
impl Default for BudgetSettings {
    fn default() -> Self {
        Self { floor: 4, ceiling: 256 }
    }
}

/// How a request that was given to the origin ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// With an answer that does not say overload, after this long, to a request of this kind.
    Answered(Duration, WorkKind),
    /// The visitor went away after this long without one: it would have taken longer.
    Left(Duration, WorkKind),
    /// With 429, 503 or 504, no connection, or no answer in time.
    Overloaded,
    /// In a way that says nothing of the origin: it was never sent, or not as a whole.
    Unknown,
}

/// The concurrency limit of one path class at one site.
#[derive(Clone, Debug)]
pub struct OriginBudget {
    settings: BudgetSettings,
    limit: f64,
    in_flight: u32,
    usual: Usual,
    /// Seconds of calm times, of all kinds; `None` until the first window ended.
    calm_s: Option<f64>,
    /// How many times as long as in calm times answers take where the origin is slow by itself.
    reference: f64,
    /// Seconds of the last window, and how many times as long as in calm times its answers took.
    recent_s: f64,
    slowness: f64,
    trial: Trial,
    trial_ended: Timestamp,
    window: Window,
}

/// Whether the limit is halved to see what comes of it.
#[derive(Clone, Copy, Debug)]
enum Trial {
    No,
    /// What was in flight before is answered; its latency tells nothing.
    Draining {
        limit: f64,
    },
    /// What is measured now was sent at half this limit.
    Measuring {
        limit: f64,
    },
}

#[derive(Clone, Copy, Debug)]
struct Window {
    started: Timestamp,
    answers: u32,
    failures: u32,
    log_seconds: f64,
    in_flight_max: u32,
}

impl Window {
    fn start(now: Timestamp, in_flight: u32) -> Self {
        Self { started: now, answers: 0, failures: 0, log_seconds: 0.0, in_flight_max: in_flight }
    }
}

impl OriginBudget {
    /// What the limit is before anything was measured, within floor and ceiling.
    pub const LIMIT_AT_FIRST: u32 = 20;

    /// Starts with an origin of which nothing is known.
    #[must_use]
    pub fn new(settings: BudgetSettings, now: Timestamp) -> Self {
        let limit = Self::LIMIT_AT_FIRST.clamp(settings.floor, settings.ceiling);
        Self {
            settings,
            limit: f64::from(limit),
            in_flight: 0,
            usual: Usual::new(),
            calm_s: None,
            reference: 1.0,
            recent_s: 0.1,
            slowness: 1.0,
            trial: Trial::No,
            trial_ended: now,
            window: Window::start(now, 0),
        }
    }

    /// Requests that may be at the origin at once.
    #[must_use]
    pub fn limit(&self) -> u32 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within two u32")]
        let limit = self.limit as u32;
        limit.clamp(self.settings.floor, self.settings.ceiling)
    }

    /// Requests that are at the origin.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// Requests the origin can answer in a second at this limit and latency (Little's law).
    #[must_use]
    pub fn capacity_per_second(&self) -> f64 {
        let limit = match self.trial {
            Trial::No => self.limit,
            Trial::Draining { limit } | Trial::Measuring { limit } => limit,
        };
        limit / self.recent_s.max(0.000_1)
    }

    /// The latency of calm times, as far as it was learned.
    #[must_use]
    pub fn calm_latency(&self) -> Option<Duration> {
        self.calm_s.map(Duration::from_secs_f64)
    }

    /// A request goes to the origin.
    pub fn on_start(&mut self) {
        self.in_flight = self.in_flight.saturating_add(1);
        self.window.in_flight_max = self.window.in_flight_max.max(self.in_flight);
    }

    /// A request that was started has ended.
    pub fn on_end(&mut self, outcome: Outcome, now: Timestamp) {
        self.in_flight = self.in_flight.saturating_sub(1);
        match outcome {
            Outcome::Answered(latency, kind) => self.note(log_seconds(latency), kind),
            Outcome::Left(after, kind) => {
                // Who goes away sooner than an answer can be expected tells nothing of when it comes.
                let after = log_seconds(after);
                if self.usual.is_late(kind, after) {
                    self.note(after, kind);
                }
            }
            Outcome::Overloaded => self.window.failures += 1,
            Outcome::Unknown => {}
        }
        let seen = self.window.answers + self.window.failures;
        if seen >= WINDOW_ANSWERS || (seen > 0 && now.since(self.window.started) >= WINDOW_TIME) {
            self.close_window(now);
            self.window = Window::start(now, self.in_flight);
        }
    }

    fn note(&mut self, log_seconds: f64, kind: WorkKind) {
        self.window.answers += 1;
        self.window.log_seconds += log_seconds;
        self.usual.note(kind, log_seconds);
    }

    fn close_window(&mut self, now: Timestamp) {
        let window = self.window;
        let seen = f64::from(window.answers + window.failures);
        if f64::from(window.failures) > seen * FAILURES_TOLERATED {
            self.usual.forget_window();
            let before = self.end_trial(now);
            self.set_limit(before * FAILURES_CUT);
            return;
        }
        let mean_s = (window.log_seconds / f64::from(window.answers.max(1))).exp();
        let slowness = self.usual.end_window();
        match self.trial {
            Trial::No => self.learn(mean_s, slowness, now),
            Trial::Draining { limit } => self.trial = Trial::Measuring { limit },
            Trial::Measuring { .. } => {
                if slowness >= self.slowness * TRIAL_UNCHANGED {
                    self.reference = slowness;
                }
                let before = self.end_trial(now);
                self.set_limit(before);
            }
        }
        self.usual.forget_window();
    }

    /// Draws the conclusions of a window with this mean latency, so many times that of calm times.
    fn learn(&mut self, mean_s: f64, slowness: f64, now: Timestamp) {
        (self.recent_s, self.slowness) = (mean_s, slowness);
        let used = f64::from(self.window.in_flight_max) / f64::from(self.limit());
        let is_calm = used < 0.5;
        self.usual.learn(is_calm);
        let calm_s = self.calm_s.unwrap_or(mean_s);
        let weight = if is_calm { 0.05 } else { 0.0 };
        self.calm_s = Some(calm_s + (mean_s - calm_s) * weight);
        if is_calm || slowness < self.reference {
            self.reference += (slowness - self.reference) * 0.2;
        }
        self.reference = self.reference.clamp(1.0, REFERENCE_MAX);
        let gradient = (TOLERANCE * self.reference / slowness).clamp(0.5, 1.0);
        let target = self.limit * gradient + self.limit.sqrt() / 2.0;
        if target < self.limit {
            self.set_limit(self.limit + (target - self.limit) * 0.3);
        } else if used >= 0.8 {
            // A limit that nobody reaches says nothing of what lies beyond it.
            self.set_limit(target);
        }
        if gradient < 1.0 && used >= 0.8 && now.since(self.trial_ended) >= TRIAL_INTERVAL {
            self.trial = Trial::Draining { limit: self.limit };
            self.set_limit(self.limit / 2.0);
        }
    }

    /// Ends a trial, if there is one; the limit as it is without.
    fn end_trial(&mut self, now: Timestamp) -> f64 {
        let trial = std::mem::replace(&mut self.trial, Trial::No);
        match trial {
            Trial::No => self.limit,
            Trial::Draining { limit } | Trial::Measuring { limit } => {
                self.trial_ended = now;
                limit
            }
        }
    }

    fn set_limit(&mut self, limit: f64) {
        self.limit = limit.clamp(f64::from(self.settings.floor), f64::from(self.settings.ceiling));
    }
}

fn log_seconds(latency: Duration) -> f64 {
    latency.as_secs_f64().max(0.000_1).ln()
}

#[cfg(test)]
mod tests;
