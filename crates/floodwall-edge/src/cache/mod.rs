//! A shared HTTP cache in memory (RFC 9111), with serving stale on error (RFC 5861).
//!
//! What is answered here costs the origin nothing, so this is the first defence: it answers
//! everybody, and visitors have no way to ask past it. No I/O and no clock: every decision takes
//! `now`. The flow of a request:
//!
//! 1. [`ResponseCache::look_up`] says `Fresh`, `Stale`, `Miss`, `Bypass` or `Unsatisfiable`.
//! 2. A stored response is turned into an answer by [`CachedResponse::answer`], which also answers
//!    a visitor's own condition with 304.
//! 3. Before a request goes to the origin to fill or revalidate, [`prepare_fill`] or
//!    [`prepare_revalidation`] sets its header; on a stale copy,
//!    [`CachedResponse::try_begin_revalidation`] elects the one request that goes.
//! 4. [`after_revalidation`] says what the origin's status means for the stale copy:
//!    [`ResponseCache::freshen`] on 304, the stale copy or the error on 5xx, otherwise
//!    [`ResponseCache::begin_fill`] judges the new answer, takes its body along as it streams by
//!    and stores it in [`ResponseCache::finish_fill`].
//! 5. After an unsafe method, [`ResponseCache::invalidate_after`] drops what it changed.
//!    [`ResponseCache::purge`] does so on an administrator's word.
//!
//! Limits: only complete answers to GET are stored, never parts (206; parts are cut from what is
//! complete, see `ranges`), never answers that set cookies, and errors only where they speak of the
//! address itself; see `storability`.
//! Bodies still on their way to visitors after their copy was evicted have a bound of their own.

mod adopt;
mod cache_status;
mod cookies;
mod date;
mod directives;
mod entry;
mod fill;
mod freshen;
mod freshness;
mod headers;
mod key;
mod languages;
mod look_up;
mod markers;
mod purge;
mod ranges;
mod request;
mod settings;
mod slot;
mod storability;
mod store;
mod targeted;
mod validation;
mod variant;

#[cfg(test)]
mod tests;

pub(crate) use adopt::KeptResponse;
pub(crate) use cache_status::{Forwarded, OriginSaid, Served};
pub(crate) use directives::ResponseDirectives;
pub(crate) use entry::CachedResponse;
pub(crate) use fill::{Fill, Unstored};
pub(crate) use freshen::Freshened;
pub(crate) use freshness::Exchange;
pub(crate) use key::KeyRef;
pub(crate) use look_up::LookUp;
pub(crate) use purge::has_tag;
pub use purge::{PurgeDepth, PurgeTarget};
pub(crate) use request::CacheRequest;
pub use settings::CacheSettings;
pub(crate) use storability::NotStored;
pub(crate) use store::ResponseCache;
pub(crate) use validation::{
    Revalidation, after_revalidation, is_origin_failure, prepare_fill, prepare_revalidation,
};
pub(crate) use variant::Codings;
