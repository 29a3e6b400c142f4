//! What a statement must not say: for generated ones a test, for a person's own words a help.
//!
//! It looks for words, not for meaning. A text that passes is not thereby true; one that fails says
//! something that no record here can back, or says it so that it will be misread.

use serde::Serialize;

use super::lexicon::{
    ATTRIBUTION, BEYOND, CONFIDENCE, LIKELIHOOD, NOTHING_FOUND, SEARCHED, UNTOUCHED, VAGUE,
};
use super::split::{Found, sentences};
use super::{RecordRef, Statement};
use crate::likelihood::Likelihood;

/// A sentence is read out in one breath.
const WORDS_MAX: usize = 45;
/// Letters of a sentence that a fault repeats.
const SHOWN_LETTERS: usize = 160;

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LintRule {
    /// No record stands behind it.
    Unbacked,
    /// The record that it names is none of this incident's.
    UnknownSource,
    /// "No evidence" without saying what was searched.
    NoSearch,
    /// A likelihood and a confidence in one sentence.
    Mixed,
    /// A likelihood without its number, with another one, or a word that is no likelihood.
    Likelihood,
    /// Who did it.
    Attribution,
    /// More than requests can show.
    Beyond,
    /// That something was not touched.
    Untouched,
    /// Too long to be read out.
    TooLong,
}

/// A fault in one sentence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LintFault {
    /// Which sentence, from 1.
    pub number: usize,
    /// The sentence, cut where it is long.
    pub sentence: String,
    /// What is wrong.
    pub rule: LintRule,
    /// The word that shows it, where one does.
    pub word: Option<String>,
    /// What is wrong and what to write, in words.
    pub what: String,
}

/// Checks a text. `generated` are statements of the same incident: their sentences need no brackets.
/// `sources` are the records that may be named; `None` where any may.
#[must_use]
pub fn lint(text: &str, sources: Option<&[RecordRef]>, generated: &[Statement]) -> Vec<LintFault> {
    let mut faults = Vec::new();
    for (number, found) in (1..).zip(sentences(text)) {
        let own = generated.iter().flat_map(|statement| &statement.sentences);
        let is_generated = own.into_iter().any(|own| own.text == found.text);
        let mut say = |rule, word: Option<&str>, what: String| {
            let sentence = shown(&found.text);
            faults.push(LintFault { number, sentence, rule, word: word.map(str::to_owned), what });
        };
        backing(&found, is_generated, sources, &mut say);
        let text = plain(&found.text);
        likelihoods(&text, &mut say);
        words(&text, &found, &mut say);
        if found.text.split_whitespace().count() > WORDS_MAX {
            say(LintRule::TooLong, None, format!("it has more than {WORDS_MAX} words; make two of it"));
        }
    }
    faults
}

type Say<'a> = dyn FnMut(LintRule, Option<&str>, String) + 'a;

fn backing(found: &Found, is_generated: bool, sources: Option<&[RecordRef]>, say: &mut Say<'_>) {
    if found.cites.is_empty() && !is_generated {
        say(
            LintRule::Unbacked,
            None,
            "no record stands behind it; name one in brackets behind it, as --sources shows them, or leave it out"
                .to_owned(),
        );
    }
    let Some(sources) = sources else { return };
    for cite in &found.cites {
        if !sources.iter().any(|source| is_within(cite, source)) {
            say(
                LintRule::UnknownSource,
                Some(cite),
                format!("`{cite}` is no record of this incident; --sources shows those that are"),
            );
        }
    }
}

/// Whether what is cited is a source, or part of a range of records.
fn is_within(cite: &str, source: &RecordRef) -> bool {
    if cite == source.to_string() {
        return true;
    }
    let RecordRef::Evidence { log, first, last } = source else { return false };
    let Some(range) = cite.strip_prefix("evidence ") else { return false };
    let (of, range) = range.split_once(':').map_or((None, range), |(log, range)| (Some(log), range));
    let (from, to) = range.split_once('-').unwrap_or((range, range));
    let (Ok(from), Ok(to)) = (from.parse::<u64>(), to.parse::<u64>()) else { return false };
    of == log.as_deref() && from >= *first && from <= to && to <= *last
}

fn likelihoods(text: &str, say: &mut Say<'_>) {
    let said = LIKELIHOOD.iter().find(|(word, _)| has(text, word));
    if let Some((word, meant)) = said {
        match percent(text) {
            None => say(
                LintRule::Likelihood,
                Some(word),
                format!("`{word}` needs its number, as in `{word} (93%)`"),
            ),
            Some(number) => {
                let right = Likelihood::from_permille(number.saturating_mul(10));
                if right.word() != *meant {
                    say(
                        LintRule::Likelihood,
                        Some(word),
                        format!("{number}% is `{}` (`{}`)", right.word(), right.word_in_spanish()),
                    );
                }
            }
        }
    }
    if let Some(word) = first(text, &VAGUE) {
        say(
            LintRule::Likelihood,
            Some(word),
            format!("`{word}` has no number; write how likely it is, as in `likely (70%)`"),
        );
    }
    if let (Some((likely, _)), Some(confident)) = (said, first(text, &CONFIDENCE)) {
        say(
            LintRule::Mixed,
            Some(confident),
            format!(
                "`{likely}` and `{confident}` are two things; say how likely in one sentence, how good the data is in another"
            ),
        );
    }
}

fn words(text: &str, found: &Found, say: &mut Say<'_>) {
    if let Some(word) = first(text, &ATTRIBUTION) {
        say(
            LintRule::Attribution,
            Some(word),
            format!("`{word}` says who did it, and no record here can; leave it to those who investigate"),
        );
    }
    if let Some(word) = first(text, &BEYOND) {
        say(
            LintRule::Beyond,
            Some(word),
            format!("`{word}` is more than records of requests can show; leave it out, or name who found it"),
        );
    }
    if let Some(word) = first(text, &UNTOUCHED) {
        say(
            LintRule::Untouched,
            Some(word),
            format!(
                "`{word}` needs a check of those systems, which is not among these records; say how the website is set up"
            ),
        );
    }
    if let Some(word) = first(text, &NOTHING_FOUND) {
        let is_named = first(text, &SEARCHED).is_some() && !found.cites.is_empty();
        if !is_named {
            say(
                LintRule::NoSearch,
                Some(word),
                format!("`{word}` says nothing unless it says what was searched, and names the records"),
            );
        }
    }
}

fn first<'a>(text: &str, words: &[&'a str]) -> Option<&'a str> {
    words.iter().find(|word| has(text, word)).copied()
}

/// Whether a phrase stands in a text that [`plain`] made, as words of their own.
fn has(text: &str, phrase: &str) -> bool {
    let mut rest = text;
    while let Some(at) = rest.find(phrase) {
        let (before, after) =
            (rest.get(..at).unwrap_or_default(), rest.get(at + phrase.len()..).unwrap_or_default());
        let is_word = |letter: Option<char>| letter.is_some_and(char::is_alphanumeric);
        if !is_word(before.chars().next_back()) && !is_word(after.chars().next()) {
            return true;
        }
        rest = after;
    }
    false
}

/// Lower case, dashes and spaces of every kind made one.
fn plain(text: &str) -> String {
    let letters = text.chars().filter(|letter| !crate::host::does_not_show(*letter));
    let one = letters.map(|letter| match letter {
        '\u{2010}'..='\u{2015}' => '-',
        letter if letter.is_whitespace() => ' ',
        letter => letter,
    });
    one.collect::<String>().to_lowercase()
}

/// The first whole number before `%`.
fn percent(text: &str) -> Option<u16> {
    let (before, _) = text.split_once('%')?;
    let before = before.trim_end();
    let digits: String =
        before.chars().rev().take_while(|letter| letter.is_ascii_digit() || *letter == '.').collect();
    let number: String = digits.chars().rev().collect();
    number.split('.').next()?.parse().ok().filter(|number| *number <= 100)
}

fn shown(text: &str) -> String {
    if text.chars().count() <= SHOWN_LETTERS {
        return text.to_owned();
    }
    text.chars().take(SHOWN_LETTERS).chain(['…']).collect()
}
