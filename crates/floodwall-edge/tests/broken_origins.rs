//! Origins that are slow, half gone or broken: what visitors see of it.

mod support;

use std::io::{Read, Write};
use std::sync::atomic::Ordering;
use std::time::Duration;

use floodwall_model::OriginHealth;
use support::origin::page;
use support::raw_origin::{RawOrigin, always};
use support::{Origin, Visitor, config, get, start, until};

const PRIVATE: (&str, &str) = ("cache-control", "no-store");

#[test]
fn an_answer_with_length_and_coding_is_framed_by_its_coding() {
    let origin = always(
        b"HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n\
          A\r\n0123456789\r\n0\r\n\r\n",
    );
    let edge = start(config(&[origin.address]));
    let mut visitor = Visitor::connect(&edge);
    for _ in 0..2 {
        let answer = visitor.get("/");
        assert_eq!((answer.text().as_str(), answer.header("content-length")), ("0123456789", None));
    }
}

#[test]
fn a_switch_of_protocols_nobody_asked_for_is_an_error() {
    let origin = always(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n\
          HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
    );
    let edge = start(config(&[origin.address]));
    let mut visitor = Visitor::connect(&edge);
    for _ in 0..2 {
        let upgrade = "Connection: upgrade\r\nUpgrade: x\r\n";
        let answer = visitor.get_with("/", upgrade);
        assert_eq!(answer.status, 502);
        assert!(!answer.text().contains("evil"));
    }
    assert!(origin.heads().iter().all(|head| !head.to_lowercase().contains("upgrade")));
}

#[test]
fn an_answer_without_content_has_no_length() {
    let origin = always(b"HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\n");
    let edge = start(config(&[origin.address]));
    let mut visitor = Visitor::connect(&edge);
    for method in ["HEAD", "GET", "HEAD"] {
        visitor.send(format!("{method} / HTTP/1.1\r\nHost: a.test\r\n\r\n").as_bytes());
        let answer = visitor.read_answer(true);
        assert_eq!((answer.status, answer.header("content-length")), (204, None), "{method}");
    }
}

#[test]
fn a_page_in_chunks_is_fetched_once_for_all_who_wait() {
    let (gate, opened) = (std::sync::Arc::new(std::sync::Barrier::new(2)), std::sync::Once::new());
    let held = gate.clone();
    let origin = RawOrigin::start(move |_, stream| {
        let head =
            b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n";
        stream.write_all(head).unwrap();
        opened.call_once(|| {
            held.wait();
        });
        stream.write_all(b"4\r\n two\r\n0\r\n\r\n").is_ok()
    });
    let edge = start(config(&[origin.address]));
    std::thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| assert_eq!(get(&edge, "/").text(), "one two"));
        }
        until("all have asked", || edge.sites()[0].counts.requests == 20);
        gate.wait();
    });
    assert_eq!(origin.heads().len(), 1);
}

#[test]
fn a_large_page_in_chunks_comes_whole_and_is_kept() {
    const PARTS: usize = 100;
    let origin = RawOrigin::start(|_, stream| {
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n")
            .unwrap();
        for part in 0..PARTS {
            write!(stream, "8000\r\n{}\r\n", format!("{part:08x}").repeat(0x1000)).unwrap();
        }
        stream.write_all(b"0\r\n\r\n").is_ok()
    });
    let edge = start(config(&[origin.address]));
    let whole: String = (0..PARTS).map(|part| format!("{part:08x}").repeat(0x1000)).collect();
    let mut visitor = Visitor::connect(&edge);
    for _ in 0..2 {
        assert!(visitor.get("/").text() == whole, "the page is not what the origin sent");
    }
    assert_eq!(origin.heads().len(), 1);
}

#[test]
fn a_page_in_chunks_that_breaks_off_is_an_error_and_not_a_short_page() {
    let origin = RawOrigin::start(|line, stream| {
        let kept = if line.contains("/kept") { "max-age=60" } else { "no-store" };
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nCache-Control: {kept}\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"
        )
        .unwrap();
        false
    });
    let edge = start(config(&[origin.address]));
    assert_eq!(get(&edge, "/kept").status, 502);
    let mut visitor = Visitor::connect(&edge);
    visitor.send(b"GET /private HTTP/1.1\r\nHost: a.test\r\n\r\n");
    assert!(visitor.try_read_answer(false).is_none(), "a short page looks whole");
}

#[test]
fn with_one_of_two_origins_gone_nobody_sees_an_error() {
    let alive = Origin::start(|_| page("alive", &[PRIVATE]));
    let mut dead = Origin::start(|_| page("dead", &[PRIVATE]));
    let edge = start(config(&[dead.address, alive.address]));
    dead.kill();
    let mut visitor = Visitor::connect(&edge);
    for number in 0..8 {
        let post = format!("POST /{number} HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\n\r\nform");
        visitor.send(post.as_bytes());
        assert_eq!(visitor.read_answer(false).text(), "alive");
        assert_eq!(visitor.get(&format!("/{number}")).text(), "alive");
    }
    assert!(
        alive.asked().iter().filter(|asked| asked.method() == "POST").all(|asked| asked.body() == "form")
    );
}

#[test]
fn a_probe_does_not_wait_behind_requests_that_hang() {
    let (held, hang) = std::sync::mpsc::sync_channel::<()>(0);
    let hang = std::sync::Mutex::new(hang);
    let origin = RawOrigin::start(move |_, _| hang.lock().unwrap().recv().is_ok());
    let mut config = config(&[origin.address]);
    config.sites[0].origins[0].requests_max = 1;
    let edge = start(config);
    let mut stuck = Visitor::connect(&edge);
    stuck.send(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    until("the only place is taken", || origin.heads().len() == 1);
    let before = origin.probes();
    until("a quiet origin is asked all the same", || origin.probes() > before);
    drop(held);
}

#[test]
fn a_page_slower_than_patience_is_renewed_beside_its_kept_copy() {
    let slow = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let is_slow = slow.clone();
    let (pause, other) = std::os::unix::net::UnixStream::pair().unwrap();
    pause.set_read_timeout(Some(Duration::from_secs(4))).unwrap();
    let origin = RawOrigin::start(move |_, stream| {
        let _keeps_the_pair = &other;
        let text = if is_slow.load(Ordering::SeqCst) {
            // Longer than a visitor waits who can be given the copy.
            assert!((&pause).read(&mut [0; 1]).is_err());
            "new"
        } else {
            "old"
        };
        let lifetime = if text == "old" { 0 } else { 60 };
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nCache-Control: max-age={lifetime}\r\nContent-Length: 3\r\n\r\n{text}"
        )
        .is_ok()
    });
    let edge = start(config(&[origin.address]));
    assert_eq!(get(&edge, "/").text(), "old");
    slow.store(true, Ordering::SeqCst);
    assert_eq!(get(&edge, "/").text(), "old");
    until("the new page is there", || {
        let answer = get(&edge, "/");
        assert_eq!(answer.status, 200);
        answer.text() == "new"
    });
    assert_eq!(edge.sites()[0].origins[0].last_failure, None, "slow is not down");
    assert_eq!(origin.heads().len(), 3, "asked by the first visitor, and once more beside");
}

#[test]
fn a_page_that_breaks_does_not_take_the_others_down() {
    let origin = RawOrigin::start(|line, stream| {
        if line.contains("/breaks") {
            return false;
        }
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 4\r\n\r\nfine")
            .is_ok()
    });
    let edge = start(config(&[origin.address]));
    for _ in 0..5 {
        for _ in 0..5 {
            assert_eq!(get(&edge, "/breaks").status, 502);
        }
        assert_eq!(get(&edge, "/fine").text(), "fine");
    }
}

#[test]
fn an_origin_that_breaks_every_answer_is_found_down_by_the_prober() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || listener.incoming().for_each(drop));
    let edge = start(config(&[address]));
    assert!(matches!(get(&edge, "/").status, 502 | 503));
    until("it is down", || edge.sites()[0].origins[0].health == OriginHealth::Down);
    assert_eq!(get(&edge, "/").status, 503);
}
