//! TLS with certificates checked as browsers check them, and what a failure says.

use std::fmt;
use std::io::{self, ErrorKind};
use std::sync::Arc;

use floodwall_outage::{Cause, UnknownCause};
use parking_lot::Mutex;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, InvalidMessage, RootCertStore,
    SignatureScheme,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use sha2::{Digest, Sha256};
use x509_parser::extensions::GeneralName;

use crate::attempt::Failure;
use crate::evidence::CertificateFacts;

/// Certificates of one chain that are kept.
const CHAIN_MAX: usize = 8;
/// Names of one certificate that are kept.
const NAMES_MAX: usize = 64;

/// Why no TLS can be spoken at all.
#[derive(Debug, thiserror::Error)]
#[error("the certificates of the authorities to trust cannot be used: {0}")]
pub struct TrustError(pub(crate) String);

/// Whom to trust, and how to speak.
#[derive(Clone)]
pub(crate) struct Trust {
    provider: Arc<rustls::crypto::CryptoProvider>,
    verifier: Arc<WebPkiServerVerifier>,
}

impl Trust {
    /// Trusts the authorities that this system trusts, and `further`.
    pub(crate) fn new(system: bool, further: &[CertificateDer<'static>]) -> Result<Self, TrustError> {
        let mut roots = RootCertStore::empty();
        if system {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        for certificate in further {
            roots.add(certificate.clone()).map_err(|error| TrustError(error.to_string()))?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()
            .map_err(|error| TrustError(error.to_string()))?;
        Ok(Self { provider, verifier })
    }

    /// Settings for one handshake, and where the chain that was shown is found after it.
    pub(crate) fn handshake(&self, protocols: &[&[u8]]) -> Result<(Arc<ClientConfig>, ShownChain), Error> {
        let shown = ShownChain::default();
        let verifier = Recording { inner: Arc::clone(&self.verifier), shown: Arc::clone(&shown) };
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        // Each probe must see the whole handshake.
        config.resumption = rustls::client::Resumption::disabled();
        Ok((Arc::new(config), shown))
    }
}

/// The chain a server showed.
pub(crate) type ShownChain = Arc<Mutex<Vec<CertificateFacts>>>;

/// Keeps what was shown, and lets the usual verifier decide.
struct Recording {
    inner: Arc<WebPkiServerVerifier>,
    shown: ShownChain,
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recording")
    }
}

impl ServerCertVerifier for Recording {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let chain = std::iter::once(end_entity).chain(intermediates).take(CHAIN_MAX);
        *self.shown.lock() = chain.filter_map(|certificate| facts(certificate)).collect();
        self.inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

fn facts(der: &CertificateDer<'_>) -> Option<CertificateFacts> {
    let (_, certificate) = x509_parser::parse_x509_certificate(der).ok()?;
    let names = certificate.subject_alternative_name().ok().flatten();
    let names = names.into_iter().flat_map(|names| &names.value.general_names).take(NAMES_MAX);
    let dns = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        _ => None,
    };
    Some(CertificateFacts {
        subject: certificate.subject().to_string(),
        issuer: certificate.issuer().to_string(),
        not_before_unix_seconds: certificate.validity().not_before.timestamp(),
        not_after_unix_seconds: certificate.validity().not_after.timestamp(),
        names: names.filter_map(dns).collect(),
        sha256: Sha256::digest(der.as_ref()).into(),
    })
}

/// What a failed handshake says.
pub(crate) fn failure(error: &io::Error) -> Failure {
    if let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        return of_tls(error);
    }
    match error.kind() {
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => {
            Failure::Target(Cause::TlsReset)
        }
        ErrorKind::UnexpectedEof => Failure::Target(Cause::TlsClosed),
        ErrorKind::TimedOut => Failure::Target(Cause::TlsTimeout),
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => {
            Failure::Target(Cause::ConnectUnreachable)
        }
        _ => Failure::Own(UnknownCause::ProberFailed),
    }
}

fn of_tls(error: &Error) -> Failure {
    Failure::Target(match error {
        Error::InvalidCertificate(fault) => of_certificate(fault),
        // Not a record of TLS at all: the first bytes name no content type or version of it.
        Error::InvalidMessage(
            InvalidMessage::InvalidContentType
            | InvalidMessage::UnknownProtocolVersion
            | InvalidMessage::MessageTooLarge
            | InvalidMessage::InvalidEmptyPayload,
        )
        | Error::PeerSentOversizedRecord => Cause::TlsNotTls,
        Error::NoCertificatesPresented => Cause::CertificateInvalid,
        Error::FailedToGetCurrentTime | Error::FailedToGetRandomBytes | Error::EncryptError => {
            return Failure::Own(UnknownCause::ProberFailed);
        }
        _ => Cause::TlsProtocol,
    })
}

fn of_certificate(fault: &CertificateError) -> Cause {
    match fault {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => Cause::CertificateExpired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            Cause::CertificateNotYetValid
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            Cause::CertificateWrongName
        }
        // A signature that does not fit its issuer's key is no voucher either.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => Cause::CertificateUntrusted,
        CertificateError::Revoked => Cause::CertificateRevoked,
        _ => Cause::CertificateInvalid,
    }
}
