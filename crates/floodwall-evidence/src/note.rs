//! C2SP signed notes: text, an empty line, signatures.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::key::{KeyKind, LogKey, VerifierKey, is_key_name};

/// Signatures under a note at most; C2SP asks for at least 16.
const SIGNATURES_MAX: usize = 64;
/// Bytes of a note at most.
const NOTE_BYTES_MAX: usize = 4 << 20;

/// Why bytes are no signed note, or not one of this key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteFault {
    /// Not text, an empty line and signature lines.
    #[error("it is not a signed note: {0}")]
    Form(&'static str),
    /// No signature of the key.
    #[error("it bears no signature of this key")]
    Unsigned,
    /// A signature of the key does not fit the text.
    #[error("the signature does not belong to the text: one of them was changed")]
    Forged,
}

/// One signature line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSignature {
    /// The key's name.
    pub name: String,
    /// The key's ID.
    pub id: u32,
    /// What comes after the ID.
    pub signature: Vec<u8>,
}

impl NoteSignature {
    /// The line, with its end.
    #[must_use]
    pub fn line(&self) -> String {
        let mut bytes = self.id.to_be_bytes().to_vec();
        bytes.extend_from_slice(&self.signature);
        format!("\u{2014} {} {}\n", self.name, STANDARD.encode(bytes))
    }

    fn parse(line: &str) -> Result<Self, NoteFault> {
        let wrong = NoteFault::Form("a signature line is no `\u{2014} name signature`");
        let rest = line.strip_prefix("\u{2014} ").ok_or(wrong)?;
        let (name, signature) = rest.split_once(' ').ok_or(wrong)?;
        let bytes = STANDARD.decode(signature).map_err(|_| wrong)?;
        let (id, signature) = bytes.split_first_chunk::<4>().ok_or(wrong)?;
        if !is_key_name(name) || signature.is_empty() {
            return Err(wrong);
        }
        Ok(Self { name: name.to_owned(), id: u32::from_be_bytes(*id), signature: signature.to_vec() })
    }
}

/// A note with its signatures. Nothing is said about whether they are right until they are verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedNote {
    text: String,
    signatures: Vec<NoteSignature>,
}

impl SignedNote {
    /// Signs a text. `None` where it does not end in a line's end, has control characters, or the key
    /// is a witness's.
    #[must_use]
    pub fn sign(text: &str, key: &LogKey) -> Option<Self> {
        let verifier = key.verifier();
        if !is_text(text) || verifier.kind() != KeyKind::Log {
            return None;
        }
        let signature = NoteSignature {
            name: verifier.name().to_owned(),
            id: verifier.id(),
            signature: key.sign(text.as_bytes()).to_vec(),
        };
        Some(Self { text: text.to_owned(), signatures: vec![signature] })
    }

    /// Reads a note; verifies nothing.
    ///
    /// # Errors
    /// [`NoteFault::Form`].
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteFault> {
        if bytes.len() > NOTE_BYTES_MAX {
            return Err(NoteFault::Form("it is longer than 4 MiB"));
        }
        let all = std::str::from_utf8(bytes).map_err(|_| NoteFault::Form("it is not UTF-8"))?;
        let end = all.rfind("\n\n").ok_or(NoteFault::Form("there is no empty line before the signatures"))?;
        let (text, rest) = all.split_at(end + 1);
        if !is_text(text) {
            return Err(NoteFault::Form("the text has control characters"));
        }
        let lines = rest.strip_prefix('\n').and_then(|rest| rest.strip_suffix('\n'));
        let lines = lines.ok_or(NoteFault::Form("the last signature line does not end"))?;
        let signatures = lines.split('\n').map(NoteSignature::parse).collect::<Result<Vec<_>, _>>()?;
        if signatures.len() > SIGNATURES_MAX {
            return Err(NoteFault::Form("it has more than 64 signatures"));
        }
        Ok(Self { text: text.to_owned(), signatures })
    }

    /// The signed text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signatures, verified or not.
    #[must_use]
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Adds a signature line, such as a witness's.
    pub fn add(&mut self, signature: NoteSignature) {
        if self.signatures.len() < SIGNATURES_MAX && !self.signatures.contains(&signature) {
            self.signatures.push(signature);
        }
    }

    /// Whether the key signed the text. Every signature that claims to be of the key must hold.
    ///
    /// # Errors
    /// [`NoteFault::Unsigned`], [`NoteFault::Forged`].
    pub fn verify(&self, key: &VerifierKey) -> Result<(), NoteFault> {
        let mut own =
            self.signatures.iter().filter(|line| line.name == key.name() && line.id == key.id()).peekable();
        if own.peek().is_none() || key.kind() != KeyKind::Log {
            return Err(NoteFault::Unsigned);
        }
        let holds = |line: &NoteSignature| {
            line.signature.as_slice().try_into().is_ok_and(|bytes| key.verify(self.text.as_bytes(), bytes))
        };
        if own.all(holds) { Ok(()) } else { Err(NoteFault::Forged) }
    }

    /// The note as it is written to a file.
    #[must_use]
    pub fn to_text(&self) -> String {
        let lines: String = self.signatures.iter().map(NoteSignature::line).collect();
        format!("{}\n{lines}", self.text)
    }
}

fn is_text(text: &str) -> bool {
    text.ends_with('\n') && !text.chars().any(|c| c < ' ' && c != '\n')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(seed: u8) -> LogKey {
        LogKey::new("example.org/log", KeyKind::Log, &[seed; 32]).unwrap()
    }

    #[test]
    fn the_example_of_the_specification_is_read() {
        let example = "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned \u{e8} subito sera.\n\n\
            \u{2014} quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n";
        let note = SignedNote::parse(example.as_bytes()).unwrap();
        assert_eq!(note.signatures()[0].id, 0x367b_a04b);
        assert_eq!(note.to_text(), example);
        assert_eq!(note.verify(&key(1).verifier()), Err(NoteFault::Unsigned));
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let note = SignedNote::sign("one\n\ntwo\n", &key(1)).unwrap();
        let bytes = note.to_text().into_bytes();
        for at in 0..bytes.len() {
            for flip in 1..=255_u8 {
                let mut changed = bytes.clone();
                changed[at] ^= flip;
                let verdict = SignedNote::parse(&changed).and_then(|note| note.verify(&key(1).verifier()));
                assert!(verdict.is_err(), "byte {at} by {flip}");
            }
        }
    }

    #[test]
    fn another_implementation_verifies_it() {
        let note = SignedNote::sign("text\n", &key(1)).unwrap();
        let verifier = signed_note::StandardVerifier::new(&key(1).verifier().to_string()).unwrap();
        let theirs = signed_note::Note::from_bytes(note.to_text().as_bytes()).unwrap();
        let (verified, _) = theirs.verify(&signed_note::VerifierList::new(vec![Box::new(verifier)])).unwrap();
        assert_eq!(verified.len(), 1);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes: Vec<u8>) {
            let _ = SignedNote::parse(&bytes);
        }

        #[test]
        fn what_is_read_is_written_the_same(text in "([a-c\u{e8}]{0,3}\n){1,4}", lines in 1..4_u8) {
            let mut note = SignedNote::sign(&text, &key(1)).unwrap();
            for seed in 2..=lines {
                note.add(SignedNote::sign(&text, &key(seed)).unwrap().signatures()[0].clone());
            }
            let again = SignedNote::parse(note.to_text().as_bytes()).unwrap();
            prop_assert_eq!(&again, &note);
            prop_assert!((1..=lines).all(|seed| again.verify(&key(seed).verifier()).is_ok()));
        }
    }
}
