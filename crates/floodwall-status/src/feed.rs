//! The feed (Atom, RFC 4287): one entry for each outage, changed when it ends.

use askama::Template;
use floodwall_outage::OutageRecord;

use crate::StatusError;
use crate::facts::{Facts, Service};
use crate::text::{Language, rfc_3339};

/// Entries of a feed.
const ENTRIES_MAX: usize = 50;

#[derive(Template)]
#[template(path = "feed.atom", escape = "html")]
struct Feed<'f> {
    language: &'static str,
    title: &'f str,
    url: &'f str,
    page: String,
    own: String,
    updated: String,
    entries: Vec<Entry>,
}

struct Entry {
    id: String,
    title: String,
    published: String,
    updated: String,
    text: String,
}

pub(crate) fn feed(facts: &Facts, url: &str, language: Language) -> Result<String, StatusError> {
    let all = facts.sites.iter().flat_map(|site| {
        site.services
            .iter()
            .flat_map(move |service| service.outages.iter().map(move |row| (&site.name, service, row)))
    });
    let mut all: Vec<_> = all.collect();
    all.sort_by_key(|(_, _, row)| std::cmp::Reverse(row.outage.start.latest_unix_micros));
    let entries: Vec<_> = all
        .into_iter()
        .take(ENTRIES_MAX)
        .map(|(site, service, row)| entry(facts, (site, service), row, url, language))
        .collect();
    let newest = entries.iter().map(|entry| entry.updated.clone()).max();
    let feed = Feed {
        language: language.of("en", "es"),
        title: language.wording(&facts.title),
        url,
        page: format!("{url}{}", language.of("", "es.html")),
        own: format!("{url}{}", language.of("feed.atom", "feed.es.atom")),
        updated: newest.unwrap_or_else(|| rfc_3339(0)),
        entries,
    };
    Ok(feed.render()?)
}

fn entry(facts: &Facts, whose: (&str, &Service), row: &OutageRecord, url: &str, language: Language) -> Entry {
    let outage = &row.outage;
    let start = language.moment(outage.start.middle_unix_micros(), &facts.zone);
    let why = outage.cause().map_or(String::new(), |cause| format!(": {}", language.cause(cause)));
    let length = language.length(row, facts.made_unix_micros);
    let (site, target) = (whose.0, whose.1.name_in(language));
    let (title, text) = match (&outage.end, language) {
        (None, Language::English) => (format!("{site}: {target} is down"), format!("Since {start}{why}.")),
        (None, Language::Spanish) => {
            (format!("{site}: {target} no funciona"), format!("Desde el {start}{why}."))
        }
        (Some(end), Language::English) => {
            let end = language.moment(end.middle_unix_micros(), &facts.zone);
            (
                format!("{site}: {target} works again"),
                format!("It was down from {start} until {end}, {length}{why}."),
            )
        }
        (Some(end), Language::Spanish) => {
            let end = language.moment(end.middle_unix_micros(), &facts.zone);
            (
                format!("{site}: {target} vuelve a funcionar"),
                format!("No funcionó desde el {start} hasta el {end}, {length}{why}."),
            )
        }
    };
    Entry {
        id: format!("{url}#{}", row.key),
        title,
        published: rfc_3339(outage.start.latest_unix_micros),
        updated: rfc_3339(outage.end.map_or(outage.start.latest_unix_micros, |end| end.latest_unix_micros)),
        text,
    }
}
