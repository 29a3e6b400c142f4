//! Last-known-good copies of public pages, on disk: they survive a restart, and answer when the
//! origin is gone and memory has nothing.
//!
//! What is stored in memory and may be served stale is offered here too. A thread of its own writes
//! it; its queue is bounded in copies and bytes, and what overflows is dropped and counted: no request
//! waits for the disk to be written. A copy is read only for a request that would otherwise be told
//! that the origin fails, off the worker's thread, and few at once.
//!
//! - One file per page and set of content codings, named by a digest of its key (`name`), so that a
//!   copy is found without an index: the server answers from disk as soon as it is up.
//! - Files are written beside their place and renamed into it. They are not synced: what a power
//!   failure leaves half-written is told by its checksum (`format`), dropped and counted.
//! - Bytes on disk are bounded; the index that reckons them is rebuilt at the start by looking at file
//!   names and sizes (`shelf`). When there is no room, copies of addresses with a query go first, the
//!   oldest of them first: a flood of random parameters must not push out the site's pages.
//! - Of new copies only so many bytes are taken in, and of addresses with a query those that are
//!   offered twice (`intake`): ever new addresses must not wear out the disk.
//! - A page that the origin says is gone, private or not to be served stale is forgotten.
//!
//! Limits: one copy per page and codings, whichever language was asked for last; one server per
//! directory.

mod format;
mod intake;
mod name;
mod shelf;
mod writer;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use floodwall_model::{SiteId, Timestamp};
use tokio::sync::Semaphore;

use crate::cache::{CacheRequest, CachedResponse, KeptResponse, KeyRef, PurgeTarget};
use format::StoredKey;
use name::Name;
use shelf::Shelf;
use writer::Job;

pub(crate) use format::{HEAD_BYTES, decode, seal};

/// Copies that may wait to be written.
const QUEUE_MAX: usize = 1024;
/// Bytes of bodies that may wait to be written.
const QUEUE_BYTES_MAX: u64 = 64 << 20;
/// Copies read at once; further requests wait for their turn.
const READS_MAX: usize = 8;

/// Where copies are kept, and how much.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptSettings {
    /// Directory of their own; made when it is not there.
    pub directory: PathBuf,
    /// Bytes on disk.
    pub bytes_max: u64,
    /// Bytes of the largest copy, header included.
    pub object_bytes_max: u64,
    /// How long after it was last confirmed a copy may answer, where the page itself does not say.
    pub age_max: Duration,
}

/// Why copies cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// The directory cannot be made or written to.
    #[error("{}: {source}", path.display())]
    Directory {
        /// The directory, or the file in it.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another server keeps its copies there.
    #[error("{} is in use by another server", path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// The operating system gives no thread.
    #[error("no thread for the writer: {0}")]
    Thread(std::io::Error),
}

/// Figures of the copies kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeptCounts {
    /// Copies on disk.
    pub copies: u64,
    /// Bytes on disk.
    pub bytes: u64,
    /// Bytes on disk at the most.
    pub bytes_max: u64,
    /// Copies written since the start.
    pub written: u64,
    /// Copies that could not be written: no space, no permission.
    pub write_failures: u64,
    /// Copies not written because too many were waiting.
    pub dropped: u64,
    /// Copies pushed out for others.
    pub evicted: u64,
    /// Copies found damaged, and deleted.
    pub corrupt: u64,
    /// Times a copy was read to answer.
    pub read: u64,
}

macro_rules! tallies {
    ($($field:ident),+) => {
        /// Counters that any thread may add to; none lies on the path of a request that is answered
        /// from memory.
        #[derive(Debug, Default)]
        pub(crate) struct Tallies { $(pub(crate) $field: AtomicU64,)+ }

        impl Tallies {
            fn add_to(&self, counts: &mut KeptCounts) {
                $(counts.$field = self.$field.load(Ordering::Relaxed);)+
            }
        }
    };
}

tallies!(written, write_failures, dropped, evicted, corrupt, read);

/// The copies, shared by all workers.
#[derive(Debug)]
pub(crate) struct Kept {
    age_max: Duration,
    sites: Vec<Arc<str>>,
    shelf: Arc<Shelf>,
    tallies: Arc<Tallies>,
    queued_bytes: Arc<AtomicU64>,
    reads: Semaphore,
    jobs: Option<SyncSender<Job>>,
    writer: Option<JoinHandle<()>>,
}

impl Kept {
    /// Opens the directory and starts the writer. `sites` are the sites' names in the order of their
    /// numbers: a copy belongs to a name, because numbers change with the settings.
    pub(crate) fn open(settings: &KeptSettings, sites: Vec<Arc<str>>) -> Result<Self, KeptError> {
        let shelf = Arc::new(Shelf::open(settings)?);
        let (tallies, queued_bytes) = (Arc::new(Tallies::default()), Arc::new(AtomicU64::new(0)));
        let (jobs, received) = sync_channel(QUEUE_MAX);
        let mut writer = writer::Writer::new(shelf.clone(), tallies.clone(), queued_bytes.clone());
        let thread = std::thread::Builder::new()
            .name("kept".to_owned())
            .spawn(move || writer.run(&received))
            .map_err(KeptError::Thread)?;
        Ok(Self {
            age_max: settings.age_max,
            sites,
            shelf,
            tallies,
            queued_bytes,
            reads: Semaphore::new(READS_MAX),
            jobs: Some(jobs),
            writer: Some(thread),
        })
    }

    /// How long after it was last confirmed a copy may answer.
    pub(crate) fn age_max(&self) -> Duration {
        self.age_max
    }

    /// Offers what was stored in memory just now. It is written, or where it may not be kept, an
    /// earlier copy is forgotten.
    pub(crate) fn offer(&self, key: KeyRef<'_>, response: &Arc<CachedResponse>, now: Timestamp) {
        if !response.may_be_kept() {
            self.forget(key);
            return;
        }
        let Some(key) = self.stored_key(key) else { return };
        let bytes = response.weight();
        let waiting = self.queued_bytes.fetch_add(bytes, Ordering::Relaxed);
        if waiting.saturating_add(bytes) > QUEUE_BYTES_MAX {
            self.queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
            self.tallies.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        if !self.send(Job::Keep { key, response: response.clone(), now }) {
            self.queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
        }
    }

    /// Forgets a page that is not what it was: gone, or private.
    pub(crate) fn forget(&self, key: KeyRef<'_>) {
        if let Some(key) = self.stored_key(key)
            && Name::all_of(&key).any(|name| self.shelf.has(&name))
        {
            self.send(Job::Forget(key));
        }
    }

    /// Removes what is meant; see [`crate::cache::PurgeDepth::Remove`].
    pub(crate) fn purge(&self, site: Option<SiteId>, target: &PurgeTarget) {
        let site = site.and_then(|site| self.sites.get(usize::from(site.0)).cloned());
        self.send(Job::Purge { site, target: target.clone() });
    }

    /// False when the queue is full: counted.
    fn send(&self, job: Job) -> bool {
        let Some(jobs) = &self.jobs else { return false };
        match jobs.try_send(job) {
            Ok(()) => true,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.tallies.dropped.fetch_add(1, Ordering::Relaxed);
                false
            }
        }
    }

    fn stored_key(&self, key: KeyRef<'_>) -> Option<StoredKey> {
        let site = self.sites.get(usize::from(key.site.0))?;
        Some(StoredKey {
            site: site.as_ref().into(),
            https: key.https,
            authority: key.authority.into(),
            path_and_query: key.path_and_query.into(),
        })
    }

    /// Whether there is most likely a copy for a request. Until the index is rebuilt it may be missed.
    pub(crate) fn may_have(&self, request: &CacheRequest<'_>) -> bool {
        let key = self.stored_key(request.key());
        key.is_some_and(|key| Name::for_request(&key, request.headers).any(|name| self.shelf.has(&name)))
    }

    /// Reads the copy for a request, off the worker's thread.
    pub(crate) async fn read(&self, request: &CacheRequest<'_>) -> Option<KeptResponse> {
        let key = self.stored_key(request.key())?;
        let names: Vec<Name> = Name::for_request(&key, request.headers).collect();
        let _turn = self.reads.acquire().await.ok()?;
        let (shelf, tallies) = (self.shelf.clone(), self.tallies.clone());
        let reading = move || names.iter().find_map(|name| shelf.read(name, &key, &tallies));
        let copy = tokio::task::spawn_blocking(reading).await.ok()??;
        self.tallies.read.fetch_add(1, Ordering::Relaxed);
        Some(copy)
    }

    /// Figures as of now.
    pub(crate) fn counts(&self) -> KeptCounts {
        let mut counts = self.shelf.counts();
        self.tallies.add_to(&mut counts);
        counts
    }
}

impl Drop for Kept {
    /// Writes what is waiting.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("the writer of kept copies ended by a panic");
        }
    }
}
