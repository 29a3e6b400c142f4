//! From request to answer: which document, which look-up, which refusal.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH,
    InvalidHeaderValue, LAST_MODIFIED, LOCATION, REFERRER_POLICY, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;

use super::counters::Counters;
use super::database::{Database, DatabaseBusy};
use super::documents::{self, Document, Documents, HTML};
use super::layout::{self, Language, Page, escape};
use super::lookup_form::{self, LookUp};
use super::percent::percent_decode;
use super::places::Place;
use super::trouble::{SLOW, Trouble, TroubleSwitch};

pub(crate) type Answer = Response<Full<Bytes>>;

/// When the database is busy, the line is gone within two seconds at its usual speed.
const RETRY_AFTER_SECONDS: u64 = 5;
/// No scripts, nothing from elsewhere, no framing.
const CONTENT_POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
                              base-uri 'none'; frame-ancestors 'none'";

/// The sample site without its sockets.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) documents: Documents,
    pub(crate) database: Database,
    pub(crate) counters: Arc<Counters>,
    pub(crate) trouble: TroubleSwitch,
}

/// What a path stands for.
enum Resource<'a> {
    Document(&'a Document),
    LookUp,
    Health,
    /// A document stands at this path, with or without the final slash.
    Moved(&'static str),
    /// The path tries to leave the site or cannot be read.
    Malformed,
    Unknown,
}

impl Site {
    pub(crate) fn new(counters: Arc<Counters>) -> Result<Self, InvalidHeaderValue> {
        let database = Database::new(Arc::clone(&counters));
        Ok(Self { documents: Documents::load()?, database, counters, trouble: TroubleSwitch::default() })
    }

    /// Answers one request. Its body, if any, is not read. The server leaves out the answer's body
    /// where the method is HEAD.
    pub(crate) async fn answer<B>(&self, request: &Request<B>) -> Answer {
        self.counters.requests.fetch_add(1, Relaxed);
        match self.trouble.get() {
            Trouble::None => {}
            Trouble::Slow => tokio::time::sleep(SLOW).await,
            Trouble::Errors => return refusal(&BROKEN),
        }
        let resource = self.resource(request.uri().path());
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        match resource {
            Resource::Malformed => refusal(&BAD_PATH),
            Resource::Unknown => refusal(&NOT_FOUND),
            _ if !reads => {
                let mut answer = refusal(&BAD_METHOD);
                answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
                answer
            }
            Resource::Document(document) => send(document, request.headers()),
            Resource::LookUp => self.look_up(request.uri().query().unwrap_or_default()).await,
            Resource::Health => answer(StatusCode::OK, "application/json", self.counters.to_json()),
            Resource::Moved(path) => {
                let mut answer = refusal(&MOVED);
                answer.headers_mut().insert(LOCATION, HeaderValue::from_static(path));
                answer
            }
        }
    }

    fn resource(&self, path: &str) -> Resource<'_> {
        if let Some(document) = self.documents.get(path) {
            return Resource::Document(document);
        }
        match path {
            "/polling-place/lookup" => Resource::LookUp,
            "/healthz" => Resource::Health,
            _ if is_malformed(path) => Resource::Malformed,
            _ => self.documents.beside_slash(path).map_or(Resource::Unknown, Resource::Moved),
        }
    }

    async fn look_up(&self, query: &str) -> Answer {
        let look_up = match lookup_form::read(query) {
            Ok(look_up) => look_up,
            Err(form) => {
                let main = lookup_form::render(&form);
                return page(StatusCode::BAD_REQUEST, "Error: Find your polling place", &main);
            }
        };
        match self.database.polling_place(&look_up).await {
            Ok((place, precinct)) => {
                page(StatusCode::OK, "Your polling place", &result(&look_up, place, &precinct))
            }
            Err(DatabaseBusy::LineFull | DatabaseBusy::WaitedTooLong) => {
                self.counters.lookups_refused.fetch_add(1, Relaxed);
                let mut answer = refusal(&BUSY);
                answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
                answer
            }
        }
    }
}

/// Whether the path, decoded once, holds dot segments, backslashes, encoded slashes or control
/// characters, or cannot be decoded. None of these could reach anything; 400 tells the prober from
/// the voter who mistyped.
fn is_malformed(path: &str) -> bool {
    let Some(decoded) = percent_decode(path) else { return true };
    let slashes = |bytes: &[u8]| bytes.iter().filter(|byte| **byte == b'/').count();
    slashes(&decoded) != slashes(path.as_bytes())
        || decoded.iter().any(|byte| *byte == b'\\' || byte.is_ascii_control())
        || decoded.split(|byte| *byte == b'/').any(|segment| segment == b"." || segment == b"..")
}

/// A document, or 304 when the asker has it already (RFC 9110 section 13.2.2).
fn send(document: &Document, asked: &HeaderMap) -> Answer {
    let mut answer = if is_held(document, asked) {
        let mut unchanged = answer(StatusCode::NOT_MODIFIED, document.content_type, Bytes::new());
        unchanged.headers_mut().remove(CONTENT_TYPE);
        unchanged
    } else {
        answer(StatusCode::OK, document.content_type, document.body.clone())
    };
    let headers = answer.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(document.cache_control));
    headers.insert(ETAG, document.etag.clone());
    headers.insert(LAST_MODIFIED, HeaderValue::from_static(documents::LAST_MODIFIED));
    answer
}

/// `If-None-Match` decides where it is present; otherwise the very date we gave, as it comes back
/// from caches: any other date gets the whole document, which is always right.
fn is_held(document: &Document, asked: &HeaderMap) -> bool {
    if asked.contains_key(IF_NONE_MATCH) {
        return asked
            .get_all(IF_NONE_MATCH)
            .iter()
            .any(|list| names(list.as_bytes(), document.etag.as_bytes()));
    }
    asked.get(IF_MODIFIED_SINCE).is_some_and(|date| date == documents::LAST_MODIFIED)
}

/// Weak comparison (RFC 9110 section 8.8.3.2). Our tags hold no comma, so splitting at commas
/// finds them among any others.
fn names(list: &[u8], etag: &[u8]) -> bool {
    list.split(|byte| *byte == b',')
        .map(<[u8]>::trim_ascii)
        .any(|entry| entry == b"*" || entry.strip_prefix(b"W/").unwrap_or(entry) == etag)
}

fn result(look_up: &LookUp, place: &Place, precinct: &str) -> String {
    let asked =
        [look_up.address.as_deref(), look_up.zip.as_deref()].into_iter().flatten().collect::<Vec<_>>();
    let note = match look_up.address {
        Some(_) => "",
        None => {
            "<p>Some streets in this ZIP code vote elsewhere. <a href=\"/polling-place\">Enter your house number and \
             street</a> to be sure.</p>\n"
        }
    };
    format!(
        include_str!("../site/result.html"),
        name = escape(place.name),
        street = escape(place.street),
        town = escape(place.town),
        entrance = escape(place.entrance),
        precinct = escape(precinct),
        asked = escape(&asked.join(", ")),
        note = note,
    )
}

/// A page that says why there is no other.
struct Refusal {
    status: StatusCode,
    heading: &'static str,
    words: &'static str,
}

const BAD_PATH: Refusal = Refusal {
    status: StatusCode::BAD_REQUEST,
    heading: "We cannot read this address",
    words: "The web address has characters that this site does not use. Please check it, or start from the home page.",
};
const NOT_FOUND: Refusal = Refusal {
    status: StatusCode::NOT_FOUND,
    heading: "Page not found",
    words: "There is no page at this address. It may have moved. You may find what you need here:",
};
const BAD_METHOD: Refusal = Refusal {
    status: StatusCode::METHOD_NOT_ALLOWED,
    heading: "This page can only be read",
    words: "Nothing can be sent to this address. You may find what you need here:",
};
const MOVED: Refusal = Refusal {
    status: StatusCode::MOVED_PERMANENTLY,
    heading: "This page has moved",
    words: "Your browser should take you there. If it does not, start here:",
};
const BUSY: Refusal = Refusal {
    status: StatusCode::SERVICE_UNAVAILABLE,
    heading: "Many people are looking up their polling place",
    words: "Please wait a few seconds and reload this page. Your polling place is also on your voter card.",
};
const BROKEN: Refusal = Refusal {
    status: StatusCode::INTERNAL_SERVER_ERROR,
    heading: "Something went wrong",
    words: "We are working on it. Your polling place is also on your voter card.",
};

fn refusal(refusal: &Refusal) -> Answer {
    let main = format!(include_str!("../site/error.html"), heading = refusal.heading, words = refusal.words);
    page(refusal.status, refusal.heading, &main)
}

/// A page made for this one request.
fn page(status: StatusCode, title: &str, main: &str) -> Answer {
    let description = "State of Example Office of Elections. A sample site, not a real office.";
    let page = Page { language: Language::English, path: "", title, description, main };
    answer(status, HTML, layout::render(&page))
}

/// Not to be stored, unless whoever calls says otherwise.
fn answer(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    answer
}
