//! The nouns of Floodwall: values that the other crates hand to one another.
//!
//! Nothing here reads a clock, opens a socket or touches a disk, and none of these types is a wire
//! or disk format: crates that store or send them convert at their own border.

mod access;
mod incident;
mod judgement;
mod prefix;
mod reference;
mod request;
mod time;
mod traffic;
mod verdict;

pub use access::AccessRecord;
pub use incident::{
    Incident, IncidentId, IncidentRecord, IncidentState, IncidentToll, Measure, Onset, TopSource,
};
pub use judgement::{
    Ground, GroundKind, GroundUnit, Judgement, Likelihoods, RoutineCause, TrafficVerdict, Vector,
};
pub use prefix::{ParsePrefixError, Prefix};
pub use reference::{ParseReferenceError, ReferenceId};
pub use request::{Protocol, RequestFacts, SiteId};
pub use time::{Clock, Timestamp};
pub use traffic::{
    AdmissionCounts, EdgeCounts, GateMode, GateStatus, MinuteTraffic, OriginHealth, OriginStatus,
    PersonReport, SiteSnapshot, TrafficCounts,
};
pub use verdict::{Reason, Verdict};
