//! Made-up incidents: an attack that goes on, a crowd that is over, and one that was cut off.

use floodwall_console::IncidentDocument;
use floodwall_model::{
    GateMode, Ground, GroundKind, Incident, IncidentId, IncidentRecord, IncidentState, IncidentToll,
    Judgement, Likelihoods, Measure, Onset, Prefix, SiteId, TopSource, TrafficVerdict, Vector,
};

use crate::sample::{ago, console, now, snapshot};

fn judgement(ago_s: u64, verdict: TrafficVerdict, attack: f64, crowd: f64) -> Judgement {
    let ground =
        |kind, value, calm, weight| Ground { kind, value, calm, speaks_for: TrafficVerdict::Attack, weight };
    Judgement {
        at: ago(ago_s),
        verdict,
        mixed_with: None,
        likelihoods: Likelihoods { attack, crowd, routine: 0.01 },
        vectors: vec![Vector::LookUps, Vector::CacheBust],
        routine: None,
        grounds: vec![
            ground(GroundKind::AssetsPerPage, 0.02, Some(6.2), 2.4),
            ground(GroundKind::BrowserLike, 0.02, Some(0.64), 1.9),
            ground(GroundKind::Unsolved, 0.99, None, 1.2),
        ],
    }
}

/// The attack as the control loop has it.
pub(crate) fn open_attack() -> IncidentRecord {
    let noticed = now().wall_unix_seconds() - 400;
    let incident = Incident {
        id: IncidentId { site: SiteId(0), opened_unix_s: noticed, number: 1 },
        state: IncidentState::Open,
        onset: Onset { earliest_unix_s: noticed - 2, likely_unix_s: noticed - 1, latest_unix_s: noticed },
        opened: ago(400),
        ended_unix_s: None,
        reopened: 0,
        revisions: vec![
            judgement(400, TrafficVerdict::Unknown, 0.6, 0.35),
            judgement(397, TrafficVerdict::Attack, 0.97, 0.04),
        ],
        revisions_dropped: 0,
        toll: IncidentToll {
            seconds: 401,
            requests: 321_456.0,
            requests_beyond: 312_000.0,
            peak_requests_per_s: 1_204.0,
            calm_requests_per_s: 23.4,
            peak_packets_per_s: 0.0,
            peak_sources: 812.0,
            refused: 120_300.0,
            waited: 1_430.0,
            challenged: 180_020.0,
            known_refused: 3.0,
            goodput: Some(0.987),
            goodput_calm: Some(0.999),
        },
        top_sources: vec![TopSource {
            prefix: Prefix::of_client("192.0.2.7".parse().unwrap()),
            share: 0.021,
        }],
    };
    IncidentRecord {
        key: "sos-20221108-135527-3".into(),
        site: "sos".into(),
        incident,
        measures: vec![Measure {
            at: ago(398),
            class: "look-up".into(),
            rung: 3,
            rung_name: "choice",
            mode: GateMode::On,
        }],
    }
}

pub(crate) fn attack() -> IncidentDocument {
    IncidentDocument::from(&open_attack())
}

pub(crate) fn crowd() -> IncidentDocument {
    let mut record = open_attack();
    record.key = "results-20221108-120000-2".into();
    record.site = "results".into();
    record.measures.clear();
    record.incident.state = IncidentState::Ended;
    record.incident.onset.likely_unix_s -= 7_000;
    record.incident.ended_unix_s = Some(record.incident.onset.likely_unix_s + 1_800);
    record.incident.revisions = vec![judgement(3_600, TrafficVerdict::Crowd, 0.02, 0.93)];
    IncidentDocument::from(&record)
}

pub(crate) fn interrupted() -> IncidentDocument {
    let state = "interrupted".to_owned();
    IncidentDocument { state, id: "results-20221107-120000-1".to_owned(), end: None, ..crowd() }
}

#[tokio::test]
async fn the_api_tells_of_incidents() {
    let console = console(snapshot());
    let (_, list) = console.get("/api/v1/incidents?max=2").await;
    let list: serde_json::Value = serde_json::from_str(&list).unwrap();
    let named: Vec<_> = list["incidents"].as_array().unwrap().iter().map(|it| it["id"].as_str()).collect();
    assert_eq!(named, [Some("sos-20221108-135527-3"), Some("results-20221108-120000-2")]);
    assert!(list["incidents"][0].get("revisions").is_none());
    let (_, one) = console.get("/api/v1/incidents/sos-20221108-135527-3").await;
    let one: serde_json::Value = serde_json::from_str(&one).unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&one).unwrap());
}

#[tokio::test]
async fn calm_is_said() {
    let console = console(floodwall_console::Snapshot { incidents: Vec::new(), ..snapshot() });
    assert!(console.get("/").await.1.contains("Nothing unusual."));
    let (_, metrics) = console.get("/metrics").await;
    for line in [
        "floodwall_incident_openings_total{site=\"sos\"} 3",
        "floodwall_incident_open{site=\"sos\",verdict=\"attack\"} 0",
    ] {
        assert!(metrics.contains(line), "{metrics}");
    }
    // Bounded whatever is going on: four verdicts, three likelihoods, two more for each site.
    let samples = metrics.lines().filter(|line| line.starts_with("floodwall_incident_"));
    assert_eq!(samples.count(), 2 * 9);
}
