//! Where an origin is: its name looked up now and then, and its last known addresses while the resolver
//! fails. An origin must not become unreachable because somebody's resolver does.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use floodwall_model::Timestamp;
use parking_lot::Mutex;
use smallvec::SmallVec;

/// So long a look-up's answer is used. The system's resolver does not say how long it would be good for.
const FRESH: Duration = Duration::from_secs(10);

/// With addresses known, the resolver is waited for no longer than this.
const LOOK_UP_MAX: Duration = Duration::from_secs(1);

/// Addresses of one name that are tried, one after the other.
const ADDRESSES_MAX: usize = 8;

pub(super) type Addresses = SmallVec<[SocketAddr; 2]>;

/// An origin's addresses, shared by all workers.
#[derive(Debug, Default)]
pub(super) struct Resolved {
    known: Mutex<Option<(Addresses, Timestamp)>>,
}

impl Resolved {
    /// The addresses of `host`, which may be one. `look_up` asks the resolver.
    ///
    /// # Errors
    /// The resolver fails, or knows no address, and none was ever known.
    pub(super) async fn addresses<F, A>(
        &self,
        host: &str,
        port: u16,
        now: Timestamp,
        look_up: impl FnOnce() -> F,
    ) -> io::Result<Addresses>
    where
        F: Future<Output = io::Result<A>>,
        A: Iterator<Item = SocketAddr>,
    {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(SmallVec::from_elem(SocketAddr::new(address, port), 1));
        }
        let known = {
            let mut known = self.known.lock();
            if let Some((addresses, at)) = known.as_mut() {
                if now.since(*at) < FRESH {
                    return Ok(addresses.clone());
                }
                // One asks anew, and the others go on with what is known meanwhile.
                *at = now;
            }
            known.as_ref().map(|(addresses, _)| addresses.clone())
        };
        let asking = async { look_up().await.map(|found| found.take(ADDRESSES_MAX).collect::<Addresses>()) };
        let found = match &known {
            None => asking.await,
            // A resolver that hangs must not use up the time for connecting.
            Some(_) => match tokio::time::timeout(LOOK_UP_MAX, asking).await {
                Ok(found) => found,
                Err(_) => Err(io::ErrorKind::TimedOut.into()),
            },
        };
        match (found, known) {
            (Ok(found), _) if !found.is_empty() => {
                *self.known.lock() = Some((found.clone(), now));
                Ok(found)
            }
            (found, Some(addresses)) => {
                let why =
                    found.err().map_or_else(|| "it has no address".to_owned(), |error| error.to_string());
                tracing::warn!(
                    host,
                    why,
                    "an origin's name cannot be looked up; its last addresses are used"
                );
                Ok(addresses)
            }
            (Ok(_), None) => Err(io::Error::new(io::ErrorKind::NotFound, "its name has no address")),
            (Err(error), None) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: u64) -> Timestamp {
        Timestamp::new(Duration::from_secs(second), 0)
    }

    /// Asks, where the resolver answers with these addresses or fails; whether it was asked.
    fn ask(
        resolved: &Resolved,
        host: &str,
        second: u64,
        answer: Option<&[&str]>,
    ) -> (io::Result<Addresses>, bool) {
        let mut asked = false;
        let look_up = || {
            asked = true;
            let found: Option<Addresses> =
                answer.map(|given| given.iter().map(|address| address.parse().unwrap()).collect());
            std::future::ready(
                found.map(IntoIterator::into_iter).ok_or_else(|| io::Error::other("no resolver")),
            )
        };
        let asking = resolved.addresses(host, 80, at(second), look_up);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let outcome = runtime.block_on(asking);
        (outcome, asked)
    }

    fn given(addresses: &[&str]) -> Addresses {
        addresses.iter().map(|address| address.parse().unwrap()).collect()
    }

    #[test]
    fn an_address_is_not_looked_up() {
        for (host, address) in [("192.0.2.1", "192.0.2.1:80"), ("2001:db8::1", "[2001:db8::1]:80")] {
            let (found, asked) = ask(&Resolved::default(), host, 1, None);
            assert_eq!((found.unwrap(), asked), (given(&[address]), false));
        }
    }

    #[test]
    fn a_name_is_looked_up_now_and_then_and_outlives_its_resolver() {
        let resolved = Resolved::default();
        assert!(ask(&resolved, "origin.test", 1, None).0.is_err(), "nothing is known yet");
        assert!(ask(&resolved, "origin.test", 1, Some(&[])).0.is_err());
        let (first, second) = (given(&["192.0.2.1:80"]), given(&["192.0.2.2:80", "192.0.2.3:80"]));
        let rows: [(u64, Option<&[&str]>, &Addresses, bool); 6] = [
            (2, Some(&["192.0.2.1:80"]), &first, true),
            (11, Some(&["192.0.2.2:80"]), &first, false),
            (12, None, &first, true),
            (13, None, &first, false),
            (22, Some(&[]), &first, true),
            (32, Some(&["192.0.2.2:80", "192.0.2.3:80"]), &second, true),
        ];
        for (now, answer, addresses, looks) in rows {
            let (found, asked) = ask(&resolved, "origin.test", now, answer);
            assert_eq!((&found.unwrap(), asked), (addresses, looks), "at {now} s");
        }
    }
}
