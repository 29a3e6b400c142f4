//! Asked to stop, the server finishes what it began, refuses what is new, and loses no record.

use std::fs;

use rustix::process::Signal;

use crate::support::{Origin, Page, Server, Visitor};

fn origin() -> Origin {
    Origin::start(|path| {
        let text = if path.starts_with("/slow") { "slow ".repeat(40_000) } else { path.to_owned() };
        Page::new(text, "no-store")
    })
}

fn with_log(server: &str) -> String {
    // Relative paths are seen from the settings file's directory.
    format!("{server}\n[server.access_log]\npath = \"access.log\"\nformat = \"json\"")
}

/// A visitor whose answer the origin holds.
fn slow_visitor(origin: &Origin, server: &Server, number: usize) -> Visitor {
    origin.close_gate();
    let mut visitor = Visitor::of_site(server.http);
    // Pages of their own: visitors of one page would wait for each other's answer.
    visitor.send_get(&format!("/slow/{number}"));
    origin.wait_in_progress(number);
    visitor
}

fn log_lines(server: &Server) -> usize {
    fs::read_to_string(server.path("access.log")).unwrap().lines().count()
}

#[test]
fn an_answer_in_progress_arrives_whole_and_every_record_is_kept() {
    let origin = origin();
    let mut server = Server::start(origin.address, &with_log(""), "");
    let mut earlier = Visitor::of_site(server.http);
    for number in 0..50 {
        assert_eq!(earlier.get(&format!("/{number}")).status, 200);
    }
    let mut visitor = slow_visitor(&origin, &server, 1);
    server.program.signal(Signal::TERM);
    server.program.stderr.line("stopping");
    server.until("it says that it is not ready", || server.ask_console("/readyz").status == 503);
    assert!(server.ask_console("/readyz").text().contains("stopping"));
    assert_eq!(server.ask_console("/healthz").status, 200);
    server.until("no connection is accepted", || Visitor::try_connect(server.http).is_err());
    assert!(earlier.is_closed(), "a connection without a request is closed");

    origin.open_gate();
    let answer = visitor.read_answer();
    assert_eq!((answer.status, answer.body.len()), (200, 200_000));
    assert!(visitor.is_closed());
    let said = server.ends_with(0);
    assert!(!said.contains("closed before"), "{said}");
    assert_eq!(server.stored_requests(), 51);
    assert_eq!(log_lines(&server), 51);
}

#[test]
fn a_second_signal_stops_at_once() {
    let origin = origin();
    let mut server = Server::start(origin.address, &with_log("timeouts = { drain = \"10m\" }"), "");
    let mut visitor = slow_visitor(&origin, &server, 1);
    server.program.signal(Signal::TERM);
    server.program.stderr.line("stopping");
    server.program.signal(Signal::TERM);
    let said = server.ends_with(0);
    assert!(said.contains("closed before their requests were finished connections=1"), "{said}");
    assert!(visitor.is_closed());
    assert_eq!(server.stored_requests(), 1, "a request that was cut off is a request all the same");
    assert_eq!(log_lines(&server), 1);
}

#[test]
fn the_deadline_cuts_off_and_says_how_many() {
    let origin = origin();
    let mut server = Server::start(origin.address, &with_log("timeouts = { drain = \"100ms\" }"), "");
    let mut visitors = [slow_visitor(&origin, &server, 1), slow_visitor(&origin, &server, 2)];
    server.program.signal(Signal::INT);
    let said = server.ends_with(0);
    assert!(said.contains("server.timeouts.drain"), "{said}");
    assert!(said.contains("closed before their requests were finished connections=2"), "{said}");
    assert!(visitors.iter_mut().all(Visitor::is_closed));
    assert_eq!(server.stored_requests(), 2);
    assert_eq!(log_lines(&server), 2);
}
