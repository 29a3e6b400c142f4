//! The sample site over real sockets on loopback.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::super::{DemoOrigin, DemoOriginError};
use super::routes::TRAVERSALS;

const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// Sends `request` as it stands and reads until the server closes.
async fn exchange(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

fn asking(method: &str, target: &str) -> Vec<u8> {
    format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").into_bytes()
}

/// Runs `visit` against a served site and then ends it, which must work too.
async fn while_served(visit: impl AsyncFnOnce(SocketAddr)) {
    let origin = DemoOrigin::bind(ANY_PORT).await.unwrap();
    let address = origin.local_addr();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(origin.serve(async {
        let _ = stopped.await;
    }));
    visit(address).await;
    drop(stop);
    server.await.unwrap();
    assert!(TcpStream::connect(address).await.is_err(), "no longer listens");
}

#[tokio::test]
async fn get_has_a_body_and_head_has_its_length_only() {
    while_served(async |address| {
        let got = exchange(address, &asking("GET", "/deadlines")).await;
        let (head, body) = got.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        let length = format!("content-length: {}", body.len());
        assert!(head.contains(&length) && body.ends_with("</html>\n"), "{head}");
        let asked = exchange(address, &asking("HEAD", "/deadlines")).await;
        let (head, body) = asked.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&length) && body.is_empty(), "{asked}");
    })
    .await;
}

#[tokio::test]
async fn raw_traversals_are_refused() {
    while_served(async |address| {
        for (target, _) in TRAVERSALS {
            let answer = exchange(address, &asking("GET", target)).await;
            let status = answer.get(9..12).unwrap();
            assert!(["400", "404"].contains(&status), "{target}: {answer}");
            assert!(!answer.contains("root:"), "{target}");
        }
        for raw in [
            &b"GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n"[..],
            b"GET / /etc/passwd HTTP/1.1\r\n\r\n",
            b"\x16\x03\x01\r\n\r\n",
        ] {
            let answer = exchange(address, raw).await;
            assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        }
    })
    .await;
}

#[tokio::test]
async fn an_answer_in_progress_is_finished_when_the_end_is_asked_for() {
    let origin = DemoOrigin::bind(ANY_PORT).await.unwrap();
    let (address, site) = (origin.local_addr(), std::sync::Arc::clone(&origin.site));
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(origin.serve(async {
        let _ = stopped.await;
    }));
    let visitor = tokio::spawn(async move {
        let request = b"GET /polling-place/lookup?zip=00112 HTTP/1.1\r\nHost: localhost\r\n\r\n";
        exchange(address, request).await
    });
    while site.counters.lookups.load(std::sync::atomic::Ordering::Relaxed) == 0 {
        tokio::task::yield_now().await;
    }
    drop(stop);
    assert!(visitor.await.unwrap().starts_with("HTTP/1.1 200 OK\r\n"));
    server.await.unwrap();
}

#[tokio::test]
async fn an_address_in_use_is_named() {
    let first = DemoOrigin::bind(ANY_PORT).await.unwrap();
    let error = DemoOrigin::bind(first.local_addr()).await.unwrap_err();
    assert!(matches!(&error, DemoOriginError::Listen { .. }));
    assert!(error.to_string().starts_with(&format!("cannot listen on {}: ", first.local_addr())), "{error}");
}
