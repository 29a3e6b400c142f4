//! Whether a response may be stored (RFC 9111 section 3), and what is worth storing.
//!
//! Stricter than the RFC where a public site's visitors could otherwise be shown each other's pages
//! or an attacker's answer:
//!
//! - A response that sets a cookie is for one visitor.
//! - A response to a request with a personal cookie (see `cookies`) is stored only when the origin gave it a lifetime or
//!   said `public`; never on a guess, and never when it varies on the cookie.
//! - Of the errors only 404 and 410 speak of the address itself; 405, 414 and 501 nearly so: they
//!   are kept for seconds, and never in place of a page. Others (400, 413, 431 ...) can be provoked
//!   by one visitor's odd request and would then be shown to all, whatever lifetime they state.
//! - Other 5xx are not stored: the error would outlive its cause, and a kept copy is better than it.

use http::header::{ETAG, LAST_MODIFIED, SET_COOKIE};
use http::{HeaderMap, Method, StatusCode};

use super::directives::ResponseDirectives;
use super::freshness::{Exchange, Freshness, LifetimeSource, is_doubtful};
use super::request::CacheRequest;
use super::settings::CacheSettings;
use super::variant::Variant;

/// Why a response was not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum NotStored {
    /// The request bypasses the cache, or is not a GET.
    Request,
    /// A status this cache does not store.
    Status,
    /// The origin failed (5xx).
    ServerError,
    /// `no-store`, or a `Cache-Control` that cannot be read.
    NoStore,
    /// `private`.
    Private,
    /// It sets a cookie.
    SetCookie,
    /// The request carried `Authorization` and the response does not open itself to others
    /// (section 3.5).
    Authorization,
    /// The request carried a personal cookie and the response gives itself no lifetime.
    Cookie,
    /// It varies on the personal cookie the request carried.
    VariesOnCookie,
    /// `Vary: *`, or more names than are kept.
    VariesOnEverything,
    /// A coding the reduced `Accept-Encoding` did not ask for.
    Coding,
    /// Neither fresh, nor of use stale, nor to be validated.
    NothingToGain,
    /// Larger than one stored response may be.
    TooLarge,
    /// Too many bodies are being received to be stored.
    FillBudget,
    /// The body ended early or late, against its `Content-Length`.
    Incomplete,
    /// Changed or overtaken while it was received.
    Outdated,
}

impl NotStored {
    /// A short name for `Cache-Status` and metrics.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Status => "status",
            Self::ServerError => "server-error",
            Self::NoStore => "no-store",
            Self::Private => "private",
            Self::SetCookie => "set-cookie",
            Self::Authorization => "authorization",
            Self::Cookie => "cookie",
            Self::VariesOnCookie => "vary-cookie",
            Self::VariesOnEverything => "vary-any",
            Self::Coding => "coding",
            Self::NothingToGain => "no-lifetime",
            Self::TooLarge => "too-large",
            Self::FillBudget => "fill-budget",
            Self::Incomplete => "incomplete",
            Self::Outdated => "outdated",
        }
    }

    /// Whether the next visitor's answer will most likely not be stored either. Reasons that lie
    /// in the request do not count: one visitor must not set the mark for all.
    pub(crate) fn marks_address(self) -> bool {
        matches!(
            self,
            Self::NoStore
                | Self::Private
                | Self::SetCookie
                | Self::VariesOnEverything
                | Self::NothingToGain
                | Self::TooLarge
                | Self::Authorization
        )
    }

    /// Whether it was the asker who was answered so, and not the address: who shows a session is told
    /// "private" of pages that are everybody's. That must not cost the others their kept copy.
    pub(crate) fn is_about_asker(self, request: &CacheRequest<'_>) -> bool {
        matches!(self, Self::NoStore | Self::Private | Self::SetCookie | Self::Authorization)
            && request.is_personal()
    }

    /// Whether a stored response for the same request must go (section 4.3.3: a full answer says
    /// that the stored one is not suitable any more). Not on `SetCookie`: the copy that other
    /// visitors may share is as good as before.
    pub(crate) fn supersedes_stored(self, status: StatusCode) -> bool {
        is_about_address(status) && self != Self::SetCookie && self.marks_address()
    }
}

/// What storing a response needs to know of it.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) freshness: Freshness,
    pub(crate) variant: Variant,
    /// Whether it answers requests with `Authorization` too.
    pub(crate) answers_authorization: bool,
}

impl Plan {
    /// For a response that answers one request and is not stored.
    pub(crate) fn for_one_answer(
        status: StatusCode,
        headers: &HeaderMap,
        exchange: &Exchange,
        settings: &CacheSettings,
    ) -> Self {
        let directives = ResponseDirectives::of(headers);
        Self {
            freshness: Freshness::of(status, headers, &directives, exchange, settings),
            variant: Variant::default(),
            answers_authorization: false,
        }
    }
}

/// Judges a new response by its head.
///
/// # Errors
///
/// The reason why it must not or need not be stored.
pub(crate) fn judge(
    request: &CacheRequest<'_>,
    status: StatusCode,
    headers: &HeaderMap,
    exchange: &Exchange,
    settings: &CacheSettings,
) -> Result<Plan, NotStored> {
    if *request.method != Method::GET || request.bypass().is_some() {
        return Err(NotStored::Request);
    }
    let directives = ResponseDirectives::of(headers);
    let plan = judge_response(request, status, headers, &directives, exchange, settings)?;
    // Section 3.5.
    if request.has_authorization() && !plan.answers_authorization {
        return Err(NotStored::Authorization);
    }
    if request.has_personal_cookie() {
        if plan.variant.depends_on_cookie() {
            return Err(NotStored::VariesOnCookie);
        }
        let freshness = &plan.freshness;
        let stated = freshness.source() == LifetimeSource::Explicit && !freshness.lifetime().is_zero();
        if !stated && !directives.public {
            return Err(NotStored::Cookie);
        }
    }
    Ok(plan)
}

/// Judges a stored response that a 304 has confirmed, by its merged header. Who asked does not
/// matter: what is confirmed is a body that was stored for everybody.
///
/// # Errors
///
/// The reason why it must not or need not stay stored.
pub(crate) fn judge_confirmed(
    request: &CacheRequest<'_>,
    status: StatusCode,
    headers: &HeaderMap,
    exchange: &Exchange,
    settings: &CacheSettings,
) -> Result<Plan, NotStored> {
    let directives = ResponseDirectives::of(headers);
    judge_response(request, status, headers, &directives, exchange, settings)
}

fn judge_response(
    request: &CacheRequest<'_>,
    status: StatusCode,
    headers: &HeaderMap,
    directives: &ResponseDirectives,
    exchange: &Exchange,
    settings: &CacheSettings,
) -> Result<Plan, NotStored> {
    if status.is_server_error() && !is_doubtful(status) {
        return Err(NotStored::ServerError);
    }
    if !is_about_address(status) {
        return Err(NotStored::Status);
    }
    // Section 5.2.2.3: must-understand outranks no-store for a cache that knows the status, and
    // all statuses that come this far are known.
    if directives.no_store && !directives.must_understand {
        return Err(NotStored::NoStore);
    }
    if directives.private {
        return Err(NotStored::Private);
    }
    if headers.contains_key(SET_COOKIE) {
        return Err(NotStored::SetCookie);
    }
    let variant = Variant::of(headers, request.headers)?;
    if !variant.allows_coding_of(headers) {
        return Err(NotStored::Coding);
    }
    let freshness = Freshness::of(status, headers, directives, exchange, settings);
    if !is_worth_storing(status, headers, &freshness) {
        return Err(NotStored::NothingToGain);
    }
    let answers_authorization =
        directives.public || directives.must_revalidate || directives.s_maxage.is_some();
    Ok(Plan { freshness, variant, answers_authorization })
}

/// Statuses that say something of the address for everybody. 206 and 304 are answers to one
/// visitor's question; 1xx is not an answer.
fn is_about_address(status: StatusCode) -> bool {
    matches!(
        status.as_u16(),
        200 | 203 | 204 | 300 | 301 | 302 | 303 | 307 | 308 | 404 | 405 | 410 | 414 | 501
    )
}

/// Section 3 asks for an explicit lifetime, `public`, or a heuristically cacheable status; what of
/// that gives no lifetime is kept only where it can still serve: a page, stale or validated.
fn is_worth_storing(status: StatusCode, headers: &HeaderMap, freshness: &Freshness) -> bool {
    if freshness.began_fresh() {
        return true;
    }
    let has_validator = headers.contains_key(ETAG) || headers.contains_key(LAST_MODIFIED);
    status == StatusCode::OK && (has_validator || freshness.has_stale_use())
}
