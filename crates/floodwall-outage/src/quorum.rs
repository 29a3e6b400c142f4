//! What several vantages say together. The quorum is a majority of the vantages that there are, not of
//! those that answer: when vantages die, the answer becomes unknown, and not the word of the last one.
//! The same number is needed for up and for down.

use std::collections::BTreeMap;

use crate::outage::Edge;

/// How many of how many vantages must agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuorumSize {
    /// All vantages that there are.
    pub vantages: usize,
    /// Of these, as many must agree.
    pub needed: usize,
}

impl QuorumSize {
    /// A majority of `vantages`.
    #[must_use]
    pub fn majority_of(vantages: usize) -> Self {
        let vantages = vantages.max(1);
        Self { vantages, needed: vantages / 2 + 1 }
    }
}

/// What one vantage says, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vote {
    /// Up since.
    Up(Edge),
    /// Down since.
    Down(Edge),
    /// It cannot say.
    Unknown,
}

/// What they say together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CombinedState {
    /// A majority says up.
    Up,
    /// A majority says down.
    Down,
    /// Some say up and some say down, and neither is a majority: it can be reached from some places.
    Partial,
    /// Too few can say anything.
    Unknown,
}

/// The combined state turned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CombinedChange {
    /// Down, since the moment at which the quorum was full.
    Opened(Edge),
    /// Up again, since then.
    Closed(Edge),
}

/// The votes on one target.
#[derive(Clone, Debug)]
pub struct Quorum {
    size: QuorumSize,
    votes: BTreeMap<u16, Vote>,
    down: bool,
}

impl Quorum {
    /// Nobody has voted.
    #[must_use]
    pub fn new(size: QuorumSize) -> Self {
        Self { size, votes: BTreeMap::new(), down: false }
    }

    /// Takes a vantage's vote in place of its last one. Votes of more vantages than there are, are
    /// left out.
    pub fn vote(&mut self, vantage: u16, vote: Vote) -> Option<CombinedChange> {
        if self.votes.len() >= self.size.vantages && !self.votes.contains_key(&vantage) {
            return None;
        }
        self.votes.insert(vantage, vote);
        let (up, down) = (self.edges(true), self.edges(false));
        if !self.down && down.len() >= self.size.needed {
            self.down = true;
            return nth(&down, self.size.needed).map(CombinedChange::Opened);
        }
        if self.down && up.len() >= self.size.needed {
            self.down = false;
            return nth(&up, self.size.needed).map(CombinedChange::Closed);
        }
        None
    }

    /// What the votes say together.
    #[must_use]
    pub fn state(&self) -> CombinedState {
        let (up, down) = (self.edges(true).len(), self.edges(false).len());
        if up >= self.size.needed {
            CombinedState::Up
        } else if down >= self.size.needed {
            CombinedState::Down
        } else if up > 0 && down > 0 {
            CombinedState::Partial
        } else {
            CombinedState::Unknown
        }
    }

    fn edges(&self, up: bool) -> Vec<Edge> {
        let of = |vote: &Vote| match vote {
            Vote::Up(edge) if up => Some(*edge),
            Vote::Down(edge) if !up => Some(*edge),
            _ => None,
        };
        self.votes.values().filter_map(of).collect()
    }
}

/// The moment at which the `needed`-th of the edges had happened. It lies between the `needed`-th
/// smallest of their earliest and that of their latest moments.
fn nth(edges: &[Edge], needed: usize) -> Option<Edge> {
    let mut earliest: Vec<_> = edges.iter().map(|edge| edge.earliest_unix_micros).collect();
    let mut latest: Vec<_> = edges.iter().map(|edge| edge.latest_unix_micros).collect();
    earliest.sort_unstable();
    latest.sort_unstable();
    let place = needed.checked_sub(1)?;
    Some(Edge { earliest_unix_micros: *earliest.get(place)?, latest_unix_micros: *latest.get(place)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn edge(earliest: i64, latest: i64) -> Edge {
        Edge { earliest_unix_micros: Some(earliest), latest_unix_micros: latest }
    }

    #[test]
    fn a_quorum_does_not_shrink_with_the_vantages_alive() {
        use CombinedState::{Down, Partial, Unknown, Up};
        let (u, d, x) = (Vote::Up(edge(0, 1)), Vote::Down(edge(0, 1)), Vote::Unknown);
        for (votes, expected) in [
            (vec![u], Unknown),
            (vec![u, u], Up),
            (vec![d, x, x], Unknown),
            (vec![d, d, x], Down),
            (vec![d, u, x], Partial),
            (vec![x, x, x], Unknown),
            (vec![d, u, u], Up),
        ] {
            let mut quorum = Quorum::new(QuorumSize::majority_of(3));
            for (vantage, vote) in (0..).zip(&votes) {
                quorum.vote(vantage, *vote);
            }
            assert_eq!(quorum.state(), expected, "{votes:?}");
        }
        let mut even = Quorum::new(QuorumSize::majority_of(2));
        even.vote(0, d);
        assert_eq!(even.vote(1, u), None);
        assert_eq!(even.state(), Partial);
    }

    #[test]
    fn vantages_that_fall_silent_do_not_end_an_outage() {
        let mut quorum = Quorum::new(QuorumSize::majority_of(3));
        quorum.vote(0, Vote::Down(edge(10, 20)));
        let opened = quorum.vote(1, Vote::Down(edge(15, 18)));
        assert_eq!(opened, Some(CombinedChange::Opened(edge(15, 20))));
        assert_eq!(quorum.vote(0, Vote::Unknown), None);
        assert_eq!(quorum.vote(1, Vote::Up(edge(30, 40))), None);
        let closed = quorum.vote(2, Vote::Up(edge(0, 1)));
        assert_eq!(closed, Some(CombinedChange::Closed(edge(30, 40))));
    }

    proptest! {
        #[test]
        fn the_quorums_moment_is_within_its_bars(truths in proptest::collection::vec((0_i64..1000, 0_i64..60, 0_i64..60), 1..9)) {
            let size = QuorumSize::majority_of(truths.len());
            let mut moments: Vec<_> = truths.iter().map(|truth| truth.0).collect();
            moments.sort_unstable();
            let edges: Vec<_> = truths.iter().map(|(at, before, after)| edge(at - before, at + after)).collect();
            let bars = nth(&edges, size.needed).unwrap();
            prop_assert!(bars.contains(moments[size.needed - 1]));
        }
    }
}
