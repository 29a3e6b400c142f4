//! Processes of one drill: started, told, heard, and gone when dropped.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{AGENT_PATIENCE, DrillError};
use crate::agent::Orders;
use crate::clock::Moment;
use crate::hosts::Host;

/// Lines an agent may be ahead of us; it says two.
const LINES_AHEAD: usize = 4;
/// Of its last words, this many bytes are shown.
const LAST_WORDS_BYTES: usize = 2_000;

/// One process on one host.
#[derive(Debug)]
pub(super) struct Agent {
    host: Host,
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    errors: PathBuf,
}

impl Agent {
    /// Starts it and gives it its orders, if it takes any. What it writes to standard error goes
    /// to a file of its `name` in `directory`.
    pub(super) fn start(
        (host, name): (Host, &str),
        mut command: Command,
        orders: Option<&Orders>,
        directory: &Path,
    ) -> Result<Self, DrillError> {
        let errors = directory.join(format!("{name}.stderr"));
        let failed = |what: String| DrillError::Agent { host: host.as_str(), what };
        let file = std::fs::File::create(&errors).map_err(DrillError::Directory)?;
        // A group of its own: Ctrl-C reaches the drill, which ends its processes in order.
        command.process_group(0);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(file).spawn().map_err(|error| {
                failed(format!("cannot be started ({:?}): {error}", command.get_program()))
            })?;
        let (sender, lines) = sync_channel(LINES_AHEAD);
        if let Some(stdout) = child.stdout.take() {
            std::thread::spawn(move || {
                for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                    // A server that talks on standard output is not waited for.
                    let _ = sender.try_send(line);
                }
            });
        }
        let mut agent = Self { host, stdin: child.stdin.take(), child, lines, errors };
        if let Some(orders) = orders {
            agent.tell(orders)?;
        }
        Ok(agent)
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Writes one line of JSON to it.
    pub(super) fn tell(&mut self, what: &impl Serialize) -> Result<(), DrillError> {
        let line = serde_json::to_string(what).unwrap_or_default();
        let written = match self.stdin.as_mut() {
            Some(stdin) => writeln!(stdin, "{line}").and_then(|()| stdin.flush()),
            None => Ok(()),
        };
        written.map_err(|_| self.failed("ended too early"))
    }

    /// Waits until it says that it is ready.
    pub(super) fn ready(&mut self, stop: &AtomicBool) -> Result<(), DrillError> {
        let said = self.line(AGENT_PATIENCE, stop, None)?;
        self.is_ready(&said)
    }

    /// As [`Self::ready`], where it waits for another, whose end is an end of waiting.
    pub(super) fn ready_beside(&mut self, other: &mut Self, stop: &AtomicBool) -> Result<(), DrillError> {
        let said = self.line(AGENT_PATIENCE, stop, Some(other))?;
        self.is_ready(&said)
    }

    fn is_ready(&mut self, said: &str) -> Result<(), DrillError> {
        if said == "ready" {
            Ok(())
        } else {
            Err(self.failed(&format!("said `{said}` instead of being ready")))
        }
    }

    /// Waits for what it saw.
    pub(super) fn result<T: DeserializeOwned>(
        &mut self,
        patience: Duration,
        stop: &AtomicBool,
    ) -> Result<T, DrillError> {
        let line = self.line(patience, stop, None)?;
        serde_json::from_str(&line)
            .map_err(|error| self.failed(&format!("gave no result that can be read: {error}")))
    }

    fn line(
        &mut self,
        patience: Duration,
        stop: &AtomicBool,
        mut beside: Option<&mut Self>,
    ) -> Result<String, DrillError> {
        let began = Moment::now();
        loop {
            if stop.load(Ordering::Relaxed) {
                return Err(DrillError::Stopped);
            }
            if let Some(other) = beside.as_mut()
                && let Some(what) = other.ended_early()
            {
                return Err(DrillError::Agent { host: other.host.as_str(), what });
            }
            match self.lines.recv_timeout(Duration::from_millis(100)) {
                Ok(line) => return Ok(line),
                Err(RecvTimeoutError::Disconnected) => return Err(self.failed("ended too early")),
                Err(RecvTimeoutError::Timeout) if Moment::now().since(began) > patience => {
                    return Err(self.failed("did not answer in time"));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// What it said, if it ended though nobody asked it to.
    pub(super) fn ended_early(&mut self) -> Option<String> {
        let status = self.child.try_wait().ok().flatten()?;
        Some(format!("ended by itself ({status}): {}", self.last_words()))
    }

    fn failed(&mut self, what: &str) -> DrillError {
        DrillError::Agent { host: self.host.as_str(), what: format!("{what}: {}", self.last_words()) }
    }

    fn last_words(&self) -> String {
        let words = std::fs::read(&self.errors).unwrap_or_default();
        let tail = words.get(words.len().saturating_sub(LAST_WORDS_BYTES)..).unwrap_or_default();
        String::from_utf8_lossy(tail).trim().to_owned()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // Asked first, so that a server takes its own children with it; then whoever is left of its
        // group, for which its number is kept until it is waited for.
        let pid = Pid::from_child(&self.child);
        let _ = kill_process(pid, Signal::TERM);
        self.stdin.take();
        let ended = || {
            waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT)
        };
        for _ in 0..20 {
            if !matches!(ended(), Ok(None)) {
                break;
            }
            std::thread::park_timeout(Duration::from_millis(50));
        }
        let _ = kill_process_group(pid, Signal::KILL);
        let _ = self.child.wait();
    }
}
