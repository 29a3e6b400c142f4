//! Tiles and entry bundles (C2SP tlog-tiles): how the tree lies in files.

use std::fmt::Write as _;

use crate::merkle::{Hash, Hashes, empty_root, leaf_hash, root_of};

/// Hashes in a full tile, and records in a full entry bundle.
pub const TILE_WIDTH: usize = 256;
const WIDTH: u64 = TILE_WIDTH as u64;

/// A tile of hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TileCoordinate {
    /// 0 for hashes of records; each hash of a level is the root of a full tile one level lower.
    pub level: u8,
    /// Which one of its level.
    pub index: u64,
    /// How many hashes it has, 1 to [`TILE_WIDTH`].
    pub width: u16,
}

impl TileCoordinate {
    /// Its path within the log: `tile/0/x001/x234/067`, with `.p/7` where it is partial.
    #[must_use]
    pub fn path(&self) -> String {
        format!("tile/{}/{}", self.level, numbered(self.index, self.width))
    }
}

/// The path of an entry bundle within the log.
#[must_use]
pub fn entries_path(index: u64, width: u16) -> String {
    format!("tile/entries/{}", numbered(index, width))
}

fn numbered(index: u64, width: u16) -> String {
    let mut groups = vec![index % 1000];
    let mut rest = index / 1000;
    while rest > 0 {
        groups.push(rest % 1000);
        rest /= 1000;
    }
    let mut path = String::new();
    while let Some(group) = groups.pop() {
        let separator = if groups.is_empty() { "" } else { "/" };
        let mark = if groups.is_empty() { "" } else { "x" };
        let _ = write!(path, "{mark}{group:03}{separator}");
    }
    if usize::from(width) < TILE_WIDTH {
        let _ = write!(path, ".p/{width}");
    }
    path
}

/// Why bytes are no entry bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the entry bundle ends within record {position} of it")]
pub struct EntryFault {
    /// Which record of the bundle, from 0.
    pub position: usize,
}

/// Adds a record to an entry bundle: its length in two bytes, and itself. `false` where it is too
/// long for that (65,535 bytes).
pub fn encode_entries(bundle: &mut Vec<u8>, record: &[u8]) -> bool {
    let Ok(length) = u16::try_from(record.len()) else { return false };
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(record);
    true
}

/// The records of an entry bundle, in order; a fault where it ends within one.
pub fn split_entries(bundle: &[u8]) -> impl Iterator<Item = Result<&[u8], EntryFault>> {
    let mut rest = bundle;
    let mut position = 0;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let taken = rest
            .split_first_chunk::<2>()
            .and_then(|(length, after)| after.split_at_checked(usize::from(u16::from_be_bytes(*length))));
        let this = position;
        position += 1;
        let Some((record, after)) = taken else {
            rest = &[];
            return Some(Err(EntryFault { position: this }));
        };
        rest = after;
        Some(Ok(record))
    })
}

/// The growing side of the tree: what must be known to add records. Memory: at most 255 hashes for
/// each level, of which a tree of a million records has three.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RightEdge {
    size: u64,
    /// Of each level the hashes that are not in a full tile yet.
    levels: Vec<Vec<Hash>>,
}

impl RightEdge {
    /// The edge of a tree of `size` records; `None` where a hash is not known.
    pub fn of<H: Hashes>(hashes: &H, size: u64) -> Option<Self> {
        let mut levels = Vec::new();
        let mut whole = size;
        let mut level = 0;
        while whole > 0 {
            let first = whole - whole % WIDTH;
            let known = (first..whole).map(|index| hashes.hash(level, index)).collect::<Option<Vec<_>>>()?;
            levels.push(known);
            whole /= WIDTH;
            level += 8;
        }
        Some(Self { size, levels })
    }

    /// Records in the tree.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds a record by its hash; each tile that became full is handed to `full`.
    pub fn push(&mut self, leaf: Hash, mut full: impl FnMut(TileCoordinate, &[Hash])) {
        self.size += 1;
        let mut carried = leaf;
        let mut span = 1_u64;
        for level in 0..=u8::MAX {
            if self.levels.len() <= usize::from(level) {
                self.levels.push(Vec::with_capacity(TILE_WIDTH));
            }
            let Some(hashes) = self.levels.get_mut(usize::from(level)) else { return };
            hashes.push(carried);
            span = span.saturating_mul(WIDTH);
            if hashes.len() < TILE_WIDTH {
                return;
            }
            let index = (self.size / span).saturating_sub(1);
            full(TileCoordinate { level, index, width: 256 }, hashes);
            let Some(root) = root_of(hashes) else { return };
            carried = root;
            hashes.clear();
        }
    }

    /// Adds a record.
    pub fn push_record(&mut self, record: &[u8]) {
        self.push(leaf_hash(record), |_, _| {});
    }

    /// The partial tiles as the tree is now.
    pub fn partial_tiles(&self) -> impl Iterator<Item = (TileCoordinate, &[Hash])> {
        let mut whole = self.size;
        (0..=u8::MAX).zip(&self.levels).filter_map(move |(level, hashes)| {
            let index = whole / WIDTH;
            whole /= WIDTH;
            let width = u16::try_from(hashes.len()).ok()?;
            (width > 0).then_some((TileCoordinate { level, index, width }, hashes.as_slice()))
        })
    }

    /// The root of the tree.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut smaller = None;
        for hashes in &self.levels {
            let mut row = hashes.clone();
            row.extend(smaller);
            smaller = root_of(&row);
        }
        smaller.unwrap_or_else(empty_root)
    }
}

/// Hashes of whole subtrees, out of tiles. `read` gives a tile's bytes by its coordinate, which is
/// the partial one where the tree has no full one there.
#[derive(Clone, Debug)]
pub struct TileHashes<R> {
    size: u64,
    read: R,
}

impl<R: Fn(TileCoordinate) -> Option<Vec<u8>>> TileHashes<R> {
    /// Of a tree of `size` records.
    pub fn new(size: u64, read: R) -> Self {
        Self { size, read }
    }

    fn tile(&self, level: u32, index: u64) -> Option<Vec<Hash>> {
        let span = WIDTH.checked_pow(level)?;
        let hashes = self.size / span;
        let width = hashes.checked_sub(index.checked_mul(WIDTH)?)?.min(WIDTH);
        let width = u16::try_from(width).ok().filter(|width| *width > 0)?;
        let bytes = (self.read)(TileCoordinate { level: u8::try_from(level).ok()?, index, width })?;
        let (hashes, rest) = bytes.as_chunks::<32>();
        if !rest.is_empty() || hashes.len() != usize::from(width) {
            return None;
        }
        Some(hashes.iter().copied().map(Hash).collect())
    }
}

impl<R: Fn(TileCoordinate) -> Option<Vec<u8>>> Hashes for TileHashes<R> {
    fn hash(&self, level: u32, index: u64) -> Option<Hash> {
        let (tile_level, within) = (level / 8, level % 8);
        let first = index.checked_mul(1 << within)?;
        let tile = self.tile(tile_level, first / WIDTH)?;
        let from = usize::try_from(first % WIDTH).ok()?;
        root_of(tile.get(from..from.checked_add(1 << within)?)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_specification() {
        let path = |level, index, width| TileCoordinate { level, index, width }.path();
        assert_eq!(path(0, 1_234_067, 256), "tile/0/x001/x234/067");
        assert_eq!(path(1, 0, 17), "tile/1/000.p/17");
        assert_eq!(entries_path(1000, 256), "tile/entries/x001/000");
        assert_eq!(entries_path(273, 112), "tile/entries/273.p/112");
    }

    #[test]
    fn a_tree_of_70000_has_the_tiles_of_the_specification() {
        let mut edge = RightEdge::default();
        let mut full = [0_u32; 3];
        for number in 0..70_000_u32 {
            edge.push(leaf_hash(&number.to_be_bytes()), |tile, _| full[usize::from(tile.level)] += 1);
        }
        assert_eq!(full, [273, 1, 0]);
        let partial: Vec<_> =
            edge.partial_tiles().map(|(tile, _)| (tile.level, tile.index, tile.width)).collect();
        assert_eq!(partial, [(0, 273, 112), (1, 1, 17), (2, 0, 1)]);
    }

    #[test]
    fn a_bundle_that_ends_within_a_record_is_noticed() {
        let mut bundle = Vec::new();
        assert!(encode_entries(&mut bundle, b"one") && encode_entries(&mut bundle, b""));
        assert!(!encode_entries(&mut bundle, &[0; 65_536]));
        let read = |bytes: &[u8]| -> Vec<Result<Vec<u8>, EntryFault>> {
            split_entries(bytes).map(|entry| entry.map(<[u8]>::to_vec)).collect()
        };
        assert_eq!(read(&bundle), [Ok(b"one".to_vec()), Ok(Vec::new())]);
        assert_eq!(read(&bundle[..4]), [Err(EntryFault { position: 0 })]);
        assert_eq!(read(&bundle[..6]), [Ok(b"one".to_vec()), Err(EntryFault { position: 1 })]);
    }
}
