//! What a connection knows of its client, between real sockets on one thread.

use std::time::Duration;

use bytes::Bytes;
use floodwall_model::{Clock, Timestamp};
use http_body_util::Empty;
use std::sync::Arc;

use super::*;
use crate::config::{EdgeConfig, Timeouts};
use crate::counters::Counters;
use crate::edge::BoundEdge;
use crate::sightings::Sightings;
use crate::tls::CertificateFiles;

struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        Timestamp::new(Duration::from_secs(1), 1_790_000_000_000_000)
    }
}

/// A worker that serves nothing by itself, and a client that trusts its certificate.
fn worker_and_client() -> (Rc<Worker>, rustls::ClientConfig) {
    let files = tempfile::tempdir().unwrap();
    let own = rcgen::generate_simple_self_signed(vec!["a.test".to_owned()]).unwrap();
    let (certificate, key) = (files.path().join("cert.pem"), files.path().join("key.pem"));
    std::fs::write(&certificate, own.cert.pem()).unwrap();
    std::fs::write(&key, own.signing_key.serialize_pem()).unwrap();
    let config = EdgeConfig {
        http: Vec::new(),
        https: vec!["127.0.0.1:0".parse().unwrap()],
        certificates: vec![CertificateFiles { certificate, key, hosts: vec!["a.test".to_owned()] }],
        sites: Vec::new(),
        trusted_proxies: Vec::new(),
        proxy_protocol: Vec::new(),
        workers: 1,
        connections_max: 16,
        tracked_prefixes: 64,
        handshakes: floodwall_policy::HandshakeLimits::default(),
        timeouts: Timeouts::default(),
        cache: crate::cache::CacheSettings::default(),
        kept: None,
    };
    let bound = BoundEdge::bind(config, Arc::new(Noon), None).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(own.cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (Rc::new(Worker::new(bound.shared(), Arc::new(Counters::new(0)), Arc::new(Sightings::new(0, 1)))), client)
}

fn run(future: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default())
        .unwrap()
        .block_on(future);
}

/// Connects to a connection that `worker` serves.
async fn connect(worker: &Rc<Worker>, tls: bool) -> TcpStream {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (accepted, address) = listener.accept().await.unwrap();
    tokio::task::spawn_local(serve(
        worker.clone(),
        accepted,
        address,
        ListenerKind { tls, proxied: false },
        None,
    ));
    stream
}

async fn ask_h2<I>(io: I) -> u16
where
    I: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + 'static,
{
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(LocalExecutor, TokioIo::new(io)).await.unwrap();
    tokio::task::spawn_local(connection);
    let request = Request::builder().uri("https://a.test/").body(Empty::<Bytes>::new()).unwrap();
    let status = sender.send_request(request).await.unwrap().status().as_u16();
    // Keeps the connection open until it was looked at.
    std::mem::forget(sender);
    status
}

#[test]
fn a_tls_clients_fingerprints_are_known_with_its_first_request() {
    run(async {
        let (worker, mut client) = worker_and_client();
        client.alpn_protocols = vec![b"h2".to_vec()];
        let stream = connect(&worker, true).await;
        let connector = tokio_rustls::TlsConnector::from(Arc::new(client));
        let stream = connector.connect("a.test".try_into().unwrap(), stream).await.unwrap();
        assert_eq!(ask_h2(stream).await, 421);
        let marks = worker.first_connection().unwrap().marks().unwrap();
        let (tls, http2) = (marks.tls.as_ref().unwrap(), marks.http2.as_ref().unwrap());
        assert!(tls.words.starts_with("t13d") && tls.words.get(8..10) == Some("h2"), "{}", tls.words);
        assert!(http2.words.ends_with("|m,s,a,p"), "{}", http2.words);
        assert_eq!(*tls, worker.mark(&tls.words), "the same words have the same number");
        assert_ne!((tls.number, tls.number), (0, http2.number));
    });
}

#[test]
fn cleartext_http2_has_but_the_one() {
    run(async {
        let (worker, _) = worker_and_client();
        let stream = connect(&worker, false).await;
        assert_eq!(ask_h2(stream).await, 421);
        let marks = worker.first_connection().unwrap().marks().unwrap();
        assert!(marks.tls.is_none() && marks.http2.is_some(), "{marks:?}");
    });
}
