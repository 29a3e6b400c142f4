//! Made-up targets of the watch and outages: one that is half up, one that is down, one of which nothing is
//! known, and an outage that is over.

use std::time::Duration;

use floodwall_outage::{
    Cause, CauseCount, Edge, Family, FamilyStatus, Outage, OutageRecord, Phase, ProbeFigures, State,
    TargetStatus, UnknownCause,
};

use crate::sample::{ago, console, now, snapshot};

fn edge(earliest_ago_s: u64, latest_ago_s: u64) -> Edge {
    Edge {
        earliest_unix_micros: Some(ago(earliest_ago_s).wall_unix_micros()),
        latest_unix_micros: ago(latest_ago_s).wall_unix_micros(),
    }
}

fn record(key: &str, target: &str, family: Family, outage: Outage) -> OutageRecord {
    OutageRecord {
        key: key.into(),
        target: target.into(),
        site: Some("sos".into()),
        vantage: "here".into(),
        family: Some(family),
        outage,
    }
}

fn open() -> OutageRecord {
    let outage = Outage {
        start: edge(400, 340),
        end: None,
        causes: vec![CauseCount { cause: Cause::ConnectRefused, samples: 12 }],
        unknown_micros: 0,
    };
    record("look-up-ipv6-1667915787", "look-up", Family::V6, outage)
}

pub(crate) fn recorded() -> Vec<OutageRecord> {
    let outage = Outage {
        start: edge(3000, 2940),
        end: Some(edge(2400, 2340)),
        causes: vec![
            CauseCount { cause: Cause::StatusServerError, samples: 40 },
            CauseCount { cause: Cause::FirstByteTimeout, samples: 3 },
        ],
        unknown_micros: 65_000_000,
    };
    vec![record("home-ipv4-1667913187", "home", Family::V4, outage)]
}

fn family(family: Family, state: State, outage: Option<OutageRecord>) -> FamilyStatus {
    let failure = outage.as_ref().and_then(|record| record.outage.cause());
    let probe = ProbeFigures {
        finished_unix_micros: ago(7).wall_unix_micros(),
        duration: Duration::from_millis(125),
        phases: vec![
            (Phase::Resolve, Duration::from_millis(10)),
            (Phase::Connect, Duration::from_millis(20)),
            (Phase::FirstByte, Duration::from_millis(80)),
        ],
        failure,
        is_success: failure.is_none(),
        http_status: failure.is_none().then_some(200),
        tls_version: Some(0x0304),
        certificate_ends_unix_seconds: Some(1_670_000_000),
        late: Duration::from_micros(300),
    };
    FamilyStatus {
        family: Some(family),
        state,
        outage,
        known_until_unix_micros: ago(7).wall_unix_micros(),
        probe: Some(probe),
    }
}

pub(crate) fn watched() -> Vec<TargetStatus> {
    let target = |name: &str, families| TargetStatus {
        name: name.into(),
        site: Some("sos".into()),
        vantage: "here".into(),
        families,
    };
    let unknown = State::Unknown(UnknownCause::EgressGone);
    vec![
        target(
            "look-up",
            vec![family(Family::V4, State::Up, None), family(Family::V6, State::Down, Some(open()))],
        ),
        target("home", vec![FamilyStatus { probe: None, ..family(Family::V4, unknown, None) }]),
        target("mail", Vec::new()),
    ]
}

#[tokio::test]
async fn the_api_tells_of_targets_and_outages() {
    let (_, list) = console(snapshot()).get("/api/v1/outages").await;
    let list: serde_json::Value = serde_json::from_str(&list).unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&list).unwrap());
    assert_eq!(now().wall_unix_seconds() - 1_667_915_787, 340, "the names above are those of their starts");
}

#[tokio::test]
async fn dashboards_of_blackbox_exporter_find_their_names() {
    let (_, metrics) = console(snapshot()).get("/metrics").await;
    for line in [
        "probe_success{target=\"look-up\",family=\"ipv4\",site=\"sos\"} 1.0",
        "probe_success{target=\"look-up\",family=\"ipv6\",site=\"sos\"} 0.0",
        "probe_duration_seconds{target=\"look-up\",family=\"ipv4\",site=\"sos\"} 0.125",
        "probe_http_duration_seconds{target=\"look-up\",family=\"ipv4\",site=\"sos\",phase=\"processing\"} 0.08",
        "probe_http_status_code{target=\"look-up\",family=\"ipv4\",site=\"sos\"} 200.0",
        "probe_ssl_earliest_cert_expiry{target=\"look-up\",family=\"ipv4\",site=\"sos\"} 1670000000.0",
        "probe_failure_reason{target=\"look-up\",family=\"ipv6\",site=\"sos\",reason=\"connect_refused\"} 1",
        "floodwall_outage_open{target=\"look-up\",family=\"ipv6\",site=\"sos\"} 1.0",
        "floodwall_watch_unknown{target=\"home\",family=\"ipv4\",site=\"sos\"} 1.0",
    ] {
        assert!(metrics.lines().any(|own| own == line), "{line}\n{metrics}");
    }
}
