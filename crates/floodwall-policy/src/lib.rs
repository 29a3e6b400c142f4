//! Decisions of the edge: pure functions of facts, bounded state and a passed-in `now`.
//!
//! # Limits by prefix, and whether an origin is up
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
//! # People first
//!
//! When more wants to reach the origin than it can carry, a [`Gate`] for each path class of each site
//! decides who gets in. Its parts can be used and tested alone:
//!
//! | Part | Decides |
//! |---|---|
//! | [`OriginBudget`] | how many requests the origin is given at once |
//! | [`SourceLedger`] | who asks for more than his share |
//! | [`FairQueue`] | who waits, in what order, and who cannot be served in time |
//! | [`Ladder`] | what is asked of visitors before they get work out of the origin |
//! | [`Keyring`] | tokens, tickets and challenges: what visitors carry, signed and never stored |
//! | [`WaitingRoom`] | whose turn it is |
//! | [`KnownClients`], [`never_challenged()`] | who and what goes first, or is let be |
//! | [`PrefixMap`], [`published_ranges()`], [`CrawlerChecks`], [`ProbeClaims`] | whom the operator always lets in |
//! | [`OrderBook`] | whom an operator blocked or let in while the server runs |
//! | [`SignatureWatch`] | what a flood has in common that people have not |
//! | [`ReferenceKey`] | what the reference on an answer says to whoever has the secret |
//!
//! The mechanism verifies the token, asks the gate, and does as it is told; whoever waits is woken by
//! [`Gate::next_wake`], which is emptied after each offer and release and ten times a second;
//! [`Gate::tick`] and [`WaitingRoom::tick`] are called once a second.
//!
//! ```
//! use std::time::Duration;
//!
//! use floodwall_model::Timestamp;
//! use floodwall_policy::{
//!     Binding, Challenge, ClientFingerprint, Decision, Gate, GateFacts, GateSettings, Keyring, Outcome,
//!     ProofKind, RequestKind, Secret, SiteTag, Standing, TokenClaims, TokenId, Wake, WorkKind,
//! };
//!
//! let now = Timestamp::new(Duration::from_secs(1), 1_667_916_000_000_000);
//! let keyring = Keyring::new(&Secret::new([42; 32]), now);
//! let mut gate = Gate::new(GateSettings::default(), 0x5EED, now);
//!
//! // A request, with the token from its cookie, if it has one that counts.
//! let binding = Binding { site: SiteTag::of_name("sos"), fingerprint: ClientFingerprint(7), generation: 0 };
//! let offer = |gate: &mut Gate, client: &str, cookie: Option<&str>, now| {
//!     let claims = cookie.and_then(|text| keyring.verify_token(text.as_bytes(), &binding, now).ok());
//!     let facts = GateFacts {
//!         client: client.parse().expect("an address"),
//!         fingerprint: binding.fingerprint,
//!         system: None,
//!         token: claims.map(|claims| (claims.id, claims.proof)),
//!         standing: Standing::Unknown,
//!         kind: RequestKind::Page,
//!         keeps_no_cookies: false,
//!     };
//!     gate.offer(&facts, now)
//! };
//!
//! // In calm times everybody is let in, and the budget learns from how the origin answers.
//! assert_eq!(offer(&mut gate, "192.0.2.1", None, now), Decision::Admit);
//! gate.on_release(Outcome::Answered(Duration::from_millis(75), WorkKind::of("GET", "/look-up")), now);
//! assert_eq!(gate.next_wake(now), None);
//!
//! // Then ten thousand come at once. Some are let in, some wait, the rest are redirected.
//! for source in 0..10_000_u32 {
//!     let _ = offer(&mut gate, &std::net::Ipv4Addr::from(source * 7_919).to_string(), None, now);
//! }
//! assert_eq!(offer(&mut gate, "192.0.2.2", None, now), Decision::Challenge(Challenge::Redirect));
//!
//! // One of them comes back from the redirect with the cookie he was given there.
//! let token = keyring.issue_token(&TokenClaims {
//!     site: binding.site,
//!     fingerprint: binding.fingerprint,
//!     proof: ProofKind::Redirect,
//!     generation: 0,
//!     issued_unix_s: 1_667_916_000,
//!     lifetime_s: 1_800,
//!     id: TokenId(0x1D), // random
//! });
//! let Decision::Wait(place) = offer(&mut gate, "192.0.2.2", Some(token.as_str()), now) else {
//!     panic!("there is a place for him");
//! };
//!
//! // He goes before all who have proven nothing, as soon as there is room.
//! let later = now.plus(Duration::from_millis(80));
//! gate.on_release(Outcome::Answered(Duration::from_millis(80), WorkKind::of("GET", "/look-up")), later);
//! assert_eq!(gate.next_wake(later), Some(Wake::Admit(place)));
//! ```
//!
//! A solved challenge ([`Keyring::redeem_solution`]) or a ticket whose turn has come
//! ([`Keyring::redeem_ticket`]) gives the claims of the token to issue. Both give the same token
//! however often they are redeemed, so several tabs never loop, and copies gain nothing.
//!
//! # Invariants
//!
//! - Nothing here opens a socket or file, starts a thread, reads a clock or draws a random number:
//!   the same facts, seeds and times give the same verdicts again.
//! - Deciding allocates nothing, unless the visitor has to wait or is shown a page, and waits for
//!   nobody while the origin is well.
//! - Memory is fixed when a value is built. What no longer fits is forgotten in the visitor's
//!   favour, and counted.
//! - Nobody is limited for somebody else's requests: a collision, a full table or a race between
//!   threads can only admit more. The gate refuses only where there is no room.
//! - An answer from the cache is not metered unless the operator asked for it.

mod admission;
mod connection_shares;
mod fair_queue;
#[doc(hidden)]
pub mod fuzzing;
mod gate;
mod handshake_budget;
mod known_clients;
mod known_good;
mod ladder;
mod learned_queries;
mod never_challenged;
mod orders;
mod origin_budget;
mod origin_health;
mod prefix_limiter;
mod rate_limit;
mod refusal_reference;
mod sealed;
mod secret;
mod shared_circuit;
mod signature;
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
pub use handshake_budget::{Handshake, HandshakeBudget, HandshakeEnd, HandshakeLimits, HandshakeRefusal};
pub use known_clients::KnownClients;
pub use known_good::{
    Crawler, CrawlerCheckSettings, CrawlerChecks, CrawlerStanding, KeyDigest, KeyListError, LookUp,
    LookUpFault, NAMES_MAX, NextLookUp, PROBE_LIFETIME_MAX, PrefixMap, ProbeClaims, ProbeName,
    ProbeNameError, PublishedRangesError, WELL_KNOWN_CRAWLERS, key_digest, key_list, published_ranges,
};
pub use ladder::{Ladder, LadderFacts, Rung};
pub use learned_queries::LearnedQueries;
pub use never_challenged::never_challenged;
pub use orders::{Order, OrderBook, OrderEffect, OrderFault};
pub use origin_budget::{BudgetSettings, BudgetSettingsError, OriginBudget, Outcome, WorkKind};
pub use origin_health::{CircuitSettings, CircuitSettingsError, OriginCircuit, OriginFailure, Permit};
pub use prefix_limiter::{Meter, PrefixLimiter};
pub use rate_limit::{RateLimit, RateLimitError};
pub use refusal_reference::{AGE_MAX as REFERENCE_AGE_MAX, Decided, ReferenceKey, RefusalNote};
pub use sealed::SealedText;
pub use secret::{KEY_EPOCH, Keyring, Secret};
pub use shared_circuit::SharedCircuit;
pub use signature::{
    ClientTraits, Condition, Conjunction, Evidence, Findings, Mark, NotProposed, Proposed, Referrer,
    RefusedSignature, RequestShape, SignatureEnd, SignatureId, SignatureRecord, SignatureSearch,
    SignatureSettings, SignatureStage, SignatureWatch, TraitField, TraitKeys,
};
pub use source_ledger::{Charge, Excess, FairShare, SourceKey, SourceLedger};
pub use ticket::{TICKET_LIFETIME, Ticket};
pub use token::{
    Binding, CLOCK_SKEW, ClientFingerprint, CredentialFault, ProofKind, SiteTag, TOKEN_LIFETIME_MAX,
    TokenClaims, TokenId,
};
pub use waiting_room::{Turn, WaitingRoom};
pub use work::{CHALLENGE_LIFETIME, Difficulty, SOLUTION_BYTES_MAX, WorkChallenge};
