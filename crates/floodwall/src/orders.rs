//! What operators order of addresses while the server runs: given by `floodwall block` and `allow` over
//! the admin socket, kept in the state directory, carried out by the edge.

mod command;
mod file;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use floodwall_model::{Prefix, Timestamp};
use floodwall_policy::{Order, OrderBook, OrderEffect, OrderFault};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::explain::second;

pub(crate) use command::{OrderArguments, run};

/// The field of the socket's request that says what is ordered: an [`OrderRequest`] as JSON in ASCII.
pub(crate) const FIELD: &str = "floodwall-order";

/// What was done and is not recorded as evidence yet; older ones are forgotten.
const NEWS_MAX: usize = 256;

/// What a command asks of the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OrderRequest {
    pub(crate) effect: Effect,
    pub(crate) prefix: String,
    /// Take the order back, instead of giving it.
    pub(crate) lift: bool,
    /// How long it holds, in seconds; until it is lifted where that is missing.
    pub(crate) for_s: Option<u64>,
    pub(crate) why: String,
}

/// As [`OrderEffect`], on the wire and on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Effect {
    Block,
    Allow,
}

impl From<Effect> for OrderEffect {
    fn from(effect: Effect) -> Self {
        match effect {
            Effect::Block => Self::Block,
            Effect::Allow => Self::Allow,
        }
    }
}

impl From<OrderEffect> for Effect {
    fn from(effect: OrderEffect) -> Self {
        match effect {
            OrderEffect::Block => Self::Block,
            OrderEffect::Allow => Self::Allow,
        }
    }
}

/// An order as commands and files show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShownOrder {
    pub(crate) effect: Effect,
    pub(crate) prefix: String,
    pub(crate) since_unix_s: i64,
    /// `None`: until it is lifted.
    pub(crate) until_unix_s: Option<i64>,
    pub(crate) why: String,
}

impl From<&Order> for ShownOrder {
    fn from(order: &Order) -> Self {
        Self {
            effect: order.effect.into(),
            prefix: order.prefix.to_string(),
            since_unix_s: order.since_unix_s,
            until_unix_s: order.until_unix_s,
            why: order.why.clone(),
        }
    }
}

impl ShownOrder {
    fn read(&self) -> Result<Order, String> {
        let prefix = self.prefix.parse::<Prefix>().map_err(|error| error.to_string())?;
        Ok(Order {
            prefix,
            effect: self.effect.into(),
            since_unix_s: self.since_unix_s,
            until_unix_s: self.until_unix_s,
            why: self.why.clone(),
        })
    }
}

/// What the server did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ordered {
    pub(crate) order: ShownOrder,
    /// Whether it was taken back, and not given.
    pub(crate) lifted: bool,
    /// What the operator should know beside it.
    pub(crate) warning: Option<String>,
}

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OrderError {
    #[error("{0}")]
    Prefix(#[from] floodwall_model::ParsePrefixError),
    #[error("{0}")]
    Fault(#[from] OrderFault),
    #[error("{0} is not {1}")]
    NotThere(Prefix, &'static str),
    #[error("a time of {0} s is too long")]
    TooLong(u64),
}

/// Carries out what is ordered.
pub(crate) trait OrderTaker: Send + Sync {
    /// From now on these hold.
    fn put(&self, book: Arc<OrderBook>);
}

/// The orders of a running server.
pub(crate) struct OperatorOrders {
    path: PathBuf,
    taker: Arc<dyn OrderTaker>,
    /// Held while an order is carried out, its file written included: one after the other.
    giving: Mutex<()>,
    /// Held for moments only: the control loop asks once a second, and must not wait for the disk.
    state: Mutex<State>,
}

struct State {
    book: Arc<OrderBook>,
    news: VecDeque<String>,
}

impl fmt::Debug for OperatorOrders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OperatorOrders").field("path", &self.path).finish_non_exhaustive()
    }
}

impl OperatorOrders {
    /// Takes up what is kept in the state directory. What of it cannot be used is told, and set aside.
    pub(crate) fn start(directory: &Path, taker: Arc<dyn OrderTaker>, now: Timestamp) -> Arc<Self> {
        let path = directory.join(file::FILE);
        let (orders, faults) = file::read_at_start(&path);
        let (book, refused) = OrderBook::new(orders, now);
        for fault in faults.into_iter().chain(refused.iter().map(ToString::to_string)) {
            tracing::error!("an order of an operator is not in force any more: {fault}");
        }
        let book = Arc::new(book);
        if !book.orders().is_empty() {
            tracing::info!(orders = book.orders().len(), "orders of operators are in force");
        }
        taker.put(book.clone());
        Arc::new(Self {
            path,
            taker,
            giving: Mutex::new(()),
            state: Mutex::new(State { book, news: VecDeque::new() }),
        })
    }

    /// Does what is asked for. Writes a file: for a thread that may wait.
    pub(crate) fn carry_out(&self, request: &OrderRequest, now: Timestamp) -> Result<Ordered, OrderError> {
        let prefix: Prefix = request.prefix.parse()?;
        let effect = OrderEffect::from(request.effect);
        let _one_at_a_time = self.giving.lock();
        let mut state = self.state.lock();
        let (book, order) = if request.lift {
            let held = state.book.orders().iter().find(|held| (held.prefix, held.effect) == (prefix, effect));
            let held = held.cloned().ok_or(OrderError::NotThere(prefix, done(effect)))?;
            let book = state.book.without(prefix, effect, now);
            (book.ok_or(OrderError::NotThere(prefix, done(effect)))?, held)
        } else {
            let since_unix_s = now.wall_unix_seconds();
            let until = |seconds: u64| {
                let seconds = i64::try_from(seconds).ok().filter(|seconds| *seconds <= 400 * 86_400);
                seconds.and_then(|seconds| since_unix_s.checked_add(seconds))
            };
            let until_unix_s = match request.for_s {
                Some(seconds) => Some(until(seconds).ok_or(OrderError::TooLong(seconds))?),
                None => None,
            };
            let order = Order { prefix, effect, since_unix_s, until_unix_s, why: request.why.clone() };
            (state.book.with(order.clone(), now)?, order)
        };
        let hidden = book.orders().iter().find(|held| {
            !request.lift
                && held.effect != effect
                && effect == OrderEffect::Block
                && holds(held.prefix, prefix)
        });
        let mut warning = hidden.map(|held| {
            format!(
                "{} is allowed, which holds all the same: lift that first (floodwall allow --lift {})",
                held.prefix, held.prefix
            )
        });
        state.book = Arc::new(book);
        self.taker.put(state.book.clone());
        state.tell(&order, request.lift);
        let book = state.book.clone();
        drop(state);
        if let Err(error) = file::write(&self.path, book.orders()) {
            warning = Some(format!("it holds until the server ends, and cannot be kept for longer: {error}"));
        }
        let shown = ShownOrder::from(&order);
        tracing::info!(prefix = %order.prefix, effect = done(effect), lifted = request.lift, why = shown.why, "an operator's order");
        Ok(Ordered { order: shown, lifted: request.lift, warning })
    }

    /// All that are in force.
    pub(crate) fn list(&self, now: Timestamp) -> Vec<ShownOrder> {
        let book = self.state.lock().book.clone();
        let in_force = book.orders().iter().filter(|order| order.is_in_force(now.wall_unix_seconds()));
        in_force.map(ShownOrder::from).collect()
    }

    /// What is ordered of an address, if anything is.
    pub(crate) fn of(&self, address: IpAddr, now: Timestamp) -> Option<ShownOrder> {
        let book = self.state.lock().book.clone();
        book.get(address, now).map(ShownOrder::from)
    }

    /// Once a second: what has ended is forgotten. What was done since, in words without addresses of
    /// single visitors, for the record.
    pub(crate) fn second(&self, now: Timestamp) -> VecDeque<String> {
        let mut state = self.state.lock();
        if let Some(book) = state.book.without_ended(now) {
            state.book = Arc::new(book);
            self.taker.put(state.book.clone());
        }
        std::mem::take(&mut state.news)
    }
}

impl State {
    fn tell(&mut self, order: &Order, lifted: bool) {
        if self.news.len() >= NEWS_MAX {
            self.news.pop_front();
        }
        let network = Prefix::of_network(order.prefix.network());
        let whole = if network.length_bits() < order.prefix.length_bits() { network } else { order.prefix };
        let verb = done(order.effect);
        let until = order
            .until_unix_s
            .map_or_else(|| "until it is lifted".to_owned(), |at| format!("until {}", second(at)));
        self.news.push_back(if lifted {
            format!("{whole}, all or part of it: no longer {verb}")
        } else {
            format!("{whole}, all or part of it: {verb} {until}")
        });
    }
}

/// Whether the first prefix holds all of the second.
fn holds(outer: Prefix, inner: Prefix) -> bool {
    outer.length_bits() <= inner.length_bits() && outer.contains(inner.network())
}

/// What was done with an address.
fn done(effect: OrderEffect) -> &'static str {
    match effect {
        OrderEffect::Block => "blocked",
        OrderEffect::Allow => "allowed",
    }
}

impl ShownOrder {
    /// Until when and why, in words: `by an operator since ..., until ...: "..."`.
    pub(crate) fn words(&self) -> String {
        let until = match self.until_unix_s {
            Some(at) => format!("until {}", second(at)),
            None => "until it is lifted".to_owned(),
        };
        let why = if self.why.is_empty() { String::new() } else { format!(" (\"{}\")", self.why) };
        format!("an operator ordered it for {} at {}, {until}{why}", self.prefix, second(self.since_unix_s))
    }
}
