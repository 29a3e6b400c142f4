//! One probe's result, as the decisions take it.

use floodwall_model::Timestamp;

use crate::cause::Cause;

/// Why nothing can be said of a span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UnknownCause {
    /// The prober did not get the processor when it needed it.
    Starved,
    /// The prober could reach nothing else either.
    EgressGone,
    /// The prober's clock was stepped.
    ClockStepped,
    /// Everything failed at this vantage and nowhere else.
    VantageFault,
    /// No sample came: the prober was stopped, or fell silent.
    Silent,
    /// The probe could not be made for want of something on the prober's host.
    ProberFailed,
}

impl UnknownCause {
    /// Every one.
    pub const ALL: [Self; 6] = [
        Self::Starved,
        Self::EgressGone,
        Self::ClockStepped,
        Self::VantageFault,
        Self::Silent,
        Self::ProberFailed,
    ];

    /// A short name for records and metrics; never changed once released.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starved => "starved",
            Self::EgressGone => "egress_gone",
            Self::ClockStepped => "clock_stepped",
            Self::VantageFault => "vantage_fault",
            Self::Silent => "silent",
            Self::ProberFailed => "prober_failed",
        }
    }

    /// The one of that name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.as_str() == name)
    }
}

/// What a sample says of its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// It gave what was asked for.
    Up,
    /// It did not.
    Down(Cause),
    /// Nothing can be said.
    Unknown(UnknownCause),
}

/// One probe's result. What it saw was so at some moment between `started` and `finished`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// When the probe began.
    pub started: Timestamp,
    /// When its result was known.
    pub finished: Timestamp,
    /// What it saw, the prober's own trouble already taken out ([`judge`](crate::judge)).
    pub seen: Seen,
}
