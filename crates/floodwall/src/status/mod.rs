//! The public status page: made from the store and the running server's snapshot, written to a directory.

mod command;
mod maker;
mod publisher;

pub(crate) use command::{StatusArguments, run, to_answer};
pub(crate) use maker::StatusMaker;
pub(crate) use publisher::start;
