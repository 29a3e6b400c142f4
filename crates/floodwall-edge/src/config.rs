//! What the edge is told: one validated form, built by the binary from its settings.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use floodwall_model::Prefix;
use floodwall_policy::{HandshakeLimits, SitePolicy};

use crate::admission::SiteAdmission;
use crate::cache::CacheSettings;
use crate::kept::KeptSettings;
use crate::query::{PathPattern, QueryRules};
use crate::tls::CertificateFiles;

/// Everything the edge needs to run.
#[derive(Clone, Debug)]
pub struct EdgeConfig {
    /// Cleartext listeners (HTTP/1.1, and HTTP/2 with prior knowledge).
    pub http: Vec<SocketAddr>,
    /// TLS listeners (HTTP/1.1 and HTTP/2 by ALPN).
    pub https: Vec<SocketAddr>,
    /// Certificates for the TLS listeners.
    pub certificates: Vec<CertificateFiles>,
    /// The protected sites; a site's place in this list is its `SiteId`.
    pub sites: Vec<SiteConfig>,
    /// Proxies whose `X-Forwarded-For` or `Forwarded` is believed.
    pub trusted_proxies: Vec<Prefix>,
    /// Of the listeners, those whose connections from trusted proxies begin with a PROXY protocol header,
    /// version 1 or 2, which says whose they are.
    pub proxy_protocol: Vec<SocketAddr>,
    /// Worker threads, each with its own listeners, connections and upstream pool.
    pub workers: usize,
    /// Connections open at once, all workers together; further ones are closed at once.
    pub connections_max: usize,
    /// Prefixes the limiter keeps track of at once.
    pub tracked_prefixes: usize,
    /// TLS handshakes that are begun.
    pub handshakes: HandshakeLimits,
    /// Deadlines.
    pub timeouts: Timeouts,
    /// The cache in memory.
    pub cache: CacheSettings,
    /// Copies on disk that stand in when the origin is gone; `None` keeps none.
    pub kept: Option<KeptSettings>,
}

/// One protected site.
#[derive(Clone, Debug)]
pub struct SiteConfig {
    /// Its name in pages, metrics and the store.
    pub name: Arc<str>,
    /// Host names: exact, `*.example.gov` for any one label or more before it, or `*` for all.
    pub hosts: Vec<Arc<str>>,
    /// What an outage of it means.
    pub role: Option<Arc<str>>,
    /// Where its pages come from; at least one.
    pub origins: Vec<OriginConfig>,
    /// Limits per prefix.
    pub policy: SitePolicy,
    /// How long past its freshness a copy may be served when the origin fails and the answer
    /// itself does not say; `None` takes the cache's default.
    pub stale_if_error: Option<Duration>,
    /// The paths it has; where there are none, all of them. Others are answered by the edge (404).
    pub paths: Vec<PathPattern>,
    /// Networks that its origins may not be in, whatever their names lead to.
    pub out_of_reach: Vec<Prefix>,
    /// Whether a page that is a copy says so, when it answers because the origin fails.
    pub kept_banner: bool,
    /// Which query parameters its pages read.
    pub query: QueryRules,
    /// Who is let to the origin when there is not room for all.
    pub admission: SiteAdmission,
    /// Whether requests in clear text are sent to the same address over HTTPS, save those by which a
    /// certificate authority checks the host (RFC 8555 section 8.3).
    pub https_only: bool,
    /// How long browsers are told to use HTTPS only for the site (RFC 6797); `None` tells them nothing.
    pub hsts: Option<Duration>,
}

/// One origin server, reached over cleartext HTTP/1.1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginConfig {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Requests in progress at once at the most; further ones wait for their turn.
    pub requests_max: usize,
}

impl SiteConfig {
    /// Whether a path is one of the site's.
    pub(crate) fn declares(&self, path: &str) -> bool {
        self.paths.is_empty()
            || (is_unambiguous(path) && self.paths.iter().any(|pattern| pattern.matches(path)))
    }
}

/// Whether a path names one thing, however it is read: `/public/../internal` may be either.
fn is_unambiguous(path: &str) -> bool {
    let mut steps = path.split('/').skip(1).peekable();
    while let Some(step) = steps.next() {
        let is_last = steps.peek().is_none();
        let step = step.as_bytes();
        let dots = memchr::memmem::find(step, b"%2e").or_else(|| memchr::memmem::find(step, b"%2E"));
        let separators = [&b"%2f"[..], b"%2F", b"%5c", b"%5C", b"%00", b"\\"];
        let hides = separators.iter().any(|hidden| memchr::memmem::find(step, hidden).is_some());
        if (step.is_empty() && !is_last) || step == b"." || step == b".." || step.starts_with(b"..;") {
            return false;
        }
        if dots.is_some() || hides {
            return false;
        }
    }
    true
}

impl OriginConfig {
    /// The origin's URL as people write it.
    #[must_use]
    pub fn url(&self) -> String {
        if self.host.contains(':') {
            format!("http://[{}]:{}", self.host, self.port)
        } else {
            format!("http://{}:{}", self.host, self.port)
        }
    }
}

/// Deadlines. Each names what ends when it passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// From a request's first byte to the end of its header, and from accept to the first byte.
    pub header: Duration,
    /// A request body without a byte of progress.
    pub body_idle: Duration,
    /// An answer of which the visitor takes no byte.
    pub write_idle: Duration,
    /// A connection without a request.
    pub keep_alive_idle: Duration,
    /// Connecting to an origin.
    pub connect: Duration,
    /// From sending a request to an origin until its answer begins.
    pub origin_response: Duration,
    /// An origin's answer without a byte of progress.
    pub origin_idle: Duration,
    /// Waiting for a site's origins to come back when all of them are down, on behalf of visitors who
    /// can be given nothing else. Zero waits for none.
    pub origin_return: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            header: Duration::from_secs(10),
            body_idle: Duration::from_secs(30),
            write_idle: Duration::from_secs(30),
            keep_alive_idle: Duration::from_secs(60),
            connect: Duration::from_secs(3),
            origin_response: Duration::from_secs(30),
            origin_idle: Duration::from_secs(30),
            origin_return: Duration::from_secs(3),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_unambiguous;

    #[test]
    fn what_may_be_read_in_two_ways_is_not_declared() {
        for (path, expected) in [
            ("/", true),
            ("/news/", true),
            ("/news/2026.html", true),
            ("/.well-known/security.txt", true),
            ("/a%20b/c..d", true),
            ("/news/../internal", false),
            ("/news/..", false),
            ("/news/./x", false),
            ("/news//internal", false),
            ("/news/%2e%2e/internal", false),
            ("/news/%2E./internal", false),
            ("/news/..;/internal", false),
            ("/news/..%2finternal", false),
            ("/news/x%5c..%5cinternal", false),
            ("/news/\\internal", false),
            ("/news%00.html", false),
        ] {
            assert_eq!(is_unambiguous(path), expected, "{path}");
        }
    }
}
