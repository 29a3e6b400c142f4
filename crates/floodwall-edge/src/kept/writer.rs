//! The thread that writes copies.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Receiver;

use aws_lc_rs::digest::{SHA256, digest};
use floodwall_model::Timestamp;

use super::Tallies;
use super::format::{StoredKey, encode};
use super::intake::Intake;
use super::name::Name;
use super::shelf::Shelf;
use crate::cache::{CachedResponse, PurgeTarget, has_tag};

/// A copy is not written again sooner than this.
const REWRITE_SECONDS: i64 = 60;
/// Nor, where the page has not changed, sooner than this.
const REFRESH_SECONDS: i64 = 600;
/// After the disk refused a copy, none is written for so long.
const PAUSE_SECONDS: i64 = 10;

/// What the writer is told.
#[derive(Debug)]
pub(super) enum Job {
    /// Write this copy.
    Keep { key: StoredKey, response: Arc<CachedResponse>, now: Timestamp },
    /// Delete the copies of this page.
    Forget(StoredKey),
    /// Delete what is meant, of one site or of all.
    Purge { site: Option<Arc<str>>, target: PurgeTarget },
}

pub(super) struct Writer {
    shelf: Arc<Shelf>,
    tallies: Arc<Tallies>,
    queued_bytes: Arc<AtomicU64>,
    intake: Intake,
    /// Unix seconds until which nothing is written; zero while the disk takes what it is given.
    paused_until: i64,
}

impl Writer {
    pub(super) fn new(shelf: Arc<Shelf>, tallies: Arc<Tallies>, queued_bytes: Arc<AtomicU64>) -> Self {
        Self { shelf, tallies, queued_bytes, intake: Intake::new(), paused_until: 0 }
    }

    /// Works until the queue is closed and empty.
    pub(super) fn run(&mut self, jobs: &Receiver<Job>) {
        self.shelf.take_stock();
        while let Ok(job) = jobs.recv() {
            match job {
                Job::Keep { key, response, now } => {
                    self.keep(&key, &response, now);
                    self.queued_bytes.fetch_sub(response.weight(), Ordering::Relaxed);
                }
                Job::Forget(key) => Name::all_of(&key).for_each(|name| self.shelf.remove(&name)),
                Job::Purge { site, target } => self.purge(site.as_deref(), &target),
            }
        }
    }

    fn keep(&mut self, key: &StoredKey, response: &CachedResponse, now: Timestamp) {
        let seconds = now.wall_unix_seconds();
        if seconds < self.paused_until {
            self.tallies.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let name = Name::of(key, response);
        let entry = self.shelf.entry(&name);
        let age = entry.map(|entry| seconds.saturating_sub(entry.written_unix_seconds));
        if age.is_some_and(|age| (0..REWRITE_SECONDS).contains(&age)) {
            return;
        }
        let mut body = [0; 8];
        body.iter_mut().zip(digest(&SHA256, response.body()).as_ref()).for_each(|(to, from)| *to = *from);
        let is_same = entry.is_some_and(|entry| entry.body == Some(body));
        if is_same && age.is_some_and(|age| (0..REFRESH_SECONDS).contains(&age)) {
            return;
        }
        if entry.is_none() && !self.intake.is_worth_it(name) {
            return;
        }
        let Some(bytes) = encode(key, response, now.wall_unix_micros()) else { return };
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if entry.is_none() && !self.intake.try_take(length, seconds) {
            self.tallies.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        match self.shelf.write(name, &bytes, seconds, body, &self.tallies) {
            Ok(true) => {
                self.tallies.written.fetch_add(1, Ordering::Relaxed);
                if self.paused_until != 0 {
                    self.paused_until = 0;
                    tracing::info!("copies of pages can be kept again");
                }
            }
            Ok(false) => {}
            Err(error) => {
                self.tallies.write_failures.fetch_add(1, Ordering::Relaxed);
                if self.paused_until == 0 {
                    tracing::warn!(%error, "copies of pages cannot be kept at the moment; memory goes on");
                }
                self.paused_until = seconds.saturating_add(PAUSE_SECONDS);
            }
        }
    }

    /// Looks at every copy: minutes for many gigabytes, and nobody waits for it.
    fn purge(&self, site: Option<&str>, target: &PurgeTarget) {
        for name in self.shelf.names() {
            let Some((key, response)) = self.shelf.read_any(&name, &self.tallies) else { continue };
            let is_meant = match target {
                PurgeTarget::Tag(tag) => has_tag(&response.fields, tag),
                other => other.is_address(&key.authority, &key.path_and_query),
            };
            if is_meant && site.is_none_or(|site| *site == *key.site) {
                self.shelf.remove(&name);
            }
        }
    }
}
