//! A moment known to within so much: posts say the second, people say "on Tuesday".

use serde::{Deserialize, Serialize};

/// A moment that lies in `[unix_s, unix_s + precision_s)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Moment {
    /// Not before this, in seconds since 1970.
    pub unix_s: i64,
    /// How wide the interval is, in seconds; at least 1.
    pub precision_s: u32,
}

impl Moment {
    /// Known to the second.
    #[must_use]
    pub fn second(unix_s: i64) -> Self {
        Self { unix_s, precision_s: 1 }
    }

    /// From one second to another, both included, in whichever order they are given.
    #[must_use]
    pub fn between(one_unix_s: i64, other_unix_s: i64) -> Self {
        let (first, last) = (one_unix_s.min(other_unix_s), one_unix_s.max(other_unix_s));
        let wide = last.saturating_sub(first).saturating_add(1);
        Self { unix_s: first, precision_s: u32::try_from(wide).unwrap_or(u32::MAX) }
    }

    /// The first second it can be.
    #[must_use]
    pub fn earliest_unix_s(&self) -> i64 {
        self.unix_s
    }

    /// The last second it can be.
    #[must_use]
    pub fn latest_unix_s(&self) -> i64 {
        self.unix_s.saturating_add(i64::from(self.precision_s.max(1)) - 1)
    }

    /// Reads `2026-11-03T12:00:07Z`, `2026-11-03T12:00Z`, `2026-11-03` (in UTC), or one with another
    /// offset: as exact as it is written.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Ok(at) = text.parse::<jiff::Timestamp>() {
            // `12:00Z` says the minute, `12:00:00Z` the second.
            let colons = text
                .find(['T', 't', ' '])
                .and_then(|day_ends| text.get(day_ends..))
                .map(|time| time.split(['Z', 'z', '+', '-']).next().unwrap_or(time).matches(':').count());
            let precision_s = match colons {
                Some(0) => 3600,
                Some(1) => 60,
                _ => 1,
            };
            return Some(Self { unix_s: at.as_second(), precision_s });
        }
        let day = text.parse::<jiff::civil::Date>().ok()?;
        let starts = jiff::tz::TimeZone::UTC.to_timestamp(day.at(0, 0, 0, 0)).ok()?.as_second();
        // More letters than a day has would be a time that could not be read.
        (text.len() <= 10).then_some(Self { unix_s: starts, precision_s: 86_400 })
    }

    /// In words, no more exact than it is known.
    #[must_use]
    pub fn in_words(&self) -> String {
        match self.precision_s {
            0 | 1 => utc(self.unix_s),
            60 => format!("{} UTC", cut(self.unix_s, 16)),
            86_400 if self.unix_s.rem_euclid(86_400) == 0 => format!("{} (UTC)", cut(self.unix_s, 10)),
            _ => format!("between {} and {}", utc(self.unix_s), utc(self.latest_unix_s())),
        }
    }
}

/// `2026-11-03 12:00:07 UTC`.
#[must_use]
pub fn utc(unix_s: i64) -> String {
    format!("{} UTC", cut(unix_s, 19))
}

fn cut(unix_s: i64, letters: usize) -> String {
    let Ok(at) = jiff::Timestamp::from_second(unix_s) else { return format!("second {unix_s} since 1970") };
    let text = at.to_string().replace('T', " ");
    text.get(..letters).unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_as_exact_as_it_is_written() {
        let check = |text: &str, words: Option<&str>| {
            assert_eq!(Moment::parse(text).map(|moment| moment.in_words()).as_deref(), words, "{text}");
        };
        check("2022-11-08T14:02:07Z", Some("2022-11-08 14:02:07 UTC"));
        check("2022-11-08T14:02:07.500+00:00", Some("2022-11-08 14:02:07 UTC"));
        check("2022-11-08T08:02:07-06:00", Some("2022-11-08 14:02:07 UTC"));
        check("2022-11-08T14:02Z", Some("2022-11-08 14:02 UTC"));
        check("2022-11-08T08:02-06:00", Some("2022-11-08 14:02 UTC"));
        check("2022-11-08", Some("2022-11-08 (UTC)"));
        check("2022-11-08T14:02:07", None);
        check("Tuesday", None);
        assert_eq!(
            Moment::between(1_667_916_127, 1_667_916_007).in_words(),
            "between 2022-11-08 14:00:07 UTC and 2022-11-08 14:02:07 UTC"
        );
    }
}
