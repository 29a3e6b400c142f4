use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use floodwall_evidence::{
    BundleFile, Disclosure, Fact, LogKey, OperatorAction, Origin, RungChange, VerifierKey,
};
use floodwall_evidence_log::{LogReader, exhibits, open, read_key};
use floodwall_model::{
    EdgeCounts, OriginHealth, OriginStatus, SiteId, SiteSnapshot, Timestamp, TrafficCounts,
};

use super::archive::{pack, unpack};
use super::bundle::{files, seal};
use super::recorder::MinuteFacts;
use super::verify::{Keys, text, verify_bundle};

fn at(seconds: u64) -> Timestamp {
    Timestamp::new(
        Duration::from_secs(seconds),
        1_667_916_120_000_000 + i64::try_from(seconds).unwrap() * 1_000_000,
    )
}

struct Sample {
    _directory: tempfile::TempDir,
    logs: PathBuf,
    reader: LogReader,
    key: LogKey,
}

/// A small log: a change of key, an action with a withheld name, and changes of rungs.
fn sample() -> Sample {
    let directory = tempfile::tempdir().unwrap();
    let logs = directory.path().join("evidence");
    let origin = Origin::new(at(0), [1; 8]);
    let (mut log, _) = open(&logs, "sos.example.gov", &origin, at(0)).unwrap();
    let disclosure = Disclosure::new([9; 16], "operator", &"J. Clerk").unwrap();
    let action = OperatorAction {
        action: "allow 192.0.2.0/24".into(),
        operator: Some(disclosure.commitment()),
        detail: None,
    };
    log.append(&[origin.record(at(1), Fact::Operator(action)).to_bytes().unwrap()]).unwrap();
    for rung in 0..3 {
        let change =
            RungChange { site: "sos".into(), path_class: "pages".into(), rung, ..RungChange::default() };
        log.append(&[origin.record(at(2), Fact::Rung(change)).to_bytes().unwrap()]).unwrap();
    }
    let reader = LogReader::open(log.path(), None).unwrap();
    let key = read_key(&logs).unwrap();
    Sample { _directory: directory, logs, reader, key }
}

impl Sample {
    fn bundle(&self) -> Vec<u8> {
        let mut records = exhibits(&self.reader, |index, _| (1..3).contains(&index)).unwrap();
        let disclosure = Disclosure::new([9; 16], "operator", &"J. Clerk").unwrap();
        records.push(BundleFile {
            path: "disclosures/000000001-operator.json".into(),
            bytes: disclosure.bytes().to_vec(),
        });
        let files = files(
            &self.reader,
            records,
            Some(b"[server]\n".to_vec()),
            "2022-11-08T14:02:07.125Z",
            "made by a test\n",
        );
        pack(&seal(&self.reader.checkpoint().origin, files, &self.key).unwrap()).unwrap()
    }
}

fn verdict(bytes: &[u8], key: Option<VerifierKey>) -> super::verify::Verdict {
    verify_bundle(Path::new("incident.tar"), bytes, &Keys { log: key, witnesses: Vec::new() })
}

#[test]
fn a_good_bundle_holds_with_and_without_a_given_key() {
    let sample = sample();
    let bytes = sample.bundle();
    let good = verdict(&bytes, Some(sample.reader.key().clone()));
    assert_eq!(
        (good.holds, good.records_verified, good.disclosures_verified, good.log_size),
        (true, 2, 1, 5),
        "{good:?}"
    );
    assert!(good.key_was_given && !text(&good).contains("its own"));
    let own = verdict(&bytes, None);
    assert!(own.holds && text(&own).contains("its own: compare it"), "{}", text(&own));
    let other = LogKey::new(sample.reader.key().name(), floodwall_evidence::KeyKind::Log, &[5; 32]).unwrap();
    assert!(!verdict(&bytes, Some(other.verifier())).holds);
}

/// Whatever byte of a bundle is changed, in a record, a proof, the README or the archive around them.
#[test]
fn every_single_byte_change_in_a_bundle_is_found() {
    let sample = sample();
    let good = sample.bundle();
    let key = sample.reader.key();
    for at in 0..good.len() {
        let mut bytes = good.clone();
        // Another value at every place, all of them over the whole file.
        bytes[at] ^= u8::try_from(at % 255 + 1).unwrap();
        let verdict = verdict(&bytes, Some(key.clone()));
        assert!(!verdict.holds && verdict.fault.is_some(), "byte {at} of {}", good.len());
    }
    for end in (0..good.len()).step_by(97) {
        assert!(!verdict(&good[..end], Some(key.clone())).holds, "cut at {end}");
    }
    let mut longer = good.clone();
    longer.push(0);
    assert!(!verdict(&longer, Some(key.clone())).holds);
}

#[test]
fn the_first_bad_record_is_named() {
    let sample = sample();
    let mut files = unpack(&sample.bundle()).unwrap();
    let place = files.iter().position(|file| file.path == "records/000000002.json").unwrap();
    let forged = String::from_utf8(files[place].bytes.clone()).unwrap().replace("\"rung\":0", "\"rung\":4");
    files[place].bytes = forged.into_bytes();
    let verdict = verdict(&pack(&files).unwrap(), None);
    assert_eq!(verdict.fault.as_ref().unwrap().record, Some(2));
    insta::assert_snapshot!(
        text(&verdict).replace(&verdict.key, "KEY").replace(sample.reader.key().name(), "LOG")
    );
}

#[test]
fn archives_with_anything_else_are_refused() {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    builder.append_link(&mut header, "MANIFEST", "/etc/passwd").unwrap();
    assert!(unpack(&builder.into_inner().unwrap()).unwrap_err().to_string().contains("not a plain file"));
    let packed = pack(&[BundleFile { path: "a".into(), bytes: b"x".to_vec() }]).unwrap();
    let mut others = packed.clone();
    others[514] = 7;
    assert!(unpack(&others).unwrap_err().to_string().contains("byte 514"), "padding after a file");
    assert!(unpack(b"no archive").is_err());
    assert_eq!(unpack(&packed).unwrap().len(), 1);
}

/// The commands of the README, as they stand there, with tools that are not ours.
#[test]
fn the_readmes_commands_verify_and_refuse() {
    let sample = sample();
    let readme = unpack(&sample.bundle()).unwrap().into_iter().find(|file| file.path == "README.md").unwrap();
    let readme = String::from_utf8(readme.bytes).unwrap();
    let start = readme.find("    # The key as openssl takes it").unwrap();
    let end = readme.find("With an implementation of the log's format by others").unwrap();
    let commands: String =
        readme[start..end].lines().map(|line| format!("{}\n", line.trim_start())).collect();
    let run = |change: &dyn Fn(&Path)| {
        let folder = tempfile::tempdir().unwrap();
        tar::Archive::new(sample.bundle().as_slice()).unpack(folder.path()).unwrap();
        change(folder.path());
        let output =
            Command::new("sh").args(["-e", "-c", &commands]).current_dir(folder.path()).output().unwrap();
        let said =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        (output.status.success(), said)
    };
    let (good, said) = run(&|_| {});
    assert!(good, "{said}");
    assert_eq!(said.matches("Signature Verified Successfully").count(), 2, "{said}");
    assert!(said.contains("records/000000001.json: OK"), "{said}");
    assert!(said.contains("record 000000002 is in the log of 5, at place 2"), "{said}");

    let edit = |folder: &Path, name: &str, from: &str, to: &str| {
        let path = folder.join(name);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from));
        std::fs::write(path, text.replace(from, to)).unwrap();
    };
    let (good, said) = run(&|folder| edit(folder, "records/000000002.json", "\"rung\":0", "\"rung\":4"));
    assert!(!good && said.contains("FAILED"), "{said}");
    let (good, said) = run(&|folder| edit(folder, "checkpoint", "\n5\n", "\n6\n"));
    assert!(!good, "{said}");
    let (good, said) = run(&|folder| edit(folder, "MANIFEST", "README.md", "READ.md"));
    assert!(!good, "{said}");
}

fn site(requests: u64) -> SiteSnapshot {
    SiteSnapshot {
        site: SiteId(0),
        name: "sos".into(),
        hosts: Vec::new(),
        role: None,
        counts: TrafficCounts { requests, ..TrafficCounts::default() },
        origins: vec![OriginStatus {
            url: "http://o".into(),
            health: OriginHealth::Up,
            since: None,
            last_failure: None,
        }],
        gates: Vec::new(),
        person_reports: 0,
        last_person_report: None,
    }
}

#[test]
fn minutes_add_up_and_an_idle_one_is_there_too() {
    let mut minutes = MinuteFacts::default();
    let mut summaries = Vec::new();
    for second in 0..=185 {
        // Three requests a second for a minute and a half, then none.
        let requests = second.min(90) * 3;
        let edge = EdgeCounts { kept_dropped: second.min(10), connections_open: 7, ..EdgeCounts::default() };
        summaries.extend(minutes.second(at(second), &[site(requests)], &edge));
    }
    summaries.extend(minutes.end(at(185)));
    let figures: Vec<_> = summaries
        .iter()
        .map(|minute| {
            (
                minute.minute_unix_s - 1_667_916_120,
                minute.sensor.seconds_read,
                minute.sites["sos"].traffic.get("requests").copied(),
            )
        })
        .collect();
    assert_eq!(figures, [(0, 60, Some(180)), (60, 60, Some(90)), (120, 60, None), (180, 6, None)]);
    assert_eq!(summaries[0].sensor.dropped["kept_dropped"], 10);
    assert!(summaries[1].sensor.dropped.is_empty());
    assert_eq!((summaries[2].sites["sos"].origins["up"], summaries[2].sensor.connections_open), (1, 7));
}

#[test]
fn a_clock_that_is_set_shows_in_its_minute() {
    let mut minutes = MinuteFacts::default();
    let stepped = |second: u64, micros: i64| {
        let at = at(second);
        Timestamp::new(Duration::from_secs(second), at.wall_unix_micros() + micros)
    };
    assert_eq!(minutes.second(stepped(0, 0), &[], &EdgeCounts::default()), None);
    assert_eq!(minutes.second(stepped(1, 2_500_000), &[], &EdgeCounts::default()), None);
    let summary = minutes.second(stepped(60, 2_500_000), &[], &EdgeCounts::default()).unwrap();
    assert_eq!(summary.sensor.clock_step_ms, 2500);
    let back = minutes.second(stepped(61, -60_000_000), &[], &EdgeCounts::default()).unwrap();
    assert_eq!(back.sensor.clock_step_ms, -62_500, "the minute that the step ended says so");
}

#[test]
fn whose_log_it_is_stays_readable_beside_it() {
    let sample = sample();
    assert!(sample.logs.join("key").is_file() && sample.logs.join("current").is_file());
    assert!(sample.reader.path().join("log.vkey").is_file());
}
