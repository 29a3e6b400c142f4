//! Visits of sampled sources, followed from second to second: what a page leads to, how long people
//! read, how widely they look around, and whether their network was here before.
//!
//! 2,048 visits at the most; where more are sampled, the one that was silent for longest makes room.

use crate::figure::{Figure, Row};
use crate::known::KnownNetworks;
use crate::sketch::{Marks, SampledSource};

const SETS: usize = 512;
const WAYS: usize = 4;
/// Seconds of silence after which a visit is over.
const IDLE_S: u64 = 600;
/// Only visits that began within so many seconds are compared.
const FRESH_S: u64 = 60;
/// Pages and data from which on a source that loads nothing else asks for many.
const GREEDY_LEAST: u32 = 5;

#[derive(Clone, Copy, Debug, Default)]
struct Visit {
    did: SampledSource,
    first_s: u64,
    last_s: u64,
    last_page_s: u64,
    think_s: f32,
    thinks: u16,
    known: bool,
    used: bool,
    /// It has asked for a page or data, and the first of them came from a page of this site.
    entered: bool,
    from_within: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Sessions {
    visits: Vec<[Visit; WAYS]>,
    /// Places of visits, by set and way.
    used: Marks<{ SETS * WAYS / 64 }>,
    /// Of these, which began less than a minute ago or had when that was last looked at.
    fresh: Marks<{ SETS * WAYS / 64 }>,
    fresh_since_s: u64,
    /// Visits dropped while they went on.
    pub(crate) dropped: u64,
}

/// How visits behave, over a set of them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Behaviour {
    /// Visits it was taken from.
    pub(crate) visits: f64,
    /// Of those that asked for a page or data, the share that loads as browsers do.
    pub(crate) browser_like: f64,
    /// Different addresses for each page or data asked for.
    pub(crate) breadth: f64,
    /// Visits that breadth was taken from: of two pages or more.
    pub(crate) broad_visits: f64,
    /// Seconds between two pages.
    pub(crate) think_s: f64,
    /// Pauses it was taken from.
    pub(crate) thinks: f64,
    /// Of those that asked for a page, the share that asked for nothing that pages need.
    pub(crate) bare: f64,
    /// Visits that was taken from.
    pub(crate) page_visits: f64,
    /// Of those that asked for a page or data, the share whose first request came from a page of this site.
    pub(crate) from_within: f64,
    /// Of all pages and data, the share that went to sources that ask for many and load nothing else.
    pub(crate) greedy: f64,
    /// Pages and data that was taken from.
    pub(crate) wanted: f64,
}

impl Behaviour {
    /// Moves towards `other` by that part of the way, or all of it the first time.
    pub(crate) fn approach(&mut self, other: &Self, part: f64) {
        let near = |own: &mut f64, other: f64, seen: f64, first: bool| {
            if first {
                *own = other;
            } else if seen > 0.0 {
                *own += (other - *own) * part;
            }
        };
        near(&mut self.browser_like, other.browser_like, other.visits, self.visits <= 0.0);
        near(&mut self.breadth, other.breadth, other.broad_visits, self.broad_visits <= 0.0);
        near(&mut self.think_s, other.think_s, other.thinks, self.thinks <= 0.0);
        near(&mut self.bare, other.bare, other.page_visits, self.page_visits <= 0.0);
        near(&mut self.from_within, other.from_within, other.visits, self.visits <= 0.0);
        near(&mut self.greedy, other.greedy, other.wanted, self.wanted <= 0.0);
        // How much it rests on is the sum of what it was taken from, and need not grow for ever.
        self.visits = (self.visits + other.visits * part).min(1_000.0);
        self.broad_visits = (self.broad_visits + other.broad_visits * part).min(1_000.0);
        self.thinks = (self.thinks + other.thinks * part).min(1_000.0);
        self.page_visits = (self.page_visits + other.page_visits * part).min(1_000.0);
        self.wanted = (self.wanted + other.wanted * part).min(1_000.0);
    }
}

impl Default for Sessions {
    fn default() -> Self {
        Self {
            visits: vec![[Visit::default(); WAYS]; SETS],
            used: Marks::default(),
            fresh: Marks::default(),
            fresh_since_s: 0,
            dropped: 0,
        }
    }
}

impl Sessions {
    /// Takes in a second's sample, and fills in what the row says of it. `learn` is where networks
    /// of visits that are over become known: only in calm times.
    pub(crate) fn take_in(
        &mut self,
        sampled: &[SampledSource],
        row: &mut Row,
        known: &mut KnownNetworks,
        now: (u64, i64),
        calm: bool,
    ) {
        let (now_s, unix_s) = now;
        self.forget_fresh(now_s);
        for source in sampled {
            let place = usize::try_from(source.hash).unwrap_or(0) & (SETS - 1);
            let Some(set) = self.visits.get_mut(place) else { continue };
            let own = set.iter_mut().find(|visit| {
                visit.used && visit.did.hash == source.hash && now_s.saturating_sub(visit.last_s) < IDLE_S
            });
            let visit = if let Some(visit) = own {
                visit.did.add(source);
                visit
            } else {
                let is_known = known.contains(source.network);
                let oldest = set.iter_mut().enumerate().min_by_key(|(_, visit)| (visit.used, visit.last_s));
                let Some((way, oldest)) = oldest else { continue };
                self.used.set(place * WAYS + way);
                self.fresh.set(place * WAYS + way);
                if oldest.used && now_s.saturating_sub(oldest.last_s) < FRESH_S {
                    self.dropped = self.dropped.saturating_add(1);
                }
                if oldest.used && calm && oldest.did.pages + oldest.did.assets > 0 {
                    known.learn(oldest.did.network, unix_s);
                }
                *oldest =
                    Visit { did: *source, first_s: now_s, known: is_known, used: true, ..Visit::default() };
                row.add(Figure::Sampled, 1.0);
                row.add(Figure::SampledKnown, if is_known { 1.0 } else { 0.0 });
                oldest
            };
            visit.last_s = now_s;
            if source.pages + source.data > 0 {
                if !visit.entered {
                    visit.entered = true;
                    visit.from_within = source.own_wanted >= source.pages + source.data;
                }
                let pause = now_s.saturating_sub(visit.last_page_s);
                if visit.last_page_s > 0 && pause < 120 {
                    // Several pages in a second have short pauses between them.
                    let pages = u16::try_from(source.pages + source.data).unwrap_or(u16::MAX);
                    visit.think_s += f32::from(u16::try_from(pause).unwrap_or(u16::MAX));
                    visit.thinks = visit.thinks.saturating_add(pages);
                }
                visit.last_page_s = now_s;
            }
            if visit.known {
                row.add(Figure::KnownRequests, f64::from(source.requests));
                row.add(Figure::KnownTurnedAway, f64::from(source.turned_away));
                row.add(Figure::KnownRefused, f64::from(source.refused));
            }
        }
    }

    /// Learns the networks of visits that are over; called now and then in calm times.
    pub(crate) fn learn_finished(&mut self, known: &mut KnownNetworks, now_s: u64, unix_s: i64) {
        for place in self.used.clone().places() {
            let Some(visit) = self.visits.as_flattened_mut().get_mut(place) else { continue };
            if now_s.saturating_sub(visit.last_s) >= IDLE_S {
                if visit.did.pages + visit.did.assets > 0 {
                    known.learn(visit.did.network, unix_s);
                }
                *visit = Visit::default();
                self.used.unset(place);
                self.fresh.unset(place);
            }
        }
    }

    /// Now and then, those that began more than a minute ago are no longer fresh.
    fn forget_fresh(&mut self, now_s: u64) {
        if now_s.saturating_sub(self.fresh_since_s) < FRESH_S / 4 {
            return;
        }
        self.fresh_since_s = now_s;
        for place in self.fresh.clone().places() {
            let visit = self.visits.as_flattened().get(place);
            if visit.is_none_or(|visit| visit.first_s < now_s.saturating_sub(FRESH_S)) {
                self.fresh.unset(place);
            }
        }
    }

    /// How visits behave that began since `since_s`, and at most a minute ago.
    pub(crate) fn behaviour(&self, since_s: u64, now_s: u64) -> Behaviour {
        let since_s = since_s.max(now_s.saturating_sub(FRESH_S));
        let mut behaviour = Behaviour::default();
        let mut browsers = 0.0;
        let mut breadth = 0.0;
        let (mut think, mut thinks) = (0.0, 0.0);
        let (mut bare, mut from_within, mut greedy) = (0.0, 0.0, 0.0);
        // A page's pictures come a moment after it.
        let fresh = |visit: &&Visit| visit.used && visit.first_s >= since_s && visit.first_s < now_s;
        let visits = self.visits.as_flattened();
        for visit in self.fresh.places().filter_map(|place| visits.get(place)).filter(fresh) {
            let wanted = visit.did.pages + visit.did.data;
            if wanted == 0 {
                continue;
            }
            behaviour.visits += 1.0;
            let browser = visit.did.pages > 0 && visit.did.assets > 0 || visit.did.own_referrer > 0;
            browsers += f64::from(u8::from(browser));
            from_within += f64::from(u8::from(visit.from_within));
            if visit.did.pages > 0 {
                behaviour.page_visits += 1.0;
                bare += f64::from(u8::from(visit.did.assets == 0));
            }
            behaviour.wanted += f64::from(wanted);
            let is_greedy = wanted >= GREEDY_LEAST && visit.did.assets.saturating_mul(4) < wanted;
            greedy += if is_greedy { f64::from(wanted) } else { 0.0 };
            if wanted >= 2 {
                behaviour.broad_visits += 1.0;
                breadth += f64::from(visit.did.paths.count_ones()) / f64::from(wanted + visit.did.assets);
            }
            think += f64::from(visit.think_s);
            thinks += f64::from(visit.thinks);
        }
        behaviour.browser_like = browsers / behaviour.visits.max(1.0);
        behaviour.breadth = breadth / behaviour.broad_visits.max(1.0);
        behaviour.bare = bare / behaviour.page_visits.max(1.0);
        behaviour.from_within = from_within / behaviour.visits.max(1.0);
        behaviour.greedy = greedy / behaviour.wanted.max(1.0);
        behaviour.thinks = thinks;
        behaviour.think_s = think / thinks.max(1.0);
        behaviour
    }
}
