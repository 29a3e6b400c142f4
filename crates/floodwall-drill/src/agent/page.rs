//! What a visitor's program looks for in a page: an attribute of a tag. No more of HTML than that.

/// The largest text between `<` and `>` that is looked at.
const TAG_BYTES_MAX: usize = 16 << 10;

/// The value of the attribute of the first tag of that name that has it and of which `fits` holds,
/// which is given the tag's text.
pub(super) fn attribute(body: &[u8], tag: &str, name: &str, fits: impl Fn(&str) -> bool) -> Option<String> {
    tags(body, tag).filter(|text| fits(text)).find_map(|text| value(text, name))
}

/// What stands between `<tag` and `>` of each such tag; `>` within quotes does not end one.
fn tags<'a>(body: &'a [u8], tag: &'a str) -> impl Iterator<Item = &'a str> {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let rest = body.get(at..)?;
            let open = rest.iter().position(|byte| *byte == b'<')?;
            at += open + 1;
            let inner = body.get(at..)?;
            let named = inner.get(..tag.len()).is_some_and(|name| name.eq_ignore_ascii_case(tag.as_bytes()));
            if !named || !inner.get(tag.len()).is_some_and(u8::is_ascii_whitespace) {
                continue;
            }
            let mut quote = None;
            let end = inner.iter().take(TAG_BYTES_MAX).position(|byte| {
                match (quote, *byte) {
                    (None, b'"' | b'\'') => quote = Some(*byte),
                    (Some(open), close) if open == close => quote = None,
                    _ => {}
                }
                *byte == b'>' && quote.is_none()
            })?;
            at += end;
            if let Some(text) = inner.get(tag.len()..end).and_then(|text| std::str::from_utf8(text).ok()) {
                return Some(text);
            }
        }
    })
}

/// The value of an attribute within a tag's text, unescaped.
pub(super) fn value(tag: &str, name: &str) -> Option<String> {
    let mut rest = tag;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
        let end = rest.find(|c: char| c.is_ascii_whitespace() || c == '=').unwrap_or(rest.len());
        let (key, after) = rest.split_at_checked(end)?;
        if key.is_empty() && !after.starts_with('=') {
            return None;
        }
        let (text, after) = match after.trim_start().strip_prefix('=').map(str::trim_start) {
            None => ("", after),
            Some(after) => match after.chars().next() {
                Some(quote @ ('"' | '\'')) => after.get(1..)?.split_once(quote)?,
                _ => after.split_at(after.find(|c: char| c.is_ascii_whitespace()).unwrap_or(after.len())),
            },
        };
        if key.eq_ignore_ascii_case(name) {
            return Some(unescaped(text));
        }
        rest = after;
    }
}

/// Without character references; what is none stays as it is.
fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        plain.push_str(before);
        match after.split_once(';').and_then(|(name, after)| Some((character(name)?, after))) {
            Some((character, after)) => {
                plain.push(character);
                rest = after;
            }
            None => {
                plain.push('&');
                rest = after;
            }
        }
    }
    plain.push_str(rest);
    plain
}

fn character(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(digits) => u32::from_str_radix(digits, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn attributes_are_found_as_browsers_find_them() {
        for (body, tag, name, found) in [
            (
                r#"<main class="a" data-challenge="{&#34;a&#34;:1}">"#,
                "main",
                "data-challenge",
                Some(r#"{"a":1}"#),
            ),
            ("<MAIN\n data-x='1 > 0' data-y=2>", "main", "data-y", Some("2")),
            ("<main a = b c>", "main", "a", Some("b")),
            ("<main a c>", "main", "c", Some("")),
            ("<maintain a=1><main b=1>", "main", "a", None),
            ("<main b=1><main a=2>", "main", "a", Some("2")),
            (
                r#"<meta content="5; url=/?a=1&amp;b=2" http-equiv=refresh/>"#,
                "meta",
                "content",
                Some("5; url=/?a=1&b=2"),
            ),
            ("<main a=\"1", "main", "a", None),
            ("<main a=&x;&#x41;&#65>", "main", "a", Some("&x;A&#65")),
            ("", "main", "a", None),
        ] {
            assert_eq!(attribute(body.as_bytes(), tag, name, |_| true).as_deref(), found, "{body}");
        }
    }

    proptest! {
        #[test]
        fn no_page_is_too_strange(body in prop::collection::vec(any::<u8>(), 0..300), tail in "[<>a=\"' &;#m]{0,60}") {
            let page = [b"<m ".as_slice(), &body, tail.as_bytes()].concat();
            let _ = attribute(&page, "m", "a", |_| true);
        }

        #[test]
        fn what_was_escaped_comes_back(text in "[ -~]{0,80}") {
            let escaped: String = text.chars().map(|c| format!("&#{};", u32::from(c))).collect();
            let body = format!("<main data-challenge=\"{escaped}\">");
            prop_assert_eq!(attribute(body.as_bytes(), "main", "data-challenge", |_| true), Some(text));
        }
    }
}
