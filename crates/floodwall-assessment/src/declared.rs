//! Whether a claim names one of our sites.

use std::net::IpAddr;

use serde::Serialize;

use crate::claim::{Claim, NamedTarget};
use crate::host::{TargetName, looks_like};

/// A host that a site answers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostRule {
    /// This name, in lower case and ASCII.
    Exact(String),
    /// Every name below this one.
    Below(String),
}

/// One of our sites.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeclaredSite {
    /// Its name.
    pub name: String,
    /// What it answers to.
    pub hosts: Vec<HostRule>,
    /// Addresses of it that are known.
    pub addresses: Vec<IpAddr>,
}

/// How a target is one of ours, strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MatchKind {
    /// It is the name or address of the site.
    Is,
    /// It is the name with or without `www.` before it.
    IsButForWww,
    /// It is a domain above the site's name.
    DomainAbove,
    /// It looks like the site's name and is another one.
    LooksLike,
}

impl MatchKind {
    /// Whether it counts as naming the site. A look-alike is somebody else's name.
    #[must_use]
    pub fn names_the_site(self) -> bool {
        self != Self::LooksLike
    }
}

/// A target of a claim that is one of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match<'a> {
    /// The site's name.
    pub site: &'a str,
    /// What the claim names.
    pub target: &'a NamedTarget,
    /// How it is one of ours.
    pub kind: MatchKind,
}

/// Each site that a claim names, by its strongest match; of equal ones the earliest.
#[must_use]
pub fn named<'a>(claim: &'a Claim, sites: &'a [DeclaredSite]) -> Vec<Match<'a>> {
    let best = |site: &'a DeclaredSite| {
        let matches = claim.targets.iter().filter_map(|target| {
            site.matches(&target.name).map(|kind| Match { site: site.name.as_str(), target, kind })
        });
        matches.min_by_key(|found| (found.kind, found.target.since))
    };
    sites.iter().filter_map(best).collect()
}

impl DeclaredSite {
    /// How a name is this site's; `None` where it is not.
    #[must_use]
    pub fn matches(&self, name: &TargetName) -> Option<MatchKind> {
        match name {
            TargetName::Address(address) => self.addresses.contains(address).then_some(MatchKind::Is),
            TargetName::Host(host) => self.hosts.iter().filter_map(|rule| rule.matches(host)).min(),
        }
    }
}

impl HostRule {
    fn matches(&self, host: &str) -> Option<MatchKind> {
        let (own, is_below) = match self {
            Self::Exact(own) => (own.as_str(), false),
            Self::Below(own) => (own.as_str(), true),
        };
        if (!is_below && host == own) || (is_below && is_below_of(host, own)) {
            return Some(MatchKind::Is);
        }
        if without_www(host) == without_www(own) {
            return Some(MatchKind::IsButForWww);
        }
        // `gov` alone would be everybody's.
        if host.contains('.') && is_below_of(own, host) {
            return Some(MatchKind::DomainAbove);
        }
        looks_like(without_www(host), without_www(own)).then_some(MatchKind::LooksLike)
    }
}

fn is_below_of(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
}

fn without_www(host: &str) -> &str {
    host.strip_prefix("www.").unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_ours_in_four_ways_or_not() {
        let site = DeclaredSite {
            name: "sos".to_owned(),
            hosts: vec![
                HostRule::Exact("www.sos.example.gov".to_owned()),
                HostRule::Below("vote.example.gov".to_owned()),
            ],
            addresses: vec!["192.0.2.7".parse().unwrap()],
        };
        let check = |raw: &str, kind: Option<MatchKind>| {
            assert_eq!(site.matches(&TargetName::parse(raw).unwrap().0), kind, "{raw}");
        };
        check("https://www.sos.example.gov/x", Some(MatchKind::Is));
        check("sos.example.gov", Some(MatchKind::IsButForWww));
        check("county.vote.example.gov", Some(MatchKind::Is));
        check("vote.example.gov", Some(MatchKind::IsButForWww));
        check("example.gov", Some(MatchKind::DomainAbove));
        check("192.0.2.7", Some(MatchKind::Is));
        check("192.0.2.8", None);
        check("sоs.example.gov", Some(MatchKind::LooksLike));
        check("www.s0s.example.gov", Some(MatchKind::LooksLike));
        check("dos.example.gov", None);
        check("www.sos.example.gov.evil.example", None);
        check("evilvote.example.gov", None);
    }
}
