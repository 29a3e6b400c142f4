//! The pages the edge itself answers with: short, plain, accessible without style or script.
//!
//! Each says what happened, what to do, and gives a reference to quote. They never echo what the
//! visitor sent.

use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use floodwall_model::ReferenceId;
use http::{HeaderValue, Response, StatusCode, header};

use crate::body::Payload;
use crate::upstream::OriginFailure;

/// The words of one page.
#[derive(Clone, Copy, Debug)]
struct Words<'a> {
    title: &'a str,
    /// What happened.
    what: &'a str,
    /// What to do now.
    advice: &'a str,
}

/// A visitor's prefix is over its limit.
pub(crate) fn too_many_requests(retry_after: Duration, reference: ReferenceId) -> Response<Payload> {
    let seconds = whole_seconds(retry_after);
    let unit = if seconds == 1 { "second" } else { "seconds" };
    let advice = format!(
        "Please wait {seconds} {unit}, then load the page again. You have done nothing wrong: other people or \
         programs on your network may be using this site too."
    );
    let words = Words {
        title: "Please wait a moment",
        what: "This site has received very many requests from your network in a short time.",
        advice: &advice,
    };
    let mut response = page(StatusCode::TOO_MANY_REQUESTS, words, reference);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}

/// No declared site has the host that was asked for.
pub(crate) fn unknown_host(reference: ReferenceId) -> Response<Payload> {
    let words = Words {
        title: "No such site here",
        what: "This server does not answer for the address that was asked for.",
        advice: "Check the address in your browser. If a link brought you here, please tell the office that published it.",
    };
    page(StatusCode::MISDIRECTED_REQUEST, words, reference)
}

/// The method is one no public website needs at its edge.
pub(crate) fn method_not_allowed(reference: ReferenceId) -> Response<Payload> {
    let words = Words {
        title: "This kind of request is not accepted",
        what: "The request used a method that this site does not accept.",
        advice: "Open the page with an ordinary web browser.",
    };
    let mut response = page(StatusCode::METHOD_NOT_ALLOWED, words, reference);
    let allowed = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
    response.headers_mut().insert(header::ALLOW, allowed);
    response
}

/// The request header has too many fields.
pub(crate) fn header_too_large(reference: ReferenceId) -> Response<Payload> {
    page(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, malformed_words(HEADER_TOO_LARGE), reference)
}

/// An HTTP/2 request that is malformed; over HTTP/1 see [`malformed_request_bytes`].
pub(crate) fn malformed_request(what: &str, reference: ReferenceId) -> Response<Payload> {
    page(StatusCode::BAD_REQUEST, malformed_words(what), reference)
}

/// The site is for HTTPS only: the same address there. 308 keeps the method (RFC 9110 section 15.4.9).
pub(crate) fn moved_to_https(location: &str, reference: ReferenceId) -> Response<Payload> {
    let words = Words {
        title: "This site is read over a secure connection",
        what: "Your browser is being sent to the secure address of this page.",
        advice: "If nothing happens, write https:// in front of the address in your browser.",
    };
    let mut response = page(StatusCode::PERMANENT_REDIRECT, words, reference);
    if let Ok(location) = HeaderValue::from_str(location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// The request came back to the edge that sent it.
pub(crate) fn loop_detected(reference: ReferenceId) -> Response<Payload> {
    let words = Words {
        title: "This page cannot be shown",
        what: "The request came back to the server that had passed it on: its origin points to itself.",
        advice: "If you run this site, run `floodwall check` and mend the site's origin.",
    };
    page(StatusCode::LOOP_DETECTED, words, reference)
}

/// `only-if-cached` was asked and nothing is.
pub(crate) fn not_cached(reference: ReferenceId) -> Response<Payload> {
    let words = Words {
        title: "No kept copy of this page",
        what: "The request asked for a kept copy only, and there is none.",
        advice: "Load the page again.",
    };
    page(StatusCode::GATEWAY_TIMEOUT, words, reference)
}

/// The origin gave no answer and there is no copy to show.
pub(crate) fn origin_failed(failure: &OriginFailure, reference: ReferenceId) -> Response<Payload> {
    let words = match failure {
        OriginFailure::Busy => Words {
            title: "This page is busy",
            what: "Very many people are asking for this page now.",
            advice: "Please try again in a few seconds. The site's other pages may answer at once.",
        },
        OriginFailure::Visitor(_) | OriginFailure::VisitorSlow => Words {
            title: "Your request did not arrive whole",
            what: "The form or file you sent broke off on its way.",
            advice: "Please go back and send it again.",
        },
        OriginFailure::TimedOut { .. } | OriginFailure::Slow { .. } => Words {
            title: "This page is taking too long",
            what: "The server behind this site did not answer in time.",
            advice: "Please try again in a few seconds. The site's other pages may answer at once.",
        },
        _ => Words {
            title: "This page cannot be shown right now",
            what: "The server behind this site does not answer at the moment.",
            advice: "Please try again in a few seconds. The site's other pages may answer at once.",
        },
    };
    let mut response = page(failure.status(), words, reference);
    if failure.status() == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    }
    response
}

const HEADER_TOO_LARGE: &str = "The request's header is larger than 64 KiB or has more than 128 fields.";

fn malformed_words(what: &str) -> Words<'_> {
    Words {
        title: "The request could not be understood",
        what,
        advice: "Load the page again. If that does not help, delete this site's cookies in your browser, or try another browser.",
    }
}

/// A whole HTTP/1.1 answer to a request that never reached the HTTP parser; closes the connection.
pub(crate) fn malformed_request_bytes(status: StatusCode, what: &str, reference: ReferenceId) -> Bytes {
    let body = html(malformed_words(what), reference);
    let reason = status.canonical_reason().unwrap_or("Error");
    let head = format!(
        "HTTP/1.1 {} {reason}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\
         Cache-Control: no-store\r\nX-Request-Id: {reference}\r\nConnection: close\r\n\r\n",
        status.as_u16(),
        body.len(),
    );
    Bytes::from(head + &body)
}

/// At least one second: `Retry-After: 0` invites the next request at once.
fn whole_seconds(span: Duration) -> u64 {
    span.as_secs().saturating_add(u64::from(span.subsec_nanos() > 0)).max(1)
}

fn page(status: StatusCode, words: Words<'_>, reference: ReferenceId) -> Response<Payload> {
    let mut response = Response::new(Payload::Whole(Bytes::from(html(words, reference))));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    if let Ok(id) = HeaderValue::from_str(&reference.to_string()) {
        headers.insert("x-request-id", id);
    }
    response
}

fn html(words: Words<'_>, reference: ReferenceId) -> String {
    let Words { title, what, advice } = words;
    let mut html = String::with_capacity(1200);
    let _ = write!(
        html,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
         <style>body{{font:1.125rem/1.5 system-ui,sans-serif;max-width:38rem;margin:2rem auto;padding:0 1rem;\
         color:#1b1b1b;background:#fff}}h1{{font-size:1.75rem;line-height:1.25}}code{{font-size:1.1em;white-space:nowrap}}\
         @media(prefers-color-scheme:dark){{body{{color:#f0f0f0;background:#1b1b1b}}}}</style>\n\
         </head>\n<body>\n<main>\n<h1>{title}</h1>\n<p>{what}</p>\n<p>{advice}</p>\n\
         <p>If you need help, quote this reference: <code>{reference}</code></p>\n</main>\n</body>\n</html>\n"
    );
    html
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
