//! A short payload with its tag, as text that fits a cookie.
//!
//! 36 bytes of payload and 18 of tag (HMAC-SHA256 cut to 144 bits; RFC 2104, section 5, allows no
//! less than 128) are 54 bytes, which are 72 letters of base64url (RFC 4648, section 5) without
//! padding and without a bit to spare: every text of a payload is its only one.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::secret::MacKey;

pub(crate) const PAYLOAD_BYTES: usize = 36;
const TAG_BYTES: usize = 18;
const SEALED_BYTES: usize = PAYLOAD_BYTES + TAG_BYTES;

/// A sealed payload as text: 72 letters, digits, `-` and `_`, fit for a cookie, a form or a query.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SealedText([u8; Self::LENGTH]);

impl SealedText {
    /// Letters in each.
    pub const LENGTH: usize = SEALED_BYTES / 3 * 4;

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // The alphabet is ASCII.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl std::fmt::Debug for SealedText {
    /// Not the text itself: whoever reads it in a log could use it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SealedText(not shown)")
    }
}

/// What arrived: a payload, and a tag that is yet to be verified.
pub(crate) struct Unverified {
    bytes: [u8; SEALED_BYTES],
}

impl Unverified {
    /// Decodes a text; `None` when none of ours can look like it.
    pub(crate) fn decode(text: &[u8]) -> Option<Self> {
        if text.len() != SealedText::LENGTH {
            return None;
        }
        let mut bytes = [0; SEALED_BYTES];
        let decoded = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
        (decoded == SEALED_BYTES).then_some(Self { bytes })
    }

    /// The payload, of which nothing may be believed before [`Self::is_tagged_by`].
    pub(crate) fn payload(&self) -> &[u8; PAYLOAD_BYTES] {
        const EMPTY: &[u8; PAYLOAD_BYTES] = &[0; PAYLOAD_BYTES];
        self.bytes.first_chunk().unwrap_or(EMPTY)
    }

    /// Whether the payload was sealed with this key.
    pub(crate) fn is_tagged_by(&self, key: &MacKey) -> bool {
        let tag: Option<&[u8; TAG_BYTES]> = self.bytes.last_chunk();
        tag.is_some_and(|tag| key.verifies(self.payload(), tag))
    }
}

/// Seals a payload.
pub(crate) fn seal(key: &MacKey, payload: &[u8; PAYLOAD_BYTES]) -> SealedText {
    let tag = key.tag(&[payload]);
    let mut bytes = [0; SEALED_BYTES];
    let parts = payload.iter().chain(tag.iter().take(TAG_BYTES));
    bytes.iter_mut().zip(parts).for_each(|(to, from)| *to = *from);
    let mut text = [0; SealedText::LENGTH];
    // Both lengths are constants that fit each other.
    let _ = URL_SAFE_NO_PAD.encode_slice(bytes, &mut text);
    SealedText(text)
}

/// Writes fields one after another.
pub(crate) struct FieldWriter<'a>(std::slice::IterMut<'a, u8>);

impl<'a> FieldWriter<'a> {
    pub(crate) fn new(payload: &'a mut [u8; PAYLOAD_BYTES]) -> Self {
        Self(payload.iter_mut())
    }

    pub(crate) fn put<const N: usize>(&mut self, field: [u8; N]) -> &mut Self {
        self.0.by_ref().zip(field).for_each(|(to, from)| *to = from);
        self
    }
}

/// Reads fields one after another; zeros past the end.
pub(crate) struct FieldReader<'a>(std::slice::Iter<'a, u8>);

impl<'a> FieldReader<'a> {
    pub(crate) fn new(payload: &'a [u8; PAYLOAD_BYTES]) -> Self {
        Self(payload.iter())
    }

    pub(crate) fn take<const N: usize>(&mut self) -> [u8; N] {
        let mut field = [0; N];
        field.iter_mut().zip(self.0.by_ref()).for_each(|(to, from)| *to = *from);
        field
    }
}
