//! The fields of an answer as the lines they came in.
//!
//! An answer that is only passed on is not looked at field by field: making a table of its fields and
//! writing that out again was a fifth of what such a request cost us beside the kernel. So its lines are
//! kept, and whoever needs a table makes one.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};

use super::{AnswerFault, Framing};
use crate::place::header_name;

/// Whole lines of a head, each with its CRLF, without those that are for one hop or frame the body.
#[derive(Clone, Debug)]
pub(crate) struct FieldLines {
    lines: Vec<u8>,
    /// One of them is `Date`.
    dated: bool,
    /// What the edge adds.
    added: Option<(HeaderName, HeaderValue)>,
}

impl FieldLines {
    pub(super) fn new(lines: Vec<u8>, dated: bool) -> Self {
        Self { lines, dated, added: None }
    }

    /// Adds a field behind the others.
    pub(crate) fn add(&mut self, name: HeaderName, value: HeaderValue) {
        self.added = Some((name, value));
    }

    pub(crate) fn added(&self) -> Option<&(HeaderName, HeaderValue)> {
        self.added.as_ref()
    }

    /// Whether one of the lines is `Date`.
    pub(crate) fn is_dated(&self) -> bool {
        self.dated
    }

    /// The lines as they came, without what was added.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.lines
    }

    /// The fields, and what was added, behind those that are in `table`.
    ///
    /// # Errors
    /// There are too many; else none, as the lines have been read before.
    pub(crate) fn append_to(&self, table: &mut HeaderMap) -> Result<(), AnswerFault> {
        // All values are parts of one copy.
        let text = Bytes::copy_from_slice(&self.lines);
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            let colon = memchr::memchr(b':', line).ok_or(AnswerFault::Head(httparse::Error::HeaderName))?;
            let (name, value) = line.split_at_checked(colon).unwrap_or_default();
            let value = value.get(1..).unwrap_or_default().trim_ascii();
            let name = header_name(name).map_err(|_| AnswerFault::Head(httparse::Error::HeaderName))?;
            let value = HeaderValue::from_maybe_shared(text.slice_ref(value))
                .map_err(|_| AnswerFault::Head(httparse::Error::HeaderValue))?;
            table.try_append(name, value).map_err(|_| AnswerFault::TooManyFields)?;
        }
        if let Some((name, value)) = &self.added {
            table.try_append(name, value.clone()).map_err(|_| AnswerFault::TooManyFields)?;
        }
        Ok(())
    }
}

/// The fields of an answer, what is for one hop left out, and nothing that frames the body otherwise
/// than it was read.
#[derive(Clone, Debug)]
pub(crate) enum AnswerFields {
    Table(HeaderMap),
    /// Without a `Content-Length`, which the framing says.
    Lines(Box<FieldLines>),
}

impl AnswerFields {
    /// The fields as a table; `framing` is the answer's, before any of its body was taken.
    ///
    /// # Errors
    /// As [`FieldLines::append_to`].
    pub(crate) fn into_table(self, framing: Option<u64>) -> Result<HeaderMap, AnswerFault> {
        let lines = match self {
            Self::Table(table) => return Ok(table),
            Self::Lines(lines) => lines,
        };
        let mut table = HeaderMap::new();
        lines.append_to(&mut table)?;
        if let Some(bytes) = framing {
            table
                .try_insert(CONTENT_LENGTH, HeaderValue::from(bytes))
                .map_err(|_| AnswerFault::TooManyFields)?;
        }
        Ok(table)
    }
}

/// What [`AnswerFields::into_table`] wants to know of a framing.
pub(crate) fn announced(framing: Framing) -> Option<u64> {
    match framing {
        Framing::Length(bytes) => Some(bytes),
        Framing::Chunked(_) | Framing::UntilClose | Framing::Closed => None,
    }
}
