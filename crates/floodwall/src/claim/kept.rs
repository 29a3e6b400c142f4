//! The file of claims: one JSON document a line, written anew as a whole and moved into place.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use floodwall_assessment::{CLAIM_FORMAT, Claim};
use floodwall_evidence::{Disclosure, SALT_BYTES};
use serde::{Deserialize, Serialize};

use super::{DIRECTORY, inbox};

const FILE: &str = "claims.jsonl";
const LOCK: &str = "claims.lock";
/// Claims that are kept at most.
const CLAIMS_MAX: usize = 100_000;
/// Bytes of them at most.
const BYTES_MAX: u64 = 256 << 20;
/// Owner reads and writes: claims hold names.
const MODE: u32 = 0o600;

#[derive(Debug, thiserror::Error)]
pub(super) enum KeptError {
    #[error("{} {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("another `floodwall claim` writes claims now; try again when it is done")]
    Busy,
    #[error("{} line {line}: {why}; it is left as it is: move it away to begin anew", path.display())]
    Damaged { path: PathBuf, line: usize, why: String },
    #[error("there is room for 100,000 claims and 256 MiB of them; move {} away to begin anew", .0.display())]
    Full(PathBuf),
    #[error("the operating system gave no random numbers: {0}")]
    Random(getrandom::Error),
    #[error("a claim could not be written as JSON: {0}")]
    Json(String),
}

/// A claim with what the evidence log commits to and does not say.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct KeptClaim {
    pub(super) claim: Claim,
    /// Disclosures of the withheld fields of its record, each as `[salt, name, value]` in JSON.
    pub(super) disclosures: Vec<String>,
}

/// What became of a claim that was put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Put {
    New,
    /// Another form of a claim that is kept.
    Edited,
    /// The very same.
    Known,
}

/// The claims of a state directory.
#[derive(Debug)]
pub(super) struct Claims {
    directory: PathBuf,
    kept: Vec<KeptClaim>,
    /// By their names, where they are in `kept`.
    places: std::collections::HashMap<String, usize>,
    /// Held, not read; `None` where nothing will be written.
    _lock: Option<File>,
    changed: Vec<usize>,
}

impl Claims {
    /// Reads them. Where there are none, there are none.
    pub(super) fn read(state: &Path) -> Result<Self, KeptError> {
        let directory = state.join(DIRECTORY);
        let path = directory.join(FILE);
        let bytes = match std::fs::metadata(&path) {
            Ok(about) if about.len() > BYTES_MAX => return Err(KeptError::Full(path)),
            Ok(_) => std::fs::read_to_string(&path)
                .map_err(|source| KeptError::File { path: path.clone(), source })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(source) => return Err(KeptError::File { path, source }),
        };
        let (mut kept, mut places) = (Vec::new(), std::collections::HashMap::new());
        for (number, line) in (1..).zip(bytes.lines()) {
            let damaged = |why: String| KeptError::Damaged { path: path.clone(), line: number, why };
            let one: KeptClaim = serde_json::from_str(line).map_err(|error| damaged(error.to_string()))?;
            if one.claim.format != CLAIM_FORMAT {
                return Err(damaged(format!("it is of another format than {CLAIM_FORMAT}")));
            }
            places.insert(one.claim.id.clone(), kept.len());
            kept.push(one);
        }
        Ok(Self { directory, kept, places, _lock: None, changed: Vec::new() })
    }

    /// Reads them to write them.
    pub(super) fn open(state: &Path) -> Result<Self, KeptError> {
        let directory = state.join(DIRECTORY);
        let made = |source| KeptError::File { path: directory.clone(), source };
        make_directory(state, &directory).map_err(made)?;
        let path = directory.join(LOCK);
        let lock = options().open(&path).map_err(|source| KeptError::File { path: path.clone(), source })?;
        own_as(state, &path);
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(KeptError::Busy),
            Err(TryLockError::Error(source)) => return Err(KeptError::File { path, source }),
        }
        Ok(Self { _lock: Some(lock), ..Self::read(state)? })
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Claim> {
        self.kept.iter().map(|kept| &kept.claim)
    }

    pub(super) fn get(&self, id: &str) -> Option<&Claim> {
        self.places.get(id).and_then(|place| self.kept.get(*place)).map(|kept| &kept.claim)
    }

    /// Adds a claim, or another form of one that is kept.
    pub(super) fn put(&mut self, claim: Claim) -> Result<Put, KeptError> {
        let place = self.places.get(&claim.id).copied();
        let Some(known) = place.and_then(|place| self.kept.get_mut(place)) else {
            if self.kept.len() >= CLAIMS_MAX {
                return Err(KeptError::Full(self.directory.join(FILE)));
            }
            self.places.insert(claim.id.clone(), self.kept.len());
            self.changed.push(self.kept.len());
            self.kept.push(KeptClaim { disclosures: disclosures(&claim)?, claim });
            return Ok(Put::New);
        };
        let has_been = known.claim.capture_sha256 == claim.capture_sha256
            || known.claim.edits.iter().any(|edit| edit.capture_sha256 == claim.capture_sha256);
        if has_been {
            return Ok(Put::Known);
        }
        known.disclosures.extend(disclosures(&claim)?);
        known.claim = known.claim.clone().read_again(claim);
        self.changed.extend(place);
        Ok(Put::Edited)
    }

    /// Writes them, and lays what changed and concerns us ready for the evidence log: the rest of a large
    /// import is nobody's evidence here.
    pub(super) fn save(
        mut self,
        state: &Path,
        concerns_us: impl Fn(&Claim) -> bool,
    ) -> Result<(), KeptError> {
        let path = self.directory.join(FILE);
        let failed = |source| KeptError::File { path: path.clone(), source };
        let mut file = tempfile::NamedTempFile::new_in(&self.directory).map_err(failed)?;
        {
            let mut writer = io::BufWriter::new(&mut file);
            let mut bytes = 0_u64;
            for one in &self.kept {
                let line = serde_json::to_string(one).map_err(|error| KeptError::Json(error.to_string()))?;
                bytes = bytes.saturating_add(line.len() as u64 + 1);
                if bytes > BYTES_MAX {
                    return Err(KeptError::Full(path));
                }
                writeln!(writer, "{line}").map_err(failed)?;
            }
            writer.flush().map_err(failed)?;
        }
        file.as_file().sync_all().map_err(failed)?;
        // Laid ready first: a claim that is recorded twice harms nobody, one that is not does.
        self.changed.sort_unstable();
        self.changed.dedup();
        let changed = self.changed.iter().filter_map(|place| self.kept.get(*place));
        for one in changed.filter(|one| concerns_us(&one.claim)) {
            inbox::lay_ready(state, one)?;
        }
        own_as(state, file.path());
        file.persist(&path).map_err(|error| failed(error.error))?;
        Ok(())
    }
}

/// What a record withholds: the claimant and the text, salted.
fn disclosures(claim: &Claim) -> Result<Vec<String>, KeptError> {
    let mut made = Vec::new();
    for (name, value) in [("claimant", Some(&claim.claimant)), ("text", claim.text.as_ref())] {
        let Some(value) = value else { continue };
        let mut salt = [0; SALT_BYTES];
        getrandom::fill(&mut salt).map_err(KeptError::Random)?;
        let disclosure =
            Disclosure::new(salt, name, value).map_err(|error| KeptError::Json(error.to_string()))?;
        made.push(String::from_utf8_lossy(disclosure.bytes()).into_owned());
    }
    Ok(made)
}

pub(super) fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(MODE);
    options
}

/// Makes a directory that belongs to whoever the state directory belongs to: the command may be run as
/// root, and the server is not.
pub(super) fn make_directory(state: &Path, directory: &Path) -> io::Result<()> {
    std::fs::create_dir_all(directory)?;
    own_as(state, directory);
    Ok(())
}

/// Gives a file to the owner of the state directory, where this user may.
pub(super) fn own_as(state: &Path, path: &Path) {
    let (Ok(owner), Ok(own)) = (std::fs::metadata(state), std::fs::metadata(path)) else { return };
    if (owner.uid(), owner.gid()) != (own.uid(), own.gid()) {
        // Whoever may not has made a file that is his, as he expects.
        let _ = std::os::unix::fs::chown(path, Some(owner.uid()), Some(owner.gid()));
    }
}
