//! A small edge for tests, over real sockets on loopback. It speaks the contract of
//! `docs/admission.md` with the policy's own keys, gate and waiting room, and keeps its own time: each
//! time a ticket is presented, five seconds have passed, in which a flood of so many bots went on. So
//! nobody has to wait in a test.

mod admission;
mod server;

pub(super) use admission::{Bots, StandIn};
pub(super) use server::{Answer, Asked, listen, post};
