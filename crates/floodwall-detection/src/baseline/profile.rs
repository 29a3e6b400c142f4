//! One figure's seasons: double seasonal exponential smoothing of the logarithm of its rate (Taylor,
//! "Short-term electricity demand forecasting using double seasonal exponential smoothing", 2003),
//! made robust by bounding each error (Gelper, Fried, Croux, "Robust forecasting with exponential and
//! Holt-Winters smoothing", 2010): one past incident moves the expectation by a bounded step.
//!
//! `ln(rate) = level + day[quarter of an hour] + week[hour] + the last error, carried on in part`
//!
//! docs/detection.md says what it was measured against.

use serde::{Deserialize, Serialize};

/// Seconds in a quarter of an hour.
pub(crate) const QUARTER_S: i64 = 900;
const QUARTERS_A_DAY: usize = 96;
const HOURS_A_WEEK: usize = 168;

/// Added to rates before their logarithm is taken, per second: below, nothing is told apart.
const FLOOR: f64 = 0.02;
/// Part of an error that goes into the level.
const TO_LEVEL: f64 = 0.01;
/// Part that goes into the time of day, once it was seen a few times.
const TO_DAY: f64 = 0.3;
/// Part that goes into the hour of the week, once it was seen a few times.
const TO_WEEK: f64 = 0.05;
/// Part of the last error that is expected again a quarter of an hour later.
const CARRIED: f64 = 0.95;
/// Errors are bounded to so many times their usual size.
const BOUND: f64 = 3.0;
/// The same in the first day, as logarithm: nights differ from days.
const BOUND_FIRST: f64 = 4.0;
/// Quarters of an hour in the first day.
const FIRST_DAY: u32 = 96;
const FIRST_DAY_F64: f64 = 96.0;
/// Usual size of errors (as standard deviation of the logarithm) that is never gone below.
const SPREAD_LEAST: f64 = 0.08;
/// The same at the start.
const SPREAD_FIRST: f64 = 0.6;

/// What is expected, per second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Expected {
    /// Lower end of what is usual.
    pub low: f64,
    /// Most likely.
    pub middle: f64,
    /// Upper end of what is usual.
    pub high: f64,
}

impl Expected {
    /// The same when so many times as much is announced.
    #[must_use]
    pub fn times(&self, factor: f64) -> Self {
        Self { low: self.low, middle: self.middle * factor, high: self.high * factor }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Profile {
    level: f64,
    day: Vec<f32>,
    day_seen: Vec<u16>,
    week: Vec<f32>,
    week_seen: Vec<u16>,
    spread: f64,
    last_error: f64,
    last_quarter: Option<i64>,
    seen: u32,
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            level: 0.0,
            day: vec![0.0; QUARTERS_A_DAY],
            day_seen: vec![0; QUARTERS_A_DAY],
            week: vec![0.0; HOURS_A_WEEK],
            week_seen: vec![0; HOURS_A_WEEK],
            spread: SPREAD_FIRST,
            last_error: 0.0,
            last_quarter: None,
            seen: 0,
        }
    }
}

fn place(number: i64, size: usize) -> usize {
    let size_signed = i64::try_from(size).unwrap_or(1);
    usize::try_from(number.rem_euclid(size_signed)).unwrap_or(0)
}

fn at(values: &[f32], number: i64) -> f64 {
    values.get(place(number, values.len().max(1))).map_or(0.0, |value| f64::from(*value))
}

/// Moves one bin by part of an error: by all of it the first time, then less and less.
#[expect(clippy::cast_possible_truncation, reason = "logarithms of rates")]
fn step(values: &mut [f32], seen: &mut [u16], number: i64, error: f64, least: f64) {
    let bin = place(number, values.len().max(1));
    let (Some(value), Some(seen)) = (values.get_mut(bin), seen.get_mut(bin)) else { return };
    let part = (1.0 / (f64::from(*seen) + 1.0)).max(least);
    *value += (error * part) as f32;
    *seen = seen.saturating_add(1);
}

impl Profile {
    /// The season's part at a local time in quarters of an hour, which may lie between two.
    fn season(&self, local_s: i64) -> f64 {
        // Bins stand for their middle; between two middles, a straight line.
        let from_middle = local_s.saturating_sub(QUARTER_S / 2);
        let (quarter, into) = (from_middle.div_euclid(QUARTER_S), from_middle.rem_euclid(QUARTER_S));
        let hour = QUARTER_S * 4;
        let from_hour = local_s.saturating_sub(hour / 2);
        let (whole, part) = (from_hour.div_euclid(hour), from_hour.rem_euclid(hour));
        let between = |values: &[f32], number: i64, part: i64, size: i64| {
            let part = seconds(part) / seconds(size);
            at(values, number) * (1.0 - part) + at(values, number + 1) * part
        };
        between(&self.day, quarter, into, QUARTER_S) + between(&self.week, whole, part, hour)
    }

    pub(crate) fn learn(&mut self, quarter: i64, rate: f64) {
        let value = (rate.max(0.0) + FLOOR).ln();
        if self.seen == 0 {
            self.level = value;
        }
        let local_s = quarter.saturating_mul(QUARTER_S).saturating_add(QUARTER_S / 2);
        let error = value - self.level - self.season(local_s);
        let carried = self.carried(quarter);
        let surprise = error - carried;
        let young = self.seen < FIRST_DAY;
        let bound = if young { BOUND_FIRST } else { BOUND * self.spread };
        let bounded = surprise.clamp(-bound, bound);
        // The usual size grows with what is beyond it, but slowly and boundedly.
        let size = bounded.abs() * 1.253;
        self.spread += (size - self.spread) * if young { 0.05 } else { 0.01 };
        self.spread = self.spread.max(SPREAD_LEAST);
        let moved = carried + bounded;
        if young {
            // The first day is the first guess of every day: all of it goes into the times of day.
            step(&mut self.day, &mut self.day_seen, quarter, moved, 1.0);
        } else {
            self.level += moved * TO_LEVEL;
            step(&mut self.day, &mut self.day_seen, quarter, moved * (1.0 - TO_LEVEL), TO_DAY);
        }
        // A week is learned from the second one on: the first cannot tell days from the week.
        if self.seen >= 672 {
            let part = moved * (1.0 - TO_LEVEL - TO_DAY);
            step(&mut self.week, &mut self.week_seen, quarter.div_euclid(4), part, TO_WEEK);
        }
        if self.seen + 1 == FIRST_DAY {
            self.centre();
        }
        self.last_error = moved;
        self.last_quarter = Some(quarter);
        self.seen = self.seen.saturating_add(1);
    }

    /// Moves the mean of the times of day into the level.
    #[expect(clippy::cast_possible_truncation, reason = "logarithms of rates")]
    fn centre(&mut self) {
        let mean = self.day.iter().map(|value| f64::from(*value)).sum::<f64>() / FIRST_DAY_F64;
        self.level += mean;
        self.day.iter_mut().for_each(|value| *value -= mean as f32);
    }

    /// What of the last error is still expected.
    fn carried(&self, quarter: i64) -> f64 {
        let Some(last) = self.last_quarter else { return 0.0 };
        let quarters = i32::try_from(quarter.saturating_sub(last).clamp(0, 1_000)).unwrap_or(1_000);
        self.last_error * CARRIED.powi(quarters)
    }

    pub(crate) fn expected(&self, local_s: i64) -> Option<Expected> {
        if self.seen == 0 {
            return None;
        }
        let quarter = local_s.div_euclid(QUARTER_S);
        let middle = self.level + self.season(local_s) + self.carried(quarter);
        // What was seen seldom is known badly.
        let seen = self.day_seen.get(place(quarter, QUARTERS_A_DAY)).copied().unwrap_or(0);
        let young = if seen == 0 { 0.8 } else { 0.3 / f64::from(seen) };
        let since = seconds(quarter.saturating_sub(self.last_quarter.unwrap_or(quarter)).clamp(0, 2_688));
        // After a gap, the level may have moved: so much for each day that was missed.
        let missed = 0.2 * since / 96.0;
        let spread = (self.spread.powi(2) + young * young + missed * missed).sqrt();
        let rate = |log: f64| (log.exp() - FLOOR).max(0.0);
        Some(Expected {
            low: rate(middle - 2.0 * spread),
            middle: rate(middle),
            high: rate(middle + 2.0 * spread),
        })
    }

    /// Whether its parts have their sizes and no value is beyond measure: what was saved by others
    /// may be anything.
    pub(crate) fn is_sound(&self) -> bool {
        let sizes = self.day.len() == QUARTERS_A_DAY
            && self.day_seen.len() == QUARTERS_A_DAY
            && self.week.len() == HOURS_A_WEEK
            && self.week_seen.len() == HOURS_A_WEEK;
        let sane = |value: f64| value.is_finite() && value.abs() < 1_000.0;
        let bins = self.day.iter().chain(&self.week).all(|value| sane(f64::from(*value)));
        sizes && bins && sane(self.level) && sane(self.last_error) && sane(self.spread) && self.spread > 0.0
    }
}

#[expect(clippy::cast_precision_loss, reason = "seconds of a week")]
fn seconds(count: i64) -> f64 {
    count as f64
}
