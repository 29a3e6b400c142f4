//! TLS for visitors, who trust the drill's authority and nobody else, and for flooders, who check
//! nothing and never resume: a full handshake costs the edge the most.

#[cfg(test)]
mod tests;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{AgentError, Post};

/// Tickets that one visitor keeps.
const TICKETS: usize = 4;

/// What an agent is told about TLS.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TlsOrders {
    /// The edge's port for it.
    pub port: u16,
    /// The drill's authority, PEM.
    pub authority: String,
}

/// A connection of any kind.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {
    /// Whether the other side has reset it, though there may still be something to read.
    fn is_reset(&self) -> bool;
}

impl Stream for TcpStream {
    fn is_reset(&self) -> bool {
        !matches!(self.take_error(), Ok(None))
    }
}

impl Stream for TlsStream<TcpStream> {
    fn is_reset(&self) -> bool {
        self.get_ref().0.is_reset()
    }
}

/// What an agent needs for TLS.
#[derive(Clone, Debug)]
pub(crate) struct Tls {
    pub(crate) port: u16,
    name: ServerName<'static>,
    visitors: Arc<ClientConfig>,
    flood: Arc<ClientConfig>,
    flood_h2: Arc<ClientConfig>,
}

impl Tls {
    pub(crate) fn new(orders: &TlsOrders, site: &str) -> Result<Self, AgentError> {
        let fault = |what: String| AgentError::Orders(format!("TLS: {what}"));
        let mut trusted = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(orders.authority.as_bytes()) {
            let certificate = certificate.map_err(|error| fault(error.to_string()))?;
            trusted.add(certificate).map_err(|error| fault(error.to_string()))?;
        }
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = || {
            ClientConfig::builder_with_provider(provider.clone())
                .with_safe_default_protocol_versions()
                .map_err(|error| fault(error.to_string()))
        };
        let mut visitors = builder()?.with_root_certificates(trusted).with_no_client_auth();
        visitors.alpn_protocols = vec![b"http/1.1".to_vec()];
        let careless = |protocol: &[u8]| {
            let verifier = Arc::new(Careless(provider.clone()));
            let mut config =
                builder()?.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
            config.resumption = Resumption::disabled();
            config.alpn_protocols = vec![protocol.to_vec()];
            Ok::<_, AgentError>(Arc::new(config))
        };
        Ok(Self {
            port: orders.port,
            name: ServerName::try_from(site.to_owned()).map_err(|error| fault(error.to_string()))?,
            visitors: Arc::new(visitors),
            flood: careless(b"http/1.1")?,
            flood_h2: careless(b"h2")?,
        })
    }

    /// Settings of one visitor, with tickets of their own.
    pub(crate) fn of_visitor(&self) -> Arc<ClientConfig> {
        let mut config = ClientConfig::clone(&self.visitors);
        config.resumption = Resumption::in_memory_sessions(TICKETS);
        Arc::new(config)
    }

    /// Settings of a flooder.
    pub(crate) fn of_flooder(&self) -> Arc<ClientConfig> {
        self.flood.clone()
    }

    /// Settings of a flooder who speaks HTTP/2.
    pub(crate) fn of_h2_flooder(&self) -> Arc<ClientConfig> {
        self.flood_h2.clone()
    }

    /// The handshake on a connection that stands.
    pub(crate) async fn shake(
        &self,
        config: Arc<ClientConfig>,
        stream: TcpStream,
    ) -> io::Result<TlsStream<TcpStream>> {
        TlsConnector::from(config).connect(self.name.clone(), stream).await
    }

    /// The first message of a handshake, to be sent as often as wanted: servers do not notice, and it
    /// costs the sender nothing.
    pub(crate) fn hello(&self) -> io::Result<Vec<u8>> {
        let mut connection =
            ClientConnection::new(self.flood.clone(), self.name.clone()).map_err(io::Error::other)?;
        let mut bytes = Vec::new();
        while connection.wants_write() {
            connection.write_tls(&mut bytes)?;
        }
        Ok(bytes)
    }
}

impl Post {
    /// Whether the scenario's visitors and HTTP floods come over TLS.
    pub(crate) fn is_over_tls(&self) -> bool {
        self.tls.is_some() && self.plan.scenario.tls
    }

    /// A connection to the edge as the scenario's visitors and HTTP floods have it.
    pub(crate) async fn connect(
        &self,
        source: IpAddr,
        config: impl FnOnce(&Tls) -> Arc<ClientConfig>,
    ) -> io::Result<Box<dyn Stream>> {
        match self.tls.as_ref().filter(|_| self.plan.scenario.tls) {
            None => {
                let stream = self.own.edge(source, self.port).connect(source).await?;
                let _ = stream.set_nodelay(true);
                Ok(Box::new(stream))
            }
            Some(tls) => {
                let stream = self.own.edge(source, tls.port).connect(source).await?;
                let _ = stream.set_nodelay(true);
                Ok(Box::new(tls.shake(config(tls), stream).await?))
            }
        }
    }
}

/// Whether a handshake failed because of the certificate: a browser shows its warning and no page.
pub(crate) fn is_certificate_fault(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    matches!(inner, Some(rustls::Error::InvalidCertificate(_)))
}

/// A flooder does not look at certificates.
#[derive(Debug)]
struct Careless(Arc<CryptoProvider>);

impl ServerCertVerifier for Careless {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
