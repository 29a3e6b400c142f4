//! Keys that the operator has given to programs: an application, a partner's server, a feed reader.
//!
//! A file of keys has one a line; what comes after `#`, and empty lines, do not count. Kept are digests
//! only, so that no key is in memory or in a log of what is in memory. Keys are long random texts and no
//! passwords: one round of SHA-256 is enough.

use sha2::{Digest, Sha256};

use crate::token::TokenId;

/// A shorter key can be guessed.
const KEY_BYTES_MIN: usize = 20;
const KEY_BYTES_MAX: usize = 512;
const KEYS_MAX: usize = 10_000;

/// What is known of a key: its SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyDigest([u8; 32]);

impl std::fmt::Debug for KeyDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyDigest")
    }
}

impl KeyDigest {
    /// By what its holder's requests are told from others'.
    #[must_use]
    pub fn holder(&self) -> TokenId {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        TokenId(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
    }
}

/// Why a file of keys is not taken; none of them names a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyListError {
    /// Not text.
    #[error("line {line} is not text in UTF-8")]
    NotText {
        /// From 1 on.
        line: usize,
    },
    /// A key that can be guessed, or is none.
    #[error(
        "line {line} has a key of {bytes} characters; a key has {KEY_BYTES_MIN} to {KEY_BYTES_MAX}; \
         `openssl rand -hex 20` makes one"
    )]
    Length {
        /// From 1 on.
        line: usize,
        /// Of the key.
        bytes: usize,
    },
    /// What no field of a request can carry.
    #[error("line {line} has a blank within the key, or a character beyond ASCII; write one key a line")]
    Character {
        /// From 1 on.
        line: usize,
    },
    /// More than we keep.
    #[error("there are more than {KEYS_MAX} keys")]
    TooMany,
    /// None at all.
    #[error("there is no key in it; write one a line")]
    Empty,
}

/// The digest of a key that a request carries.
#[must_use]
pub fn key_digest(key: &[u8]) -> KeyDigest {
    KeyDigest(Sha256::digest(key.trim_ascii()).into())
}

/// Reads a file of keys.
///
/// # Errors
/// The first line that is wrong; a file is taken whole or not at all.
pub fn key_list(file: &[u8]) -> Result<Vec<KeyDigest>, KeyListError> {
    let mut digests = Vec::new();
    for (line, bytes) in (1..).zip(file.split(|byte| *byte == b'\n')) {
        let text = std::str::from_utf8(bytes).map_err(|_| KeyListError::NotText { line })?;
        let key = text.split('#').next().unwrap_or_default().trim();
        if key.is_empty() {
            continue;
        }
        if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(KeyListError::Character { line });
        }
        if !(KEY_BYTES_MIN..=KEY_BYTES_MAX).contains(&key.len()) {
            return Err(KeyListError::Length { line, bytes: key.len() });
        }
        if digests.len() == KEYS_MAX {
            return Err(KeyListError::TooMany);
        }
        digests.push(key_digest(key.as_bytes()));
    }
    if digests.is_empty() { Err(KeyListError::Empty) } else { Ok(digests) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "b1946ac92492d2347c6235b4d2611184";

    #[test]
    fn a_file_is_taken_whole_or_not_at_all() {
        let two = format!("# ours\n{ONE} # the app\r\n\n{ONE}x\n");
        let rows: [(&[u8], Result<usize, KeyListError>); 7] = [
            (two.as_bytes(), Ok(2)),
            (b"", Err(KeyListError::Empty)),
            (b"# nothing yet\n", Err(KeyListError::Empty)),
            (b"\nsecret\n", Err(KeyListError::Length { line: 2, bytes: 6 })),
            (b"b1946ac92492d2347c62 35b4d2611184\n", Err(KeyListError::Character { line: 1 })),
            ("b1946ac92492d2347c62\u{e9}\n".as_bytes(), Err(KeyListError::Character { line: 1 })),
            (b"\xff\xfe\n", Err(KeyListError::NotText { line: 1 })),
        ];
        for (file, expected) in rows {
            assert_eq!(key_list(file).map(|digests| digests.len()), expected, "{file:?}");
        }
    }

    #[test]
    fn a_key_is_found_by_its_digest_and_nothing_else_is() {
        let digests = key_list(ONE.as_bytes()).unwrap();
        assert_eq!(digests, [key_digest(format!(" {ONE} ").as_bytes())]);
        assert_ne!(digests, [key_digest(b"b1946ac92492d2347c6235b4d2611185")]);
        assert_eq!(format!("{digests:?}"), "[KeyDigest]");
    }
}
