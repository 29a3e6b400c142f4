use std::time::Duration;

use floodwall_model::Timestamp;

use super::*;
use crate::cosignature::cosign;
use crate::key::LogKey;
use crate::merkle::node_hash;
use crate::record::{Fact, OperatorAction, Origin, Stop};

const ORIGIN: &str = "example.org/log";

fn file(path: &str, bytes: impl Into<Vec<u8>>) -> BundleFile {
    BundleFile { path: path.to_owned(), bytes: bytes.into() }
}

struct Sample {
    files: Vec<BundleFile>,
    log: LogKey,
    witness: LogKey,
}

fn sample() -> Sample {
    let log = LogKey::new(ORIGIN, KeyKind::Log, &[1; 32]).unwrap();
    let witness = LogKey::new("peer.example/w", KeyKind::Witness, &[2; 32]).unwrap();
    let origin = Origin::new(Timestamp::new(Duration::ZERO, 0), [1; 8]);
    let disclosure = Disclosure::new([9; 16], "operator", &"J. Clerk").unwrap();
    let action =
        OperatorAction { action: "allow".into(), operator: Some(disclosure.commitment()), detail: None };
    let record = |fact| origin.record(origin.started, fact).to_bytes().unwrap();
    let records = [record(Fact::Operator(action)), record(Fact::Stop(Stop { reason: "SIGTERM".into() }))];
    let [first, second] = records.each_ref().map(|record| leaf_hash(record));
    let checkpoint = Checkpoint { origin: ORIGIN.into(), size: 2, root: node_hash(first, second) };
    let mut note = checkpoint.sign(&log).unwrap();
    note.add(cosign(&note, &witness, 1_700_000_000).unwrap());
    let mut files = vec![file("README", "how to verify\n"), file("checkpoint", note.to_text())];
    for (index, (record, other)) in (0..).zip(records.iter().zip([second, first])) {
        let proof = TlogProof { index, path: vec![other], checkpoint: note.clone() };
        files.push(file(&format!("records/{index:09}.json"), record.clone()));
        files.push(file(&format!("proofs/{index:09}.tlog-proof"), proof.to_text()));
    }
    files.push(file("disclosures/000000000-operator.json", disclosure.bytes()));
    let mut sample = Sample { files, log, witness };
    sample.seal();
    sample
}

impl Sample {
    /// Signs the manifest over the files as they are, as somebody could who has the key.
    fn seal(&mut self) {
        self.files.retain(|file| file.path != MANIFEST);
        let note = SignedNote::sign(&manifest_text(ORIGIN, &self.files), &self.log).unwrap();
        self.files.insert(0, file(MANIFEST, note.to_text()));
    }

    fn check(&self) -> BundleReport {
        check_bundle(&self.files, &self.log.verifier(), &[self.witness.verifier()])
    }

    fn position(&self, path: &str) -> usize {
        self.files.iter().position(|file| file.path == path).unwrap()
    }
}

#[test]
fn a_good_bundle_says_what_it_holds() {
    let report = sample().check();
    assert_eq!(
        report,
        BundleReport {
            origin: ORIGIN.into(),
            records: vec![0, 1],
            disclosures: 1,
            witnesses: vec!["peer.example/w".into()],
            size: 2,
            fault: None,
        }
    );
}

#[test]
fn every_changed_byte_is_found_and_its_file_named() {
    let good = sample();
    for at in 0..good.files.len() {
        for byte in 0..good.files[at].bytes.len() {
            let mut files = good.files.clone();
            files[at].bytes[byte] ^= 0x11;
            let report = check_bundle(&files, &good.log.verifier(), &[good.witness.verifier()]);
            let (path, what) = report.fault.unwrap();
            assert_eq!(path, good.files[at].path, "byte {byte}: {what}");
        }
    }
}

#[test]
fn missing_added_and_moved_files_are_found() {
    for (what, change) in [
        ("missing", (|files| drop(files.pop())) as fn(&mut Vec<BundleFile>)),
        ("added", |files| files.push(file("more", "x"))),
        ("swapped", |files| files.swap(2, 4)),
        ("manifest last", |files| files.rotate_left(1)),
        ("empty", Vec::clear),
    ] {
        let mut sample = sample();
        change(&mut sample.files);
        assert!(sample.check().fault.is_some(), "{what}");
    }
}

/// Even the key's holder cannot make a record out of nothing, or take another's place.
#[test]
fn a_sealed_bundle_with_a_forged_record_is_found() {
    let forge = |path: &str, bytes: &[u8]| {
        let mut sample = sample();
        let at = sample.position(path);
        sample.files[at].bytes = bytes.to_vec();
        sample.seal();
        sample.check().fault.unwrap()
    };
    let good = sample();
    let second = good.files[good.position("records/000000001.json")].bytes.clone();
    let (path, what) = forge("records/000000000.json", &second);
    assert_eq!(path, "records/000000000.json");
    assert!(what.contains("not in the log at this place"), "{what}");
    let mut forged = Disclosure::new([9; 16], "operator", &"A. Other").unwrap().bytes().to_vec();
    assert_eq!(forge("disclosures/000000000-operator.json", &forged).1, "no record commits to it");
    forged.clear();
    assert!(forge("checkpoint", &forged).1.contains("not a signed note"));
}

#[test]
fn a_witness_that_did_not_sign_is_named() {
    let sample = sample();
    let other = LogKey::new("other.example/w", KeyKind::Witness, &[5; 32]).unwrap().verifier();
    let (path, what) = check_bundle(&sample.files, &sample.log.verifier(), &[other]).fault.unwrap();
    assert_eq!((path.as_str(), what.contains("other.example/w")), ("checkpoint", true));
}
