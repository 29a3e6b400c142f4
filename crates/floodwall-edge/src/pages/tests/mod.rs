//! The pages as they are read, bounded and escaped; and, in [`browser`], as they are used.

use std::time::Duration;

use floodwall_model::Timestamp;
use floodwall_policy::{
    Binding, ClientFingerprint, Difficulty, Keyring, RefusalReason, Secret, SiteTag, WorkChallenge,
};
use http::{Response, StatusCode, header};
use proptest::prelude::*;

use super::{Language, OverloadPage, PlaceInLine, busy, choice, person_reported, place, waiting};
use crate::body::Payload;

mod browser;
mod edge;
mod text_browser;

const NOON: i64 = 1_667_916_000;

fn noon() -> Timestamp {
    Timestamp::new(Duration::from_secs(1), NOON * 1_000_000)
}

fn binding() -> Binding {
    Binding { site: SiteTag::of_name("sos"), fingerprint: ClientFingerprint(7), generation: 0 }
}

fn keyring() -> Keyring {
    Keyring::new(&Secret::new([42; 32]), noon())
}

fn challenge(difficulty: Difficulty) -> WorkChallenge {
    keyring().issue_challenge(&binding(), difficulty, 7, noon())
}

fn in_line(ahead: u64, expected_s: u64) -> PlaceInLine {
    PlaceInLine { ahead, expected: Duration::from_secs(expected_s), refresh: Duration::from_secs(5) }
}

fn page(language: Language, target: &str) -> OverloadPage<'_> {
    OverloadPage {
        language,
        reference: "7F3K-9QWX-02MB".parse().unwrap(),
        target,
        retry_after: Duration::from_secs(7),
    }
}

fn text(response: Response<Payload>) -> String {
    match response.into_body() {
        Payload::Whole(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
        Payload::Empty | Payload::Origin(..) => panic!("a page is held whole"),
    }
}

/// Every page there is, for one target.
fn every_page(language: Language, target: &str) -> Vec<(&'static str, Response<Payload>)> {
    let page = page(language, target);
    let work = challenge(Difficulty::MAX);
    vec![
        ("choice", choice(&page, &work, None)),
        ("choice_again", choice(&page, &work, Some(&in_line(340, 215)))),
        ("waiting", waiting(&page, &in_line(340, 215))),
        ("place", place(&page, &in_line(1, 41))),
        ("no_room", busy(&page, RefusalReason::NoRoom, false)),
        ("no_room_form", busy(&page, RefusalReason::WaitedOut, true)),
        ("over_share", busy(&page, RefusalReason::OverShare, false)),
        ("person", person_reported(&page)),
    ]
}

/// The page without its style and script, which stand in files of their own.
fn without_style_and_script(html: &str) -> String {
    let mut html = html.to_owned();
    for (start, end) in [("<style>", "</style>"), ("<script>", "</script>")] {
        if let Some((before, rest)) = html.split_once(start) {
            html = format!("{before}{start}...{end}{}", rest.split_once(end).unwrap().1);
        }
    }
    html
}

#[test]
fn the_pages_read_like_this() {
    for language in Language::ALL {
        for (name, response) in every_page(language, "/polling-place?zip=00042&lang=x") {
            let name = format!("{name}_{}", language.tag());
            insta::assert_snapshot!(name, without_style_and_script(&text(response)));
        }
    }
}

#[test]
fn answers_say_what_they_are() {
    use StatusCode as S;
    for language in Language::ALL {
        for (name, response) in every_page(language, "/a") {
            let (status, retry) = match name {
                "person" => (S::OK, None),
                "over_share" => (S::TOO_MANY_REQUESTS, Some("7")),
                _ => (S::SERVICE_UNAVAILABLE, Some("7")),
            };
            let field = |name| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
            assert_eq!(response.status(), status, "{name}");
            assert_eq!(field(header::RETRY_AFTER).as_deref(), retry, "{name}");
            assert_eq!(field(header::CACHE_CONTROL).as_deref(), Some("no-store"), "{name}");
            assert_eq!(field(header::CONTENT_LANGUAGE).as_deref(), Some(language.tag()), "{name}");
            let policy = field(header::CONTENT_SECURITY_POLICY).unwrap();
            assert!(policy.starts_with("default-src 'none'; script-src 'sha256-"), "{name}: {policy}");
            assert!(!policy.contains("unsafe"), "{name}: {policy}");
        }
    }
    let asked_again = place(&page(Language::English, "//a?floodwall=x&y"), &in_line(1, 41));
    assert_eq!(asked_again.headers()[header::REFRESH], "5; url=/.//a?floodwall=x&y");
    assert_eq!(text(asked_again), "One person is before you. It will take about 50 seconds.");
}

/// One answer, whatever was asked for: with its header it fits what a server may send at once (ten
/// segments, RFC 6928), so that it takes one round trip.
#[test]
fn pages_stay_small() {
    const USUAL: &str = "/polling-place/lookup?zip=00042";
    let longest = format!("/{}?{}", "a".repeat(500), "&".repeat(104));
    let too_long = format!("/{}", "a".repeat(60_000));
    let mut sizes = Vec::new();
    for language in Language::ALL {
        for target in [USUAL, &longest, &too_long] {
            for (name, response) in every_page(language, target) {
                let bytes = text(response).len();
                assert!(bytes < 14_000, "{name} in {language:?} takes {bytes} bytes");
                if target == USUAL {
                    sizes.push(format!("{name} {} {}", language.tag(), bytes.div_ceil(256) * 256));
                }
            }
        }
    }
    insta::assert_snapshot!(sizes.join("\n"));
}

#[test]
fn an_address_too_long_to_repeat_is_that_of_the_page() {
    let long = format!("/{}", "a".repeat(3_000));
    let html = text(waiting(&page(Language::English, &long), &in_line(2, 20)));
    assert!(html.contains("<a id=\"again\" href=\"\">") && html.contains("content=\"5\">"), "{html}");
}

#[test]
fn the_challenge_can_be_read_from_the_page() {
    let work = challenge(Difficulty::MIN);
    let html = text(choice(&page(Language::Spanish, "/"), &work, None));
    let (_, rest) = html.split_once("data-challenge='").unwrap();
    let json = rest.split_once('\'').unwrap().0.replace("&amp;", "&");
    let read: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(read, serde_json::to_value(&work).unwrap());
}

#[test]
fn places_in_line_read_like_this() {
    let mut lines = Vec::new();
    for language in Language::ALL {
        for (ahead, expected_s) in [
            (0, 3),
            (1, 11),
            (2, 45),
            (12, 60),
            (99, 61),
            (341, 215),
            (1_234, 1_400),
            (56_789, 3_500),
            (123_456, 7_000),
            (9_000_000, 86_400),
        ] {
            lines.push(text(place(&page(language, "/"), &in_line(ahead, expected_s))));
        }
    }
    insta::assert_snapshot!(lines.join("\n"));
}

proptest! {
    /// However odd the address, the page is the same page with another address in its two places.
    #[test]
    fn no_address_changes_the_page(target in "[/\\\\:'\"<>&;#=a-z\\x00-\\x20\u{80}-\u{ff}]{0,30}") {
        for (name, response) in every_page(Language::English, &target) {
            if name == "place" {
                continue;
            }
            let html = without_style_and_script(&text(response));
            let calm = without_style_and_script(&text(
                every_page(Language::English, "/calm").into_iter().find(|(it, _)| *it == name).unwrap().1,
            ));
            let again = html.split_once("id=\"again\" href=\"").map(|(_, rest)| rest.split_once('"').unwrap().0);
            let Some(again) = again else {
                prop_assert_eq!(html, calm);
                continue;
            };
            prop_assert!(again.starts_with('/') && !again.starts_with("//"), "{again}");
            let markers = [("href=\"", "\">"), ("url=", "\">")];
            let same = markers.iter().fold(html.clone(), |html, (before, after)| {
                html.replace(&format!("{before}{again}{after}"), &format!("{before}/calm{after}"))
            });
            prop_assert_eq!(same, calm);
        }
    }

    #[test]
    fn any_bytes_make_the_same_page(data in "[esn,;=q.*-]{0,20}\n[ -~\x00-\x20\\\\/\u{80}-\u{ff}]{0,60}") {
        crate::fuzzing::page(data.as_bytes());
    }
}
