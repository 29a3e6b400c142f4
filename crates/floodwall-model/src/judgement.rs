//! What a stretch of unusual traffic is judged to be, and on which grounds.

use std::fmt;

use crate::Timestamp;

macro_rules! closed_list {
    ($(#[$meta:meta])* $name:ident { $($(#[doc = $doc:literal])+ $item:ident => $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[doc = $doc])+ $item,)+ }

        impl $name {
            /// All of them, in the order in which they are declared.
            pub const ALL: &'static [Self] = &[$(Self::$item,)+];

            /// The word for it in JSON and metrics.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$item => $word,)+ }
            }
        }
    };
}
pub(crate) use closed_list;

closed_list! {
    /// What unusual traffic is.
    TrafficVerdict {
        /// Somebody sends it to harm.
        Attack => "attack",
        /// Many people want something at once.
        Crowd => "crowd",
        /// Something of our own or of a supplier failed, or a harmless machine is busy.
        Routine => "routine",
        /// The evidence does not say.
        Unknown => "unknown",
    }
}

closed_list! {
    /// By which way an attack comes.
    Vector {
        /// Requests that cost the origin work: forms, look-ups, searches.
        LookUps => "look_ups",
        /// Queries that never repeat, so that no copy answers.
        CacheBust => "cache_bust",
        /// Ordinary pages, many times.
        Pages => "pages",
        /// Requests that carry bodies.
        Bodies => "bodies",
        /// Addresses that do not exist, in search of what does.
        Scan => "scan",
        /// Requests for hosts that are not served here.
        BareAddress => "bare_address",
        /// Connections that are held and say little.
        HeldConnections => "held_connections",
        /// HTTP/2 requests that are cancelled at once.
        StreamResets => "stream_resets",
        /// TLS handshakes without requests.
        TlsHandshakes => "tls_handshakes",
        /// TCP SYN packets that complete no handshake.
        Syn => "syn",
        /// UDP, ICMP or other packets.
        Packets => "packets",
    }
}

closed_list! {
    /// What routinely goes wrong.
    RoutineCause {
        /// The origin does not answer.
        OriginDown => "origin_down",
        /// The origin answers slowly.
        OriginSlow => "origin_slow",
        /// The origin answers with errors.
        OriginErrors => "origin_errors",
        /// A change to the site or its settings just before.
        Deploy => "deploy",
        /// A certificate ended or does not fit.
        Certificate => "certificate",
        /// Names do not resolve.
        Dns => "dns",
        /// One part of the site fails, as when a supplier's service does.
        Vendor => "vendor",
        /// The edge itself lacks processor time, memory or descriptors.
        OwnFault => "own_fault",
        /// Our own defence turns people away.
        OwnDefence => "own_defence",
        /// One machine that says what it is: a crawler, a monitor, a copier.
        Crawler => "crawler",
    }
}

closed_list! {
    /// Units of what grounds measure.
    GroundUnit {
        /// So many times what is usual.
        Times => "times",
        /// Per second.
        PerSecond => "per_second",
        /// Between 0 and 1.
        Share => "share",
        /// Seconds.
        Seconds => "seconds",
        /// Milliseconds.
        Milliseconds => "milliseconds",
        /// One for each of another thing.
        Each => "each",
        /// Bits of information.
        Bits => "bits",
    }
}

macro_rules! grounds {
    ($($(#[doc = $doc:literal])+ $item:ident => $word:literal, $unit:ident, $text:literal;)+) => {
        closed_list! {
            /// What a judgement can rest on. Closed: whoever shows grounds must know all of them.
            GroundKind { $($(#[doc = $doc])+ $item => $word,)+ }
        }

        impl GroundKind {
            /// In which unit its value and its calm value are.
            #[must_use]
            pub fn unit(self) -> GroundUnit {
                match self { $(Self::$item => GroundUnit::$unit,)+ }
            }

            /// What it measures, in plain words.
            #[must_use]
            pub fn text(self) -> &'static str {
                match self { $(Self::$item => $text,)+ }
            }
        }
    };
}

grounds! {
    /// Requests per second against what was expected.
    RequestRise => "request_rise", Times, "requests, against what is usual at this hour";
    /// Time from the onset until half of the rise was there.
    RiseTime => "rise_time", Seconds, "time in which half of the rise came";
    /// Style sheets, pictures and scripts fetched for each page, in what came on top.
    AssetsPerPage => "assets_per_page", Each, "pictures, scripts and style sheets fetched for each page";
    /// Sources in what came on top that load pages as browsers do.
    BrowserLike => "browser_like", Share, "sources that load pages as browsers do";
    /// Visitors who ask for a page and for nothing that pages need.
    BareVisits => "bare_visits", Share, "visitors who ask for a page and for nothing that pages need";
    /// Visitors whose first request says that it comes from a page of this site.
    CameFromWithin => "came_from_within", Share, "visitors whose first request says it comes from a page of this site";
    /// Requests for pages and data from sources that ask for five or more and load next to nothing that
    /// pages need.
    GreedySources => "greedy_sources", Share, "requests from sources that ask for page after page and load next to nothing that pages need";
    /// Sources from networks that had visited before.
    Returning => "returning", Share, "sources from networks that had visited before";
    /// Time between two pages of one visitor.
    ThinkTime => "think_time", Seconds, "time between two pages of one visitor";
    /// Different addresses that one visitor asks for, against the pages he asks for.
    PageBreadth => "page_breadth", Share, "different addresses among what one visitor asks for";
    /// Requests per second of each source.
    RequestsPerSource => "requests_per_source", PerSecond, "requests a second from each source";
    /// Share of the busiest source in what came on top.
    TopSource => "top_source", Share, "share of the busiest source";
    /// Share of the most frequent program in what came on top.
    TopAgent => "top_agent", Share, "share of the most frequent browser or program";
    /// How far the programs in what came on top differ from the usual ones.
    AgentShift => "agent_shift", Bits, "distance from the usual mix of browsers and programs";
    /// Requests of user agents that calm times hardly know, in what came on top.
    NewAgents => "new_agents", Share, "requests of user agents that calm times hardly know";
    /// Share of the most wanted path in what came on top.
    TopPath => "top_path", Share, "share of the most wanted address";
    /// How far what is wanted differs from what usually is.
    PathShift => "path_shift", Bits, "distance from the usual mix of addresses asked for";
    /// Requests with a query in what came on top.
    QueryShare => "query_share", Share, "requests with a query";
    /// Of these, queries that do not repeat.
    QueryNovelty => "query_novelty", Share, "queries that were never the same twice";
    /// Pages asked for without naming a page that led there.
    NoReferrer => "no_referrer", Share, "pages asked for without a page that led there";
    /// Addresses that do not exist.
    NotFound => "not_found", Share, "requests for addresses that do not exist";
    /// Requests that no copy answered.
    OriginBound => "origin_bound", Share, "requests that need work at the origin";
    /// Methods other than GET and HEAD.
    OtherMethods => "other_methods", Share, "requests by methods other than GET and HEAD";
    /// Programs that say they are machines.
    DeclaredBots => "declared_bots", Share, "requests of programs that say they are machines";
    /// Share of the most frequent handshake fingerprint.
    TopFingerprint => "top_fingerprint", Share, "share of the most frequent TLS fingerprint";
    /// How far the fingerprints differ from the usual ones.
    FingerprintShift => "fingerprint_shift", Bits, "distance from the usual mix of TLS fingerprints";
    /// Requests with TLS or HTTP/2 fingerprints that calm times hardly know, in what came on top.
    NewFingerprints => "new_fingerprints", Share, "requests with TLS or HTTP/2 fingerprints that calm times hardly know";
    /// Challenges that were not solved.
    Unsolved => "unsolved", Share, "challenges that nobody solved";
    /// The calendar expects more.
    Announced => "announced", Times, "times the usual traffic that the calendar expects";
    /// Connection attempts without a completed handshake.
    HalfOpen => "half_open", PerSecond, "connection attempts (SYN) that complete no handshake";
    /// UDP, ICMP and other packets.
    OtherPackets => "other_packets", PerSecond, "packets of UDP, ICMP and others";
    /// Connections opened for each request.
    SilentConnections => "silent_connections", PerSecond, "connections on which nothing was asked";
    /// TLS handshakes that failed.
    HandshakeFailures => "handshake_failures", PerSecond, "TLS handshakes that failed";
    /// Connections closed because they were too slow.
    SlowConnections => "slow_connections", PerSecond, "connections closed because they were too slow";
    /// HTTP/2 requests cancelled by who sent them.
    StreamResets => "stream_resets", PerSecond, "HTTP/2 requests cancelled as soon as sent";
    /// Requests for hosts that are not served here.
    UnknownHosts => "unknown_hosts", PerSecond, "requests for hosts that are not served here";
    /// Requests that are no HTTP.
    Malformed => "malformed", PerSecond, "malformed requests";
    /// The origin is known to be down.
    OriginDown => "origin_down", Share, "origins that do not answer";
    /// Answers of the origin that were errors or did not come.
    OriginFailures => "origin_failures", Share, "requests to the origin that failed";
    /// Time the origin takes to answer.
    OriginLatency => "origin_latency", Milliseconds, "time the origin takes to answer";
    /// Answered requests per second below what was expected.
    RequestDrop => "request_drop", Times, "requests fewer than usual";
    /// The certificate is refused.
    Certificate => "certificate", Share, "handshakes that fail since the certificate ended or changed";
    /// Names do not resolve.
    Names => "names", Share, "look-ups of the site's name that fail";
    /// The site cannot be reached from outside.
    Unreachable => "unreachable", Share, "probes from outside that fail";
    /// The edge lacks means.
    EdgeStrain => "edge_strain", Share, "use of the edge's own processor time";
    /// Visitors from known networks who are turned away.
    KnownRefused => "known_refused", Share, "visitors from known networks that were turned away";
    /// A change to the site or its settings shortly before.
    RecentChange => "recent_change", Seconds, "time from a change of the site to the onset";
    /// Failures that concentrate on one part of the site.
    OnePart => "one_part", Share, "failures that fall on one part of the site";
}

/// One ground of a judgement, with its numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ground {
    /// What was measured.
    pub kind: GroundKind,
    /// What it is now, in [`GroundKind::unit`].
    pub value: f64,
    /// What it is in calm times; `None` where nothing is known of them.
    pub calm: Option<f64>,
    /// For which verdict it weighs.
    pub speaks_for: TrafficVerdict,
    /// How much: log-odds (natural logarithm) that it adds to that verdict; negative where it speaks
    /// against it.
    pub weight: f64,
}

/// In plain words, with numbers: `sources that load pages as browsers do: 2 % (usually 64 %)`.
impl fmt::Display for Ground {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = self.kind.unit();
        write!(f, "{}: {}", self.kind.text(), Measured(self.value, unit))?;
        match self.calm {
            Some(calm) => write!(f, " (usually {})", Measured(calm, unit)),
            None => Ok(()),
        }
    }
}

/// A number with its unit.
struct Measured(f64, GroundUnit);

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(value, unit) = *self;
        let digits = |value: f64| match value.abs() {
            small if small < 9.95 => 1,
            _ => 0,
        };
        match unit {
            GroundUnit::Times => write!(f, "{value:.*} times", digits(value)),
            GroundUnit::PerSecond => write!(f, "{value:.*}/s", digits(value)),
            GroundUnit::Share => write!(f, "{:.0} %", value * 100.0),
            GroundUnit::Seconds => write!(f, "{value:.0} s"),
            GroundUnit::Milliseconds => write!(f, "{value:.0} ms"),
            GroundUnit::Each => write!(f, "{value:.1}"),
            GroundUnit::Bits => write!(f, "{value:.2} bits"),
        }
    }
}

/// How likely each explanation is, each by itself: an attack can hide in a crowd, so they need not
/// add up to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Likelihoods {
    /// That an attack is part of it.
    pub attack: f64,
    /// That a crowd is part of it.
    pub crowd: f64,
    /// That routine trouble is part of it.
    pub routine: f64,
}

impl Likelihoods {
    /// The likelihood of one explanation; of [`TrafficVerdict::Unknown`], that none of them is right.
    #[must_use]
    pub fn of(&self, verdict: TrafficVerdict) -> f64 {
        match verdict {
            TrafficVerdict::Attack => self.attack,
            TrafficVerdict::Crowd => self.crowd,
            TrafficVerdict::Routine => self.routine,
            TrafficVerdict::Unknown => (1.0 - self.attack) * (1.0 - self.crowd) * (1.0 - self.routine),
        }
    }
}

/// What an episode was judged to be at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// When.
    pub at: Timestamp,
    /// The verdict.
    pub verdict: TrafficVerdict,
    /// What else is in it, where it is mixed.
    pub mixed_with: Option<TrafficVerdict>,
    /// How likely each explanation is.
    pub likelihoods: Likelihoods,
    /// By which ways it comes, most important first; empty where no attack is seen.
    pub vectors: Vec<Vector>,
    /// What routinely goes wrong, where that is part of it.
    pub routine: Option<RoutineCause>,
    /// The grounds that weighed most, most important first.
    pub grounds: Vec<Ground>,
}

impl Judgement {
    /// The likelihood of the verdict.
    #[must_use]
    pub fn likelihood(&self) -> f64 {
        self.likelihoods.of(self.verdict)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grounds_read_as_sentences_with_their_calm_value() {
        let ground =
            |kind, value, calm| Ground { kind, value, calm, speaks_for: TrafficVerdict::Attack, weight: 1.0 };
        let rows = [
            (
                ground(GroundKind::BrowserLike, 0.02, Some(0.64)),
                "sources that load pages as browsers do: 2 % (usually 64 %)",
            ),
            (
                ground(GroundKind::RequestRise, 14.6, None),
                "requests, against what is usual at this hour: 15 times",
            ),
            (
                ground(GroundKind::RequestsPerSource, 4.26, Some(0.4)),
                "requests a second from each source: 4.3/s (usually 0.4/s)",
            ),
        ];
        for (ground, text) in rows {
            assert_eq!(ground.to_string(), text);
        }
    }

    #[test]
    fn words_are_unique() {
        let mut words: Vec<_> = GroundKind::ALL.iter().map(|kind| kind.as_str()).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), GroundKind::ALL.len());
    }
}
