//! A running Floodwall before the sample site, before an origin that is gone, and before one that
//! never answers: all on loopback, all gone with the value.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_floodwall");

/// The processes, killed when the value goes.
pub(crate) struct Running {
    /// Where visitors are served.
    pub(crate) edge: SocketAddr,
    /// Settings, state, and room for the test's own files.
    pub(crate) folder: TempDir,
    processes: [Child; 2],
    /// Takes connections into its backlog and never answers.
    _silent: TcpListener,
}

impl Drop for Running {
    fn drop(&mut self) {
        for process in &mut self.processes {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

impl Running {
    pub(crate) async fn start() -> Self {
        tokio::task::spawn_blocking(Self::start_blocking).await.unwrap()
    }

    fn start_blocking() -> Self {
        let mut sample = Command::new(PROGRAM)
            .args(["demo-origin", "--until-stdin-ends", "--listen", "127.0.0.1:0"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut address = String::new();
        BufReader::new(sample.stdout.take().unwrap()).read_line(&mut address).unwrap();
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();

        let folder = TempDir::new().unwrap();
        let file = folder.path().join("floodwall.toml");
        let silent_address = silent.local_addr().unwrap();
        std::fs::write(&file, settings(address.trim(), gone, silent_address)).unwrap();
        let mut server = Command::new(PROGRAM)
            .args(["serve", "--config"])
            .arg(&file)
            .env_remove("FLOODWALL_LOG")
            .env_remove("FLOODWALL_LOG_FORMAT")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let edge = address_served_on(&mut server);
        Self { edge, folder, processes: [server, sample], _silent: silent }
    }

    /// A page of one of the sites; browsers know every name below `localhost` as loopback.
    pub(crate) fn url(&self, site: &str, path: &str) -> String {
        format!("http://{site}.localhost:{}{path}", self.edge.port())
    }
}

fn settings(sample: &str, gone: SocketAddr, silent: SocketAddr) -> String {
    let mut text =
        "[server]\nhttp = [\"127.0.0.1:0\"]\nadmin = \"127.0.0.1:0\"\nstate = \"state\"\nworkers = 1\n\
                    [server.timeouts]\norigin_response = \"2s\"\n"
            .to_owned();
    let sample: SocketAddr = sample.parse().unwrap();
    for (name, origin) in [("sample", sample), ("down", gone), ("silent", silent), ("limited", sample)] {
        write!(
            text,
            "[[site]]\nname = \"{name}\"\nhosts = [\"{name}.localhost\"]\norigin = [\"http://{origin}\"]\n"
        )
        .unwrap();
    }
    // The last site: one request, and then hardly any.
    text + "[site.limits]\nrequests_per_second = 1\nburst = 1\n"
}

/// Reads what the server says until it names its listener; the rest is read to nowhere.
fn address_served_on(server: &mut Child) -> SocketAddr {
    let mut lines = BufReader::new(server.stderr.take().unwrap()).lines();
    let mut said = String::new();
    let found = lines.by_ref().map_while(Result::ok).find_map(|line| {
        let (_, rest) = line.split_once("http=\"http://").unwrap_or_default();
        let address = rest.split_once('"').and_then(|(address, _)| address.parse().ok());
        said.push_str(&line);
        address
    });
    std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
    found.unwrap_or_else(|| panic!("the server ended without serving: {said}"))
}

/// An answer taken apart.
pub(crate) struct Answer {
    pub(crate) status: String,
    pub(crate) body: String,
}

/// Sends a request as it stands and reads its whole answer.
pub(crate) fn exchange(address: SocketAddr, request: &str) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    // The server may answer and close before it has read everything.
    let _ = stream.write_all(request.as_bytes());
    let mut reader = BufReader::new(stream);
    let mut status = String::new();
    reader.read_line(&mut status).unwrap();
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let status = status.split(' ').nth(1).unwrap_or_default().to_owned();
    Answer { status, body: String::from_utf8(body).unwrap() }
}
