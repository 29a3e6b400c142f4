//! What a server holds of its store: records go in without waiting, questions are answered within a
//! time, closing loses nothing that can be written.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use floodwall_model::MinuteTraffic;

use crate::thread::{Question, Reply, Shared, Worker};
use crate::{Store, StoreError, StoredIncident, StoredOutage, WatchRows};

/// Questions that may wait at once; a further one is answered with [`StoreError::Slow`].
const QUESTIONS_MAX: usize = 16;

/// Incidents that wait to be written at the most.
const INCIDENTS_WAITING_MAX: usize = 256;

/// Rows of what the watch saw that wait to be written at the most.
const WATCH_ROWS_WAITING_MAX: usize = 16_384;

/// Bounds of a handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandleSettings {
    /// Minutes (one for each site) that wait in memory at most while the disk takes nothing. A
    /// minute takes some 300 bytes; up to 2000 more are on their way to the disk.
    pub backlog_rows_max: usize,
    /// How long [`StoreHandle::history`] waits for its answer.
    pub answer_wait_max: Duration,
}

impl Default for HandleSettings {
    /// 65,536 minutes (20 MiB: ten sites for four days) and 3 seconds.
    fn default() -> Self {
        Self { backlog_rows_max: 65_536, answer_wait_max: Duration::from_secs(3) }
    }
}

/// How the store is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreFigures {
    /// Records that wait to be written now.
    pub backlog_records: u64,
    /// Records lost since the start: no room in the backlog, or handed in after closing began.
    pub records_dropped: u64,
    /// Transactions that failed since the start. Their records were kept and tried again.
    pub writes_failed: u64,
    /// Why the last write failed; `None` when it succeeded.
    pub failing: Option<StoreError>,
}

/// Records that closing could not write.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{records} records of traffic were not written: {error}")]
pub struct Unwritten {
    /// How many.
    pub records: u64,
    /// Why.
    pub error: StoreError,
}

/// A store on a thread of its own. Clones share it; when the last is dropped, the thread writes what
/// waits and ends.
#[derive(Clone, Debug)]
pub struct StoreHandle {
    owner: Arc<Owner>,
}

#[derive(Debug)]
struct Owner {
    shared: Arc<Shared>,
    answer_wait_max: Duration,
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.shared.begin_closing();
    }
}

impl StoreHandle {
    /// Starts the thread.
    ///
    /// # Errors
    /// [`StoreError::Thread`].
    pub fn start(store: Store, settings: HandleSettings) -> Result<Self, StoreError> {
        let shared = Arc::new(Shared::new(settings.backlog_rows_max));
        let worker = Worker { store, shared: shared.clone() };
        std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || worker.run())
            .map_err(|error| StoreError::Thread { detail: error.to_string() })?;
        Ok(Self { owner: Arc::new(Owner { shared, answer_wait_max: settings.answer_wait_max }) })
    }

    /// Hands records over to be added to their minutes. Never waits for the disk; what there is no
    /// room for is counted in [`StoreFigures::records_dropped`].
    pub fn add_traffic(&self, records: &[MinuteTraffic]) {
        let mut inbox = self.owner.shared.inbox.lock();
        if inbox.closing {
            inbox.backlog.drop_records(u64::try_from(records.len()).unwrap_or(u64::MAX));
            return;
        }
        for record in records {
            inbox.backlog.add(record);
        }
        inbox.fresh = true;
        drop(inbox);
        self.owner.shared.wake.notify_one();
    }

    /// Asks for every minute that starts before `before_unix_seconds` to be deleted, in the
    /// background and in small batches.
    pub fn prune(&self, before_unix_seconds: i64) {
        let mut inbox = self.owner.shared.inbox.lock();
        let later =
            inbox.prune_before.map_or(before_unix_seconds, |waiting| waiting.max(before_unix_seconds));
        inbox.prune_before = Some(later);
        drop(inbox);
        self.owner.shared.wake.notify_one();
    }

    /// As [`Store::traffic`]; blocks for at most [`HandleSettings::answer_wait_max`]. Records handed
    /// in a moment ago may not be in it yet.
    ///
    /// # Errors
    /// As [`Store::traffic`]; [`StoreError::Slow`] when the answer takes too long or too many wait,
    /// [`StoreError::Closed`] after closing began.
    pub fn history(
        &self,
        site: &str,
        from_unix_seconds: i64,
        to_unix_seconds: i64,
    ) -> Result<Vec<MinuteTraffic>, StoreError> {
        let site = site.to_owned();
        self.ask(|reply| Question::Traffic { site, from_unix_seconds, to_unix_seconds, reply })
    }

    /// Hands an incident over to be written; what waits of it already is replaced, and no judgement of it
    /// lost. Never waits for the disk. `false` where there is no room or the store is closed.
    pub fn put_incident(&self, mut incident: StoredIncident) -> bool {
        let mut inbox = self.owner.shared.inbox.lock();
        let waiting = inbox.incidents.remove(&incident.key);
        if inbox.closing || (waiting.is_none() && inbox.incidents.len() >= INCIDENTS_WAITING_MAX) {
            return false;
        }
        if let Some(earlier) = waiting {
            incident.add_earlier(&earlier);
        }
        inbox.incidents.insert(incident.key.clone(), incident);
        inbox.fresh = true;
        drop(inbox);
        self.owner.shared.wake.notify_one();
        true
    }

    /// As [`Store::incidents`]; blocks as [`Self::history`] does.
    ///
    /// # Errors
    /// As [`Self::history`].
    pub fn incidents(&self, rows_max: usize) -> Result<Vec<StoredIncident>, StoreError> {
        self.ask(|reply| Question::Incidents { rows_max, reply })
    }

    /// As [`Store::incident`]; blocks as [`Self::history`] does.
    ///
    /// # Errors
    /// As [`Self::history`].
    pub fn incident(&self, key: &str) -> Result<Option<StoredIncident>, StoreError> {
        let key = key.to_owned();
        self.ask(|reply| Question::Incident { key, reply })
    }

    /// Hands over what the watch saw. Never waits for the disk. `false` where there is no room or the store
    /// is closed.
    pub fn put_watch(&self, rows: WatchRows) -> bool {
        let mut inbox = self.owner.shared.inbox.lock();
        if inbox.closing || inbox.watch.rows().saturating_add(rows.rows()) > WATCH_ROWS_WAITING_MAX {
            return false;
        }
        inbox.watch.add(rows);
        inbox.fresh = true;
        drop(inbox);
        self.owner.shared.wake.notify_one();
        true
    }

    /// As [`Store::outages`]; blocks as [`Self::history`] does.
    ///
    /// # Errors
    /// As [`Self::history`].
    pub fn outages(&self, rows_max: usize) -> Result<Vec<StoredOutage>, StoreError> {
        self.ask(|reply| Question::Outages { rows_max, reply })
    }

    /// As [`Store::watch_since`]; blocks as [`Self::history`] does.
    ///
    /// # Errors
    /// As [`Self::history`].
    pub fn watch_since(&self, from_unix_micros: i64) -> Result<WatchRows, StoreError> {
        self.ask(|reply| Question::WatchSince { from_unix_micros, reply })
    }

    fn ask<T>(&self, question: impl FnOnce(Reply<T>) -> Question) -> Result<T, StoreError> {
        let (reply, answer) = sync_channel(1);
        let mut inbox = self.owner.shared.inbox.lock();
        if inbox.closing {
            return Err(StoreError::Closed);
        }
        if inbox.questions.len() >= QUESTIONS_MAX {
            return Err(StoreError::Slow);
        }
        inbox.questions.push_back(question(reply));
        drop(inbox);
        self.owner.shared.wake.notify_one();
        match answer.recv_timeout(self.owner.answer_wait_max) {
            Ok(answer) => answer,
            Err(RecvTimeoutError::Timeout) => Err(StoreError::Slow),
            Err(RecvTimeoutError::Disconnected) => Err(StoreError::Closed),
        }
    }

    /// How the store is doing now.
    #[must_use]
    pub fn figures(&self) -> StoreFigures {
        let inbox = self.owner.shared.inbox.lock();
        StoreFigures {
            backlog_records: inbox.backlog.records().saturating_add(inbox.records_in_flight),
            records_dropped: inbox.backlog.records_dropped(),
            writes_failed: inbox.writes_failed,
            failing: inbox.failing.clone(),
        }
    }

    /// Writes everything that was handed in and closes the file; waits for that at most `wait_max`.
    /// Records handed in from now on are counted as dropped. Calling it again gives the same answer.
    ///
    /// # Errors
    /// [`Unwritten`] with what could not be written, or was not within `wait_max` (the thread goes
    /// on with it then, for as long as the process lives).
    pub fn flush_and_close(&self, wait_max: Duration) -> Result<(), Unwritten> {
        let shared = &self.owner.shared;
        shared.begin_closing();
        let mut inbox = shared.inbox.lock();
        shared.ended.wait_while_for(&mut inbox, |inbox| inbox.ended.is_none(), wait_max);
        let outcome = inbox.ended.clone().unwrap_or(Err(StoreError::Slow));
        let records = inbox.backlog.records().saturating_add(inbox.records_in_flight);
        outcome.map_err(|error| Unwritten { records, error })
    }
}

#[cfg(test)]
#[path = "handle_tests.rs"]
mod tests;
