//! Faults of TLS with real certificates and real handshakes, and HTTP over it.

use std::net::SocketAddr;
use std::sync::Arc;

use floodwall_outage::Cause;
use floodwall_watch::{AddressRule, Failure, Report};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::names::{Says, name_server};
use crate::servers::{Answer, V4, V6, serve, socket_reset};
use crate::{check_failed, probe, probe_with};

const NAME: &str = "www.example.gov";

struct Authority {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

fn authority() -> Authority {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&key).unwrap().der().clone();
    Authority { certificate, issuer: Issuer::new(params, key) }
}

/// A server's chain and key, changed as the test wants.
fn issue(
    authority: &Authority,
    name: &str,
    change: impl FnOnce(&mut CertificateParams),
) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    change(&mut params);
    let certificate = params.signed_by(&key, &authority.issuer).unwrap().der().clone();
    (vec![certificate], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
}

type Chain = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn config(
    (chain, key): Chain,
    versions: &[&'static rustls::SupportedProtocolVersion],
    protocols: &[&[u8]],
) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
    let mut config = builder.with_no_client_auth().with_single_cert(chain, key).unwrap();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    config
}

/// Serves one small page over TLS, by HTTP/2 where that is agreed on.
async fn serve_tls(config: ServerConfig) -> SocketAddr {
    let listener = TcpListener::bind((V4, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                    let mut connection = h2::server::handshake(stream).await.unwrap();
                    while let Some(Ok((_, mut respond))) = connection.accept().await {
                        let mut body = respond.send_response(http::Response::new(()), false).unwrap();
                        body.send_data("hello".into(), true).unwrap();
                    }
                    return;
                }
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello").await;
                let _ = stream.shutdown().await;
            });
        }
    });
    address
}

async fn probe_tls(scheme: &str, address: SocketAddr, trusted: &Authority) -> Report {
    let names = name_server(Says::Addresses(Some(std::net::Ipv4Addr::LOCALHOST), None)).await;
    let target = format!("{scheme}://{NAME}:{}", address.port());
    probe_with(
        target.parse().unwrap(),
        &[names],
        std::slice::from_ref(&trusted.certificate),
        AddressRule::Any,
    )
    .await
}

#[tokio::test]
async fn every_fault_of_a_certificate_has_its_cause() {
    let (trusted, stranger) = (authority(), authority());
    let expired = |params: &mut CertificateParams| {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
    };
    let early = |params: &mut CertificateParams| {
        params.not_before = date_time_ymd(2090, 1, 1);
        params.not_after = date_time_ymd(2091, 1, 1);
    };
    let client_only = |params: &mut CertificateParams| {
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    };
    for (chain, expected) in [
        (issue(&trusted, NAME, expired), Cause::CertificateExpired),
        (issue(&trusted, NAME, early), Cause::CertificateNotYetValid),
        (issue(&trusted, "other.example.gov", |_| ()), Cause::CertificateWrongName),
        (issue(&stranger, NAME, |_| ()), Cause::CertificateUntrusted),
        (issue(&trusted, NAME, client_only), Cause::CertificateInvalid),
    ] {
        let address = serve_tls(config(chain, rustls::ALL_VERSIONS, &[])).await;
        for scheme in ["tls", "https"] {
            let report = probe_tls(scheme, address, &trusted).await;
            assert_eq!(report.outcome(), Err(Failure::Target(expected)), "{report:#?}");
            check_failed(&report, Failure::Target(expected));
            let attempt = &report.attempts[0];
            assert_eq!(attempt.certificates.len(), 1, "what was shown is kept");
            assert!(
                attempt.stamps.connect.unwrap().done.is_some() && attempt.stamps.tls.unwrap().done.is_none()
            );
        }
    }
}

#[tokio::test]
async fn every_fault_of_a_handshake_has_its_cause() {
    for (name, answer, expected) in [
        ("silence", Answer::Hang(Vec::new()), Cause::TlsTimeout),
        ("a close", Answer::Bytes(Vec::new()), Cause::TlsClosed),
        ("a reset", Answer::Reset(Vec::new()), Cause::TlsReset),
        ("clear text", Answer::Bytes(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()), Cause::TlsNotTls),
        ("another protocol", Answer::Bytes(b"220 mail.example.gov ESMTP\r\n".to_vec()), Cause::TlsNotTls),
        ("an alert", Answer::Bytes(vec![21, 3, 3, 0, 2, 2, 40]), Cause::TlsProtocol),
    ] {
        for ip in [V4, V6] {
            let address = serve(ip, answer.clone()).await;
            for scheme in ["tls", "https"] {
                let report = probe(&format!("{scheme}://{address}")).await;
                assert_eq!(report.outcome(), Err(Failure::Target(expected)), "{name}: {report:#?}");
                check_failed(&report, Failure::Target(expected));
            }
        }
    }
}

#[tokio::test]
async fn protocols_without_one_in_common_do_not_agree() {
    let trusted = authority();
    let address =
        serve_tls(config(issue(&trusted, NAME, |_| ()), rustls::ALL_VERSIONS, &[b"acme-tls/1"])).await;
    let report = probe_tls("https", address, &trusted).await;
    check_failed(&report, Failure::Target(Cause::TlsProtocol));
}

#[tokio::test]
async fn both_versions_of_http_and_tls_are_spoken_and_named() {
    let trusted = authority();
    for (versions, protocols, tls, http) in [
        (&[&rustls::version::TLS13], vec![&b"h2"[..]], 0x0304, http::Version::HTTP_2),
        (&[&rustls::version::TLS12], vec![&b"h2"[..], b"http/1.1"], 0x0303, http::Version::HTTP_2),
        (&[&rustls::version::TLS12], vec![&b"http/1.1"[..]], 0x0303, http::Version::HTTP_11),
        (&[&rustls::version::TLS13], vec![], 0x0304, http::Version::HTTP_11),
    ] {
        let address = serve_tls(config(issue(&trusted, NAME, |_| ()), versions, &protocols)).await;
        let report = probe_tls("https", address, &trusted).await;
        assert_eq!(report.outcome(), Ok(()), "{report:#?}");
        let attempt = &report.attempts[0];
        assert_eq!(
            (attempt.tls_version, attempt.http_version, attempt.body_bytes),
            (Some(tls), Some(http), 5)
        );
        assert_eq!(attempt.certificates[0].names, [NAME]);
        assert!(attempt.stamps.tls.unwrap().length().is_some());
    }
}

#[tokio::test]
async fn a_server_that_resets_while_it_is_greeted() {
    let listener = TcpListener::bind((V4, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 16]).await;
            socket_reset(stream);
        }
    });
    check_failed(&probe(&format!("tls://{address}")).await, Failure::Target(Cause::TlsReset));
}
