//! File names of copies.

use std::fmt;

use aws_lc_rs::digest::{Context, SHA256};
use http::HeaderMap;

use super::format::StoredKey;
use crate::cache::{CachedResponse, Codings};

/// Stands for a copy that is the same whatever codings are accepted.
const ANY_CODINGS: u8 = 8;

/// What a copy is filed under: a digest of its key, and the codings it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Name {
    digest: [u8; 16],
    /// A set of codings, or [`ANY_CODINGS`].
    codings: u8,
    /// Whether the address has a query.
    pub(super) has_query: bool,
}

impl Name {
    fn new(key: &StoredKey, codings: u8) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(&[u8::from(key.https)]);
        for part in [&key.site, &key.authority, &key.path_and_query] {
            // With its length, so that no part can pass for the end of another.
            context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            context.update(part.as_bytes());
        }
        let whole = context.finish();
        let mut digest = [0; 16];
        digest.iter_mut().zip(whole.as_ref()).for_each(|(to, from)| *to = *from);
        Self { digest, codings, has_query: key.path_and_query.contains('?') }
    }

    pub(super) fn of(key: &StoredKey, response: &CachedResponse) -> Self {
        Self::new(key, response.variant().codings().map_or(ANY_CODINGS, Codings::bits))
    }

    /// Where a copy for a request would be.
    pub(super) fn for_request(key: &StoredKey, request: &HeaderMap) -> impl Iterator<Item = Self> {
        let first = Self::new(key, Codings::accepted_by(request).bits());
        [first, Self { codings: ANY_CODINGS, ..first }].into_iter()
    }

    /// Every name under which copies of a page may be.
    pub(super) fn all_of(key: &StoredKey) -> impl Iterator<Item = Self> {
        let first = Self::new(key, ANY_CODINGS);
        (0..=ANY_CODINGS).map(move |codings| Self { codings, ..first })
    }

    /// Reads a file's name back; `None` when it is not one of ours.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (digits, rest) = text.split_at_checked(32)?;
        let mut digest = [0; 16];
        for (byte, pair) in digest.iter_mut().zip(digits.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        let (codings, has_query) = match rest.as_bytes() {
            [b'-', codings @ b'0'..=b'8', b'p'] => (codings - b'0', false),
            [b'-', codings @ b'0'..=b'8', b'q'] => (codings - b'0', true),
            _ => return None,
        };
        Some(Self { digest, codings, has_query })
    }

    /// The folder it lies in: 256 of them keep each short.
    pub(super) fn folder(&self) -> String {
        format!("{:02x}", self.digest.first().copied().unwrap_or(0))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.digest {
            write!(f, "{byte:02x}")?;
        }
        write!(f, "-{}{}", self.codings, if self.has_query { 'q' } else { 'p' })
    }
}
