//! Availability by day and by month, at the page's own clock.

use floodwall_outage::{Availability, Outage, Span, availability};
use jiff::ToSpan;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::facts::{Facts, Service};

/// Days that a page shows, today included.
pub const DAYS: u16 = 90;

/// One day of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Day {
    pub(crate) date: Date,
    pub(crate) outages: u32,
    /// `None` where it was not watched at all.
    pub(crate) figures: Option<Availability>,
}

/// One month of a service, or the part of it that was watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Month {
    /// Its first day.
    pub(crate) first: Date,
    pub(crate) figures: Availability,
}

fn midnight(date: Date, zone: &TimeZone) -> i64 {
    // A midnight that a zone leaves out begins with the moment after the gap.
    date.to_zoned_datetime(zone.clone()).map_or(0, |start| start.timestamp().as_microsecond())
}

fn date_of(unix_micros: i64, zone: &TimeZone) -> Date {
    let at = jiff::Timestamp::from_microsecond(unix_micros).unwrap_or_default();
    at.to_zoned_datetime(zone.clone()).date()
}

fn today(facts: &Facts) -> Date {
    date_of(facts.made_unix_micros, &facts.zone)
}

fn within(service: &Service, facts: &Facts, start: i64, end: i64) -> Option<Availability> {
    let span = Span {
        start_unix_micros: start.max(service.since_unix_micros),
        end_unix_micros: end.min(facts.made_unix_micros),
    };
    let near = |outage: &&Outage| {
        let earliest = outage.start.earliest_unix_micros.unwrap_or(outage.start.latest_unix_micros);
        earliest < end && outage.end.is_none_or(|end| end.latest_unix_micros > start)
    };
    let outages: Vec<Outage> = service.outages.iter().map(|row| &row.outage).filter(near).cloned().collect();
    (span.start_unix_micros < span.end_unix_micros)
        .then(|| availability(span, &outages, &service.unknown, &[]))
}

fn touching(service: &Service, now: i64, start: i64, end: i64) -> u32 {
    let touches = service.outages.iter().filter(|row| {
        let until = row.outage.end.map_or(now, |end| end.middle_unix_micros());
        row.outage.start.middle_unix_micros() < end && until > start
    });
    u32::try_from(touches.count()).unwrap_or(u32::MAX)
}

/// The last [`DAYS`] days with the moments in which they begin and end, today first.
pub(crate) fn bounds(facts: &Facts) -> Vec<(Date, i64, i64)> {
    let today = today(facts);
    let mut end = today.tomorrow().map_or(facts.made_unix_micros, |tomorrow| midnight(tomorrow, &facts.zone));
    let mut bounds = Vec::with_capacity(usize::from(DAYS));
    for back in 0..DAYS {
        let Ok(date) = today.checked_sub(i64::from(back).days()) else { break };
        let start = midnight(date, &facts.zone);
        bounds.push((date, start, end));
        end = start;
    }
    bounds
}

/// The days of a service, within the [`bounds`] of the page.
pub(crate) fn days(service: &Service, facts: &Facts, bounds: &[(Date, i64, i64)]) -> Vec<Day> {
    let day = |(date, start, end): &(Date, i64, i64)| Day {
        date: *date,
        outages: touching(service, facts.made_unix_micros, *start, *end),
        figures: within(service, facts, *start, *end),
    };
    bounds.iter().map(day).collect()
}

/// This month and the two before it, as far as they were watched; the newest first.
pub(crate) fn months(service: &Service, facts: &Facts) -> Vec<Month> {
    let first = today(facts).first_of_month();
    let month = |back: i64| {
        let first = first.checked_sub(back.months()).ok()?;
        let next = first.checked_add(1.month()).ok()?;
        let figures = within(service, facts, midnight(first, &facts.zone), midnight(next, &facts.zone))?;
        Some(Month { first, figures })
    };
    (0..3).filter_map(month).collect()
}

/// The last [`DAYS`] days together, and since when, where it was first watched within them.
pub(crate) fn all_days(service: &Service, facts: &Facts) -> Option<(Availability, Option<Date>)> {
    let first = today(facts).checked_sub(i64::from(DAYS - 1).days()).ok()?;
    let start = midnight(first, &facts.zone);
    let figures = within(service, facts, start, facts.made_unix_micros)?;
    let since = (service.since_unix_micros > start).then(|| date_of(service.since_unix_micros, &facts.zone));
    Some((figures, since))
}
