//! The gates of all sites, and what they share: keys, who is known, who is always let in.

use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use floodwall_model::{GateMode, GateStatus, PersonReport, Prefix, SiteId, Timestamp};
use floodwall_policy::{
    BudgetSettings, CrawlerStanding, Gate, GateSettings, Keyring, KnownClients, LearnedQueries, PrefixMap,
    ReferenceKey, Secret, SignatureRecord, SiteTag, TokenId, never_challenged,
};
use parking_lot::Mutex;

use super::class::PathClass;
use super::person::Reports;
use super::signatures::Signatures;
use crate::config::SiteConfig;
use crate::query::PathPattern;

/// Sources that the ledgers of all gates have room for together, and each at least and at most.
const SOURCES_ALL: usize = 1 << 19;
const SOURCES_MIN: usize = 1 << 13;
const SOURCES_MAX: usize = 1 << 17;

/// What a site's gates do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AdmissionMode {
    /// As they decide.
    #[default]
    On,
    /// They decide and count, and everybody is let through.
    Observe,
    /// There are none.
    Off,
}

/// How a site's gates are set.
#[derive(Clone, Debug)]
pub struct SiteAdmission {
    /// Whether there are gates.
    pub mode: AdmissionMode,
    /// Path classes with budgets of their own, each with its name; what none of them names is of one
    /// more class.
    pub classes: Vec<(Arc<str>, Vec<PathPattern>)>,
    /// Between what the number of requests at once stays, for each class.
    pub budget: BudgetSettings,
    /// The longest anybody waits for the origin.
    pub wait_max: std::time::Duration,
    /// Paths that are never challenged, beside those of [`never_challenged`].
    pub essential: Vec<PathPattern>,
    /// Clients that are always let in and charged nothing.
    pub allow: Vec<Prefix>,
    /// What is of an earlier generation was revoked.
    pub generation: u16,
}

impl Default for SiteAdmission {
    fn default() -> Self {
        let gate = GateSettings::default();
        Self {
            mode: AdmissionMode::On,
            classes: Vec::new(),
            budget: gate.budget,
            wait_max: gate.wait_max,
            essential: Vec::new(),
            allow: Vec::new(),
            generation: 0,
        }
    }
}

/// The gates of one site.
pub(crate) struct SiteGates {
    pub(super) tag: SiteTag,
    pub(super) settings: SiteAdmission,
    /// Of the settings, to be asked quickly.
    allowed: PrefixMap<()>,
    /// The last is for all paths.
    classes: Vec<PathClass>,
    pub(super) known: Mutex<KnownClients>,
    pub(super) queries: Mutex<LearnedQueries>,
    pub(super) reports: Reports,
    pub(super) signatures: Signatures,
}

/// Knows of clients what neither their requests nor earlier ones tell. Asked on a worker's thread: it
/// must not wait.
pub trait ClientRegister: Send + Sync {
    /// Whether this visitor is the crawler that his `User-Agent` names.
    fn crawler(&self, address: std::net::IpAddr, user_agent: &[u8]) -> CrawlerStanding;

    /// The number of the autonomous system an address belongs to.
    fn autonomous_system(&self, _address: std::net::IpAddr) -> Option<u32> {
        None
    }

    /// The program whose key for this site is in a request's fields; the same for each of its requests.
    fn key_holder(&self, _site: SiteId, _fields: &http::HeaderMap) -> Option<TokenId> {
        None
    }
}

/// What is signed and sealed with.
pub(crate) struct Keys {
    secret: Secret,
    pub(super) keyring: Keyring,
    pub(crate) reference: ReferenceKey,
}

impl Keys {
    fn new(secret: &Secret, now: Timestamp) -> Self {
        Self {
            secret: secret.clone(),
            keyring: Keyring::new(secret, now),
            reference: ReferenceKey::new(secret),
        }
    }
}

/// The gates of all sites.
pub(crate) struct Gatehouse {
    keys: ArcSwap<Keys>,
    register: OnceLock<Arc<dyn ClientRegister>>,
    /// In the order of their numbers; `None` for a site without gates.
    sites: Vec<Option<SiteGates>>,
}

impl Gatehouse {
    pub(crate) fn new(sites: &[SiteConfig], secret: &Secret, hash_seed: u64, now: Timestamp) -> Self {
        let classes = sites.iter().map(|site| site.admission.classes.len() + 1).sum::<usize>();
        let sources_max = (SOURCES_ALL / classes.max(1)).clamp(SOURCES_MIN, SOURCES_MAX);
        let sites = sites.iter().map(|site| SiteGates::new(site, sources_max, hash_seed, now)).collect();
        Self { keys: ArcSwap::from_pointee(Keys::new(secret, now)), register: OnceLock::new(), sites }
    }

    pub(super) fn site(&self, site: SiteId) -> Option<&SiteGates> {
        self.sites.get(usize::from(site.0))?.as_ref()
    }

    /// The class of a path, and its place among the site's.
    pub(super) fn class_of(&self, site: SiteId, path: &str) -> Option<(usize, &PathClass)> {
        let classes = &self.site(site)?.classes;
        match classes.as_slice() {
            [only] => Some((0, only)),
            all => all.iter().enumerate().find(|(_, class)| class.is_for(path)),
        }
    }

    pub(super) fn class(&self, site: SiteId, class: usize) -> Option<&PathClass> {
        self.site(site)?.classes.get(class)
    }

    pub(super) fn classes(&self) -> impl Iterator<Item = (SiteId, &PathClass)> {
        let sites = self.sites.iter().zip(0_u16..);
        sites.flat_map(|(site, number)| {
            site.iter().flat_map(move |site| site.classes.iter().map(move |class| (SiteId(number), class)))
        })
    }

    /// The keys in force.
    pub(crate) fn keys(&self) -> arc_swap::Guard<Arc<Keys>> {
        self.keys.load()
    }

    /// From now on keys come of this secret.
    pub(crate) fn use_secret(&self, secret: &Secret, now: Timestamp) {
        self.keys.store(Arc::new(Keys::new(secret, now)));
    }

    /// Asks this register of clients. The first one that is named stays.
    pub(crate) fn use_register(&self, register: Arc<dyn ClientRegister>) {
        let _named_before = self.register.set(register);
    }

    /// Who tells more of clients than they do.
    pub(super) fn register(&self) -> Option<&dyn ClientRegister> {
        self.register.get().map(AsRef::as_ref)
    }

    /// Derives the keys anew when their time is over.
    pub(super) fn renew_keys(&self, now: Timestamp) {
        let keys = self.keys.load();
        if !keys.keyring.is_for(now) {
            self.use_secret(&keys.secret, now);
        }
    }

    /// How many visitors of a site said that they are people and cannot get in, and the last of them.
    pub(crate) fn person_reports(&self, site: SiteId) -> (u64, Vec<PersonReport>) {
        self.site(site).map(|site| site.reports.all()).unwrap_or_default()
    }

    /// How many such reports there were, and the newest of them.
    pub(crate) fn newest_person_report(&self, site: SiteId) -> (u64, Option<PersonReport>) {
        self.site(site).map(|site| site.reports.newest()).unwrap_or_default()
    }

    /// The rules of a site's signatures that live, and those that have ended lately.
    pub(crate) fn signatures(&self, site: SiteId) -> Vec<SignatureRecord> {
        self.site(site).map(|site| site.signatures.records()).unwrap_or_default()
    }

    /// Figures of a site's gates, for the operator.
    pub(crate) fn status(&self, site: SiteId) -> Vec<GateStatus> {
        let Some(site) = self.site(site) else { return Vec::new() };
        let mode = match site.settings.mode {
            AdmissionMode::On => GateMode::On,
            AdmissionMode::Observe => GateMode::Observe,
            // Such a site has no gates.
            AdmissionMode::Off => return Vec::new(),
        };
        site.classes.iter().map(|class| class.status(mode)).collect()
    }
}

impl SiteGates {
    fn new(site: &SiteConfig, sources_max: usize, hash_seed: u64, now: Timestamp) -> Option<Self> {
        let admission = &site.admission;
        if admission.mode == AdmissionMode::Off {
            return None;
        }
        let gate = || {
            let settings = GateSettings {
                budget: admission.budget,
                wait_max: admission.wait_max,
                sources_max,
                ..GateSettings::default()
            };
            Gate::new(settings, hash_seed, now)
        };
        let named = admission.classes.iter().map(|(name, paths)| (name.clone(), paths.clone()));
        let rest = std::iter::once((Arc::from(CLASS_OF_ALL), Vec::new()));
        let classes = named.chain(rest).map(|(name, paths)| PathClass::new(name, paths, gate(), now));
        Some(Self {
            tag: SiteTag::of_name(&site.name),
            classes: classes.collect(),
            known: Mutex::new(KnownClients::new(hash_seed)),
            queries: Mutex::new(LearnedQueries::new(hash_seed)),
            reports: Reports::default(),
            signatures: Signatures::new(hash_seed),
            allowed: PrefixMap::new(admission.allow.iter().map(|prefix| (*prefix, ()))),
            settings: admission.clone(),
        })
    }

    /// Whether a path is never challenged. One whose meaning hangs on how the origin reads it is not
    /// taken for such a path: `/.well-known/../look-up` may be the look-up.
    pub(super) fn is_exempt(&self, path: &str) -> bool {
        let plain = !path.contains("/.") || path.starts_with("/.well-known/");
        let plain = plain && !path.get(1..).unwrap_or_default().contains("/.");
        let plain = plain && !path.contains("//") && !path.contains(['%', '\\', ';']);
        plain
            && (never_challenged(path) || self.settings.essential.iter().any(|pattern| pattern.matches(path)))
    }

    /// Whether a client is always let in.
    pub(super) fn is_allowed(&self, client: std::net::IpAddr) -> bool {
        self.allowed.get(client).is_some()
    }
}

/// The class of what no other one names.
const CLASS_OF_ALL: &str = "pages";
