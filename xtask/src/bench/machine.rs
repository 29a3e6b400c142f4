//! The machine a figure was measured on: without it the figure says nothing.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde::Serialize;

/// What stands above every table.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Machine {
    date_utc: String,
    cpu: String,
    cores: usize,
    memory_gib: u64,
    kernel: String,
    system: String,
    floodwall: String,
    rivals: Vec<String>,
}

impl Machine {
    /// Reads it. `programs` are command lines that print a version, in their first line.
    pub(super) fn read(floodwall: &Path, programs: &[&[&str]]) -> Self {
        let field = |file: &str, key: &str| {
            let text = fs::read_to_string(file).unwrap_or_default();
            let line = text.lines().find(|line| line.starts_with(key));
            line.and_then(|line| line.split_once([':', '=']))
                .map(|(_, value)| value.trim().trim_matches('"').to_owned())
        };
        let memory_kib = field("/proc/meminfo", "MemTotal")
            .and_then(|text| text.split(' ').next()?.parse::<u64>().ok())
            .unwrap_or(0);
        Self {
            date_utc: first_line(Command::new("date").args(["-u", "+%Y-%m-%dT%H:%M:%SZ"])),
            cpu: field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".to_owned()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_gib: memory_kib.div_ceil(1 << 20),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
            system: field("/etc/os-release", "PRETTY_NAME").unwrap_or_default(),
            floodwall: first_line(Command::new(floodwall).arg("--version")),
            rivals: programs
                .iter()
                .filter_map(|line| line.split_first())
                .map(|(program, arguments)| first_line(Command::new(program).args(arguments)))
                .collect(),
        }
    }

    /// As lines for people.
    pub(super) fn text(&self) -> String {
        format!(
            "{}, {} cores, {} GiB; {}, Linux {}; {}\n{}, {}",
            self.cpu,
            self.cores,
            self.memory_gib,
            self.system,
            self.kernel,
            self.date_utc,
            self.floodwall,
            self.rivals.join(", ")
        )
    }
}

/// What a program says first, on whichever of its outputs.
fn first_line(command: &mut Command) -> String {
    let Ok(output) = command.output() else { return "unknown".to_owned() };
    let said = if output.stdout.is_empty() { output.stderr } else { output.stdout };
    let text = String::from_utf8_lossy(&said);
    text.lines().next().unwrap_or("unknown").trim().to_owned()
}
