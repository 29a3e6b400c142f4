//! What an answer says to whoever asked: here is the page, go elsewhere, wait, prove yourself, or no.

use std::time::Duration;

use http::StatusCode;
use http::header::{HeaderMap, LOCATION, RETRY_AFTER};

use super::page::{attribute, value};
use super::work::Challenge;
use crate::measure::Outcome;
use crate::plan::Want;

/// The longest that any page is obeyed when it says when to load it again, seconds.
const SPAN_S_MAX: u64 = 600;

/// What one answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// It is over, well or not.
    Done(Outcome),
    /// A redirect.
    GoTo(String),
    /// A page that says when to ask again and where, and perhaps what to prove instead; or that somebody
    /// asks for too much.
    Page { again: Option<Again>, challenge: Option<Box<Challenge>>, refuses: bool },
    /// An error page that may be gone later.
    Error { outcome: Outcome, retry_after: Option<Duration> },
}

/// When to ask again, and where, if elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Again {
    pub(super) after: Duration,
    pub(super) target: Option<String>,
}

/// Judges an answer to a request for `target` on `site`: only the wanted page is a success, whatever
/// the status.
pub(super) fn judge(
    want: &Want,
    (site, target): (&str, &str),
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
) -> Said {
    let found = || want.words.is_empty() || contains(body, want.words.as_bytes());
    if status == StatusCode::OK && found() {
        return Said::Done(Outcome::Arrived);
    }
    if status.is_redirection() {
        return match location(headers, site, target) {
            Some(path) => Said::GoTo(path),
            None => Said::Done(Outcome::Wrong),
        };
    }
    let challenge = challenge(status, body).map(Box::new);
    let again = refresh(headers, body, site, target);
    if challenge.is_some() || again.is_some() {
        let refuses = matches!(status.as_u16(), 401 | 403 | 429);
        return Said::Page { again, challenge, refuses };
    }
    let seconds = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let retry_after = seconds.map(Duration::from_secs);
    match status.as_u16() {
        401 | 403 => Said::Done(Outcome::Refused),
        429 => Said::Error { outcome: Outcome::Refused, retry_after },
        500..=599 => Said::Error { outcome: Outcome::ServerError, retry_after },
        _ => Said::Done(Outcome::Wrong),
    }
}

/// Where a redirect leads, if it stays on the site.
pub(super) fn location(headers: &HeaderMap, site: &str, target: &str) -> Option<String> {
    own_path(headers.get(LOCATION)?.to_str().ok()?, site, target)
}

/// The challenge in a page of status 503.
pub(super) fn challenge(status: StatusCode, body: &[u8]) -> Option<Challenge> {
    if status != StatusCode::SERVICE_UNAVAILABLE {
        return None;
    }
    Challenge::read(&attribute(body, "main", "data-challenge", |_| true)?)
}

/// `Refresh`, as a field or in a page.
pub(super) fn refresh(headers: &HeaderMap, body: &[u8], site: &str, target: &str) -> Option<Again> {
    let field = headers.get("refresh").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let is_refresh =
        |tag: &str| value(tag, "http-equiv").is_some_and(|name| name.eq_ignore_ascii_case("refresh"));
    let text = field.or_else(|| attribute(body, "meta", "content", is_refresh))?;
    // `5` or `5; url=/elsewhere`.
    let (seconds, rest) = text.split_once([';', ',']).unwrap_or((&text, ""));
    let after = Duration::from_secs(seconds.trim().parse::<u64>().ok()?.min(SPAN_S_MAX));
    let (key, to) = rest.trim().split_once('=').unwrap_or_default();
    let to = to.trim().trim_matches(['\'', '"']);
    let target = key.trim().eq_ignore_ascii_case("url").then(|| own_path(to, site, target)).flatten();
    Some(Again { after, target })
}

/// Path and query of where something leads, seen from `target`; `None` where it leaves the site. Whatever it
/// names, only the edge is asked.
fn own_path(to: &str, site: &str, target: &str) -> Option<String> {
    let path = target.split_once('?').map_or(target, |(path, _)| path);
    let to = to.split_once('#').map_or(to, |(to, _)| to);
    if to.starts_with('?') {
        return Some(format!("{path}{to}"));
    }
    let uri: http::Uri = to.parse().ok()?;
    if uri.host().is_some_and(|host| !host.eq_ignore_ascii_case(site)) {
        return None;
    }
    let path = uri.path_and_query()?.as_str();
    path.starts_with('/').then(|| path.to_owned())
}

fn contains(body: &[u8], words: &[u8]) -> bool {
    body.windows(words.len()).any(|window| window == words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Wanted;

    fn told(status: u16, fields: &[(&'static str, &'static str)], body: &str) -> String {
        let want = Want { what: Wanted::Page, target: "/a?b".into(), words: "<h1>Hello" };
        let headers = fields
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect::<HeaderMap>();
        let status = StatusCode::from_u16(status).unwrap();
        match judge(&want, ("www.vote.example", "/a?b"), status, &headers, body.as_bytes()) {
            Said::Done(outcome) => format!("{outcome:?}"),
            Said::GoTo(target) => format!("go to {target}"),
            Said::Page { again, challenge, refuses } => {
                let again = again.map(|again| {
                    format!("{:?} at {}", again.after, again.target.as_deref().unwrap_or("here"))
                });
                let work = challenge.map_or("", |_| " or work");
                let refused = if refuses { ", refused" } else { "" };
                format!("wait {}{work}{refused}", again.unwrap_or_default())
            }
            Said::Error { outcome, retry_after } => format!("{outcome:?} for {retry_after:?}"),
        }
    }

    #[test]
    fn only_the_wanted_page_is_a_success() {
        const CHOICE: &str = "<noscript><meta http-equiv=\"refresh\" content=\"5; url=/a?b&amp;floodwall=t\"></noscript>\
            <main data-challenge=\"{&#34;algorithm&#34;:&#34;SHA-256&#34;,&#34;challenge&#34;:&#34;00&#34;,\
            &#34;salt&#34;:&#34;s&#34;,&#34;signature&#34;:&#34;t&#34;,&#34;maxnumber&#34;:5}\">";
        for (status, fields, body, next) in [
            (200, &[][..], "<h1>Hello</h1>", "Arrived"),
            (200, &[], "<h1>Checking your browser</h1>", "Wrong"),
            (503, &[("refresh", "5")], "", "wait 5s at here"),
            (429, &[("refresh", "5"), ("retry-after", "5")], "", "wait 5s at here, refused"),
            (200, &[("refresh", "2; url=/x?y")], "", "wait 2s at /x?y"),
            (503, &[("refresh", "2; URL='/x'"), ("retry-after", "9")], "", "wait 2s at /x"),
            (503, &[], CHOICE, "wait 5s at /a?b&floodwall=t or work"),
            (503, &[("refresh", "1")], CHOICE, "wait 1s at here or work"),
            (403, &[], "<main data-challenge=\"{}\">", "Refused"),
            (503, &[], "<main data-challenge=\"{}\">", "ServerError for None"),
            (302, &[("location", "/?proof=1")], "", "go to /?proof=1"),
            (307, &[("location", "?b&floodwall=1")], "", "go to /a?b&floodwall=1"),
            (308, &[("location", "http://www.vote.example:8080/a#top")], "", "go to /a"),
            (303, &[("location", "http://elsewhere.test/a")], "", "Wrong"),
            (302, &[], "", "Wrong"),
            (429, &[], "<h1>Hello", "Refused for None"),
            (429, &[("retry-after", "7")], "", "Refused for Some(7s)"),
            (403, &[], "", "Refused"),
            (502, &[], "", "ServerError for None"),
            (503, &[("retry-after", "Fri, 31 Dec 1999 23:59:59 GMT")], "", "ServerError for None"),
            (404, &[], "", "Wrong"),
        ] {
            assert_eq!(told(status, fields, body), next, "{status} {fields:?} {body}");
        }
    }
}
