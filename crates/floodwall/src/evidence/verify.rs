//! `floodwall evidence verify`: whether a bundle or a log holds, and what is wrong first.

use std::io::{IsTerminal as _, Read as _, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use clap::Args;
use floodwall_evidence::{Checkpoint, KeyKind, LogFindings, VerifierKey, check_bundle, verify_cosignature};
use floodwall_evidence_log::{EvidenceError, LogReader, is_log, logs};
use serde::Serialize;

use super::archive::{BUNDLE_BYTES_MAX, unpack};
use super::command::fail;
use crate::commands::{EXIT_NO, EXIT_USAGE};

/// The bundle's own copy of the verifier key.
pub(super) const KEY_FILE: &str = "log.vkey";

#[derive(Args, Debug)]
pub(crate) struct VerifyArguments {
    /// A bundle (one file), a log, or the directory of all logs (STATE/evidence)
    #[arg(value_name = "FILE|DIR")]
    path: PathBuf,
    /// The log's verifier key, from where you trust it: name+ID+key, or a file that holds it
    #[arg(long, value_name = "KEY|FILE")]
    key: Option<String>,
    /// A witness that must have cosigned; may be given several times
    #[arg(long, value_name = "KEY|FILE")]
    witness: Vec<String>,
    /// A checkpoint of the log from earlier, that it must continue
    #[arg(long, value_name = "FILE")]
    earlier: Option<PathBuf>,
    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
}

/// What was verified, and what was found.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Verdict {
    /// `bundle` or `log`.
    pub(super) what: &'static str,
    pub(super) path: String,
    pub(super) holds: bool,
    pub(super) origin: String,
    pub(super) key: String,
    /// Given by whoever verifies, and not taken from what is verified.
    pub(super) key_was_given: bool,
    /// Records of the log as of its checkpoint.
    pub(super) log_size: u64,
    pub(super) records_verified: u64,
    pub(super) disclosures_verified: u64,
    pub(super) witnesses: Vec<String>,
    /// The log continues the checkpoint given with `--earlier`.
    pub(super) continues_earlier: Option<bool>,
    pub(super) fault: Option<Fault>,
    /// Minutes that a running server left no summary of.
    pub(super) gaps: Vec<Gap>,
    pub(super) gaps_not_listed: u64,
    pub(super) clock_set_back: u64,
    pub(super) ended_by_force: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Fault {
    /// The record's place in the log, where it can be told.
    pub(super) record: Option<u64>,
    /// The file, where it can be told.
    pub(super) file: Option<String>,
    pub(super) what: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Gap {
    pub(super) before_record: u64,
    pub(super) from: String,
    pub(super) minutes: u64,
}

/// Keys as they were given.
pub(super) struct Keys {
    pub(super) log: Option<VerifierKey>,
    pub(super) witnesses: Vec<VerifierKey>,
}

/// Verifies; 0 where all holds, 1 where something is wrong, 2 where the command cannot be carried out.
pub(super) fn run(arguments: &VerifyArguments, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    let keys = match read_keys(arguments) {
        Ok(keys) => keys,
        Err(message) => return fail(err, message, EXIT_USAGE),
    };
    let verdicts = if arguments.path.is_dir() {
        verify_directory(&arguments.path, &keys, arguments.earlier.as_deref(), err)
    } else {
        read_bundle(&arguments.path).map(|bytes| vec![verify_bundle(&arguments.path, &bytes, &keys)])
    };
    let verdicts = match verdicts {
        Ok(verdicts) => verdicts,
        Err(message) => return fail(err, message, EXIT_USAGE),
    };
    let holds = verdicts.iter().all(|verdict| verdict.holds);
    let _ = if arguments.json {
        let document = serde_json::json!({ "holds": holds, "verified": verdicts });
        writeln!(out, "{}", serde_json::to_string_pretty(&document).unwrap_or_default())
    } else {
        verdicts.iter().try_for_each(|verdict| write!(out, "{}", text(verdict)))
    };
    if holds { 0 } else { EXIT_NO }
}

fn read_keys(arguments: &VerifyArguments) -> Result<Keys, String> {
    let log = arguments.key.as_deref().map(read_key).transpose()?;
    let witnesses = arguments.witness.iter().map(|text| read_key(text)).collect::<Result<Vec<_>, _>>()?;
    if log.as_ref().is_some_and(|key| key.kind() != KeyKind::Log) {
        return Err("--key is the key of a witness; give the log's".to_owned());
    }
    if witnesses.iter().any(|key| key.kind() != KeyKind::Witness) {
        return Err("--witness is the key of a log; give a witness's".to_owned());
    }
    Ok(Keys { log, witnesses })
}

fn read_key(text: &str) -> Result<VerifierKey, String> {
    if text.contains('+') {
        return VerifierKey::from_str(text.trim()).map_err(|error| error.to_string());
    }
    let content = std::fs::read_to_string(text).map_err(|error| format!("{text}: {error}"))?;
    VerifierKey::from_str(content.trim()).map_err(|error| format!("{text}: {error}"))
}

fn read_bundle(path: &Path) -> Result<Vec<u8>, String> {
    let shown = path.display();
    let file = std::fs::File::open(path).map_err(|error| format!("{shown}: {error}"))?;
    let mut bytes = Vec::new();
    file.take(BUNDLE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| format!("{shown}: {error}"))?;
    if bytes.len() as u64 > BUNDLE_BYTES_MAX {
        return Err(format!("{shown} is larger than any bundle (1 GiB)"));
    }
    Ok(bytes)
}

/// Verifies the bytes of a bundle.
pub(super) fn verify_bundle(path: &Path, bytes: &[u8], keys: &Keys) -> Verdict {
    let mut verdict = Verdict {
        what: "bundle",
        path: path.display().to_string(),
        key_was_given: keys.log.is_some(),
        ..Verdict::default()
    };
    let wrong = |file: Option<String>, what: String| Some(Fault { record: None, file, what });
    let files = match unpack(bytes) {
        Ok(files) => files,
        Err(error) => return Verdict { fault: wrong(None, error.to_string()), ..verdict },
    };
    let own = files.iter().find(|file| file.path == KEY_FILE);
    let own = own.map(|file| String::from_utf8_lossy(&file.bytes).trim_end().parse::<VerifierKey>());
    let key = match (&keys.log, own) {
        (Some(given), _) => given.clone(),
        (None, Some(Ok(own))) => own,
        (None, Some(Err(error))) => {
            return Verdict { fault: wrong(Some(KEY_FILE.to_owned()), error.to_string()), ..verdict };
        }
        (None, None) => {
            let what = "it has no key; give the log's with --key".to_owned();
            return Verdict { fault: wrong(None, what), ..verdict };
        }
    };
    let report = check_bundle(&files, &key, &keys.witnesses);
    verdict.origin = report.origin;
    verdict.key = key.to_string();
    verdict.log_size = report.size;
    verdict.records_verified = report.records.len() as u64;
    verdict.disclosures_verified = report.disclosures;
    verdict.witnesses = report.witnesses;
    verdict.fault = report.fault.map(|(file, what)| {
        let number =
            file.strip_prefix(floodwall_evidence::RECORDS).and_then(|name| name.strip_suffix(".json"));
        Fault { record: number.and_then(|number| number.parse().ok()), file: Some(file), what }
    });
    verdict.holds = verdict.fault.is_none();
    verdict
}

fn verify_directory(
    path: &Path,
    keys: &Keys,
    earlier: Option<&Path>,
    err: &mut dyn Write,
) -> Result<Vec<Verdict>, String> {
    let found =
        if is_log(path) { vec![path.to_owned()] } else { logs(path).map_err(|error| error.to_string())? };
    if found.is_empty() {
        return Err(format!("{} holds no evidence log; name STATE/evidence", path.display()));
    }
    let earlier = earlier.map(read_earlier).transpose()?;
    let mut verdicts: Vec<_> = found.iter().map(|log| verify_log(log, keys, earlier.as_ref(), err)).collect();
    if earlier.is_some()
        && verdicts.iter().all(|verdict| verdict.continues_earlier.is_none())
        && let Some(first) = verdicts.first_mut()
    {
        let what = "the checkpoint given with --earlier is of no log that is here".to_owned();
        first.fault.get_or_insert(Fault { record: None, file: None, what });
        first.holds = false;
    }
    Ok(verdicts)
}

fn read_earlier(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn verify_log(log: &Path, keys: &Keys, earlier: Option<&Vec<u8>>, err: &mut dyn Write) -> Verdict {
    let mut verdict = Verdict {
        what: "log",
        path: log.display().to_string(),
        key_was_given: keys.log.is_some(),
        ..Verdict::default()
    };
    let reader = match LogReader::open(log, keys.log.as_ref()) {
        Ok(reader) => reader,
        Err(error) => {
            let file = match &error {
                EvidenceError::File { path, .. } | EvidenceError::Damaged { path, .. } => path.file_name(),
                _ => None,
            };
            let file = file.map(|name| name.to_string_lossy().into_owned());
            return Verdict { fault: Some(Fault { record: None, file, what: error.to_string() }), ..verdict };
        }
    };
    verdict.origin.clone_from(&reader.checkpoint().origin);
    verdict.key = reader.key().to_string();
    verdict.log_size = reader.checkpoint().size;
    let size = reader.checkpoint().size;
    let shows_progress = std::io::stderr().is_terminal() && size > 200_000;
    let findings = reader.verify(|done| {
        if shows_progress && done.is_multiple_of(65_536) {
            let _ = write!(err, "\r{done} of {size} records");
        }
    });
    if shows_progress {
        let _ = write!(err, "\r\x1b[K");
    }
    take_findings(&mut verdict, findings);
    for witness in &keys.witnesses {
        match verify_cosignature(reader.note(), witness) {
            Ok(cosignature) => verdict.witnesses.push(cosignature.witness),
            Err(error) => wrong(&mut verdict, format!("witness {}: {error}", witness.name())),
        }
    }
    if let Some(Ok((earlier, _))) = earlier.map(|bytes| Checkpoint::open(bytes, reader.key())) {
        let continues = reader.continues(&earlier) == Some(true);
        verdict.continues_earlier = Some(continues);
        if !continues {
            let what = format!(
                "it does not continue the earlier checkpoint at {} records: the log was forked or put back",
                earlier.size
            );
            wrong(&mut verdict, what);
        }
    }
    verdict.holds = verdict.fault.is_none();
    verdict
}

fn wrong(verdict: &mut Verdict, what: String) {
    verdict.fault.get_or_insert(Fault { record: None, file: Some("checkpoint".to_owned()), what });
}

fn take_findings(verdict: &mut Verdict, findings: LogFindings) {
    verdict.records_verified = findings.records;
    verdict.fault = findings.fault.map(|fault| Fault { record: fault.record, file: None, what: fault.what });
    let gap = |gap: &floodwall_evidence::Gap| Gap {
        before_record: gap.before_record,
        from: jiff::Timestamp::from_second(gap.from_unix_s).map(|at| at.to_string()).unwrap_or_default(),
        minutes: gap.minutes,
    };
    verdict.gaps = findings.gaps.iter().map(gap).collect();
    verdict.gaps_not_listed = findings.gaps_more;
    verdict.clock_set_back = findings.clock_back;
    verdict.ended_by_force = findings.ended_by_force;
}

/// For people.
pub(super) fn text(verdict: &Verdict) -> String {
    let mut lines =
        vec![format!("{}: {}", verdict.path, if verdict.holds { "HOLDS" } else { "DOES NOT HOLD" })];
    if let Some(fault) = &verdict.fault {
        let place = match (&fault.record, &fault.file) {
            (Some(record), Some(file)) => format!("record {record} ({file}): "),
            (Some(record), None) => format!("record {record}: "),
            (None, Some(file)) => format!("{file}: "),
            (None, None) => String::new(),
        };
        lines.push(format!("  first fault     {place}{}", fault.what));
    }
    if !verdict.origin.is_empty() {
        lines.push(format!("  log             {}, {} records", verdict.origin, verdict.log_size));
        lines.push(format!(
            "  verified        {} records, {} disclosures",
            verdict.records_verified, verdict.disclosures_verified
        ));
        lines.push(format!("  key             {}", verdict.key));
    }
    if !verdict.key_was_given && !verdict.key.is_empty() {
        lines.push("                  (its own: compare it with the one the office published, or give that with --key)".to_owned());
    }
    for witness in &verdict.witnesses {
        lines.push(format!("  witness         {witness}"));
    }
    if verdict.continues_earlier == Some(true) {
        lines.push("  earlier         the log continues the checkpoint given".to_owned());
    }
    for gap in &verdict.gaps {
        lines.push(format!(
            "  gap             {} minutes from {}, before record {}",
            gap.minutes, gap.from, gap.before_record
        ));
    }
    if verdict.gaps_not_listed > 0 {
        lines.push(format!("  gap             {} more", verdict.gaps_not_listed));
    }
    if verdict.clock_set_back > 0 {
        lines.push(format!("  clock           set back {} times", verdict.clock_set_back));
    }
    if verdict.ended_by_force > 0 {
        lines.push(format!("  ended by force  {} times (killed, or no power)", verdict.ended_by_force));
    }
    if verdict.holds {
        lines.push(
            "  shown           nothing was changed after it was logged; not that the sensor saw the truth"
                .to_owned(),
        );
    }
    lines.join("\n") + "\n"
}
