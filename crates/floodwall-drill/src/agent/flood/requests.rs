//! Floods of requests: one after the other over the connections of its source.

use std::net::IpAddr;

use http::header::{COOKIE, HOST, HeaderMap};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;

use super::skilled::{BODY_BYTES_MAX, FOLLOWED_MAX, Next};
use super::{Fate, Running};
use crate::agent::introduction::{FLOODERS_USER_AGENT, introduce};
use crate::agent::tls::Tls;
use crate::plan::Wanted;
use crate::scenario::{FloodKind, Skill, VisitorKind};

/// One request, and what follows from its answer by the flooder's skill.
pub(super) async fn ask(running: &Running, source: IpAddr, target: &str) -> Option<Fate> {
    let mut target = target.to_owned();
    let mut followed = 0;
    loop {
        let (status, headers, body) = ask_once(running, source, &target).await?;
        let place = (running.post.site.as_str(), target.as_str());
        let answer = (status, &headers, body.as_slice());
        let next = match running.skilled.take_in(source, place, answer, running.post.is_over_tls()) {
            _ if followed >= FOLLOWED_MAX => None,
            Next::Stands => None,
            Next::Ask(other) => Some(other),
            Next::Solve(challenge) if running.skilled.solve(source, &challenge).await => {
                running.note(|counts| counts.proofs += 1);
                Some(target)
            }
            Next::Solve(_) => None,
        };
        let Some(next) = next else {
            return Some(match status.as_u16() {
                200..=299 => Fate::Served,
                300..=399 => Fate::Redirected,
                400..=499 => Fate::Refused,
                _ => Fate::ServerError,
            });
        };
        target = next;
        followed += 1;
        running.note(|counts| counts.followed += 1);
    }
}

/// One request over a connection of that source. Of the body, what a challenge can be in is kept.
async fn ask_once(
    running: &Running,
    source: IpAddr,
    target: &str,
) -> Option<(StatusCode, HeaderMap, Vec<u8>)> {
    let address = running.post.own.edge(source, running.post.port);
    let mut connection = match running.take(source) {
        Some(connection) => connection,
        None => {
            let stream = running.post.connect(source, Tls::of_flooder).await.ok()?;
            let (connection, driver) = handshake(TokioIo::new(stream)).await.ok()?;
            tokio::spawn(driver);
            connection
        }
    };
    let host = match running.flood.kind {
        FloodKind::BareAddress => address.socket().to_string(),
        _ => running.post.site.clone(),
    };
    let request = Request::get(target).header(HOST, host);
    let mut request = if running.flood.skill == Skill::Plain {
        request.header("user-agent", FLOODERS_USER_AGENT).header("accept", "*/*")
    } else {
        // Who goes to such trouble looks like the others, too.
        introduce(request, VisitorKind::Browser, Wanted::Page, running.post.is_over_tls())
    };
    if let Some(cookies) = running.skilled.cookies(source) {
        request = request.header(COOKIE, cookies);
    }
    let response = connection.send_request(request.body(Empty::new()).ok()?).await.ok()?;
    let (parts, mut body) = response.into_parts();
    let is_looked_at = running.skilled.solves() && parts.status == StatusCode::SERVICE_UNAVAILABLE;
    let mut read = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.ok()?;
        if let Some(data) = frame.data_ref().filter(|_| is_looked_at && read.len() < BODY_BYTES_MAX) {
            read.extend_from_slice(data);
        }
    }
    running.keep(source, connection);
    Some((parts.status, parts.headers, read))
}
