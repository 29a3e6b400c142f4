//! `floodwall evidence`: verify, show and bundle what was recorded; and what the server records.

mod archive;
mod bundle;
mod command;
mod readme;
mod recorder;
mod show;
#[cfg(test)]
mod tests;
mod verify;

pub(crate) use command::{EvidenceArguments, run};
pub(crate) use recorder::EvidenceRecorder;

/// The directory of the logs below the state directory.
pub(crate) const DIRECTORY: &str = "evidence";
