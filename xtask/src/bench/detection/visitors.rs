//! Visitors: when sessions begin, whose address they have, and what they ask for in which second.

use std::collections::VecDeque;

use floodwall_detection::{AgentKind, ContentKind, Referrer, RequestSeen};
use floodwall_drill::random::Chance;

use super::episodes::{Crowd, CrowdKind, Episode};
use super::pool::{Pool, Who, fingerprint_of, hash, pick, request};

/// Networks of regulars.
const REGULARS: u64 = 3_000;

/// A request that is wanted, and by whom.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    pub(super) seen: RequestSeen,
    /// Sent by a person, who solves challenges.
    pub(super) person: bool,
    /// How often it was asked again.
    pub(super) again: u8,
}

/// What is wanted in the seconds to come.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    first_s: u32,
    seconds: VecDeque<Vec<Wanted>>,
}

impl Schedule {
    pub(super) fn put(&mut self, second: u32, wanted: Wanted) {
        let Some(into) = second.checked_sub(self.first_s) else { return };
        let into = into as usize;
        if into >= 700 {
            return;
        }
        while self.seconds.len() <= into {
            self.seconds.push_back(Vec::new());
        }
        if let Some(list) = self.seconds.get_mut(into) {
            list.push(wanted);
        }
    }

    pub(super) fn take(&mut self) -> Vec<Wanted> {
        self.first_s += 1;
        self.seconds.pop_front().unwrap_or_default()
    }
}

/// The key of an IPv4 address that stands for a client.
pub(super) fn client(address: u64) -> (u64, u64) {
    let address = address & 0xFFFF_FFFF;
    (0x1_0000_0000 | address, 0x1_0000_0000 | (address & 0xFFFF_FF00))
}

/// The network of a regular.
pub(super) fn regular(number: u64) -> u64 {
    let spread = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
    0x1400_0000 + (spread << 8)
}

/// All networks that visited before the episode.
pub(super) fn regulars() -> impl Iterator<Item = u64> {
    (0..REGULARS).map(|number| client(regular(number)).1)
}

/// Makes the sessions of an episode.
pub(super) struct Visitors<'a> {
    pub(super) pool: &'a Pool,
    pub(super) episode: &'a Episode,
    pub(super) chance: Chance,
}

impl Visitors<'_> {
    /// Sessions that begin in a second at a rate of requests per second.
    pub(super) fn begin(&mut self, second: u32, requests_per_s: f64, schedule: &mut Schedule) {
        for _ in 0..poisson(requests_per_s / self.pool.requests_each, &mut self.chance) {
            let returning = self.episode.returning;
            self.session(second, returning, schedule);
        }
    }

    fn session(&mut self, second: u32, returning: f64, schedule: &mut Schedule) {
        let pool = self.pool;
        let Some(template) = pick(&pool.sessions, &mut self.chance) else { return };
        let (source, network) = match template.who {
            Who::Machine(key) => (key, key & !0xFF),
            Who::Office => client(0x0A14_1E00 + self.chance.below(2)),
            Who::Person => self.person(returning),
        };
        let start_ms = u32::try_from(self.chance.below(1_000)).unwrap_or(0);
        for (after_ms, seen) in &template.wants {
            let mut seen = *seen;
            (seen.source, seen.network) = (source, network);
            if seen.kind == ContentKind::Data && seen.query.is_some() {
                seen.query = Some(self.chance.number());
            }
            let person = !matches!(template.who, Who::Machine(_));
            let at = second + (start_ms + after_ms) / 1_000;
            schedule.put(at, Wanted { seen, person, again: 0 });
        }
    }

    fn person(&mut self, returning: f64) -> (u64, u64) {
        if self.chance.unit() < returning {
            // Few come often, many seldom.
            let unit = self.chance.unit();
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "below the number of regulars"
            )]
            let number = (unit * unit * REGULARS as f64) as u64;
            client(regular(number) + self.chance.below(16))
        } else {
            client(0x5000_0000 + self.chance.below(0x4000_0000))
        }
    }

    /// What a crowd adds, at a rate of requests per second.
    pub(super) fn crowd(&mut self, second: u32, crowd: Crowd, requests_per_s: f64, schedule: &mut Schedule) {
        match crowd.kind {
            CrowdKind::Usual | CrowdKind::Reload => self.begin(second, requests_per_s, schedule),
            CrowdKind::Schools => {
                let sessions = poisson(requests_per_s / self.pool.requests_each, &mut self.chance);
                let schools = 4 + self.episode.seed % 30;
                for _ in 0..sessions {
                    let school = self.chance.below(schools);
                    let before = schedule_mark(schedule);
                    self.session(second, 0.5, schedule);
                    let (source, network) =
                        client(0x3000_0000 + (self.episode.seed % 97) * 0x1_0000 + school * 256);
                    before.rename(schedule, source, network);
                }
            }
            CrowdKind::Letter | CrowdKind::Push => {
                for _ in 0..poisson(requests_per_s / 4.0, &mut self.chance) {
                    self.landing(second, crowd.kind == CrowdKind::Push, schedule);
                }
            }
        }
    }

    /// One page from outside without a referrer, what it needs, and perhaps one or two more.
    fn landing(&mut self, second: u32, push: bool, schedule: &mut Schedule) {
        let (source, network) = self.person(if push { 0.08 } else { 0.85 });
        // Telephones have few kinds of browsers.
        let agent = if push && self.chance.unit() < 0.8 {
            let place = usize::try_from(self.chance.below(3)).unwrap_or(0);
            self.pool.agents.get(place * 7).copied().unwrap_or(1)
        } else {
            self.pool.agent(&mut self.chance)
        };
        let page = hash(if push { "/alerts/2022-11-08" } else { "/news/november" });
        let mut at_ms = u32::try_from(self.chance.below(1_000)).unwrap_or(0);
        let mut put = |at_ms: u32, mut seen: RequestSeen| {
            (seen.source, seen.network) = (source, network);
            schedule.put(second + at_ms / 1_000, Wanted { seen, person: true, again: 0 });
        };
        put(at_ms, request(ContentKind::Page, page, agent, Referrer::Absent));
        let assets = self.pool.sessions.iter().flat_map(|session| &session.wants);
        let assets = assets.filter(|(_, seen)| seen.kind == ContentKind::Asset).take(3);
        for (number, (_, asset)) in assets.enumerate() {
            if self.chance.unit() < 0.7 {
                let later = at_ms + 150 + 60 * u32::try_from(number).unwrap_or(0);
                put(later, request(ContentKind::Asset, asset.path, agent, Referrer::Own));
            }
        }
        for step in 0..3 {
            if self.chance.unit() > 0.45 {
                break;
            }
            at_ms += 1_500 + u32::try_from(self.chance.below(12_000)).unwrap_or(0);
            let mut seen =
                request(ContentKind::Page, hash("/polling-place").wrapping_add(step), agent, Referrer::Own);
            if step > 0 && self.chance.unit() < 0.6 {
                seen = request(ContentKind::Data, hash("/polling-place/lookup"), agent, Referrer::Own);
                seen.query = Some(self.chance.number());
            }
            put(at_ms, seen);
        }
    }

    /// A crawler that says so: pages, all of them, from one address.
    pub(super) fn crawl(&mut self, second: u32, requests_per_s: f64, schedule: &mut Schedule) {
        let (source, network) = client(0x4242_0700 + self.episode.seed % 200);
        for _ in 0..poisson(requests_per_s, &mut self.chance) {
            let path = self.chance.below(4_000);
            let mut seen = request(
                ContentKind::Page,
                hash("/crawl").wrapping_add(path << 20),
                hash("somebot/2.1"),
                Referrer::Absent,
            );
            if self.chance.unit() < 0.15 {
                seen.kind = ContentKind::Data;
                seen.query = Some(path);
            }
            seen.agent_kind = AgentKind::DeclaredBot;
            seen.fingerprint = Some(fingerprint_of(77));
            (seen.source, seen.network) = (source, network);
            if self.chance.unit() < 0.05 {
                seen.status = 404;
            }
            schedule.put(second, Wanted { seen, person: false, again: 0 });
        }
    }
}

/// How many arrive when so many are expected: Knuth's method, in parts where there are many.
pub(super) fn poisson(mean: f64, chance: &mut Chance) -> u32 {
    let (mut left, mut count) = (mean, 0);
    while left > 0.0 {
        let part = left.min(20.0);
        let floor = (-part).exp();
        let mut product = chance.unit();
        while product > floor {
            product *= chance.unit();
            count += 1;
        }
        left -= part;
    }
    count
}

/// Where each second's list ended, so that what was added can be given another address.
struct Mark {
    first_s: u32,
    lengths: Vec<usize>,
}

fn schedule_mark(schedule: &Schedule) -> Mark {
    Mark { first_s: schedule.first_s, lengths: schedule.seconds.iter().map(Vec::len).collect() }
}

impl Mark {
    fn rename(&self, schedule: &mut Schedule, source: u64, network: u64) {
        debug_assert_eq!(self.first_s, schedule.first_s);
        for (place, list) in schedule.seconds.iter_mut().enumerate() {
            let from = self.lengths.get(place).copied().unwrap_or(0);
            for wanted in list.iter_mut().skip(from) {
                (wanted.seen.source, wanted.seen.network) = (source, network);
            }
        }
    }
}
