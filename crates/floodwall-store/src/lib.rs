//! The embedded store: traffic and admission by the minute and by site, every incident, and what the
//! watch saw, in one SQLite file of one host.
//!
//! [`Store`] is the file: it opens, migrates, adds, reads and prunes, and blocks while it does.
//! [`StoreHandle`] is what a server holds: it runs a store on a thread of its own, and whoever hands
//! it records never waits for the disk.
//!
//! What is promised:
//! - **The process killed at any moment**: the store opens again with every transaction that was
//!   committed. Records are written as they come (once a second), so at most the last second is
//!   lost. A test kills a writer fifty times.
//! - **Power lost**: the store opens again, and is never damaged by it. What the system had not yet
//!   written out is lost: commonly half a minute, at most what came since the last checkpoint (some
//!   two minutes of a busy server). See `settings` in `store.rs` for why.
//! - **Disk full or slow**: records wait in memory, merged by site and minute and bounded; what no
//!   longer fits is counted as lost.
//! - **File damaged, foreign or newer**: it is left exactly as it is, and the error says what to do.
//!
//! Limits: one process writes ([`StoreError::InUse`] for a second one); others may read with
//! SQLite's own tools meanwhile. Figures saturate at 2^63-1. The file must lie on a local disk:
//! SQLite's write-ahead log does not work over a network file system.

mod backlog;
mod error;
mod handle;
mod incidents;
mod migrations;
mod store;
mod thread;
mod traffic;
mod watch;

pub use error::{Blame, StoreError};
pub use handle::{HandleSettings, StoreFigures, StoreHandle, Unwritten};
pub use incidents::{StoredIncident, StoredRevision};
pub use store::{INCIDENTS_MAX, PRUNE_BATCH_ROWS, SITES_MAX, Store, TRAFFIC_ROWS_MAX, WATCH_ROWS_MAX};
pub use watch::{StoredOutage, StoredUnknown, StoredWatched, WatchRows};
