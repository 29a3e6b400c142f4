//! Request collapsing: while one request fetches a page, others for the same page wait for it.
//!
//! A page that has just expired, or an origin that has just come back, would otherwise be asked for
//! the same thing by everybody at once.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use floodwall_model::SiteId;
use parking_lot::Mutex;
use tokio::sync::Semaphore;

/// Pages fetched at once that others can wait for; beyond, requests go on by themselves.
const FLIGHTS_MAX: usize = 4096;

/// How a flight ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Landing {
    /// The answer is in the cache.
    Stored = 0,
    /// The answer may not be stored: everybody goes on by themselves.
    NotStored = 1,
    /// The origin gave no usable answer.
    Failed = 2,
    /// The answer was for the one who asked alone (their cookie, their credentials): that says
    /// nothing of the others.
    ForOneOnly = 3,
    /// Whoever fetched went away or was refused: that says nothing of the page.
    Abandoned = 4,
}

#[derive(Debug)]
struct Flight {
    /// Never has a permit; closing it wakes all who wait, also those who come late.
    landed: Semaphore,
    landing: AtomicU8,
}

/// Site, whether over TLS, authority with path and query: what the cache keys by.
type Key = (SiteId, bool, Box<str>);

/// The fetches in progress.
#[derive(Debug, Default)]
pub(crate) struct Flights {
    open: Mutex<HashMap<Key, Arc<Flight>, foldhash::quality::RandomState>>,
}

/// What a request finds when it wants to fetch a page.
pub(crate) enum Boarding<'a> {
    /// It is the first: it fetches, and says how it went.
    Lead(Lead<'a>),
    /// Somebody fetches already.
    Follow(Follow),
    /// Too many fetches are in progress to keep track of this one.
    Alone,
}

impl Flights {
    /// Joins the fetch of a page, or begins it.
    pub(crate) fn board(
        &self,
        site: SiteId,
        https: bool,
        authority: &str,
        path_and_query: &str,
    ) -> Boarding<'_> {
        let key: Key = (site, https, [authority, path_and_query].concat().into());
        let mut open = self.open.lock();
        if let Some(flight) = open.get(&key) {
            return Boarding::Follow(Follow(flight.clone()));
        }
        if open.len() >= FLIGHTS_MAX {
            return Boarding::Alone;
        }
        let flight =
            Arc::new(Flight { landed: Semaphore::new(0), landing: AtomicU8::new(Landing::Abandoned as u8) });
        open.insert(key.clone(), flight.clone());
        Boarding::Lead(Lead { flights: self, key, flight })
    }
}

/// The right and duty to fetch; dropped without a word it counts as abandoned.
pub(crate) struct Lead<'a> {
    flights: &'a Flights,
    key: Key,
    flight: Arc<Flight>,
}

impl Lead<'_> {
    /// Ends the flight and wakes the followers.
    pub(crate) fn land(self, landing: Landing) {
        self.flight.landing.store(landing as u8, Ordering::Release);
    }
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        self.flights.open.lock().remove(&self.key);
        self.flight.landed.close();
    }
}

/// A place among those who wait.
pub(crate) struct Follow(Arc<Flight>);

impl Follow {
    /// Waits until the flight has landed.
    pub(crate) async fn landing(self) -> Landing {
        // No permit is ever given: this returns when the semaphore is closed.
        let _ = self.0.landed.acquire().await;
        match self.0.landing.load(Ordering::Acquire) {
            0 => Landing::Stored,
            1 => Landing::NotStored,
            2 => Landing::Failed,
            3 => Landing::ForOneOnly,
            _ => Landing::Abandoned,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn board<'a>(flights: &'a Flights, site: u16, path: &str) -> Boarding<'a> {
        flights.board(SiteId(site), false, "a.test", path)
    }

    fn lead<'a>(flights: &'a Flights, path: &str) -> Lead<'a> {
        match board(flights, 0, path) {
            Boarding::Lead(lead) => lead,
            _ => panic!("{path} is being fetched already"),
        }
    }

    #[tokio::test]
    async fn followers_wait_and_learn_how_it_went() {
        let flights = Flights::default();
        let leader = lead(&flights, "/");
        let Boarding::Follow(early) = board(&flights, 0, "/") else { panic!("should follow") };
        let Boarding::Follow(late) = board(&flights, 0, "/") else { panic!("should follow") };
        leader.land(Landing::Stored);
        assert_eq!(early.landing().await, Landing::Stored);
        assert_eq!(late.landing().await, Landing::Stored);
        // The next one begins anew; another site's page is another flight.
        let _again = lead(&flights, "/");
        assert!(matches!(board(&flights, 1, "/"), Boarding::Lead(_)));
    }

    #[tokio::test]
    async fn a_leader_who_vanishes_wakes_the_followers() {
        let flights = Flights::default();
        let leader = lead(&flights, "/");
        let Boarding::Follow(follower) = board(&flights, 0, "/") else { panic!("should follow") };
        drop(leader);
        assert_eq!(follower.landing().await, Landing::Abandoned);
        assert!(flights.open.lock().is_empty());
    }

    #[test]
    fn the_number_of_flights_is_bounded() {
        let flights = Flights::default();
        let leads: Vec<_> = (0..FLIGHTS_MAX).map(|n| lead(&flights, &n.to_string())).collect();
        assert!(matches!(board(&flights, 0, "one more"), Boarding::Alone));
        drop(leads);
        assert!(matches!(board(&flights, 0, "one more"), Boarding::Lead(_)));
    }
}
