//! What is put in the edge's place: Floodwall, or a rival.

mod floodwall;
mod rivals;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::certificates::Certificates;

pub use floodwall::Floodwall;
pub use rivals::Rival;

/// Where an edge stands and what it stands before.
#[derive(Clone, Debug)]
pub struct Place<'a> {
    /// Where it is to listen, cleartext HTTP.
    pub listen: &'a [SocketAddr],
    /// The origin behind it.
    pub origin: SocketAddr,
    /// The site's host name.
    pub site: &'a str,
    /// Where it is to listen with TLS as well, where the scenario needs it.
    pub tls: Option<TlsPlace<'a>>,
    /// A directory for its files, removed after the drill.
    pub directory: &'a Path,
}

/// The listener with TLS.
#[derive(Clone, Copy, Debug)]
pub struct TlsPlace<'a> {
    /// Where it is to listen, for HTTP/2 and HTTP/1.1 by ALPN.
    pub listen: &'a [SocketAddr],
    /// What it shows and proves.
    pub certificates: &'a Certificates,
}

/// A command that runs an edge in the foreground.
#[derive(Clone, Debug)]
pub struct EdgeCommand {
    /// The program.
    pub program: PathBuf,
    /// What it is given.
    pub arguments: Vec<OsString>,
}

/// Why an edge cannot be put in place.
#[derive(Debug, thiserror::Error)]
pub enum EdgeError {
    /// Its configuration cannot be read.
    #[error("{0}")]
    Config(String),
    /// Its files cannot be written.
    #[error("cannot write {path}: {source}")]
    Write {
        /// Which file.
        path: PathBuf,
        /// The operating system's word.
        source: std::io::Error,
    },
}

/// Something that can stand in the edge's place.
pub trait Edge {
    /// What it is, in tables: name and version.
    fn label(&self) -> Label;

    /// Whether it can listen with TLS by itself.
    fn offers_tls(&self) -> bool {
        true
    }

    /// Whether it shows figures of its admission as Floodwall does.
    fn tells_of_admission(&self) -> bool {
        false
    }

    /// Writes its configuration for that place and says how to run it.
    ///
    /// # Errors
    /// See [`EdgeError`].
    fn prepare(&self, place: &Place<'_>) -> Result<EdgeCommand, EdgeError>;
}

/// Name and version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Label {
    /// As on the command line.
    pub name: String,
    /// As it says itself.
    pub version: String,
}

/// Writes one file of an edge's configuration.
fn write(path: PathBuf, text: &str) -> Result<PathBuf, EdgeError> {
    match std::fs::write(&path, text) {
        Ok(()) => Ok(path),
        Err(source) => Err(EdgeError::Write { path, source }),
    }
}
