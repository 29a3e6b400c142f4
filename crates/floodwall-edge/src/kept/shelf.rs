//! The directory of copies, and the index that reckons what lies in it.

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::UNIX_EPOCH;

use parking_lot::Mutex;

use super::format::{self, StoredKey};
use super::name::Name;
use super::{KeptCounts, KeptError, KeptSettings, Tallies};
use crate::cache::KeptResponse;

/// What a file takes on disk is reckoned in blocks.
const BLOCK_BYTES: u64 = 4096;
/// Beside the body: key and fields.
const HEAD_BYTES_MAX: u64 = 256 << 10;

/// What is known of one copy.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    bytes: u64,
    pub(super) written_unix_seconds: i64,
    /// The beginning of its body's digest; not known of copies written before the start.
    pub(super) body: Option<[u8; 8]>,
}

/// Which copy goes first: those of addresses with a query, then the oldest.
type Turn = (std::cmp::Reverse<bool>, i64, Name);

#[derive(Debug, Default)]
struct Index {
    entries: HashMap<Name, Entry, foldhash::quality::RandomState>,
    turns: BTreeSet<Turn>,
    bytes: u64,
}

impl Index {
    fn insert(&mut self, name: Name, entry: Entry) {
        self.remove(&name);
        self.bytes = self.bytes.saturating_add(entry.bytes);
        self.turns.insert(turn(name, &entry));
        self.entries.insert(name, entry);
    }

    fn remove(&mut self, name: &Name) {
        if let Some(entry) = self.entries.remove(name) {
            self.bytes = self.bytes.saturating_sub(entry.bytes);
            self.turns.remove(&turn(*name, &entry));
        }
    }
}

fn turn(name: Name, entry: &Entry) -> Turn {
    (std::cmp::Reverse(name.has_query), entry.written_unix_seconds, name)
}

/// The directory. Only the writer changes files; anybody reads them.
#[derive(Debug)]
pub(super) struct Shelf {
    directory: PathBuf,
    bytes_max: u64,
    file_bytes_max: u64,
    index: Mutex<Index>,
    /// Held as long as the server runs.
    _lock: File,
}

impl Shelf {
    pub(super) fn open(settings: &KeptSettings) -> Result<Self, KeptError> {
        let directory = settings.directory.clone();
        let at = |path: &Path, source| KeptError::Directory { path: path.to_owned(), source };
        make_private_folder(&directory).map_err(|error| at(&directory, error))?;
        let lock_path = directory.join("lock");
        let lock = File::options().create(true).truncate(false).write(true).open(&lock_path);
        let lock = lock.map_err(|error| at(&lock_path, error))?;
        if lock.try_lock().is_err() {
            return Err(KeptError::InUse { path: directory });
        }
        Ok(Self {
            bytes_max: settings.bytes_max,
            file_bytes_max: settings.object_bytes_max.saturating_add(HEAD_BYTES_MAX),
            directory,
            index: Mutex::default(),
            _lock: lock,
        })
    }

    pub(super) fn counts(&self) -> KeptCounts {
        let index = self.index.lock();
        let copies = u64::try_from(index.entries.len()).unwrap_or(u64::MAX);
        KeptCounts { copies, bytes: index.bytes, bytes_max: self.bytes_max, ..KeptCounts::default() }
    }

    pub(super) fn has(&self, name: &Name) -> bool {
        self.index.lock().entries.contains_key(name)
    }

    pub(super) fn entry(&self, name: &Name) -> Option<Entry> {
        self.index.lock().entries.get(name).copied()
    }

    fn path(&self, name: &Name) -> PathBuf {
        self.directory.join(name.folder()).join(name.to_string())
    }

    /// Rebuilds the index from what lies there, and takes half-written files away. Copies written
    /// meanwhile are known already.
    pub(super) fn take_stock(&self) {
        let Ok(folders) = fs::read_dir(&self.directory) else { return };
        for folder in folders.flatten().filter(|folder| folder.path().is_dir()) {
            let Ok(files) = fs::read_dir(folder.path()) else { continue };
            for file in files.flatten() {
                let text = file.file_name();
                let text = text.to_str().unwrap_or_default();
                let Some(name) = Name::parse(text) else {
                    if has_half_written_name(text) {
                        let _ = fs::remove_file(file.path());
                    }
                    continue;
                };
                let Ok(about) = file.metadata() else { continue };
                let written = about.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
                let written = written.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX));
                let entry = Entry { bytes: on_disk(about.len()), written_unix_seconds: written, body: None };
                self.index.lock().insert(name, entry);
            }
        }
    }

    /// Writes a copy into its place, making room for it. `Ok(false)` when it is larger than all the
    /// room there is.
    pub(super) fn write(
        &self,
        name: Name,
        bytes: &[u8],
        written_unix_seconds: i64,
        body: [u8; 8],
        tallies: &Tallies,
    ) -> std::io::Result<bool> {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let entry = Entry { bytes: on_disk(length), written_unix_seconds, body: Some(body) };
        if length > self.file_bytes_max || entry.bytes > self.bytes_max {
            return Ok(false);
        }
        self.make_room(&name, entry.bytes, tallies);
        let path = self.path(&name);
        let beside = path.with_extension("new");
        let written = self.write_beside(&beside, bytes).and_then(|()| fs::rename(&beside, &path));
        if let Err(error) = written {
            let _ = fs::remove_file(&beside);
            return Err(error);
        }
        self.index.lock().insert(name, entry);
        Ok(true)
    }

    fn write_beside(&self, beside: &Path, bytes: &[u8]) -> std::io::Result<()> {
        let mut file = match File::create(beside) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let folder = beside.parent().unwrap_or(&self.directory);
                make_private_folder(folder)?;
                File::create(beside)?
            }
            opened => opened?,
        };
        file.write_all(bytes)
    }

    /// Takes copies away until `bytes` more fit beside all but `name`.
    fn make_room(&self, name: &Name, bytes: u64, tallies: &Tallies) {
        loop {
            let first = {
                let index = self.index.lock();
                let own = index.entries.get(name).map_or(0, |entry| entry.bytes);
                if index.bytes.saturating_sub(own).saturating_add(bytes) <= self.bytes_max {
                    return;
                }
                index.turns.iter().map(|(.., other)| *other).find(|other| other != name)
            };
            let Some(first) = first else { return };
            self.remove(&first);
            tallies.evicted.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes a copy away. One that is gone already is as good.
    pub(super) fn remove(&self, name: &Name) {
        let _ = fs::remove_file(self.path(name));
        self.index.lock().remove(name);
    }

    /// Reads the copy of `key`. A damaged one is deleted and counted; one of another key, whose digest
    /// happens to be the same, is none.
    pub(super) fn read(&self, name: &Name, key: &StoredKey, tallies: &Tallies) -> Option<KeptResponse> {
        let (stored, response) = self.read_any(name, tallies)?;
        (stored == *key).then_some(response)
    }

    /// Reads a copy and what it is of.
    pub(super) fn read_any(&self, name: &Name, tallies: &Tallies) -> Option<(StoredKey, KeptResponse)> {
        let file = File::open(self.path(name)).ok()?;
        let mut bytes = Vec::new();
        let limit = self.file_bytes_max.saturating_add(1);
        let whole = file.take(limit).read_to_end(&mut bytes);
        let read = whole.ok().and_then(|_| format::decode(&bytes));
        if read.is_none() {
            tallies.corrupt.fetch_add(1, Ordering::Relaxed);
            self.remove(name);
        }
        read
    }

    /// All names there are.
    pub(super) fn names(&self) -> Vec<Name> {
        self.index.lock().entries.keys().copied().collect()
    }
}

fn on_disk(bytes: u64) -> u64 {
    bytes.div_ceil(BLOCK_BYTES).saturating_mul(BLOCK_BYTES)
}

fn has_half_written_name(text: &str) -> bool {
    text.strip_suffix(".new").is_some_and(|name| Name::parse(name).is_some())
}

/// Copies are of public pages, but which ones were asked for is nobody's business.
fn make_private_folder(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}
