//! Which of up to 64 rules a request matches, in a time that hardly depends on their number.
//!
//! One bit for each rule. A field that some rule has a condition on has a short sorted list: a value,
//! and the rules that ask for it; and the rules that ask nothing of the field. A request's rules are
//! what is left when the fields' bits are put together (bit-vector packet classification, Lakshman
//! and Stiliadis 1998).

use super::search::Conjunction;
use super::traits::{ClientTraits, TraitField};

/// Rules at most: one bit each.
pub(super) const RULES_MAX: usize = 64;

#[derive(Clone, Debug)]
struct FieldRules {
    field: TraitField,
    /// Rules that ask nothing of the field.
    others: u64,
    /// Values asked for, in their order.
    values: Vec<u32>,
    /// The rules that ask for each.
    rules: Vec<u64>,
}

/// See the module's head.
#[derive(Clone, Debug, Default)]
pub(super) struct Matcher {
    fields: Vec<FieldRules>,
    all: u64,
}

impl Matcher {
    /// Of these rules; those from the 65th on are left out.
    pub(super) fn new<'a>(conjunctions: &(impl Iterator<Item = &'a Conjunction> + Clone)) -> Self {
        let numbered = || conjunctions.clone().take(RULES_MAX).enumerate();
        let all = numbered().fold(0, |all, (rule, _)| all | 1 << rule);
        let mut fields: Vec<_> = TraitField::ALL
            .into_iter()
            .filter_map(|field| {
                let mut asked = std::collections::BTreeMap::<u32, u64>::new();
                for (rule, conjunction) in numbered() {
                    for condition in conjunction.conditions().iter().filter(|one| one.field == field) {
                        *asked.entry(condition.value).or_default() |= 1 << rule;
                    }
                }
                let of_field = asked.values().fold(0, |rules, one| rules | one);
                let (values, rules) = asked.into_iter().unzip();
                (of_field != 0).then_some(FieldRules { field, others: all & !of_field, values, rules })
            })
            .collect();
        // Those first that most rules ask something of: they leave least.
        fields.sort_by_key(|field| field.others.count_ones());
        Self { fields, all }
    }

    /// The rules a request matches: bit 0 for the first.
    pub(super) fn matches(&self, traits: &ClientTraits) -> u64 {
        let mut left = self.all;
        for field in &self.fields {
            let place = field.values.binary_search(&traits.get(field.field));
            let asked = place.ok().and_then(|place| field.rules.get(place)).copied().unwrap_or(0);
            left &= field.others | asked;
            if left == 0 {
                break;
            }
        }
        left
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::search::Condition;
    use super::*;

    proptest! {
        #[test]
        fn it_says_what_asking_each_rule_says(
            rules in proptest::collection::vec(proptest::collection::vec((0_usize..12, 0_u32..3), 1..4), 0..64),
            requests in proptest::collection::vec(proptest::array::uniform12(0_u32..3), 20),
        ) {
            let conjunctions: Vec<_> = rules.iter().map(|conditions| {
                let condition = |(field, value): &(usize, u32)| Condition { field: TraitField::ALL[*field], value: *value };
                let mut seen = Vec::new();
                let mut own = conditions.iter().filter(|(field, _)| !seen.contains(field) && { seen.push(*field); true }).map(condition);
                let first = Conjunction::of(own.next().unwrap());
                own.fold(first, Conjunction::and)
            }).collect();
            let matcher = Matcher::new(&conjunctions.iter());
            for request in requests.into_iter().map(ClientTraits) {
                let matched = matcher.matches(&request);
                for (rule, conjunction) in conjunctions.iter().enumerate() {
                    prop_assert_eq!(matched >> rule & 1 == 1, conjunction.matches(&request));
                }
                prop_assert_eq!(matched.checked_shr(u32::try_from(conjunctions.len()).unwrap()).unwrap_or(0), 0);
            }
        }
    }
}
