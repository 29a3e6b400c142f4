//! Signatures: what a flood has in common that people in calm times have not.
//!
//! Most floods are made by one program or a few, and a program is recognised by what it does not
//! think of: the order of its header fields, its TLS hello, that it asks for no language. While a
//! [`SignatureWatch`] is fed with calm requests it keeps an even sample of visitors; while the gate is
//! over its capacity it samples what comes, and once a second, off the request path, a
//! [`SignatureSearch`] looks for the smallest set of fields that covers most of it and that calm
//! visitors can spare. What it proposes is on trial first, then acts, then expires:
//!
//! ```text
//! proposed -> on trial (would have) -> acting -> ended (idle, lifetime, people matched it)
//!         \-> refused: would have hit more than the cap, or the calm sample proves too little
//! ```
//!
//! To act means [`Standing::Suspect`](crate::Standing): what matches and has proven nothing goes to the
//! end of the line. Nobody is refused for a signature alone, and proof lifts it.
//!
//! Limits: 64 live rules; a request is compared with them in under 100 ns. Memory is 3.8 MiB for the
//! calm sample and 1.2 MiB for the surplus, at worst, taken as they come. Calm times are those up to
//! a minute before they end. A restart forgets calm
//! times: until about three thousand visitors have come, rules are refused, and that is said. Bots
//! that look as people do in every field give no rule.

use std::time::Duration;

use floodwall_model::{Prefix, Timestamp};

mod agent;
mod calm;
mod evidence;
mod life;
mod matcher;
mod search;
mod surplus;
mod template;
pub(crate) use template::path as path_template;
mod traits;

use calm::CalmSample;
use life::SignatureSet;
pub use life::{SignatureEnd, SignatureId, SignatureRecord, SignatureSettings, SignatureStage};
pub use search::{Condition, Conjunction, Evidence, Findings, NotProposed, Proposed, SignatureSearch};
use surplus::SurplusSample;
pub use traits::{ClientTraits, Mark, Referrer, RequestShape, TraitField, TraitKeys};

use crate::prefix_limiter::hash_words;

/// Sampled requests from which on a search is worth its while.
const SURPLUS_MIN: usize = 200;
/// How often the calm sample is taken anew for searches.
const BASELINE_EVERY: Duration = Duration::from_secs(60);
/// Seconds after which a search is tried again that found nothing, at most.
const PAUSE_MAX_S: u32 = 16;

/// What covered most of the surplus and may not act, for people to read.
#[derive(Clone, Debug, PartialEq)]
pub struct RefusedSignature {
    /// What it would have matched, in words.
    pub words: String,
    /// What it would have covered and hit.
    pub evidence: Evidence,
    /// Why it may not act.
    pub why: NotProposed,
    /// When it was found.
    pub at: Timestamp,
}

/// Samples, searches and rules of one site. See the module's head.
pub struct SignatureWatch {
    settings: SignatureSettings,
    keys: TraitKeys,
    person_keys: (u64, u64),
    calm: CalmSample,
    surplus: SurplusSample,
    set: SignatureSet,
    refused: Option<RefusedSignature>,
    searching: bool,
    pause_s: u32,
    seconds_to_search: u32,
    baseline_taken: Option<Timestamp>,
}

impl SignatureWatch {
    /// Knows nothing yet. `seed` must be random and secret.
    #[must_use]
    pub fn new(settings: SignatureSettings, seed: u64) -> Self {
        Self {
            settings,
            keys: TraitKeys::new(seed),
            person_keys: (seed, hash_words((seed, !seed), seed, 5)),
            calm: CalmSample::new(settings.calm_visitors_max, seed),
            surplus: SurplusSample::new(seed),
            set: SignatureSet::new(settings),
            refused: None,
            searching: false,
            pause_s: 1,
            seconds_to_search: 0,
            baseline_taken: None,
        }
    }

    /// What traits are hashed with; a copy may be kept outside any lock.
    #[must_use]
    pub fn keys(&self) -> TraitKeys {
        self.keys
    }

    /// A visitor was served in calm times, within his share.
    pub fn note_calm(&mut self, client: Prefix, traits: &ClientTraits, now: Timestamp) {
        self.calm.note(client, traits, now);
    }

    /// A request that would take work at the origin: the acting rule it matches, if any.
    /// `is_person`: known from calm times, or with a token that was paid for by work or waiting.
    /// Allocates nothing; under 100 ns with 64 rules.
    pub fn observe(
        &mut self,
        client: Prefix,
        traits: &ClientTraits,
        is_person: bool,
        now: Timestamp,
    ) -> Option<SignatureId> {
        let person = is_person.then(|| hash_words(self.person_keys, client.client_key(), 0));
        self.set.observe(traits, person, now)
    }

    /// Samples a request of one who has proven nothing, while more is asked for than the origin can
    /// answer. Call it after [`Self::observe`].
    pub fn note_surplus<'n>(
        &mut self,
        traits: &ClientTraits,
        shape: &RequestShape<'_>,
        header_names: impl Iterator<Item = &'n str>,
        now: Timestamp,
    ) {
        self.surplus.note(traits, shape, header_names, now);
    }

    /// A second has passed. While `overloaded`, a search to be run off the request path, whose
    /// findings go to [`Self::conclude`]; one at a time.
    pub fn tick(&mut self, overloaded: bool, now: Timestamp) -> Option<SignatureSearch> {
        self.set.tick(now);
        self.seconds_to_search = self.seconds_to_search.saturating_sub(1);
        if !overloaded {
            self.pause_s = 1;
            self.seconds_to_search = 0;
            // In calm times, so that nobody waits for it when there is no time to lose.
            if self.baseline_taken.is_none_or(|taken| now.since(taken) >= BASELINE_EVERY) {
                self.baseline_taken = Some(now);
                self.calm.take_baseline(now);
            }
            return None;
        }
        if self.searching || self.seconds_to_search > 0 {
            return None;
        }
        let mut surplus = self.surplus.traits(now);
        surplus.retain(|traits| !self.set.covers(traits));
        if surplus.len() < SURPLUS_MIN {
            return None;
        }
        self.searching = true;
        Some(SignatureSearch { surplus, calm: self.calm.baseline(), cap: self.settings.collateral_cap })
    }

    /// What a search has found: rules go on trial.
    pub fn conclude(&mut self, findings: &Findings, now: Timestamp) {
        self.searching = false;
        self.pause_s = if findings.proposed.is_empty() { (self.pause_s * 2).min(PAUSE_MAX_S) } else { 1 };
        self.seconds_to_search = self.pause_s;
        for proposed in &findings.proposed {
            let words = self.words(&proposed.conjunction);
            self.set.propose(proposed, words, now);
        }
        self.refused = findings.refused.map(|(proposed, why)| RefusedSignature {
            words: self.words(&proposed.conjunction),
            evidence: proposed.evidence,
            why,
            at: now,
        });
    }

    /// The rules that live.
    pub fn live(&self) -> impl Iterator<Item = &SignatureRecord> {
        self.set.live()
    }

    /// The rules that have ended, oldest first; the last 64.
    pub fn ended(&self) -> impl Iterator<Item = &SignatureRecord> {
        self.set.ended()
    }

    /// What covered most in the last search and may not act.
    #[must_use]
    pub fn refused(&self) -> Option<&RefusedSignature> {
        self.refused.as_ref()
    }

    /// Calm visitors in the sample.
    #[must_use]
    pub fn calm_visitors(&self) -> usize {
        self.calm.visitors()
    }

    /// Rules that were proposed while there was no room for them.
    #[must_use]
    pub fn overflowed(&self) -> u64 {
        self.set.overflowed
    }

    fn words(&self, conjunction: &Conjunction) -> String {
        let words = conjunction.conditions().iter().map(|condition| {
            let texts = self.surplus.words(condition.field, condition.value);
            traits::words(condition.field, condition.value, texts)
        });
        words.collect::<Vec<_>>().join("; ")
    }
}

#[cfg(test)]
mod tests;
