//! Certificates that are loaded anew while the server runs: renewed ones are taken up without a restart,
//! and broken ones never take the place of good ones.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::{CertificateFiles, HostResolver, TlsError, load};

/// The certificates in use, and the files they are from.
#[derive(Debug)]
pub struct LiveCertificates {
    files: Vec<CertificateFiles>,
    current: ArcSwap<HostResolver>,
    /// What the files looked like when they were last read.
    seen: Mutex<Vec<Stamp>>,
}

/// What came of looking at the files.
#[derive(Debug)]
pub enum Reloaded {
    /// They are as they were.
    Unchanged,
    /// Their certificates are in use now.
    Loaded,
    /// They cannot be used; the certificates that were in use still are.
    Refused(Vec<TlsError>),
}

/// Enough of a file's state to see that it was written or replaced; `None` where there is none.
type Stamp = Option<(u64, u64, i64, i64)>;

fn stamp(path: &Path) -> Stamp {
    let file = fs::metadata(path).ok()?;
    Some((file.ino(), file.len(), file.mtime(), file.mtime_nsec()))
}

impl LiveCertificates {
    /// Loads all certificates.
    ///
    /// # Errors
    /// Every fault of every file.
    pub fn load(files: &[CertificateFiles]) -> Result<Self, Vec<TlsError>> {
        let seen = stamps(files);
        let current = ArcSwap::from_pointee(read_all(files)?);
        Ok(Self { files: files.to_vec(), current, seen: Mutex::new(seen) })
    }

    /// Looks at the files, and loads them where one has changed since it was last read, or in any case
    /// with `even_unchanged`. Reads files: not for a thread that serves. All certificates change
    /// together or none: half of a renewal (the certificate written, the key not yet) changes nothing.
    pub fn reload(&self, even_unchanged: bool) -> Reloaded {
        // Held over the reading, so that of two calls at once the later one's files win.
        let mut seen = self.seen.lock();
        let now = stamps(&self.files);
        if *seen == now && !even_unchanged {
            return Reloaded::Unchanged;
        }
        // Taken before they are read: what is written meanwhile is seen the next time.
        *seen = now;
        match read_all(&self.files) {
            Ok(resolver) => {
                self.current.store(Arc::new(resolver));
                Reloaded::Loaded
            }
            Err(errors) => Reloaded::Refused(errors),
        }
    }
}

fn stamps(files: &[CertificateFiles]) -> Vec<Stamp> {
    files.iter().flat_map(|files| [stamp(&files.certificate), stamp(&files.key)]).collect()
}

fn read_all(files: &[CertificateFiles]) -> Result<HostResolver, Vec<TlsError>> {
    let provider = aws_lc_rs::default_provider();
    let mut resolver = HostResolver::default();
    let mut errors = Vec::new();
    for files in files {
        match load(files, &provider) {
            Ok(certified) => resolver.add(&files.hosts, &Arc::new(certified)),
            Err(faults) => errors.extend(faults),
        }
    }
    if errors.is_empty() && resolver.default.is_none() {
        errors.push(TlsError::NoCertificate);
    }
    if errors.is_empty() { Ok(resolver) } else { Err(errors) }
}

impl ResolvesServerCert for LiveCertificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.current.load().pick(hello.server_name())
    }
}
