//! What the office knows beforehand: `[[calendar]]`, days on which more is expected or people behave as on
//! a Sunday; and the time zones by which a site's visitors live.

use floodwall_detection::{Calendar, CalendarEntry, Occasion};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use toml::de::{DeTable, DeValue};

use super::Settings;
use super::definition::{Located, kind_in_words};
use super::draft::elements;
use super::forms::{TextFault, TextForm, shorten};
use super::keys;
use super::section::{Log, Section};

/// One `[[calendar]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CalendarDay {
    /// The first day.
    pub(crate) date: Date,
    /// The last day, included.
    pub(crate) last: Date,
    /// So many times the usual traffic; `None` is a holiday.
    pub(crate) expect: Option<u32>,
    /// As people call it.
    pub(crate) name: String,
    /// The sites it is for; all where there is none.
    pub(crate) sites: Vec<String>,
}

/// What was read of one `[[calendar]]`.
pub(super) struct CalendarDraft {
    /// `calendar[0]`.
    path: String,
    date: Option<Located<Date>>,
    last: Option<Located<Date>>,
    expect: Option<u32>,
    /// Whether `expect` is there and cannot be read.
    expect_is_lost: bool,
    name: Option<String>,
    sites: Option<Located<Vec<Located<String>>>>,
}

impl CalendarDraft {
    /// Every `[[calendar]]` of a file.
    pub(super) fn read_all(document: &DeTable<'_>, log: &mut Log) -> Vec<Self> {
        const EXAMPLE: &str = "write [[calendar]] and below it date, expect and name";
        let Some(item) = document.get("calendar") else { return Vec::new() };
        let list: Vec<_> = match item.get_ref() {
            DeValue::Array(list) => list.iter().collect(),
            DeValue::Table(_) => {
                let problem = "`calendar` is written as a single table";
                log.error(Some(&item.span()), "calendar", problem, "write [[calendar]] with two brackets");
                vec![item]
            }
            other => {
                let problem = format!("{} is found where a table is expected", kind_in_words(other));
                log.error(Some(&item.span()), "calendar", problem, EXAMPLE);
                return Vec::new();
            }
        };
        let max = Calendar::ENTRIES_MAX;
        if list.len() > max {
            let problem = format!("{} entries are too many", list.len());
            log.error(Some(&item.span()), "calendar", problem, format!("write {max} at most"));
        }
        let mut days = Vec::new();
        for (index, day) in list.into_iter().take(max).enumerate() {
            let path = format!("calendar[{index}]");
            match day.get_ref() {
                DeValue::Table(table) => {
                    days.push(Self::read(Section::new("calendar", path, Some(table), Some(day.span())), log));
                }
                other => {
                    let problem = format!("{} is found where a table is expected", kind_in_words(other));
                    log.error(Some(&day.span()), &path, problem, EXAMPLE);
                }
            }
        }
        days
    }

    fn read(section: Section<'_>, log: &mut Log) -> Self {
        section.report_unknown(log);
        let expect = section.value(log, &keys::CALENDAR_EXPECT);
        Self {
            date: section.get(log, &keys::CALENDAR_DATE),
            last: section.get(log, &keys::CALENDAR_LAST),
            expect_is_lost: expect.is_none() && section.has(&keys::CALENDAR_EXPECT),
            expect,
            name: section.value(log, &keys::CALENDAR_NAME),
            sites: section.get(log, &keys::CALENDAR_SITES),
            path: section.path,
        }
    }

    /// Faults that show only beside other settings.
    pub(super) fn check(&self, names: &[&str], log: &mut Log) {
        if let (Some(date), Some(last)) = (&self.date, &self.last)
            && last.value < date.value
        {
            let problem = format!("`last` ({}) is before `date` ({})", last.value, date.value);
            let fix = "write a later day, or leave `last` out for a single day";
            log.error(last.at.as_ref(), &format!("{}.last", self.path), problem, fix);
        }
        for site in elements(self.sites.as_ref()) {
            if !names.contains(&site.value.as_str()) {
                let known: Vec<_> = names.iter().take(10).map(|name| format!("\"{name}\"")).collect();
                let problem = format!("no site is named `{}`", shorten(&site.value));
                let fix = format!("write a site's name: {}", known.join(" or "));
                log.error(site.at.as_ref(), &format!("{}.sites", self.path), problem, fix);
            }
        }
    }

    /// The entry, when all of it could be read.
    pub(super) fn whole(self) -> Option<CalendarDay> {
        if self.expect_is_lost {
            return None;
        }
        let date = self.date?.value;
        Some(CalendarDay {
            date,
            last: self.last.map_or(date, |last| last.value),
            expect: self.expect,
            name: self.name?,
            sites: self.sites?.value.into_iter().map(|site| site.value).collect(),
        })
    }
}

impl Settings {
    /// The calendar of a site, by its visitors' clock.
    pub(crate) fn calendar_of(&self, site: &super::Site) -> Calendar {
        let mut calendar = Calendar::default();
        for day in &self.calendar {
            if !day.sites.is_empty() && !day.sites.contains(&site.name) {
                continue;
            }
            let midnight = |date: Date| {
                let start = date.to_zoned_datetime(site.zone.0.clone()).ok()?;
                Some(start.timestamp().as_second())
            };
            let after = day.last.tomorrow().unwrap_or(day.last);
            let (Some(from_unix_s), Some(until_unix_s)) = (midnight(day.date), midnight(after)) else {
                continue;
            };
            let occasion = day.expect.map_or(Occasion::Holiday, |times| Occasion::Expect(times.into()));
            let entry = CalendarEntry { from_unix_s, until_unix_s, occasion, name: day.name.clone() };
            // Its bounds are those of the settings, which were checked.
            let _ = calendar.add(entry);
        }
        calendar
    }
}

/// A day, as `2026-11-03`.
pub(super) struct Day;

impl TextForm for Day {
    type Output = Date;

    fn expected(&self) -> String {
        "a day as year, month and day".to_owned()
    }

    fn example(&self) -> &'static str {
        "2026-11-03"
    }

    fn parse(&self, text: &str) -> Result<Date, TextFault> {
        let wrong = || {
            TextFault::new(
                format!("`{}` is no day", shorten(text)),
                "write year, month and day, for example \"2026-11-03\"",
            )
        };
        // No other way of writing it: 03/11 is another day elsewhere.
        let plain = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        let day = text.parse::<Date>().ok().filter(|_| plain).ok_or_else(wrong)?;
        // Further off, the zone's rules are guesses, and so is the year.
        if (1970..=2200).contains(&day.year()) { Ok(day) } else { Err(wrong()) }
    }
}

/// The time zone of a site's visitors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Zone(pub(crate) TimeZone);

/// Reads a [`Zone`].
pub(super) struct ZoneName;

impl TextForm for ZoneName {
    type Output = Zone;

    fn expected(&self) -> String {
        "the name of a time zone that this host knows, or a POSIX rule".to_owned()
    }

    fn example(&self) -> &'static str {
        "America/New_York"
    }

    fn parse(&self, text: &str) -> Result<Zone, TextFault> {
        if text == "UTC" {
            return Ok(Zone(TimeZone::UTC));
        }
        let known = TimeZone::get(text).or_else(|_| TimeZone::posix(text));
        known.map(Zone).map_err(|_| {
            TextFault::new(
                format!("`{}` is no time zone that this host knows", shorten(text)),
                "write for example \"America/New_York\" (`timedatectl list-timezones` lists them), or a rule such as \"EST5EDT,M3.2.0,M11.1.0\" where no time zones are installed",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{AnyHost, Reading, Settings};

    const SITE: &str = "[[site]]\nname = \"sos\"\nhosts = [\"a.test\"]\norigin = [\"http://10.0.0.5:80\"]\n";

    fn read(calendar: &str, zone: &str) -> Result<Settings, String> {
        let zone = format!("[site.detection]\ntime_zone = \"{zone}\"\n");
        let text = format!("{SITE}{zone}{calendar}");
        let reading = Reading::of_text("f.toml", std::path::Path::new(""), &text, AnyHost::Refused);
        reading.finish().map(|(settings, _)| settings).map_err(|faults| faults.to_string())
    }

    #[test]
    fn a_day_lasts_from_midnight_to_midnight_where_the_visitors_live() {
        let election = "[[calendar]]\ndate = \"2026-11-03\"\nexpect = 30\nname = \"election\"\n";
        let holiday = "[[calendar]]\ndate = \"2026-11-26\"\nlast = \"2026-11-27\"\nname = \"Thanksgiving\"\n";
        let settings = read(&format!("{election}{holiday}"), "EST5EDT,M3.2.0,M11.1.0").unwrap();
        let calendar = settings.calendar_of(&settings.sites[0]);
        // 2026-11-03T05:00:00Z is midnight in New York.
        let midnight = 1_793_682_000;
        for (unix_s, factor) in [(midnight - 1, 1.0), (midnight, 30.0), (midnight + 86_399, 30.0)] {
            assert!((calendar.factor(unix_s) - factor).abs() < f64::EPSILON, "{unix_s}");
        }
        assert_eq!(calendar.entries()[1].until_unix_s - calendar.entries()[1].from_unix_s, 2 * 86_400);
    }

    #[test]
    fn faults_name_line_and_key() {
        for (calendar, zone, fault) in [
            ("[[calendar]]\nname = \"x\"\n", "UTC", "`date` is missing"),
            (
                "[[calendar]]\ndate = \"03/11/2026\"\nname = \"x\"\n",
                "UTC",
                "f.toml:8:8: error: calendar[0].date: ",
            ),
            (
                "[[calendar]]\ndate = \"2026-11-03\"\nlast = \"2026-11-02\"\nname = \"x\"\n",
                "UTC",
                "calendar[0].last: `last` (2026-11-02) is before `date`",
            ),
            (
                "[[calendar]]\ndate = \"2026-11-03\"\nname = \"x\"\nsites = [\"soz\"]\n",
                "UTC",
                "f.toml:10:10: error: calendar[0].sites: no site is named `soz`",
            ),
            ("[[calendar]]\ndate = \"2026-11-03\"\nexpect = 0\nname = \"x\"\n", "UTC", "0 is too small"),
            (
                "[calendar]\ndate = \"2026-11-03\"\nname = \"x\"\n",
                "UTC",
                "write [[calendar]] with two brackets",
            ),
            (
                "",
                "Mars/Olympus",
                "f.toml:6:13: error: site[0].detection.time_zone: `Mars/Olympus` is no time zone",
            ),
        ] {
            let faults = read(calendar, zone).unwrap_err();
            assert!(faults.contains(fault), "{calendar}: {faults}");
        }
    }
}
