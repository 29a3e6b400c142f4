//! The edge: what visitors meet. Listeners, TLS, HTTP/1.1 and HTTP/2, a shared cache, origins.
//!
//! Mechanism only: whether a request is admitted is decided by `floodwall-policy`; what the cache
//! and the request guard decide, they decide as pure functions inside this crate.
//!
//! - [`BoundEdge::bind`] binds and loads everything and serves nothing yet; [`BoundEdge::start`]
//!   starts one thread per worker, each with its own runtime, sockets, connections and pool.
//! - The control plane reads [`EdgeHandle::sites`] and [`EdgeHandle::counts`] once a second; no
//!   request ever waits for it.
//! - [`EdgeHandle::shut_down`] drains.

mod admission;
mod authority;
mod body;
mod cache;
mod client_hello;
mod config;
mod connection;
mod counters;
mod edge;
mod error;
mod flights;
mod forwarded;
#[doc(hidden)]
pub mod fuzzing;
mod handshakes;
mod headers;
mod http1;
mod http2_opening;
mod incoming;
mod kept;
mod listen;
mod outgoing;
mod pages;
mod place;
mod plain;
mod proxy;
mod query;
mod request_guard;
mod sightings;
mod site_table;
mod socket;
pub mod tls;
mod upstream;
mod worker;

pub use admission::{AdmissionMode, ClientRegister, EdgeAccounts, SiteAccount, SiteAdmission};
pub use cache::{CacheSettings, PurgeDepth, PurgeTarget};
pub use config::{EdgeConfig, OriginConfig, SiteConfig, Timeouts};
pub use edge::{AccessSink, BoundAddresses, BoundEdge, EdgeHandle};
pub use error::EdgeError;
pub use kept::{KeptCounts, KeptError, KeptSettings};
pub use query::{PathPattern, QueryRule, QueryRules};
