//! The search for what a surplus has in common that calm visitors have not.
//!
//! Subgroup discovery (Klösgen 1996; Wrobel 1997): conjunctions of up to three fields are made of
//! frequent smaller ones (Apriori, Agrawal and Srikant 1994), and of those that calm visitors can
//! spare, the one that covers most of what is not covered yet is taken, then the next (greedy set
//! cover, Chvátal 1979; a decision list of conjunctions, Rivest 1987). Among those that cover about
//! as much, the one with fewest fields is taken.
//!
//! Two things keep it from people:
//! - No conjunction is taken that the calm sample does not prove to hit less than the cap, as
//!   [`evidence`] has it. A small sample proves nothing, and that is said.
//! - At least one of its fields is of the program that asks. A crowd asks for a page that nobody asked
//!   for before, from a link that was not there before, and from an office of which the calm sample
//!   knows one address: what is asked for, and from where, may narrow a rule, but only where enough
//!   calm visitors asked for the same from there to tell which of them would have been hit.
//!
//! Cost: of each field at most 20 values are frequent (a twentieth of the surplus and more), as each
//! request has one; so at most 20 for each pair and triple of fields, 5,960 conjunctions in all. Each
//! is a set of bits over 2,048 requests, and is compared once with four bits for each of 6,144 calm
//! visitors: 12 million operations on words at worst, some 15 ms, off the request path.

use std::sync::Arc;

use super::calm::{CalmBaseline, REQUESTS_MAX};
use super::evidence;
use super::traits::{ClientTraits, TraitField};

/// Fields of a conjunction at most.
pub(super) const FIELDS_MAX: usize = 3;
/// What part of the surplus a rule must cover.
const COVERAGE_MIN: f64 = 0.05;
/// Rules one search proposes at most.
const PROPOSED_MAX: usize = 8;
/// A rule with fewer fields may cover this much less than the best.
const ABOUT_AS_MUCH: f64 = 0.98;
/// Of the calm visitors who asked for the same from there, so many may be hit by a rule that is
/// narrowed so.
const NARROWED_CAP: f64 = 0.01;

/// One field and the value it must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Condition {
    /// The field.
    pub field: TraitField,
    /// Its value, hashed with keys of the process.
    pub value: u32,
}

/// Conditions that must all hold: one to three, each of another field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Conjunction {
    /// The last one is repeated where there are fewer.
    conditions: [Condition; FIELDS_MAX],
    fields: u8,
}

impl Conjunction {
    /// One condition.
    #[must_use]
    pub fn of(first: Condition) -> Self {
        Self { conditions: [first; FIELDS_MAX], fields: 1 }
    }

    /// With one more condition, of another field. A fourth takes the place of the third.
    #[must_use]
    pub fn and(mut self, condition: Condition) -> Self {
        let from = usize::from(self.fields).min(FIELDS_MAX - 1);
        if let Some(rest) = self.conditions.get_mut(from..) {
            rest.fill(condition);
        }
        self.fields = self.fields.saturating_add(1).min(3);
        self
    }

    /// Its conditions.
    #[must_use]
    pub fn conditions(&self) -> &[Condition] {
        self.conditions.get(..usize::from(self.fields)).unwrap_or_default()
    }

    /// Whether a request has all of it.
    #[must_use]
    pub fn matches(&self, traits: &ClientTraits) -> bool {
        self.conditions.iter().all(|condition| traits.get(condition.field) == condition.value)
    }

    /// Whether one of its fields is of the program, and whether another is not.
    fn kinds(&self) -> (bool, bool) {
        let of_program = self.conditions().iter().filter(|condition| condition.field.is_of_program()).count();
        (of_program > 0, of_program < self.conditions().len())
    }
}

/// What a conjunction was found to cover and to hit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evidence {
    /// Sampled requests of the surplus that it matched.
    pub surplus_matched: u32,
    /// Of so many.
    pub surplus_sampled: u32,
    /// Calm visitors it would have hit.
    pub calm_hit: u32,
    /// Of so many.
    pub calm_visitors: u32,
    /// The largest share of calm visitors that these leave possible, with 95 % confidence.
    pub calm_share_max: f64,
}

/// Why what covers most was not proposed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NotProposed {
    /// It would have hit more calm visitors than the cap, or the sample does not prove the contrary.
    Collateral,
    /// Even hitting nobody proves nothing with so few calm visitors.
    SmallSample {
        /// So many are needed.
        visitors_needed: u32,
    },
    /// Only what is asked for or from where sets it apart, as it does a crowd.
    NotOfProgram,
}

/// A rule that may act, as far as calm times tell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Proposed {
    /// What it matches.
    pub conjunction: Conjunction,
    /// What it was found to cover and hit.
    pub evidence: Evidence,
}

/// What a search has found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Findings {
    /// Rules, what covers most first.
    pub proposed: Vec<Proposed>,
    /// What would have covered most of the rest, and why it is not among them.
    pub refused: Option<(Proposed, NotProposed)>,
}

/// A search to be run off the request path.
#[derive(Clone, Debug)]
pub struct SignatureSearch {
    pub(super) surplus: Vec<ClientTraits>,
    pub(super) calm: Arc<CalmBaseline>,
    pub(super) cap: f64,
}

/// A set of bits.
type Bits = Vec<u64>;

struct Candidate {
    conjunction: Conjunction,
    covers: Bits,
}

/// A candidate that covers enough to be asked about.
struct Judged {
    conjunction: Conjunction,
    covers: Bits,
    calm_hit: u32,
    refused: Option<NotProposed>,
}

impl SignatureSearch {
    /// Searches. See the module's head for what it costs.
    #[must_use]
    pub fn run(&self) -> Findings {
        let needed = (self.surplus.len() as f64 * COVERAGE_MIN).ceil().max(1.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of a length")]
        let needed = needed as u32;
        let calm = CalmIndex::new(&self.calm);
        let judged: Vec<Judged> = self
            .frequent(needed)
            .into_iter()
            .map(|candidate| {
                let (calm_hit, refused) = calm.judge(&candidate.conjunction, self.cap);
                let Candidate { conjunction, covers } = candidate;
                Judged { conjunction, covers, calm_hit, refused }
            })
            .collect();
        self.choose(&judged, needed)
    }

    /// Every conjunction that covers at least so much of the surplus.
    fn frequent(&self, needed: u32) -> Vec<Candidate> {
        let singles: Vec<_> = TraitField::ALL
            .into_iter()
            .flat_map(|field| frequent_values(&self.surplus, field, needed))
            .map(|condition| Candidate {
                conjunction: Conjunction::of(condition),
                covers: bits(&self.surplus, |traits| traits.get(condition.field) == condition.value),
            })
            .collect();
        let extend = |shorter: &[Candidate]| {
            let mut longer = Vec::new();
            for candidate in shorter {
                let last = candidate.conjunction.conditions().last().map(|last| last.field);
                for single in singles.iter().filter(|single| Some(single.first().field) > last) {
                    let covers: Bits =
                        candidate.covers.iter().zip(&single.covers).map(|(a, b)| a & b).collect();
                    if count(&covers) >= needed {
                        longer.push(Candidate {
                            conjunction: candidate.conjunction.and(single.first()),
                            covers,
                        });
                    }
                }
            }
            longer
        };
        let pairs = extend(&singles);
        let triples = extend(&pairs);
        singles.into_iter().chain(pairs).chain(triples).collect()
    }

    /// Takes what covers most of the rest, until nothing covers enough.
    fn choose(&self, judged: &[Judged], needed: u32) -> Findings {
        let mut findings = Findings::default();
        let mut rest = bits(&self.surplus, |_| true);
        let new = |judged: &Judged, rest: &Bits| {
            judged.covers.iter().zip(rest).map(|(a, b)| (a & b).count_ones()).sum::<u32>()
        };
        while findings.proposed.len() < PROPOSED_MAX {
            let acceptable = || judged.iter().filter(|judged| judged.refused.is_none());
            let most = acceptable().map(|judged| new(judged, &rest)).max().unwrap_or(0);
            if most < needed {
                break;
            }
            let about_as_much = f64::from(most) * ABOUT_AS_MUCH;
            let best = acceptable()
                .filter(|judged| f64::from(new(judged, &rest)) >= about_as_much)
                .min_by_key(|judged| {
                    let fields = judged.conjunction.conditions().len();
                    (fields, judged.calm_hit, u32::MAX - new(judged, &rest), judged.conjunction)
                });
            let Some(best) = best else { break };
            findings.proposed.push(self.proposed(best));
            rest.iter_mut().zip(&best.covers).for_each(|(rest, covered)| *rest &= !covered);
        }
        let refused = judged.iter().filter_map(|judged| judged.refused.map(|why| (judged, why)));
        // What everybody has is no finding: the best is what covers much and hits few.
        let merit = |judged: &Judged| {
            let hit = f64::from(judged.calm_hit) / f64::from(self.calm.visitors().max(1));
            f64::from(new(judged, &rest)) * (1.0 - hit)
        };
        let best =
            refused.filter(|(judged, _)| new(judged, &rest) >= needed).max_by(|(one, _), (other, _)| {
                let fewer = |judged: &Judged| std::cmp::Reverse(judged.conjunction.conditions().len());
                merit(one).total_cmp(&merit(other)).then(fewer(one).cmp(&fewer(other)))
            });
        findings.refused = best.map(|(judged, why)| (self.proposed(judged), why));
        findings
    }

    fn proposed(&self, judged: &Judged) -> Proposed {
        let calm_visitors = self.calm.visitors();
        let evidence = Evidence {
            surplus_matched: count(&judged.covers),
            surplus_sampled: u32::try_from(self.surplus.len()).unwrap_or(u32::MAX),
            calm_hit: judged.calm_hit,
            calm_visitors,
            calm_share_max: evidence::share_max(judged.calm_hit, calm_visitors),
        };
        Proposed { conjunction: judged.conjunction, evidence }
    }
}

impl Candidate {
    /// Its first condition: the only one of a single.
    fn first(&self) -> Condition {
        let [first, ..] = self.conjunction.conditions;
        first
    }
}

fn frequent_values(surplus: &[ClientTraits], field: TraitField, needed: u32) -> Vec<Condition> {
    let mut values: Vec<u32> = surplus.iter().map(|traits| traits.get(field)).collect();
    values.sort_unstable();
    let runs = values.chunk_by(|one, other| one == other);
    let frequent = runs.filter(|run| run.len() as u64 >= u64::from(needed));
    frequent.filter_map(|run| run.first().map(|value| Condition { field, value: *value })).collect()
}

fn bits(requests: &[ClientTraits], holds: impl Fn(&ClientTraits) -> bool) -> Bits {
    let word = |chunk: &[ClientTraits]| {
        chunk.iter().enumerate().fold(0, |word, (place, traits)| word | u64::from(holds(traits)) << place)
    };
    requests.chunks(64).map(word).collect()
}

fn count(bits: &Bits) -> u32 {
    bits.iter().map(|word| word.count_ones()).sum()
}

/// The calm sample by bits, each condition's made when it is first asked for.
struct CalmIndex<'a> {
    baseline: &'a CalmBaseline,
    by_condition: std::cell::RefCell<std::collections::BTreeMap<Condition, Bits>>,
}

impl<'a> CalmIndex<'a> {
    fn new(baseline: &'a CalmBaseline) -> Self {
        Self { baseline, by_condition: Default::default() }
    }

    /// How many calm visitors it would have hit, and why it may not act.
    fn judge(&self, conjunction: &Conjunction, cap: f64) -> (u32, Option<NotProposed>) {
        let visitors = self.baseline.visitors();
        let hit = self.visitors_with(conjunction.conditions().iter());
        let (of_program, is_narrowed) = conjunction.kinds();
        if !of_program {
            return (hit, Some(NotProposed::NotOfProgram));
        }
        let Some(allowed) = evidence::hits_allowed(visitors, cap) else {
            return (hit, Some(NotProposed::SmallSample { visitors_needed: evidence::visitors_needed(cap) }));
        };
        if hit > allowed {
            return (hit, Some(NotProposed::Collateral));
        }
        if is_narrowed {
            let asked = conjunction.conditions().iter().filter(|condition| !condition.field.is_of_program());
            let asked_the_same = self.visitors_with(asked);
            let allowed = evidence::hits_allowed(asked_the_same, NARROWED_CAP);
            if allowed.is_none_or(|allowed| hit > allowed) {
                return (hit, Some(NotProposed::NotOfProgram));
            }
        }
        (hit, None)
    }

    /// Visitors one of whose requests has all of these.
    fn visitors_with<'c>(&self, conditions: impl Iterator<Item = &'c Condition>) -> u32 {
        let mut by_condition = self.by_condition.borrow_mut();
        let mut all: Option<Bits> = None;
        for condition in conditions {
            let bits = by_condition.entry(*condition).or_insert_with(|| {
                bits(&self.baseline.requests, |traits| traits.get(condition.field) == condition.value)
            });
            match &mut all {
                None => all = Some(bits.clone()),
                Some(all) => all.iter_mut().zip(bits.iter()).for_each(|(all, bits)| *all &= bits),
            }
        }
        // Four bits for each visitor, whose requests lie beside one another.
        const { assert!(REQUESTS_MAX == 4) };
        let any = |word: u64| (word | word >> 1 | word >> 2 | word >> 3) & 0x1111_1111_1111_1111;
        all.unwrap_or_default().into_iter().map(|word| any(word).count_ones()).sum()
    }
}
