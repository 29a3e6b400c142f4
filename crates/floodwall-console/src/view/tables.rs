//! The tables of the page: which figures they hold, in which words and order.

use floodwall_model::{EdgeCounts, TrafficCounts};

use super::{Figure, Row, from_cache};
use crate::format;
use crate::snapshot::{SiteFigures, Snapshot};

/// The figure's name in its key, its label, and how it is written.
type Wording<T> = (&'static str, &'static str, fn(&T) -> String);

const TRAFFIC: &[Wording<TrafficCounts>] = &[
    ("requests", "Requests", |c| format::count(c.requests)),
    ("from_cache", "Answered from the cache", |c| format::count_with_share(from_cache(c), c.requests)),
    ("stale", "Of these stale: origin failed or slow", |c| format::count(c.cache_stale)),
    ("refused", "Refused: over the limit", |c| format::count_with_share(c.refused_prefix_rate, c.requests)),
    ("origin_requests", "Sent on to the origin", |c| format::count(c.origin_requests)),
    ("origin_errors", "Of these not answered", |c| format::count(c.origin_errors)),
    ("origin_wait", "Mean wait for the origin", |c| format::mean_wait(c.origin_wait_us, c.origin_requests)),
    ("responses_5xx", "Server errors (5xx)", |c| format::count_with_share(c.responses_5xx, c.requests)),
    ("sent", "Sent to visitors", |c| format::bytes(c.response_body_bytes)),
];

const EDGE: &[Wording<EdgeCounts>] = &[
    ("connections_open", "Connections open now", |c| format::count(c.connections_open)),
    ("connections_accepted", "Connections accepted", |c| format::count(c.connections_accepted)),
    ("connections_refused", "Connections refused: too many open", |c| format::count(c.connections_refused)),
    ("connections_timed_out", "Connections closed: too slow or idle too long", |c| {
        format::count(c.connections_timed_out)
    }),
    ("tls_handshakes_failed", "TLS handshakes failed", |c| format::count(c.tls_handshakes_failed)),
    ("tls_handshakes_full", "TLS handshakes in full", |c| format::count(c.tls_handshakes_full)),
    ("tls_handshakes_resumed", "TLS handshakes by ticket", |c| format::count(c.tls_handshakes_resumed)),
    ("tls_handshakes_refused", "TLS handshakes refused: budget spent", |c| {
        format::count(c.tls_handshakes_refused)
    }),
    ("proxy_headers_malformed", "Proxies' connections without their PROXY header", |c| {
        format::count(c.proxy_headers_malformed)
    }),
    ("malformed_requests", "Malformed requests (answered 400)", |c| format::count(c.malformed_requests)),
    ("oversized_headers", "Headers too large (answered 431)", |c| format::count(c.oversized_headers)),
    ("unknown_hosts", "Requests for unknown hosts (answered 421)", |c| format::count(c.unknown_hosts)),
    ("undeclared_paths", "Requests for undeclared paths (answered 404)", |c| {
        format::count(c.undeclared_paths)
    }),
    ("blocked_requests", "Requests from blocked addresses (answered 403)", |c| {
        format::count(c.blocked_requests)
    }),
];

const MEMORY: &[Wording<EdgeCounts>] = &[
    ("cache_bytes", "Cache: memory in use", |c| {
        format!("{} of at most {}", format::bytes(c.cache_bytes), format::bytes(c.cache_bytes_max))
    }),
    ("cache_entries", "Cache: answers kept", |c| format::count(c.cache_entries)),
    ("kept_bytes", "Copies on disk: space in use", |c| {
        format!("{} of at most {}", format::bytes(c.kept_bytes), format::bytes(c.kept_bytes_max))
    }),
    ("kept_copies", "Copies on disk: pages", |c| format::count(c.kept_copies)),
    ("kept_read", "Copies on disk: read because the origin gave no answer", |c| format::count(c.kept_read)),
    ("limiter_bytes_max", "Request limiter: memory at most", |c| format::bytes(c.limiter_bytes_max)),
    ("limiter_prefixes", "Request limiter: sources tracked now", |c| format::count(c.limiter_prefixes)),
    ("limiter_evictions", "Request limiter: sources forgotten early, table full", |c| {
        format::count(c.limiter_evictions)
    }),
];

fn of_edge(area: &str, wordings: &[Wording<EdgeCounts>], edge: &EdgeCounts) -> Vec<Row> {
    let row = |(name, label, write): &Wording<EdgeCounts>| Row {
        label,
        cells: vec![Figure::new(format!("{area}.{name}"), write(edge))],
    };
    wordings.iter().map(row).collect()
}

/// The edge's connections and requests.
pub(super) fn edge(edge: &EdgeCounts) -> Vec<Row> {
    of_edge("edge", EDGE, edge)
}

/// What the edge keeps in memory.
pub(super) fn memory(edge: &EdgeCounts) -> Vec<Row> {
    of_edge("memory", MEMORY, edge)
}

/// What was lost.
pub(super) fn losses(snapshot: &Snapshot) -> Vec<Row> {
    let losses = &snapshot.losses;
    [
        ("Events dropped: the control loop's queue was full", "events_dropped", losses.events_dropped),
        ("Records waiting to be stored now", "store_backlog_records", losses.store_backlog_records),
        (
            "Records dropped: the store was slow or failed",
            "store_records_dropped",
            losses.store_records_dropped,
        ),
        (
            "Records lost to the evidence log: the disk was slow or full",
            "evidence_records_lost",
            losses.evidence_records_lost,
        ),
        (
            "Addresses said to be crawlers' and not asked about: too many at once",
            "crawler_checks_dropped",
            losses.crawler_checks_dropped,
        ),
        (
            "Access log lines dropped: the disk was slow",
            "access_records_dropped",
            snapshot.edge.access_records_dropped,
        ),
        ("Copies not written to disk: too many were waiting", "kept_dropped", snapshot.edge.kept_dropped),
        (
            "Copies that could not be written to disk: no space or no permission",
            "kept_write_failures",
            snapshot.edge.kept_write_failures,
        ),
        ("Copies on disk found damaged, and deleted", "kept_corrupt", snapshot.edge.kept_corrupt),
    ]
    .into_iter()
    .map(|(label, name, figure)| Row {
        label,
        cells: vec![Figure::new(format!("losses.{name}"), format::count(figure))],
    })
    .collect()
}

/// The rows of one site's traffic, keyed below `key`.
pub(super) fn traffic(key: &str, site: &SiteFigures) -> Vec<Row> {
    let periods = [
        ("last_second", &site.last_second),
        ("last_minute", &site.last_minute),
        ("total", &site.state.counts),
    ];
    let traffic = TRAFFIC.iter().map(|(name, label, write)| Row {
        label,
        cells: periods
            .iter()
            .map(|(period, counts)| Figure::new(format!("{key}.{name}.{period}"), write(counts)))
            .collect(),
    });
    traffic.collect()
}

/// The server itself.
pub(super) fn server(snapshot: &Snapshot) -> Vec<Row> {
    let readiness = match snapshot.readiness.fault() {
        None => "Ready".to_owned(),
        Some(reason) => format!("Not ready: {reason}"),
    };
    let running = format::span(snapshot.at.since(snapshot.started));
    let running = format!("{running}, since {}", format::date_time(snapshot.started));
    [
        ("State", "readiness", readiness),
        ("Running for", "running", running),
        ("Visitors served on", "listeners", snapshot.listeners.join(", ")),
        ("This console served on", "admin_listener", snapshot.admin_listener.clone()),
        ("Version", "version", snapshot.version.to_owned()),
    ]
    .into_iter()
    .map(|(label, name, text)| Row { label, cells: vec![Figure::new(format!("server.{name}"), text)] })
    .collect()
}
