//! The status page's facts: out of the settings, the store, and what the control loop showed last.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use floodwall_console::{IncidentDocument, OutageDocument, Snapshot, with_open};
use floodwall_outage::{State, TargetStatus, UnknownCause, WatchRecord};
use floodwall_status::{DAYS, Facts, File, Incident, IncidentKind, Service, Site, Wording, files};
use floodwall_store::{Store, StoreHandle};
use jiff::tz::TimeZone;
use tokio::sync::watch;

use crate::claim::{Reached, of_rows};
use crate::incident::{IncidentArchive, newest_of};
use crate::outage::{from_rows, outage};
use crate::settings::{HostPattern, PublishIncidents, STATUS_TITLE, Settings, StatusPage};

/// How long a page is good for: it is made anew every minute.
const GOOD_FOR: Duration = Duration::from_secs(300);
/// Incidents that are asked for.
const INCIDENTS: usize = 50;
/// What is less likely than this is not published: a word that is printed is not taken back.
const SURE: f64 = 0.9;
const TITLE_ES: &str = "Estado de nuestros sitios web";

/// What a page says that no record does.
#[derive(Clone, Debug)]
struct Frame {
    title: Wording,
    help: Option<Wording>,
    url: Option<String>,
    incidents: bool,
    zone: TimeZone,
    /// The sites that are for the public: name in the settings, and as people know them.
    sites: Vec<(String, String)>,
    /// What is watched, in the order of the settings.
    targets: Vec<TargetStatus>,
    /// Names in Spanish, by name.
    spanish: BTreeMap<String, String>,
}

/// Makes the page of a running server.
#[derive(Clone, Debug)]
pub(crate) struct StatusMaker {
    frame: Arc<Frame>,
    store: StoreHandle,
    incidents: IncidentArchive,
    snapshot: watch::Receiver<Arc<Snapshot>>,
}

impl StatusMaker {
    pub(crate) fn new(
        settings: &Settings,
        store: StoreHandle,
        incidents: IncidentArchive,
        snapshot: watch::Receiver<Arc<Snapshot>>,
    ) -> Self {
        Self { frame: Arc::new(frame(settings)), store, incidents, snapshot }
    }

    /// The newest outages, newest first, those that go on as they are now. Blocks.
    ///
    /// # Errors
    /// In words, when the store cannot be read.
    pub(crate) fn outages(&self, max: usize) -> Result<Vec<OutageDocument>, String> {
        let rows = self.store.outages(max).map_err(|error| error.to_string())?;
        let snapshot = self.snapshot.borrow().clone();
        let recorded = rows.iter().filter_map(outage).collect();
        let newest = with_open(&snapshot.watched, recorded);
        let now = snapshot.at.wall_unix_micros();
        Ok(newest.iter().take(max).map(|record| OutageDocument::new(record, now)).collect())
    }

    /// When sites could be reached and when not, as far as the watch saw it since `from_unix_s`. Blocks.
    ///
    /// # Errors
    /// In words, when the store cannot be read.
    pub(crate) fn reachability(&self, from_unix_s: i64) -> Result<Vec<Reached>, String> {
        let rows = self.store.watch_since(from_unix_s.saturating_mul(1_000_000));
        let now = self.snapshot.borrow().at.wall_unix_micros();
        Ok(of_rows(&rows.map_err(|error| error.to_string())?, now))
    }

    /// Where snapshots come from.
    pub(super) fn snapshots(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshot.clone()
    }

    /// The page's files as of the newest snapshot. Blocks.
    ///
    /// # Errors
    /// In words, when the store cannot be read.
    pub(crate) fn files(&self) -> Result<Vec<File>, String> {
        let snapshot = self.snapshot.borrow().clone();
        let now = snapshot.at.wall_unix_micros();
        let rows = self.store.watch_since(window_start(now)).map_err(|error| error.to_string())?;
        let incidents = if self.frame.incidents {
            self.incidents.newest(INCIDENTS).map_err(|error| error.to_string())?
        } else {
            Vec::new()
        };
        let facts = facts(&self.frame, &snapshot.watched, &from_rows(&rows), &incidents, now);
        files(&facts).map_err(|error| error.to_string())
    }
}

/// The page's files from the store of a server that does not run: what goes on now is not known.
///
/// # Errors
/// In words, when the store cannot be read.
pub(super) fn files_of(settings: &Settings, path: &Path, now_unix_micros: i64) -> Result<Vec<File>, String> {
    let frame = frame(settings);
    let record = {
        let store = Store::open(path).map_err(|error| error.to_string())?;
        let rows = store.watch_since(window_start(now_unix_micros)).map_err(|error| error.to_string())?;
        from_rows(&rows)
    };
    let incidents = if frame.incidents {
        newest_of(path, INCIDENTS).map_err(|error| error.to_string())?
    } else {
        Vec::new()
    };
    let mut targets = frame.targets.clone();
    for target in &mut targets {
        let own =
            record.watched.iter().filter(|row| row.target == target.name && row.vantage == target.vantage);
        target.families = own
            .map(|row| floodwall_outage::FamilyStatus {
                family: row.family,
                state: State::Unknown(UnknownCause::Silent),
                outage: None,
                known_until_unix_micros: row.known_until_unix_micros,
                probe: None,
            })
            .collect();
    }
    files(&facts(&frame, &targets, &record, &incidents, now_unix_micros)).map_err(|error| error.to_string())
}

/// A few days more than are shown: months are, too.
fn window_start(now_unix_micros: i64) -> i64 {
    now_unix_micros.saturating_sub((i64::from(DAYS) + 5).saturating_mul(86_400_000_000))
}

fn frame(settings: &Settings) -> Frame {
    let page = settings.status.clone().unwrap_or_default();
    let StatusPage { title, title_es, help, help_es, url, incidents, .. } = page;
    let spanish =
        title_es.unwrap_or_else(|| if title == STATUS_TITLE { TITLE_ES.to_owned() } else { title.clone() });
    let public = settings.sites.iter().filter(|site| !site.may_reach_internal());
    let vantage: Arc<str> = settings.watcher.vantage.as_str().into();
    let watches = settings.all_watches();
    let target = |watch: &crate::settings::Watch| TargetStatus {
        name: watch.name.as_str().into(),
        site: watch.site.as_deref().map(Arc::from),
        vantage: vantage.clone(),
        families: Vec::new(),
    };
    Frame {
        title: Wording { english: title, spanish },
        help: help.map(|english| {
            let spanish = help_es.unwrap_or_else(|| english.clone());
            Wording { english, spanish }
        }),
        url,
        incidents: incidents == PublishIncidents::On,
        zone: public.clone().next().map_or(TimeZone::UTC, |site| site.zone.0.clone()),
        sites: public.map(|site| (site.name.clone(), known_as(site))).collect(),
        targets: watches.iter().map(target).collect(),
        spanish: watches.iter().filter_map(|own| Some((own.name.clone(), own.name_es.clone()?))).collect(),
    }
}

/// A site as people know it.
fn known_as(site: &crate::settings::Site) -> String {
    let exact = site.hosts.iter().find_map(|host| match host {
        HostPattern::Exact(name) => Some(name.clone()),
        _ => None,
    });
    exact.unwrap_or_else(|| site.name.clone())
}

fn facts(
    frame: &Frame,
    watched: &[TargetStatus],
    record: &WatchRecord,
    incidents: &[IncidentDocument],
    now_unix_micros: i64,
) -> Facts {
    let by_target = by_target(record);
    let nothing = WatchRecord::default();
    let service = |target: &TargetStatus| Service {
        name_es: frame.spanish.get(&*target.name).cloned(),
        ..Service::new(target, by_target.get(&target.name).unwrap_or(&nothing), now_unix_micros)
    };
    let site = |(name, known_as): &(String, String)| {
        let own = watched.iter().filter(|target| target.site.as_deref() == Some(name));
        Site { name: known_as.clone(), services: own.map(service).collect() }
    };
    let incident = |document: &IncidentDocument| {
        let (_, known_as) = frame.sites.iter().find(|(name, _)| *name == document.site)?;
        incident(document, known_as.clone())
    };
    Facts {
        made_unix_micros: now_unix_micros,
        good_for: GOOD_FOR,
        zone: frame.zone.clone(),
        title: frame.title.clone(),
        help: frame.help.clone(),
        url: frame.url.clone(),
        sites: frame.sites.iter().map(site).collect(),
        incidents: incidents.iter().filter_map(incident).collect(),
    }
}

/// Each target's own: a thousand targets do not go through the records of all.
fn by_target(record: &WatchRecord) -> BTreeMap<Arc<str>, WatchRecord> {
    let mut by_target: BTreeMap<Arc<str>, WatchRecord> = BTreeMap::new();
    for row in &record.outages {
        by_target.entry(row.target.clone()).or_default().outages.push(row.clone());
    }
    for row in &record.unknown {
        by_target.entry(row.target.clone()).or_default().unknown.push(row.clone());
    }
    for row in &record.watched {
        by_target.entry(row.target.clone()).or_default().watched.push(row.clone());
    }
    by_target
}

fn incident(document: &IncidentDocument, site: String) -> Option<Incident> {
    let time = |text: &str| text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_microsecond);
    let judgement = &document.judgement;
    let kind = match judgement.verdict.as_str() {
        _ if judgement.likelihood < SURE => return None,
        "attack" => IncidentKind::Attack,
        "crowd" => IncidentKind::Crowd,
        "routine" => IncidentKind::Routine,
        _ => return None,
    };
    Some(Incident {
        site,
        kind,
        onset_unix_micros: time(&document.onset)?,
        end_unix_micros: document.end.as_deref().and_then(time),
        is_interrupted: !document.is_open() && document.end.is_none(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use floodwall_console::JudgementDocument;

    #[test]
    fn only_what_is_sure_is_published() {
        for (verdict, likelihood, kind) in [
            ("attack", 0.95, Some(IncidentKind::Attack)),
            ("attack", 0.7, None),
            ("crowd", 0.6, None),
            ("crowd", 0.9, Some(IncidentKind::Crowd)),
            ("routine", 1.0, Some(IncidentKind::Routine)),
            ("unknown", 0.99, None),
        ] {
            let document = IncidentDocument {
                onset: "2022-11-08T14:02:07Z".to_owned(),
                state: "interrupted".to_owned(),
                judgement: JudgementDocument {
                    verdict: verdict.to_owned(),
                    likelihood,
                    ..JudgementDocument::default()
                },
                ..IncidentDocument::default()
            };
            let incident = incident(&document, "sos".to_owned());
            assert_eq!(incident.as_ref().map(|incident| incident.kind), kind, "{verdict} {likelihood}");
            if let Some(incident) = incident {
                assert_eq!(
                    (incident.onset_unix_micros, incident.is_interrupted),
                    (1_667_916_127_000_000, true)
                );
            }
        }
    }
}
