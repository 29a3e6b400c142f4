//! Who is let to the origin when there is not room for all: between real sockets, with real cookies.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test"
)]

#[path = "../support/mod.rs"]
mod support;

mod at_the_gate;
mod person;
mod proof;
