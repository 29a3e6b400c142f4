//! Crawlers by name: how they are claimed in a `User-Agent`, and under which domains their hosts'
//! names end.

/// A crawler whose operator says how it is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crawler {
    /// What its `User-Agent` contains.
    pub agent: String,
    /// What its hosts' names end in, without a leading dot; none: known by published ranges only.
    pub domains: Vec<String>,
}

/// Those that publish how to verify them by reverse DNS, as their operators' pages say (2026): agent
/// and domains.
pub const WELL_KNOWN_CRAWLERS: &[(&str, &[&str])] = &[
    // developers.google.com/search/docs/crawling-indexing/verifying-googlebot
    ("Googlebot", &["googlebot.com", "google.com", "googleusercontent.com"]),
    // bing.com/webmasters/help/how-to-verify-bingbot
    ("bingbot", &["search.msn.com"]),
    // support.apple.com/119829
    ("Applebot", &["applebot.apple.com"]),
    // yandex.com/support/webmaster/robot-workings/check-yandex-robots.html
    ("YandexBot", &["yandex.ru", "yandex.net", "yandex.com"]),
    // help.baidu.com
    ("Baiduspider", &["baidu.com", "baidu.jp"]),
    // help.yahoo.com
    ("Slurp", &["crawl.yahoo.net"]),
    // archive.org: the Wayback Machine keeps public pages for good.
    ("archive.org_bot", &["archive.org"]),
];

impl Crawler {
    /// The well-known ones.
    #[must_use]
    pub fn well_known() -> Vec<Self> {
        let owned = |domains: &[&str]| domains.iter().map(ToString::to_string).collect();
        let crawler =
            |(agent, domains): &(&str, &[&str])| Self { agent: (*agent).to_owned(), domains: owned(domains) };
        WELL_KNOWN_CRAWLERS.iter().map(crawler).collect()
    }

    /// Whether a `User-Agent` claims to be it.
    #[must_use]
    pub fn is_claimed_by(&self, user_agent: &[u8]) -> bool {
        let agent = self.agent.as_bytes();
        let Some((first, _)) = agent.split_first() else { return false };
        let mut rest = user_agent;
        while let Some(place) = rest.iter().position(|byte| byte == first) {
            rest = rest.get(place..).unwrap_or_default();
            if rest.starts_with(agent) {
                return true;
            }
            rest = rest.get(1..).unwrap_or_default();
        }
        false
    }

    /// Whether a host's name lies below one of its domains (and is not just the domain).
    #[must_use]
    pub fn owns(&self, name: &str) -> bool {
        let name = name.strip_suffix('.').unwrap_or(name);
        self.domains.iter().any(|domain| {
            let Some(start) = name.len().checked_sub(domain.len() + 1) else { return false };
            let below = name.get(start..).and_then(|end| end.strip_prefix('.'));
            start > 0 && below.is_some_and(|below| below.eq_ignore_ascii_case(domain))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_below_the_domain_and_no_others() {
        let google = &Crawler::well_known()[0];
        for (name, owned) in [
            ("crawl-66-249-66-1.googlebot.com", true),
            ("crawl-66-249-66-1.GoogleBot.com.", true),
            ("googlebot.com", false),
            (".googlebot.com", false),
            ("evil-googlebot.com", false),
            ("googlebot.com.evil.example", false),
            ("", false),
        ] {
            assert_eq!(google.owns(name), owned, "{name}");
        }
        let agent = b"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";
        assert!(
            google.is_claimed_by(agent) && !google.is_claimed_by(b"bingbot") && !google.is_claimed_by(b"")
        );
    }
}
