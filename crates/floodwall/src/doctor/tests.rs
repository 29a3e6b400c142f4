//! What doctor says of machines made up for it.

use std::io::ErrorKind;

use super::fixture::Fixture;
use super::*;

fn said(machine: &Fixture, json: bool) -> (String, u8) {
    let mut out = Vec::new();
    let status = run_on(machine, json, &mut out);
    (String::from_utf8(out).unwrap(), status)
}

#[test]
fn a_machine_where_all_is_well() {
    let (text, status) = said(&Fixture::office(), false);
    assert_eq!(status, 0);
    insta::assert_snapshot!(text);
}

/// Everything that can fall short without keeping Floodwall from running.
fn poor() -> Fixture {
    Fixture::office()
        .with_text("/proc/sys/kernel/osrelease", "4.19.0-5-amd64\n")
        .with_text("/sys/fs/cgroup/memory.max", "268435456\n")
        .with_text(
            "/proc/self/limits",
            "Max open files            1024                 4096                 files     \n",
        )
        .with_text("/proc/self/status", "CapEff:\t0000000000000000\n")
        .with_text("/proc/sys/net/core/somaxconn", "128\n")
        .with_text("/proc/sys/net/ipv4/tcp_syncookies", "0\n")
        .with_text("/sys/kernel/mm/transparent_hugepage/enabled", "[always] madvise never\n")
        .without("/run/systemd/timesync/synchronized")
        .with_text("/sys/class/net/ifb0/operstate", "down\n")
        .with_text("/sys/class/net/veth1/operstate", "up\n")
        .with_text("/proc/net/tcp6", "0: 0:01BB 0:0000 0A 0:0 0:0 0 0 0 4711 1\n")
        .with_text("/proc/812/comm", "nginx\n")
        .with_link("/proc/812/fd/6", "socket:[4711]")
        .with_port(80, ErrorKind::PermissionDenied)
        .with_port(443, ErrorKind::AddrInUse)
        .with_port(9800, ErrorKind::AddrInUse)
        .with_unwritable("/var/lib/floodwall", ErrorKind::NotFound)
        .with_unwritable("/var/lib", ErrorKind::PermissionDenied)
        .with_free_bytes(300 << 20)
}

#[test]
fn a_machine_that_falls_short_in_everything() {
    let (text, status) = said(&poor(), false);
    assert_eq!(status, 0, "it can still run");
    insta::assert_snapshot!(text);
}

#[test]
fn what_is_needed_and_missing_decides_the_status() {
    for (machine, name) in [
        (Fixture::office().without_shared_ports(), "SO_REUSEPORT"),
        (Fixture::office().with_free_bytes(1 << 20), "disk space"),
        (Fixture::office().without("/proc/sys/kernel/osrelease"), "kernel"),
    ] {
        let (text, status) = said(&machine, true);
        let document: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(status, 1, "{name}");
        assert_eq!(document["good"], false, "{name}");
        let missing: Vec<_> =
            document["findings"].as_array().unwrap().iter().filter(|f| f["state"] == "missing").collect();
        assert_eq!(missing.len(), 1, "{name}");
        assert_eq!(missing[0]["name"], name);
        assert_ne!(missing[0]["advice"], "", "{name}");
    }
}

#[test]
fn the_running_floodwall_may_hold_its_ports() {
    let machine = Fixture::office()
        .with_port(80, ErrorKind::AddrInUse)
        .with_text("/proc/net/tcp", "0: 00000000:0050 00000000:0000 0A 0:0 0:0 0 0 0 1 1\n")
        .with_text("/proc/7/comm", "floodwall\n")
        .with_link("/proc/7/fd/6", "socket:[1]");
    assert_eq!(network::ports(&machine)[0], Finding::ok("port 80", "held by Floodwall itself (process 7)"));
}

#[test]
fn an_empty_machine_is_no_reason_to_panic() {
    let (text, status) = said(&Fixture::default(), false);
    assert_eq!(status, 1);
    assert!(text.contains("no /proc"), "{text}");
}

#[test]
fn this_machine_can_be_looked_at() {
    let mut out = Vec::new();
    run(true, &mut out);
    let document: serde_json::Value = serde_json::from_slice(&out).unwrap();
    assert!(document["findings"].as_array().unwrap().len() > 10);
}
