//! The primary key of the cache, owned and borrowed, and the bound on its length.

use std::hash::{Hash, Hasher};

use floodwall_model::SiteId;
use quick_cache::Equivalent;

/// Bytes of authority, path and query together; longer requests bypass the cache.
pub(crate) const KEY_BYTES_MAX: usize = 8192;

/// A key as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    site: SiteId,
    https: bool,
    authority_bytes: u16,
    /// Authority, then path and query: one allocation.
    text: Box<str>,
}

/// A key as it is looked up: nothing is copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyRef<'a> {
    pub(crate) site: SiteId,
    pub(crate) https: bool,
    pub(crate) authority: &'a str,
    pub(crate) path_and_query: &'a str,
}

impl KeyRef<'_> {
    /// Copies the key; `None` when the authority is longer than any key may be.
    pub(crate) fn to_key(self) -> Option<Key> {
        Some(Key {
            site: self.site,
            https: self.https,
            authority_bytes: u16::try_from(self.authority.len()).ok()?,
            text: [self.authority, self.path_and_query].concat().into_boxed_str(),
        })
    }
}

impl Key {
    pub(crate) fn as_ref(&self) -> KeyRef<'_> {
        let (authority, path_and_query) =
            self.text.split_at_checked(usize::from(self.authority_bytes)).unwrap_or(("", &self.text));
        KeyRef { site: self.site, https: self.https, authority, path_and_query }
    }

    pub(crate) fn text_bytes(&self) -> usize {
        self.text.len()
    }
}

// Both hash the same parts in the same order, as `Equivalent` demands.
impl Hash for KeyRef<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.site.hash(state);
        self.https.hash(state);
        self.authority.hash(state);
        self.path_and_query.hash(state);
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_ref().hash(state);
    }
}

impl Equivalent<Key> for KeyRef<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        key.as_ref() == *self
    }
}

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher;

    use super::*;

    #[test]
    fn owned_and_borrowed_keys_agree() {
        let hasher = foldhash::quality::RandomState::default();
        let plain = KeyRef { site: SiteId(3), https: true, authority: "a.test", path_and_query: "/b?c" };
        let others = [
            KeyRef { site: SiteId(4), ..plain },
            KeyRef { https: false, ..plain },
            KeyRef { authority: "b.test", ..plain },
            KeyRef { path_and_query: "/b?d", ..plain },
            KeyRef { authority: "a.test/b", path_and_query: "?c", ..plain },
            KeyRef { authority: "", path_and_query: "a.test/b?c", ..plain },
        ];
        let key = plain.to_key().unwrap();
        assert!(plain.equivalent(&key));
        assert_eq!(hasher.hash_one(plain), hasher.hash_one(&key));
        for other in others {
            assert!(!other.equivalent(&key), "{other:?}");
            assert_ne!(hasher.hash_one(other), hasher.hash_one(&key), "{other:?}");
        }
        let endless = "a".repeat(70_000);
        assert_eq!(KeyRef { authority: &endless, ..plain }.to_key(), None);
    }
}
