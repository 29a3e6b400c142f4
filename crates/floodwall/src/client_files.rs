//! What the operator's files say of clients: which addresses are crawlers', which autonomous system an
//! address belongs to, and which programs hold a key of a site.
//!
//! The files are read at the start and again at SIGHUP. One that cannot be read costs what it would have
//! told, and is warned of; visitors are served all the same. `floodwall check` finds it beforehand.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use floodwall_edge::ClientRegister;
use floodwall_model::SiteId;
use floodwall_policy::{
    CrawlerStanding, KeyDigest, KeyListError, PrefixMap, PublishedRangesError, TokenId, key_digest, key_list,
    published_ranges,
};
use http::HeaderMap;
use http::header::{AUTHORIZATION, HeaderName};
use maxminddb::{MaxMindDbError, PathElement, Reader};

use crate::crawler_watch::CrawlerWatch;
use crate::settings::Settings;

#[cfg(test)]
mod tests;

/// The largest file that is read; a database of all autonomous systems has 10 MB.
const BYTES_MAX: u64 = 256 << 20;
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Why a file tells nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientFileError {
    #[error("{} cannot be read: {source}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{} has {bytes} bytes; at most {BYTES_MAX} are read", path.display())]
    TooLarge { path: PathBuf, bytes: u64 },
    #[error("others than its owner and group may read {}; run `chmod o= {}`", path.display(), path.display())]
    OpenToOthers { path: PathBuf },
    #[error("{}: {source}", path.display())]
    Ranges { path: PathBuf, source: PublishedRangesError },
    #[error("{} is no MaxMind DB file with autonomous systems: {source}", path.display())]
    Systems { path: PathBuf, source: MaxMindDbError },
    #[error("{}: {source}", path.display())]
    Keys { path: PathBuf, source: KeyListError },
}

/// Which files there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ClientFilePaths {
    pub(crate) crawler_ranges: Vec<PathBuf>,
    pub(crate) autonomous_systems: Option<PathBuf>,
    /// For each site, in their order.
    pub(crate) api_keys: Vec<Option<PathBuf>>,
}

impl ClientFilePaths {
    pub(crate) fn of(settings: &Settings) -> Self {
        Self {
            crawler_ranges: settings.server.crawler_ranges.clone(),
            autonomous_systems: settings.server.autonomous_systems.clone(),
            api_keys: settings.sites.iter().map(|site| site.admission.api_keys.clone()).collect(),
        }
    }
}

/// What the files say.
#[derive(Default)]
struct Said {
    crawlers: PrefixMap<()>,
    systems: Option<Reader<Vec<u8>>>,
    /// For each site. Looked up by digest: how long that takes tells nothing of a key.
    keys: Vec<HashMap<KeyDigest, TokenId, foldhash::fast::RandomState>>,
}

/// The register of clients that the edge asks: the files, and DNS for whom they do not name.
pub(crate) struct ClientFiles {
    paths: ClientFilePaths,
    said: ArcSwap<Said>,
    crawlers: Option<Arc<CrawlerWatch>>,
}

impl ClientFiles {
    /// Reads the files. What is wrong with them is told, and they are done without.
    pub(crate) fn read(
        paths: ClientFilePaths,
        crawlers: Option<Arc<CrawlerWatch>>,
    ) -> (Arc<Self>, Vec<ClientFileError>) {
        let (said, errors) = Said::read(&paths);
        (Arc::new(Self { paths, said: ArcSwap::from_pointee(said), crawlers }), errors)
    }

    /// Reads the files again. One that cannot be read now leaves everything as it was.
    pub(crate) fn read_again(&self) -> Result<(), Vec<ClientFileError>> {
        let (said, errors) = Said::read(&self.paths);
        if !errors.is_empty() {
            return Err(errors);
        }
        self.said.store(Arc::new(said));
        Ok(())
    }

    /// Why an address is taken for a crawler's, in words.
    pub(crate) fn why_crawler(&self, address: IpAddr) -> Option<String> {
        if self.said.load().crawlers.get(address).is_some() {
            return Some("it is in a list of server.crawler_ranges".to_owned());
        }
        let host = self.crawlers.as_ref()?.verified_host(address)?;
        Some(format!("DNS confirms that it is the crawler's host {host}"))
    }

    /// Addresses that call themselves crawlers and were not asked about, because too many did at once.
    pub(crate) fn crawler_checks_dropped(&self) -> u64 {
        self.crawlers.as_ref().map_or(0, |watch| watch.dropped())
    }

    /// Whether there is any file to read.
    pub(crate) fn has_files(&self) -> bool {
        !self.paths.crawler_ranges.is_empty()
            || self.paths.autonomous_systems.is_some()
            || self.paths.api_keys.iter().any(Option::is_some)
    }
}

impl ClientRegister for ClientFiles {
    fn crawler(&self, address: IpAddr, user_agent: &[u8]) -> CrawlerStanding {
        if self.said.load().crawlers.get(address).is_some() {
            return CrawlerStanding::Verified;
        }
        let asked = self.crawlers.as_ref();
        asked.map_or(CrawlerStanding::NotClaimed, |watch| watch.standing(address, user_agent))
    }

    fn autonomous_system(&self, address: IpAddr) -> Option<u32> {
        system_of(self.said.load().systems.as_ref()?, address)
    }

    fn key_holder(&self, site: SiteId, fields: &HeaderMap) -> Option<TokenId> {
        let said = self.said.load();
        let keys = said.keys.get(usize::from(site.0)).filter(|keys| !keys.is_empty())?;
        let plain = fields.get(API_KEY).map(http::HeaderValue::as_bytes);
        let bearer = || {
            let value = fields.get(AUTHORIZATION)?.as_bytes();
            let (scheme, key) = value.split_at_checked(7)?;
            scheme.eq_ignore_ascii_case(b"bearer ").then_some(key)
        };
        keys.get(&key_digest(plain.or_else(bearer)?)).copied()
    }
}

/// The number of an address's system, as MaxMind and DB-IP write it, or IPinfo (`AS64496`).
fn system_of(systems: &Reader<Vec<u8>>, address: IpAddr) -> Option<u32> {
    let found = systems.lookup(address.to_canonical()).ok()?;
    let number: Option<u32> =
        found.decode_path(&[PathElement::Key("autonomous_system_number")]).ok().flatten();
    number.or_else(|| {
        let text: Option<&str> = found.decode_path(&[PathElement::Key("asn")]).ok().flatten();
        text?.strip_prefix("AS")?.parse().ok()
    })
}

impl Said {
    fn read(paths: &ClientFilePaths) -> (Self, Vec<ClientFileError>) {
        let mut errors = Vec::new();
        let mut kept = |result| match result {
            Ok(read) => Some(read),
            Err(error) => {
                errors.push(error);
                None
            }
        };
        let lists = paths.crawler_ranges.iter().filter_map(|path| kept(read_ranges(path)));
        let crawlers = PrefixMap::new(lists.flatten().map(|prefix| (prefix, ())).collect::<Vec<_>>());
        let mut told = |error| errors.push(error);
        let systems = paths.autonomous_systems.as_deref();
        let systems = systems.and_then(|path| read_systems(path).map_err(&mut told).ok());
        let keys = paths.api_keys.iter().map(|path| {
            let digests = path.as_deref().and_then(|path| read_keys(path).map_err(&mut told).ok());
            digests.unwrap_or_default().into_iter().map(|digest| (digest, digest.holder())).collect()
        });
        let keys = keys.collect();
        (Self { crawlers, systems, keys }, errors)
    }
}

fn read_ranges(path: &Path) -> Result<Vec<floodwall_model::Prefix>, ClientFileError> {
    let bytes = read_file(path)?;
    published_ranges(&bytes).map_err(|source| ClientFileError::Ranges { path: path.to_owned(), source })
}

fn read_systems(path: &Path) -> Result<Reader<Vec<u8>>, ClientFileError> {
    let wrong = |source| ClientFileError::Systems { path: path.to_owned(), source };
    let reader = Reader::from_source(read_file(path)?).map_err(wrong)?;
    // All of it, once: look-ups of visitors meet no surprise.
    reader.verify().map_err(wrong)?;
    Ok(reader)
}

fn read_keys(path: &Path) -> Result<Vec<KeyDigest>, ClientFileError> {
    use std::os::unix::fs::PermissionsExt;
    let metadata = std::fs::metadata(path)
        .map_err(|source| ClientFileError::Unreadable { path: path.to_owned(), source })?;
    if metadata.permissions().mode() & 0o007 != 0 {
        return Err(ClientFileError::OpenToOthers { path: path.to_owned() });
    }
    key_list(&read_file(path)?).map_err(|source| ClientFileError::Keys { path: path.to_owned(), source })
}

fn read_file(path: &Path) -> Result<Vec<u8>, ClientFileError> {
    let unreadable = |source| ClientFileError::Unreadable { path: path.to_owned(), source };
    let bytes = std::fs::metadata(path).map_err(unreadable)?.len();
    if bytes > BYTES_MAX {
        return Err(ClientFileError::TooLarge { path: path.to_owned(), bytes });
    }
    std::fs::read(path).map_err(unreadable)
}

/// Reads the files at the start. What cannot be read is done without: no reason to serve nobody.
pub(crate) fn start(settings: &Settings, crawlers: Option<Arc<CrawlerWatch>>) -> Arc<ClientFiles> {
    let (files, errors) = ClientFiles::read(ClientFilePaths::of(settings), crawlers);
    for error in errors {
        tracing::warn!("{error}; what it would tell of clients is not known");
    }
    files
}

/// Reads the files again, on a thread of its own: they may be slow to read, and nobody waits for them.
pub(crate) fn read_again(files: Arc<ClientFiles>) {
    if !files.has_files() {
        return;
    }
    tokio::task::spawn_blocking(move || match files.read_again() {
        Ok(()) => tracing::info!("what the files say of clients has been read anew"),
        Err(errors) => {
            for error in errors {
                tracing::warn!("{error}; what was read of all such files before goes on");
            }
        }
    });
}

/// What a file tells, for `floodwall check`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClientFileKind {
    CrawlerRanges,
    AutonomousSystems,
    ApiKeys,
}

/// Reads a file as serving would.
pub(crate) fn try_read(kind: ClientFileKind, path: &Path) -> Result<(), ClientFileError> {
    match kind {
        ClientFileKind::CrawlerRanges => read_ranges(path).map(drop),
        ClientFileKind::AutonomousSystems => read_systems(path).map(drop),
        ClientFileKind::ApiKeys => read_keys(path).map(drop),
    }
}
