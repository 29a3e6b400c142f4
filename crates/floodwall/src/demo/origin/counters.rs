//! What the sample site has done so far, readable while it runs.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counts since the start of the sample site. Each is exact; read together they may be a request
/// apart from one another.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Requests of any kind, refused ones included.
    pub(crate) requests: AtomicU64,
    /// Look-ups that reached the database.
    pub(crate) lookups: AtomicU64,
    /// Look-ups turned away because the database was busy.
    pub(crate) lookups_refused: AtomicU64,
    /// Look-ups in the database at this moment.
    pub(crate) lookups_in_progress: AtomicU64,
    /// The most look-ups that were in the database at one moment.
    pub(crate) lookups_in_progress_max: AtomicU64,
}

impl Counters {
    /// Counts one look-up as in progress until the returned value is dropped, also when the
    /// visitor goes away in the middle.
    pub(crate) fn look_up_starts(&self) -> LookUpInProgress<'_> {
        self.lookups.fetch_add(1, Relaxed);
        let now = self.lookups_in_progress.fetch_add(1, Relaxed) + 1;
        self.lookups_in_progress_max.fetch_max(now, Relaxed);
        LookUpInProgress { counters: self }
    }

    /// The body of `/healthz`.
    pub(crate) fn to_json(&self) -> String {
        format!(
            "{{\"status\":\"ok\",\"requests\":{},\"lookups\":{},\"lookups_refused\":{},\
             \"lookups_in_progress\":{},\"lookups_in_progress_max\":{}}}\n",
            self.requests.load(Relaxed),
            self.lookups.load(Relaxed),
            self.lookups_refused.load(Relaxed),
            self.lookups_in_progress.load(Relaxed),
            self.lookups_in_progress_max.load(Relaxed),
        )
    }
}

/// One look-up being counted as in progress.
#[derive(Debug)]
pub(crate) struct LookUpInProgress<'a> {
    counters: &'a Counters,
}

impl Drop for LookUpInProgress<'_> {
    fn drop(&mut self) {
        self.counters.lookups_in_progress.fetch_sub(1, Relaxed);
    }
}
