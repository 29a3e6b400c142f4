//! Floods: what is sent, by how many, how fast and when.

use serde::{Deserialize, Serialize};

/// One flood.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flood {
    /// What is sent.
    pub kind: FloodKind,
    /// Different source addresses.
    pub sources: u32,
    /// Requests, connections, handshakes or packets begun per second, all sources together.
    pub rate: f64,
    /// When it begins.
    pub from_s: u32,
    /// When it ends.
    pub until_s: u32,
    /// Comes and goes, where given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pulse: Option<Pulse>,
    /// Connections held open at once at the most; what would be one more is left out and counted.
    #[serde(default = "Flood::connections_default")]
    pub connections_max: u32,
    /// How long a flooder waits for an answer, or for a connection that is to be held, before it gives
    /// up and its place is free again. So a slow edge meets the same flood as a fast one.
    #[serde(default = "Flood::patience_default")]
    pub patience_s: u32,
    /// Over IPv6, each source in a /64 of its own. For floods of packets.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ipv6: bool,
    /// What they do with redirects, cookies and challenges. For floods of requests to the site.
    #[serde(default, skip_serializing_if = "Skill::is_plain")]
    pub skill: Skill,
    /// Proofs of work that all sources together do per second, for those who do any.
    #[serde(default = "Flood::proofs_default")]
    pub proofs_per_second: f64,
}

/// What flooders do with redirects, cookies and challenges, least first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Skill {
    /// Nothing: the answer is not even looked at.
    #[default]
    Plain,
    /// They keep cookies and follow redirects, each source its own.
    Cookies,
    /// They solve proofs of work as well, with a native solver, and keep what they get for it.
    Solves,
    /// They do the same with one jar for all: one token for thousands of sources.
    SharedToken,
}

impl Skill {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Plain, Self::Cookies, Self::Solves, Self::SharedToken];

    /// As in scenario files and reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Cookies => "cookies",
            Self::Solves => "solves",
            Self::SharedToken => "shared-token",
        }
    }

    /// Whether they solve proofs of work.
    #[must_use]
    pub fn solves(self) -> bool {
        self >= Self::Solves
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
    fn is_plain(&self) -> bool {
        *self == Self::Plain
    }
}

impl Flood {
    fn proofs_default() -> f64 {
        5.0
    }

    fn connections_default() -> u32 {
        12_000
    }

    fn patience_default() -> u32 {
        2
    }

    /// Connections that are open at once when nothing is answered before patience is over, and a tenth
    /// more: arrivals are by chance, and giving up takes its moment too.
    #[must_use]
    pub fn unanswered_connections(&self) -> f64 {
        (self.rate * f64::from(self.patience_s) * 11.0 / 10.0).ceil()
    }

    /// Whether it is on at this time of the scenario, in seconds.
    #[must_use]
    pub fn is_on(&self, at_s: f64) -> bool {
        if at_s < f64::from(self.from_s) || at_s >= f64::from(self.until_s) {
            return false;
        }
        self.pulse.is_none_or(|pulse| {
            let into = (at_s - f64::from(self.from_s)) % f64::from(pulse.on_s + pulse.off_s);
            into < f64::from(pulse.on_s)
        })
    }
}

/// On and off in turn, from the flood's beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pulse {
    /// Seconds on.
    pub on_s: u32,
    /// Seconds off.
    pub off_s: u32,
}

/// Kinds of floods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FloodKind {
    /// The site's pages, as fast as the rate says.
    Pages,
    /// The look-up form with values that never repeat: each costs the origin work.
    LookUps,
    /// Pages with random query strings, to miss every cache.
    CacheBust,
    /// Requests for a host nobody serves: the server's bare address.
    BareAddress,
    /// New connections that say nothing and stay.
    Connections,
    /// Request headers that arrive a few bytes at a time.
    SlowHeaders,
    /// Request bodies that arrive a few bytes at a time.
    SlowBody,
    /// Answers that are asked for and taken a few bytes at a time.
    SlowRead,
    /// HTTP/2 requests that are cancelled at once (CVE-2023-44487).
    H2RapidReset,
    /// HTTP/2 headers that never end: CONTINUATION upon CONTINUATION (CERT VU#421644).
    H2Continuation,
    /// HTTP/2 requests followed by a frame for which the server has to cancel them (CVE-2025-8671).
    H2MadeYouReset,
    /// HTTP/2 headers of a byte each that stand for four thousand (CVE-2016-6581).
    H2HeaderBomb,
    /// Full TLS handshakes, half of them left after the server's answer, half completed and closed.
    TlsHandshakes,
    /// TCP SYN packets from addresses where nobody is.
    SynSpoofed,
    /// UDP datagrams from addresses where nobody is.
    Udp,
}

impl FloodKind {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::Pages,
        Self::LookUps,
        Self::CacheBust,
        Self::BareAddress,
        Self::Connections,
        Self::SlowHeaders,
        Self::SlowBody,
        Self::SlowRead,
        Self::H2RapidReset,
        Self::H2Continuation,
        Self::H2MadeYouReset,
        Self::H2HeaderBomb,
        Self::TlsHandshakes,
        Self::SynSpoofed,
        Self::Udp,
    ];

    /// As in scenario files and reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pages => "pages",
            Self::LookUps => "look-ups",
            Self::CacheBust => "cache-bust",
            Self::BareAddress => "bare-address",
            Self::Connections => "connections",
            Self::SlowHeaders => "slow-headers",
            Self::SlowBody => "slow-body",
            Self::SlowRead => "slow-read",
            Self::H2RapidReset => "h2-rapid-reset",
            Self::H2Continuation => "h2-continuation",
            Self::H2MadeYouReset => "h2-made-you-reset",
            Self::H2HeaderBomb => "h2-header-bomb",
            Self::TlsHandshakes => "tls-handshakes",
            Self::SynSpoofed => "syn-spoofed",
            Self::Udp => "udp",
        }
    }

    /// Whether it is over connections that are held for as long as the server lets it, and not over
    /// requests or handshakes that are answered.
    #[must_use]
    pub fn holds_connections(self) -> bool {
        self.is_h2()
            || matches!(self, Self::Connections | Self::SlowHeaders | Self::SlowBody | Self::SlowRead)
    }

    /// Whether it asks the site for pages or look-ups, so that it can meet challenges.
    #[must_use]
    pub fn asks_the_site(self) -> bool {
        matches!(self, Self::Pages | Self::LookUps | Self::CacheBust)
    }

    /// Whether it is one of the floods of HTTP/2 frames.
    #[must_use]
    pub fn is_h2(self) -> bool {
        self.h2_frames_per_second().is_some()
    }

    /// Whether it comes over TLS whatever the visitors do.
    #[must_use]
    pub fn is_tls_only(self) -> bool {
        self.is_h2() || self == Self::TlsHandshakes
    }

    /// Whether it is made of packets and not of connections.
    #[must_use]
    pub fn is_packets(self) -> bool {
        matches!(self, Self::SynSpoofed | Self::Udp)
    }

    /// What one connection of a flood of HTTP/2 frames goes on sending per second for as long as the
    /// server lets it: cancelled requests, or frames of headers. `None` for other kinds.
    #[must_use]
    pub fn h2_frames_per_second(self) -> Option<u32> {
        match self {
            Self::H2RapidReset | Self::H2Continuation | Self::H2MadeYouReset => Some(1_000),
            // Each is 16 KiB on the wire and 64 MiB in the meaning of its headers.
            Self::H2HeaderBomb => Some(10),
            _ => None,
        }
    }
}
