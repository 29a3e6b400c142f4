//! Incidents in the operator's log: opened, judged to be something else, ended. Nothing more: a log that
//! speaks every second is not read.

use floodwall_console::IncidentDocument;
use floodwall_model::{IncidentRecord, TrafficVerdict};

use crate::control::IncidentNews;

/// Tells the operator.
pub(crate) fn tell(news: IncidentNews, record: &IncidentRecord) {
    let document = IncidentDocument::from(record);
    let words = words(news, &document);
    let (incident, site, verdict) = (&*record.key, &*record.site, document.judgement.verdict.as_str());
    let likelihood = format!("{:.2}", document.judgement.likelihood);
    let is_bad = record
        .incident
        .judgement()
        .is_some_and(|judgement| judgement.verdict != TrafficVerdict::Crowd && news != IncidentNews::Ended);
    if is_bad {
        tracing::warn!(incident, site, verdict, likelihood, "{words}");
    } else {
        tracing::info!(incident, site, verdict, likelihood, "{words}");
    }
}

fn words(news: IncidentNews, document: &IncidentDocument) -> String {
    let headline = document.headline();
    let reasons: Vec<_> =
        document.judgement.reasons.iter().take(3).map(|reason| reason.text.as_str()).collect();
    let why = if reasons.is_empty() { String::new() } else { format!(" Why: {}.", reasons.join("; ")) };
    match news {
        IncidentNews::Opened => format!("{headline}{why}"),
        IncidentNews::Reopened => format!("It had seemed to be over, and goes on: {headline}{why}"),
        IncidentNews::JudgedAnew => format!("It is judged anew: {headline}{why}"),
        IncidentNews::Ended => format!(
            "It is over: {headline} It came to {}. {}.",
            document.how_much(),
            capital(&document.cost_to_people())
        ),
    }
}

fn capital(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
