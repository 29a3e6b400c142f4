//! Proxies before us that say by PROXY protocol whose connection it is, between real sockets.

#![expect(clippy::unwrap_used, reason = "the lint's exception for tests does not reach the helpers of one")]

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use support::origin::page;
use support::secure::tls_edge;
use support::{Origin, config, start, until};

const HEADER: &[u8] = b"PROXY TCP4 192.0.2.7 203.0.113.1 12345 443\r\n";
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n";

/// An edge whose listener takes PROXY headers of `trusted`.
fn edge(trusted: &str) -> (floodwall_edge::EdgeHandle, Origin) {
    let origin = Origin::start(|_| page("x", &[("cache-control", "no-store")]));
    let mut config = config(&[origin.address]);
    config.proxy_protocol = config.http.clone();
    config.trusted_proxies = vec![trusted.parse().unwrap()];
    (start(config), origin)
}

fn converse(edge: &floodwall_edge::EdgeHandle, parts: &[&[u8]]) -> String {
    let mut stream = TcpStream::connect(edge.addresses().http.first().unwrap()).unwrap();
    stream.set_nodelay(true).unwrap();
    for part in parts {
        stream.write_all(part).unwrap();
    }
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn a_trusted_proxy_says_whose_the_connection_is() {
    let (edge, origin) = edge("127.0.0.1/32");
    let crumbs: Vec<&[u8]> = HEADER.chunks(1).chain(REQUEST.chunks(1)).collect();
    for parts in [vec![HEADER, REQUEST], vec![&[HEADER, REQUEST].concat()[..]], crumbs] {
        assert!(converse(&edge, &parts).starts_with("HTTP/1.1 200"));
        let asked = origin.asked().pop().unwrap();
        assert_eq!(asked.headers()["x-forwarded-for"], "192.0.2.7");
    }
    // Of a connection of its own it says nothing else.
    assert!(converse(&edge, &[b"PROXY UNKNOWN\r\n", REQUEST]).starts_with("HTTP/1.1 200"));
    assert_eq!(origin.asked().pop().unwrap().headers()["x-forwarded-for"], "127.0.0.1");
    assert_eq!(edge.counts().proxy_headers_malformed, 0);
}

#[test]
fn without_a_header_a_trusted_proxys_connection_is_closed_and_counted() {
    let (edge, origin) = edge("127.0.0.1/32");
    assert_eq!(converse(&edge, &[REQUEST]), "");
    until("it is counted", || edge.counts().proxy_headers_malformed == 1);
    assert_eq!(origin.count(), 0);
}

#[test]
fn a_strangers_header_is_a_malformed_request() {
    let (edge, origin) = edge("203.0.113.9/32");
    assert!(converse(&edge, &[HEADER, REQUEST]).starts_with("HTTP/1.1 400"));
    assert_eq!(origin.count(), 0);
    assert!(converse(&edge, &[REQUEST]).starts_with("HTTP/1.1 200"), "he may come without");
    assert_eq!(origin.asked().pop().unwrap().headers()["x-forwarded-for"], "127.0.0.1");
}

#[test]
fn it_comes_before_the_tls_hello() {
    let tls = tls_edge(|config| {
        config.proxy_protocol = config.https.clone();
        config.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    });
    let name = "a.test".try_into().unwrap();
    let client = rustls::ClientConnection::new(Arc::new(tls.client.clone()), name).unwrap();
    let mut stream = TcpStream::connect(tls.edge.addresses().https[0]).unwrap();
    stream.write_all(HEADER).unwrap();
    let mut stream = rustls::StreamOwned::new(client, stream);
    stream.write_all(REQUEST).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("over TLS"), "{answer}");
    assert_eq!(tls.origin.asked()[0].headers()["x-forwarded-for"], "192.0.2.7");
}
