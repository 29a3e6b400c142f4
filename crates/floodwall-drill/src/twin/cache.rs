//! The shared cache: the site's documents by RFC 9111 as the edge keeps them, and who fetches which.

use std::collections::BTreeMap;

use floodwall_policy::WorkKind;

use super::edge::RequestId;
use super::events::SECOND_US;
use crate::plan::{ASSETS, PAGES};

/// What the sample site says of its pages and of its assets, and of both when it fails.
const PAGE_FRESH_US: u64 = 60 * SECOND_US;
const ASSET_FRESH_US: u64 = 3_600 * SECOND_US;
const STALE_IF_ERROR_US: u64 = 86_400 * SECOND_US;

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Target {
    /// Something a cache can keep.
    Page(Page),
    /// A look-up, never kept; the number stands for what is looked up.
    LookUp(u64),
}

impl Target {
    /// What it costs the origin, as far as its path tells.
    pub(super) fn work(self) -> WorkKind {
        match self {
            Self::Page(_) => WorkKind::of("GET", "/document"),
            Self::LookUp(_) => WorkKind::of("GET", "/look-up"),
        }
    }
}

/// A document of the site with its query, which is nothing or random.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Page {
    document: usize,
    query: u64,
}

impl Page {
    pub(super) const HOME: Self = Self { document: 0, query: 0 };

    fn fresh_us(self) -> u64 {
        if self.document < PAGES.len() { PAGE_FRESH_US } else { ASSET_FRESH_US }
    }
}

impl Target {
    /// Of a target of the plan; those have no others than the documents and the look-up.
    pub(super) fn of(target: &str) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let paths = PAGES.iter().map(|(path, _)| *path).chain(ASSETS);
        match paths.zip(0..).find(|(known, _)| *known == path) {
            Some((_, document)) if query.is_empty() => Self::Page(Page { document, query: 0 }),
            // Zero is no query.
            Some((_, document)) => Self::Page(Page { document, query: number_of(query).max(1) }),
            None => Self::LookUp(number_of(query)),
        }
    }
}

/// FNV-1a with a mixing round: the same number for the same text, and spread evenly.
fn number_of(text: &str) -> u64 {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mixed = (hash ^ (hash >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed ^ (mixed >> 27)
}

/// What the cache knows of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LookUp {
    Fresh,
    /// A copy that must be asked about, and may stand in for an error.
    Stale {
        /// Somebody is asking already, beside those who are served.
        being_revalidated: bool,
    },
    Miss,
}

#[derive(Debug)]
struct Copy {
    stored_us: u64,
    revalidated_until_us: u64,
    used: u64,
}

/// The copies, with a bound on their number.
#[derive(Debug)]
pub(super) struct Cache {
    copies: BTreeMap<Page, Copy>,
    by_use: BTreeMap<u64, Page>,
    uses: u64,
    copies_max: usize,
    pub(super) pages_lost: u64,
}

impl Cache {
    pub(super) fn new(copies_max: usize) -> Self {
        Self { copies: BTreeMap::new(), by_use: BTreeMap::new(), uses: 0, copies_max, pages_lost: 0 }
    }

    pub(super) fn look_up(&mut self, page: Page, now_us: u64) -> LookUp {
        let Some(copy) = self.copies.get_mut(&page) else { return LookUp::Miss };
        self.uses += 1;
        self.by_use.remove(&copy.used);
        self.by_use.insert(self.uses, page);
        copy.used = self.uses;
        let age_us = now_us.saturating_sub(copy.stored_us);
        if age_us < page.fresh_us() {
            return LookUp::Fresh;
        }
        if age_us >= page.fresh_us() + STALE_IF_ERROR_US {
            return LookUp::Miss;
        }
        LookUp::Stale { being_revalidated: now_us < copy.revalidated_until_us }
    }

    pub(super) fn store(&mut self, page: Page, now_us: u64) {
        self.uses += 1;
        let copy = Copy { stored_us: now_us, revalidated_until_us: 0, used: self.uses };
        if let Some(old) = self.copies.insert(page, copy) {
            self.by_use.remove(&old.used);
        }
        self.by_use.insert(self.uses, page);
        while self.copies.len() > self.copies_max {
            let Some((_, oldest)) = self.by_use.pop_first() else { return };
            self.copies.remove(&oldest);
            self.pages_lost += u64::from(oldest.query == 0);
        }
    }

    /// Whether whoever asks is the one to revalidate the copy, for as long as the lease lasts.
    pub(super) fn try_begin_revalidation(&mut self, page: Page, now_us: u64, lease_us: u64) -> bool {
        match self.copies.get_mut(&page) {
            Some(copy) if now_us >= copy.revalidated_until_us => {
                copy.revalidated_until_us = now_us + lease_us;
                true
            }
            _ => false,
        }
    }
}

/// Who waits for whose fetch of a page.
#[derive(Debug, Default)]
pub(super) struct Flights(BTreeMap<Page, Vec<RequestId>>);

/// What a request finds that wants to fetch a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Boarding {
    Lead,
    Follow,
    Alone,
}

impl Flights {
    /// As in the edge.
    const FLIGHTS_MAX: usize = 4_096;

    pub(super) fn board(&mut self, page: Page, request: RequestId) -> Boarding {
        if let Some(followers) = self.0.get_mut(&page) {
            followers.push(request);
            return Boarding::Follow;
        }
        if self.0.len() >= Self::FLIGHTS_MAX {
            return Boarding::Alone;
        }
        self.0.insert(page, Vec::new());
        Boarding::Lead
    }

    /// Ends a flight; who waited for it, some of whom may have gone.
    pub(super) fn land(&mut self, page: Page) -> Vec<RequestId> {
        self.0.remove(&page).unwrap_or_default()
    }
}
