//! The store's file: opening, adding, reading, pruning. Every call blocks until SQLite is done.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use floodwall_model::MinuteTraffic;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use crate::migrations::{STEPS, check_identity, migrate};
use crate::{StoreError, StoredIncident, StoredOutage, WatchRows, incidents, traffic, watch};

/// Most minutes one call of [`Store::traffic`] gives: a month of them.
pub const TRAFFIC_ROWS_MAX: usize = 31 * 24 * 60;

/// Most sites [`Store::sites`] lists, and [`Store::prune_batch`] looks after.
pub const SITES_MAX: usize = 65_536;

/// Most incidents that one call gives.
pub const INCIDENTS_MAX: usize = 1000;

/// Most rows of one kind that one call gives of what the watch saw.
pub const WATCH_ROWS_MAX: usize = 20_000;

/// Rows that one batch of pruning deletes at most: a few milliseconds' work, so that records and
/// readers hardly wait.
pub const PRUNE_BATCH_ROWS: usize = 1000;

/// How long a call waits for another program's lock before [`StoreError::Busy`].
const BUSY_TIMEOUT: Duration = Duration::from_secs(1);

/// Pages (of 4 KiB) in the write-ahead log at which its content is moved into the store's file and
/// both are synced: bounds what a power cut can take, and the time to read the log after a crash.
const CHECKPOINT_PAGES: i64 = 256;

/// Bytes to which the write-ahead log is cut back when it had to grow (a long-lived reader).
const JOURNAL_BYTES_MAX: i64 = 4 << 20;

/// Owner reads and writes, group reads: as the access log.
const FILE_MODE: u32 = 0o640;

/// An open store. While it lives no other process can open the same file through this type.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
    path: PathBuf,
    /// Held, not read: the system lets go of the lock when the process ends, however it ends.
    _lock: File,
}

impl Store {
    /// Opens the store at `path`, creates it where there is none, and brings an older format up to
    /// date. `path`'s directory must exist; `{path}.lock`, `{path}-wal` and `{path}-shm` are made
    /// beside it.
    ///
    /// # Errors
    /// Every kind but [`StoreError::Slow`] and [`StoreError::Closed`]. A file that is damaged, of
    /// another program or of a newer version is left as it is.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let lock = lock(path)?;
        // SQLite would make the file readable to everyone the process's mask allows.
        create_options().open(path).map_err(|error| StoreError::from_open(path, &error))?;
        let sorted = |error| StoreError::from_sqlite(path, &error);
        // Without SQLITE_OPEN_URI: a path is a path, even when it starts with `file:`.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags).map_err(sorted)?;
        connection.busy_timeout(BUSY_TIMEOUT).map_err(sorted)?;
        check_identity(&connection, path, STEPS)?;
        settings(&connection).map_err(sorted)?;
        migrate(&mut connection, STEPS).map_err(sorted)?;
        Ok(Self { connection, path: path.to_owned(), _lock: lock })
    }

    /// The store's file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds the figures of each record to those of its site and minute, all of them or none. A time
    /// within a minute counts as its start; sums saturate at 2^63-1.
    ///
    /// # Errors
    /// [`StoreError::Full`], [`StoreError::Busy`], [`StoreError::Disk`], [`StoreError::Damaged`]:
    /// nothing was added.
    pub fn add_traffic(&mut self, records: &[MinuteTraffic]) -> Result<(), StoreError> {
        let mut add = || -> Result<(), rusqlite::Error> {
            let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            traffic::add(&transaction, records)?;
            transaction.commit()
        };
        add().map_err(|error| StoreError::from_sqlite(&self.path, &error))
    }

    /// The minutes of `site` that start within `from_unix_seconds..to_unix_seconds`, oldest first;
    /// minutes without a record are left out. At most [`TRAFFIC_ROWS_MAX`]: when there are as many,
    /// ask again from behind the last.
    ///
    /// # Errors
    /// [`StoreError::Busy`], [`StoreError::Disk`], [`StoreError::Damaged`].
    pub fn traffic(
        &self,
        site: &str,
        from_unix_seconds: i64,
        to_unix_seconds: i64,
    ) -> Result<Vec<MinuteTraffic>, StoreError> {
        traffic::read(&self.connection, site, from_unix_seconds, to_unix_seconds, TRAFFIC_ROWS_MAX)
            .map_err(|error| self.sorted(&error))
    }

    /// Writes incidents, whether or not they were written before: all of them or none. Judgements that
    /// were written before stay.
    ///
    /// # Errors
    /// As [`Self::add_traffic`].
    pub fn put_incidents(&mut self, incidents: &[StoredIncident]) -> Result<(), StoreError> {
        let mut put = || -> Result<(), rusqlite::Error> {
            let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            incidents.iter().try_for_each(|incident| incidents::put(&transaction, incident))?;
            transaction.commit()
        };
        put().map_err(|error| StoreError::from_sqlite(&self.path, &error))
    }

    /// The newest incidents of all sites, newest first, without their judgements; at most
    /// [`INCIDENTS_MAX`].
    ///
    /// # Errors
    /// As [`Self::traffic`].
    pub fn incidents(&self, rows_max: usize) -> Result<Vec<StoredIncident>, StoreError> {
        incidents::newest(&self.connection, rows_max.min(INCIDENTS_MAX)).map_err(|error| self.sorted(&error))
    }

    /// Incidents that had not ended when they were last written, oldest first; at most [`INCIDENTS_MAX`].
    ///
    /// # Errors
    /// As [`Self::traffic`].
    pub fn incidents_left_open(&self) -> Result<Vec<StoredIncident>, StoreError> {
        incidents::left_open(&self.connection, INCIDENTS_MAX).map_err(|error| self.sorted(&error))
    }

    /// One incident with every judgement; `None` where there is none of that name.
    ///
    /// # Errors
    /// As [`Self::traffic`].
    pub fn incident(&self, key: &str) -> Result<Option<StoredIncident>, StoreError> {
        incidents::one(&self.connection, key).map_err(|error| self.sorted(&error))
    }

    /// Writes what the watch saw, whether or not it was written before: all of it or none.
    ///
    /// # Errors
    /// As [`Self::add_traffic`].
    pub fn put_watch(&mut self, rows: &WatchRows) -> Result<(), StoreError> {
        let mut put = || -> Result<(), rusqlite::Error> {
            let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            watch::put(&transaction, rows)?;
            transaction.commit()
        };
        put().map_err(|error| StoreError::from_sqlite(&self.path, &error))
    }

    /// The newest outages, newest first; at most [`WATCH_ROWS_MAX`].
    ///
    /// # Errors
    /// As [`Self::traffic`].
    pub fn outages(&self, rows_max: usize) -> Result<Vec<StoredOutage>, StoreError> {
        watch::outages(&self.connection, i64::MIN, rows_max.min(WATCH_ROWS_MAX))
            .map_err(|error| self.sorted(&error))
    }

    /// What the watch saw from `from_unix_micros` on, and all that is watched; at most
    /// [`WATCH_ROWS_MAX`] of each, the newest.
    ///
    /// # Errors
    /// As [`Self::traffic`].
    pub fn watch_since(&self, from_unix_micros: i64) -> Result<WatchRows, StoreError> {
        watch::since(&self.connection, from_unix_micros, WATCH_ROWS_MAX).map_err(|error| self.sorted(&error))
    }

    /// The names of all sites that have a record, sorted, at most [`SITES_MAX`].
    ///
    /// # Errors
    /// [`StoreError::Busy`], [`StoreError::Disk`], [`StoreError::Damaged`].
    pub fn sites(&self) -> Result<Vec<Arc<str>>, StoreError> {
        traffic::sites(&self.connection, SITES_MAX).map_err(|error| self.sorted(&error))
    }

    /// Deletes every minute that starts before `before_unix_seconds`, batch by batch; how many it
    /// were. The file does not shrink: its free pages are used again.
    ///
    /// # Errors
    /// As [`Self::prune_batch`]; batches before the failed one stay deleted.
    pub fn prune(&mut self, before_unix_seconds: i64) -> Result<u64, StoreError> {
        let mut total = 0_u64;
        loop {
            let deleted = self.prune_batch(before_unix_seconds, PRUNE_BATCH_ROWS)?;
            if deleted == 0 {
                return Ok(total);
            }
            total = total.saturating_add(u64::try_from(deleted).unwrap_or(u64::MAX));
        }
    }

    /// Deletes at most `rows_max` minutes that start before `before_unix_seconds`, in one
    /// transaction; how many it were. Zero when none is left.
    ///
    /// # Errors
    /// [`StoreError::Full`], [`StoreError::Busy`], [`StoreError::Disk`], [`StoreError::Damaged`]:
    /// nothing was deleted.
    pub fn prune_batch(&mut self, before_unix_seconds: i64, rows_max: usize) -> Result<usize, StoreError> {
        let mut prune = || -> Result<usize, rusqlite::Error> {
            let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let mut deleted = 0;
            for site in traffic::sites(&transaction, SITES_MAX)? {
                deleted += traffic::prune(&transaction, &site, before_unix_seconds, rows_max - deleted)?;
                if deleted >= rows_max {
                    break;
                }
            }
            transaction.commit()?;
            Ok(deleted)
        };
        prune().map_err(|error| StoreError::from_sqlite(&self.path, &error))
    }

    /// Reads the whole file and checks that it is sound. Takes seconds per gigabyte: for an
    /// operator's command, not for every start.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] with the first fault; what else reading can meet.
    pub fn check_integrity(&self) -> Result<(), StoreError> {
        let verdict: String = self
            .connection
            .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
            .map_err(|error| self.sorted(&error))?;
        if verdict == "ok" {
            return Ok(());
        }
        Err(StoreError::Damaged { path: self.path.clone(), detail: verdict })
    }

    /// Moves everything into the store's file and closes it. (Dropping does the same, unseen.)
    ///
    /// # Errors
    /// [`StoreError::Full`], [`StoreError::Disk`]: what is in the write-ahead log stays there, and
    /// is read at the next start.
    pub fn close(self) -> Result<(), StoreError> {
        let Self { connection, path, _lock } = self;
        connection.close().map_err(|(_, error)| StoreError::from_sqlite(&path, &error))
    }

    fn sorted(&self, error: &rusqlite::Error) -> StoreError {
        StoreError::from_sqlite(&self.path, error)
    }

    /// Stands in for a disk with little room: the file cannot grow beyond `pages`.
    #[cfg(test)]
    pub(crate) fn limit_pages(&self, pages: i64) {
        let sql = format!("PRAGMA max_page_count = {pages}");
        self.connection.query_row(&sql, [], |_| Ok(())).unwrap();
    }

    /// How large the file is, in pages.
    #[cfg(test)]
    pub(crate) fn pages(&self) -> i64 {
        self.connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap()
    }
}

/// How SQLite is to work on this file.
///
/// `synchronous = NORMAL` with a write-ahead log: a commit is a write to the log without a sync, so
/// it outlives the process however that ends (the bytes are the system's), and costs no wait for
/// the disk once a second on a machine that may be under a flood. Only a checkpoint syncs: the log
/// before the file, so that a power cut leaves the log's sound beginning and a sound file. FULL
/// would save the last seconds before a power cut at the price of that wait; they are not worth it.
fn settings(connection: &Connection) -> Result<(), rusqlite::Error> {
    let mode: String = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    // A file system without shared memory keeps the old journal, with which NORMAL is not safe.
    let synchronous = if mode == "wal" { "NORMAL" } else { "FULL" };
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.pragma_update(None, "journal_size_limit", JOURNAL_BYTES_MAX)?;
    // A damaged page is found when it is read, before anything is concluded from it.
    connection.pragma_update(None, "cell_size_check", true)?;
    // A file changed from outside cannot make us run functions hidden in its schema.
    connection.pragma_update(None, "trusted_schema", false)
}

/// Takes the lock that says "this store has its writer". A file of its own, because closing any
/// other handle on the store's file would let go of SQLite's locks on it.
fn lock(path: &Path) -> Result<File, StoreError> {
    let mut lock_path = OsString::from(path);
    lock_path.push(".lock");
    let file = create_options().open(lock_path).map_err(|error| StoreError::from_open(path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(error)) => Err(StoreError::from_open(path, &error)),
    }
}

fn create_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(FILE_MODE);
    options
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
