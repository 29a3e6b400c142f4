//! The store's thread: takes what was left in the inbox, a bounded piece at a time, and does it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use floodwall_model::MinuteTraffic;
use parking_lot::{Condvar, Mutex};

use crate::backlog::{Backlog, Batch};
use crate::watch::WatchWaiting;
use crate::{PRUNE_BATCH_ROWS, Store, StoreError, StoredIncident, StoredOutage, WatchRows};

/// Rows written in one transaction at most: some 20 ms, so that a question asked while a long
/// backlog is written waits no longer.
const BATCH_ROWS: usize = 2000;

/// How long a failed write waits for the next try when nothing new comes.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// How often the last records are tried while closing. More than once for a lock held by another
/// program; each try waits for it.
const CLOSING_TRIES: u32 = 3;

/// What somebody wants to read. Each reply has room for the one answer, so that answering never blocks.
#[derive(Debug)]
pub(crate) enum Question {
    Traffic { site: String, from_unix_seconds: i64, to_unix_seconds: i64, reply: Reply<Vec<MinuteTraffic>> },
    Incidents { rows_max: usize, reply: Reply<Vec<StoredIncident>> },
    Incident { key: String, reply: Reply<Option<StoredIncident>> },
    Outages { rows_max: usize, reply: Reply<Vec<StoredOutage>> },
    WatchSince { from_unix_micros: i64, reply: Reply<WatchRows> },
}

pub(crate) type Reply<T> = SyncSender<Result<T, StoreError>>;

/// Left by the handles, taken by the thread. Its lock is never held while the disk is touched.
#[derive(Debug)]
pub(crate) struct Inbox {
    pub(crate) backlog: Backlog,
    /// Something was added to the backlog since the thread last looked.
    pub(crate) fresh: bool,
    pub(crate) questions: VecDeque<Question>,
    /// Incidents that wait to be written, by name: the newest of each.
    pub(crate) incidents: BTreeMap<String, StoredIncident>,
    /// What the watch saw, and waits to be written.
    pub(crate) watch: WatchWaiting,
    pub(crate) prune_before: Option<i64>,
    pub(crate) closing: bool,
    /// Records taken out of the backlog and not yet known to be written.
    pub(crate) records_in_flight: u64,
    /// Why the last write failed; `None` since one succeeded.
    pub(crate) failing: Option<StoreError>,
    pub(crate) writes_failed: u64,
    /// Set when the thread is done: whether everything was written.
    pub(crate) ended: Option<Result<(), StoreError>>,
}

impl Inbox {
    fn has_news(&self) -> bool {
        self.fresh || self.closing || self.prune_before.is_some() || !self.questions.is_empty()
    }
}

/// What thread and handles share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) inbox: Mutex<Inbox>,
    /// Told when there is something to do.
    pub(crate) wake: Condvar,
    /// Told when the thread has ended.
    pub(crate) ended: Condvar,
}

impl Shared {
    pub(crate) fn new(backlog_rows_max: usize) -> Self {
        let inbox = Inbox {
            backlog: Backlog::new(backlog_rows_max),
            fresh: false,
            questions: VecDeque::new(),
            incidents: BTreeMap::new(),
            watch: WatchWaiting::default(),
            prune_before: None,
            closing: false,
            records_in_flight: 0,
            failing: None,
            writes_failed: 0,
            ended: None,
        };
        Self { inbox: Mutex::new(inbox), wake: Condvar::new(), ended: Condvar::new() }
    }

    /// Asks the thread to write what waits and to end.
    pub(crate) fn begin_closing(&self) {
        self.inbox.lock().closing = true;
        self.wake.notify_one();
    }

    /// Waits until there is something to do, or something to try again.
    fn wait(&self) {
        let mut inbox = self.inbox.lock();
        while !inbox.has_news() {
            if inbox.backlog.is_empty() && inbox.incidents.is_empty() && inbox.watch.rows() == 0 {
                self.wake.wait(&mut inbox);
            } else if self.wake.wait_for(&mut inbox, RETRY_AFTER).timed_out() {
                return;
            }
        }
    }
}

/// What to do after one turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// More is waiting.
    Go,
    /// All is done, or must be tried later.
    Wait,
    /// Closing was asked for.
    Close,
}

/// The thread's own side.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) store: Store,
    pub(crate) shared: Arc<Shared>,
}

impl Worker {
    /// Works until closing is asked for, then writes what waits and ends.
    pub(crate) fn run(mut self) {
        loop {
            match self.turn() {
                Next::Go => {}
                Next::Wait => self.shared.wait(),
                Next::Close => return self.close(),
            }
        }
    }

    /// One bounded piece of everything that waits.
    pub(crate) fn turn(&mut self) -> Next {
        let (questions, prune_before, batch) = {
            let mut inbox = self.shared.inbox.lock();
            if inbox.closing {
                return Next::Close;
            }
            inbox.fresh = false;
            let questions = std::mem::take(&mut inbox.questions);
            let batch = inbox.backlog.take(BATCH_ROWS);
            inbox.records_in_flight = batch.records();
            (questions, inbox.prune_before.take(), batch)
        };
        // Whoever asks for outages has handed over what changed before.
        self.write_watch();
        for question in questions {
            self.answer(&question);
        }
        self.write_incidents();
        let written = self.write(batch).is_ok();
        let prune_on = prune_before.is_some_and(|before| self.prune(before));
        let waits = !self.shared.inbox.lock().backlog.is_empty();
        if prune_on || (written && waits) { Next::Go } else { Next::Wait }
    }

    fn answer(&self, question: &Question) {
        // Fails only when whoever asked has stopped waiting.
        match question {
            Question::Traffic { site, from_unix_seconds, to_unix_seconds, reply } => {
                let _ = reply.try_send(self.store.traffic(site, *from_unix_seconds, *to_unix_seconds));
            }
            Question::Incidents { rows_max, reply } => {
                let _ = reply.try_send(self.store.incidents(*rows_max));
            }
            Question::Incident { key, reply } => {
                let _ = reply.try_send(self.store.incident(key));
            }
            Question::Outages { rows_max, reply } => {
                let _ = reply.try_send(self.store.outages(*rows_max));
            }
            Question::WatchSince { from_unix_micros, reply } => {
                let _ = reply.try_send(self.store.watch_since(*from_unix_micros));
            }
        }
    }

    /// Writes the incidents that wait, or puts those back of which nothing newer came.
    fn write_incidents(&mut self) {
        let waiting = std::mem::take(&mut self.shared.inbox.lock().incidents);
        if waiting.is_empty() {
            return;
        }
        let incidents: Vec<_> = waiting.into_values().collect();
        if let Err(error) = self.store.put_incidents(&incidents) {
            tracing::warn!(%error, "incidents are not written; they wait in memory and are tried again");
            let mut inbox = self.shared.inbox.lock();
            for incident in incidents {
                let newer = inbox.incidents.entry(incident.key.clone());
                newer.and_modify(|newer| newer.add_earlier(&incident)).or_insert(incident);
            }
        }
    }

    /// The same for what the watch saw.
    fn write_watch(&mut self) {
        let waiting = self.shared.inbox.lock().watch.take();
        if waiting.rows() == 0 {
            return;
        }
        if let Err(error) = self.store.put_watch(&waiting) {
            tracing::warn!(%error, "what the watch saw is not written; it waits in memory and is tried again");
            let mut inbox = self.shared.inbox.lock();
            let newer = inbox.watch.take();
            inbox.watch.add(waiting);
            inbox.watch.add(newer);
        }
    }

    /// Writes a batch, or puts it back.
    fn write(&mut self, batch: Batch) -> Result<(), StoreError> {
        if batch.is_empty() {
            return Ok(());
        }
        let result = self.store.add_traffic(&batch.to_traffic());
        let mut inbox = self.shared.inbox.lock();
        inbox.records_in_flight = 0;
        match &result {
            Ok(()) => {
                if inbox.failing.take().is_some() {
                    tracing::info!(store = %self.store.path().display(), "the store is written again");
                }
            }
            Err(error) => {
                inbox.backlog.put_back(batch);
                inbox.writes_failed = inbox.writes_failed.saturating_add(1);
                // Once for every new reason, not once a second.
                if inbox.failing.replace(error.clone()).as_ref() != Some(error) {
                    tracing::warn!(%error, "traffic is not written; it waits in memory and is tried again");
                }
            }
        }
        result
    }

    /// Deletes a batch of old rows and leaves the rest for the next turn; whether there is a rest.
    fn prune(&mut self, before: i64) -> bool {
        match self.store.prune_batch(before, PRUNE_BATCH_ROWS) {
            Ok(deleted) if deleted < PRUNE_BATCH_ROWS => false,
            Ok(_) => {
                self.shared.inbox.lock().prune_before.get_or_insert(before);
                true
            }
            Err(error) => {
                tracing::warn!(%error, "old traffic is not deleted; the next pruning does it");
                false
            }
        }
    }

    /// Writes everything that waits, closes the file, and tells how it went.
    fn close(mut self) {
        self.write_incidents();
        self.write_watch();
        let mut result = Ok(());
        let mut tries = CLOSING_TRIES;
        loop {
            let batch = {
                let mut inbox = self.shared.inbox.lock();
                let batch = inbox.backlog.take(BATCH_ROWS);
                inbox.records_in_flight = batch.records();
                batch
            };
            if batch.is_empty() {
                break;
            }
            result = self.write(batch);
            if let Err(error) = &result {
                tries -= 1;
                if tries == 0 || !error.retryable() {
                    break;
                }
            }
        }
        let Self { store, shared } = self;
        let closed = store.close();
        let mut inbox = shared.inbox.lock();
        // Whoever asked learns of it by the reply's other end being gone.
        inbox.questions.clear();
        inbox.ended = Some(result.and(closed));
        shared.ended.notify_all();
    }
}
