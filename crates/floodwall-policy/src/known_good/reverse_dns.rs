//! Forward-confirmed reverse DNS: whether an address that calls itself a crawler is one.
//!
//! The address is asked for its names (PTR); of those that lie below the crawler's domains, each is
//! asked for its addresses (A, AAAA); the address must be among them (as Google and Bing describe it;
//! RFC 8501, section 2.3, on what a PTR alone is worth: nothing, whoever holds the address writes it).
//!
//! A state machine: what DNS answered goes in, what is to be asked comes out. It never waits: until
//! an answer is there the visitor is as any other. Asked only for who claims to be a crawler, a few
//! times a second, a few at once; answers are kept, good ones for a day and renewed after half of it.
//!
//! Limits: fixed numbers of addresses, look-ups at once and look-ups a second. A flood that calls
//! itself Googlebot from many addresses uses up the look-ups of new addresses, not those that renew;
//! published ranges know the genuine ones without asking.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use floodwall_model::Timestamp;

use super::Crawler;

/// Names of one address that are followed.
pub const NAMES_MAX: usize = 3;
/// A look-up that was never answered counts as failed after this.
const LOST_AFTER: Duration = Duration::from_secs(30);

/// How addresses are checked.
#[derive(Clone, Debug, PartialEq)]
pub struct CrawlerCheckSettings {
    /// Who is checked.
    pub crawlers: Vec<Crawler>,
    /// Addresses that are kept.
    pub addresses_max: usize,
    /// Addresses that are being asked about at once.
    pub at_once_max: usize,
    /// New addresses that are asked about in one second; and as many that are renewed.
    pub per_second_max: u32,
    /// For how long an address stays verified.
    pub verified_for: Duration,
    /// For how long one stays refused that is not the crawler's.
    pub refused_for: Duration,
    /// For how long nothing is asked after a failure.
    pub failed_for: Duration,
}

/// The well-known crawlers; 4,096 addresses, 16 at once, 10 a second; a day, an hour, a minute.
impl Default for CrawlerCheckSettings {
    fn default() -> Self {
        Self {
            crawlers: Crawler::well_known(),
            addresses_max: 4_096,
            at_once_max: 16,
            per_second_max: 10,
            verified_for: Duration::from_secs(86_400),
            refused_for: Duration::from_secs(3_600),
            failed_for: Duration::from_secs(60),
        }
    }
}

/// What a visitor is who may call himself a crawler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrawlerStanding {
    /// He does not.
    NotClaimed,
    /// He is.
    Verified,
    /// He is not.
    Refused,
    /// It is not known, or not yet: he is as any other.
    Unknown,
}

/// One question for DNS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LookUp {
    /// The names of the address (PTR); the answer goes to [`CrawlerChecks::on_names`].
    Names,
    /// The addresses of this name (A and AAAA); the answer goes to [`CrawlerChecks::on_addresses`].
    Addresses(String),
}

/// A question and the address it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextLookUp {
    /// The address that is being checked.
    pub address: IpAddr,
    /// What to ask.
    pub look_up: LookUp,
}

/// Why a question has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LookUpFault {
    /// DNS says there is none.
    NotFound,
    /// No server answered in time, or none could.
    Failed,
}

#[derive(Clone, Debug)]
enum Finding {
    /// Under this host's name.
    Verified(String),
    Refused,
    Failed,
}

#[derive(Clone, Debug)]
struct Entry {
    /// What is known up to now.
    finding: Option<Finding>,
    until: Timestamp,
    /// It is not renewed before this.
    not_before: Timestamp,
    asking: Option<Asking>,
}

#[derive(Clone, Debug)]
struct Asking {
    since: Timestamp,
    /// Whom the visitor called himself: a place among the crawlers.
    crawler: usize,
    /// The name whose addresses are asked for, and those to be asked for after.
    names: Vec<String>,
}

/// What is known of addresses that call themselves crawlers. See the module's head.
#[derive(Debug)]
pub struct CrawlerChecks {
    settings: CrawlerCheckSettings,
    entries: BTreeMap<IpAddr, Entry>,
    second: u64,
    asked_new: u32,
    asked_again: u32,
    not_asked: u64,
}

impl CrawlerChecks {
    /// Knows nobody yet.
    #[must_use]
    pub fn new(settings: CrawlerCheckSettings) -> Self {
        Self { settings, entries: BTreeMap::new(), second: 0, asked_new: 0, asked_again: 0, not_asked: 0 }
    }

    /// What a visitor is, and what is to be asked about him, if anything. Look at his `User-Agent`
    /// only when he would be limited otherwise; this takes a microsecond.
    pub fn standing(
        &mut self,
        address: IpAddr,
        user_agent: &[u8],
        now: Timestamp,
    ) -> (CrawlerStanding, Option<NextLookUp>) {
        let claimed = self
            .settings
            .crawlers
            .iter()
            .position(|crawler| crawler.is_claimed_by(user_agent) && !crawler.domains.is_empty());
        let Some(crawler) = claimed else { return (CrawlerStanding::NotClaimed, None) };
        let address = address.to_canonical();
        let entry = self.entries.get(&address).filter(|entry| now < entry.until || entry.is_asked(now));
        let standing = entry.map_or(CrawlerStanding::Unknown, |entry| {
            match entry.finding.as_ref().filter(|_| now < entry.until) {
                Some(Finding::Verified(host)) if self.is_owned(crawler, host) => CrawlerStanding::Verified,
                Some(Finding::Verified(_) | Finding::Refused) => CrawlerStanding::Refused,
                Some(Finding::Failed) | None => CrawlerStanding::Unknown,
            }
        });
        let renews = standing == CrawlerStanding::Verified;
        let is_due = entry.is_none_or(|entry| {
            let is_old = entry.until.since(now) <= self.settings.verified_for / 2;
            renews && is_old && entry.not_before <= now && !entry.is_asked(now)
        });
        let next = if is_due { self.begin(address, crawler, renews, now) } else { None };
        (standing, next)
    }

    /// The names DNS gave for an address. What is to be asked next, if anything.
    pub fn on_names(
        &mut self,
        address: IpAddr,
        names: Result<&[&str], LookUpFault>,
        now: Timestamp,
    ) -> Option<NextLookUp> {
        let asking = self.entries.get(&address)?.asking.as_ref()?;
        let crawler = self.settings.crawlers.get(asking.crawler)?;
        let names = match names {
            Ok(names) => names,
            Err(LookUpFault::NotFound) => &[],
            Err(LookUpFault::Failed) => {
                self.settle(address, Finding::Failed, now);
                return None;
            }
        };
        let owned = names.iter().filter(|name| name.len() <= 255 && crawler.owns(name));
        let mut names: Vec<String> = owned.take(NAMES_MAX).map(ToString::to_string).collect();
        names.reverse();
        self.follow(address, names, now)
    }

    /// The addresses DNS gave for the name that was asked for. What is to be asked next, if anything.
    pub fn on_addresses(
        &mut self,
        address: IpAddr,
        addresses: Result<&[IpAddr], LookUpFault>,
        now: Timestamp,
    ) -> Option<NextLookUp> {
        let asking = self.entries.get_mut(&address)?.asking.as_mut()?;
        let name = asking.names.pop()?;
        let names = std::mem::take(&mut asking.names);
        match addresses {
            Ok(addresses) if addresses.iter().any(|of_name| of_name.to_canonical() == address) => {
                self.settle(address, Finding::Verified(name), now);
                None
            }
            Err(LookUpFault::Failed) => {
                self.settle(address, Finding::Failed, now);
                None
            }
            Ok(_) | Err(LookUpFault::NotFound) => self.follow(address, names, now),
        }
    }

    /// The name of the host that an address was verified by.
    #[must_use]
    pub fn verified_host(&self, address: IpAddr, now: Timestamp) -> Option<&str> {
        let entry = self.entries.get(&address.to_canonical()).filter(|entry| now < entry.until)?;
        match &entry.finding {
            Some(Finding::Verified(host)) => Some(host),
            _ => None,
        }
    }

    /// Whether DNS is being asked about an address.
    #[must_use]
    pub fn is_asking(&self, address: IpAddr, now: Timestamp) -> bool {
        self.entries.get(&address.to_canonical()).is_some_and(|entry| entry.is_asked(now))
    }

    /// Addresses that are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How often nothing was asked because enough was.
    #[must_use]
    pub fn not_asked(&self) -> u64 {
        self.not_asked
    }

    fn is_owned(&self, crawler: usize, host: &str) -> bool {
        self.settings.crawlers.get(crawler).is_some_and(|crawler| crawler.owns(host))
    }

    fn begin(&mut self, address: IpAddr, crawler: usize, renews: bool, now: Timestamp) -> Option<NextLookUp> {
        let second = now.monotonic_nanos() / 1_000_000_000;
        if std::mem::replace(&mut self.second, second) != second {
            (self.asked_new, self.asked_again) = (0, 0);
        }
        let asked = if renews { &mut self.asked_again } else { &mut self.asked_new };
        let at_once = self.entries.values().filter(|entry| entry.is_asked(now)).count();
        if *asked >= self.settings.per_second_max || at_once >= self.settings.at_once_max {
            self.not_asked += 1;
            return None;
        }
        *asked += 1;
        let asking = Some(Asking { since: now, crawler, names: Vec::new() });
        match self.entries.get_mut(&address) {
            Some(known) if renews => known.asking = asking,
            _ => {
                self.make_room(address, now);
                self.entries.insert(address, Entry { finding: None, until: now, not_before: now, asking });
            }
        }
        Some(NextLookUp { address, look_up: LookUp::Names })
    }

    fn follow(&mut self, address: IpAddr, names: Vec<String>, now: Timestamp) -> Option<NextLookUp> {
        let Some(name) = names.last().cloned() else {
            self.settle(address, Finding::Refused, now);
            return None;
        };
        self.entries.get_mut(&address)?.asking.as_mut()?.names = names;
        Some(NextLookUp { address, look_up: LookUp::Addresses(name) })
    }

    fn settle(&mut self, address: IpAddr, finding: Finding, now: Timestamp) {
        let Some(entry) = self.entries.get_mut(&address) else { return };
        entry.asking = None;
        let is_verified = matches!(entry.finding, Some(Finding::Verified(_))) && now < entry.until;
        if is_verified && matches!(finding, Finding::Failed) {
            // DNS that fails takes nothing from whom it verified.
            entry.not_before = now.plus(self.settings.failed_for);
            return;
        }
        let lasts = match finding {
            Finding::Verified(_) => self.settings.verified_for,
            Finding::Refused => self.settings.refused_for,
            Finding::Failed => self.settings.failed_for,
        };
        (entry.until, entry.not_before) = (now.plus(lasts), now);
        entry.finding = Some(finding);
    }

    /// Whoever is verified goes last.
    fn make_room(&mut self, newcomer: IpAddr, now: Timestamp) {
        if self.entries.len() < self.settings.addresses_max || self.entries.contains_key(&newcomer) {
            return;
        }
        self.entries.retain(|_, entry| now < entry.until || entry.is_asked(now));
        while self.entries.len() >= self.settings.addresses_max {
            let worth = |entry: &Entry| {
                (matches!(entry.finding, Some(Finding::Verified(_))), entry.is_asked(now), entry.until)
            };
            let least =
                self.entries.iter().min_by_key(|(_, entry)| worth(entry)).map(|(address, _)| *address);
            let Some(least) = least else { return };
            self.entries.remove(&least);
        }
    }
}

impl Entry {
    fn is_asked(&self, now: Timestamp) -> bool {
        self.asking.as_ref().is_some_and(|asking| now.since(asking.since) < LOST_AFTER)
    }
}

#[cfg(test)]
mod tests;
