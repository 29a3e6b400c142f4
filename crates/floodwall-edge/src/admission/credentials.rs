//! What visitors carry for the gate: three cookies, and a mark in the query where no cookie is kept.
//!
//! Limits: of each cookie the first two are looked at; a mark is found where it stands as a parameter
//! of its own.

use std::fmt::Write as _;
use std::time::Duration;

use floodwall_model::Timestamp;
use floodwall_policy::{SealedText, TICKET_LIFETIME};
use http::header::{COOKIE, HeaderMap, HeaderValue};
use smallvec::SmallVec;

/// What was proven.
const TOKEN: &str = "floodwall_token";
/// A place in the waiting room.
const TICKET: &str = "floodwall_ticket";
/// An answer to a proof of work; set by the page's script.
const WORK: &str = "floodwall_work";
/// How all of them begin.
const PREFIX: &[u8] = b"floodwall_";

/// The query's parameter.
const MARK: &str = "floodwall=";
/// For how long a mark says that its bearer has just been redirected. Later it is one that was kept with
/// an address, and says nothing.
const MARK_LIFETIME_S: i64 = 60;

/// Whether a cookie, given as `name=value`, is one of ours.
pub(crate) fn is_own_cookie(pair: &[u8]) -> bool {
    pair.starts_with(PREFIX)
}

/// Whether a `Cookie` field may hold one of ours.
pub(crate) fn has_own_cookie(line: &[u8]) -> bool {
    memchr::memmem::find(line, PREFIX).is_some()
}

/// The cookies of one request that are for the gate.
#[derive(Debug, Default)]
pub(super) struct Credentials<'a> {
    pub(super) tokens: SmallVec<[&'a [u8]; 2]>,
    pub(super) tickets: SmallVec<[&'a [u8]; 2]>,
    pub(super) works: SmallVec<[&'a [u8]; 2]>,
}

impl<'a> Credentials<'a> {
    /// Finds them in a request's header.
    pub(super) fn of(headers: &'a HeaderMap) -> Self {
        let mut found = Self::default();
        for line in headers.get_all(COOKIE) {
            if !has_own_cookie(line.as_bytes()) {
                continue;
            }
            for pair in line.as_bytes().split(|byte| *byte == b';').map(<[u8]>::trim_ascii) {
                let Some(equals) = pair.iter().position(|byte| *byte == b'=') else { continue };
                let (name, value) = pair.split_at(equals);
                let value = value.get(1..).unwrap_or_default();
                let of_its_name = match name {
                    _ if name == TOKEN.as_bytes() => &mut found.tokens,
                    _ if name == TICKET.as_bytes() => &mut found.tickets,
                    _ if name == WORK.as_bytes() => &mut found.works,
                    _ => continue,
                };
                if of_its_name.len() < 2 {
                    of_its_name.push(value);
                }
            }
        }
        found
    }
}

/// What a mark in the query says of its bearer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// He was redirected just now.
    Redirected,
    /// He keeps no cookies, and this is his ticket.
    Ticket(Box<str>),
    /// Nothing any more.
    Old,
}

impl Mark {
    /// Takes the mark out of a path with query; `None` where there is none.
    pub(crate) fn take(path: &str, query: &str, now: Timestamp) -> Option<(String, Self)> {
        memchr::memmem::find(query.as_bytes(), MARK.as_bytes())?;
        let mut mark = None;
        let mut rest = String::with_capacity(path.len().saturating_add(query.len()).saturating_add(1));
        rest.push_str(path);
        let mut separator = '?';
        for pair in query.split('&') {
            match pair.strip_prefix(MARK) {
                Some(value) => mark = Some(Self::read(value, now)),
                None => {
                    rest.push(std::mem::replace(&mut separator, '&'));
                    rest.push_str(pair);
                }
            }
        }
        mark.map(|mark| (rest, mark))
    }

    fn read(value: &str, now: Timestamp) -> Self {
        match value.split_once('.') {
            Some(("r", second)) => match second.parse::<i64>() {
                Ok(second)
                    if (0..=MARK_LIFETIME_S).contains(&now.wall_unix_seconds().saturating_sub(second)) =>
                {
                    Self::Redirected
                }
                _ => Self::Old,
            },
            Some(("t", ticket)) if ticket.len() == SealedText::LENGTH => Self::Ticket(ticket.into()),
            _ => Self::Old,
        }
    }

    /// The mark of who is redirected now.
    pub(super) fn of_redirect(now: Timestamp) -> String {
        format!("{MARK}r.{}", now.wall_unix_seconds())
    }

    /// The mark that carries a ticket.
    pub(super) fn of_ticket(ticket: &SealedText) -> String {
        format!("{MARK}t.{}", ticket.as_str())
    }
}

/// A path with query, and a mark behind it.
pub(super) fn with_mark(target: &str, mark: &str) -> String {
    let separator = if target.contains('?') { '&' } else { '?' };
    format!("{target}{separator}{mark}")
}

/// `Set-Cookie` values of one answer.
pub(super) struct Cookies {
    secure: bool,
}

impl Cookies {
    /// For visitors over HTTPS, or not.
    pub(super) fn new(secure: bool) -> Self {
        Self { secure }
    }

    /// Gives a token that is good for so long.
    pub(super) fn token(&self, token: &SealedText, lifetime: Duration) -> Option<HeaderValue> {
        self.set(TOKEN, token.as_str(), lifetime)
    }

    /// Gives a ticket.
    pub(super) fn ticket(&self, ticket: &SealedText) -> Option<HeaderValue> {
        self.set(TICKET, ticket.as_str(), TICKET_LIFETIME)
    }

    /// Deletes what was exchanged.
    pub(super) fn forget_exchanged(&self) -> impl Iterator<Item = HeaderValue> {
        [TICKET, WORK].into_iter().filter_map(|name| self.set(name, "", Duration::ZERO))
    }

    /// RFC 6265 section 4.1. `Lax`: links from other sites lead to pages, too.
    fn set(&self, name: &str, value: &str, lifetime: Duration) -> Option<HeaderValue> {
        let mut text = String::with_capacity(176);
        let secure = if self.secure { "; Secure" } else { "" };
        let _ = write!(
            text,
            "{name}={value}; Path=/; Max-Age={}; HttpOnly; SameSite=Lax{secure}",
            lifetime.as_secs()
        );
        HeaderValue::try_from(text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(unix_s: i64) -> Timestamp {
        Timestamp::new(Duration::from_secs(1), unix_s * 1_000_000)
    }

    #[test]
    fn cookies_are_found_among_others_and_over_several_fields() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("a=1; floodwall_token=one; xfloodwall_token=no"));
        headers.append(COOKIE, HeaderValue::from_static("floodwall_work=abc==;floodwall_ticket="));
        headers.append(COOKIE, HeaderValue::from_static("floodwall_token=two; floodwall_token=three"));
        let found = Credentials::of(&headers);
        assert_eq!(found.tokens.as_slice(), [b"one".as_slice(), b"two"]);
        assert_eq!(found.works.as_slice(), [b"abc=="]);
        assert_eq!(found.tickets.as_slice(), [b""]);
    }

    #[test]
    fn marks_are_taken_out_and_read() {
        let ticket = "x".repeat(SealedText::LENGTH);
        let bearing = format!("floodwall=t.{ticket}&a=1");
        let of_ticket = Mark::Ticket(ticket.into());
        for (query, rest, mark) in [
            ("floodwall=r.100", "/p", Some(Mark::Redirected)),
            ("a=1&floodwall=r.40&b=2", "/p?a=1&b=2", Some(Mark::Redirected)),
            ("floodwall=r.39", "/p", Some(Mark::Old)),
            ("floodwall=r.101", "/p", Some(Mark::Old)),
            ("floodwall=r.-9223372036854775807", "/p", Some(Mark::Old)),
            ("floodwall=&a", "/p?a", Some(Mark::Old)),
            (&bearing, "/p?a=1", Some(of_ticket)),
            ("floodwall=t.short", "/p", Some(Mark::Old)),
            ("afloodwall=r.100", "", None),
            ("a=floodwall%3D", "", None),
            ("", "", None),
        ] {
            let taken = Mark::take("/p", query, at(100));
            assert_eq!(taken, mark.map(|mark| (rest.to_owned(), mark)), "{query}");
        }
    }

    #[test]
    fn what_is_given_is_taken_back() {
        let now = at(100);
        for target in ["/p", "/p?a=1"] {
            let marked = with_mark(target, &Mark::of_redirect(now));
            let (path, query) = marked.split_once('?').unwrap();
            assert_eq!(Mark::take(path, query, now), Some((target.to_owned(), Mark::Redirected)));
        }
    }

    #[test]
    fn cookies_of_https_are_for_https_alone() {
        let deleted = |secure| Cookies::new(secure).forget_exchanged().next().unwrap();
        assert_eq!(deleted(false), "floodwall_ticket=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
        assert_eq!(deleted(true), "floodwall_ticket=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure");
    }
}
