//! The evidence log on disk: records are appended in batches by a thread of their own, and
//! acknowledged when they are durable.
//!
//! A log is a directory in the layout of C2SP tlog-tiles: `checkpoint`, `tile/<level>/...` with
//! hashes, `tile/entries/...` with records. Any web server can serve it as it is. Beside it lie
//! `log.vkey` (the key to verify with) and `place` (see below). The directory of all logs holds the
//! signing key (`key`, mode 0600), `current` (which log is written) and `lock`.
//!
//! What is promised:
//! - **Acknowledged is durable.** New tiles are written beside the old ones and synced, then the
//!   checkpoint takes the old one's place in one step and is synced, then the acknowledgement goes out.
//! - **Killed or without power at any moment**: the checkpoint is the truth. What lies beyond it was
//!   never acknowledged and is cut at the next start. A test kills a writer a hundred times.
//! - **Disk full**: nothing that is there is touched; what cannot be written is counted, and the loss
//!   becomes a record as soon as there is room.
//! - **Damaged, restored from a backup, or without its key**: the log is left as it is. A new one
//!   begins, whose first record names the old one, its last known size and root, and why.
//!
//! Limits: one process writes. A restored backup is noticed by `place`, which holds its own inode and
//! time of creation, and by the copy of the last checkpoint outside of the directory; a file system
//! that is put back as a whole (a snapshot of a virtual machine) shows nothing. Against that only a
//! checkpoint helps that somebody else has: a witness, or a bundle that was given away.

mod bundle_files;
mod directory;
mod error;
mod handle;
mod leftovers;
mod log;
mod opening;
mod reader;

pub use bundle_files::{ExhibitFault, exhibits};
pub use error::EvidenceError;
pub use handle::{Appended, EvidenceFigures, EvidenceHandle, HandleSettings, Receipt};
pub use log::EvidenceLog;
pub use opening::{KEY_FILE, Opened, open, read_key};
pub use reader::{LogReader, current_log, is_log, logs};
