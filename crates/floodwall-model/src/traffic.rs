//! Bounded aggregates: what the data plane counts and the control plane reads once a second.

use std::sync::Arc;

use crate::{Prefix, ReferenceId, SiteId, Timestamp};

macro_rules! counts {
    ($(#[$meta:meta])* $name:ident { $($(#[doc = $doc:literal])+ $field:ident,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $name { $($(#[doc = $doc])+ pub $field: u64,)+ }

        impl $name {
            /// Every figure's name and what it says, in the order of [`Self::values`].
            pub const FIELDS: &'static [(&'static str, &'static str)] =
                &[$((stringify!($field), concat!($($doc),+)),)+];

            /// Every figure, in the order of [`Self::FIELDS`].
            #[must_use]
            pub fn values(&self) -> Vec<u64> {
                vec![$(self.$field,)+]
            }

            /// What was added since `earlier`. A figure that fell counts from zero.
            #[must_use]
            pub fn since(&self, earlier: &Self) -> Self {
                Self { $($field: self.$field.saturating_sub(earlier.$field),)+ }
            }

            /// The sum of both.
            #[must_use]
            pub fn plus(&self, other: &Self) -> Self {
                Self { $($field: self.$field.saturating_add(other.$field),)+ }
            }
        }
    };
}

counts! {
    /// Traffic of one site, counted since the server started. Every figure only grows.
    TrafficCounts {
        /// Requests received for the site.
        requests,
        /// Answers with status 200-299.
        responses_2xx,
        /// Answers with status 300-399.
        responses_3xx,
        /// Answers with status 400-499.
        responses_4xx,
        /// Answers with status 500-599.
        responses_5xx,
        /// Answers from the cache while fresh.
        cache_hits,
        /// Answers from the cache past their freshness, because the origin failed or was slow.
        cache_stale,
        /// Requests the cache could have answered but had no copy for.
        cache_misses,
        /// Requests refused because their prefix was over its limit (429).
        refused_prefix_rate,
        /// Requests sent on to the origin, revalidations included.
        origin_requests,
        /// Requests the origin did not answer (connection refused, time-out, broken answer).
        origin_errors,
        /// Answers of the origin with status 500-599.
        origin_5xx,
        /// Time until the origin's answer began, summed, in microseconds.
        origin_wait_us,
        /// Bytes of request bodies received.
        request_body_bytes,
        /// Bytes of response bodies sent.
        response_body_bytes,
    }
}

counts! {
    /// Figures of the edge as a whole. Gauges are marked as such; all others only grow.
    EdgeCounts {
        /// Connections accepted.
        connections_accepted,
        /// Connections open now (a gauge).
        connections_open,
        /// Connections closed at once because the limit on open ones was reached.
        connections_refused,
        /// Connections closed because the visitor was too slow with a header or body, or idle too long.
        connections_timed_out,
        /// TLS handshakes that failed.
        tls_handshakes_failed,
        /// Full TLS handshakes done.
        tls_handshakes_full,
        /// TLS handshakes done by a ticket, which cost a fraction of a full one.
        tls_handshakes_resumed,
        /// TLS handshakes not begun because the budget for them was spent.
        tls_handshakes_refused,
        /// TLS handshakes in progress now (a gauge).
        tls_handshakes_in_progress,
        /// Connections of trusted proxies closed because they did not begin with a PROXY protocol header.
        proxy_headers_malformed,
        /// Malformed or ambiguous requests answered with 400 and a closed connection.
        malformed_requests,
        /// Requests whose header was over the limit (431).
        oversized_headers,
        /// Requests for a host that no site declares (421).
        unknown_hosts,
        /// Requests for a path that their site does not declare (404).
        undeclared_paths,
        /// Requests from addresses that an operator blocked (403).
        blocked_requests,
        /// Prefixes the limiter keeps track of now (a gauge).
        limiter_prefixes,
        /// Prefixes the limiter forgot early because its table was full.
        limiter_evictions,
        /// Bytes of memory the limiter may use at most (a gauge).
        limiter_bytes_max,
        /// Answers in the cache now (a gauge).
        cache_entries,
        /// Bytes the cached answers take now (a gauge).
        cache_bytes,
        /// Bytes the cached answers may take at most (a gauge).
        cache_bytes_max,
        /// Copies of pages on disk now (a gauge).
        kept_copies,
        /// Bytes they take now (a gauge).
        kept_bytes,
        /// Bytes they may take at most (a gauge).
        kept_bytes_max,
        /// Copies written.
        kept_written,
        /// Times a copy was read because the origin gave no answer.
        kept_read,
        /// Copies not written because too many were waiting.
        kept_dropped,
        /// Copies that could not be written: no space, no permission.
        kept_write_failures,
        /// Copies found damaged, and deleted.
        kept_corrupt,
        /// Lines of the access log dropped because the disk was slow.
        access_records_dropped,
    }
}

counts! {
    /// What a gate decided since the server started. Every figure only grows.
    AdmissionCounts {
        /// Requests let to the origin, at once or after a wait.
        admitted,
        /// Requests that had to wait.
        waited,
        /// Requests whose visitor went away while waiting.
        abandoned,
        /// Requests of sources that asked for more than their share.
        over_share,
        /// Requests refused for want of room.
        refused_no_room,
        /// Requests refused for want of room, their source being over its share.
        refused_over_share,
        /// Requests refused after a wait, for somebody better proven.
        refused_displaced,
        /// Requests refused after the longest wait.
        refused_waited_out,
        /// Pages answered with the invisible redirect.
        challenged_redirect,
        /// Pages answered with the choice between work and waiting.
        challenged_choice,
        /// Pages answered with the waiting room.
        challenged_waiting_room,
        /// Sources forgotten before they were within their share again.
        sources_forgotten,
        /// Tickets too old or too new to be counted in the line.
        tickets_uncounted,
    }
}

impl AdmissionCounts {
    /// Pages answered with something that is asked of the visitor.
    #[must_use]
    pub fn challenged(&self) -> u64 {
        let kinds = [self.challenged_redirect, self.challenged_choice, self.challenged_waiting_room];
        kinds.into_iter().fold(0, u64::saturating_add)
    }

    /// Requests refused, for whatever reason.
    #[must_use]
    pub fn refused(&self) -> u64 {
        let reasons =
            [self.refused_no_room, self.refused_over_share, self.refused_displaced, self.refused_waited_out];
        reasons.into_iter().fold(0, u64::saturating_add)
    }
}

/// Whether a gate acts on what it decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GateMode {
    /// It does.
    On,
    /// It decides and counts, and everybody is let through.
    Observe,
}

impl GateMode {
    /// The word for it in settings and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Observe => "observe",
        }
    }
}

/// State of the gate before one path class of a site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GateStatus {
    /// The path class.
    pub class: Arc<str>,
    /// Whether it acts on what it decides.
    pub mode: GateMode,
    /// The rung of the ladder, 0 to 4.
    pub rung: u8,
    /// What it asks of visitors, in a word.
    pub rung_name: &'static str,
    /// Since when the gate stands on it.
    pub since: Timestamp,
    /// Requests that may be at the origin at once, as learned.
    pub limit: u32,
    /// Requests that are there.
    pub in_flight: u32,
    /// Requests a second the origin can answer, as learned.
    pub capacity_per_second: u64,
    /// Requests that wait for their turn.
    pub waiting: u32,
    /// Tickets in the waiting room's line.
    pub in_waiting_room: u64,
    /// The origin's latency in calm times, as far as it was learned.
    pub calm_latency: Option<std::time::Duration>,
    /// Bytes of memory the gate takes at most.
    pub memory_bytes_max: u64,
    /// Counted since the start.
    pub counts: AdmissionCounts,
}

/// A visitor said that he is a person and cannot get in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PersonReport {
    /// The reference on the page he was shown.
    pub reference: Option<ReferenceId>,
    /// Where he is.
    pub client: Prefix,
    /// When he said so.
    pub at: Timestamp,
}

/// Whether an origin answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OriginHealth {
    /// Nothing was asked of it yet.
    Unknown,
    /// It answers.
    Up,
    /// It failed repeatedly; only trial requests go to it until one succeeds.
    Down,
}

impl OriginHealth {
    /// The word for it in pages, JSON and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// State of one origin of a site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginStatus {
    /// The origin's address as configured: `http://10.0.0.5:8080`.
    pub url: Arc<str>,
    /// Whether it answers.
    pub health: OriginHealth,
    /// Since when it is in this state; `None` while unknown.
    pub since: Option<Timestamp>,
    /// The last failure in plain words; `None` when it has not failed since the start.
    pub last_failure: Option<Arc<str>>,
}

/// One site as the control loop sees it once a second.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteSnapshot {
    /// Which site.
    pub site: SiteId,
    /// Its name.
    pub name: Arc<str>,
    /// Its host names.
    pub hosts: Vec<Arc<str>>,
    /// What an outage of it means, as configured.
    pub role: Option<Arc<str>>,
    /// Counted since the start.
    pub counts: TrafficCounts,
    /// Its origins.
    pub origins: Vec<OriginStatus>,
    /// Its gates, one for each path class; none where admission is off.
    pub gates: Vec<GateStatus>,
    /// How often visitors reported since the start that they are people and cannot get in.
    pub person_reports: u64,
    /// The newest of these reports.
    pub last_person_report: Option<PersonReport>,
}

/// One site's traffic in one wall-clock minute: what the store keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MinuteTraffic {
    /// The site's name.
    pub site: Arc<str>,
    /// Start of the minute, in seconds since 1970-01-01T00:00:00Z; a multiple of 60.
    pub minute_unix_seconds: i64,
    /// Counted within that minute.
    pub counts: TrafficCounts,
    /// What its gates did within that minute, all path classes together.
    pub admission: AdmissionCounts,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_does_not_make_figures_negative() {
        let before = TrafficCounts { requests: 10, cache_hits: 4, ..TrafficCounts::default() };
        let after = TrafficCounts { requests: 3, cache_hits: 9, ..TrafficCounts::default() };
        let added = after.since(&before);
        assert_eq!((added.requests, added.cache_hits), (0, 5));
        assert_eq!(added.plus(&before).cache_hits, 9);
    }

    #[test]
    fn sums_of_admission_are_of_their_kinds() {
        let counts = AdmissionCounts {
            refused_no_room: 1,
            refused_over_share: 2,
            refused_displaced: 4,
            refused_waited_out: 8,
            challenged_redirect: 16,
            challenged_choice: 32,
            challenged_waiting_room: 64,
            ..AdmissionCounts::default()
        };
        let named = |start: &str| -> u64 {
            let figures = AdmissionCounts::FIELDS.iter().zip(counts.values());
            figures.filter(|((name, _), _)| name.starts_with(start)).map(|(_, figure)| figure).sum()
        };
        assert_eq!((counts.refused(), counts.challenged()), (named("refused_"), named("challenged_")));
        assert_eq!((counts.refused(), counts.challenged()), (15, 112));
    }

    #[test]
    fn names_and_values_run_in_step() {
        assert_eq!(TrafficCounts::FIELDS.len(), TrafficCounts::default().values().len());
        assert_eq!(TrafficCounts::FIELDS.first().map(|f| f.0), Some("requests"));
    }
}
