//! Requests that no site should see: refused, counted, shown, and never passed on.

use crate::support::{Origin, Page, Server, Visitor};

#[test]
fn each_kind_is_answered_counted_and_kept_from_the_origin() {
    let origin = Origin::start(|_| Page::new("x", "no-store"));
    let server = Server::start(origin.address, "", "");
    let many_fields: String = (0..129).map(|n| format!("X-{n}: 1\r\n")).collect();
    let long_field = format!("X-Long: {}\r\n", "a".repeat(65 * 1024));
    let with_fields = |fields: &str| format!("GET / HTTP/1.1\r\nHost: a.test\r\n{fields}\r\n");
    let body = "\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n";
    for (status, request) in [
        (400, "GET / HTTP/1.1\nHost: a.test\n\n".to_owned()),
        (400, "GET / HTTP/1.1\r\n\r\n".to_owned()),
        (400, with_fields("Content-Length: 4\r\nContent-Length: 5\r\n")),
        (400, with_fields("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n") + body),
        (400, with_fields("X-A: 1\r\n folded\r\n")),
        (400, "GET http://b.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n".to_owned()),
        (421, "GET / HTTP/1.1\r\nHost: b.test\r\n\r\n".to_owned()),
        (421, format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", server.http)),
        (431, with_fields(&many_fields)),
        (431, with_fields(&long_field)),
    ] {
        let mut visitor = Visitor::connect(server.http);
        visitor.send(request.as_bytes());
        let answer = visitor.read_answer();
        let shown = &request[..request.len().min(200)];
        assert_eq!(answer.status, status, "{shown:?}");
        let reference = answer.header("x-request-id").unwrap();
        assert!(answer.text().contains(reference), "the page says the reference: {shown:?}");
        assert!(visitor.is_closed(), "{shown:?}");
    }
    server.until_metric("floodwall_malformed_requests_total", |count| count == 6);
    assert_eq!(server.metric("floodwall_unknown_hosts_total"), 2);
    assert_eq!(server.metric("floodwall_oversized_headers_total"), 2);
    let page = server.ask_console("/").text();
    for shown in ["edge.malformed_requests\">6<", "edge.unknown_hosts\">2<", "edge.oversized_headers\">2<"] {
        assert!(page.contains(shown), "{shown}");
    }
    assert_eq!(origin.asked().len(), 0, "{:?}", origin.asked());
}
