//! The origin a log is replayed against: it begins at most so many answers a second, one after the
//! other, and each takes as long as its line says or as was assumed.

use std::time::Duration;

/// No answer is taken to have been quicker or slower than this: lines may say 0, or an hour of a
/// visitor's slow line.
const LATENCY: (i64, i64) = (1_000, 30_000_000);

/// What is assumed of an origin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct OriginAssumption {
    /// Answers it can give in a second.
    pub(crate) per_second: f64,
    /// How long an answer takes; where it was not given, what lines say counts.
    pub(crate) latency: Option<Duration>,
}

impl OriginAssumption {
    /// As the drill's own origin: a small site on one database.
    pub(crate) const PER_SECOND: f64 = 250.0;
    /// Where neither the command line nor the log's lines say how long an answer takes.
    pub(crate) const LATENCY: Duration = Duration::from_millis(80);
}

/// The origin in simulated time.
#[derive(Debug)]
pub(crate) struct AssumedOrigin {
    assumed: OriginAssumption,
    interval_micros: i64,
    /// When it can begin the next answer.
    free_at: i64,
    /// Answers whose latency was in the log.
    pub(crate) latencies_from_log: u64,
}

impl AssumedOrigin {
    pub(crate) fn new(assumed: OriginAssumption) -> Self {
        let interval = Duration::from_secs_f64(1.0 / assumed.per_second.max(0.1));
        let interval_micros = i64::try_from(interval.as_micros()).unwrap_or(i64::MAX).max(1);
        Self { assumed, interval_micros, free_at: i64::MIN, latencies_from_log: 0 }
    }

    /// A request reaches it; when it will have been answered. `logged_us` is how long its line says
    /// it took, 0 where it says nothing.
    pub(crate) fn serve(&mut self, logged_us: u32, now: i64) -> i64 {
        let begins = self.free_at.max(now);
        self.free_at = begins.saturating_add(self.interval_micros);
        let assumed =
            self.assumed.latency.map(|latency| i64::try_from(latency.as_micros()).unwrap_or(i64::MAX));
        let latency = match (assumed, logged_us) {
            (Some(assumed), _) => assumed,
            (None, 0) => i64::try_from(OriginAssumption::LATENCY.as_micros()).unwrap_or(i64::MAX),
            (None, logged) => {
                self.latencies_from_log += 1;
                i64::from(logged)
            }
        };
        begins.saturating_add(latency.clamp(LATENCY.0, LATENCY.1))
    }
}
