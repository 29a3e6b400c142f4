//! The Merkle tree of RFC 9162 section 2.1 (the same as RFC 6962's), over SHA-256.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

/// A SHA-256 hash in the tree.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// As it stands in checkpoints and proofs: base64.
    #[must_use]
    pub fn to_base64(self) -> String {
        STANDARD.encode(self.0)
    }

    /// Reads what [`Self::to_base64`] writes, and nothing else.
    #[must_use]
    pub fn from_base64(text: &str) -> Option<Self> {
        STANDARD.decode(text).ok()?.try_into().ok().map(Self)
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_base64())
    }
}

/// The hash of a record: `SHA-256(0x00 || record)`.
#[must_use]
pub fn leaf_hash(record: &[u8]) -> Hash {
    Hash(Sha256::new().chain_update([0]).chain_update(record).finalize().into())
}

/// The hash of two subtrees: `SHA-256(0x01 || left || right)`.
#[must_use]
pub fn node_hash(left: Hash, right: Hash) -> Hash {
    let mut message = [1_u8; 65];
    let (first, second) = message.split_at_mut(33);
    if let Some(place) = first.get_mut(1..) {
        place.copy_from_slice(&left.0);
    }
    second.copy_from_slice(&right.0);
    Hash(Sha256::digest(message).into())
}

/// The root of a tree without records: `SHA-256("")`.
#[must_use]
pub fn empty_root() -> Hash {
    Hash(Sha256::digest([]).into())
}

/// The root over a list of subtrees, all of one size but the last, which may be smaller.
pub(crate) fn root_of(hashes: &[Hash]) -> Option<Hash> {
    match hashes {
        [] => None,
        [one] => Some(*one),
        many => {
            let (left, right) = many.split_at(split(many.len() as u64).try_into().ok()?);
            Some(node_hash(root_of(left)?, root_of(right)?))
        }
    }
}

/// The largest power of two smaller than `n`, for `n` of 2 and more.
fn split(n: u64) -> u64 {
    1 << (63 - (n.max(2) - 1).leading_zeros())
}

/// Where the hashes of whole subtrees come from.
pub trait Hashes {
    /// The root of the records `index << level .. (index + 1) << level`; `None` where it is not known.
    fn hash(&self, level: u32, index: u64) -> Option<Hash>;
}

/// The root of the records `start..end`; `start` is a multiple of the power of two not below
/// `end - start`.
fn range_root<H: Hashes>(hashes: &H, start: u64, end: u64) -> Option<Hash> {
    let count = end.checked_sub(start)?;
    if count == 0 {
        return Some(empty_root());
    }
    if count.is_power_of_two() {
        return hashes.hash(count.trailing_zeros(), start / count);
    }
    let middle = start.checked_add(split(count))?;
    Some(node_hash(range_root(hashes, start, middle)?, range_root(hashes, middle, end)?))
}

/// The path of a record to the root (RFC 9162 section 2.1.3.1); `None` where `index` is not in the
/// tree or a hash is not known.
pub fn inclusion_proof<H: Hashes>(hashes: &H, index: u64, size: u64) -> Option<Vec<Hash>> {
    if index >= size {
        return None;
    }
    let (mut start, mut end) = (0, size);
    let mut path = Vec::new();
    while end - start > 1 {
        let middle = start + split(end - start);
        if index < middle {
            path.push(range_root(hashes, middle, end)?);
            end = middle;
        } else {
            path.push(range_root(hashes, start, middle)?);
            start = middle;
        }
    }
    path.reverse();
    Some(path)
}

/// That the tree of `new` records continues the one of `old` (RFC 9162 section 2.1.4.1); `None` where
/// `old` is larger or a hash is not known. From the empty tree the proof is empty.
pub fn consistency_proof<H: Hashes>(hashes: &H, old: u64, new: u64) -> Option<Vec<Hash>> {
    if old > new {
        return None;
    }
    if old == 0 || old == new {
        return Some(Vec::new());
    }
    let (mut start, mut end) = (0, new);
    let mut path = Vec::new();
    // The old tree is a subtree of the new one as long as it began where we are: its root is known.
    let mut is_whole = true;
    while old != end {
        let middle = start + split(end - start);
        if old <= middle {
            path.push(range_root(hashes, middle, end)?);
            end = middle;
        } else {
            path.push(range_root(hashes, start, middle)?);
            start = middle;
            is_whole = false;
        }
    }
    if !is_whole {
        path.push(range_root(hashes, start, end)?);
    }
    path.reverse();
    Some(path)
}

/// Whether `proof` leads from a record's hash to the root (RFC 9162 section 2.1.3.2).
#[must_use]
pub fn verify_inclusion(leaf: Hash, index: u64, size: u64, proof: &[Hash], root: Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut node, mut last, mut hash) = (index, size - 1, leaf);
    for step in proof {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(*step, hash);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(hash, *step);
        }
        node >>= 1;
        last >>= 1;
    }
    last == 0 && hash == root
}

/// Whether `proof` shows that the tree (`new`, `new_root`) continues (`old`, `old_root`)
/// (RFC 9162 section 2.1.4.2).
#[must_use]
pub fn verify_consistency(old: u64, old_root: Hash, new: u64, new_root: Hash, proof: &[Hash]) -> bool {
    if old > new {
        return false;
    }
    if old == new {
        return proof.is_empty() && old_root == new_root;
    }
    if old == 0 {
        return proof.is_empty() && old_root == empty_root();
    }
    let (mut steps, mut node, mut last) = (proof.iter(), old - 1, new - 1);
    while node & 1 == 1 {
        node >>= 1;
        last >>= 1;
    }
    let first = if old.is_power_of_two() { Some(old_root) } else { steps.next().copied() };
    let Some(first) = first else { return false };
    let (mut from_old, mut from_new) = (first, first);
    for step in steps {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            from_old = node_hash(*step, from_old);
            from_new = node_hash(*step, from_new);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            from_new = node_hash(from_new, *step);
        }
        node >>= 1;
        last >>= 1;
    }
    last == 0 && from_old == old_root && from_new == new_root
}

#[cfg(test)]
#[path = "merkle_tests.rs"]
mod tests;
