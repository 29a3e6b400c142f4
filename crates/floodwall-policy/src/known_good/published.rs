//! The lists of address ranges that crawlers' operators publish.
//!
//! Google, Bing, Apple, DuckDuckGo, OpenAI and others use one form, of which this is all:
//!
//! ```json
//! {"creationTime": "2026-11-01T00:00:00", "prefixes": [
//!     {"ipv6Prefix": "2001:4860:4801:10::/64"}, {"ipv4Prefix": "66.249.64.0/27"}]}
//! ```
//!
//! The operator of the site fetches them; Floodwall asks nobody.

use floodwall_model::{ParsePrefixError, Prefix};
use serde::Deserialize;

/// Ranges one list may have; Google's all together have some 1,500.
const RANGES_MAX: usize = 65_536;
/// A shorter prefix is no crawler's: a list that opens the door to everybody is a mistake.
const V4_BITS_MIN: u8 = 8;
const V6_BITS_MIN: u8 = 19;

/// Why a list is not taken.
#[derive(Debug, thiserror::Error)]
pub enum PublishedRangesError {
    /// Not JSON of that form.
    #[error(
        "not a list of published ranges: {0}; it has the form {{\"prefixes\": [{{\"ipv4Prefix\": \"192.0.2.0/24\"}}]}}"
    )]
    Form(#[from] serde_json::Error),
    /// An element that is neither.
    #[error("element {place} of `prefixes` has neither `ipv4Prefix` nor `ipv6Prefix`")]
    NoPrefix {
        /// Its place, from 1 on.
        place: usize,
    },
    /// Not a prefix.
    #[error("element {place} of `prefixes`: {source}")]
    Prefix {
        /// Its place, from 1 on.
        place: usize,
        /// What is wrong with it.
        source: ParsePrefixError,
    },
    /// It would let in a great part of the internet.
    #[error("element {place} of `prefixes`: {prefix} is far too wide for a crawler")]
    TooWide {
        /// Its place, from 1 on.
        place: usize,
        /// The prefix.
        prefix: Prefix,
    },
    /// More than we keep.
    #[error("{0} ranges are more than the {RANGES_MAX} that are taken")]
    TooMany(usize),
    /// None at all.
    #[error("the list is empty")]
    Empty,
}

#[derive(Deserialize)]
struct List {
    prefixes: Vec<Element>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Element {
    ipv4_prefix: Option<String>,
    ipv6_prefix: Option<String>,
}

/// Reads a list.
///
/// # Errors
/// The first thing that is wrong with it; a list is taken whole or not at all.
pub fn published_ranges(json: &[u8]) -> Result<Vec<Prefix>, PublishedRangesError> {
    let list: List = serde_json::from_slice(json)?;
    if list.prefixes.len() > RANGES_MAX {
        return Err(PublishedRangesError::TooMany(list.prefixes.len()));
    }
    let mut prefixes = Vec::with_capacity(list.prefixes.len());
    for (place, element) in (1..).zip(list.prefixes) {
        let texts = [element.ipv4_prefix, element.ipv6_prefix];
        let before = prefixes.len();
        for text in texts.into_iter().flatten() {
            let prefix: Prefix =
                text.parse().map_err(|source| PublishedRangesError::Prefix { place, source })?;
            let bits_min = if prefix.network().is_ipv4() { V4_BITS_MIN } else { V6_BITS_MIN };
            if prefix.length_bits() < bits_min {
                return Err(PublishedRangesError::TooWide { place, prefix });
            }
            prefixes.push(prefix);
        }
        if prefixes.len() == before {
            return Err(PublishedRangesError::NoPrefix { place });
        }
    }
    if prefixes.is_empty() { Err(PublishedRangesError::Empty) } else { Ok(prefixes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, expected: Result<&[&str], &str>) {
        match (published_ranges(json.as_bytes()), expected) {
            (Ok(prefixes), Ok(expected)) => {
                assert_eq!(prefixes.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
            }
            (Err(error), Err(word)) => assert!(error.to_string().contains(word), "{json}: {error}"),
            (read, _) => panic!("{json}: {read:?}"),
        }
    }

    #[test]
    fn lists() {
        check(
            r#"{"creationTime":"2026-11-01T00:00:00.000000","prefixes":[{"ipv6Prefix":"2001:4860:4801:10::/64"},{"ipv4Prefix":"66.249.64.0/27"}]}"#,
            Ok(&["2001:4860:4801:10::/64", "66.249.64.0/27"]),
        );
        check(
            r#"{"prefixes":[{"ipv4Prefix":"192.0.2.7","service":"x"}],"syncToken":1}"#,
            Ok(&["192.0.2.7/32"]),
        );
        check("", Err("not a list of published ranges"));
        check("[]", Err("not a list of published ranges"));
        check(r#"{"prefixes":[]}"#, Err("empty"));
        check(r#"{"prefixes":[{"ip_prefix":"192.0.2.0/24"}]}"#, Err("element 1 of `prefixes` has neither"));
        check(r#"{"prefixes":[{"ipv4Prefix":"192.0.2.9/24"}]}"#, Err("write 192.0.2.0/24"));
        check(r#"{"prefixes":[{"ipv4Prefix":"0.0.0.0/0"}]}"#, Err("far too wide"));
        check(r#"{"prefixes":[{"ipv6Prefix":"2000::/3"}]}"#, Err("far too wide"));
    }
}
