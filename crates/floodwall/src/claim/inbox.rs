//! Claims on their way into the evidence log.
//!
//! The log belongs to the server that runs. A command lays a claim's record in a folder; the server takes
//! it from there within [`LOOK_EVERY`], and removes the file once the record is durable. Where no server
//! runs, it waits there for the next start.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use floodwall_assessment::utc;
use floodwall_evidence::{ClaimRecord, Disclosure, Fact, Origin};
use floodwall_evidence_log::{Appended, EvidenceHandle};
use floodwall_model::Clock;

use super::DIRECTORY;
use super::kept::{KeptClaim, KeptError, make_directory, own_as};

const INBOX: &str = "to-record";
/// Records taken at one look.
const TAKEN_MAX: usize = 256;
/// Bytes of a record's file at most.
const FILE_BYTES_MAX: u64 = 16 * 1024;
/// How long the log may take to make records durable before they are left for the next look.
const DURABLE_WITHIN: Duration = Duration::from_secs(5);
/// How often the server looks.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Lays a claim's record ready. The claimant and the text are committed to, not told.
pub(super) fn lay_ready(state: &Path, kept: &KeptClaim) -> Result<(), KeptError> {
    let directory = state.join(DIRECTORY).join(INBOX);
    make_directory(state, &directory)
        .map_err(|source| KeptError::File { path: directory.clone(), source })?;
    let claim = &kept.claim;
    // Of several forms the last is the newest.
    let of = |name: &str| {
        let found = kept.disclosures.iter().rev().filter_map(|text| Disclosure::parse(text.as_bytes()).ok());
        found
            .into_iter()
            .find(|disclosure| disclosure.name() == name)
            .map(|disclosure| disclosure.commitment())
    };
    let record = ClaimRecord {
        claim: claim.id.clone(),
        posted_at: utc_or_words(claim.posted),
        capture_sha256: claim.capture_sha256.clone(),
        claimant: of("claimant"),
        text: of("text"),
    };
    let path = directory.join(format!("{}-{}.json", claim.id, claim.capture_sha256.get(..12).unwrap_or("0")));
    let failed = |source| KeptError::File { path: path.clone(), source };
    let text = serde_json::to_string(&record).map_err(|error| KeptError::Json(error.to_string()))?;
    let mut file = tempfile::NamedTempFile::new_in(&directory).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    // Before the server can see it: what it may not read it would leave.
    own_as(state, file.path());
    file.persist(&path).map_err(|error| failed(error.error))?;
    Ok(())
}

/// RFC 3339 where the time is known to the second, words otherwise: a record says no more than is known.
fn utc_or_words(posted: floodwall_assessment::Moment) -> String {
    match posted.precision_s {
        1 => utc(posted.unix_s).replacen(' ', "T", 1).replace(" UTC", "Z"),
        _ => posted.in_words(),
    }
}

/// The server's side of it: a thread that looks into the folder. It ends when this value is dropped.
#[derive(Debug)]
pub(crate) struct ClaimInbox {
    stop: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl ClaimInbox {
    /// Where the system gives no thread, claims wait for the next start; that is said.
    pub(crate) fn start(state: &Path, log: EvidenceHandle, origin: Origin, clock: Arc<dyn Clock>) -> Self {
        let folder = Folder(state.join(DIRECTORY).join(INBOX));
        let (stop, stopped) = sync_channel::<()>(0);
        let look = move || {
            loop {
                folder.record_all(&log, &origin, &*clock);
                if stopped.recv_timeout(LOOK_EVERY) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("claims".to_owned()).spawn(look);
        let thread = thread
            .inspect_err(|error| tracing::warn!(%error, "claims are not recorded until the next start"))
            .ok();
        Self { stop: Some(stop), thread }
    }
}

impl Drop for ClaimInbox {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // How it ended concerns only claims, which wait in their folder.
            let _ = thread.join();
        }
    }
}

struct Folder(PathBuf);

/// A record that waits, and its file.
struct WaitingClaim {
    record: ClaimRecord,
    path: PathBuf,
}

impl Folder {
    fn record_all(&self, log: &EvidenceHandle, origin: &Origin, clock: &dyn Clock) {
        let waiting = self.waiting();
        let now = clock.now();
        let written = |claim: &WaitingClaim| {
            origin
                .record(now, Fact::Claim(claim.record.clone()))
                .to_bytes()
                .inspect_err(|error| tracing::error!(%error, "a claim could not be recorded"))
                .ok()
        };
        let (taken, records): (Vec<_>, Vec<_>) =
            waiting.iter().filter_map(|claim| Some((claim, written(claim)?))).unzip();
        if records.is_empty() {
            return;
        }
        let count = records.len();
        match log.append_acknowledged(records).wait(DURABLE_WITHIN) {
            Some(Appended::At(places)) => {
                taken.iter().for_each(|claim| claim.done());
                tracing::info!(claims = count, first = places.start, "claims are recorded as evidence");
            }
            Some(Appended::Lost { why }) => {
                tracing::error!(claims = count, why, "claims were not recorded; it is tried again");
            }
            None => tracing::warn!(claims = count, "the evidence log is slow; claims may be recorded twice"),
        }
    }

    /// What waits, oldest name first; at most [`TAKEN_MAX`]. What is no record is set aside under a name
    /// that is not looked at again.
    fn waiting(&self) -> Vec<WaitingClaim> {
        let Ok(entries) = std::fs::read_dir(&self.0) else { return Vec::new() };
        let is_record = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "json");
        let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).filter(is_record);
        let mut paths: Vec<_> = paths.take(TAKEN_MAX).collect();
        paths.sort();
        paths.into_iter().filter_map(read).collect()
    }
}

fn read(path: PathBuf) -> Option<WaitingClaim> {
    let about = std::fs::symlink_metadata(&path).ok()?;
    let bytes = if about.is_file() && about.len() <= FILE_BYTES_MAX {
        // What cannot be read now may be another time.
        std::fs::read(&path).ok()?
    } else {
        Vec::new()
    };
    let record = serde_json::from_slice::<ClaimRecord>(&bytes).ok();
    if record.is_none() {
        tracing::warn!(file = %path.display(), "this is no record of a claim and is set aside");
        let _ = std::fs::rename(&path, path.with_extension("set-aside"));
    }
    record.map(|record| WaitingClaim { record, path })
}

impl WaitingClaim {
    /// It is in the log now.
    fn done(&self) {
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::warn!(file = %self.path.display(), %error, "a recorded claim could not be removed; it will be recorded again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_record_is_set_aside_and_what_is_waits() {
        let directory = tempfile::tempdir().unwrap();
        let folder = Folder(directory.path().to_owned());
        let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
        write("a.json", "{half");
        write("b.json", &format!("\"{}\"", "x".repeat(20_000)));
        write("c.json", r#"{"claim":"c-1","posted_at":"","capture_sha256":"","claimant":null,"text":null}"#);
        write("d.txt", "not looked at");
        std::os::unix::fs::symlink("/etc/hostname", directory.path().join("e.json")).unwrap();
        for _ in 0..2 {
            let waiting = folder.waiting();
            assert_eq!(waiting.iter().map(|one| one.record.claim.as_str()).collect::<Vec<_>>(), ["c-1"]);
        }
        let names = std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        assert_eq!(names, ["a.set-aside", "b.set-aside", "c.json", "d.txt", "e.set-aside"]);
        folder.waiting()[0].done();
        assert!(folder.waiting().is_empty());
    }
}
