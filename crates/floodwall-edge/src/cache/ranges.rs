//! Parts of a stored complete response (RFC 9110 section 14).
//!
//! One range is answered with 206. A request for several gets the whole: section 14.2 lets a server
//! ignore `Range`, every client must be able to take the whole, and an answer of many parts is what
//! range floods are made of: each is put together anew, and a short request can ask for more bytes
//! than the page has.

use http::header::{CONTENT_LENGTH, CONTENT_RANGE, DATE, ETAG, IF_RANGE, LAST_MODIFIED, RANGE};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::entry::CachedResponse;
use super::freshness::single_date;

/// What a request asks of a complete representation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// All of it.
    Whole,
    /// The bytes from `first` to before `end`; never none.
    Bytes { first: usize, end: usize },
    /// A range that begins after its end: 416.
    Unsatisfiable,
}

impl Part {
    /// What a GET with this header asks of `stored`, its preconditions having been looked at.
    pub(crate) fn asked(stored: &CachedResponse, request: &HeaderMap) -> Self {
        let mut lines = request.get_all(RANGE).iter();
        let (Some(line), None) = (lines.next(), lines.next()) else {
            return Self::Whole;
        };
        if stored.status() != StatusCode::OK || !if_range_holds(stored, request) {
            return Self::Whole;
        }
        of_line(line.as_bytes(), stored.body().len())
    }

    /// Sets the fields that tell of the part (RFC 9110 section 14.4).
    pub(crate) fn describe(self, fields: &mut HeaderMap, complete: usize) {
        let (text, length) = match self {
            Self::Whole => return,
            Self::Bytes { first, end } => {
                (format!("bytes {first}-{}/{complete}", end.saturating_sub(1)), end.saturating_sub(first))
            }
            Self::Unsatisfiable => (format!("bytes */{complete}"), 0),
        };
        if let Ok(value) = HeaderValue::try_from(text) {
            fields.insert(CONTENT_RANGE, value);
            fields.insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
    }
}

/// Reads `bytes=first-last`, `bytes=first-` and `bytes=-suffix`. Anything else is ignored (section
/// 14.2), several ranges among it.
fn of_line(line: &[u8], complete: usize) -> Part {
    let Some((unit, set)) = line.split_at_checked(6) else {
        return Part::Whole;
    };
    if !unit.eq_ignore_ascii_case(b"bytes=") {
        return Part::Whole;
    }
    let mut members = set.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|one| !one.is_empty());
    let (Some(member), None) = (members.next(), members.next()) else {
        return Part::Whole;
    };
    let mut halves = member.splitn(2, |byte| *byte == b'-');
    let (Some(first), Some(last)) = (halves.next(), halves.next()) else {
        return Part::Whole;
    };
    match (position(first), position(last)) {
        (Some(first), None) if last.is_empty() => from(first, complete, complete),
        (Some(first), Some(last)) if first <= last => from(first, last.saturating_add(1), complete),
        (None, Some(suffix)) if first.is_empty() => from(complete.saturating_sub(suffix), complete, complete),
        _ => Part::Whole,
    }
}

fn from(first: usize, end: usize, complete: usize) -> Part {
    if first < complete { Part::Bytes { first, end: end.min(complete) } } else { Part::Unsatisfiable }
}

/// A position; one too large to count is past any end.
fn position(digits: &[u8]) -> Option<usize> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(
        digits
            .iter()
            .fold(0_usize, |sum, digit| sum.saturating_mul(10).saturating_add(usize::from(digit - b'0'))),
    )
}

/// RFC 9110 section 13.1.5: a strong tag that is the stored one, or the date of a response that
/// cannot have changed twice in it (section 8.8.2.2).
fn if_range_holds(stored: &CachedResponse, request: &HeaderMap) -> bool {
    let mut lines = request.get_all(IF_RANGE).iter();
    let Some(line) = lines.next() else {
        return true;
    };
    if lines.next().is_some() {
        return false;
    }
    let asked = line.as_bytes().trim_ascii();
    if asked.starts_with(b"\"") {
        return stored.fields().get(ETAG).is_some_and(|tag| tag.as_bytes().trim_ascii() == asked);
    }
    let (Some(modified), Some(date)) =
        (single_date(stored.fields(), &LAST_MODIFIED), single_date(stored.fields(), &DATE))
    else {
        return false;
    };
    single_date(request, &IF_RANGE) == Some(modified) && modified < date
}
