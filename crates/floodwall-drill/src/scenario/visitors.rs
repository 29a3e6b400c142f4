//! Visitors: who they are, how many, and what their programs can do.

use serde::{Deserialize, Serialize};

/// Visitors of one kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Visitors {
    /// Who they are.
    pub kind: VisitorKind,
    /// Sessions that begin per second, before any surge. They do not wait for one another.
    pub sessions_per_second: f64,
    /// When more come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub surge: Option<Surge>,
}

impl Visitors {
    /// Who visits a public office's site on an ordinary day: 11.2 sessions a second of all kinds.
    ///
    /// Of the people, 70 % sit at a desk of a home, an office or an IPv6 network, 19 % have a phone or a
    /// tablet, a quarter of these a slow one; 11 % run no scripts, a third of these keep no cookies
    /// either. That is more than there are, so that enough of them come for a figure. The office is
    /// one of 500 people behind one address, half of whom come within a minute.
    #[must_use]
    pub fn usual() -> Vec<Self> {
        let mix = [
            (VisitorKind::Browser, 3.0),
            (VisitorKind::BrowserNoScript, 0.8),
            (VisitorKind::NoCookies, 0.4),
            (VisitorKind::Phone, 1.5),
            (VisitorKind::SlowPhone, 0.5),
            (VisitorKind::Office, 3.5),
            (VisitorKind::Ipv6, 1.0),
            (VisitorKind::Crawler, 0.2),
            (VisitorKind::Monitor, 0.3),
        ];
        mix.map(|(kind, sessions_per_second)| Self { kind, sessions_per_second, surge: None }).to_vec()
    }
}

/// More visitors than before.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Surge {
    /// When the rate begins to rise.
    pub from_s: u32,
    /// How long it rises, in a straight line; then it stays.
    pub ramp_s: u32,
    /// How many times the rate before it.
    pub times: f64,
}

/// Kinds of visitors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VisitorKind {
    /// A browser with JavaScript on a desk's computer, one address each. Those who read with a screen
    /// reader have one too.
    Browser,
    /// A browser without JavaScript, one address each.
    BrowserNoScript,
    /// A browser that neither keeps cookies nor runs scripts, one address each.
    NoCookies,
    /// A phone that changes its address in mid-session and keeps its cookies.
    Phone,
    /// A tablet or an old phone, a third as fast, one address each.
    SlowPhone,
    /// One of 500 people behind one address.
    Office,
    /// A browser over IPv6, in a /64 of its own.
    Ipv6,
    /// A search engine's crawler: pages only, one address. No cookies, no scripts, and no patience: it
    /// takes the first answer and comes back another day.
    Crawler,
    /// A monitoring probe: the home page, from one address. The first answer is what it reports.
    Monitor,
}

impl VisitorKind {
    /// All of them, in the order in which tables show them.
    pub const ALL: [Self; 9] = [
        Self::Browser,
        Self::BrowserNoScript,
        Self::NoCookies,
        Self::Phone,
        Self::SlowPhone,
        Self::Office,
        Self::Ipv6,
        Self::Crawler,
        Self::Monitor,
    ];

    /// As in scenario files and reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Browser => "browser",
            Self::BrowserNoScript => "browser-no-script",
            Self::NoCookies => "no-cookies",
            Self::Phone => "phone",
            Self::SlowPhone => "slow-phone",
            Self::Office => "office",
            Self::Ipv6 => "ipv6",
            Self::Crawler => "crawler",
            Self::Monitor => "monitor",
        }
    }

    /// Whether somebody sits before it, who waits, loads a page again and gives up.
    #[must_use]
    pub fn is_person(self) -> bool {
        !matches!(self, Self::Crawler | Self::Monitor)
    }

    /// Whether it keeps cookies.
    #[must_use]
    pub fn keeps_cookies(self) -> bool {
        self.is_person() && self != Self::NoCookies
    }

    /// SHA-256 hashes a second that its scripts compute; `None` where it runs none.
    #[must_use]
    pub fn hashes_per_second(self) -> Option<u32> {
        match self {
            Self::Browser | Self::Office | Self::Ipv6 => Some(500_000),
            Self::Phone => Some(150_000),
            Self::SlowPhone => Some(50_000),
            Self::BrowserNoScript | Self::NoCookies | Self::Crawler | Self::Monitor => None,
        }
    }
}
