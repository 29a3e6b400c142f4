//! Claims and tests as text for people.

use std::fmt::Write as _;

use floodwall_assessment::{Assessment, Claim, ClaimTest, Match, MatchKind, ReadBy, RecordRef, TrackRecord};
use serde::Serialize;

use super::command::Refusal;

/// Columns of the longest line.
const COLUMNS: usize = 100;
/// Where what follows the first two columns begins.
const INDENT: usize = 29;

pub(super) fn as_json(value: &impl Serialize) -> Result<String, Refusal> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}

/// One line for a list.
pub(super) fn list_line(claim: &Claim) -> String {
    let targets = match claim.targets.as_slice() {
        [] => "no target".to_owned(),
        [one] => one.name.to_string(),
        [first, rest @ ..] => format!("{first} and {} more", rest.len(), first = first.name),
    };
    format!("{}  {}  {}: {targets}\n", claim.id, claim.posted.in_words(), printable(&claim.claimant))
}

/// `  You are named: site sos as www.sos.example.gov, since 2022-11-08 14:00:00 UTC.`
pub(super) fn named_line(found: &Match<'_>) -> String {
    let target = found.target;
    let flags: Vec<_> = target.flags.iter().map(|flag| flag.in_words()).collect();
    let flags = if flags.is_empty() { String::new() } else { format!(" (it {})", flags.join("; ")) };
    let since = target.since.in_words();
    match found.kind {
        MatchKind::LooksLike => format!(
            "  Not you: {}{flags} looks like a name of site {} and is another one.\n",
            target.name, found.site
        ),
        MatchKind::DomainAbove => format!(
            "  You are named: {}{flags} is a domain above site {}, since {since}.\n",
            target.name, found.site
        ),
        MatchKind::Is | MatchKind::IsButForWww => {
            format!("  You are named: site {} as {}{flags}, since {since}.\n", found.site, target.name)
        }
    }
}

/// What a claim is, in a few lines.
pub(super) fn head(claim: &Claim) -> String {
    let mut text = String::new();
    let mut line = |what: &str, value: &str| {
        let _ = writeln!(text, "  {what:<9} {value}");
    };
    line("claimant", &printable(&claim.claimant));
    let reference = claim.found.reference.as_ref().map(|post| format!(", {post}")).unwrap_or_default();
    line("where", &printable(&format!("{}{reference}", claim.found.channel)));
    line("posted", &claim.posted.in_words());
    if let Some(last) = claim.edits.last() {
        line("edited", &format!("{}; {} forms are known", last.edited.in_words(), claim.edits.len() + 1));
    }
    let by = match claim.read_by {
        ReadBy::Person => "by a person",
        ReadBy::Program => "by a program, by its words: read it yourself before anything rests on it",
    };
    line("read", by);
    text
}

/// Where the claim stands in the evidence log.
pub(super) fn recorded(place: Option<&RecordRef>) -> String {
    match place {
        Some(place) => format!("  recorded  {place}\n"),
        None => "  recorded  not yet: the running server takes it within seconds, otherwise the next start\n"
            .to_owned(),
    }
}

/// A test as a table.
pub(super) fn test(test: &ClaimTest) -> String {
    let mut text = format!("Site {}, searched {}", test.site, test.searched.in_words());
    let coverage = &test.coverage;
    let _ = writeln!(
        text,
        ": {} of {} minutes are on record{}.\n",
        coverage.recorded,
        coverage.minutes,
        if test.is_over { "" } else { ", and the time it speaks of is not over" }
    );
    for row in &test.rows {
        let _ = write!(text, "  {:<13} {:<12} ", row.assertion.in_words(), row.outcome.as_str());
        folded(&mut text, &format!("Claim: {}.", printable(row.says.trim_end_matches('.'))));
        text.push_str(&" ".repeat(INDENT));
        folded(&mut text, &printable(&row.why));
        if !row.records.is_empty() {
            let records: Vec<_> = row.records.iter().map(ToString::to_string).collect();
            text.push_str(&" ".repeat(INDENT));
            folded(&mut text, &format!("[{}]", records.join("; ")));
        }
    }
    text
}

/// What is judged, in estimative language.
pub(super) fn assessment(assessment: &Assessment) -> String {
    let mut text = String::from("  Judgement\n");
    let mut line = |words: &str| {
        text.push_str("    ");
        folded_at(&mut text, words, 4);
    };
    line(&assessment.judgement);
    line(&assessment.confidence_words);
    for alternative in &assessment.alternatives {
        let likely = alternative.likelihood_permille.percent();
        line(&format!("Also considered: {}: {} ({likely} %).", alternative.what, alternative.word));
    }
    for words in &assessment.would_change {
        line(&format!("Would change it: {words}"));
    }
    for words in &assessment.not_known {
        line(&format!("Not known: {words}"));
    }
    text
}

/// The claimant's record.
pub(super) fn track_record(claimant: &str, record: &TrackRecord) -> String {
    let mut text = String::new();
    folded_at(&mut text, &format!("{}: {}.", printable(claimant), record.in_words()), 0);
    text
}

/// What is true of every test.
pub(super) const CLOSING: &str = "\
A claim that is supported in every line still does not show who sent anything.\n";

fn folded(text: &mut String, words: &str) {
    folded_at(text, words, INDENT);
}

/// Writes words from where the line stands, folded before [`COLUMNS`], further lines indented.
fn folded_at(text: &mut String, words: &str, indent: usize) {
    let mut column = indent;
    for (number, word) in words.split_whitespace().enumerate() {
        let width = word.chars().count();
        if number > 0 && column + 1 + width > COLUMNS {
            text.push('\n');
            text.push_str(&" ".repeat(indent));
            column = indent;
        } else if number > 0 {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += width;
    }
    text.push('\n');
}

/// A stranger's words on one line, without what moves a cursor.
fn printable(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}
