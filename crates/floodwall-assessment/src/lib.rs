//! What is claimed, against what was observed; and what can be said of it.
//!
//! - [`Claim`]: who says what, where and since when, with the names it gives ([`TargetName`]): kept apart
//!   from every observation.
//! - [`read_text`]: what a post asserts, as far as a program can tell.
//! - [`DeclaredSite`]: whether a claim names one of ours.
//! - [`test_claim`]: the claim line by line against [`SiteFacts`]: supports, contradicts, untested,
//!   untestable, with the record that says so.
//! - [`assess`]: how likely, in the words of ICD 203, and apart from it how good the data is.
//! - [`statement()`] and [`lint()`]: what can be said in public, each sentence backed by a record; and what a
//!   person's own words say beyond that.
//!
//! Pure: facts and times are passed in.
//!
//! Limits: a claim that is supported in every line still does not say who sent anything. There is no
//! attribution here, and neither country nor network of a source weighs.

mod claim;
mod declared;
mod facts;
#[doc(hidden)]
pub mod fuzzing;
mod host;
mod judged;
mod likelihood;
mod moment;
mod reading;
mod statement;
mod testing;

pub use claim::{
    CLAIM_FORMAT, Claim, ClaimOrigin, ClaimedEffect, ClaimedMethod, ClaimedSize, ClaimedWindow, Edit,
    NamedHow, NamedTarget, ReadBy, RequestTemplate, SizeUnit, TARGETS_MAX, TEXT_BYTES_MAX, WhereFound,
};
pub use declared::{DeclaredSite, HostRule, Match, MatchKind, named};
pub use facts::{
    Coverage, Explanation, IncidentFact, MinuteFact, ReachabilityFact, RecordRef, SiteFacts, Span,
};
pub use host::{HostFault, HostFlag, TargetName};
pub use judged::{Alternative, Assessment, assess};
pub use likelihood::{Confidence, DataQuality, Likelihood};
pub use moment::{Moment, utc};
pub use reading::{TextReading, read_text};
pub use statement::{
    ClaimNote, Language, LintFault, LintRule, Sentence, SentenceKind, Statement, StatementFacts, lint,
    statement,
};
pub use testing::{
    Assertion, ClaimTest, Outcome, Row, SEARCH_BEFORE_S, TrackRecord, VERDICT_COUNTS_FROM_PERMILLE,
    test_claim,
};
