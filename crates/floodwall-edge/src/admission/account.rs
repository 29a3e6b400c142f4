//! What the edge can say of an address, for `floodwall explain`.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use floodwall_model::{Prefix, SiteId};
use floodwall_policy::{OrderBook, Rung, SignatureRecord};

use crate::edge::Shared;

/// How an address stands with one site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteAccount {
    /// The site's name.
    pub site: Arc<str>,
    /// The rung of its gate; of several classes the highest.
    pub rung: Rung,
    /// Whether the settings always let it in.
    pub is_allowed: bool,
    /// Whether it was seen behaving in calm times.
    pub is_known: bool,
    /// How far over its share of the origin: 0 within, 1 up to twice, 2 up to four times, and so on.
    pub excess: u8,
    /// How long until it is within its share again, if it asks for nothing.
    pub recovers: Duration,
    /// How long until a limit of the settings lets it in again.
    pub limited: Duration,
}

/// Tells of addresses and rules while the edge runs; for any thread.
#[derive(Clone)]
pub struct EdgeAccounts(Arc<Shared>);

impl std::fmt::Debug for EdgeAccounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EdgeAccounts").finish_non_exhaustive()
    }
}

impl EdgeAccounts {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    /// How an address stands with each site, in their order. Asking counts as one request towards a limit
    /// of the settings, where there is one.
    #[must_use]
    pub fn address(&self, address: IpAddr) -> Vec<SiteAccount> {
        let shared = &self.0;
        let now = shared.clock.now();
        let client = Prefix::of_client(address);
        let sites = shared.config.sites.iter().zip(0_u16..);
        sites
            .map(|(site, number)| {
                let id = SiteId(number);
                let gates = shared.gatehouse.site(id);
                let classes = shared.gatehouse.classes().filter(|(of, _)| *of == id);
                let standings = classes.map(|(_, class)| (class.rung(), class.standing_of(address, now)));
                let (rung, worst) = standings.fold((Rung::Open, None), |(rung, worst), (other, charge)| {
                    let worst =
                        worst.filter(|worst: &floodwall_policy::Charge| worst.excess >= charge.excess);
                    (rung.max(other), worst.or(Some(charge)))
                });
                SiteAccount {
                    site: site.name.clone(),
                    rung,
                    is_allowed: gates.is_some_and(|gates| gates.is_allowed(address)),
                    is_known: gates.is_some_and(|gates| gates.known.lock().is_known(client, now)),
                    excess: worst.map_or(0, |worst| worst.excess.0),
                    recovers: worst.map_or(Duration::ZERO, |worst| {
                        Duration::try_from_secs_f32(worst.recovers_s).unwrap_or_default()
                    }),
                    limited: shared.admission.limited_for(&shared.policy, id, client, now),
                }
            })
            .collect()
    }

    /// From now on these orders hold, for every request that comes.
    pub fn put_orders(&self, book: Arc<OrderBook>) {
        self.0.orders.put(book);
    }

    /// As [`EdgeHandle::purge`](crate::EdgeHandle::purge), for all sites.
    pub fn purge(&self, target: &crate::PurgeTarget, depth: crate::PurgeDepth) -> usize {
        self.0.purge(None, target, depth)
    }

    /// The rules of each site's signatures that live, and those that have ended lately.
    #[must_use]
    pub fn rules(&self) -> Vec<(Arc<str>, SignatureRecord)> {
        let sites = self.0.config.sites.iter().zip(0_u16..);
        let of = |(site, number): (&crate::config::SiteConfig, u16)| {
            let rules = self.0.gatehouse.signatures(SiteId(number));
            rules.into_iter().map(|rule| (site.name.clone(), rule)).collect::<Vec<_>>()
        };
        sites.flat_map(of).collect()
    }
}
