//! The address a page asks for again, made harmless.

use std::fmt::{self, Write as _};

/// Bytes it may take in the page. A longer address is left out: in its place stands the empty one,
/// which is that of the page itself.
const MARKUP_BYTES_MAX: usize = 1_024;

/// A path and query as they came, written so that it can stand in a header field or, by
/// [`Self::in_markup`], in an attribute in quotes, and leads nowhere but to the same site.
///
/// Browsers drop control characters from addresses and take `\` for `/`, so that more than `//host`
/// leads to another site; what no browser sends in a path is written in percent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SafeTarget(String);

impl SafeTarget {
    pub(super) fn new(target: &str) -> Self {
        if !target.starts_with('/') {
            return Self("/".to_owned());
        }
        if target.len() > MARKUP_BYTES_MAX {
            return Self(String::new());
        }
        let mut safe = String::with_capacity(target.len() + 8);
        if target.starts_with("//") {
            // A host would follow. `/.//a` is the path `//a` of the same site.
            safe.push_str("/.");
        }
        for byte in target.bytes() {
            match byte {
                b'!' | b'$'..=b'&' | b'('..=b';' | b'=' | b'?'..=b'[' | b']'..=b'_' | b'a'..=b'~' => {
                    safe.push(char::from(byte));
                }
                // Quotes, angle brackets, backslash, backtick, `#`, control characters, non-ASCII.
                _ => {
                    let _ = write!(safe, "%{byte:02X}");
                }
            }
        }
        let ampersands = safe.bytes().filter(|byte| *byte == b'&').count();
        if safe.len() + 4 * ampersands > MARKUP_BYTES_MAX {
            safe.clear();
        }
        Self(safe)
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn in_markup(&self) -> impl fmt::Display {
        ampersands_escaped(&self.0)
    }
}

/// For a text that needs nothing else to stand in an attribute in quotes.
pub(super) fn ampersands_escaped(text: &str) -> impl fmt::Display {
    fmt::from_fn(move |f| {
        let mut parts = text.split('&');
        f.write_str(parts.next().unwrap_or_default())?;
        parts.try_for_each(|part| write!(f, "&amp;{part}"))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn targets_read_so() {
        let long = format!("/{}", "a".repeat(MARKUP_BYTES_MAX));
        let grows = format!("/{}", "&".repeat(MARKUP_BYTES_MAX / 4));
        for (target, expected) in [
            ("/", "/"),
            ("/polling-place?zip=00042&x=a%20b", "/polling-place?zip=00042&amp;x=a%20b"),
            ("//evil.example/x", "/.//evil.example/x"),
            ("/\\evil.example", "/%5Cevil.example"),
            ("/\t/evil.example", "/%09/evil.example"),
            ("javascript:alert(1)", "/"),
            ("*", "/"),
            ("", "/"),
            ("/'\"><script>", "/%27%22%3E%3Cscript%3E"),
            ("/a#b", "/a%23b"),
            ("/caf\u{e9}", "/caf%C3%A9"),
            (&long, ""),
            (&grows, ""),
        ] {
            assert_eq!(SafeTarget::new(target).in_markup().to_string(), expected, "{target}");
        }
        assert_eq!(SafeTarget::new("/a?b&c").as_str(), "/a?b&c");
    }

    proptest! {
        #[test]
        fn nothing_breaks_out_or_leads_away(target in "[/\\\\:'\"<>&;#a-z\\x00-\\x20\u{80}-\u{ff}]{0,20}") {
            let safe = SafeTarget::new(&target);
            let markup = safe.in_markup().to_string();
            for text in [safe.as_str(), &markup] {
                prop_assert!(text.starts_with('/') && !text.starts_with("//"), "{text}");
                prop_assert!(text.bytes().all(|byte| byte.is_ascii_graphic()), "{text}");
                prop_assert!(!text.contains(['\'', '"', '<', '>', '\\', '#', '`']), "{text}");
            }
            prop_assert!(markup.split('&').skip(1).all(|rest| rest.starts_with("amp;")), "{markup}");
            prop_assert_eq!(markup.replace("&amp;", "&"), safe.as_str());
            prop_assert_eq!(&SafeTarget::new(safe.as_str()), &safe);
        }
    }
}
