//! What kind of client is at a connection's other end, as far as it shows before and beside its requests.
//!
//! Signatures of floods are made of it; what visitors carry is not bound to it. A browser's hello is
//! another when it brings a ticket, after an update, and behind an office's inspecting proxy; how it
//! opens HTTP/2 is not there over HTTP/1.1. Somebody who has proven himself would have to again.

use std::rc::Rc;

use floodwall_policy::Mark;

/// A fingerprint, with the number that signatures go by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OwnedMark {
    pub(crate) number: u32,
    pub(crate) words: Rc<str>,
}

impl OwnedMark {
    pub(crate) fn as_mark(&self) -> Mark<'_> {
        Mark { number: self.number, words: &self.words }
    }
}

/// The fingerprints of one connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ClientMarks {
    /// Of its TLS hello: JA4.
    pub(crate) tls: Option<OwnedMark>,
    /// Of how it opened HTTP/2.
    pub(crate) http2: Option<OwnedMark>,
}
