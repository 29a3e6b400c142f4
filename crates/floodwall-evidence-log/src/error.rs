//! What can go wrong with a log on disk.

use std::io;
use std::path::{Path, PathBuf};

/// Why a log cannot be opened, written or read.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// The file system refused.
    #[error("{}: {source}{}", path.display(), advice(source))]
    File {
        /// Which file.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// Another process writes the log.
    #[error("another process writes the evidence log in {}; stop it first", path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// The signing key can be read by others.
    #[error("others than its owner may read {}; run `chmod 600 {}`", path.display(), path.display())]
    KeyOpenToOthers {
        /// The file.
        path: PathBuf,
    },
    /// The signing key is not 32 bytes.
    #[error(
        "{} holds {found} bytes and not 32; put the right file back, or move it away: a new key is made, and a new log \
         begins that names the old one",
        path.display()
    )]
    KeySize {
        /// The file.
        path: PathBuf,
        /// Its length.
        found: u64,
    },
    /// What names the log cannot be the name of a key.
    #[error("`{0}` cannot name a log: it has spaces, a plus sign, or is too long")]
    Name(String),
    /// A log that is not what it should be.
    #[error("{}: {what}", path.display())]
    Damaged {
        /// The file or directory.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The system gave no random bytes.
    #[error("the operating system gave no random bytes: {0}")]
    Random(getrandom::Error),
    /// A record that is too long, or a count beyond all bounds.
    #[error("a record of {0} bytes is longer than the log can hold (65,535 bytes)")]
    TooLong(usize),
    /// The writing thread could not be started.
    #[error("the thread that writes the evidence log could not be started: {0}")]
    Thread(io::Error),
}

fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull => "; make room on this disk",
        io::ErrorKind::QuotaExceeded => "; the quota of the user Floodwall runs as is used up",
        io::ErrorKind::FileTooLarge => "; the limit of file sizes is reached (ulimit -f, LimitFSIZE)",
        io::ErrorKind::PermissionDenied => "; it must belong to the user Floodwall runs as",
        _ => "",
    }
}

impl EvidenceError {
    pub(crate) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        |source| Self::File { path: path.to_owned(), source }
    }

    pub(crate) fn damaged(path: &Path, what: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_owned(), what: what.into() }
    }
}
