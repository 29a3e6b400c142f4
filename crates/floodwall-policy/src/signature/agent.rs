//! What kind of program a `User-Agent` names: a browser's family and system, or the program's name.
//!
//! Never a version: on the day a browser is renewed a tenth of the visitors carry one that was never
//! seen before.

/// Set in numbers of programs that are no browsers; the rest is a hash of the name.
const PROGRAM: u32 = 1 << 31;

/// Browsers by a word of their own, the most particular first: Edge says Chrome, Chrome says Safari.
const FAMILIES: [(&str, &str); 12] = [
    ("HeadlessChrome", "headless Chrome"),
    ("Edg", "Edge"),
    ("EdgA", "Edge"),
    ("EdgiOS", "Edge"),
    ("OPR", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("FxiOS", "Firefox"),
    ("CriOS", "Chrome"),
    ("Firefox", "Firefox"),
    ("Chrome", "Chrome"),
    ("Version", "Safari"),
    ("Safari", "a web view"),
];
const UNNAMED_BROWSER: &str = "an unnamed browser";

/// Systems by the first word of the first comment.
const SYSTEMS: [(&str, &str); 8] = [
    ("Windows", "Windows"),
    ("Macintosh", "macOS"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Linux", "Android"),
    ("Android", "Android"),
    ("X11", "Linux"),
    ("compatible", "a system it does not name"),
];
const UNNAMED_SYSTEM: &str = "a system it does not name";

/// The number of a kind; 0 for no `User-Agent`.
pub(super) fn number(user_agent: Option<&[u8]>, hash: impl FnOnce(&[u8]) -> u32) -> u32 {
    let Some(text) = user_agent.filter(|text| !text.is_empty()) else { return 0 };
    let Some(rest) = text.strip_prefix(b"Mozilla/") else { return PROGRAM | hash(name(text)) };
    let mut family = FAMILIES.len();
    let mut words = rest.split(|byte| *byte == b' ');
    while let Some(word) = words.next() {
        // A crawler calls itself a browser and then says who it is: `compatible; Examplebot/2.1`.
        if is_compatible(word)
            && let Some(claimed) = words.next().and_then(claimed_by)
        {
            return PROGRAM | hash(claimed);
        }
        let word = word.split(|byte| *byte == b'/').next().unwrap_or(word);
        let place = FAMILIES.iter().take(family).position(|(own, _)| own.as_bytes() == word);
        family = place.unwrap_or(family);
    }
    let system = comment(rest)
        .and_then(|comment| SYSTEMS.iter().position(|(own, _)| comment.starts_with(own.as_bytes())));
    let number = 1 + family * (SYSTEMS.len() + 1) + system.unwrap_or(SYSTEMS.len());
    u32::try_from(number).unwrap_or(1)
}

/// The name of a program that is no browser, or of a crawler; empty for a browser.
pub(super) fn name(user_agent: &[u8]) -> &[u8] {
    match user_agent.strip_prefix(b"Mozilla/") {
        Some(rest) => claimed(rest).unwrap_or_default(),
        None => user_agent.split(|byte| matches!(byte, b'/' | b' ' | b'(')).next().unwrap_or_default(),
    }
}

/// Who it says it is in `(compatible; Examplebot/2.1; ...)`.
fn claimed(text: &[u8]) -> Option<&[u8]> {
    let mut words = text.split(|byte| *byte == b' ');
    words.find(|word| is_compatible(word))?;
    words.next().and_then(claimed_by)
}

fn is_compatible(word: &[u8]) -> bool {
    word.strip_prefix(b"(").unwrap_or(word) == b"compatible;"
}

fn claimed_by(word: &[u8]) -> Option<&[u8]> {
    let name = word.split(|byte| matches!(byte, b'/' | b';' | b')')).next()?;
    // Internet Explorer up to 10 began so too.
    (!name.is_empty() && name != b"MSIE").then_some(name)
}

/// The first comment: what stands in parentheses.
fn comment(text: &[u8]) -> Option<&[u8]> {
    let start = text.iter().position(|byte| *byte == b'(')? + 1;
    text.get(start..)
}

/// In words; `name` is the program's, if it is known.
pub(super) fn words(number: u32, name: Option<&str>) -> String {
    if number == 0 {
        return "no User-Agent".to_owned();
    }
    if number & PROGRAM != 0 {
        return match name.filter(|name| !name.is_empty()) {
            Some(name) => format!("User-Agent {name}"),
            None => format!("User-Agent #{number:08x}"),
        };
    }
    let number = usize::try_from(number - 1).unwrap_or(0);
    let (family, system) = (number / (SYSTEMS.len() + 1), number % (SYSTEMS.len() + 1));
    let family = FAMILIES.get(family).map_or(UNNAMED_BROWSER, |(_, name)| name);
    let system = SYSTEMS.get(system).map_or(UNNAMED_SYSTEM, |(_, name)| name);
    format!("User-Agent of {family} on {system}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(user_agent: &str) -> String {
        let bytes = user_agent.as_bytes();
        let number = number(Some(bytes), |name| name.len().try_into().unwrap());
        words(number, std::str::from_utf8(name(bytes)).ok())
    }

    #[test]
    fn families_systems_and_programs() {
        for (user_agent, expected) in [
            ("", "no User-Agent"),
            ("curl/8.5.0", "User-Agent curl"),
            ("python-requests/2.31.0", "User-Agent python-requests"),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/129.0.0.0 Safari/537.36",
                "User-Agent of Chrome on Windows",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/129.0.0.0 Safari/537.36 Edg/129.0.0.0",
                "User-Agent of Edge on Windows",
            ),
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0",
                "User-Agent of Firefox on Linux",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
                "User-Agent of Safari on iPhone",
            ),
            (
                "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/129.0.0.0 Mobile Safari/537.36",
                "User-Agent of Chrome on Android",
            ),
            ("Mozilla/5.0", "User-Agent of an unnamed browser on a system it does not name"),
            (
                "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
                "User-Agent Googlebot",
            ),
            (
                "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm) Chrome/116.0.1938.76 Safari/537.36",
                "User-Agent bingbot",
            ),
        ] {
            assert_eq!(said(user_agent), expected);
        }
    }

    #[test]
    fn versions_do_not_count() {
        let of = |text: &str| number(Some(text.as_bytes()), |_| 7);
        assert_eq!(
            of("Mozilla/5.0 (Windows NT 10.0) Chrome/129.0 Safari/537.36"),
            of("Mozilla/5.0 (Windows NT 10.0) Chrome/130.0 Safari/537.36")
        );
    }
}
