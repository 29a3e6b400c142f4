//! What a look-up can find.

use std::sync::Arc;

use super::cache_status::Forwarded;
use super::entry::CachedResponse;
use super::request::BypassReason;

/// What is stored for a request.
#[derive(Clone, Debug)]
pub(crate) enum LookUp {
    /// Serve it.
    Fresh(Arc<CachedResponse>),
    /// Stored but stale: revalidate it, and serve it meanwhile or instead only where it says so.
    Stale {
        /// The stored response.
        response: Arc<CachedResponse>,
        /// Serve it when the origin fails (RFC 5861 section 4).
        may_serve_on_error: bool,
        /// Serve it now and revalidate beside (RFC 5861 section 3).
        may_serve_while_revalidating: bool,
        /// Whether another request's revalidation is likely to answer this one too.
        worth_waiting: bool,
    },
    /// Nothing stored answers it.
    Miss {
        /// The address was found not cacheable a moment ago, or is not for this request: do not
        /// make requests for it wait for one another.
        known_uncacheable: bool,
        /// Its answer is most likely for it alone, and nobody should wait for it.
        alone: bool,
        /// Something is stored for the address, for other requests.
        other_variant: bool,
    },
    /// Pass it through, and its answer unstored.
    Bypass(BypassReason),
    /// It asked for a stored response only, and none serves: 504 (RFC 9111 section 5.2.1.7).
    Unsatisfiable,
}

impl LookUp {
    /// Why the request goes to the origin; `None` where it does not.
    pub(crate) fn forwarded(&self) -> Option<Forwarded> {
        match self {
            Self::Fresh(_) | Self::Unsatisfiable => None,
            Self::Stale { .. } => Some(Forwarded::Stale),
            Self::Miss { other_variant: true, .. } => Some(Forwarded::VaryMiss),
            Self::Miss { other_variant: false, .. } => Some(Forwarded::UriMiss),
            Self::Bypass(reason) => Some(Forwarded::Bypass(*reason)),
        }
    }
}
