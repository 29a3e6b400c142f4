//! Reading the tables of a settings file: values out of them, faults into a log.

use std::collections::BTreeSet;

use toml::de::{DeTable, DeValue};

use super::COMMAND_LINE;
use super::definition::{Fallback, Form, Item, Located, Setting, Span, kind_in_words};
use super::fault::{Fault, Faults, Severity};
use super::keys::{ALL, TABLES};

/// Collects faults of one file and knows where its lines begin.
pub(super) struct Log {
    file: String,
    source: String,
    pub(super) faults: Faults,
    /// Last parts of keys whose value was lost to a syntax fault: these are not missing.
    pub(super) lost: BTreeSet<String>,
}

impl Log {
    pub(super) fn new(file: &str, source: &str) -> Self {
        Self {
            file: file.to_owned(),
            source: source.to_owned(),
            faults: Faults::of_source(source),
            lost: BTreeSet::new(),
        }
    }

    pub(super) fn error(
        &mut self,
        at: Option<&Span>,
        key: &str,
        problem: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.add(Severity::Error, at, key, problem.into(), fix.into());
    }

    pub(super) fn warning(
        &mut self,
        at: Option<&Span>,
        key: &str,
        problem: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.add(Severity::Warning, at, key, problem.into(), fix.into());
    }

    pub(super) fn add(
        &mut self,
        severity: Severity,
        at: Option<&Span>,
        key: &str,
        problem: String,
        fix: String,
    ) {
        // Finding a line takes as long as the file: not for a fault that nobody is shown.
        if self.faults.count_if_full() {
            return;
        }
        let place = at.map(|span| self.line_and_column(span.start));
        self.faults.push(Fault {
            severity,
            file: self.file.clone(),
            line: place.map(|(line, _)| line),
            column: place.map(|(_, column)| column),
            key: key.to_owned(),
            problem,
            fix,
            span: at.cloned(),
        });
    }

    /// Line and column in characters, both from 1; an offset past the end counts as the end.
    pub(super) fn line_and_column(&self, offset: usize) -> (usize, usize) {
        let mut end = offset.min(self.source.len());
        while !self.source.is_char_boundary(end) {
            end -= 1;
        }
        let before = self.source.get(..end).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (line, before.get(start..).unwrap_or_default().chars().count() + 1)
    }

    /// ` (line 3)`, to stand behind what is meant; ` (the default)` for what is not in the file, and
    /// nothing for what came from the command line.
    pub(super) fn place_in_words(&self, at: Option<&Span>) -> String {
        match at {
            _ if self.file == COMMAND_LINE => String::new(),
            Some(span) => format!(" (line {})", self.line_and_column(span.start).0),
            None => " (the default)".to_owned(),
        }
    }
}

/// One table of the file, or one that is left out so that every default holds.
pub(super) struct Section<'a> {
    /// Name in the definitions: `site.limits`.
    name: &'static str,
    /// Path in the file: `site[0].limits`.
    pub(super) path: String,
    table: Option<&'a DeTable<'a>>,
    /// The table's heading.
    pub(super) at: Option<Span>,
}

impl<'a> Section<'a> {
    pub(super) fn new(
        name: &'static str,
        path: String,
        table: Option<&'a DeTable<'a>>,
        at: Option<Span>,
    ) -> Self {
        Self { name, path, table, at }
    }

    /// Opens the table `key` below `parent`, with defaults throughout when it is not there.
    pub(super) fn open(
        log: &mut Log,
        parent: Option<&'a DeTable<'a>>,
        name: &'static str,
        path: String,
    ) -> Self {
        let key = name.rsplit('.').next().unwrap_or(name);
        let Some(item) = parent.and_then(|table| table.get(key)) else {
            return Self::new(name, path, None, None);
        };
        if item.get_ref().as_table().is_none() {
            let problem = format!("{} is found where a table is expected", kind_in_words(item.get_ref()));
            log.error(
                Some(&item.span()),
                &path,
                problem,
                format!("write `[{name}]` on a line of its own and its keys below it"),
            );
        }
        Self::new(name, path, item.get_ref().as_table(), Some(item.span()))
    }

    /// Opens a table below this one.
    pub(super) fn below(&self, log: &mut Log, name: &'static str) -> Self {
        let key = name.rsplit('.').next().unwrap_or(name);
        Section::open(log, self.table, name, format!("{}.{key}", self.path))
    }

    /// Whether the table stands in the file.
    pub(super) fn is_given(&self) -> bool {
        self.at.is_some()
    }

    pub(super) fn key_path<F>(&self, setting: &Setting<F>) -> String {
        format!("{}.{}", self.path, setting.key)
    }

    /// Whether the key stands in the file.
    pub(super) fn has<F>(&self, setting: &Setting<F>) -> bool {
        self.item(setting.key).is_some()
    }

    fn item(&self, key: &str) -> Option<&'a Item<'a>> {
        self.table?.get(key)
    }

    /// The setting's value, or its default where it has one. `None` when it is left out without a
    /// default, or cannot be read (then the log says so).
    pub(super) fn get<F: Form>(&self, log: &mut Log, setting: &Setting<F>) -> Option<Located<F::Output>> {
        debug_assert_eq!(self.name, setting.table, "{} is asked for in the wrong table", setting.key);
        let Some(item) = self.item(setting.key) else {
            if matches!(setting.default, Fallback::Required) {
                self.report_missing(log, setting);
            }
            return setting.read_default().map(|value| Located { value, at: None });
        };
        let mut wrongs = Vec::new();
        let value = setting.form.read(item, &mut wrongs);
        for wrong in wrongs {
            log.error(Some(&wrong.at), &self.key_path(setting), wrong.problem, wrong.fix);
        }
        value.map(|value| Located { value, at: Some(item.span()) })
    }

    /// As [`Self::get`], without the place.
    pub(super) fn value<F: Form>(&self, log: &mut Log, setting: &Setting<F>) -> Option<F::Output> {
        self.get(log, setting).map(|located| located.value)
    }

    fn report_missing<F: Form>(&self, log: &mut Log, setting: &Setting<F>) {
        let misspelt = |key: &str| {
            !is_known(self.name, key) && nearest(key, known_below(self.name)) == Some(setting.key)
        };
        let mut keys = self.table.into_iter().flat_map(DeTable::keys);
        // An unknown key that means this one is reported already, with this one as what to write.
        if log.lost.contains(setting.key) || keys.any(|key| misspelt(key.get_ref())) {
            return;
        }
        log.error(
            self.at.as_ref(),
            &self.key_path(setting),
            format!("`{}` is missing", setting.key),
            format!("write for example {} = {}", setting.key, setting.example),
        );
    }

    /// Reports every key that no definition knows, with the nearest that one does.
    pub(super) fn report_unknown(&self, log: &mut Log) {
        for (key, item) in self.table.into_iter().flat_map(DeTable::iter) {
            if is_known(self.name, key.get_ref()) {
                continue;
            }
            let path = if self.path.is_empty() {
                key.get_ref().to_string()
            } else {
                format!("{}.{}", self.path, key.get_ref())
            };
            let (what, fix) = suggestion(self.name, key.get_ref(), item.get_ref());
            log.error(Some(&key.span()), &path, format!("unknown {what} `{}`", key.get_ref()), fix);
        }
    }
}

/// Keys and tables known directly below table `name`.
fn known_below(name: &str) -> impl Iterator<Item = &'static str> {
    let settings = ALL.iter().filter(move |s| s.table() == name).map(|s| s.key());
    settings.chain(TABLES.iter().filter_map(move |(table, _)| match table.rsplit_once('.') {
        Some((parent, last)) => (parent == name).then_some(last),
        None => name.is_empty().then_some(*table),
    }))
}

fn is_known(name: &str, key: &str) -> bool {
    known_below(name).any(|known| known == key)
}

/// What an unknown key probably is, and what to write instead of it.
fn suggestion(name: &str, key: &str, value: &DeValue<'_>) -> (&'static str, String) {
    let first = value.as_array().and_then(|list| list.first()).map(toml::Spanned::get_ref);
    let is_table = value.is_table() || first.is_some_and(DeValue::is_table);
    let what = if is_table { "table" } else { "key" };
    let here = if name.is_empty() { "at the top of the file".to_owned() } else { format!("in `[{name}]`") };
    let elsewhere = || ALL.iter().find(|s| s.key() == key).map(|s| s.table());
    let fix = if let Some(known) = nearest(key, known_below(name)) {
        let path = if name.is_empty() { known.to_owned() } else { format!("{name}.{known}") };
        let is_heading = is_table && TABLES.iter().any(|(table, _)| *table == path);
        format!("write `{}`", if is_heading { heading(&path) } else { known.to_owned() })
    } else if let Some(table) = elsewhere() {
        format!("write it below `{}`", heading(table))
    } else if let Some(known) = nearest(key, ALL.iter().map(|s| s.key())) {
        let table = ALL.iter().find(|s| s.key() == known).map_or("", |s| s.table());
        format!("write `{known}` below `{}`", heading(table))
    } else {
        let known: Vec<&str> = known_below(name).collect();
        format!("take it out; known {here}: {}", known.join(", "))
    };
    (what, fix)
}

/// A table's name as it is written: `[[site]]`, `[server.cache]`.
pub(super) fn heading(table: &str) -> String {
    if matches!(table, "site" | "calendar" | "watch") { format!("[[{table}]]") } else { format!("[{table}]") }
}

/// The known word that differs least from `word`: by one letter, or by a third of it at most.
fn nearest<'k>(word: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    // A key as long as a page is not a misspelling; the comparison takes the product of lengths.
    if word.len() > 64 {
        return None;
    }
    let word = word.to_lowercase().replace('-', "_");
    let limit = (word.chars().count() / 3).max(1);
    known
        .map(|candidate| (strsim::osa_distance(&word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= limit && *distance < candidate.len())
        .min()
        .map(|(_, candidate)| candidate)
}
