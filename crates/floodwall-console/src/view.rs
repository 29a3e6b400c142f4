//! A snapshot in words: the one place where figures are given their label, key and text.
//!
//! The page prints these texts and the live stream sends the same ones under the same keys, so the
//! script only has to put a text in its place, and page and stream cannot disagree.

mod gates;
mod happening;
mod now;
mod tables;

use std::hash::{DefaultHasher, Hash, Hasher};

use floodwall_model::{OriginHealth, OriginStatus, TrafficCounts};

use crate::format;
use crate::snapshot::{SiteFigures, Snapshot};
use gates::GateView;
pub(crate) use happening::IncidentView;
use now::Answer;

/// A text that changes from second to second, and the key its place in the page is found by.
#[derive(Debug)]
pub(crate) struct Figure {
    pub(crate) key: String,
    pub(crate) text: String,
}

impl Figure {
    fn new(key: impl Into<String>, text: impl Into<String>) -> Self {
        Self { key: key.into(), text: text.into() }
    }
}

/// One line of a table.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) label: &'static str,
    pub(crate) cells: Vec<Figure>,
}

/// Something that is up, down, pressed or not known, shown by words, shape and colour.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) key: String,
    /// `up`, `down`, `pressed` or `unknown`: names the shape.
    pub(crate) health: &'static str,
    pub(crate) words: Figure,
    /// What is read out when it changes; empty when another state's announcement says it.
    pub(crate) announcement: String,
}

/// One origin of a site.
#[derive(Debug)]
pub(crate) struct OriginView {
    pub(crate) url: String,
    pub(crate) state: State,
    pub(crate) since: Figure,
    pub(crate) last_failure: Figure,
}

/// One site.
#[derive(Debug)]
pub(crate) struct SiteView {
    /// Its place in the page: `site-0`.
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) hosts: Vec<String>,
    pub(crate) role: Option<String>,
    pub(crate) origins: Vec<OriginView>,
    /// None where admission is off.
    pub(crate) gates: Vec<GateView>,
    /// Empty when there was none.
    pub(crate) person_reports: Figure,
    /// Cells are the last second, the last minute and since the start.
    pub(crate) traffic: Vec<Row>,
}

/// The whole page but for past minutes.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) as_of: Figure,
    /// The same instant without the date, for the notice that figures have become old.
    pub(crate) time_of_day: String,
    pub(crate) overall: State,
    /// How the last minute was, over all sites.
    pub(crate) now: Vec<Answer>,
    /// What is happening, in one sentence.
    pub(crate) happening: Figure,
    /// Incidents that go on.
    pub(crate) incidents: Vec<IncidentView>,
    /// Changes when these do.
    pub(crate) incidents_marker: String,
    pub(crate) server: Vec<Row>,
    pub(crate) sites: Vec<SiteView>,
    pub(crate) edge: Vec<Row>,
    pub(crate) memory: Vec<Row>,
    pub(crate) losses: Vec<Row>,
    pub(crate) losses_summary: Figure,
    /// Changes when sites, origins or the version do, and the page has to be loaded anew.
    pub(crate) layout: String,
    /// Changes when a minute has passed and the page's past minutes are out of date.
    pub(crate) minute_unix_seconds: i64,
}

impl View {
    pub(crate) fn new(snapshot: &Snapshot) -> Self {
        Self {
            as_of: Figure::new("as_of", format::date_time(snapshot.at)),
            time_of_day: format::time_of_day(snapshot.at),
            overall: overall(snapshot),
            now: now::answers(snapshot),
            happening: happening::summary(snapshot),
            incidents: happening::open(snapshot),
            incidents_marker: happening::marker(snapshot),
            server: tables::server(snapshot),
            sites: snapshot.sites.iter().enumerate().map(|(place, site)| site_view(place, site)).collect(),
            edge: tables::edge(&snapshot.edge),
            memory: tables::memory(&snapshot.edge),
            losses: tables::losses(snapshot),
            losses_summary: losses_summary(snapshot),
            layout: layout(snapshot),
            minute_unix_seconds: snapshot.at.minute_start_unix_seconds(),
        }
    }

    /// Every state in the page.
    pub(crate) fn states(&self) -> impl Iterator<Item = &State> {
        let origins = self.sites.iter().flat_map(|site| site.origins.iter().map(|origin| &origin.state));
        let gates = self.sites.iter().flat_map(|site| site.gates.iter().map(|gate| &gate.state));
        std::iter::once(&self.overall).chain(origins).chain(gates)
    }

    /// Every figure in the page.
    pub(crate) fn figures(&self) -> impl Iterator<Item = &Figure> {
        let tables = [&self.server, &self.edge, &self.memory, &self.losses];
        let traffic = self.sites.iter().map(|site| &site.traffic);
        let cells = tables.into_iter().chain(traffic).flatten().flat_map(|row| &row.cells);
        let origins = self.sites.iter().flat_map(|site| &site.origins);
        let origins = origins.flat_map(|origin| [&origin.since, &origin.last_failure]);
        let gates = self.sites.iter().flat_map(|site| &site.gates).flat_map(|gate| &gate.more);
        let reports = self.sites.iter().filter(|site| !site.gates.is_empty());
        let admission = gates.chain(reports.map(|site| &site.person_reports));
        let words = self.states().map(|state| &state.words);
        let now = self.now.iter().flat_map(|answer| [&answer.figure, &answer.meaning]);
        let alone = [&self.as_of, &self.happening, &self.losses_summary].into_iter();
        alone.chain(now).chain(words).chain(cells).chain(origins).chain(admission)
    }
}

/// Answered from the cache, fresh or stale.
pub(crate) fn from_cache(counts: &TrafficCounts) -> u64 {
    counts.cache_hits.saturating_add(counts.cache_stale)
}

fn losses_summary(snapshot: &Snapshot) -> Figure {
    let text = if snapshot.losses.any(&snapshot.edge) {
        "Some records were lost since the start, so that visitors did not have to wait. \
         Figures drawn from them may be too low."
    } else {
        "Nothing was lost since the start."
    };
    Figure::new("losses.summary", text)
}

fn site_view(place: usize, site: &SiteFigures) -> SiteView {
    let key = format!("site.{place}");
    let origin = |(number, origin)| origin_view(format!("{key}.origin.{number}"), &site.state.name, origin);
    SiteView {
        id: format!("site-{place}"),
        name: site.state.name.to_string(),
        hosts: site.state.hosts.iter().map(ToString::to_string).collect(),
        role: site.state.role.as_deref().map(str::to_owned),
        origins: site.state.origins.iter().enumerate().map(origin).collect(),
        gates: gates::gates(&key, &site.state, &site.gates_last_minute),
        person_reports: gates::person_reports(&key, &site.state),
        traffic: tables::traffic(&key, site),
    }
}

fn origin_view(key: String, site: &str, origin: &OriginStatus) -> OriginView {
    let words = match origin.health {
        OriginHealth::Up => "Up: it answers",
        OriginHealth::Down => "Down: it does not answer",
        OriginHealth::Unknown => "Unknown: nothing was asked of it yet",
    };
    let since = origin.since.map_or_else(|| "not known".to_owned(), format::date_time);
    let failure = origin.last_failure.as_deref().unwrap_or("none since the start");
    OriginView {
        url: origin.url.to_string(),
        since: Figure::new(format!("{key}.since"), since),
        last_failure: Figure::new(format!("{key}.last_failure"), failure),
        state: State {
            health: origin.health.as_str(),
            words: Figure::new(format!("{key}.words"), words),
            announcement: format!("Site {site}: origin {} is now {}.", origin.url, origin.health.as_str()),
            key,
        },
    }
}

fn overall(snapshot: &Snapshot) -> State {
    let origins = || snapshot.sites.iter().flat_map(|site| &site.state.origins);
    let in_state = |health| origins().filter(|origin| origin.health == health).count();
    let (all, down, unknown) =
        (origins().count(), in_state(OriginHealth::Down), in_state(OriginHealth::Unknown));
    let (health, words) = if let Some(reason) = snapshot.readiness.fault() {
        (OriginHealth::Down, format!("Visitors are not being served: {reason}"))
    } else if down > 0 {
        let which = match (down, all) {
            (1, 1) => "The origin does".to_owned(),
            (1, _) => format!("1 of {all} origins does"),
            _ => format!("{down} of {all} origins do"),
        };
        (OriginHealth::Down, format!("{which} not answer. {}", left(snapshot, down)))
    } else if all == 0 {
        (OriginHealth::Unknown, "No site is protected yet.".to_owned())
    } else if unknown > 0 {
        (OriginHealth::Unknown, format!("{unknown} of {all} origins: nothing was asked of them yet."))
    } else if all == 1 {
        (OriginHealth::Up, "Visitors are being served. The origin answers.".to_owned())
    } else {
        (OriginHealth::Up, format!("Visitors are being served. All {all} origins answer."))
    };
    State {
        key: "overall".to_owned(),
        health: health.as_str(),
        words: Figure::new("overall.words", words),
        announcement: String::new(),
    }
}

/// What visitors have left while that many origins are down.
fn left(snapshot: &Snapshot, down: usize) -> &'static str {
    let is_down = |origin: &OriginStatus| origin.health == OriginHealth::Down;
    let without = snapshot.sites.iter().any(|site| site.state.origins.iter().all(is_down));
    match (without, down) {
        (true, _) => "Visitors still get the pages that are in the cache.",
        (false, 1) => "The other origins of its site take its work.",
        (false, _) => "The other origins of their sites take their work.",
    }
}

/// Names what the page is made of; only equality matters, and only within one build.
fn layout(snapshot: &Snapshot) -> String {
    let mut hasher = DefaultHasher::new();
    snapshot.version.hash(&mut hasher);
    for site in &snapshot.sites {
        (&site.state.name, &site.state.hosts, &site.state.role).hash(&mut hasher);
        site.state.origins.len().hash(&mut hasher);
        for origin in &site.state.origins {
            origin.url.hash(&mut hasher);
        }
        site.state.gates.len().hash(&mut hasher);
        for gate in &site.state.gates {
            gate.class.hash(&mut hasher);
        }
    }
    format!("{:016x}", hasher.finish())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use floodwall_model::{EdgeCounts, SiteId, SiteSnapshot, Timestamp};

    use super::*;
    use crate::snapshot::{Losses, Readiness};

    /// The first sentence an operator reads, for sites whose origins are in these states.
    fn check(sites: &[&[OriginHealth]], words: &str) {
        let at = Timestamp::new(Duration::ZERO, 0);
        let origin = |health: &OriginHealth| OriginStatus {
            url: "http://10.0.0.5:8080".into(),
            health: *health,
            since: None,
            last_failure: None,
        };
        let site = |origins: &&[OriginHealth]| SiteFigures {
            state: SiteSnapshot {
                site: SiteId(0),
                name: "sos".into(),
                hosts: Vec::new(),
                role: None,
                counts: TrafficCounts::default(),
                gates: Vec::new(),
                person_reports: 0,
                last_person_report: None,
                origins: origins.iter().map(origin).collect(),
            },
            last_second: TrafficCounts::default(),
            last_minute: TrafficCounts::default(),
            gates_last_minute: Vec::new(),
        };
        let snapshot = Snapshot {
            at,
            started: at,
            version: "0",
            readiness: Readiness::Ready,
            sites: sites.iter().map(site).collect(),
            incidents: Vec::new(),
            incidents_opened: Vec::new(),
            watched: Vec::new(),
            edge: EdgeCounts::default(),
            losses: Losses::default(),
            listeners: Vec::new(),
            admin_listener: String::new(),
        };
        assert_eq!(overall(&snapshot).words.text, words, "{sites:?}");
    }

    #[test]
    fn the_first_sentence_says_what_visitors_have() {
        use OriginHealth::{Down, Unknown, Up};
        let kept = "Visitors still get the pages that are in the cache.";
        check(&[], "No site is protected yet.");
        check(&[&[Up]], "Visitors are being served. The origin answers.");
        check(&[&[Up], &[Up]], "Visitors are being served. All 2 origins answer.");
        check(&[&[Unknown], &[Up]], "1 of 2 origins: nothing was asked of them yet.");
        check(&[&[Down]], &format!("The origin does not answer. {kept}"));
        check(&[&[Down], &[Up]], &format!("1 of 2 origins does not answer. {kept}"));
        check(
            &[&[Down, Up], &[Up]],
            "1 of 3 origins does not answer. The other origins of its site take its work.",
        );
        check(
            &[&[Down, Up], &[Down, Up]],
            "2 of 4 origins do not answer. The other origins of their sites take their work.",
        );
    }
}
