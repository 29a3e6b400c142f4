//! Outages: kept in the store and told to the operator.

mod archive;
mod log;
pub(crate) mod words;

pub(crate) use archive::{from_rows, outage, to_rows};
pub(crate) use log::tell;
