//! What is watched from this server: `[[watch]]` and `[watcher]`.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use floodwall_outage::TargetSettings;
use floodwall_watch::{AddressRule, Check, ProbeTarget};
use toml::de::{DeTable, DeValue};

use super::definition::{Located, Span, kind_in_words};
use super::draft::elements;
use super::forms::{TextFault, TextForm, shorten};
use super::keys;
use super::section::{Log, Section};
use super::status::{StatusPage, read_status};
use super::{HostPattern, Settings, Site};

/// Most targets of the watch inside a server.
pub(crate) const WATCHES_MAX: usize = 1_000;

/// Most references.
const REFERENCES_MAX: usize = 8;

/// One `[[watch]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Watch {
    /// Its name, unique.
    pub(crate) name: String,
    /// The same in Spanish, for the public.
    pub(crate) name_es: Option<String>,
    /// What is probed, and how it is judged.
    pub(crate) target: ProbeTarget,
    /// How it is judged.
    pub(crate) judged: TargetSettings,
    /// Whose outage it is.
    pub(crate) site: Option<String>,
}

/// `[watcher]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Watcher {
    /// What this vantage is called in records.
    pub(crate) vantage: String,
    /// Asked after a failure.
    pub(crate) references: Vec<Check>,
    /// Whether the sites' own hosts are probed.
    pub(crate) own_sites: OwnSites,
}

/// Whether the sites' own hosts are probed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OwnSites {
    Off,
    On,
}

impl OwnSites {
    pub(super) const WORDS: &[(&str, Self)] = &[("off", Self::Off), ("on", Self::On)];
}

/// Which addresses a target may have.
pub(super) const ADDRESS_RULES: &[(&str, AddressRule)] =
    &[("public", AddressRule::PublicOnly), ("any", AddressRule::Any)];

/// What was read of one `[[watch]]`.
struct WatchDraft {
    /// `watch[0]`.
    path: String,
    name: Option<Located<String>>,
    site: Option<Located<String>>,
    interval: Option<Located<Duration>>,
    confirm_interval: Option<Located<Duration>>,
    timeout: Option<Located<Duration>>,
    /// All of it, when all of it could be read.
    whole: Option<Watch>,
}

/// What was read of `[watcher]`.
struct WatcherDraft {
    references: Option<Located<Vec<Located<Check>>>>,
    own_sites: Option<Located<OwnSites>>,
    /// Where `[status]` stands.
    status_at: Option<Span>,
    whole: Option<Watcher>,
}

/// What was read of all three.
pub(super) struct WatchTables {
    watches: Vec<WatchDraft>,
    watcher: WatcherDraft,
    /// `Some(None)` where there is none, `None` where it is faulty.
    status: Option<Option<StatusPage>>,
}

impl WatchTables {
    pub(super) fn read(document: &DeTable<'_>, folder: &Path, log: &mut Log) -> Self {
        let watches = WatchDraft::read_all(document, log);
        let watcher = WatcherDraft::read(document, log);
        Self { watches, watcher, status: read_status(document, folder, log) }
    }

    /// The settings, when every part could be read.
    pub(super) fn whole(self) -> Option<(Vec<Watch>, Watcher, Option<StatusPage>)> {
        let watches = self.watches.into_iter().map(|watch| watch.whole).collect::<Option<Vec<_>>>()?;
        Some((watches, self.watcher.whole?, self.status?))
    }

    /// Faults that show only beside other settings. `hosts`: exact host names of all sites.
    pub(super) fn check(&self, names: &[&str], hosts: usize, log: &mut Log) {
        check(&self.watcher, &self.watches, names, hosts, log);
    }
}

/// The check with what its page must contain.
fn with_texts(check: Check, texts: &Located<Vec<Located<String>>>) -> Check {
    match check {
        Check::Http(mut check) => {
            check.expect.contains = texts.value.iter().map(|text| text.value.clone()).collect();
            Check::Http(check)
        }
        other => other,
    }
}

/// How a target is judged that is seen so often.
fn judged(interval: Duration, confirm_interval: Duration, confirm: u8, timeout: Duration) -> TargetSettings {
    TargetSettings {
        interval,
        confirm_every: confirm_interval,
        confirm,
        silent_after: interval.saturating_mul(3).saturating_add(timeout),
    }
}

impl WatchDraft {
    /// Every `[[watch]]` of a file.
    fn read_all(document: &DeTable<'_>, log: &mut Log) -> Vec<Self> {
        const EXAMPLE: &str = "write [[watch]] and below it name and url";
        let Some(item) = document.get("watch") else { return Vec::new() };
        let list: Vec<_> = match item.get_ref() {
            DeValue::Array(list) => list.iter().collect(),
            DeValue::Table(_) => {
                let problem = "`watch` is written as a single table";
                log.error(Some(&item.span()), "watch", problem, "write [[watch]] with two brackets");
                vec![item]
            }
            other => {
                let problem = format!("{} is found where a table is expected", kind_in_words(other));
                log.error(Some(&item.span()), "watch", problem, EXAMPLE);
                return Vec::new();
            }
        };
        if list.len() > WATCHES_MAX {
            let problem = format!("{} targets are too many", list.len());
            log.error(Some(&item.span()), "watch", problem, format!("write {WATCHES_MAX} at most"));
        }
        let mut watches = Vec::new();
        for (index, watch) in list.into_iter().take(WATCHES_MAX).enumerate() {
            let path = format!("watch[{index}]");
            match watch.get_ref() {
                DeValue::Table(table) => {
                    watches
                        .push(Self::read(Section::new("watch", path, Some(table), Some(watch.span())), log));
                }
                other => {
                    let problem = format!("{} is found where a table is expected", kind_in_words(other));
                    log.error(Some(&watch.span()), &path, problem, EXAMPLE);
                }
            }
        }
        watches
    }

    fn read(section: Section<'_>, log: &mut Log) -> Self {
        section.report_unknown(log);
        let name = section.get(log, &keys::WATCH_NAME);
        let name_es = section.value(log, &keys::WATCH_NAME_ES);
        let url = section.value(log, &keys::WATCH_URL);
        let contains = section.get(log, &keys::WATCH_CONTAINS);
        let site = section.get(log, &keys::WATCH_SITE);
        let interval = section.get(log, &keys::WATCH_INTERVAL);
        let confirm = section.value(log, &keys::WATCH_CONFIRM);
        let confirm_interval = section.get(log, &keys::WATCH_CONFIRM_INTERVAL);
        let timeout = section.get(log, &keys::WATCH_TIMEOUT);
        let addresses = section.value(log, &keys::WATCH_ADDRESSES);
        if let (Some(texts), Some(Check::Tcp { .. } | Check::Tls { .. } | Check::Dns { .. })) =
            (&contains, &url)
            && !texts.value.is_empty()
        {
            let (key, problem) =
                (section.key_path(&keys::WATCH_CONTAINS), "there is no page to look for texts in");
            log.error(texts.at.as_ref(), &key, problem, "take it out, or write a `url` with https:");
        }
        let is_lost = site.is_none() && section.has(&keys::WATCH_SITE);
        // What nobody wrote gives way to what is written.
        let within = |own: &Option<Located<Duration>>| {
            let (own, interval) = (own.as_ref()?, interval.as_ref()?.value);
            Some(if own.at.is_none() { own.value.min(interval) } else { own.value })
        };
        let whole = (|| {
            let timeout = within(&timeout)?;
            Some(Watch {
                name: name.as_ref()?.value.clone(),
                name_es,
                target: ProbeTarget {
                    check: with_texts(url?, contains.as_ref()?),
                    timeout,
                    addresses: addresses?,
                },
                judged: judged(interval.as_ref()?.value, within(&confirm_interval)?, confirm?, timeout),
                site: site.as_ref().map(|site| site.value.clone()),
            })
        })();
        Self {
            whole: whole.filter(|_| !is_lost),
            name,
            site,
            interval,
            confirm_interval,
            timeout,
            path: section.path,
        }
    }

    /// Faults that show only beside other settings.
    fn check(&self, names: &[&str], log: &mut Log) {
        let key = |key: &str| format!("{}.{key}", self.path);
        if let Some(site) = self.site.as_ref().filter(|site| !names.contains(&site.value.as_str())) {
            let known: Vec<_> = names.iter().take(10).map(|name| format!("\"{name}\"")).collect();
            let problem = format!("no site is named `{}`", shorten(&site.value));
            let fix = format!("write a site's name: {}", known.join(" or "));
            log.error(site.at.as_ref(), &key("site"), problem, fix);
        }
        let Some(interval) = &self.interval else { return };
        let longer = |own: &Option<Located<Duration>>| {
            own.as_ref()
                .filter(|own| own.at.is_some() && own.value > interval.value)
                .and_then(|own| own.at.clone())
        };
        if let Some(at) = longer(&self.confirm_interval) {
            let problem = "a doubtful state is looked at more seldom than a sure one";
            let fix = "write a `confirm_interval` no longer than `interval`";
            log.error(Some(&at), &key("confirm_interval"), problem, fix);
        }
        if let Some(at) = longer(&self.timeout) {
            let problem = "a probe may take longer than the time to the next one";
            log.error(Some(&at), &key("timeout"), problem, "write a `timeout` no longer than `interval`");
        }
    }
}

impl WatcherDraft {
    fn read(document: &DeTable<'_>, log: &mut Log) -> Self {
        let section = Section::open(log, Some(document), "watcher", "watcher".to_owned());
        section.report_unknown(log);
        let vantage = section.value(log, &keys::WATCHER_VANTAGE);
        let references = section.get(log, &keys::WATCHER_REFERENCES);
        let own_sites = section.get(log, &keys::WATCHER_OWN_SITES);
        let whole = (|| {
            Some(Watcher {
                vantage: vantage?,
                references: elements(references.as_ref()).map(|check| check.value.clone()).collect(),
                own_sites: own_sites.as_ref()?.value,
            })
        })();
        let status_at = document.get("status").map(toml::Spanned::span);
        Self { references, own_sites, status_at, whole }
    }
}

fn check(watcher: &WatcherDraft, watches: &[WatchDraft], names: &[&str], hosts: usize, log: &mut Log) {
    let mut seen: BTreeMap<&str, &Located<String>> = BTreeMap::new();
    for watch in watches {
        watch.check(names, log);
        let Some(name) = &watch.name else { continue };
        match seen.get(name.value.as_str()) {
            Some(first) => {
                let place = log.place_in_words(first.at.as_ref());
                let problem = format!("`{}` is the name of another target too{place}", shorten(&name.value));
                let key = format!("{}.name", watch.path);
                log.error(name.at.as_ref(), &key, problem, "give each target a name of its own");
            }
            None => {
                seen.insert(&name.value, name);
            }
        }
    }
    if let Some(at) = &watcher.status_at
        && watches.iter().all(|watch| watch.site.is_none())
        && watcher.own_sites.as_ref().is_some_and(|own| own.value == OwnSites::Off)
    {
        let problem = "the page will say of every site that nobody watches it";
        let fix = "write a [[watch]] with `site` for what people should be told of";
        log.warning(Some(at), "status", problem, fix);
    }
    let references = elements(watcher.references.as_ref()).len();
    if references > REFERENCES_MAX {
        let at = watcher.references.as_ref().and_then(|list| list.at.as_ref());
        let problem = format!("{references} references are too many");
        log.error(at, "watcher.references", problem, format!("write {REFERENCES_MAX} at most"));
    }
    if let Some(own) = watcher.own_sites.as_ref().filter(|own| own.value == OwnSites::On)
        && hosts.saturating_add(watches.len()) > WATCHES_MAX
    {
        let problem = format!("{hosts} hosts of sites and {} targets are too many", watches.len());
        let fix = format!("write \"off\", and [[watch]] for the hosts that matter: {WATCHES_MAX} at most");
        log.error(own.at.as_ref(), "watcher.own_sites", problem, fix);
    }
}

impl Settings {
    /// Everything that the watch inside the server probes, the sites' own hosts where that is asked for.
    /// A host that a `[[watch]]` of the same site and address names already is not probed twice.
    pub(crate) fn all_watches(&self) -> Vec<Watch> {
        let mut all = self.watches.clone();
        if self.watcher.own_sites == OwnSites::On {
            for site in &self.sites {
                for (name, check) in checks_of_site(site) {
                    let is_known = |watch: &Watch| watch.name == name || watch.target.check == check;
                    if all.iter().any(is_known) || all.len() >= WATCHES_MAX {
                        continue;
                    }
                    let timeout = floodwall_watch::TIMEOUT_DEFAULT;
                    let usual = TargetSettings::default();
                    all.push(Watch {
                        name,
                        name_es: None,
                        // From inside, names often lead inside; the operator has asked for it.
                        target: ProbeTarget { check, timeout, addresses: AddressRule::Any },
                        judged: judged(usual.interval, usual.confirm_every, usual.confirm, timeout),
                        site: Some(site.name.clone()),
                    });
                }
            }
        }
        all
    }
}

/// A site's hosts as a visitor would type them, with their names: over HTTPS where the site has a
/// certificate. A pattern names no host, and is left out.
pub(crate) fn checks_of_site(site: &Site) -> Vec<(String, Check)> {
    let scheme = if site.certificate.is_some() { "https" } else { "http" };
    let exact = site.hosts.iter().filter_map(|host| match host {
        HostPattern::Exact(name) => Some(name),
        _ => None,
    });
    let named = exact.map(|name| format!("{scheme}://{name}/"));
    named.filter_map(|url| url.parse().ok().map(|check| (url, check))).collect()
}

/// What is probed.
pub(super) struct ProbeUrl;

impl TextForm for ProbeUrl {
    type Output = Check;

    fn expected(&self) -> String {
        "`https://host/path`, `http://...`, `tls://host:443`, `tcp://host:port` or `dns://host`".to_owned()
    }

    fn example(&self) -> &'static str {
        "https://www.sos.example.gov/"
    }

    fn parse(&self, text: &str) -> Result<Check, TextFault> {
        text.parse().map_err(|fault: floodwall_watch::TargetError| {
            let fix =
                "write for example \"https://www.sos.example.gov/\", \"tcp://host:25\" or \"dns://host\"";
            TextFault::new(format!("`{}` cannot be probed: {fault}", shorten(text)), fix)
        })
    }
}

#[cfg(test)]
#[path = "tests/watch.rs"]
mod tests;
