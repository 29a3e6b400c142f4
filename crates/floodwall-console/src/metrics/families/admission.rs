//! What the gates learned, ask and have decided: labels `site` and `class`; and the
//! reports of visitors who cannot get in.

use floodwall_model::{GateMode, GateStatus};

use super::{Declared, Family, Kind, Labels, SiteSamples, Value, by, family, plain};
use crate::snapshot::{SiteFigures, Snapshot};

/// No sample as long as it was not learned: zero would be a latency.
fn calm_latency(gate: &GateStatus) -> SiteSamples {
    let sample = |latency: std::time::Duration| (Labels::new(), Value::Real(latency.as_secs_f64()));
    gate.calm_latency.map(sample).into_iter().collect()
}

#[expect(clippy::cast_precision_loss, reason = "microseconds since 1970 stay below 2^53 until the year 2255")]
fn rung_start_time(gate: &GateStatus) -> SiteSamples {
    let since_1970 = gate.since.wall_unix_micros() as f64 / 1_000_000.0;
    vec![(Labels::new(), Value::Real(since_1970))]
}

fn by_refusal_reason(gate: &GateStatus) -> SiteSamples {
    let counts = &gate.counts;
    let refused = [
        ("no_room", counts.refused_no_room),
        ("over_share", counts.refused_over_share),
        ("displaced", counts.refused_displaced),
        ("waited_out", counts.refused_waited_out),
    ];
    by("reason", &refused)
}

fn by_challenge(gate: &GateStatus) -> SiteSamples {
    let counts = &gate.counts;
    let challenged = [
        ("redirect", counts.challenged_redirect),
        ("choice", counts.challenged_choice),
        ("waiting_room", counts.challenged_waiting_room),
    ];
    by("kind", &challenged)
}

const NOW: &[Declared<GateStatus, SiteSamples>] = &[
    // Where it is 1, challenges and refusals are what would have been.
    (
        "floodwall_admission_observe_only",
        "Whether the gate decides and counts, and lets everybody through",
        Kind::Gauge,
        |g| plain(u64::from(g.mode == GateMode::Observe)),
    ),
    (
        "floodwall_admission_rung",
        "What is asked of visitors: 0 nothing, to 4 the waiting room",
        Kind::Gauge,
        |g| plain(g.rung.into()),
    ),
    (
        "floodwall_admission_rung_start_time",
        "Since when the gate stands on its rung, since 1970",
        Kind::SecondsGauge,
        rung_start_time,
    ),
    (
        "floodwall_admission_limit",
        "Requests that may be at the origin at once, as learned",
        Kind::Gauge,
        |g| plain(g.limit.into()),
    ),
    ("floodwall_admission_in_flight", "Requests at the origin now", Kind::Gauge, |g| {
        plain(g.in_flight.into())
    }),
    (
        "floodwall_admission_capacity_per_second",
        "Requests a second the origin can answer, as learned",
        Kind::Gauge,
        |g| plain(g.capacity_per_second),
    ),
    ("floodwall_admission_waiting", "Requests that wait for their turn now", Kind::Gauge, |g| {
        plain(g.waiting.into())
    }),
    ("floodwall_admission_waiting_room", "Tickets in the line of the waiting room now", Kind::Gauge, |g| {
        plain(g.in_waiting_room)
    }),
    (
        "floodwall_admission_calm_latency",
        "The origin's latency in calm times, as learned",
        Kind::SecondsGauge,
        calm_latency,
    ),
    ("floodwall_admission_size_max", "Memory the gate may use at most", Kind::BytesGauge, |g| {
        plain(g.memory_bytes_max)
    }),
];

const COUNTED: &[Declared<GateStatus, SiteSamples>] = &[
    (
        "floodwall_admission_admitted",
        "Requests let to the origin, at once or after a wait",
        Kind::Counter,
        |g| plain(g.counts.admitted),
    ),
    ("floodwall_admission_waited", "Requests that had to wait", Kind::Counter, |g| plain(g.counts.waited)),
    ("floodwall_admission_abandoned", "Requests whose visitor went away while waiting", Kind::Counter, |g| {
        plain(g.counts.abandoned)
    }),
    (
        "floodwall_admission_over_share",
        "Requests of sources that asked for more than their share",
        Kind::Counter,
        |g| plain(g.counts.over_share),
    ),
    (
        "floodwall_admission_refused",
        "Requests refused for want of room at the origin, by reason",
        Kind::Counter,
        by_refusal_reason,
    ),
    (
        "floodwall_admission_challenged",
        "Pages answered with something to do first, by kind",
        Kind::Counter,
        by_challenge,
    ),
    (
        "floodwall_admission_sources_forgotten",
        "Sources forgotten before they were within their share again",
        Kind::Counter,
        |g| plain(g.counts.sources_forgotten),
    ),
    (
        "floodwall_admission_tickets_uncounted",
        "Tickets too old or too new to be counted in the line",
        Kind::Counter,
        |g| plain(g.counts.tickets_uncounted),
    ),
];

/// The gates of every site, and the reports of visitors.
pub(in crate::metrics) fn admission(snapshot: &Snapshot) -> Vec<Family> {
    let mut families = Vec::new();
    for (name, help, kind, read) in NOW.iter().chain(COUNTED) {
        let samples = samples(snapshot, *read);
        families.push(family(name, help, *kind, samples));
    }
    let report = |site: &SiteFigures| {
        (vec![("site", site.state.name.to_string())], Value::Whole(site.state.person_reports))
    };
    let reports = snapshot.sites.iter().map(report).collect();
    let help = "Reports of visitors who say that they are people and cannot get in";
    families.push(family("floodwall_person_reports", help, Kind::Counter, reports));
    families
}

fn samples(snapshot: &Snapshot, read: fn(&GateStatus) -> SiteSamples) -> SiteSamples {
    let mut samples = Vec::new();
    for site in &snapshot.sites {
        for gate in &site.state.gates {
            for (further, value) in read(gate) {
                let mut labels =
                    vec![("site", site.state.name.to_string()), ("class", gate.class.to_string())];
                labels.extend(further);
                samples.push((labels, value));
            }
        }
    }
    samples
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use floodwall_model::{AdmissionCounts, Timestamp};

    use super::*;

    #[test]
    fn every_figure_of_a_gate_is_a_metric() {
        let gate = GateStatus {
            class: "pages".into(),
            mode: GateMode::Observe,
            rung: 1,
            rung_name: "collapse",
            since: Timestamp::new(Duration::ZERO, 9_500_000),
            limit: 2,
            in_flight: 3,
            capacity_per_second: 4,
            waiting: 5,
            in_waiting_room: 6,
            calm_latency: Some(Duration::from_millis(7)),
            memory_bytes_max: 8,
            counts: AdmissionCounts {
                admitted: 11,
                waited: 12,
                abandoned: 13,
                over_share: 14,
                refused_no_room: 15,
                refused_over_share: 16,
                refused_displaced: 17,
                refused_waited_out: 18,
                challenged_redirect: 19,
                challenged_choice: 20,
                challenged_waiting_room: 21,
                sources_forgotten: 22,
                tickets_uncounted: 23,
            },
        };
        let figures = |declared: &[Declared<GateStatus, SiteSamples>], gate: &GateStatus| {
            let samples = declared.iter().flat_map(|(_, _, _, read)| read(gate));
            let text = |(_, value)| match value {
                Value::Whole(figure) => figure.to_string(),
                Value::Real(seconds) => format!("{seconds} s"),
            };
            samples.map(text).collect::<Vec<_>>()
        };
        assert_eq!(figures(NOW, &gate), ["1", "1", "9.5 s", "2", "3", "4", "5", "6", "0.007 s", "8"]);
        let counts = gate.counts.values().iter().map(u64::to_string).collect::<Vec<_>>();
        assert_eq!(figures(COUNTED, &gate), counts);
        let unlearned = GateStatus { calm_latency: None, ..gate };
        assert_eq!(figures(NOW, &unlearned), ["1", "1", "9.5 s", "2", "3", "4", "5", "6", "8"]);
    }
}
