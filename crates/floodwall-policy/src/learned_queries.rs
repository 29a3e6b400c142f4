//! Which query parameters a site's visitors use in calm times, path by path: what else comes in a flood
//! means nothing.
//!
//! Noted are names, not values: by a hash, with the clients they came from. A name counts as used once
//! three clients of different networks have sent it; what one visitor makes up teaches nothing. Nothing
//! is said of a path that was not seen often enough in calm times, so that a page that is new on the day
//! is left alone.
//!
//! What is left out this way may have had a meaning that calm times did not show. So this is for the
//! choice between an answer that is kept already and none: no request goes to the origin with less than
//! its visitor sent. For rules that hold always, the operator writes them (`site.query`).
//!
//! Limits: 1,024 paths of a site, numbers and identifiers in them left out, and 24 names of each; the
//! paths that are seen first stay. At most 500 KiB; forgotten at a restart.

use std::collections::BTreeMap;

use floodwall_model::Prefix;

use crate::prefix_limiter::hash_words;
use crate::signature::path_template;

const PATHS_MAX: usize = 1_024;
const NAMES_MAX: usize = 24;
/// Parameters of one query that are looked at.
const PARAMETERS_MAX: usize = 64;
/// Requests of a path after which its names are known.
const SEEN_MIN: u32 = 20;
/// Networks that must have sent a name.
const NETWORKS_MIN: usize = 3;

/// The names of one site's parameters.
#[derive(Clone, Debug)]
pub struct LearnedQueries {
    keys: (u64, u64),
    paths: BTreeMap<u64, PathNames>,
    overflows: u64,
}

#[derive(Clone, Debug, Default)]
struct PathNames {
    seen: u32,
    names: Vec<Name>,
}

#[derive(Clone, Debug)]
struct Name {
    hash: u32,
    /// Of the networks that sent it; none of them twice, and no zeros once there are three.
    networks: [u32; NETWORKS_MIN],
}

impl Name {
    fn note(&mut self, network: u32) {
        if !self.networks.contains(&network)
            && let Some(free) = self.networks.iter_mut().find(|known| **known == 0)
        {
            *free = network;
        }
    }

    fn is_used(&self) -> bool {
        !self.networks.contains(&0)
    }
}

impl LearnedQueries {
    /// Knows nothing yet. `hash_seed` must be random and secret: nobody finds a name that counts as another.
    #[must_use]
    pub fn new(hash_seed: u64) -> Self {
        Self {
            keys: (hash_seed, hash_words((hash_seed, !hash_seed), hash_seed, 0x9A)),
            paths: BTreeMap::new(),
            overflows: 0,
        }
    }

    /// A request in calm times, which was let in.
    pub fn note(&mut self, path: &str, query: Option<&str>, client: Prefix) {
        let network = self.hash(&Prefix::of_network(client.network()).client_key().to_le_bytes());
        let network = low(network).max(1);
        let path = self.path(path);
        if self.paths.len() >= PATHS_MAX && !self.paths.contains_key(&path) {
            self.overflows += 1;
            return;
        }
        let names: Vec<u32> = names(query).map(|name| low(self.hash(name.as_bytes()))).collect();
        let known = self.paths.entry(path).or_default();
        known.seen = known.seen.saturating_add(1);
        for hash in names {
            let count = known.names.len();
            if let Some(name) = known.names.iter_mut().find(|name| name.hash == hash) {
                name.note(network);
            } else if count < NAMES_MAX {
                known.names.push(Name { hash, networks: [network, 0, 0] });
            } else if let Some(name) = known.names.iter_mut().find(|name| name.networks[1] == 0) {
                // One that nobody else has sent makes room; what is known stays.
                *name = Name { hash, networks: [network, 0, 0] };
            } else {
                self.overflows += 1;
            }
        }
    }

    /// The path with those parameters of the query that are used in calm times, in their order; `None`
    /// where all are, or where too little is known of the path.
    #[must_use]
    pub fn reduced(&self, path: &str, query: &str) -> Option<String> {
        let known = self.paths.get(&self.path(path)).filter(|known| known.seen >= SEEN_MIN)?;
        let is_used = |pair: &str| {
            let hash = low(self.hash(name_of(pair).as_bytes()));
            known.names.iter().any(|name| name.hash == hash && name.is_used())
        };
        let mut reduced = String::with_capacity(path.len() + query.len() + 1);
        reduced.push_str(path);
        let mut separator = '?';
        for pair in query.split('&').take(PARAMETERS_MAX).filter(|pair| is_used(pair)) {
            reduced.push(std::mem::replace(&mut separator, '&'));
            reduced.push_str(pair);
        }
        let unchanged = reduced.get(path.len()..).and_then(|rest| rest.strip_prefix('?')) == Some(query);
        (!unchanged).then_some(reduced)
    }

    /// Paths and names there was no room for.
    #[must_use]
    pub fn overflows(&self) -> u64 {
        self.overflows
    }

    fn path(&self, path: &str) -> u64 {
        let mut hash = self.keys.0;
        path_template(path, &mut |part| hash = self.hash_on(hash, part));
        hash
    }

    fn hash(&self, bytes: &[u8]) -> u64 {
        self.hash_on(self.keys.1, bytes)
    }

    fn hash_on(&self, start: u64, bytes: &[u8]) -> u64 {
        bytes.chunks(8).fold(start ^ bytes.len() as u64, |hash, chunk| {
            let mut word = [0; 8];
            word.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
            hash_words(self.keys, hash, u64::from_le_bytes(word))
        })
    }
}

fn names(query: Option<&str>) -> impl Iterator<Item = &str> {
    let pairs = query.into_iter().flat_map(|query| query.split('&'));
    pairs.filter(|pair| !pair.is_empty()).take(PARAMETERS_MAX).map(name_of)
}

fn name_of(pair: &str) -> &str {
    pair.split_once('=').map_or(pair, |(name, _)| name)
}

#[expect(clippy::cast_possible_truncation, reason = "half of a hash")]
fn low(hash: u64) -> u32 {
    hash as u32
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use proptest::prelude::*;

    use super::*;

    fn client(network: u32) -> Prefix {
        Prefix::of_client(IpAddr::V4((0x0A00_0000 + network * 256 + 1).into()))
    }

    /// A site whose visitors page through news and look up addresses.
    fn learned() -> LearnedQueries {
        let mut learned = LearnedQueries::new(5);
        for visitor in 0..40 {
            learned.note("/news", Some(&format!("page={visitor}")), client(visitor));
            learned.note(&format!("/county/{visitor}/results"), Some("race=1&lang=es"), client(visitor));
            learned.note("/news", Some(&format!("x{visitor}=1")), client(7));
            learned.note("/", None, client(visitor));
        }
        (0..2).for_each(|_| learned.note("/rare", None, client(1)));
        learned
    }

    #[test]
    #[rustfmt::skip] // one row a line
    fn what_nobody_uses_is_left_out() {
        let learned = learned();
        for (path, query, expected) in [
            ("/news", "page=3", None),
            ("/news", "page=3&cb=81", Some("/news?page=3")),
            ("/news", "cb=81", Some("/news")),
            ("/news", "x7=1", Some("/news")),
            ("/county/900/results", "lang=es&race=2", None),
            ("/county/900/results", "lang=es&q&race=2", Some("/county/900/results?lang=es&race=2")),
            ("/", "fbclid=1", Some("/")),
            ("/", "", Some("/")),
            // Too little is known of these.
            ("/rare", "cb=1", None),
            ("/new", "cb=1", None),
        ] {
            assert_eq!(learned.reduced(path, query).as_deref(), expected, "{path}?{query}");
        }
    }

    #[test]
    fn one_network_teaches_nothing_however_often_it_asks() {
        let mut learned = learned();
        (0..1_000).for_each(|_| learned.note("/news", Some("evil=1"), client(7)));
        assert_eq!(learned.reduced("/news", "evil=1").as_deref(), Some("/news"));
        (8..10).for_each(|network| learned.note("/news", Some("evil=1"), client(network)));
        assert_eq!(learned.reduced("/news", "evil=1"), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn memory_is_bounded_and_what_is_used_stays(
            paths in prop::collection::vec("/[a-z]{1,6}", 0..3_000),
            names in prop::collection::vec("[a-z&=%]{0,40}", 1..200),
        ) {
            let mut learned = learned();
            for (place, path) in paths.iter().enumerate() {
                learned.note(path, Some(&names[place % names.len()]), client(u32::try_from(place).unwrap()));
            }
            prop_assert!(learned.paths.len() <= PATHS_MAX);
            prop_assert!(learned.paths.values().all(|path| path.names.len() <= NAMES_MAX));
            prop_assert_eq!(learned.reduced("/news", "page=3"), None);
        }

        #[test]
        fn reducing_twice_is_reducing_once(query in "[a-z&=]{0,30}(page=1)?") {
            let learned = learned();
            if let Some(once) = learned.reduced("/news", &query) {
                let (_, rest) = once.split_once('?').unwrap_or((&once, ""));
                prop_assert!(rest.is_empty() || learned.reduced("/news", rest).is_none());
            }
        }
    }
}
