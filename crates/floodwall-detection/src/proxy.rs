//! Whether all visitors seem to come from a proxy that hides their addresses.

use floodwall_model::Prefix;

use crate::figure::Figure;
use crate::sketches::SecondSummary;

/// Requests that are looked at before anything is said.
const REQUESTS_LEAST: f64 = 300.0;
/// Addresses a proxy has at the most.
const ADDRESSES_MAX: usize = 3;
/// Different browsers that one household or office hardly has.
const BROWSERS_LEAST: usize = 12;

/// Looks at who asks over the last few hundred requests or more.
#[derive(Clone, Debug, Default)]
pub(crate) struct ProxyWatch {
    requests: f64,
    addresses: Vec<u64>,
    too_many: bool,
    browsers: Vec<u64>,
    behind: bool,
}

impl ProxyWatch {
    /// Whether sources say nothing.
    pub(crate) fn is_behind_proxy(&self) -> bool {
        self.behind
    }

    /// Takes in a second; the addresses, once it is clear that they are a proxy's.
    pub(crate) fn take_in(&mut self, summary: &SecondSummary) -> Option<Vec<Prefix>> {
        let requests = summary.row.get(Figure::Requests);
        if requests <= 0.0 {
            return None;
        }
        self.requests += requests;
        for (address, _) in &summary.top_sources {
            if !self.addresses.contains(address) {
                if self.addresses.len() >= ADDRESSES_MAX {
                    self.too_many = true;
                } else {
                    self.addresses.push(*address);
                }
            }
        }
        for (agent, _) in &summary.top_agents {
            if self.browsers.len() < BROWSERS_LEAST && !self.browsers.contains(agent) {
                self.browsers.push(*agent);
            }
        }
        if self.too_many {
            *self = Self::default();
            return None;
        }
        if self.requests < REQUESTS_LEAST {
            return None;
        }
        let is_proxy = self.browsers.len() >= BROWSERS_LEAST;
        let was = self.behind;
        let addresses = self.addresses.iter().map(|key| Prefix::of_client_key(*key)).collect();
        *self = Self { behind: is_proxy, ..Self::default() };
        (is_proxy && !was).then_some(addresses)
    }
}
