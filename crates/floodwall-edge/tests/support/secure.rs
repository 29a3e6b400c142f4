//! An edge with a certificate, and a client that trusts it.

use std::sync::Arc;

use floodwall_edge::tls::CertificateFiles;
use floodwall_edge::{EdgeConfig, EdgeHandle};

use super::origin::page;
use super::{Origin, TestClock, config, start_with_clock};

/// See the module's head.
pub struct TlsEdge {
    pub edge: EdgeHandle,
    pub client: rustls::ClientConfig,
    /// It stands still until it is put forward.
    pub clock: Arc<TestClock>,
    pub origin: Origin,
    _files: tempfile::TempDir,
}

/// Starts one as `change` has it.
pub fn tls_edge(change: impl FnOnce(&mut EdgeConfig)) -> TlsEdge {
    let origin = Origin::start(|_| page("over TLS", &[("cache-control", "no-store")]));
    let files = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["a.test".to_owned()]).unwrap();
    let (certificate, key) = (files.path().join("cert.pem"), files.path().join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let mut config = config(&[origin.address]);
    config.https = vec!["127.0.0.1:0".parse().unwrap()];
    config.certificates = vec![CertificateFiles { certificate, key, hosts: vec!["a.test".to_owned()] }];
    change(&mut config);
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let (edge, clock) = start_with_clock(config);
    TlsEdge { edge, client, clock, origin, _files: files }
}
