//! JA4, FoxIO's fingerprint of TLS clients (technical_details/JA4.md of FoxIO-LLC/ja4, BSD 3-Clause):
//! the program and its version in 36 characters, the same for all who use it. The other fingerprints
//! of that family are under another licence and are not here.
//!
//! It groups connections; it proves nothing. Anybody can send a browser's hello.

use aws_lc_rs::digest::{SHA256, digest};
use smallvec::SmallVec;

use super::{ALPN, SERVER_NAME};

/// The longest list that is read. Browsers offer some twenty ciphers, programs that offer all they know
/// two hundred.
pub(super) const ENTRIES_MAX: usize = 512;

type Entries = SmallVec<[u16; 64]>;

/// A fingerprint such as `t13d1516h2_8daaf6152771_e5627efa2ab1`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Ja4([u8; 36]);

impl Ja4 {
    /// As it is written.
    pub(crate) fn as_str(&self) -> &str {
        // Made of letters, digits and underscores only.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The fingerprint of a hello; sorts its lists.
    pub(super) fn of(lists: &mut Lists, has_server_name: bool, first_protocol: &[u8]) -> Self {
        let mut text = Text { bytes: [b'0'; 36], length: 0 };
        text.push(b"t");
        text.push(version_code(lists.version()));
        text.push(if has_server_name { b"d" } else { b"i" });
        text.push(&two_digits(lists.ciphers.len()));
        text.push(&two_digits(lists.extensions.len()));
        text.push(&protocol_code(first_protocol));
        text.push(b"_");
        lists.ciphers.sort_unstable();
        text.push_hash(&lists.ciphers, &[]);
        text.push(b"_");
        lists.extensions.retain(|kind| !matches!(*kind, SERVER_NAME | ALPN));
        lists.extensions.sort_unstable();
        text.push_hash(&lists.extensions, &lists.signatures);
        Self(text.bytes)
    }
}

impl std::fmt::Debug for Ja4 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the fingerprint is made of, without the values that mean nothing (RFC 8701).
#[derive(Debug, Default)]
pub(super) struct Lists {
    pub(super) legacy_version: u16,
    newest_version: Option<u16>,
    ciphers: Entries,
    extensions: Entries,
    signatures: Entries,
}

impl Lists {
    pub(super) fn take_ciphers(&mut self, list: &[u8]) -> Option<()> {
        take_entries(&mut self.ciphers, list)
    }

    pub(super) fn take_signatures(&mut self, list: &[u8]) -> Option<()> {
        self.signatures.clear();
        take_entries(&mut self.signatures, list)
    }

    pub(super) fn take_versions(&mut self, list: &[u8]) -> Option<()> {
        let mut versions = Entries::new();
        take_entries(&mut versions, list)?;
        self.newest_version = versions.iter().copied().max();
        Some(())
    }

    pub(super) fn take_extension(&mut self, kind: u16) {
        push(&mut self.extensions, kind);
    }

    pub(super) fn are_too_long(&self) -> bool {
        [&self.ciphers, &self.extensions, &self.signatures].iter().any(|list| list.len() > ENTRIES_MAX)
    }

    fn version(&self) -> u16 {
        self.newest_version.unwrap_or(self.legacy_version)
    }
}

/// Takes a list of numbers; `None` where half of one is left over.
fn take_entries(entries: &mut Entries, list: &[u8]) -> Option<()> {
    let (numbers, rest) = list.as_chunks::<2>();
    for number in numbers {
        push(entries, u16::from_be_bytes(*number));
    }
    rest.is_empty().then_some(())
}

fn push(entries: &mut Entries, number: u16) {
    // One more than is allowed shows that there were too many.
    if !is_grease(number) && entries.len() <= ENTRIES_MAX {
        entries.push(number);
    }
}

/// Values that clients strew in so that servers bear with unknown ones (RFC 8701): 0x0a0a, 0x1a1a, ...
pub(super) fn is_grease(number: u16) -> bool {
    let [high, low] = number.to_be_bytes();
    high == low && low & 0x0F == 0x0A
}

fn version_code(version: u16) -> &'static [u8; 2] {
    match version {
        0x0304 => b"13",
        0x0303 => b"12",
        0x0302 => b"11",
        0x0301 => b"10",
        0x0300 => b"s3",
        0x0002 => b"s2",
        _ => b"00",
    }
}

fn two_digits(count: usize) -> [u8; 2] {
    let count = u8::try_from(count.min(99)).unwrap_or(99);
    [b'0' + count / 10, b'0' + count % 10]
}

/// First and last character of the first protocol; of its bytes in hex where they are no letters or
/// digits.
fn protocol_code(protocol: &[u8]) -> [u8; 2] {
    match (protocol.first(), protocol.last()) {
        (Some(first), Some(last)) if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() => {
            [*first, *last]
        }
        (Some(first), Some(last)) => [hex_digit(first >> 4), hex_digit(last & 0x0F)],
        _ => *b"00",
    }
}

fn hex_digit(nibble: u8) -> u8 {
    match nibble {
        0..=9 => b'0' + nibble,
        _ => b'a' + (nibble & 0x0F).saturating_sub(10),
    }
}

/// The fingerprint as it is put together.
struct Text {
    bytes: [u8; 36],
    length: usize,
}

impl Text {
    fn push(&mut self, part: &[u8]) {
        let end = self.length + part.len();
        if let Some(place) = self.bytes.get_mut(self.length..end) {
            place.copy_from_slice(part);
            self.length = end;
        }
    }

    /// The first twelve characters of the hash of `numbers` in hex, and of `behind` after an underscore;
    /// twelve zeros where there are no `numbers`.
    fn push_hash(&mut self, numbers: &[u16], behind: &[u16]) {
        if numbers.is_empty() {
            return self.push(b"000000000000");
        }
        let mut text = SmallVec::<[u8; 512]>::new();
        write_numbers(&mut text, numbers);
        if !behind.is_empty() {
            text.push(b'_');
            write_numbers(&mut text, behind);
        }
        let hash = digest(&SHA256, &text);
        for byte in hash.as_ref().iter().take(6) {
            self.push(&[hex_digit(byte >> 4), hex_digit(byte & 0x0F)]);
        }
    }
}

fn write_numbers(text: &mut SmallVec<[u8; 512]>, numbers: &[u16]) {
    for (place, number) in numbers.iter().enumerate() {
        if place > 0 {
            text.push(b',');
        }
        let [high, low] = number.to_be_bytes();
        text.extend_from_slice(&[
            hex_digit(high >> 4),
            hex_digit(high & 0x0F),
            hex_digit(low >> 4),
            hex_digit(low & 0x0F),
        ]);
    }
}
