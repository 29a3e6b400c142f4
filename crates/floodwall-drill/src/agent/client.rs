//! A visitor's HTTP client: one connection, a cookie jar, redirects and `Refresh`, and nothing but
//! the edge to connect to.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{COOKIE, HOST, HeaderMap, LOCATION, SET_COOKIE};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;

use super::Post;
use super::tls::{Tls, is_certificate_fault};
use crate::clock::Moment;
use crate::measure::Outcome;
use crate::plan::Want;

/// The largest page that is read.
const BODY_BYTES_MAX: usize = 1 << 20;
/// Redirects followed for one page.
const HOPS_MAX: u32 = 10;
/// Cookies kept.
const COOKIES_MAX: usize = 50;

/// One visitor's browser.
#[derive(Debug)]
pub(crate) struct Client<'a> {
    post: &'a Post,
    source: IpAddr,
    agent: &'static str,
    connection: Option<SendRequest<Empty<Bytes>>>,
    tls: Option<Arc<ClientConfig>>,
    cookies: BTreeMap<String, String>,
}

/// How a page came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Got {
    pub(crate) outcome: Outcome,
    /// Pages between that said to wait or to go elsewhere.
    pub(crate) detours: u32,
}

/// What one answer says to do.
enum Next {
    Done(Outcome),
    GoTo(String),
    WaitFor(Duration, Option<String>),
}

impl<'a> Client<'a> {
    pub(crate) fn new(post: &'a Post, source: IpAddr, agent: &'static str) -> Self {
        let tls = post.tls.as_ref().map(Tls::of_visitor);
        Self { post, source, agent, connection: None, tls, cookies: BTreeMap::new() }
    }

    /// Goes on from another address, with the same cookies.
    pub(crate) fn roam(&mut self, source: IpAddr) {
        self.source = source;
        self.connection = None;
    }

    /// Asks for a page until it comes or `patience` from `wanted` on is over.
    pub(crate) async fn get(&mut self, want: &Want, wanted: Moment, patience: Duration) -> Got {
        let left = patience.saturating_sub(Moment::now().since(wanted));
        let mut detours = 0;
        match tokio::time::timeout(left, self.follow(want, &mut detours)).await {
            Ok(outcome) => Got { outcome, detours },
            Err(_) => {
                self.connection = None;
                Got { outcome: Outcome::TimedOut, detours }
            }
        }
    }

    async fn follow(&mut self, want: &Want, detours: &mut u32) -> Outcome {
        let mut target = want.target.clone();
        loop {
            let (status, headers, body) = match self.ask(&target).await {
                Ok(answer) => answer,
                Err(outcome) => return outcome,
            };
            self.keep_cookies(&headers);
            match judge(want, status, &headers, &body) {
                Next::Done(outcome) => return outcome,
                Next::GoTo(other) => target = other,
                Next::WaitFor(span, other) => {
                    tokio::time::sleep(span).await;
                    target = other.unwrap_or(target);
                }
            }
            *detours += 1;
            if *detours > HOPS_MAX {
                return Outcome::Wrong;
            }
        }
    }

    /// One request and its whole answer. A kept connection that turns out to be closed is replaced
    /// once, as browsers do.
    async fn ask(&mut self, target: &str) -> Result<(StatusCode, HeaderMap, Bytes), Outcome> {
        let reused = self.connection.is_some();
        match self.ask_once(target).await {
            Err(Outcome::BrokeOff) if reused => self.ask_once(target).await,
            answer => answer,
        }
    }

    async fn ask_once(&mut self, target: &str) -> Result<(StatusCode, HeaderMap, Bytes), Outcome> {
        let mut connection = match self.connection.take() {
            Some(connection) if !connection.is_closed() => connection,
            _ => self.connect().await?,
        };
        let response = self.send(&mut connection, target).await.map_err(|_| Outcome::BrokeOff)?;
        let (parts, body) = response.into_parts();
        let whole = Limited::new(body, BODY_BYTES_MAX);
        #[expect(clippy::disallowed_methods, reason = "limited to BODY_BYTES_MAX in the line above")]
        let body = whole.collect().await.map_err(|_| Outcome::BrokeOff)?.to_bytes();
        self.connection = Some(connection);
        Ok((parts.status, parts.headers, body))
    }

    async fn connect(&self) -> Result<SendRequest<Empty<Bytes>>, Outcome> {
        let own = |tls: &Tls| self.tls.clone().unwrap_or_else(|| tls.of_visitor());
        let stream = self.post.connect(self.source, own).await.map_err(|error| {
            if is_certificate_fault(&error) { Outcome::Certificate } else { Outcome::NoConnection }
        })?;
        let (sender, driver) = handshake(TokioIo::new(stream)).await.map_err(|_| Outcome::NoConnection)?;
        tokio::spawn(driver);
        Ok(sender)
    }

    async fn send(
        &self,
        connection: &mut SendRequest<Empty<Bytes>>,
        target: &str,
    ) -> hyper::Result<Response<Incoming>> {
        connection.ready().await?;
        let mut request = Request::get(target)
            .header(HOST, &self.post.site)
            .header("user-agent", self.agent)
            .header("accept", "text/html,*/*;q=0.8")
            .header("accept-language", "en");
        if !self.cookies.is_empty() {
            let pairs: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header(COOKIE, pairs.join("; "));
        }
        let request = request.body(Empty::new()).unwrap_or_default();
        connection.send_request(request).await
    }

    fn keep_cookies(&mut self, headers: &HeaderMap) {
        for field in headers.get_all(SET_COOKIE) {
            let pair = field.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
            if let Some((name, value)) = pair.split_once('=')
                && (self.cookies.len() < COOKIES_MAX || self.cookies.contains_key(name.trim()))
            {
                self.cookies.insert(name.trim().to_owned(), value.trim().to_owned());
            }
        }
    }
}

/// What an answer means to a person: only the wanted page is a success, whatever the status.
fn judge(want: &Want, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Next {
    let found = || want.words.is_empty() || contains(body, want.words.as_bytes());
    if status == StatusCode::OK && found() {
        return Next::Done(Outcome::Arrived);
    }
    if status.is_redirection() {
        let location = headers.get(LOCATION).and_then(|value| value.to_str().ok());
        return match location.and_then(own_path) {
            Some(path) => Next::GoTo(path),
            None => Next::Done(Outcome::Wrong),
        };
    }
    if let Some((span, target)) = headers.get("refresh").and_then(|value| refresh(value.to_str().ok()?)) {
        return Next::WaitFor(span, target);
    }
    Next::Done(match status.as_u16() {
        401 | 403 | 429 => Outcome::Refused,
        500..=599 => Outcome::ServerError,
        _ => Outcome::Wrong,
    })
}

/// The path and query of a redirect's target. Whatever host it names, only the edge is asked.
fn own_path(location: &str) -> Option<String> {
    let uri: http::Uri = location.parse().ok()?;
    let path = uri.path_and_query()?.as_str();
    path.starts_with('/').then(|| path.to_owned())
}

/// `Refresh: 5` or `Refresh: 5; url=/elsewhere`.
fn refresh(field: &str) -> Option<(Duration, Option<String>)> {
    let (seconds, rest) = field.split_once(';').unwrap_or((field, ""));
    let span = Duration::from_secs(seconds.trim().parse::<u64>().ok()?.min(600));
    let target = rest.trim().strip_prefix("url=").and_then(own_path);
    Some((span, target))
}

fn contains(body: &[u8], words: &[u8]) -> bool {
    body.windows(words.len()).any(|window| window == words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_wanted_page_is_a_success() {
        let want = Want { target: "/".into(), words: "<h1>Hello" };
        let told = |status: u16, fields: &[(&'static str, &'static str)], body: &str| {
            let headers = fields
                .iter()
                .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
                .collect::<HeaderMap>();
            match judge(&want, StatusCode::from_u16(status).unwrap(), &headers, body.as_bytes()) {
                Next::Done(outcome) => format!("{outcome:?}"),
                Next::GoTo(target) => format!("go to {target}"),
                Next::WaitFor(span, target) => format!("wait {span:?} for {target:?}"),
            }
        };
        for (status, fields, body, next) in [
            (200, &[][..], "<h1>Hello</h1>", "Arrived"),
            (200, &[], "<h1>Checking your browser</h1>", "Wrong"),
            (503, &[("refresh", "5")], "", "wait 5s for None"),
            (200, &[("refresh", "2; url=/x?y")], "", "wait 2s for Some(\"/x?y\")"),
            (302, &[("location", "/?proof=1")], "", "go to /?proof=1"),
            (302, &[("location", "http://elsewhere.test/a")], "", "go to /a"),
            (302, &[], "", "Wrong"),
            (429, &[], "<h1>Hello", "Refused"),
            (403, &[], "", "Refused"),
            (502, &[], "", "ServerError"),
            (404, &[], "", "Wrong"),
        ] {
            assert_eq!(told(status, fields, body), next, "{status} {fields:?} {body}");
        }
    }
}
