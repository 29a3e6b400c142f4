//! Decisions of the edge: pure functions of facts, bounded state and a passed-in `now`.
//!
//! The edge builds [`RequestFacts`](floodwall_model::RequestFacts), asks [`Admission::admit`] and
//! acts on the [`Verdict`](floodwall_model::Verdict); before a request goes to an origin it asks
//! that origin's [`SharedCircuit`].
//!
//! ```
//! use std::net::IpAddr;
//! use std::time::Duration;
//!
//! use floodwall_model::{Prefix, RequestFacts, SiteId, Timestamp, Verdict};
//! use floodwall_policy::{Admission, AdmissionPolicy, PrefixLimiter, RateLimit, SitePolicy};
//!
//! // Ten requests a second that reach the origin, twenty at once.
//! let limit = RateLimit::from_numbers(10, 20)?;
//! let policy = AdmissionPolicy::new(vec![SitePolicy { origin_limit: Some(limit), request_limit: None }]);
//! let admission = Admission::new(PrefixLimiter::new(65_536, 0x5EED));
//!
//! let client: IpAddr = "192.0.2.7".parse()?;
//! let facts = RequestFacts {
//!     site: SiteId(0),
//!     client,
//!     prefix: Prefix::of_client(client),
//!     method: "GET",
//!     path: "/polling-place",
//!     origin_bound: true,
//! };
//! let now = Timestamp::new(Duration::from_secs(1), 0);
//! let admitted = (0..50).filter(|_| admission.admit(&policy, &facts, now) == Verdict::Admit).count();
//! assert_eq!(admitted, 20);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Invariants
//! - Nothing here opens a socket or file, starts a thread, reads a clock or draws a random number:
//!   the same facts, seeds and times give the same verdicts again.
//! - Deciding allocates nothing, and waits for nobody while the origin is well.
//! - Memory is fixed when a value is built. What no longer fits is forgotten in the visitor's
//!   favour, and counted.
//! - Nobody is refused for somebody else's requests: a collision, a full table or a race between
//!   threads can only admit more.
//! - An answer from the cache is not metered unless the operator asked for it.

mod admission;
mod connection_shares;
mod fair_queue;
#[doc(hidden)]
pub mod fuzzing;
mod gate;
mod known_clients;
mod ladder;
mod never_challenged;
mod origin_budget;
mod origin_health;
mod prefix_limiter;
mod rate_limit;
mod sealed;
mod secret;
mod shared_circuit;
mod source_ledger;
mod ticket;
mod token;
mod waiting_room;
mod work;

pub use admission::{Admission, AdmissionPolicy, SitePolicy};
pub use connection_shares::{ConnectionShares, Share};
pub use fair_queue::{Enqueued, FairQueue, Place, WaitId};
pub use gate::{
    Challenge, Decision, Gate, GateCounts, GateFacts, GateSettings, Refusal, RefusalReason, RequestKind,
    Standing, Wake,
};
pub use known_clients::KnownClients;
pub use ladder::{Ladder, LadderFacts, Rung};
pub use never_challenged::never_challenged;
pub use origin_budget::{BudgetSettings, BudgetSettingsError, OriginBudget, Outcome};
pub use origin_health::{CircuitSettings, CircuitSettingsError, OriginCircuit, OriginFailure, Permit};
pub use prefix_limiter::{Meter, PrefixLimiter};
pub use rate_limit::{RateLimit, RateLimitError};
pub use sealed::SealedText;
pub use secret::{KEY_EPOCH, Keyring, Secret};
pub use shared_circuit::SharedCircuit;
pub use source_ledger::{Charge, Excess, FairShare, SourceKey, SourceLedger};
pub use ticket::{TICKET_LIFETIME, Ticket};
pub use token::{
    Binding, CLOCK_SKEW, ClientFingerprint, CredentialFault, ProofKind, SiteTag, TOKEN_LIFETIME_MAX,
    TokenClaims, TokenId,
};
pub use waiting_room::{Turn, WaitingRoom};
pub use work::{CHALLENGE_LIFETIME, Difficulty, SOLUTION_BYTES_MAX, WorkChallenge};
