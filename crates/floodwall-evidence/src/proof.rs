//! A proof that travels by itself (C2SP tlog-proof): index, path to the root, checkpoint.

use crate::checkpoint::{Checkpoint, CheckpointFault};
use crate::key::VerifierKey;
use crate::merkle::{Hash, verify_inclusion};
use crate::note::SignedNote;

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";

/// Why a proof does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofFault {
    /// Not in the form of C2SP tlog-proof.
    #[error("it is not a proof in the form of c2sp.org/tlog-proof")]
    Form,
    /// The checkpoint in it.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointFault),
    /// The path does not lead from the record to the root.
    #[error(
        "the record is not in the log at this place: the record, the proof or the checkpoint was changed"
    )]
    Path,
}

/// That a record is in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlogProof {
    /// Which record, from 0.
    pub index: u64,
    /// The path to the root.
    pub path: Vec<Hash>,
    /// The checkpoint, with the signatures under it.
    pub checkpoint: SignedNote,
}

impl TlogProof {
    /// As it is written to a file.
    #[must_use]
    pub fn to_text(&self) -> String {
        let path: String = self.path.iter().map(|hash| hash.to_base64() + "\n").collect();
        format!("{FIRST_LINE}\nindex {}\n{path}\n{}", self.index, self.checkpoint.to_text())
    }

    /// Reads a proof; verifies nothing. Extra data is refused: our proofs have none.
    ///
    /// # Errors
    /// [`ProofFault::Form`], or of the note within.
    pub fn parse(bytes: &[u8]) -> Result<Self, ProofFault> {
        let text = std::str::from_utf8(bytes).map_err(|_| ProofFault::Form)?;
        let (head, checkpoint) = text.split_once("\n\n").ok_or(ProofFault::Form)?;
        let mut lines = head.split('\n');
        if lines.next() != Some(FIRST_LINE) {
            return Err(ProofFault::Form);
        }
        let index = lines.next().and_then(|line| line.strip_prefix("index ")).ok_or(ProofFault::Form)?;
        let number: u64 = index.parse().map_err(|_| ProofFault::Form)?;
        if number.to_string() != index {
            return Err(ProofFault::Form);
        }
        let path: Option<Vec<_>> = lines.map(Hash::from_base64).collect();
        let path = path.filter(|path| path.len() <= 63).ok_or(ProofFault::Form)?;
        let checkpoint = SignedNote::parse(checkpoint.as_bytes()).map_err(CheckpointFault::from)?;
        Ok(Self { index: number, path, checkpoint })
    }

    /// That `record` is in the log of `key`; the checkpoint it was verified against.
    ///
    /// # Errors
    /// [`ProofFault`].
    pub fn verify(&self, record_hash: Hash, key: &VerifierKey) -> Result<Checkpoint, ProofFault> {
        let (checkpoint, _) = Checkpoint::open(self.checkpoint.to_text().as_bytes(), key)?;
        let holds = verify_inclusion(record_hash, self.index, checkpoint.size, &self.path, checkpoint.root);
        if holds { Ok(checkpoint) } else { Err(ProofFault::Path) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::key::{KeyKind, LogKey};
    use crate::merkle::{leaf_hash, node_hash};

    fn proof() -> (TlogProof, VerifierKey) {
        let key = LogKey::new("example.org/log", KeyKind::Log, &[1; 32]).unwrap();
        let (left, right) = (leaf_hash(b"left"), leaf_hash(b"right"));
        let checkpoint =
            Checkpoint { origin: "example.org/log".into(), size: 2, root: node_hash(left, right) };
        let checkpoint = checkpoint.sign(&key).unwrap();
        (TlogProof { index: 1, path: vec![left], checkpoint }, key.verifier())
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let (proof, key) = proof();
        let bytes = proof.to_text().into_bytes();
        assert_eq!(TlogProof::parse(&bytes).as_ref(), Ok(&proof));
        assert_eq!(proof.verify(leaf_hash(b"right"), &key).unwrap().size, 2);
        assert_eq!(proof.verify(leaf_hash(b"other"), &key), Err(ProofFault::Path));
        for at in 0..bytes.len() {
            for flip in [1_u8, 2, 4, 16, 32, 64, 128, 255] {
                let mut changed = bytes.clone();
                changed[at] ^= flip;
                let verdict =
                    TlogProof::parse(&changed).and_then(|proof| proof.verify(leaf_hash(b"right"), &key));
                assert!(verdict.is_err(), "byte {at} by {flip}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes: Vec<u8>, tail in "[ -~\n]{0,200}") {
            let _ = TlogProof::parse(&bytes);
            let _ = TlogProof::parse(format!("{FIRST_LINE}\nindex 0\n{tail}").as_bytes());
        }
    }
}
