//! The real data that episodes are made of: requests per minute of the 1998 World Cup site, and
//! an Apache log of 2015. Neither is in the repository; docs/detection.md says where to get them.

use std::path::Path;

/// Requests of one minute.
#[derive(Clone, Copy, Debug)]
pub(super) struct Minute {
    pub(super) unix_s: i64,
    pub(super) requests: f64,
}

/// One line of an access log.
#[derive(Clone, Debug)]
pub(super) struct LogLine {
    pub(super) unix_s: i64,
    pub(super) client: String,
    pub(super) method: String,
    pub(super) target: String,
    pub(super) status: u16,
    pub(super) referer: Option<String>,
    pub(super) agent: Option<String>,
}

fn text(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// Reads `period,count` lines: `1998-04-30 21:30:00,2`.
pub(super) fn minutes(path: &Path) -> Result<Vec<Minute>, String> {
    let text = text(path)?;
    let minutes: Vec<_> = text
        .lines()
        .filter_map(|line| {
            let (period, count) = line.split_once(',')?;
            let (date, time) = period.split_once(' ')?;
            let unix_s = unix_s(date.split('-'), time)?;
            Some(Minute { unix_s, requests: count.trim().parse().ok()? })
        })
        .collect();
    if minutes.len() < 10_000 {
        return Err(format!("{}: only {} minutes; is it the right file?", path.display(), minutes.len()));
    }
    Ok(minutes)
}

fn unix_s<'a>(mut date: impl Iterator<Item = &'a str>, time: &str) -> Option<i64> {
    let mut number = || date.next()?.parse::<i64>().ok();
    let (year, month, day) = (number()?, number()?, number()?);
    let mut clock = time.split(':').map(str::parse::<i64>);
    let mut part = || clock.next()?.ok();
    let seconds = part()? * 3_600 + part()? * 60 + part()?;
    Some(days(year, month, day) * 86_400 + seconds)
}

/// Days since 1970-01-01 of a date (Howard Hinnant's `days_from_civil`).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year - era * 400;
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Reads Apache's combined format, in order of time.
pub(super) fn log(path: &Path) -> Result<Vec<LogLine>, String> {
    let text = text(path)?;
    let mut lines: Vec<_> = text.lines().filter_map(line).collect();
    lines.sort_by_key(|line| line.unix_s);
    if lines.len() < 1_000 {
        return Err(format!("{}: only {} lines; is it the right file?", path.display(), lines.len()));
    }
    Ok(lines)
}

fn line(text: &str) -> Option<LogLine> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let client = text.split(' ').next()?.to_owned();
    let (_, rest) = text.split_once('[')?;
    let (when, rest) = rest.split_once(']')?;
    let (date, time) = when.split_once(':')?;
    let mut parts = date.split('/');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    let unix_s = unix_s([year, &month.to_string(), day].into_iter(), time.split(' ').next()?)?;
    let mut quoted = rest.split('"');
    let (_, asked, status) = (quoted.next()?, quoted.next()?, quoted.next()?);
    let referer = quoted.next().map(str::to_owned);
    let agent = quoted.nth(1).map(str::to_owned);
    let mut asked = asked.split(' ');
    Some(LogLine {
        unix_s,
        client,
        method: asked.next()?.to_owned(),
        target: asked.next()?.to_owned(),
        status: status.split_whitespace().next()?.parse().ok()?,
        referer,
        agent,
    })
}
