//! A scenario and a seed become a plan: every session and every flood request with its time, to the
//! microsecond. Pure: the same two give the same plan again.
//!
//! Sessions are planned whole, because a person's next step does not wait for our server's
//! convenience: a page is wanted at its time, and how late it comes is measured from there.

mod flood;
mod session;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::Serialize;

pub use flood::{FloodArrival, FloodArrivals, NOBODY_FROM};
pub(crate) use session::page;
pub use session::{ASSETS, PAGES, Session, Step, Want, Wanted};

use crate::random::{Chance, Seed};
use crate::scenario::{Scenario, Surge, VisitorKind, Visitors};

/// Microseconds in a second.
const MICROS: f64 = 1_000_000.0;

/// Sessions of one plan at the most; the bounds on rates keep every shipped scenario far below.
const SESSIONS_MAX: usize = 200_000;

/// Arrivals of each flood that a fingerprint covers: a flood of an hour would take long to go through.
const FINGERPRINT_ARRIVALS: usize = 50_000;

/// What is to happen.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    /// The scenario it was made from.
    pub scenario: Scenario,
    /// The seed it was made with.
    pub seed: u64,
    /// Every visitor's session, by the time it begins.
    pub sessions: Vec<Session>,
}

impl Plan {
    /// Makes the plan.
    #[must_use]
    pub fn new(scenario: &Scenario, seed: Seed) -> Self {
        let mut sessions = Vec::new();
        for (visitors, place) in scenario.visitors.iter().zip(0..) {
            let mut chance = seed.stream("visitors", place);
            for (start_us, number) in
                arrivals(visitors, scenario.duration_s, &mut chance).into_iter().zip(0..)
            {
                sessions.push(session::plan(visitors.kind, place, number, start_us, &mut chance));
            }
        }
        sessions.sort_by_key(|session| session.start_us);
        sessions.truncate(SESSIONS_MAX);
        // Visits that are still going on at the end end there: nothing is wanted after it.
        let ends_us = micros(f64::from(scenario.duration_s));
        for session in &mut sessions {
            let starts_us = session.start_us;
            session.steps.retain(|step| step.at_us == 0 || starts_us.saturating_add(step.at_us) < ends_us);
        }
        Self { scenario: scenario.clone(), seed: seed.0, sessions }
    }

    /// The arrivals of the flood at that place in the scenario's list.
    #[must_use]
    pub fn flood(&self, place: usize) -> Option<FloodArrivals> {
        let number = u64::try_from(place).ok()?;
        let flood = self.scenario.floods.get(place)?.clone();
        Some(FloodArrivals::new(flood, number, Seed(self.seed)))
    }

    /// Requests that visitors want, assets included.
    #[must_use]
    pub fn wants(&self) -> usize {
        self.sessions.iter().map(Session::wants).sum()
    }

    /// Sixteen hex digits that stand for the plan: every session with its steps, and of each flood
    /// the first 50,000 arrivals. FNV-1a, so that two plans can be compared; not
    /// against anybody who wants them to look alike.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let sessions = self.sessions.iter().map(|session| format!("{session:?}"));
        let floods = (0..self.scenario.floods.len()).filter_map(|place| self.flood(place));
        let arrivals = floods.flat_map(|flood| flood.take(FINGERPRINT_ARRIVALS));
        let texts = sessions.chain(arrivals.map(|arrival| format!("{arrival:?}")));
        let hash = texts.fold(0xcbf2_9ce4_8422_2325_u64, |hash, text| {
            text.bytes().fold(hash, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
        });
        format!("{hash:016x}")
    }
}

/// Times at which sessions of one kind begin: a Poisson process whose rate follows the surge, by
/// thinning (Lewis and Shedler 1979).
fn arrivals(visitors: &Visitors, duration_s: u32, chance: &mut Chance) -> Vec<u64> {
    let peak = visitors.surge.map_or(1.0, |surge| surge.times.max(1.0)) * visitors.sessions_per_second;
    let mut times = Vec::new();
    let mut at_s = 0.0;
    while peak > 0.0 && times.len() < SESSIONS_MAX {
        at_s += chance.exponential(1.0 / peak);
        if at_s >= f64::from(duration_s) {
            break;
        }
        let kept = chance.unit() * peak < rate_at(visitors, at_s);
        if kept {
            times.push(micros(at_s));
        }
    }
    times
}

fn rate_at(visitors: &Visitors, at_s: f64) -> f64 {
    let base = visitors.sessions_per_second;
    let Some(Surge { from_s, ramp_s, times }) = visitors.surge else { return base };
    let into = at_s - f64::from(from_s);
    if into <= 0.0 {
        return base;
    }
    let risen = if ramp_s == 0 { 1.0 } else { (into / f64::from(ramp_s)).min(1.0) };
    base * (1.0 + (times - 1.0) * risen)
}

/// Seconds in microseconds; times of a plan lie within an hour.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and an hour")]
pub(crate) fn micros(seconds: f64) -> u64 {
    (seconds.clamp(0.0, 3600.0) * MICROS) as u64
}

/// Where a visitor comes from: an address within the network of the drill's visitor host, which the
/// hosts turn into a real one. Never an address by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The n-th IPv4 address.
    V4(u16),
    /// An address in the n-th /64.
    V6(u16),
}

impl Source {
    /// The address, given the networks it lies in (a /16 and a /48).
    #[must_use]
    pub fn within(self, v4: Ipv4Addr, v6: Ipv6Addr) -> IpAddr {
        match self {
            Self::V4(n) => {
                let [a, b, ..] = v4.octets();
                let [high, low] = n.to_be_bytes();
                IpAddr::V4(Ipv4Addr::new(a, b, high, low))
            }
            Self::V6(n) => {
                let [a, b, c, ..] = v6.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, n, 0, 0, 0, 1))
            }
        }
    }
}

/// Addresses from which phones come, and as many to which they move.
const PHONES: u16 = 0x4000;

/// The address of a visitor: kinds do not share addresses, and those with one address for all have
/// it at the beginning of their range.
fn source_of(kind: VisitorKind, number: u64) -> Source {
    let spread = |first: u16, size: u64| {
        let step = u16::try_from(number % size).unwrap_or(0);
        Source::V4(first.saturating_add(step))
    };
    match kind {
        // .0.0 is the network's own name.
        VisitorKind::Office => spread(0x0001, 1),
        VisitorKind::Crawler => spread(0x0011, 1),
        VisitorKind::Monitor => spread(0x0021, 1),
        VisitorKind::Browser => spread(0x0100, 0x4000),
        VisitorKind::BrowserNoScript => spread(0x4100, 0x1000),
        VisitorKind::NoCookies => spread(0x5100, 0x1000),
        VisitorKind::SlowPhone => spread(0x6100, 0x1000),
        VisitorKind::Phone => spread(0x7100, PHONES.into()),
        VisitorKind::Ipv6 => Source::V6(u16::try_from(1 + number % 0xfff0).unwrap_or(1)),
    }
}

#[cfg(test)]
mod tests;
