//! Appending, reading, verifying; what is done with a log that was damaged, copied or put back.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the lints' exception for tests does not reach the helpers of one"
)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use floodwall_evidence::{Fact, Origin, Record, Stop};
use floodwall_evidence_log::{
    Appended, EvidenceError, EvidenceHandle, EvidenceLog, HandleSettings, LogReader, Opened, current_log,
    open,
};
use floodwall_model::{Clock, Timestamp};

fn now() -> Timestamp {
    Timestamp::new(Duration::ZERO, 1_667_916_127_000_000)
}

fn origin() -> Origin {
    Origin::new(now(), [7; 8])
}

fn record(number: usize) -> Vec<u8> {
    origin().record(now(), Fact::Stop(Stop { reason: format!("number {number}") })).to_bytes().unwrap()
}

fn start(directory: &Path) -> (EvidenceLog, Opened) {
    open(directory, "sos.example.gov", &origin(), now()).unwrap()
}

/// A log of so many records in a directory of its own.
fn log_of(records: usize) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let logs = directory.path().join("evidence");
    let (mut log, _) = start(&logs);
    let all: Vec<_> = (0..records).map(record).collect();
    for batch in all.chunks(100) {
        log.append(batch).unwrap();
    }
    (directory, logs)
}

fn reader(logs: &Path) -> LogReader {
    LogReader::open(&current_log(logs).unwrap().unwrap(), None).unwrap()
}

fn all_records(reader: &LogReader) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    reader
        .records(0..u64::MAX, |_, record| {
            found.push(record.to_vec());
            true
        })
        .unwrap();
    found
}

#[test]
fn what_is_appended_is_read_verified_and_proven() {
    let (_kept, logs) = log_of(700);
    let reader = reader(&logs);
    assert_eq!(reader.verify(|_| {}).fault, None);
    let found = all_records(&reader);
    assert_eq!(found.len(), 701);
    assert!(
        matches!(Record::parse(&found[0]).unwrap().fact, Fact::KeyChange(_)),
        "the first says whose log it is"
    );
    assert_eq!(found[700], record(699));
    for index in [0, 1, 255, 256, 511, 512, 700] {
        let proof = reader.proof(index).unwrap();
        let leaf = floodwall_evidence::leaf_hash(&found[usize::try_from(index).unwrap()]);
        assert_eq!(proof.verify(leaf, reader.key()).unwrap(), *reader.checkpoint());
    }
    assert!(reader.proof(701).is_none());
}

#[test]
fn a_log_is_taken_up_at_every_size_and_continues_its_earlier_checkpoints() {
    let directory = tempfile::tempdir().unwrap();
    let mut checkpoints = Vec::new();
    let mut number = 0;
    for batch in [1, 254, 1, 1, 255, 256, 300] {
        let (mut log, opened) = start(directory.path());
        assert_eq!(opened.is_new, checkpoints.is_empty());
        let records: Vec<_> = (number..number + batch).map(record).collect();
        number += batch;
        log.append(&records).unwrap();
        checkpoints.push(log.checkpoint());
    }
    let reader = reader(directory.path());
    assert_eq!(reader.verify(|_| {}).fault, None);
    assert!(checkpoints.iter().all(|earlier| reader.continues(earlier) == Some(true)));
    let mut forged = checkpoints[2].clone();
    forged.root = floodwall_evidence::leaf_hash(b"another");
    assert_eq!(reader.continues(&forged), Some(false));
    let files = walk(reader.path());
    let partial: Vec<_> = files.iter().filter(|path| path.to_string_lossy().contains(".p/")).collect();
    assert_eq!(partial.len(), 3, "of tiles, higher tiles and records one each: {partial:?}");
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(walk(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

#[test]
fn every_changed_byte_of_a_log_is_found() {
    let (_kept, logs) = log_of(3);
    let log = current_log(&logs).unwrap().unwrap();
    let verdict = || match LogReader::open(&log, None) {
        Ok(reader) => reader.verify(|_| {}).fault.map(|fault| fault.what),
        Err(error) => Some(error.to_string()),
    };
    assert_eq!(verdict(), None);
    for path in walk(&log).into_iter().filter(|path| !path.ends_with("place")) {
        let good = std::fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut bytes = good.clone();
            bytes[at] ^= 0x11;
            std::fs::write(&path, &bytes).unwrap();
            // The end of the key's line is no part of the key.
            let is_line_end = path.ends_with("log.vkey") && at + 1 == good.len();
            assert!(verdict().is_some() || is_line_end, "{} byte {at}", path.display());
        }
        std::fs::write(&path, &good[..good.len() - 1]).unwrap();
        assert!(verdict().is_some() || path.ends_with("log.vkey"), "{} cut", path.display());
        std::fs::write(&path, &good).unwrap();
    }
    assert_eq!(verdict(), None);
}

#[test]
fn leftovers_of_an_append_that_was_never_acknowledged_are_cut() {
    let (_kept, logs) = log_of(300);
    let log = current_log(&logs).unwrap().unwrap();
    for leftover in [
        "tile/entries/001.p/99",
        "tile/0/001",
        "tile/0/001.p/46",
        "tile/entries/001.p/45.new",
        "tile/1/000.p/2",
    ] {
        std::fs::write(log.join(leftover), b"half").unwrap();
    }
    let (mut opened_log, opened) = start(&logs);
    assert_eq!((opened.is_new, opened.files_cut), (false, 5));
    opened_log.append(&[record(300)]).unwrap();
    let reader = reader(&logs);
    assert_eq!((reader.checkpoint().size, reader.verify(|_| {}).fault), (302, None));
}

/// Does something to a log that is not written; why the next start does not continue it.
fn why_not(change: impl FnOnce(&Path, &Path)) -> String {
    let (_kept, logs) = log_of(300);
    let log = current_log(&logs).unwrap().unwrap();
    let before = reader(&logs).checkpoint().clone();
    change(&logs, &log);
    let (opened_log, opened) = start(&logs);
    assert!(opened.is_new);
    let continued = opened.continues.unwrap();
    assert!(continued.origin == before.origin || log.ends_with(&continued.origin));
    assert_ne!(opened_log.checkpoint().origin, before.origin);
    let new = reader(&logs);
    assert_eq!(new.verify(|_| {}).fault, None);
    let first = all_records(&new).remove(0);
    let Fact::KeyChange(change) = Record::parse(&first).unwrap().fact else { panic!("not a key change") };
    assert_eq!(change.continues.as_ref(), Some(&continued));
    assert_eq!(change.key, new.key().to_string());
    assert!(log.is_dir(), "the old log stays as it was");
    continued.why
}

#[test]
fn a_log_that_cannot_be_continued_is_named_by_the_new_one() {
    let why = why_not(|logs, _| std::fs::remove_file(logs.join("key")).unwrap());
    assert_eq!(why, "its key is gone");
    let why = why_not(|logs, _| std::fs::write(logs.join("key"), [1; 32]).unwrap());
    assert_eq!(why, "the key is another than the log's");
    let why = why_not(|_, log| std::fs::write(log.join("tile/0/001.p/45"), [0; 45 * 32]).unwrap());
    assert_eq!(why, "its hashes are not those of its checkpoint");
    let why = why_not(|_, log| std::fs::remove_file(log.join("tile/1/000.p/1")).unwrap());
    assert_eq!(why, "tiles of hashes are missing or cut off");
    let why = why_not(|_, log| std::fs::remove_file(log.join("tile/entries/001.p/45")).unwrap());
    assert_eq!(why, "its last records are missing");
    let why = why_not(|_, log| std::fs::write(log.join("checkpoint"), "x").unwrap());
    assert!(why.contains("not a signed note"), "{why}");
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let name = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &name);
        } else {
            std::fs::copy(&path, &name).unwrap();
        }
    }
}

#[test]
fn a_restored_backup_is_noticed_and_continued_as_a_new_log() {
    let why = why_not(|logs, _| {
        let backup = logs.with_extension("backup");
        copy(logs, &backup);
        std::fs::remove_dir_all(logs).unwrap();
        std::fs::rename(&backup, logs).unwrap();
    });
    assert_eq!(why, "it was copied or restored from a backup: others may hold a longer one");
}

#[test]
fn a_backup_written_over_the_log_in_place_is_noticed() {
    let (_kept, logs) = log_of(10);
    let backup = logs.with_extension("backup");
    copy(&logs, &backup);
    let (mut log, _) = start(&logs);
    log.append(&[record(10), record(11)]).unwrap();
    drop(log);
    let tiles = current_log(&logs).unwrap().unwrap().join("tile");
    std::fs::remove_dir_all(tiles).unwrap();
    copy(&backup, &logs);
    let (_, opened) = start(&logs);
    assert_eq!(opened.continues.unwrap().why, "it was put back: it has 11 records, and had 13");
}

#[test]
fn one_process_writes_and_the_key_is_its_owners() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let (first, _) = start(directory.path());
    let second = open(directory.path(), "sos.example.gov", &origin(), now());
    assert!(matches!(second, Err(EvidenceError::InUse { .. })));
    drop(first);
    let key = directory.path().join("key");
    assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let open_to_others = open(directory.path(), "sos.example.gov", &origin(), now());
    assert!(open_to_others.unwrap_err().to_string().contains("chmod 600"));
}

struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        now()
    }
}

#[test]
fn what_the_queue_has_no_room_for_is_counted_and_recorded() {
    let directory = tempfile::tempdir().unwrap();
    let (log, _) = start(directory.path());
    let settings = HandleSettings { queue_records_max: 5, queue_bytes_max: 1 << 20 };
    let handle = EvidenceHandle::start(log, origin(), Arc::new(Stopped), settings).unwrap();
    let receipt = handle.append_acknowledged((0..6).map(record).collect());
    let lost = receipt.wait(Duration::from_secs(60)).unwrap();
    assert!(matches!(lost, Appended::Lost { .. }), "{lost:?}");
    assert_eq!((handle.figures().lost, handle.figures().lost_unrecorded), (6, 6));
    let receipt = handle.append_acknowledged(vec![record(6)]);
    assert_eq!(
        receipt.wait(Duration::from_secs(60)),
        Some(Appended::At(2..3)),
        "after the record of the loss"
    );
    assert_eq!((handle.figures().lost, handle.figures().lost_unrecorded), (6, 0));
    assert!(handle.close(Duration::from_secs(60)));
    let found = all_records(&reader(directory.path()));
    let Fact::Loss(loss) = Record::parse(&found[1]).unwrap().fact else { panic!("no loss: {found:?}") };
    assert_eq!((loss.records, loss.why.as_str()), (6, "too many records waited for the disk"));
    assert_eq!(found[2], record(6));
    let late = handle.append_acknowledged(vec![record(7)]).wait(Duration::from_secs(60));
    assert!(matches!(late, Some(Appended::Lost { .. })), "closed");
}
