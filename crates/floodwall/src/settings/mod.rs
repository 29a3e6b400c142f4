//! The settings file: TOML in, one validated form out, and every fault in one go.
//!
//! A file is read in three steps. `syntax` reports syntax faults and takes the faulty statements
//! out; `draft` reads each key by its definition in `keys`; `relations` compares settings with one
//! another. No step stops at a fault, so that one run names them all. What only a look at the
//! machine can tell (certificates, ports, origins) is not asked here but by `floodwall check`.
//!
//! Limits: a file of [`FILE_BYTES_MAX`], [`SITES_MAX`] sites, [`fault::FAULTS_MAX`] faults shown.

mod calendar;
mod definition;
mod draft;
mod fault;
mod forms;
mod keys;
mod path;
mod probe_targets;
mod quantity;
mod query;
mod relations;
mod section;
mod status;
mod syntax;
mod target;
#[cfg(test)]
mod tests;
mod watch;

use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use floodwall_model::Prefix;

pub(crate) use calendar::{CalendarDay, Zone};
pub(crate) use fault::{Faults, Severity, TextForm};
pub(crate) use path::{PathClass, PathPattern};
pub(crate) use probe_targets::{CertificateTarget, OriginTarget, Place, ProbeTargets};
pub(crate) use quantity::{duration, format_size};
pub(crate) use query::QueryRule;
pub(crate) use status::{PublishIncidents, STATUS_TITLE, StatusPage};
pub(crate) use target::{HostPattern, Origin};
pub(crate) use watch::{WATCHES_MAX, Watch, Watcher, checks_of_site};

/// Reads a duration as settings write it (`80ms`), for the command line.
///
/// # Errors
/// In words: what is wrong with it.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    quantity::parse_duration(text).map_err(|fault| format!("{}; {}", fault.problem, fault.fix))
}

use draft::Draft;
use section::Log;

/// Largest settings file, in bytes.
pub(crate) const FILE_BYTES_MAX: u64 = 1 << 20;

/// Most sites of one server: a site's number is 16 bits wide.
pub(crate) const SITES_MAX: usize = 65_535;

/// Stands in for a file's name where settings came from the command line.
const COMMAND_LINE: &str = "command line";

/// Everything Floodwall is told, validated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// `[server]` and the tables below it.
    pub(crate) server: Server,
    /// `[store]`.
    pub(crate) store: Store,
    /// Every `[[site]]`, in the order of the file; at least one.
    pub(crate) sites: Vec<Site>,
    /// Every `[[calendar]]`.
    pub(crate) calendar: Vec<CalendarDay>,
    /// Every `[[watch]]`.
    pub(crate) watches: Vec<Watch>,
    /// `[watcher]`.
    pub(crate) watcher: Watcher,
    /// `[status]`, where it is given.
    pub(crate) status: Option<StatusPage>,
}

/// `[server]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    /// Clear-text listeners. `0.0.0.0` and `[::]` are told apart: IPv6 listeners take IPv6 only.
    pub(crate) http: Vec<SocketAddr>,
    /// TLS listeners.
    pub(crate) https: Vec<SocketAddr>,
    /// Listener of console, metrics and API.
    pub(crate) admin: SocketAddr,
    /// Names the console answers to, besides loopback names and addresses.
    pub(crate) admin_hosts: Vec<String>,
    /// Directory of everything that is kept.
    pub(crate) state: PathBuf,
    /// Proxies whose word on a visitor's address is taken.
    pub(crate) trusted_proxies: Vec<Prefix>,
    /// Listeners on which they begin with a PROXY protocol header.
    pub(crate) proxy_protocol: Vec<SocketAddr>,
    /// How crawlers are told from those who only call themselves so.
    pub(crate) verify_crawlers: VerifyCrawlers,
    /// Networks the public must not reach.
    pub(crate) internal: Vec<Prefix>,
    /// Files with published address ranges of crawlers.
    pub(crate) crawler_ranges: Vec<PathBuf>,
    /// Database of autonomous systems.
    pub(crate) autonomous_systems: Option<PathBuf>,
    /// Interface for the packet filter; nothing is attached in this version.
    pub(crate) interface: Option<String>,
    /// Worker threads, at least one.
    pub(crate) workers: usize,
    /// Connections open at once.
    pub(crate) connections_max: usize,
    /// Clients the limiter keeps track of at once.
    pub(crate) tracked_prefixes: usize,
    /// `[server.timeouts]`.
    pub(crate) timeouts: Timeouts,
    /// `[server.handshakes]`.
    pub(crate) handshakes: Handshakes,
    /// `[server.cache]`.
    pub(crate) cache: Cache,
    /// `[server.kept]`.
    pub(crate) kept: Kept,
    /// `[server.access_log]`, where it is given.
    pub(crate) access_log: Option<AccessLog>,
}

/// `[server.timeouts]`: what ends when it passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Timeouts {
    /// A request whose header is not whole yet.
    pub(crate) header: Duration,
    /// A request body without a byte of progress.
    pub(crate) body_idle: Duration,
    /// An answer of which the visitor takes no byte.
    pub(crate) write_idle: Duration,
    /// A connection without a request.
    pub(crate) keep_alive_idle: Duration,
    /// Connecting to an origin.
    pub(crate) connect: Duration,
    /// Waiting for an origin's answer to begin.
    pub(crate) origin_response: Duration,
    /// An origin's answer without a byte of progress.
    pub(crate) origin_idle: Duration,
    /// For origins that are all down to come back, on behalf of visitors who can be given nothing else.
    pub(crate) origin_return: Duration,
    /// Open requests, once Floodwall is to stop.
    pub(crate) drain: Duration,
}

/// `[server.handshakes]`: TLS handshakes that are begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Handshakes {
    /// Full ones a second, all clients together.
    pub(crate) per_second: u32,
    /// Full ones a second of one client.
    pub(crate) client_per_second: u32,
    /// Full ones of one client at once.
    pub(crate) client_burst: u32,
    /// In progress at once.
    pub(crate) in_progress_max: u32,
}

/// `[server.cache]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cache {
    /// Bytes of memory for cached answers, all sites together.
    pub(crate) memory_bytes: u64,
    /// Bytes of the largest answer that is cached; at most `memory_bytes`.
    pub(crate) object_bytes_max: u64,
    /// How long past its freshness a copy answers while the origin fails.
    pub(crate) stale_if_error: Duration,
    /// How long a missing page that says nothing of it is answered from the cache.
    pub(crate) negative: Duration,
    /// Longest freshness that is guessed.
    pub(crate) heuristic_max: Duration,
}

/// `[server.kept]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    /// Bytes on disk for copies of pages.
    pub(crate) bytes: u64,
    /// How long after it was confirmed a copy may answer; zero keeps none.
    pub(crate) max_age: Duration,
}

/// `[server.access_log]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AccessLog {
    /// File to write to.
    pub(crate) path: PathBuf,
    /// How a line is written.
    pub(crate) format: AccessLogFormat,
    /// Bytes at which the file is put aside.
    pub(crate) rotate_bytes: u64,
    /// Files put aside that are kept.
    pub(crate) keep_files: u32,
}

/// How a line of the access log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AccessLogFormat {
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
pub(crate) struct Store {
    /// Days that traffic by the minute is kept.
    pub(crate) retention_days: u32,
}

/// One `[[site]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Site {
    /// Its name, unique.
    pub(crate) name: String,
    /// Hosts it answers to; no other site has one of them.
    pub(crate) hosts: Vec<HostPattern>,
    /// Servers its pages come from, at least one.
    pub(crate) origins: Vec<Origin>,
    /// What an outage of it means.
    pub(crate) role: Option<String>,
    /// Certificate and key, where the site answers HTTPS.
    pub(crate) certificate: Option<CertificatePaths>,
    /// Limit on requests that may take work at the origin, per client; `None` for no limit.
    pub(crate) origin_limit: Option<RateLimit>,
    /// Limit on requests of any kind, per client; `None` for no limit.
    pub(crate) request_limit: Option<RateLimit>,
    /// How long past its freshness a copy answers while the origin fails; `None` for the server's.
    pub(crate) stale_if_error: Option<Duration>,
    /// Whether a copy that answers in the origin's place says so.
    pub(crate) banner: Banner,
    /// Which query parameters its pages read, by path; no two for the same paths.
    pub(crate) query: Vec<QueryRule>,
    /// The paths it has; none for all.
    pub(crate) paths: Vec<PathPattern>,
    /// What becomes of requests in clear text.
    pub(crate) cleartext: Cleartext,
    /// How long browsers are told to use HTTPS only; zero or `None` tells them nothing.
    pub(crate) hsts: Option<Duration>,
    /// Who is let to the origin when there is not room for all.
    pub(crate) admission: Admission,
    /// By whose clock its visitors live.
    pub(crate) zone: Zone,
}

impl Site {
    /// Whether its origins may be where the public must not reach.
    pub(crate) fn may_reach_internal(&self) -> bool {
        may_reach_internal(self.role.as_deref())
    }
}

/// The role of a site that is none for the public.
fn may_reach_internal(role: Option<&str>) -> bool {
    role == Some("internal")
}

/// `[site.admission]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Admission {
    /// Whether it decides and acts.
    pub(crate) mode: AdmissionMode,
    /// The longest anybody waits.
    pub(crate) wait_max: Duration,
    /// Paths that are never challenged.
    pub(crate) essential: Vec<PathPattern>,
    /// Clients that are always let in.
    pub(crate) allow: Vec<Prefix>,
    /// File with the keys of programs.
    pub(crate) api_keys: Option<PathBuf>,
    /// Path classes; no two of one name.
    pub(crate) classes: Vec<PathClass>,
    /// Requests of one class at the origin at once: least and most, in order.
    pub(crate) origin_requests: (u32, u32),
    /// What is of an earlier generation is void.
    pub(crate) generation: u16,
}

/// What a site's gates do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AdmissionMode {
    /// As they decide.
    On,
    /// They count what they would do.
    Observe,
    /// There are none.
    Off,
}

impl AdmissionMode {
    const WORDS: &[(&str, Self)] = &[("on", Self::On), ("observe", Self::Observe), ("off", Self::Off)];
}

/// How crawlers are told from those who only call themselves so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VerifyCrawlers {
    /// By the names of their addresses.
    Dns,
    /// Not at all.
    Off,
}

impl VerifyCrawlers {
    const WORDS: &[(&str, Self)] = &[("dns", Self::Dns), ("off", Self::Off)];
}

/// What becomes of requests in clear text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cleartext {
    /// They are answered like others.
    Serve,
    /// They are sent to the same address over HTTPS.
    Redirect,
}

impl Cleartext {
    const WORDS: &[(&str, Self)] = &[("serve", Self::Serve), ("redirect", Self::Redirect)];
}

/// Whether kept copies say that they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Banner {
    On,
    Off,
}

impl Banner {
    const WORDS: &[(&str, Self)] = &[("on", Self::On), ("off", Self::Off)];
}

/// PEM files of one site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CertificatePaths {
    /// The certificate and those that vouch for it.
    pub(crate) certificate: PathBuf,
    /// Its private key.
    pub(crate) key: PathBuf,
}

/// A limit on the requests of one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RateLimit {
    /// Requests a second in the long run, at least one.
    pub(crate) per_second: u32,
    /// Requests at once after a pause, at least one.
    pub(crate) burst: u32,
}

impl Settings {
    /// Reads a settings file. Beside the settings come its warnings, for the operator to see.
    ///
    /// # Errors
    /// Every fault of the file, warnings included; [`Faults::is_unreadable`] tells a file that could
    /// not be read at all.
    pub(crate) fn load(path: &Path) -> Result<(Self, Faults), Faults> {
        Reading::of_file(path)?.finish()
    }

    /// Settings for one site without a file, as `--listen` and `--origin` give them: site `site`,
    /// every host, clear text only, and the given state directory.
    ///
    /// # Errors
    /// Every fault, named by option instead of line and key.
    pub(crate) fn from_listen_and_origin(
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
pub(crate) struct Reading {
    log: Log,
    draft: Draft,
}

impl Reading {
    /// Reads a file.
    ///
    /// # Errors
    /// The one fault of a file that cannot be read at all.
    pub(crate) fn of_file(path: &Path) -> Result<Self, Faults> {
        let name = path.display().to_string();
        let text = read_bounded(path, &name)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Ok(Self::of_text(&name, folder, &text, AnyHost::Refused))
    }

    fn of_text(file: &str, folder: &Path, source: &str, any_host: AnyHost) -> Self {
        // Editors on Windows put a mark in front that nobody sees: it is no column.
        let source = source.strip_prefix('\u{feff}').unwrap_or(source);
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
    pub(crate) fn finish(self) -> Result<(Settings, Faults), Faults> {
        let mut faults = self.log.faults;
        faults.sort();
        match self.draft.into_settings() {
            Some(settings) if !faults.has_errors() => Ok((settings, faults)),
            _ => Err(faults),
        }
    }

    /// What can be probed on this machine, faults elsewhere in the file notwithstanding.
    #[must_use]
    pub(crate) fn probe_targets(&self) -> ProbeTargets {
        self.draft.probe_targets()
    }

    /// Adds a fault found by probing, at the place of what was probed.
    pub(crate) fn add(&mut self, severity: Severity, place: &Place, problem: String, fix: String) {
        self.log.add(severity, place.span.as_ref(), &place.key, problem, fix);
    }
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
        return Err(unreadable(
            format!("is larger than {}", format_size(FILE_BYTES_MAX)),
            "is this the settings file?",
        ));
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let line = error.as_bytes().iter().take(good).filter(|b| **b == b'\n').count() + 1;
        unreadable(format!("is not UTF-8 in line {line}"), "save it as UTF-8")
    })
}
