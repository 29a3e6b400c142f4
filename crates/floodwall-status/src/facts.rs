//! What a page is made of.

use std::time::Duration;

use floodwall_outage::{
    Cause, Family, OutageRecord, Span, State, TargetStatus, UnknownCause, WatchRecord, state_for_visitors,
};
use jiff::tz::TimeZone;

use crate::text::Language;

/// A text in both languages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wording {
    /// In English.
    pub english: String,
    /// In Spanish.
    pub spanish: String,
}

/// Everything that a page says.
#[derive(Clone, Debug)]
pub struct Facts {
    /// When it is made, in microseconds since 1970.
    pub made_unix_micros: i64,
    /// How long after that it is not to be believed any more.
    pub good_for: Duration,
    /// By whose clock its times and days are.
    pub zone: TimeZone,
    /// Its heading.
    pub title: Wording,
    /// What people can do while a site is down.
    pub help: Option<Wording>,
    /// Where it can be read; ends with `/`.
    pub url: Option<String>,
    /// The sites, in the order of the settings.
    pub sites: Vec<Site>,
    /// Unusual traffic, newest first.
    pub incidents: Vec<Incident>,
}

/// One site.
#[derive(Clone, Debug)]
pub struct Site {
    /// As people know it: its first host, or its name.
    pub name: String,
    /// What of it is watched.
    pub services: Vec<Service>,
}

/// What is said of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ServiceState {
    /// It works.
    Up,
    /// It works over IPv4 only, to which browsers fall back.
    UpOverIpv4,
    /// Nothing can be said.
    Unknown,
    /// It does not work.
    Down,
}

/// One thing that is watched.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// The same in Spanish, where it has one.
    pub name_es: Option<String>,
    /// From where it is seen.
    pub vantage: String,
    /// What is said of it.
    pub state: ServiceState,
    /// Why, where it is down.
    pub cause: Option<Cause>,
    /// When it was first watched, in microseconds since 1970.
    pub since_unix_micros: i64,
    /// Outages, newest first, as visitors met them: those over IPv4, or over IPv6 where it has no other
    /// address.
    pub outages: Vec<OutageRecord>,
    /// Outages over IPv6 of what has an IPv4 address too: they count in no figure.
    pub outages_ipv6: Vec<OutageRecord>,
    /// Times of which nothing is known.
    pub unknown: Vec<Span>,
}

impl Service {
    /// A service by what is on record of it and how it stands now. `now_unix_micros` bounds what is unknown
    /// up to now.
    #[must_use]
    pub fn new(target: &TargetStatus, record: &WatchRecord, now_unix_micros: i64) -> Self {
        let own = |name: &str, vantage: &str| *target.name == *name && *target.vantage == *vantage;
        let states: Vec<_> = target.families.iter().map(|status| (status.family, status.state)).collect();
        let state = state_for_visitors(&states, State::Unknown(UnknownCause::Silent));
        let has = |family| states.iter().any(|(of, _)| *of == Some(family));
        let primary = if has(Family::V6) && !has(Family::V4) { Family::V6 } else { Family::V4 };
        let counts = |family: Option<Family>| family.is_none_or(|family| family == primary);
        let mut outages: Vec<OutageRecord> =
            record.outages.iter().filter(|row| own(&row.target, &row.vantage)).cloned().collect();
        // What is open is newer here than on record.
        for open in target.families.iter().filter_map(|status| status.outage.as_ref()) {
            match outages.iter_mut().find(|known| known.key == open.key) {
                Some(known) => known.clone_from(open),
                None => outages.push(open.clone()),
            }
        }
        outages.sort_by_key(|row| std::cmp::Reverse(row.outage.start.latest_unix_micros));
        let (outages, others): (Vec<_>, Vec<_>) = outages.into_iter().partition(|row| counts(row.family));
        let unknown =
            record.unknown.iter().filter(|row| own(&row.target, &row.vantage) && counts(row.family));
        let mut unknown: Vec<_> = unknown.map(|row| row.span).collect();
        let watched =
            record.watched.iter().filter(|row| own(&row.target, &row.vantage) && counts(row.family));
        let since = watched.map(|row| row.since_unix_micros).min().unwrap_or(now_unix_micros);
        let known_until = target.families.iter().filter(|status| counts(status.family));
        let known_until = known_until.map(|status| status.known_until_unix_micros).max().unwrap_or(since);
        if matches!(state, State::Unknown(_)) {
            unknown.push(Span { start_unix_micros: known_until, end_unix_micros: now_unix_micros });
        }
        let half_down =
            states.iter().any(|(family, state)| *family == Some(Family::V6) && *state == State::Down);
        Self {
            name: target.name.to_string(),
            name_es: None,
            vantage: target.vantage.to_string(),
            state: match state {
                State::Up if half_down => ServiceState::UpOverIpv4,
                State::Up => ServiceState::Up,
                State::Down => ServiceState::Down,
                State::Unknown(_) => ServiceState::Unknown,
            },
            cause: outages.iter().find(|row| row.outage.end.is_none()).and_then(|row| row.outage.cause()),
            since_unix_micros: since,
            outages,
            outages_ipv6: others.into_iter().filter(|row| row.family == Some(Family::V6)).collect(),
            unknown,
        }
    }

    /// Its name in a language.
    pub(crate) fn name_in(&self, language: Language) -> &str {
        language.of(&self.name, self.name_es.as_deref().unwrap_or(&self.name))
    }

    /// The outage that is open.
    pub(crate) fn open(&self) -> Option<&OutageRecord> {
        self.outages.iter().find(|row| row.outage.end.is_none())
    }
}

impl Site {
    /// The worst that is said of one of its services; unknown where none is watched.
    pub(crate) fn state(&self) -> ServiceState {
        self.services.iter().map(|service| service.state).max().unwrap_or(ServiceState::Unknown)
    }

    /// Whether some of it works while some does not.
    pub(crate) fn is_partly_down(&self) -> bool {
        let is = |wanted: ServiceState| self.services.iter().any(|service| service.state == wanted);
        is(ServiceState::Down) && (is(ServiceState::Up) || is(ServiceState::UpOverIpv4))
    }
}

/// What unusual traffic was judged to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IncidentKind {
    /// More people than usual.
    Crowd,
    /// Requests that are not people's.
    Attack,
    /// Trouble of the site's own.
    Routine,
}

/// Unusual traffic at a site.
#[derive(Clone, Debug)]
pub struct Incident {
    /// The site, as [`Site::name`].
    pub site: String,
    /// What it was judged to be.
    pub kind: IncidentKind,
    /// When it began, in microseconds since 1970.
    pub onset_unix_micros: i64,
    /// When it ended; `None` while it goes on.
    pub end_unix_micros: Option<i64>,
    /// Whether the server stopped while it went on, so that nobody saw its end.
    pub is_interrupted: bool,
}
