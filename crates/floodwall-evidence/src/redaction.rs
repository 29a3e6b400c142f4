//! Fields that can be withheld: the record holds a salted commitment, the value travels apart.
//!
//! As in SD-JWT (RFC 9901), a [`Disclosure`] is the canonical JSON list `[salt, name, value]`, and the
//! commitment is its SHA-256. Without the salt nobody can try values against it. To redact is to
//! leave the disclosure out; to erase is to destroy it: the record, and every proof of it, stays as
//! it was.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::canonical::{CanonicalFault, check_canonical, to_canonical};

/// Bytes of a salt.
pub const SALT_BYTES: usize = 16;

/// What a record holds in place of a value: 43 letters of base64url.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Commitment(String);

impl Commitment {
    /// As it stands in the record.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why bytes are no disclosure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is not a disclosure: canonical JSON of [salt, name, value]")]
pub struct DisclosureFault;

/// A value that a record commits to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disclosure {
    bytes: Vec<u8>,
    name: String,
    value: Value,
}

impl Disclosure {
    /// Of a named value under a salt of its own, which must be random and used once.
    ///
    /// # Errors
    /// A value that canonical JSON does not have.
    pub fn new<T: Serialize>(salt: [u8; SALT_BYTES], name: &str, value: &T) -> Result<Self, CanonicalFault> {
        let text = to_canonical(value)?;
        let value = serde_json::from_slice(&text)
            .map_err(|_| CanonicalFault { offset: 0, what: "the value cannot be written as JSON" })?;
        let bytes = to_canonical(&(URL_SAFE_NO_PAD.encode(salt), name, &value))?;
        Ok(Self { bytes, name: name.to_owned(), value })
    }

    /// Reads a disclosure.
    ///
    /// # Errors
    /// [`DisclosureFault`].
    pub fn parse(bytes: &[u8]) -> Result<Self, DisclosureFault> {
        check_canonical(bytes).map_err(|_| DisclosureFault)?;
        let (salt, name, value): (String, String, Value) =
            serde_json::from_slice(bytes).map_err(|_| DisclosureFault)?;
        let salt = URL_SAFE_NO_PAD.decode(salt).map_err(|_| DisclosureFault)?;
        if salt.len() < SALT_BYTES {
            return Err(DisclosureFault);
        }
        Ok(Self { bytes: bytes.to_vec(), name, value })
    }

    /// As it is kept and passed on.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The field it belongs to.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What was withheld.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// What the record holds for it.
    #[must_use]
    pub fn commitment(&self) -> Commitment {
        Commitment(URL_SAFE_NO_PAD.encode(Sha256::digest(&self.bytes)))
    }

    /// Whether a record commits to it, in the field of its name.
    #[must_use]
    pub fn belongs_to(&self, record: &[u8]) -> bool {
        let Ok(record) = serde_json::from_slice::<Value>(record) else { return false };
        let commitment = self.commitment();
        let mut waiting = vec![&record];
        while let Some(value) = waiting.pop() {
            match value {
                Value::Object(fields) => {
                    if fields.get(&self.name).and_then(Value::as_str) == Some(commitment.as_str()) {
                        return true;
                    }
                    waiting.extend(fields.values());
                }
                Value::Array(values) => waiting.extend(values),
                _ => {}
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_disclosure_fits_its_field_only() {
        let disclosure = Disclosure::new([9; 16], "operator", &"J. Clerk").unwrap();
        let commitment = disclosure.commitment();
        assert_eq!(commitment.as_str().len(), 43);
        let record = |field: &str| to_canonical(&json!({"fact": {field: commitment}})).unwrap();
        assert!(disclosure.belongs_to(&record("operator")));
        assert!(!disclosure.belongs_to(&record("text")), "the same hash under another name");
        let other = Disclosure::new([9; 16], "operator", &"A. Other").unwrap();
        assert!(!other.belongs_to(&record("operator")));
        let other_salt = Disclosure::new([8; 16], "operator", &"J. Clerk").unwrap();
        assert!(!other_salt.belongs_to(&record("operator")));
        assert!(!disclosure.belongs_to(b"no JSON"));
    }

    #[test]
    fn short_salts_and_other_forms_are_refused() {
        for text in [
            r#"["AAAA","name",1]"#,
            r#"["AAAAAAAAAAAAAAAAAAAAAA","name"]"#,
            r#"["AAAAAAAAAAAAAAAAAAAAAA", "name",1]"#,
            "{}",
        ] {
            assert!(Disclosure::parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn it_is_read_as_it_is_written(salt: [u8; 16], name: String, value: String) {
            let disclosure = Disclosure::new(salt, &name, &value).unwrap();
            let again = Disclosure::parse(disclosure.bytes()).unwrap();
            prop_assert_eq!(again.commitment(), disclosure.commitment());
            prop_assert_eq!(again, disclosure);
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes: Vec<u8>) {
            let _ = Disclosure::parse(&bytes);
        }
    }
}
