//! The reference ID on every refusal page: what a visitor can read out over the telephone.

use std::fmt;
use std::str::FromStr;

/// Crockford's base 32: no I, L, O or U, so that it survives being read aloud.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const DIGITS: u32 = 12;

/// A 60-bit identifier of one request, printed as three groups of four: `7F3K-9QWX-02MB`.
///
/// It looks random and says nothing to whoever reads it: only the holder of the server's secret can
/// open it (`floodwall explain`). It appears in the page, the `X-Request-Id` response header and the
/// access log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReferenceId(u64);

impl ReferenceId {
    /// Takes the lower 60 bits of a random number.
    #[must_use]
    pub fn from_random(bits: u64) -> Self {
        Self(bits & ((1 << 60) - 1))
    }

    /// Its 60 bits.
    #[must_use]
    pub fn bits(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ReferenceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [b'-'; 14];
        for (position, slot) in [0, 1, 2, 3, 5, 6, 7, 8, 10, 11, 12, 13].into_iter().enumerate() {
            let shift = 5 * (DIGITS as usize - 1 - position);
            let digit = usize::try_from((self.0 >> shift) & 31).unwrap_or(0);
            if let (Some(place), Some(letter)) = (text.get_mut(slot), ALPHABET.get(digit)) {
                *place = *letter;
            }
        }
        f.write_str(std::str::from_utf8(&text).unwrap_or(""))
    }
}

/// A text that is no reference ID.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a reference ID; it has twelve letters and digits, like 7F3K-9QWX-02MB")]
pub struct ParseReferenceError(String);

/// Reads leniently: case, spaces and hyphens do not matter, and I, L and O are read as 1, 1 and 0.
impl FromStr for ReferenceId {
    type Err = ParseReferenceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fault = || ParseReferenceError(text.chars().take(40).collect());
        let mut value = 0_u64;
        let mut digits = 0;
        for letter in text.bytes().filter(|b| !matches!(b, b'-' | b' ')) {
            let letter = match letter.to_ascii_uppercase() {
                b'I' | b'L' => b'1',
                b'O' => b'0',
                other => other,
            };
            let digit = ALPHABET.iter().position(|l| *l == letter).ok_or_else(fault)?;
            digits += 1;
            if digits > DIGITS {
                return Err(fault());
            }
            value = (value << 5) | digit as u64;
        }
        if digits == DIGITS { Ok(Self(value)) } else { Err(fault()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn survives_being_read_aloud() {
        for bits in [0, 1, 31, 32, u64::MAX, 0x0123_4567_89AB_CDEF] {
            let id = ReferenceId::from_random(bits);
            let spoken = id.to_string().to_lowercase().replace('-', " ").replace('0', "o").replace('1', "l");
            assert_eq!(spoken.parse(), Ok(id), "{id}");
        }
        assert_eq!(ReferenceId::from_random(0).to_string(), "0000-0000-0000");
    }

    #[test]
    fn refuses_what_is_no_id() {
        for text in ["", "7F3K-9QWX", "7F3K-9QWX-02MB-1", "7F3K-9QWX-02M!"] {
            assert!(text.parse::<ReferenceId>().is_err(), "{text}");
        }
    }
}
