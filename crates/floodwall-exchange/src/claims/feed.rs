//! RSS 0.9 to 2.0 and Atom (RFC 4287). Entities that a document declares are not expanded.

use jiff::fmt::rfc2822::DateTimeParser;
use quick_xml::Reader;
use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};

use super::markup::text_of;
use super::{ENTRY_BYTES_MAX, ImportFault, LINKS_MAX, Post, PostTime, ReadCounts};

static DATES: DateTimeParser = DateTimeParser::new();
/// Elements within elements.
const DEPTH_MAX: usize = 32;

#[derive(Default)]
struct Entry {
    title: String,
    body: String,
    author: String,
    reference: String,
    link: String,
    published: String,
    updated: String,
}

pub(super) fn read(
    text: &str,
    counts: &mut ReadCounts,
    take: &mut dyn FnMut(Post),
) -> Result<(), ImportFault> {
    let mut reader = Reader::from_str(text);
    let fault = |why: String| ImportFault::Format { format: "feed", why };
    let (mut open, mut channel): (Vec<String>, String) = (Vec::new(), String::new());
    let mut entry: Option<Entry> = None;
    let mut is_feed = false;
    loop {
        let at = reader.buffer_position();
        let event = reader.read_event().map_err(|error| fault(format!("{error}, at byte {at}")))?;
        match event {
            Event::Start(start) => {
                let name = start.local_name().into_inner().to_owned();
                is_feed |= open.is_empty() && matches!(name.as_str(), "rss" | "feed" | "RDF");
                if matches!(name.as_str(), "item" | "entry") && entry.is_none() {
                    entry = Some(Entry::default());
                } else if let Some(entry) = &mut entry {
                    entry.link(&start);
                }
                if open.len() >= DEPTH_MAX {
                    return Err(fault(format!("elements lie deeper than {DEPTH_MAX}, at byte {at}")));
                }
                open.push(name);
            }
            Event::Empty(start) => {
                if let Some(entry) = &mut entry {
                    entry.link(&start);
                }
            }
            Event::End(_) => {
                let name = open.pop().unwrap_or_default();
                if matches!(name.as_str(), "item" | "entry")
                    && !open.iter().any(|name| matches!(name.as_str(), "item" | "entry"))
                    && let Some(entry) = entry.take()
                {
                    finish(&entry, &channel, counts, take);
                }
            }
            Event::Text(words) => put(&open, &mut entry, &mut channel, &words.xml10_content()),
            Event::CData(words) => put(&open, &mut entry, &mut channel, &words.xml10_content()),
            Event::GeneralRef(reference) => {
                let letter = reference.resolve_char_ref().ok().flatten().map(String::from);
                let known = quick_xml::escape::resolve_predefined_entity(&reference).map(str::to_owned);
                put(&open, &mut entry, &mut channel, &letter.or(known).unwrap_or_default());
            }
            Event::Eof => break,
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
        }
    }
    if !open.is_empty() {
        return Err(fault("it ends before its elements do".to_owned()));
    }
    if is_feed { Ok(()) } else { Err(fault("it is neither RSS nor Atom".to_owned())) }
}

/// Puts words where the innermost element that counts has its place.
fn put(open: &[String], entry: &mut Option<Entry>, channel: &mut String, words: &str) {
    let Some(name) = open.last() else { return };
    let Some(entry) = entry else {
        // The feed's own title, and not that of its picture.
        let parent = open.iter().rev().nth(1).map(String::as_str);
        if name == "title" && matches!(parent, Some("channel" | "feed")) {
            grow(channel, words);
        }
        return;
    };
    // Of XHTML in Atom, every element within the content is its text.
    let within = |names: &[&str]| open.iter().any(|name| names.contains(&name.as_str()));
    let place = match name.as_str() {
        "title" => &mut entry.title,
        "guid" | "id" => &mut entry.reference,
        "link" => &mut entry.link,
        "pubDate" | "date" | "published" => &mut entry.published,
        "updated" | "modified" => &mut entry.updated,
        "creator" | "name" => &mut entry.author,
        _ if within(&["description", "content", "summary", "encoded"]) => &mut entry.body,
        _ => return,
    };
    grow(place, words);
}

fn grow(text: &mut String, words: &str) {
    let room = ENTRY_BYTES_MAX.saturating_sub(text.len());
    text.push_str(&super::cut(words.to_owned(), room));
}

impl Entry {
    /// Atom's `<link href="..."/>`.
    fn link(&mut self, start: &BytesStart<'_>) {
        if start.local_name().into_inner() != "link" || !self.link.is_empty() {
            return;
        }
        let href = start.attributes().filter_map(Result::ok).find(|one| one.key.into_inner() == "href");
        if let Some(value) = href.and_then(|href| href.normalized_value(XmlVersion::Implicit1_0).ok()) {
            grow(&mut self.link, &value);
        }
    }
}

fn finish(entry: &Entry, channel: &str, counts: &mut ReadCounts, take: &mut dyn FnMut(Post)) {
    let (published, updated) = (second(&entry.published), second(&entry.updated));
    let Some(posted) = published.or(updated) else {
        counts.without_time += 1;
        return;
    };
    let mut links = Vec::new();
    // A description is HTML written as text; a title may be either.
    let title = text_of(&entry.title, &mut links);
    let body = text_of(&entry.body, &mut links);
    links.truncate(LINKS_MAX);
    let text = [title.trim(), body.trim()].into_iter().filter(|part| !part.is_empty());
    let text = text.collect::<Vec<_>>().join("\n");
    if text.is_empty() {
        counts.empty += 1;
        return;
    }
    counts.taken += 1;
    let plain = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    take(Post {
        channel: channel.trim().to_owned(),
        author: plain(&entry.author),
        reference: plain(&entry.reference).or_else(|| plain(&entry.link)),
        posted: PostTime::second(posted),
        edited_unix_s: updated.filter(|updated| *updated > posted),
        text,
        links,
    });
}

fn second(text: &str) -> Option<i64> {
    let text = text.trim();
    let by_rfc_3339 = text.parse::<jiff::Timestamp>().ok();
    by_rfc_3339.or_else(|| DATES.parse_timestamp(text).ok()).map(jiff::Timestamp::as_second)
}
