//! A copy as bytes: a mark, a checksum, the key, the response. The format is the store's own, and
//! whatever does not read back whole is treated as damaged.
//!
//! | bytes | |
//! |---|---|
//! | 8 | the mark, with the version |
//! | 32 | SHA-256 of all that follows |
//! | 1 | whether over TLS |
//! | 2 + n, three times | site's name, authority, path and query |
//! | 8 | when it was received or confirmed, microseconds of Unix time |
//! | 2 | status |
//! | 2, and for each 2 + n and 4 + n | fields of the request it was chosen by (`Vary`) |
//! | the same | fields of the response |
//! | the rest | body |
//!
//! Numbers are little-endian.

use aws_lc_rs::digest::{SHA256, digest};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::cache::{CachedResponse, KeptResponse};

const MARK: &[u8; 8] = b"FWKEPT1\n";
const CHECKSUM_BYTES: usize = 32;
/// Room for mark and checksum.
pub(crate) const HEAD_BYTES: usize = MARK.len() + CHECKSUM_BYTES;

/// What a copy is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredKey {
    pub(crate) site: Box<str>,
    pub(crate) https: bool,
    pub(crate) authority: Box<str>,
    pub(crate) path_and_query: Box<str>,
}

/// The copy as bytes; `None` when a part is longer than the format can say.
pub(super) fn encode(
    key: &StoredKey,
    response: &CachedResponse,
    received_unix_micros: i64,
) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(response.body().len().saturating_add(4096));
    bytes.extend_from_slice(&[0; HEAD_BYTES]);
    bytes.push(u8::from(key.https));
    for part in [&key.site, &key.authority, &key.path_and_query] {
        put_short(&mut bytes, part.as_bytes())?;
    }
    bytes.extend_from_slice(&received_unix_micros.to_le_bytes());
    bytes.extend_from_slice(&response.status().as_u16().to_le_bytes());
    put_fields(&mut bytes, &response.variant().as_request())?;
    put_fields(&mut bytes, &response.kept_fields())?;
    bytes.extend_from_slice(response.body());
    seal(&mut bytes);
    Some(bytes)
}

/// Puts mark and checksum before what stands behind the room for them.
pub(crate) fn seal(bytes: &mut [u8]) {
    let Some((head, payload)) = bytes.split_at_mut_checked(HEAD_BYTES) else { return };
    let (mark, checksum) = head.split_at_mut(MARK.len());
    mark.copy_from_slice(MARK);
    checksum.copy_from_slice(digest(&SHA256, payload).as_ref());
}

fn put_short(bytes: &mut Vec<u8>, part: &[u8]) -> Option<()> {
    bytes.extend_from_slice(&u16::try_from(part.len()).ok()?.to_le_bytes());
    bytes.extend_from_slice(part);
    Some(())
}

fn put_fields(bytes: &mut Vec<u8>, fields: &HeaderMap) -> Option<()> {
    bytes.extend_from_slice(&u16::try_from(fields.len()).ok()?.to_le_bytes());
    for (name, value) in fields {
        put_short(bytes, name.as_str().as_bytes())?;
        bytes.extend_from_slice(&u32::try_from(value.len()).ok()?.to_le_bytes());
        bytes.extend_from_slice(value.as_bytes());
    }
    Some(())
}

/// Reads a copy; `None` when it is damaged.
pub(crate) fn decode(bytes: &[u8]) -> Option<(StoredKey, KeptResponse)> {
    let rest = bytes.strip_prefix(MARK)?;
    let (checksum, payload) = rest.split_at_checked(CHECKSUM_BYTES)?;
    if digest(&SHA256, payload).as_ref() != checksum {
        return None;
    }
    let mut reader = Reader(payload);
    let https = match reader.take(1)? {
        [0] => false,
        [1] => true,
        _ => return None,
    };
    let (site, authority, path_and_query) = (reader.text()?, reader.text()?, reader.text()?);
    let received_unix_micros = i64::from_le_bytes(reader.take(8)?.try_into().ok()?);
    let status = StatusCode::from_u16(reader.short()?).ok()?;
    let selecting = reader.fields()?;
    let fields = reader.fields()?;
    let response = KeptResponse { status, fields, selecting, received_unix_micros, body: reader.0.to_vec() };
    Some((StoredKey { site, https, authority, path_and_query }, response))
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(bytes)?;
        self.0 = rest;
        Some(taken)
    }

    fn short(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes(self.take(2)?.try_into().ok()?))
    }

    fn text(&mut self) -> Option<Box<str>> {
        let bytes = usize::from(self.short()?);
        std::str::from_utf8(self.take(bytes)?).ok().map(Into::into)
    }

    fn fields(&mut self) -> Option<HeaderMap> {
        let count = self.short()?;
        let mut fields = HeaderMap::new();
        for _ in 0..count {
            let name_bytes = usize::from(self.short()?);
            let name = HeaderName::from_bytes(self.take(name_bytes)?).ok()?;
            let value_bytes = u32::from_le_bytes(self.take(4)?.try_into().ok()?);
            let value = HeaderValue::from_bytes(self.take(usize::try_from(value_bytes).ok()?)?).ok()?;
            fields.try_append(name, value).ok()?;
        }
        Some(fields)
    }
}
