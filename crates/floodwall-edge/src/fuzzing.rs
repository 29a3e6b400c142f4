//! Entry points for fuzzing: each takes arbitrary bytes and panics when a promise is broken.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use floodwall_model::{Prefix, SiteId, Timestamp};
use http::header::{
    ACCEPT_ENCODING, AGE, AUTHORIZATION, CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_LENGTH, COOKIE, DATE, ETAG,
    EXPIRES, FORWARDED, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, LAST_MODIFIED, RANGE, SET_COOKIE,
    TRANSFER_ENCODING, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use crate::cache::{
    CacheRequest, CacheSettings, Exchange, LookUp, ResponseCache, ResponseDirectives, Served, prepare_fill,
};
use crate::forwarded::{HOPS_MAX, append_forwarding, client_address};
use crate::kept;
use crate::pages::{self, Language, OverloadPage, PlaceInLine};
use crate::query::{PathPattern, QueryRule, QueryRules};
use crate::request_guard::{BodyStep, FaultKind, GuardLimits, RequestGuard};
use crate::upstream::answer::{AnswerFault, AnswerHead, HeadReader, announced};

mod first_bytes;

#[cfg(test)]
pub(crate) use first_bytes::{ReadHello, read_hello, read_opening};
pub use first_bytes::{client_hello, fingerprint_of_hello, http2_opening, proxy_header};

/// One connection's requests, read from its bytes as they come.
#[derive(Debug)]
pub(crate) struct Requests {
    pub(crate) guard: RequestGuard,
    /// What has come and is not taken.
    pub(crate) input: BytesMut,
    /// The requests that came whole.
    pub(crate) whole: Vec<ReadRequest>,
    begun_request: Option<ReadRequest>,
    /// Where in the stream the request being read begins.
    begun: usize,
    seen: usize,
}

/// A request as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReadRequest {
    pub(crate) method: Method,
    pub(crate) target: String,
    pub(crate) fields: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// What is wrong with a request, and how many bytes of the chunk shown last belong to whole requests
/// before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) kind: FaultKind,
    pub(crate) accepted: usize,
}

impl Requests {
    pub(crate) fn new(limits: GuardLimits) -> Self {
        Self {
            guard: RequestGuard::new(limits),
            input: BytesMut::new(),
            whole: Vec::new(),
            begun_request: None,
            begun: 0,
            seen: 0,
        }
    }

    /// Reads on in what has come with `chunk`.
    pub(crate) fn inspect(&mut self, chunk: &[u8]) -> Result<(), Fault> {
        let before = self.seen;
        self.seen += chunk.len();
        self.input.extend_from_slice(chunk);
        self.read_on().map_err(|kind| {
            self.input = BytesMut::new();
            Fault { kind, accepted: self.begun.saturating_sub(before) }
        })
    }

    fn read_on(&mut self) -> Result<(), FaultKind> {
        loop {
            let Some(request) = self.begun_request.as_mut() else {
                let Some(head) = self.guard.read_head(&self.input)? else { return Ok(()) };
                self.input.advance(head.bytes);
                let (method, fields) = (head.parts.method, head.parts.headers);
                let target = head.parts.uri.to_string();
                self.begun_request = Some(ReadRequest { method, target, fields, body: Vec::new() });
                continue;
            };
            match self.guard.read_body(&mut self.input)? {
                BodyStep::More => return Ok(()),
                BodyStep::Part(part) => {
                    assert!(!part.is_empty(), "a part of nothing");
                    request.body.extend_from_slice(&part);
                }
                BodyStep::End => {
                    self.whole.extend(self.begun_request.take());
                    self.begun = self.seen - self.input.len();
                }
            }
        }
    }
}

/// Feeds the chunks to a new guard; its verdict, and how many bytes it lets pass.
fn guard_verdict<'a>(chunks: impl Iterator<Item = &'a [u8]>) -> (Option<FaultKind>, usize) {
    let mut guard = Requests::new(GuardLimits { head_bytes_max: 512, fields_max: 8 });
    let mut passed = 0;
    for chunk in chunks {
        match guard.inspect(chunk) {
            Ok(()) => passed += chunk.len(),
            Err(fault) => {
                assert!(fault.accepted <= chunk.len(), "accepts more than it was shown");
                return (Some(fault.kind), passed + fault.accepted);
            }
        }
    }
    (None, passed)
}

/// The request guard gives the same verdict however the bytes are split, and never lets less pass
/// than the whole requests before a fault. The first byte of `data` chooses the split, the rest is
/// the connection.
pub fn request_guard(data: &[u8]) {
    let Some((split, stream)) = data.split_first() else {
        return;
    };
    let (verdict, passed) = guard_verdict(std::iter::once(stream));
    for chunk_bytes in [1, usize::from(*split).max(1)] {
        let (split_verdict, split_passed) = guard_verdict(stream.chunks(chunk_bytes));
        assert_eq!(verdict, split_verdict, "the split changed the verdict");
        assert!(split_passed >= passed, "the split held whole requests back");
    }
    // What was accepted of the stream is free of faults and ends between two requests.
    if verdict.is_some() {
        let accepted = stream.get(..passed).unwrap_or_default();
        assert_eq!(guard_verdict(std::iter::once(accepted)), (None, passed), "accepted bytes are faulty");
    }
}

/// Client addresses: strangers are believed nothing, what is told to the origin is well-formed, and
/// a further edge that trusts this one sees the same client. `data` is header lines separated by
/// line feeds; the first byte of each chooses the header.
pub fn forwarded(data: &[u8]) {
    let mut headers = HeaderMap::new();
    for line in data.split(|&b| b == b'\n').take(16) {
        let Some((chosen, value)) = line.split_first() else {
            continue;
        };
        let name = match chosen % 3 {
            0 => HeaderName::from_static("x-forwarded-for"),
            1 => FORWARDED,
            _ => HeaderName::from_static("x-forwarded-proto"),
        };
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.append(name, value);
        }
    }
    let trusted: Vec<Prefix> = "10.0.0.0/8".parse().into_iter().collect();
    let [proxy, next_proxy] = [1, 2].map(|last| IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)));
    let stranger = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

    assert_eq!(client_address(stranger, &trusted, &headers).address, stranger, "a stranger was believed");
    let mut told = headers.clone();
    append_forwarding(&mut told, stranger, true, "a.example", false);
    let seen = client_address(next_proxy, &trusted, &told);
    assert_eq!((seen.address, seen.scheme_https, seen.malformed), (stranger, Some(true), false), "forged");

    let client = client_address(proxy, &trusted, &headers);
    append_forwarding(&mut headers, proxy, true, "a.example", true);
    let seen = client_address(next_proxy, &trusted, &headers);
    if !client.malformed && client.trusted_hops < HOPS_MAX {
        assert_eq!(
            (seen.address, seen.malformed),
            (client.address, false),
            "the next edge sees another client"
        );
    }
}

/// Header lines separated by line feeds; the first byte of each chooses the field.
fn lines(data: &[u8], names: &[HeaderName]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in data.split(|&b| b == b'\n').take(24) {
        let Some((chosen, value)) = line.split_first() else { continue };
        let name = names.get(usize::from(*chosen).checked_rem(names.len()).unwrap_or(0));
        if let (Some(name), Ok(value)) = (name, HeaderValue::from_bytes(value)) {
            headers.append(name.clone(), value);
        }
    }
    headers
}

/// Cache-Control: any bytes are read, `no-store` on a line of its own is never overlooked, no number
/// goes beyond its bound, and lines mean what they mean joined. `data` is lines of the field.
pub fn cache_control(data: &[u8]) {
    const SECONDS_MAX: Duration = Duration::from_secs(1 << 31);
    let mut headers = HeaderMap::new();
    for line in data.split(|&b| b == b'\n').take(24) {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append(CACHE_CONTROL, value);
        }
    }
    let read = ResponseDirectives::of(&headers);
    for seconds in [read.max_age, read.s_maxage, read.stale_if_error, read.stale_while_revalidate] {
        assert!(seconds.is_none_or(|seconds| seconds <= SECONDS_MAX), "beyond the bound");
    }
    let all: Vec<&[u8]> = headers.get_all(CACHE_CONTROL).iter().map(HeaderValue::as_bytes).collect();
    let mut joined = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_bytes(&all.join(&b","[..])) {
        joined.append(CACHE_CONTROL, value);
    }
    // A quote left open on one line swallows the next when they are joined, and is no-store before.
    if !read.no_store && data.len() < 2048 {
        assert_eq!(ResponseDirectives::of(&joined), read, "lines and their join differ");
    }
    headers.append(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    assert!(ResponseDirectives::of(&headers).no_store, "no-store was overlooked");
}

/// Query hygiene: what is left of a query is made of what came, is left alone the second time, and names
/// only what the rule names. `data` is a target.
pub fn query(data: &[u8]) {
    let Ok(target) = std::str::from_utf8(data) else { return };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let rule =
        |path, names: &[&str]| QueryRule { path, parameters: names.iter().map(|n| (*n).into()).collect() };
    let rules = QueryRules::new(vec![
        rule(PathPattern::Exact("/search".into()), &["q", "page"]),
        rule(PathPattern::Below("/".into()), &["id"]),
    ]);
    if let Some(reduced) = rules.reduced(path, query) {
        let (same_path, left) = reduced.split_once('?').unwrap_or((&reduced, ""));
        assert!(path.contains('?') || same_path == path, "another path");
        for pair in left.split('&').filter(|pair| !pair.is_empty()) {
            assert!(query.split('&').any(|came| came == pair), "made up");
            assert!(["q", "page", "id"].contains(&pair.split('=').next().unwrap_or_default()), "not named");
        }
        assert!(left.is_empty() || rules.reduced(same_path, left).is_none(), "not settled at once");
    }
}

/// A copy on disk: any bytes are read or refused, and whatever checksum stands before them, nothing of
/// it is longer than the file. `data` is what follows the checksum.
pub fn kept_copy(data: &[u8]) {
    assert!(kept::decode(data).is_none() || data.len() > kept::HEAD_BYTES, "too short to be one");
    let mut sealed = [&[0; kept::HEAD_BYTES][..], data].concat();
    kept::seal(&mut sealed);
    if let Some((key, copy)) = kept::decode(&sealed) {
        let text = key.site.len() + key.authority.len() + key.path_and_query.len();
        assert!(text + copy.body.len() < data.len(), "longer than the file");
        if let Some(last) = sealed.last_mut() {
            *last ^= 1;
        }
        assert!(kept::decode(&sealed).is_none(), "damage was not seen");
    }
}

/// The cache as a whole: an answer that must not be shared never is, what is stored comes back to the
/// request that asked for it and with the body it came with, and memory stays within its bound.
/// `data` is a request's lines, an answer's and a second request's, separated by NUL.
pub fn cache(data: &[u8]) {
    const ASKED: [HeaderName; 9] = [
        ACCEPT_ENCODING,
        COOKIE,
        AUTHORIZATION,
        IF_NONE_MATCH,
        IF_MODIFIED_SINCE,
        RANGE,
        CACHE_CONTROL,
        HeaderName::from_static("accept-language"),
        IF_RANGE,
    ];
    const ANSWERED: [HeaderName; 11] = [
        CACHE_CONTROL,
        VARY,
        ETAG,
        LAST_MODIFIED,
        EXPIRES,
        DATE,
        AGE,
        SET_COOKIE,
        CONTENT_LENGTH,
        HeaderName::from_static("cdn-cache-control"),
        CONTENT_LANGUAGE,
    ];
    let mut parts = data.split(|&b| b == b'\0');
    let mut next = || parts.next().unwrap_or_default();
    let (first, answer, second) = (lines(next(), &ASKED), lines(next(), &ANSWERED), lines(next(), &ASKED));
    let cache = ResponseCache::new(CacheSettings { memory_bytes_max: 1 << 20, ..CacheSettings::default() });
    let asks = |headers: &HeaderMap, check: &mut dyn FnMut(&CacheRequest<'_>)| {
        check(&CacheRequest {
            site: SiteId(0),
            https: false,
            authority: "a.test",
            method: &Method::GET,
            path_and_query: "/",
            headers,
            has_body: false,
        });
    };
    let now = Timestamp::new(Duration::from_secs(10), 1_790_000_000_000_000);
    let exchange = Exchange { request_sent: now, response_received: now, stale_if_error: None };
    let mut stored = false;
    asks(&first, &mut |request| {
        if let Ok(mut fill) = cache.begin_fill(request, StatusCode::OK, &answer, &exchange) {
            fill.push(b"body");
            stored = cache.finish_fill(fill, now).is_ok();
        }
    });
    let directives = ResponseDirectives::of(&answer);
    let refused = directives.private
        || (directives.no_store && !directives.must_understand)
        || answer.contains_key(SET_COOKIE);
    assert!(!(stored && refused), "stored what must not be");
    assert!(cache.bytes() <= cache.bytes_max(), "over the bound");
    for (headers, asked_first) in [(&first, true), (&second, false)] {
        asks(headers, &mut |request| match cache.look_up(request, now) {
            LookUp::Fresh(copy) | LookUp::Stale { response: copy, .. } => {
                assert!(stored, "found what was not stored");
                let answer = copy.answer(&Method::GET, headers, Served::Hit, now);
                assert!(is_part_of(&answer.body, b"body", answer.status), "another body");
            }
            LookUp::Miss { .. } => assert!(!(stored && asked_first), "stored, and not found again"),
            _ => {}
        });
        prepare_fill(&mut headers.clone());
    }
}

/// Whether an answer has the body that its status promises.
fn is_part_of(body: &[u8], whole: &[u8], status: StatusCode) -> bool {
    match status {
        StatusCode::OK => body == whole,
        StatusCode::PARTIAL_CONTENT => !body.is_empty() && whole.windows(body.len()).any(|part| part == body),
        _ => body.is_empty(),
    }
}

/// What was read of one answer of an origin.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct AnswerRead {
    /// Status, fields, whether the connection may be used again; `None` while the head is not whole.
    pub(crate) head: Option<(StatusCode, HeaderMap, bool)>,
    pub(crate) body: Vec<u8>,
    /// All of it came, and nothing was wrong with it.
    pub(crate) whole: bool,
    pub(crate) fault: Option<AnswerFault>,
}

/// Reads one answer from an origin that sends `chunks` and closes.
pub(crate) fn read_answer<'a>(method: &Method, chunks: impl Iterator<Item = &'a [u8]>) -> AnswerRead {
    let mut read = AnswerRead::default();
    if let Err(fault) = take_answer(method, chunks, &mut read) {
        read.fault = Some(fault);
    }
    read
}

fn take_answer<'a>(
    method: &Method,
    chunks: impl Iterator<Item = &'a [u8]>,
    read: &mut AnswerRead,
) -> Result<(), AnswerFault> {
    let (mut input, mut reader) = (BytesMut::new(), HeadReader::default());
    let mut head: Option<AnswerHead> = None;
    for chunk in chunks {
        input.extend_from_slice(chunk);
        if head.is_none() {
            head = reader.take(&mut input, method)?;
            if let Some(head) = &head {
                let table = head.fields.clone().into_table(announced(head.framing))?;
                read.head = Some((head.status, table, head.keeps_alive));
            }
        }
        let Some(head) = head.as_mut() else { continue };
        while let Some(part) = head.framing.take(&mut input)? {
            assert!(!part.is_empty(), "a part of nothing");
            read.body.extend_from_slice(&part);
        }
        if head.framing.is_done() {
            read.whole = true;
            return Ok(());
        }
        assert!(input.is_empty(), "bytes of a body were held back");
    }
    let Some(mut head) = head else { return Err(AnswerFault::BrokeOff) };
    head.framing.close()?;
    read.whole = true;
    Ok(())
}

/// An origin's answer is read the same however its bytes are split, and its framing is one that
/// leaves no doubt. The first byte of `data` chooses split and method, the rest is what comes.
pub fn origin_answer(data: &[u8]) {
    let Some((choice, stream)) = data.split_first() else { return };
    let method = if choice % 4 == 0 { Method::HEAD } else { Method::GET };
    let at_once = read_answer(&method, std::iter::once(stream));
    for chunk_bytes in [1, usize::from(*choice).max(1)] {
        let split = read_answer(&method, stream.chunks(chunk_bytes));
        if at_once.fault.is_none() && split.fault.is_none() {
            assert_eq!(at_once, split, "the split changed the answer");
        }
        // Which fault a head has that also breaks off depends on how much of it was there at once.
        assert_eq!(at_once.fault.is_some(), split.fault.is_some(), "the split changed the verdict");
    }
    let Some((status, fields, keeps_alive)) = &at_once.head else { return };
    assert!(!fields.contains_key(TRANSFER_ENCODING), "a coding that is undone was passed on");
    assert!(!status.is_informational(), "an interim answer was taken for the answer");
    let lengths = fields.get_all(CONTENT_LENGTH).iter().count();
    assert!(lengths <= 1, "several lengths were passed on");
    // Where there is no length and yet all came, it was chunked, or had no content, or the connection
    // ended it.
    let chunked = stream.to_ascii_lowercase().windows(7).any(|text| text == b"chunked");
    if *keeps_alive && at_once.whole && method == Method::GET && !chunked {
        let without = matches!(*status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        assert!(lengths == 1 || without, "kept open without a length");
    }
}

/// A page of an overloaded site is the same page whatever it is asked for again: no markup comes into
/// it, no link leads elsewhere, and it stays small. `data` is `Accept-Language`, a line break, and the
/// target.
pub fn page(data: &[u8]) {
    let Some((field, target)) = data.iter().position(|byte| *byte == b'\n').map(|at| data.split_at(at))
    else {
        return;
    };
    let language = HeaderValue::from_bytes(field).ok();
    let language = Language::of(language.as_ref());
    let target = String::from_utf8_lossy(target);
    let place = PlaceInLine { ahead: 2, expected: Duration::ZERO, refresh: Duration::ZERO };
    let html = |target| {
        let reference = floodwall_model::ReferenceId::from_random(7);
        let page = OverloadPage { language, reference, target, retry_after: Duration::ZERO };
        let body = pages::waiting(&page, &place).into_body();
        let crate::body::Payload::Whole(html) = body else { return String::new() };
        String::from_utf8_lossy(&html).into_owned()
    };
    for target in [target.trim_start_matches('\n'), &format!("/{}", target.trim_start())] {
        let (html, calm) = (html(target), html("/calm"));
        assert!(html.len() < calm.len() + 2_048, "an address made the page long");
        for mark in ["<", ">", "\"", "'", "&", "\n"] {
            let others =
                html.matches(mark).count() - html.matches("&amp;").count() * usize::from(mark == "&");
            assert_eq!(others, calm.matches(mark).count(), "an address changed the page: {html}");
        }
        let link = html.split("id=\"again\" href=\"").nth(1).unwrap_or_default();
        assert!(link.starts_with("\"") || link.starts_with('/') && !link.starts_with("//"), "{link}");
    }
}
