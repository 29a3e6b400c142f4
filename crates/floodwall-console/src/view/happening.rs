//! What is happening: open incidents in words, and how many there are in one sentence.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::Figure;
use crate::incident::IncidentDocument;
use crate::outage::state_name;
use crate::snapshot::Snapshot;

/// An open incident in words.
#[derive(Debug)]
pub(crate) struct IncidentView {
    /// Its place in the page.
    pub(crate) id: String,
    pub(crate) headline: String,
    /// Sentences, most important first.
    pub(crate) sentences: Vec<String>,
    /// What the judgement rests on, each with its numbers.
    pub(crate) reasons: Vec<String>,
    /// Where all of it is as JSON.
    pub(crate) address: String,
}

/// The section's first sentence.
pub(super) fn summary(snapshot: &Snapshot) -> Figure {
    let text = match snapshot.incidents.as_slice() {
        [] => "Nothing unusual.".to_owned(),
        [only] => IncidentDocument::from(only).headline(),
        several => format!("{} incidents go on.", several.len()),
    };
    Figure::new("happening.summary", text)
}

/// Changes when incidents open, end or are judged otherwise, or what is said of a target of the watch
/// does; only equality matters.
pub(super) fn marker(snapshot: &Snapshot) -> String {
    let mut hasher = DefaultHasher::new();
    for record in &snapshot.incidents {
        let verdict = record.incident.judgement().map(|judgement| judgement.verdict);
        (&record.key, record.incident.state, verdict, record.measures.len()).hash(&mut hasher);
    }
    for family in snapshot.watched.iter().flat_map(|target| &target.families) {
        (family.family, state_name(family.state)).hash(&mut hasher);
    }
    format!("{:016x}", hasher.finish())
}

pub(super) fn open(snapshot: &Snapshot) -> Vec<IncidentView> {
    snapshot.incidents.iter().map(IncidentDocument::from).map(|incident| incident_view(&incident)).collect()
}

fn incident_view(incident: &IncidentDocument) -> IncidentView {
    let how = incident.judgement.how_it_comes().map(|how| format!("How it comes: {how}."));
    let standing = [
        incident.standing().to_owned(),
        format!("How much: {}.", incident.how_much()),
        format!("What visitors got: {}.", incident.what_visitors_got()),
        format!("What it cost people: {}.", incident.cost_to_people()),
    ];
    let done = incident.what_was_done().into_iter().map(|done| format!("Done at {done}."));
    IncidentView {
        id: format!("incident-{}", incident.id),
        headline: incident.headline(),
        sentences: how.into_iter().chain(standing).chain(done).collect(),
        reasons: incident.judgement.reasons.iter().map(|reason| reason.text.clone()).collect(),
        address: format!("/api/v1/incidents/{}", incident.id),
    }
}
