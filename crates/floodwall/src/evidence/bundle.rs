//! `floodwall evidence bundle`: one file for somebody else.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use floodwall_evidence::{BundleFile, MANIFEST, RECORDS, Record, SignedNote, manifest_text};
use floodwall_evidence_log::{LogReader, current_log, exhibits, read_key};
use floodwall_model::Clock as _;

use super::archive::pack;
use super::command::{Choice, Place, fail};
use super::readme::{VERIFY_RECORD, readme};
use super::verify::{KEY_FILE, Keys, verify_bundle};
use crate::clock::SystemClock;
use crate::commands::EXIT_NO;

#[derive(Args, Debug)]
pub(crate) struct BundleArguments {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    choice: Choice,
    /// The file to write; it must not be there yet
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    /// Who asked for it and what for, in your words: the first line of custody
    #[arg(long, value_name = "TEXT", default_value = "not said")]
    purpose: String,
}

pub(super) fn run(arguments: &BundleArguments, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    let logs = match arguments.place.logs() {
        Ok(logs) => logs,
        Err(status) => return status,
    };
    match make(arguments, &logs) {
        Ok(text) => {
            let _ = writeln!(out, "{text}");
            0
        }
        Err(message) => fail(err, message, EXIT_NO),
    }
}

fn make(arguments: &BundleArguments, logs: &Path) -> Result<String, String> {
    let say = |error: &dyn std::fmt::Display| error.to_string();
    let log = current_log(logs).map_err(|error| say(&error))?;
    let log =
        log.ok_or_else(|| format!("{} holds no evidence log; is it the right --state?", logs.display()))?;
    let reader = LogReader::open(&log, None).map_err(|error| say(&error))?;
    let wanted =
        |_: u64, bytes: &[u8]| Record::parse(bytes).is_ok_and(|record| arguments.choice.takes(&record));
    let records = exhibits(&reader, wanted).map_err(|error| say(&error))?;
    if records.is_empty() {
        return Err("no record is like that; nothing was written".to_owned());
    }
    let settings = arguments.place.config.as_deref().map(std::fs::read).transpose();
    let settings = settings.map_err(|error| format!("the settings file: {error}"))?;
    let made = SystemClock::start().now().to_string();
    let key = read_key(logs).map_err(|error| say(&error))?;
    let files = files(&reader, records, settings, &made, &custody(&made, &arguments.purpose));
    let files = seal(&reader.checkpoint().origin, files, &key).ok_or("the manifest could not be signed")?;
    let bytes = pack(&files).map_err(|error| say(&error))?;
    // Whoever gets it will verify it: so do we, before it leaves.
    let keys = Keys { log: Some(reader.key().clone()), witnesses: Vec::new() };
    let verdict = verify_bundle(&arguments.output, &bytes, &keys);
    if let Some(fault) = verdict.fault {
        return Err(format!("the bundle does not hold and was not written: {}", fault.what));
    }
    write_new(&arguments.output, &bytes)
        .map_err(|error| format!("{}: {error}", arguments.output.display()))?;
    Ok(format!(
        "{}: {} records of {}, {} bytes; key {}",
        arguments.output.display(),
        verdict.records_verified,
        verdict.origin,
        bytes.len(),
        verdict.key
    ))
}

/// Where it came from: the first entry of a list that whoever passes it on continues.
fn custody(made: &str, purpose: &str) -> String {
    let user = rustix::process::getuid().as_raw();
    let system = rustix::system::uname();
    let host = system.nodename().to_string_lossy();
    let purpose: String = purpose.chars().filter(|c| !c.is_control()).collect();
    format!(
        "made       {made}\nby         user {user} on {host}, with floodwall {}\npurpose    {purpose}\n",
        env!("CARGO_PKG_VERSION")
    )
}

/// Every file of the bundle but its manifest.
pub(super) fn files(
    reader: &LogReader,
    records: Vec<BundleFile>,
    settings: Option<Vec<u8>>,
    made: &str,
    custody: &str,
) -> Vec<BundleFile> {
    let file = |path: &str, bytes: Vec<u8>| BundleFile { path: path.to_owned(), bytes };
    let count = records.iter().filter(|file| file.path.starts_with(RECORDS)).count();
    let checkpoint = reader.checkpoint();
    let readme = readme(&checkpoint.origin, &reader.key().to_string(), count, checkpoint.size, made);
    let mut files = vec![
        file("README.md", readme.into_bytes()),
        file("checkpoint", reader.note().to_text().into_bytes()),
        file("custody.txt", custody.as_bytes().to_vec()),
        file(KEY_FILE, format!("{}\n", reader.key()).into_bytes()),
        file("verify-record.sh", VERIFY_RECORD.as_bytes().to_vec()),
    ];
    files.extend(settings.map(|bytes| file("settings.toml", bytes)));
    files.extend(records);
    files
}

/// Puts the signed manifest before the files.
pub(super) fn seal(
    origin: &str,
    mut files: Vec<BundleFile>,
    key: &floodwall_evidence::LogKey,
) -> Option<Vec<BundleFile>> {
    let note = SignedNote::sign(&manifest_text(origin, &files), key)?;
    files.insert(0, BundleFile { path: MANIFEST.to_owned(), bytes: note.to_text().into_bytes() });
    Some(files)
}

fn write_new(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
