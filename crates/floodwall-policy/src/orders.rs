//! What an operator ordered of addresses while the server runs: these are blocked, those are let in.
//!
//! The last means, and one that hits people: an address of IPv4 can be an office, a library or a
//! telephone company. So each order has a reason, ends by itself unless told otherwise, is bounded in
//! how much it takes, and gives way to what is allowed.

use std::net::IpAddr;

use floodwall_model::{Prefix, Timestamp};

use crate::known_good::PrefixMap;

/// What is done with an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OrderEffect {
    /// Each request is refused, whatever it asks for.
    Block,
    /// Each request is let in before everybody's, and never asked for anything.
    Allow,
}

/// One order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Of whom.
    pub prefix: Prefix,
    /// What.
    pub effect: OrderEffect,
    /// When it was given, in seconds since 1970.
    pub since_unix_s: i64,
    /// When it ends by itself, in seconds since 1970; `None`: when it is lifted.
    pub until_unix_s: Option<i64>,
    /// Why, in the operator's words.
    pub why: String,
}

impl Order {
    /// Whether it has not ended by itself.
    #[must_use]
    pub fn is_in_force(&self, now_unix_s: i64) -> bool {
        self.until_unix_s.is_none_or(|until| now_unix_s < until)
    }
}

/// Why an order is not taken. The messages say what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderFault {
    /// So large a prefix is nearly always a slip, and would shut out a country.
    #[error("{prefix} holds {} addresses; at the largest a /{least} is blocked or allowed at once", size(*prefix))]
    TooWide {
        /// What was given.
        prefix: Prefix,
        /// The shortest length that is taken.
        least: u8,
    },
    /// There is no room.
    #[error(
        "there are {} orders already, and no more are kept; lift some, or give larger prefixes",
        OrderBook::ORDERS_MAX
    )]
    Full,
    /// It ends before it begins.
    #[error("it would end before it begins")]
    Ended,
    /// The reason is no line of text.
    #[error("a reason is one line of at most {} bytes", OrderBook::WHY_BYTES_MAX)]
    Why,
}

/// How many addresses a prefix has, in words.
fn size(prefix: Prefix) -> String {
    let bits = if prefix.network().is_ipv4() { 32 } else { 128 };
    let free = u32::from(prefix.length_bits()).abs_diff(bits);
    match 1_u64.checked_shl(free).filter(|_| free < 64) {
        Some(count) => count.to_string(),
        None => format!("2^{free}"),
    }
}

/// All orders, to be looked up. Built anew for each change, which is rare; then only read.
#[derive(Clone, Debug, Default)]
pub struct OrderBook {
    orders: Vec<Order>,
    blocked: PrefixMap<usize>,
    allowed: PrefixMap<usize>,
}

impl OrderBook {
    /// Orders that are kept at the most.
    pub const ORDERS_MAX: usize = 4_096;
    /// Bytes of a reason at the most.
    pub const WHY_BYTES_MAX: usize = 200;
    /// The shortest prefix that is taken, IPv4: 65,536 addresses.
    pub const LENGTH_LEAST_V4: u8 = 16;
    /// The shortest prefix that is taken, IPv6: what a provider is given.
    pub const LENGTH_LEAST_V6: u8 = 32;

    /// Of these orders, those that are in force; what is wrong with any of the others is no reason to do
    /// without the rest.
    #[must_use]
    pub fn new(orders: impl IntoIterator<Item = Order>, now: Timestamp) -> (Self, Vec<OrderFault>) {
        let mut kept: Vec<Order> = Vec::new();
        let mut faults = Vec::new();
        for order in orders.into_iter().filter(|order| order.is_in_force(now.wall_unix_seconds())) {
            match Self::fault_in(&order, now) {
                Some(fault) => faults.push(fault),
                None if kept.len() >= Self::ORDERS_MAX => faults.push(OrderFault::Full),
                None => kept.push(order),
            }
        }
        (Self::of(kept), faults)
    }

    fn of(orders: Vec<Order>) -> Self {
        let map = |effect| {
            let of_effect = orders.iter().enumerate().filter(|(_, order)| order.effect == effect);
            PrefixMap::new(of_effect.map(|(place, order)| (order.prefix, place)))
        };
        let (blocked, allowed) = (map(OrderEffect::Block), map(OrderEffect::Allow));
        Self { orders, blocked, allowed }
    }

    fn fault_in(order: &Order, now: Timestamp) -> Option<OrderFault> {
        let is_v4 = order.prefix.network().is_ipv4();
        let least = if is_v4 { Self::LENGTH_LEAST_V4 } else { Self::LENGTH_LEAST_V6 };
        if order.prefix.length_bits() < least {
            return Some(OrderFault::TooWide { prefix: order.prefix, least });
        }
        if !order.is_in_force(now.wall_unix_seconds()) {
            return Some(OrderFault::Ended);
        }
        let is_line = order.why.len() <= Self::WHY_BYTES_MAX && !order.why.contains(char::is_control);
        (!is_line).then_some(OrderFault::Why)
    }

    /// The book with one order more. One of the same prefix and effect is replaced; one of the opposite
    /// effect stands beside it, and the allowing one holds.
    ///
    /// # Errors
    /// The order is not taken; the book is as it was.
    pub fn with(&self, order: Order, now: Timestamp) -> Result<Self, OrderFault> {
        if let Some(fault) = Self::fault_in(&order, now) {
            return Err(fault);
        }
        let mut orders = self.in_force(now);
        orders.retain(|other| (other.prefix, other.effect) != (order.prefix, order.effect));
        if orders.len() >= Self::ORDERS_MAX {
            return Err(OrderFault::Full);
        }
        orders.push(order);
        Ok(Self::of(orders))
    }

    /// The book without the order of exactly this prefix and effect; `None` where there is none.
    #[must_use]
    pub fn without(&self, prefix: Prefix, effect: OrderEffect, now: Timestamp) -> Option<Self> {
        let mut orders = self.in_force(now);
        let before = orders.len();
        orders.retain(|order| (order.prefix, order.effect) != (prefix, effect));
        (orders.len() < before).then(|| Self::of(orders))
    }

    /// The book without what has ended; `None` where nothing has.
    #[must_use]
    pub fn without_ended(&self, now: Timestamp) -> Option<Self> {
        let now_unix_s = now.wall_unix_seconds();
        let any = self.orders.iter().any(|order| !order.is_in_force(now_unix_s));
        any.then(|| Self::of(self.in_force(now)))
    }

    fn in_force(&self, now: Timestamp) -> Vec<Order> {
        let now_unix_s = now.wall_unix_seconds();
        self.orders.iter().filter(|order| order.is_in_force(now_unix_s)).cloned().collect()
    }

    /// The order that holds for an address: the longest prefix that allows it, else the longest that
    /// blocks it. Until [`Self::without_ended`] is asked, one that has ended hides those around it.
    #[must_use]
    pub fn get(&self, address: IpAddr, now: Timestamp) -> Option<&Order> {
        let now_unix_s = now.wall_unix_seconds();
        let of = |map: &PrefixMap<usize>| {
            let order = self.orders.get(*map.get(address)?)?;
            order.is_in_force(now_unix_s).then_some(order)
        };
        of(&self.allowed).or_else(|| of(&self.blocked))
    }

    /// All of them, in the order they were given.
    #[must_use]
    pub fn orders(&self) -> &[Order] {
        &self.orders
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(unix_s: i64) -> Timestamp {
        Timestamp::new(Duration::from_secs(1), unix_s * 1_000_000)
    }

    fn order(prefix: &str, effect: OrderEffect, until_unix_s: Option<i64>) -> Order {
        let why = "a test".to_owned();
        Order { prefix: prefix.parse().unwrap(), effect, since_unix_s: 100, until_unix_s, why }
    }

    fn book(orders: &[(&str, OrderEffect, Option<i64>)]) -> OrderBook {
        orders.iter().fold(OrderBook::default(), |book, (prefix, effect, until)| {
            book.with(order(prefix, *effect, *until), at(100)).unwrap()
        })
    }

    #[test]
    fn the_longest_that_allows_holds_then_the_longest_that_blocks() {
        use OrderEffect::{Allow, Block};
        let book = book(&[
            ("192.0.2.0/24", Block, None),
            ("192.0.2.0/25", Allow, Some(200)),
            ("192.0.2.7/32", Block, None),
            ("2001:db8::/32", Block, Some(150)),
        ]);
        let rows = [
            ("192.0.2.200", 100, Some(Block)),
            ("::ffff:192.0.2.200", 100, Some(Block)),
            ("192.0.2.7", 100, Some(Allow)),
            ("192.0.2.7", 200, Some(Block)),
            ("192.0.3.1", 100, None),
            ("2001:db8::1", 149, Some(Block)),
            ("2001:db8::1", 150, None),
        ];
        for (address, when, expected) in rows {
            let found = book.get(address.parse().unwrap(), at(when)).map(|order| order.effect);
            assert_eq!(found, expected, "{address} at {when}");
        }
        let later = book.without_ended(at(200)).unwrap();
        assert_eq!(later.orders().len(), 2);
        assert!(later.without_ended(at(200)).is_none());
    }

    #[test]
    fn an_order_is_replaced_and_lifted_by_its_prefix_and_effect() {
        use OrderEffect::{Allow, Block};
        let book = book(&[("192.0.2.7/32", Block, Some(200)), ("192.0.2.7/32", Block, Some(300))]);
        assert_eq!(book.orders().len(), 1);
        let prefix: Prefix = "192.0.2.7/32".parse().unwrap();
        assert!(book.without(prefix, Allow, at(100)).is_none());
        assert!(book.without(prefix, Block, at(100)).unwrap().orders().is_empty());
    }

    #[test]
    fn what_would_shut_out_a_country_is_not_taken() {
        use OrderEffect::{Allow, Block};
        let long = "x".repeat(OrderBook::WHY_BYTES_MAX + 1);
        let with_why = |why: &str| Order { why: why.to_owned(), ..order("192.0.2.7/32", Block, None) };
        let rows = [
            (
                order("0.0.0.0/0", Block, None),
                "0.0.0.0/0 holds 4294967296 addresses; at the largest a /16 is blocked or allowed at once",
            ),
            (
                order("10.0.0.0/8", Allow, None),
                "10.0.0.0/8 holds 16777216 addresses; at the largest a /16 is blocked or allowed at once",
            ),
            (
                order("2000::/3", Block, None),
                "2000::/3 holds 2^125 addresses; at the largest a /32 is blocked or allowed at once",
            ),
            (order("192.0.2.7/32", Block, Some(100)), "it would end before it begins"),
            (with_why(&long), "a reason is one line of at most 200 bytes"),
            (with_why("two\nlines"), "a reason is one line of at most 200 bytes"),
        ];
        for (order, expected) in rows {
            assert_eq!(OrderBook::default().with(order, at(100)).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn there_is_room_for_so_many_and_what_has_ended_takes_none() {
        let many = (0..OrderBook::ORDERS_MAX + 3).map(|number| {
            let number = u32::try_from(number).unwrap();
            let address = std::net::Ipv4Addr::from(0x0A00_0000 + number);
            Order {
                prefix: Prefix::of_client(address.into()),
                ..order("192.0.2.7/32", OrderEffect::Block, Some(200))
            }
        });
        let (book, faults) = OrderBook::new(many, at(100));
        assert_eq!((book.orders().len(), faults), (OrderBook::ORDERS_MAX, vec![OrderFault::Full; 3]));
        let more = order("192.0.2.7/32", OrderEffect::Block, None);
        assert_eq!(book.with(more.clone(), at(100)).unwrap_err(), OrderFault::Full);
        assert_eq!(book.with(more, at(200)).unwrap().orders().len(), 1);
    }
}
