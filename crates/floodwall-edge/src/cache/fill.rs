//! A response on its way into the cache: its head was judged, its body is copied as it streams past
//! to the visitor. Dropped without being finished, it leaves nothing behind.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use floodwall_model::Timestamp;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, StatusCode};

use super::entry::{CachedResponse, weight_without_body};
use super::freshness::Exchange;
use super::headers::{StoredHead, copy_head, storable_fields};
use super::key::Key;
use super::storability::{NotStored, Plan};

/// Bytes of memory that bodies being received may take, all together, and those received: these
/// live on after their copy was evicted, as long as a slow visitor has not taken them.
#[derive(Debug)]
pub(crate) struct FillBudget {
    bytes: AtomicU64,
    bytes_max: u64,
    alive: AtomicU64,
    alive_max: u64,
}

impl FillBudget {
    pub(crate) fn new(bytes_max: u64, alive_max: u64) -> Self {
        Self { bytes: AtomicU64::new(0), bytes_max, alive: AtomicU64::new(0), alive_max }
    }

    /// Whether whole bodies leave room for another.
    fn has_room(&self) -> bool {
        self.alive.load(Ordering::Relaxed) < self.alive_max
    }

    fn try_take(&self, bytes: u64) -> bool {
        let took = self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |taken| {
            taken.checked_add(bytes).filter(|sum| *sum <= self.bytes_max)
        });
        took.is_ok()
    }

    fn give_back(&self, bytes: u64) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Bytes taken at present.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

/// A body buffer whose capacity is taken from the budget and given back when it is dropped.
#[derive(Debug)]
struct MeteredBody {
    buffer: Vec<u8>,
    taken: u64,
    budget: Arc<FillBudget>,
}

impl MeteredBody {
    /// Makes room for `more` bytes; false when the budget has none.
    fn try_reserve(&mut self, more: usize) -> bool {
        let wanted = self.buffer.len().saturating_add(more);
        if wanted <= self.buffer.capacity() {
            return true;
        }
        // Doubling, as the buffer itself would grow, but asked for beforehand.
        let capacity = wanted.max(self.buffer.capacity().saturating_mul(2)).max(4096);
        let bytes = u64::try_from(capacity).unwrap_or(u64::MAX);
        let extra = bytes.saturating_sub(self.taken);
        if !self.budget.try_take(extra) {
            return false;
        }
        self.taken = self.taken.saturating_add(extra);
        self.buffer.reserve_exact(capacity.saturating_sub(self.buffer.len()));
        true
    }

    /// The body in an allocation of just its size, counted until its last reader lets go of it.
    fn take(&mut self) -> Bytes {
        let bytes = std::mem::take(&mut self.buffer).into_boxed_slice();
        if bytes.is_empty() {
            return Bytes::new();
        }
        self.budget.alive.fetch_add(weight(&bytes), Ordering::Relaxed);
        Bytes::from_owner(WholeBody { bytes, budget: Arc::clone(&self.budget) })
    }
}

impl Drop for MeteredBody {
    fn drop(&mut self) {
        self.budget.give_back(self.taken);
    }
}

/// A body that came whole.
struct WholeBody {
    bytes: Box<[u8]>,
    budget: Arc<FillBudget>,
}

impl AsRef<[u8]> for WholeBody {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for WholeBody {
    fn drop(&mut self) {
        self.budget.alive.fetch_sub(weight(&self.bytes), Ordering::Relaxed);
    }
}

fn weight(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// A judged response whose body is being received. Hand each piece of the body to
/// [`Fill::push`], and at the body's proper end the whole to `ResponseCache::finish_fill`.
#[derive(Debug)]
pub(crate) struct Fill {
    key: Key,
    request_sent: Timestamp,
    status: StatusCode,
    head: StoredHead,
    plan: Plan,
    body: MeteredBody,
    /// From `Content-Length`.
    body_bytes_expected: Option<u64>,
    body_bytes_max: usize,
    given_up: Option<NotStored>,
}

/// A response whose body ended and that is not stored.
#[derive(Clone, Debug)]
pub(crate) struct Unstored {
    /// Why.
    pub(crate) reason: NotStored,
    /// The response, where it came whole: good as the answer to the request that asked for it.
    pub(crate) response: Option<Arc<CachedResponse>>,
}

/// What a fill starts from.
pub(crate) struct FillStart<'a> {
    pub(crate) key: Key,
    pub(crate) status: StatusCode,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) exchange: &'a Exchange,
    pub(crate) plan: Plan,
    pub(crate) response_bytes_max: u64,
    pub(crate) budget: &'a Arc<FillBudget>,
}

impl Fill {
    pub(crate) fn new(start: FillStart<'_>) -> Result<Self, NotStored> {
        let FillStart { key, status, headers, exchange, plan, response_bytes_max, budget } = start;
        let received = exchange.response_received.wall_unix_seconds();
        let head = copy_head(storable_fields(headers).collect::<Vec<_>>().into_iter(), received)
            .ok_or(NotStored::TooLarge)?;
        let overhead = weight_without_body(head.weight, &plan).saturating_add(32);
        // Allocations are weighed an eighth above their size.
        let body_bytes_max = response_bytes_max.saturating_sub(overhead) / 9 * 8;
        if response_bytes_max <= overhead {
            return Err(NotStored::TooLarge);
        }
        let expected = content_length(headers)?;
        if expected.is_some_and(|bytes| bytes > body_bytes_max) {
            return Err(NotStored::TooLarge);
        }
        let mut body = MeteredBody { buffer: Vec::new(), taken: 0, budget: Arc::clone(budget) };
        if !budget.has_room() {
            return Err(NotStored::FillBudget);
        }
        let announced = usize::try_from(expected.unwrap_or(0)).unwrap_or(usize::MAX);
        if announced > 0 && !body.try_reserve(announced) {
            return Err(NotStored::FillBudget);
        }
        Ok(Self {
            key,
            request_sent: exchange.request_sent,
            status,
            head,
            plan,
            body,
            body_bytes_expected: expected,
            body_bytes_max: usize::try_from(body_bytes_max).unwrap_or(usize::MAX),
            given_up: None,
        })
    }

    pub(crate) fn key(&self) -> &Key {
        &self.key
    }

    pub(crate) fn request_sent(&self) -> Timestamp {
        self.request_sent
    }

    /// The body as far as it has come.
    pub(crate) fn received(&self) -> &[u8] {
        &self.body.buffer
    }

    /// Whether `more` bytes can be pushed; makes room for them.
    pub(crate) fn has_room(&mut self, more: usize) -> bool {
        self.given_up.is_none()
            && self.body.buffer.len().saturating_add(more) <= self.body_bytes_max
            && self.body.try_reserve(more)
    }

    /// Copies a piece of the body. False once the response will not be stored; the caller may then
    /// drop the fill or hand it to `finish_fill`, which names the reason.
    pub(crate) fn push(&mut self, piece: &[u8]) -> bool {
        if self.given_up.is_some() {
            return false;
        }
        if self.body.buffer.len().saturating_add(piece.len()) > self.body_bytes_max {
            self.give_up(NotStored::TooLarge);
        } else if self.body.try_reserve(piece.len()) {
            self.body.buffer.extend_from_slice(piece);
        } else {
            self.give_up(NotStored::FillBudget);
        }
        self.given_up.is_none()
    }

    fn give_up(&mut self, reason: NotStored) {
        self.given_up = Some(reason);
        self.body.buffer = Vec::new();
        self.body.budget.give_back(std::mem::take(&mut self.body.taken));
    }

    /// The whole response, its body having ended. Parts are never stored (RFC 9111 section 3.3).
    pub(crate) fn complete(mut self) -> Result<(Key, CachedResponse), NotStored> {
        if let Some(reason) = self.given_up {
            return Err(reason);
        }
        let received = u64::try_from(self.body.buffer.len()).unwrap_or(u64::MAX);
        if self.body_bytes_expected.is_some_and(|expected| expected != received) {
            return Err(NotStored::Incomplete);
        }
        let body = self.body.take();
        Ok((self.key, CachedResponse::new(self.status, self.head, self.plan, body)))
    }
}

/// What `Content-Length` announces; an answer that contradicts itself is not stored.
fn content_length(headers: &HeaderMap) -> Result<Option<u64>, NotStored> {
    let mut lines = headers.get_all(CONTENT_LENGTH).iter();
    let Some(line) = lines.next() else {
        return Ok(None);
    };
    let digits = std::str::from_utf8(line.as_bytes()).map_err(|_| NotStored::Incomplete)?;
    let bytes: u64 = digits.trim_ascii().parse().map_err(|_| NotStored::Incomplete)?;
    if lines.any(|other| other != line) {
        return Err(NotStored::Incomplete);
    }
    Ok(Some(bytes))
}
