//! What processes use, read from `/proc`.

use std::collections::BTreeSet;

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
    fn this_process_uses_memory_and_has_itself_in_its_family() {
        let own = std::process::id();
        assert!(family(own).contains(&own));
        assert!(use_of(own).memory_bytes > 100_000);
    }
}
