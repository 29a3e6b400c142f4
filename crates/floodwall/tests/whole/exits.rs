//! What stands in the way of a start: exit status, and words that say where and what to do.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use crate::support::Program;

const SITE: &str = "[[site]]\nname = \"sos\"\nhosts = [\"a.test\"]\norigin = [\"http://127.0.0.1:9\"]\n";

/// Runs it to its end. It has to say each of `words`, on standard error and nowhere else.
fn check(directory: &Path, arguments: &str, status: i32, words: &[&str]) {
    let arguments: Vec<_> = arguments.split_whitespace().collect();
    let mut program = Program::start(directory, &arguments);
    let ended = program.end();
    let said = program.stderr.so_far();
    assert_eq!(ended.code(), Some(status), "{arguments:?}:\n{said}");
    assert_eq!(program.stdout.so_far(), "", "{arguments:?}");
    // Long lines are wrapped for the reader.
    let unwrapped = said.replace("\n  │ ", " ").replace("\n        ", " ");
    for word in words {
        assert!(unwrapped.contains(word), "{arguments:?}: no {word:?} in\n{said}");
    }
    assert!(!said.contains("panicked"), "{said}");
}

fn check_file(server: &str, site: &str, status: i32, words: &[&str]) {
    let directory = tempfile::tempdir().unwrap();
    let text = format!(
        "{SITE}{site}\n[server]\nhttp = [\"127.0.0.1:0\"]\nadmin = \"127.0.0.1:0\"\nstate = \"state\"\n{server}\n"
    );
    let file = directory.path().join("f.toml");
    fs::write(&file, text).unwrap();
    check(directory.path(), &format!("serve --config {}", file.display()), status, words);
}

#[test]
fn ports_in_use_may_be_free_later_and_exit_with_1() {
    let directory = tempfile::tempdir().unwrap();
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let held = held.local_addr().unwrap().to_string();
    let said = [held.as_str(), "another program listens there already", "ss -ltnp"];
    let origin = "--origin http://127.0.0.1:9";
    let free = "127.0.0.1:0";
    check(directory.path(), &format!("serve --listen {held} --admin {free} {origin}"), 1, &said);
    let admin = [&said[..], &["server.admin"]].concat();
    check(directory.path(), &format!("serve --listen {free} --admin {held} {origin}"), 1, &admin);
    check(directory.path(), &format!("demo --site {held} --admin {free} --origin {free}"), 1, &said);
    let sample = [held.as_str(), "--origin"];
    check(directory.path(), &format!("demo --site {free} --admin {free} --origin {held}"), 1, &sample);
}

#[test]
fn what_the_settings_must_change_exits_with_2() {
    check_file("stat = 3", "orign = \"x\"", 2, &["f.toml:10", "`stat`", "write `state`", "write `origin`"]);
    let tls = "https = [\"127.0.0.1:0\"]";
    let certificate = "certificate = \"c.pem\"\nkey = \"k.pem\"";
    check_file(tls, certificate, 2, &["c.pem cannot be read", "k.pem cannot be read", "floodwall check"]);
    check_file("[server.access_log]\npath = \"/dev/full\"", "", 2, &["/dev/full", "not a regular file"]);
    check_file(
        "[server.access_log]\npath = \"no/a.log\"",
        "",
        2,
        &["no/a.log", "must exist and be writable"],
    );
    check_file("http = [\"127.0.0.1:0\"]", "", 2, &["f.toml", "http"]);
}

#[test]
fn a_state_directory_that_cannot_be_made_exits_with_2() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("taken");
    fs::write(&file, "").unwrap();
    let state = file.join("state").display().to_string();
    let free = "--listen 127.0.0.1:0 --admin 127.0.0.1:0 --origin http://127.0.0.1:9";
    check(directory.path(), &format!("serve {free} --state {state}"), 2, &[&state, "--state", "install -d"]);
}

#[test]
fn command_lines_that_cannot_be_meant_exit_with_2() {
    let directory = tempfile::tempdir().unwrap();
    for (arguments, words) in [
        ("", &["floodwall demo", "Exit status"][..]),
        ("serve", &["--config <FILE>|--origin <URL>"]),
        ("serve --bogus", &["--bogus", "--help"]),
        ("serve --config nowhere.toml", &["nowhere.toml", "cannot be read", "--config"]),
        ("serve --origin nonsense", &["--origin", "`nonsense`", "http://"]),
        ("serve --listen nonsense --origin http://127.0.0.1:9", &["--listen", "an address and a port"]),
        (
            "serve --listen 127.0.0.1:8080 --origin http://127.0.0.1:8080",
            &["--origin", "is Floodwall itself", "127.0.0.1:8080", "web server that is to be protected"],
        ),
        (
            "serve --listen 0.0.0.0:8080 --origin http://localhost:8080",
            &["--origin", "is Floodwall itself", "0.0.0.0:8080"],
        ),
        ("demo --site 192.0.2.1:80", &["192.0.2.1:80 is not on loopback", "127.0.0.1:80"]),
        ("demo --site 127.0.0.1:9930 --admin 127.0.0.1:9930", &["given twice", "--admin"]),
        ("demo-origin --listen 192.0.2.1:80", &["loopback only"]),
    ] {
        check(directory.path(), arguments, 2, words);
    }
}

#[test]
fn a_store_that_is_none_is_left_alone_and_exits_with_1() {
    let directory = tempfile::tempdir().unwrap();
    let store = directory.path().join("floodwall.db");
    fs::write(&store, "my own notes, not a store of Floodwall's").unwrap();
    let state = directory.path().display().to_string();
    let free = "--listen 127.0.0.1:0 --admin 127.0.0.1:0 --origin http://127.0.0.1:9";
    let words = [store.to_str().unwrap(), "left as it is", "move it aside"];
    check(directory.path(), &format!("serve {free} --state {state}"), 1, &words);
    assert_eq!(fs::read(&store).unwrap(), b"my own notes, not a store of Floodwall's");
}

#[test]
fn a_store_in_use_exits_with_1() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state").display().to_string();
    let free =
        format!("serve --listen 127.0.0.1:0 --admin 127.0.0.1:0 --origin http://127.0.0.1:9 --state {state}");
    let first = Program::start(directory.path(), &free.split_whitespace().collect::<Vec<_>>());
    first.stderr.line("serving");
    check(directory.path(), &free, 1, &["in use by another floodwall process", "stop that one"]);
}
