//! Connections between real sockets: deadlines, HTTP/2, TLS, draining, limits on their number.

#![expect(clippy::unwrap_used, reason = "the lint's exception for tests does not reach the helpers of one")]

mod support;

use std::future::Future;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Version};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::rt::{TokioExecutor, TokioIo};
use support::origin::page;
use support::secure::tls_edge;
use support::{Origin, Visitor, config, get, start, until};

const PRIVATE: (&str, &str) = ("cache-control", "no-store");

fn run<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Sends a request over HTTP/2; the answer's status, header and body.
async fn ask_h2<I>(io: I, request: Request<Empty<Bytes>>) -> (http::response::Parts, Bytes)
where
    I: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    let (parts, body) = sender.send_request(request).await.unwrap().into_parts();
    #[expect(clippy::disallowed_methods, reason = "limited to 1 MiB in the line itself")]
    let body = Limited::new(body, 1 << 20).collect().await.unwrap().to_bytes();
    (parts, body)
}

fn request(uri: &str) -> Request<Empty<Bytes>> {
    Request::builder().version(Version::HTTP_2).uri(uri).body(Empty::new()).unwrap()
}

#[test]
fn http2_with_prior_knowledge_is_served_and_reaches_the_origin_as_http1() {
    let cookies = [PRIVATE, ("set-cookie", "c=3"), ("set-cookie", "d=4")];
    let origin = Origin::start(move |_| page("over h2", &cookies));
    let edge = start(config(&[origin.address]));
    // From the second time on it is known that the page is not to be kept.
    assert_eq!(get(&edge, "/x?y").status, 200);
    run(async {
        let stream = tokio::net::TcpStream::connect(edge.addresses().http[0]).await.unwrap();
        let mut request = request("http://a.test/x?y");
        request.headers_mut().append("cookie", "a=1".parse().unwrap());
        request.headers_mut().append("cookie", "b=2".parse().unwrap());
        let (head, body) = ask_h2(TokioIo::new(stream), request).await;
        assert_eq!((head.status.as_u16(), &body[..]), (200, &b"over h2"[..]));
        assert_eq!(head.headers.get_all("set-cookie").iter().collect::<Vec<_>>(), ["c=3", "d=4"]);
        assert_eq!(head.headers["content-length"], "7");
    });
    let asked = origin.asked().remove(1);
    assert_eq!((asked.version(), asked.uri().to_string().as_str()), (Version::HTTP_11, "/x?y"));
    assert_eq!(asked.headers()["host"], "a.test");
    assert_eq!(asked.headers()["cookie"], "a=1; b=2");
}

#[test]
fn http2_for_an_unknown_host_or_with_too_many_fields_is_refused() {
    let origin = Origin::start(|_| page("x", &[PRIVATE]));
    let edge = start(config(&[origin.address]));
    run(async {
        let stream = tokio::net::TcpStream::connect(edge.addresses().http[0]).await.unwrap();
        assert_eq!(ask_h2(TokioIo::new(stream), request("http://b.test/")).await.0.status, 421);
        let stream = tokio::net::TcpStream::connect(edge.addresses().http[0]).await.unwrap();
        let mut crumbs = request("http://a.test/");
        for n in 0..129 {
            crumbs.headers_mut().append("cookie", format!("c{n}=1").parse().unwrap());
        }
        assert_eq!(ask_h2(TokioIo::new(stream), crumbs).await.0.status, 431);
    });
    assert_eq!(origin.count(), 0);
}

#[test]
fn tls_speaks_http2_or_http1_as_the_visitor_offers() {
    let tls = tls_edge(|_| {});
    run(async {
        for (offer, h2) in
            [(vec![b"h2".to_vec(), b"http/1.1".to_vec()], true), (vec![b"http/1.1".to_vec()], false)]
        {
            let mut client = tls.client.clone();
            client.alpn_protocols = offer;
            let stream = tokio::net::TcpStream::connect(tls.edge.addresses().https[0]).await.unwrap();
            let connector = tokio_rustls::TlsConnector::from(Arc::new(client));
            let stream = connector.connect("a.test".try_into().unwrap(), stream).await.unwrap();
            assert_eq!(stream.get_ref().1.alpn_protocol() == Some(b"h2"), h2);
            let status = if h2 {
                ask_h2(TokioIo::new(stream), request("https://a.test/")).await.0.status
            } else {
                let (mut sender, connection) =
                    hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
                tokio::spawn(connection);
                let request = Request::builder().uri("/").header("host", "a.test");
                sender.send_request(request.body(Empty::<Bytes>::new()).unwrap()).await.unwrap().status()
            };
            assert_eq!(status, 200);
        }
    });
    assert_eq!(tls.origin.asked()[0].headers()["x-forwarded-proto"], "https");
}

#[test]
fn cleartext_on_the_tls_port_is_a_failed_handshake() {
    let tls = tls_edge(|_| {});
    let mut stream = TcpStream::connect(tls.edge.addresses().https[0]).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n").unwrap();
    let _ = stream.read_to_end(&mut Vec::new());
    until("the failed handshake is counted", || tls.edge.counts().tls_handshakes_failed == 1);
}

/// An edge whose deadlines are short, so that a test can wait for them.
fn hasty_edge(origin: &Origin) -> floodwall_edge::EdgeHandle {
    let mut config = config(&[origin.address]);
    config.timeouts.header = Duration::from_millis(600);
    config.timeouts.body_idle = Duration::from_millis(600);
    config.timeouts.write_idle = Duration::from_millis(600);
    config.timeouts.keep_alive_idle = Duration::from_millis(600);
    start(config)
}

#[test]
fn slow_and_silent_connections_are_closed() {
    let origin = Origin::start(|_| page("x", &[PRIVATE]));
    let edge = hasty_edge(&origin);
    for sent in [
        "",
        "GET / HTTP/1.1\r\nHost: a.te",
        "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 10\r\n\r\nabc",
        "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab",
    ] {
        let mut visitor = Visitor::connect(&edge);
        visitor.send(sent.as_bytes());
        if sent.starts_with("POST") {
            assert_eq!(visitor.read_answer(false).status, 408, "{sent:?}");
        }
        assert!(visitor.is_closed(), "{sent:?}");
    }
    assert_eq!(edge.counts().connections_timed_out, 4);
    assert_eq!(origin.count(), 0);
}

#[test]
fn idle_keep_alive_ends_but_not_too_soon() {
    let origin = Origin::start(|_| page("x", &[PRIVATE]));
    let edge = hasty_edge(&origin);
    let mut visitor = Visitor::connect(&edge);
    assert_eq!(visitor.get("/").status, 200);
    assert!(visitor.is_closed(), "idle for longer than keep_alive_idle");

    let patient = start(config(&[origin.address]));
    let mut visitor = Visitor::connect(&patient);
    assert_eq!(visitor.get("/").status, 200);
    // An answer read in vain is how the test lets time pass.
    visitor.stream.get_ref().set_read_timeout(Some(Duration::from_secs(4))).unwrap();
    assert!(visitor.stream.get_mut().read(&mut [0; 1]).is_err(), "nothing comes unasked");
    for _ in 0..3 {
        assert_eq!(visitor.get("/").status, 200);
    }
    assert_eq!(patient.counts().connections_open, 1);
}

#[test]
fn a_visitor_who_does_not_read_is_closed() {
    let origin = Origin::start(|_| page(&"x".repeat(32 << 20), &[PRIVATE]));
    let edge = hasty_edge(&origin);
    let mut visitor = Visitor::connect(&edge);
    visitor.send(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    until("the unread answer is given up", || edge.counts().connections_timed_out == 1);
    until("its connection is gone", || edge.counts().connections_open == 0);
}

#[test]
fn a_slow_origin_does_not_cost_the_visitor_the_connection() {
    let origin = Origin::start(|_| page("at last", &[PRIVATE]));
    origin.close_gate();
    let edge = hasty_edge(&origin);
    let mut visitor = Visitor::connect(&edge);
    visitor.send(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    // Two other connections are timed out meanwhile: that is how the test knows time has passed.
    for _ in 0..2 {
        assert!(Visitor::connect(&edge).is_closed());
    }
    origin.open_gate();
    assert_eq!(visitor.read_answer(false).text(), "at last");
}

#[test]
fn an_origin_that_does_not_answer_in_time_is_a_504() {
    let origin = Origin::start(|_| page("never", &[PRIVATE]));
    origin.close_gate();
    let mut config = config(&[origin.address]);
    config.timeouts.origin_response = Duration::from_millis(200);
    let edge = start(config);
    let answer = get(&edge, "/");
    assert_eq!(answer.status, 504);
    assert!(answer.text().contains("did not answer in time"));
    origin.open_gate();
}

#[test]
fn draining_finishes_what_is_in_progress_and_takes_nothing_new() {
    let origin = Origin::start(|_| page("finished", &[PRIVATE]));
    let mut edge = start(config(&[origin.address]));
    let address = edge.addresses().http[0];
    let mut idle = Visitor::connect(&edge);
    assert_eq!(idle.get("/").status, 200);
    origin.close_gate();
    let mut busy = Visitor::connect(&edge);
    busy.send(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    until("the request is at the origin", || origin.count() == 2);

    edge.begin_drain();
    assert!(idle.is_closed(), "an idle connection is closed at once");
    until("no new connection is taken", || TcpStream::connect(address).is_err());
    origin.open_gate();
    let answer = busy.read_answer(false);
    assert_eq!((answer.status, answer.text().as_str()), (200, "finished"));
    assert!(busy.is_closed());
    assert_eq!(edge.shut_down(Duration::from_secs(20)), 0, "nobody was cut off");
}

#[test]
fn a_drain_ends_at_its_deadline() {
    let origin = Origin::start(|_| page("never", &[PRIVATE]));
    origin.close_gate();
    let mut edge = start(config(&[origin.address]));
    let mut stuck = Visitor::connect(&edge);
    stuck.send(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    until("the request is at the origin", || origin.count() == 1);
    assert_eq!(edge.shut_down(Duration::from_millis(300)), 1);
    assert!(stuck.is_closed());
    origin.open_gate();
}

#[test]
fn one_address_cannot_take_all_connections() {
    let origin = Origin::start(|_| page("x", &[PRIVATE]));
    let mut config = config(&[origin.address]);
    config.connections_max = 16;
    let edge = start(config);
    let mut held: Vec<Visitor> = (0..8).map(|_| Visitor::connect(&edge)).collect();
    for visitor in &mut held {
        assert_eq!(visitor.get("/").status, 200);
    }
    assert!(Visitor::connect(&edge).is_closed(), "half are taken, and all by this address");
    // Another loopback address is another visitor.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&"127.0.0.2:0".parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
    socket.connect(&edge.addresses().http[0].into()).unwrap();
    let mut other = Visitor { stream: std::io::BufReader::new(socket.into()) };
    assert_eq!(other.get("/").status, 200);
    drop(held);
    until("places are free again", || edge.counts().connections_open == 1);
    assert_eq!(get(&edge, "/").status, 200);
}

#[test]
fn beyond_the_limit_new_connections_are_refused_and_old_ones_go_on() {
    let origin = Origin::start(|_| page("x", &[PRIVATE]));
    let mut config = config(&[origin.address]);
    config.connections_max = 3;
    // Not counted by address, so that the limit itself is met.
    config.trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
    let edge = start(config);
    let mut held: Vec<Visitor> = (0..3).map(|_| Visitor::connect(&edge)).collect();
    for visitor in &mut held {
        assert_eq!(visitor.get("/").status, 200);
    }
    assert!(Visitor::connect(&edge).is_closed());
    assert_eq!(edge.counts().connections_refused, 1);
    assert_eq!(held[0].get("/").status, 200);
    drop(held);
    until("places are free again", || edge.counts().connections_open == 0);
    assert_eq!(get(&edge, "/").status, 200);
}

#[test]
fn a_visitor_who_leaves_frees_what_they_held() {
    let origin = Origin::start(|_| page("x", &[PRIVATE]));
    origin.close_gate();
    let edge = start(config(&[origin.address]));
    let visitors: Vec<Visitor> = (0..20)
        .map(|number| {
            let mut visitor = Visitor::connect(&edge);
            visitor.send(format!("GET /{number} HTTP/1.1\r\nHost: a.test\r\n\r\n").as_bytes());
            visitor
        })
        .collect();
    until("all are at the origin", || origin.count() == 20);
    drop(visitors);
    until("their connections are gone", || edge.counts().connections_open == 0);
    origin.open_gate();
}
