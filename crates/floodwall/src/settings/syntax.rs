//! Reading on after a syntax fault.
//!
//! One open bracket makes a parser misread everything after it. So the first syntax fault is
//! reported, the statement it stands in is blanked out (its length kept, so that every place in the
//! file stays true), and the rest is parsed anew, until nothing is left to complain about. What is
//! left is read as if the faulty statements were not there.

use std::ops::Range;

use toml::de::{DeTable, Error};

use super::section::Log;

/// Most syntax faults reported of one file.
const ROUNDS_MAX: usize = 50;

/// Most bytes parsed in all rounds together: whoever names a large file that is no settings file is
/// to be told so within seconds.
const PARSED_BYTES_MAX: usize = 2 << 20;

/// Reports every syntax fault and gives back the text without the faulty statements: it parses.
pub(super) fn without_syntax_faults(source: &str, log: &mut Log) -> String {
    let mut text = source.to_owned();
    let rounds = (PARSED_BYTES_MAX / source.len().max(1)).clamp(1, ROUNDS_MAX);
    for _ in 0..rounds {
        let errors = DeTable::parse_recoverable(&text).1;
        let Some(first) = errors.into_iter().min_by_key(|error| error.span().map_or(0, |span| span.start))
        else {
            return text;
        };
        let faulty = Statement::around(&text, beginning(&text, &first));
        faulty.report(&text, &first, log);
        blank_out(&mut text, faulty.region);
    }
    log.error(
        None,
        "",
        format!("more than {rounds} syntax faults"),
        "is this a settings file of Floodwall, in TOML?",
    );
    String::new()
}

/// Where to look for the faulty statement: where the parser stumbled, or where a text over several
/// lines began that never ends.
fn beginning(text: &str, error: &Error) -> usize {
    let at = error.span().map_or(0, |span| span.start);
    let before = text.get(..at).unwrap_or_default();
    let opened = before.rfind("\"\"\"").max(before.rfind("'''"));
    if error.message().starts_with("invalid multi-line") { opened.unwrap_or(at) } else { at }
}

/// Overwrites whole lines by spaces. Where that would change nothing, the whole text goes, so that
/// every round makes progress.
fn blank_out(text: &mut String, region: Range<usize>) {
    let empty = text.get(region.clone()).is_none_or(|t| t.trim().is_empty());
    let region = if empty { 0..text.len() } else { region };
    let blank = |(at, byte): (usize, u8)| if region.contains(&at) && byte != b'\n' { b' ' } else { byte };
    let bytes: Vec<u8> = text.bytes().enumerate().map(blank).collect();
    *text = String::from_utf8(bytes).unwrap_or_default();
}

/// How a line begins, as far as it matters for finding statements.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Line<'t> {
    /// `[server]` or `[[site]]`: the name, and whether the brackets are double.
    Heading(&'t str, bool),
    /// `key =`.
    Key(&'t str),
    /// Anything else: the middle of a list, a comment, a fault.
    Other,
}

fn classify(line: &str) -> Line<'_> {
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let line = line.trim_start();
    if let Some(rest) = line.strip_prefix('[') {
        let name = rest.trim_start_matches('[').trim_start();
        let name = name.get(..name.find(|c| !bare(c)).unwrap_or(name.len())).unwrap_or_default();
        let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        return if is_name { Line::Heading(name, rest.starts_with('[')) } else { Line::Other };
    }
    match line.split_once('=') {
        Some((key, _)) if !key.trim().is_empty() && key.trim().chars().all(bare) => Line::Key(key.trim()),
        _ => Line::Other,
    }
}

/// The statement a syntax fault stands in.
struct Statement {
    /// Its lines.
    region: Range<usize>,
    /// Path of its key or table, as far as it can be told.
    path: String,
    /// Where a bracket was opened and not closed.
    open_bracket: Option<usize>,
}

impl Statement {
    fn around(text: &str, offset: usize) -> Self {
        let lines = lines_with_offsets(text);
        let at = lines.iter().rposition(|(start, _)| *start <= offset).unwrap_or(0);
        let begins = |index: &usize| lines.get(*index).is_some_and(|(_, line)| classify(line) != Line::Other);
        let start_of = |index: usize| lines.get(index).map_or(text.len(), |(start, _)| *start);

        // A list left open reaches into the next statement, and is noticed only there.
        let before = (0..at).rev().find(begins);
        let reaches_in =
            before.filter(|index| extent(text, start_of(*index)..start_of(at)).open_bracket.is_some());
        let first = reaches_in.unwrap_or(at);
        let path = path_of(lines.get(..=first).unwrap_or_default());
        if let Some(Line::Heading(name, _)) = lines.get(first).map(|(_, line)| classify(line)) {
            // Keys without their table would be taken for keys of the table above.
            let root = name.split('.').next().unwrap_or(name);
            let ends = |index: &usize| match lines.get(*index).map(|(_, line)| classify(line)) {
                Some(Line::Heading(other, _)) => {
                    other.split_once('.').is_none_or(|(parent, _)| parent != root)
                }
                _ => false,
            };
            let next = (first + 1..lines.len()).find(ends).unwrap_or(lines.len());
            return Self { region: start_of(first)..start_of(next), path, open_bracket: None };
        }
        let next = if reaches_in.is_some() && begins(&at) {
            at
        } else {
            (at + 1..lines.len()).find(begins).unwrap_or(lines.len())
        };
        let extent = extent(text, start_of(first)..start_of(next));
        let end =
            if extent.open_bracket.is_some() { start_of(next) } else { extent.end.max(start_of(at + 1)) };
        Self { region: start_of(first)..end, path, open_bracket: extent.open_bracket }
    }

    fn report(&self, text: &str, error: &Error, log: &mut Log) {
        if let Some(key) = self.path.rsplit('.').next() {
            log.lost.insert(key.split('[').next().unwrap_or(key).to_owned());
        }
        let mut at = error.span().unwrap_or(self.region.start..self.region.start);
        if !self.region.contains(&at.start) && at.start > self.region.end {
            at = self.region.start..self.region.start;
        }
        let statement = text.get(self.region.clone()).unwrap_or_default();
        let (problem, fix) = match self.open_bracket {
            Some(bracket) => {
                at = bracket..bracket + 1;
                (
                    "this bracket is not closed".to_owned(),
                    "write the closing bracket, and a comma between elements".to_owned(),
                )
            }
            None => explain(error.message(), statement),
        };
        log.error(Some(&within(text, at)), &self.path, problem, fix);
    }
}

/// The same range on character boundaries inside the text, one character long at least where there
/// is one on the line.
fn within(text: &str, at: Range<usize>) -> Range<usize> {
    let floor = |mut offset: usize| {
        offset = offset.min(text.len());
        while !text.is_char_boundary(offset) {
            offset -= 1;
        }
        offset
    };
    let start = floor(at.start);
    start..floor(at.end).max(start)
}

fn lines_with_offsets(text: &str) -> Vec<(usize, &str)> {
    let mut start = 0;
    text.split_inclusive('\n')
        .map(|line| {
            let entry = (start, line);
            start += line.len();
            entry
        })
        .collect()
}

/// How far a statement goes.
struct Extent {
    /// The end of the line on which every bracket is closed again.
    end: usize,
    /// The first bracket that is never closed.
    open_bracket: Option<usize>,
}

/// Looks for the end of the statement at the start of a range, in one pass; brackets in strings and
/// comments do not count.
fn extent(text: &str, range: Range<usize>) -> Extent {
    let mut open: Vec<usize> = Vec::new();
    let mut quote: Option<char> = None;
    let mut escaped = false;
    let mut comment = false;
    for (at, c) in text.get(range.clone()).unwrap_or_default().char_indices() {
        match (quote, c) {
            (_, '\n') if open.is_empty() => return Extent { end: range.start + at + 1, open_bracket: None },
            // A string on one line ends with it; the parser complains of it anyway.
            (_, '\n') => (quote, comment, escaped) = (None, false, false),
            _ if comment => {}
            (Some('"'), '\\') if !escaped => escaped = true,
            (Some(q), c) => {
                if c == q && !escaped {
                    quote = None;
                }
                escaped = false;
            }
            (None, '"' | '\'') => quote = Some(c),
            (None, '#') => comment = true,
            (None, '[' | '{') => open.push(at),
            (None, ']' | '}') => {
                open.pop();
            }
            _ => {}
        }
    }
    Extent { end: range.end, open_bracket: open.first().map(|at| range.start + at) }
}

/// The path of the key or table on the last of these lines: `site[1].hosts`.
fn path_of(lines: &[(usize, &str)]) -> String {
    let mut table = String::new();
    let mut sites = 0_usize;
    let mut path = String::new();
    for (_, line) in lines {
        path = match classify(line) {
            Line::Heading(name, double) => {
                if double && name == "site" {
                    sites += 1;
                }
                let index = sites.saturating_sub(1);
                table = match name.strip_prefix("site") {
                    Some(rest) if sites > 0 && (rest.is_empty() || rest.starts_with('.')) => {
                        format!("site[{index}]{rest}")
                    }
                    _ => name.to_owned(),
                };
                table.clone()
            }
            Line::Key(key) if table.is_empty() => key.to_owned(),
            Line::Key(key) => format!("{table}.{key}"),
            Line::Other => table.clone(),
        };
    }
    path
}

/// The parser's message in the words of this program, and what to write.
fn explain(message: &str, statement: &str) -> (String, String) {
    let line = statement.lines().next().unwrap_or_default();
    let value = line.split_once('=').map(|(_, value)| value.split('#').next().unwrap_or_default().trim());
    let say = |problem: &str, fix: &str| (problem.to_owned(), fix.to_owned());
    if message.starts_with("string values must be quoted") {
        if value == Some("") {
            return say("there is no value after `=`", "write a value, or take the line out");
        }
        let fix = match (classify(line), value) {
            (Line::Key(key), Some(value)) if !value.contains(['[', '"', '\'', '{']) => {
                format!("write {key} = \"{}\"", super::forms::shorten(value))
            }
            _ => "put every text in quotes".to_owned(),
        };
        return ("text without quotes".to_owned(), fix);
    }
    if message.starts_with("missing comma between array elements") {
        return say("a comma is missing between two elements of the list", "write a comma here");
    }
    if message.starts_with("duplicate key") {
        return match classify(line) {
            Line::Heading(name, _) => (
                format!("`{name}` is begun a second time"),
                "put its keys below the first one, or write [[site]] for each site".to_owned(),
            ),
            _ => say("this key is given a second time", "keep one of the two lines"),
        };
    }
    if message.starts_with("invalid multi-line") {
        return say(
            "the triple quotes are not closed",
            "write the text on one line, in single or double quotes",
        );
    }
    if message.starts_with("invalid basic string") || message.starts_with("invalid literal string") {
        return say("the quotes are not closed", "write the closing quotes");
    }
    if message.starts_with("key with no value") {
        return (
            format!("`{}` has no value", super::forms::shorten(line.trim())),
            "write `key = value`, or # before a comment".to_owned(),
        );
    }
    if message.starts_with("unexpected key or value, expected newline") {
        return say(
            "something follows the value on the same line",
            "end the line after the value; what is only a remark goes behind #",
        );
    }
    if let (Line::Heading(name, double), true) = (classify(line), message.starts_with("unclosed")) {
        let fix = if double { format!("write `[[{name}]]`") } else { format!("write `[{name}]`") };
        return ("the brackets of a table's name are not closed".to_owned(), fix);
    }
    (
        format!("this is not TOML: {message}"),
        "floodwall.example.toml shows how settings are written".to_owned(),
    )
}
