//! What a gate is told: its settings, and what it judges a request by.

use std::net::IpAddr;
use std::time::Duration;

use crate::origin_budget::BudgetSettings;
use crate::source_ledger::FairShare;
use crate::token::{ClientFingerprint, ProofKind, TokenId};

/// How a gate is set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GateSettings {
    /// Between what the number of requests at once stays.
    pub budget: BudgetSettings,
    /// The longest anybody waits.
    pub wait_max: Duration,
    /// The most who wait.
    pub waiting_max: usize,
    /// The share of one client's prefix, of one visitor.
    pub source: FairShare,
    /// How many visitors' shares a network (/24, /48) has.
    pub network_visitors: f32,
    /// The share of one token.
    pub token: FairShare,
    /// Sources (prefixes, networks, tokens) the ledger has room for.
    pub sources_max: usize,
}

/// Waits of up to 3 s; ten look-ups at once and one each five seconds for a source, twenty and one
/// each two seconds for a token; 131,072 sources in 5 MiB.
impl Default for GateSettings {
    fn default() -> Self {
        Self {
            budget: BudgetSettings::default(),
            wait_max: Duration::from_secs(3),
            waiting_max: 2_048,
            source: FairShare { per_second: 0.2, burst: 10.0 },
            network_visitors: 16.0,
            token: FairShare { per_second: 0.5, burst: 20.0 },
            sources_max: 131_072,
        }
    }
}

/// What the operator or earlier times say of a client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Standing {
    /// On a list that beats everything: an office named in the settings, a verified crawler, a signed
    /// probe. Never challenged, charged to nobody.
    Allowed,
    /// Seen behaving in calm times ([`crate::KnownClients`]).
    Known,
    /// Never heard of.
    #[default]
    Unknown,
    /// Matches a live signature of the flood.
    Suspect,
}

/// Whether a request may be answered with a challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RequestKind {
    /// A page that a person looks at.
    Page,
    /// Nothing a challenge could be shown for, such as a form that was sent: it goes as far as what
    /// its bearer has proven.
    Other,
    /// Never challenged: an essential path of the settings, an API path with its key, or a path that
    /// programs fetch ([`crate::never_challenged()`]).
    Exempt,
}

/// What the gate judges a request by.
#[derive(Clone, Copy, Debug)]
pub struct GateFacts {
    /// The visitor's address.
    pub client: IpAddr,
    /// The kind of client.
    pub fingerprint: ClientFingerprint,
    /// The number of the autonomous system its address belongs to, where that is known.
    pub system: Option<u32>,
    /// The token it came with, if it was verified.
    pub token: Option<(TokenId, ProofKind)>,
    /// What is known of the client.
    pub standing: Standing,
    /// What kind of request it is.
    pub kind: RequestKind,
    /// It came back from the redirect without its cookie: redirecting it again would loop.
    pub keeps_no_cookies: bool,
}
