//! Floods against the real program: each does what its name says, and the edge does what it should.
//!
//! The drill itself is run, with scenarios of a few seconds that hold several floods at once. What is
//! asserted is what happened, never how fast.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the lints' exception for tests does not reach the helpers of one"
)]

use std::process::{Command, Stdio};

use serde_json::Value;

/// Runs a scenario, and returns what the drill says of it. One at a time: on loopback the drill's
/// ports are the same for all.
fn drill(text: &str) -> Value {
    let turn = std::fs::File::create(std::env::temp_dir().join("floodwall-drill-tests.lock")).unwrap();
    turn.lock().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("floods.toml");
    std::fs::write(&file, text).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_floodwall"))
        .args(["drill", "--json", "--file"])
        .arg(&file)
        .env("TMPDIR", directory.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    // Void on a busy machine (status 1): the figures do not count then, what happened does.
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("no result: {}", String::from_utf8_lossy(&output.stderr)))
}

/// A count of one flood, over all seconds.
fn sum(flood: &Value, field: &str) -> u64 {
    let seconds = flood["seconds"].as_array().unwrap();
    seconds.iter().map(|second| second[field].as_u64().unwrap()).sum()
}

fn flood(kind: &str, more: &str) -> String {
    format!("[[flood]]\nkind = \"{kind}\"\nsources = 20\nfrom_s = 1\nuntil_s = 4\n{more}\n")
}

#[test]
fn connections_of_http2_floods_are_ended() {
    let kinds = ["h2-rapid-reset", "h2-continuation", "h2-made-you-reset", "h2-header-bomb"];
    let floods: String = kinds.map(|kind| flood(kind, "rate = 10.0\nconnections_max = 10")).concat();
    let said = drill(&format!("title = \"t\"\nwhy = \"w\"\nduration_s = 5\ntls = true\n{floods}"));
    let drill = &said["drills"][0];
    for (kind, flood) in kinds.iter().zip(drill["floods"].as_array().unwrap()) {
        assert!(sum(flood, "begun") > 0 && sum(flood, "sent") > 0, "{kind}: {flood}");
        // One that was opened just before the flood's end may still be open then, not most of them.
        assert!(sum(flood, "told_to_go") > sum(flood, "served"), "{kind}: {flood}");
    }
    // The look-ups that rapid resets and provocations ask for: the edge has taken few of them to the
    // origin before it ended the connection.
    let sent = sum(&drill["floods"][0], "sent") + sum(&drill["floods"][2], "sent");
    let visitors = drill["goodput"]["under_trouble"]["sessions"].as_u64().unwrap();
    let look_ups = drill["origin"]["lookups"].as_u64().unwrap();
    assert!(look_ups < sent / 2 + visitors, "{look_ups} look-ups of {sent} sent");
}

#[test]
fn connections_and_handshakes_are_what_they_say() {
    let floods = [
        flood("connections", "rate = 100.0\nconnections_max = 50"),
        flood("slow-headers", "rate = 20.0\nconnections_max = 20"),
        flood("tls-handshakes", "rate = 50.0\nconnections_max = 110"),
    ];
    let floods = floods.concat();
    let said = drill(&format!("title = \"t\"\nwhy = \"w\"\nduration_s = 5\ntls = true\n{floods}"));
    let drill = &said["drills"][0];
    let [silent, slow, handshakes] = [0, 1, 2].map(|place| &drill["floods"][place]);
    assert_eq!(silent["connections_peak"], 50);
    assert!(sum(silent, "left_out") > 0, "{silent}");
    assert_eq!((sum(silent, "served"), sum(silent, "failed")), (50, 0), "{silent}");
    assert_eq!(slow["connections_peak"], 20);
    assert_eq!(sum(slow, "served"), 20, "{slow}");
    // The edge holds what the flooders hold.
    assert!(drill["edge_use"]["held_peak"]["connections"].as_u64().unwrap() >= 70, "{drill}");
    assert!(sum(handshakes, "served") > 0, "{handshakes}");
    assert_eq!((sum(handshakes, "refused"), sum(handshakes, "failed")), (0, 0), "{handshakes}");
}

#[test]
fn packets_leave_the_edge_with_connections_half_open() {
    for more in ["", "ipv6 = true"] {
        let packets = [
            flood("syn-spoofed", &format!("rate = 2000.0\n{more}")),
            flood("udp", &format!("rate = 500.0\n{more}")),
        ];
        let said = drill(&format!("title = \"t\"\nwhy = \"w\"\nduration_s = 5\n{}", packets.concat()));
        if !rustix::process::geteuid().is_root() {
            assert_eq!(said["drills"].as_array().unwrap().len(), 0);
            assert!(said["left_out"][0]["why"].as_str().unwrap().contains("as root"), "{said}");
            return;
        }
        let drill = &said["drills"][0];
        for flood in drill["floods"].as_array().unwrap() {
            assert!(sum(flood, "sent") > 0, "{flood}");
            assert_eq!(sum(flood, "sent") + sum(flood, "failed"), sum(flood, "begun"), "{flood}");
        }
        // Nobody at the addresses they name has taken these off the edge's hands with an answer.
        assert!(drill["edge_use"]["held_peak"]["half_open"].as_u64().unwrap() > 100, "{more} {drill}");
        assert!(drill["goodput"]["under_trouble"]["outcomes"]["arrived"].as_u64().unwrap() > 0, "{drill}");
    }
}

/// A server that answers nothing meets all of the flood, because flooders give up.
#[test]
fn a_flood_goes_on_when_nothing_is_answered() {
    let floods = flood("look-ups", "rate = 40.0\nconnections_max = 44\npatience_s = 1");
    // Slow from the beginning: nothing that needs the origin is answered within a second.
    let origin = "[[origin]]\ntrouble = \"slow\"\nfrom_s = 1\nuntil_s = 5\n";
    let said = drill(&format!("title = \"t\"\nwhy = \"w\"\nduration_s = 5\n{floods}{origin}"));
    let drill = &said["drills"][0];
    let flood = &drill["floods"][0];
    assert!(sum(flood, "gave_up") > 0, "{flood}");
    let met = &drill["floods_met"][0];
    assert!(met["planned"].as_u64().unwrap() > 60, "{met}");
    assert!(met["met"].as_u64().unwrap() * 100 >= met["planned"].as_u64().unwrap() * 95, "{met}");
    assert_eq!(drill["not_comparable"], Value::Null, "{drill}");
}
