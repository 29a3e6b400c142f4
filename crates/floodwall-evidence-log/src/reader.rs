//! Reading and verifying a log, by whoever has its directory: nothing is locked or changed.

use std::ops::Range;
use std::path::{Path, PathBuf};

use floodwall_evidence::{
    Checkpoint, EntryFault, Hash, LogCheck, LogFindings, SignedNote, TILE_WIDTH, TileCoordinate, TileHashes,
    TlogProof, VerifierKey, consistency_proof, entries_path, inclusion_proof, split_entries,
    verify_consistency,
};

use crate::EvidenceError;
use crate::directory::read;
use crate::log::CHECKPOINT;
use crate::opening::VERIFIER;

pub(crate) const LOGS: &str = "logs";
pub(crate) const CURRENT: &str = "current";

const WIDTH: u64 = TILE_WIDTH as u64;

/// The log that is written in a directory of logs; `None` where none was begun.
///
/// # Errors
/// [`EvidenceError`].
pub fn current_log(directory: &Path) -> Result<Option<PathBuf>, EvidenceError> {
    let path = directory.join(CURRENT);
    let Some(bytes) = read(&path)? else { return Ok(None) };
    let id = String::from_utf8(bytes).unwrap_or_default();
    let id = id.trim_end();
    if id.len() == 8 && id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(Some(directory.join(LOGS).join(id)));
    }
    Err(EvidenceError::damaged(
        &path,
        "it does not name a log: write the name of a folder in logs/, or remove it",
    ))
}

/// Whether a directory is a log.
#[must_use]
pub fn is_log(directory: &Path) -> bool {
    directory.join(CHECKPOINT).is_file()
}

/// Every log in a directory of logs, by name.
///
/// # Errors
/// [`EvidenceError`].
pub fn logs(directory: &Path) -> Result<Vec<PathBuf>, EvidenceError> {
    let folder = directory.join(LOGS);
    let entries = std::fs::read_dir(&folder).map_err(EvidenceError::file(&folder))?;
    let mut found: Vec<_> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| is_log(path))
        .collect();
    found.sort();
    Ok(found)
}

/// Hashes out of the tiles of a log.
pub(crate) fn tile_hashes(
    log: &Path,
    size: u64,
) -> TileHashes<impl Fn(TileCoordinate) -> Option<Vec<u8>> + use<'_>> {
    TileHashes::new(size, move |tile| read_tile(log, tile))
}

/// A tile; where a partial one is gone because its full one is there, the beginning of that.
fn read_tile(log: &Path, tile: TileCoordinate) -> Option<Vec<u8>> {
    if let Some(bytes) = read(&log.join(tile.path())).ok()? {
        return Some(bytes);
    }
    let mut full = read(&log.join(TileCoordinate { width: 256, ..tile }.path())).ok()??;
    full.truncate(usize::from(tile.width) * 32);
    Some(full)
}

/// A log that is read.
#[derive(Debug)]
pub struct LogReader {
    path: PathBuf,
    key: VerifierKey,
    checkpoint: Checkpoint,
    note: SignedNote,
}

impl LogReader {
    /// Opens a log at its checkpoint, whose signature must be of `key`, or of the key that lies beside
    /// the log where none is given.
    ///
    /// # Errors
    /// [`EvidenceError`]: no checkpoint, a forged one, of another key.
    pub fn open(log: &Path, key: Option<&VerifierKey>) -> Result<Self, EvidenceError> {
        let key = match key {
            Some(key) => key.clone(),
            None => {
                let path = log.join(VERIFIER);
                let text = read(&path)?.ok_or_else(|| EvidenceError::damaged(&path, "it is missing"))?;
                let text = String::from_utf8(text).unwrap_or_default();
                text.trim_end().parse().map_err(|error| EvidenceError::damaged(&path, format!("{error}")))?
            }
        };
        let path = log.join(CHECKPOINT);
        let text = read(&path)?.ok_or_else(|| EvidenceError::damaged(&path, "it is missing"))?;
        let (checkpoint, note) = Checkpoint::open(&text, &key)
            .map_err(|error| EvidenceError::damaged(&path, error.to_string()))?;
        Ok(Self { path: log.to_owned(), key, checkpoint, note })
    }

    /// The log's directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The key it was opened with.
    #[must_use]
    pub fn key(&self) -> &VerifierKey {
        &self.key
    }

    /// The checkpoint it was opened at.
    #[must_use]
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The same with its signatures.
    #[must_use]
    pub fn note(&self) -> &SignedNote {
        &self.note
    }

    /// An entry bundle, as far as the checkpoint covers it.
    fn bundle(&self, index: u64) -> Result<Bundle, EvidenceError> {
        let width = self.checkpoint.size.saturating_sub(index.saturating_mul(WIDTH)).min(WIDTH);
        let width = u16::try_from(width).unwrap_or_default();
        let path = self.path.join(entries_path(index, width));
        if let Some(bytes) = read(&path)? {
            return Ok(Bundle { bytes, width, has_more: false });
        }
        // The writer goes on: what was partial may have become full.
        let full = read(&self.path.join(entries_path(index, 256)))?;
        let bytes = full.ok_or_else(|| EvidenceError::damaged(&path, "it is missing"))?;
        Ok(Bundle { bytes, width, has_more: true })
    }

    /// Hands over the records in `range`, in order, until `take` returns false.
    ///
    /// # Errors
    /// [`EvidenceError`]. What is handed over is not verified: see [`Self::verify`], [`Self::proof`].
    pub fn records(
        &self,
        range: Range<u64>,
        mut take: impl FnMut(u64, &[u8]) -> bool,
    ) -> Result<(), EvidenceError> {
        let end = range.end.min(self.checkpoint.size);
        let mut index = range.start;
        while index < end {
            let bundle = self.bundle(index / WIDTH)?;
            let first = index - index % WIDTH;
            for (number, record) in (first..).zip(bundle.records()) {
                let record = record.map_err(|error| EvidenceError::damaged(&self.path, error.to_string()))?;
                if number >= index && number < end && !take(number, record) {
                    return Ok(());
                }
            }
            index = first + WIDTH;
        }
        Ok(())
    }

    /// The proof of one record; `None` where it is not in the log or tiles are missing.
    #[must_use]
    pub fn proof(&self, index: u64) -> Option<TlogProof> {
        let size = self.checkpoint.size;
        let path = inclusion_proof(&tile_hashes(&self.path, size), index, size)?;
        Some(TlogProof { index, path, checkpoint: self.note.clone() })
    }

    /// Whether the log continues an earlier checkpoint of it; `None` where tiles are missing.
    #[must_use]
    pub fn continues(&self, earlier: &Checkpoint) -> Option<bool> {
        let (old, new) = (earlier.size, self.checkpoint.size);
        if old > new || earlier.origin != self.checkpoint.origin {
            return Some(false);
        }
        let proof: Vec<Hash> = consistency_proof(&tile_hashes(&self.path, new), old, new)?;
        Some(verify_consistency(old, earlier.root, new, self.checkpoint.root, &proof))
    }

    /// Verifies every record and tile of the log. `progress` is told how many records were read.
    #[must_use]
    pub fn verify(&self, mut progress: impl FnMut(u64)) -> LogFindings {
        let mut check = LogCheck::default();
        let size = self.checkpoint.size;
        for index in 0..size.div_ceil(WIDTH) {
            self.verify_bundle(&mut check, index);
            if !check.is_good() {
                break;
            }
            progress(check.size());
        }
        if check.is_good() {
            self.verify_partial_tiles(&mut check);
        }
        check.finish(&self.checkpoint)
    }

    fn verify_bundle(&self, check: &mut LogCheck, index: u64) {
        let first = index.saturating_mul(WIDTH);
        let bundle = match self.bundle(index) {
            Ok(bundle) => bundle,
            Err(error) => return check.fail(Some(first), error.to_string()),
        };
        let tile = TileCoordinate { level: 0, index, width: bundle.width };
        let Some(hashes) = read_tile(&self.path, tile) else {
            return check.fail(None, format!("{} is missing or cannot be read", tile.path()));
        };
        let records: Vec<_> = bundle.records().map_while(Result::ok).collect();
        let (given, taken) = (records.len(), records.iter().map(|record| record.len() + 2).sum::<usize>());
        let full = |tile: TileCoordinate, hashes: &[Hash]| is_kept(&self.path, tile, hashes);
        // A bundle that is cut off has fewer records than its tile: those that are there may be good.
        let is_whole = given == usize::from(bundle.width);
        let compared = if is_whole { Some(hashes.as_slice()) } else { hashes.get(..given * 32) };
        check.records(records.into_iter(), compared, full);
        let path = entries_path(index, bundle.width);
        if !is_whole {
            let record = first + given as u64;
            check.fail(Some(record), format!("record {record} is cut off or missing in {path}"));
        } else if taken < bundle.bytes.len() && !bundle.has_more {
            check.fail(Some(first + given as u64), format!("{path} holds more than its records"));
        }
    }

    /// The partial tiles of the levels above the records' hashes.
    fn verify_partial_tiles(&self, check: &mut LogCheck) {
        let mut higher = check.edge().partial_tiles().filter(|(tile, _)| tile.level > 0);
        let wrong = higher.find(|(tile, hashes)| !is_kept(&self.path, *tile, hashes)).map(|(tile, _)| tile);
        drop(higher);
        if let Some(tile) = wrong {
            let what = format!("the tile {} is not that of the records below it", tile.path());
            check.fail(None, what);
        }
    }
}

/// An entry bundle as it was read.
struct Bundle {
    bytes: Vec<u8>,
    /// Records of it that the checkpoint covers.
    width: u16,
    /// It is the full one that a partial one became.
    has_more: bool,
}

impl Bundle {
    fn records(&self) -> impl Iterator<Item = Result<&[u8], EntryFault>> {
        split_entries(&self.bytes).take(usize::from(self.width))
    }
}

/// Whether a tile is on disk with just these hashes.
fn is_kept(log: &Path, tile: TileCoordinate, hashes: &[Hash]) -> bool {
    read_tile(log, tile).is_some_and(|kept| kept.iter().eq(hashes.iter().flat_map(|hash| &hash.0)))
}
