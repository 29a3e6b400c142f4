//! `floodwall drill` from outside: that it leaves nothing behind however it ends, that it refuses
//! what it cannot do before it makes anything, and that a seed gives the same arrivals again.
//!
//! Nothing here sleeps or retries. What a drill started is known by a mark in its environment; the
//! end of each of those processes is waited for as such.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the lints' exception for tests does not reach the helpers of one"
)]

#[path = "../whole/support/heard.rs"]
mod heard;
mod nothing_left;
mod refused;
mod same_seed;
mod support;

use std::time::Duration;

/// The longest anything is waited for. It is reached only where something is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
