//! What is kept of a watch, and how a target stands: the nouns that control loop, store, console and
//! status page hand to one another. None of them is a wire or disk format.

use std::sync::Arc;
use std::time::Duration;

use crate::account::Span;
use crate::cause::{Cause, Phase};
use crate::families::{Family, family_name};
use crate::outage::Outage;
use crate::sample::UnknownCause;
use crate::target::State;

/// Characters of a target's name in an outage's.
const NAME_CHARS_MAX: usize = 40;

/// An outage with where it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutageRecord {
    /// Its name, unique, made of characters that stand in an address: [`outage_key`].
    pub key: Arc<str>,
    /// The target's name.
    pub target: Arc<str>,
    /// The site that the target belongs to.
    pub site: Option<Arc<str>>,
    /// From where it was seen.
    pub vantage: Arc<str>,
    /// Over which family of addresses; `None` where there was no address.
    pub family: Option<Family>,
    /// When, and why.
    pub outage: Outage,
}

/// A time of which nothing is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownRecord {
    /// The target's name.
    pub target: Arc<str>,
    /// From where.
    pub vantage: Arc<str>,
    /// Over which family of addresses.
    pub family: Option<Family>,
    /// When.
    pub span: Span,
    /// Why.
    pub cause: UnknownCause,
}

/// That a target is watched, since when, and until when it was known how it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchedRecord {
    /// The target's name.
    pub target: Arc<str>,
    /// The site that it belongs to.
    pub site: Option<Arc<str>>,
    /// From where.
    pub vantage: Arc<str>,
    /// Over which family of addresses.
    pub family: Option<Family>,
    /// When it was first seen, in microseconds since 1970.
    pub since_unix_micros: i64,
    /// When it was last known how it was, in microseconds since 1970.
    pub known_until_unix_micros: i64,
}

/// What is on record of a watch, or is to be put on record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WatchRecord {
    /// Outages.
    pub outages: Vec<OutageRecord>,
    /// Times of which nothing is known.
    pub unknown: Vec<UnknownRecord>,
    /// What is watched.
    pub watched: Vec<WatchedRecord>,
}

impl WatchRecord {
    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.outages.is_empty() && self.unknown.is_empty() && self.watched.is_empty()
    }
}

/// How a target stands.
#[derive(Clone, Debug, PartialEq)]
pub struct TargetStatus {
    /// Its name.
    pub name: Arc<str>,
    /// The site that it belongs to.
    pub site: Option<Arc<str>>,
    /// From where it is seen.
    pub vantage: Arc<str>,
    /// Each family of addresses that is known, IPv4 first.
    pub families: Vec<FamilyStatus>,
}

/// How a target stands over one family of addresses.
#[derive(Clone, Debug, PartialEq)]
pub struct FamilyStatus {
    /// Which; `None` where there is no address to tell by.
    pub family: Option<Family>,
    /// What is said of it.
    pub state: State,
    /// The outage that is open.
    pub outage: Option<OutageRecord>,
    /// Until when it was known how it was, in microseconds since 1970.
    pub known_until_unix_micros: i64,
    /// What the last probe measured; `None` before the first.
    pub probe: Option<ProbeFigures>,
}

/// What one probe measured over one family of addresses: of several addresses the first that failed,
/// else the first.
#[derive(Clone, Debug, PartialEq)]
pub struct ProbeFigures {
    /// When it ended, in microseconds since 1970.
    pub finished_unix_micros: i64,
    /// How long it took.
    pub duration: Duration,
    /// How long each phase took that was finished.
    pub phases: Vec<(Phase, Duration)>,
    /// Why it failed; the prober's own trouble is no failure of the target.
    pub failure: Option<Cause>,
    /// Whether the answer was what it should be.
    pub is_success: bool,
    /// The answer's status, of HTTP.
    pub http_status: Option<u16>,
    /// The TLS version, as IANA numbers it.
    pub tls_version: Option<u16>,
    /// When the first of the certificates ends, in seconds since 1970.
    pub certificate_ends_unix_seconds: Option<i64>,
    /// How much later than due it began.
    pub late: Duration,
}

/// The name of an outage: `polling-place-ipv4-1667916127`: its target, family, and the second since 1970
/// in which it was first seen. The same at every call.
#[must_use]
pub fn outage_key(target: &str, family: Option<Family>, outage: &Outage) -> Arc<str> {
    let stands = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' };
    let mut slug: String = target.chars().take(NAME_CHARS_MAX).map(stands).collect();
    if slug != target {
        // Two names that are alike in these characters stay two.
        let hash = target.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        slug = format!("{}-{:06x}", slug.trim_matches('-'), hash & 0xff_ffff);
    }
    let second = outage.start.latest_unix_micros.div_euclid(1_000_000);
    format!("{slug}-{}-{second}", family_name(family)).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outage::Edge;

    #[test]
    fn the_key_stands_in_an_address_and_tells_like_names_apart() {
        let start = Edge { earliest_unix_micros: None, latest_unix_micros: 1_667_916_127_900_000 };
        let outage = Outage { start, end: None, causes: Vec::new(), unknown_micros: 0 };
        let key = |target: &str, family| outage_key(target, family, &outage).to_string();
        assert_eq!(key("mail", None), "mail-any-1667916127");
        assert_eq!(key("mail", Some(Family::V6)), "mail-ipv6-1667916127");
        let (one, other) = (key("look up", None), key("look/up", None));
        assert_ne!(one, other);
        for key in [one, other, key("https://www.sos.example.gov/año?q=1", Some(Family::V4))] {
            assert!(key.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)), "{key}");
        }
    }
}
