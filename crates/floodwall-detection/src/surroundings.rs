//! What else is known of a second, besides the requests: packets, connections, origin, watch, and the
//! edge itself. What nobody measures stays at its default and counts for nothing.

use floodwall_model::OriginHealth;

use crate::figure::{Figure, Row};

/// Everything around a site's requests in one second. Counts are of that second alone.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Surroundings {
    /// Seconds by which local time is ahead of UTC: habits follow the local clock.
    pub utc_offset_s: i32,
    /// Packets; `None` where nobody counts them.
    pub packets: Option<PacketsSeen>,
    /// Connections and what was no request; `None` where nobody counts them (a log).
    pub connections: Option<ConnectionsSeen>,
    /// The origin; `None` where nobody measures it.
    pub origin: Option<OriginSeen>,
    /// The watch from outside; `None` where there is none.
    pub watch: Option<WatchSeen>,
    /// The edge's own means; `None` where nobody measures them.
    pub edge: Option<EdgeSeen>,
    /// Seconds since 1970 of the last change to the site or to our settings, where known.
    pub last_change_unix_s: Option<i64>,
    /// Seconds since 1970 when the certificate in use ends, where known.
    pub certificate_ends_unix_s: Option<i64>,
}

/// Packets of one second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PacketsSeen {
    /// TCP packets that open connections (SYN without ACK).
    pub syn: u64,
    /// TCP handshakes completed.
    pub handshakes: u64,
    /// UDP datagrams.
    pub udp: u64,
    /// ICMP and all others.
    pub other: u64,
}

/// Connections of one second, the whole edge's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectionsSeen {
    /// Accepted.
    pub accepted: u64,
    /// Open now.
    pub open: u64,
    /// Closed because they were too slow, or refused because there were too many.
    pub timed_out: u64,
    /// TLS handshakes that failed.
    pub tls_failures: u64,
    /// HTTP/2 streams reset by who opened them, before they were answered.
    pub resets: u64,
    /// Requests for hosts that are not served.
    pub unknown_hosts: u64,
    /// Malformed requests and oversized headers.
    pub malformed: u64,
}

/// The origin in one second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OriginSeen {
    /// Requests it was sent.
    pub requests: u64,
    /// Of these, failed or answered 5xx.
    pub failures: u64,
    /// Time until its answers began, summed, in milliseconds.
    pub wait_ms: f64,
    /// Whether it answers.
    pub health: OriginHealth,
}

/// The watch's view: what failed at its last look, and how many vantage points agree.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WatchSeen {
    /// Share of vantage points that cannot reach the site, from 0 to 1.
    pub unreachable: f64,
    /// What most of those that fail see fail first.
    pub fails_at: Option<WatchFault>,
}

/// What fails first on the way to a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchFault {
    /// Its name does not resolve.
    Dns,
    /// No connection.
    Tcp,
    /// The TLS handshake or the certificate.
    Tls,
    /// The answer.
    Http,
}

/// The edge's own means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EdgeSeen {
    /// Use of the processor time it has, from 0 to 1.
    pub processor: f64,
    /// Records it had to drop in this second.
    pub dropped: u64,
}

#[expect(clippy::cast_precision_loss, reason = "counts of one second")]
fn number(count: u64) -> f64 {
    count as f64
}

impl Surroundings {
    pub(crate) fn fill(&self, row: &mut Row) {
        if let Some(packets) = &self.packets {
            row.set(Figure::Syn, number(packets.syn));
            row.set(Figure::Handshakes, number(packets.handshakes));
            row.set(Figure::Udp, number(packets.udp));
            row.set(Figure::OtherPackets, number(packets.other));
        }
        if let Some(connections) = &self.connections {
            row.set(Figure::Connections, number(connections.accepted));
            row.set(Figure::TlsFailures, number(connections.tls_failures));
            row.set(Figure::TimedOut, number(connections.timed_out));
            row.set(Figure::Resets, number(connections.resets));
            row.set(Figure::UnknownHosts, number(connections.unknown_hosts));
            row.set(Figure::Malformed, number(connections.malformed));
        }
        if let Some(origin) = &self.origin {
            row.set(Figure::OriginRequests, number(origin.requests));
            row.set(Figure::OriginFailures, number(origin.failures));
            row.set(Figure::OriginWaitMs, origin.wait_ms);
        }
    }
}
