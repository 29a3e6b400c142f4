//! HTML as plain text: what a reader would see, and where its links lead. Nothing is ever shown as HTML.

use std::borrow::Cow;

use quick_xml::escape::{resolve_predefined_entity, unescape_with};

/// Elements whose content nobody sees.
const UNSEEN: [&str; 5] = ["script", "style", "template", "noscript", "head"];
/// Elements that end a line.
const LINES: [&str; 9] = ["br", "p", "div", "li", "tr", "h1", "h2", "h3", "blockquote"];

/// The text of HTML; addresses of links are added to `links`. What is no markup stays as it is.
pub(super) fn text_of(html: &str, links: &mut Vec<String>) -> String {
    let mut text = String::with_capacity(html.len());
    let mut rest = html;
    let mut unseen: Option<&str> = None;
    while let Some((before, after)) = rest.split_once('<') {
        if unseen.is_none() {
            text.push_str(&unescaped(before));
        }
        if let Some(comment) = after.strip_prefix("!--") {
            rest = comment.split_once("-->").map_or("", |(_, rest)| rest);
            continue;
        }
        let is_tag = after.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?'));
        let ended = is_tag.then(|| end_of_tag(after)).flatten();
        let Some((tag, following)) = ended else {
            // `5 < 6` is no tag.
            if unseen.is_none() {
                text.push('<');
            }
            rest = after;
            continue;
        };
        rest = following;
        let name_ends = |c: char| c.is_whitespace() || c == '/' || c == '>';
        let name = tag.trim_start_matches('/').split(name_ends).next().unwrap_or_default();
        let is_end = tag.starts_with('/');
        let known =
            |names: &[&'static str]| names.iter().find(|known| known.eq_ignore_ascii_case(name)).copied();
        match (unseen, known(&UNSEEN)) {
            (Some(open), Some(name)) if is_end && open == name => unseen = None,
            (Some(_), _) => {}
            (None, Some(name)) if !is_end && !tag.ends_with('/') => unseen = Some(name),
            (None, _) => {
                if known(&LINES).is_some() {
                    text.push('\n');
                }
                if name.eq_ignore_ascii_case("a") && !is_end {
                    links.extend(href(tag));
                }
            }
        }
    }
    if unseen.is_none() {
        text.push_str(&unescaped(rest));
    }
    text
}

/// What is between `<` and `>`; a `>` in a quoted value ends nothing. A `<` before that says that it was
/// no tag: so no letter is looked at again and again.
fn end_of_tag(after: &str) -> Option<(&str, &str)> {
    let mut quote = None;
    for (at, letter) in after.char_indices() {
        match (quote, letter) {
            (None, '>') => return Some((after.get(..at)?, after.get(at + 1..)?)),
            (None, '"' | '\'') => quote = Some(letter),
            (Some(open), letter) if letter == open => quote = None,
            (None, '<') => return None,
            _ => {}
        }
    }
    // A quote that is never closed hides no end.
    after.split_once('>')
}

/// The address of a link.
fn href(tag: &str) -> Option<String> {
    let lower = tag.to_ascii_lowercase();
    let at = lower.find("href")?;
    let value = tag.get(at + 4..)?.trim_start().strip_prefix('=')?.trim_start();
    let value = match value.chars().next()? {
        quote @ ('"' | '\'') => value.get(1..)?.split(quote).next()?,
        _ => value.split(|c: char| c.is_whitespace() || c == '>').next()?,
    };
    let value = unescaped(value).trim().to_owned();
    (!value.is_empty() && value.len() <= 2048).then_some(value)
}

/// Character references resolved; what is none stays.
fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let mut made = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        made.push_str(before);
        let ends = after.char_indices().take(40).find(|(_, letter)| *letter == ';').map(|(at, _)| at);
        let entity = ends.and_then(|ends| after.get(..=ends));
        let resolved = entity.and_then(|entity| {
            let whole = format!("&{entity}");
            unescape_with(&whole, resolve_predefined_entity).ok().map(Cow::into_owned)
        });
        match (resolved, entity) {
            (Some(resolved), Some(entity)) => {
                made.push_str(&resolved);
                rest = after.get(entity.len()..).unwrap_or_default();
            }
            _ => {
                made.push('&');
                rest = after;
            }
        }
    }
    made.push_str(rest);
    Cow::Owned(made)
}
