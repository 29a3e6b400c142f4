//! The access log of the real server: formats, rotation, reopening, and a disk that takes nothing.

use std::fs;
use std::io::Read;
use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Origin, Page, Server, Visitor};

const DROPPED: &str = "floodwall_access_records_dropped_total";

fn origin() -> Origin {
    Origin::start(|path| Page::new(path, "max-age=600"))
}

fn start(origin: &Origin, settings: &str) -> Server {
    let log = format!("[server.access_log]\npath = \"access.log\"\n{settings}");
    let limits = "limits = { origin_requests_per_second = 100000, origin_burst = 100000 }";
    Server::start(origin.address, &log, limits)
}

fn lines(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
}

#[test]
fn combined_and_json_say_what_was_asked() {
    let origin = origin();
    for format in ["combined", "json"] {
        let mut server = start(&origin, &format!("format = \"{format}\""));
        let mut visitor = Visitor::of_site(server.http);
        visitor.send(b"GET /a?b=%22c HTTP/1.1\r\nHost: a.test\r\nUser-Agent: say \"hi\"\r\n\r\n");
        assert_eq!(visitor.read_answer().status, 200);
        visitor.send(b"GET /d HTTP/1.1\r\nHost: b.test\r\n\r\n");
        let reference = visitor.read_answer().header("x-request-id").unwrap().to_owned();
        server.program.signal(Signal::TERM);
        server.ends_with(0);
        let lines = lines(&server.path("access.log"));
        assert_eq!(lines.len(), 2, "{lines:?}");
        if format == "combined" {
            assert!(lines[0].starts_with("127.0.0.1 - - ["), "{}", lines[0]);
            let end = "] \"GET /a?b=%22c HTTP/1.1\" 200 9 \"-\" \"say \\\"hi\\\"\"";
            let nginx = end.replace("\\\"", "\\x22");
            assert!(lines[0].contains(end) || lines[0].contains(&nginx), "{}", lines[0]);
            assert!(lines[1].contains("\"GET /d HTTP/1.1\" 421 "), "{}", lines[1]);
        } else {
            let record = |line: &String| serde_json::from_str::<Value>(line).unwrap();
            let (first, second) = (record(&lines[0]), record(&lines[1]));
            assert_eq!((&first["status"], &first["host"]), (&200.into(), &"a.test".into()), "{first}");
            assert_eq!(first["user_agent"], "say \"hi\"", "{first}");
            assert_eq!((&second["status"], &second["host"]), (&421.into(), &"b.test".into()), "{second}");
            assert!(lines[1].contains(&reference), "the page's reference is found here: {second}");
        }
    }
}

#[test]
fn a_full_file_is_put_aside_and_only_so_many_are_kept() {
    let origin = origin();
    let mut server = start(&origin, "format = \"json\"\nrotate_size = \"1MiB\"\nkeep_files = 2");
    let mut visitor = Visitor::of_site(server.http);
    // Long targets: four files' worth in a thousand requests.
    let long = "x".repeat(4000);
    for number in 0..1000 {
        assert_eq!(visitor.get(&format!("/?{number}&{long}")).status, 200);
    }
    server.program.signal(Signal::TERM);
    server.ends_with(0);
    let kept = |name: &str| server.path(name);
    assert!(!kept("access.log.3").exists());
    let numbers: Vec<usize> = ["access.log.2", "access.log.1", "access.log"]
        .iter()
        .flat_map(|name| {
            let bytes = fs::metadata(kept(name)).unwrap().len();
            assert!(bytes <= 1 << 20, "{name} has {bytes} bytes");
            lines(&kept(name))
        })
        .map(|line| line.split("/?").nth(1).unwrap().split('&').next().unwrap().parse().unwrap())
        .collect();
    let expected: Vec<usize> = (1000 - numbers.len()..1000).collect();
    assert_eq!(numbers, expected, "the newest lines, each once and in order");
}

#[test]
fn hang_up_goes_over_to_a_new_file() {
    let origin = origin();
    let mut server = start(&origin, "");
    let mut visitor = Visitor::of_site(server.http);
    assert_eq!(visitor.get("/before").status, 200);
    let (log, aside) = (server.path("access.log"), server.path("access.log.old"));
    server.until("the line is written", || lines(&log).len() == 1);
    fs::rename(&log, &aside).unwrap();
    server.program.signal(Signal::HUP);
    server.until("there is a new file", || log.exists());
    assert_eq!(visitor.get("/after").status, 200);
    server.program.signal(Signal::TERM);
    server.ends_with(0);
    assert!(lines(&aside)[0].contains("/before") && lines(&aside).len() == 1);
    assert!(lines(&log)[0].contains("/after") && lines(&log).len() == 1);
}

/// Renames the log to `access.log.aside`, puts something else in its place, and has the server open
/// that. Until it has, lines go to the file put aside.
fn replace_log(server: &Server, put: impl FnOnce(&Path)) {
    let log = server.path("access.log");
    fs::rename(&log, server.path("access.log.aside")).unwrap();
    put(&log);
    server.program.signal(Signal::HUP);
}

#[test]
fn a_full_disk_costs_lines_and_no_request() {
    let origin = origin();
    let mut server = start(&origin, "");
    replace_log(&server, |log| symlink("/dev/full", log).unwrap());
    server.program.stderr.line("reopening the access log");
    let mut visitor = Visitor::of_site(server.http);
    let request_bytes = 4096;
    let path = format!("/{}", "x".repeat(request_bytes));
    // Lines wait in memory up to 1 MiB; beyond that they are dropped and counted.
    for _ in 0..400 {
        assert_eq!(visitor.get(&path).status, 200);
    }
    server.until_metric(DROPPED, |dropped| dropped > 0);
    assert!(server.program.stderr.so_far().contains("No space left on device"));
    let aside = lines(&server.path("access.log.aside")).len();
    fs::remove_file(server.path("access.log")).unwrap();
    server.program.signal(Signal::HUP);
    server.program.stderr.line("the access log is written again");
    server.until_metric(DROPPED, |dropped| {
        let written = aside + lines(&server.path("access.log")).len();
        dropped + u64::try_from(written).unwrap() == 400
    });
    server.program.signal(Signal::TERM);
    server.ends_with(0);
}

#[test]
fn a_disk_that_hangs_costs_lines_and_no_request() {
    let origin = origin();
    let mut server = start(&origin, "");
    // A pipe that nobody reads: a write waits for ever once it is full.
    replace_log(&server, |log| {
        rustix::fs::mknodat(rustix::fs::CWD, log, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0)
            .unwrap();
    });
    server.program.stderr.line("reopening the access log");
    let mut visitor = Visitor::of_site(server.http);
    let path = format!("/{}", "x".repeat(4096));
    let mut requests = 0_u64;
    server.until("lines are dropped", || {
        for _ in 0..2000 {
            assert_eq!(visitor.get(&path).status, 200);
            requests += 1;
        }
        server.metric(DROPPED) > 0
    });
    // Somebody reads after all: the server writes what it kept, and ends.
    let log = server.path("access.log");
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        fs::File::open(log).unwrap().read_to_string(&mut text).unwrap();
        text.lines().count()
    });
    server.until("the rest is written", || server.metric(DROPPED) > 0);
    server.program.signal(Signal::TERM);
    server.ends_with(0);
    let written = u64::try_from(reader.join().unwrap()).unwrap();
    assert!(written > 0 && written < requests, "{written} of {requests}");
}
