//! The settings as far as they could be read, each value with its place in the file.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use floodwall_model::Prefix;
use toml::de::{DeTable, DeValue};

use super::calendar::{CalendarDraft, Zone};
use super::definition::{Located, Span, kind_in_words};
use super::keys;
use super::section::{Log, Section};
use super::watch::WatchTables;
use crate::client_files::ClientFileKind;

use super::{
    AccessLog, Admission, Banner, Cache, CertificatePaths, CertificateTarget, Cleartext, Handshakes,
    HostPattern, Kept, Origin, OriginTarget, PathClass, PathPattern, Place, ProbeTargets, QueryRule,
    RateLimit, SITES_MAX, Server, Settings, Site, Store, Timeouts, may_reach_internal,
};

/// What was read of a file. A part that could not be read whole is `None`; the log says why.
pub(super) struct Draft {
    pub(super) server: ServerDraft,
    pub(super) sites: Vec<SiteDraft>,
    pub(super) calendar: Vec<CalendarDraft>,
    pub(super) watch: WatchTables,
    store: Option<Store>,
}

/// What was read of `[server]`.
pub(super) struct ServerDraft {
    pub(super) at: Option<Span>,
    pub(super) http: Option<Located<Vec<Located<SocketAddr>>>>,
    pub(super) https: Option<Located<Vec<Located<SocketAddr>>>>,
    pub(super) admin: Option<Located<SocketAddr>>,
    pub(super) trusted_proxies: Vec<Located<Prefix>>,
    pub(super) proxy_protocol: Option<Located<Vec<Located<SocketAddr>>>>,
    pub(super) interface: Option<Located<String>>,
    pub(super) cache_memory: Option<Located<u64>>,
    pub(super) object_max: Option<Located<u64>>,
    state: Option<Located<PathBuf>>,
    access_log_path: Option<Located<PathBuf>>,
    pub(super) crawler_ranges: Option<Located<Vec<Located<PathBuf>>>>,
    pub(super) autonomous_systems: Option<Located<PathBuf>>,
    pub(super) internal: Vec<Prefix>,
    whole: Option<Server>,
}

/// What was read of one `[[site]]`.
pub(super) struct SiteDraft {
    /// `site[0]`.
    pub(super) path: String,
    pub(super) at: Option<Span>,
    pub(super) name: Option<Located<String>>,
    pub(super) hosts: Option<Located<Vec<Located<HostPattern>>>>,
    pub(super) origins: Option<Located<Vec<Located<Origin>>>>,
    pub(super) certificate: Option<Located<PathBuf>>,
    pub(super) key: Option<Located<PathBuf>>,
    pub(super) cleartext: Option<Located<Cleartext>>,
    pub(super) rate: Option<Located<u32>>,
    pub(super) origin_rate: Option<Located<u32>>,
    pub(super) burst: Option<Located<u32>>,
    pub(super) origin_burst: Option<Located<u32>>,
    pub(super) query: Option<Located<Vec<Located<QueryRule>>>>,
    pub(super) admission: AdmissionDraft,
    /// Whether its origins may be where the public must not reach.
    pub(super) may_reach_internal: bool,
    zone: Option<Zone>,
    whole: Option<Site>,
}

impl Draft {
    /// Reads text without syntax faults. Relative paths count from `folder`.
    pub(super) fn read(text: &str, folder: &Path, log: &mut Log) -> Self {
        let (document, _) = DeTable::parse_recoverable(text);
        let root = Section::new("", String::new(), Some(document.get_ref()), None);
        root.report_unknown(log);
        let server = ServerDraft::read(document.get_ref(), folder, log);
        let store = Section::open(log, Some(document.get_ref()), "store", "store".to_owned());
        store.report_unknown(log);
        let store = store.value(log, &keys::RETENTION_DAYS).map(|retention_days| Store { retention_days });
        let sites = read_sites(document.get_ref(), folder, log);
        let calendar = CalendarDraft::read_all(document.get_ref(), log);
        let watch = WatchTables::read(document.get_ref(), folder, log);
        Self { server, sites, calendar, store, watch }
    }

    /// The settings, when every part could be read.
    pub(super) fn into_settings(self) -> Option<Settings> {
        let sites = self.sites.into_iter().map(|site| site.whole).collect::<Option<Vec<_>>>()?;
        let calendar = self.calendar.into_iter().map(CalendarDraft::whole).collect::<Option<Vec<_>>>()?;
        let (watches, watcher, status) = self.watch.whole()?;
        let (server, store) = (self.server.whole?, self.store?);
        Some(Settings { server, store, sites, calendar, watches, watcher, status })
    }

    pub(super) fn probe_targets(&self) -> ProbeTargets {
        let server = &self.server;
        let located = |key: &str, at: &Option<Span>| Place { key: key.to_owned(), span: at.clone() };
        let path = |value: &Option<Located<PathBuf>>, key: &str| {
            value.as_ref().map(|v| (v.value.clone(), located(key, &v.at)))
        };
        let mut targets = ProbeTargets {
            listeners: server.listeners().map(|(key, l)| (l.value, located(key, &l.at))).collect(),
            state: path(&server.state, "server.state"),
            access_log: path(&server.access_log_path, "server.access_log.path"),
            ..ProbeTargets::default()
        };
        for ranges in elements(server.crawler_ranges.as_ref()) {
            let place = located("server.crawler_ranges", &ranges.at);
            targets.client_files.push((ClientFileKind::CrawlerRanges, ranges.value.clone(), place));
        }
        let systems = path(&server.autonomous_systems, "server.autonomous_systems");
        targets
            .client_files
            .extend(systems.map(|(path, place)| (ClientFileKind::AutonomousSystems, path, place)));
        for site in &self.sites {
            let keys = path(&site.admission.api_keys, &format!("{}.admission.api_keys", site.path));
            targets.client_files.extend(keys.map(|(path, place)| (ClientFileKind::ApiKeys, path, place)));
            let key_of = |key: &str| format!("{}.{key}", site.path);
            let origins = elements(site.origins.as_ref());
            targets.origins.extend(origins.map(|o| OriginTarget {
                origin: o.value.clone(),
                place: located(&key_of("origin"), &o.at),
                out_of_reach: if site.may_reach_internal { Vec::new() } else { server.internal.clone() },
            }));
            let certificate = path(&site.certificate, &key_of("certificate"));
            if let (Some(certificate), Some(key)) = (certificate, path(&site.key, &key_of("key"))) {
                let hosts = elements(site.hosts.as_ref()).map(|h| h.value.clone()).collect();
                targets.certificates.push(CertificateTarget { certificate, key, hosts });
            }
        }
        targets
    }
}

/// The elements of a list that could be read.
pub(super) fn elements<T>(list: Option<&Located<Vec<Located<T>>>>) -> std::slice::Iter<'_, Located<T>> {
    list.map_or([].iter(), |located| located.value.iter())
}

fn plain<T: Clone>(list: Option<&Located<Vec<Located<T>>>>) -> Option<Vec<T>> {
    list.map(|located| located.value.iter().map(|element| element.value.clone()).collect())
}

impl ServerDraft {
    fn read(document: &DeTable<'_>, folder: &Path, log: &mut Log) -> Self {
        let section = Section::open(log, Some(document), "server", "server".to_owned());
        section.report_unknown(log);
        let state = section.get(log, &keys::STATE).map(|path| below(folder, path));
        let trusted_proxies = section.get(log, &keys::TRUSTED_PROXIES);
        let verify_crawlers = section.value(log, &keys::VERIFY_CRAWLERS);
        let internal = section.get(log, &keys::INTERNAL);
        let crawler_ranges = section.get(log, &keys::CRAWLER_RANGES).map(|paths| all_below(folder, paths));
        let autonomous_systems = section.get(log, &keys::AUTONOMOUS_SYSTEMS).map(|path| below(folder, path));
        let admin_hosts = section.get(log, &keys::ADMIN_HOSTS);
        let workers = given_or(log, &section, &keys::WORKERS, cores());
        let connections_max = section.value(log, &keys::CONNECTIONS_MAX);
        let tracked_prefixes = section.value(log, &keys::TRACKED_PREFIXES);
        let timeouts = read_timeouts(&section.below(log, "server.timeouts"), log);
        let handshakes = read_handshakes(&section.below(log, "server.handshakes"), workers, log);
        let cache_section = section.below(log, "server.cache");
        cache_section.report_unknown(log);
        let stale_if_error = cache_section.value(log, &keys::STALE_IF_ERROR);
        let negative = cache_section.value(log, &keys::NEGATIVE);
        let heuristic_max = cache_section.value(log, &keys::HEURISTIC_MAX);
        let kept = read_kept(&section.below(log, "server.kept"), log);
        let (access_log_path, access_log) =
            read_access_log(&section.below(log, "server.access_log"), folder, log);
        let mut draft = Self {
            at: section.at.clone(),
            http: section.get(log, &keys::HTTP),
            https: section.get(log, &keys::HTTPS),
            admin: section.get(log, &keys::ADMIN),
            trusted_proxies: elements(trusted_proxies.as_ref()).cloned().collect(),
            proxy_protocol: section.get(log, &keys::PROXY_PROTOCOL),
            interface: section.get(log, &keys::INTERFACE),
            cache_memory: cache_section.get(log, &keys::CACHE_MEMORY),
            object_max: cache_section.get(log, &keys::OBJECT_MAX),
            state,
            access_log_path,
            crawler_ranges,
            autonomous_systems,
            internal: elements(internal.as_ref()).map(|prefix| prefix.value).collect(),
            whole: None,
        };
        draft.whole = (|| {
            Some(Server {
                http: plain(draft.http.as_ref())?,
                https: plain(draft.https.as_ref())?,
                admin: draft.admin.as_ref()?.value,
                admin_hosts: plain(admin_hosts.as_ref())?,
                state: draft.state.as_ref()?.value.clone(),
                trusted_proxies: plain(trusted_proxies.as_ref())?,
                proxy_protocol: plain(draft.proxy_protocol.as_ref())?,
                internal: plain(internal.as_ref())?,
                verify_crawlers: verify_crawlers?,
                crawler_ranges: plain(draft.crawler_ranges.as_ref())?,
                autonomous_systems: draft.autonomous_systems.as_ref().map(|path| path.value.clone()),
                interface: draft.interface.as_ref().map(|i| i.value.clone()),
                workers: workers?,
                connections_max: connections_max?,
                tracked_prefixes: tracked_prefixes?,
                timeouts: timeouts?,
                handshakes: handshakes?,
                cache: Cache {
                    memory_bytes: draft.cache_memory.as_ref()?.value,
                    object_bytes_max: draft.object_max.as_ref()?.value,
                    stale_if_error: stale_if_error?,
                    negative: negative?,
                    heuristic_max: heuristic_max?,
                },
                kept: kept?,
                access_log: access_log?,
            })
        })();
        draft
    }

    /// Every listener with its key, in the order in which they are compared.
    pub(super) fn listeners(&self) -> impl Iterator<Item = (&'static str, &Located<SocketAddr>)> {
        let http = elements(self.http.as_ref()).map(|l| ("server.http", l));
        let https = elements(self.https.as_ref()).map(|l| ("server.https", l));
        http.chain(https).chain(self.admin.iter().map(|l| ("server.admin", l)))
    }
}

/// The setting's value; `otherwise` when it is left out; `None` when it cannot be read.
fn given_or<F: super::definition::Form>(
    log: &mut Log,
    section: &Section<'_>,
    setting: &super::definition::Setting<F>,
    otherwise: F::Output,
) -> Option<F::Output> {
    if section.has(setting) { section.value(log, setting) } else { Some(otherwise) }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn all_below(folder: &Path, paths: Located<Vec<Located<PathBuf>>>) -> Located<Vec<Located<PathBuf>>> {
    Located { value: paths.value.into_iter().map(|path| below(folder, path)).collect(), at: paths.at }
}

/// What a worker's share of the machine can do and still serve who is there.
const HANDSHAKES_PER_WORKER: u32 = 1_000;

fn read_handshakes(section: &Section<'_>, workers: Option<usize>, log: &mut Log) -> Option<Handshakes> {
    section.report_unknown(log);
    let workers = u32::try_from(workers.unwrap_or(1)).unwrap_or(1);
    let otherwise = workers.saturating_mul(HANDSHAKES_PER_WORKER);
    let per_second = given_or(log, section, &keys::HANDSHAKES_PER_SECOND, otherwise);
    let client_per_second = section.value(log, &keys::HANDSHAKES_CLIENT_PER_SECOND);
    let client_burst = section.value(log, &keys::HANDSHAKES_CLIENT_BURST);
    let in_progress_max = section.value(log, &keys::HANDSHAKES_IN_PROGRESS_MAX);
    Some(Handshakes {
        per_second: per_second?,
        client_per_second: client_per_second?,
        client_burst: client_burst?,
        in_progress_max: in_progress_max?,
    })
}

fn below(folder: &Path, path: Located<PathBuf>) -> Located<PathBuf> {
    Located { value: folder.join(path.value), at: path.at }
}

fn read_kept(section: &Section<'_>, log: &mut Log) -> Option<Kept> {
    section.report_unknown(log);
    let bytes = section.value(log, &keys::KEPT_SIZE);
    let max_age = section.value(log, &keys::KEPT_MAX_AGE);
    Some(Kept { bytes: bytes?, max_age: max_age? })
}

fn read_timeouts(section: &Section<'_>, log: &mut Log) -> Option<Timeouts> {
    section.report_unknown(log);
    let header = section.value(log, &keys::HEADER);
    let body_idle = section.value(log, &keys::BODY_IDLE);
    let write_idle = section.value(log, &keys::WRITE_IDLE);
    let keep_alive_idle = section.value(log, &keys::KEEP_ALIVE_IDLE);
    let connect = section.value(log, &keys::CONNECT);
    let origin_response = section.value(log, &keys::ORIGIN_RESPONSE);
    let origin_idle = section.value(log, &keys::ORIGIN_IDLE);
    let origin_return = section.value(log, &keys::ORIGIN_RETURN);
    let drain = section.value(log, &keys::DRAIN);
    Some(Timeouts {
        header: header?,
        body_idle: body_idle?,
        write_idle: write_idle?,
        keep_alive_idle: keep_alive_idle?,
        connect: connect?,
        origin_response: origin_response?,
        origin_idle: origin_idle?,
        origin_return: origin_return?,
        drain: drain?,
    })
}

type LocatedPath = Option<Located<PathBuf>>;

fn read_access_log(
    section: &Section<'_>,
    folder: &Path,
    log: &mut Log,
) -> (LocatedPath, Option<Option<AccessLog>>) {
    if !section.is_given() {
        return (None, Some(None));
    }
    section.report_unknown(log);
    let path = section.get(log, &keys::LOG_PATH).map(|path| below(folder, path));
    let format = section.value(log, &keys::LOG_FORMAT);
    let rotate_bytes = section.value(log, &keys::ROTATE_SIZE);
    let keep_files = section.value(log, &keys::KEEP_FILES);
    let whole = (|| {
        let path = path.as_ref()?.value.clone();
        Some(AccessLog { path, format: format?, rotate_bytes: rotate_bytes?, keep_files: keep_files? })
    })();
    (path, whole.map(Some))
}

fn read_sites(document: &DeTable<'_>, folder: &Path, log: &mut Log) -> Vec<SiteDraft> {
    let example = "write [[site]] and below it name, hosts and origin";
    let Some(item) = document.get("site") else {
        if !log.lost.contains("site") {
            log.error(Some(&(0..0)), "site", "no site is declared", example);
        }
        return Vec::new();
    };
    let list: Vec<_> = match item.get_ref() {
        DeValue::Array(list) => list.iter().collect(),
        DeValue::Table(_) => {
            log.error(
                Some(&item.span()),
                "site",
                "`site` is written as a single table",
                "write [[site]] with two brackets",
            );
            vec![item]
        }
        other => {
            let problem = format!("{} is found where a table is expected", kind_in_words(other));
            log.error(Some(&item.span()), "site", problem, example);
            return Vec::new();
        }
    };
    if list.is_empty() {
        log.error(Some(&item.span()), "site", "no site is declared", example);
    }
    if list.len() > SITES_MAX {
        log.error(
            Some(&item.span()),
            "site",
            format!("{} sites are too many", list.len()),
            format!("declare {SITES_MAX} at most"),
        );
    }
    let mut sites = Vec::new();
    for (index, site) in list.into_iter().take(SITES_MAX).enumerate() {
        let path = format!("site[{index}]");
        match site.get_ref() {
            DeValue::Table(table) => {
                sites.push(SiteDraft::read(
                    Section::new("site", path, Some(table), Some(site.span())),
                    folder,
                    log,
                ));
            }
            other => {
                let problem = format!("{} is found where a table is expected", kind_in_words(other));
                log.error(Some(&site.span()), &path, problem, example);
            }
        }
    }
    sites
}

impl SiteDraft {
    fn read(section: Section<'_>, folder: &Path, log: &mut Log) -> Self {
        section.report_unknown(log);
        let role = section.value(log, &keys::ROLE);
        let paths = section.get(log, &keys::PATHS);
        let limits = section.below(log, "site.limits");
        limits.report_unknown(log);
        let cache = section.below(log, "site.cache");
        cache.report_unknown(log);
        let stale_if_error = cache.value(log, &keys::SITE_STALE_IF_ERROR);
        let banner = cache.value(log, &keys::BANNER);
        let hsts = section.value(log, &keys::HSTS);
        let query = section.below(log, "site.query");
        query.report_unknown(log);
        let admission = AdmissionDraft::read(&section.below(log, "site.admission"), folder, log);
        let detection = section.below(log, "site.detection");
        detection.report_unknown(log);
        let mut draft = Self {
            zone: detection.value(log, &keys::TIME_ZONE),
            query: query.get(log, &keys::QUERY_ALLOW),
            admission,
            may_reach_internal: may_reach_internal(role.as_deref()),
            name: section.get(log, &keys::NAME),
            hosts: section.get(log, &keys::HOSTS),
            origins: section.get(log, &keys::ORIGIN),
            certificate: section.get(log, &keys::CERTIFICATE).map(|path| below(folder, path)),
            key: section.get(log, &keys::KEY).map(|path| below(folder, path)),
            cleartext: section.get(log, &keys::CLEARTEXT),
            rate: limits.get(log, &keys::RATE),
            burst: limits.get(log, &keys::BURST),
            origin_rate: limits.get(log, &keys::ORIGIN_RATE),
            origin_burst: limits.get(log, &keys::ORIGIN_BURST),
            path: section.path,
            at: section.at,
            whole: None,
        };
        draft.whole = draft.assemble(role, plain(paths.as_ref()), banner, stale_if_error, hsts);
        draft
    }

    fn assemble(
        &self,
        role: Option<String>,
        paths: Option<Vec<PathPattern>>,
        banner: Option<Banner>,
        stale_if_error: Option<std::time::Duration>,
        hsts: Option<std::time::Duration>,
    ) -> Option<Site> {
        let rate = self.rate.as_ref()?.value;
        let origin_rate = self.origin_rate.as_ref()?.value;
        let burst = self.burst.as_ref().map_or(rate.saturating_mul(10), |burst| burst.value);
        let certificate = self.certificate.as_ref().zip(self.key.as_ref()).map(|(certificate, key)| {
            CertificatePaths { certificate: certificate.value.clone(), key: key.value.clone() }
        });
        Some(Site {
            name: self.name.as_ref()?.value.clone(),
            hosts: plain(self.hosts.as_ref())?,
            origins: plain(self.origins.as_ref())?,
            role,
            paths: paths?,
            certificate,
            origin_limit: limit(
                origin_rate,
                self.origin_burst.as_ref().map_or(origin_rate.saturating_mul(10), |burst| burst.value),
            ),
            request_limit: limit(rate, burst),
            stale_if_error,
            banner: banner?,
            query: plain(self.query.as_ref())?,
            cleartext: self.cleartext.as_ref()?.value,
            hsts,
            admission: self.admission.whole.clone()?,
            zone: self.zone.clone()?,
        })
    }
}

/// What was read of one `[site.admission]`.
pub(super) struct AdmissionDraft {
    pub(super) classes: Option<Located<Vec<Located<PathClass>>>>,
    pub(super) origin_requests_min: Option<Located<u32>>,
    pub(super) origin_requests_max: Option<Located<u32>>,
    pub(super) api_keys: Option<Located<PathBuf>>,
    whole: Option<Admission>,
}

impl AdmissionDraft {
    fn read(section: &Section<'_>, folder: &Path, log: &mut Log) -> Self {
        section.report_unknown(log);
        let mode = section.value(log, &keys::ADMISSION_MODE);
        let wait_max = section.value(log, &keys::WAIT_MAX);
        let essential = section.get(log, &keys::ESSENTIAL);
        let allow = section.get(log, &keys::ALLOW);
        let generation = section.value(log, &keys::GENERATION);
        let mut draft = Self {
            classes: section.get(log, &keys::CLASSES),
            origin_requests_min: section.get(log, &keys::CONCURRENCY_MIN),
            origin_requests_max: section.get(log, &keys::CONCURRENCY_MAX),
            api_keys: section.get(log, &keys::API_KEYS).map(|path| below(folder, path)),
            whole: None,
        };
        draft.whole = (|| {
            let least = draft.origin_requests_min.as_ref()?.value;
            let most = draft.origin_requests_max.as_ref()?.value;
            Some(Admission {
                mode: mode?,
                wait_max: wait_max?,
                essential: plain(essential.as_ref())?,
                allow: plain(allow.as_ref())?,
                api_keys: draft.api_keys.as_ref().map(|path| path.value.clone()),
                classes: plain(draft.classes.as_ref())?,
                origin_requests: (least, most),
                generation: generation?,
            })
        })();
        draft
    }
}

fn limit(per_second: u32, burst: u32) -> Option<RateLimit> {
    (per_second > 0).then_some(RateLimit { per_second, burst })
}
