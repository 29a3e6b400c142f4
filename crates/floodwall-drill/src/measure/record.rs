//! What became of one thing that a visitor wanted, and by which way.

use serde::{Deserialize, Serialize};

use crate::plan::Wanted;
use crate::scenario::VisitorKind;

/// What became of one want.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The wanted page came.
    Arrived,
    /// 401, 403 or 429: somebody took a visitor for an attacker, or for too many.
    Refused,
    /// 5xx.
    ServerError,
    /// Another page, another status, or a circle of redirects.
    Wrong,
    /// Nothing within a person's patience.
    TimedOut,
    /// No connection.
    NoConnection,
    /// The browser does not accept the certificate, and shows a warning in the page's place.
    Certificate,
    /// The connection ended before the page was whole.
    BrokeOff,
    /// Not asked for: the visitor had given up before.
    NotReached,
    /// Not asked for: what came before it came so late that the scenario was over. No part of any
    /// share.
    AfterTheEnd,
}

/// What lay between a want and what became of it. Times are microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Way {
    /// Redirects followed.
    pub redirects: u32,
    /// Proofs of work done.
    pub proofs: u32,
    /// How long the browser worked for them.
    pub working_us: u64,
    /// Times a page said to wait.
    pub waits: u32,
    /// How long was waited as it said.
    pub waiting_us: u64,
    /// Times an error page was loaded again.
    pub reloads: u32,
    /// How long the visitor stayed away before that.
    pub reloading_us: u64,
    /// Answers on the way, the last one included, that refused: 401, 403, 429.
    pub refusals: u32,
}

impl Way {
    /// Whether there was nothing between.
    #[must_use]
    pub fn is_direct(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a page was shown that asked for a proof or said to wait.
    #[must_use]
    pub fn showed_a_page(&self) -> bool {
        self.proofs + self.waits > 0
    }

    /// Time that was spent as a page said. What a person waits before loading an error page again is
    /// none of it.
    #[must_use]
    pub fn told_us(&self) -> u64 {
        self.working_us.saturating_add(self.waiting_us)
    }
}

/// One want and what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Who wanted it.
    pub kind: VisitorKind,
    /// The session's begin, microseconds: with the kind its name.
    pub session: u64,
    /// What was wanted.
    pub what: Wanted,
    /// When it was wanted, microseconds from the scenario's start.
    pub wanted_us: u64,
    /// How long it took to become what it became, everything between included.
    pub latency_us: u64,
    /// What that is.
    pub outcome: Outcome,
    /// What lay between.
    #[serde(default, skip_serializing_if = "Way::is_direct")]
    pub way: Way,
}
