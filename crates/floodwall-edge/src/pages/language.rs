//! In which language a visitor is spoken to.

use http::HeaderValue;

/// The languages the pages are written in. For another, add a variant and a file of
/// [`texts`](super::texts); the compiler names what is missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Language {
    #[default]
    English,
    Spanish,
}

/// Of a longer field, the rest is not read.
const FIELD_BYTES_MAX: usize = 512;

impl Language {
    /// Every language there is.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 2] = [Self::English, Self::Spanish];

    /// The one of ours the visitor likes best (RFC 9110 section 12.5.4); of equals the first;
    /// English, where he wants none of ours.
    pub(crate) fn of(accept_language: Option<&HeaderValue>) -> Self {
        let field = accept_language.map(HeaderValue::as_bytes).unwrap_or_default();
        let field = field.get(..FIELD_BYTES_MAX).unwrap_or(field);
        let mut best = (0, Self::English);
        for range in field.split(|byte| *byte == b',') {
            let mut parts = range.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
            let Some(language) = parts.next().and_then(Self::of_range) else {
                continue;
            };
            let weight = parts.find_map(weight).unwrap_or(1_000);
            if weight > best.0 {
                best = (weight, language);
            }
        }
        best.1
    }

    /// The tag of RFC 5646.
    pub(crate) fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Spanish => "es",
        }
    }

    /// The language of a range such as `es-MX`; whatever the country.
    fn of_range(range: &[u8]) -> Option<Self> {
        let primary = range.split(|byte| *byte == b'-').next().unwrap_or_default();
        match primary.to_ascii_lowercase().as_slice() {
            b"en" => Some(Self::English),
            b"es" => Some(Self::Spanish),
            _ => None,
        }
    }
}

/// A weight in thousandths, from `q=0.8`. Of what is no weight nothing is made.
fn weight(parameter: &[u8]) -> Option<u16> {
    let value = parameter.strip_prefix(b"q=").or_else(|| parameter.strip_prefix(b"Q="))?;
    let (whole, fraction) = match value.iter().position(|byte| *byte == b'.') {
        Some(dot) => (value.get(..dot)?, value.get(dot + 1..)?),
        None => (value, [].as_slice()),
    };
    if fraction.len() > 3 || !fraction.iter().all(u8::is_ascii_digit) {
        return Some(0);
    }
    let digits = fraction.iter().chain(b"000").take(3);
    let thousandths = digits.fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'));
    match whole {
        b"0" => Some(thousandths),
        b"1" if thousandths == 0 => Some(1_000),
        _ => Some(0),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_language_liked_best() {
        use Language::{English, Spanish};
        for (field, expected) in [
            ("", English),
            ("en-US,en;q=0.9", English),
            ("es", Spanish),
            ("es-MX,es;q=0.9,en;q=0.8", Spanish),
            ("ES-419", Spanish),
            ("fr-CA, fr;q=0.9, es;q=0.3, en;q=0.2", Spanish),
            ("en;q=0.5, es ; q=0.7", Spanish),
            ("en;q=0.700, es;q=0.7", English),
            ("es;q=0, en;q=0.001", English),
            ("es;q=0", English),
            ("est, esx", English),
            ("vi,zh;q=0.9", English),
            ("*", English),
            ("es;q=2, en;q=0.1", English),
            ("es;q=0.1234, en;q=0.1", English),
            (";;,,es", Spanish),
            ("\u{e9}\u{20}", English),
        ] {
            let value = HeaderValue::from_bytes(field.as_bytes()).unwrap();
            assert_eq!(Language::of(Some(&value)), expected, "{field}");
        }
        assert_eq!(Language::of(None), English);
        let long = HeaderValue::from_str(&format!("{}es", "fr,".repeat(1_000))).unwrap();
        assert_eq!(Language::of(Some(&long)), English, "read to its end");
    }

    proptest! {
        #[test]
        fn whatever_is_sent_some_language_is_spoken(field in "[ -~]{0,80}") {
            let value = HeaderValue::from_str(&field).unwrap();
            prop_assert!(Language::ALL.contains(&Language::of(Some(&value))));
        }
    }
}
