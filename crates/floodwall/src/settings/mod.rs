//! The settings file: TOML in, one validated form out, and every fault in one go.
//!
//! A file is read in three steps. `syntax` reports syntax faults and takes the faulty statements
//! out; `draft` reads each key by its definition in `keys`; `relations` compares settings with one
//! another. No step stops at a fault, so that one run names them all. What only a look at the
//! machine can tell (certificates, ports, origins) is not asked here but by `floodwall check`.
//!
//! Limits: a file of [`FILE_BYTES_MAX`], [`SITES_MAX`] sites, [`FAULTS_MAX`] faults shown.

mod definition;
mod draft;
mod fault;
mod forms;
mod keys;
mod quantity;
mod relations;
mod section;
mod syntax;
mod target;
#[cfg(test)]
mod tests;

use std::io::Read;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use floodwall_model::Prefix;

pub use fault::{FAULTS_MAX, Fault, Faults, Severity};
pub use keys::reference;
pub use quantity::{format_duration, format_size};
pub use target::{HostPattern, Origin};

use draft::Draft;
use section::Log;

/// Largest settings file, in bytes.
pub const FILE_BYTES_MAX: u64 = 1 << 20;

/// Most sites of one server: a site's number is 16 bits wide.
pub const SITES_MAX: usize = 65_535;

/// Stands in for a file's name where settings came from the command line.
const COMMAND_LINE: &str = "command line";

/// Everything Floodwall is told, validated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `[server]` and the tables below it.
    pub server: Server,
    /// `[store]`.
    pub store: Store,
    /// Every `[[site]]`, in the order of the file; at least one.
    pub sites: Vec<Site>,
}

/// `[server]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Clear-text listeners. `0.0.0.0` and `[::]` are told apart: IPv6 listeners take IPv6 only.
    pub http: Vec<SocketAddr>,
    /// TLS listeners.
    pub https: Vec<SocketAddr>,
    /// Listener of console, metrics and API.
    pub admin: SocketAddr,
    /// Directory of everything that is kept.
    pub state: PathBuf,
    /// Proxies whose word on a visitor's address is taken.
    pub trusted_proxies: Vec<Prefix>,
    /// Interface for the packet filter; nothing is attached in this version.
    pub interface: Option<String>,
    /// Worker threads, at least one.
    pub workers: usize,
    /// Connections open at once.
    pub connections_max: usize,
    /// Clients the limiter keeps track of at once.
    pub tracked_prefixes: usize,
    /// `[server.timeouts]`.
    pub timeouts: Timeouts,
    /// `[server.cache]`.
    pub cache: Cache,
    /// `[server.access_log]`, where it is given.
    pub access_log: Option<AccessLog>,
}

/// `[server.timeouts]`: see the reference for what each ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is documented where it is defined, in `keys`")]
pub struct Timeouts {
    pub header: Duration,
    pub body_idle: Duration,
    pub write_idle: Duration,
    pub keep_alive_idle: Duration,
    pub connect: Duration,
    pub origin_response: Duration,
    pub origin_idle: Duration,
    pub drain: Duration,
}

/// `[server.cache]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cache {
    /// Bytes of memory for cached answers, all sites together.
    pub memory_bytes: u64,
    /// Bytes of the largest answer that is cached; at most `memory_bytes`.
    pub object_bytes_max: u64,
    /// How long past its freshness a copy answers while the origin fails.
    pub stale_if_error: Duration,
}

/// `[server.access_log]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessLog {
    /// File to write to.
    pub path: PathBuf,
    /// How a line is written.
    pub format: AccessLogFormat,
    /// Bytes at which the file is put aside.
    pub rotate_bytes: u64,
    /// Files put aside that are kept.
    pub keep_files: u32,
}

/// How a line of the access log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessLogFormat {
    /// The combined format that Apache and nginx write.
    Combined,
    /// One JSON object a line.
    Json,
}

impl AccessLogFormat {
    const WORDS: &[(&str, Self)] = &[("combined", Self::Combined), ("json", Self::Json)];
}

/// `[store]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Store {
    /// Days that traffic by the minute is kept.
    pub retention_days: u32,
}

/// One `[[site]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// Its name, unique.
    pub name: String,
    /// Hosts it answers to; no other site has one of them.
    pub hosts: Vec<HostPattern>,
    /// Servers its pages come from, at least one.
    pub origins: Vec<Origin>,
    /// What an outage of it means.
    pub role: Option<String>,
    /// Certificate and key, where the site answers HTTPS.
    pub certificate: Option<CertificatePaths>,
    /// Limit on requests that may take work at the origin, per client; `None` for no limit.
    pub origin_limit: Option<RateLimit>,
    /// Limit on requests of any kind, per client; `None` for no limit.
    pub request_limit: Option<RateLimit>,
    /// How long past its freshness a copy answers while the origin fails; `None` for the server's.
    pub stale_if_error: Option<Duration>,
}

/// PEM files of one site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificatePaths {
    /// The certificate and those that vouch for it.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// A limit on the requests of one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Requests a second in the long run, at least one.
    pub per_second: u32,
    /// Requests at once after a pause, at least one.
    pub burst: u32,
}

impl Settings {
    /// Reads a settings file. Beside the settings come its warnings, for the operator to see.
    ///
    /// # Errors
    /// Every fault of the file, warnings included; [`Faults::is_unreadable`] tells a file that could
    /// not be read at all.
    pub fn load(path: &Path) -> Result<(Self, Faults), Faults> {
        Reading::of_file(path)?.finish()
    }

    /// Settings for one site without a file, as `--listen` and `--origin` give them: site `site`,
    /// every host, clear text only, and the given state directory.
    ///
    /// # Errors
    /// Every fault, named by option instead of line and key.
    pub fn from_listen_and_origin(
        listen: &[String],
        origin: &[String],
        admin: Option<&str>,
        state: &Path,
    ) -> Result<(Self, Faults), Faults> {
        let quote = |text: &str| toml::Value::String(text.to_owned()).to_string();
        let list = |texts: &[String]| texts.iter().map(|t| quote(t)).collect::<Vec<_>>().join(", ");
        let admin = admin.map(|address| format!("admin = {}\n", quote(address))).unwrap_or_default();
        let source = format!(
            "[server]\nhttp = [{}]\n{admin}[[site]]\nname = \"site\"\nhosts = [\"*\"]\norigin = [{}]\n",
            list(listen),
            list(origin)
        );
        let reading = Reading::of_text(COMMAND_LINE, Path::new(""), &source, AnyHost::Allowed);
        match reading.finish() {
            Ok((mut settings, warnings)) => {
                settings.server.state = state.to_owned();
                Ok((settings, warnings.into_command_line()))
            }
            Err(faults) => Err(faults.into_command_line()),
        }
    }
}

/// Whether a site may answer to every host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AnyHost {
    Allowed,
    Refused,
}

/// A file that was read, faulty or not: what could be told of it, for further probing.
pub struct Reading {
    log: Log,
    draft: Draft,
}

impl Reading {
    /// Reads a file.
    ///
    /// # Errors
    /// The one fault of a file that cannot be read at all.
    pub fn of_file(path: &Path) -> Result<Self, Faults> {
        let name = path.display().to_string();
        let text = read_bounded(path, &name)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Ok(Self::of_text(&name, folder, &text, AnyHost::Refused))
    }

    fn of_text(file: &str, folder: &Path, source: &str, any_host: AnyHost) -> Self {
        let mut log = Log::new(file, source);
        let clean = syntax::without_syntax_faults(source, &mut log);
        let draft = Draft::read(&clean, folder, &mut log);
        relations::check(&draft, any_host, &mut log);
        Self { log, draft }
    }

    /// The settings, or every fault.
    ///
    /// # Errors
    /// Every fault, warnings included, when one of them is an error.
    pub fn finish(self) -> Result<(Settings, Faults), Faults> {
        let mut faults = self.log.faults;
        faults.sort();
        match self.draft.into_settings() {
            Some(settings) if !faults.has_errors() => Ok((settings, faults)),
            _ => Err(faults),
        }
    }

    /// What can be probed on this machine, faults elsewhere in the file notwithstanding.
    #[must_use]
    pub fn probe_targets(&self) -> ProbeTargets {
        self.draft.probe_targets()
    }

    /// Adds a fault found by probing, at the place of what was probed.
    pub fn add(&mut self, severity: Severity, place: &Place, problem: String, fix: String) {
        self.log.add(severity, place.span.as_ref(), &place.key, problem, fix);
    }
}

/// Where a probed value stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The key's path.
    pub key: String,
    /// Bytes of the file; `None` for a default.
    pub span: Option<Range<usize>>,
}

/// Every value that a look at the machine can prove wrong, with its place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProbeTargets {
    /// Addresses to listen on, the admin address included.
    pub listeners: Vec<(SocketAddr, Place)>,
    /// The state directory.
    pub state: Option<(PathBuf, Place)>,
    /// The access log's file.
    pub access_log: Option<(PathBuf, Place)>,
    /// Origins of every site.
    pub origins: Vec<(Origin, Place)>,
    /// Certificates of every site.
    pub certificates: Vec<CertificateTarget>,
}

/// A site's certificate, to be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateTarget {
    /// The PEM file with the chain.
    pub certificate: (PathBuf, Place),
    /// The PEM file with the key.
    pub key: (PathBuf, Place),
    /// Hosts it has to cover.
    pub hosts: Vec<HostPattern>,
}

/// The file's text, where it can be read, is not too large, and is UTF-8.
fn read_bounded(path: &Path, name: &str) -> Result<String, Faults> {
    let unreadable = |problem: String, fix: &str| Faults::unreadable(name, problem, fix.to_owned());
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(|error| {
            unreadable(
                format!("cannot be read: {error}"),
                "give the path of the settings file with --config, and see that Floodwall's user may read it",
            )
        })?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > FILE_BYTES_MAX {
        return Err(unreadable(format!("is larger than {}", format_size(FILE_BYTES_MAX)), "is this the settings file?"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let line = error.as_bytes().iter().take(good).filter(|b| **b == b'\n').count() + 1;
        unreadable(format!("is not UTF-8 in line {line}"), "save it as UTF-8")
    })
}
