//! Whether a site was down, since when, until when and why: decided from samples that probes took.
//!
//! Three things are kept apart that other watches mix: what a sample saw (*raw*), what is said of a
//! target (*committed*, after as many samples in agreement, the same number both ways), and time of
//! which nothing can be said (*unknown*: the prober starved, its own way out was gone, a clock was
//! stepped, a vantage fell silent). An outage begins and ends between two samples; both ends carry
//! that interval as their error bars.
//!
//! Pure: no sockets, files, threads, clock or entropy. Everything is bounded per target.

mod account;
mod cause;
mod families;
mod health;
mod outage;
mod quorum;
mod record;
mod sample;
mod schedule;
mod target;

pub use account::{ACCOUNTING_METHOD, Availability, DayFigures, Span, availability, by_day};
pub use cause::{Cause, Phase, Severity};
pub use families::{Families, Family, FamilyJudged, family_name, family_of_name, state_for_visitors};
pub use health::{References, Surroundings, Trouble, judge};
pub use outage::{CAUSES_MAX, CauseCount, Edge, Outage};
pub use quorum::{CombinedChange, CombinedState, Quorum, QuorumSize, Vote};
pub use record::{
    FamilyStatus, OutageRecord, ProbeFigures, TargetStatus, UnknownRecord, WatchRecord, WatchedRecord,
    outage_key,
};
pub use sample::{Sample, Seen, UnknownCause};
pub use schedule::{next_due, phase_of};
pub use target::{Change, State, Target, TargetRecord, TargetSettings};
