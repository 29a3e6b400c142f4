//! `Accept-Language` (RFC 9110 section 12.5.4), reduced to what matters to an answer: which
//! languages, in which order of preference.
//!
//! How a browser words its weights, in which order it lists what it likes equally, and the case of
//! letters make no difference then, neither to which copy answers nor to what the origin is shown.
//! Limit: the eight languages liked best.

use http::header::{ACCEPT_LANGUAGE, CONTENT_LANGUAGE};
use http::{HeaderMap, HeaderValue};
use smallvec::SmallVec;

/// Languages of a request that are told apart; those liked less are left out.
const LANGUAGES_MAX: usize = 8;
/// Members of the field that are read.
const MEMBERS_MAX: usize = 64;

/// One language and its weight in thousandths.
type Ranked<'a> = SmallVec<[(u16, &'a [u8]); LANGUAGES_MAX]>;

/// The languages of a request, those liked best first. Equal weights stand in alphabetical order.
fn ranked(request: &HeaderMap) -> Ranked<'_> {
    let mut languages = Ranked::new();
    let lines = request.get_all(ACCEPT_LANGUAGE).iter();
    let members = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    for member in members.take(MEMBERS_MAX) {
        let mut parts = member.split(|byte| *byte == b';');
        let tag = parts.next().unwrap_or_default().trim_ascii();
        let weight = parts.next().map_or(Some(1000), weight);
        let is_tag =
            !tag.is_empty() && tag.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-*".contains(byte));
        let (Some(weight @ 1..), true) = (weight, is_tag) else { continue };
        let place = languages.partition_point(|(other_weight, other)| {
            (std::cmp::Reverse(*other_weight), Lower(other)) <= (std::cmp::Reverse(weight), Lower(tag))
        });
        if place < LANGUAGES_MAX {
            languages.truncate(LANGUAGES_MAX - 1);
            languages.insert(place, (weight, tag));
        }
    }
    languages
}

/// Text ordered without regard to case.
struct Lower<'a>(&'a [u8]);

impl PartialEq for Lower<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(other.0)
    }
}

impl Eq for Lower<'_> {}

impl Ord for Lower<'_> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.iter().map(u8::to_ascii_lowercase).cmp(other.0.iter().map(u8::to_ascii_lowercase))
    }
}

impl PartialOrd for Lower<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// Thousandths of a `q=` parameter (RFC 9110 section 12.4.2); `None` when it is none.
fn weight(parameter: &[u8]) -> Option<u16> {
    let parameter = parameter.trim_ascii();
    let digits = parameter.strip_prefix(b"q=").or_else(|| parameter.strip_prefix(b"Q="))?;
    let (whole, fraction) = digits.split_first()?;
    let fraction = if fraction.is_empty() { fraction } else { fraction.strip_prefix(b".")? };
    if fraction.len() > 3 || !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let places = fraction.iter().chain(std::iter::repeat(&b'0')).take(3);
    let thousandths = places.fold(0_u16, |sum, digit| sum * 10 + u16::from(digit - b'0'));
    match whole {
        b'0' => Some(thousandths),
        b'1' if thousandths == 0 => Some(1000),
        _ => None,
    }
}

/// The languages a stored response was chosen by, and the one it is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Languages {
    /// As [`canonical`] writes them.
    asked: Box<[u8]>,
    /// `Content-Language`, where it names one.
    spoken: Option<Box<[u8]>>,
}

impl Languages {
    pub(crate) fn of(response: &HeaderMap, request: &HeaderMap) -> Self {
        let asked = canonical(&ranked(request)).collect();
        let mut lines = response.get_all(CONTENT_LANGUAGE).iter();
        let spoken = match (lines.next(), lines.next()) {
            (Some(line), None) => {
                let tag = line.as_bytes().trim_ascii();
                (!tag.is_empty() && !tag.contains(&b',')).then(|| tag.to_ascii_lowercase().into_boxed_slice())
            }
            _ => None,
        };
        Self { asked, spoken }
    }

    /// Whether the response answers a request: it prefers the same languages in the same order, or
    /// the response is in the one it likes best, which no other response could better.
    pub(crate) fn matches(&self, request: &HeaderMap) -> bool {
        let languages = ranked(request);
        if canonical(&languages).eq(self.asked.iter().copied()) {
            return true;
        }
        match (&self.spoken, languages.as_slice()) {
            (Some(spoken), [(_, best)]) => best.eq_ignore_ascii_case(spoken),
            (Some(spoken), [(weight, best), (next, _), ..]) if weight > next => {
                best.eq_ignore_ascii_case(spoken)
            }
            _ => false,
        }
    }

    /// A field that asks for the same.
    pub(crate) fn field(&self) -> Option<HeaderValue> {
        let mut weights = (0_u8..10).rev();
        let mut text = Vec::with_capacity(self.asked.len().saturating_mul(2));
        for (place, group) in self.asked.split(|byte| *byte == b';').enumerate() {
            let weight = if place > 0 { weights.next() } else { None };
            for tag in group.split(|byte| *byte == b',').filter(|tag| !tag.is_empty()) {
                if !text.is_empty() {
                    text.extend_from_slice(b", ");
                }
                text.extend_from_slice(tag);
                if let Some(weight) = weight {
                    text.extend_from_slice(b";q=0.");
                    text.push(b'0'.saturating_add(weight));
                }
            }
        }
        if text.is_empty() { None } else { HeaderValue::try_from(text).ok() }
    }

    pub(crate) fn asked_bytes(&self) -> usize {
        self.asked.len()
    }

    pub(crate) fn spoken_bytes(&self) -> usize {
        self.spoken.as_ref().map_or(0, |tag| tag.len())
    }
}

/// Lower case; a comma between languages liked equally, a semicolon where the next is liked less.
fn canonical<'a>(languages: &'a Ranked<'_>) -> impl Iterator<Item = u8> + 'a {
    let mut before = None;
    languages.iter().flat_map(move |(weight, tag)| {
        let separator = before.replace(*weight).map(|before| if before == *weight { b',' } else { b';' });
        separator.into_iter().chain(tag.iter().map(u8::to_ascii_lowercase))
    })
}

/// The field to forward to the origin: the same preferences in one wording. `None` without any.
pub(crate) fn field(request: &HeaderMap) -> Option<HeaderValue> {
    let languages = ranked(request);
    let mut text = Vec::with_capacity(64);
    let (mut before, mut tenths) = (None, 10_u8);
    for (weight, tag) in &languages {
        if before.replace(*weight).is_some_and(|before| before != *weight) {
            tenths = tenths.saturating_sub(1);
        }
        if !text.is_empty() {
            text.extend_from_slice(b", ");
        }
        push_in_usual_case(&mut text, tag);
        if tenths < 10 {
            text.extend_from_slice(b";q=0.");
            text.push(b'0'.saturating_add(tenths));
        }
    }
    if text.is_empty() { None } else { HeaderValue::try_from(text).ok() }
}

/// `en`, `en-US`, `zh-Hant-TW`: the case by which origins that compare letters know them (RFC 5646
/// section 2.1.1).
fn push_in_usual_case(text: &mut Vec<u8>, tag: &[u8]) {
    for (place, part) in tag.split(|byte| *byte == b'-').enumerate() {
        if place > 0 {
            text.push(b'-');
        }
        match part.len() {
            2 if place > 0 => text.extend(part.iter().map(u8::to_ascii_uppercase)),
            4 if place > 0 => {
                text.extend(part.iter().take(1).map(u8::to_ascii_uppercase));
                text.extend(part.iter().skip(1).map(u8::to_ascii_lowercase));
            }
            _ => text.extend(part.iter().map(u8::to_ascii_lowercase)),
        }
    }
}
