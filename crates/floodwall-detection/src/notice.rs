//! What the operator should know that is no incident.

use std::fmt;

use floodwall_model::{IncidentId, Prefix};

/// What a tick changed. Look the incident up with [`Detector::incident`](crate::Detector::incident).
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// An incident was opened.
    Opened(IncidentId),
    /// It was judged anew, and something is different.
    Revised(IncidentId),
    /// It goes on, but visitors are served as in calm times again.
    Mitigated(IncidentId),
    /// It is over.
    Ended(IncidentId),
    /// It had seemed to be over, and goes on.
    Reopened(IncidentId),
    /// Something about the data, not the traffic.
    Noticed(Notice),
}

/// Something about the data that makes detection worse than it could be.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// All requests come from a few addresses, but from many different browsers.
    ProxyAddresses {
        /// The addresses.
        addresses: Vec<Prefix>,
    },
    /// Nothing was seen for a while.
    Gap {
        /// For how many seconds.
        seconds: u64,
    },
    /// The wall clock was stepped.
    ClockStepped {
        /// By how many seconds; negative is back.
        seconds: i64,
    },
    /// Requests came later than could be waited for, or too many at once, and were left out.
    LeftOut {
        /// How many in all so far.
        requests: u64,
    },
}

/// In plain words, with what to do.
impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ProxyAddresses { addresses } => {
                f.write_str("all requests come from ")?;
                for (place, address) in addresses.iter().enumerate() {
                    write!(f, "{}{address}", if place > 0 { ", " } else { "" })?;
                }
                f.write_str(
                    ", but from many different browsers: these are your proxy's addresses; set trusted_proxies. \
                     Until then, sources count for nothing in a judgement",
                )
            }
            Self::Gap { seconds } => {
                write!(f, "nothing was seen for {seconds} s; detection begins anew after it")
            }
            Self::ClockStepped { seconds } => {
                write!(f, "the clock was stepped by {seconds} s; times of day may be wrong until it is right")
            }
            Self::LeftOut { requests } => {
                write!(f, "{requests} requests came out of order or too many at once, and were left out")
            }
        }
    }
}
