//! Which metrics there are: their names, their help, and where each figure comes from.

mod admission;
mod incidents;
mod watch;

use std::time::Duration;

use floodwall_model::{EdgeCounts, OriginHealth, Reason, Timestamp, TrafficCounts};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

use super::{Family, Labels, Value};
use crate::snapshot::Snapshot;

pub(super) use admission::admission;
pub(super) use incidents::incidents;
pub(super) use watch::watch;

/// Name, help, kind, unit, and how a figure is read. The encoder adds the unit and `_total`.
type Declared<T, R> = (&'static str, &'static str, Kind, fn(&T) -> R);

/// A figure's kind and unit.
#[derive(Clone, Copy)]
enum Kind {
    Counter,
    SecondsCounter,
    BytesCounter,
    Gauge,
    SecondsGauge,
    BytesGauge,
}

impl Kind {
    fn kind(self) -> MetricType {
        match self {
            Self::Counter | Self::SecondsCounter | Self::BytesCounter => MetricType::Counter,
            Self::Gauge | Self::SecondsGauge | Self::BytesGauge => MetricType::Gauge,
        }
    }

    fn unit(self) -> Option<Unit> {
        match self {
            Self::Counter | Self::Gauge => None,
            Self::SecondsCounter | Self::SecondsGauge => Some(Unit::Seconds),
            Self::BytesCounter | Self::BytesGauge => Some(Unit::Bytes),
        }
    }
}

fn family(name: &'static str, help: &'static str, kind: Kind, samples: Vec<(Labels, Value)>) -> Family {
    Family { name, help, unit: kind.unit(), kind: kind.kind(), samples }
}

/// Samples of one site; the label `site` comes before their own labels.
type SiteSamples = Vec<(Labels, Value)>;

fn plain(value: u64) -> SiteSamples {
    vec![(Labels::new(), Value::Whole(value))]
}

fn by(label: &'static str, values: &[(&str, u64)]) -> SiteSamples {
    let sample = |(name, value): &(&str, u64)| {
        let labels = vec![(label, (*name).to_owned())];
        (labels, Value::Whole(*value))
    };
    values.iter().map(sample).collect()
}

fn by_status_class(c: &TrafficCounts) -> SiteSamples {
    let classes = [
        ("2xx", c.responses_2xx),
        ("3xx", c.responses_3xx),
        ("4xx", c.responses_4xx),
        ("5xx", c.responses_5xx),
    ];
    by("class", &classes)
}

fn by_refusal_reason(c: &TrafficCounts) -> SiteSamples {
    let refused = |reason: &Reason| match reason {
        Reason::PrefixRate => (reason.as_str(), c.refused_prefix_rate),
    };
    by("reason", &Reason::ALL.iter().map(refused).collect::<Vec<_>>())
}

fn origin_wait(c: &TrafficCounts) -> SiteSamples {
    let wait = Duration::from_micros(c.origin_wait_us);
    vec![(Labels::new(), Value::Real(wait.as_secs_f64()))]
}

const SITE: &[Declared<TrafficCounts, SiteSamples>] = &[
    ("floodwall_requests", "Requests received", Kind::Counter, |c| plain(c.requests)),
    ("floodwall_responses", "Answers by class of status", Kind::Counter, by_status_class),
    (
        "floodwall_cache_answers",
        "Answers from the cache, by whether the copy was still fresh",
        Kind::Counter,
        |c| by("kind", &[("fresh", c.cache_hits), ("stale", c.cache_stale)]),
    ),
    (
        "floodwall_cache_misses",
        "Requests the cache could have answered but had no copy for",
        Kind::Counter,
        |c| plain(c.cache_misses),
    ),
    ("floodwall_refused", "Requests refused, by reason", Kind::Counter, by_refusal_reason),
    (
        "floodwall_origin_requests",
        "Requests sent on to the origin, revalidations included",
        Kind::Counter,
        |c| plain(c.origin_requests),
    ),
    ("floodwall_origin_errors", "Requests the origin did not answer", Kind::Counter, |c| {
        plain(c.origin_errors)
    }),
    ("floodwall_origin_5xx_responses", "Answers of the origin with status 500-599", Kind::Counter, |c| {
        plain(c.origin_5xx)
    }),
    (
        "floodwall_origin_wait",
        "Time until the origin's answer began, summed over all requests",
        Kind::SecondsCounter,
        origin_wait,
    ),
    ("floodwall_request_body", "Bytes of request bodies received", Kind::BytesCounter, |c| {
        plain(c.request_body_bytes)
    }),
    ("floodwall_response_body", "Bytes of response bodies sent", Kind::BytesCounter, |c| {
        plain(c.response_body_bytes)
    }),
];

/// What is counted for each site, and the state of its origins.
pub(super) fn sites(snapshot: &Snapshot) -> Vec<Family> {
    let mut families = Vec::with_capacity(SITE.len() + 1);
    for (name, help, kind, read) in SITE {
        let mut samples = Vec::new();
        for site in &snapshot.sites {
            for (further, value) in read(&site.state.counts) {
                let mut labels = vec![("site", site.state.name.to_string())];
                labels.extend(further);
                samples.push((labels, value));
            }
        }
        families.push(family(name, help, *kind, samples));
    }
    families.push(origin_states(snapshot));
    families
}

/// One sample for each state an origin may be in, 1 for the one it is in.
fn origin_states(snapshot: &Snapshot) -> Family {
    let mut samples = Vec::new();
    for site in &snapshot.sites {
        for origin in &site.state.origins {
            for state in [OriginHealth::Up, OriginHealth::Down, OriginHealth::Unknown] {
                let labels = vec![
                    ("site", site.state.name.to_string()),
                    ("origin", origin.url.to_string()),
                    ("state", state.as_str().to_owned()),
                ];
                samples.push((labels, Value::Whole(u64::from(origin.health == state))));
            }
        }
    }
    let help = "Whether the origin is in this state";
    family("floodwall_origin_state", help, Kind::Gauge, samples)
}

const EDGE: &[Declared<EdgeCounts, u64>] = &[
    ("floodwall_connections_accepted", "Connections accepted", Kind::Counter, |c| c.connections_accepted),
    ("floodwall_connections_open", "Connections open now", Kind::Gauge, |c| c.connections_open),
    ("floodwall_connections_refused", "Connections closed: too many were open", Kind::Counter, |c| {
        c.connections_refused
    }),
    (
        "floodwall_connections_timed_out",
        "Connections closed: the visitor was too slow or idle too long",
        Kind::Counter,
        |c| c.connections_timed_out,
    ),
    ("floodwall_tls_handshakes_failed", "TLS handshakes that failed", Kind::Counter, |c| {
        c.tls_handshakes_failed
    }),
    ("floodwall_tls_handshakes_full", "Full TLS handshakes done", Kind::Counter, |c| c.tls_handshakes_full),
    ("floodwall_tls_handshakes_resumed", "TLS handshakes done by a ticket", Kind::Counter, |c| {
        c.tls_handshakes_resumed
    }),
    (
        "floodwall_tls_handshakes_refused",
        "TLS handshakes not begun: their budget was spent",
        Kind::Counter,
        |c| c.tls_handshakes_refused,
    ),
    ("floodwall_tls_handshakes_in_progress", "TLS handshakes in progress now", Kind::Gauge, |c| {
        c.tls_handshakes_in_progress
    }),
    (
        "floodwall_proxy_headers_malformed",
        "Connections of trusted proxies without a PROXY protocol header",
        Kind::Counter,
        |c| c.proxy_headers_malformed,
    ),
    ("floodwall_malformed_requests", "Malformed or ambiguous requests (400)", Kind::Counter, |c| {
        c.malformed_requests
    }),
    ("floodwall_oversized_headers", "Requests whose header was over the limit (431)", Kind::Counter, |c| {
        c.oversized_headers
    }),
    ("floodwall_unknown_hosts", "Requests for a host that no site declares (421)", Kind::Counter, |c| {
        c.unknown_hosts
    }),
    (
        "floodwall_undeclared_paths",
        "Requests for a path that their site does not declare (404)",
        Kind::Counter,
        |c| c.undeclared_paths,
    ),
    (
        "floodwall_blocked_requests",
        "Requests from addresses that an operator blocked (403)",
        Kind::Counter,
        |c| c.blocked_requests,
    ),
    ("floodwall_limiter_prefixes", "Prefixes the limiter tracks now", Kind::Gauge, |c| c.limiter_prefixes),
    ("floodwall_limiter_evictions", "Prefixes forgotten early: the table was full", Kind::Counter, |c| {
        c.limiter_evictions
    }),
    ("floodwall_limiter_size_max", "Memory the limiter may use at most", Kind::BytesGauge, |c| {
        c.limiter_bytes_max
    }),
    ("floodwall_cache_entries", "Answers in the cache now", Kind::Gauge, |c| c.cache_entries),
    ("floodwall_cache_size", "Memory the cached answers take now", Kind::BytesGauge, |c| c.cache_bytes),
    ("floodwall_cache_size_max", "Memory the cached answers may take at most", Kind::BytesGauge, |c| {
        c.cache_bytes_max
    }),
    ("floodwall_kept_copies", "Copies of pages on disk now", Kind::Gauge, |c| c.kept_copies),
    ("floodwall_kept_size", "Disk space these copies take now", Kind::BytesGauge, |c| c.kept_bytes),
    ("floodwall_kept_size_max", "Disk space these copies may take at most", Kind::BytesGauge, |c| {
        c.kept_bytes_max
    }),
    ("floodwall_kept_written", "Copies of pages written to disk", Kind::Counter, |c| c.kept_written),
    ("floodwall_kept_read", "Copies read from disk: the origin gave no answer", Kind::Counter, |c| {
        c.kept_read
    }),
    ("floodwall_kept_dropped", "Copies not written: too many were waiting", Kind::Counter, |c| {
        c.kept_dropped
    }),
    ("floodwall_kept_write_failures", "Copies that could not be written", Kind::Counter, |c| {
        c.kept_write_failures
    }),
    ("floodwall_kept_corrupt", "Copies found damaged, and deleted", Kind::Counter, |c| c.kept_corrupt),
    (
        "floodwall_access_records_dropped",
        "Lines of the access log dropped: the disk was slow",
        Kind::Counter,
        |c| c.access_records_dropped,
    ),
];

fn of_table<T>(declared: &[Declared<T, u64>], source: &T) -> Vec<Family> {
    let of = |(name, help, kind, read): &Declared<T, u64>| family(name, help, *kind, plain(read(source)));
    declared.iter().map(of).collect()
}

/// What is counted for the edge as a whole.
pub(super) fn edge(edge: &EdgeCounts) -> Vec<Family> {
    of_table(EDGE, edge)
}

const SERVER: &[Declared<Snapshot, u64>] = &[
    ("floodwall_ready", "Whether visitors can be served", Kind::Gauge, |s| {
        u64::from(s.readiness.fault().is_none())
    }),
    ("floodwall_events_dropped", "Events dropped: the control loop's queue was full", Kind::Counter, |s| {
        s.losses.events_dropped
    }),
    ("floodwall_store_backlog_records", "Records waiting to be stored", Kind::Gauge, |s| {
        s.losses.store_backlog_records
    }),
    (
        "floodwall_store_records_dropped",
        "Records dropped: the store was slow or failed",
        Kind::Counter,
        |s| s.losses.store_records_dropped,
    ),
    (
        "floodwall_evidence_records_lost",
        "Records lost to the evidence log: the disk was slow or full",
        Kind::Counter,
        |s| s.losses.evidence_records_lost,
    ),
    (
        "floodwall_crawler_checks_dropped",
        "Addresses said to be crawlers' and not asked about: too many at once",
        Kind::Counter,
        |s| s.losses.crawler_checks_dropped,
    ),
];

/// The server itself: version, times, readiness and losses.
pub(super) fn server(snapshot: &Snapshot) -> Vec<Family> {
    let version = vec![("version", snapshot.version.to_owned())];
    let build = vec![(version, Value::Whole(1))];
    let mut families = vec![
        family("floodwall_build_info", "The running version; always 1", Kind::Gauge, build),
        time("floodwall_start_time", "When the server started, since 1970", snapshot.started),
        time("floodwall_snapshot_time", "When these figures were read, since 1970", snapshot.at),
    ];
    families.extend(of_table(SERVER, snapshot));
    families
}

#[expect(clippy::cast_precision_loss, reason = "microseconds since 1970 stay below 2^53 until the year 2255")]
fn time(name: &'static str, help: &'static str, at: Timestamp) -> Family {
    let since_1970 = Value::Real(at.wall_unix_micros() as f64 / 1_000_000.0);
    family(name, help, Kind::SecondsGauge, vec![(Labels::new(), since_1970)])
}

/// The console's own live streams.
pub(super) fn streams(open: u64, refused: u64) -> [Family; 2] {
    [
        family(
            "floodwall_console_streams_open",
            "Live streams of the console open now",
            Kind::Gauge,
            plain(open),
        ),
        family(
            "floodwall_console_streams_refused",
            "Live streams refused: all places were taken",
            Kind::Counter,
            plain(refused),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whole numbers of all samples.
    fn figures(families: &[Family]) -> Vec<u64> {
        let samples = families.iter().flat_map(|family| &family.samples);
        let whole = |(_, value): &(Labels, Value)| match value {
            Value::Whole(figure) => Some(*figure),
            Value::Real(_) => None,
        };
        samples.filter_map(whole).collect()
    }

    #[test]
    fn every_figure_of_the_edge_is_a_metric() {
        assert_eq!(EDGE.len(), EdgeCounts::FIELDS.len());
        let distinct = EdgeCounts {
            connections_accepted: 1,
            connections_open: 2,
            connections_refused: 3,
            connections_timed_out: 4,
            tls_handshakes_failed: 5,
            tls_handshakes_full: 6,
            tls_handshakes_resumed: 7,
            tls_handshakes_refused: 8,
            tls_handshakes_in_progress: 9,
            proxy_headers_malformed: 10,
            malformed_requests: 11,
            oversized_headers: 12,
            unknown_hosts: 13,
            undeclared_paths: 29,
            blocked_requests: 31,
            limiter_prefixes: 14,
            limiter_evictions: 15,
            limiter_bytes_max: 16,
            cache_entries: 17,
            cache_bytes: 18,
            cache_bytes_max: 19,
            kept_copies: 20,
            kept_bytes: 21,
            kept_bytes_max: 22,
            kept_written: 23,
            kept_read: 24,
            kept_dropped: 25,
            kept_write_failures: 26,
            kept_corrupt: 27,
            access_records_dropped: 28,
        };
        assert_eq!(figures(&edge(&distinct)), distinct.values());
    }

    #[test]
    fn every_figure_of_a_site_is_a_metric() {
        let distinct = TrafficCounts {
            requests: 1,
            responses_2xx: 2,
            responses_3xx: 3,
            responses_4xx: 4,
            responses_5xx: 5,
            cache_hits: 6,
            cache_stale: 7,
            cache_misses: 8,
            refused_prefix_rate: 9,
            origin_requests: 10,
            origin_errors: 11,
            origin_5xx: 12,
            origin_wait_us: 13_000_000,
            request_body_bytes: 14,
            response_body_bytes: 15,
        };
        let read = |(_, _, _, read): &Declared<TrafficCounts, SiteSamples>| read(&distinct);
        let samples: Vec<_> = SITE.iter().flat_map(read).map(|(_, value)| value).collect();
        let text = samples.iter().map(|value| match value {
            Value::Whole(figure) => figure.to_string(),
            Value::Real(seconds) => format!("{seconds} s"),
        });
        let expected = distinct.values().into_iter().map(|value| match value {
            13_000_000 => "13 s".to_owned(),
            figure => figure.to_string(),
        });
        assert_eq!(text.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    }
}
