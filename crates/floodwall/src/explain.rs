//! `floodwall explain`: what became of a request, by the reference ID on its page; and how an address
//! stands with the running server.
//!
//! An ID speaks for itself to whoever has the secret of the state directory: it is explained without
//! a running server too. An address only the server can explain.

mod address;
mod command;
#[cfg(test)]
mod tests;
mod words;

use std::net::IpAddr;

use floodwall_model::{Prefix, ReferenceId, Timestamp};
use floodwall_policy::{ReferenceKey, RefusalNote, SignatureId};
use serde::{Deserialize, Serialize};

pub(crate) use address::{AddressFacts, SiteStanding, signature_sentences};
pub(crate) use command::{ExplainArguments, run};
#[cfg(test)]
pub(crate) use tests::sample_rule;

/// What is to be explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    Reference(ReferenceId),
    Address(IpAddr),
    Rule(SignatureId),
}

impl std::str::FromStr for Subject {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Address(address.to_canonical()));
        }
        let number = text.strip_prefix(['S', 's']).and_then(|number| number.parse().ok());
        if let Some(number) = number {
            return Ok(Self::Rule(SignatureId(number)));
        }
        text.parse().map(Self::Reference).map_err(|_| {
            let text: String = text.chars().take(40).collect();
            format!("`{text}` is neither an address nor a reference ID, which has twelve letters and digits, like 7F3K-9QWX-02MB; nor a rule, like S3")
        })
    }
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Reference(id) => id.fmt(f),
            Self::Address(address) => address.fmt(f),
            Self::Rule(id) => id.fmt(f),
        }
    }
}

/// An explanation: for people, and the same as figures for programs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Explanation {
    /// What was asked about, as it is written.
    pub(crate) subject: String,
    /// Whether there is anything to say.
    pub(crate) found: bool,
    /// In words, a sentence each.
    pub(crate) words: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reference: Option<ReferenceFacts>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) address: Option<AddressFacts>,
}

/// What a reference ID says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ReferenceFacts {
    /// RFC 3339, in UTC.
    pub(crate) at: String,
    pub(crate) decided: String,
    pub(crate) rung: u8,
    pub(crate) rung_name: String,
    /// The site's name, where it has one.
    pub(crate) site: Option<String>,
    /// Whether it can have been given to the address that was asked about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) fits_address: Option<bool>,
}

/// Explains an ID. `sites` are the names of the settings' sites, in their order; `None` where no
/// settings are at hand, and every site is taken to be possible.
pub(crate) fn explain_reference(
    key: &ReferenceKey,
    id: ReferenceId,
    sites: Option<&[String]>,
    from: Option<IpAddr>,
    now: Timestamp,
) -> Explanation {
    let sites_max = sites.map_or(usize::from(u8::MAX), <[String]>::len);
    let Some(note) = key.open(id, sites_max, now) else {
        return Explanation {
            subject: id.to_string(),
            found: false,
            words: vec![
                "This server gave out no such reference ID in the last 400 days.".to_owned(),
                "Ask for it once more, letter by letter. If there are other servers, or the secret was replaced since, ask there or with the secret of that time."
                    .to_owned(),
            ],
            reference: None,
            address: None,
        };
    };
    let name = |place: u8| {
        let named = sites.and_then(|sites| sites.get(usize::from(place))).cloned();
        named.unwrap_or_else(|| format!("number {} of the settings", u32::from(place) + 1))
    };
    let site = note.site.map(name);
    let fits_address = from.map(|address| key.client_tag(Prefix::of_client(address)) == note.client);
    let facts = ReferenceFacts {
        at: second(note.at_unix_s),
        decided: note.decided.as_str().to_owned(),
        rung: note.rung.number(),
        rung_name: words::rung_name(note.rung).to_owned(),
        site,
        fits_address,
    };
    let words = reference_sentences(&note, &facts, from);
    Explanation { subject: id.to_string(), found: true, words, reference: Some(facts), address: None }
}

fn reference_sentences(note: &RefusalNote, facts: &ReferenceFacts, from: Option<IpAddr>) -> Vec<String> {
    let of_decision = words::words(note.decided);
    let site = facts
        .site
        .as_ref()
        .map_or_else(|| "no site of the settings".to_owned(), |site| format!("site {site}"));
    let mut sentences = vec![format!("At {}, for {site}:", facts.at), of_decision.happened.to_owned()];
    if note.site.is_some() {
        sentences.push(format!(
            "Its gate stood on rung {} of 4 then, on which {}.",
            facts.rung,
            words::rung_words(note.rung)
        ));
    }
    sentences.push(of_decision.advice.to_owned());
    match (facts.fits_address, from) {
        (Some(true), Some(address)) => sentences
            .push(format!("It can have been given to {address}; one address in 256 would fit by chance.")),
        (Some(false), Some(address)) => {
            sentences.push(format!("It was not given to {address}, nor to anybody who shares that address."));
        }
        _ => {}
    }
    sentences
}

/// RFC 3339 in UTC, to the second.
pub(crate) fn second(unix_s: i64) -> String {
    jiff::Timestamp::from_second(unix_s)
        .map_or_else(|_| format!("{unix_s} s after 1970"), |at| at.to_string())
}
