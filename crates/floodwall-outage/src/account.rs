//! How much of a time a target was up, down, in maintenance, or unknown. Recomputed from records
//! whenever it is asked, so that a figure can be checked by whoever has the records.

use crate::outage::Outage;

/// How the figures are made, to be printed beside them.
pub const ACCOUNTING_METHOD: &str = "Down from the middle of the interval in which an outage began to the middle of the one in \
which it ended. Time of which nothing is known, and announced maintenance, count neither as up nor as down: \
availability is up / (up + down). The range beside it takes the error bars of every outage at their best and worst.";

/// A span of time, in microseconds since 1970, its end not included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// Its start.
    pub start_unix_micros: i64,
    /// Its end.
    pub end_unix_micros: i64,
}

impl Span {
    fn within(self, other: Self) -> Option<Self> {
        let start_unix_micros = self.start_unix_micros.max(other.start_unix_micros);
        let end_unix_micros = self.end_unix_micros.min(other.end_unix_micros);
        (start_unix_micros < end_unix_micros).then_some(Self { start_unix_micros, end_unix_micros })
    }

    fn micros(self) -> u64 {
        u64::try_from(self.end_unix_micros.saturating_sub(self.start_unix_micros)).unwrap_or(0)
    }
}

/// What became of a span of time, in microseconds; the four add up to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Availability {
    /// Up.
    pub up_micros: u64,
    /// Down.
    pub down_micros: u64,
    /// Nothing is known.
    pub unknown_micros: u64,
    /// Announced maintenance.
    pub maintenance_micros: u64,
    /// Least and most that it can have been down, by the error bars.
    pub down_range_micros: (u64, u64),
}

impl Availability {
    /// Up in a million of what is known; `None` where nothing is.
    #[must_use]
    pub fn parts_per_million(&self) -> Option<u32> {
        share(self.up_micros, self.down_micros)
    }

    /// The same at worst and at best.
    #[must_use]
    pub fn range_parts_per_million(&self) -> Option<(u32, u32)> {
        let known = self.up_micros.saturating_add(self.down_micros);
        let (least, most) = self.down_range_micros;
        let at = |down: u64| share(known.saturating_sub(down.min(known)), down.min(known));
        Some((at(most)?, at(least)?))
    }
}

fn share(up: u64, down: u64) -> Option<u32> {
    let known = u128::from(up) + u128::from(down);
    u32::try_from((u128::from(up) * 1_000_000).checked_div(known)?).ok()
}

/// What became of `span`. What is of several kinds is maintenance before unknown before down. Spans
/// need no order and may overlap.
#[must_use]
pub fn availability(span: Span, outages: &[Outage], unknown: &[Span], maintenance: &[Span]) -> Availability {
    let end = span.end_unix_micros;
    let down = |start: fn(&Outage) -> i64, stop: fn(&Outage) -> Option<i64>| -> Vec<Span> {
        let spans = outages.iter().map(|outage| Span {
            start_unix_micros: start(outage),
            end_unix_micros: stop(outage).unwrap_or(end),
        });
        spans.collect()
    };
    let middle = down(|o| o.start.middle_unix_micros(), |o| o.end.map(|end| end.middle_unix_micros()));
    let least = down(
        |o| o.start.latest_unix_micros,
        |o| o.end.map(|end| end.earliest_unix_micros.unwrap_or(end.latest_unix_micros)),
    );
    let most = down(
        |o| o.start.earliest_unix_micros.unwrap_or(o.start.latest_unix_micros),
        |o| o.end.map(|end| end.latest_unix_micros),
    );
    let maintained = merged(span, maintenance);
    let not_known = merged(span, &[maintenance, unknown].concat());
    let covered = total(&not_known);
    let down_micros =
        |down: &[Span]| total(&merged(span, &[&not_known, down].concat())).saturating_sub(covered);
    let maintenance_micros = total(&maintained);
    let unknown_micros = covered.saturating_sub(maintenance_micros);
    let down_range_micros = (down_micros(&least), down_micros(&most));
    let down_micros = down_micros(&middle);
    let up_micros = span.micros().saturating_sub(covered).saturating_sub(down_micros);
    Availability { up_micros, down_micros, unknown_micros, maintenance_micros, down_range_micros }
}

/// The parts of `spans` within `span`, in order and without overlap.
fn merged(span: Span, spans: &[Span]) -> Vec<Span> {
    let mut parts: Vec<_> = spans.iter().filter_map(|part| part.within(span)).collect();
    parts.sort_unstable();
    let mut merged: Vec<Span> = Vec::with_capacity(parts.len());
    for part in parts {
        match merged.last_mut() {
            Some(last) if part.start_unix_micros <= last.end_unix_micros => {
                last.end_unix_micros = last.end_unix_micros.max(part.end_unix_micros);
            }
            _ => merged.push(part),
        }
    }
    merged
}

fn total(spans: &[Span]) -> u64 {
    spans.iter().fold(0, |sum, span| sum.saturating_add(span.micros()))
}

/// One day's figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayFigures {
    /// The day's start, 00:00 UTC, in seconds since 1970.
    pub day_unix_seconds: i64,
    /// What became of it.
    pub figures: Availability,
    /// Outages that touch it.
    pub outages: u32,
}

/// The figures of the `days` days up to and with the one of `now_unix_micros`, the oldest first. Days
/// before `since_unix_micros` and the rest of today are unknown.
#[must_use]
pub fn by_day(
    now_unix_micros: i64,
    since_unix_micros: i64,
    days: u16,
    outages: &[Outage],
    unknown: &[Span],
    maintenance: &[Span],
) -> Vec<DayFigures> {
    const DAY: i64 = 86_400_000_000;
    let today = now_unix_micros.div_euclid(DAY).saturating_mul(DAY);
    let watched = Span { start_unix_micros: since_unix_micros, end_unix_micros: now_unix_micros };
    let day = |back: u16| {
        let start_unix_micros = today.saturating_sub(i64::from(back).saturating_mul(DAY));
        let whole = Span { start_unix_micros, end_unix_micros: start_unix_micros.saturating_add(DAY) };
        let figures = whole
            .within(watched)
            .map(|part| availability(part, outages, unknown, maintenance))
            .unwrap_or_default();
        let touches = |outage: &&Outage| {
            let end = outage.end.map_or(now_unix_micros, |end| end.middle_unix_micros());
            let span = Span { start_unix_micros: outage.start.middle_unix_micros(), end_unix_micros: end };
            span.within(whole).is_some()
        };
        let outages = u32::try_from(outages.iter().filter(touches).count()).unwrap_or(u32::MAX);
        DayFigures { day_unix_seconds: start_unix_micros.div_euclid(1_000_000), figures, outages }
    };
    (0..days).rev().map(day).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outage::Edge;
    use proptest::prelude::*;

    fn outage(start: (i64, i64), end: Option<(i64, i64)>) -> Outage {
        let edge =
            |(earliest, latest)| Edge { earliest_unix_micros: Some(earliest), latest_unix_micros: latest };
        Outage { start: edge(start), end: end.map(edge), causes: Vec::new(), unknown_micros: 0 }
    }

    fn span(start_unix_micros: i64, end_unix_micros: i64) -> Span {
        Span { start_unix_micros, end_unix_micros }
    }

    #[test]
    fn unknown_and_maintenance_are_neither_up_nor_down() {
        let outages = [outage((90, 110), Some((290, 310)))];
        let figures = availability(span(0, 1000), &outages, &[span(250, 400)], &[span(380, 500)]);
        assert_eq!(figures.down_micros, 150);
        assert_eq!(figures.unknown_micros, 130);
        assert_eq!(figures.maintenance_micros, 120);
        assert_eq!(figures.up_micros, 600);
        assert_eq!(figures.down_range_micros, (140, 160));
        assert_eq!(figures.parts_per_million(), Some(800_000));
        assert_eq!(availability(span(0, 10), &[], &[span(0, 10)], &[]).parts_per_million(), None);
    }

    #[test]
    fn an_open_outage_lasts_until_now_and_days_are_cut_at_midnight() {
        const DAY: i64 = 86_400_000_000;
        let outages = [outage((DAY - 20, DAY), None)];
        let days = by_day(DAY + 100, DAY - 1000, 3, &outages, &[], &[]);
        let figures: Vec<_> = days
            .iter()
            .map(|d| (d.day_unix_seconds, d.figures.up_micros, d.figures.down_micros, d.outages))
            .collect();
        assert_eq!(figures, [(-86_400, 0, 0, 0), (0, 990, 10, 1), (86_400, 0, 100, 1)]);
    }

    proptest! {
        #[test]
        fn the_four_add_up_and_the_range_holds_the_middle(
            outages in proptest::collection::vec((0_i64..900, 0_i64..50, 0_i64..200, 0_i64..50), 0..6),
            unknown in proptest::collection::vec((0_i64..1000, 0_i64..200), 0..5),
            maintenance in proptest::collection::vec((0_i64..1000, 0_i64..200), 0..3),
        ) {
            let outages: Vec<_> = outages.into_iter()
                .map(|(at, w1, length, w2)| outage((at, at + w1), Some((at + w1 + length, at + w1 + length + w2))))
                .collect();
            let spans = |list: Vec<(i64, i64)>| list.into_iter().map(|(at, length)| span(at, at + length)).collect::<Vec<_>>();
            let f = availability(span(0, 1000), &outages, &spans(unknown), &spans(maintenance));
            prop_assert_eq!(f.up_micros + f.down_micros + f.unknown_micros + f.maintenance_micros, 1000);
            prop_assert!(f.down_range_micros.0 <= f.down_micros && f.down_micros <= f.down_range_micros.1);
        }
    }
}
