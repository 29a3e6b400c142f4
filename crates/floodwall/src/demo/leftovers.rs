//! Directories of demonstrations that were killed, and so could not remove their own.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::{env, io};

use rustix::fs::{FlockOperation, flock};

/// What the name of a demonstration's directory begins with.
pub(super) const PREFIX: &str = "floodwall-demo-";

/// The file in it that is locked for as long as the demonstration runs.
const LOCK: &str = "lock";

/// Entries of the directory for temporary files that are looked at.
const LOOKED_AT_MAX: usize = 10_000;

/// Marks a directory as in use until the returned value is dropped.
pub(super) fn claim(directory: &Path) -> io::Result<File> {
    let lock = File::create(directory.join(LOCK))?;
    flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
    Ok(lock)
}

/// Removes what killed demonstrations of this user left behind.
pub(super) fn remove() {
    let left = left_in(&env::temp_dir());
    for directory in left {
        match fs::remove_dir_all(&directory) {
            Ok(()) => {
                tracing::info!(directory = %directory.display(), "removed what an earlier demonstration left");
            }
            Err(error) => {
                tracing::warn!(%error, directory = %directory.display(), "an earlier demonstration's directory stays");
            }
        }
    }
}

fn left_in(parent: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(parent) else { return Vec::new() };
    let named = entries.take(LOOKED_AT_MAX).filter_map(Result::ok);
    named
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX))
        .map(|e| e.path())
        .filter(|path| is_left(path))
        .collect()
}

/// Whether it is a directory of this user's that nobody has locked. One without a lock is just being
/// made.
fn is_left(directory: &Path) -> bool {
    let ours = fs::symlink_metadata(directory)
        .is_ok_and(|found| found.is_dir() && found.uid() == rustix::process::getuid().as_raw());
    ours && File::open(directory.join(LOCK))
        .is_ok_and(|lock| flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_uses_any_more_is_left() {
        let parent = tempfile::tempdir().unwrap();
        let make = |name: &str| {
            let directory = parent.path().join(name);
            fs::create_dir(&directory).unwrap();
            directory
        };
        let (left, running) = (make("floodwall-demo-left"), make("floodwall-demo-running"));
        let other = make("other");
        make("floodwall-demo-being-made");
        std::os::unix::fs::symlink(&other, parent.path().join("floodwall-demo-elsewhere")).unwrap();
        drop((claim(&left).unwrap(), claim(&other).unwrap()));
        let held = claim(&running).unwrap();
        assert_eq!(left_in(parent.path()), std::slice::from_ref(&left));
        drop(held);
        let mut both = left_in(parent.path());
        both.sort();
        assert_eq!(both, [left, running]);
    }
}
