//! Visitors who mean harm, or are merely slow: what they must not get through, or hold.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the lint's exception for tests does not reach the helpers of one"
)]

mod support;

use std::future::Future;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Version};
use http_body::Frame;
use http_body_util::{BodyExt, Empty, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use support::origin::page;
use support::{Origin, Visitor, config, get, start, until};

const KEPT: (&str, &str) = ("cache-control", "public, max-age=60");
const PRIVATE: (&str, &str) = ("cache-control", "no-store");

fn run<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Sends one request over HTTP/2; its status.
async fn status_h2<B>(edge: &floodwall_edge::EdgeHandle, request: Request<B>) -> u16
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: std::error::Error + Send + Sync,
{
    let stream = tokio::net::TcpStream::connect(edge.addresses().http[0]).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender.send_request(request).await.unwrap().status().as_u16()
}

fn h2_request(uri: &str) -> http::request::Builder {
    Request::builder().version(Version::HTTP_2).uri(uri)
}

#[test]
fn http2_requests_that_name_two_hosts_or_none_properly_are_refused_and_counted() {
    let origin = Origin::start(|_| page("x", &[PRIVATE]));
    let mut config = config(&[origin.address]);
    config.sites[0].hosts.push("*.b.test".into());
    let edge = start(config);
    let rows: [(&str, &[&str], u16); 7] = [
        ("http://a.test/", &["evil.test"], 400),
        ("http://a.test/", &["a.test", "evil.test"], 400),
        ("http://a.test/", &["a.test", "a.test"], 400),
        ("http://user@x.b.test/", &[], 400),
        ("http://a.test:junk/", &[], 400),
        ("http://a.test:99999/", &[], 400),
        ("http://A.test/", &["a.test:80"], 200),
    ];
    for (uri, hosts, status) in rows {
        let request = hosts.iter().fold(h2_request(uri), |request, host| request.header("host", *host));
        let request = request.body(Empty::<Bytes>::new()).unwrap();
        assert_eq!(run(status_h2(&edge, request)), status, "{uri} {hosts:?}");
    }
    assert_eq!(edge.counts().malformed_requests, 6);
    let asked = origin.asked();
    assert_eq!(asked.len(), 1, "none of the others reached the origin");
    assert_eq!(asked[0].headers().get_all("host").iter().collect::<Vec<_>>(), ["a.test"]);
}

#[test]
fn trailers_cannot_smuggle_claims_past_the_header() {
    let origin = Origin::start(|_| page("x", &[PRIVATE]));
    let edge = start(config(&[origin.address]));
    let mut claims = HeaderMap::new();
    claims.insert("x-forwarded-for", "203.0.113.9".parse().unwrap());
    let body = Full::new(Bytes::from_static(b"form"))
        .with_trailers(std::future::ready(Some(Ok::<_, std::convert::Infallible>(claims))));
    let body = Box::pin(body.map_frame(|frame: Frame<Bytes>| frame));
    let request = h2_request("http://a.test/form").method("POST").header("trailer", "x-forwarded-for");
    assert_eq!(run(status_h2(&edge, request.body(body).unwrap())), 200);

    let mut visitor = Visitor::connect(&edge);
    visitor.send(
        b"POST /form HTTP/1.1\r\nHost: a.test\r\nTrailer: x-real-ip\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    visitor.send(b"4\r\nform\r\n0\r\nX-Real-IP: 203.0.113.9\r\n\r\n");
    assert_eq!(visitor.read_answer(false).status, 200);
    for asked in origin.asked() {
        assert_eq!(asked.body(), "form");
        assert_eq!(asked.headers().get("trailer"), None);
        assert_eq!(asked.headers()["x-forwarded-for"], "127.0.0.1");
    }
    assert_eq!(origin.count(), 2);
}

#[test]
fn one_page_is_one_page_however_its_host_is_spelled() {
    let origin = Origin::start(|asked| page(asked.headers()["host"].to_str().unwrap(), &[KEPT]));
    let edge = start(config(&[origin.address]));
    let mut visitor = Visitor::connect(&edge);
    for host in ["a.test", "A.TEST", "a.test.", "a.test:80", "a.test:"] {
        visitor.send(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes());
        assert_eq!(visitor.read_answer(false).text(), "a.test", "{host}");
    }
    assert_eq!(origin.count(), 1);
}

#[test]
fn an_absolute_target_without_a_path_keeps_its_query() {
    let origin = Origin::start(|asked| page(asked.uri().path_and_query().unwrap().as_str(), &[KEPT]));
    let edge = start(config(&[origin.address]));
    let mut visitor = Visitor::connect(&edge);
    for (target, passed_on) in
        [("http://a.test?county=7", "/?county=7"), ("http://a.test", "/"), ("http://a.test/b?c", "/b?c")]
    {
        visitor.send(format!("GET {target} HTTP/1.1\r\nHost: a.test\r\n\r\n").as_bytes());
        assert_eq!(visitor.read_answer(false).text(), passed_on, "{target}");
    }
}

#[test]
fn fields_that_name_another_path_or_method_do_not_poison_the_cache() {
    let origin = Origin::start(|asked| {
        let elsewhere = asked.headers().contains_key("x-original-url")
            || asked.headers().contains_key("x-http-method-override")
            || asked.headers().contains_key("x-host");
        page(if elsewhere { "poison" } else { "page" }, &[KEPT])
    });
    let edge = start(config(&[origin.address]));
    let mut visitor = Visitor::connect(&edge);
    let fields = "X-Original-URL: /admin\r\nX-HTTP-Method-Override: POST\r\nX-Host: evil.test\r\n";
    assert_eq!(visitor.get_with("/", fields).text(), "page");
    assert_eq!(visitor.get("/").text(), "page");
}

#[test]
fn a_page_that_varies_on_who_asks_is_not_shared() {
    let origin = Origin::start(|asked| {
        let vary = asked.uri().path().trim_start_matches('/').to_owned();
        page("yours", &[KEPT, ("vary", vary.as_str())])
    });
    let edge = start(config(&[origin.address]));
    for path in ["/x-forwarded-for", "/forwarded", "/via"] {
        assert_eq!(get(&edge, path).status, 200);
        assert_eq!(get(&edge, path).header("age"), None, "{path} was kept for everybody");
    }
}

#[test]
fn a_visitor_who_reads_late_gets_a_kept_page_whole() {
    let body = "x".repeat(8 << 20);
    let origin = Origin::start(move |_| page(&body, &[KEPT]));
    let edge = start(config(&[origin.address]));
    let mut warm = Visitor::connect(&edge);
    assert_eq!(warm.get("/").status, 200);
    let mut late = Visitor::connect(&edge);
    late.send(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    until("the answer is on its way", || edge.sites()[0].counts.requests == 2);
    // Longer than several looks of the reaper: that is how the test lets time pass.
    warm.stream.get_ref().set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    assert!(warm.stream.get_mut().read(&mut [0; 1]).is_err(), "nothing comes unasked");
    assert_eq!(late.read_answer(false).body.len(), 8 << 20);
    assert_eq!(late.get("/").body.len(), 8 << 20, "and the connection goes on");
}

fn hasty(origin: std::net::SocketAddr) -> floodwall_edge::EdgeConfig {
    let mut config = config(&[origin]);
    config.timeouts.body_idle = Duration::from_secs(1);
    config.timeouts.write_idle = Duration::from_secs(1);
    config.timeouts.keep_alive_idle = Duration::from_secs(1);
    config
}

#[test]
fn an_upload_that_stalls_or_drips_gives_its_place_back() {
    let origin = Origin::start(|_| page("x", &[PRIVATE]));
    let mut config = hasty(origin.address);
    if let Some(only) = config.sites[0].origins.first_mut() {
        only.requests_max = 1;
    }
    let edge = start(config);
    // Over HTTP/2 a body that never comes.
    let request = h2_request("http://a.test/up").method("POST").header("content-length", "5");
    let (_held, body) = tokio::sync::mpsc::channel::<Result<Frame<Bytes>, std::convert::Infallible>>(1);
    let body = Box::pin(http_body_util::StreamBody::new(Parts(body)));
    assert_eq!(run(status_h2(&edge, request.body(body).unwrap())), 408);
    // Over HTTP/1.1 one that drips, faster than any deadline on silence.
    let mut visitor = Visitor::connect(&edge);
    visitor.send(b"POST /up HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1000000\r\n\r\n");
    let mut sender = visitor.stream.get_ref().try_clone().unwrap();
    let drip = std::thread::spawn(move || {
        // Another connection's read in vain is how the test lets time pass between drops.
        let (pause, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        pause.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let mut pause = &pause;
        while sender.write_all(b"x").is_ok() && pause.read(&mut [0; 1]).is_err() {}
    });
    assert_eq!(visitor.read_answer(false).status, 408);
    drop(visitor);
    drip.join().unwrap();
    assert!(edge.counts().connections_timed_out >= 2);
    assert_eq!(get(&edge, "/").status, 200, "the origin's only place is free");
}

/// A channel's parts as a stream.
struct Parts(tokio::sync::mpsc::Receiver<Result<Frame<Bytes>, std::convert::Infallible>>);

impl futures_core::Stream for Parts {
    type Item = Result<Frame<Bytes>, std::convert::Infallible>;
    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        self.0.poll_recv(cx)
    }
}

/// An HTTP/2 connection by hand: prefaced, with `frames` sent.
fn raw_h2(edge: &floodwall_edge::EdgeHandle, frames: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(edge.addresses().http[0]).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00").unwrap();
    stream.write_all(frames).unwrap();
    stream
}

/// Pings and reads what comes, until the edge closes.
fn ping_until_closed(stream: &mut TcpStream) {
    let mut scrap = vec![0; 1 << 20];
    until("the edge closes the connection", || {
        let sent = stream.write_all(b"\x00\x00\x08\x06\x00\x00\x00\x00\x0012345678");
        sent.is_err() || matches!(stream.read(&mut scrap), Ok(0))
    });
}

#[test]
fn pings_keep_neither_an_idle_nor_a_stuck_http2_connection_open() {
    let origin = Origin::start(|_| page(&"x".repeat(1 << 20), &[PRIVATE]));
    let mut config = hasty(origin.address);
    config.timeouts.header = Duration::from_secs(1);
    let edge = start(config);
    ping_until_closed(&mut raw_h2(&edge, b""));
    // GET / of a.test, the window never opened: indexed fields and one literal (RFC 7541).
    let mut head = b"\x00\x00\x0a\x01\x05\x00\x00\x00\x01\x82\x86\x84\x41\x06".to_vec();
    head.extend_from_slice(b"a.test");
    head[2] = 11;
    ping_until_closed(&mut raw_h2(&edge, &head));
    assert_eq!(origin.count(), 1);
    until("both were counted", || edge.counts().connections_timed_out >= 2);
}

#[test]
fn a_host_that_a_trusted_proxy_passes_on_is_part_of_the_key() {
    let origin = Origin::start(|asked| page(asked.headers()["x-forwarded-host"].to_str().unwrap(), &[KEPT]));
    let mut config = config(&[origin.address]);
    config.trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
    let edge = start(config);
    let mut visitor = Visitor::connect(&edge);
    for _ in 0..2 {
        for host in ["evil.test", "a.test", "www.a.test"] {
            assert_eq!(visitor.get_with("/", &format!("X-Forwarded-Host: {host}\r\n")).text(), host);
        }
        assert_eq!(visitor.get("/").text(), "a.test");
    }
    assert_eq!(origin.count(), 3);
}

#[test]
fn http2_headers_over_either_limit_are_refused_and_counted() {
    let origin = Origin::start(|_| page("x", &[PRIVATE]));
    let edge = start(config(&[origin.address]));
    let filler = "x".repeat(1000);
    for (fields, value, status) in [(60, filler.as_str(), 200), (70, filler.as_str(), 431), (129, "1", 431)] {
        let request = (0..fields)
            .fold(h2_request("http://a.test/"), |request, n| request.header(format!("x-{n}"), value));
        let request = request.body(Empty::<Bytes>::new()).unwrap();
        assert_eq!(run(status_h2(&edge, request)), status, "{fields} fields");
    }
    assert_eq!((edge.counts().oversized_headers, origin.count()), (2, 1));
}
