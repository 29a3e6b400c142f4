//! Paths of a site, written as in an address: `/search`, `/news/*`; and classes of them.

use std::fmt;

use super::forms::{TextFault, TextForm, shorten};

/// Paths in one class.
const PATHS_MAX: usize = 64;
/// Letters in a class's name.
const NAME_MAX: usize = 40;

/// One path, or all that begin alike.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct PathPattern {
    /// The path, or the beginning of those it is for.
    pub(crate) path: String,
    /// Whether it is for every path that begins so (`*`).
    pub(crate) below: bool,
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.path, if self.below { "*" } else { "" })
    }
}

/// Paths whose requests cost the origin alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PathClass {
    /// A short name for metrics and the console.
    pub(crate) name: String,
    /// What belongs to it.
    pub(crate) paths: Vec<PathPattern>,
}

/// Reads the path in front of whatever follows it.
pub(super) fn parse_pattern(path: &str, example: &str) -> Result<PathPattern, TextFault> {
    let wrong = |problem: String, fix: String| Err(TextFault::new(problem, fix));
    if !path.starts_with('/') {
        return wrong(
            format!("`{}` is not a path", shorten(path)),
            format!("write the path from its first `/`, without scheme and host, for example \"{example}\""),
        );
    }
    let (path, below) = path.strip_suffix('*').map_or((path, false), |start| (start, true));
    if path.contains('*') {
        return wrong(
            format!("`*` stands within the path `{}`", shorten(path)),
            "`*` stands only at the path's end, for example \"/news/*\"".to_owned(),
        );
    }
    let stands = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'#' | b'%' | b'"' | b'\\' | b'?');
    if !path.bytes().all(stands) {
        return wrong(
            format!("`{}` has characters that do not stand in a path here", shorten(path)),
            "write plain letters, digits and signs, without percent-encoding, query and fragment".to_owned(),
        );
    }
    Ok(PathPattern { path: path.to_owned(), below })
}

/// Reads a [`PathPattern`].
pub(super) struct SitePath;

impl TextForm for SitePath {
    type Output = PathPattern;

    fn expected(&self) -> String {
        "a path; `*` at its end stands for every path that begins so".to_owned()
    }

    fn example(&self) -> &'static str {
        "/status/*"
    }

    fn parse(&self, text: &str) -> Result<PathPattern, TextFault> {
        parse_pattern(text.trim(), self.example())
    }
}

/// Reads a [`PathClass`].
pub(super) struct Class;

impl TextForm for Class {
    type Output = PathClass;

    fn expected(&self) -> String {
        "a name, `:`, and paths with spaces between them; `*` at a path's end stands for every path that begins so"
            .to_owned()
    }

    fn example(&self) -> &'static str {
        "look-up: /polling-place* /search"
    }

    fn parse(&self, text: &str) -> Result<PathClass, TextFault> {
        let example = format!("for example \"{}\"", self.example());
        let Some((name, paths)) = text.split_once(':') else {
            let problem = format!("`{}` has no `:` behind a name", shorten(text));
            return Err(TextFault::new(problem, format!("write a name, `:`, and its paths, {example}")));
        };
        let name = name.trim();
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if name.is_empty() || name.len() > NAME_MAX || !name.bytes().all(is_name) {
            let problem = format!("`{}` is not the name of a class", shorten(name));
            let fix = format!("write 1 to {NAME_MAX} letters, digits, `-` and `_`, {example}");
            return Err(TextFault::new(problem, fix));
        }
        let parsed = paths.split_whitespace().map(|path| parse_pattern(path, "/search"));
        let paths = parsed.collect::<Result<Vec<_>, _>>()?;
        if paths.is_empty() || paths.len() > PATHS_MAX {
            let problem = format!("the class `{name}` has {} paths", paths.len());
            return Err(TextFault::new(problem, format!("write 1 to {PATHS_MAX} paths, {example}")));
        }
        Ok(PathClass { name: name.to_owned(), paths })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_what_is_none() {
        for (text, expected) in [
            (" /status ", Ok("/status")),
            ("/news/*", Ok("/news/*")),
            ("/*", Ok("/*")),
            ("status", Err("`status` is not a path")),
            ("/a*b", Err("`*` stands within the path `/a*b`")),
            ("/a?b", Err("`/a?b` has characters that do not stand in a path here")),
        ] {
            let read = SitePath.parse(text);
            let got = read.map(|path| path.to_string()).map_err(|fault| fault.problem);
            assert_eq!(got, expected.map(str::to_owned).map_err(str::to_owned), "{text}");
        }
    }

    #[test]
    fn classes_and_what_is_none() {
        let read = |text: &str| {
            let class = Class.parse(text).map_err(|fault| fault.problem)?;
            let paths: Vec<String> = class.paths.iter().map(ToString::to_string).collect();
            Ok::<_, String>(format!("{}: {}", class.name, paths.join(" ")))
        };
        for (text, expected) in [
            ("look-up: /polling-place*  /search", Ok("look-up: /polling-place* /search")),
            ("a:/b", Ok("a: /b")),
            ("/search", Err("`/search` has no `:` behind a name")),
            ("a b: /c", Err("`a b` is not the name of a class")),
            (": /c", Err("`` is not the name of a class")),
            ("a:", Err("the class `a` has 0 paths")),
            ("a: b", Err("`b` is not a path")),
        ] {
            assert_eq!(read(text), expected.map(str::to_owned).map_err(str::to_owned), "{text}");
        }
    }
}
