//! The drill's own authority and the certificate of the site that it plays: made for one drill, trusted
//! by its visitors alone, removed with its directory.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};

use crate::clock;

/// Valid since: visitors' clocks may be behind.
const SINCE_S: u64 = 86_400;
/// How long the authority, and a certificate that does not expire during the drill, are valid.
const VALID_S: u64 = 30 * 86_400;

/// Files of the site's certificate.
#[derive(Clone, Debug)]
pub struct Certificates {
    /// The authority's certificate in PEM, for whoever is to trust it.
    pub authority: String,
    /// The site's certificate, PEM.
    pub certificate: PathBuf,
    /// Its key, PEM.
    pub key: PathBuf,
    /// Both in one file, for servers that want it so.
    pub both: PathBuf,
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// It cannot be made.
    #[error("cannot make a certificate: {0}")]
    Make(#[from] rcgen::Error),
    /// It cannot be written.
    #[error("cannot write {path}: {source}")]
    Write {
        /// Where.
        path: PathBuf,
        /// The operating system's word.
        source: std::io::Error,
    },
}

impl Certificates {
    /// Makes a certificate for `site` that ends in `expires_in_s` seconds, where given, and writes it to
    /// `directory`.
    ///
    /// # Errors
    /// See [`CertificateError`].
    pub fn issue(directory: &Path, site: &str, expires_in_s: Option<u64>) -> Result<Self, CertificateError> {
        let now = clock::unix_s();
        let until = now.saturating_add(expires_in_s.unwrap_or(VALID_S));
        Self::issue_at(directory, site, now, until)
    }

    /// As [`Self::issue`], at another time than the present.
    pub(crate) fn issue_at(
        directory: &Path,
        site: &str,
        now: u64,
        until: u64,
    ) -> Result<Self, CertificateError> {
        let since = now.saturating_sub(SINCE_S);
        let at = |unix_s| date_time_ymd(1970, 1, 1) + Duration::from_secs(unix_s);
        let named = |name: &str| {
            let mut names = DistinguishedName::new();
            names.push(DnType::CommonName, name);
            names
        };
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.distinguished_name = named("Floodwall drill");
        (params.not_before, params.not_after) = (at(since), at(now.saturating_add(VALID_S)));
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;

        let mut params = CertificateParams::new(vec![site.to_owned()])?;
        params.distinguished_name = named(site);
        (params.not_before, params.not_after) = (at(since), at(until));
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &authority)?.pem();
        let key = key.serialize_pem();
        Ok(Self {
            authority: authority.pem(),
            both: write(directory, "site-and-key.pem", &format!("{certificate}{key}"))?,
            certificate: write(directory, "site.pem", &certificate)?,
            key: write(directory, "site.key", &key)?,
        })
    }
}

/// Writes a file that only its owner reads.
fn write(directory: &Path, name: &str, text: &str) -> Result<PathBuf, CertificateError> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;

    let path = directory.join(name);
    let opened = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    match opened.and_then(|mut file| file.write_all(text.as_bytes())) {
        Ok(()) => Ok(path),
        Err(source) => Err(CertificateError::Write { path, source }),
    }
}
