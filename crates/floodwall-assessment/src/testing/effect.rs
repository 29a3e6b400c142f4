//! What came of it, and for how long.
//!
//! What reached this server was answered or not: that is on record here. Whether people could reach it is
//! for probes from outside. So records of this server alone can support "it was down", and contradict it
//! only where nothing unusual came and visitors went on being answered as before.

use super::Outcome::{Contradicts, Supports, Untestable, Untested};
use super::against::{percent, span_words};
use super::{Assertion, Compared, Row, row};
use crate::claim::ClaimedEffect;
use crate::facts::{ReachabilityFact, Span};

/// Below this share of known visitors answered well, the site was as good as down.
const DOWN_BELOW_PERMILLE: u16 = 500;
/// From this share on they were served as ever.
pub(super) const FINE_FROM_PERMILLE: u16 = 980;
/// Minutes before the time searched that show what was usual.
const USUAL_S: i64 = 3_600;
/// A minute with less than this share of the usual good answers was not usual.
const STEADY_SHARE: u64 = 2;

impl Compared<'_> {
    /// What came of it.
    pub(super) fn effect(&self) -> Option<Row> {
        let effect = self.claim.effect?;
        let says = match effect {
            ClaimedEffect::Down => "the site was down",
            ClaimedEffect::Degraded => "the site was slow or failed for some",
        };
        let line = |outcome, why: String| row(Assertion::Effect, says, outcome, why);
        let span = self.felt();
        let down: Vec<&ReachabilityFact> =
            self.facts.reachability.iter().filter(|fact| !fact.reachable && fact.span.meets(&span)).collect();
        if let Some(first) = down.first() {
            let cause = first.cause.as_ref().map(|cause| format!(" ({cause})")).unwrap_or_default();
            let why = format!(
                "Seen from {}: it could not be reached{cause} from {}.",
                first.vantage,
                first.span.in_words()
            );
            return Some(line(Supports, why).with(down.iter().map(|fact| fact.record.clone())));
        }
        if effect == ClaimedEffect::Down && self.facts.is_probed(span) {
            let places = self.vantages(span);
            let why = format!("Seen from {places}: it could be reached all the time ({}).", span.in_words());
            let records = self.facts.reachability.iter().filter(|fact| fact.span.meets(&span));
            return Some(line(Contradicts, why).with(records.map(|fact| fact.record.clone())));
        }
        Some(match self.incident {
            Some(incident) => self.felt_in(incident, effect, &line),
            None => self.felt_without(effect, &line),
        })
    }

    fn felt_in(
        &self,
        incident: &crate::IncidentFact,
        effect: ClaimedEffect,
        line: &dyn Fn(super::Outcome, String) -> Row,
    ) -> Row {
        let outside = "Nobody probed it from outside, so whether the way to it was open is not known.";
        let is_early =
            self.claim.window.is_none() && self.claim.posted.latest_unix_s() < incident.onset_earliest_unix_s;
        let early = if is_early { "When that was posted, nothing unusual was on record yet. " } else { "" };
        let made = match (incident.goodput_permille, effect) {
            (Some(good), ClaimedEffect::Down) if good < DOWN_BELOW_PERMILLE => line(
                Supports,
                format!(
                    "{early}Of what usual visitors asked this server for, {} % was answered well.",
                    percent(good)
                ),
            ),
            (Some(good), ClaimedEffect::Degraded) if good < FINE_FROM_PERMILLE => line(
                Supports,
                format!(
                    "{early}Of what usual visitors asked this server for, {} % was answered well.",
                    percent(good)
                ),
            ),
            (Some(good), _) => line(
                Untested,
                format!(
                    "{early}Of what usual visitors asked this server for, {} % was answered well. {outside}",
                    percent(good)
                ),
            ),
            (None, _) => line(
                Untested,
                format!(
                    "No visitor known from calm times came, so how they were served is not known. {outside}"
                ),
            ),
        };
        made.with(incident.records())
    }

    /// Nothing unusual: were visitors answered as before, minute by minute?
    fn felt_without(&self, effect: ClaimedEffect, line: &dyn Fn(super::Outcome, String) -> Row) -> Row {
        if !self.coverage.is_whole() || !self.is_over {
            return line(Untested, "Not every minute of the time searched is on record.".to_owned());
        }
        let before = Span {
            from_unix_s: self.searched.from_unix_s.saturating_sub(USUAL_S),
            to_unix_s: self.searched.from_unix_s,
        };
        let mut usual: Vec<u64> =
            self.facts.minutes_in(before).iter().map(|minute| minute.answered_well).collect();
        usual.sort_unstable();
        let usual = usual.get(usual.len() / 2).copied().unwrap_or(0);
        let minutes = self.facts.minutes_in(self.searched);
        let steady = usual > 0 && minutes.iter().all(|minute| minute.answered_well * STEADY_SHARE >= usual);
        let records = self.coverage.records.clone();
        if steady && effect == ClaimedEffect::Down {
            let least = minutes.iter().map(|minute| minute.answered_well).min().unwrap_or(0);
            line(
                Contradicts,
                format!("Visitors were answered in every minute: at least {least} good answers, where {usual} are usual."),
            )
        } else {
            line(
                Untested,
                "No incident is on record, and visitors are too few or too uneven to tell whether all were served."
                    .to_owned(),
            )
        }
        .with(records)
    }

    /// How long.
    pub(super) fn duration(&self) -> Option<Row> {
        let claimed = i64::try_from(self.claim.duration_s?).unwrap_or(i64::MAX);
        let says = span_words(claimed);
        let line = |outcome, why: String| row(Assertion::Duration, says.clone(), outcome, why);
        let Some(incident) = self.incident else {
            return Some(line(Untested, "Nothing is on record to compare it with.".to_owned()));
        };
        let records = incident.records();
        let made = match incident.ended_unix_s {
            None if incident.is_open => line(Untested, "What is on record goes on.".to_owned()),
            None => {
                line(Untestable, "The server stopped while it went on, so nobody saw its end.".to_owned())
            }
            Some(end) => {
                let lasted = end.saturating_sub(incident.onset_unix_s).saturating_add(1);
                let error = incident.onset_latest_unix_s.saturating_sub(incident.onset_earliest_unix_s);
                // Round figures are meant roughly.
                let slack = (claimed / 4).max(error).max(60);
                let why = format!("What is on record lasted {}.", span_words(lasted));
                let fits = lasted.abs_diff(claimed) <= slack.unsigned_abs();
                line(if fits { Supports } else { Contradicts }, why)
            }
        };
        Some(made.with(records))
    }

    /// When it would have been felt: while the incident went on, or all the time searched.
    fn felt(&self) -> Span {
        self.incident.map_or(self.searched, |incident| incident.span(self.facts.as_of_unix_s))
    }

    fn vantages(&self, span: Span) -> String {
        let met = self.facts.reachability.iter().filter(|fact| fact.span.meets(&span));
        let mut places: Vec<&str> = met.map(|fact| fact.vantage.as_str()).collect();
        places.sort_unstable();
        places.dedup();
        places.join(", ")
    }
}
