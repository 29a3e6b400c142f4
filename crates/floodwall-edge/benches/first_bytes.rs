//! What it costs to read a TLS hello and take its fingerprint, beside the handshake that it saves:
//! `cargo bench -p floodwall-edge`. Figures, not tests.

#![expect(clippy::print_stdout, reason = "a benchmark's figures go to the terminal")]
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot be set up ends")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use rustls_pki_types::PrivateKeyDer;

const ROUNDS: usize = 5;

#[expect(clippy::disallowed_methods, reason = "a benchmark measures time; nothing decides on it")]
fn clock() -> Instant {
    Instant::now()
}

/// Nanoseconds each, the least of some rounds.
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn measure(name: &str, count: u32, mut run: impl FnMut()) {
    let rounds = (0..ROUNDS).map(|_| {
        let start = clock();
        (0..count).for_each(|_| run());
        start.elapsed().as_nanos() as f64 / f64::from(count)
    });
    let nanos = rounds.fold(f64::INFINITY, f64::min);
    println!("{name:56} {nanos:10.0} ns {:12.0} /s", 1e9 / nanos);
}

fn main() {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut client = rustls::ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    client.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let client = Arc::new(client);
    let mut connection =
        rustls::ClientConnection::new(client, "vote.example.gov".try_into().unwrap()).unwrap();
    let mut hello = Vec::new();
    connection.write_tls(&mut hello).unwrap();
    println!("a hello of {} bytes", hello.len());
    measure("read, and its fingerprint taken", 200_000, || {
        black_box(floodwall_edge::fuzzing::fingerprint_of_hello(black_box(&hello)));
    });

    let own = rcgen::generate_simple_self_signed(["vote.example.gov".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(own.signing_key.serialize_der().into());
    let server = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key)
        .unwrap();
    let server = Arc::new(server);
    measure("the server's part of a full handshake (P-256)", 500, || {
        let mut connection = rustls::ServerConnection::new(server.clone()).unwrap();
        connection.read_tls(&mut &hello[..]).unwrap();
        connection.process_new_packets().unwrap();
        let mut answer = Vec::with_capacity(4096);
        while connection.wants_write() {
            connection.write_tls(&mut answer).unwrap();
        }
        black_box(answer.len());
    });
}
