//! What was wrong with a request, or with the origin.

use std::time::Duration;

use bytes::Bytes;
use floodwall_model::ReferenceId;
use http::{HeaderValue, Response, StatusCode, header};

use super::Language;
use super::document::{self, Addressee, Document};
use super::texts::Words;
use crate::body::Payload;
use crate::upstream::OriginFailure;

/// A visitor's prefix is over its limit.
pub(crate) fn too_many_requests(retry_after: Duration, to: impl Into<Addressee>) -> Response<Payload> {
    let to = to.into();
    let seconds = document::whole_seconds(retry_after);
    let texts = &to.language.texts().refusals;
    let advice = (texts.too_many_advice)(seconds);
    let mut response = answer(StatusCode::TOO_MANY_REQUESTS, texts.too_many, &advice, to);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}

/// No declared site has the host that was asked for.
pub(crate) fn unknown_host(to: impl Into<Addressee>) -> Response<Payload> {
    let to = to.into();
    page(StatusCode::MISDIRECTED_REQUEST, to.language.texts().refusals.unknown_host, to)
}

/// The site has no such path, by its own declaration.
pub(crate) fn undeclared_path(to: impl Into<Addressee>) -> Response<Payload> {
    let to = to.into();
    page(StatusCode::NOT_FOUND, to.language.texts().refusals.undeclared_path, to)
}

/// The method is one no public website needs at its edge.
pub(crate) fn method_not_allowed(to: impl Into<Addressee>) -> Response<Payload> {
    let to = to.into();
    let mut response = page(StatusCode::METHOD_NOT_ALLOWED, to.language.texts().refusals.method, to);
    let allowed = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
    response.headers_mut().insert(header::ALLOW, allowed);
    response
}

/// An operator blocked the address.
pub(crate) fn blocked(to: impl Into<Addressee>) -> Response<Payload> {
    let to = to.into();
    page(StatusCode::FORBIDDEN, to.language.texts().refusals.blocked, to)
}

/// The request header has too many fields.
pub(crate) fn header_too_large(to: impl Into<Addressee>) -> Response<Payload> {
    let to = to.into();
    let texts = &to.language.texts().refusals;
    let words = Words { what: texts.header_too_large, ..texts.malformed };
    page(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, words, to)
}

/// An HTTP/2 request that is malformed; over HTTP/1 see [`malformed_request_bytes`].
pub(crate) fn malformed_request(what: &str, to: impl Into<Addressee>) -> Response<Payload> {
    let to = to.into();
    document::response(StatusCode::BAD_REQUEST, malformed_html(what, to), &POLICY, to)
}

/// The site is for HTTPS only: the same address there. 308 keeps the method (RFC 9110 section 15.4.9).
pub(crate) fn moved_to_https(location: &str, to: impl Into<Addressee>) -> Response<Payload> {
    let to = to.into();
    let mut response = page(StatusCode::PERMANENT_REDIRECT, to.language.texts().refusals.moved_to_https, to);
    if let Ok(location) = HeaderValue::from_str(location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// The request came back to the edge that sent it.
pub(crate) fn loop_detected(to: impl Into<Addressee>) -> Response<Payload> {
    let to = to.into();
    page(StatusCode::LOOP_DETECTED, to.language.texts().refusals.loop_detected, to)
}

/// `only-if-cached` was asked and nothing is.
pub(crate) fn not_cached(to: impl Into<Addressee>) -> Response<Payload> {
    let to = to.into();
    page(StatusCode::GATEWAY_TIMEOUT, to.language.texts().refusals.not_cached, to)
}

/// The origin gave no answer and there is no copy to show.
pub(crate) fn origin_failed(failure: &OriginFailure, to: impl Into<Addressee>) -> Response<Payload> {
    let to = to.into();
    let texts = &to.language.texts().refusals;
    let words = match failure {
        OriginFailure::Busy => texts.origin_busy,
        OriginFailure::Visitor(_) | OriginFailure::VisitorSlow => texts.visitor_broke_off,
        OriginFailure::TimedOut { .. } | OriginFailure::Slow { .. } => texts.origin_slow,
        _ => texts.origin_down,
    };
    let mut response = page(failure.status(), words, to);
    if failure.status() == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    }
    response
}

/// A whole HTTP/1.1 answer to a request that never reached the HTTP parser; closes the connection.
/// Its language is not known.
pub(crate) fn malformed_request_bytes(status: StatusCode, what: &str, reference: ReferenceId) -> Bytes {
    let body = malformed_html(what, Addressee::from(reference));
    let reason = status.canonical_reason().unwrap_or("Error");
    let head = format!(
        "HTTP/1.1 {} {reason}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\
         Cache-Control: no-store\r\nX-Request-Id: {reference}\r\nConnection: close\r\n\r\n",
        status.as_u16(),
        body.len(),
    );
    Bytes::from(head + &body)
}

/// The exact fault is said in English: it is for whoever wrote the program that sent the request.
fn malformed_html(what: &str, to: Addressee) -> String {
    let words = to.language.texts().refusals.malformed;
    let mut document = open(words.title, to);
    match to.language {
        Language::English => document.element("p", what),
        Language::Spanish => {
            document.element("p", words.what).markup("<p lang=\"en\">").markup(what).markup("</p>\n")
        }
    };
    document.element("p", words.advice);
    document.close(None)
}

/// What these pages may do: nothing.
static POLICY: HeaderValue =
    HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'");

fn page(status: StatusCode, words: Words, to: Addressee) -> Response<Payload> {
    answer(status, words, words.advice, to)
}

fn answer(status: StatusCode, words: Words, advice: &str, to: Addressee) -> Response<Payload> {
    let mut document = open(words.title, to);
    document.element("p", words.what).element("p", advice);
    document::response(status, document.close(None), &POLICY, to)
}

fn open(title: &str, to: Addressee) -> Document {
    let mut document = Document::open(to, title, 2_048, "");
    document.markup("<main>\n").element("h1", title);
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference() -> ReferenceId {
        "7F3K-9QWX-02MB".parse().unwrap()
    }

    #[test]
    fn retry_after_is_rounded_up_and_never_zero() {
        for (span, seconds) in [(0, 1), (1, 1), (999, 1), (1000, 1), (1001, 2), (61_000, 61)] {
            let response = too_many_requests(Duration::from_millis(span), reference());
            assert_eq!(response.headers()[header::RETRY_AFTER], seconds.to_string());
        }
    }

    #[test]
    fn the_429_page_reads_like_this() {
        let Payload::Whole(html) = too_many_requests(Duration::from_secs(3), reference()).into_body() else {
            panic!("a page is held whole")
        };
        insta::assert_snapshot!(std::str::from_utf8(&html).unwrap());
    }

    #[test]
    fn a_refused_malformed_request_is_a_whole_answer() {
        let bytes = malformed_request_bytes(StatusCode::BAD_REQUEST, "A line ends wrongly.", reference());
        let text = std::str::from_utf8(&bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 400 Bad Request\r\n") && head.ends_with("Connection: close"));
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())));
        assert!(body.contains("A line ends wrongly.") && body.contains("7F3K-9QWX-02MB"));
    }
}
