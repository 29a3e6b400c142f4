//! The public statement: a few plain sentences, each backed by a record.
//!
//! What no record backs is not said. What is not known is said to be not known. Systems beyond the website
//! are never called unaffected: settings say what the website can reach, and no record here says more.

mod english;
mod lexicon;
mod lint;
mod spanish;
mod split;
#[cfg(test)]
mod tests;

use jiff::tz::TimeZone;
use serde::Serialize;

use crate::facts::{Coverage, Explanation, IncidentFact, ReachabilityFact, RecordRef};
use crate::likelihood::{Confidence, DataQuality, Likelihood};
use crate::moment::Moment;

pub use lint::{LintFault, LintRule, lint};

/// Below these shares of usual visitors' requests that were answered, a statement says so.
const NEARLY_ALL_PERMILLE: u16 = 980;
const MOST_PERMILLE: u16 = 800;
const HALF_PERMILLE: u16 = 500;

/// The languages of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// English.
    #[serde(rename = "en")]
    English,
    /// Spanish.
    #[serde(rename = "es")]
    Spanish,
}

/// What a statement is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementFacts {
    /// The site's address as people know it.
    pub host: String,
    /// What it is for, by its settings.
    pub role: Option<String>,
    /// The incident.
    pub incident: IncidentFact,
    /// How much of it is on record.
    pub coverage: Coverage,
    /// The settings, where they say that the public reaches no internal network through this server.
    pub kept_from_internal: Option<RecordRef>,
    /// What was seen from outside in that time; empty where nobody probed.
    pub reachability: Vec<ReachabilityFact>,
    /// Claims that name the site.
    pub claims: Vec<ClaimNote>,
    /// Up to when there can be records.
    pub as_of_unix_s: i64,
}

/// A claim that names the site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimNote {
    /// When it was posted.
    pub posted: Moment,
    /// Where it is kept and recorded.
    pub records: Vec<RecordRef>,
}

/// What a sentence is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SentenceKind {
    /// What happened, since when, how long.
    What,
    /// What it is judged to be.
    Judgement,
    /// How far that can be relied on.
    Confidence,
    /// What people could still do.
    Use,
    /// What was seen from outside.
    Outside,
    /// What it cost people.
    Cost,
    /// What the website keeps apart from.
    KeptApart,
    /// That somebody claims it.
    Claim,
    /// How complete the records are.
    Records,
    /// What is not known.
    NotKnown,
}

/// One sentence, and the records that back it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sentence {
    /// What it is about.
    pub kind: SentenceKind,
    /// The sentence.
    pub text: String,
    /// What backs it.
    pub sources: Vec<RecordRef>,
}

/// A statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Statement {
    /// Its language.
    pub language: Language,
    /// Its sentences.
    pub sentences: Vec<Sentence>,
}

/// How it stands with people's use of the site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Usable {
    NearlyAll,
    Most,
    Some,
    Few,
    NotMeasured,
}

/// What a language says of each.
trait Words {
    fn what(&self, facts: &StatementFacts, time: &Time<'_>) -> String;
    /// That an explanation is likely, or that none is; `too`: besides one that was said.
    fn judgement(&self, incident: &IncidentFact, which: Explanation, too: bool) -> String;
    fn confidence(&self, confidence: Confidence, is_whole: bool, sources: u32) -> String;
    fn usable(&self, usable: Usable, percent: u16, goes_on: bool) -> String;
    fn outside(&self, minutes_down: Option<u64>) -> String;
    fn cost(&self, goes_on: bool) -> String;
    fn kept_apart(&self) -> &'static str;
    fn other_systems(&self) -> &'static str;
    fn claim(&self, posted: &str, several: bool, verdict: Explanation) -> String;
    fn records(&self, coverage: &Coverage) -> String;
    fn just_begun(&self) -> &'static str;
    fn not_known_who(&self, goes_on: bool) -> &'static str;
    fn moment(&self, moment: Moment, time: &Time<'_>) -> String;
}

/// Times by the visitors' clock.
struct Time<'a>(&'a TimeZone);

impl Time<'_> {
    /// The wall clock's reading, and the zone's short name.
    fn at(&self, unix_s: i64) -> (jiff::civil::DateTime, String) {
        let at = jiff::Timestamp::from_second(unix_s).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        (self.0.to_datetime(at), self.0.to_offset_info(at).abbreviation().to_owned())
    }
}

/// Writes the statement.
#[must_use]
pub fn statement(facts: &StatementFacts, zone: &TimeZone, language: Language) -> Statement {
    let words: &dyn Words = match language {
        Language::English => &english::English,
        Language::Spanish => &spanish::Spanish,
    };
    let time = Time(zone);
    let incident = &facts.incident;
    let own = incident.records();
    let with_minutes = || own.iter().chain(&facts.coverage.records).cloned().collect::<Vec<_>>();
    let goes_on = incident.is_open;
    let mut sentences = Vec::new();
    let mut say = |kind, text: String, sources: Vec<RecordRef>| {
        sentences.push(Sentence { kind, text, sources });
    };

    say(SentenceKind::What, words.what(facts, &time), own.clone());
    say(SentenceKind::Judgement, words.judgement(incident, incident.verdict, false), own.clone());
    if let Some(other) = incident.mixed_with.filter(|_| incident.verdict != Explanation::Unknown) {
        say(SentenceKind::Judgement, words.judgement(incident, other, true), own.clone());
    }
    let data = DataQuality::of(&facts.coverage, !facts.reachability.is_empty());
    let confidence = words.confidence(data.confidence(), facts.coverage.is_whole(), data.independent_sources);
    let has_begun_to_be_recorded = facts.coverage.minutes > 0;
    if incident.verdict != Explanation::Unknown && has_begun_to_be_recorded {
        say(SentenceKind::Confidence, confidence, with_minutes());
    }

    let (usable, percent) = usable(incident);
    say(SentenceKind::Use, words.usable(usable, percent, goes_on), own.clone());
    let outside = outside(&facts.reachability);
    let sources = facts.reachability.iter().map(|fact| fact.record.clone()).collect::<Vec<_>>();
    let kind = if sources.is_empty() { SentenceKind::NotKnown } else { SentenceKind::Outside };
    say(kind, words.outside(outside), if sources.is_empty() { own.clone() } else { sources });
    if incident.waited > 0 || incident.challenged > 0 {
        say(SentenceKind::Cost, words.cost(goes_on), own.clone());
    }

    if let Some(settings) = &facts.kept_from_internal {
        say(SentenceKind::KeptApart, words.kept_apart().to_owned(), vec![settings.clone()]);
    }
    say(SentenceKind::NotKnown, words.other_systems().to_owned(), own.clone());
    if let Some(first) = facts.claims.iter().min_by_key(|claim| claim.posted) {
        let text = words.claim(&words.moment(first.posted, &time), facts.claims.len() > 1, incident.verdict);
        say(SentenceKind::Claim, text, first.records.clone());
    }
    if matches!(incident.verdict, Explanation::Attack | Explanation::Unknown) {
        say(SentenceKind::NotKnown, words.not_known_who(goes_on).to_owned(), own.clone());
    }
    let records =
        if has_begun_to_be_recorded { words.records(&facts.coverage) } else { words.just_begun().to_owned() };
    say(SentenceKind::Records, records, with_minutes());
    Statement { language, sentences }
}

fn usable(incident: &IncidentFact) -> (Usable, u16) {
    let Some(permille) = incident.goodput_permille else { return (Usable::NotMeasured, 0) };
    let usable = match permille {
        NEARLY_ALL_PERMILLE.. => Usable::NearlyAll,
        MOST_PERMILLE.. => Usable::Most,
        HALF_PERMILLE.. => Usable::Some,
        _ => Usable::Few,
    };
    // Rounded down: a share of those who were served is never said to be larger than it was.
    (usable, permille / 10)
}

/// Minutes in which it could not be reached, as far as probes say; `None` where nobody probed.
fn outside(reachability: &[ReachabilityFact]) -> Option<u64> {
    let down =
        reachability.iter().filter(|fact| !fact.reachable).map(|fact| fact.span.seconds()).sum::<i64>();
    (!reachability.is_empty()).then(|| u64::try_from(down).unwrap_or(0).div_ceil(60))
}

/// How likely an explanation is, by itself.
fn likelihood(incident: &IncidentFact, which: Explanation) -> Likelihood {
    Likelihood::from_permille(match which {
        Explanation::Attack => incident.attack_permille,
        Explanation::Crowd => incident.crowd_permille,
        Explanation::Routine => incident.routine_permille,
        Explanation::Unknown => 0,
    })
}

/// Whether so many requests came that "far more than usual" is no exaggeration.
fn is_about_requests(incident: &IncidentFact) -> bool {
    incident.verdict != Explanation::Routine
        && incident.peak_requests_per_s >= incident.calm_requests_per_s.saturating_mul(2).max(1)
}

/// What a site is for, where its role says more than that it is for the public or not.
fn role(facts: &StatementFacts) -> Option<&str> {
    facts.role.as_deref().filter(|role| !matches!(*role, "public" | "internal"))
}

/// How long it lasted so far, in whole minutes, at least 1.
fn minutes(facts: &StatementFacts) -> u64 {
    let incident = &facts.incident;
    let end = incident.span(facts.as_of_unix_s).to_unix_s;
    let seconds = end.saturating_sub(incident.onset_unix_s);
    (u64::try_from(seconds).unwrap_or(0).saturating_add(30) / 60).max(1)
}

impl Statement {
    /// The text alone, a paragraph.
    #[must_use]
    pub fn text(&self) -> String {
        self.sentences.iter().map(|sentence| sentence.text.as_str()).collect::<Vec<_>>().join(" ")
    }

    /// A sentence a line, each with what backs it, in the form that [`lint()`] reads.
    #[must_use]
    pub fn text_with_sources(&self) -> String {
        let line = |sentence: &Sentence| {
            let sources: Vec<_> = sentence.sources.iter().map(ToString::to_string).collect();
            format!("{} [{}]\n", sentence.text, sources.join("; "))
        };
        self.sentences.iter().map(line).collect()
    }

    /// Everything that backs a sentence of it.
    #[must_use]
    pub fn sources(&self) -> Vec<RecordRef> {
        let mut sources: Vec<_> =
            self.sentences.iter().flat_map(|sentence| sentence.sources.iter().cloned()).collect();
        sources.sort();
        sources.dedup();
        sources
    }
}
