//! Paths and queries without what varies from visitor to visitor.

/// Parts of a path, or names of a query, that count.
const PARTS_MAX: usize = 10;
/// A part that is longer stands for a value, not for a name.
const NAME_MAX: usize = 40;
/// A part that is shorter and has letters is a name: `v2`, `q1`.
const ID_MIN: usize = 4;

/// Writes the path with `{n}` for numbers and `{id}` for what looks like an identifier.
pub(crate) fn path(path: &str, feed: &mut impl FnMut(&[u8])) {
    parts(path.split('/'), b"/", feed);
}

/// Writes the names of a query in their order, as in [`path`].
pub(super) fn query(query: &str, feed: &mut impl FnMut(&[u8])) {
    let names = query.split('&').map(|pair| pair.split('=').next().unwrap_or(pair));
    parts(names, b"&", feed);
}

fn parts<'a>(parts: impl Iterator<Item = &'a str>, between: &[u8], feed: &mut impl FnMut(&[u8])) {
    for (place, part) in parts.enumerate() {
        if place > 0 {
            feed(between);
        }
        if place == PARTS_MAX {
            feed(b"...");
            return;
        }
        feed(kind(part).unwrap_or(part.as_bytes()));
    }
}

/// What a part is, if it is no name.
fn kind(part: &str) -> Option<&'static [u8]> {
    let digits = part.bytes().filter(u8::is_ascii_digit).count();
    let is_hex = || part.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    if digits == 0 && part.len() <= NAME_MAX {
        None
    } else if digits == part.len() {
        Some(b"{n}")
    } else if part.len() < ID_MIN {
        None
    } else if digits * 3 > part.len() || part.len() > NAME_MAX || (part.len() >= 16 && is_hex()) {
        Some(b"{id}")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Writes = fn(&str, &mut Vec<u8>);

    fn of_path(text: &str, bytes: &mut Vec<u8>) {
        path(text, &mut |part| bytes.extend_from_slice(part));
    }

    fn of_query(text: &str, bytes: &mut Vec<u8>) {
        query(text, &mut |part| bytes.extend_from_slice(part));
    }

    fn written(of: Writes, text: &str) -> String {
        let mut bytes = Vec::new();
        of(text, &mut bytes);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn paths() {
        for (given, expected) in [
            ("/", "/"),
            ("/polling-place", "/polling-place"),
            ("/voter/123456", "/voter/{n}"),
            ("/api/v2/county/17/results.json", "/api/v2/county/{n}/results.json"),
            ("/election-2026/results", "/election-2026/results"),
            ("/f/550e8400-e29b-41d4-a716-446655440000", "/f/{id}"),
            ("/f/deadbeefdeadbeefdeadbeef00", "/f/{id}"),
            ("/a1b2c3d4", "/{id}"),
            ("/1/2/3/4/5/6/7/8/9/10/11/12", "/{n}/{n}/{n}/{n}/{n}/{n}/{n}/{n}/{n}/..."),
        ] {
            assert_eq!(written(of_path, given), expected);
        }
        assert_eq!(written(of_path, &format!("/{}", "x".repeat(41))), "/{id}");
    }

    #[test]
    fn queries() {
        for (given, expected) in [
            ("", ""),
            ("zip=12345&name=Doe", "zip&name"),
            ("a&b=&c", "a&b&c"),
            ("8f3a91=1", "{id}"),
            ("1732=x&q=5", "{n}&q"),
        ] {
            assert_eq!(written(of_query, given), expected);
        }
    }
}
