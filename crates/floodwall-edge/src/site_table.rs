//! Which site a host name belongs to.

use std::collections::HashMap;

use floodwall_model::SiteId;

use crate::authority::end_of_host;
use crate::config::SiteConfig;

/// The longest host name DNS allows (RFC 1035 section 2.3.4), and so the longest looked up.
const HOST_BYTES_MAX: usize = 253;

/// Exact names first, then the longest matching wildcard, then the catch-all.
#[derive(Debug, Default)]
pub(crate) struct SiteTable {
    exact: HashMap<Box<str>, SiteId, foldhash::quality::RandomState>,
    /// Suffixes with their leading dot (`.example.gov`), longest first.
    wildcards: Vec<(Box<str>, SiteId)>,
    catch_all: Option<SiteId>,
}

impl SiteTable {
    pub(crate) fn new(sites: &[SiteConfig]) -> Self {
        let mut table = Self::default();
        for (place, site) in sites.iter().enumerate() {
            let Ok(place) = u16::try_from(place) else { break };
            let id = SiteId(place);
            for host in &site.hosts {
                let host = host.to_ascii_lowercase();
                if host == "*" {
                    table.catch_all = Some(id);
                } else if let Some(suffix) = host.strip_prefix('*') {
                    table.wildcards.push((suffix.into(), id));
                } else {
                    table.exact.insert(host.into(), id);
                }
            }
        }
        table.wildcards.sort_by_key(|(suffix, _)| std::cmp::Reverse(suffix.len()));
        table
    }

    /// Looks up the host of an authority (`host`, `host:port`, `[v6]:port`), in any case, with or
    /// without the root dot.
    pub(crate) fn look_up(&self, authority: &str) -> Option<SiteId> {
        let host = host_of(authority);
        if host.is_empty() || host.len() > HOST_BYTES_MAX {
            return None;
        }
        if let Some(site) = self.exact.get(host) {
            return Some(*site);
        }
        let lower = host.to_ascii_lowercase();
        self.exact
            .get(lower.as_str())
            .copied()
            .or_else(|| {
                let matches = |suffix: &str| lower.len() > suffix.len() && lower.ends_with(suffix);
                self.wildcards.iter().find(|(suffix, _)| matches(suffix)).map(|(_, site)| *site)
            })
            .or(self.catch_all)
    }
}

/// The host without port and root dot.
pub(crate) fn host_of(authority: &str) -> &str {
    let host = authority.get(..end_of_host(authority)).unwrap_or(authority);
    host.strip_suffix('.').unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(sites: &[&[&str]]) -> SiteTable {
        let sites: Vec<SiteConfig> = sites
            .iter()
            .map(|hosts| SiteConfig {
                name: "s".into(),
                hosts: hosts.iter().map(|h| (*h).into()).collect(),
                role: None,
                origins: Vec::new(),
                policy: floodwall_policy::SitePolicy::default(),
                paths: Vec::new(),
                kept_banner: false,
                out_of_reach: Vec::new(),
                stale_if_error: None,
                query: crate::query::QueryRules::default(),
                https_only: false,
                hsts: None,
                admission: crate::admission::SiteAdmission::default(),
            })
            .collect();
        SiteTable::new(&sites)
    }

    #[test]
    fn finds_the_most_exact_site() {
        let table = table(&[&["www.sos.example.gov"], &["*.example.gov"], &["*.sos.example.gov", "[::1]"]]);
        for (authority, site) in [
            ("www.sos.example.gov", Some(0)),
            ("WWW.SOS.example.GOV.:8080", Some(0)),
            ("vote.sos.example.gov", Some(2)),
            ("a.b.example.gov", Some(1)),
            ("example.gov", None),
            ("notexample.gov", None),
            (".example.gov", None),
            ("", None),
            (":80", None),
            ("[::1]:8080", Some(2)),
            ("192.0.2.1", None),
        ] {
            assert_eq!(table.look_up(authority), site.map(SiteId), "{authority}");
        }
        assert_eq!(table.look_up(&"a.".repeat(200)), None);
    }

    #[test]
    fn a_catch_all_takes_what_no_other_site_names() {
        let table = table(&[&["*"], &["a.test"]]);
        assert_eq!(table.look_up("a.test"), Some(SiteId(1)));
        assert_eq!(table.look_up("192.0.2.1:80"), Some(SiteId(0)));
    }
}
