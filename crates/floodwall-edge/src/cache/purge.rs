//! Purging: an administrator, or the software that publishes pages, says what has changed.
//!
//! By address, by the beginning of addresses, or by a tag that the origin wrote into `Cache-Tag` or
//! `Surrogate-Key`. What is purged by default only expires: it is asked for anew, and still stands in
//! while the origin fails, so that a purge in the middle of an attack takes no page away. Removal is
//! for what must not be shown again.
//!
//! A purge by anything but one address looks at every stored response: milliseconds for tens of
//! thousands. Answers that were asked for before it are not stored after it.

use std::sync::atomic::Ordering;

use floodwall_model::{SiteId, Timestamp};
use http::{HeaderMap, HeaderName};

use super::key::{Key, KeyRef};
use super::slot::Slot;
use super::store::ResponseCache;
use crate::authority;

/// Fields in which origins name tags, `,` or white space between them.
const TAG_FIELDS: [HeaderName; 2] =
    [HeaderName::from_static("cache-tag"), HeaderName::from_static("surrogate-key")];

/// What is to be purged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PurgeTarget {
    /// One address, query included, over HTTP and HTTPS.
    Address {
        /// Host in lower case, with the port where it is not the usual one.
        authority: String,
        /// From the first `/`.
        path_and_query: String,
    },
    /// Every address on a host whose path and query begin so.
    Prefix {
        /// As above.
        authority: String,
        /// From the first `/`.
        path: String,
    },
    /// Every response that carries this tag; letters are told apart by case.
    Tag(String),
    /// Everything.
    All,
}

impl PurgeTarget {
    /// Reads `https://www.example.gov/news/a?page=2`, or with `*` at its end the beginning of
    /// addresses. `None` when it is no such URL.
    #[must_use]
    pub fn of_url(url: &str) -> Option<Self> {
        let (https, rest) = match url.strip_prefix("https://") {
            Some(rest) => (true, rest),
            None => (false, url.strip_prefix("http://")?),
        };
        let rest = rest.split('#').next()?;
        let slash = rest.find(['/', '?', '*']).unwrap_or(rest.len());
        let (given, path) = rest.split_at_checked(slash)?;
        if given.is_empty() || given.contains('@') {
            return None;
        }
        let authority = authority::canonical(given, https);
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Some(match path.strip_suffix('*') {
            Some(path) => Self::Prefix { authority, path: path.to_owned() },
            None => Self::Address { authority, path_and_query: path },
        })
    }
}

impl PurgeTarget {
    /// Whether an address is meant, whatever it carries.
    pub(crate) fn is_address(&self, authority: &str, path_and_query: &str) -> bool {
        match self {
            Self::Address { authority: host, path_and_query: address } => {
                authority == host && path_and_query == address
            }
            Self::Prefix { authority: host, path } => {
                authority == host && path_and_query.starts_with(path.as_str())
            }
            Self::Tag(_) => false,
            Self::All => true,
        }
    }
}

/// How thoroughly it is purged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PurgeDepth {
    /// It is stale from now on, and serves on only where the origin fails.
    #[default]
    Expire,
    /// It is gone.
    Remove,
}

impl ResponseCache {
    /// Purges what is stored for `site`, or for every site, and says of how many addresses something
    /// was purged.
    pub(crate) fn purge(
        &self,
        site: Option<SiteId>,
        target: &PurgeTarget,
        depth: PurgeDepth,
        now: Timestamp,
    ) -> usize {
        // Before anything is looked at: what is stored from here on was asked for after it.
        self.purged_nanos.fetch_max(now.monotonic_nanos(), Ordering::AcqRel);
        let _changing = self.begin_change();
        let purged = std::sync::atomic::AtomicUsize::new(0);
        self.retain(|key, slot| {
            if site.is_some_and(|site| key.as_ref().site != site) || !is_meant(target, key, slot) {
                return true;
            }
            purged.fetch_add(1, Ordering::Relaxed);
            slot.expire();
            depth == PurgeDepth::Expire
        });
        purged.into_inner()
    }
}

fn is_meant(target: &PurgeTarget, key: &Key, slot: &Slot) -> bool {
    let KeyRef { authority, path_and_query, .. } = key.as_ref();
    match target {
        PurgeTarget::Tag(tag) => slot.any(|response| has_tag(response.fields(), tag)),
        other => other.is_address(authority, path_and_query),
    }
}

/// Whether a response carries a tag.
pub(crate) fn has_tag(fields: &HeaderMap, tag: &str) -> bool {
    let is_between = |byte: &u8| *byte == b',' || byte.is_ascii_whitespace();
    let lines = TAG_FIELDS.into_iter().flat_map(|name| fields.get_all(name));
    lines
        .flat_map(|line| line.as_bytes().split(is_between))
        .any(|one| !one.is_empty() && one == tag.as_bytes())
}
