//! What detection said, as it is printed.

/// One episode, from its onset to its end.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Episode {
    /// `attack`, `crowd`, `routine` or `unknown`.
    pub(crate) verdict: &'static str,
    /// How likely the verdict is, in the words of estimates.
    pub(crate) likelihood: String,
    /// Why, most important first.
    pub(crate) reasons: Vec<String>,
    /// When it began and ended, microseconds since 1970; `None` where the log ends before it does.
    pub(crate) onset_micros: i64,
    pub(crate) end_micros: Option<i64>,
    /// Requests of its fullest second, and what was expected then, requests a second.
    pub(crate) per_second_max: f64,
    pub(crate) expected_per_second: f64,
}
