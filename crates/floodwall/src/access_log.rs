//! The access log: one line for every request, written on a thread of its own.
//!
//! A request never waits for the disk. Records go through a queue bounded in number and bytes; what
//! a slow disk leaves no room for is dropped and counted ([`AccessLogHandle::dropped`]).
//! Lines are written out when the queue runs empty or 64 KiB have come together. A write that fails
//! is counted and tried again with what came since, up to 1 MiB; a file holds whole lines only.
//!
//! The file is put aside once it would grow beyond `rotate_bytes`: `access.log` becomes
//! `access.log.1`, that `access.log.2`, and so on up to `keep_files`. Whoever prefers a rotation
//! from outside renames the file and asks for [`AccessLogHandle::reopen`].
//!
//! Lines are in memory until written: a killed process loses those of the last moment.

mod files;

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use floodwall_edge::AccessSink;
use floodwall_exchange::access_log::{push_combined, push_json};
use floodwall_model::AccessRecord;

use crate::settings::{self, AccessLogFormat};
use files::{Files, LogFiles};

/// How long a failed write waits for the next try when no records come.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// After how many records a failed write is tried again when they come without pause.
const RETRY_RECORDS: u32 = 1024;

/// How long the thread, when closing, waits for a record whose sender has announced it.
const ANNOUNCED_WAIT: Duration = Duration::from_millis(10);

/// What may wait where.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// Records in the queue.
    queue_records_max: usize,
    /// Bytes of the records in the queue: their texts are as long as visitors like.
    queue_bytes_max: u64,
    /// Bytes of lines that are written together.
    write_bytes: usize,
    /// Bytes of lines kept while the disk takes none, and one line more.
    unwritten_bytes_max: usize,
}

const LIMITS: Limits = Limits {
    queue_records_max: 8192,
    queue_bytes_max: 16 << 20,
    write_bytes: 64 << 10,
    unwritten_bytes_max: 1 << 20,
};

/// Why there is no access log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AccessLogError {
    /// The file cannot be opened for appending, nor made.
    #[error("cannot write the access log {path}: {source}; its directory must exist and be writable")]
    Open {
        /// `server.access_log.path`.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A device or pipe cannot be put aside.
    #[error("the access log {path} is not a regular file; name one that can be renamed when it is full")]
    NotAFile {
        /// `server.access_log.path`.
        path: PathBuf,
    },
    /// The system would not start a thread.
    #[error("cannot start the access log's thread: {0}")]
    Thread(io::Error),
}

/// Records that closing could not write; they are in [`AccessLogHandle::dropped`] where the
/// disk refused them, and still on their way where it only took too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{records} records of the access log were not written")]
pub(crate) struct Unwritten {
    /// How many.
    pub(crate) records: u64,
}

#[derive(Debug, Default)]
struct Shared {
    queued_bytes: AtomicU64,
    /// Records announced or in the queue. Announced before `closing` is looked at, so that once the
    /// thread has seen `closing` and zero here, no record can come after it.
    queued_records: AtomicU64,
    /// Records in lines not yet written.
    unwritten_records: AtomicU64,
    records_dropped: AtomicU64,
    reopen: AtomicBool,
    closing: AtomicBool,
    /// Set when the thread is done: how many records it had to give up at the end.
    ended: Mutex<Option<u64>>,
    ended_told: Condvar,
}

impl Shared {
    fn announce(&self, bytes: u64) -> u64 {
        self.queued_records.fetch_add(1, Ordering::SeqCst);
        self.queued_bytes.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes)
    }

    fn leave_queue(&self, bytes: u64) {
        self.queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.queued_records.fetch_sub(1, Ordering::SeqCst);
    }

    fn count_dropped(&self, records: u64) {
        self.records_dropped.fetch_add(records, Ordering::Relaxed);
    }
}

/// A record, or `None`: look at the flags.
type Message = Option<AccessRecord>;

/// The access log as the rest of the server holds it. Clones share it; when the last is dropped, the
/// thread writes what waits and ends.
#[derive(Clone, Debug)]
pub(crate) struct AccessLogHandle {
    queue: SyncSender<Message>,
    queue_bytes_max: u64,
    shared: Arc<Shared>,
}

impl AccessLogHandle {
    /// Hands a record over. Never waits; a record there is no room for is counted as dropped.
    pub(crate) fn record(&self, record: AccessRecord) {
        let bytes = bytes_of(&record);
        let queued_bytes = self.shared.announce(bytes);
        let taken = queued_bytes <= self.queue_bytes_max
            && !self.shared.closing.load(Ordering::SeqCst)
            && self.queue.try_send(Some(record)).is_ok();
        if !taken {
            self.shared.leave_queue(bytes);
            self.shared.count_dropped(1);
        }
    }

    /// Records dropped since the start: no room in the queue, or for too long none on the disk.
    pub(crate) fn dropped(&self) -> u64 {
        self.shared.records_dropped.load(Ordering::Relaxed)
    }

    /// Opens the file anew, for whoever has renamed it. Lines that wait are written to the old one
    /// first.
    pub(crate) fn reopen(&self) {
        self.shared.reopen.store(true, Ordering::SeqCst);
        self.wake();
    }

    /// Writes everything that was handed in and ends the thread; waits for that at most `wait_max`.
    /// Records handed in from now on are counted as dropped.
    ///
    /// # Errors
    /// [`Unwritten`] when the disk refused some, or was too slow.
    pub(crate) fn close(&self, wait_max: Duration) -> Result<(), Unwritten> {
        self.shared.closing.store(true, Ordering::SeqCst);
        self.wake();
        let ended = self.shared.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let (ended, _) = self
            .shared
            .ended_told
            .wait_timeout_while(ended, wait_max, |ended| ended.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        let records = ended.unwrap_or_else(|| {
            let queued = self.shared.queued_records.load(Ordering::SeqCst);
            queued.saturating_add(self.shared.unwritten_records.load(Ordering::SeqCst))
        });
        if ended.is_some() && records == 0 { Ok(()) } else { Err(Unwritten { records }) }
    }

    fn wake(&self) {
        // A full queue needs no waking: its thread looks at the flags after every message.
        let _ = self.queue.try_send(None);
    }
}

impl AccessSink for AccessLogHandle {
    fn record(&self, record: AccessRecord) {
        Self::record(self, record);
    }
}

/// Bytes a record takes in the queue.
fn bytes_of(record: &AccessRecord) -> u64 {
    let texts = [&record.method, &record.target, &record.host].into_iter();
    let optional = [&record.referer, &record.user_agent].into_iter().flatten();
    let bytes = texts.chain(optional).fold(size_of::<AccessRecord>(), |sum, text| sum + text.capacity());
    u64::try_from(bytes).unwrap_or(u64::MAX >> 1)
}

/// An access log's file and what waits for it: the thread's own side.
#[derive(Debug)]
pub(crate) struct AccessLog<F: Files = LogFiles> {
    files: F,
    file: F::File,
    /// The file must be opened anew before the next write.
    file_is_old: bool,
    file_bytes: u64,
    rotate_bytes: u64,
    format: AccessLogFormat,
    limits: Limits,
    /// Lines to be written.
    unwritten: Vec<u8>,
    /// The file ends in the midst of a line whose rest is the beginning of `unwritten`.
    torn: bool,
    /// Writes, rotations and reopenings that failed since one succeeded.
    tries_failed: u64,
    records_since_try: u32,
    shared: Arc<Shared>,
}

impl AccessLog {
    /// Opens the file for appending (made with mode 0640: it tells who asked for what) and starts
    /// the thread.
    ///
    /// # Errors
    /// When the file cannot be opened or is none.
    pub(crate) fn start(settings: &settings::AccessLog) -> Result<AccessLogHandle, AccessLogError> {
        let files = LogFiles::new(settings.path.clone(), settings.keep_files);
        if files.is_other_than_file() {
            return Err(AccessLogError::NotAFile { path: settings.path.clone() });
        }
        let open = |source| AccessLogError::Open { path: settings.path.clone(), source };
        Self::start_with(files, settings.format, settings.rotate_bytes, LIMITS, open)
    }
}

impl<F: Files> AccessLog<F> {
    fn start_with(
        files: F,
        format: AccessLogFormat,
        rotate_bytes: u64,
        limits: Limits,
        open_error: impl FnOnce(io::Error) -> AccessLogError,
    ) -> Result<AccessLogHandle, AccessLogError> {
        let shared = Arc::new(Shared::default());
        let log = Self::open(files, format, rotate_bytes, limits, shared.clone()).map_err(open_error)?;
        let (queue, records) = sync_channel(limits.queue_records_max);
        std::thread::Builder::new()
            .name("access-log".to_owned())
            .spawn(move || log.run(&records))
            .map_err(AccessLogError::Thread)?;
        Ok(AccessLogHandle { queue, queue_bytes_max: limits.queue_bytes_max, shared })
    }

    fn open(
        mut files: F,
        format: AccessLogFormat,
        rotate_bytes: u64,
        limits: Limits,
        shared: Arc<Shared>,
    ) -> io::Result<Self> {
        let (file, file_bytes) = files.open()?;
        Ok(Self {
            files,
            file,
            file_is_old: false,
            file_bytes,
            rotate_bytes,
            format,
            limits,
            unwritten: Vec::new(),
            torn: false,
            tries_failed: 0,
            records_since_try: 0,
            shared,
        })
    }

    fn run(mut self, queue: &Receiver<Message>) {
        while let Some(message) = self.next(queue) {
            if let Some(record) = message {
                self.shared.leave_queue(bytes_of(&record));
                self.add(&record);
            }
            if self.shared.reopen.swap(false, Ordering::SeqCst) {
                self.reopen();
            }
        }
        self.flush();
        let given_up = self.unwritten_records();
        self.shared.count_dropped(given_up);
        *self.shared.ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(given_up);
        self.shared.ended_told.notify_all();
    }

    /// The next message, after writing out when there is none at once; `None` when all is done.
    fn next(&mut self, queue: &Receiver<Message>) -> Option<Message> {
        match queue.try_recv() {
            Ok(message) => return Some(message),
            Err(TryRecvError::Disconnected) => return None,
            Err(TryRecvError::Empty) => self.flush(),
        }
        let wait = if self.shared.closing.load(Ordering::SeqCst) {
            if self.shared.queued_records.load(Ordering::SeqCst) == 0 {
                return None;
            }
            ANNOUNCED_WAIT
        } else if self.tries_failed > 0 {
            RETRY_AFTER
        } else {
            return queue.recv().ok();
        };
        match queue.recv_timeout(wait) {
            Ok(message) => Some(message),
            Err(RecvTimeoutError::Timeout) => Some(None),
            Err(RecvTimeoutError::Disconnected) => None,
        }
    }

    /// Makes a record a line, and writes when enough have come together.
    fn add(&mut self, record: &AccessRecord) {
        if self.unwritten.len() < self.limits.unwritten_bytes_max {
            match self.format {
                AccessLogFormat::Combined => push_combined(&mut self.unwritten, record),
                AccessLogFormat::Json => push_json(&mut self.unwritten, record),
            }
            self.shared.unwritten_records.fetch_add(1, Ordering::SeqCst);
        } else {
            self.shared.count_dropped(1);
        }
        self.records_since_try = self.records_since_try.saturating_add(1);
        // A disk that refuses is not asked again for every record of a flood.
        let due = if self.tries_failed > 0 {
            self.records_since_try >= RETRY_RECORDS
        } else {
            self.unwritten.len() >= self.limits.write_bytes
        };
        if due {
            self.flush();
        }
    }

    /// Writes what waits; counts a failure and leaves the rest for the next try.
    fn flush(&mut self) {
        self.records_since_try = 0;
        match self.try_write() {
            Ok(()) => {
                let tries_failed = std::mem::take(&mut self.tries_failed);
                if tries_failed > 0 {
                    tracing::info!(tries_failed, "the access log is written again");
                }
            }
            Err(error) => {
                // Once, not for every try.
                if self.tries_failed == 0 {
                    tracing::warn!(%error, "the access log is not written; lines wait and are tried again");
                }
                self.tries_failed = self.tries_failed.saturating_add(1);
            }
        }
    }

    fn try_write(&mut self) -> io::Result<()> {
        self.renew_file()?;
        while !self.unwritten.is_empty() {
            let line_bytes = u64::try_from(self.unwritten.len()).unwrap_or(u64::MAX);
            let is_full = self.file_bytes.saturating_add(line_bytes) > self.rotate_bytes;
            if is_full && self.file_bytes > 0 && !self.torn {
                self.files.put_aside()?;
                self.file_is_old = true;
                self.renew_file()?;
            }
            match self.file.write(&self.unwritten) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(bytes) => self.forget(bytes),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn renew_file(&mut self) -> io::Result<()> {
        if self.file_is_old {
            (self.file, self.file_bytes) = self.files.open()?;
            self.file_is_old = false;
        }
        Ok(())
    }

    /// Lets go of the first `bytes` of what waits: they are in the file.
    fn forget(&mut self, bytes: usize) {
        self.file_bytes = self.file_bytes.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        let written = self.unwritten.drain(..bytes.min(self.unwritten.len()));
        let (mut records, mut last) = (0, b'\n');
        for byte in written {
            records += u64::from(byte == b'\n');
            last = byte;
        }
        self.torn = last != b'\n';
        self.shared.unwritten_records.fetch_sub(records, Ordering::SeqCst);
    }

    /// Goes over to a new file. The rest of a line whose beginning is in the old one is given up.
    fn reopen(&mut self) {
        self.flush();
        if self.torn {
            let end = self.unwritten.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            self.unwritten.drain(..end);
            self.torn = false;
            self.shared.unwritten_records.fetch_sub(1, Ordering::SeqCst);
            self.shared.count_dropped(1);
        }
        self.file_is_old = true;
        self.flush();
    }

    fn unwritten_records(&self) -> u64 {
        self.shared.unwritten_records.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests;
