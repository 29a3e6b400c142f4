//! The drill's temporary directory, and those that an earlier drill could not remove.
//!
//! A drill removes its directory, and one that is killed has somebody who does (`run::watch`). Where
//! both were killed, it stays. So the name holds the process's number, and the next drill of the same
//! user removes what belongs to nobody alive.

use std::fs::DirEntry;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use tempfile::TempDir;

const PREFIX: &str = "floodwall-drill-";

/// Makes the directory of this drill and removes those of drills that were killed.
pub(crate) fn make() -> io::Result<TempDir> {
    make_in(&std::env::temp_dir())
}

fn make_in(parent: &Path) -> io::Result<TempDir> {
    let own =
        tempfile::Builder::new().prefix(&format!("{PREFIX}{}-", std::process::id())).tempdir_in(parent)?;
    let owner = own.path().metadata()?.uid();
    for entry in std::fs::read_dir(parent)?.flatten() {
        if is_left_over(&entry, owner) {
            // Another drill may be removing it at this moment; what stays is the next one's.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
    Ok(own)
}

/// Whether it is a drill's directory, the same user's, of a process that is gone.
fn is_left_over(entry: &DirEntry, owner: u32) -> bool {
    let name = entry.file_name();
    let process = name.to_str().and_then(|name| {
        let (process, _) = name.strip_prefix(PREFIX)?.split_once('-')?;
        process.parse::<u32>().ok()
    });
    // Of the entry itself: a link is none of ours.
    let ours = entry.metadata().is_ok_and(|metadata| metadata.is_dir() && metadata.uid() == owner);
    ours && process.is_some_and(|process| !Path::new(&format!("/proc/{process}")).exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_of_the_dead_go_and_all_others_stay() {
        // No process has this number: the kernel's largest is 2^22.
        let dead = "floodwall-drill-99999999-abc";
        let alive = format!("floodwall-drill-{}-abc", std::process::id());
        let others = [alive.as_str(), "floodwall-drill-x-abc", "floodwall-drill-", "other-99999999-abc"];
        let parent = tempfile::tempdir().unwrap();
        for name in others.into_iter().chain([dead]) {
            std::fs::create_dir_all(parent.path().join(name).join("state")).unwrap();
        }
        let target = parent.path().join(others[3]);
        std::os::unix::fs::symlink(&target, parent.path().join("floodwall-drill-99999998-abc")).unwrap();
        let own = make_in(parent.path()).unwrap();
        assert!(own.path().is_dir());
        assert!(!parent.path().join(dead).exists());
        for name in others.into_iter().chain(["floodwall-drill-99999998-abc"]) {
            assert!(parent.path().join(name).join("state").is_dir(), "{name}");
        }
    }
}
