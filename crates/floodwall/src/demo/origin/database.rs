//! A stand-in for a small office's database: each look-up takes 50-100 ms, 20 are served at a
//! time, up to 512 wait in line, and whoever waits for 10 s is sent away.
//!
//! The time is a timer's, not the processor's: what is scarce is the database's places.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::counters::Counters;
use super::lookup_form::LookUp;
use super::places::{self, Place};
use super::stable_hash::stable_hash;

/// Look-ups served at the same time.
pub(crate) const SERVED_MAX: usize = 20;
/// Look-ups that may wait for their turn.
pub(crate) const WAITING_MAX: usize = 512;
/// How long one waits before it is told to come back later.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// Why a look-up was not made. Both pass by themselves: trying again later helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DatabaseBusy {
    /// `WAITING_MAX` look-ups were in line already.
    #[error("the line for the database is full")]
    LineFull,
    /// The turn did not come within `WAIT_MAX`.
    #[error("the database did not become free in time")]
    WaitedTooLong,
}

/// The database with its places and the line before them.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) served: Semaphore,
    line: Semaphore,
    counters: Arc<Counters>,
}

impl Database {
    pub(crate) fn new(counters: Arc<Counters>) -> Self {
        Self { served: Semaphore::new(SERVED_MAX), line: Semaphore::new(WAITING_MAX), counters }
    }

    /// Finds the polling place and the precinct.
    ///
    /// May be dropped at any time: the place in line or in the database is then free again.
    ///
    /// # Errors
    /// [`DatabaseBusy`] when the line is full or the wait too long.
    pub(crate) async fn polling_place(
        &self,
        look_up: &LookUp,
    ) -> Result<(&'static Place, String), DatabaseBusy> {
        let _turn = match self.served.try_acquire() {
            Ok(turn) => turn,
            Err(_) => {
                let _in_line = self.line.try_acquire().map_err(|_| DatabaseBusy::LineFull)?;
                match tokio::time::timeout(WAIT_MAX, self.served.acquire()).await {
                    Ok(Ok(turn)) => turn,
                    Ok(Err(_)) | Err(_) => return Err(DatabaseBusy::WaitedTooLong),
                }
            }
        };
        let _in_progress = self.counters.look_up_starts();
        let key = look_up.key();
        tokio::time::sleep(cost(&key)).await;
        Ok(places::assign(&key))
    }
}

/// What looking `key` up costs: 50 to 100 ms, always the same for the same key.
pub(crate) fn cost(key: &str) -> Duration {
    Duration::from_millis(50 + (stable_hash(key.as_bytes()) >> 20) % 51)
}
