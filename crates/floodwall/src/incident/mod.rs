//! Incidents: kept in the store, told to the operator, and `floodwall incident list` and `show`.
//!
//! The control loop says what there is; here it is put into the store's form and back, with what goes on
//! now in place of what was written of it a moment ago.

mod archive;
mod command;
mod log;
mod statement;
mod text;

pub(crate) use archive::{IncidentArchive, close_left_open, newest_of, to_stored};
pub(crate) use command::{IncidentArguments, Incidents, recent, run};
pub(crate) use log::tell;
