//! What every request to the admin listener passes first, and what every answer carries.
//!
//! There is no login, so a website that an operator's browser happens to visit must not be able to
//! read these pages: it could point a name of its own at the loopback address (DNS rebinding; then
//! the Host header carries that name), or fetch from here directly (then `Sec-Fetch-Site` says so).

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Version, header};
use axum::middleware::Next;
use axum::response::Response;

use crate::page;

/// Host names the console answers to besides loopback names and IP addresses.
pub(crate) struct Guard {
    host_names: BTreeSet<String>,
}

/// Why a request is not let in.
#[derive(Debug, PartialEq, Eq)]
enum Fault {
    /// Something other than GET or HEAD: nothing can be changed here.
    Method,
    /// No host, several, or none that can be read (RFC 9112, section 3.2).
    BadHost,
    /// A host that is not ours (RFC 9110, section 15.5.20).
    UnknownHost(String),
    /// Another website's page asked.
    CrossSite,
}

impl Guard {
    pub(crate) fn new(host_names: &[String]) -> Self {
        Self { host_names: host_names.iter().map(|name| canonical(name)).collect() }
    }

    fn check(&self, request: &Request) -> Result<(), Fault> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Err(Fault::Method);
        }
        // The target may name a host too; either one decides somewhere, so both must be ours.
        let in_target = request.uri().authority().map(Authority::as_str);
        for host in in_target.into_iter().chain(host_header(request)?) {
            self.check_host(host)?;
        }
        check_fetch(request.headers())
    }

    fn check_host(&self, host: &str) -> Result<(), Fault> {
        let authority: Authority = host.parse().map_err(|_| Fault::BadHost)?;
        if authority.as_str().contains('@') {
            return Err(Fault::BadHost);
        }
        let name = canonical(authority.host());
        let literal = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(&name);
        let loopback = name == "localhost" || name.ends_with(".localhost");
        if loopback || literal.parse::<IpAddr>().is_ok() || self.host_names.contains(&name) {
            return Ok(());
        }
        Err(Fault::UnknownHost(name))
    }
}

fn canonical(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

fn host_header(request: &Request) -> Result<Option<&str>, Fault> {
    let mut values = request.headers().get_all(header::HOST).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().map(Some).map_err(|_| Fault::BadHost),
        // Plain health checkers still speak HTTP/1.0 without it; no browser does.
        (None, _) if request.version() == Version::HTTP_10 || request.uri().authority().is_some() => Ok(None),
        _ => Err(Fault::BadHost),
    }
}

/// Following a link from elsewhere is fine, loading from here into another site's page is not.
fn check_fetch(headers: &HeaderMap) -> Result<(), Fault> {
    let says = |name, wanted: &[&[u8]]| {
        headers.get(name).is_some_and(|value: &HeaderValue| wanted.contains(&value.as_bytes()))
    };
    let from_elsewhere = says("sec-fetch-site", &[b"cross-site", b"same-site"]);
    if from_elsewhere && !says("sec-fetch-mode", &[b"navigate"]) { Err(Fault::CrossSite) } else { Ok(()) }
}

impl Fault {
    fn answer(&self, path: &str) -> Response {
        match self {
            Self::Method => {
                let text = "Only GET and HEAD are answered here.";
                let mut response = page::fault(path, StatusCode::METHOD_NOT_ALLOWED, text);
                response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
                response
            }
            Self::BadHost => {
                page::fault(path, StatusCode::BAD_REQUEST, "The request must name exactly one host.")
            }
            Self::UnknownHost(name) => {
                let text = format!(
                    "This console does not answer to the host name `{name}`. Open it by its IP address, or through \
                     a tunnel as `localhost`, for example with `ssh -L 9800:127.0.0.1:9800`; or name it in \
                     `server.admin_hosts`."
                );
                page::fault(path, StatusCode::MISDIRECTED_REQUEST, &text)
            }
            Self::CrossSite => page::fault(
                path,
                StatusCode::FORBIDDEN,
                "Pages of other websites may not load from this console.",
            ),
        }
    }
}

const HEADERS: [(header::HeaderName, &str); 8] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (header::HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (header::HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (header::HeaderName::from_static("x-robots-tag"), "noindex"),
];

/// The middleware around every route and the fallback.
pub(crate) async fn guard(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    let mut response = match guard.check(&request) {
        Ok(()) => next.run(request).await,
        Err(fault) => fault.answer(request.uri().path()),
    };
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn check(headers: &[(&str, &str)]) -> Result<(), Fault> {
        let mut request = Request::builder().uri("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Guard::new(&["Console.Example.GOV.".to_owned()]).check(&request.body(Body::empty()).unwrap())
    }

    #[test]
    fn hosts_that_are_ours() {
        for host in [
            "localhost",
            "LOCALHOST:9800",
            "floodwall.localhost",
            "127.0.0.1:9800",
            "192.0.2.7",
            "[::1]:9800",
            "[2001:db8::1]",
            "console.example.gov",
            "console.example.gov.:9800",
        ] {
            assert_eq!(check(&[("host", host)]), Ok(()), "{host}");
        }
    }

    #[test]
    fn hosts_that_are_not() {
        for host in [
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "notlocalhost",
            "example.gov:9800",
        ] {
            assert!(matches!(check(&[("host", host)]), Err(Fault::UnknownHost(_))), "{host}");
        }
        for host in ["", "a b", "evil@127.0.0.1", "[::1", "<script>"] {
            assert_eq!(check(&[("host", host)]), Err(Fault::BadHost), "{host}");
        }
        assert_eq!(check(&[("host", "localhost"), ("host", "localhost")]), Err(Fault::BadHost));
        assert_eq!(check(&[]), Err(Fault::BadHost));
    }

    #[test]
    fn both_target_and_header_must_be_ours() {
        let request = |target: &str| {
            Request::builder().uri(target).header("host", "localhost").body(Body::empty()).unwrap()
        };
        let guard = Guard::new(&[]);
        assert!(matches!(guard.check(&request("http://evil.example/")), Err(Fault::UnknownHost(_))));
        assert_eq!(guard.check(&request("http://127.0.0.1/")), Ok(()));
    }

    #[test]
    fn other_websites_may_link_here_but_not_load() {
        for (site, mode, allowed) in [
            ("none", "navigate", true),
            ("same-origin", "cors", true),
            ("cross-site", "navigate", true),
            ("cross-site", "no-cors", false),
            ("cross-site", "cors", false),
            ("same-site", "cors", false),
        ] {
            let checked = check(&[("host", "localhost"), ("sec-fetch-site", site), ("sec-fetch-mode", mode)]);
            assert_eq!(checked.is_ok(), allowed, "{site} {mode}");
        }
    }
}
