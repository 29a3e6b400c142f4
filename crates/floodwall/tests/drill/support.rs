//! A drill as a process, and what it made on the machine.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::OwnedFd;
use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, kill_process_group, pidfd_open};
use tempfile::TempDir;

use crate::PATIENCE;
use crate::heard::Heard;

/// The environment variable by which a drill's processes are known.
const MARK: &str = "FLOODWALL_DRILL_TEST";

/// On which network a drill is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum On {
    Loopback,
    Namespaces,
}

/// Loopback, and namespaces where this machine lets us make them.
pub(crate) fn networks() -> Vec<On> {
    if may_make_namespaces() { vec![On::Loopback, On::Namespaces] } else { vec![On::Loopback] }
}

/// Says loudly that something was not tested.
pub(crate) fn skipped(why: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED: {why}");
}

/// Whether hosts can be made here; says so where not.
pub(crate) fn may_make_namespaces() -> bool {
    let tried = Command::new("unshare").args(["--net", "true"]).output();
    let may = rustix::process::geteuid().is_root() && tried.is_ok_and(|output| output.status.success());
    if !may {
        skipped("not root, or no network namespaces here: drills on hosts of their own are not tested");
    }
    may
}

/// What a drill might leave on the machine, but for processes and their namespaces.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Machine {
    links: BTreeSet<String>,
    routes: BTreeSet<String>,
    named_namespaces: String,
}

impl Machine {
    fn now() -> Self {
        let said = |arguments: &[&str]| {
            let output = Command::new("ip").args(arguments).output().map(|output| output.stdout);
            String::from_utf8(output.unwrap_or_default()).unwrap()
        };
        let routes = ["-4", "-6"].map(|family| said(&[family, "route", "show", "table", "all"])).concat();
        // Some have a time to live, which is another each time.
        let routes = routes.lines().map(|route| route.split(" expires ").next().unwrap().trim().to_owned());
        let links = fs::read_dir("/sys/class/net").unwrap().flatten();
        Self {
            links: links.map(|link| link.file_name().into_string().unwrap()).collect(),
            routes: routes.collect(),
            named_namespaces: said(&["netns", "list"]),
        }
    }
}

/// A process of a drill.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    pid: u32,
    pub(crate) command: String,
    network: PathBuf,
}

/// All processes for which something holds.
fn processes(holds: impl Fn(&Path) -> bool) -> Vec<Process> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let found = entries.filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let path = entry.path();
        // One that ends meanwhile is none of them.
        let network = fs::read_link(path.join("ns/net")).ok()?;
        let words = fs::read(path.join("cmdline")).ok()?;
        let command = String::from_utf8_lossy(&words).replace('\0', " ");
        holds(&path).then_some(Process { pid, command, network })
    });
    found.collect()
}

/// One drill's surroundings: a directory for its temporary files, and the machine as it was before.
pub(crate) struct Scene {
    pub(crate) directory: TempDir,
    on: On,
    mark: String,
    before: Machine,
    /// Loopback has one place for a drill; others wait for it.
    _turn: Option<File>,
}

impl Scene {
    pub(crate) fn on(on: On) -> Self {
        let turn = (on == On::Loopback).then(|| {
            let lock = File::create(std::env::temp_dir().join("floodwall-drill-tests.lock")).unwrap();
            flock(&lock, FlockOperation::LockExclusive).unwrap();
            lock
        });
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("temporary")).unwrap();
        let mark = format!("{MARK}={}", directory.path().display());
        Self { directory, on, mark, before: Machine::now(), _turn: turn }
    }

    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        let path = self.directory.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// A scenario of visitors who do not think for long, and a small flood.
    pub(crate) fn scenario(&self, duration_s: u32) -> String {
        let text = format!(
            "title = \"t\"\nwhy = \"w\"\nduration_s = {duration_s}\n\
             [[visitors]]\nkind = \"monitor\"\nsessions_per_second = 5.0\n\
             [[visitors]]\nkind = \"crawler\"\nsessions_per_second = 1.0\n\
             [[flood]]\nkind = \"look-ups\"\nsources = 20\nrate = 50.0\nfrom_s = 1\nuntil_s = 2\n"
        );
        self.file("tiny.toml", &text)
    }

    fn temporary(&self) -> PathBuf {
        self.directory.path().join("temporary")
    }

    /// Starts `floodwall` there with these arguments.
    pub(crate) fn start(&self, arguments: &[&str]) -> Run {
        self.start_with_path(arguments, &std::env::var("PATH").unwrap())
    }

    pub(crate) fn start_with_path(&self, arguments: &[&str], path: &str) -> Run {
        let (name, value) = self.mark.split_once('=').unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_floodwall"))
            .args(arguments)
            .env("TMPDIR", self.temporary())
            .env("PATH", path)
            .env(name, value)
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = Heard::listen(child.stdout.take().unwrap());
        let stderr = Heard::listen(child.stderr.take().unwrap());
        Run { child, stdout, stderr }
    }

    /// Starts a drill on this network.
    pub(crate) fn drill(&self, arguments: &[&str]) -> Run {
        let network: &[&str] = if self.on == On::Loopback { &["--loopback"] } else { &[] };
        self.start(&[&["drill"], network, arguments].concat())
    }

    /// The processes of the drill that are alive.
    pub(crate) fn processes(&self) -> Vec<Process> {
        processes(|path| {
            let environment = fs::read(path.join("environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|entry| entry == self.mark.as_bytes())
        })
    }

    /// Processes that hold a file of the drill's, such as one that writes its name over its environment.
    pub(crate) fn processes_in_its_directory(&self) -> Vec<Process> {
        processes(|path| {
            let open = fs::read_dir(path.join("fd")).into_iter().flatten().flatten();
            let mut files = open.filter_map(|entry| fs::read_link(entry.path()).ok());
            files.any(|file| file.starts_with(self.temporary()))
        })
    }

    /// Whether the drill has hosts of its own now, to be sure that the test sees what it looks for.
    pub(crate) fn own_networks(processes: &[Process]) -> BTreeSet<PathBuf> {
        let own = fs::read_link("/proc/self/ns/net").unwrap();
        processes.iter().map(|process| process.network.clone()).filter(|network| *network != own).collect()
    }

    /// Names in the directory for temporary files.
    pub(crate) fn left_files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.temporary()).unwrap().flatten();
        entries.map(|entry| entry.file_name().into_string().unwrap()).collect()
    }

    /// Nothing of the drill is on the machine: processes, the namespaces it had, links, routes.
    fn assert_nothing_runs(&self, networks: &BTreeSet<PathBuf>) {
        let left = [self.processes(), self.processes_in_its_directory()].concat();
        assert!(left.is_empty(), "{left:#?}");
        let users = processes(|path| {
            fs::read_link(path.join("ns/net")).is_ok_and(|network| networks.contains(&network))
        });
        assert!(users.is_empty(), "{users:#?}");
        assert_eq!(Machine::now(), self.before);
    }

    /// As [`Self::assert_nothing_runs`], and no temporary file is left.
    pub(crate) fn assert_nothing_left(&self, networks: &BTreeSet<PathBuf>) {
        self.assert_nothing_runs(networks);
        let files = self.left_files();
        assert!(files.is_empty(), "{files:?}");
    }
}

/// Waits for the end of each, whoever its parent is.
pub(crate) struct Ends(Vec<(Process, OwnedFd)>);

impl Ends {
    pub(crate) fn of(processes: Vec<Process>) -> Self {
        let open = |process: Process| {
            let pid = Pid::from_raw(i32::try_from(process.pid).unwrap())?;
            // One that has ended already needs no waiting.
            Some((process, pidfd_open(pid, PidfdFlags::empty()).ok()?))
        };
        Self(processes.into_iter().filter_map(open).collect())
    }

    pub(crate) fn wait(self) {
        let patience = PATIENCE.try_into().unwrap();
        for (process, fd) in self.0 {
            let ready = poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&patience)).unwrap();
            assert_eq!(ready, 1, "does not end: {process:?}");
        }
    }
}

/// One run of the program.
pub(crate) struct Run {
    child: Child,
    pub(crate) stdout: Heard,
    pub(crate) stderr: Heard,
}

impl Run {
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// As the terminal does it: to everything that the program did not take out of its group.
    pub(crate) fn ctrl_c(&self) {
        kill_process_group(Pid::from_child(&self.child), Signal::INT).unwrap();
    }

    pub(crate) fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits until the scenario runs.
    pub(crate) fn running(&self) {
        self.stderr.line(" runs for ");
    }

    /// Waits for its end; what it said on standard error.
    pub(crate) fn end(&mut self) -> (ExitStatus, String) {
        let said = self.stderr.end();
        self.stdout.end();
        (self.child.wait().unwrap(), said)
    }

    /// Waits for the end of a drill that was held: measured, or void on a machine that is too busy.
    pub(crate) fn measured(&mut self) -> String {
        let (status, said) = self.end();
        assert!(matches!(status.code(), Some(0 | 1)), "{status}: {said}");
        let table = self.stdout.so_far();
        assert!(table.contains("tiny"), "{status}: {said}\n{table}");
        table
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
