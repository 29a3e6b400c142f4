//! Texts of visitors, made harmless: no quote, newline or control character gets through.

use super::TEXT_BYTES_MAX;

/// What a cut text ends in.
const CUT: &[u8] = b"...";

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// The beginning of `text` that is written, and whether there is more.
fn cut(text: &str) -> (&str, bool) {
    if text.len() <= TEXT_BYTES_MAX {
        return (text, false);
    }
    let end = text.floor_char_boundary(TEXT_BYTES_MAX);
    (text.get(..end).unwrap_or(""), true)
}

/// Appends `text` for the inside of quotes of a combined line; `spaces` are escaped where they would
/// divide what is one part.
pub(super) fn push_quoted(line: &mut Vec<u8>, text: &str, spaces: bool) {
    let (text, is_cut) = cut(text);
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => line.extend_from_slice(&[b'\\', byte]),
            b' ' if spaces => line.extend_from_slice(b"\\x20"),
            b' '..=b'~' => line.push(byte),
            _ => line.extend_from_slice(&[b'\\', b'x', hex(byte >> 4), hex(byte & 15)]),
        }
    }
    if is_cut {
        line.extend_from_slice(CUT);
    }
}

/// Appends `text` for the inside of a JSON string.
pub(super) fn push_json_text(line: &mut Vec<u8>, text: &str) {
    let (text, is_cut) = cut(text);
    let mut utf8 = [0; 4];
    for letter in text.chars() {
        match letter {
            '"' => line.extend_from_slice(b"\\\""),
            '\\' => line.extend_from_slice(b"\\\\"),
            ' '..='~' => line.extend_from_slice(letter.encode_utf8(&mut utf8).as_bytes()),
            _ if misleads(letter) => push_unicode_escape(line, letter),
            _ => line.extend_from_slice(letter.encode_utf8(&mut utf8).as_bytes()),
        }
    }
    if is_cut {
        line.extend_from_slice(CUT);
    }
}

/// Characters that steer a terminal (C0, DEL, C1), end a line for some readers (U+0085, U+2028,
/// U+2029), or let a line read otherwise than it is (direction marks, invisible characters).
fn misleads(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

/// `\uHHHH`, twice for what takes two UTF-16 units (RFC 8259, section 7).
fn push_unicode_escape(line: &mut Vec<u8>, letter: char) {
    for unit in letter.encode_utf16(&mut [0; 2]) {
        let [high, low] = unit.to_be_bytes();
        line.extend_from_slice(b"\\u");
        line.extend_from_slice(&[hex(high >> 4), hex(high & 15), hex(low >> 4), hex(low & 15)]);
    }
}

/// The digit of a value below 16.
fn hex(value: u8) -> u8 {
    HEX.get(usize::from(value)).copied().unwrap_or(b'0')
}
