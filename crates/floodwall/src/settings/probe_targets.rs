//! What of the settings a look at the machine can prove wrong.

use std::net::SocketAddr;
use std::ops::Range;
use std::path::PathBuf;

use floodwall_model::Prefix;

use super::{HostPattern, Origin};
use crate::client_files::ClientFileKind;

/// Where a probed value stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The key's path.
    pub(crate) key: String,
    /// Bytes of the file; `None` for a default.
    pub(crate) span: Option<Range<usize>>,
}

/// Every value that a look at the machine can prove wrong, with its place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ProbeTargets {
    /// Addresses to listen on, the admin address included.
    pub(crate) listeners: Vec<(SocketAddr, Place)>,
    /// The state directory.
    pub(crate) state: Option<(PathBuf, Place)>,
    /// The access log's file.
    pub(crate) access_log: Option<(PathBuf, Place)>,
    /// Origins of every site.
    pub(crate) origins: Vec<OriginTarget>,
    /// Certificates of every site.
    pub(crate) certificates: Vec<CertificateTarget>,
    /// Files that say who clients are.
    pub(crate) client_files: Vec<(ClientFileKind, PathBuf, Place)>,
}

/// A site's origin, to be tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OriginTarget {
    pub(crate) origin: Origin,
    pub(crate) place: Place,
    /// Networks it may not be in.
    pub(crate) out_of_reach: Vec<Prefix>,
}

/// A site's certificate, to be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CertificateTarget {
    /// The PEM file with the chain.
    pub(crate) certificate: (PathBuf, Place),
    /// The PEM file with the key.
    pub(crate) key: (PathBuf, Place),
    /// Hosts it has to cover.
    pub(crate) hosts: Vec<HostPattern>,
}
