//! How long a response is fresh, how old it is, and how long past that it may serve
//! (RFC 9111 section 4.2, RFC 5861).

use std::time::Duration;

use floodwall_model::Timestamp;
use http::header::{AGE, DATE, EXPIRES, LAST_MODIFIED};
use http::{HeaderMap, HeaderName, StatusCode};

use super::date::parse_date;
use super::directives::{ResponseDirectives, delta_seconds};
use super::settings::CacheSettings;

/// No response counts as fresh for longer than a year, whatever it says.
const LIFETIME_MAX: Duration = Duration::from_secs(365 * 24 * 3600);

/// When one exchange with the origin took place, and what its site's settings add.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exchange {
    /// When the request was sent to the origin.
    pub(crate) request_sent: Timestamp,
    /// When the head of its answer had been read.
    pub(crate) response_received: Timestamp,
    /// The site's own stale-if-error for answers that say nothing; `None` takes the cache's.
    pub(crate) stale_if_error: Option<Duration>,
}

/// Where a freshness lifetime comes from (RFC 9111 section 4.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LifetimeSource {
    /// `s-maxage`, `max-age` or `Expires`.
    Explicit,
    /// A tenth of the time since the last change (section 4.2.2).
    Heuristic,
    /// Nothing to go by: stale from the start.
    Unknown,
}

/// The times of one stored response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Freshness {
    received: Timestamp,
    /// `corrected_initial_age` of RFC 9111 section 4.2.3.
    initial_age: Duration,
    lifetime: Duration,
    source: LifetimeSource,
    stale_if_error: Duration,
    stale_while_revalidate: Duration,
}

impl Freshness {
    /// Works the times of a response out from its header.
    pub(crate) fn of(
        status: StatusCode,
        headers: &HeaderMap,
        directives: &ResponseDirectives,
        exchange: &Exchange,
        settings: &CacheSettings,
    ) -> Self {
        let (lifetime, source) = lifetime(status, headers, directives, exchange, settings);
        let lifetime = if is_doubtful(status) { lifetime.min(settings.negative_for) } else { lifetime };
        let default_stale = exchange.stale_if_error.unwrap_or(settings.default_stale_if_error);
        Self {
            received: exchange.response_received,
            initial_age: initial_age(headers, exchange),
            lifetime: lifetime.min(LIFETIME_MAX),
            source,
            stale_if_error: stale_if_error(directives, default_stale).min(LIFETIME_MAX),
            stale_while_revalidate: stale_while_revalidate(directives).min(LIFETIME_MAX),
        }
    }

    /// `current_age` of RFC 9111 section 4.2.3. Reads the monotonic clock only: stepping the wall
    /// clock neither ages nor rejuvenates what is stored.
    pub(crate) fn age(&self, now: Timestamp) -> Duration {
        self.initial_age.saturating_add(now.since(self.received))
    }

    /// RFC 9111 section 4.2: fresh while the lifetime is greater than the age.
    pub(crate) fn is_fresh(&self, now: Timestamp) -> bool {
        self.lifetime > self.age(now)
    }

    /// Whether it may be served now because the origin failed (RFC 5861 section 4).
    pub(crate) fn may_serve_on_error(&self, now: Timestamp) -> bool {
        self.lifetime.saturating_add(self.stale_if_error) > self.age(now)
    }

    /// Whether it may be served now while it is revalidated (RFC 5861 section 3).
    pub(crate) fn may_serve_while_revalidating(&self, now: Timestamp) -> bool {
        self.lifetime.saturating_add(self.stale_while_revalidate) > self.age(now)
    }

    /// Whether it may be served at all when the origin fails.
    pub(crate) fn may_stand_in(&self) -> bool {
        !self.stale_if_error.is_zero()
    }

    /// Whole seconds of freshness left; negative once stale.
    pub(crate) fn seconds_left(&self, now: Timestamp) -> i64 {
        let seconds = |span: Duration| i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
        seconds(self.lifetime).saturating_sub(seconds(self.age(now)))
    }

    pub(crate) fn received(&self) -> Timestamp {
        self.received
    }

    pub(crate) fn lifetime(&self) -> Duration {
        self.lifetime
    }

    pub(crate) fn source(&self) -> LifetimeSource {
        self.source
    }

    /// Whether it was fresh on arrival.
    pub(crate) fn began_fresh(&self) -> bool {
        self.lifetime > self.initial_age
    }

    /// Whether it may be served stale at all, counted from its arrival.
    pub(crate) fn has_stale_use(&self) -> bool {
        self.may_serve_on_error(self.received) || self.may_serve_while_revalidating(self.received)
    }
}

/// RFC 9111 section 4.2.1, in the order given there for a shared cache.
fn lifetime(
    status: StatusCode,
    headers: &HeaderMap,
    directives: &ResponseDirectives,
    exchange: &Exchange,
    settings: &CacheSettings,
) -> (Duration, LifetimeSource) {
    if directives.no_cache {
        // Section 5.2.2.4: not without validation, which is what stale means.
        return (Duration::ZERO, LifetimeSource::Explicit);
    }
    if let Some(seconds) = directives.s_maxage.or(directives.max_age) {
        return (seconds, LifetimeSource::Explicit);
    }
    let date = date_of(headers, exchange);
    if !directives.targeted && headers.contains_key(EXPIRES) {
        // An invalid date, above all `0`, is in the past (section 5.3), and of several the
        // earliest counts.
        let at = |line: &http::HeaderValue| parse_date(line.as_bytes()).unwrap_or(i64::MIN);
        let expires = headers.get_all(EXPIRES).iter().map(at).min().unwrap_or(i64::MIN);
        return (seconds_between(date, expires), LifetimeSource::Explicit);
    }
    let may_guess = directives.public || is_heuristically_cacheable(status);
    match single_date(headers, &LAST_MODIFIED) {
        _ if is_negative(status) && !settings.negative_for.is_zero() => {
            // Section 4.2.2 leaves the guess to us. Nobody is harmed by a page that appears a few
            // seconds late; a scan for missing pages is stopped here.
            (settings.negative_for, LifetimeSource::Heuristic)
        }
        Some(modified) if may_guess => {
            let tenth = seconds_between(modified, date) / 10;
            (tenth.min(settings.heuristic_max), LifetimeSource::Heuristic)
        }
        _ => (Duration::ZERO, LifetimeSource::Unknown),
    }
}

/// RFC 9111 section 4.2.3, up to `corrected_initial_age`.
fn initial_age(headers: &HeaderMap, exchange: &Exchange) -> Duration {
    let received_seconds = exchange.response_received.wall_unix_seconds();
    let apparent_age = seconds_between(date_of(headers, exchange), received_seconds);
    let response_delay = exchange.response_received.since(exchange.request_sent);
    let age_value = headers.get(AGE).and_then(|value| {
        // Section 5.1: of a list the first member counts; what is not a number is ignored.
        let first = value.as_bytes().split(|byte| *byte == b',').next().unwrap_or_default();
        delta_seconds(first.trim_ascii())
    });
    apparent_age.max(age_value.unwrap_or_default().saturating_add(response_delay))
}

/// RFC 9111 section 4.2.4 forbids stale answers under `no-cache`, `must-revalidate`,
/// `proxy-revalidate` and `s-maxage`. `stale-if-error` in the same response is the origin's own
/// exception from that, "regardless of other freshness information" (RFC 5861 section 4); a
/// default of ours is not.
fn stale_if_error(directives: &ResponseDirectives, default: Duration) -> Duration {
    let forbidden = directives.no_cache
        || directives.must_revalidate
        || directives.proxy_revalidate
        || directives.s_maxage.is_some();
    match directives.stale_if_error {
        Some(stated) => stated,
        None if forbidden => Duration::ZERO,
        None => default,
    }
}

/// Only where stated (RFC 5861 section 3). `s-maxage` does not forbid it, since the two are
/// written together for exactly this; the directives that demand validation do.
fn stale_while_revalidate(directives: &ResponseDirectives) -> Duration {
    let forbidden = directives.no_cache || directives.must_revalidate || directives.proxy_revalidate;
    if forbidden {
        return Duration::ZERO;
    }
    directives.stale_while_revalidate.unwrap_or_default()
}

/// The statuses RFC 9110 section 15.1 defines as heuristically cacheable, without 206: parts are
/// not stored here.
pub(crate) fn is_heuristically_cacheable(status: StatusCode) -> bool {
    matches!(status.as_u16(), 200 | 203 | 204 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501)
}

/// Errors that speak of the address and not of one visitor's request.
fn is_negative(status: StatusCode) -> bool {
    matches!(status.as_u16(), 404 | 405 | 410 | 414 | 501)
}

/// Errors that a request of an unusual kind may bring about: not kept for long, whatever they say.
pub(crate) fn is_doubtful(status: StatusCode) -> bool {
    matches!(status.as_u16(), 405 | 414 | 501)
}

/// `Date`, or the time of arrival where it is missing or invalid (RFC 9110 section 6.6.1).
fn date_of(headers: &HeaderMap, exchange: &Exchange) -> i64 {
    single_date(headers, &DATE).unwrap_or(exchange.response_received.wall_unix_seconds())
}

/// The Unix seconds of a date field that occurs once and is valid.
pub(crate) fn single_date(headers: &HeaderMap, name: &HeaderName) -> Option<i64> {
    let mut lines = headers.get_all(name).iter();
    let line = lines.next()?;
    if lines.next().is_some() {
        return None;
    }
    parse_date(line.as_bytes())
}

/// From `earlier` to `later`, both Unix seconds; zero when that is backwards.
fn seconds_between(earlier: i64, later: i64) -> Duration {
    Duration::from_secs(u64::try_from(later.saturating_sub(earlier)).unwrap_or(0))
}
