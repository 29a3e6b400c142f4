//! Checkpoints (C2SP tlog-checkpoint): a log's origin, size and root, as a signed note.

use crate::key::{LogKey, VerifierKey, is_key_name};
use crate::merkle::Hash;
use crate::note::{NoteFault, SignedNote};

/// A log at one size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log; the name of its key as well.
    pub origin: String,
    /// How many records it has.
    pub size: u64,
    /// The root of its tree.
    pub root: Hash,
}

/// Why bytes are no checkpoint of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointFault {
    /// The note around it.
    #[error("the checkpoint is not right: {0}")]
    Note(#[from] NoteFault),
    /// Not origin, size and root on three lines.
    #[error("the checkpoint is not right: its text is not origin, size and root on three lines")]
    Form,
    /// Of another log than the key's.
    #[error("the checkpoint is of another log than the key")]
    Origin,
}

impl Checkpoint {
    /// The text that is signed.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, self.root.to_base64())
    }

    /// Reads the text of a note as a checkpoint. Extension lines are refused: our logs have none.
    ///
    /// # Errors
    /// [`CheckpointFault::Form`].
    pub fn parse(text: &str) -> Result<Self, CheckpointFault> {
        let mut lines = text.strip_suffix('\n').ok_or(CheckpointFault::Form)?.split('\n');
        let (Some(origin), Some(size), Some(root), None) =
            (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(CheckpointFault::Form);
        };
        let size: u64 = size
            .parse()
            .ok()
            .filter(|number: &u64| number.to_string() == size)
            .ok_or(CheckpointFault::Form)?;
        let root = Hash::from_base64(root).ok_or(CheckpointFault::Form)?;
        if !is_key_name(origin) {
            return Err(CheckpointFault::Form);
        }
        Ok(Self { origin: origin.to_owned(), size, root })
    }

    /// Signs it. `None` where the key is not the log's.
    #[must_use]
    pub fn sign(&self, key: &LogKey) -> Option<SignedNote> {
        (key.verifier().name() == self.origin).then(|| SignedNote::sign(&self.text(), key)).flatten()
    }

    /// Reads a checkpoint and verifies the log's signature.
    ///
    /// # Errors
    /// [`CheckpointFault`].
    pub fn open(bytes: &[u8], key: &VerifierKey) -> Result<(Self, SignedNote), CheckpointFault> {
        let note = SignedNote::parse(bytes)?;
        let checkpoint = Self::parse(note.text())?;
        note.verify(key)?;
        if checkpoint.origin != key.name() {
            return Err(CheckpointFault::Origin);
        }
        Ok((checkpoint, note))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::key::KeyKind;
    use crate::merkle::{empty_root, leaf_hash};

    fn key(name: &str) -> LogKey {
        LogKey::new(name, KeyKind::Log, &[3; 32]).unwrap()
    }

    #[test]
    fn a_checkpoint_is_opened_by_its_own_key_only() {
        let checkpoint = Checkpoint { origin: "example.org/log".into(), size: 9, root: leaf_hash(b"x") };
        assert!(checkpoint.sign(&key("example.org/other")).is_none());
        let note = checkpoint.sign(&key("example.org/log")).unwrap().to_text();
        let opened = Checkpoint::open(note.as_bytes(), &key("example.org/log").verifier()).unwrap().0;
        assert_eq!(opened, checkpoint);
        let other = Checkpoint::open(note.as_bytes(), &key("example.org/other").verifier());
        assert_eq!(other.unwrap_err(), CheckpointFault::Note(NoteFault::Unsigned));
    }

    #[test]
    fn another_implementation_reads_it() {
        let checkpoint = Checkpoint { origin: "example.org/log".into(), size: 9, root: leaf_hash(b"x") };
        let theirs = tlog_tiles::Checkpoint::from_bytes(checkpoint.text().as_bytes()).unwrap();
        assert_eq!(
            (theirs.origin(), theirs.size(), theirs.hash().0),
            ("example.org/log", 9, checkpoint.root.0)
        );
    }

    #[test]
    fn what_is_no_checkpoint_is_refused() {
        let root = empty_root().to_base64();
        for text in [
            format!("o\n0\n{root}"),
            format!("o\n00\n{root}\n"),
            format!("o\n+1\n{root}\n"),
            format!("o\n-1\n{root}\n"),
            format!("\n1\n{root}\n"),
            format!("o\n1\n{root}\nmore\n"),
            "o\n1\nAAAA\n".to_owned(),
            "o\n1\n".to_owned(),
            format!("o o\n1\n{root}\n"),
            format!("o\n18446744073709551616\n{root}\n"),
            String::new(),
        ] {
            assert_eq!(Checkpoint::parse(&text), Err(CheckpointFault::Form), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_the_same(text in "[a-z]{1,4}\n[0-9]{1,3}\n[A-Za-z0-9+/]{43}=\n") {
            if let Ok(checkpoint) = Checkpoint::parse(&text) {
                prop_assert_eq!(checkpoint.text(), text);
            }
        }
    }
}
