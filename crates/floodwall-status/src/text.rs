//! Words of the page in each language: states, times, spans.

use floodwall_outage::{Cause, OutageRecord};
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::facts::{IncidentKind, ServiceState, Wording};

/// A language of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    English,
    Spanish,
}

const ENGLISH_MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const SPANISH_MONTHS: [&str; 12] = [
    "enero",
    "febrero",
    "marzo",
    "abril",
    "mayo",
    "junio",
    "julio",
    "agosto",
    "septiembre",
    "octubre",
    "noviembre",
    "diciembre",
];

impl Language {
    /// The words in this language.
    pub(crate) fn of<'w>(self, english: &'w str, spanish: &'w str) -> &'w str {
        match self {
            Self::English => english,
            Self::Spanish => spanish,
        }
    }

    pub(crate) fn wording(self, wording: &Wording) -> &str {
        self.of(&wording.english, &wording.spanish)
    }

    fn month_name(self, date: Date) -> &'static str {
        let names = match self {
            Self::English => ENGLISH_MONTHS,
            Self::Spanish => SPANISH_MONTHS,
        };
        let place = usize::try_from(date.month()).unwrap_or(1).saturating_sub(1);
        names.get(place).copied().unwrap_or_default()
    }

    /// `November 8, 2022`.
    pub(crate) fn date(self, date: Date) -> String {
        let (day, month, year) = (date.day(), self.month_name(date), date.year());
        match self {
            Self::English => format!("{month} {day}, {year}"),
            Self::Spanish => format!("{day} de {month} de {year}"),
        }
    }

    /// `November 2022`.
    pub(crate) fn month(self, first: Date) -> String {
        match self {
            Self::English => format!("{} {}", self.month_name(first), first.year()),
            Self::Spanish => format!("{} de {}", self.month_name(first), first.year()),
        }
    }

    /// `November 8, 2022, 09:02 EST`.
    pub(crate) fn moment(self, unix_micros: i64, zone: &TimeZone) -> String {
        let at = jiff::Timestamp::from_microsecond(unix_micros)
            .unwrap_or_default()
            .to_zoned_datetime(zone.clone());
        format!("{}, {}", self.date(at.date()), at.strftime("%H:%M %Z"))
    }

    pub(crate) fn cause(self, cause: Cause) -> &'static str {
        self.of(cause.in_english(), cause.in_spanish())
    }

    pub(crate) fn state(self, state: ServiceState) -> &'static str {
        match state {
            ServiceState::Up => self.of("Works", "Funciona"),
            ServiceState::UpOverIpv4 => self.of(
                "Works, but not over newer internet addresses (IPv6)",
                "Funciona, pero no con las direcciones de internet nuevas (IPv6)",
            ),
            ServiceState::Unknown => self.of("Not known", "No se sabe"),
            ServiceState::Down => self.of("Down", "No funciona"),
        }
    }

    pub(crate) fn incident(self, kind: IncidentKind) -> &'static str {
        match kind {
            IncidentKind::Crowd => {
                self.of("Many more visitors than usual", "Muchos más visitantes de lo habitual")
            }
            IncidentKind::Attack => self.of(
                "Many requests that do not look like people's: probably an attack",
                "Muchas peticiones que no parecen de personas: probablemente un ataque",
            ),
            IncidentKind::Routine => self.of("Technical trouble", "Problemas técnicos"),
        }
    }

    /// How long an outage was, with how far that can be off.
    pub(crate) fn length(self, row: &OutageRecord, now_unix_micros: i64) -> String {
        let mut text = span(row.outage.length_micros(now_unix_micros));
        let error = row.outage.length_error_micros();
        if error >= 1_000_000 {
            text = format!("{text} (\u{b1} {})", span(error));
        }
        if row.outage.unknown_micros >= 1_000_000 {
            let unknown = span(row.outage.unknown_micros);
            text = match self {
                Self::English => format!("{text}, of which {unknown} are not known"),
                Self::Spanish => format!("{text}, de los cuales {unknown} no se conocen"),
            };
        }
        text
    }
}

/// RFC 3339, in UTC, to the second.
pub(crate) fn rfc_3339(unix_micros: i64) -> String {
    let at = jiff::Timestamp::from_second(unix_micros.div_euclid(1_000_000)).unwrap_or_default();
    at.to_string()
}

/// `45 s`, `23 min`, `2 h 5 min`, `1 d 3 h`: the same in both languages.
pub(crate) fn span(micros: u64) -> String {
    let seconds = micros.saturating_add(500_000) / 1_000_000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}\u{a0}s"),
        (0, 0, 1..10) => format!("{minutes}\u{a0}min {}\u{a0}s", seconds % 60),
        (0, 0, _) => format!("{minutes}\u{a0}min"),
        (0, _, _) => format!("{hours}\u{a0}h {}\u{a0}min", minutes % 60),
        _ => format!("{days}\u{a0}d {}\u{a0}h", hours % 24),
    }
}

/// Parts in a million as per cent with two decimals, cut and not rounded: `100.00 %` is all of it.
pub(crate) fn per_cent(parts_per_million: u32) -> String {
    format!("{}.{:02}\u{a0}%", parts_per_million / 10_000, parts_per_million % 10_000 / 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_shares_are_cut_to_what_people_read() {
        for (seconds, text) in
            [(45, "45 s"), (125, "2 min 5 s"), (1_380, "23 min"), (7_500, "2 h 5 min"), (97_200, "1 d 3 h")]
        {
            assert_eq!(span(seconds * 1_000_000).replace('\u{a0}', " "), text);
        }
        for (parts, text) in
            [(1_000_000, "100.00 %"), (999_999, "99.99 %"), (0, "0.00 %"), (950_000, "95.00 %")]
        {
            assert_eq!(per_cent(parts).replace('\u{a0}', " "), text);
        }
    }
}
