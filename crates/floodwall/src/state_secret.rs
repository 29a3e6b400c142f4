//! The secret below the state directory: 32 random bytes from which all keys come.
//!
//! Made at the first start, readable by Floodwall's user alone. Several edges that are to accept one
//! another's tokens are given the same file. Whoever replaces it voids every token, ticket and
//! reference ID that was given out.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use floodwall_policy::Secret;

/// The file in the state directory.
const FILE: &str = "secret";
const BYTES: usize = 32;

/// Why there is no secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretError {
    #[error("the secret {} cannot be read: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("the secret {} cannot be made: {source}; see the directory's owner and whether its disk is full", path.display())]
    NotMade { path: PathBuf, source: io::Error },
    #[error(
        "{} holds {found} bytes and not 32; put the right file back, or remove it: a new one is made, and what visitors \
         were given (tokens, places in line, reference IDs) is void",
        path.display()
    )]
    WrongSize { path: PathBuf, found: u64 },
    #[error("others than its owner may read {}; run `chmod 600 {}`", path.display(), path.display())]
    OpenToOthers { path: PathBuf },
    #[error("the operating system gave no random bytes: {0}")]
    Random(getrandom::Error),
}

/// Reads the secret of a state directory.
pub(crate) fn read(directory: &Path) -> Result<Secret, SecretError> {
    let path = directory.join(FILE);
    let unreadable = |source| SecretError::Unreadable { path: path.clone(), source };
    let mut file = File::open(&path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if metadata.permissions().mode() & 0o077 != 0 {
        return Err(SecretError::OpenToOthers { path });
    }
    if metadata.len() != BYTES as u64 {
        return Err(SecretError::WrongSize { path, found: metadata.len() });
    }
    let mut bytes = [0; BYTES];
    file.read_exact(&mut bytes).map_err(unreadable)?;
    Ok(Secret::new(bytes))
}

/// Reads the secret of a state directory that exists, or makes it.
pub(crate) fn read_or_make(directory: &Path) -> Result<Secret, SecretError> {
    let path = directory.join(FILE);
    match read(directory) {
        Err(SecretError::Unreadable { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
        known => return known,
    }
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).map_err(SecretError::Random)?;
    match make(directory, &path, &bytes) {
        // Another process was first.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => made.map_err(|source| SecretError::NotMade { path, source })?,
    }
    read(directory)
}

/// Whole or not at all, and never over one that is there.
fn make(directory: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = tempfile::Builder::new()
        .prefix(".secret-")
        .make_in(directory, |path| OpenOptions::new().write(true).create_new(true).mode(0o600).open(path))?;
    new.as_file().write_all(bytes)?;
    new.as_file().sync_all()?;
    new.persist_noclobber(path).map_err(|error| error.error)?;
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use floodwall_model::{ReferenceId, Timestamp};
    use floodwall_policy::ReferenceKey;

    use super::*;

    /// Two secrets are the same when their keys are.
    fn mark(secret: &Secret) -> ReferenceId {
        let now = Timestamp::new(std::time::Duration::ZERO, 1_793_966_400_000_000);
        let note = floodwall_policy::RefusalNote {
            at_unix_s: now.wall_unix_seconds(),
            decided: floodwall_policy::Decided::NoRoom,
            rung: floodwall_policy::Rung::Open,
            site: None,
            client: 0,
            counter: 0,
        };
        ReferenceKey::new(secret).seal(&note)
    }

    #[test]
    fn it_is_made_once_and_for_its_owner_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE);
        assert!(matches!(read(directory.path()), Err(SecretError::Unreadable { .. })));
        let first = read_or_make(directory.path()).unwrap();
        assert_eq!(mark(&first), mark(&read_or_make(directory.path()).unwrap()));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let names: Vec<_> =
            fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, [FILE], "nothing else is left");
        let elsewhere = tempfile::tempdir().unwrap();
        assert_ne!(mark(&first), mark(&read_or_make(elsewhere.path()).unwrap()));
    }

    #[test]
    fn what_is_wrong_with_it_is_said_and_it_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE);
        fs::write(&path, "short").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let error = read_or_make(directory.path()).unwrap_err();
        assert!(matches!(error, SecretError::WrongSize { found: 5, .. }), "{error}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = read_or_make(directory.path()).unwrap_err().to_string();
        assert!(error.contains("chmod 600"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"short");
        let gone = directory.path().join("nowhere");
        assert!(matches!(read_or_make(&gone), Err(SecretError::NotMade { .. })));
    }
}
