//! Counters of the data plane: each worker writes its own, the control plane adds them up.
//!
//! A worker is one thread and the only writer of its counters, so that counting is a plain load and
//! store: no locked instruction and no cache line shared between cores on the hot path.

use std::sync::atomic::{AtomicU64, Ordering};

use floodwall_model::{EdgeCounts, SiteId, TrafficCounts};

/// A counter with one writing thread and any number of readers.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    /// Adds `n`. Only the owning worker calls this.
    pub(crate) fn add(&self, n: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
    }

    /// Takes `n` away (gauges). Only the owning worker calls this.
    pub(crate) fn sub(&self, n: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).saturating_sub(n), Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

macro_rules! counters {
    ($(#[$meta:meta])* $name:ident => $model:ident { $($field:ident,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Default)]
        pub(crate) struct $name { $(pub(crate) $field: Counter,)+ }

        impl $name {
            fn add_to(&self, sum: &mut $model) {
                $(sum.$field = sum.$field.saturating_add(self.$field.get());)+
            }
        }
    };
}

counters! {
    /// One worker's figures of one site; see [`TrafficCounts`] for what each says.
    #[repr(align(128))]
    SiteCounters => TrafficCounts {
        requests, responses_2xx, responses_3xx, responses_4xx, responses_5xx,
        cache_hits, cache_stale, cache_misses, refused_prefix_rate,
        origin_requests, origin_errors, origin_5xx, origin_wait_us,
        request_body_bytes, response_body_bytes,
    }
}

impl SiteCounters {
    /// Counts an answer by the class of its status.
    pub(crate) fn count_status(&self, status: http::StatusCode) {
        match status.as_u16() {
            200..=299 => self.responses_2xx.add(1),
            300..=399 => self.responses_3xx.add(1),
            400..=499 => self.responses_4xx.add(1),
            500..=599 => self.responses_5xx.add(1),
            _ => {}
        }
    }
}

counters! {
    /// One worker's figures that belong to no site; see [`EdgeCounts`].
    #[repr(align(128))]
    WorkerCounters => EdgeCounts {
        connections_accepted, connections_open, connections_refused, connections_timed_out,
        tls_handshakes_failed, tls_handshakes_full, tls_handshakes_resumed, tls_handshakes_refused,
        proxy_headers_malformed, malformed_requests, oversized_headers, unknown_hosts, undeclared_paths, blocked_requests,
    }
}

/// All figures of one worker.
#[derive(Debug)]
pub(crate) struct Counters {
    sites: Vec<SiteCounters>,
    pub(crate) worker: WorkerCounters,
    /// Where a request for a site that is not in the list is counted; it cannot happen, and if it
    /// did it must not end a visitor's request.
    stray: SiteCounters,
}

impl Counters {
    pub(crate) fn new(sites: usize) -> Self {
        Self {
            sites: std::iter::repeat_with(SiteCounters::default).take(sites).collect(),
            worker: WorkerCounters::default(),
            stray: SiteCounters::default(),
        }
    }

    pub(crate) fn site(&self, site: SiteId) -> &SiteCounters {
        self.sites.get(usize::from(site.0)).unwrap_or(&self.stray)
    }

    /// Adds this worker's figures of `site` to `sum`.
    pub(crate) fn add_site_to(&self, site: SiteId, sum: &mut TrafficCounts) {
        self.site(site).add_to(sum);
    }

    /// Adds this worker's own figures to `sum`.
    pub(crate) fn add_worker_to(&self, sum: &mut EdgeCounts) {
        self.worker.add_to(sum);
    }
}
