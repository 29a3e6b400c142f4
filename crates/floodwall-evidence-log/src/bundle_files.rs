//! The exhibits of a bundle out of a log: records, each with its proof.

use floodwall_evidence::{BundleFile, PROOFS, RECORDS};

use crate::{EvidenceError, LogReader};

/// Records in one bundle at most.
const RECORDS_MAX: usize = 10_000;

/// Why exhibits could not be taken from a log.
#[derive(Debug, thiserror::Error)]
pub enum ExhibitFault {
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] EvidenceError),
    /// More than a bundle holds.
    #[error("more than 10,000 records are asked for; narrow it with --from and --to")]
    TooMany,
    /// A record whose proof cannot be made or does not hold.
    #[error("record {0} has no proof that holds: verify the log (`floodwall evidence verify`)")]
    NoProof(u64),
}

/// Records for which `wanted` says yes, as files of a bundle, with the proof of each verified.
///
/// # Errors
/// [`ExhibitFault`].
pub fn exhibits(
    reader: &LogReader,
    mut wanted: impl FnMut(u64, &[u8]) -> bool,
) -> Result<Vec<BundleFile>, ExhibitFault> {
    let mut found: Vec<(u64, Vec<u8>)> = Vec::new();
    reader.records(0..u64::MAX, |index, record| {
        if wanted(index, record) {
            found.push((index, record.to_vec()));
        }
        found.len() <= RECORDS_MAX
    })?;
    if found.len() > RECORDS_MAX {
        return Err(ExhibitFault::TooMany);
    }
    let mut files = Vec::new();
    for (index, bytes) in found {
        let proof = reader.proof(index).ok_or(ExhibitFault::NoProof(index))?;
        proof
            .verify(floodwall_evidence::leaf_hash(&bytes), reader.key())
            .map_err(|_| ExhibitFault::NoProof(index))?;
        files.push(BundleFile { path: format!("{RECORDS}{index:09}.json"), bytes });
        files.push(BundleFile {
            path: format!("{PROOFS}{index:09}.tlog-proof"),
            bytes: proof.to_text().into_bytes(),
        });
    }
    Ok(files)
}
