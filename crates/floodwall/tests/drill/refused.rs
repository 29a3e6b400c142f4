//! What a drill cannot or will not do, it says before it makes anything.

use std::collections::BTreeSet;
use std::io::Write;
use std::net::TcpListener;
use std::process::{Command, Stdio};

use floodwall_drill::edges::Rival;

use crate::support::{On, Run, Scene, skipped};

/// Runs to its end, which must be of that status, with each of these words said, and nothing made.
fn check(scene: &Scene, mut run: Run, status: i32, words: &[&str]) {
    let (ended, said) = run.end();
    assert_eq!(ended.code(), Some(status), "{said}");
    for word in words {
        assert!(said.contains(word), "no {word:?} in\n{said}");
    }
    assert!(!said.contains("panicked"), "{said}");
    assert_eq!(run.stdout.so_far(), "");
    scene.assert_nothing_left(&BTreeSet::new());
}

#[test]
fn what_the_command_line_and_the_files_must_change() {
    let scene = Scene::on(On::Loopback);
    let usage = |arguments: &[&str], words: &[&str]| check(&scene, scene.drill(arguments), 2, words);
    usage(&["many-lihgt"], &["no scenario `many-lihgt`", "Did you mean `many-light`?", "--list"]);
    usage(&["--file", "/nowhere/own.toml"], &["cannot read /nowhere/own.toml"]);
    usage(&["--target", "http://127.0.0.1/", "calm"], &["unexpected argument '--target'"]);
    usage(&["http://127.0.0.1/"], &["no scenario `http://127.0.0.1/`"]);
    usage(&["--versus", "apache", "calm"], &["nginx, haproxy, varnish, trafficserver"]);
    usage(&["--only", "apache", "calm"], &["floodwall, nginx, haproxy, varnish, trafficserver"]);
    for together in [["--simulated", "--versus", "nginx"], ["--simulated", "--only", "nginx"]] {
        usage(&together, &["cannot be used with"]);
    }
    usage(&["--only", "nginx", "--versus", "haproxy"], &["cannot be used with"]);
    let beyond = scene.file(
        "beyond.toml",
        "title = \"t\"\nwhy = \"w\"\nduration_s = 6000\n\
         [[flood]]\nkind = \"pages\"\nsources = 0\nrate = 1e9\nfrom_s = 2\nuntil_s = 1\n",
    );
    let faults = ["duration_s: 6000", "flood[0].rate", "flood[0].sources: 0", "flood[0]: from 2 s to 1 s"];
    usage(&["--file", &beyond], &faults);
    let target = scene.file("target.toml", "title = \"t\"\nwhy = \"w\"\nduration_s = 3\ntarget = \"x\"\n");
    usage(&["--file", &target], &["unknown field `target`"]);
    let settings =
        scene.file("settings.toml", "[[site]]\nname = \"a\"\nhosts = [\"a.test\"]\norign = [\"x\"]\n");
    usage(&["--config", &settings, "calm"], &["settings.toml:4", "write `origin`"]);
    let simulated = scene.start(&["drill", "--simulated", "--config", &settings, "calm"]);
    check(&scene, simulated, 2, &["settings.toml:4", "write `origin`"]);
    usage(&["--config", "/nowhere/f.toml", "calm"], &["/nowhere/f.toml"]);
}

#[test]
fn a_rival_that_is_not_installed() {
    let Some(missing) = Rival::ALL.into_iter().find(|rival| rival.find().is_none()) else {
        skipped("every rival is installed on this machine");
        return;
    };
    let scene = Scene::on(On::Loopback);
    let (name, package) = (missing.as_str(), missing.packages()[0]);
    let words = [name, "is not installed", "apt-get install --no-install-recommends", package];
    check(&scene, scene.drill(&["--versus", name, "calm"]), 2, &words);
}

#[test]
fn a_machine_without_the_programs_it_needs() {
    let scene = Scene::on(On::Loopback);
    let run = scene.start_with_path(&["drill", "--loopback", "calm"], "/nowhere");
    let words = ["needs setpriv, taskset,", "apt-get install --no-install-recommends util-linux"];
    check(&scene, run, 1, &words);
}

#[test]
fn a_port_that_somebody_has() {
    let scene = Scene::on(On::Loopback);
    for address in ["127.77.0.1:8080", "127.77.0.2:8081"] {
        let _held = TcpListener::bind(address).unwrap();
        check(&scene, scene.drill(&["calm"]), 1, &[address, "one drill at a time", "ss -ltnp"]);
    }
}

/// An agent that somebody starts by hand, with these words on its standard input.
fn agent_by_hand(scene: &Scene, host: &str, orders: &str) -> (Option<i32>, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_floodwall"))
        .args(["drill-agent", host])
        .env("TMPDIR", scene.directory.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may have ended before it read them.
    let _ = child.stdin.take().unwrap().write_all(orders.as_bytes());
    let output = child.wait_with_output().unwrap();
    assert!(output.stdout.is_empty(), "{output:?}");
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn an_agent_outside_a_drill() {
    let scene = Scene::on(On::Loopback);
    let mut scenario = floodwall_drill::scenario::shipped("calm").unwrap();
    let mut orders = |network: &str, host: &str, duration_s: u32| {
        scenario.duration_s = duration_s;
        let orders = serde_json::json!({
            "network": network, "host": host, "scenario": scenario, "seed": 1, "port": 80, "site": "a.test",
        });
        format!("{orders}\n")
    };
    for host in ["origin", "visitors", "flood"] {
        for (orders, words) in [
            (String::new(), "takes its orders from `floodwall drill` alone"),
            ("{}\n".to_owned(), "takes its orders from `floodwall drill` alone"),
            (orders("namespaces", host, 60), "not on one of the drill's own hosts"),
            (orders("loopback", host, 6_000), "duration_s: 6000 is out of bounds"),
        ] {
            let (status, said) = agent_by_hand(&scene, host, &orders);
            assert_eq!(status, Some(1), "{host} {orders}: {said}");
            assert!(said.contains(words), "{host} {orders}: {said}");
        }
    }
}
