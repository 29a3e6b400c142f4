//! What a setting is: one definition holding its name, its default, its reading and its text.
//!
//! Everything else comes out of the definition: the documentation is written from it, the default
//! is read like a value in the file, and an unknown key is compared with the known ones.

use std::ops::Range;

use toml::Spanned;
use toml::de::DeValue;

/// Bytes of the settings file.
pub(super) type Span = Range<usize>;

/// A value as it stands in the file.
pub(super) type Item<'a> = Spanned<DeValue<'a>>;

/// A value together with where it stands; `at` is `None` for a default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Located<T> {
    pub(super) value: T,
    pub(super) at: Option<Span>,
}

/// Why a value cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) at: Span,
    pub(super) problem: String,
    pub(super) fix: String,
}

/// What kind of value a setting takes.
pub(super) trait Form: Sync {
    /// What the value is turned into.
    type Output;

    /// The kind in words, bounds included: `a duration from 100ms to 1h`.
    fn expected(&self) -> String;

    /// Reads a value. Everything wrong with it is added to `wrongs`; a list gives back its good
    /// elements all the same, so that these can be checked further.
    fn read(&self, item: &Item<'_>, wrongs: &mut Vec<Wrong>) -> Option<Self::Output>;

    /// The value without the places of its elements: a default stands nowhere in the file.
    fn without_places(&self, value: Self::Output) -> Self::Output {
        value
    }
}

/// What holds when a key is not in the file.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fallback {
    /// This value, written as in the file.
    Toml(&'static str),
    /// What these words say; the code that asks for the setting fills it in.
    #[cfg_attr(not(test), expect(dead_code, reason = "a test writes the documentation from it"))]
    Words(&'static str),
    /// Nothing: the key has to be given.
    Required,
}

/// One setting.
pub(super) struct Setting<F> {
    /// The table it stands in: `server.timeouts`.
    pub(super) table: &'static str,
    /// Its key: `header`.
    pub(super) key: &'static str,
    /// Its value when it is not given.
    pub(super) default: Fallback,
    /// A value to show, written as in the file.
    pub(super) example: &'static str,
    /// What it does.
    #[cfg_attr(not(test), expect(dead_code, reason = "a test writes the documentation from it"))]
    pub(super) doc: &'static str,
    /// How it is read.
    pub(super) form: F,
}

/// A setting of whatever kind.
pub(super) trait Described: Sync {
    fn table(&self) -> &'static str;
    fn key(&self) -> &'static str;
    #[cfg(test)]
    fn entry(&self) -> Entry;
}

/// What the documentation says of a setting.
#[cfg(test)]
pub(super) struct Entry {
    pub(super) default: Fallback,
    pub(super) example: &'static str,
    pub(super) doc: &'static str,
    pub(super) expected: String,
}

impl<F: Form> Described for Setting<F> {
    fn table(&self) -> &'static str {
        self.table
    }

    fn key(&self) -> &'static str {
        self.key
    }

    #[cfg(test)]
    fn entry(&self) -> Entry {
        Entry { default: self.default, example: self.example, doc: self.doc, expected: self.form.expected() }
    }
}

impl<F: Form> Setting<F> {
    /// The default read like a value in the file; `None` where there is none to read.
    pub(super) fn read_default(&self) -> Option<F::Output> {
        let Fallback::Toml(text) = self.default else { return None };
        let item = DeValue::parse(text).ok()?;
        // A default that is not accepted by its own form is caught by a test over all settings.
        let value = self.form.read(&item, &mut Vec::new())?;
        Some(self.form.without_places(value))
    }
}

/// A value's kind in plain words: `a whole number`.
pub(super) fn kind_in_words(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
