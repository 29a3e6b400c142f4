//! A hash that is the same in every build and on every machine: `ETag`s survive a restart, and an
//! address keeps its polling place. Not for keyed or hostile use.

/// FNV-1a over `bytes`, then one mixing round (splitmix64) so that the high bits are as good as
/// the low ones.
pub(crate) const fn stable_hash(mut bytes: &[u8]) -> u64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    while let [first, rest @ ..] = bytes {
        hash = (hash ^ *first as u64).wrapping_mul(0x0100_0000_01b3);
        bytes = rest;
    }
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}
