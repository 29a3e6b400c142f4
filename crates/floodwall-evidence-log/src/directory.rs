//! Files of a log: written beside the old one and put in its place, so that a reader or a crash never
//! meets half a file.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::EvidenceError;

/// The ending of files that are being written. A start removes what was left.
pub(crate) const UNFINISHED: &str = "new";

/// With more files than this in a batch the whole file system is synced at once, which is one commit
/// of its journal instead of one for each file.
const SYNC_EACH_MAX: usize = 6;

/// Bytes of an entry bundle at most: 256 records of 65,535 bytes with their lengths.
pub(crate) const FILE_BYTES_MAX: u64 = 256 * 65_537;

/// Writes files below `root` and makes them durable; all of them, or the ones that were written are
/// taken away again. None may be there already.
pub(crate) fn write_all(root: &Path, files: &[(String, Vec<u8>)]) -> Result<(), EvidenceError> {
    let outcome = write_and_sync(root, files);
    if outcome.is_err() {
        for (path, _) in files {
            let path = root.join(path);
            let _ = std::fs::remove_file(&path);
            let _ = std::fs::remove_file(unfinished(&path));
        }
    }
    outcome
}

fn write_and_sync(root: &Path, files: &[(String, Vec<u8>)]) -> Result<(), EvidenceError> {
    let sync_each = files.len() <= SYNC_EACH_MAX;
    let mut folders: Vec<PathBuf> = Vec::new();
    for (path, bytes) in files {
        let path = root.join(path);
        let folder = path.parent().unwrap_or(root);
        make_folders(root, folder, &mut folders)?;
        place(&path, bytes, sync_each, 0o644)?;
        if folders.iter().all(|known| known != folder) {
            folders.push(folder.to_owned());
        }
    }
    if sync_each {
        return folders.iter().try_for_each(|folder| sync_folder(folder));
    }
    let file = File::open(root).map_err(EvidenceError::file(root))?;
    rustix::fs::syncfs(&file).map_err(|error| EvidenceError::file(root)(error.into()))
}

/// Makes `folder`; it and those above that are new are noted to be synced.
fn make_folders(root: &Path, folder: &Path, made: &mut Vec<PathBuf>) -> Result<(), EvidenceError> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(above) = folder.parent().filter(|above| above.starts_with(root)) {
        make_folders(root, above, made)?;
        made.push(above.to_owned());
    }
    match std::fs::create_dir(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(EvidenceError::file(folder)(error))
        }
        _ => Ok(()),
    }
}

/// Writes one file and puts it in its place; its folder is not synced.
pub(crate) fn place(path: &Path, bytes: &[u8], sync: bool, mode: u32) -> Result<(), EvidenceError> {
    let new = unfinished(path);
    let write = || {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&new)?;
        file.write_all(bytes)?;
        if sync {
            file.sync_all()?;
        }
        std::fs::rename(&new, path)
    };
    write().map_err(EvidenceError::file(path))
}

fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(UNFINISHED);
    name.into()
}

/// Makes names in a folder durable.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), EvidenceError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(EvidenceError::file(folder))
}

/// A file's bytes, if it is there; a longer one than any of ours is refused.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>, EvidenceError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(EvidenceError::file(path)(error)),
    };
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(EvidenceError::file(path))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(EvidenceError::damaged(path, "it is longer than any file of a log"));
    }
    Ok(Some(bytes))
}
