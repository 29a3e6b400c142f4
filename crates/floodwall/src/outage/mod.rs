//! Outages: kept in the store, told to the operator, and `floodwall outage list`.

mod archive;
mod command;
mod log;
pub(crate) mod words;

pub(crate) use archive::{from_rows, outage, to_rows};
pub(crate) use command::{OutageArguments, OutageList, run};
pub(crate) use log::tell;
