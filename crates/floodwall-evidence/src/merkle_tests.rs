//! Against the definition in the RFC, and against an implementation that is not ours.

use proptest::prelude::*;
use tlog_tiles::tlog;

use super::*;
use crate::tile::{RightEdge, TileCoordinate, TileHashes};
use std::collections::HashMap;

/// RFC 9162 section 2.1.1, word for word.
fn defined_root(records: &[Vec<u8>]) -> Hash {
    match records {
        [] => empty_root(),
        [one] => leaf_hash(one),
        many => {
            let mut k = 1;
            while k * 2 < many.len() {
                k *= 2;
            }
            node_hash(defined_root(&many[..k]), defined_root(&many[k..]))
        }
    }
}

fn records(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|number| format!("{{\"number\":{number}}}").into_bytes()).collect()
}

/// A tree grown record by record, its tiles kept as a log keeps them.
struct Grown {
    edge: RightEdge,
    tiles: HashMap<String, Vec<u8>>,
}

fn bytes(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

fn grow(records: &[Vec<u8>]) -> Grown {
    let (mut edge, mut tiles) = (RightEdge::default(), HashMap::new());
    for record in records {
        edge.push(leaf_hash(record), |tile, hashes| {
            tiles.insert(tile.path(), bytes(hashes));
        });
    }
    for (tile, hashes) in edge.partial_tiles() {
        tiles.insert(tile.path(), bytes(hashes));
    }
    Grown { edge, tiles }
}

impl Grown {
    fn hashes(&self) -> TileHashes<impl Fn(TileCoordinate) -> Option<Vec<u8>> + '_> {
        TileHashes::new(self.edge.size(), |tile| self.tiles.get(&tile.path()).cloned())
    }
}

/// Every subtree hash by the other implementation's numbering.
struct Theirs(Vec<tlog::Hash>);

impl tlog::HashReader for Theirs {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog::Hash>, tlog::Error> {
        Ok(indexes.iter().map(|index| self.0[usize::try_from(*index).unwrap()]).collect())
    }
}

fn theirs(records: &[Vec<u8>]) -> Theirs {
    let mut stored = Theirs(Vec::new());
    for (number, record) in (0..).zip(records) {
        let new = tlog::stored_hashes(number, record, &stored).unwrap();
        stored.0.extend(new);
    }
    stored
}

#[test]
fn the_tree_without_records_has_the_rfcs_root() {
    assert_eq!(RightEdge::default().root().to_base64(), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
}

#[test]
fn every_small_tree_is_the_defined_one_and_every_proof_holds() {
    let all = records(70);
    for size in 0..=all.len() {
        let grown = grow(&all[..size]);
        let root = grown.edge.root();
        assert_eq!(root, defined_root(&all[..size]), "{size}");
        assert_eq!(RightEdge::of(&grown.hashes(), size as u64).unwrap(), grown.edge);
        for index in 0..size as u64 {
            let proof = inclusion_proof(&grown.hashes(), index, size as u64).unwrap();
            let leaf = leaf_hash(&all[usize::try_from(index).unwrap()]);
            assert!(verify_inclusion(leaf, index, size as u64, &proof, root), "{index} of {size}");
            assert!(!verify_inclusion(leaf, (index + 1) % (size as u64 + 1), size as u64, &proof, root));
            assert!(!verify_inclusion(leaf_hash(b"other"), index, size as u64, &proof, root));
        }
        for old in 0..=size {
            let proof = consistency_proof(&grown.hashes(), old as u64, size as u64).unwrap();
            let old_root = defined_root(&all[..old]);
            assert!(verify_consistency(old as u64, old_root, size as u64, root, &proof), "{old} to {size}");
            let other = leaf_hash(b"other");
            assert!(!verify_consistency(old as u64, other, size as u64, root, &proof) || old == size);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Roots, proofs and their acceptance, beside Cloudflare's `tlog_tiles`.
    #[test]
    fn another_implementation_agrees(size in 1..1500_u64, index: prop::sample::Index, old: prop::sample::Index) {
        let all = records(usize::try_from(size).unwrap());
        let (grown, other) = (grow(&all), theirs(&all));
        let root = grown.edge.root();
        prop_assert_eq!(tlog::tree_hash(size, &other).unwrap().0, root.0);

        let index = index.index(all.len()) as u64;
        let ours = inclusion_proof(&grown.hashes(), index, size).unwrap();
        let given: Vec<_> = ours.iter().map(|hash| tlog::Hash(hash.0)).collect();
        prop_assert_eq!(&tlog::prove_record(size, index, &other).unwrap(), &given);
        let leaf = tlog::record_hash(&all[usize::try_from(index).unwrap()]);
        prop_assert!(tlog::check_record(&given, size, tlog::Hash(root.0), index, leaf).is_ok());

        let old = old.index(all.len()) as u64 + 1;
        let ours = consistency_proof(&grown.hashes(), old, size).unwrap();
        let given: Vec<_> = ours.iter().map(|hash| tlog::Hash(hash.0)).collect();
        let old_root = tlog::tree_hash(old, &other).unwrap();
        prop_assert!(tlog::check_tree(&given, size, tlog::Hash(root.0), old, old_root).is_ok());
        prop_assert!(verify_consistency(old, Hash(old_root.0), size, root, &ours));
    }

    #[test]
    fn a_changed_proof_is_refused(size in 2..600_u64, index: prop::sample::Index, step: prop::sample::Index, bit in 0..256_usize) {
        let all = records(usize::try_from(size).unwrap());
        let grown = grow(&all);
        let at = index.index(all.len());
        let mut proof = inclusion_proof(&grown.hashes(), at as u64, size).unwrap();
        let step = step.index(proof.len());
        proof[step].0[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(!verify_inclusion(leaf_hash(&all[at]), at as u64, size, &proof, grown.edge.root()));
        let old = 1 + at as u64;
        let mut proof = consistency_proof(&grown.hashes(), old, size).unwrap();
        if let Some(first) = proof.first_mut() {
            first.0[bit / 8] ^= 1 << (bit % 8);
            let old_root = defined_root(&all[..=at]);
            prop_assert!(!verify_consistency(old, old_root, size, grown.edge.root(), &proof));
        }
    }

    #[test]
    fn proofs_of_any_shape_are_read_without_panic(
        index: u64, size: u64, old: u64, proof in proptest::collection::vec(any::<[u8; 32]>(), 0..70),
    ) {
        let proof: Vec<_> = proof.into_iter().map(Hash).collect();
        let _ = verify_inclusion(empty_root(), index, size, &proof, empty_root());
        let _ = verify_consistency(old, empty_root(), size, empty_root(), &proof);
    }
}
