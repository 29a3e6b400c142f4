//! Against a server with the TLS library's own acceptor, on loopback.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::certificates::Certificates;
use crate::clock::unix_s;

const SITE: &str = "www.vote.example";
const DAY_S: u64 = 86_400;

/// A server that completes handshakes and closes.
async fn server(certificates: &Certificates) -> std::net::SocketAddr {
    let chain = vec![CertificateDer::from_pem_file(&certificates.certificate).unwrap()];
    let key = rustls_pki_types::PrivateKeyDer::from_pem_file(&certificates.key).unwrap();
    let mut config = rustls::ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                if let Ok(mut stream) = acceptor.accept(stream).await {
                    let _ = stream.shutdown().await;
                }
            });
        }
    });
    address
}

fn trusting(certificates: &Certificates) -> Tls {
    Tls::new(&TlsOrders { port: 0, authority: certificates.authority.clone() }, SITE).unwrap()
}

/// What visitors, flooders and flooders with HTTP/2 get: the protocol, or whether it is the
/// certificate's fault.
async fn got(tls: &Tls, address: std::net::SocketAddr) -> [Result<Vec<u8>, bool>; 3] {
    let shake = async |config| {
        let stream = TcpStream::connect(address).await.unwrap();
        let stream = tls.shake(config, stream).await.map_err(|error| is_certificate_fault(&error))?;
        Ok(stream.get_ref().1.alpn_protocol().unwrap_or_default().to_vec())
    };
    [shake(tls.of_visitor()).await, shake(tls.of_flooder()).await, shake(tls.of_h2_flooder()).await]
}

#[tokio::test]
async fn visitors_look_at_the_certificate_and_flooders_do_not() {
    let directory = || tempfile::tempdir().unwrap();
    let (now, homes) = (unix_s(), [directory(), directory(), directory(), directory()]);
    let issue = |home: usize, site, from, until| {
        Certificates::issue_at(homes[home].path(), site, from, until).unwrap()
    };
    let (h1, h2) = (Ok(b"http/1.1".to_vec()), Ok(b"h2".to_vec()));

    let good = issue(0, SITE, now, now + DAY_S);
    let address = server(&good).await;
    assert_eq!(got(&trusting(&good), address).await, [h1.clone(), h1.clone(), h2.clone()]);
    // Of another authority.
    let other = issue(1, SITE, now, now + DAY_S);
    assert_eq!(got(&trusting(&other), address).await, [Err(true), h1.clone(), h2.clone()]);
    for bad in [issue(2, SITE, now, now - 60), issue(3, "www.other.example", now, now + DAY_S)] {
        let address = server(&bad).await;
        assert_eq!(got(&trusting(&bad), address).await, [Err(true), h1.clone(), h2.clone()]);
    }
}

#[tokio::test]
async fn the_same_hello_is_answered_again_and_again() {
    let home = tempfile::tempdir().unwrap();
    let certificates = Certificates::issue(home.path(), SITE, None).unwrap();
    let address = server(&certificates).await;
    let hello = trusting(&certificates).hello().unwrap();
    for _ in 0..3 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(&hello).await.unwrap();
        let mut head = [0; 6];
        stream.read_exact(&mut head).await.unwrap();
        // A handshake record (22) that begins with a ServerHello (2).
        assert_eq!((head[0], head[5]), (22, 2));
    }
}

#[test]
fn keys_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;

    let home = tempfile::tempdir().unwrap();
    let certificates = Certificates::issue(home.path(), SITE, None).unwrap();
    for file in [&certificates.key, &certificates.both] {
        assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
