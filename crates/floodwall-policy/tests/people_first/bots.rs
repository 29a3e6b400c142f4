//! Floods: how many sources, how often each asks, and what they can do when challenged.

/// What a bot does with a challenge.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Skill {
    /// Nothing.
    None,
    /// Some keep cookies and follow redirects, the others do nothing.
    Some { percent: u64 },
    /// All keep cookies and follow redirects.
    Redirect,
    /// All follow redirects and throw the cookie away after each request, for a new one.
    FreshRedirect,
    /// All follow redirects, and wait in line for their turn.
    Wait,
    /// All solve, at this many hashes a second, and keep the token.
    Solve { per_second: f64 },
    /// All solve, and throw the token away after each request.
    FreshSolve { per_second: f64 },
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Flood {
    pub(crate) sources: u64,
    /// Requests a second of all together.
    pub(crate) rate: f64,
    /// Whether each request comes from an address of its own.
    pub(crate) one_shot: bool,
    /// So long on, so long off.
    pub(crate) pulse_s: Option<u64>,
    pub(crate) skill: Skill,
}

impl Flood {
    pub(crate) fn few_heavy(skill: Skill) -> Self {
        Self { sources: 20, rate: 5_000.0, one_shot: false, pulse_s: None, skill }
    }

    pub(crate) fn many_light(skill: Skill) -> Self {
        Self { sources: 5_000, rate: 5_000.0, one_shot: false, pulse_s: None, skill }
    }

    /// Five times the rate of the museum's, which the origin here could carry.
    pub(crate) fn one_shot(skill: Skill) -> Self {
        Self { sources: 1 << 22, rate: 1_750.0, one_shot: true, pulse_s: None, skill }
    }

    /// 15 s on, 15 s off.
    pub(crate) fn pulse(skill: Skill) -> Self {
        Self { pulse_s: Some(15), ..Self::many_light(skill) }
    }

    /// As often as people do.
    pub(crate) fn as_people(skill: Skill) -> Self {
        Self { sources: 5_000, rate: 500.0, one_shot: false, pulse_s: None, skill }
    }
}
