//! Whom the operator always lets in: named offices, his own monitors, and crawlers that are who they
//! say they are.
//!
//! | Who | Known by |
//! |---|---|
//! | office, monitor's host | its prefix in the settings ([`PrefixMap`]) |
//! | crawler | its operator's published ranges ([`published_ranges()`]), or forward-confirmed reverse DNS ([`CrawlerChecks`]) |
//! | monitoring probe | a sealed credential in a header ([`Keyring::verify_probe`](crate::Keyring::verify_probe)) |
//!
//! Programs that hold a key of the operator's ([`key_list()`]) are never challenged either, and count as
//! proven; but each key has a share.
//!
//! The others all stand as [`Standing::Allowed`](crate::Standing): never challenged, charged to nobody,
//! ahead of everybody. What somebody says of himself in a `User-Agent` is never enough.

mod api_keys;
mod crawlers;
mod prefix_map;
mod probe;
mod published;
mod reverse_dns;

pub use api_keys::{KeyDigest, KeyListError, key_digest, key_list};
pub use crawlers::{Crawler, WELL_KNOWN_CRAWLERS};
pub use prefix_map::PrefixMap;
pub use probe::{PROBE_LIFETIME_MAX, ProbeClaims, ProbeName, ProbeNameError};
pub use published::{PublishedRangesError, published_ranges};
pub use reverse_dns::{
    CrawlerCheckSettings, CrawlerChecks, CrawlerStanding, LookUp, LookUpFault, NAMES_MAX, NextLookUp,
};
