//! Waiting for an origin that is gone to come back.
//!
//! Most origins that are down are being started anew, and are back within seconds. A person who asked
//! for what only the origin knows is better served by an answer after two seconds than by an error page
//! at once. But whoever waits holds a connection, and all who wait come at once when it is over: so it
//! is few, and not for long; the others are told at once, as before.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use floodwall_model::SiteId;
use tokio::sync::Notify;

use super::{Leaves, Origin, Origins};

/// Requests that wait for the origins of one site, over all workers: as many as a small database takes
/// at once when it is back.
const HOPING_MAX: usize = 32;

/// After a connection was refused, the origin is given so long before it is asked again.
const SECOND_TRY_AFTER: Duration = Duration::from_millis(250);

/// Those who wait for a site's origins.
#[derive(Debug, Default)]
pub(super) struct Hope {
    hoping: AtomicUsize,
    /// Told when one of the site's origins is back.
    returned: Arc<Notify>,
}

impl Hope {
    pub(super) fn returned(&self) -> Arc<Notify> {
        self.returned.clone()
    }
}

impl Origins {
    /// An origin of the site that is not down, waited for at most `longest`; after a refused connection
    /// for a moment in any case. `None` when there is none then, or when too many wait already.
    pub(crate) async fn hope_for(
        &self,
        site: SiteId,
        longest: Duration,
        refused: bool,
    ) -> Option<&Arc<Origin>> {
        let hope = &self.sites.get(usize::from(site.0))?.hope;
        if longest.is_zero() {
            return None;
        }
        if hope.hoping.fetch_add(1, Ordering::Relaxed) >= HOPING_MAX {
            hope.hoping.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        let _leaves = Leaves(&hope.hoping);
        let hoping = async {
            if refused {
                tokio::time::sleep(SECOND_TRY_AFTER).await;
            }
            loop {
                let mut returned = pin!(hope.returned.notified());
                // Before looking, so that a return in between is not missed.
                returned.as_mut().enable();
                if let Ok(origin) = self.choose(site) {
                    return origin;
                }
                returned.await;
            }
        };
        tokio::time::timeout(longest, hoping).await.ok()
    }
}
