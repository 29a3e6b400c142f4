//! A bundle of evidence: files that travel together, and what holds them together.
//!
//! `MANIFEST` is a signed note by the log's key; its text has a line for every other file in the form
//! of `sha256sum`. Each record comes with a proof of its own. [`check_bundle`] works on the files
//! alone; whoever packs them into one archive must refuse archives that hold anything else.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use crate::checkpoint::{Checkpoint, CheckpointFault};
use crate::cosignature::verify_cosignature;
use crate::key::{KeyKind, VerifierKey};
use crate::merkle::leaf_hash;
use crate::note::SignedNote;
use crate::proof::TlogProof;
use crate::record::Record;
use crate::redaction::Disclosure;

/// The first words of a manifest. A line that begins with `#` is a comment to `sha256sum`.
pub const BUNDLE_FORMAT: &str = "# floodwall-bundle/1 of ";
/// The file that names and signs all others.
pub const MANIFEST: &str = "MANIFEST";
/// Folder of records: `records/000000012.json`.
pub const RECORDS: &str = "records/";
/// Folder of their proofs: `proofs/000000012.tlog-proof`.
pub const PROOFS: &str = "proofs/";
/// Folder of what was withheld from records and is disclosed: `disclosures/000000012-operator.json`.
pub const DISCLOSURES: &str = "disclosures/";

/// A file of a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleFile {
    /// Its path within the bundle.
    pub path: String,
    /// What it holds.
    pub bytes: Vec<u8>,
}

/// What a bundle was found to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BundleReport {
    /// The log, by the manifest; empty where that cannot be read.
    pub origin: String,
    /// Records whose proofs hold, by their place in the log.
    pub records: Vec<u64>,
    /// Values that are disclosed and belong to their records.
    pub disclosures: u64,
    /// Witnesses whose cosignatures hold.
    pub witnesses: Vec<String>,
    /// The largest size of the log that is proven.
    pub size: u64,
    /// The first thing that is wrong: the file, and what.
    pub fault: Option<(String, String)>,
}

/// The text of a manifest over `files`.
#[must_use]
pub fn manifest_text(origin: &str, files: &[BundleFile]) -> String {
    let mut text = format!("{BUNDLE_FORMAT}{origin}\n");
    for file in files {
        let _ = writeln!(text, "{}  {}", hexadecimal(&Sha256::digest(&file.bytes)), file.path);
    }
    text
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Verifies a bundle's files with the log's key and its witnesses' keys. The manifest comes first.
#[must_use]
pub fn check_bundle(files: &[BundleFile], key: &VerifierKey, witnesses: &[VerifierKey]) -> BundleReport {
    let mut report = BundleReport { origin: key.name().to_owned(), ..BundleReport::default() };
    if let Err(fault) = check(files, key, witnesses, &mut report) {
        report.fault = Some(fault);
    }
    report
}

type Fault = (String, String);

fn check(
    files: &[BundleFile],
    key: &VerifierKey,
    witnesses: &[VerifierKey],
    report: &mut BundleReport,
) -> Result<(), Fault> {
    let fault = |path: &str, what: &dyn std::fmt::Display| (path.to_owned(), what.to_string());
    let Some((manifest, others)) = files.split_first().filter(|(first, _)| first.path == MANIFEST) else {
        return Err(fault(MANIFEST, &"it is missing, or not the first file"));
    };
    let note = SignedNote::parse(&manifest.bytes).map_err(|error| fault(MANIFEST, &error))?;
    note.verify(key).map_err(|error| fault(MANIFEST, &error))?;
    check_listed(note.text(), key.name(), others)?;

    let by_path: BTreeMap<&str, &BundleFile> = others.iter().map(|file| (file.path.as_str(), file)).collect();
    for file in others {
        if let Some(number) = file.path.strip_prefix(RECORDS).and_then(|name| name.strip_suffix(".json")) {
            let proof_path = format!("{PROOFS}{number}.tlog-proof");
            let proof =
                by_path.get(proof_path.as_str()).ok_or_else(|| fault(&proof_path, &"it is missing"))?;
            let index = check_record(file, proof, key, report)?;
            if number != format!("{index:09}") {
                return Err(fault(&file.path, &format!("it is record {index} of the log")));
            }
            report.records.push(index);
        } else if let Some(name) = file.path.strip_prefix(DISCLOSURES) {
            let number = name.split('-').next().unwrap_or_default();
            let record = by_path.get(format!("{RECORDS}{number}.json").as_str());
            let disclosure = Disclosure::parse(&file.bytes).map_err(|error| fault(&file.path, &error))?;
            if !record.is_some_and(|record| disclosure.belongs_to(&record.bytes)) {
                return Err(fault(&file.path, &"no record commits to it"));
            }
            report.disclosures += 1;
        } else if file.path == "checkpoint" {
            check_checkpoint(file, key, witnesses, report)?;
        }
    }
    Ok(())
}

/// The manifest names exactly the files that are there, in their order, each with its hash.
fn check_listed(text: &str, origin: &str, files: &[BundleFile]) -> Result<(), Fault> {
    let mut lines = text.lines();
    if lines.next().and_then(|line| line.strip_prefix(BUNDLE_FORMAT)) != Some(origin) {
        return Err((MANIFEST.to_owned(), "it is the manifest of another log or format".to_owned()));
    }
    for file in files {
        let listed = lines.next().and_then(|line| line.split_once("  "));
        let Some((hash, path)) = listed else {
            return Err((file.path.clone(), "the manifest does not name it".to_owned()));
        };
        if path != file.path {
            let what = format!("the manifest has {path} in this place: a file is missing, added or moved");
            return Err((file.path.clone(), what));
        }
        if hash != hexadecimal(&Sha256::digest(&file.bytes)) {
            return Err((
                file.path.clone(),
                "it is not the file that was signed (its SHA-256 is another)".to_owned(),
            ));
        }
    }
    match lines.next() {
        Some(more) => Err((MANIFEST.to_owned(), format!("it names a file that is missing: {more}"))),
        None => Ok(()),
    }
}

fn check_record(
    file: &BundleFile,
    proof_file: &BundleFile,
    key: &VerifierKey,
    report: &mut BundleReport,
) -> Result<u64, Fault> {
    Record::parse(&file.bytes).map_err(|error| (file.path.clone(), error.to_string()))?;
    let proof =
        TlogProof::parse(&proof_file.bytes).map_err(|error| (proof_file.path.clone(), error.to_string()))?;
    let checkpoint =
        proof.verify(leaf_hash(&file.bytes), key).map_err(|error| (file.path.clone(), error.to_string()))?;
    report.size = report.size.max(checkpoint.size);
    Ok(proof.index)
}

fn check_checkpoint(
    file: &BundleFile,
    key: &VerifierKey,
    witnesses: &[VerifierKey],
    report: &mut BundleReport,
) -> Result<(), Fault> {
    let fault = |error: CheckpointFault| (file.path.clone(), error.to_string());
    let (checkpoint, note) = Checkpoint::open(&file.bytes, key).map_err(fault)?;
    report.size = report.size.max(checkpoint.size);
    for witness in witnesses.iter().filter(|witness| witness.kind() == KeyKind::Witness) {
        let signed = verify_cosignature(&note, witness)
            .map_err(|error| (file.path.clone(), format!("witness {}: {error}", witness.name())))?;
        report.witnesses.push(signed.witness);
    }
    Ok(())
}

#[cfg(test)]
#[path = "bundle_tests.rs"]
mod tests;
