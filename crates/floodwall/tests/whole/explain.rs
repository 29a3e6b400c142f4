//! `floodwall explain`: with a running server, without one, and with what it cannot know.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use floodwall_policy::{Decided, ReferenceKey, RefusalNote, Rung, Secret};
use rustix::process::Signal;

use crate::support::{Origin, Page, Program, Server};

/// Runs it to its end; its exit status has to be `status`. What it said on standard output and error.
fn explain(directory: &Path, arguments: &[&str], status: i32) -> (String, String) {
    let mut program = Program::start(directory, &[&["explain"], arguments].concat());
    let ended = program.end();
    let said = (program.stdout.so_far(), program.stderr.so_far());
    assert_eq!(ended.code(), Some(status), "{arguments:?}: {said:?}");
    said
}

#[expect(clippy::disallowed_methods, reason = "the command reads the same clock")]
fn unix_seconds() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().try_into().unwrap()
}

/// An ID of this moment that a server with this state directory may have given out.
fn given_out(state: &Path) -> String {
    let secret: [u8; 32] = fs::read(state.join("secret")).unwrap().try_into().unwrap();
    let note = RefusalNote {
        at_unix_s: unix_seconds(),
        decided: Decided::NoRoom,
        rung: Rung::Redirect,
        site: Some(0),
        client: 0,
        counter: 0,
    };
    ReferenceKey::new(&Secret::new(secret)).seal(&note).to_string()
}

#[test]
fn ids_are_explained_with_the_server_and_without() {
    let origin = Origin::start(|path| Page::new(path.to_owned(), "no-store"));
    let mut server = Server::start(origin.address, "", "");
    let state = server.path("state");
    for file in ["secret", "admin.sock"] {
        let mode = fs::metadata(state.join(file)).unwrap().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    let (id, state_text) = (given_out(&state), state.display().to_string());
    let here = ["--state", state_text.as_str()];
    let at = server.directory.path().to_owned();
    let (said, _) = explain(&at, &[&[id.as_str()], &here[..]].concat(), 0);
    assert!(said.contains("for site sos:") && said.contains("more was asked of the origin"), "{said}");
    let (said, _) = explain(&at, &[&["0000-0000-0001"], &here[..]].concat(), 1);
    assert!(said.contains("no such reference ID"), "{said}");
    let (said, _) = explain(&at, &[&["192.0.2.7", "--json"], &here[..]].concat(), 0);
    let json: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(json["address"]["client"], "192.0.2.7/32");
    assert_eq!(json["address"]["sites"][0]["site"], "sos");

    server.program.signal(Signal::TERM);
    server.ends_with(0);
    assert!(!state.join("admin.sock").exists());
    let config = server.path("floodwall.toml").display().to_string();
    let (said, _) = explain(&at, &[id.as_str(), "--config", config.as_str(), "--json"], 0);
    let json: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(json["reference"]["decided"], "no_room");
    assert_eq!(json["reference"]["site"], "sos");
    let (said, _) = explain(&at, &[&[id.as_str()], &here[..]].concat(), 0);
    assert!(said.contains("for site number 1 of the settings:"), "{said}");
    let (_, said) = explain(&at, &[&["192.0.2.7"], &here[..]].concat(), 1);
    assert!(said.contains("no server is running") && said.contains("--state"), "{said}");
}

#[test]
fn what_cannot_be_explained_says_what_to_write() {
    let directory = tempfile::tempdir().unwrap();
    let empty = directory.path().display().to_string();
    for (arguments, status, words) in [
        (
            &["nonsense"][..],
            2,
            &["`nonsense` is neither an address nor a reference ID", "7F3K-9QWX-02MB"][..],
        ),
        (&["192.0.2.7", "--from", "192.0.2.7"], 2, &["--from goes with a reference ID"]),
        (&["192.0.2.7", "--config", "nowhere.toml"], 2, &["nowhere.toml", "cannot be read"]),
        (&["7F3K-9QWX-02MB", "--state", &empty], 1, &["no server is running", "secret", "--config"]),
    ] {
        let (_, said) = explain(directory.path(), arguments, status);
        for word in words {
            assert!(said.contains(word), "{arguments:?}: no {word:?} in {said}");
        }
    }
}

/// What `floodwall probe` prints is what the server takes.
#[test]
fn a_probes_credential_is_made_with_the_servers_secret() {
    let origin = Origin::start(|path| Page::new(path.to_owned(), "no-store"));
    let server = Server::start(origin.address, "", "");
    let config = server.path("floodwall.toml").display().to_string();
    let run = |arguments: &[&str], status: i32| {
        let mut program = Program::start(server.directory.path(), &[&["probe"], arguments].concat());
        let ended = program.end();
        let said = (program.stdout.so_far(), program.stderr.so_far());
        assert_eq!(ended.code(), Some(status), "{arguments:?}: {said:?}");
        said
    };
    let (said, warned) = run(&["uptime", "--config", &config, "--site", "sos", "--for", "1h"], 0);
    assert!(warned.contains("keep it as you keep a password"), "{warned}");
    let text = said.trim_end().strip_prefix("Floodwall-Probe: ").unwrap();
    let secret: [u8; 32] = fs::read(server.path("state/secret")).unwrap().try_into().unwrap();
    let now = floodwall_model::Timestamp::new(Default::default(), unix_seconds() * 1_000_000);
    let ring = floodwall_policy::Keyring::new(&Secret::new(secret), now);
    let site = floodwall_policy::SiteTag::of_name("sos");
    let claims = ring.verify_probe(text.as_bytes(), site, 0, now).unwrap();
    assert_eq!((claims.name.as_str(), claims.lifetime_s), ("uptime", 3_600));
    for (arguments, word) in [
        (&["uptime", "--config", &config, "--site", "nowhere"][..], "there are sos"),
        (&["uptime", "--config", &config, "--for", "1"], "1s"),
        (&["uptime", "--config", &config, "--for", "500d"], "1m to 400d"),
        (&["a b", "--config", &config], "letters, digits"),
    ] {
        let (_, said) = run(arguments, 2);
        assert!(said.contains(word), "{arguments:?}: {said}");
    }
}
