//! An incident in words for whoever is tired: what, since when, how sure, why, and what it cost people.

use super::{IncidentDocument, JudgementDocument};
use crate::format;

impl JudgementDocument {
    /// What it is, in a word or two.
    #[must_use]
    pub fn what(&self) -> String {
        let first = word(&self.verdict);
        match self.mixed_with.as_deref() {
            Some(other) => format!("{first}, with {} in it", word(other)),
            None => first.to_owned(),
        }
    }

    /// How sure that is: `93 % likely`.
    #[must_use]
    pub fn how_sure(&self) -> String {
        let percent = |share: f64| format!("{:.0} %", share * 100.0);
        if self.verdict == "unknown" {
            let [a, c, r] = [self.likelihoods.attack, self.likelihoods.crowd, self.likelihoods.routine];
            return format!(
                "the evidence does not say: attack {}, crowd {}, routine trouble {}",
                percent(a),
                percent(c),
                percent(r)
            );
        }
        format!("{} likely", percent(self.likelihood))
    }

    /// By which ways it comes, or what routinely goes wrong; `None` where neither is known.
    #[must_use]
    pub fn how_it_comes(&self) -> Option<String> {
        let mut words: Vec<&str> = Vec::new();
        if self.verdict == "attack" || self.mixed_with.as_deref() == Some("attack") {
            words.extend(self.vectors.iter().map(|vector| vector_words(vector)));
        }
        if self.verdict == "routine" || self.mixed_with.as_deref() == Some("routine") {
            words.extend(self.routine_cause.iter().map(|cause| cause_words(cause)));
        }
        (!words.is_empty()).then(|| words.join("; "))
    }
}

impl IncidentDocument {
    /// One sentence: `An attack on site sos since 14:02:07 UTC, 97 % likely.`
    #[must_use]
    pub fn headline(&self) -> String {
        let what = match self.judgement.verdict.as_str() {
            "attack" => "An attack on",
            "crowd" => "A crowd at",
            "routine" => "Routine trouble at",
            _ => "Unusual traffic at",
        };
        let mixed = self
            .judgement
            .mixed_with
            .as_deref()
            .map(|other| format!(" (with {} in it)", word(other)))
            .unwrap_or_default();
        let when = match (&self.end, self.is_open()) {
            (_, true) => format!("since {}", readable(&self.onset)),
            (Some(end), _) => format!("from {} to {}", readable(&self.onset), readable(end)),
            (None, false) => format!("since {}, until the server stopped", readable(&self.onset)),
        };
        format!("{what} site {}{mixed} {when}: {}.", self.site, self.judgement.how_sure())
    }

    /// Where it stands, in a sentence.
    #[must_use]
    pub fn standing(&self) -> &'static str {
        match self.state.as_str() {
            "open" => "It goes on.",
            "mitigated" => "It goes on, and visitors are served as in calm times.",
            "ended" => "It is over.",
            _ => "The server stopped while it went on; how it ended is not known.",
        }
    }

    /// How much came: `at most 812 requests a second, where 9 are usual; 54,120 in 2 min 3 s`.
    #[must_use]
    pub fn how_much(&self) -> String {
        let traffic = &self.traffic;
        format!(
            "at most {} requests a second, where {} are usual; {} in {}, of which {} were not expected; \
             at most {} sources in one second",
            number(traffic.peak_requests_per_second),
            number(traffic.calm_requests_per_second),
            number(traffic.requests),
            format::span(std::time::Duration::from_secs(traffic.duration_s)),
            number(traffic.requests_beyond_expected),
            number(traffic.peak_sources),
        )
    }

    /// What visitors got.
    #[must_use]
    pub fn what_visitors_got(&self) -> String {
        let percent = |share: f64| format!("{:.1} %", share * 100.0);
        match (self.visitors.goodput, self.visitors.goodput_calm) {
            (Some(now), Some(calm)) => format!(
                "of what usual visitors asked for, {} was answered well (in calm times {})",
                percent(now),
                percent(calm)
            ),
            (Some(now), None) => {
                format!("of what usual visitors asked for, {} was answered well", percent(now))
            }
            (None, _) => "no visitor known from calm times came".to_owned(),
        }
    }

    /// What it cost people.
    #[must_use]
    pub fn cost_to_people(&self) -> String {
        let visitors = &self.visitors;
        format!(
            "{} requests waited, {} were challenged, {} refused (of these {} from networks known from calm times)",
            number(visitors.waited),
            number(visitors.challenged),
            number(visitors.refused),
            number(visitors.refused_known),
        )
    }

    /// What was done, a sentence each.
    #[must_use]
    pub fn what_was_done(&self) -> Vec<String> {
        let sentence = |measure: &super::MeasureDocument| {
            let would = if measure.acted { "" } else { " (observed only; nobody was asked for anything)" };
            format!(
                "{}: the gate of `{}` went to rung {} of 4, {}{would}",
                readable(&measure.at),
                measure.class,
                measure.rung,
                measure.rung_name
            )
        };
        self.measures.iter().map(sentence).collect()
    }
}

/// `2026-11-03T12:00:07.250Z` as `2026-11-03 12:00:07 UTC`; what is no such time as it is.
#[must_use]
pub(crate) fn readable(rfc_3339: &str) -> String {
    match (rfc_3339.get(..10), rfc_3339.get(11..19), rfc_3339.ends_with('Z')) {
        (Some(date), Some(time), true) => format!("{date} {time} UTC"),
        _ => rfc_3339.to_owned(),
    }
}

fn word(verdict: &str) -> &str {
    match verdict {
        "routine" => "routine trouble",
        other => other,
    }
}

fn number(figure: f64) -> String {
    if figure > 0.0 && figure < 9.95 && (figure - figure.round()).abs() > 0.05 {
        return format!("{figure:.1}");
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped, and whole enough")]
    let whole = figure.clamp(0.0, 1e15).round() as u64;
    format::count(whole)
}

fn vector_words(vector: &str) -> &str {
    match vector {
        "look_ups" => "look-ups and searches, which cost the origin work",
        "cache_bust" => "queries that never repeat, so that no copy answers",
        "pages" => "ordinary pages, many times",
        "bodies" => "requests that carry bodies",
        "scan" => "a search for addresses that do not exist",
        "bare_address" => "requests for hosts that are not served here",
        "held_connections" => "connections that are held and say little",
        "stream_resets" => "HTTP/2 requests cancelled as soon as sent",
        "tls_handshakes" => "TLS handshakes without requests",
        "syn" => "connection attempts (SYN) that complete no handshake",
        "packets" => "packets of UDP, ICMP and others",
        other => other,
    }
}

fn cause_words(cause: &str) -> &str {
    match cause {
        "origin_down" => "the origin does not answer",
        "origin_slow" => "the origin answers slowly",
        "origin_errors" => "the origin answers with errors",
        "deploy" => "the site or its settings were changed just before",
        "certificate" => "the certificate ended or does not fit",
        "dns" => "the site's name does not resolve",
        "vendor" => "one part of the site fails, as when a supplier's service does",
        "own_fault" => "this server lacks processor time, memory or descriptors",
        "own_defence" => "our own defence turns people away",
        "crawler" => "one machine that says what it is: a crawler, a monitor, a copier",
        other => other,
    }
}
