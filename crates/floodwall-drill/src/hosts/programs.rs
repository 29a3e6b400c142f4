//! The system's programs that make hosts.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use super::HostsError;

/// A process in a new network namespace that does nothing until its standard input ends.
pub(super) fn keeper() -> Result<Child, HostsError> {
    let failed = |why: String| HostsError::Program { program: "unshare".to_owned(), why };
    let mut child = Command::new("unshare")
        .args([
            "--net",
            "--",
            "setpriv",
            "--pdeathsig",
            "KILL",
            "--",
            "sh",
            "-c",
            "echo made; exec cat >/dev/null",
        ])
        // Ctrl-C is for the drill, not for what it has to end in order.
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| failed(error.to_string()))?;
    let mut line = String::new();
    if let Some(stdout) = child.stdout.take() {
        let _ = io::BufRead::read_line(&mut io::BufReader::new(stdout), &mut line);
    }
    if line.trim() == "made" {
        return Ok(child);
    }
    let _ = child.kill();
    let said = child.wait_with_output().map(|output| output.stderr).unwrap_or_default();
    Err(failed(String::from_utf8_lossy(&said).trim().to_owned()))
}

/// Runs a command to its end, giving it `input`.
pub(super) fn run(words: &[String], input: &str) -> Result<(), HostsError> {
    let failed = |why: String| HostsError::Program { program: words.join(" "), why };
    let (program, arguments) = words.split_first().ok_or_else(|| failed("nothing to run".to_owned()))?;
    let mut child = Command::new(program)
        .args(arguments)
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| failed(error.to_string()))?;
    if let Some(mut stdin) = child.stdin.take() {
        let _ = io::Write::write_all(&mut stdin, input.as_bytes());
    }
    let output = child.wait_with_output().map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    Err(failed(format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim())))
}
