//! Whether a log's clients are visitors at all, or the proxies in front of its server.
//!
//! From a sample of one in eight requests: where nearly all come from a handful of addresses, and
//! with user agents of many kinds, those are proxies. Bounded: the first 64 addresses and agents.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use super::event::Event;

const SAMPLE: u64 = 8;
const KEPT: usize = 64;
/// Requests of the sample from which on it says anything.
const ENOUGH: u64 = 16;
/// The proxies of one site, at most.
const PROXIES_MAX: usize = 4;
/// Their part of the requests, in percent.
const PART_MIN: u64 = 95;
/// Kinds of user agents behind them.
const AGENTS_MIN: usize = 6;

/// Addresses of the sample.
#[derive(Debug, Default)]
pub(crate) struct Addresses {
    seen: u64,
    sampled: u64,
    addresses: HashMap<IpAddr, u64>,
    agents: HashSet<u64>,
}

impl Addresses {
    pub(crate) fn see(&mut self, event: &Event) {
        self.seen += 1;
        if self.seen % SAMPLE != 1 {
            return;
        }
        self.sampled += 1;
        if let Some(count) = self.addresses.get_mut(&event.client) {
            *count += 1;
        } else if self.addresses.len() < KEPT {
            self.addresses.insert(event.client, 1);
        }
        if self.agents.len() < KEPT {
            self.agents.insert(event.agent());
        }
    }

    /// The addresses that are proxies by the look of it, busiest first; none where they are visitors.
    pub(crate) fn proxies(&self) -> Vec<IpAddr> {
        if self.sampled < ENOUGH || self.agents.len() < AGENTS_MIN {
            return Vec::new();
        }
        let mut busiest: Vec<_> = self.addresses.iter().map(|(address, count)| (*count, *address)).collect();
        busiest.sort_by_key(|(count, address)| (std::cmp::Reverse(*count), *address));
        // As few as make up nearly all.
        let mut sum = 0;
        let mut proxies = Vec::new();
        for (count, address) in busiest.into_iter().take(PROXIES_MAX) {
            sum += count;
            proxies.push(address);
            if sum * 100 >= self.sampled * PART_MIN {
                return proxies;
            }
        }
        Vec::new()
    }
}
