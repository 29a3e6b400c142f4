//! Trouble that shows without any change in what visitors ask for: the origin, the watch, the
//! certificate, the edge itself.

use floodwall_model::OriginHealth;

use crate::figure::{Figure, Row};
use crate::surroundings::{Surroundings, WatchFault};

/// Seconds in a row that make trouble of a bad moment.
const SECONDS_LEAST: u32 = 2;
/// The same of slow answers, which come by chance.
const SLOW_LEAST: u32 = 4;

#[derive(Clone, Debug, Default)]
pub(crate) struct Trouble {
    seconds: u32,
    waits: f64,
    asked: f64,
    slow_s: u32,
}

impl Trouble {
    /// Whether there is trouble in this second.
    pub(crate) fn is_there(&mut self, around: &Surroundings, row: &Row, calm: &Row, unix_s: i64) -> bool {
        let origin = around.origin.is_some_and(|origin| origin.health == OriginHealth::Down);
        let watch = around.watch.is_some_and(|watch| watch.unreachable >= 0.5 && watch.fails_at.is_some());
        let edge = around.edge.is_some_and(|edge| edge.processor >= 0.95);
        let ended = around.certificate_ends_unix_s.is_some_and(|end| end <= unix_s);
        let refused = around.watch.is_some_and(|watch| watch.fails_at == Some(WatchFault::Tls));
        let certificate = refused || (ended && row.get(Figure::TlsFailures) >= 1.0);
        let slow = self.is_slow(row, calm);
        origin || watch || edge || certificate || slow
    }

    /// Whether the origin takes several times as long as usual, over the last few seconds.
    fn is_slow(&mut self, row: &Row, calm: &Row) -> bool {
        self.waits = self.waits * 0.7 + row.get(Figure::OriginWaitMs);
        self.asked = self.asked * 0.7 + row.get(Figure::OriginRequests);
        let usual = calm.share(Figure::OriginWaitMs, Figure::OriginRequests, 0.05);
        let Some(usual) = usual else { return false };
        let slow = self.asked >= 4.0 && self.waits / self.asked > usual * 3.0 + 250.0;
        self.slow_s = if slow { self.slow_s.saturating_add(1) } else { 0 };
        self.slow_s >= SLOW_LEAST
    }

    /// Counts a second; whether it has lasted long enough to be said.
    pub(crate) fn lasts(&mut self, is_there: bool) -> bool {
        self.seconds = if is_there { self.seconds.saturating_add(1) } else { 0 };
        self.seconds >= SECONDS_LEAST
    }
}
