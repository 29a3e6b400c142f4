//! What the watch's last probes measured, under the names that blackbox_exporter gives them, so that its
//! dashboards and alerts fit; labels `target` and `family`, with `site` where it belongs to one.

use floodwall_outage::{FamilyStatus, Phase, ProbeFigures, State, TargetStatus, family_name};

use super::{Family, Kind, Labels, Value, family};
use crate::snapshot::Snapshot;

/// The phases as blackbox_exporter calls them.
const PHASES: [(Phase, &str); 5] = [
    (Phase::Resolve, "resolve"),
    (Phase::Connect, "connect"),
    (Phase::Tls, "tls"),
    (Phase::FirstByte, "processing"),
    (Phase::Transfer, "transfer"),
];

/// Bounded: a thousand targets, three families each, and closed lists.
pub(in crate::metrics) fn watch(snapshot: &Snapshot) -> Vec<Family> {
    let of = |help, name, value: &dyn Fn(&FamilyStatus) -> Option<f64>| -> Family {
        let samples = each(snapshot)
            .filter_map(|(target, status)| Some((labels(target, status, None), Value::Real(value(status)?))));
        family(name, help, Kind::Gauge, samples.collect())
    };
    let probe = |value: fn(&ProbeFigures) -> Option<f64>| {
        move |status: &FamilyStatus| status.probe.as_ref().and_then(value)
    };
    let phases = phases(snapshot);
    let reasons = reasons(snapshot);
    vec![
        of(
            "Whether the last probe was a success",
            "probe_success",
            &probe(move |probe| truth(probe.is_success)),
        ),
        of(
            "How long the last probe took to complete, in seconds",
            "probe_duration_seconds",
            &probe(|probe| Some(probe.duration.as_secs_f64())),
        ),
        of(
            "The time taken for the look-up of names, in seconds",
            "probe_dns_lookup_time_seconds",
            &|status| status.probe.as_ref().and_then(|probe| length_of(probe, Phase::Resolve)),
        ),
        family(
            "probe_http_duration_seconds",
            "Duration of the request by phase, in seconds",
            Kind::Gauge,
            phases,
        ),
        of(
            "The answer's HTTP status code",
            "probe_http_status_code",
            &probe(|probe| probe.http_status.map(f64::from)),
        ),
        of(
            "Earliest end of a certificate, in seconds since 1970",
            "probe_ssl_earliest_cert_expiry",
            &probe(|probe| probe.certificate_ends_unix_seconds.map(unix_seconds)),
        ),
        family("probe_failure_reason", "1 for the cause of the last probe's failure", Kind::Gauge, reasons),
        of(
            "How much later than due the last probe began, in seconds",
            "floodwall_watch_late_seconds",
            &probe(|probe| Some(probe.late.as_secs_f64())),
        ),
        of("1 while an outage is confirmed and not over", "floodwall_outage_open", &move |status| {
            truth(status.outage.is_some())
        }),
        of("1 while nothing can be said of the target", "floodwall_watch_unknown", &move |status| {
            truth(matches!(status.state, State::Unknown(_)))
        }),
    ]
}

fn length_of(probe: &ProbeFigures, own: Phase) -> Option<f64> {
    probe.phases.iter().find(|(phase, _)| *phase == own).map(|(_, length)| length.as_secs_f64())
}

fn phases(snapshot: &Snapshot) -> Vec<(Labels, Value)> {
    let samples = each(snapshot).flat_map(|(target, status)| {
        PHASES.into_iter().filter_map(move |(own, name)| {
            let length = length_of(status.probe.as_ref()?, own)?;
            Some((labels(target, status, Some(("phase", name))), Value::Real(length)))
        })
    });
    samples.collect()
}

fn reasons(snapshot: &Snapshot) -> Vec<(Labels, Value)> {
    let samples = each(snapshot).filter_map(|(target, status)| {
        let cause = status.probe.as_ref()?.failure?;
        Some((labels(target, status, Some(("reason", cause.as_str()))), Value::Whole(1)))
    });
    samples.collect()
}

#[expect(clippy::unnecessary_wraps, reason = "every figure is read as one that may be missing")]
fn truth(truth: bool) -> Option<f64> {
    Some(f64::from(u8::from(truth)))
}

#[expect(clippy::cast_precision_loss, reason = "whole seconds are exact for 285 million years")]
fn unix_seconds(seconds: i64) -> f64 {
    seconds as f64
}

fn each(snapshot: &Snapshot) -> impl Iterator<Item = (&TargetStatus, &FamilyStatus)> {
    snapshot.watched.iter().flat_map(|target| target.families.iter().map(move |status| (target, status)))
}

fn labels(
    target: &TargetStatus,
    status: &FamilyStatus,
    more: Option<(&'static str, &'static str)>,
) -> Labels {
    let mut labels =
        vec![("target", target.name.to_string()), ("family", family_name(status.family).to_owned())];
    labels.extend(target.site.as_ref().map(|site| ("site", site.to_string())));
    labels.extend(more.map(|(name, value)| (name, value.to_owned())));
    labels
}
