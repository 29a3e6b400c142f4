//! The servers: Floodwall, Debian's nginx beside it, and an nginx as the origin of both.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::clock::wait_until;
use super::http;
use super::process::{Process, pinned};

/// The host asked for everywhere.
pub(super) const HOST: &str = "www.example.gov";
/// A 10 KiB page that may be stored for an hour.
pub(super) const CACHED: &str = "/cached/page.html";
/// The same page, never to be stored.
pub(super) const THROUGH: &str = "/through/page.html";
/// And once more, for the row in which nginx limits and looks into its cache as well.
pub(super) const GUARDED: &str = "/guarded/page.html";
/// Two bytes, never to be stored: what is measured is not the page.
pub(super) const SMALL: &str = "/small";

const PAGE_BYTES: usize = 10 * 1024;
const START_PATIENCE: Duration = Duration::from_secs(20);

/// Where the servers keep what they need, and on which cores all run. Removed when dropped.
#[derive(Debug)]
pub(super) struct Ground {
    directory: tempfile::TempDir,
    pub(super) floodwall: PathBuf,
    pub(super) server_core: usize,
    pub(super) other_core: usize,
    tls: bool,
}

/// What a run wants of Floodwall beyond the defaults.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wants {
    pub(super) connections_max: usize,
    pub(super) trusts_loopback: bool,
    pub(super) tracked_prefixes: usize,
    pub(super) origin_requests_per_second: u32,
    pub(super) origin_burst: u32,
}

impl Default for Wants {
    /// Limits that are kept, and that one generator does not reach.
    fn default() -> Self {
        Self {
            connections_max: 20_000,
            trusts_loopback: false,
            tracked_prefixes: 1 << 20,
            origin_requests_per_second: 1_000_000,
            origin_burst: 10_000_000,
        }
    }
}

/// A server and where it answers.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) name: &'static str,
    pub(super) process: Process,
    pub(super) http: SocketAddr,
    pub(super) https: Option<SocketAddr>,
    /// Floodwall's admin address, or the origin's count of requests.
    pub(super) admin: SocketAddr,
}

impl Ground {
    pub(super) fn prepare(floodwall: PathBuf, tls: bool) -> Result<Self, String> {
        let directory = tempfile::Builder::new().prefix("floodwall-bench-").tempdir();
        let directory = directory.map_err(|error| format!("cannot make a temporary directory: {error}"))?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let ground = Self { directory, floodwall, server_core: 0, other_core: cores.min(2) - 1, tls };
        for page in [CACHED, THROUGH, GUARDED] {
            ground.write(&format!("pages{page}"), &page_body())?;
        }
        if tls {
            ground.make_certificate()?;
        }
        Ok(ground)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> Result<PathBuf, String> {
        let path = self.path(name);
        let made = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&path, text));
        made.map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        Ok(path)
    }

    fn make_certificate(&self) -> Result<(), String> {
        let mut command = Command::new("openssl");
        command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]);
        command.args(["-days", "30", "-subj", &format!("/CN={HOST}")]);
        command.args(["-addext", &format!("subjectAltName=DNS:{HOST}")]);
        command.arg("-keyout").arg(self.path("key.pem")).arg("-out").arg(self.path("certificate.pem"));
        let output = command.output().map_err(|error| format!("cannot start openssl: {error}"))?;
        if output.status.success() {
            return Ok(());
        }
        Err(format!("openssl made no certificate: {}", String::from_utf8_lossy(&output.stderr).trim()))
    }

    /// Starts the origin, on the generator's core.
    pub(super) fn start_origin(&self) -> Result<Server, String> {
        let (http, admin) = (free_address()?, free_address()?);
        let pages = self.path("pages");
        let site = format!(
            "  server {{
    listen {http} backlog=4096;
    root {pages};
    location /cached/ {{ add_header Cache-Control max-age=3600; }}
    location /through/ {{ add_header Cache-Control no-store; }}
    location /guarded/ {{ add_header Cache-Control no-store; }}
    location = {SMALL} {{ add_header Cache-Control no-store; return 200 ok; }}
  }}
  server {{ listen {admin}; location / {{ stub_status; }} }}
",
            pages = pages.display()
        );
        let process = self.start_nginx("origin", self.other_core, 4096, &site, http)?;
        Ok(Server { name: "origin", process, http, https: None, admin })
    }

    /// Starts nginx as the rival, tuned as its administrators' handbooks say.
    pub(super) fn start_rival(&self, origin: SocketAddr, connections: usize) -> Result<Server, String> {
        let http = free_address()?;
        let https = self.tls.then(free_address).transpose()?;
        let listen_tls = https.map_or_else(String::new, |address| {
            format!(
                "    listen {address} ssl http2 backlog=4096;
    ssl_certificate {};
    ssl_certificate_key {};
    ssl_session_cache shared:tls:10m;
",
                self.path("certificate.pem").display(),
                self.path("key.pem").display()
            )
        });
        let cache = self.path("nginx-cache");
        let site = format!(
            "  proxy_cache_path {cache} levels=1:2 keys_zone=pages:10m max_size=256m inactive=1d use_temp_path=off;
  limit_req_zone $binary_remote_addr zone=clients:10m rate=1000000r/s;
  upstream origin {{
    server {origin};
    keepalive 256;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
  }}
  server {{
    listen {http} backlog=4096;
{listen_tls}    server_name {HOST};
    proxy_http_version 1.1;
    proxy_set_header Connection \"\";
    proxy_set_header Host $host;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header X-Forwarded-Host $host;
    proxy_buffering on;
    proxy_buffer_size 16k;
    proxy_buffers 8 16k;
    location / {{ proxy_pass http://origin; }}
    location /cached/ {{
      proxy_pass http://origin;
      proxy_cache pages;
      proxy_cache_lock on;
      proxy_cache_use_stale error timeout updating http_500 http_502 http_503 http_504;
      add_header X-Cache-Status $upstream_cache_status;
    }}
    location /guarded/ {{
      limit_req zone=clients burst=1000000 nodelay;
      proxy_pass http://origin;
      proxy_cache pages;
      add_header X-Cache-Status $upstream_cache_status;
    }}
  }}
",
            cache = cache.display()
        );
        let process = self.start_nginx("nginx", self.server_core, connections, &site, http)?;
        Ok(Server { name: "nginx", process, http, https, admin: http })
    }

    fn start_nginx(
        &self,
        name: &'static str,
        core: usize,
        connections: usize,
        site: &str,
        address: SocketAddr,
    ) -> Result<Process, String> {
        let user = if rustix::process::geteuid().is_root() { "user root;\n" } else { "" };
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("  {kind}_temp_path {};\n", self.path(&format!("{name}-{kind}")).display()));
        let text = format!(
            "{user}worker_processes 1;
daemon off;
pid {pid};
error_log stderr warn;
worker_rlimit_nofile {files};
events {{ worker_connections {connections}; use epoll; multi_accept on; }}
http {{
  access_log off;
  default_type text/html;
  sendfile on;
  tcp_nopush on;
  tcp_nodelay on;
  keepalive_timeout 1h;
  keepalive_requests 1000000000;
  client_header_timeout 1h;
  open_file_cache max=1000 inactive=1h;
  open_file_cache_valid 1h;
{temporary}{site}}}
",
            pid = self.path(&format!("{name}.pid")).display(),
            files = connections.saturating_add(512),
            temporary = temporary.concat(),
        );
        let config = self.write(&format!("{name}.conf"), &text)?;
        let mut command = pinned(core, Path::new("nginx"));
        // Debian keeps it where only root's PATH looks.
        command.env("PATH", search_path());
        command.arg("-e").arg("stderr").arg("-p").arg(self.directory.path()).arg("-c").arg(config);
        let log = self.path(&format!("{name}.log"));
        let mut process = Process::start(name, command, &log)?;
        let up = || std::net::TcpStream::connect(address).is_ok();
        await_start(&mut process, &log, up)?;
        Ok(process)
    }

    /// Starts Floodwall as it is, with console, control loop and store; `binary` where it is not
    /// the one that was built.
    pub(super) fn start_floodwall(
        &self,
        name: &'static str,
        binary: &Path,
        origin: SocketAddr,
        wants: Wants,
    ) -> Result<Server, String> {
        let (http, admin) = (free_address()?, free_address()?);
        let https = self.tls.then(free_address).transpose()?;
        let listen_tls = https.map_or_else(String::new, |address| format!("https = [\"{address}\"]\n"));
        let files = if self.tls { "certificate = \"certificate.pem\"\nkey = \"key.pem\"\n" } else { "" };
        // Everything comes from one client, and all of it is meant to be measured.
        let handshakes = if self.tls {
            "[server.handshakes]\nper_second = 1000000\nclient_per_second = 1000000\nclient_burst = 1000000\n"
        } else {
            ""
        };
        let trusted = if wants.trusts_loopback { "trusted_proxies = [\"127.0.0.0/8\"]\n" } else { "" };
        let text = format!(
            "[server]
http = [\"{http}\"]
{listen_tls}admin = \"{admin}\"
state = \"{name}-state\"
workers = 1
connections_max = {connections_max}
tracked_prefixes = {tracked_prefixes}
{trusted}
{handshakes}
[server.timeouts]
header = \"1h\"
keep_alive_idle = \"1h\"

[[site]]
name = \"bench\"
hosts = [\"{HOST}\"]
origin = [\"http://{origin}\"]
{files}
[site.limits]
origin_requests_per_second = {per_second}
origin_burst = {burst}
",
            connections_max = wants.connections_max,
            tracked_prefixes = wants.tracked_prefixes,
            per_second = wants.origin_requests_per_second,
            burst = wants.origin_burst,
        );
        let config = self.write(&format!("{name}.toml"), &text)?;
        let mut command = pinned(self.server_core, binary);
        command.arg("serve").arg("--config").arg(config);
        let log = self.path(&format!("{name}.log"));
        let mut process = Process::start(name, command, &log)?;
        let up = || http::get(admin, &admin.to_string(), "/readyz").is_ok_and(|answer| answer.status == 200);
        await_start(&mut process, &log, up)?;
        Ok(Server { name, process, http, https, admin })
    }
}

impl Server {
    /// How many requests the origin has answered so far, this question included.
    pub(super) fn origin_requests(&self) -> Result<u64, String> {
        let answer = http::get(self.admin, &self.admin.to_string(), "/")?;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        let counts = text.lines().nth(2).and_then(|line| line.split_whitespace().nth(2));
        counts
            .and_then(|count| count.parse().ok())
            .ok_or_else(|| format!("the origin's status is odd: {text}"))
    }

    /// One of Floodwall's own figures.
    pub(super) fn metric(&self, name: &str) -> Result<u64, String> {
        let answer = http::get(self.admin, &self.admin.to_string(), "/metrics")?;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
        value.ok_or_else(|| format!("/metrics has no whole number {name}"))
    }
}

/// The page both servers must give.
pub(super) fn page_body() -> String {
    let line = "<p>Find your polling place, check that you are registered, see what is on your ballot.</p>\n";
    line.chars().cycle().take(PAGE_BYTES).collect()
}

fn await_start(process: &mut Process, log: &Path, mut is_up: impl FnMut() -> bool) -> Result<(), String> {
    let mut ended = Ok(());
    let up = wait_until(START_PATIENCE, || {
        ended = process.check_running(log);
        ended.is_err() || is_up()
    });
    ended?;
    if up { Ok(()) } else { Err(format!("a server did not come up; it says: {}", read(log))) }
}

fn read(log: &Path) -> String {
    fs::read_to_string(log).unwrap_or_default().trim().to_owned()
}

/// An address of loopback whose port is free just now.
fn free_address() -> Result<SocketAddr, String> {
    let socket = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
    socket.map_err(|error| format!("loopback has no free port: {error}"))
}

/// `PATH` with the places Debian keeps servers in.
pub(super) fn search_path() -> std::ffi::OsString {
    let mut path = std::env::var_os("PATH").unwrap_or_default();
    path.push(":/usr/sbin:/sbin");
    path
}
