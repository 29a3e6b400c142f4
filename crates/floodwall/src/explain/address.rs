//! How an address stands with the running server, in figures and words.

use floodwall_policy::{SignatureEnd, SignatureRecord, SignatureStage};
use serde::{Deserialize, Serialize};

use super::words::rung_words;

/// What a running server knows of an address now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct AddressFacts {
    /// The prefix it is counted under.
    pub(crate) client: String,
    /// The number of the autonomous system it belongs to, where there is a database of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) system: Option<u32>,
    /// Why it is let in before everybody: a list of the settings, a verified crawler, an operator's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) allowed: Option<String>,
    /// Why it is refused, and until when: an operator's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) blocked: Option<String>,
    /// Seen behaving in calm times.
    pub(crate) known: bool,
    pub(crate) sites: Vec<SiteStanding>,
}

/// How it stands with one site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SiteStanding {
    pub(crate) site: String,
    /// The rung the site's gate stands on, 0 to 4.
    pub(crate) rung: u8,
    /// How far over its share of the origin: 0 within, 1 up to twice, 2 up to four times, and so on.
    pub(crate) excess: u8,
    /// Seconds until it is within its share again, if it asks for nothing.
    pub(crate) recovers_s: u32,
    /// Milliseconds until a limit of the settings lets it in again; 0 when it does now.
    pub(crate) limited_ms: u64,
    /// The rules its last request matched, in words.
    pub(crate) signatures: Vec<String>,
}

impl AddressFacts {
    /// In words, a sentence each.
    pub(crate) fn sentences(&self) -> Vec<String> {
        let mut sentences = vec![format!("It is counted as {}.", self.client)];
        if let Some(number) = self.system {
            sentences.push(format!("It belongs to autonomous system {number}."));
        }
        if let Some(why) = &self.blocked {
            sentences.push(format!("It is refused everywhere: {why}."));
        }
        if let Some(why) = &self.allowed {
            sentences.push(format!("It is let in before everybody and never asked for anything: {why}."));
        }
        sentences.push(if self.known {
            "It was seen behaving in calm times, and goes before who was not.".to_owned()
        } else {
            "It was not seen in calm times of the last day.".to_owned()
        });
        self.sites.iter().for_each(|site| sentences.extend(site.sentences()));
        sentences
    }
}

impl SiteStanding {
    fn sentences(&self) -> Vec<String> {
        let rung = floodwall_policy::Rung::ALL.get(usize::from(self.rung)).copied().unwrap_or_default();
        let mut sentences =
            vec![format!("Site {}: rung {} of 4, {}.", self.site, self.rung, rung_words(rung))];
        if self.limited_ms > 0 {
            sentences.push(format!(
                "It is over a limit of the settings, [site.limits], for another {}.",
                seconds(self.limited_ms.div_ceil(1_000))
            ));
        }
        if self.excess > 0 {
            let times = 1_u32 << self.excess.min(7);
            sentences.push(format!(
                "It asks for up to {times} times its share of the origin's work: it goes after those who do not. After {} of quiet it is within its share again.",
                seconds(u64::from(self.recovers_s))
            ));
        }
        sentences.extend(self.signatures.iter().map(|words| format!("Its last request matched {words}.")));
        if self.limited_ms == 0 && self.excess == 0 && self.signatures.is_empty() {
            sentences.push("Nothing stands against it there.".to_owned());
        }
        sentences
    }
}

fn seconds(count: u64) -> String {
    if count == 1 { "1 second".to_owned() } else { format!("{count} seconds") }
}

/// A rule in words: what it matches, what it was proposed on, how far it has come, until when.
pub(crate) fn signature_sentences(record: &SignatureRecord) -> Vec<String> {
    let evidence = &record.evidence;
    let share = 100.0 * f64::from(evidence.surplus_matched) / f64::from(evidence.surplus_sampled.max(1));
    let mut sentences = vec![
        format!("Rule {}: {}.", record.id, record.words),
        format!(
            "Proposed at {}: it covered {share:.0} % of {} requests there was no room for, and would have hit {} of {} calm visitors (at most {:.2} %, with 95 % confidence).",
            record.proposed,
            evidence.surplus_sampled,
            evidence.calm_hit,
            evidence.calm_visitors,
            100.0 * evidence.calm_share_max,
        ),
        format!(
            "It matched {} requests on trial and {} since, and {} of {} visitors known from calm times or proven.",
            record.matched_on_trial, record.matched_acting, record.people_matched, record.people_seen
        ),
    ];
    sentences.push(match record.stage {
        SignatureStage::Trial => "It is on trial: it only counts what it would have done.".to_owned(),
        SignatureStage::Acting => format!(
            "What matches it goes last, unless proven; since {}, until {} at the latest.",
            record.acting_since.map_or_else(String::new, |since| since.to_string()),
            record.until
        ),
        SignatureStage::Ended(why) => {
            let why = match why {
                SignatureEnd::Idle => "nothing matched it any more",
                SignatureEnd::LifetimeOver => "it lived as long as any rule may",
                SignatureEnd::HitPeople => "people were among its matches",
            };
            format!("It ended at {}: {why}.", record.until)
        }
    });
    sentences
}
