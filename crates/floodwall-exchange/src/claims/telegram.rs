//! Telegram Desktop's export as JSON: `result.json` of one chat, or of all chats of an account.
//!
//! An export holds a post's last form only. Where it was edited, what it says may have been written at any
//! time between its posting and its last edit.

use std::io::BufRead;

use serde_json::Value;

use super::json::{Shape, each_entry};
use super::{ENTRY_BYTES_MAX, ImportFault, LINKS_MAX, Post, PostTime, ReadCounts, cut};

const SHAPE: Shape =
    Shape { format: "Telegram export", entries: "messages", within: &["chats", "left_chats", "list"] };

/// Older exports say the time by the exporting machine's clock, without its zone.
const ZONE_WEST_S: i64 = 12 * 3_600;
const ZONE_EAST_S: i64 = 14 * 3_600;

pub(super) fn read(
    reader: impl BufRead,
    counts: &mut ReadCounts,
    take: &mut dyn FnMut(Post),
) -> Result<(), ImportFault> {
    each_entry(&SHAPE, reader, &mut |channel, message| {
        let Some(fields) = message.as_object() else {
            counts.unreadable += 1;
            return;
        };
        let text_of = |name: &str| fields.get(name).and_then(Value::as_str);
        if text_of("type").is_some_and(|kind| kind != "message") {
            counts.empty += 1;
            return;
        }
        let (mut text, mut links) = (String::new(), Vec::new());
        for part in ["text", "text_entities"] {
            // The second repeats the first's words, and is alone in having all links.
            let mut words = String::new();
            parts(fields.get(part), &mut words, &mut links);
            if text.is_empty() {
                text = words;
            }
        }
        if text.trim().is_empty() && links.is_empty() {
            counts.empty += 1;
            return;
        }
        let Some(posted) = second(fields.get("date_unixtime"))
            .map(PostTime::second)
            .or_else(|| text_of("date").and_then(somewhere_on_earth))
        else {
            counts.without_time += 1;
            return;
        };
        counts.taken += 1;
        take(Post {
            channel: channel.to_owned(),
            author: text_of("forwarded_from").filter(|name| !name.is_empty()).map(str::to_owned),
            reference: fields.get("id").filter(|id| id.is_i64() || id.is_string()).map(plain),
            posted,
            edited_unix_s: second(fields.get("edited_unixtime"))
                .filter(|edited| *edited > posted.latest_unix_s)
                .or_else(|| text_of("edited").and_then(somewhere_on_earth).map(|time| time.latest_unix_s)),
            text: cut(text, ENTRY_BYTES_MAX),
            links,
        });
    })
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A text is a string, or a list of strings and of objects with a type.
fn parts(text: Option<&Value>, words: &mut String, links: &mut Vec<String>) {
    match text {
        Some(Value::String(text)) => words.push_str(text),
        Some(Value::Array(parts)) => {
            for part in parts {
                let field = |name: &str| part.get(name).and_then(Value::as_str);
                words.push_str(part.as_str().or_else(|| field("text")).unwrap_or_default());
                let link = match field("type") {
                    Some("link") => field("text"),
                    Some("text_link") => field("href"),
                    _ => None,
                };
                if let Some(link) = link.filter(|link| !links.iter().any(|known| known == link))
                    && links.len() < LINKS_MAX
                {
                    links.push(link.to_owned());
                }
            }
        }
        _ => {}
    }
}

fn second(value: Option<&Value>) -> Option<i64> {
    match value? {
        Value::String(text) => text.parse().ok(),
        number => number.as_i64(),
    }
}

/// `2022-11-08T14:02:07` by the clock of an unknown place.
fn somewhere_on_earth(text: &str) -> Option<PostTime> {
    let time: jiff::civil::DateTime = text.parse().ok()?;
    let utc = jiff::tz::TimeZone::UTC.to_timestamp(time).ok()?.as_second();
    Some(PostTime { earliest_unix_s: utc - ZONE_EAST_S, latest_unix_s: utc + ZONE_WEST_S })
}
