//! TLS for the listeners: certificates from PEM files, the one a visitor asks for, and the protocol
//! settings. Everything that knows the TLS library's configuration is here.
//!
//! - TLS 1.3 and 1.2; HTTP/2 and HTTP/1.1 by ALPN (RFC 7301).
//! - Returning visitors resume by tickets (RFC 8446 section 2.2, RFC 5077) whose keys live in this
//!   process only and rotate every six hours. No session is kept in memory: a flood of handshakes
//!   leaves nothing behind.
//! - Early data is off: a replayed request would be work at the origin that nobody asked for.
//! - No client certificates and no OCSP stapling.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{NoServerSessionStorage, ServerConfig};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

mod facts;
mod live;
#[cfg(test)]
mod tests;

pub use facts::CertificateFacts;
pub use live::{LiveCertificates, Reloaded};

/// Largest certificate or key file read, in bytes; a chain takes a few thousand.
const PEM_BYTES_MAX: u64 = 1 << 20;

/// A certificate chain, its key, and the hosts it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// PEM file with the chain, the site's own certificate first.
    pub certificate: PathBuf,
    /// PEM file with the private key (PKCS#8, PKCS#1 or SEC1), not encrypted.
    pub key: PathBuf,
    /// Hosts it is given to: exact, `*.example.gov` for any below it, or `*`. The first
    /// certificate of all is also given to visitors who name no host or an unknown one.
    pub hosts: Vec<String>,
}

/// Why certificates cannot be used. Each names the file and what to do; none shows its content.
#[derive(Debug)]
pub enum TlsError {
    /// The file cannot be read.
    Unreadable {
        /// The file.
        file: PathBuf,
        /// The operating system's word.
        source: io::Error,
    },
    /// The file is not what it should be.
    Content {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        problem: String,
        /// What to do.
        fix: &'static str,
    },
    /// The key belongs to another certificate.
    Mismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// There is a TLS listener but no certificate for it.
    NoCertificate,
    /// The TLS library refuses the configuration or has no random numbers.
    Library(rustls::Error),
}

impl std::error::Error for TlsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable { source, .. } => Some(source),
            Self::Library(error) => Some(error),
            Self::Content { .. } | Self::Mismatch { .. } | Self::NoCertificate => None,
        }
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.problem(), self.fix())
    }
}

impl TlsError {
    /// What is wrong, the file named.
    #[must_use]
    pub fn problem(&self) -> String {
        match self {
            Self::Unreadable { file, source } => format!("{} cannot be read: {source}", file.display()),
            Self::Content { file, problem, .. } => format!("{} {problem}", file.display()),
            Self::Mismatch { certificate, key } => {
                format!(
                    "the key {} does not belong to the certificate {}",
                    key.display(),
                    certificate.display()
                )
            }
            Self::NoCertificate => "no certificate is given for the TLS listeners".to_owned(),
            Self::Library(error) => format!("TLS cannot be set up: {error}"),
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn fix(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "check the path, and that Floodwall's user may read it",
            Self::Content { fix, .. } => fix,
            Self::Mismatch { .. } => "give the key the certificate was requested with",
            Self::NoCertificate => "give a site `certificate` and `key`",
            Self::Library(_) => "report it as a fault of Floodwall, with this message",
        }
    }

    /// Whether the key's file is at fault rather than the certificate's.
    #[must_use]
    pub fn concerns_key(&self, files: &CertificateFiles) -> bool {
        match self {
            Self::Unreadable { file, .. } | Self::Content { file, .. } => {
                *file == files.key && files.key != files.certificate
            }
            Self::Mismatch { .. } => true,
            Self::NoCertificate | Self::Library(_) => false,
        }
    }

    fn content(file: &Path, problem: impl Into<String>, fix: &'static str) -> Self {
        Self::Content { file: file.to_owned(), problem: problem.into(), fix }
    }
}

/// The configuration of every TLS listener.
///
/// # Errors
/// [`TlsError::Library`].
pub fn server_config(certificates: Arc<LiveCertificates>) -> Result<Arc<ServerConfig>, TlsError> {
    configure(aws_lc_rs::default_provider(), certificates).map_err(TlsError::Library)
}

fn configure(
    provider: CryptoProvider,
    certificates: Arc<LiveCertificates>,
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .with_no_client_auth()
        .with_cert_resolver(certificates);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.ticketer = aws_lc_rs::Ticketer::new()?;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.max_early_data_size = 0;
    Ok(Arc::new(config))
}

/// What is in a certificate's file, after it and its key were found usable together.
///
/// # Errors
/// Every fault of both files.
pub fn inspect(files: &CertificateFiles) -> Result<CertificateFacts, Vec<TlsError>> {
    let certified = load(files, &aws_lc_rs::default_provider())?;
    facts::read(&certified.cert).map_err(|problem| {
        vec![TlsError::content(&files.certificate, problem, "have the certificate issued anew")]
    })
}

fn load(files: &CertificateFiles, provider: &CryptoProvider) -> Result<CertifiedKey, Vec<TlsError>> {
    let chain = read_chain(&files.certificate);
    let key = read_key(&files.key).and_then(|key| {
        provider.key_provider.load_private_key(key).map_err(|error| {
            let fix = "use an RSA (2048 to 8192 bits), ECDSA (P-256, P-384, P-521) or Ed25519 key";
            TlsError::content(&files.key, format!("holds a key that cannot be used: {error}"), fix)
        })
    });
    let (chain, key) = match (chain, key) {
        (Ok(chain), Ok(key)) => (chain, key),
        (chain, key) => return Err(chain.err().into_iter().chain(key.err()).collect()),
    };
    if chain.first().is_some_and(facts::is_too_old) {
        let problem = "holds a certificate of X.509 version 1 or 2, which cannot say which hosts it is for; \
                       browsers refuse it";
        let fix = "have it issued anew as version 3, with the site's hosts as subjectAltName";
        return Err(vec![TlsError::content(&files.certificate, problem, fix)]);
    }
    let certified = CertifiedKey::new(chain, key);
    match certified.keys_match() {
        // A key that cannot tell its public half cannot be compared; the handshake will show.
        Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => Ok(certified),
        Err(rustls::Error::InconsistentKeys(_)) => Err(vec![mismatch(files, &certified)]),
        Err(error) => Err(vec![TlsError::content(
            &files.certificate,
            format!("holds a certificate that cannot be read: {error}"),
            "have the certificate issued anew",
        )]),
    }
}

/// Tells a wrong key from a chain that is written in the wrong order.
fn mismatch(files: &CertificateFiles, certified: &CertifiedKey) -> TlsError {
    let belongs = |certificate: &CertificateDer<'static>| {
        CertifiedKey::new(vec![certificate.clone()], Arc::clone(&certified.key)).keys_match().is_ok()
    };
    if certified.cert.iter().skip(1).any(belongs) {
        return TlsError::content(
            &files.certificate,
            "holds its certificates in the wrong order",
            "put the site's own certificate first, then those that vouch for it",
        );
    }
    TlsError::Mismatch { certificate: files.certificate.clone(), key: files.key.clone() }
}

fn read_bounded(file: &Path) -> Result<Vec<u8>, TlsError> {
    let mut bytes = Vec::new();
    File::open(file)
        .and_then(|opened| opened.take(PEM_BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(|source| TlsError::Unreadable { file: file.to_owned(), source })?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > PEM_BYTES_MAX {
        return Err(TlsError::content(
            file,
            "is larger than 1 MiB",
            "give a PEM file with nothing else in it",
        ));
    }
    Ok(bytes)
}

fn read_chain(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let bytes = read_bounded(file)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let fix = "give a PEM file: text with -----BEGIN CERTIFICATE-----";
    match chain {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        // 0x30 opens every DER certificate; PEM is text.
        Ok(_) if bytes.first() == Some(&0x30) => Err(TlsError::content(
            file,
            "is in DER form, not PEM",
            "convert it: openssl x509 -inform der -in FILE -out FILE.pem",
        )),
        Ok(_) => Err(TlsError::content(file, "holds no certificate in PEM form", fix)),
        Err(_) => Err(TlsError::content(file, "is damaged PEM", fix)),
    }
}

fn read_key(file: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let bytes = read_bounded(file)?;
    let text = String::from_utf8_lossy(&bytes);
    if text.contains("BEGIN ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED") {
        let fix = "decrypt it (openssl pkey -in FILE -out FILE.key) and let only Floodwall's user read it";
        return Err(TlsError::content(file, "holds an encrypted key", fix));
    }
    // The parser's own error may quote the file, which is a secret: it is not passed on.
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|_| {
        let fix = "give a PEM file: text with -----BEGIN PRIVATE KEY-----";
        TlsError::content(file, "holds no private key in PEM form", fix)
    })
}

/// Picks the certificate for the host a visitor names (SNI, RFC 6066 section 3): exact name, then
/// the longest pattern, then the first certificate of all.
#[derive(Debug, Default)]
struct HostResolver {
    exact: HashMap<String, Arc<CertifiedKey>>,
    /// Suffixes with their leading dot, longest first.
    below: Vec<(String, Arc<CertifiedKey>)>,
    default: Option<Arc<CertifiedKey>>,
}

impl HostResolver {
    fn add(&mut self, hosts: &[String], certified: &Arc<CertifiedKey>) {
        for host in hosts {
            let host = host.to_ascii_lowercase();
            match host.strip_prefix('*') {
                Some("") => {}
                Some(suffix) => self.below.push((suffix.to_owned(), Arc::clone(certified))),
                None => {
                    self.exact.entry(host).or_insert_with(|| Arc::clone(certified));
                }
            }
        }
        // Stable, so that the certificate given first stays first among equals.
        self.below.sort_by_key(|(suffix, _)| std::cmp::Reverse(suffix.len()));
        self.default.get_or_insert_with(|| Arc::clone(certified));
    }

    fn pick(&self, host: Option<&str>) -> Option<Arc<CertifiedKey>> {
        let named = host.map(str::to_ascii_lowercase).and_then(|host| {
            let matches = |suffix: &str| host.len() > suffix.len() && host.ends_with(suffix);
            let pattern =
                || self.below.iter().find(|(suffix, _)| matches(suffix)).map(|(_, certified)| certified);
            self.exact.get(&host).or_else(pattern)
        });
        named.or(self.default.as_ref()).cloned()
    }
}
