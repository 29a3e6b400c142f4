//! How much is asked of visitors before they get work out of the origin: five rungs, climbed only as
//! far as the load demands, and down again.
//!
//! Once a second, or as soon as a second is overfull, the ladder is shown what was asked for, by what those who asked had proven. It
//! climbs while those who are let ask at its rung want more than the origin can give, and people feel
//! it; it steps down when all who would be let ask one rung lower have wanted clearly less for a
//! while. Each time it had to climb again soon after, that while doubles: a flood that comes and goes
//! does not make the rungs come and go with it.
//!
//! A pure function of a second's facts and a few counters; one ladder for each site and path class.

use std::time::Duration;

/// How far the ladder is climbed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rung {
    /// 0: nothing is asked.
    #[default]
    Open,
    /// 1: the cache works harder (unknown queries ignored, stale copies served, fetches collapsed).
    Collapse,
    /// 2: an invisible proof, a redirect that sets a cookie. Works without JavaScript.
    Redirect,
    /// 3: a page with a choice: proof of work, or a place in the waiting room.
    Choice,
    /// 4: the waiting room for all who have proven nothing.
    WaitingRoom,
}

impl Rung {
    /// All rungs, lowest first.
    pub const ALL: [Self; 5] = [Self::Open, Self::Collapse, Self::Redirect, Self::Choice, Self::WaitingRoom];

    /// Its number, 0 to 4.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Open => 0,
            Self::Collapse => 1,
            Self::Redirect => 2,
            Self::Choice => 3,
            Self::WaitingRoom => 4,
        }
    }

    /// What it asks of visitors, in a word for logs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "nothing",
            Self::Collapse => "collapse",
            Self::Redirect => "redirect",
            Self::Choice => "choice",
            Self::WaitingRoom => "waiting_room",
        }
    }

    /// The next higher one; the highest stays.
    #[must_use]
    pub fn up(self) -> Self {
        match self {
            Self::Open => Self::Collapse,
            Self::Collapse => Self::Redirect,
            Self::Redirect => Self::Choice,
            Self::Choice | Self::WaitingRoom => Self::WaitingRoom,
        }
    }

    /// The next lower one; the lowest stays.
    #[must_use]
    pub fn down(self) -> Self {
        match self {
            Self::Open | Self::Collapse => Self::Open,
            Self::Redirect => Self::Collapse,
            Self::Choice => Self::Redirect,
            Self::WaitingRoom => Self::Choice,
        }
    }
}

/// What happened in one second. Sources that ask for dozens of times their share do not count: they
/// are last in line already, and no reason to ask anything of others.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LadderFacts {
    /// Requests a second the origin can answer.
    pub capacity: f64,
    /// Requests that were offered, whatever their bearer had proven.
    pub offered: f64,
    /// Of these, with a token of the redirect or better. What is never challenged is left out: no
    /// rung would make it less.
    pub offered_with_cookie: f64,
    /// Of these, with a token of work or waiting, and within their source's share.
    pub offered_with_proof: f64,
    /// Requests that came when a wait was before them that people feel: a tenth of the longest where the
    /// next rung is one that nobody sees, half of it where people see it.
    pub pressed: f64,
}

/// The ladder of one path class.
#[derive(Clone, Debug)]
pub struct Ladder {
    rung: Rung,
    /// Seconds in a row in which the rung was too low.
    short_s: u32,
    /// Seconds in a row in which a lower one would have done.
    calm_s: u32,
    hold_s: u32,
    /// Seconds since it last stepped down.
    since_down_s: u32,
    on_rung_s: u32,
}

impl Default for Ladder {
    fn default() -> Self {
        Self {
            rung: Rung::Open,
            short_s: 0,
            calm_s: 0,
            hold_s: Self::HOLD_S,
            since_down_s: u32::MAX,
            on_rung_s: 0,
        }
    }
}

impl Ladder {
    /// Seconds it must have been calm before the ladder steps down, at first and at most.
    pub const HOLD_S: u32 = 30;
    /// See [`Self::HOLD_S`].
    pub const HOLD_S_MAX: u32 = 480;
    /// The share of the capacity that must suffice a rung lower.
    pub const CALM: f64 = 0.7;
    /// How many times the capacity must be wanted for the rung that only has the cache work harder to be
    /// passed over.
    pub const BEYOND_COLLAPSE: f64 = 1.3;
    /// A rung higher within this time of stepping down doubles the hold.
    pub const AGAIN: Duration = Duration::from_secs(300);

    /// The rung it stands on.
    #[must_use]
    pub fn rung(&self) -> Rung {
        self.rung
    }

    /// For how many seconds it has stood on it.
    #[must_use]
    pub fn seconds_on_rung(&self) -> u32 {
        self.on_rung_s
    }

    /// Takes in a second's facts; the new rung if it changed.
    pub fn tick(&mut self, facts: &LadderFacts) -> Option<Rung> {
        self.since_down_s = self.since_down_s.saturating_add(1);
        let wanted = Self::wanted_at(self.rung, facts);
        let short = wanted > facts.capacity && facts.pressed > 0.0;
        let calm = Self::wanted_at(self.rung.down(), facts) < facts.capacity * Self::CALM;
        self.short_s = if short { self.short_s + 1 } else { 0 };
        self.calm_s = if calm { self.calm_s + 1 } else { 0 };
        let before = self.rung;
        if self.short_s >= self.patience_s() {
            self.rung = self.rung.up();
            if self.rung == Rung::Collapse && wanted > Self::BEYOND_COLLAPSE * facts.capacity {
                // What asks for so much more than there is will not be collapsed away.
                self.rung = Rung::Redirect;
            }
        } else if self.calm_s >= self.hold_s {
            self.rung = self.rung.down();
        }
        if self.rung == before {
            self.on_rung_s = self.on_rung_s.saturating_add(1);
            return None;
        }
        (self.short_s, self.calm_s, self.on_rung_s) = (0, 0, 0);
        if self.rung < before {
            self.since_down_s = 0;
        } else if u64::from(self.since_down_s) < Self::AGAIN.as_secs() {
            self.hold_s = (self.hold_s * 2).min(Self::HOLD_S_MAX);
            // One climb of several rungs is one reason.
            self.since_down_s = u32::MAX;
        } else if before == Rung::Open {
            self.hold_s = Self::HOLD_S;
        }
        Some(self.rung)
    }

    /// What those want who are let ask at this rung.
    pub(crate) fn wanted_at(rung: Rung, facts: &LadderFacts) -> f64 {
        match rung {
            Rung::Open | Rung::Collapse => facts.offered,
            Rung::Redirect => facts.offered_with_cookie,
            Rung::Choice | Rung::WaitingRoom => facts.offered_with_proof,
        }
    }

    /// Seconds the rung must have been too low. What visitors see is asked for later than what they
    /// do not, and sooner when it was only just taken back.
    fn patience_s(&self) -> u32 {
        match self.rung {
            Rung::Choice if u64::from(self.since_down_s) < Self::AGAIN.as_secs() => 2,
            Rung::Open | Rung::Collapse => 1,
            Rung::Redirect => 2,
            Rung::Choice => 5,
            Rung::WaitingRoom => u32::MAX,
        }
    }
}

#[cfg(test)]
mod tests;
