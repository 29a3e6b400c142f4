//! What the benchmarks of a whole server share: the release binary, an origin that can be killed and
//! brought back, visitors, and a clock. All on loopback.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The longest a visitor waits for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where origins listen: an address of their own, so that nobody takes a port while they are down.
pub(super) const ORIGIN_ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 77, 77, 77);

#[expect(clippy::disallowed_methods, reason = "a benchmark measures time; this is where it reads the clock")]
pub(super) fn now() -> Instant {
    Instant::now()
}

/// Lets `span` pass while visitors do their work.
pub(super) fn let_pass(span: Duration) {
    let end = now() + span;
    while let Some(left) = end.checked_duration_since(now()).filter(|left| !left.is_zero()) {
        std::thread::park_timeout(left);
    }
}

/// Prints one line on standard output.
pub(super) fn say(line: &str) -> Result<(), String> {
    writeln!(std::io::stdout(), "{line}").map_err(|error| format!("standard output: {error}"))
}

/// A running server; killed when it is dropped.
pub(super) struct Server {
    child: Child,
    pub(super) http: SocketAddr,
}

impl Server {
    /// Starts it with one site `sos` (host `a.test`) and its state in `directory`; waits until it
    /// serves.
    pub(super) fn start(binary: &Path, directory: &Path, origin: SocketAddr) -> Result<Self, String> {
        let file = directory.join("floodwall.toml");
        let text = format!(
            "[server]\nhttp = [\"127.0.0.1:0\"]\nhttps = []\nadmin = \"127.0.0.1:0\"\nstate = \"state\"\n\
             [[site]]\nname = \"sos\"\nhosts = [\"a.test\"]\norigin = [\"http://{origin}\"]\n\
             limits = {{ origin_requests_per_second = 100000, origin_burst = 100000 }}\n"
        );
        std::fs::write(&file, text).map_err(|error| format!("{}: {error}", file.display()))?;
        let mut child = Command::new(binary)
            .args(["serve", "--config"])
            .arg(&file)
            .env_remove("FLOODWALL_LOG")
            .env_remove("FLOODWALL_LOG_FORMAT")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{}: {error}", binary.display()))?;
        let stderr = child.stderr.take().ok_or("the server has no standard error")?;
        let mut server = Self { child, http: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)) };
        let mut lines = BufReader::new(stderr).lines().map_while(Result::ok);
        let mut said = Vec::new();
        for line in lines.by_ref() {
            if let Some(address) = address_served(&line) {
                server.http = address;
                // Read on, so that the server never waits for us.
                std::thread::spawn(move || lines.for_each(drop));
                return Ok(server);
            }
            said.push(line);
        }
        Err(format!("the server did not start:\n{}", said.join("\n")))
    }

    /// SIGKILL; returns when the process is gone.
    pub(super) fn kill(&mut self) -> Result<(), String> {
        self.child.kill().and_then(|()| self.child.wait()).map(drop).map_err(|error| format!("kill: {error}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

/// From the line `... serving http="http://127.0.0.1:8080" ...`.
fn address_served(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once("serving http=\"http://")?;
    rest.split('"').next()?.parse().ok()
}

/// An answer as far as the benchmarks look at it.
pub(super) struct Answer {
    pub(super) status: u16,
    /// A kept copy, marked stale.
    pub(super) is_stale: bool,
    pub(super) body: String,
}

/// A visitor's keep-alive connection.
pub(super) struct Visitor(BufReader<TcpStream>);

impl Visitor {
    pub(super) fn connect(address: SocketAddr) -> Result<Self, String> {
        let stream = TcpStream::connect(address)
            .and_then(|stream| {
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                Ok(stream)
            })
            .map_err(|error| format!("connecting to {address}: {error}"))?;
        Ok(Self(BufReader::new(stream)))
    }

    /// `None` when the server went away instead of answering whole.
    pub(super) fn get(&mut self, path: &str) -> Option<Answer> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: a.test\r\n\r\n");
        self.0.get_mut().write_all(request.as_bytes()).ok()?;
        let status = self.line()?.split(' ').nth(1)?.parse().ok()?;
        let (mut bytes, mut is_stale) = (0, false);
        loop {
            let line = self.line()?.to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            is_stale |= line.starts_with("cache-status:") && line.contains("stale-if-error");
            if let Some(length) = line.strip_prefix("content-length:") {
                bytes = length.trim().parse().ok()?;
            }
        }
        let mut body = vec![0; bytes];
        self.0.read_exact(&mut body).ok()?;
        Some(Answer { status, is_stale, body: String::from_utf8_lossy(&body).into_owned() })
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let bytes = self.0.read_line(&mut line).ok()?;
        (bytes > 0).then(|| line.trim_end().to_owned())
    }
}

#[derive(Default)]
struct OriginState {
    /// Requests of visitors by path, with when the first one came.
    asked: BTreeMap<String, usize>,
    in_progress: usize,
    in_progress_max: usize,
    dead: bool,
    streams: Vec<TcpStream>,
}

/// An origin: `/page/...` may be cached, all else may not. Every answer begins with its name.
pub(super) struct Origin {
    pub(super) address: SocketAddr,
    /// When it listened.
    pub(super) since: Instant,
    state: Arc<Mutex<OriginState>>,
    acceptor: Option<JoinHandle<()>>,
}

impl Origin {
    /// `cache_control` is that of its pages.
    pub(super) fn start(port: u16, name: &'static str, cache_control: &'static str) -> Result<Self, String> {
        let address = SocketAddr::from((ORIGIN_ADDRESS, port));
        let listener = TcpListener::bind(address).map_err(|error| format!("origin {address}: {error}"))?;
        let since = now();
        let address = listener.local_addr().map_err(|error| format!("origin: {error}"))?;
        let state = Arc::new(Mutex::new(OriginState::default()));
        let shared = state.clone();
        let acceptor = std::thread::spawn(move || accept(&listener, &shared, name, cache_control));
        Ok(Self { address, since, state, acceptor: Some(acceptor) })
    }

    /// How often each path was asked for.
    pub(super) fn asked(&self) -> BTreeMap<String, usize> {
        locked(&self.state).asked.clone()
    }

    /// The most requests it had at once.
    pub(super) fn in_progress_max(&self) -> usize {
        locked(&self.state).in_progress_max
    }

    /// Stops at once, like a crashed server.
    pub(super) fn kill(&mut self) {
        let Some(acceptor) = self.acceptor.take() else { return };
        let streams = {
            let mut state = locked(&self.state);
            state.dead = true;
            std::mem::take(&mut state.streams)
        };
        for stream in streams {
            let _ = stream.shutdown(Shutdown::Both);
        }
        // The acceptor looks up from accept() when somebody comes.
        let _ = TcpStream::connect(self.address);
        let _ = acceptor.join();
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.kill();
    }
}

fn locked(state: &Mutex<OriginState>) -> std::sync::MutexGuard<'_, OriginState> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn accept(
    listener: &TcpListener,
    state: &Arc<Mutex<OriginState>>,
    name: &'static str,
    caching: &'static str,
) {
    for stream in listener.incoming() {
        let Ok(stream) = stream else { continue };
        {
            let mut state = locked(state);
            if state.dead {
                // Closed with this function: a crashed server leaves nobody waiting.
                return;
            }
            state.streams.extend(stream.try_clone());
        }
        let state = state.clone();
        std::thread::spawn(move || while_open(stream, &state, name, caching));
    }
}

/// Answers request after request; `None` where the connection ends.
fn while_open(stream: TcpStream, state: &Mutex<OriginState>, name: &str, caching: &str) -> Option<()> {
    let _ = stream.set_nodelay(true);
    let mut reader = BufReader::new(stream);
    loop {
        let mut request = String::new();
        while !request.ends_with("\r\n\r\n") {
            if reader.read_line(&mut request).ok()? == 0 {
                return None;
            }
        }
        let path = request.split(' ').nth(1)?;
        if request.contains("floodwall-health-probe") {
            reader.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").ok()?;
            continue;
        }
        {
            let mut state = locked(state);
            *state.asked.entry(path.to_owned()).or_default() += 1;
            state.in_progress += 1;
            state.in_progress_max = state.in_progress_max.max(state.in_progress);
        }
        // A small office's page takes its time.
        let_pass(Duration::from_millis(20));
        let caching = if path.starts_with("/page/") { caching } else { "no-store" };
        let body = format!("{name} {path}");
        let answer = format!(
            "HTTP/1.1 200 OK\r\nCache-Control: {caching}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let is_dead = {
            let mut state = locked(state);
            state.in_progress -= 1;
            state.dead
        };
        if is_dead {
            return None;
        }
        reader.get_mut().write_all(answer.as_bytes()).ok()?;
    }
}
