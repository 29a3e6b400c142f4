//! A claim, line by line, against what was observed of one site.
//!
//! Each line has one of four outcomes and names the records that say so. No record is no proof of
//! anything: it leaves a line untested and never contradicts one.

mod against;
mod effect;
#[cfg(test)]
pub(crate) mod tests;
mod track_record;

use serde::Serialize;

use crate::claim::Claim;
use crate::declared::Match;
use crate::facts::{Coverage, IncidentFact, RecordRef, SiteFacts, Span};
use crate::host::TargetName;
use crate::moment::Moment;

pub(crate) use against::thousands;
pub use track_record::TrackRecord;

/// How long before a post, and after it, is searched where the claim names no time.
pub const SEARCH_BEFORE_S: i64 = 86_400;

/// From this likelihood on an incident's verdict speaks for or against a claim; below it, nothing does.
pub const VERDICT_COUNTS_FROM_PERMILLE: u16 = 800;

/// What a line of a claim asserts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Assertion {
    /// That this site was attacked.
    Target,
    /// When.
    Time,
    /// That the claimant knew before the public could.
    Foreknowledge,
    /// How.
    Method,
    /// What came of it.
    Effect,
    /// How long it lasted.
    Duration,
    /// How much was sent.
    Size,
    /// Which requests were sent.
    Requests,
    /// That a page of somebody else proves it.
    Proof,
}

impl Assertion {
    /// In a word, for tables.
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Target => "target",
            Self::Time => "time",
            Self::Foreknowledge => "foreknowledge",
            Self::Method => "method",
            Self::Effect => "effect",
            Self::Duration => "duration",
            Self::Size => "size",
            Self::Requests => "requests",
            Self::Proof => "proof shown",
        }
    }
}

/// What came of testing a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// What was observed is as the claim says.
    Supports,
    /// What was observed is not as the claim says.
    Contradicts,
    /// It could have been observed, and was not, or not well enough.
    Untested,
    /// No observation of this server's can tell.
    Untestable,
}

impl Outcome {
    /// In a word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Supports => "supports",
            Self::Contradicts => "contradicts",
            Self::Untested => "untested",
            Self::Untestable => "untestable",
        }
    }
}

/// One line of a claim and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// What it is about.
    pub assertion: Assertion,
    /// What the claim says.
    pub says: String,
    /// What came of it.
    pub outcome: Outcome,
    /// Why, in plain words.
    pub why: String,
    /// The records that say so.
    pub records: Vec<RecordRef>,
}

/// A claim tested against one site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClaimTest {
    /// The claim's name.
    pub claim: String,
    /// Who claims.
    pub claimant: String,
    /// The site's name.
    pub site: String,
    /// The name by which the claim names it, and since when; `None` where it does not.
    pub named: Option<(TargetName, Moment)>,
    /// The time that was searched.
    pub searched: Span,
    /// Whether the time that the claim is about is over.
    pub is_over: bool,
    /// How much of it is on record.
    pub coverage: Coverage,
    /// The incident that was compared.
    pub incident: Option<String>,
    /// Every line.
    pub rows: Vec<Row>,
}

impl ClaimTest {
    /// Whether the claim names the site at all.
    #[must_use]
    pub fn names_the_site(&self) -> bool {
        self.outcome(Assertion::Time).is_some()
    }

    /// What came of a line; `None` where the claim has none of that kind.
    #[must_use]
    pub fn outcome(&self, assertion: Assertion) -> Option<Outcome> {
        self.rows.iter().find(|row| row.assertion == assertion).map(|row| row.outcome)
    }
}

/// What every line is compared with.
struct Compared<'a> {
    claim: &'a Claim,
    named: Option<&'a Match<'a>>,
    facts: &'a SiteFacts,
    /// As the claim means it, before it is cut to what can be on record.
    meant: Span,
    searched: Span,
    is_over: bool,
    coverage: Coverage,
    incident: Option<&'a IncidentFact>,
}

/// Tests a claim against one site. `named` says how the claim names it; `None` where it does not.
#[must_use]
pub fn test_claim(claim: &Claim, named: Option<&Match<'_>>, facts: &SiteFacts) -> ClaimTest {
    let meant = meant(claim);
    let to_unix_s = meant.to_unix_s.min(facts.as_of_unix_s).max(meant.from_unix_s);
    let searched = Span { from_unix_s: meant.from_unix_s, to_unix_s };
    let compared = Compared {
        claim,
        named,
        facts,
        meant,
        searched,
        is_over: meant.to_unix_s <= facts.as_of_unix_s,
        coverage: facts.coverage(searched),
        incident: closest(facts, searched),
    };
    let rows = if named.is_some_and(|named| named.kind.names_the_site()) {
        [
            Some(compared.target()),
            Some(compared.time()),
            Some(compared.foreknowledge()),
            compared.method(),
            compared.effect(),
            compared.duration(),
            compared.size(),
            compared.requests(),
            compared.proof(),
        ]
        .into_iter()
        .flatten()
        .collect()
    } else {
        vec![compared.not_named()]
    };
    ClaimTest {
        claim: claim.id.clone(),
        claimant: claim.claimant.clone(),
        site: facts.site.clone(),
        named: named.map(|named| (named.target.name.clone(), named.target.since)),
        searched,
        is_over: compared.is_over,
        coverage: compared.coverage.clone(),
        incident: compared.incident.map(|incident| incident.id.clone()),
        rows,
    }
}

/// The time a claim is about: what it names, or a day either way of its post.
fn meant(claim: &Claim) -> Span {
    match claim.window {
        Some(window) => {
            let last = window.until.unwrap_or(window.from).latest_unix_s();
            let open_end = if window.until.is_none() { SEARCH_BEFORE_S } else { 0 };
            Span {
                from_unix_s: window.from.earliest_unix_s(),
                to_unix_s: last.saturating_add(1).saturating_add(open_end),
            }
        }
        None => Span {
            from_unix_s: claim.posted.earliest_unix_s().saturating_sub(SEARCH_BEFORE_S),
            to_unix_s: claim.posted.latest_unix_s().saturating_add(SEARCH_BEFORE_S),
        },
    }
}

/// Of the incidents in a stretch of time the one that is most likely an attack; of equals the longest.
fn closest(facts: &SiteFacts, searched: Span) -> Option<&IncidentFact> {
    let met = facts.incidents.iter().filter(|incident| incident.span(facts.as_of_unix_s).meets(&searched));
    met.max_by_key(|incident| {
        let is_attack = incident.verdict == crate::Explanation::Attack;
        (is_attack, incident.attack_permille, incident.span(facts.as_of_unix_s).seconds())
    })
}

fn row(assertion: Assertion, says: impl Into<String>, outcome: Outcome, why: impl Into<String>) -> Row {
    Row { assertion, says: says.into(), outcome, why: why.into(), records: Vec::new() }
}

impl Row {
    fn with(mut self, records: impl IntoIterator<Item = RecordRef>) -> Self {
        self.records.extend(records);
        self
    }
}
