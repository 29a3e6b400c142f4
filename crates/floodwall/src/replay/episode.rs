//! What detection said, as it is printed.

use floodwall_model::{Likelihoods, TrafficVerdict};

/// One episode, from its onset to its end.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Episode {
    pub(crate) verdict: TrafficVerdict,
    /// What else is in it.
    pub(crate) mixed_with: Option<TrafficVerdict>,
    /// How likely the verdict is, from 0 to 1; and each explanation by itself.
    pub(crate) likelihood: f64,
    pub(crate) likelihoods: Likelihoods,
    /// By which ways an attack came.
    pub(crate) vectors: Vec<&'static str>,
    /// Why, most important first.
    pub(crate) reasons: Vec<String>,
    /// When it began and ended, seconds since 1970; `None` where the log ends before it does.
    pub(crate) onset_s: i64,
    pub(crate) end_s: Option<i64>,
    /// Requests of its fullest second, and what was expected when it began, requests a second.
    pub(crate) per_second_max: f64,
    pub(crate) expected_per_second: f64,
}
