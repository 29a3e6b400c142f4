//! What the running edge says of addresses and rules, put into the terms of `floodwall explain`.

use std::net::IpAddr;
use std::sync::Arc;

use floodwall_edge::{EdgeAccounts, PurgeDepth, PurgeTarget};
use floodwall_model::Prefix;
use floodwall_policy::{OrderBook, SignatureRecord};

use crate::admin_socket::EdgeAccount;
use crate::explain::{AddressFacts, SiteStanding};
use crate::orders::OrderTaker;

/// What operators order is carried out by the workers.
impl OrderTaker for RunningEdge {
    fn put(&self, book: Arc<OrderBook>) {
        self.0.put_orders(book);
    }
}

/// The account of a running edge.
pub(crate) struct RunningEdge(pub(crate) EdgeAccounts);

impl EdgeAccount for RunningEdge {
    fn address(&self, address: IpAddr) -> Option<AddressFacts> {
        let accounts = self.0.address(address);
        let allowed: Vec<&str> =
            accounts.iter().filter(|site| site.is_allowed).map(|site| site.site.as_ref()).collect();
        let allowed =
            (!allowed.is_empty()).then(|| format!("it is in site.admission.allow of {}", allowed.join(", ")));
        Some(AddressFacts {
            client: Prefix::of_client(address).to_string(),
            system: None,
            allowed,
            blocked: None,
            known: accounts.iter().any(|site| site.is_known),
            sites: accounts
                .iter()
                .map(|site| SiteStanding {
                    site: site.site.to_string(),
                    rung: site.rung.number(),
                    excess: site.excess,
                    recovers_s: u32::try_from(site.recovers.as_secs()).unwrap_or(u32::MAX),
                    limited_ms: u64::try_from(site.limited.as_millis()).unwrap_or(u64::MAX),
                    signatures: Vec::new(),
                })
                .collect(),
        })
    }

    fn purge(&self, target: &PurgeTarget, depth: PurgeDepth) -> usize {
        self.0.purge(target, depth)
    }

    fn rules(&self) -> Vec<(String, SignatureRecord)> {
        self.0.rules().into_iter().map(|(site, rule)| (site.to_string(), rule)).collect()
    }
}
