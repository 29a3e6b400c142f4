//! Incidents as text for people.

use std::fmt::Write;

use floodwall_console::{IncidentDocument, JudgementDocument};

/// Lines are as wide as their widest; a name is never cut, for it is what `show` takes.
pub(super) fn list(incidents: &[IncidentDocument]) -> String {
    if incidents.is_empty() {
        return "No incident is on record.\n".to_owned();
    }
    let heading = ["INCIDENT", "WHAT", "SURE", "SINCE", "UNTIL", "AT MOST"].map(str::to_owned);
    let line = |incident: &IncidentDocument| {
        let until = match (&incident.end, incident.state.as_str()) {
            (Some(end), _) => readable(end),
            (None, "interrupted") => "not known: the server stopped".to_owned(),
            (None, _) => "goes on".to_owned(),
        };
        let likely = format!("{:.0} %", incident.judgement.likelihood * 100.0);
        let peak = format!("{:.0}/s", incident.traffic.peak_requests_per_second);
        [incident.id.clone(), incident.judgement.what(), likely, readable(&incident.onset), until, peak]
    };
    let lines: Vec<_> = std::iter::once(heading).chain(incidents.iter().map(line)).collect();
    let width = |column: usize| {
        lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..6).map(width).collect();
    let mut text = String::new();
    for line in &lines {
        let mut row = String::new();
        for (cell, width) in line.iter().zip(&widths) {
            // Writing to a text does not fail.
            let _ = write!(row, "{cell:<width$}  ");
        }
        text.push_str(row.trim_end());
        text.push('\n');
    }
    text
}

pub(super) fn show(incident: &IncidentDocument) -> String {
    let mut text = String::new();
    let mut line = |line: &str| {
        text.push_str(line);
        text.push('\n');
    };
    line(&incident.id);
    line(&incident.headline());
    line(incident.standing());
    line("");
    let began = format!(
        "Began          {} (between {} and {})",
        readable(&incident.onset),
        readable(&incident.onset_earliest),
        readable(&incident.onset_latest)
    );
    line(&began);
    line(&format!("Noticed        {}", readable(&incident.opened)));
    if let Some(end) = &incident.end {
        line(&format!("Ended          {}", readable(end)));
    }
    if incident.reopened > 0 {
        line(&format!("Went on again  {} times, after it had seemed to be over", incident.reopened));
    }
    line(&format!("How sure       {}", incident.judgement.how_sure()));
    if let Some(how) = incident.judgement.how_it_comes() {
        line(&format!("How it comes   {how}"));
    }
    line(&format!("How much       {}", incident.how_much()));
    line(&format!("Visitors got   {}", incident.what_visitors_got()));
    line(&format!("Cost           {}", incident.cost_to_people()));
    section(&mut line, "Why, most important first", incident.judgement.reasons.iter().map(reason));
    let source = |source: &floodwall_console::SourceDocument| {
        format!("{}: {:.0} % of the busiest second", source.prefix, source.share * 100.0)
    };
    section(&mut line, "Who sent most", incident.top_sources.iter().map(source));
    section(&mut line, "What was done", incident.what_was_done().into_iter());
    section(&mut line, "How it was judged, first to last", incident.revisions.iter().map(revision));
    text
}

fn section(line: &mut impl FnMut(&str), heading: &str, lines: impl Iterator<Item = String>) {
    let mut lines = lines.peekable();
    if lines.peek().is_none() {
        return;
    }
    line("");
    line(heading);
    lines.for_each(|text| line(&format!("  {text}")));
}

fn reason(reason: &floodwall_console::ReasonDocument) -> String {
    let against = if reason.weight < 0.0 { "against" } else { "for" };
    format!("{} (speaks {against} {})", reason.text, reason.speaks_for)
}

fn revision(judgement: &JudgementDocument) -> String {
    format!("{}  {}, {}", readable(&judgement.judged), judgement.what(), judgement.how_sure())
}

/// `2026-11-03T12:00:07.250Z` as `2026-11-03 12:00:07 UTC`.
fn readable(rfc_3339: &str) -> String {
    match (rfc_3339.get(..10), rfc_3339.get(11..19)) {
        (Some(date), Some(time)) => format!("{date} {time} UTC"),
        _ => "not known".to_owned(),
    }
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
