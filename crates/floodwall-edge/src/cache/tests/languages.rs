//! RFC 9110 section 12.5.4 and RFC 9111 section 4.1: copies in several languages.

use http::HeaderMap;
use http::header::ACCEPT_LANGUAGE;
use proptest::prelude::*;

use super::super::variant::Variant;
use super::super::{LookUp, prepare_fill};
use super::{at, cache, get, header_lines, headers, store};

fn asking(languages: &str) -> HeaderMap {
    headers(&[("accept-language", languages)])
}

#[test]
#[rustfmt::skip] // one row a line
fn which_copy_answers() {
    for (stored_for, content_language, asked, expected) in [
        ("en, de", "", "en, de", true),
        ("en, de", "", "de, en", true),
        ("en, de", "", "eN, De", true),
        ("en, de", "", " en ,   de", true),
        ("de,en;q=0.9", "", "de;q=0.8, EN;q=0.1", true),
        ("de,en;q=0.9", "", "de, en", false),
        ("de,en;q=0.9", "", "en, de;q=0.9", false),
        ("de", "", "de, fr;q=0", true),
        ("de", "", "de, fr;q=0.000", true),
        ("de", "", "de, fr;q=2, it;q=x, ;q=1, es;q=0.1234", true),
        ("de", "", "", false),
        ("", "", "", true),
        ("de-CH", "", "de", false),
        // The copy is in the language liked best: no other answer could be better.
        ("en, de", "de", "fr;q=0.5, de;q=1.0", true),
        ("en, de", "DE", "de", true),
        ("en, de", "de", "de, fr", false),
        ("en, de", "de", "fr, de;q=0.5", false),
        ("en, de", "de", "de-CH, de;q=0.9", false),
        ("en, de", "de, en", "de", false),
        ("en, de", "", "de", false),
    ] {
        let response = header_lines(&format!("vary: accept-language\ncontent-language: {content_language}"));
        let variant = Variant::of(&response, &asking(stored_for)).unwrap();
        assert_eq!(variant.matches(&asking(asked)), expected, "{stored_for} | {content_language} | {asked}");
    }
}

/// The origin is shown the preferences in the form copies are told apart by, in the case it knows.
#[test]
#[rustfmt::skip] // one row a line
fn what_the_origin_is_shown() {
    for (asked, expected) in [
        ("en", Some("en")),
        ("de, en", Some("de, en")),
        ("EN-us,en;q=0.5", Some("en-US, en;q=0.9")),
        ("zh-hant-tw;q=0.3, *;q=0.1, zh;q=0.8", Some("zh, zh-Hant-TW;q=0.9, *;q=0.8")),
        ("a;q=0.9, b;q=0.8, c;q=0.7, d;q=0.6, e;q=0.5, f;q=0.4, g;q=0.3, h;q=0.2, i;q=0.1",
         Some("a, b;q=0.9, c;q=0.8, d;q=0.7, e;q=0.6, f;q=0.5, g;q=0.4, h;q=0.3")),
        ("", None),
        ("de;q=0", None),
        ("d\"e", None),
    ] {
        let mut request = asking(asked);
        prepare_fill(&mut request);
        let shown = request.get(ACCEPT_LANGUAGE).map(|value| value.to_str().unwrap());
        assert_eq!(shown, expected, "{asked}");
    }
}

#[test]
fn one_copy_serves_all_who_like_its_language_best() {
    let cache = cache();
    let fields = header_lines("cache-control: max-age=60\nvary: accept-language\ncontent-language: es");
    store(&cache, &get("/", &asking("es, en;q=0.5")), 200, &fields, b"Vote", 0).unwrap();
    for (asked, hit) in [("es", true), ("es, fr;q=0.2", true), ("en, es;q=0.9", false)] {
        let found = cache.look_up(&get("/", &asking(asked)), at(1));
        assert_eq!(matches!(found, LookUp::Fresh(_)), hit, "{asked}");
    }
}

proptest! {
    /// What is forwarded reads the same as what came, so that the copy answers who caused it.
    #[test]
    fn the_forwarded_form_is_the_same_preference(text in "([a-cA-C*]{1,2}(;q=(0(\\.[0-9]{0,3})?|1))?[, ]{0,2}){0,12}") {
        let came = asking(&text);
        let mut forwarded = came.clone();
        prepare_fill(&mut forwarded);
        let variant = Variant::of(&header_lines("vary: accept-language"), &came).unwrap();
        prop_assert!(variant.matches(&forwarded), "{:?} | {:?}", came, forwarded);
    }

    #[test]
    fn never_panics(text in "[ -~]{0,80}") {
        prepare_fill(&mut asking(&text));
    }
}
