//! What an operator ordered of addresses, as all workers read it.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use arc_swap::ArcSwap;
use floodwall_model::Timestamp;
use floodwall_policy::{OrderBook, OrderEffect};

/// The orders in force. Most servers have none most of the time, and then a request asks for one bit.
#[derive(Debug, Default)]
pub(crate) struct Orders {
    any: AtomicBool,
    book: ArcSwap<OrderBook>,
}

impl Orders {
    /// What is ordered of an address.
    pub(crate) fn of(&self, address: IpAddr, now: Timestamp) -> Option<OrderEffect> {
        if !self.any.load(Relaxed) {
            return None;
        }
        self.book.load().get(address, now).map(|order| order.effect)
    }

    /// From now on these hold.
    pub(crate) fn put(&self, book: Arc<OrderBook>) {
        let any = !book.orders().is_empty();
        self.book.store(book);
        self.any.store(any, Relaxed);
    }
}
