//! Which query parameters the pages of a path read, written as an address: `/search?q&page`.

use std::fmt;

use super::forms::{TextFault, TextForm, shorten};
use super::path::{PathPattern, parse_pattern};

/// Names in one rule.
const NAMES_MAX: usize = 64;

/// One rule of query hygiene.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct QueryRule {
    /// The path, or the beginning of those it is for.
    pub(crate) path: String,
    /// Whether it is for every path that begins so (`*`).
    pub(crate) below: bool,
    /// Names of the parameters that are kept.
    pub(crate) parameters: Vec<String>,
}

impl fmt::Display for QueryRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}?{}", self.path, if self.below { "*" } else { "" }, self.parameters.join("&"))
    }
}

/// Reads a [`QueryRule`].
pub(super) struct Query;

impl TextForm for Query {
    type Output = QueryRule;

    fn expected(&self) -> String {
        "a path, `?`, and the names of the parameters it reads with `&` between them; `*` at the path's end stands for every path that begins so".to_owned()
    }

    fn example(&self) -> &'static str {
        "/search?q&page"
    }

    fn parse(&self, text: &str) -> Result<QueryRule, TextFault> {
        let text = text.trim();
        let wrong = |problem: String, fix: &str| Err(TextFault::new(problem, fix));
        let Some((path, names)) = text.split_once('?') else {
            let fix = format!("write \"{}?\" to keep none, or the names to keep behind `?`", shorten(text));
            return Err(TextFault::new(format!("`{}` has no `?`", shorten(text)), fix));
        };
        let PathPattern { path, below } = parse_pattern(path, "/search?q")?;
        let parameters: Vec<String> =
            names.split('&').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        if parameters.len() > NAMES_MAX {
            return wrong(format!("{} names are too many", parameters.len()), "write 64 at most");
        }
        for (place, name) in parameters.iter().enumerate() {
            if name.contains('=') {
                return wrong(
                    format!("`{}` has a value", shorten(name)),
                    "write the names of parameters only: a rule says nothing of their values",
                );
            }
            if !name.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'#' | b'?' | b'*')) {
                return wrong(
                    format!("`{}` is not the name of a parameter", shorten(name)),
                    "write the name as it stands in an address, for example \"q\" or \"in[]\"",
                );
            }
            if parameters.iter().take(place).any(|earlier| earlier == name) {
                return wrong(format!("`{}` is named twice", shorten(name)), "take one of them out");
            }
        }
        Ok(QueryRule { path, below, parameters })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_and_what_is_none() {
        for (text, expected) in [
            ("/search?q&page", Ok("/search?q&page")),
            (" /search?q& ", Ok("/search?q")),
            ("/?", Ok("/?")),
            ("/*?", Ok("/*?")),
            ("/news/*?page", Ok("/news/*?page")),
            ("/find?in[]", Ok("/find?in[]")),
            ("/search", Err("`/search` has no `?`")),
            ("search?q", Err("`search` is not a path")),
            ("https://www.example.gov/?q", Err("`https://www.example.gov/` is not a path")),
            ("/a*b?q", Err("`*` stands within the path `/a*b`")),
            ("/a b?q", Err("`/a b` has characters that do not stand in a path here")),
            ("/%61?q", Err("`/%61` has characters that do not stand in a path here")),
            ("/a?q=1", Err("`q=1` has a value")),
            ("/a?q&q", Err("`q` is named twice")),
            ("/a?*", Err("`*` is not the name of a parameter")),
            ("/a?b?c", Err("`b?c` is not the name of a parameter")),
        ] {
            let read = Query.parse(text);
            let got = read.map(|rule| rule.to_string()).map_err(|fault| fault.problem);
            assert_eq!(got, expected.map(str::to_owned).map_err(str::to_owned), "{text}");
        }
        let many = (0..65).map(|n| format!("p{n}")).collect::<Vec<_>>().join("&");
        assert!(Query.parse(&format!("/?{many}")).is_err());
    }
}
