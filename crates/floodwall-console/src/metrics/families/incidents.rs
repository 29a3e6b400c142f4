//! What detection says now: labels `site` and `verdict`, the latter of a closed list.

use floodwall_model::{IncidentRecord, TrafficVerdict};

use super::{Family, Kind, Labels, Value, family};
use crate::snapshot::Snapshot;

/// Every site has a sample of each, so that what is not there was not measured.
pub(in crate::metrics) fn incidents(snapshot: &Snapshot) -> Vec<Family> {
    let sites = || {
        snapshot.sites.iter().map(|site| {
            let name = &site.state.name;
            (name, snapshot.incidents.iter().find(|record| record.site == *name))
        })
    };
    let by_site = |value: fn(Option<&IncidentRecord>) -> f64| -> Vec<(Labels, Value)> {
        sites().map(|(name, open)| (vec![("site", name.to_string())], Value::Real(value(open)))).collect()
    };
    let by_verdict = |verdicts: &[TrafficVerdict], value: fn(&IncidentRecord, TrafficVerdict) -> f64| {
        let samples = sites().flat_map(|(name, open)| {
            verdicts.iter().map(move |verdict| {
                let labels = vec![("site", name.to_string()), ("verdict", verdict.as_str().to_owned())];
                (labels, Value::Real(open.map_or(0.0, |record| value(record, *verdict))))
            })
        });
        samples.collect::<Vec<_>>()
    };
    let opened = sites().zip(&snapshot.incidents_opened);
    let opened = opened.map(|((name, _), opened)| (vec![("site", name.to_string())], Value::Whole(*opened)));
    vec![
        family("floodwall_incident_openings", "Incidents opened", Kind::Counter, opened.collect()),
        family(
            "floodwall_incident_open",
            "1 for what the incident that goes on is judged to be, 0 for what it is not or without one",
            Kind::Gauge,
            by_verdict(TrafficVerdict::ALL, |record, verdict| {
                let is = record.incident.judgement().is_some_and(|judgement| judgement.verdict == verdict);
                f64::from(u8::from(is))
            }),
        ),
        family(
            "floodwall_incident_likelihood",
            "How likely each explanation of the incident that goes on is, each by itself; 0 without one",
            Kind::Gauge,
            by_verdict(
                &[TrafficVerdict::Attack, TrafficVerdict::Crowd, TrafficVerdict::Routine],
                |record, verdict| {
                    record.incident.judgement().map_or(0.0, |judgement| judgement.likelihoods.of(verdict))
                },
            ),
        ),
        family(
            "floodwall_incident_peak_requests_per_second",
            "Most requests in one second of the incident that goes on; 0 without one",
            Kind::Gauge,
            by_site(|open| open.map_or(0.0, |record| record.incident.toll.peak_requests_per_s)),
        ),
    ]
}
