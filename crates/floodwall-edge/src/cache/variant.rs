//! Which requests a stored response answers, by its `Vary` (RFC 9111 section 4.1).
//!
//! Request values are compared with white space normalised and lines joined. `Accept-Encoding` is
//! reduced to which of three codings it accepts, `Accept-Language` to the order of preference
//! (`languages`), and both are forwarded in that form, so that a visitor cannot multiply the copies
//! of a page by wording them differently; `Cookie` to whether one may be personal. Limit: eight
//! names.

use http::header::{
    ACCEPT_ENCODING, ACCEPT_LANGUAGE, CONTENT_ENCODING, COOKIE, FORWARDED, HeaderName, VARY, VIA,
};
use http::{HeaderMap, HeaderValue};

use super::cookies;
use super::headers::allocation;
use super::languages::Languages;
use super::storability::NotStored;

/// Names in one response's `Vary`; with more it is not stored.
const NAMES_MAX: usize = 8;

/// What a request must say for a stored response to answer it. Empty: every request does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Variant {
    conditions: Box<[Condition]>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Condition {
    name: HeaderName,
    value: Selecting,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Selecting {
    /// A field that was absent must be absent (section 4.1).
    Absent,
    /// Stored for visitors without personal cookies; see `cookies`.
    NoPersonalCookie,
    Text(Box<[u8]>),
    Codings(Codings),
    Languages(Languages),
}

impl Variant {
    /// Reads a response's `Vary` against the request it answered.
    ///
    /// # Errors
    ///
    /// [`NotStored::VariesOnEverything`] for `*`, for names that are none, for too many of them, and
    /// for those that tell the origin who asks: it saw our words there, not the visitor's.
    pub(crate) fn of(response: &HeaderMap, request: &HeaderMap) -> Result<Self, NotStored> {
        let mut conditions: Vec<Condition> = Vec::new();
        for line in response.get_all(VARY) {
            for name in line.as_bytes().split(|byte| *byte == b',') {
                let name = name.trim_ascii();
                if name.is_empty() {
                    continue;
                }
                let name = match HeaderName::from_bytes(name) {
                    Ok(name) if name.as_str() != "*" && !is_told_by_us(&name) => name,
                    _ => return Err(NotStored::VariesOnEverything),
                };
                if conditions.iter().any(|condition| condition.name == name) {
                    continue;
                }
                if conditions.len() == NAMES_MAX {
                    return Err(NotStored::VariesOnEverything);
                }
                let value = selecting(response, request, &name);
                conditions.push(Condition { name, value });
            }
        }
        Ok(Self { conditions: conditions.into_boxed_slice() })
    }

    /// Whether a request with this header is answered by the response. Allocates nothing.
    pub(crate) fn matches(&self, request: &HeaderMap) -> bool {
        self.conditions.iter().all(|condition| match &condition.value {
            Selecting::Absent => !request.contains_key(&condition.name),
            Selecting::NoPersonalCookie => !cookies::has_personal(request),
            Selecting::Codings(codings) => *codings == Codings::accepted_by(request),
            Selecting::Languages(languages) => languages.matches(request),
            Selecting::Text(text) => {
                request.contains_key(&condition.name)
                    && normalised(request, &condition.name).eq(text.iter().copied())
            }
        })
    }

    pub(crate) fn is_for_everybody(&self) -> bool {
        self.conditions.is_empty()
    }

    pub(crate) fn depends_on_cookie(&self) -> bool {
        self.conditions.iter().any(|condition| condition.name == COOKIE)
    }

    /// Whether the body is in a coding the request's reduced form asked for. Where the answer
    /// varies on it, another coding would be handed to visitors who cannot read it.
    pub(crate) fn allows_coding_of(&self, response: &HeaderMap) -> bool {
        let Some(codings) = self.codings() else {
            return true;
        };
        let lines = response.get_all(CONTENT_ENCODING).iter();
        lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b',')).all(|coding| {
            let coding = coding.trim_ascii();
            coding.is_empty()
                || coding.eq_ignore_ascii_case(b"identity")
                || Codings::named(coding).is_some_and(|bit| codings.0 & bit != 0)
        })
    }

    /// The codings it was chosen by, where it varies on them.
    pub(crate) fn codings(&self) -> Option<Codings> {
        self.conditions.iter().find_map(|condition| match condition.value {
            Selecting::Codings(codings) => Some(codings),
            _ => None,
        })
    }

    /// The header of a request that it answers.
    pub(crate) fn as_request(&self) -> HeaderMap {
        let mut request = HeaderMap::new();
        for condition in &self.conditions {
            let value = match &condition.value {
                Selecting::Absent | Selecting::NoPersonalCookie => continue,
                Selecting::Text(text) => HeaderValue::from_bytes(text).ok(),
                Selecting::Codings(codings) => Some(codings.field()),
                Selecting::Languages(languages) => languages.field(),
            };
            if let Some(value) = value {
                request.insert(condition.name.clone(), value);
            }
        }
        request
    }

    /// Bytes of memory on the heap.
    pub(crate) fn heap_bytes(&self) -> u64 {
        let table = allocation(size_of_val::<[Condition]>(&self.conditions));
        self.conditions.iter().fold(table, |sum, condition| {
            let text = match &condition.value {
                Selecting::Text(text) => allocation(text.len()),
                Selecting::Languages(languages) => {
                    allocation(languages.asked_bytes()).saturating_add(allocation(languages.spoken_bytes()))
                }
                Selecting::Absent | Selecting::NoPersonalCookie | Selecting::Codings(_) => 0,
            };
            sum.saturating_add(text).saturating_add(allocation(condition.name.as_str().len()))
        })
    }
}

/// Fields the edge writes itself. What stands in the visitor's own request under these names says
/// nothing of the answer; scheme and host, which we tell as well, are part of the key.
fn is_told_by_us(name: &HeaderName) -> bool {
    *name == FORWARDED || *name == VIA || name.as_str() == "x-forwarded-for"
}

fn selecting(response: &HeaderMap, request: &HeaderMap, name: &HeaderName) -> Selecting {
    if *name == ACCEPT_ENCODING {
        Selecting::Codings(Codings::accepted_by(request))
    } else if *name == ACCEPT_LANGUAGE {
        Selecting::Languages(Languages::of(response, request))
    } else if *name == COOKIE {
        // With a personal cookie the response is not stored at all.
        Selecting::NoPersonalCookie
    } else if request.contains_key(name) {
        Selecting::Text(normalised(request, name).collect())
    } else {
        Selecting::Absent
    }
}

/// The lines of a field joined by commas, without white space around commas and with single spaces
/// elsewhere; quoted strings stay as they are.
fn normalised<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = u8> + 'a {
    let mut lines = headers.get_all(name).iter();
    let mut line: &[u8] = lines.next().map_or(b"", |value| value.as_bytes().trim_ascii());
    let mut quoted = false;
    let mut escaped = false;
    std::iter::from_fn(move || {
        let Some((byte, rest)) = line.split_first() else {
            line = lines.next()?.as_bytes().trim_ascii();
            quoted = false;
            escaped = false;
            return Some(b',');
        };
        line = rest;
        if quoted {
            quoted = escaped || *byte != b'"';
            escaped = !escaped && *byte == b'\\';
            return Some(*byte);
        }
        match byte {
            b'"' => quoted = true,
            b',' => line = rest.trim_ascii_start(),
            b' ' | b'\t' => {
                let text = rest.trim_ascii_start();
                line = text;
                if let Some(after_comma) = text.strip_prefix(b",") {
                    line = after_comma.trim_ascii_start();
                    return Some(b',');
                }
                return Some(b' ');
            }
            _ => {}
        }
        Some(*byte)
    })
}

/// Which content codings a request accepts, of those worth telling apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Codings(u8);

const BROTLI: u8 = 1;
const GZIP: u8 = 2;
const ZSTD: u8 = 4;

impl Codings {
    fn named(coding: &[u8]) -> Option<u8> {
        let is = |name: &str| coding.eq_ignore_ascii_case(name.as_bytes());
        if is("gzip") || is("x-gzip") {
            Some(GZIP)
        } else if is("br") {
            Some(BROTLI)
        } else if is("zstd") {
            Some(ZSTD)
        } else {
            None
        }
    }

    /// Reads `Accept-Encoding` (RFC 9110 section 12.5.3). No field at all accepts none here: that
    /// is the answer every client can read. Weights only say yes or no.
    pub(crate) fn accepted_by(request: &HeaderMap) -> Self {
        let (mut accepted, mut refused, mut others) = (0, 0, false);
        for line in request.get_all(ACCEPT_ENCODING) {
            for member in line.as_bytes().split(|byte| *byte == b',') {
                let mut parts = member.split(|byte| *byte == b';');
                let coding = parts.next().unwrap_or_default().trim_ascii();
                let wanted = !parts.any(is_zero_weight);
                match Self::named(coding) {
                    Some(bit) if wanted => accepted |= bit,
                    Some(bit) => refused |= bit,
                    None if coding == b"*" => others = wanted,
                    None => {}
                }
            }
        }
        if others {
            accepted |= BROTLI | GZIP | ZSTD;
        }
        Self(accepted & !refused)
    }

    /// One bit for each coding, below eight.
    pub(crate) fn bits(self) -> u8 {
        self.0
    }

    /// The field to forward to the origin.
    pub(crate) fn field(self) -> HeaderValue {
        HeaderValue::from_static(match self.0 {
            0 => "identity",
            BROTLI => "br",
            GZIP => "gzip",
            ZSTD => "zstd",
            3 => "br, gzip",
            5 => "br, zstd",
            6 => "gzip, zstd",
            _ => "br, gzip, zstd",
        })
    }
}

fn is_zero_weight(parameter: &[u8]) -> bool {
    let parameter = parameter.trim_ascii();
    let Some(weight) = parameter.strip_prefix(b"q=").or_else(|| parameter.strip_prefix(b"Q=")) else {
        return false;
    };
    !weight.is_empty() && weight.iter().all(|byte| matches!(byte, b'0' | b'.'))
}
