//! The life of a rule: on trial, acting, ended; and everything a person needs to read of it.
//!
//! A rule begins on trial: it counts what it would have moved to the end of the line. It acts only
//! when the trial's time is over, it matched enough, and nothing showed that people are among its
//! matches; it goes on being checked while it acts. People, for this, are those known from calm times
//! and those who paid for a token, by work or by waiting; the redirect's token costs a script nothing.
//! Each counts once, by a hash, in a bitmap (linear counting, Whang et al. 1990).
//!
//! Bots that pay for tokens in numbers can end a rule. Then it was no longer true that none of them
//! proves anything, and proven is what they are treated as.

use std::collections::VecDeque;
use std::time::Duration;

use floodwall_model::Timestamp;

use super::evidence;
use super::matcher::{Matcher, RULES_MAX};
use super::search::{Conjunction, Evidence, Proposed};
use super::traits::ClientTraits;

/// Rules live at once.
const LIVE_MAX: usize = RULES_MAX;
/// Ended rules that can still be read of.
const ENDED_MAX: usize = 64;
/// People seen during a trial, from which on it need not go on for longer.
const PEOPLE_MIN: u32 = 20;
/// A trial in which fewer people were seen takes so many times as long.
const TRIAL_TIMES: u32 = 3;
/// A rule that ended because people matched it is not proposed again for so long.
const NOT_AGAIN_FOR: Duration = Duration::from_secs(600);

/// How rules live.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SignatureSettings {
    /// What share of calm visitors a rule may hit.
    pub collateral_cap: f64,
    /// How long a rule only counts what it would have done.
    pub trial: Duration,
    /// Requests it must have matched by then.
    pub trial_matches_min: u64,
    /// After how long without a match it ends.
    pub idle: Duration,
    /// The longest it lives.
    pub lifetime_max: Duration,
    /// Calm visitors that are kept, up to 6,144, which can take 4 MiB. With fewer than 2,995 nothing
    /// can be proven to hit less than 0.1 %.
    pub calm_visitors_max: usize,
}

/// 0.1 % of calm visitors; a trial of 10 s and 30 matches; two minutes idle; an hour at most.
impl Default for SignatureSettings {
    fn default() -> Self {
        Self {
            collateral_cap: 0.001,
            trial: Duration::from_secs(10),
            trial_matches_min: 30,
            idle: Duration::from_secs(120),
            lifetime_max: Duration::from_secs(3_600),
            calm_visitors_max: 6_144,
        }
    }
}

/// A rule's own number, from 1 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SignatureId(pub u32);

impl std::fmt::Display for SignatureId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "S{}", self.0)
    }
}

/// How far a rule has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SignatureStage {
    /// It counts what it would have done.
    Trial,
    /// What matches it goes last, unless proven.
    Acting,
    /// It is over.
    Ended(SignatureEnd),
}

/// Why a rule ended. One closed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SignatureEnd {
    /// Nothing matched it any more.
    Idle,
    /// It lived as long as any may.
    LifetimeOver,
    /// People were among its matches.
    HitPeople,
}

impl SignatureStage {
    /// A short name for records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trial => "trial",
            Self::Acting => "acting",
            Self::Ended(SignatureEnd::Idle) => "ended_idle",
            Self::Ended(SignatureEnd::LifetimeOver) => "ended_lifetime",
            Self::Ended(SignatureEnd::HitPeople) => "ended_hit_people",
        }
    }
}

/// Everything there is to know of a rule.
#[derive(Clone, Debug, PartialEq)]
pub struct SignatureRecord {
    /// Its number.
    pub id: SignatureId,
    /// What it matches.
    pub conjunction: Conjunction,
    /// The same in words.
    pub words: String,
    /// What it was proposed on.
    pub evidence: Evidence,
    /// How far it has come.
    pub stage: SignatureStage,
    /// When it was proposed.
    pub proposed: Timestamp,
    /// Since when it acts.
    pub acting_since: Option<Timestamp>,
    /// When it ends at the latest; or when it ended.
    pub until: Timestamp,
    /// Requests it matched while on trial.
    pub matched_on_trial: u64,
    /// Requests it matched while acting.
    pub matched_acting: u64,
    /// People among its matches.
    pub people_matched: u32,
    /// People seen in all since it was proposed.
    pub people_seen: u32,
}

struct Live {
    record: SignatureRecord,
    last_match: Timestamp,
    people: Box<DistinctPeople<8>>,
    people_before: u32,
}

/// The rules of one site that live, and those that have ended.
pub(super) struct SignatureSet {
    settings: SignatureSettings,
    live: Vec<Live>,
    /// Of the live ones, in their order.
    matcher: Matcher,
    ended: VecDeque<SignatureRecord>,
    people: Box<DistinctPeople<128>>,
    next_id: u32,
    /// Proposed while there was no room.
    pub(super) overflowed: u64,
}

impl SignatureSet {
    pub(super) fn new(settings: SignatureSettings) -> Self {
        Self {
            settings,
            live: Vec::new(),
            matcher: Matcher::default(),
            ended: VecDeque::new(),
            people: Box::default(),
            next_id: 1,
            overflowed: 0,
        }
    }

    /// A request; `person` is a hash of who is known or has paid for a token. The first acting rule it
    /// matches. Allocates nothing.
    pub(super) fn observe(
        &mut self,
        traits: &ClientTraits,
        person: Option<u64>,
        now: Timestamp,
    ) -> Option<SignatureId> {
        if self.live.is_empty() {
            return None;
        }
        if let Some(person) = person {
            self.people.note(person);
        }
        let mut acting = None;
        let mut matched = self.matcher.matches(traits);
        while matched != 0 {
            let rule = usize::try_from(matched.trailing_zeros()).unwrap_or(RULES_MAX);
            matched &= matched - 1;
            let Some(live) = self.live.get_mut(rule) else { break };
            live.last_match = now;
            if let Some(person) = person {
                live.people.note(person);
            }
            if live.record.stage == SignatureStage::Acting {
                live.record.matched_acting += 1;
                acting = acting.or(Some(live.record.id));
            } else {
                live.record.matched_on_trial += 1;
            }
        }
        acting
    }

    /// Takes a proposed rule, unless there is one like it, or people were lately found in it.
    pub(super) fn propose(&mut self, proposed: &Proposed, words: String, now: Timestamp) {
        let conjunction = proposed.conjunction;
        let lately = |record: &SignatureRecord| {
            record.conjunction == conjunction
                && record.stage == SignatureStage::Ended(SignatureEnd::HitPeople)
                && now.since(record.until) < NOT_AGAIN_FOR
        };
        if self.live().any(|record| record.conjunction == conjunction) || self.ended.iter().any(lately) {
            return;
        }
        if self.live.len() >= LIVE_MAX {
            self.overflowed += 1;
            return;
        }
        let record = SignatureRecord {
            id: SignatureId(self.next_id),
            conjunction,
            words,
            evidence: proposed.evidence,
            stage: SignatureStage::Trial,
            proposed: now,
            acting_since: None,
            until: now.plus(self.settings.lifetime_max),
            matched_on_trial: 0,
            matched_acting: 0,
            people_matched: 0,
            people_seen: 0,
        };
        self.next_id = self.next_id.wrapping_add(1).max(1);
        let people_before = self.people.count();
        self.live.push(Live { record, last_match: now, people: Box::default(), people_before });
        self.compile();
    }

    fn compile(&mut self) {
        self.matcher = Matcher::new(&self.live.iter().map(|live| &live.record.conjunction));
    }

    /// A second has passed: rules begin to act or end.
    pub(super) fn tick(&mut self, now: Timestamp) {
        let people = self.people.count();
        let settings = self.settings;
        let before = self.live.len();
        let mut place = 0;
        while let Some(live) = self.live.get_mut(place) {
            live.record.people_matched = live.people.count();
            live.record.people_seen = people.saturating_sub(live.people_before);
            live.record.stage = live.stage(&settings, now);
            match live.record.stage {
                SignatureStage::Ended(_) => {
                    let mut record = self.live.remove(place).record;
                    record.until = now;
                    if self.ended.len() >= ENDED_MAX {
                        self.ended.pop_front();
                    }
                    self.ended.push_back(record);
                }
                SignatureStage::Acting => {
                    live.record.acting_since.get_or_insert(now);
                    place += 1;
                }
                SignatureStage::Trial => place += 1,
            }
        }
        if self.live.len() != before {
            self.compile();
        }
        if self.live.is_empty() {
            *self.people = DistinctPeople::default();
        }
    }

    /// Whether a request matches a rule that lives, on trial or not.
    pub(super) fn covers(&self, traits: &ClientTraits) -> bool {
        self.matcher.matches(traits) != 0
    }

    pub(super) fn live(&self) -> impl Iterator<Item = &SignatureRecord> {
        self.live.iter().map(|live| &live.record)
    }

    pub(super) fn ended(&self) -> impl Iterator<Item = &SignatureRecord> {
        self.ended.iter()
    }
}

impl Live {
    fn stage(&self, settings: &SignatureSettings, now: Timestamp) -> SignatureStage {
        let record = &self.record;
        let age = now.since(record.proposed);
        if evidence::proves_more_than(settings.collateral_cap, record.people_matched, record.people_seen) {
            return SignatureStage::Ended(SignatureEnd::HitPeople);
        }
        if now.since(self.last_match) >= settings.idle {
            return SignatureStage::Ended(SignatureEnd::Idle);
        }
        if age >= settings.lifetime_max {
            return SignatureStage::Ended(SignatureEnd::LifetimeOver);
        }
        let times = if record.people_seen >= PEOPLE_MIN { 1 } else { TRIAL_TIMES };
        let has_passed =
            age >= settings.trial * times && record.matched_on_trial >= settings.trial_matches_min;
        match record.stage {
            SignatureStage::Trial if has_passed => SignatureStage::Acting,
            stage => stage,
        }
    }
}

/// Counts different people by linear counting, in 64 times `WORDS` bits.
#[derive(Clone, Debug)]
struct DistinctPeople<const WORDS: usize>([u64; WORDS]);

impl<const WORDS: usize> Default for DistinctPeople<WORDS> {
    fn default() -> Self {
        Self([0; WORDS])
    }
}

impl<const WORDS: usize> DistinctPeople<WORDS> {
    fn note(&mut self, person: u64) {
        let word = usize::try_from(person >> 32).unwrap_or(0) % WORDS;
        if let Some(word) = self.0.get_mut(word) {
            *word |= 1 << (person & 63);
        }
    }

    fn count(&self) -> u32 {
        let set: u32 = self.0.iter().map(|word| word.count_ones()).sum();
        let bits = f64::from(u32::try_from(WORDS * 64).unwrap_or(u32::MAX));
        let free = (bits - f64::from(set)).max(1.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "at most bits times ln bits"
        )]
        let count = (bits * (bits / free).ln()).round() as u32;
        count
    }
}
