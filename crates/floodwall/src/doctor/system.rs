//! The machine itself: kernel, processors, memory, limits, clock, disk.

use std::path::Path;

use super::Finding;
use super::machine::{Machine, may_write_or_make};
use crate::settings::format_size;

/// Directory of the default settings.
const STATE: &str = "/var/lib/floodwall";
/// Open connections of the default settings.
const CONNECTIONS: u64 = 20_000;
/// Descriptors beside those of visitors: connections to origins, listeners, store, console.
const OTHER_FILES: u64 = 2_000;
/// Memory of the default settings: a cache of 256 MiB, the limiter, 16 KiB for each connection.
const MEMORY_BYTES: u64 = 1 << 30;
/// Disk for the default retention of one busy site.
const DISK_BYTES: u64 = 1 << 30;
/// Below this not even the store can be begun.
const DISK_BYTES_LEAST: u64 = 32 << 20;

pub(super) fn kernel(machine: &dyn Machine) -> Finding {
    let name = "kernel";
    let Some(release) = machine.text("/proc/sys/kernel/osrelease") else {
        return Finding::missing(name, "no /proc", "run Floodwall on Linux, with /proc mounted");
    };
    let release = release.trim();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|n| n.parse::<u32>().unwrap_or(0));
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if version >= (5, 10) {
        return Finding::ok(name, format!("Linux {release}"));
    }
    let advice = "use Linux 5.10 or newer; older ones are not tried with Floodwall";
    Finding::limited(name, format!("Linux {release}"), advice)
}

pub(super) fn processors(machine: &dyn Machine) -> Finding {
    let info = machine.text("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':').map(|(_, model)| model.trim()));
    let cores = machine.cores();
    let found = match model {
        Some(model) => format!("{cores} usable, {model}"),
        None => format!("{cores} usable"),
    };
    if cores > 1 {
        return Finding::ok("processors", found);
    }
    Finding::limited(
        "processors",
        found,
        "give Floodwall two cores or more, so that handshakes do not hold up pages",
    )
}

pub(super) fn memory(machine: &dyn Machine) -> Finding {
    let name = "memory";
    let info = machine.text("/proc/meminfo").unwrap_or_default();
    let Some(available) = kib_of(&info, "MemAvailable") else {
        return Finding::unknown(name, "see that 1 GiB is free");
    };
    let limit = machine.text("/sys/fs/cgroup/memory.max").and_then(|text| text.trim().parse::<u64>().ok());
    let bytes = limit.map_or(available, |limit| limit.min(available));
    let mib = bytes >> 20;
    let found = match limit {
        Some(limit) if limit <= available => format!("{mib} MiB allowed by the control group"),
        _ => format!("{mib} MiB available"),
    };
    if bytes >= MEMORY_BYTES {
        return Finding::ok(name, found);
    }
    Finding::limited(
        name,
        found,
        "give Floodwall 1 GiB, or lower `memory` in [server.cache] and `connections_max` in [server]",
    )
}

fn kib_of(info: &str, key: &str) -> Option<u64> {
    let line = info.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    kib.checked_mul(1024)
}

pub(super) fn open_files(machine: &dyn Machine) -> Finding {
    let name = "open files";
    let limits = machine.text("/proc/self/limits").unwrap_or_default();
    let values = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let mut values = values.unwrap_or_default().split_whitespace();
    let mut next = || match values.next()? {
        "unlimited" => Some(u64::MAX),
        number => number.parse::<u64>().ok(),
    };
    let (Some(soft), Some(hard)) = (next(), next()) else {
        return Finding::unknown(name, "see that `ulimit -n` is 65536 or more");
    };
    let need = CONNECTIONS + OTHER_FILES;
    if soft >= need {
        return Finding::ok(name, format!("{soft} at most"));
    }
    let found = format!("{soft} at most; {CONNECTIONS} connections need about {need}");
    let advice = if hard >= need {
        "run `ulimit -n 65536` before it, or write LimitNOFILE=65536 in its systemd unit".to_owned()
    } else {
        format!("write LimitNOFILE=65536 in its systemd unit (the hard limit here is {hard})")
    };
    Finding::limited(name, found, advice)
}

pub(super) fn huge_pages(machine: &dyn Machine) -> Finding {
    let name = "huge pages";
    let Some(text) = machine.text("/sys/kernel/mm/transparent_hugepage/enabled") else {
        return Finding::ok(name, "not in this kernel");
    };
    let mode = text
        .split_once('[')
        .and_then(|(_, rest)| rest.split_once(']'))
        .map_or("", |(mode, _)| mode)
        .to_owned();
    if mode == "always" {
        let advice = "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled";
        return Finding::limited(name, "always: memory in use may grow beyond what is needed", advice);
    }
    Finding::ok(name, mode)
}

/// Capabilities by their bit (`linux/capability.h`) and what each is for.
pub(super) fn capabilities(machine: &dyn Machine) -> Vec<Finding> {
    let status = machine.text("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let mask = mask.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok());
    let low_ports = machine
        .text("/proc/sys/net/ipv4/ip_unprivileged_port_start")
        .and_then(|text| text.trim().parse::<u32>().ok())
        .is_some_and(|start| start <= 80);
    let filter = "nothing to do: only the packet filter needs it, which is not part of this version";
    [("CAP_NET_BIND_SERVICE", 10, PORTS_BELOW_1024), ("CAP_NET_ADMIN", 12, filter), ("CAP_BPF", 39, filter)]
        .map(|(name, bit, advice)| match mask {
            None => Finding::unknown(name, ""),
            Some(mask) if mask & (1 << bit) != 0 => Finding::ok(name, "held"),
            Some(_) if bit == 10 && low_ports => {
                Finding::ok(name, "not needed: ports from 80 up are open to every user")
            }
            Some(_) if bit == 10 => {
                Finding::limited(name, "not held: ports 80 and 443 cannot be listened on", advice)
            }
            Some(_) => Finding::ok(name, format!("not held; {advice}")),
        })
        .into()
}

/// How a user other than root comes to listen on ports 80 and 443.
pub(crate) const PORTS_BELOW_1024: &str = "write AmbientCapabilities=CAP_NET_BIND_SERVICE in its systemd unit, or run \
                                           `setcap cap_net_bind_service=+ep` on the floodwall binary";

/// Left behind by programs that keep the clock right, and what it means.
const CLOCK_TRACES: [(&str, &str); 5] = [
    ("/run/systemd/timesync/synchronized", "synchronised by systemd-timesyncd"),
    ("/run/chrony/chronyd.pid", "kept by chronyd"),
    ("/run/chronyd.pid", "kept by chronyd"),
    ("/run/ntpd.pid", "kept by ntpd"),
    ("/run/openntpd.pid", "kept by openntpd"),
];

/// What keeps this host's clock right, in words; `None` where nothing shows.
pub(crate) fn clock_keeper() -> Option<&'static str> {
    CLOCK_TRACES.iter().find(|(path, _)| Path::new(path).exists()).map(|(_, meaning)| *meaning)
}

pub(super) fn clock(machine: &dyn Machine) -> Finding {
    let trace = CLOCK_TRACES.iter().find(|(path, _)| machine.text(path).is_some());
    match trace {
        Some((_, meaning)) => Finding::ok("clock", *meaning),
        None => Finding::unknown(
            "clock",
            "see that it is synchronised (timedatectl): records are only as good as their times",
        ),
    }
}

pub(super) fn state_directory(machine: &dyn Machine) -> Finding {
    match may_write_or_make(machine, Path::new(STATE)) {
        Ok(()) => Finding::ok("state directory", format!("{STATE} can be written")),
        Err((at, error)) => Finding::limited(
            "state directory",
            format!("{STATE} cannot be written ({}: {error})", at.display()),
            format!(
                "run `install -d -o USER {STATE}` as root, or set `state` in [server] to a directory of your own"
            ),
        ),
    }
}

pub(super) fn disk_space(machine: &dyn Machine) -> Finding {
    let name = "disk space";
    let mut at = Path::new(STATE);
    let free = loop {
        match (machine.free_bytes(at), at.parent()) {
            (Some(free), _) => break free,
            (None, Some(parent)) => at = parent,
            (None, None) => return Finding::unknown(name, format!("see that 1 GiB is free below {STATE}")),
        }
    };
    // Ten units or more: precise enough, and short.
    let unit = if free >= 10 << 30 { 1 << 30 } else { 1 << 20 };
    let found = format!("{} free at {}", format_size(free / unit * unit), at.display());
    if free >= DISK_BYTES {
        return Finding::ok(name, found);
    }
    let advice = "make room, or set `state` in [server] to another file system";
    if free >= DISK_BYTES_LEAST {
        Finding::limited(name, found, advice)
    } else {
        Finding::missing(name, found, advice)
    }
}
