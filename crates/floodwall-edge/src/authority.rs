//! The host a request asks for: checked, and in the one form that the cache keys by and the origin
//! is told.
//!
//! HTTP/1 requests have passed the request guard, which leaves nothing to doubt. HTTP/2 requests
//! have not: `:authority` may disagree with `Host`, carry user information or a port that is none,
//! and the library takes all of it (RFC 9113 section 8.3.1).

use std::rc::Rc;

use floodwall_model::SiteId;
use http::header::HOST;
use http::request::Parts;
use http::{Method, Version};

use crate::request_guard::HostPort;

/// What is wrong with an HTTP/2 request that its library let through; `None` where nothing is.
pub(crate) fn fault_of_h2(parts: &Parts) -> Option<&'static str> {
    if parts.version != Version::HTTP_2 {
        return None;
    }
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    if !(target.starts_with('/') || target == "*" && parts.method == Method::OPTIONS) {
        return Some("The request target is not a path that starts with a slash.");
    }
    let default_port = if parts.uri.scheme_str() == Some("https") { 443 } else { 80 };
    let mut hosts = parts.headers.get_all(HOST).iter().map(|host| HostPort::parse(host.as_bytes()));
    let authority = parts.uri.authority().map(|authority| HostPort::parse(authority.as_str().as_bytes()));
    match (authority, hosts.next(), hosts.next()) {
        (_, _, Some(_)) => Some("The Host header is given more than once."),
        (Some(None), ..) | (_, Some(None), _) => {
            Some("The host asked for is not a host name with an optional port.")
        }
        (Some(Some(authority)), Some(Some(host)), None) if !authority.same_as(&host, default_port) => {
            Some("The request names two different hosts.")
        }
        _ => None,
    }
}

/// The host asked for: the target's own (HTTP/2 and absolute-form), else the `Host` field.
pub(crate) fn of(parts: &Parts) -> Option<&str> {
    match parts.uri.authority() {
        Some(authority) => Some(authority.as_str()),
        None => parts.headers.get(HOST)?.to_str().ok(),
    }
}

/// A host that a connection asked for last, and the site that it is: whoever asks again on the same
/// connection, which is nearly everybody, is asked nothing anew.
#[derive(Clone, Debug)]
pub(crate) struct AskedHost {
    given: Box<str>,
    https: bool,
    /// As [`canonical`] spells it.
    pub(crate) canonical: Rc<str>,
    pub(crate) site: SiteId,
}

impl AskedHost {
    pub(crate) fn new(given: &str, https: bool, canonical: Rc<str>, site: SiteId) -> Self {
        Self { given: given.into(), https, canonical, site }
    }

    /// Whether it was asked for in these very letters.
    pub(crate) fn is(&self, given: &str, https: bool) -> bool {
        self.https == https && *self.given == *given
    }
}

/// One spelling for all that mean the same: lower case, without the root dot, without the scheme's
/// own port. So nobody has a page fetched anew by spelling its host differently.
pub(crate) fn canonical(authority: &str, https: bool) -> String {
    let own_port = if https { ":443" } else { ":80" };
    let authority = authority.strip_suffix(own_port).or(authority.strip_suffix(':')).unwrap_or(authority);
    let mut canonical = authority.to_ascii_lowercase();
    let host_bytes = end_of_host(&canonical);
    if canonical.get(..host_bytes).is_some_and(|host| host.ends_with('.')) {
        canonical.remove(host_bytes.saturating_sub(1));
    }
    canonical
}

/// Where the host ends in an authority and a port may begin; an address stands in brackets.
pub(crate) fn end_of_host(authority: &str) -> usize {
    let bytes = authority.as_bytes();
    let end = if bytes.first() == Some(&b'[') {
        memchr::memchr(b']', bytes).map(|bracket| bracket.saturating_add(1))
    } else {
        // Too short for what a library's search takes to begin.
        bytes.iter().position(|byte| *byte == b':')
    };
    end.unwrap_or(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_have_one_spelling() {
        for (given, https, expected) in [
            ("a.test", false, "a.test"),
            ("A.Test.", false, "a.test"),
            ("a.test:80", false, "a.test"),
            ("a.test:", false, "a.test"),
            ("a.test.:8080", false, "a.test:8080"),
            ("a.test:443", false, "a.test:443"),
            ("a.test:443", true, "a.test"),
            ("a.test:80", true, "a.test:80"),
            ("[2001:DB8::1]", false, "[2001:db8::1]"),
            ("[2001:db8::1]:80", false, "[2001:db8::1]"),
            ("[2001:db8::1]:8080", false, "[2001:db8::1]:8080"),
            (".", false, ""),
            ("", false, ""),
        ] {
            assert_eq!(canonical(given, https), expected, "{given} {https}");
        }
    }

    #[test]
    fn what_http2_lets_through_is_checked() {
        for (uri, hosts, faulty) in [
            ("http://a.test/", &[][..], false),
            ("http://a.test/", &["a.test"], false),
            ("http://a.test/", &["A.test:80"], false),
            ("https://a.test/", &["a.test:443"], false),
            ("https://a.test/", &["a.test:80"], true),
            ("http://a.test/", &["b.test"], true),
            ("http://a.test/", &["a.test", "a.test"], true),
            ("http://user@a.test/", &[], true),
            ("http://a.test:junk/", &[], true),
            ("http://a.test:99999/", &[], true),
            ("http://a%2etest/", &[], true),
            ("/", &["a.test"], false),
            ("/", &["a.test", "b.test"], true),
            ("/", &["a.test/b"], true),
            ("*", &["a.test"], true),
        ] {
            let mut request = http::Request::builder().version(Version::HTTP_2).uri(uri);
            for host in hosts {
                request = request.header(HOST, *host);
            }
            // What the library itself refuses does not come this far.
            let Ok(request) = request.body(()) else { continue };
            assert_eq!(fault_of_h2(&request.into_parts().0).is_some(), faulty, "{uri} {hosts:?}");
        }
    }
}
