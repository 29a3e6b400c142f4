//! Faults of a settings file, and how they are shown: as text with the faulty line, or as JSON.
//!
//! The list is bounded ([`FAULTS_MAX`]); what is beyond is counted. Passwords that stand in a URL
//! are masked before any line of the file is shown.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, MietteSpanContents,
    SourceCode, SourceSpan, SpanContents,
};
use serde::Serialize;

/// Most faults kept of one file. Nobody mends more in one go, and a file may be a mistaken one.
pub(crate) const FAULTS_MAX: usize = 200;

/// Longest text of the file shown with one fault.
const SHOWN_BYTES_MAX: usize = 1000;

/// Narrowest and widest lines that are written: below, words would break; above, the eye loses its
/// way back to the next line.
const COLUMNS_MIN: usize = 40;
const COLUMNS_MAX: usize = 100;

/// How text for people is written; the caller knows its terminal and `NO_COLOR`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TextForm {
    /// With ANSI colours.
    pub(crate) color: bool,
    /// Characters in one line, held to 40 at least and 100 at most. Lines of the file are shown whole.
    pub(crate) columns: usize,
}

impl TextForm {
    /// For whatever is no terminal.
    pub(crate) const PLAIN: Self = Self { color: false, columns: COLUMNS_MAX };
}

/// How bad a fault is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Severity {
    /// Floodwall does not start with it.
    Error,
    /// Floodwall starts, but hardly does what was meant.
    Warning,
}

impl Severity {
    /// The word for it: `error` or `warning`.
    #[must_use]
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One thing wrong with the settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Fault {
    /// How bad it is.
    pub(crate) severity: Severity,
    /// The file as it was named, or `command line`.
    pub(crate) file: String,
    /// Line, from 1; `None` where no line is at fault (an unreadable file, the command line).
    pub(crate) line: Option<usize>,
    /// Column in characters, from 1; `None` together with the line.
    pub(crate) column: Option<usize>,
    /// The key's path, sites counted from 0: `site[0].hosts`. Empty where no key is at fault.
    pub(crate) key: String,
    /// What is wrong.
    pub(crate) problem: String,
    /// What to write or do instead.
    pub(crate) fix: String,
    /// The faulty bytes of the file.
    #[serde(skip)]
    pub(crate) span: Option<Range<usize>>,
}

impl Fault {
    /// `floodwall.toml:3:1: `, or only the file's name where no line is at fault.
    fn place(&self) -> String {
        match (self.line, self.column) {
            (Some(line), Some(column)) => format!("{}:{line}:{column}: ", self.file),
            _ => format!("{}: ", self.file),
        }
    }
}

impl fmt::Display for Fault {
    /// One line: `floodwall.toml:3:1: error: server.http: unknown key; write ...`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}: ", self.place(), self.severity.as_str())?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        write!(f, "{}; {}", self.problem, self.fix)
    }
}

/// All faults of one file, in the order of its lines, with the file's text to show them in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Faults {
    list: Vec<Fault>,
    /// The file's text with passwords masked, byte for byte as long as the file.
    source: Arc<str>,
    dropped: usize,
    unreadable: bool,
}

impl std::error::Error for Faults {}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.list.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{fault}")?;
        }
        Ok(())
    }
}

impl<'a> IntoIterator for &'a Faults {
    type Item = &'a Fault;
    type IntoIter = std::slice::Iter<'a, Fault>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.iter()
    }
}

impl Faults {
    /// No faults yet, of a file with this text.
    #[must_use]
    pub(crate) fn of_source(source: &str) -> Self {
        Self { source: Arc::from(mask_passwords(source)), ..Self::default() }
    }

    /// The one fault of a file that cannot be read at all.
    #[must_use]
    pub(crate) fn unreadable(file: &str, problem: String, fix: String) -> Self {
        let fault = Fault {
            severity: Severity::Error,
            file: file.to_owned(),
            line: None,
            column: None,
            key: String::new(),
            problem,
            fix,
            span: None,
        };
        Self { list: vec![fault], unreadable: true, ..Self::default() }
    }

    /// Whether [`FAULTS_MAX`] are kept; then a further one is counted and need not be worked out.
    pub(super) fn count_if_full(&mut self) -> bool {
        let full = self.list.len() >= FAULTS_MAX;
        self.dropped += usize::from(full);
        full
    }

    /// Adds one, unless the same is there already; counts it only once [`FAULTS_MAX`] are kept.
    pub(crate) fn push(&mut self, fault: Fault) {
        if self.list.last() == Some(&fault) {
            return;
        }
        if self.list.len() < FAULTS_MAX {
            self.list.push(fault);
        } else {
            self.dropped += 1;
        }
    }

    /// Puts the faults into the order of the file; those without a line come first.
    pub(crate) fn sort(&mut self) {
        self.list.sort_by(|a, b| (a.line, a.column, &a.key).cmp(&(b.line, b.column, &b.key)));
    }

    /// Every fault kept.
    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Fault> {
        self.list.iter()
    }

    /// Whether there is none.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many of this severity are kept.
    #[must_use]
    pub(crate) fn count(&self, severity: Severity) -> usize {
        self.list.iter().filter(|f| f.severity == severity).count()
    }

    /// Whether any keeps Floodwall from starting. (Dropped ones count: they may be errors.)
    #[must_use]
    pub(crate) fn has_errors(&self) -> bool {
        self.count(Severity::Error) > 0 || self.dropped > 0
    }

    /// Whether the file could not be read at all, so that nothing is known of its settings.
    #[must_use]
    pub(crate) fn is_unreadable(&self) -> bool {
        self.unreadable
    }

    /// For settings that came from the command line: names options instead of keys, and lets go of
    /// lines, columns and source.
    pub(super) fn into_command_line(mut self) -> Self {
        let options =
            [("server.http", "--listen"), ("server.admin", "--admin"), ("site[0].origin", "--origin")];
        for fault in &mut self.list {
            for (key, option) in options {
                fault.key = fault.key.replace(key, option);
                fault.problem = fault.problem.replace(key, option);
            }
            (fault.line, fault.column, fault.span) = (None, None, None);
        }
        self.source = Arc::from("");
        self
    }

    /// Every fault as a JSON array of objects with `severity`, `file`, `line`, `column`, `key`,
    /// `problem` and `fix`.
    #[must_use]
    pub(crate) fn to_json(&self) -> serde_json::Value {
        self.list.iter().map(|f| serde_json::to_value(f).unwrap_or_default()).collect()
    }

    /// Every fault with the line it stands in and a mark below the place, in the given form.
    #[must_use]
    pub(crate) fn render(&self, form: TextForm) -> String {
        let theme = if form.color { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        let handler = GraphicalReportHandler::new_themed(theme)
            .with_links(false)
            .without_syntax_highlighting()
            .with_width(form.columns.clamp(COLUMNS_MIN, COLUMNS_MAX));
        let mut text = String::new();
        for fault in &self.list {
            let shown = Shown { fault, source: Lines { name: &fault.file, text: &self.source } };
            let mut block = String::new();
            if handler.render_report(&mut block, &shown).is_err() {
                block = format!("{fault}\n");
            }
            text.push_str(block.trim_end());
            text.push_str("\n\n");
        }
        if self.dropped > 0 {
            text.push_str(&format!("{} more faults are not shown; mend these first.\n", self.dropped));
        }
        text
    }
}

/// A fault as miette wants it.
#[derive(Debug)]
struct Shown<'a> {
    fault: &'a Fault,
    source: Lines<'a>,
}

/// A file of which a fault's own line is shown, whole, and nothing around it. Asked for a span
/// without context, it gives the span alone: from that comes the column in the heading.
#[derive(Debug)]
struct Lines<'a> {
    name: &'a str,
    text: &'a str,
}

impl Lines<'_> {
    /// The lines the span touches; `None` when they are too long to be of use on a terminal.
    fn around(&self, span: &Range<usize>) -> Option<Range<usize>> {
        let start = self.text.get(..span.start)?.rfind('\n').map_or(0, |newline| newline + 1);
        let end = self.text.get(span.end..)?.find('\n').map_or(self.text.len(), |newline| span.end + newline);
        // The renderer would count the carriage return at the end as a line of its own.
        let end = if self.text.get(span.end..end)?.ends_with('\r') { end - 1 } else { end };
        (end - start <= SHOWN_BYTES_MAX).then_some(start..end)
    }
}

impl SourceCode for Lines<'_> {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        lines_before: usize,
        lines_after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let span = span.offset()..span.offset() + span.len();
        let lines = self.around(&span).ok_or(MietteError::OutOfBounds)?;
        let text = |range: Range<usize>| self.text.get(range).ok_or(MietteError::OutOfBounds);
        let column = text(lines.start..span.start)?.chars().count();
        let (range, column) =
            if lines_before + lines_after == 0 { (span, column) } else { (lines.clone(), 0) };
        let shown = text(range.clone())?;
        Ok(Box::new(MietteSpanContents::new_named(
            self.name.to_owned(),
            shown.as_bytes(),
            (range.start, range.len()).into(),
            text(0..lines.start)?.matches('\n').count(),
            column,
            shown.lines().count(),
        )))
    }
}

impl std::error::Error for Shown<'_> {}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.source_code().is_none() {
            write!(f, "{}", self.fault.place())?;
        }
        let severity = self.fault.severity.as_str();
        if self.fault.key.is_empty() {
            write!(f, "{severity}: {}", self.fault.problem)
        } else {
            write!(f, "{severity}: {}: {}", self.fault.key, self.fault.problem)
        }
    }
}

impl Diagnostic for Shown<'_> {
    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.fault.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(&self.fault.fix))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        let span = self.fault.span.as_ref()?;
        self.source.around(span).map(|_| &self.source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let span = self.fault.span.clone()?;
        Some(Box::new(std::iter::once(LabeledSpan::new_with_span(None, span))))
    }
}

/// Replaces what stands between `://` and `@` by asterisks, length kept: a password in an origin's
/// URL is a fault of its own and must not be shown while saying so.
pub(super) fn mask_passwords(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(found) = rest.find("://") {
        let (before, after) = rest.split_at(found + 3);
        masked.push_str(before);
        let end =
            after.find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '/')).unwrap_or(after.len());
        let (authority, remainder) = after.split_at(end);
        match authority.rfind('@') {
            Some(at) => {
                let (secret, host) = authority.split_at(at);
                masked.extend(std::iter::repeat_n('*', secret.len()));
                masked.push_str(host);
            }
            None => masked.push_str(authority),
        }
        rest = remainder;
    }
    masked.push_str(rest);
    masked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_masked_and_lengths_kept() {
        for (text, masked) in [
            ("origin = [\"http://joe:s3cret@10.0.0.5\"]", "origin = [\"http://**********@10.0.0.5\"]"),
            ("a http://x/@ b http://ü@y", "a http://x/@ b http://**@y"),
            ("user@example.gov http://h", "user@example.gov http://h"),
        ] {
            assert_eq!(mask_passwords(text), masked);
            assert_eq!(mask_passwords(text).len(), text.len());
        }
    }

    #[test]
    fn faults_beyond_the_bound_are_counted() {
        let mut faults = Faults::of_source("");
        let one = Faults::unreadable("f", String::new(), String::new()).list.remove(0);
        for index in 0..FAULTS_MAX + 7 {
            faults.push(Fault { severity: Severity::Warning, key: index.to_string(), ..one.clone() });
        }
        assert_eq!(faults.iter().count(), FAULTS_MAX);
        assert!(faults.render(TextForm::PLAIN).ends_with("7 more faults are not shown; mend these first.\n"));
        assert!(faults.has_errors(), "the dropped ones may be errors");
    }
}
