//! Query hygiene: which parameters mean something to a site, by path.
//!
//! A flood that adds `?x=1`, `?x=2` and so on to a page's address misses every cache and reaches the
//! origin each time. A site that says which parameters it reads is asked for those only: GET and HEAD
//! are treated, in the cache and towards the origin, as if the others had not been sent. What stays
//! is put in the order of the rule, so that the same parameters in another order make no other page.
//! Nothing is refused, and nobody is redirected: a link with a mailing's marks goes on working.
//!
//! A path without a rule keeps its query as it came. Limits: names are compared letter by letter
//! (one that is percent-encoded without need is not known), and a rule says nothing of values.

use std::cmp::Reverse;

/// Parameters of one query that are kept at the most, repeated ones counted.
const KEPT_MAX: usize = 64;

/// The paths a rule is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathPattern {
    /// One path: `/search`.
    Exact(Box<str>),
    /// Every path that begins so: `/news/` for `/news/*`, `/` for all.
    Below(Box<str>),
}

impl PathPattern {
    /// Compared with percent-encodings undone, since the origin undoes them too.
    pub(crate) fn matches(&self, path: &str) -> bool {
        match self {
            Self::Exact(whole) => decoded(path).eq(whole.bytes()),
            Self::Below(start) => {
                let mut path = decoded(path);
                start.bytes().all(|byte| path.next() == Some(byte))
            }
        }
    }

    /// What makes a rule go before another: an exact path, then the longer beginning.
    fn precedence(&self) -> (bool, Reverse<usize>) {
        match self {
            Self::Exact(path) => (false, Reverse(path.len())),
            Self::Below(start) => (true, Reverse(start.len())),
        }
    }
}

/// The bytes of a path, percent-encodings undone once.
fn decoded(path: &str) -> impl Iterator<Item = u8> + '_ {
    let mut rest = path.as_bytes();
    std::iter::from_fn(move || {
        let (byte, after) = rest.split_first()?;
        let encoded = match after {
            [high, low, behind @ ..] if *byte == b'%' => hex(*high).zip(hex(*low)).map(|pair| (pair, behind)),
            _ => None,
        };
        let (byte, after) = match encoded {
            Some(((high, low), behind)) => (high << 4 | low, behind),
            None => (*byte, after),
        };
        rest = after;
        Some(byte)
    })
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// Which parameters the pages of a path read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryRule {
    /// Where it holds.
    pub path: PathPattern,
    /// Names of the parameters that are kept; none keeps none.
    pub parameters: Vec<Box<str>>,
}

/// A site's rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueryRules {
    /// Those that go before others first.
    rules: Box<[QueryRule]>,
}

impl QueryRules {
    /// Of several rules for a path the one for it exactly holds, else the longest beginning.
    #[must_use]
    pub fn new(mut rules: Vec<QueryRule>) -> Self {
        rules.sort_by_key(|rule| rule.path.precedence());
        Self { rules: rules.into_boxed_slice() }
    }

    /// The path with the parameters it is known to read; `None` where nothing changes.
    pub(crate) fn reduced(&self, path: &str, query: &str) -> Option<String> {
        let rule = self.rules.iter().find(|rule| rule.path.matches(path))?;
        let mut kept = String::with_capacity(path.len().saturating_add(query.len()).saturating_add(1));
        kept.push_str(path);
        let (mut separator, mut places_left) = ('?', KEPT_MAX);
        for name in &rule.parameters {
            for pair in query.split('&').filter(|pair| name_of(pair) == name.as_ref()) {
                let Some(left) = places_left.checked_sub(1) else { break };
                places_left = left;
                kept.push(std::mem::replace(&mut separator, '&'));
                kept.push_str(pair);
            }
        }
        let unchanged = kept.get(path.len()..).and_then(|rest| rest.strip_prefix('?')) == Some(query);
        (!unchanged).then_some(kept)
    }
}

fn name_of(pair: &str) -> &str {
    pair.split_once('=').map_or(pair, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rule(path: PathPattern, parameters: &[&str]) -> QueryRule {
        QueryRule { path, parameters: parameters.iter().map(|name| (*name).into()).collect() }
    }

    fn rules() -> QueryRules {
        QueryRules::new(vec![
            rule(PathPattern::Below("/".into()), &[]),
            rule(PathPattern::Below("/news/".into()), &["page"]),
            rule(PathPattern::Exact("/search".into()), &["q", "page", "in[]"]),
        ])
    }

    #[test]
    #[rustfmt::skip] // one row a line
    fn what_is_kept() {
        for (path, query, expected) in [
            ("/search", "q=vote", None),
            ("/search", "q=vote&page=2", None),
            ("/search", "page=2&q=vote", Some("/search?q=vote&page=2")),
            ("/search", "q=vote&x=1", Some("/search?q=vote")),
            ("/search", "utm_source=a&q=vote&fbclid=b", Some("/search?q=vote")),
            ("/search", "in[]=a&in[]=b", None),
            ("/search", "in[]=b&q=&in[]=a", Some("/search?q=&in[]=b&in[]=a")),
            ("/search", "q", None),
            ("/search", "q=a=b", None),
            ("/search", "Q=vote", Some("/search")),
            ("/search", "%71=vote", Some("/search")),
            ("/search", "&&q=1&", Some("/search?q=1")),
            ("/search", "", Some("/search")),
            ("/%73earch", "q=vote&x=1", Some("/%73earch?q=vote")),
            ("/searching", "q=vote", Some("/searching")),
            ("/news/2026/11", "page=3&q=1", Some("/news/2026/11?page=3")),
            ("/%6eews%2F", "page=3&q=1", Some("/%6eews%2F?page=3")),
            ("/news", "page=3", Some("/news")),
            ("/", "x=1", Some("/")),
        ] {
            assert_eq!(rules().reduced(path, query).as_deref(), expected, "{path}?{query}");
        }
    }

    #[test]
    fn a_path_without_a_rule_keeps_its_query() {
        let rules = QueryRules::new(vec![rule(PathPattern::Exact("/".into()), &[])]);
        assert_eq!(rules.reduced("/search", "x=1"), None);
        assert_eq!(QueryRules::default().reduced("/", "x=1"), None);
    }

    #[test]
    fn repeated_parameters_have_a_bound() {
        let many = vec!["q=1"; 200].join("&");
        let kept = rules().reduced("/search", &many).unwrap();
        assert_eq!(kept.matches("q=1").count(), KEPT_MAX);
    }

    proptest! {
        /// Doing it twice changes nothing, and nothing is made up.
        #[test]
        fn is_settled_at_once(path in "/(search|news/1|x%2[0-9a-f])?", query in "[a-cq=&%\\[\\]]{0,30}(page=1)?") {
            if let Some(reduced) = rules().reduced(&path, &query) {
                prop_assert!(reduced.len() <= path.len() + 1 + query.len());
                let (path, query) = reduced.split_once('?').unwrap_or((&reduced, ""));
                if !query.is_empty() {
                    prop_assert_eq!(rules().reduced(path, query), None);
                }
            }
        }
    }
}
