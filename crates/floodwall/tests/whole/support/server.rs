//! The real binary: started, asked, signalled, and always killed in the end.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use floodwall_store::Store;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::{Answer, Heard, PATIENCE, get};

/// One run of the binary.
pub(crate) struct Program {
    child: Child,
    pub(crate) stdout: Heard,
    pub(crate) stderr: Heard,
}

impl Program {
    /// Starts it with its temporary files in `directory`.
    pub(crate) fn start(directory: &Path, arguments: &[&str]) -> Self {
        Self::start_with(directory, arguments, &[])
    }

    /// As [`Self::start`], with more in its environment.
    pub(crate) fn start_with(directory: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_floodwall"))
            .args(arguments)
            .env_remove("NOTIFY_SOCKET")
            .env_remove("WATCHDOG_USEC")
            .envs(environment.iter().copied())
            .env("TMPDIR", directory)
            .env_remove("FLOODWALL_LOG")
            .env_remove("FLOODWALL_LOG_FORMAT")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = Heard::listen(child.stdout.take().unwrap());
        let stderr = Heard::listen(child.stderr.take().unwrap());
        Self { child, stdout, stderr }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end, and that of every process that shares its outputs.
    pub(crate) fn end(&mut self) -> ExitStatus {
        self.stderr.end();
        self.stdout.end();
        self.child.wait().unwrap()
    }

    /// Kills it (SIGKILL) and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let _ = writeln!(std::io::stderr(), "the server said:\n{}", self.stderr.so_far());
        }
    }
}

/// A running `floodwall serve`, ready.
pub(crate) struct Server {
    pub(crate) program: Program,
    pub(crate) http: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) directory: TempDir,
}

impl Server {
    /// With a settings file: one site `sos` with the host `a.test`. `server` is added to `[server]`
    /// and may open tables below it, `site` is added to the site.
    pub(crate) fn start(origin: SocketAddr, server: &str, site: &str) -> Self {
        Self::launch(Self::prepare(origin, server, site))
    }

    /// A directory with the settings file that [`Self::start`] writes.
    pub(crate) fn prepare(origin: SocketAddr, server: &str, site: &str) -> TempDir {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("floodwall.toml");
        let state = directory.path().join("state");
        let text = format!(
            "[[site]]\nname = \"sos\"\nhosts = [\"a.test\"]\norigin = [\"http://{origin}\"]\n{site}\n\
             [server]\nhttp = [\"127.0.0.1:0\"]\nhttps = []\nadmin = \"127.0.0.1:0\"\nworkers = 2\n\
             state = \"{}\"\n{server}\n",
            state.display()
        );
        fs::write(&file, text).unwrap();
        directory
    }

    /// Starts it with the settings that lie in the directory.
    fn launch(directory: TempDir) -> Self {
        let file = directory.path().join("floodwall.toml");
        let program = Program::start(directory.path(), &["serve", "--config", file.to_str().unwrap()]);
        Self::ready(program, directory)
    }

    /// Waits until it says where it listens.
    pub(crate) fn ready(program: Program, directory: TempDir) -> Self {
        let line = program.stderr.line("serving");
        Self { http: address(&line, "http"), admin: address(&line, "console"), program, directory }
    }

    /// Starts it once more, with the same settings and state.
    pub(crate) fn again(mut self) -> Self {
        self.program.kill();
        Self::launch(self.directory)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        get(self.http, path)
    }

    pub(crate) fn ask_console(&self, path: &str) -> Answer {
        get(self.admin, path)
    }

    /// A sample's value, named with its labels: `floodwall_requests_total{site="sos"}`.
    pub(crate) fn metric(&self, sample: &str) -> u64 {
        let text = self.ask_console("/metrics").text();
        let value = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
        value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {sample} in\n{text}"))
    }

    /// Looks at a condition once for each snapshot that the server publishes, until it holds.
    pub(crate) fn until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let mut stream = TcpStream::connect(self.admin).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(stream, "GET /events HTTP/1.1\r\nHost: {}\r\n\r\n", self.admin).unwrap();
        let events = BufReader::new(stream).lines().map_while(Result::ok);
        for _event in events.filter(|line| line.starts_with("data:")).take(90) {
            if holds() {
                return;
            }
        }
        panic!("did not come true: {what}");
    }

    pub(crate) fn until_metric(&self, sample: &str, holds: impl Fn(u64) -> bool) {
        self.until(sample, || holds(self.metric(sample)));
    }

    /// Waits for its end; asserts that it went as `status`.
    pub(crate) fn ends_with(&mut self, status: i32) -> String {
        let ended = self.program.end();
        let said = self.program.stderr.so_far();
        assert_eq!(ended.code(), Some(status), "{said}");
        said
    }

    /// Requests of all minutes in the store of a server that has ended.
    pub(crate) fn stored_requests(&self) -> u64 {
        stored_requests(&self.path("state"))
    }
}

/// The first address after `name=` in the line that says where the server listens.
fn address(line: &str, name: &str) -> SocketAddr {
    let value = line.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    let text = value.unwrap_or_else(|| panic!("no {name} in {line:?}"));
    let text = text.trim_matches('"').trim_start_matches("http://").trim_end_matches('/');
    text.parse().unwrap_or_else(|_| panic!("{text:?} is no address: {line}"))
}

/// Requests of all minutes in the store; opening it and reading it whole is part of the proof.
pub(crate) fn stored_requests(state: &Path) -> u64 {
    let store = Store::open(&state.join("floodwall.db")).unwrap();
    store.check_integrity().unwrap();
    let sites = store.sites().unwrap();
    let minutes = sites.iter().flat_map(|site| store.traffic(site, 0, i64::MAX).unwrap());
    minutes.map(|minute| minute.counts.requests).sum()
}
