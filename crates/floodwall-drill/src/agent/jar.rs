//! A cookie jar: one site, all paths, bounded.

use std::collections::BTreeMap;

use http::header::{HeaderMap, HeaderValue, SET_COOKIE};

/// Cookies kept.
const COOKIES_MAX: usize = 50;
/// The longest cookie that is kept, name and value; browsers keep as much.
const COOKIE_BYTES_MAX: usize = 4_096;

/// What one visitor keeps. Of attributes, `Max-Age` and `Expires` count where they delete, and
/// `Secure`; a drill is shorter than what cookies last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Jar(BTreeMap<String, String>);

impl Jar {
    /// Takes in what an answer sets and deletes. `secure` says whether it came over TLS.
    pub(super) fn take_in(&mut self, headers: &HeaderMap, secure: bool) {
        for field in headers.get_all(SET_COOKIE) {
            let mut parts = field.to_str().unwrap_or_default().split(';').map(str::trim);
            let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else { continue };
            let (mut deletes, mut needs_tls) = (false, false);
            for attribute in parts {
                let (key, value) = attribute.split_once('=').unwrap_or((attribute, ""));
                deletes |= key.eq_ignore_ascii_case("max-age")
                    && value.parse::<i64>().is_ok_and(|seconds| seconds <= 0);
                deletes |= key.eq_ignore_ascii_case("expires") && value.contains("1970");
                needs_tls |= key.eq_ignore_ascii_case("secure");
            }
            if deletes {
                self.0.remove(name.trim());
            } else if secure || !needs_tls {
                self.put(name.trim(), value.trim());
            }
        }
    }

    /// Sets one, as a page's script does.
    pub(super) fn put(&mut self, name: &str, value: &str) {
        let fits = self.0.len() < COOKIES_MAX || self.0.contains_key(name);
        if fits && name.len() + value.len() <= COOKIE_BYTES_MAX {
            self.0.insert(name.to_owned(), value.to_owned());
        }
    }

    /// The field to send, where there is anything.
    pub(super) fn field(&self) -> Option<HeaderValue> {
        let pairs: Vec<_> = self.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if pairs.is_empty() { None } else { HeaderValue::from_str(&pairs.join("; ")).ok() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_kept_replaced_and_deleted() {
        let mut jar = Jar::default();
        assert_eq!(jar.field(), None);
        for (set, secure, then) in [
            (&["a=1; Path=/; HttpOnly", "b=2"][..], false, "a=1; b=2"),
            (&["a=3; SameSite=Lax; Max-Age=600"], false, "a=3; b=2"),
            (&["b=; Max-Age=0", "nonsense", ""], false, "a=3"),
            (&["c=4; Secure"], false, "a=3"),
            (&["c=4; Secure"], true, "a=3; c=4"),
            (&["c=; Expires=Thu, 01 Jan 1970 00:00:00 GMT"], true, "a=3"),
            (&["d=x\ty"], true, "a=3; d=x\ty"),
        ] {
            let headers = set.iter().map(|value| (SET_COOKIE, value.parse().unwrap())).collect();
            jar.take_in(&headers, secure);
            assert_eq!(jar.field().unwrap(), then, "{set:?}");
        }
    }

    #[test]
    fn a_jar_is_bounded() {
        let mut jar = Jar::default();
        for number in 0..200 {
            jar.put(&format!("n{number:03}"), "1");
        }
        jar.put("n000", &"x".repeat(COOKIE_BYTES_MAX));
        assert_eq!(jar.0.len(), COOKIES_MAX);
        assert_eq!(jar.0["n000"], "1");
    }
}
