//! The life of the real `floodwall` binary, from outside: real processes, sockets, files and signals.
//!
//! Nothing here sleeps or retries. A test waits for a thing itself: a line on standard error, the end
//! of a process, or a figure that the server shows, looked at once for each event of `/events`. Bounds
//! on waiting only keep a broken server from hanging the run; no test asserts how long something took.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the lints' exception for tests does not reach the helpers of one"
)]

mod access_log;
mod bad_requests;
mod claims;
mod demonstration;
mod exits;
mod explain;
mod incidents;
mod killed;
mod outage;
mod service;
mod serving;
mod stopping;
mod support;
mod watching;
