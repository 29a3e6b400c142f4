//! What is judged of a claim: how likely, how good the data, what else it could be, what would change it.

use serde::Serialize;

use crate::facts::{Explanation, IncidentFact, SiteFacts};
use crate::likelihood::{Confidence, DataQuality, Likelihood};
use crate::testing::{Assertion, ClaimTest, Outcome};

/// Where all is on record and nothing unusual was seen, an attack that was felt here is at most so likely.
/// How much the detector misses on a site is not measured, so no smaller number is claimed.
const UNSEEN_PERMILLE: u16 = 50;

/// From this likelihood on an incident counts as an attack that was seen.
const EVEN_PERMILLE: u16 = 500;

/// A judgement in estimative language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Assessment {
    /// What is judged.
    pub question: String,
    /// How likely, in a sentence of its own; or that it cannot be judged.
    pub judgement: String,
    /// The same as a number, in thousandths.
    pub likelihood_permille: Option<Likelihood>,
    /// How far it can be relied on.
    pub confidence: Confidence,
    /// The same in a sentence of its own.
    pub confidence_words: String,
    /// What it was computed from.
    pub data: DataQuality,
    /// What else could explain what was seen.
    pub alternatives: Vec<Alternative>,
    /// What would change the judgement.
    pub would_change: Vec<String>,
    /// What is not known.
    pub not_known: Vec<String>,
}

/// Another explanation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Alternative {
    /// What.
    pub what: &'static str,
    /// How likely it is by itself, in thousandths: explanations can hold together.
    pub likelihood_permille: Likelihood,
    /// The word for it.
    pub word: &'static str,
}

/// Judges whether a site was attacked as a claim says.
#[must_use]
pub fn assess(test: &ClaimTest, facts: &SiteFacts) -> Assessment {
    let incident = facts.incidents.iter().find(|incident| Some(&incident.id) == test.incident.as_ref());
    // An attack that is on record is judged by itself; that there was none, by all of the time.
    let seen = incident.filter(|incident| incident.attack_permille >= EVEN_PERMILLE);
    let span = seen.map_or(test.searched, |incident| incident.span(facts.as_of_unix_s));
    let data = DataQuality::of(&facts.coverage(span), facts.is_probed(span));
    let likelihood = match seen {
        Some(incident) => Some(Likelihood::from_permille(incident.attack_permille)),
        None if test.coverage.is_whole() && test.is_over => {
            let least = incident.map_or(0, |incident| incident.attack_permille).max(UNSEEN_PERMILLE);
            Some(Likelihood::from_permille(least))
        }
        None => None,
    };
    let judgement = match likelihood {
        Some(likelihood) => {
            let that = format!("an attack on {} was felt at this server in that time", test.site);
            likelihood.of(&that) + "."
        }
        None if !test.is_over => "It cannot be judged yet: the time is not over.".to_owned(),
        None => format!("It cannot be judged: {}.", test.coverage.missing_in_words()),
    };
    let confidence = data.confidence();
    let why = data.in_words();
    let why = if why.is_empty() { "all is on record, from two sources".to_owned() } else { why.join("; ") };
    Assessment {
        question: match test.names_the_site() {
            true => format!("Was {} attacked, as the claim says?", test.site),
            false => format!("Was {} attacked in that time, of which the claim says nothing?", test.site),
        },
        judgement,
        likelihood_permille: likelihood,
        confidence,
        confidence_words: format!("Confidence is {}: {why}.", confidence.word()),
        alternatives: incident.map(alternatives).unwrap_or_default(),
        would_change: would_change(test, incident, &data),
        not_known: not_known(incident),
        data,
    }
}

fn alternatives(incident: &IncidentFact) -> Vec<Alternative> {
    let of = |what, permille| {
        let likelihood_permille = Likelihood::from_permille(permille);
        Alternative { what, likelihood_permille, word: likelihood_permille.word() }
    };
    vec![
        of("many people came at once", incident.crowd_permille),
        of("routine trouble: an origin, a certificate, a supplier", incident.routine_permille),
    ]
}

fn would_change(test: &ClaimTest, incident: Option<&IncidentFact>, data: &DataQuality) -> Vec<String> {
    let mut would = Vec::new();
    if data.independent_sources < 2 {
        would.push("Probes from outside in that time, yours or another office's.".to_owned());
    }
    if !test.coverage.is_whole() {
        would.push(
            "Records of the missing minutes: the access log, or your provider's traffic figures.".to_owned(),
        );
    }
    match incident.map(|incident| incident.verdict) {
        Some(Explanation::Attack) => would.push(
            "A change of the site or an announcement shortly before, which would make it routine trouble or a crowd."
                .to_owned(),
        ),
        Some(Explanation::Routine) => would.push(
            "The supplier's own account of the trouble, and whether its other customers had it too.".to_owned(),
        ),
        Some(Explanation::Crowd | Explanation::Unknown) => would.push(
            "What people had reason to look for in that minute: a deadline, a result, a broadcast.".to_owned(),
        ),
        None => would.push("Your provider's word that a flood was stopped before it reached this server.".to_owned()),
    }
    if test.outcome(Assertion::Foreknowledge) == Some(Outcome::Untested) && incident.is_some() {
        would.push("When the public first knew of it (--public-since).".to_owned());
    }
    would
}

fn not_known(incident: Option<&IncidentFact>) -> Vec<String> {
    let mut unknown = vec!["What never reached this server.".to_owned()];
    if incident.is_some() {
        unknown.insert(0, "Who sent the requests: nothing here can tell.".to_owned());
        unknown.push("Whether other offices had the same at the same time.".to_owned());
    }
    unknown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::SEARCH_BEFORE_S;
    use crate::testing::tests::{POSTED, claim, facts, incident, tested};

    #[test]
    fn that_there_was_none_is_judged_by_all_of_the_time() {
        let claim = claim(&["www.sos.example.gov"]);
        let check = |incidents: Vec<IncidentFact>, is_whole: bool, permille: Option<u16>, confidence| {
            let mut facts = facts(incidents);
            if !is_whole {
                facts.minutes.remove(2_000);
            }
            let judged = assess(&tested(&claim, &facts), &facts);
            let likelihood = judged.likelihood_permille.map(Likelihood::permille);
            assert_eq!((likelihood, judged.confidence), (permille, confidence), "{}", judged.judgement);
        };
        let of = |verdict, likelihood| vec![incident(verdict, likelihood, POSTED + 600, 900)];
        check(of(Explanation::Attack, 970), true, Some(970), Confidence::Moderate);
        // The gap is elsewhere.
        check(of(Explanation::Attack, 970), false, Some(970), Confidence::Moderate);
        check(of(Explanation::Routine, 900), true, Some(50), Confidence::Moderate);
        check(of(Explanation::Routine, 900), false, None, Confidence::Moderate);
        check(Vec::new(), true, Some(50), Confidence::Moderate);
        check(Vec::new(), false, None, Confidence::Moderate);
        let early = SiteFacts { as_of_unix_s: POSTED + SEARCH_BEFORE_S / 2, ..facts(Vec::new()) };
        let judged = assess(&tested(&claim, &early), &early);
        assert_eq!(judged.judgement, "It cannot be judged yet: the time is not over.");
    }
}
