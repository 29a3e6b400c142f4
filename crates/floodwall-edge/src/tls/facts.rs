//! What a certificate says of itself (RFC 5280), as far as an operator has to know it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rustls_pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate, X509Version};

/// What the site's own certificate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFacts {
    /// Start of its validity, in seconds since 1970-01-01T00:00:00Z.
    pub not_before_unix_seconds: i64,
    /// End of its validity, in seconds since 1970-01-01T00:00:00Z.
    pub not_after_unix_seconds: i64,
    /// Host names and addresses it is valid for, lower-case; `*.example.gov` covers one label.
    pub names: Vec<String>,
    /// Whether it vouches for itself, so that browsers warn of it.
    pub self_signed: bool,
    /// Certificates in the file.
    pub chain_length: usize,
}

impl CertificateFacts {
    /// Whether a browser accepts it for `host`: a name, an address as in a `Host` header, or
    /// `*.example.gov`, which takes the same pattern in the certificate (RFC 9525 section 6.3).
    #[must_use]
    pub fn covers(&self, host: &str) -> bool {
        let host = host.trim_matches(['[', ']']).to_ascii_lowercase();
        self.names.iter().any(|name| {
            let wildcard = name.strip_prefix("*.").zip(host.split_once('.'));
            *name == host || wildcard.is_some_and(|(parent, (label, rest))| label != "*" && rest == parent)
        })
    }
}

/// Reads the first certificate of a chain; the error says what is wrong with it.
pub(super) fn read(chain: &[CertificateDer<'static>]) -> Result<CertificateFacts, String> {
    let first = chain.first().ok_or("holds no certificate")?;
    let (_, certificate) = X509Certificate::from_der(first)
        .map_err(|error| format!("holds a certificate that cannot be read: {error}"))?;
    let names = certificate
        .subject_alternative_name()
        .map_err(|error| format!("holds a certificate with unreadable names: {error}"))?
        .map(|extension| extension.value.general_names.iter().filter_map(name_in_words).collect())
        .unwrap_or_default();
    Ok(CertificateFacts {
        not_before_unix_seconds: certificate.validity().not_before.timestamp(),
        not_after_unix_seconds: certificate.validity().not_after.timestamp(),
        names,
        self_signed: certificate.subject() == certificate.issuer(),
        chain_length: chain.len(),
    })
}

/// Whether a certificate is of a version before 3 (RFC 5280 section 4.1.2.1), so that it has no
/// extensions, and names no hosts.
pub(super) fn is_too_old(certificate: &CertificateDer<'static>) -> bool {
    X509Certificate::from_der(certificate)
        .is_ok_and(|(_, certificate)| certificate.version() != X509Version::V3)
}

fn name_in_words(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(|b| IpAddr::V4(Ipv4Addr::from(b)));
            let v6 = <[u8; 16]>::try_from(*bytes).map(|b| IpAddr::V6(Ipv6Addr::from(b)));
            v4.or(v6).ok().map(|ip| ip.to_string())
        }
        _ => None,
    }
}
