//! A flood against a served site: it is noticed, told, shown, kept, and listed with and without the server.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Origin, Page, Program, Server, Visitor};

/// Runs `floodwall incident` to its end; its exit status has to be `status`.
fn incident(server: &Server, arguments: &[&str], status: i32) -> (String, String) {
    let state = server.path("state").display().to_string();
    let line = [&["incident"], arguments, &["--state", &state]].concat();
    let mut program = Program::start(server.directory.path(), &line);
    let ended = program.end();
    let said = (program.stdout.end(), program.stderr.end());
    assert_eq!(ended.code(), Some(status), "{arguments:?}: {said:?}");
    said
}

/// The statement on an incident, with its records, and what its own check says of it a moment later.
fn stated(server: &Server, id: &str) -> (String, String) {
    let config = server.path("floodwall.toml").display().to_string();
    let run = |arguments: &[&str]| {
        let line = [&["incident", "statement", id, "--config", &config], arguments].concat();
        let mut program = Program::start(server.directory.path(), &line);
        assert_eq!(program.end().code(), Some(0), "{}{}", program.stdout.end(), program.stderr.end());
        program.stdout.end()
    };
    let said = run(&["--sources"]);
    let file = server.path("statement.txt");
    std::fs::write(&file, &said).unwrap();
    (said, run(&["--check", file.to_str().unwrap()]))
}

/// Requests with queries that never repeat, until told to stop.
fn flood(server: &Server, stop: &Arc<AtomicBool>) -> std::thread::JoinHandle<()> {
    let (address, stop) = (server.http, stop.clone());
    std::thread::spawn(move || {
        let mut number = 0_u64;
        while !stop.load(Ordering::Relaxed) {
            let mut visitor = Visitor::of_site(address);
            for _ in 0..100 {
                number += 1;
                if visitor.try_get(&format!("/look-up?address={number}")).is_none() {
                    break;
                }
            }
        }
    })
}

#[test]
fn a_flood_opens_an_incident_and_everybody_is_told() {
    let origin = Origin::start(|path| Page::new(path.to_owned(), "no-store"));
    let mut server = Server::start(origin.address, "", "");
    let (said, _) = incident(&server, &["list"], 0);
    assert_eq!(said, "No incident is on record.");
    // What is usual: hardly anybody. Detection has to see it first.
    let mut seconds = 0;
    server.until("half a minute of calm has passed", || {
        server.get("/");
        seconds += 1;
        seconds >= 30
    });
    let stop = Arc::new(AtomicBool::new(false));
    let flooding = flood(&server, &stop);
    server.until_metric("floodwall_incident_openings_total{site=\"sos\"}", |opened| opened >= 1);

    let list: Value = serde_json::from_slice(&server.ask_console("/api/v1/incidents").body).unwrap();
    let (shown, id) = (&list["incidents"][0], list["incidents"][0]["id"].as_str().unwrap().to_owned());
    assert_eq!((&shown["site"], &shown["end"]), (&Value::from("sos"), &Value::Null), "{list}");
    let (said, _) = incident(&server, &["list"], 0);
    assert!(said.contains(&id) && said.contains("goes on"), "{said}");
    let (said, _) = incident(&server, &["show", &id], 0);
    assert!(said.contains("Noticed") && said.contains("Why, most important first"), "{said}");
    let (said, _) = incident(&server, &["show", &id, "--json"], 0);
    let one: Value = serde_json::from_str(&said).unwrap();
    assert!(one["traffic"]["peak_requests_per_second"].as_f64().unwrap() > 20.0, "{one}");
    assert!(!one["revisions"].as_array().unwrap().is_empty(), "{one}");
    assert!(server.ask_console("/").text().contains(&format!("incident-{id}")));
    server.program.stderr.line(&id);
    let (_, complaint) = incident(&server, &["show", "sos-1"], 1);
    assert!(complaint.contains("there is no incident sos-1"), "{complaint}");

    let (said, checked) = stated(&server, &id);
    assert!(said.contains("our website a.test ha"), "{said}");
    assert!(said.contains(&format!("[incident {id}; evidence ")), "{said}");
    assert!(checked.contains("Every sentence names a record"), "{said}\n{checked}");

    stop.store(true, Ordering::Relaxed);
    flooding.join().unwrap();
    server.program.signal(Signal::TERM);
    server.ends_with(0);
    // The store is read where no server runs.
    let (said, _) = incident(&server, &["list"], 0);
    assert!(said.contains(&id), "{said}");
    assert!(server.path("state").join("baselines.json").is_file());
}

#[test]
fn without_server_and_store_there_is_nothing_to_ask() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().display().to_string();
    let mut program = Program::start(directory.path(), &["incident", "list", "--state", &state]);
    assert_eq!(program.end().code(), Some(1));
    let complaint = program.stderr.end();
    assert!(complaint.contains("no server is running") && complaint.contains("--config"), "{complaint}");
    assert_eq!(directory.path().read_dir().unwrap().count(), 0, "a question makes no store");
}
