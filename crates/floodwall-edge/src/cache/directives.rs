//! `Cache-Control` of requests and responses (RFC 9111 section 5.2, RFC 5861).
//!
//! In doubt the reading is the one that stores less and serves less: of several values the
//! smallest counts, an invalid number is zero, and a field that cannot be read to its end is
//! `no-store`. Limits: 4 KiB and 64 directives, beyond which a field is `no-store` as well.
//!
//! A field meant for caches like this one (`targeted`) is read in place of `Cache-Control`.

use std::time::Duration;

use http::HeaderMap;
use http::header::CACHE_CONTROL;

use super::targeted;

/// Bytes of one message's `Cache-Control` lines that are read.
pub(super) const BYTES_MAX: usize = 4096;
/// Directives of one message that are read.
pub(super) const DIRECTIVES_MAX: usize = 64;
/// What a number too large to represent stands for (RFC 9111 section 1.2.2).
pub(super) const DELTA_SECONDS_MAX: u64 = 1 << 31;

/// The directives of a response that a shared cache acts on. `private` and `no-cache` with field
/// names count like those without, which section 5.2.2.4 and 5.2.2.7 note as common and is safe.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ResponseDirectives {
    pub(crate) no_store: bool,
    pub(crate) no_cache: bool,
    pub(crate) private: bool,
    pub(crate) public: bool,
    pub(crate) must_revalidate: bool,
    pub(crate) proxy_revalidate: bool,
    pub(crate) must_understand: bool,
    pub(crate) max_age: Option<Duration>,
    pub(crate) s_maxage: Option<Duration>,
    pub(crate) stale_if_error: Option<Duration>,
    pub(crate) stale_while_revalidate: Option<Duration>,
    /// They stood in a targeted field: `Cache-Control` and `Expires` do not count (RFC 9213 section
    /// 2.2).
    pub(crate) targeted: bool,
}

impl ResponseDirectives {
    /// Reads the directives of a response: those targeted at us, else its `Cache-Control`.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        if let Some(targeted) = targeted::directives(headers) {
            return targeted;
        }
        let mut found = Self::default();
        let outcome = for_each(headers, |name, argument| found.take(name, argument));
        if outcome == Outcome::Unreadable {
            found.no_store = true;
            // must-understand would let no-store be overlooked; nothing here is understood.
            found.must_understand = false;
        }
        found
    }

    fn take(&mut self, name: &[u8], argument: Argument<'_>) {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        if is("no-store") {
            self.no_store = true;
        } else if is("no-cache") {
            self.no_cache = true;
        } else if is("private") {
            self.private = true;
        } else if is("public") {
            self.public = true;
        } else if is("must-revalidate") {
            self.must_revalidate = true;
        } else if is("proxy-revalidate") {
            self.proxy_revalidate = true;
        } else if is("must-understand") {
            self.must_understand = true;
        } else if is("max-age") {
            lower(&mut self.max_age, argument);
        } else if is("s-maxage") {
            lower(&mut self.s_maxage, argument);
        } else if is("stale-if-error") {
            lower(&mut self.stale_if_error, argument);
        } else if is("stale-while-revalidate") {
            lower(&mut self.stale_while_revalidate, argument);
        }
    }
}

/// Whether a request asks for `only-if-cached` (RFC 9111 section 5.2.1.7).
///
/// It is the only request directive acted on. The others are advisory (section 5.2.1), and this is
/// a gateway under the origin's control: were `no-cache`, `no-store`, `max-age=0` or `Pragma`
/// obeyed, any visitor could send a flood past the cache to the origin with one header line.
pub(crate) fn asks_only_if_cached(headers: &HeaderMap) -> bool {
    let mut found = false;
    let outcome = for_each(headers, |name, _| {
        found |= name.eq_ignore_ascii_case(b"only-if-cached");
    });
    found && outcome == Outcome::Read
}

fn lower(kept: &mut Option<Duration>, argument: Argument<'_>) {
    let seconds = argument.delta_seconds().unwrap_or(Duration::ZERO);
    *kept = Some(kept.map_or(seconds, |already| already.min(seconds)));
}

/// Seconds as RFC 9111 section 1.2.2 writes them: digits only, too large is the largest.
pub(crate) fn delta_seconds(digits: &[u8]) -> Option<Duration> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let seconds = digits.iter().fold(0_u64, |sum, digit| {
        let next = sum.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
        next.min(DELTA_SECONDS_MAX)
    });
    Some(Duration::from_secs(seconds))
}

#[derive(Clone, Copy, Debug)]
enum Argument<'a> {
    None,
    /// A token, or what stands between the quotes, escapes left in: numbers have none.
    Text(&'a [u8]),
    /// White space around `=`, or text after a closing quote: not the grammar of section 5.2.
    Malformed,
}

impl Argument<'_> {
    fn delta_seconds(self) -> Option<Duration> {
        match self {
            Self::Text(text) => delta_seconds(text),
            Self::None | Self::Malformed => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Read,
    /// A quote is not closed, or the field is over its bounds.
    Unreadable,
}

fn for_each(headers: &HeaderMap, mut take: impl FnMut(&[u8], Argument<'_>)) -> Outcome {
    let mut bytes_left = BYTES_MAX;
    let mut directives_left = DIRECTIVES_MAX;
    for line in headers.get_all(CACHE_CONTROL) {
        let mut rest = line.as_bytes();
        let Some(left) = bytes_left.checked_sub(rest.len()) else {
            return Outcome::Unreadable;
        };
        bytes_left = left;
        while !rest.is_empty() {
            let Some((directive, after)) = split_at_comma(rest) else {
                return Outcome::Unreadable;
            };
            rest = after;
            let directive = directive.trim_ascii();
            if directive.is_empty() {
                continue;
            }
            let Some(left) = directives_left.checked_sub(1) else {
                return Outcome::Unreadable;
            };
            directives_left = left;
            let (name, argument) = split_directive(directive);
            take(name, argument);
        }
    }
    Outcome::Read
}

/// The text before the next comma that is not quoted, and what follows; `None` when a quote stays
/// open.
fn split_at_comma(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut quoted = false;
    let mut escaped = false;
    for (at, byte) in text.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' if !quoted => return Some((text.get(..at)?, text.get(at.checked_add(1)?..)?)),
            _ => {}
        }
    }
    (!quoted).then_some((text, &[]))
}

fn split_directive(directive: &[u8]) -> (&[u8], Argument<'_>) {
    let mut halves = directive.splitn(2, |byte| *byte == b'=');
    let name = halves.next().unwrap_or_default();
    let Some(value) = halves.next() else {
        return (name, Argument::None);
    };
    let trimmed_name = name.trim_ascii();
    if trimmed_name.len() != name.len() || value.trim_ascii().len() != value.len() {
        return (trimmed_name, Argument::Malformed);
    }
    match value.strip_prefix(b"\"") {
        None => (name, Argument::Text(value)),
        Some(open) => match open.strip_suffix(b"\"") {
            // A quote inside is either escaped or ends the text early: no number either way.
            Some(text) if !text.contains(&b'"') => (name, Argument::Text(text)),
            _ => (name, Argument::Malformed),
        },
    }
}
