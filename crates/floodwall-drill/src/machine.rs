//! What processes use, read from `/proc`.

use std::collections::BTreeSet;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::Serialize;

/// Clock ticks per second in `/proc/PID/stat` (`USER_HZ`), the same on every Linux we know.
const TICKS_PER_SECOND: f64 = 100.0;

/// What a process and its children use at this moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Use {
    /// Processor time since they began, seconds.
    pub(crate) cpu_s: f64,
    /// Resident memory, bytes; what they share counts once per process.
    pub(crate) memory_bytes: u64,
}

/// Sums over the process and everything it started.
pub(crate) fn use_of(root: u32) -> Use {
    let mut sum = Use::default();
    for pid in family(root) {
        let Some(stat) = stat(pid) else { continue };
        sum.cpu_s += stat.cpu_s;
        sum.memory_bytes += proportional_bytes(pid).unwrap_or(0);
    }
    sum
}

/// Raises the limit of open files to the most that this process may have; its children have it too.
pub(crate) fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    // Where it cannot be raised, connections beyond it fail and are counted.
    let _ = setrlimit(Resource::Nofile, raised);
}

/// TCP connections that the system holds for a server, visitors' included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Held {
    /// Established, or closed by the server with data that the other side does not take.
    pub connections: u64,
    /// Half-open: a SYN was answered and nothing came since.
    pub half_open: u64,
}

/// Counts the connections at these ports in the network namespace of a process.
pub(crate) fn held_at(ports: &[u16], pid: u32) -> Held {
    let mut held = Held::default();
    for table in ["tcp", "tcp6"] {
        let text = std::fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
        for state in text.lines().filter_map(|line| state_at(ports, line)) {
            match state {
                // TCP_ESTABLISHED, TCP_FIN_WAIT1 (include/net/tcp_states.h).
                "01" | "04" => held.connections += 1,
                // TCP_SYN_RECV.
                "03" => held.half_open += 1,
                _ => {}
            }
        }
    }
    held
}

/// The state in a line of `/proc/net/tcp` whose local port is one of these.
fn state_at<'a>(ports: &[u16], line: &'a str) -> Option<&'a str> {
    let mut fields = line.split_ascii_whitespace().skip(1);
    let (_, port) = fields.next()?.rsplit_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let state = fields.nth(1)?;
    ports.contains(&port).then_some(state)
}

/// Processor time that programs have used on one processor since the machine started, seconds.
pub(crate) fn processor_used_s(processor: usize) -> f64 {
    programs_s(&std::fs::read_to_string("/proc/stat").unwrap_or_default(), processor).unwrap_or(0.0)
}

/// User, nice, system and steal of a processor's line in `/proc/stat`; interrupts are left out, because
/// they are the edge's own packets mostly.
fn programs_s(text: &str, processor: usize) -> Option<f64> {
    let name = format!("cpu{processor}");
    let line = text.lines().find(|line| line.split_ascii_whitespace().next() == Some(name.as_str()))?;
    let ticks: Vec<f64> =
        line.split_ascii_whitespace().skip(1).map_while(|field| field.parse().ok()).collect();
    let [user, nice, system, _idle, _wait, _irq, _softirq, steal, ..] = *ticks.as_slice() else {
        return None;
    };
    Some((user + nice + system + steal) / TICKS_PER_SECOND)
}

struct Stat {
    parent: u32,
    cpu_s: f64,
}

fn stat(pid: u32) -> Option<Stat> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything; fields are counted from its end.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    let ticks = |place: usize| fields.get(place).and_then(|field| field.parse::<u32>().ok());
    Some(Stat {
        parent: ticks(1)?,
        cpu_s: f64::from(ticks(11)?.saturating_add(ticks(12)?)) / TICKS_PER_SECOND,
    })
}

/// Proportional set size: pages shared by n processes count one n-th in each.
fn proportional_bytes(pid: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

/// A process and all that descend from it.
fn family(root: u32) -> BTreeSet<u32> {
    let mut children: Vec<(u32, u32)> = Vec::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        if let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok())
            && let Some(stat) = stat(pid)
        {
            children.push((stat.parent, pid));
        }
    }
    let mut family = BTreeSet::from([root]);
    let mut grown = true;
    while grown {
        let more: Vec<u32> =
            children.iter().filter(|(parent, _)| family.contains(parent)).map(|(_, pid)| *pid).collect();
        let before = family.len();
        family.extend(more);
        grown = family.len() > before;
    }
    family
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_counted_at_the_servers_ports() {
        let line = "   1: 010200C0:1F90 070013C6:9C40 03 00000000:00000000 01:00000063 00000000     0";
        assert_eq!(state_at(&[8_080], line), Some("03"));
        assert_eq!(state_at(&[8_081], line), None);
        assert_eq!(state_at(&[8_080], "  sl  local_address rem_address   st tx_queue rx_queue"), None);

        let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        let held = || held_at(&[address.port()], std::process::id());
        assert_eq!(held(), Held::default());
        let _client = std::net::TcpStream::connect(address).unwrap();
        let _accepted = server.accept().unwrap();
        assert_eq!(held(), Held { connections: 1, half_open: 0 });
    }

    #[test]
    fn a_processors_time_is_that_of_programs() {
        let text =
            "cpu  9 9 9 9 9 9 9 9 0 0\ncpu0 100 20 30 4000 5 6 7 50 0 0\ncpu1 1 1 1 1 1 1 1 1 0 0\nctxt 5\n";
        assert_eq!(programs_s(text, 0), Some(2.0));
        assert_eq!(programs_s(text, 10), None);
        assert!(processor_used_s(0) > 0.0);
    }

    #[test]
    fn the_limit_of_open_files_is_the_highest() {
        raise_open_files();
        let limit = getrlimit(Resource::Nofile);
        assert_eq!(limit.current, limit.maximum);
    }

    #[test]
    fn this_process_uses_memory_and_has_itself_in_its_family() {
        let own = std::process::id();
        assert!(family(own).contains(&own));
        assert!(use_of(own).memory_bytes > 100_000);
    }
}
