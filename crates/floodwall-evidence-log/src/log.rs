//! A log that is written: batches of records, each with its checkpoint.

use std::collections::BTreeSet;
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

use floodwall_evidence::{
    Checkpoint, Hash, LogKey, RightEdge, TILE_WIDTH, VerifierKey, encode_entries, entries_path, leaf_hash,
};

use crate::EvidenceError;
use crate::directory::{place, sync_folder, write_all};

/// The signed size and root of a log.
pub(crate) const CHECKPOINT: &str = "checkpoint";

/// A log that this process writes, on the calling thread. [`EvidenceHandle`](crate::EvidenceHandle)
/// runs it on one of its own.
#[derive(Debug)]
pub struct EvidenceLog {
    pub(crate) path: PathBuf,
    pub(crate) key: LogKey,
    pub(crate) edge: RightEdge,
    /// The entry bundle that is not full yet.
    pub(crate) bundle: Vec<u8>,
    /// A copy of the last checkpoint outside of the logs' directory.
    pub(crate) last_seen: PathBuf,
    /// Held for as long as the log is written.
    pub(crate) _lock: File,
}

/// What a batch makes of the log.
struct Grown {
    edge: RightEdge,
    bundle: Vec<u8>,
    files: Vec<(String, Vec<u8>)>,
}

fn bytes(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

/// The partial files of a tree: they go when it has grown.
fn partial_paths(edge: &RightEdge) -> BTreeSet<String> {
    let mut paths: BTreeSet<String> = edge.partial_tiles().map(|(tile, _)| tile.path()).collect();
    let width = u16::try_from(edge.size() % TILE_WIDTH as u64).unwrap_or_default();
    if width > 0 {
        paths.insert(entries_path(edge.size() / TILE_WIDTH as u64, width));
    }
    paths
}

impl EvidenceLog {
    /// The log's directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The key to verify it with; its name is the log's origin.
    #[must_use]
    pub fn verifier(&self) -> VerifierKey {
        self.key.verifier()
    }

    /// Its size and root.
    #[must_use]
    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            origin: self.key.verifier().name().to_owned(),
            size: self.edge.size(),
            root: self.edge.root(),
        }
    }

    /// Appends records and signs the new checkpoint. When it returns, they are durable; their places
    /// in the log.
    ///
    /// # Errors
    /// [`EvidenceError`]; then the log is as it was before, and may be tried again.
    pub fn append(&mut self, records: &[Vec<u8>]) -> Result<Range<u64>, EvidenceError> {
        let first = self.edge.size();
        let grown = self.grow(records)?;
        write_all(&self.path, &grown.files)?;
        let checkpoint = Checkpoint {
            origin: self.key.verifier().name().to_owned(),
            size: grown.edge.size(),
            root: grown.edge.root(),
        };
        let text = checkpoint
            .sign(&self.key)
            .ok_or_else(|| EvidenceError::damaged(&self.path, "the key is not this log's"))?
            .to_text();
        if let Err(error) = place(&self.path.join(CHECKPOINT), text.as_bytes(), true, 0o644) {
            for (path, _) in &grown.files {
                let _ = std::fs::remove_file(self.path.join(path));
            }
            return Err(error);
        }
        // From here on the new checkpoint is what a start would find.
        let before = partial_paths(&self.edge);
        let after = partial_paths(&grown.edge);
        self.edge = grown.edge;
        self.bundle = grown.bundle;
        sync_folder(&self.path)?;
        for path in before.difference(&after) {
            let _ = std::fs::remove_file(self.path.join(path));
        }
        // Its loss would only make a restored backup harder to notice.
        let _ = place(&self.last_seen, text.as_bytes(), false, 0o644);
        Ok(first..self.edge.size())
    }

    fn grow(&self, records: &[Vec<u8>]) -> Result<Grown, EvidenceError> {
        let mut grown = Grown { edge: self.edge.clone(), bundle: self.bundle.clone(), files: Vec::new() };
        for record in records {
            if !encode_entries(&mut grown.bundle, record) {
                return Err(EvidenceError::TooLong(record.len()));
            }
            let files = &mut grown.files;
            grown.edge.push(leaf_hash(record), |tile, hashes| files.push((tile.path(), bytes(hashes))));
            let size = grown.edge.size();
            if size.is_multiple_of(TILE_WIDTH as u64) {
                let full = std::mem::take(&mut grown.bundle);
                grown.files.push((entries_path(size / TILE_WIDTH as u64 - 1, 256), full));
            }
        }
        let there = partial_paths(&self.edge);
        for (tile, hashes) in grown.edge.partial_tiles() {
            // One that did not grow is there already, and belongs to the checkpoint that holds.
            if !there.contains(&tile.path()) {
                grown.files.push((tile.path(), bytes(hashes)));
            }
        }
        let size = grown.edge.size();
        let width = u16::try_from(size % TILE_WIDTH as u64).unwrap_or_default();
        let path = entries_path(size / TILE_WIDTH as u64, width);
        if width > 0 && !there.contains(&path) {
            grown.files.push((path, grown.bundle.clone()));
        }
        Ok(grown)
    }
}
