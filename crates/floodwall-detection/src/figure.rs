//! Everything that is counted each second, as one row of numbers: what baselines, change-points and
//! compositions all work on.

use floodwall_model::GroundUnit;

macro_rules! figures {
    ($($(#[doc = $doc:literal])+ $item:ident => $word:literal,)+) => {
        /// One figure of a second.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Figure { $($(#[doc = $doc])+ $item,)+ }

        impl Figure {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$item,)+];
            /// How many there are.
            pub const COUNT: usize = Self::ALL.len();

            /// Its name in saved baselines and JSON.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$item => $word,)+ }
            }
        }
    };
}

figures! {
    /// Requests.
    Requests => "requests",
    /// Requests for pages.
    Pages => "pages",
    /// Requests for what pages need.
    Assets => "assets",
    /// Requests for answers made for one visitor.
    Data => "data",
    /// Path class 0.
    Class0 => "class_0",
    /// Path class 1.
    Class1 => "class_1",
    /// Path class 2.
    Class2 => "class_2",
    /// Path class 3.
    Class3 => "class_3",
    /// Path class 4.
    Class4 => "class_4",
    /// Path class 5.
    Class5 => "class_5",
    /// Path class 6.
    Class6 => "class_6",
    /// Path class 7.
    Class7 => "class_7",
    /// `GET`.
    Get => "get",
    /// `HEAD`.
    Head => "head",
    /// `POST`.
    Post => "post",
    /// Any other method.
    OtherMethods => "other_methods",
    /// Answers 2xx and 1xx.
    Status2xx => "status_2xx",
    /// Answers 3xx.
    Status3xx => "status_3xx",
    /// Answers 4xx but 404 and 429.
    Status4xx => "status_4xx",
    /// Answers 404 and 410.
    NotFound => "not_found",
    /// Answers 5xx.
    Status5xx => "status_5xx",
    /// Of these, on the path class that has most of them.
    Worst5xx => "worst_5xx",
    /// Requests with a query.
    Queries => "queries",
    /// Distinct queries, estimated.
    DistinctQueries => "distinct_queries",
    /// Requests that no copy answered.
    OriginBound => "origin_bound",
    /// Of which it is known whether a copy answered.
    CacheKnown => "cache_known",
    /// Pages and data asked for without a referrer.
    NoReferrer => "no_referrer",
    /// Pages and data of which the referrer is known.
    ReferrerKnown => "referrer_known",
    /// Requests of programs that say they are machines.
    DeclaredBots => "declared_bots",
    /// Requests of tools and of programs that say nothing.
    Tools => "tools",
    /// Requests with a token that counts.
    TokensValid => "tokens_valid",
    /// Requests with a token that does not.
    TokensInvalid => "tokens_invalid",
    /// Let in after waiting.
    Waited => "waited",
    /// Answered with a challenge.
    Challenged => "challenged",
    /// Refused.
    Refused => "refused",
    /// Distinct sources, estimated.
    Sources => "sources",
    /// Distinct networks, estimated.
    Networks => "networks",
    /// Sampled sources.
    Sampled => "sampled",
    /// Sampled sources from known networks.
    SampledKnown => "sampled_known",
    /// Requests of sampled sources from known networks.
    KnownRequests => "known_requests",
    /// Of these, refused, challenged or answered 5xx.
    KnownTurnedAway => "known_turned_away",
    /// Of these, refused by our own limits.
    KnownRefused => "known_refused",
    /// TCP SYN packets.
    Syn => "syn",
    /// TCP handshakes completed.
    Handshakes => "handshakes",
    /// UDP datagrams.
    Udp => "udp",
    /// ICMP and other packets.
    OtherPackets => "other_packets",
    /// Connections accepted.
    Connections => "connections",
    /// TLS handshakes that failed.
    TlsFailures => "tls_failures",
    /// Connections closed for slowness.
    TimedOut => "timed_out",
    /// HTTP/2 streams reset by who opened them.
    Resets => "resets",
    /// Requests for unknown hosts.
    UnknownHosts => "unknown_hosts",
    /// Malformed requests and oversized headers.
    Malformed => "malformed",
    /// Requests sent to the origin.
    OriginRequests => "origin_requests",
    /// Of these, failed or answered 5xx.
    OriginFailures => "origin_failures",
    /// Time until the origin's answers began, summed, in milliseconds.
    OriginWaitMs => "origin_wait_ms",
}

impl Figure {
    /// The unit of its rate.
    #[must_use]
    pub fn unit(self) -> GroundUnit {
        GroundUnit::PerSecond
    }

    pub(crate) fn of_class(number: usize) -> Self {
        const CLASSES: [Figure; 8] = [
            Figure::Class0,
            Figure::Class1,
            Figure::Class2,
            Figure::Class3,
            Figure::Class4,
            Figure::Class5,
            Figure::Class6,
            Figure::Class7,
        ];
        CLASSES.get(number).copied().unwrap_or(Self::Class7)
    }
}

/// A number for each figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row([f64; Figure::COUNT]);

impl Default for Row {
    fn default() -> Self {
        Self([0.0; Figure::COUNT])
    }
}

impl Row {
    /// The value of one figure.
    #[must_use]
    pub fn get(&self, figure: Figure) -> f64 {
        self.0.get(figure as usize).copied().unwrap_or(0.0)
    }

    /// Sets it.
    pub fn set(&mut self, figure: Figure, value: f64) {
        if let Some(place) = self.0.get_mut(figure as usize) {
            *place = if value.is_finite() { value } else { 0.0 };
        }
    }

    pub(crate) fn values(&self) -> &[f64; Figure::COUNT] {
        &self.0
    }

    pub(crate) fn values_mut(&mut self) -> &mut [f64; Figure::COUNT] {
        &mut self.0
    }

    /// Adds to it.
    pub fn add(&mut self, figure: Figure, value: f64) {
        self.set(figure, self.get(figure) + value);
    }

    /// `self + other * times`.
    pub fn add_row(&mut self, other: &Self, times: f64) {
        for (own, other) in self.0.iter_mut().zip(other.0) {
            *own += other * times;
        }
    }

    /// Moves towards `other` by that part of the way.
    pub fn approach(&mut self, other: &Self, part: f64) {
        for (own, other) in self.0.iter_mut().zip(other.0) {
            *own += (other - *own) * part;
        }
    }

    /// Every value times a factor.
    #[must_use]
    pub fn times(&self, factor: f64) -> Self {
        Self(self.0.map(|value| value * factor))
    }

    /// What is above `other`, each figure by itself, not below zero.
    #[must_use]
    pub fn beyond(&self, other: &Self) -> Self {
        let mut beyond = *self;
        for (own, other) in beyond.0.iter_mut().zip(other.0) {
            *own = (*own - other).max(0.0);
        }
        beyond
    }

    /// `get(part) / get(whole)`; `None` where the whole is too little to say.
    #[must_use]
    pub fn share(&self, part: Figure, whole: Figure, least: f64) -> Option<f64> {
        let whole = self.get(whole);
        (whole >= least && whole > 0.0).then(|| self.get(part) / whole)
    }
}
