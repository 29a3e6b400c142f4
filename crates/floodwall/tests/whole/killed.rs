//! Killed (SIGKILL) while it answers, again and again: the store opens, and holds all but the last
//! moment. How much that moment is, `cargo xtask bench kill` measures.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;

use crate::support::{Origin, Page, Server, Visitor};

const ROUNDS: usize = 5;

/// Time, requests of this run, and records that wait for the disk, all of one snapshot.
fn snapshot(server: &Server) -> (String, u64, u64) {
    let shown: Value = serde_json::from_slice(&server.ask_console("/api/v1/sites").body).unwrap();
    let number = |value: &Value| value.as_u64().unwrap();
    (
        shown["as_of"].as_str().unwrap().to_owned(),
        number(&shown["sites"][0]["since_start"]["requests"]),
        number(&shown["server"]["losses"]["store_backlog_records"]),
    )
}

/// Waits until a snapshot says that the disk has taken what an earlier one counted; that count.
fn requests_on_disk(server: &Server) -> u64 {
    let mut counted: Option<(String, u64)> = None;
    let mut on_disk = 0;
    server.until("requests are on the disk", || {
        let (at, requests, waiting) = snapshot(server);
        match &counted {
            Some((then, earlier)) if *then != at && waiting == 0 => {
                on_disk = *earlier;
                true
            }
            Some(_) => false,
            None => {
                counted = (requests > 0).then_some((at, requests));
                false
            }
        }
    });
    on_disk
}

#[test]
fn the_store_opens_with_all_that_was_said_to_be_written() {
    let origin = Origin::start(|path| Page::new(path, "max-age=600"));
    let mut server = Server::start(origin.address, "", "");
    let mut stored = 0;
    for round in 0..ROUNDS {
        let sent = AtomicU64::new(0);
        let ask_until_killed = || {
            let mut visitor = Visitor::of_site(server.http);
            loop {
                sent.fetch_add(1, Ordering::SeqCst);
                if visitor.try_get("/").is_none() {
                    return;
                }
            }
        };
        let on_disk = std::thread::scope(|scope| {
            scope.spawn(ask_until_killed);
            scope.spawn(ask_until_killed);
            let on_disk = requests_on_disk(&server);
            server.program.signal(rustix::process::Signal::KILL);
            on_disk
        });
        server.program.end();
        let now = server.stored_requests();
        let of_this_run = now - stored;
        let sent = sent.load(Ordering::SeqCst);
        assert!((on_disk..=sent).contains(&of_this_run), "round {round}: {on_disk} {of_this_run} {sent}");
        stored = now;
        server = server.again();
    }
}
