//! A visitor's HTTP client: one connection, a cookie jar, redirects, challenges and waiting rooms as people
//! and their browsers take them, and nothing but the edge to connect to.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{COOKIE, HOST, HeaderMap};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;

use super::Post;
use super::answer::{Again, Said, judge};
use super::introduction::introduce;
use super::jar::Jar;
use super::tls::{Tls, is_certificate_fault};
use super::work::{Challenge, Solver, WORK_COOKIE};
use crate::clock::{Moment, until};
use crate::measure::{Outcome, Way};
use crate::patience::{ANSWER, IN_ALL, before_reload};
use crate::plan::{Want, Wanted};
use crate::scenario::VisitorKind;

/// The largest page that is read.
const BODY_BYTES_MAX: usize = 1 << 20;
/// Redirects followed without anything being shown between.
const REDIRECTS_MAX: u32 = 10;
/// Pages shown in place of the wanted one: in [`IN_ALL`] that is one in two seconds.
const PAGES_MAX: u32 = 30;
/// Proofs of work for one page: one that was right and asked for again, and one for bad luck. Then the
/// page's other offer is taken, to wait.
const PROOFS_MAX: u32 = 3;

/// One visitor's browser.
#[derive(Debug)]
pub(crate) struct Client<'a> {
    post: &'a Post,
    source: IpAddr,
    kind: VisitorKind,
    solver: Option<Solver>,
    connection: Option<SendRequest<Empty<Bytes>>>,
    tls: Option<Arc<ClientConfig>>,
    jar: Jar,
}

/// How a page came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Got {
    pub(crate) outcome: Outcome,
    /// What lay between.
    pub(crate) way: Way,
}

/// How long the visitor goes on, for one want.
#[derive(Clone, Copy)]
struct Patience {
    /// Until when an answer must be there.
    answer_by: Moment,
    ends: Moment,
}

impl Patience {
    fn from(wanted: Moment) -> Self {
        Self { answer_by: wanted.after(ANSWER), ends: wanted.after(IN_ALL) }
    }

    /// Stays until then, and looks at nothing again from there. `None` where patience is over before.
    async fn stay(&mut self, until_when: Moment) -> Option<()> {
        until(until_when.min(self.ends)).await;
        let now = Moment::now();
        self.answer_by = now.after(ANSWER).min(self.ends);
        (now < self.ends).then_some(())
    }
}

impl<'a> Client<'a> {
    pub(crate) fn new(post: &'a Post, source: IpAddr, kind: VisitorKind, solver: Option<Solver>) -> Self {
        let tls = post.tls.as_ref().map(Tls::of_visitor);
        Self { post, source, kind, solver, connection: None, tls, jar: Jar::default() }
    }

    /// Goes on from another address, with the same cookies.
    pub(crate) fn roam(&mut self, source: IpAddr) {
        self.source = source;
        self.connection = None;
    }

    /// Asks for a page until it comes or patience is over.
    pub(crate) async fn get(&mut self, want: &Want, wanted: Moment) -> Got {
        let mut way = Way::default();
        let outcome = self.follow(want, Patience::from(wanted), &mut way).await;
        Got { outcome, way }
    }

    async fn follow(&mut self, want: &Want, mut patience: Patience, way: &mut Way) -> Outcome {
        let mut target = want.target.clone();
        let (mut redirects, mut pages) = (0, 0);
        loop {
            let Some(said) = self.ask_in_time(want, &target, patience).await else {
                return Outcome::TimedOut;
            };
            if let Said::GoTo(other) = said {
                (redirects, way.redirects) = (redirects + 1, way.redirects + 1);
                if redirects > REDIRECTS_MAX {
                    return Outcome::Wrong;
                }
                target = other;
                continue;
            }
            (redirects, pages) = (0, pages + 1);
            if let Said::Done(Outcome::Refused)
            | Said::Error { outcome: Outcome::Refused, .. }
            | Said::Page { refuses: true, .. } = said
            {
                way.refusals += 1;
            }
            target = match said {
                Said::Done(outcome) => return outcome,
                _ if pages > PAGES_MAX => return Outcome::Wrong,
                // Nobody sees a page that comes in place of a style sheet.
                Said::Page { .. } if want.what == Wanted::Part => return Outcome::ServerError,
                Said::Page { again, challenge, .. } => {
                    match self.take_page(&target, again, challenge.as_deref(), &mut patience, way).await {
                        Ok(next) => next,
                        Err(outcome) => return outcome,
                    }
                }
                Said::Error { outcome, retry_after } => {
                    let span = before_reload(way.reloads, retry_after);
                    let Some(span) = span.filter(|_| self.kind.is_person() && want.what != Wanted::Part)
                    else {
                        return outcome;
                    };
                    way.reloads += 1;
                    way.reloading_us = way.reloading_us.saturating_add(micros(span));
                    // What is over then was the server's error all the same.
                    if patience.stay(Moment::now().after(span)).await.is_none() {
                        return outcome;
                    }
                    want.target.clone()
                }
                Said::GoTo(other) => other,
            };
        }
    }

    /// What is asked for next after a page that asks for proof or says to wait.
    ///
    /// # Errors
    /// What has become of the wanted page: patience is over, or this visitor can do nothing with it.
    async fn take_page(
        &mut self,
        target: &str,
        again: Option<Again>,
        challenge: Option<&Challenge>,
        patience: &mut Patience,
        way: &mut Way,
    ) -> Result<String, Outcome> {
        let shown = Moment::now();
        if let (Some(challenge), Some(speed), Some(solver)) =
            (challenge, self.kind.hashes_per_second(), &self.solver)
            && way.proofs < PROOFS_MAX
        {
            let answer = solver.solve(challenge, speed).await;
            let now = Moment::now();
            way.working_us = way.working_us.saturating_add(now.us_since(shown));
            if let Some(answer) = answer {
                way.proofs += 1;
                self.jar.put(WORK_COOKIE, &answer);
                return patience.stay(now).await.map(|()| target.to_owned()).ok_or(Outcome::TimedOut);
            }
        }
        let again = again.filter(|_| self.kind.is_person()).ok_or(Outcome::ServerError)?;
        way.waits += 1;
        let stayed = patience.stay(shown.after(again.after)).await;
        way.waiting_us = way.waiting_us.saturating_add(Moment::now().us_since(shown));
        stayed.ok_or(Outcome::TimedOut)?;
        Ok(again.target.unwrap_or_else(|| target.to_owned()))
    }

    /// One request and what its answer says; `None` where nothing came in time.
    async fn ask_in_time(&mut self, want: &Want, target: &str, patience: Patience) -> Option<Said> {
        let left = patience.answer_by.since(Moment::now());
        let Ok(answer) = tokio::time::timeout(left, self.ask(want, target)).await else {
            self.connection = None;
            return None;
        };
        Some(match answer {
            Ok((status, headers, body)) => {
                if self.kind.keeps_cookies() {
                    self.jar.take_in(&headers, self.post.is_over_tls());
                }
                judge(want, (&self.post.site, target), status, &headers, &body)
            }
            Err(Outcome::Certificate) => Said::Done(Outcome::Certificate),
            // The browser's own error page.
            Err(outcome) => Said::Error { outcome, retry_after: None },
        })
    }

    /// One request and its whole answer. A kept connection that turns out to be closed is replaced
    /// once, as browsers do.
    async fn ask(&mut self, want: &Want, target: &str) -> Result<(StatusCode, HeaderMap, Bytes), Outcome> {
        let reused = self.connection.is_some();
        match self.ask_once(want, target).await {
            Err(Outcome::BrokeOff) if reused => self.ask_once(want, target).await,
            answer => answer,
        }
    }

    async fn ask_once(
        &mut self,
        want: &Want,
        target: &str,
    ) -> Result<(StatusCode, HeaderMap, Bytes), Outcome> {
        let mut connection = match self.connection.take() {
            Some(connection) if !connection.is_closed() => connection,
            _ => self.connect().await?,
        };
        let response = self.send(&mut connection, want, target).await.map_err(|_| Outcome::BrokeOff)?;
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
        want: &Want,
        target: &str,
    ) -> hyper::Result<Response<Incoming>> {
        connection.ready().await?;
        let request = Request::get(target).header(HOST, &self.post.site);
        let mut request = introduce(request, self.kind, want.what, self.post.is_over_tls());
        if let Some(cookies) = self.jar.field() {
            request = request.header(COOKIE, cookies);
        }
        let request = request.body(Empty::new()).unwrap_or_default();
        connection.send_request(request).await
    }
}

fn micros(span: std::time::Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
