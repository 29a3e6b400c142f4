use floodwall_console::{
    LikelihoodsDocument, MeasureDocument, ReasonDocument, SourceDocument, TrafficDocument, VisitorsDocument,
};

use super::*;

fn judged(at: &str, verdict: &str, likelihood: f64) -> JudgementDocument {
    JudgementDocument {
        judged: at.to_owned(),
        verdict: verdict.to_owned(),
        mixed_with: None,
        likelihood,
        likelihoods: LikelihoodsDocument { attack: 0.5, crowd: 0.3, routine: 0.02 },
        vectors: vec!["look_ups".to_owned(), "cache_bust".to_owned()],
        routine_cause: None,
        reasons: vec![
            ReasonDocument {
                kind: "assets_per_page".to_owned(),
                value: 0.0,
                calm: Some(6.2),
                unit: "each".to_owned(),
                speaks_for: "attack".to_owned(),
                weight: 2.4,
                text: "pictures, scripts and style sheets fetched for each page: 0.0 (usually 6.2)"
                    .to_owned(),
            },
            ReasonDocument {
                kind: "returning".to_owned(),
                value: 0.4,
                calm: None,
                unit: "share".to_owned(),
                speaks_for: "attack".to_owned(),
                weight: -0.3,
                text: "sources from networks that had visited before: 40 %".to_owned(),
            },
        ],
    }
}

fn attack() -> IncidentDocument {
    let judgement = judged("2026-11-03T12:00:09.250Z", "attack", 0.97);
    IncidentDocument {
        id: "sos-20261103-120007-1".to_owned(),
        site: "sos".to_owned(),
        state: "mitigated".to_owned(),
        revisions: vec![judged("2026-11-03T12:00:07.250Z", "unknown", 0.4), judgement.clone()],
        judgement,
        onset: "2026-11-03T12:00:06Z".to_owned(),
        onset_earliest: "2026-11-03T12:00:05Z".to_owned(),
        onset_latest: "2026-11-03T12:00:07Z".to_owned(),
        opened: "2026-11-03T12:00:07.250Z".to_owned(),
        end: None,
        reopened: 0,
        traffic: TrafficDocument {
            duration_s: 123,
            requests: 54_120.0,
            requests_beyond_expected: 52_900.4,
            peak_requests_per_second: 812.0,
            calm_requests_per_second: 9.6,
            peak_packets_per_second: 0.0,
            peak_sources: 640.2,
        },
        visitors: VisitorsDocument {
            goodput: Some(0.991),
            goodput_calm: Some(0.998),
            refused: 31_000.0,
            refused_known: 2.0,
            waited: 410.0,
            challenged: 20_500.0,
        },
        top_sources: vec![SourceDocument { prefix: "192.0.2.7/32".to_owned(), share: 0.021 }],
        measures: vec![MeasureDocument {
            at: "2026-11-03T12:00:08.000Z".to_owned(),
            class: "pages".to_owned(),
            rung: 3,
            rung_name: "choice".to_owned(),
            acted: true,
        }],
    }
}

#[test]
fn what_a_tired_administrator_reads() {
    insta::assert_snapshot!("incident_show", show(&attack()));
    let ended = IncidentDocument {
        id: "results-20261102-081500-1".to_owned(),
        site: "results".to_owned(),
        state: "ended".to_owned(),
        end: Some("2026-11-02T08:41:00Z".to_owned()),
        onset: "2026-11-02T08:14:50Z".to_owned(),
        judgement: judged("2026-11-02T08:41:00Z", "crowd", 0.88),
        ..attack()
    };
    let interrupted = IncidentDocument {
        state: "interrupted".to_owned(),
        judgement: JudgementDocument { mixed_with: Some("attack".to_owned()), ..ended.judgement.clone() },
        end: None,
        ..ended.clone()
    };
    insta::assert_snapshot!("incident_list", list(&[attack(), ended.clone(), interrupted.clone()]));
    insta::assert_snapshot!("incident_list_of_none", list(&[]));
    let headlines = [ended.headline(), interrupted.headline(), interrupted.standing().to_owned()].join("\n");
    insta::assert_snapshot!("incident_headlines", headlines);
}
