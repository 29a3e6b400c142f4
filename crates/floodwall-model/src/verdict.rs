//! What policy answers, and why.

use std::time::Duration;

/// What is to be done with one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Let it through.
    Admit,
    /// Answer it at the edge, without work at the origin.
    Refuse {
        /// Why; decides status and words of the answer.
        reason: Reason,
        /// How long to wait before trying again: the answer's `Retry-After`.
        retry_after: Duration,
    },
}

/// Why a request was refused. One closed list, mapped exhaustively wherever it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The visitor's prefix sent more requests than its limit allows.
    PrefixRate,
}

impl Reason {
    /// Every reason there is, for metrics and documentation.
    pub const ALL: &'static [Self] = &[Self::PrefixRate];

    /// A short name for logs and metrics labels.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PrefixRate => "prefix_rate",
        }
    }
}
