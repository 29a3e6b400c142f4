//! Copies on disk: written, read, bounded, damaged, found again.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use floodwall_model::{SiteId, Timestamp};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use proptest::prelude::*;

use super::format::{StoredKey, decode, encode};
use super::name::Name;
use super::{Kept, KeptCounts, KeptError, KeptSettings};
use crate::cache::{
    CacheRequest, CacheSettings, CachedResponse, Exchange, KeptResponse, PurgeTarget, ResponseCache,
};

const NOON: i64 = 1_790_000_000;

fn at(seconds: u64) -> Timestamp {
    Timestamp::new(Duration::from_secs(50), NOON * 1_000_000).plus(Duration::from_secs(seconds))
}

fn headers(fields: &[(&str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&str, &str)| {
        (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap())
    };
    fields.iter().map(pair).collect()
}

fn request<'a>(path_and_query: &'a str, headers: &'a HeaderMap) -> CacheRequest<'a> {
    CacheRequest {
        site: SiteId(0),
        https: true,
        authority: "www.sos.example.gov",
        method: &Method::GET,
        path_and_query,
        headers,
        has_body: false,
    }
}

/// A response as it is stored in memory.
fn stored(asked: &HeaderMap, status: u16, fields: &[(&str, &str)], body: &[u8]) -> Arc<CachedResponse> {
    let cache = ResponseCache::new(CacheSettings::default());
    let exchange = Exchange { request_sent: at(0), response_received: at(0), stale_if_error: None };
    let status = StatusCode::from_u16(status).unwrap();
    let mut fill = cache.begin_fill(&request("/", asked), status, &headers(fields), &exchange).unwrap();
    fill.push(body);
    cache.finish_fill(fill, at(0)).unwrap()
}

fn page(body: &[u8]) -> Arc<CachedResponse> {
    stored(&HeaderMap::new(), 200, &[("cache-control", "max-age=60")], body)
}

fn settings(directory: &Path) -> KeptSettings {
    KeptSettings {
        directory: directory.join("kept"),
        bytes_max: 1 << 20,
        object_bytes_max: 256 << 10,
        age_max: Duration::from_secs(30 * 86_400),
    }
}

fn open(settings: &KeptSettings) -> Kept {
    Kept::open(settings, vec!["sos".into(), "dmv".into()]).unwrap()
}

fn read(kept: &Kept, path: &str, asked: &HeaderMap) -> Option<KeptResponse> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(kept.read(&request(path, asked)))
}

/// Offers, waits until it is written, and opens anew.
fn after(settings: &KeptSettings, offer: impl FnOnce(&Kept)) -> Kept {
    let kept = open(settings);
    offer(&kept);
    drop(kept);
    open(settings)
}

/// Figures once the writer has looked at what lies there.
fn counts(kept: Kept) -> KeptCounts {
    let mut kept = kept;
    kept.jobs = None;
    kept.writer.take().unwrap().join().unwrap();
    kept.counts()
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in
        fs::read_dir(directory.join("kept")).unwrap().flatten().filter(|entry| entry.path().is_dir())
    {
        found.extend(fs::read_dir(folder.path()).unwrap().flatten().map(|entry| entry.path()));
    }
    found.sort();
    found
}

#[test]
fn a_copy_survives_and_answers_who_it_is_for() {
    let directory = tempfile::tempdir().unwrap();
    let fields = [
        ("cache-control", "max-age=60"),
        ("vary", "accept-encoding, accept-language, x-region, cookie"),
        ("content-encoding", "gzip"),
        ("content-type", "text/html"),
    ];
    let asked =
        headers(&[("accept-encoding", "gzip"), ("accept-language", "de, en;q=0.5"), ("x-region", "north")]);
    let response = stored(&asked, 200, &fields, b"<h1>Vote</h1>");
    let kept =
        after(&settings(directory.path()), |kept| kept.offer(request("/", &asked).key(), &response, at(5)));
    let copy = read(&kept, "/", &asked).unwrap();
    assert_eq!((copy.status, &copy.body[..]), (StatusCode::OK, &b"<h1>Vote</h1>"[..]));
    assert_eq!(copy.fields["content-type"], "text/html");
    assert_eq!(copy.received_unix_micros, at(5).wall_unix_micros());
    assert!(read(&kept, "/other", &asked).is_none());

    let adopted = |asked: &HeaderMap, seconds: u64| {
        let cache = ResponseCache::new(CacheSettings::default());
        let copy = read(&kept, "/", asked)?;
        cache.adopt(&request("/", asked), copy, kept.age_max(), at(seconds))
    };
    let copy = adopted(&asked, 10).unwrap();
    assert!(copy.is_expired(), "it stands in, and is never fresh");
    assert_eq!(copy.freshness().age(at(10)).as_secs(), 10);
    let same = headers(&[
        ("accept-encoding", "gzip;q=0.3"),
        ("accept-language", "DE;q=0.9, en;q=0.1"),
        ("x-region", "north"),
    ]);
    assert!(adopted(&same, 10).is_some());
    for other in [
        headers(&[("accept-encoding", "gzip"), ("accept-language", "de, en;q=0.5"), ("x-region", "south")]),
        headers(&[("accept-encoding", "gzip"), ("accept-language", "en"), ("x-region", "north")]),
        headers(&[("accept-encoding", "br"), ("accept-language", "de, en;q=0.5"), ("x-region", "north")]),
    ] {
        assert!(adopted(&other, 10).is_none(), "{other:?}");
    }
    assert!(adopted(&asked, 60 + 30 * 86_400 + 20).is_none(), "too old");
    assert!(adopted(&asked, 30 * 86_400 - 20).is_some());
}

/// RFC 9111 section 4.2.4: what must not be served stale is not kept, and takes an earlier copy away.
#[test]
#[rustfmt::skip] // one row a line
fn what_is_kept() {
    for (status, directives, expected) in [
        (200, "max-age=60", true),
        (200, "max-age=60, stale-if-error=0", false),
        (200, "max-age=60, must-revalidate", false),
        (200, "max-age=60, proxy-revalidate", false),
        (200, "s-maxage=60", false),
        (200, "s-maxage=60, stale-if-error=600", true),
        (301, "max-age=60", true),
        (302, "max-age=60", false),
        (404, "max-age=60", false),
        (410, "max-age=60", false),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let none = HeaderMap::new();
        let key = request("/", &none).key();
        let response = stored(&none, status, &[("cache-control", directives)], b"x");
        let kept = after(&settings(directory.path()), |kept| kept.offer(key, &page(b"before"), at(0)));
        drop(kept);
        let kept = open(&settings(directory.path()));
        while !kept.may_have(&request("/", &none)) {
            std::thread::yield_now();
        }
        kept.offer(key, &response, at(700));
        drop(kept);
        let kept = open(&settings(directory.path()));
        assert_eq!(read(&kept, "/", &none).is_some(), expected, "{status} {directives}");
    }
}

#[test]
fn a_page_is_written_once_a_minute_and_unchanged_once_in_ten() {
    let directory = tempfile::tempdir().unwrap();
    let none = HeaderMap::new();
    let written = |times: &[(u64, &[u8])]| {
        let _ = fs::remove_dir_all(directory.path().join("kept"));
        let kept = open(&settings(directory.path()));
        for (seconds, body) in times {
            kept.offer(request("/", &none).key(), &page(body), at(*seconds));
        }
        counts(kept).written
    };
    assert_eq!(written(&[(0, b"a"), (59, b"b"), (60, b"c")]), 2);
    assert_eq!(written(&[(0, b"a"), (60, b"a"), (599, b"a"), (600, b"a")]), 2);
    assert_eq!(written(&[(100, b"a"), (0, b"b")]), 2, "a clock that was set back keeps nobody from writing");
}

#[test]
fn bytes_are_bounded_and_queries_go_first() {
    let directory = tempfile::tempdir().unwrap();
    let settings = KeptSettings { bytes_max: 10 * 4096, ..settings(directory.path()) };
    let none = HeaderMap::new();
    let kept = open(&settings);
    let offer = |path: &str, seconds: u64| kept.offer(request(path, &none).key(), &page(b"x"), at(seconds));
    for n in 0..5 {
        offer(&format!("/page-{n}"), n);
    }
    for n in 0..40 {
        let path = format!("/page-0?x={n}");
        offer(&path, 10 + n);
        offer(&path, 10 + n);
    }
    offer("/page-0?x=once", 60);
    let counts = counts(kept);
    assert_eq!((counts.copies, counts.bytes, counts.evicted), (10, 10 * 4096, 35));
    let kept = open(&settings);
    for n in 0..5 {
        assert!(read(&kept, &format!("/page-{n}"), &none).is_some(), "{n}");
    }
    assert!(read(&kept, "/page-0?x=0", &none).is_none() && read(&kept, "/page-0?x=39", &none).is_some());
    assert!(
        read(&kept, "/page-0?x=once", &none).is_none(),
        "an address with a query is kept the second time"
    );
    assert_eq!(files(directory.path()).len(), 10);
}

#[test]
fn what_is_larger_than_may_be_is_not_written() {
    let directory = tempfile::tempdir().unwrap();
    let settings = KeptSettings { bytes_max: 8192, ..settings(directory.path()) };
    let none = HeaderMap::new();
    let kept = open(&settings);
    kept.offer(request("/small", &none).key(), &page(b"x"), at(0));
    kept.offer(request("/large", &none).key(), &page(&[b'x'; 9000]), at(0));
    let counts = counts(kept);
    assert_eq!((counts.copies, counts.written, counts.evicted), (1, 1, 0));
}

#[test]
fn the_index_is_rebuilt_and_half_written_files_go() {
    let directory = tempfile::tempdir().unwrap();
    let none = HeaderMap::new();
    let kept = after(&settings(directory.path()), |kept| {
        for n in 0..20 {
            kept.offer(request(&format!("/{n}"), &none).key(), &page(&[b'x'; 5000]), at(0));
        }
    });
    let written = files(directory.path());
    assert_eq!(written.len(), 20);
    drop(kept);
    fs::write(written[0].with_extension("new"), b"half").unwrap();
    fs::write(written[0].with_file_name("notes.txt"), b"somebody's").unwrap();
    let counts = counts(open(&settings(directory.path())));
    assert_eq!((counts.copies, counts.bytes), (20, 20 * 8192));
    let left = files(directory.path());
    assert_eq!(left.len(), 21, "the half-written one is gone, somebody's own file is left alone");
}

#[test]
fn damage_is_seen_and_deleted_and_counted() {
    let directory = tempfile::tempdir().unwrap();
    let none = HeaderMap::new();
    for damage in [
        |bytes: &mut Vec<u8>| bytes.truncate(50),
        |bytes: &mut Vec<u8>| bytes.clear(),
        |bytes: &mut Vec<u8>| bytes.push(0),
        |bytes: &mut Vec<u8>| *bytes.last_mut().unwrap() ^= 1,
        |bytes: &mut Vec<u8>| bytes[0] ^= 1,
        |bytes: &mut Vec<u8>| bytes.extend(vec![0; 1 << 20]),
    ] {
        let _ = fs::remove_dir_all(directory.path().join("kept"));
        let kept = after(&settings(directory.path()), |kept| {
            kept.offer(request("/", &none).key(), &page(b"x"), at(0));
        });
        let file = files(directory.path()).remove(0);
        let mut bytes = fs::read(&file).unwrap();
        damage(&mut bytes);
        fs::write(&file, bytes).unwrap();
        assert!(read(&kept, "/", &none).is_none());
        assert_eq!((kept.counts().corrupt, file.exists()), (1, false));
    }
}

#[test]
fn a_copy_of_another_page_is_none_and_no_damage() {
    let directory = tempfile::tempdir().unwrap();
    let none = HeaderMap::new();
    let kept = after(&settings(directory.path()), |kept| {
        kept.offer(request("/a", &none).key(), &page(b"a"), at(0));
        kept.offer(request("/b", &none).key(), &page(b"b"), at(0));
    });
    let found = files(directory.path());
    fs::copy(&found[0], &found[1]).unwrap();
    let (a, b) = (read(&kept, "/a", &none), read(&kept, "/b", &none));
    assert_eq!(a.is_some() as u8 + b.is_some() as u8, 1);
    assert_eq!(kept.counts().corrupt, 0);
}

#[test]
fn one_server_a_directory() {
    let directory = tempfile::tempdir().unwrap();
    let _first = open(&settings(directory.path()));
    let second = Kept::open(&settings(directory.path()), vec![]);
    assert!(matches!(second, Err(KeptError::InUse { .. })));
    fs::write(directory.path().join("file"), b"").unwrap();
    let settings =
        KeptSettings { directory: directory.path().join("file/kept"), ..settings(directory.path()) };
    assert!(matches!(Kept::open(&settings, vec![]), Err(KeptError::Directory { .. })));
}

/// A disk that takes nothing (full, read-only): counted, left alone for a while, tried again.
#[test]
fn a_disk_that_refuses_is_given_a_rest() {
    let directory = tempfile::tempdir().unwrap();
    let none = HeaderMap::new();
    let kept = open(&settings(directory.path()));
    // Files stand where folders have to be.
    for n in 0..=255 {
        fs::write(directory.path().join(format!("kept/{n:02x}")), b"").unwrap();
    }
    for seconds in [0, 1, 9, 10] {
        kept.offer(request("/", &none).key(), &page(b"x"), at(seconds));
    }
    let refused = counts(kept);
    assert_eq!((refused.written, refused.write_failures, refused.dropped), (0, 2, 2));
    assert_eq!(refused.copies, 0);
}

#[test]
fn purged_copies_go() {
    let none = HeaderMap::new();
    for (target, left) in [
        (PurgeTarget::Tag("news".into()), 2),
        (PurgeTarget::of_url("https://www.sos.example.gov/a").unwrap(), 2),
        (PurgeTarget::of_url("https://www.sos.example.gov/*").unwrap(), 0),
        (PurgeTarget::of_url("https://dmv.example.gov/*").unwrap(), 3),
        (PurgeTarget::All, 0),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let kept = open(&settings(directory.path()));
        for (path, tag) in [("/a", "news"), ("/b", "other"), ("/c", "other")] {
            let response = stored(&none, 200, &[("cache-control", "max-age=60"), ("cache-tag", tag)], b"x");
            kept.offer(request(path, &none).key(), &response, at(0));
        }
        kept.purge(Some(SiteId(1)), &target);
        kept.purge(Some(SiteId(0)), &target);
        assert_eq!(counts(kept).copies, left, "{target:?}");
    }
}

#[test]
fn what_waits_to_be_written_is_bounded() {
    let directory = tempfile::tempdir().unwrap();
    let none = HeaderMap::new();
    let kept = open(&settings(directory.path()));
    kept.queued_bytes.store(super::QUEUE_BYTES_MAX, std::sync::atomic::Ordering::Relaxed);
    kept.offer(request("/", &none).key(), &page(b"x"), at(0));
    assert_eq!(counts(kept).dropped, 1);
}

fn key(path_and_query: &str) -> StoredKey {
    StoredKey {
        site: "sos".into(),
        https: true,
        authority: "a.test".into(),
        path_and_query: path_and_query.into(),
    }
}

#[test]
fn names_read_back_and_tell_keys_apart() {
    let asked = headers(&[("accept-encoding", "gzip, br")]);
    let plain = key("/a");
    let others = [
        key("/b"),
        key("/a?x"),
        StoredKey { site: "dmv".into(), ..plain.clone() },
        StoredKey { https: false, ..plain.clone() },
        StoredKey { authority: "a.test/".into(), path_and_query: "a".into(), ..plain.clone() },
    ];
    let name = Name::for_request(&plain, &asked).next().unwrap();
    assert_eq!(Name::parse(&name.to_string()), Some(name));
    for other in others {
        assert!(Name::for_request(&other, &asked).all(|other| other != name), "{other:?}");
    }
    for text in ["", "lock", "zz", &format!("{name}.new"), &name.to_string()[1..], &format!("{name}é")] {
        assert_eq!(Name::parse(text), None, "{text}");
    }
}

proptest! {
    #[test]
    fn copies_read_back(path in "/[a-z?=é]{0,20}", body in prop::collection::vec(any::<u8>(), 0..300), value in "[ -~]{0,30}") {
        let asked = headers(&[("x-region", value.trim())]);
        let response = stored(&asked, 200, &[("cache-control", "max-age=60"), ("vary", "x-region"), ("x-own", value.trim())], &body);
        let bytes = encode(&key(&path), &response, NOON).unwrap();
        let (read, copy) = decode(&bytes).unwrap();
        prop_assert_eq!(read, key(&path));
        prop_assert_eq!(&copy.body, &body);
        prop_assert_eq!(&copy.fields, &response.kept_fields());
        prop_assert_eq!(copy.received_unix_micros, NOON);
    }

    /// No byte can change, and none be missing, without its being seen.
    #[test]
    fn no_damage_goes_unseen(place in any::<prop::sample::Index>(), bit in 0_u8..8, cut in any::<prop::sample::Index>()) {
        let bytes = encode(&key("/"), &page(b"<h1>Vote</h1>"), NOON).unwrap();
        let mut flipped = bytes.clone();
        flipped[place.index(bytes.len())] ^= 1 << bit;
        prop_assert!(decode(&flipped).is_none());
        prop_assert!(decode(&bytes[..cut.index(bytes.len())]).is_none());
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        crate::fuzzing::kept_copy(&bytes);
    }
}
