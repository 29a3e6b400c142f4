//! What is kept of a failure, bounded, so that its cause can be checked later.

use crate::resolve::Answer;

/// Bytes of a body that are kept.
pub const EVIDENCE_BODY_BYTES: usize = 4096;
/// Header fields that are kept.
pub const EVIDENCE_FIELDS_MAX: usize = 64;
/// Bytes of a field's value that are kept.
const FIELD_BYTES_MAX: usize = 512;

/// A certificate that a server showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFacts {
    /// Whom it is for.
    pub subject: String,
    /// Who vouches for it.
    pub issuer: String,
    /// From when, in seconds since 1970.
    pub not_before_unix_seconds: i64,
    /// Until when.
    pub not_after_unix_seconds: i64,
    /// DNS names it is good for, at most 64.
    pub names: Vec<String>,
    /// SHA-256 of the whole certificate.
    pub sha256: [u8; 32],
}

/// What was seen when an attempt failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// The error in the words of whatever reported it; for reading only, nothing is decided by it.
    pub words: String,
    /// What was asked for last.
    pub url: Option<String>,
    /// The answer's header fields.
    pub fields: Vec<(String, String)>,
    /// The body's beginning.
    pub body: Vec<u8>,
    /// What the resolvers said.
    pub answers: Vec<Answer>,
}

impl Evidence {
    pub(crate) fn keep_fields(&mut self, headers: &http::HeaderMap) {
        let text = |value: &http::HeaderValue| {
            let bytes = value.as_bytes();
            String::from_utf8_lossy(bytes.get(..FIELD_BYTES_MAX).unwrap_or(bytes)).into_owned()
        };
        let fields = headers.iter().take(EVIDENCE_FIELDS_MAX);
        self.fields = fields.map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
    }

    pub(crate) fn keep_body(&mut self, body: &[u8]) {
        self.body = body.get(..EVIDENCE_BODY_BYTES).unwrap_or(body).to_vec();
    }
}
