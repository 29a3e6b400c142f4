//! Witnesses' signatures under checkpoints (C2SP tlog-cosignature, version 1 with Ed25519).
//!
//! A witness that cosigns says: at this time, this was the largest tree of this log that I have seen,
//! and it continues every earlier one. It must have verified that before (see
//! [`verify_consistency`](crate::verify_consistency)).

use crate::key::{KeyKind, LogKey, VerifierKey};
use crate::note::{NoteFault, NoteSignature, SignedNote};

/// A cosignature that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosignature {
    /// The witness.
    pub witness: String,
    /// When it signed, in seconds since 1970.
    pub unix_seconds: u64,
}

fn message(unix_seconds: u64, text: &str) -> Vec<u8> {
    format!("cosignature/v1\ntime {unix_seconds}\n{text}").into_bytes()
}

/// A witness's signature line for a checkpoint. `None` where the key is not a witness's or the time
/// is beyond 2^63-1.
#[must_use]
pub fn cosign(checkpoint: &SignedNote, key: &LogKey, unix_seconds: u64) -> Option<NoteSignature> {
    let verifier = key.verifier();
    if verifier.kind() != KeyKind::Witness || i64::try_from(unix_seconds).is_err() {
        return None;
    }
    let mut signature = unix_seconds.to_be_bytes().to_vec();
    signature.extend_from_slice(&key.sign(&message(unix_seconds, checkpoint.text())));
    Some(NoteSignature { name: verifier.name().to_owned(), id: verifier.id(), signature })
}

/// The cosignature of a witness under a checkpoint.
///
/// # Errors
/// [`NoteFault::Unsigned`] where it has none, [`NoteFault::Forged`] where one does not hold.
pub fn verify_cosignature(checkpoint: &SignedNote, key: &VerifierKey) -> Result<Cosignature, NoteFault> {
    let own = |line: &&NoteSignature| line.name == key.name() && line.id == key.id();
    let mut newest: Option<u64> = None;
    for line in checkpoint.signatures().iter().filter(own) {
        let (time, signature) = line.signature.split_first_chunk::<8>().ok_or(NoteFault::Forged)?;
        let unix_seconds = u64::from_be_bytes(*time);
        let signature: &[u8; 64] = signature.try_into().map_err(|_| NoteFault::Forged)?;
        let holds = i64::try_from(unix_seconds).is_ok()
            && key.verify(&message(unix_seconds, checkpoint.text()), signature);
        if !holds {
            return Err(NoteFault::Forged);
        }
        newest = newest.max(Some(unix_seconds));
    }
    match newest {
        Some(unix_seconds) if key.kind() == KeyKind::Witness => {
            Ok(Cosignature { witness: key.name().to_owned(), unix_seconds })
        }
        _ => Err(NoteFault::Unsigned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::Checkpoint;
    use crate::merkle::leaf_hash;

    #[test]
    fn a_witness_signs_time_and_checkpoint() {
        let log = LogKey::new("example.org/log", KeyKind::Log, &[1; 32]).unwrap();
        let witness = LogKey::new("peer.example/witness", KeyKind::Witness, &[2; 32]).unwrap();
        let checkpoint = Checkpoint { origin: "example.org/log".into(), size: 9, root: leaf_hash(b"x") };
        let mut note = checkpoint.sign(&log).unwrap();
        assert_eq!(verify_cosignature(&note, &witness.verifier()), Err(NoteFault::Unsigned));
        assert!(cosign(&note, &log, 5).is_none());
        assert!(cosign(&note, &witness, u64::MAX).is_none());
        note.add(cosign(&note, &witness, 1_679_315_147).unwrap());
        let note = SignedNote::parse(note.to_text().as_bytes()).unwrap();
        let expected = Cosignature { witness: "peer.example/witness".into(), unix_seconds: 1_679_315_147 };
        assert_eq!(verify_cosignature(&note, &witness.verifier()), Ok(expected));
        assert!(Checkpoint::open(note.to_text().as_bytes(), &log.verifier()).is_ok());

        for at in 0..72 {
            let mut lines = note.signatures().to_vec();
            lines[1].signature[at] ^= 1;
            let mut changed = checkpoint.sign(&log).unwrap();
            changed.add(lines[1].clone());
            assert_eq!(
                verify_cosignature(&changed, &witness.verifier()),
                Err(NoteFault::Forged),
                "byte {at}"
            );
        }
    }
}
