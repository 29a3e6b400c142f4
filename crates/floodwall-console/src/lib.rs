//! The admin listener: the operator's console page, its live stream, the JSON API and the metrics.
//!
//! The binary publishes one [`Snapshot`] a second through a `watch` channel and hands in a
//! [`History`] to read past minutes from; this crate only shows them. It never asks the edge or the
//! store anything, so a slow reader of these pages cannot hold up a visitor's request.
//!
//! Limits: live streams, connections, history reads at once and minutes per answer are all bounded
//! (see [`Settings`] and the constants in `server`); what is over a bound is refused with words and
//! counted in the metrics. There is no login: whoever reaches the listener may read. It binds to
//! loopback by default, changes nothing, and refuses requests that another website makes through an
//! operator's browser (host names it was not told of, cross-site fetches).

mod api;
mod console;
mod events;
mod format;
mod guard;
mod incident;
mod metrics;
mod minutes;
mod outage;
mod page;
mod server;
mod snapshot;
mod stalled_writes;
mod view;

pub use console::{Console, ROUTES, Settings};
pub use incident::{
    IncidentDocument, JudgementDocument, LikelihoodsDocument, MeasureDocument, ReasonDocument,
    SourceDocument, TrafficDocument, VisitorsDocument,
};
pub use outage::{CauseDocument, EdgeDocument, OutageDocument, with_open};
pub use server::serve;
pub use snapshot::{History, HistoryError, Losses, Readiness, SiteFigures, Snapshot};
