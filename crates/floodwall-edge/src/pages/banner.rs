//! The banner on a page that is a kept copy: what it is, of when, and why.
//!
//! Put behind the page's `<body>` tag; nothing else of the page is changed. Its words are ASCII, others
//! as entities, so that they are right in whatever encoding the page is in but UTF-16. Its style is in
//! an attribute: a page whose policy forbids that shows the banner as plain text.

use http::header::{
    ACCEPT_RANGES, AGE, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderMap,
    HeaderValue, LAST_MODIFIED,
};
use http::{HeaderName, Response, StatusCode};

use super::Language;
use crate::body::Payload;

/// So much of a page is searched for its `<body>` tag.
const HEAD_MAX: usize = 128 << 10;
/// A larger page goes as it is: to copy it for each visitor costs more than the banner is worth.
const PAGE_MAX: usize = 1 << 20;

const STYLE: &str = "margin:0;padding:.75em 1em;background:#fff4ce;color:#000;border-bottom:3px solid #000;\
                     font:1rem/1.5 sans-serif;text-align:left";

/// Puts the banner on an answer, where it is a whole HTML page. `now_unix_s` is the time, seconds since
/// 1970; the copy's age is in its `Age`.
pub(crate) fn put_on(response: &mut Response<Payload>, now_unix_s: i64) {
    if response.status() != StatusCode::OK || !is_plain_html(response.headers()) {
        return;
    }
    let Payload::Whole(page) = response.body() else { return };
    if page.is_empty() {
        // A HEAD; how long the page is with the banner is not worth making it.
        response.headers_mut().remove(CONTENT_LENGTH);
        return;
    }
    let age_s =
        response.headers().get(AGE).and_then(|age| age.to_str().ok()?.parse::<i64>().ok()).unwrap_or(0);
    let Some(with_banner) = with_banner(page, now_unix_s.saturating_sub(age_s), age_s) else { return };
    let length = HeaderValue::from(with_banner.len());
    *response.body_mut() = Payload::Whole(with_banner.into());
    let headers = response.headers_mut();
    if headers.contains_key(CONTENT_LENGTH) {
        headers.insert(CONTENT_LENGTH, length);
    }
    // They are those of the page without it.
    for name in [ETAG, LAST_MODIFIED, ACCEPT_RANGES] {
        headers.remove(name);
    }
    for name in ["content-md5", "digest", "content-digest", "repr-digest"] {
        headers.remove(HeaderName::from_static(name));
    }
    // Nor is a browser to keep it for the page.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

/// HTML that is not compressed, in an encoding that has ASCII in it.
fn is_plain_html(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    let kind = kind.to_ascii_lowercase();
    kind.starts_with(b"text/html")
        && memchr::memmem::find(&kind, b"utf-16").is_none()
        && headers.get(CONTENT_ENCODING).is_none_or(|coding| coding == "identity")
}

/// The page with the banner; `None` where it has no `<body>` tag to put it behind.
fn with_banner(page: &[u8], kept_unix_s: i64, age_s: i64) -> Option<Vec<u8>> {
    if page.len() > PAGE_MAX {
        return None;
    }
    let at = body_begins(page)?;
    let (before, after) = page.split_at_checked(at)?;
    let texts = language_of(before).texts();
    let banner = format!(
        "<aside lang=\"{}\" aria-label=\"{}\" style=\"{STYLE}\">{}</aside>",
        language_of(before).tag(),
        entities(texts.kept_label),
        entities(&(texts.kept_copy)(&time_of_day(kept_unix_s), age_s)),
    );
    let mut whole = Vec::with_capacity(page.len() + banner.len());
    whole.extend_from_slice(before);
    whole.extend_from_slice(banner.as_bytes());
    whole.extend_from_slice(after);
    Some(whole)
}

/// The place behind the `<body>` tag (HTML, section 13.1.2). Comments and scripts before it are passed by.
fn body_begins(page: &[u8]) -> Option<usize> {
    let head = page.get(..HEAD_MAX).unwrap_or(page);
    let mut at = 0;
    loop {
        at += memchr::memchr(b'<', head.get(at..)?)?;
        let rest = head.get(at..)?;
        if let Some(close) = ["!--", "script", "style", "title"].iter().find_map(|name| skips(rest, name)) {
            at += close;
        } else if begins_tag(rest, b"body") {
            return Some(at + tag_length(rest)?);
        } else {
            at += 1;
        }
    }
}

/// Where such an element ends in which tags are only text.
fn skips(rest: &[u8], name: &str) -> Option<usize> {
    if name == "!--" {
        return rest.starts_with(b"<!--").then(|| memchr::memmem::find(rest, b"-->").unwrap_or(rest.len()));
    }
    if !begins_tag(rest, name.as_bytes()) {
        return None;
    }
    let mut at = 1;
    while let Some(found) = rest.get(at..).and_then(|rest| memchr::memmem::find(rest, b"</")) {
        at += found;
        let closing = rest.get(at + 2..).and_then(|rest| rest.get(..name.len())).unwrap_or_default();
        if closing.eq_ignore_ascii_case(name.as_bytes()) {
            return Some(at);
        }
        at += 2;
    }
    Some(rest.len())
}

fn begins_tag(rest: &[u8], name: &[u8]) -> bool {
    let Some(found) = rest.get(1..=name.len()) else { return false };
    let ends = rest
        .get(name.len() + 1)
        .is_some_and(|byte| byte.is_ascii_whitespace() || matches!(byte, b'>' | b'/'));
    rest.first() == Some(&b'<') && found.eq_ignore_ascii_case(name) && ends
}

/// Bytes of a tag, from `<` to its `>`; values in quotes may have one.
fn tag_length(rest: &[u8]) -> Option<usize> {
    let mut quote = None;
    for (at, byte) in rest.iter().enumerate() {
        match (quote, byte) {
            (None, b'>') => return Some(at + 1),
            (None, b'"' | b'\'') => quote = Some(*byte),
            (Some(open), _) if open == *byte => quote = None,
            _ => {}
        }
    }
    None
}

/// The language of a page that says so by `<html lang=...>`; a banner in another would be read aloud in
/// the wrong voice.
fn language_of(before_body: &[u8]) -> Language {
    let tag = memchr::memchr_iter(b'<', before_body)
        .filter_map(|at| before_body.get(at..))
        .find(|rest| begins_tag(rest, b"html"));
    let Some(tag) = tag.and_then(|rest| rest.get(..tag_length(rest)?)) else { return Language::English };
    let lower = tag.to_ascii_lowercase();
    let spanish = [&b" lang=\"es"[..], b" lang='es", b" lang=es"];
    let is_spanish = spanish.iter().any(|lang| memchr::memmem::find(&lower, lang).is_some());
    if is_spanish { Language::Spanish } else { Language::English }
}

/// `14:02 UTC`.
fn time_of_day(unix_s: i64) -> String {
    let minutes = unix_s.div_euclid(60).rem_euclid(24 * 60);
    format!("{:02}:{:02} UTC", minutes / 60, minutes % 60)
}

/// What is not ASCII as numeric references (HTML, section 13.1.4). Texts hold no markup.
fn entities(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_ascii() {
            out.push(letter);
        } else {
            out.push_str(&format!("&#{};", u32::from(letter)));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEPT: i64 = 1_667_916_120;

    #[test]
    fn the_banner_comes_first_in_the_body() {
        for (page, before) in [
            ("<html><head></head><body><h1>x</h1></body></html>", Some("<html><head></head><body>")),
            ("<BODY class=\"a>b\" data-x='>'>x", Some("<BODY class=\"a>b\" data-x='>'>")),
            ("<!-- <body> --><body\n>x", Some("<!-- <body> --><body\n>")),
            ("<script>'<body>'</script><body>x", Some("<script>'<body>'</script><body>")),
            ("<title><body></title><body>x", Some("<title><body></title><body>")),
            ("<bodyguard>x", None),
            ("<body", None),
            ("<body class=\"never closed>x", None),
            ("no tags", None),
            ("", None),
        ] {
            let found = with_banner(page.as_bytes(), KEPT, 720);
            let found = found.map(|page| String::from_utf8(page).unwrap());
            let expected = before.map(|before| format!("{before}<aside"));
            assert_eq!(found.is_some(), expected.is_some(), "{page}");
            if let (Some(found), Some(expected)) = (found, expected) {
                assert!(found.starts_with(&expected), "{found}");
                assert!(found.ends_with(&page[before.unwrap().len()..]), "{found}");
            }
        }
    }

    #[test]
    fn what_it_says() {
        let said = |page: &str, age_s| {
            String::from_utf8(with_banner(page.as_bytes(), KEPT, age_s).unwrap()).unwrap()
        };
        let mut all = String::new();
        for page in ["<html lang=en><body>", "<html class=x lang=\"es-US\"><body>"] {
            for age_s in [5, 720, 3 * 3600, 50 * 3600] {
                all.push_str(&said(page, age_s));
                all.push('\n');
            }
        }
        insta::assert_snapshot!(all);
    }

    proptest! {
        #[test]
        fn whatever_the_page_it_is_all_there(page in prop::collection::vec(any::<u8>(), 0..200), tail in "[a-z<>\"'!/ -]{0,60}") {
            let mut page = page;
            page.extend_from_slice(b"<body");
            page.extend_from_slice(tail.as_bytes());
            if let Some(whole) = with_banner(&page, KEPT, 60) {
                let at = body_begins(&page).unwrap();
                prop_assert_eq!(&whole[..at], &page[..at]);
                prop_assert!(whole.ends_with(&page[at..]));
            }
        }
    }
}
