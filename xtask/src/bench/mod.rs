//! Benchmarks of the whole server.

pub(crate) mod kill;
mod live;
pub(crate) mod outage;
