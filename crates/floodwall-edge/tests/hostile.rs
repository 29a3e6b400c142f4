//! Visitors and origins that mean harm, or are merely broken: what must not get through to whom.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the lint's exception for tests does not reach the helpers of one"
)]

mod support;

use std::future::Future;

use bytes::Bytes;
use http::{HeaderMap, Request, Version};
use http_body::Frame;
use http_body_util::{BodyExt, Empty, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use support::origin::page;
use support::raw_origin::always;
use support::{Origin, Visitor, config, get, start};

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
fn an_answer_with_length_and_coding_is_framed_by_its_coding() {
    let origin = always(
        b"HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n\
          A\r\n0123456789\r\n0\r\n\r\n",
    );
    let edge = start(config(&[origin.address]));
    let mut visitor = Visitor::connect(&edge);
    for _ in 0..2 {
        let answer = visitor.get("/");
        assert_eq!((answer.text().as_str(), answer.header("content-length")), ("0123456789", None));
    }
}

#[test]
fn a_switch_of_protocols_nobody_asked_for_is_an_error() {
    let origin = always(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n\
          HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
    );
    let edge = start(config(&[origin.address]));
    let mut visitor = Visitor::connect(&edge);
    for _ in 0..2 {
        let upgrade = "Connection: upgrade\r\nUpgrade: x\r\n";
        let answer = visitor.get_with("/", upgrade);
        assert_eq!(answer.status, 502);
        assert!(!answer.text().contains("evil"));
    }
    assert!(origin.heads().iter().all(|head| !head.to_lowercase().contains("upgrade")));
}

#[test]
fn an_answer_without_content_has_no_length() {
    let origin = always(b"HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\n");
    let edge = start(config(&[origin.address]));
    let mut visitor = Visitor::connect(&edge);
    for method in ["HEAD", "GET", "HEAD"] {
        visitor.send(format!("{method} / HTTP/1.1\r\nHost: a.test\r\n\r\n").as_bytes());
        let answer = visitor.read_answer(true);
        assert_eq!((answer.status, answer.header("content-length")), (204, None), "{method}");
    }
}
