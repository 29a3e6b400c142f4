//! What a post asserts, as far as a program can tell by its words.
//!
//! Closed lists of phrases in English, Russian, Ukrainian and Spanish. A program that reads so overlooks
//! irony, denial and quotation; what it reads is marked as such ([`ReadBy::Program`](crate::ReadBy)) and
//! is for a person to read again.

use crate::claim::{
    ClaimedEffect, ClaimedMethod, ClaimedSize, NamedHow, NamedTarget, SizeUnit, TARGETS_MAX, TEXT_BYTES_MAX,
};
use crate::host::{TargetName, does_not_show};
use crate::moment::Moment;

/// Pages of others on whose word the claimants like to rest: they tell whether a site could be reached
/// from some places at one moment.
const CHECKERS: [&str; 8] = [
    "check-host.net",
    "check-host.cc",
    "check-host.eu",
    "downdetector.com",
    "isitdownrightnow.com",
    "downforeveryoneorjustme.com",
    "ping.pe",
    "site24x7.com",
];

/// Hosts that posts link to for other reasons than to name a target.
const NO_TARGETS: [&str; 7] =
    ["t.me", "telegram.me", "telegram.org", "youtube.com", "youtu.be", "twitter.com", "x.com"];

/// Ends of file names and programs that look like top-level domains.
const NO_DOMAINS: [&str; 12] =
    ["js", "php", "html", "htm", "exe", "zip", "txt", "json", "jpg", "png", "pdf", "sh"];

/// Most pages kept for proof.
const PROOFS_MAX: usize = 32;

const DOWN: [&str; 29] = [
    "took down",
    "taken down",
    "take down",
    "is down",
    "are down",
    "was down",
    "went down",
    "knocked out",
    "knocked offline",
    "offline",
    "not available",
    "unavailable",
    "dead",
    "положили",
    "положен",
    "лежит",
    "лежат",
    "упал",
    "не работает",
    "недоступен",
    "недоступны",
    "отключен",
    "не працює",
    "недоступний",
    "ліг",
    "derribado",
    "caído",
    "fuera de servicio",
    "fuera de línea",
];

const DEGRADED: [&str; 9] = [
    "slow",
    "slowed",
    "unstable",
    "periodically inaccessible",
    "intermittent",
    "с перебоями",
    "тормозит",
    "lento",
    "intermitente",
];

const METHODS: [(ClaimedMethod, &[&str]); 7] = [
    (
        ClaimedMethod::HttpFlood,
        &["layer 7", "layer7", "l7", "http flood", "http-flood", "http get", "http post", "7 уровень"],
    ),
    (ClaimedMethod::SlowConnections, &["slowloris", "slow loris", "rudy attack", "slow post"]),
    (ClaimedMethod::TlsHandshakes, &["tls flood", "ssl flood", "tls handshake", "ssl renegotiation"]),
    (ClaimedMethod::StreamResets, &["rapid reset", "http/2 reset"]),
    (ClaimedMethod::SynFlood, &["syn flood", "syn-flood", "synflood", "tcp syn"]),
    (
        ClaimedMethod::PacketFlood,
        &["udp flood", "udp-flood", "amplification", "reflection", "layer 4", "layer4", "l4", "4 уровень"],
    ),
    (
        ClaimedMethod::Intrusion,
        &[
            "hacked",
            "breached",
            "leaked",
            "defaced",
            "stole",
            "database dump",
            "взломали",
            "взломан",
            "слили базу",
            "hackeado",
        ],
    ),
];

/// What a text asserts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextReading {
    /// The text without letters that do not show, cut to [`TEXT_BYTES_MAX`].
    pub text: String,
    /// What it names, links first.
    pub targets: Vec<NamedTarget>,
    /// Targets beyond [`TARGETS_MAX`].
    pub targets_dropped: u64,
    /// How it says it was done.
    pub methods: Vec<ClaimedMethod>,
    /// What it says came of it.
    pub effect: Option<ClaimedEffect>,
    /// How much it says was sent.
    pub size: Option<ClaimedSize>,
    /// Pages of others that it shows for proof.
    pub proofs: Vec<String>,
}

/// Reads a post: its text, the links in it, and when it can have come to say so.
#[must_use]
pub fn read_text(text: &str, links: &[String], since: Moment) -> TextReading {
    let mut reading = TextReading { text: shown(text), ..TextReading::default() };
    for link in links {
        reading.name(link, NamedHow::Link, since);
    }
    // Read as it came: letters that do not show are part of a name's oddity, and said there.
    let cut = cut_at(text, TEXT_BYTES_MAX * 4);
    for word in cut.split(|c: char| c.is_whitespace() || c.is_control() || "<>\"'`«»“”„,;!?()|*".contains(c))
    {
        let word = word.trim_matches(|c: char| ".:-–—…".contains(c));
        let is_link = word.contains("://");
        if word.contains('.') || word.contains('。') || word.contains('．') {
            reading.name(word, if is_link { NamedHow::Link } else { NamedHow::Text }, since);
        }
    }
    let lower = reading.text.to_lowercase();
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| has_words(&lower, phrase));
    reading.effect = if says(&DOWN) {
        Some(ClaimedEffect::Down)
    } else {
        says(&DEGRADED).then_some(ClaimedEffect::Degraded)
    };
    reading.methods =
        METHODS.iter().filter(|(_, phrases)| says(phrases)).map(|(method, _)| *method).collect();
    reading.size = size(&lower);
    reading
}

impl TextReading {
    fn name(&mut self, raw: &str, how: NamedHow, since: Moment) {
        let Ok((name, flags)) = TargetName::parse(raw) else { return };
        if let Some(host) = name.host() {
            let is_of = |list: &[&str]| {
                list.iter()
                    .any(|own| host == *own || host.strip_suffix(own).is_some_and(|rest| rest.ends_with('.')))
            };
            if is_of(&CHECKERS) {
                let shown = shown(raw);
                if self.proofs.len() < PROOFS_MAX && !self.proofs.contains(&shown) {
                    self.proofs.push(shown);
                }
                return;
            }
            let top = host.rsplit('.').next().unwrap_or_default();
            if is_of(&NO_TARGETS) || (how == NamedHow::Text && NO_DOMAINS.contains(&top)) {
                return;
            }
        }
        if self.targets.iter().any(|known| known.name == name) {
            return;
        }
        if self.targets.len() >= TARGETS_MAX {
            self.targets_dropped += 1;
            return;
        }
        self.targets.push(NamedTarget { name, flags, since, how, requests: Vec::new() });
    }
}

/// Text as it is kept and shown: nothing in it moves a cursor or turns the direction of writing.
fn shown(text: &str) -> String {
    let letters = text.chars().filter(|letter| !does_not_show(*letter));
    let text: String = letters.collect();
    cut_at(&text, TEXT_BYTES_MAX).to_owned()
}

fn cut_at(text: &str, bytes_max: usize) -> &str {
    let mut end = bytes_max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// Whether a phrase stands in a text as words of their own.
fn has_words(text: &str, phrase: &str) -> bool {
    let mut from = 0;
    while let Some(at) = text.get(from..).and_then(|rest| rest.find(phrase)) {
        let (start, end) = (from + at, from + at + phrase.len());
        let before = text.get(..start).and_then(|text| text.chars().next_back());
        let after = text.get(end..).and_then(|text| text.chars().next());
        if !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric) {
            return true;
        }
        from = end;
    }
    false
}

/// The first size in a text: `1.2 Tbps`, `500k rps`, `3 million requests per second`.
fn size(lower: &str) -> Option<ClaimedSize> {
    let words: Vec<&str> = lower.split_whitespace().take(4_096).collect();
    words.iter().enumerate().find_map(|(at, word)| {
        let number_ends = word.find(|c: char| !c.is_ascii_digit() && c != '.' && c != ',');
        let (number, glued) = word.split_at(number_ends.unwrap_or(word.len()));
        let number: f64 = number.replace(',', ".").parse().ok()?;
        let rest = words.get(at + 1..).unwrap_or_default();
        let mut following =
            std::iter::once(glued).filter(|glued| !glued.is_empty()).chain(rest.iter().copied());
        let mut next = following.next()?;
        let mut times = 1.0;
        for (word, factor) in [("k", 1e3), ("thousand", 1e3), ("m", 1e6), ("million", 1e6), ("mln", 1e6)] {
            if next == word {
                times = factor;
                next = following.next()?;
                break;
            }
        }
        let (factor, unit) = unit(next, following.next(), following.next())?;
        amount(number * times * factor).map(|amount| ClaimedSize { amount, unit })
    })
}

fn unit(word: &str, second: Option<&str>, third: Option<&str>) -> Option<(f64, SizeUnit)> {
    use SizeUnit::{BitsPerSecond, PacketsPerSecond, RequestsPerSecond};
    let word = word.trim_end_matches(['.', ',', '!', ')']);
    Some(match word {
        "tbps" | "tb/s" | "tbit/s" => (1e12, BitsPerSecond),
        "gbps" | "gb/s" | "gbit/s" => (1e9, BitsPerSecond),
        "mbps" | "mb/s" | "mbit/s" => (1e6, BitsPerSecond),
        "mrps" => (1e6, RequestsPerSecond),
        "krps" => (1e3, RequestsPerSecond),
        "rps" | "req/s" => (1.0, RequestsPerSecond),
        "mpps" => (1e6, PacketsPerSecond),
        "pps" => (1.0, PacketsPerSecond),
        "requests" if is_per_second(second, third) => (1.0, RequestsPerSecond),
        _ => return None,
    })
}

fn is_per_second(second: Option<&str>, third: Option<&str>) -> bool {
    let is_second = |word: Option<&str>| word.is_some_and(|word| word.starts_with("second"));
    (matches!(second, Some("per" | "a")) && is_second(third)) || matches!(second, Some("/s"))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and 10^18")]
fn amount(figure: f64) -> Option<u64> {
    (1.0..1e18).contains(&figure).then_some(figure.round() as u64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> TextReading {
        read_text(text, &[], Moment::second(0))
    }

    fn names(text: &str) -> Vec<String> {
        read(text).targets.iter().map(|target| target.name.to_string()).collect()
    }

    #[test]
    fn a_post_in_the_words_of_its_kind() {
        let post = "First target: https://www.sos.example.gov/ and vote.example.gov. Taken down! \
                    Report: https://check-host.net/check-report/abc Layer 7, 1.2 Tbps. Join t.me/channel";
        let reading = read(post);
        assert_eq!(names(post), ["www.sos.example.gov", "vote.example.gov"]);
        assert_eq!(reading.effect, Some(ClaimedEffect::Down));
        assert_eq!(reading.methods, [ClaimedMethod::HttpFlood]);
        assert_eq!(reading.proofs, ["https://check-host.net/check-report/abc"]);
        let size = ClaimedSize { amount: 1_200_000_000_000, unit: SizeUnit::BitsPerSecond };
        assert_eq!(reading.size, Some(size));
    }

    #[test]
    fn words_count_as_words() {
        let check =
            |text: &str, effect: Option<ClaimedEffect>| assert_eq!(read(text).effect, effect, "{text}");
        check("Сайт www.sos.example.gov положили", Some(ClaimedEffect::Down));
        check("El sitio está fuera de servicio", Some(ClaimedEffect::Down));
        check("works slowly today", None);
        check("it is slow today", Some(ClaimedEffect::Degraded));
        check("the deadline is Friday", None);
        check("Our first target is the election office", None);
    }

    #[test]
    fn names_that_are_none() {
        assert!(names("see v1.2, node.js, e.g. file.zip, i.e. 3.5 and index.php ... ok").is_empty());
        assert_eq!(
            names("(sos.example.gov); «vote.example.gov»..."),
            ["sos.example.gov", "vote.example.gov"]
        );
        assert_eq!(names("sos.example.gov SOS.example.gov https://sos.example.gov/a"), ["sos.example.gov"]);
    }

    #[test]
    fn sizes() {
        use SizeUnit::{PacketsPerSecond, RequestsPerSecond};
        let check = |text: &str, size: Option<(u64, SizeUnit)>| {
            let read = read(text).size.map(|size| (size.amount, size.unit));
            assert_eq!(read, size, "{text}");
        };
        check("3 million requests per second", Some((3_000_000, RequestsPerSecond)));
        check("500k rps from our botnet", Some((500_000, RequestsPerSecond)));
        check("40 mpps", Some((40_000_000, PacketsPerSecond)));
        check("with 300 friends", None);
        check("-5 gbps", None);
        check("99999999999999999999 tbps", None);
    }

    #[test]
    fn letters_that_do_not_show_are_not_kept() {
        let reading = read("\u{202E}attack on s\u{200B}os.example.gov\u{1b}[2J");
        assert_eq!(reading.text, "attack on sos.example.gov[2J");
        assert_eq!(reading.targets[0].flags, [crate::HostFlag::Invisible]);
    }

    proptest! {
        #[test]
        fn any_text_is_read_within_bounds(text in "\\PC{0,300}", links in prop::collection::vec("\\PC{0,60}", 0..5)) {
            let reading = read_text(&text, &links, Moment::second(0));
            prop_assert!(reading.targets.len() <= TARGETS_MAX && reading.text.len() <= TEXT_BYTES_MAX);
        }
    }
}
