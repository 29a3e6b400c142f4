//! From the bytes of a file to its text.

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};

/// How far an encoding is looked for in an XML declaration.
const DECLARATION_BYTES: usize = 256;

/// The text of a file: by its byte order mark, by the encoding that is named here or in its XML
/// declaration, as UTF-8, or where it is none, as Windows-1252, which has a letter for every byte. What is
/// no letter becomes U+FFFD.
#[must_use]
pub fn decode(bytes: &[u8], named: Option<&str>) -> String {
    let by_name = named.map(str::to_owned).or_else(|| declared(bytes));
    let by_name = by_name.and_then(|name| Encoding::for_label(name.as_bytes()));
    let encoding = match (Encoding::for_bom(bytes), by_name) {
        (Some((encoding, _)), _) => encoding,
        (None, Some(encoding)) => encoding,
        (None, None) if is_utf_8(bytes) => UTF_8,
        (None, None) => WINDOWS_1252,
    };
    encoding.decode(bytes).0.into_owned()
}

/// A file's beginning may end in the middle of a letter.
fn is_utf_8(bytes: &[u8]) -> bool {
    match std::str::from_utf8(bytes) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none(),
    }
}

/// `windows-1251` of `<?xml version="1.0" encoding="windows-1251"?>`.
fn declared(bytes: &[u8]) -> Option<String> {
    let beginning = bytes.get(..bytes.len().min(DECLARATION_BYTES))?;
    let text = String::from_utf8_lossy(beginning);
    let declaration = text.trim_start().strip_prefix("<?xml")?.split("?>").next()?;
    let after = declaration.split("encoding").nth(1)?.trim_start().strip_prefix('=')?.trim_start();
    let quote = after.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    after.get(1..)?.split(quote).next().map(str::to_owned)
}
