//! Evidence as bytes: what was seen and done, written so that others can check years later that
//! nothing was changed since.
//!
//! - [`Record`]: one fact as canonical JSON (RFC 8785). Fields that concern people can be withheld:
//!   the record then holds a salted commitment, and the value travels apart ([`Disclosure`]).
//! - The log: records are the leaves of a Merkle tree (RFC 9162), laid out as tiles and entry bundles
//!   (C2SP tlog-tiles). [`RightEdge`] grows it.
//! - [`Checkpoint`]: the tree's size and root, signed with Ed25519 as a C2SP signed note;
//!   [`cosign`] is a witness's signature under it (C2SP tlog-cosignature).
//! - [`inclusion_proof`], [`consistency_proof`], [`TlogProof`]: that a record is in the tree, and that
//!   a later tree continues an earlier one.
//! - [`LogCheck`] and [`check_bundle`]: verification, which names the first thing that is wrong.
//!
//! Bytes in, bytes out: no files, clock or entropy. Keys, salts and times are passed in.
//!
//! Limit: all of this shows that nothing was changed after it was logged. It does not show that the
//! sensor saw the truth, nor that whoever holds the key did not keep two logs; against the latter help
//! witnesses, and checkpoints that were given away.

mod bundle;
mod canonical;
mod checkpoint;
mod cosignature;
mod key;
mod log_check;
mod merkle;
mod note;
mod privacy;
mod proof;
mod record;
mod redaction;
mod tile;

pub use bundle::{
    BUNDLE_FORMAT, BundleFile, BundleReport, DISCLOSURES, MANIFEST, PROOFS, RECORDS, check_bundle,
    manifest_text,
};
pub use canonical::{CanonicalFault, INTEGER_MAX, check_canonical, to_canonical};
pub use checkpoint::{Checkpoint, CheckpointFault};
pub use cosignature::{Cosignature, cosign, verify_cosignature};
pub use key::{KeyFault, KeyKind, LogKey, VerifierKey, is_key_name};
pub use log_check::{Gap, LogCheck, LogFault, LogFindings};
pub use merkle::{
    Hash, Hashes, consistency_proof, empty_root, inclusion_proof, leaf_hash, node_hash, verify_consistency,
    verify_inclusion,
};
pub use note::{NoteFault, NoteSignature, SignedNote};
pub use privacy::{AddressKey, truncated};
pub use proof::{ProofFault, TlogProof};
pub use record::{
    CaptureHash, ClaimRecord, Continued, Fact, IncidentRevision, KeyChange, Loss, MinuteSummary,
    OperatorAction, Origin, OutageSeen, RECORD_BYTES_MAX, RECORD_FORMAT, Record, RecordFault, RungChange,
    SensorHealth, SiteMinute, Start, Stop,
};
pub use redaction::{Commitment, Disclosure, DisclosureFault, SALT_BYTES};
pub use tile::{
    EntryFault, RightEdge, TILE_WIDTH, TileCoordinate, TileHashes, encode_entries, entries_path,
    split_entries,
};
