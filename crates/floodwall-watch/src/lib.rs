//! Probes: what a visitor's computer would do to reach a site, one step at a time, each step timed and
//! each failure named by the operation that failed.
//!
//! Every address of a name is tried, IPv4 and IPv6 apart, and none hides another's failure. A cause is
//! taken from error kinds, TLS errors and response codes, never from text. What a prober is to blame
//! for itself is kept apart ([`Failure::Own`]).
//!
//! Bounds: one deadline for a probe, [`ADDRESSES_MAX`] addresses, [`REDIRECTS_MAX`] redirects,
//! [`BODY_BYTES_MAX`] of a body, [`EVIDENCE_BODY_BYTES`] of it kept.

mod address;
mod attempt;
mod connect;
mod evidence;
mod exchange;
mod expect;
mod lag;
mod observed;
mod probe;
mod resolve;
mod stamps;
mod target;
mod tls;
mod watch;

pub use address::{AddressRule, is_public};
pub use attempt::{Attempt, Failure, Report};
pub use evidence::{CertificateFacts, EVIDENCE_BODY_BYTES, EVIDENCE_FIELDS_MAX, Evidence};
pub use exchange::{BODY_BYTES_MAX, REDIRECTS_MAX};
pub use expect::{Expectations, JsonExpectation};
pub use floodwall_outage::Family;
pub use probe::{ADDRESSES_MAX, Prober, ProberError, TIMEOUT_DEFAULT};
pub use resolve::{Answer, Resolver};
pub use stamps::{Span, Stamps};
pub use target::{Check, HttpCheck, ProbeTarget, TargetError};
pub use tls::TrustError;
pub use watch::{Judged, RESULTS_WAITING_MAX, WatchSettings, Watched, names_are_unique, watch};
