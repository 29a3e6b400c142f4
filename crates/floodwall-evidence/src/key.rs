//! Ed25519 keys with a name, as signed notes have them.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};

/// What a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// Notes: the key of a log.
    Log,
    /// Cosignatures: the key of a witness.
    Witness,
}

impl KeyKind {
    /// The signature type of C2SP signed-note.
    fn byte(self) -> u8 {
        match self {
            Self::Log => 0x01,
            Self::Witness => 0x04,
        }
    }
}

/// Why text is no verifier key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// Not `name+id+key`.
    #[error("a verifier key is written name+ID+key, like example.org/log+1a2b3c4d+AQ...")]
    Form,
    /// A name that is empty or has spaces or a plus sign.
    #[error("a key's name must not be empty and has no spaces and no plus sign")]
    Name,
    /// The ID is not the one of name and key.
    #[error("the key's ID does not belong to its name and key: one of them was changed")]
    Id,
    /// An algorithm other than Ed25519 for notes (1) or for cosignatures (4).
    #[error("the key is for signatures of another kind than Ed25519 of logs (1) or witnesses (4)")]
    Kind,
    /// 32 bytes that are no point of the curve, or a weak one.
    #[error("the key is no valid Ed25519 key")]
    Point,
}

/// Whether text can be the name of a key.
#[must_use]
pub fn is_key_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 255
        && !name.chars().any(|c| c.is_whitespace() || c.is_control() || c == '+')
}

fn key_id(name: &str, kind: KeyKind, key: &[u8; 32]) -> u32 {
    let digest =
        Sha256::new().chain_update(name).chain_update([b'\n', kind.byte()]).chain_update(key).finalize();
    digest.iter().take(4).fold(0, |id, byte| id << 8 | u32::from(*byte))
}

/// A key that signs. Its secret is not printed.
pub struct LogKey {
    name: String,
    kind: KeyKind,
    key: SigningKey,
}

impl fmt::Debug for LogKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LogKey({})", self.name)
    }
}

impl LogKey {
    /// A key of 32 random bytes.
    ///
    /// # Errors
    /// [`KeyFault::Name`].
    pub fn new(name: &str, kind: KeyKind, seed: &[u8; 32]) -> Result<Self, KeyFault> {
        if !is_key_name(name) {
            return Err(KeyFault::Name);
        }
        Ok(Self { name: name.to_owned(), kind, key: SigningKey::from_bytes(seed) })
    }

    /// Its public half.
    #[must_use]
    pub fn verifier(&self) -> VerifierKey {
        VerifierKey { name: self.name.clone(), kind: self.kind, key: self.key.verifying_key() }
    }

    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }
}

/// A key that signatures are verified with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    kind: KeyKind,
    key: VerifyingKey,
}

impl VerifierKey {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it signs.
    #[must_use]
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The 32 bytes of RFC 8032.
    #[must_use]
    pub fn public_bytes(&self) -> [u8; 32] {
        self.key.to_bytes()
    }

    /// The first four bytes of a hash over name, kind and key.
    #[must_use]
    pub fn id(&self) -> u32 {
        key_id(&self.name, self.kind, self.key.as_bytes())
    }

    pub(crate) fn verify(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.key.verify_strict(message, &Signature::from_bytes(signature)).is_ok()
    }
}

/// `name+ID+key`, the "vkey" of C2SP signed-note.
impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = vec![self.kind.byte()];
        bytes.extend_from_slice(self.key.as_bytes());
        write!(f, "{}+{:08x}+{}", self.name, self.id(), STANDARD.encode(bytes))
    }
}

impl std::str::FromStr for VerifierKey {
    type Err = KeyFault;

    fn from_str(text: &str) -> Result<Self, KeyFault> {
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(KeyFault::Form);
        };
        if !is_key_name(name) {
            return Err(KeyFault::Name);
        }
        let is_hexadecimal = |id: &str| id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if id.len() != 8 || !is_hexadecimal(id) {
            return Err(KeyFault::Form);
        }
        let bytes = STANDARD.decode(key).map_err(|_| KeyFault::Form)?;
        let Some((kind, key)) = bytes.split_first() else { return Err(KeyFault::Form) };
        let kind = match kind {
            0x01 => KeyKind::Log,
            0x04 => KeyKind::Witness,
            _ => return Err(KeyFault::Kind),
        };
        let key: [u8; 32] = key.try_into().map_err(|_| KeyFault::Form)?;
        let point = VerifyingKey::from_bytes(&key).map_err(|_| KeyFault::Point)?;
        if point.is_weak() {
            return Err(KeyFault::Point);
        }
        let verifier = Self { name: name.to_owned(), kind, key: point };
        if format!("{:08x}", verifier.id()) == id { Ok(verifier) } else { Err(KeyFault::Id) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_they_are_written_and_any_change_is_noticed() {
        for kind in [KeyKind::Log, KeyKind::Witness] {
            let key = LogKey::new("example.org/log", kind, &[7; 32]).unwrap().verifier();
            let text = key.to_string();
            assert_eq!(text.parse(), Ok(key));
            for at in 0..text.len() {
                for byte in 0..128 {
                    let mut changed = text.clone().into_bytes();
                    if changed[at] == byte {
                        continue;
                    }
                    changed[at] = byte;
                    let changed = String::from_utf8(changed).unwrap();
                    assert!(changed.parse::<VerifierKey>().is_err(), "{changed}");
                }
            }
        }
    }

    #[test]
    fn names_are_what_the_specification_allows() {
        for (name, good) in [
            ("example.org/log", true),
            ("a", true),
            ("", false),
            ("a b", false),
            ("a+b", false),
            ("a\u{2003}b", false),
            ("a\nb", false),
        ] {
            assert_eq!(LogKey::new(name, KeyKind::Log, &[1; 32]).is_ok(), good, "{name:?}");
        }
    }

    #[test]
    fn another_implementation_reads_the_key() {
        let key = LogKey::new("example.org/log", KeyKind::Log, &[7; 32]).unwrap().verifier();
        let theirs = signed_note::StandardVerifier::new(&key.to_string()).unwrap();
        assert_eq!(signed_note::Verifier::key_id(&theirs), key.id());
    }
}
