//! How a claimant's earlier claims stood the test.

use serde::Serialize;

use super::{Assertion, ClaimTest, Outcome};

/// Of all claims of one claimant that name a site of ours.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TrackRecord {
    /// Claims tested, each against each site it names.
    pub tested: u64,
    /// Where what was observed is as claimed: the site was attacked.
    pub supported: u64,
    /// Where it is not.
    pub contradicted: u64,
}

impl TrackRecord {
    /// Adds a test. A claim that does not name the site is none of its claimant's.
    pub fn add(&mut self, test: &ClaimTest) {
        match test.outcome(Assertion::Target) {
            Some(Outcome::Supports) => self.supported += 1,
            Some(Outcome::Contradicts) => self.contradicted += 1,
            Some(Outcome::Untested) => {}
            Some(Outcome::Untestable) | None => return,
        }
        self.tested += 1;
    }

    /// How often such a claim is right, in thousandths: `(k + 1) / (n + 2)` (Laplace's rule), which is a
    /// half where nothing is known.
    #[must_use]
    pub fn permille(&self) -> u64 {
        let n = self.supported.saturating_add(self.contradicted);
        (self.supported + 1).saturating_mul(1000) / n.saturating_add(2)
    }

    /// In words.
    #[must_use]
    pub fn in_words(&self) -> String {
        let n = self.supported + self.contradicted;
        let untested = self.tested.saturating_sub(n);
        let rest = if untested > 0 { format!("; {untested} could not be tested") } else { String::new() };
        let claims = if n == 1 { "claim" } else { "claims" };
        match n {
            0 => format!("none of its claims about these sites could be tested yet{rest}"),
            _ => format!(
                "of {n} {claims} about these sites that could be tested, {} stood the test: (k + 1) / (n + 2) is {} %{rest}",
                self.supported,
                self.permille() / 10
            ),
        }
    }
}
