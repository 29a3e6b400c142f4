//! Programs under measurement: started on one core, read through `/proc`, and always ended.
//!
//! Three things end them: dropping a [`Process`]; Ctrl-C, which the terminal gives to all of the
//! group; and the kernel, when this program dies in any other way (`setpriv --pdeathsig`).

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::clock::wait_until;

/// How long a server may take to stop when asked to.
const STOP_PATIENCE: Duration = Duration::from_secs(15);

/// A command that runs pinned to `core` and dies with this program.
pub(super) fn pinned(core: usize, program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "TERM", "taskset", "--cpu-list", &core.to_string()]).arg(program);
    command.stdin(Stdio::null());
    command
}

/// A running server with all its children.
#[derive(Debug)]
pub(super) struct Process {
    name: &'static str,
    child: Child,
}

/// Memory of a process with all its children.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Memory {
    /// Proportional set size: what the machine would get back.
    pub(super) pss_bytes: u64,
    /// Of that, in huge pages, which come two megabytes at a time.
    pub(super) huge_bytes: u64,
}

impl Process {
    /// Starts `command`; what it prints goes to `log`.
    pub(super) fn start(name: &'static str, mut command: Command, log: &Path) -> Result<Self, String> {
        let file = File::create(log).and_then(|out| Ok((out.try_clone()?, out)));
        let (out, err) = file.map_err(|error| format!("cannot write {}: {error}", log.display()))?;
        let child = command.stdout(out).stderr(err).spawn();
        let child = child.map_err(|error| format!("cannot start {name}: {error}"))?;
        Ok(Self { name, child })
    }

    /// Fails when the server has ended by itself.
    pub(super) fn check_running(&mut self, log: &Path) -> Result<(), String> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => {
                let said = fs::read_to_string(log).unwrap_or_default();
                Err(format!("{} ended with {status}: {}", self.name, said.trim()))
            }
            Err(error) => Err(format!("{} cannot be waited for: {error}", self.name)),
        }
    }

    /// CPU time it and its children have used since they began, user and system, in seconds. The
    /// kernel keeps the sum to the nanosecond and reports it in ticks of 10 ms.
    pub(super) fn cpu_seconds(&self) -> Result<f64, String> {
        let mut ticks = 0;
        for id in self.family() {
            ticks += stat_fields(id)
                .and_then(|stat| Some(stat.number(13)? + stat.number(14)?))
                .ok_or_else(|| format!("{}: /proc/{id}/stat cannot be read", self.name))?;
        }
        let per_second = rustix::param::clock_ticks_per_second();
        #[expect(clippy::cast_precision_loss, reason = "ticks of a few hours are far below 2^52")]
        Ok(ticks as f64 / per_second as f64)
    }

    /// Memory it and its children take now.
    pub(super) fn memory(&self) -> Result<Memory, String> {
        let mut sum = Memory::default();
        for id in self.family() {
            let file = format!("/proc/{id}/smaps_rollup");
            let text = fs::read_to_string(&file).map_err(|error| format!("{file}: {error}"))?;
            let kib = |key: &str| {
                let line = text.lines().find_map(|line| line.strip_prefix(key));
                line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0)
            };
            sum.pss_bytes += kib("Pss:") * 1024;
            sum.huge_bytes += kib("AnonHugePages:") * 1024;
        }
        Ok(sum)
    }

    /// The process and all that descend from it.
    fn family(&self) -> Vec<u32> {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let all: Vec<(u32, u64)> = entries
            .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
            .filter_map(|id| Some((id, stat_fields(id)?.number(3)?)))
            .collect();
        let mut family = vec![self.child.id()];
        let mut looked_at = 0;
        while let Some(parent) = family.get(looked_at).copied() {
            family.extend(all.iter().filter(|(_, of)| *of == u64::from(parent)).map(|(id, _)| *id));
            looked_at += 1;
        }
        family
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let family = self.family();
        if let Some(id) = pid(self.child.id()) {
            let _ = kill_process(id, Signal::TERM);
        }
        let ended = wait_until(STOP_PATIENCE, || !matches!(self.child.try_wait(), Ok(None)));
        // Whoever is left of the family by then: a child that outlived its parent, or all of them.
        let own = self.child.id();
        let left: Vec<u32> = family.into_iter().filter(|id| *id != own || !ended).collect();
        for id in left.iter().copied().filter_map(pid) {
            let _ = kill_process(id, Signal::KILL);
        }
        let _ = self.child.wait();
        let _ = wait_until(STOP_PATIENCE, || !left.iter().any(|id| is_running(*id)));
    }
}

/// Whether there is such a process that is more than its exit status.
fn is_running(id: u32) -> bool {
    stat_fields(id).is_some_and(|stat| !stat.0.starts_with('Z'))
}

fn pid(id: u32) -> Option<Pid> {
    i32::try_from(id).ok().and_then(Pid::from_raw)
}

/// `/proc/ID/stat` behind the process's name, which may hold anything.
struct Stat(String);

/// CPU time of all programs this one has started and waited for, user and system, in seconds.
pub(super) fn children_cpu_seconds() -> Result<f64, String> {
    let ticks = stat_fields(std::process::id()).and_then(|stat| Some(stat.number(15)? + stat.number(16)?));
    let ticks = ticks.ok_or("/proc/self/stat cannot be read")?;
    #[expect(clippy::cast_precision_loss, reason = "ticks of a few hours are far below 2^52")]
    Ok(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}

fn stat_fields(id: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    text.rsplit_once(") ").map(|(_, fields)| Stat(fields.to_owned()))
}

impl Stat {
    /// A field by its place in proc(5), counted from 0.
    fn number(&self, place: usize) -> Option<u64> {
        self.0.split(' ').nth(place.checked_sub(2)?)?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropping_a_process_ends_it_and_its_children() {
        let directory = tempfile::tempdir().unwrap();
        let mut command = pinned(0, Path::new("sh"));
        command.args(["-c", "sleep 1000 & echo $!; wait"]);
        let log = directory.path().join("log");
        let process = Process::start("sh", command, &log).unwrap();
        let child = || fs::read_to_string(&log).unwrap_or_default().trim().parse::<u32>().ok();
        assert!(wait_until(STOP_PATIENCE, || child().is_some()));
        let family = process.family();
        assert!(family.contains(&child().unwrap()), "{family:?}");
        assert!(process.memory().unwrap().pss_bytes > 0);
        assert!(process.cpu_seconds().is_ok());
        drop(process);
        for id in family {
            assert!(!is_running(id), "{id} still runs");
        }
    }
}
