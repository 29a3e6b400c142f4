//! What is usual: per figure, by time of day and week, learned from live traffic and old logs.
//!
//! - [`Baselines`]: expectations per figure, saved and restored ([`SavedBaselines`]).
//! - [`Calendar`]: what the office knows beforehand.

mod calendar;
mod profile;
mod saved;

use floodwall_model::GroundUnit;

pub use calendar::{Calendar, CalendarEntry, CalendarError, Occasion};
pub use profile::Expected;
pub(crate) use profile::{Profile, QUARTER_S};
pub use saved::{RestoreError, SavedBaselines};

use crate::figure::{Figure, Row};

/// Seconds of calm that a quarter of an hour must have to be learned from.
const CALM_LEAST_S: f64 = 300.0;

/// The baselines of one site: one profile for each figure, of fixed size.
#[derive(Clone, Debug)]
pub struct Baselines {
    profiles: Vec<Profile>,
    /// Sums over the current quarter of an hour.
    sums: Row,
    seconds: f64,
    quarter: Option<i64>,
    /// Quarters in which something was learned.
    learned: u32,
}

impl Default for Baselines {
    fn default() -> Self {
        Self {
            profiles: vec![Profile::default(); Figure::COUNT],
            sums: Row::default(),
            seconds: 0.0,
            quarter: None,
            learned: 0,
        }
    }
}

/// How much a baseline has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Maturity {
    /// Less than half a day: nothing is known of times of day.
    New,
    /// Less than a week: times of day are known, days of the week are not.
    Days,
    /// A week or more.
    Weeks,
}

impl Baselines {
    /// Learns from `seconds` of calm traffic from `unix_s` on, given as totals. Whoever learns from an old log feeds it
    /// minute by minute in order of time; steps back in time are ignored.
    pub fn learn(&mut self, unix_s: i64, seconds: f64, totals: &Row, utc_offset_s: i32) {
        let quarter = unix_s.saturating_add(i64::from(utc_offset_s)).div_euclid(QUARTER_S);
        match self.quarter {
            Some(current) if quarter < current => return,
            Some(current) if quarter > current => self.close(current),
            _ => {}
        }
        self.quarter = Some(quarter);
        self.sums.add_row(totals, 1.0);
        self.seconds += seconds;
    }

    fn close(&mut self, quarter: i64) {
        // A log can begin or end within a quarter.
        if self.seconds >= CALM_LEAST_S {
            let rates = self.sums.times(1.0 / self.seconds);
            for (profile, figure) in self.profiles.iter_mut().zip(Figure::ALL) {
                profile.learn(quarter, rates.get(*figure));
            }
            self.learned = self.learned.saturating_add(1);
        }
        (self.sums, self.seconds) = (Row::default(), 0.0);
    }

    /// What is expected of a figure at a moment, in units per second; `None` while nothing is known.
    #[must_use]
    pub fn expected(&self, figure: Figure, unix_s: i64, utc_offset_s: i32) -> Option<Expected> {
        let profile = self.profiles.get(figure as usize)?;
        profile.expected(unix_s.saturating_add(i64::from(utc_offset_s)))
    }

    /// How much it has seen.
    #[must_use]
    pub fn maturity(&self) -> Maturity {
        match self.learned {
            0..48 => Maturity::New,
            48..672 => Maturity::Days,
            _ => Maturity::Weeks,
        }
    }

    /// In plain words: `requests at this hour on a Tuesday: 40-70/s`.
    #[must_use]
    pub fn explain(&self, figure: Figure, unix_s: i64, utc_offset_s: i32) -> String {
        const DAYS: [&str; 7] =
            ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];
        let name = figure.as_str().replace('_', " ");
        let Some(expected) = self.expected(figure, unix_s, utc_offset_s) else {
            return format!("{name}: nothing is known yet of what is usual");
        };
        let day = unix_s.saturating_add(i64::from(utc_offset_s)).div_euclid(86_400).rem_euclid(7);
        let day = usize::try_from(day).ok().and_then(|day| DAYS.get(day)).copied().unwrap_or("day");
        let when = match self.maturity() {
            Maturity::New => "now, from a few hours' traffic".to_owned(),
            Maturity::Days => "at this hour, from less than a week's traffic".to_owned(),
            Maturity::Weeks => format!("at this hour on a {day}"),
        };
        debug_assert_eq!(figure.unit(), GroundUnit::PerSecond);
        format!("{name} {when}: {}-{}/s", rounded(expected.low), rounded(expected.high))
    }
}

/// Two digits that matter.
fn rounded(rate: f64) -> String {
    match rate {
        small if small < 0.995 => format!("{small:.2}"),
        small if small < 9.95 => format!("{small:.1}"),
        large => {
            let step = 10_f64.powf((large.log10() - 1.0).floor()).max(1.0);
            format!("{:.0}", (large / step).round() * step)
        }
    }
}

#[cfg(test)]
mod tests;
