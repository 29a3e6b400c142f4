//! What a request looks like, in twelve numbers: the fields a signature can be made of.
//!
//! Texts are hashed with keys of the process's own (SipHash, Aumasson and Bernstein 2012), so that
//! nobody can make a request whose number is another's. Six of the fields say what kind of program asks,
//! the others what is asked for and from where; only the former tell a flood from a crowd.

use std::hash::Hasher as _;
use std::net::IpAddr;

use floodwall_model::{Prefix, Protocol};

use super::agent;
use super::template;
use crate::prefix_limiter::hash_words;

/// One field of [`ClientTraits`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TraitField {
    /// The path with numbers and identifiers left out.
    Path,
    /// The names in the query, not the values.
    Query,
    /// The request method.
    Method,
    /// Where the visitor came from: [`Referrer`].
    Referrer,
    /// Names of the header's fields, in their order.
    HeaderOrder,
    /// The browser's family and system, or the program's name; never its version.
    Agent,
    /// The TLS hello's fingerprint.
    Fingerprint,
    /// The settings an HTTP/2 client opens with.
    Http2Settings,
    /// The protocol.
    Protocol,
    /// Whether a language is asked for, as every browser does.
    Language,
    /// The network: a /24, or a /48 in IPv6.
    Network,
    /// The autonomous system, where it is known.
    System,
}

impl TraitField {
    /// Every field.
    pub const ALL: [Self; 12] = [
        Self::Path,
        Self::Query,
        Self::Method,
        Self::Referrer,
        Self::HeaderOrder,
        Self::Agent,
        Self::Fingerprint,
        Self::Http2Settings,
        Self::Protocol,
        Self::Language,
        Self::Network,
        Self::System,
    ];

    /// Whether it says what kind of program asks, and not what is asked for or from where.
    #[must_use]
    pub fn is_of_program(self) -> bool {
        match self {
            Self::Path | Self::Query | Self::Method | Self::Referrer | Self::Network | Self::System => false,
            Self::HeaderOrder
            | Self::Agent
            | Self::Fingerprint
            | Self::Http2Settings
            | Self::Protocol
            | Self::Language => true,
        }
    }

    /// A short name for records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Query => "query",
            Self::Method => "method",
            Self::Referrer => "referrer",
            Self::HeaderOrder => "header_order",
            Self::Agent => "agent",
            Self::Fingerprint => "tls_fingerprint",
            Self::Http2Settings => "http2_settings",
            Self::Protocol => "protocol",
            Self::Language => "language",
            Self::Network => "network",
            Self::System => "autonomous_system",
        }
    }
}

/// Where a visitor came from, as his browser says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Referrer {
    /// It says nothing.
    #[default]
    None,
    /// From a page of the same site.
    SameSite,
    /// From elsewhere.
    Elsewhere,
}

impl Referrer {
    /// Reads a `Referer` field (RFC 9110, section 10.1.3); `host` is the site's that was asked for.
    #[must_use]
    pub fn of(field: Option<&[u8]>, host: &str) -> Self {
        let Some(field) = field.filter(|field| !field.is_empty()) else { return Self::None };
        let mut parts = field.split(|byte| *byte == b'/');
        let authority = parts.nth(2).unwrap_or_default();
        if authority.eq_ignore_ascii_case(host.as_bytes()) { Self::SameSite } else { Self::Elsewhere }
    }

    fn code(self) -> u32 {
        match self {
            Self::None => 1,
            Self::SameSite => 2,
            Self::Elsewhere => 3,
        }
    }
}

/// A fingerprint the mechanism has taken: its number, and how it is written.
#[derive(Clone, Copy, Debug)]
pub struct Mark<'a> {
    /// Its hash.
    pub number: u32,
    /// As people know it, such as a JA4.
    pub words: &'a str,
}

/// What traits are taken from. It borrows from the request.
#[derive(Clone, Copy, Debug)]
pub struct RequestShape<'a> {
    /// The visitor's address.
    pub client: IpAddr,
    /// The method.
    pub method: &'a str,
    /// The path without the query.
    pub path: &'a str,
    /// The query without the `?`.
    pub query: Option<&'a str>,
    /// The `User-Agent` field.
    pub user_agent: Option<&'a [u8]>,
    /// Where the visitor came from.
    pub referrer: Referrer,
    /// The protocol.
    pub protocol: Protocol,
    /// Whether there is an `Accept-Language` field.
    pub asks_for_language: bool,
    /// The TLS hello's.
    pub fingerprint: Option<Mark<'a>>,
    /// HTTP/2's.
    pub http2_settings: Option<Mark<'a>>,
    /// The number of the autonomous system.
    pub system: Option<u32>,
}

/// What a request looks like: a number for each [`TraitField`], 0 where there is nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientTraits(pub(super) [u32; TraitField::ALL.len()]);

impl ClientTraits {
    /// The value of a field.
    #[must_use]
    pub fn get(&self, field: TraitField) -> u32 {
        self.0.get(field as usize).copied().unwrap_or(0)
    }

    /// Sets the value of a field.
    #[must_use]
    pub fn with(mut self, field: TraitField, value: u32) -> Self {
        if let Some(place) = self.0.get_mut(field as usize) {
            *place = value;
        }
        self
    }
}

/// The keys traits are hashed with.
#[derive(Clone, Copy, Debug)]
pub struct TraitKeys(u64, u64);

impl TraitKeys {
    /// `seed` must be random and secret.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed, seed.rotate_left(32) ^ 0x9E37_79B9_7F4A_7C15)
    }

    /// Takes the traits of a request; `header_names` are those of its header, in their order, in lower
    /// case. Allocates nothing; some 700 ns.
    #[must_use]
    pub fn traits<'n>(
        &self,
        shape: &RequestShape<'_>,
        header_names: impl Iterator<Item = &'n str>,
    ) -> ClientTraits {
        let network = Prefix::of_network(shape.client);
        let system = shape.system.unwrap_or(0);
        ClientTraits::default()
            .with(TraitField::Path, self.hash(|text| template::path(shape.path, &mut |part| text.push(part))))
            .with(
                TraitField::Query,
                shape
                    .query
                    .map_or(0, |query| self.hash(|text| template::query(query, &mut |part| text.push(part)))),
            )
            .with(TraitField::Method, self.method(shape.method))
            .with(TraitField::Referrer, shape.referrer.code())
            .with(
                TraitField::HeaderOrder,
                self.hash(|text| header_order(header_names, &mut |part| text.push(part))),
            )
            .with(
                TraitField::Agent,
                agent::number(shape.user_agent, |name| self.hash(|text| text.push(name))),
            )
            .with(TraitField::Fingerprint, shape.fingerprint.map_or(0, |mark| mark.number))
            .with(TraitField::Http2Settings, shape.http2_settings.map_or(0, |mark| mark.number))
            .with(TraitField::Protocol, protocol_code(shape.protocol))
            .with(TraitField::Language, u32::from(shape.asks_for_language))
            .with(TraitField::Network, lower(hash_words((self.0, self.1), network.client_key(), 0)))
            .with(TraitField::System, system)
    }

    fn method(&self, method: &str) -> u32 {
        match method {
            "GET" => 1,
            "HEAD" => 2,
            "POST" => 3,
            other => self.hash(|text| text.push(other.as_bytes())),
        }
    }

    /// Never 0: that is nothing.
    fn hash(&self, write: impl FnOnce(&mut Text)) -> u32 {
        let mut text = Text { bytes: [0; TEXT_MAX], length: 0 };
        write(&mut text);
        #[expect(deprecated, reason = "SipHash with keys of our own: what replaced it takes none")]
        let mut hasher = std::hash::SipHasher::new_with_keys(self.0, self.1);
        hasher.write(text.bytes.get(..text.length).unwrap_or_default());
        lower(hasher.finish())
    }
}

/// Never 0: that is nothing.
fn lower(hash: u64) -> u32 {
    let [a, b, c, d, ..] = hash.to_le_bytes();
    u32::from_le_bytes([a, b, c, d]).max(1)
}

/// So much of a text counts.
const TEXT_MAX: usize = 384;

/// A text that is put together to be hashed in one go.
struct Text {
    bytes: [u8; TEXT_MAX],
    length: usize,
}

impl Text {
    fn push(&mut self, part: &[u8]) {
        let Some(rest) = self.bytes.get_mut(self.length..) else { return };
        let length = part.len().min(rest.len());
        if let (Some(to), Some(from)) = (rest.get_mut(..length), part.get(..length)) {
            to.copy_from_slice(from);
            self.length += length;
        }
    }
}

/// Whether a field comes and goes with the page, the form or the visitor's history.
fn comes_and_goes(name: &str) -> bool {
    matches!(
        name,
        "cache-control"
            | "content-length"
            | "content-type"
            | "cookie"
            | "forwarded"
            | "if-modified-since"
            | "if-none-match"
            | "origin"
            | "pragma"
            | "priority"
            | "range"
            | "referer"
            | "sec-fetch-user"
            | "via"
            | "x-forwarded-for"
            | "x-forwarded-proto"
    )
}

/// So many names count.
const HEADER_NAMES_MAX: usize = 32;

fn header_order<'n>(names: impl Iterator<Item = &'n str>, feed: &mut impl FnMut(&[u8])) {
    let lasting = names.filter(|name| !comes_and_goes(name));
    for (place, name) in lasting.take(HEADER_NAMES_MAX).enumerate() {
        if place > 0 {
            feed(b", ");
        }
        feed(name.as_bytes());
    }
}

fn protocol_code(protocol: Protocol) -> u32 {
    match protocol {
        Protocol::Http10 => 1,
        Protocol::Http11 => 2,
        Protocol::Http2 => 3,
    }
}

/// How a field's value is written for people; the texts of a request that had it.
#[derive(Clone, Debug, Default)]
pub(super) struct TraitWords {
    path: String,
    query: String,
    agent: String,
    headers: String,
    fingerprint: String,
    http2_settings: String,
    method: String,
    network: Option<Prefix>,
}

/// Letters of a text that are kept for people.
const WORDS_MAX: usize = 120;

impl TraitWords {
    /// Takes the place of what was there, in the same memory.
    pub(super) fn keep<'n>(&mut self, shape: &RequestShape<'_>, header_names: impl Iterator<Item = &'n str>) {
        let mut texts = [
            &mut self.path,
            &mut self.query,
            &mut self.agent,
            &mut self.headers,
            &mut self.fingerprint,
            &mut self.http2_settings,
            &mut self.method,
        ];
        texts.iter_mut().for_each(|text| text.clear());
        let [path, query, agent, headers, fingerprint, http2_settings, method] = texts;
        template::path(shape.path, &mut |part| push_printable(path, part));
        template::query(shape.query.unwrap_or_default(), &mut |part| push_printable(query, part));
        push_printable(agent, agent::name(shape.user_agent.unwrap_or_default()));
        header_order(header_names, &mut |part| push_printable(headers, part));
        push_printable(fingerprint, words_of(shape.fingerprint));
        push_printable(http2_settings, words_of(shape.http2_settings));
        push_printable(method, shape.method.as_bytes());
        self.network = Some(Prefix::of_network(shape.client));
    }
}

fn words_of(mark: Option<Mark<'_>>) -> &[u8] {
    mark.map_or(b"", |mark| mark.words.as_bytes())
}

/// Texts come from strangers and are shown in terminals and pages.
fn push_printable(text: &mut String, bytes: &[u8]) {
    let room = WORDS_MAX.saturating_sub(text.len());
    let printable = |byte: &u8| if matches!(byte, b' '..=b'~') { char::from(*byte) } else { '?' };
    text.extend(bytes.iter().take(room).map(printable));
}

/// The words for a value, from those of a request that had it, if one is at hand.
pub(super) fn words(field: TraitField, value: u32, texts: Option<&TraitWords>) -> String {
    let text = |of: fn(&TraitWords) -> &String| {
        texts.map_or_else(|| format!("#{value:08x}"), |texts| of(texts).clone())
    };
    match field {
        TraitField::Path => format!("path {}", text(|texts| &texts.path)),
        TraitField::Query if value == 0 => "no query".to_owned(),
        TraitField::Query => format!("query with the names {}", text(|texts| &texts.query)),
        TraitField::Method => format!("method {}", text(|texts| &texts.method)),
        TraitField::Referrer => match value {
            1 => "no Referer",
            2 => "Referer of this site",
            _ => "Referer of another site",
        }
        .to_owned(),
        TraitField::HeaderOrder => format!("header fields in the order {}", text(|texts| &texts.headers)),
        TraitField::Agent => agent::words(value, texts.map(|texts| texts.agent.as_str())),
        TraitField::Fingerprint if value == 0 => "no TLS".to_owned(),
        TraitField::Fingerprint => format!("TLS fingerprint {}", text(|texts| &texts.fingerprint)),
        TraitField::Http2Settings if value == 0 => "no HTTP/2 settings".to_owned(),
        TraitField::Http2Settings => format!("HTTP/2 settings {}", text(|texts| &texts.http2_settings)),
        TraitField::Protocol => match value {
            1 => "HTTP/1.0",
            2 => "HTTP/1.1",
            _ => "HTTP/2",
        }
        .to_owned(),
        TraitField::Language if value == 0 => "no Accept-Language".to_owned(),
        TraitField::Language => "Accept-Language".to_owned(),
        TraitField::Network => match texts.and_then(|texts| texts.network) {
            Some(network) => format!("network {network}"),
            None => format!("network #{value:08x}"),
        },
        TraitField::System if value == 0 => "no known autonomous system".to_owned(),
        TraitField::System => format!("autonomous system {value}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_their_number() {
        assert!(TraitField::ALL.iter().enumerate().all(|(place, field)| *field as usize == place));
    }

    #[test]
    fn referrers() {
        for (field, expected) in [
            (None, Referrer::None),
            (Some(""), Referrer::None),
            (Some("https://a.test/x"), Referrer::SameSite),
            (Some("https://A.test"), Referrer::SameSite),
            (Some("https://b.test/a.test"), Referrer::Elsewhere),
            (Some("nonsense"), Referrer::Elsewhere),
        ] {
            assert_eq!(Referrer::of(field.map(str::as_bytes), "a.test"), expected, "{field:?}");
        }
    }

    fn shape(path: &'static str) -> RequestShape<'static> {
        RequestShape {
            client: "192.0.2.7".parse().unwrap(),
            method: "GET",
            path,
            query: Some("zip=1"),
            user_agent: Some(b"python-requests/2.31"),
            referrer: Referrer::None,
            protocol: Protocol::Http11,
            asks_for_language: false,
            fingerprint: None,
            http2_settings: None,
            system: None,
        }
    }

    #[test]
    fn only_what_differs_differs() {
        let keys = TraitKeys::new(5);
        let names = ["host", "user-agent", "accept"];
        let one = keys.traits(&shape("/voter/17"), names.into_iter());
        let same = keys.traits(&shape("/voter/18"), ["host", "cookie", "user-agent", "accept"].into_iter());
        assert_eq!(one, same, "numbers and what comes and goes are left out");
        let other = keys.traits(&shape("/results/17"), ["host", "accept", "user-agent"].into_iter());
        let differ: Vec<_> =
            TraitField::ALL.into_iter().filter(|field| one.get(*field) != other.get(*field)).collect();
        assert_eq!(differ, [TraitField::Path, TraitField::HeaderOrder]);
        assert_ne!(one, TraitKeys::new(6).traits(&shape("/voter/17"), names.into_iter()));
    }

    #[test]
    fn words_are_fit_to_be_read() {
        let mut texts = TraitWords::default();
        texts.keep(
            &RequestShape { query: Some("a\u{1b}[2J=1&b=2"), ..shape("/voter/17/edit") },
            ["host", "accept"].into_iter(),
        );
        let said = |field, value| words(field, value, Some(&texts));
        assert_eq!(said(TraitField::Path, 9), "path /voter/{n}/edit");
        assert_eq!(said(TraitField::Query, 9), "query with the names a?[2J&b");
        assert_eq!(said(TraitField::HeaderOrder, 9), "header fields in the order host, accept");
        assert_eq!(said(TraitField::Network, 9), "network 192.0.2.0/24");
        assert_eq!(said(TraitField::Agent, 1 << 31 | 5), "User-Agent python-requests");
        assert_eq!(words(TraitField::Path, 0xAB, None), "path #000000ab");
    }
}
