//! Opening a log to write it: the one that is there if it is whole, or a new one that says why.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use floodwall_evidence::{
    Checkpoint, Continued, Fact, KeyChange, KeyKind, LogKey, Origin, RightEdge, SignedNote, TILE_WIDTH,
    VerifierKey, entries_path, leaf_hash, split_entries,
};
use floodwall_model::Timestamp;
use rustix::fs::{FlockOperation, flock};

use crate::directory::{place, read, sync_folder};
use crate::log::CHECKPOINT;
use crate::reader::{LOGS, current_log, tile_hashes};
use crate::{EvidenceError, EvidenceLog, leftovers};

/// The signing key in the directory of the logs.
pub const KEY_FILE: &str = "key";
const KEY_BYTES: usize = 32;
/// The verifier key beside a log.
pub(crate) const VERIFIER: &str = "log.vkey";
const PLACE: &str = "place";

/// How a log was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Opened {
    /// It is new: its first record has been written.
    pub is_new: bool,
    /// The log it continues, and why that was not taken up.
    pub continues: Option<Continued>,
    /// Files beyond the checkpoint that were removed: an append that was never acknowledged.
    pub files_cut: u64,
}

/// Opens the log in `directory` to be written, or begins one; `name` is the first part of its origin,
/// such as a host name. What the log itself has to record is recorded with `origin` and `now`.
///
/// # Errors
/// [`EvidenceError`]: in use, a key that is open to others, a disk that refuses. A log that is damaged
/// is no error: see [`Opened::continues`].
pub fn open(
    directory: &Path,
    name: &str,
    origin: &Origin,
    now: Timestamp,
) -> Result<(EvidenceLog, Opened), EvidenceError> {
    std::fs::create_dir_all(directory.join(LOGS)).map_err(EvidenceError::file(directory))?;
    let lock = lock(directory)?;
    let (seed, key_is_new) = read_or_make_key(directory)?;
    let last_seen = last_seen_path(directory);
    let before = current_log(directory)?;
    let why = match &before {
        None => None,
        Some(path) => match take_up(path, &seed, &last_seen) {
            Ok(found) => {
                let files_cut = leftovers::cut(path, found.edge.size())?;
                let log = EvidenceLog {
                    path: path.clone(),
                    key: found.key,
                    edge: found.edge,
                    bundle: found.bundle,
                    last_seen,
                    _lock: lock,
                };
                return Ok((log, Opened { files_cut, ..Opened::default() }));
            }
            Err(_) if key_is_new => Some("its key is gone".to_owned()),
            Err(why) => Some(why),
        },
    };
    let continues = before.zip(why).map(|(path, why)| last_known(&path, why));
    let log = begin(directory, name, &seed, last_seen, lock, origin, now, continues.clone())?;
    Ok((log, Opened { is_new: true, continues, files_cut: 0 }))
}

/// The signing key of the logs in `directory`, with the name of the log that is written.
///
/// # Errors
/// As [`open`], and [`EvidenceError::Damaged`] where there is no log.
pub fn read_key(directory: &Path) -> Result<LogKey, EvidenceError> {
    let log = current_log(directory)?
        .ok_or_else(|| EvidenceError::damaged(directory, "there is no evidence log"))?;
    let verifier = read_verifier(&log).map_err(|what| EvidenceError::damaged(&log, what))?;
    let seed = read_seed(&directory.join(KEY_FILE))?;
    let key = LogKey::new(verifier.name(), KeyKind::Log, &seed)
        .map_err(|error| EvidenceError::damaged(&log, error.to_string()))?;
    if key.verifier() == verifier { Ok(key) } else { Err(EvidenceError::damaged(&log, "it has another key")) }
}

fn last_seen_path(directory: &Path) -> PathBuf {
    directory.with_extension("last")
}

fn lock(directory: &Path) -> Result<File, EvidenceError> {
    let path = directory.join("lock");
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
    let file = file.map_err(EvidenceError::file(&path))?;
    flock(&file, FlockOperation::NonBlockingLockExclusive)
        .map_err(|_| EvidenceError::InUse { path: directory.to_owned() })?;
    Ok(file)
}

fn read_seed(path: &Path) -> Result<[u8; KEY_BYTES], EvidenceError> {
    let mut file = File::open(path).map_err(EvidenceError::file(path))?;
    let metadata = file.metadata().map_err(EvidenceError::file(path))?;
    if metadata.permissions().mode() & 0o077 != 0 {
        return Err(EvidenceError::KeyOpenToOthers { path: path.to_owned() });
    }
    if metadata.len() != KEY_BYTES as u64 {
        return Err(EvidenceError::KeySize { path: path.to_owned(), found: metadata.len() });
    }
    let mut seed = [0; KEY_BYTES];
    file.read_exact(&mut seed).map_err(EvidenceError::file(path))?;
    Ok(seed)
}

/// The key's seed, and whether it was made just now.
fn read_or_make_key(directory: &Path) -> Result<([u8; KEY_BYTES], bool), EvidenceError> {
    let path = directory.join(KEY_FILE);
    match read_seed(&path) {
        Err(EvidenceError::File { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {}
        known => return known.map(|seed| (seed, false)),
    }
    let mut seed = [0; KEY_BYTES];
    getrandom::fill(&mut seed).map_err(EvidenceError::Random)?;
    place(&path, &seed, true, 0o600)?;
    sync_folder(directory)?;
    Ok((seed, true))
}

fn read_verifier(log: &Path) -> Result<VerifierKey, String> {
    let text = std::fs::read_to_string(log.join(VERIFIER)).map_err(|error| format!("{VERIFIER}: {error}"))?;
    text.trim_end().parse().map_err(|error| format!("{VERIFIER}: {error}"))
}

struct Found {
    key: LogKey,
    edge: RightEdge,
    bundle: Vec<u8>,
}

/// The log as its checkpoint has it; in words why it cannot be continued.
fn take_up(log: &Path, seed: &[u8; KEY_BYTES], last_seen: &Path) -> Result<Found, String> {
    let verifier = read_verifier(log)?;
    let key = LogKey::new(verifier.name(), KeyKind::Log, seed).map_err(|error| error.to_string())?;
    if key.verifier() != verifier {
        return Err("the key is another than the log's".to_owned());
    }
    let text =
        read(&log.join(CHECKPOINT)).map_err(|error| error.to_string())?.ok_or("it has no checkpoint")?;
    let (checkpoint, _) = Checkpoint::open(&text, &verifier).map_err(|error| error.to_string())?;
    if !is_in_its_place(log) {
        return Err("it was copied or restored from a backup: others may hold a longer one".to_owned());
    }
    if let Ok(Some(text)) = read(last_seen)
        && let Ok((seen, _)) = Checkpoint::open(&text, &verifier)
        && seen.size > checkpoint.size
    {
        return Err(format!("it was put back: it has {} records, and had {}", checkpoint.size, seen.size));
    }
    let edge = RightEdge::of(&tile_hashes(log, checkpoint.size), checkpoint.size)
        .ok_or("tiles of hashes are missing or cut off")?;
    if edge.root() != checkpoint.root {
        return Err("its hashes are not those of its checkpoint".to_owned());
    }
    let bundle = open_bundle(log, &edge)?;
    Ok(Found { key, edge, bundle })
}

/// The records of the last entry bundle where that is not full, compared with their hashes.
fn open_bundle(log: &Path, edge: &RightEdge) -> Result<Vec<u8>, String> {
    let width = u16::try_from(edge.size() % TILE_WIDTH as u64).unwrap_or_default();
    if width == 0 {
        return Ok(Vec::new());
    }
    let path = log.join(entries_path(edge.size() / TILE_WIDTH as u64, width));
    let bundle = read(&path).map_err(|error| error.to_string())?.ok_or("its last records are missing")?;
    let hashes: Option<Vec<_>> = split_entries(&bundle).map(|record| record.ok().map(leaf_hash)).collect();
    let tile = edge.partial_tiles().find(|(tile, _)| tile.level == 0).map(|(_, hashes)| hashes);
    if hashes.as_deref() != tile {
        return Err("its last records are not those of its checkpoint".to_owned());
    }
    Ok(bundle)
}

/// What can still be said of a log that is not continued.
fn last_known(log: &Path, why: String) -> Continued {
    let text = read(&log.join(CHECKPOINT)).ok().flatten();
    let checkpoint = text
        .and_then(|text| SignedNote::parse(&text).ok())
        .and_then(|note| Checkpoint::parse(note.text()).ok());
    let verifier = read_verifier(log).ok();
    let origin = checkpoint.as_ref().map(|checkpoint| checkpoint.origin.clone());
    let name = || log.file_name().map(|name| name.to_string_lossy().into_owned());
    Continued {
        origin: origin.or_else(name).unwrap_or_default(),
        size: checkpoint.as_ref().map(|checkpoint| checkpoint.size),
        root: checkpoint.as_ref().map(|checkpoint| checkpoint.root.to_base64()),
        key: verifier.map(|verifier| verifier.to_string()),
        why,
    }
}

#[expect(clippy::too_many_arguments, reason = "the parts of a log, each of its own type, in one place")]
fn begin(
    directory: &Path,
    name: &str,
    seed: &[u8; KEY_BYTES],
    last_seen: PathBuf,
    lock: File,
    origin: &Origin,
    now: Timestamp,
    continues: Option<Continued>,
) -> Result<EvidenceLog, EvidenceError> {
    let mut random = [0; 4];
    getrandom::fill(&mut random).map_err(EvidenceError::Random)?;
    let id = format!("{:08x}", u32::from_be_bytes(random));
    let name = format!("{name}/{id}");
    let key = LogKey::new(&name, KeyKind::Log, seed).map_err(|_| EvidenceError::Name(name.clone()))?;
    let path = directory.join(LOGS).join(&id);
    std::fs::create_dir(&path).map_err(EvidenceError::file(&path))?;
    place(&path.join(VERIFIER), format!("{}\n", key.verifier()).as_bytes(), true, 0o644)?;
    mark_place(&path)?;
    let fact = Fact::KeyChange(KeyChange { key: key.verifier().to_string(), continues });
    let first = origin.record(now, fact).to_bytes();
    let first = first.map_err(|error| EvidenceError::damaged(&path, error.to_string()))?;
    let mut log =
        EvidenceLog { path, key, edge: RightEdge::default(), bundle: Vec::new(), last_seen, _lock: lock };
    log.append(&[first])?;
    sync_folder(&directory.join(LOGS))?;
    place(&directory.join(crate::reader::CURRENT), format!("{id}\n").as_bytes(), true, 0o644)?;
    sync_folder(directory)?;
    Ok(log)
}

/// Where a file lies: its inode, and when that was made. A copy has others.
fn place_of(file: &File) -> std::io::Result<String> {
    let metadata = file.metadata()?;
    let created =
        metadata.created().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    Ok(format!("inode {} made {}\n", metadata.ino(), created.as_nanos()))
}

fn mark_place(log: &Path) -> Result<(), EvidenceError> {
    let path = log.join(PLACE);
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        let text = place_of(&file)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().map_err(EvidenceError::file(&path))
}

fn is_in_its_place(log: &Path) -> bool {
    let Ok(mut file) = File::open(log.join(PLACE)) else { return false };
    let mut text = String::new();
    place_of(&file).is_ok_and(|place| file.read_to_string(&mut text).is_ok() && text == place)
}
