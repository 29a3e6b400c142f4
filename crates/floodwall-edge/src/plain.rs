//! Lines of a head as nearly all are: a name, a colon, a value, CRLF, and no control character.
//!
//! Readers of heads ask here first. What is taken can be read in one way only, so that the reader
//! would take it as well; whatever is not left to them: they know the faults.

/// What a byte may stand in.
const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0u8;
    while byte < 128 {
        let alphanumeric = byte.is_ascii_alphanumeric();
        let token = alphanumeric || is_one_of(byte, b"!#$%&'*+-.^_`|~");
        let path = byte.is_ascii_graphic() && !is_one_of(byte, b"#<>`?");
        let query = byte.is_ascii_graphic() && !is_one_of(byte, b"#<>\"");
        let host = alphanumeric || is_one_of(byte, b"-._~");
        #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, which checks the bound")]
        {
            classes[byte as usize] =
                (token as u8 * TOKEN) | (path as u8 * PATH) | (query as u8 * QUERY) | (host as u8 * HOST);
        }
        byte += 1;
    }
    classes
};
const TOKEN: u8 = 1;
const PATH: u8 = 2;
const QUERY: u8 = 4;
const HOST: u8 = 8;

const fn is_one_of(byte: u8, mut bytes: &[u8]) -> bool {
    while let [first, rest @ ..] = bytes {
        if *first == byte {
            return true;
        }
        bytes = rest;
    }
    false
}

fn is_of(byte: u8, class: u8) -> bool {
    CLASSES.get(usize::from(byte)).is_some_and(|classes| classes & class != 0)
}

/// Whether a token (method, field name, coding) may hold this byte: `tchar` of RFC 9110 section 5.6.2.
pub(crate) fn is_token_byte(byte: u8) -> bool {
    is_of(byte, TOKEN)
}

/// Whether it may stand in the path of a plain request target.
pub(crate) fn is_path_byte(byte: u8) -> bool {
    is_of(byte, PATH)
}

/// Whether it may stand in the query of a plain request target.
pub(crate) fn is_query_byte(byte: u8) -> bool {
    is_of(byte, QUERY)
}

/// Whether it may stand in the name of a host.
pub(crate) fn is_host_byte(byte: u8) -> bool {
    is_of(byte, HOST)
}

/// A field line and its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FieldLine<'a> {
    pub(crate) name: &'a [u8],
    /// Without the spaces around it.
    pub(crate) value: &'a [u8],
    /// Bytes of the line, its CRLF included.
    pub(crate) bytes: usize,
}

/// The field line that `text` begins with, if it is whole and plain.
pub(crate) fn field_line(text: &[u8]) -> Option<FieldLine<'_>> {
    let name_bytes = first_beyond_name(text)?;
    let (name, rest) = text.split_at_checked(name_bytes)?;
    let [b':', rest @ ..] = rest else { return None };
    let (value, end) = rest.split_at_checked(first_control(rest)?)?;
    if name.is_empty() || !end.starts_with(b"\r\n") {
        return None;
    }
    let bytes = name_bytes.saturating_add(value.len()).saturating_add(b":\r\n".len());
    Some(FieldLine { name, value: without_spaces(value), bytes })
}

fn without_spaces(mut value: &[u8]) -> &[u8] {
    while let [b' ', rest @ ..] = value {
        value = rest;
    }
    while let [rest @ .., b' '] = value {
        value = rest;
    }
    value
}

const ONES: u64 = u64::from_le_bytes([1; 8]);
const HIGHEST: u64 = u64::from_le_bytes([0x80; 8]);

/// Where the first byte stands that no field name holds. Most names are letters and hyphens, of which
/// eight are looked at together.
fn first_beyond_name(text: &[u8]) -> Option<usize> {
    let usual =
        first_found(text, beyond_letters_and_hyphens, |byte| !byte.is_ascii_alphabetic() && byte != b'-')?;
    let rest = text.get(usual..)?;
    if rest.first() == Some(&b':') {
        return Some(usual);
    }
    Some(usual.saturating_add(rest.iter().position(|&byte| !is_token_byte(byte))?))
}

/// Where the first control character stands: a byte below the space, or DEL. Values are too short for
/// what a library's search takes to begin.
pub(crate) fn first_control(text: &[u8]) -> Option<usize> {
    first_found(text, controls, |byte| byte.is_ascii_control())
}

/// Where the first byte stands that `is_wanted`. `find` sets the highest bit of it in eight bytes, and
/// none before it.
#[inline]
fn first_found(text: &[u8], find: fn(u64) -> u64, is_wanted: fn(u8) -> bool) -> Option<usize> {
    let (words, rest) = text.as_chunks();
    let mut before = 0_usize;
    for word in words {
        let found = find(u64::from_le_bytes(*word));
        if found != 0 {
            return Some(before | usize::try_from(found.trailing_zeros() / 8).unwrap_or_default());
        }
        before = before.wrapping_add(8);
    }
    Some(before.wrapping_add(rest.iter().position(|&byte| is_wanted(byte))?))
}

fn controls(word: u64) -> u64 {
    let below_space = word.wrapping_sub(ONES * 0x20) & !word;
    let not_del = word ^ (ONES * 0x7f);
    let del = not_del.wrapping_sub(ONES) & !not_del;
    (below_space | del) & HIGHEST
}

/// No sum of two bytes is carried into the next: each is below 0x100.
fn beyond_letters_and_hyphens(word: u64) -> u64 {
    let ascii = word & !HIGHEST;
    let lower = ascii | (ONES * 0x20);
    let from_a = lower.wrapping_add(ONES * u64::from(0x80 - b'a'));
    let beyond_z = lower.wrapping_add(ONES * u64::from(0x7f - b'z'));
    let other_than_hyphen = (ascii ^ (ONES * u64::from(b'-'))).wrapping_add(ONES * 0x7f);
    let either = (from_a & !beyond_z) | !other_than_hyphen;
    (!either | word) & HIGHEST
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_lines_are_taken_and_others_are_not() {
        for (text, name, value) in [
            ("A: b\r\n", "A", "b"),
            ("A:b\r\n", "A", "b"),
            ("A:\r\n", "A", ""),
            ("A:    \r\n", "A", ""),
            (
                "Long-Name: a longer value, of two words  \r\nB: c\r\n",
                "Long-Name",
                "a longer value, of two words",
            ),
            (
                "x_y: \u{e4}\u{f6}\u{fc}\u{e4}\u{f6}\u{fc}\r\n\r\n",
                "x_y",
                "\u{e4}\u{f6}\u{fc}\u{e4}\u{f6}\u{fc}",
            ),
        ] {
            let line = field_line(text.as_bytes()).unwrap();
            assert_eq!((line.name, line.value), (name.as_bytes(), value.as_bytes()), "{text:?}");
            assert_eq!(line.bytes, text.find('\n').unwrap() + 1, "{text:?}");
        }
        for text in [
            "",
            "\r\n",
            ": b\r\n",
            "A",
            "A:",
            "A: b",
            "A: b\r",
            "A: b\n",
            "A : b\r\n",
            " A: b\r\n",
            "A: b\rc\r\n",
            "A: b\tc\r\n",
            "A: 0123456789\x7f\r\n",
            "A: 0123456789\0\r\n",
            "\u{e4}: b\r\n",
            "GET / HTTP/1.1\r\n",
        ] {
            assert_eq!(field_line(text.as_bytes()), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn names_end_at_the_first_byte_that_is_none_of_theirs(text in proptest::collection::vec(prop_oneof![8 => b'A'..=b'z', 4 => b'!'..=b'9', 1 => any::<u8>()], 0..40)) {
            prop_assert_eq!(first_beyond_name(&text), text.iter().position(|&byte| !is_token_byte(byte)));
        }

        #[test]
        fn the_first_control_is_found(text in proptest::collection::vec(prop_oneof![8 => b' '..=b'~', 1 => any::<u8>()], 0..40)) {
            prop_assert_eq!(first_control(&text), text.iter().position(u8::is_ascii_control));
        }
    }
}
