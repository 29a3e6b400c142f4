//! Copies on disk: with the origin gone for good and the server started anew, public pages go on.

mod support;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use floodwall_edge::{EdgeConfig, EdgeError, EdgeHandle, KeptSettings};
use http::StatusCode;
use support::origin::page;
use support::{Origin, Visitor, config, get, start, until};

const CACHEABLE: (&str, &str) = ("cache-control", "public, max-age=60");

fn keeping(directory: &Path, origin: std::net::SocketAddr) -> EdgeConfig {
    let mut config = config(&[origin]);
    config.kept = Some(KeptSettings {
        directory: directory.join("kept"),
        bytes_max: 64 << 20,
        object_bytes_max: 8 << 20,
        age_max: Duration::from_secs(30 * 86_400),
    });
    config
}

fn stop(mut edge: EdgeHandle) {
    edge.shut_down(Duration::from_secs(5));
}

#[test]
fn a_page_that_answers_in_the_origins_place_says_so_and_nothing_else_does() {
    const PAGE: &str = "<!doctype html><html lang=\"es\"><head></head><body><h1>Votar</h1></body></html>";
    let directory = tempfile::tempdir().unwrap();
    let mut origin = Origin::start(|asked| match asked.uri().path() {
        "/data" => page(PAGE, &[CACHEABLE, ("content-type", "application/json")]),
        "/packed" => page(PAGE, &[CACHEABLE, ("content-type", "text/html"), ("content-encoding", "br")]),
        _ => page(PAGE, &[CACHEABLE, ("content-type", "text/html; charset=utf-8"), ("etag", "\"v1\"")]),
    });
    let mut config = keeping(directory.path(), origin.address);
    config.sites[0].kept_banner = true;
    let edge = start(config.clone());
    for path in ["/", "/data", "/packed"] {
        assert_eq!(get(&edge, path).text(), PAGE, "{path}: as long as the origin answers");
    }
    stop(edge);
    origin.kill();
    let edge = start(config);
    for _ in 0..2 {
        // From disk, and then from memory.
        let shown = get(&edge, "/");
        assert!(shown.text().contains("<body><aside lang=\"es\""), "{}", shown.text());
        assert!(shown.text().ends_with("</aside><h1>Votar</h1></body></html>"), "{}", shown.text());
        let length = shown.text().len().to_string();
        assert_eq!(shown.header("content-length"), Some(length.as_str()));
        assert_eq!((shown.header("etag"), shown.header("cache-control")), (None, Some("no-store")));
    }
    for path in ["/data", "/packed"] {
        assert_eq!(get(&edge, path).text(), PAGE, "{path}");
    }
}

#[test]
fn pages_survive_a_restart_without_the_origin() {
    let directory = tempfile::tempdir().unwrap();
    let mut origin = Origin::start(|asked| match asked.uri().path() {
        "/private" => page("yours", &[("cache-control", "no-store")]),
        "/strict" => page("strict", &[("cache-control", "max-age=60, must-revalidate")]),
        _ => page("where to vote", &[CACHEABLE, ("content-type", "text/html"), ("etag", "\"v1\"")]),
    });
    let address = origin.address;
    let edge = start(keeping(directory.path(), address));
    for path in ["/", "/private", "/strict"] {
        assert_eq!(get(&edge, path).status, 200);
    }
    stop(edge);
    origin.kill();

    let edge = start(keeping(directory.path(), address));
    let mut head = Visitor::connect(&edge);
    head.send(b"HEAD / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    let head = head.read_answer(true);
    assert_eq!((head.status, head.header("content-length")), (200, Some("13")));
    stop(edge);

    let edge = start(keeping(directory.path(), address));
    let first = get(&edge, "/");
    assert_eq!((first.status, first.text().as_str()), (200, "where to vote"));
    assert_eq!((first.header("content-type"), first.header("etag")), (Some("text/html"), Some("\"v1\"")));
    assert_eq!(first.header("cache-status"), Some("floodwall; fwd=uri-miss; ttl=0; detail=kept-copy"));
    assert!(first.header("age").is_some() && first.header("date").is_some());
    for _ in 0..20 {
        let next = get(&edge, "/");
        assert_eq!((next.status, next.text().as_str()), (200, "where to vote"));
        assert!(
            next.header("cache-status").unwrap().ends_with("detail=stale-if-error"),
            "from memory: {next:?}"
        );
    }
    assert_eq!(edge.kept().unwrap().read, 1, "the disk is asked once");
    let mut visitor = Visitor::connect(&edge);
    assert_eq!(visitor.get_with("/", "Range: bytes=0-4\r\n").text(), "where");
    assert_eq!(visitor.get_with("/", "If-None-Match: \"v1\"\r\n").status, 304);
    for path in ["/private", "/strict", "/never-seen"] {
        assert!(matches!(get(&edge, path).status, 502 | 503), "{path}");
    }

    let _back = Origin::start_at(address, |_| page("new", &[CACHEABLE]));
    until("the page is the origin's again", || get(&edge, "/").text() == "new");
}

#[test]
fn an_origin_that_only_fails_is_covered_and_one_that_says_gone_is_believed() {
    let directory = tempfile::tempdir().unwrap();
    let status = Arc::new(AtomicU16::new(200));
    let answers = status.clone();
    let origin = Origin::start(move |_| {
        let mut answer = page("kept", &[CACHEABLE]);
        *answer.status_mut() = StatusCode::from_u16(answers.load(Ordering::SeqCst)).unwrap();
        answer
    });
    let restarted = || {
        let edge = start(keeping(directory.path(), origin.address));
        let answer = get(&edge, "/");
        stop(edge);
        (answer.status, answer.header("cache-status").unwrap().to_owned())
    };
    assert_eq!(restarted().0, 200);
    status.store(503, Ordering::SeqCst);
    let (code, said) = restarted();
    assert_eq!(code, 200);
    assert!(said.starts_with("floodwall; fwd=uri-miss; fwd-status=503; ttl="), "{said}");
    let edge = start(keeping(directory.path(), origin.address));
    until("the index is rebuilt", || edge.kept().unwrap().copies == 1);
    status.store(404, Ordering::SeqCst);
    assert_eq!(get(&edge, "/").status, 404);
    stop(edge);
    status.store(503, Ordering::SeqCst);
    assert_eq!(restarted().0, 503, "what the origin said is gone, is not shown again");
}

#[test]
fn a_directory_in_use_or_unusable_stops_the_start_with_its_name() {
    let directory = tempfile::tempdir().unwrap();
    let origin = Origin::start(|_| page("x", &[CACHEABLE]));
    let _edge = start(keeping(directory.path(), origin.address));
    let config = keeping(directory.path(), origin.address);
    let bound = floodwall_edge::BoundEdge::bind(config, support::TestClock::start(), None).unwrap();
    let error = bound.start().unwrap_err();
    assert!(matches!(error, EdgeError::Kept(_)));
    assert!(error.to_string().contains("kept is in use by another server"), "{error}");
}
