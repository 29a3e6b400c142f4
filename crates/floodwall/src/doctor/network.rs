//! What the machine's network can do: queues, ports, interfaces.

use std::io;
use std::net::SocketAddr;

use super::Finding;
use super::machine::{Machine, port_holder};
use super::system::PORTS_BELOW_1024;

/// The queue the edge asks for, for each worker.
const BACKLOG: u64 = 4096;

/// Ports of the default settings and of an HTTPS listener.
const PORTS: [(u16, &str); 3] = [(80, "http"), (443, "https"), (9800, "admin")];

/// Most interfaces listed; container hosts have hundreds.
const INTERFACES_MAX: usize = 16;

fn number(machine: &dyn Machine, path: &str) -> Option<u64> {
    machine.text(path)?.trim().parse().ok()
}

pub(super) fn accept_queue(machine: &dyn Machine) -> Finding {
    let name = "net.core.somaxconn";
    match number(machine, "/proc/sys/net/core/somaxconn") {
        None => Finding::unknown(name, ""),
        Some(length) if length >= BACKLOG => Finding::ok(name, length.to_string()),
        Some(length) => {
            let found = format!("{length}: bursts of new connections are dropped early");
            Finding::limited(name, found, format!("sysctl -w net.core.somaxconn={BACKLOG}"))
        }
    }
}

pub(super) fn syn_cookies(machine: &dyn Machine) -> Finding {
    let name = "net.ipv4.tcp_syncookies";
    match number(machine, "/proc/sys/net/ipv4/tcp_syncookies") {
        None => Finding::unknown(name, ""),
        Some(0) => {
            let found = "0: a flood of SYN packets fills the queue and keeps everybody out";
            Finding::limited(name, found, "sysctl -w net.ipv4.tcp_syncookies=1")
        }
        Some(mode) => Finding::ok(name, mode.to_string()),
    }
}

pub(super) fn shared_ports(machine: &dyn Machine) -> Finding {
    let name = "SO_REUSEPORT";
    if machine.shares_ports() {
        return Finding::ok(name, "works");
    }
    Finding::missing(
        name,
        "two sockets cannot share a port",
        "use a kernel or sandbox that allows it: each worker has its own socket",
    )
}

pub(super) fn interfaces(machine: &dyn Machine) -> Vec<Finding> {
    let names = machine.entries("/sys/class/net");
    let names: Vec<String> = names.into_iter().filter(|name| is_of_interest(machine, name)).collect();
    if names.is_empty() {
        return vec![Finding::limited(
            "interface",
            "none but loopback",
            "nobody else can reach this host; bring a network up",
        )];
    }
    let mut findings: Vec<Finding> =
        names.iter().take(INTERFACES_MAX).map(|name| interface(machine, name)).collect();
    if names.len() > INTERFACES_MAX {
        let more = names.len() - INTERFACES_MAX;
        findings.push(Finding::ok("interfaces", format!("{more} more are not listed")));
    }
    findings
}

/// Loopback says nothing, and neither do virtual interfaces that nobody has brought up.
fn is_of_interest(machine: &dyn Machine, name: &str) -> bool {
    let folder = format!("/sys/class/net/{name}");
    let is_device = machine.link(&format!("{folder}/device/driver")).is_some();
    let state = machine.text(&format!("{folder}/operstate")).unwrap_or_default();
    name != "lo" && (is_device || state.trim() != "down")
}

fn interface(machine: &dyn Machine, name: &str) -> Finding {
    let folder = format!("/sys/class/net/{name}");
    let driver = machine.link(&format!("{folder}/device/driver"));
    let driver = driver.as_deref().and_then(|path| path.rsplit('/').next()).unwrap_or("virtual");
    let state = machine.text(&format!("{folder}/operstate")).unwrap_or_default();
    let mut found =
        format!("{driver}, {}", if state.trim().is_empty() { "state unknown" } else { state.trim() });
    // A link that is down, or a virtual one, has no speed or -1.
    if let Some(speed) = number(machine, &format!("{folder}/speed")) {
        found.push_str(&format!(", {speed} Mbit/s"));
    }
    Finding::ok(&format!("interface {name}"), found)
}

pub(super) fn ports(machine: &dyn Machine) -> Vec<Finding> {
    PORTS.iter().map(|(port, purpose)| self::port(machine, *port, purpose)).collect()
}

fn port(machine: &dyn Machine, port: u16, purpose: &str) -> Finding {
    let name = format!("port {port}");
    let host = if port == 9800 { [127, 0, 0, 1] } else { [0, 0, 0, 0] };
    let Err(error) = machine.try_listen(SocketAddr::from((host, port))) else {
        return Finding::ok(&name, "free");
    };
    match error.kind() {
        io::ErrorKind::AddrInUse => match port_holder(machine, port) {
            Some(holder) if holder.program == "floodwall" => {
                Finding::ok(&name, format!("held by Floodwall itself (process {})", holder.process))
            }
            Some(holder) => Finding::limited(
                &name,
                format!("held by {} (process {})", holder.program, holder.process),
                format!("stop it, or write another port for `{purpose}` in [server]"),
            ),
            None => Finding::limited(
                &name,
                "held by another program",
                format!(
                    "find it with `ss -ltnp 'sport = :{port}'` as root, or write another port for `{purpose}` in [server]"
                ),
            ),
        },
        io::ErrorKind::PermissionDenied => {
            Finding::limited(&name, "not permitted to this user", PORTS_BELOW_1024)
        }
        _ => Finding::limited(&name, format!("cannot be listened on: {error}"), ""),
    }
}
