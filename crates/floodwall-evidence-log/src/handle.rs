//! What a server holds of its log: records go in without waiting, and an acknowledgement comes back
//! when they are durable.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use floodwall_evidence::{Checkpoint, Fact, Loss, Origin};
use floodwall_model::{Clock, Timestamp};
use parking_lot::{Condvar, Mutex};

use crate::{EvidenceError, EvidenceLog};

/// Records in one batch at most: with their tiles some 20 MiB in memory at worst.
const BATCH_RECORDS_MAX: usize = 16_384;

/// Bounds of a handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandleSettings {
    /// Records that wait for the disk at most.
    pub queue_records_max: usize,
    /// Bytes of them at most.
    pub queue_bytes_max: usize,
}

impl Default for HandleSettings {
    /// 65,536 records and 32 MiB.
    fn default() -> Self {
        Self { queue_records_max: 65_536, queue_bytes_max: 32 << 20 }
    }
}

/// How the log is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EvidenceFigures {
    /// Records that are durable in the log.
    pub size: u64,
    /// Records that wait to be written now.
    pub queued: u64,
    /// Records lost since the start.
    pub lost: u64,
    /// Of these, not yet recorded as lost in the log itself.
    pub lost_unrecorded: u64,
    /// Why the last batch was not written; `None` when it was.
    pub failing: Option<String>,
}

/// What became of records that were handed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Appended {
    /// They are durable, at these places.
    At(Range<u64>),
    /// They are lost, and counted as such.
    Lost {
        /// Why, in words.
        why: String,
    },
}

/// An acknowledgement that will come.
#[derive(Debug)]
pub struct Receipt(Receiver<Appended>);

impl Receipt {
    /// Waits for it. `None` where it does not come within `wait_max`.
    #[must_use]
    pub fn wait(&self, wait_max: Duration) -> Option<Appended> {
        self.0.recv_timeout(wait_max).ok()
    }
}

#[derive(Debug)]
struct Item {
    records: Vec<Vec<u8>>,
    reply: Option<SyncSender<Appended>>,
}

/// Records that are lost and not yet recorded as such.
#[derive(Clone, Debug)]
struct Missing {
    records: u64,
    first: Timestamp,
    last: Timestamp,
    why: String,
}

#[derive(Debug, Default)]
struct Inbox {
    items: VecDeque<Item>,
    records: usize,
    bytes: usize,
    closing: bool,
    ended: bool,
    missing: Option<Missing>,
    figures: EvidenceFigures,
    checkpoint: Option<Checkpoint>,
}

impl Inbox {
    fn lose(&mut self, records: usize, now: Timestamp, why: &str) {
        let records = u64::try_from(records).unwrap_or(u64::MAX);
        if records == 0 {
            return;
        }
        self.figures.lost = self.figures.lost.saturating_add(records);
        let missing = self.missing.get_or_insert_with(|| Missing {
            records: 0,
            first: now,
            last: now,
            why: why.to_owned(),
        });
        missing.records = missing.records.saturating_add(records);
        missing.last = now;
    }
}

struct Shared {
    inbox: Mutex<Inbox>,
    wake: Condvar,
    ended: Condvar,
    clock: Arc<dyn Clock>,
    origin: Origin,
    settings: HandleSettings,
}

/// A log on a thread of its own. Clones share it; when the last is dropped, the thread writes what
/// waits and ends.
#[derive(Clone)]
pub struct EvidenceHandle {
    owner: Arc<Owner>,
}

struct Owner(Arc<Shared>);

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.inbox.lock().closing = true;
        self.0.wake.notify_one();
    }
}

impl std::fmt::Debug for EvidenceHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EvidenceHandle").field("figures", &self.figures()).finish()
    }
}

impl EvidenceHandle {
    /// Starts the thread. Losses are recorded with `origin` and `clock`.
    ///
    /// # Errors
    /// [`EvidenceError::Thread`].
    pub fn start(
        log: EvidenceLog,
        origin: Origin,
        clock: Arc<dyn Clock>,
        settings: HandleSettings,
    ) -> Result<Self, EvidenceError> {
        let checkpoint = log.checkpoint();
        let figures = EvidenceFigures { size: checkpoint.size, ..EvidenceFigures::default() };
        let inbox = Inbox { figures, checkpoint: Some(checkpoint), ..Inbox::default() };
        let shared = Arc::new(Shared {
            inbox: Mutex::new(inbox),
            wake: Condvar::new(),
            ended: Condvar::new(),
            clock,
            origin,
            settings,
        });
        let worker = Worker { log, shared: shared.clone() };
        std::thread::Builder::new()
            .name("evidence".to_owned())
            .spawn(move || worker.run())
            .map_err(EvidenceError::Thread)?;
        Ok(Self { owner: Arc::new(Owner(shared)) })
    }

    /// Hands a record over. Never waits for the disk; where there is no room it is counted as lost.
    pub fn append(&self, record: Vec<u8>) {
        self.put(vec![record], None);
    }

    /// Hands records over, to be written one after the other in one batch; the receipt says when they
    /// are durable.
    #[must_use]
    pub fn append_acknowledged(&self, records: Vec<Vec<u8>>) -> Receipt {
        let (reply, receipt) = sync_channel(1);
        self.put(records, Some(reply));
        Receipt(receipt)
    }

    fn put(&self, records: Vec<Vec<u8>>, reply: Option<SyncSender<Appended>>) {
        let shared = &self.owner.0;
        let bytes: usize = records.iter().map(Vec::len).sum();
        let mut inbox = shared.inbox.lock();
        let is_over = inbox.records.saturating_add(records.len()) > shared.settings.queue_records_max
            || inbox.bytes.saturating_add(bytes) > shared.settings.queue_bytes_max;
        let why = if inbox.closing {
            Some("the log was closing")
        } else if is_over {
            Some("too many records waited for the disk")
        } else {
            None
        };
        if let Some(why) = why {
            inbox.lose(records.len(), shared.clock.now(), why);
            drop(inbox);
            if let Some(reply) = reply {
                let _ = reply.try_send(Appended::Lost { why: why.to_owned() });
            }
            return;
        }
        inbox.records += records.len();
        inbox.bytes += bytes;
        inbox.items.push_back(Item { records, reply });
        drop(inbox);
        shared.wake.notify_one();
    }

    /// How the log is doing now.
    #[must_use]
    pub fn figures(&self) -> EvidenceFigures {
        let inbox = self.owner.0.inbox.lock();
        let queued = u64::try_from(inbox.records).unwrap_or(u64::MAX);
        let lost_unrecorded = inbox.missing.as_ref().map_or(0, |missing| missing.records);
        EvidenceFigures { queued, lost_unrecorded, ..inbox.figures.clone() }
    }

    /// The last checkpoint.
    #[must_use]
    pub fn checkpoint(&self) -> Option<Checkpoint> {
        self.owner.0.inbox.lock().checkpoint.clone()
    }

    /// Writes what was handed in and ends; waits for that at most `wait_max`. Whether it ended.
    pub fn close(&self, wait_max: Duration) -> bool {
        let shared = &self.owner.0;
        let mut inbox = shared.inbox.lock();
        inbox.closing = true;
        shared.wake.notify_one();
        shared.ended.wait_while_for(&mut inbox, |inbox| !inbox.ended, wait_max);
        inbox.ended
    }
}

struct Worker {
    log: EvidenceLog,
    shared: Arc<Shared>,
}

impl Worker {
    fn run(mut self) {
        while let Some((items, missing)) = self.take() {
            self.write(items, missing);
        }
        let mut inbox = self.shared.inbox.lock();
        inbox.ended = true;
        self.shared.ended.notify_all();
    }

    /// The next batch, and what is to be recorded as lost with it; `None` at the end.
    fn take(&self) -> Option<(Vec<Item>, Option<Missing>)> {
        let mut inbox = self.shared.inbox.lock();
        while inbox.items.is_empty() && !inbox.closing {
            self.shared.wake.wait(&mut inbox);
        }
        if inbox.items.is_empty() {
            return None;
        }
        let (mut items, mut records) = (Vec::new(), 0);
        while let Some(next) = inbox.items.front() {
            if !items.is_empty() && records + next.records.len() > BATCH_RECORDS_MAX {
                break;
            }
            let Some(next) = inbox.items.pop_front() else { break };
            records += next.records.len();
            inbox.records = inbox.records.saturating_sub(next.records.len());
            inbox.bytes = inbox.bytes.saturating_sub(next.records.iter().map(Vec::len).sum());
            items.push(next);
        }
        Some((items, inbox.missing.take()))
    }

    fn write(&mut self, items: Vec<Item>, missing: Option<Missing>) {
        let mut batch = Vec::new();
        if let Some(record) = missing.as_ref().and_then(|missing| self.loss(missing)) {
            batch.push(record);
        }
        let mut replies = Vec::with_capacity(items.len());
        for item in items {
            replies.push((item.records.len(), item.reply));
            batch.extend(item.records);
        }
        let outcome = self.log.append(&batch);
        let mut inbox = self.shared.inbox.lock();
        inbox.figures.size = self.log.checkpoint().size;
        inbox.checkpoint = Some(self.log.checkpoint());
        match outcome {
            Ok(places) => {
                inbox.figures.failing = None;
                drop(inbox);
                // The record of a loss comes before the others.
                let given: usize = replies.iter().map(|(records, _)| records).sum();
                let mut at = places.end.saturating_sub(given as u64);
                for (records, reply) in replies {
                    let end = at.saturating_add(records as u64);
                    if let Some(reply) = reply {
                        let _ = reply.try_send(Appended::At(at..end));
                    }
                    at = end;
                }
            }
            Err(error) => {
                let (why, now) = (error.to_string(), self.shared.clock.now());
                if inbox.figures.failing.is_none() {
                    tracing::error!(%error, "the evidence log takes nothing; what is lost is counted and recorded later");
                }
                inbox.figures.failing = Some(why.clone());
                let newer = inbox.missing.take();
                inbox.missing = missing;
                let given = replies.iter().map(|(records, _)| records).sum();
                inbox.lose(given, now, &why);
                if let (Some(newer), Some(missing)) = (newer, &mut inbox.missing) {
                    missing.records = missing.records.saturating_add(newer.records);
                    missing.last = newer.last;
                }
                drop(inbox);
                for (_, reply) in replies {
                    if let Some(reply) = reply {
                        let _ = reply.try_send(Appended::Lost { why: why.clone() });
                    }
                }
            }
        }
    }

    fn loss(&self, missing: &Missing) -> Option<Vec<u8>> {
        let fact = Fact::Loss(Loss {
            records: missing.records,
            first_at: missing.first.to_string(),
            last_at: missing.last.to_string(),
            why: missing.why.clone(),
        });
        self.shared.origin.record(self.shared.clock.now(), fact).to_bytes().ok()
    }
}
