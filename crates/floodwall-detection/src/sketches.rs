//! What one worker counts of one site in one second, and what becomes of it.

use std::hash::BuildHasher;

use foldhash::quality::FixedState;

use crate::figure::{Figure, Row};
use crate::request::{
    AdmissionSeen, AgentKind, CachePart, ContentKind, MethodClass, PathClass, Referrer, RequestSeen,
    TokenSeen,
};
use crate::sketch::{Ballots, Distinct, Filled, SAMPLED_MAX, SampledSource, SourceSample};

/// Sources that a summary names at the most.
pub(crate) const TOP_MAX: usize = 8;

/// One worker's sketches of one site: fixed memory ([`Sketches::BYTES`]), whatever comes.
///
/// Each request is fed once, when it is answered. Once a second the workers' sketches are merged and
/// summarised; the hash seed must be the same for all workers of a site, secret, and the same for as
/// long as the detector lives.
#[derive(Clone, Debug)]
pub struct Sketches {
    hasher: FixedState,
    counts: [u32; COUNTS],
    errors_by_class: [u32; PathClass::COUNT],
    sources: Ballots<512>,
    networks: Ballots<512>,
    operators: Ballots<64>,
    agents: Ballots<256>,
    paths: Ballots<256>,
    fingerprints: Ballots<256>,
    distinct_sources: Distinct,
    distinct_networks: Distinct,
    distinct_queries: Distinct,
    sample: SourceSample,
}

/// Figures that are counted request by request, in the order of [`Figure`].
const COUNTS: usize = Figure::Refused as usize + 1;

/// One second of one site: what [`Detector::tick`](crate::Detector::tick) takes. Of fixed size.
#[derive(Clone, Debug, Default)]
pub struct SecondSummary {
    pub(crate) row: Row,
    pub(crate) top_sources: Vec<(u64, f64)>,
    pub(crate) top_operators: Vec<(u64, f64)>,
    pub(crate) sources: Filled,
    pub(crate) top_networks: Vec<(u64, f64)>,
    pub(crate) agents: Filled,
    pub(crate) paths: Filled,
    pub(crate) fingerprints: Filled,
    pub(crate) top_agents: Vec<(u64, f64)>,
    pub(crate) sampled: Vec<SampledSource>,
    pub(crate) sampled_stands_for: f64,
}

impl SecondSummary {
    /// One figure of the second.
    #[must_use]
    pub fn figure(&self, figure: Figure) -> f64 {
        self.row.get(figure)
    }

    /// All figures of the second.
    #[must_use]
    pub fn row(&self) -> &Row {
        &self.row
    }

    /// The busiest sources by [`Prefix::client_key`](floodwall_model::Prefix::client_key), with the
    /// estimated number of their requests; at most eight.
    #[must_use]
    pub fn top_sources(&self) -> &[(u64, f64)] {
        &self.top_sources
    }

    /// The busiest networks (/24, /48) with the estimated number of their requests; at most eight.
    #[must_use]
    pub fn top_networks(&self) -> &[(u64, f64)] {
        &self.top_networks
    }

    /// The busiest autonomous systems with the estimated number of their requests; at most eight.
    #[must_use]
    pub fn top_operators(&self) -> &[(u64, f64)] {
        &self.top_operators
    }
}

impl Sketches {
    /// Memory of one worker's sketches of one site, in bytes.
    pub const BYTES: usize = size_of::<Self>()
        + (512 + 512 + 64 + 3 * 256) * 16
        + 3 * 2_048
        + 2 * SAMPLED_MAX * size_of::<SampledSource>();

    /// Empty sketches.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            hasher: FixedState::with_seed(seed),
            counts: [0; COUNTS],
            errors_by_class: [0; PathClass::COUNT],
            sources: Ballots::default(),
            networks: Ballots::default(),
            operators: Ballots::default(),
            agents: Ballots::default(),
            paths: Ballots::default(),
            fingerprints: Ballots::default(),
            distinct_sources: Distinct::default(),
            distinct_networks: Distinct::default(),
            distinct_queries: Distinct::default(),
            sample: SourceSample::default(),
        }
    }

    /// Counts a request. Allocates nothing and waits for nobody.
    pub fn observe(&mut self, seen: &RequestSeen) {
        self.count(seen);
        let source = self.hasher.hash_one(seen.source);
        self.sources.add(source, seen.source);
        self.distinct_sources.add(source);
        self.sample.add(source.rotate_left(23), seen);
        let network = self.hasher.hash_one(seen.network);
        self.networks.add(network, seen.network);
        self.distinct_networks.add(network);
        if seen.asn != 0 {
            self.operators.add(self.hasher.hash_one(u64::from(seen.asn)), u64::from(seen.asn));
        }
        // These are keyed hashes already.
        let agent = seen.agent.unwrap_or(0);
        self.agents.add(agent, agent);
        self.paths.add(seen.path, seen.path);
        if let Some(query) = seen.query {
            self.distinct_queries.add(query ^ seen.path.rotate_left(17));
        }
        if let Some(fingerprint) = seen.fingerprint {
            self.fingerprints.add(fingerprint, fingerprint);
        }
    }

    fn count(&mut self, seen: &RequestSeen) {
        let mut add = |figure: Figure, yes: bool| {
            if let Some(count) = self.counts.get_mut(figure as usize) {
                *count = count.saturating_add(u32::from(yes));
            }
        };
        add(Figure::Requests, true);
        add(Figure::Pages, seen.kind == ContentKind::Page);
        add(Figure::Assets, seen.kind == ContentKind::Asset);
        add(Figure::Data, seen.kind == ContentKind::Data);
        add(Figure::of_class(seen.path_class.number()), true);
        let method = match seen.method {
            MethodClass::Get => Figure::Get,
            MethodClass::Head => Figure::Head,
            MethodClass::Post => Figure::Post,
            MethodClass::Other => Figure::OtherMethods,
        };
        add(method, true);
        let status = match seen.status {
            0..=299 => Figure::Status2xx,
            300..=399 => Figure::Status3xx,
            404 | 410 => Figure::NotFound,
            400..=499 => Figure::Status4xx,
            _ => Figure::Status5xx,
        };
        add(status, true);
        add(Figure::Queries, seen.query.is_some());
        add(Figure::OriginBound, seen.cache == CachePart::OriginBound);
        add(Figure::CacheKnown, seen.cache != CachePart::Unknown);
        let wanted = matches!(seen.kind, ContentKind::Page | ContentKind::Data);
        add(Figure::NoReferrer, wanted && seen.referrer == Referrer::Absent);
        add(Figure::ReferrerKnown, wanted && seen.referrer != Referrer::Unknown);
        add(Figure::DeclaredBots, seen.agent_kind == AgentKind::DeclaredBot);
        add(Figure::Tools, matches!(seen.agent_kind, AgentKind::Tool | AgentKind::Absent));
        add(Figure::TokensValid, seen.token == TokenSeen::Valid);
        add(Figure::TokensInvalid, seen.token == TokenSeen::Invalid);
        add(Figure::Waited, seen.admission == AdmissionSeen::Waited);
        add(Figure::Challenged, seen.admission == AdmissionSeen::Challenged);
        add(Figure::Refused, seen.admission == AdmissionSeen::Refused);
        if status == Figure::Status5xx
            && let Some(errors) = self.errors_by_class.get_mut(seen.path_class.number())
        {
            *errors = errors.saturating_add(1);
        }
    }

    /// Adds what another worker counted in the same second, with the same seed.
    pub fn merge(&mut self, other: &Self) {
        for (own, other) in self.counts.iter_mut().zip(other.counts) {
            *own = own.saturating_add(other);
        }
        for (own, other) in self.errors_by_class.iter_mut().zip(other.errors_by_class) {
            *own = own.saturating_add(other);
        }
        self.sources.merge(&other.sources);
        self.networks.merge(&other.networks);
        self.operators.merge(&other.operators);
        self.agents.merge(&other.agents);
        self.paths.merge(&other.paths);
        self.fingerprints.merge(&other.fingerprints);
        self.distinct_sources.merge(&other.distinct_sources);
        self.distinct_networks.merge(&other.distinct_networks);
        self.distinct_queries.merge(&other.distinct_queries);
        self.sample.merge(&other.sample);
    }

    /// Summarises the second, and begins the next one empty.
    pub fn take_summary(&mut self) -> SecondSummary {
        if self.counts.first() == Some(&0) {
            return SecondSummary { sampled_stands_for: 1.0, ..SecondSummary::default() };
        }
        let mut row = Row::default();
        for (figure, count) in Figure::ALL.iter().zip(self.counts) {
            row.set(*figure, f64::from(count));
        }
        row.set(Figure::Worst5xx, f64::from(self.errors_by_class.iter().copied().max().unwrap_or(0)));
        row.set(Figure::Sources, self.distinct_sources.estimate());
        row.set(Figure::Networks, self.distinct_networks.estimate());
        row.set(Figure::DistinctQueries, self.distinct_queries.estimate().min(row.get(Figure::Queries)));
        let summary = SecondSummary {
            row,
            top_sources: self.sources.top(TOP_MAX),
            top_operators: self.operators.top(TOP_MAX),
            sources: self.sources.spread(),
            top_networks: self.networks.top(TOP_MAX),
            agents: self.agents.spread(),
            paths: self.paths.spread(),
            fingerprints: self.fingerprints.spread(),
            top_agents: self.agents.top(2 * TOP_MAX),
            sampled: self.sample.sources(),
            sampled_stands_for: self.sample.stands_for(),
        };
        self.clear();
        summary
    }

    /// Whether nothing was counted since they were made, summarised or cleared.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.counts.first() == Some(&0)
    }

    /// Begins empty, as after [`Self::take_summary`].
    pub fn clear(&mut self) {
        self.counts.fill(0);
        self.errors_by_class.fill(0);
        self.sources.clear();
        self.networks.clear();
        self.operators.clear();
        self.agents.clear();
        self.paths.clear();
        self.fingerprints.clear();
        self.distinct_sources.clear();
        self.distinct_networks.clear();
        self.distinct_queries.clear();
        self.sample.clear();
    }
}
