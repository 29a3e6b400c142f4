//! The console's tests: its routes in memory, and its page in a real browser.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test ends with the first thing that is not as it should be"
)]
#![expect(clippy::disallowed_methods, reason = "answers of our own routes, over made-up figures, are small")]

mod browser;
mod events;
mod hostile;
mod incident;
mod openapi;
mod outage;
mod routes;
mod sample;
mod slow;
