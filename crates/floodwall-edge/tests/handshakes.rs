//! TLS connections before their first request, between real sockets.

#![expect(clippy::unwrap_used, reason = "the lint's exception for tests does not reach the helpers of one")]

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use support::secure::{TlsEdge, tls_edge};
use support::until;

/// A client that has written its hello into memory.
fn hello(tls: &TlsEdge) -> (rustls::ClientConnection, Vec<u8>) {
    let mut client =
        rustls::ClientConnection::new(Arc::new(tls.client.clone()), "a.test".try_into().unwrap()).unwrap();
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).unwrap();
    (client, bytes)
}

/// Finishes the handshake and asks for a page over it.
fn ask(client: rustls::ClientConnection, stream: TcpStream) -> String {
    let mut tls = rustls::StreamOwned::new(client, stream);
    tls.write_all(b"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    tls.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_hello_that_comes_in_crumbs_and_records_is_taken() {
    let tls = tls_edge(|_| {});
    for (payload_bytes, crumb_bytes) in [(1 << 14, 1), (40, 7), (100, 1 << 14)] {
        let (client, bytes) = hello(&tls);
        let mut stream = TcpStream::connect(tls.edge.addresses().https[0]).unwrap();
        stream.set_nodelay(true).unwrap();
        let records: Vec<u8> = bytes[5..]
            .chunks(payload_bytes)
            .flat_map(|part| {
                let length = u16::try_from(part.len()).unwrap().to_be_bytes();
                [&[22, 3, 1], &length[..], part].concat()
            })
            .collect();
        for crumb in records.chunks(crumb_bytes) {
            stream.write_all(crumb).unwrap();
        }
        assert!(ask(client, stream).ends_with("over TLS"), "{payload_bytes} {crumb_bytes}");
    }
    assert_eq!(tls.edge.counts().tls_handshakes_failed, 0);
}

#[test]
fn what_is_no_hello_is_closed_and_counted() {
    let tls = tls_edge(|_| {});
    let whole = hello(&tls).1;
    let mut damaged = whole.clone();
    // The length of the cipher list: beyond the message.
    damaged[5 + 4 + 34 + 1 + 32] = 0xFF;
    for (number, bytes, alert) in [
        (1, &b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"[..], false),
        (2, &[0x80, 0x2E, 1, 0, 2, 0, 0x15], false),
        // The TLS library says what is wrong.
        (3, &damaged, true),
    ] {
        let mut stream = TcpStream::connect(tls.edge.addresses().https[0]).unwrap();
        stream.write_all(bytes).unwrap();
        let mut answer = Vec::new();
        // It may be a reset: what was sent was not all read.
        let _ = stream.read_to_end(&mut answer);
        assert_eq!(answer.first(), alert.then_some(&21), "{number}: {answer:?}");
        until("the failed handshake is counted", || tls.edge.counts().tls_handshakes_failed == number);
    }
}

#[test]
fn handshakes_beyond_the_budget_are_closed_at_once_and_counted() {
    // Two in full: one for newcomers, the rest for who brings a ticket, each a quarter.
    let tls = tls_edge(|config| config.handshakes.per_second = std::num::NonZeroU32::new(2).unwrap());
    let returning = Arc::new(tls.client.clone());
    let attempt = |client: &Arc<rustls::ClientConfig>| {
        let name = "a.test".try_into().unwrap();
        let connection = rustls::ClientConnection::new(client.clone(), name).unwrap();
        let stream = TcpStream::connect(tls.edge.addresses().https[0]).unwrap();
        let mut stream = rustls::StreamOwned::new(connection, stream);
        stream.write_all(b"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n").ok()?;
        stream.read_to_string(&mut String::new()).ok()?;
        stream.conn.handshake_kind()
    };
    let kinds: Vec<_> =
        std::iter::repeat_with(|| attempt(&returning)).map_while(|kind| kind).take(100).collect();
    let (full, resumed) = (rustls::HandshakeKind::Full, rustls::HandshakeKind::Resumed);
    assert_eq!(kinds, [full, resumed, resumed, resumed, resumed]);
    let counts = tls.edge.counts();
    assert_eq!((counts.tls_handshakes_full, counts.tls_handshakes_resumed), (1, 4));
    assert_eq!((counts.tls_handshakes_refused, counts.tls_handshakes_failed), (1, 0));
    let mut newcomer = tls.client.clone();
    newcomer.resumption = rustls::client::Resumption::disabled();
    assert_eq!(attempt(&Arc::new(newcomer.clone())), None);
    assert_eq!(tls.edge.counts().tls_handshakes_refused, 2);
    tls.clock.skip(Duration::from_secs(1));
    assert_eq!(attempt(&Arc::new(newcomer)), Some(full), "earned back");
    until("none is in progress", || tls.edge.counts().tls_handshakes_in_progress == 0);
}

#[test]
fn a_handshake_that_breaks_off_gives_its_place_back() {
    let tls = tls_edge(|config| config.handshakes.in_progress_max = std::num::NonZeroU32::MIN);
    let (_client, bytes) = hello(&tls);
    let mut stream = TcpStream::connect(tls.edge.addresses().https[0]).unwrap();
    stream.write_all(&bytes).unwrap();
    until("one is in progress", || tls.edge.counts().tls_handshakes_in_progress == 1);
    let (_other, bytes) = hello(&tls);
    let mut refused = TcpStream::connect(tls.edge.addresses().https[0]).unwrap();
    refused.write_all(&bytes).unwrap();
    assert_eq!(refused.read(&mut [0; 64]).unwrap_or(0), 0, "closed without a word");
    assert_eq!(tls.edge.counts().tls_handshakes_refused, 1);
    drop(stream);
    until("its place is free", || tls.edge.counts().tls_handshakes_in_progress == 0);
    let (client, bytes) = hello(&tls);
    let mut stream = TcpStream::connect(tls.edge.addresses().https[0]).unwrap();
    stream.write_all(&bytes).unwrap();
    assert!(ask(client, stream).ends_with("over TLS"));
}
