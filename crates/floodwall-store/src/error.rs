//! What can go wrong with the store, who can mend it, and whether trying again helps.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ffi;

/// Who can mend a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Blame {
    /// Whoever set Floodwall up: a wrong path, a missing right, a second process.
    Operator,
    /// The machine: its disk or file system.
    Host,
    /// Floodwall itself: a fault to report.
    Floodwall,
}

/// Why the store could not do what was asked. Nothing was written then; whatever was in the file
/// before is still in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The disk (or a quota on it) has no room.
    #[error("no room on the disk to write the store {path}; make room, and what is waiting is written")]
    Full {
        /// The store's file.
        path: PathBuf,
    },
    /// Another program held the file locked for longer than we wait.
    #[error("the store {path} is locked by another program (an SQLite shell or a backup?)")]
    Busy {
        /// The store's file.
        path: PathBuf,
    },
    /// Another Floodwall process writes this store.
    #[error(
        "the store {path} is in use by another floodwall process; stop that one, \
         or give this one a `state` directory of its own"
    )]
    InUse {
        /// The store's file.
        path: PathBuf,
    },
    /// The file is no longer, or never was, a whole SQLite file.
    #[error(
        "the store {path} is damaged ({detail}); it was left as it is. To go on with an empty store, \
         move it aside together with {path}-wal and {path}-shm where these exist, and start again; \
         `sqlite3 FILE .recover` can get records out of what was moved"
    )]
    Damaged {
        /// The store's file.
        path: PathBuf,
        /// What SQLite says.
        detail: String,
    },
    /// An SQLite file of some other program.
    #[error(
        "{path} is an SQLite file of another program; it was left as it is. \
         Move it elsewhere, or give Floodwall another `state` directory"
    )]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A later version of Floodwall has written the store.
    #[error(
        "the store {path} was written by a newer Floodwall (its format is {found}, this one knows up to \
         {known}); it was left as it is. Run the newer Floodwall, or give this one another `state` directory"
    )]
    Newer {
        /// The store's file.
        path: PathBuf,
        /// The format's number in the file.
        found: i64,
        /// The highest number known here.
        known: i64,
    },
    /// The file cannot be opened or created for writing.
    #[error("cannot open the store {path}: {detail}; its directory must exist and be writable")]
    Unopenable {
        /// The store's file.
        path: PathBuf,
        /// What the system says.
        detail: String,
    },
    /// Reading or writing failed below SQLite.
    #[error("the disk failed while the store {path} was in use: {detail}")]
    Disk {
        /// The store's file.
        path: PathBuf,
        /// What the system says.
        detail: String,
    },
    /// Anything else that SQLite refuses: a fault of ours.
    #[error("the store {path} refused what Floodwall asked of it: {detail}; please report this")]
    Internal {
        /// The store's file.
        path: PathBuf,
        /// What SQLite says.
        detail: String,
    },
    /// The store's thread did not answer in time, or has too much to answer.
    #[error("the store is too slow to answer now; ask again later")]
    Slow,
    /// The system would not start the store's thread.
    #[error("cannot start the store's thread: {detail}")]
    Thread {
        /// What the system says.
        detail: String,
    },
    /// The store was closed, or its thread has ended.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// Who can mend it.
    #[must_use]
    pub fn blame(&self) -> Blame {
        match self {
            Self::Busy { .. }
            | Self::InUse { .. }
            | Self::Foreign { .. }
            | Self::Newer { .. }
            | Self::Unopenable { .. } => Blame::Operator,
            Self::Full { .. }
            | Self::Damaged { .. }
            | Self::Disk { .. }
            | Self::Thread { .. }
            | Self::Slow => Blame::Host,
            Self::Internal { .. } | Self::Closed => Blame::Floodwall,
        }
    }

    /// Whether the same call may succeed later without anybody changing the settings.
    #[must_use]
    pub fn retryable(&self) -> bool {
        match self {
            Self::Full { .. } | Self::Busy { .. } | Self::InUse { .. } | Self::Disk { .. } | Self::Slow => {
                true
            }
            Self::Damaged { .. }
            | Self::Foreign { .. }
            | Self::Newer { .. }
            | Self::Unopenable { .. }
            | Self::Internal { .. }
            | Self::Thread { .. }
            | Self::Closed => false,
        }
    }

    /// Sorts an error of SQLite's, met at the store `path`.
    pub(crate) fn from_sqlite(path: &Path, error: &rusqlite::Error) -> Self {
        let (path, detail) = (path.to_owned(), error.to_string());
        let Some(code) = error.sqlite_error().map(|failure| failure.extended_code) else {
            return match error {
                rusqlite::Error::InvalidPath(_) | rusqlite::Error::NulError(_) => {
                    Self::Unopenable { path, detail }
                }
                // A column of another type than it was created with: the file was changed from outside.
                rusqlite::Error::InvalidColumnType(..)
                | rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::Utf8Error(..) => Self::Damaged { path, detail },
                _ => Self::Internal { path, detail },
            };
        };
        // The low byte is the primary code, the rest narrows it down (sqlite.org/rescode.html).
        match (code & 0xff, code) {
            // The shared-memory file could not grow: the same want of room by another name.
            (ffi::SQLITE_FULL, _) | (_, ffi::SQLITE_IOERR_SHMSIZE) => Self::Full { path },
            (ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED, _) => Self::Busy { path },
            (ffi::SQLITE_CORRUPT | ffi::SQLITE_NOTADB, _) => Self::Damaged { path, detail },
            (ffi::SQLITE_CANTOPEN | ffi::SQLITE_READONLY | ffi::SQLITE_PERM | ffi::SQLITE_AUTH, _) => {
                Self::Unopenable { path, detail }
            }
            (ffi::SQLITE_IOERR | ffi::SQLITE_NOMEM, _) => Self::Disk { path, detail },
            _ => Self::Internal { path, detail },
        }
    }

    /// Sorts an error of the operating system's, met while opening the store `path`.
    pub(crate) fn from_open(path: &Path, error: &io::Error) -> Self {
        let path = path.to_owned();
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { path },
            _ => Self::Unopenable { path, detail: error.to_string() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlite_codes_say_who_is_to_blame_and_whether_a_retry_helps() {
        for (code, blame, retryable) in [
            (ffi::SQLITE_FULL, Blame::Host, true),
            (ffi::SQLITE_IOERR_SHMSIZE, Blame::Host, true),
            (ffi::SQLITE_IOERR_FSYNC, Blame::Host, true),
            (ffi::SQLITE_BUSY_SNAPSHOT, Blame::Operator, true),
            (ffi::SQLITE_NOTADB, Blame::Host, false),
            (ffi::SQLITE_CORRUPT_INDEX, Blame::Host, false),
            (ffi::SQLITE_READONLY_DIRECTORY, Blame::Operator, false),
            (ffi::SQLITE_CANTOPEN_ISDIR, Blame::Operator, false),
            (ffi::SQLITE_CONSTRAINT_CHECK, Blame::Floodwall, false),
            (ffi::SQLITE_MISUSE, Blame::Floodwall, false),
        ] {
            let sqlite = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            let error = StoreError::from_sqlite(Path::new("/s"), &sqlite);
            assert_eq!((error.blame(), error.retryable()), (blame, retryable), "{code}: {error}");
        }
    }
}
