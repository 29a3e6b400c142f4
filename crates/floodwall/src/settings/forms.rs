//! The kinds of value that settings take, each with words for what is wrong and what to write.

use std::marker::PhantomData;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use floodwall_model::{ParsePrefixError, Prefix};
use toml::de::DeValue;

use super::definition::{Form, Item, Located, Wrong, kind_in_words};
use super::quantity::{format_duration, format_size, parse_duration, parse_size};

/// A fault in a text, before its place is known.
pub(super) struct TextFault {
    pub(super) problem: String,
    pub(super) fix: String,
}

impl TextFault {
    pub(super) fn new(problem: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { problem: problem.into(), fix: fix.into() }
    }
}

/// A kind of value that is written as text in quotes.
pub(super) trait TextForm: Sync {
    type Output;
    fn expected(&self) -> String;
    fn example(&self) -> &'static str;
    fn parse(&self, text: &str) -> Result<Self::Output, TextFault>;
}

impl<T: TextForm> Form for T {
    type Output = T::Output;

    fn expected(&self) -> String {
        TextForm::expected(self)
    }

    fn read(&self, item: &Item<'_>, wrongs: &mut Vec<Wrong>) -> Option<T::Output> {
        let DeValue::String(text) = item.get_ref() else {
            let fix = match (only_text(item.get_ref()), item.get_ref()) {
                (Some(only), _) => format!("write it without brackets: \"{}\"", shorten(only)),
                // `header = 10`: what the number would mean in quotes says what to write.
                (None, DeValue::Integer(number)) => match self.parse(number.as_str()) {
                    Ok(_) => format!("write \"{}\"", shorten(number.as_str())),
                    Err(fault) => fault.fix,
                },
                (None, _) => format!(
                    "write {} in quotes, for example \"{}\"",
                    TextForm::expected(self),
                    self.example()
                ),
            };
            wrongs.push(Wrong {
                at: item.span(),
                problem: format!(
                    "{} is found where text in quotes is expected",
                    kind_in_words(item.get_ref())
                ),
                fix,
            });
            return None;
        };
        match self.parse(text) {
            Ok(value) => Some(value),
            Err(TextFault { problem, fix }) => {
                wrongs.push(Wrong { at: item.span(), problem, fix });
                None
            }
        }
    }
}

/// The text of a list's only element, for people who wrote brackets where none belong.
fn only_text<'a>(value: &'a DeValue<'_>) -> Option<&'a str> {
    let list = value.as_array()?;
    match (list.first(), list.get(1)) {
        (Some(only), None) => only.get_ref().as_str(),
        _ => None,
    }
}

/// At most 60 characters of what was found, control characters escaped, passwords masked.
pub(super) fn shorten(text: &str) -> String {
    let masked = super::fault::mask_passwords(text);
    let mut short: String = masked.chars().take(60).flat_map(char::escape_debug).collect();
    if masked.chars().nth(60).is_some() {
        short.push_str("...");
    }
    short
}

/// A list of values in brackets.
pub(super) struct ListOf<F>(pub(super) F);

impl<F: TextForm> Form for ListOf<F> {
    type Output = Vec<Located<F::Output>>;

    fn expected(&self) -> String {
        format!("a list; each element is {}", TextForm::expected(&self.0))
    }

    fn read(&self, item: &Item<'_>, wrongs: &mut Vec<Wrong>) -> Option<Self::Output> {
        let Some(list) = item.get_ref().as_array() else {
            let inside = match item.get_ref().as_str() {
                Some(text) => shorten(text),
                None => self.0.example().to_owned(),
            };
            wrongs.push(Wrong {
                at: item.span(),
                problem: format!("{} is found where a list is expected", kind_in_words(item.get_ref())),
                fix: format!("write brackets around it: [\"{inside}\"]"),
            });
            return None;
        };
        let read = |element: &Item<'_>| {
            let value = self.0.read(element, wrongs)?;
            Some(Located { value, at: Some(element.span()) })
        };
        Some(list.iter().filter_map(read).collect())
    }

    fn without_places(&self, value: Self::Output) -> Self::Output {
        value.into_iter().map(|element| Located { at: None, ..element }).collect()
    }
}

/// A whole number within bounds.
pub(super) struct Whole<T> {
    bounds: RangeInclusive<u64>,
    number: PhantomData<fn() -> T>,
}

impl<T> Whole<T> {
    /// From `least` to `most`, both included.
    pub(super) const fn between(least: u64, most: u64) -> Self {
        Self { bounds: least..=most, number: PhantomData }
    }
}

impl<T: TryFrom<u64>> Form for Whole<T> {
    type Output = T;

    fn expected(&self) -> String {
        format!("a whole number from {} to {}", self.bounds.start(), self.bounds.end())
    }

    fn read(&self, item: &Item<'_>, wrongs: &mut Vec<Wrong>) -> Option<T> {
        let fix = || format!("write {}, without quotes", self.expected());
        let Some(written) = item.get_ref().as_integer() else {
            let problem =
                format!("{} is found where a whole number is expected", kind_in_words(item.get_ref()));
            wrongs.push(Wrong { at: item.span(), problem, fix: fix() });
            return None;
        };
        // i128 holds whatever sign and size a mistaken number has, so that it is named as such.
        let number = i128::from_str_radix(written.as_str(), written.radix()).ok();
        let value = number
            .and_then(|n| u64::try_from(n).ok())
            .filter(|n| self.bounds.contains(n))
            .and_then(|n| T::try_from(n).ok());
        if value.is_none() {
            let small = number.is_some_and(|n| n < i128::from(*self.bounds.start()));
            let shown = shorten(written.as_str());
            let problem = format!("{shown} is too {}", if small { "small" } else { "large" });
            wrongs.push(Wrong { at: item.span(), problem, fix: fix() });
        }
        value
    }
}

/// A duration within bounds.
pub(super) struct Period(pub(super) Duration, pub(super) Duration);

impl TextForm for Period {
    type Output = Duration;

    fn expected(&self) -> String {
        format!("a duration from {} to {}", format_duration(self.0), format_duration(self.1))
    }

    fn example(&self) -> &'static str {
        "10s"
    }

    fn parse(&self, text: &str) -> Result<Duration, TextFault> {
        let value = parse_duration(text)?;
        if (self.0..=self.1).contains(&value) {
            return Ok(value);
        }
        let short = if value < self.0 { "short" } else { "long" };
        Err(TextFault::new(
            format!("`{}` is too {short}", shorten(text)),
            format!("write {}, for example \"10s\"", TextForm::expected(self)),
        ))
    }
}

/// A number of bytes within bounds.
pub(super) struct Size(pub(super) u64, pub(super) u64);

impl TextForm for Size {
    type Output = u64;

    fn expected(&self) -> String {
        format!("a size from {} to {}", format_size(self.0), format_size(self.1))
    }

    fn example(&self) -> &'static str {
        "256MiB"
    }

    fn parse(&self, text: &str) -> Result<u64, TextFault> {
        let value = parse_size(text)?;
        if (self.0..=self.1).contains(&value) {
            return Ok(value);
        }
        let small = if value < self.0 { "small" } else { "large" };
        Err(TextFault::new(
            format!("`{}` is too {small}", shorten(text)),
            format!("write {}, for example \"256MiB\"", TextForm::expected(self)),
        ))
    }
}

/// A path; relative ones count from the settings file's own folder.
pub(super) struct FilePath;

impl TextForm for FilePath {
    type Output = PathBuf;

    fn expected(&self) -> String {
        "a path".to_owned()
    }

    fn example(&self) -> &'static str {
        "/etc/floodwall/site.pem"
    }

    fn parse(&self, text: &str) -> Result<PathBuf, TextFault> {
        if text.trim().is_empty() || text.contains('\0') {
            return Err(TextFault::new("an empty or unusable path", "write a path, or leave the key out"));
        }
        Ok(PathBuf::from(text))
    }
}

/// A short text for people to read, on one line.
pub(super) struct Words;

/// Longest name or role, in characters.
const WORDS_MAX: usize = 200;

impl TextForm for Words {
    type Output = String;

    fn expected(&self) -> String {
        format!("text of 1 to {WORDS_MAX} characters")
    }

    fn example(&self) -> &'static str {
        "public"
    }

    fn parse(&self, text: &str) -> Result<String, TextFault> {
        let problem = if text.trim().is_empty() {
            "an empty text"
        } else if text.chars().count() > WORDS_MAX {
            "a text of more than 200 characters"
        } else if text.chars().any(char::is_control) {
            "a text with control characters"
        } else {
            return Ok(text.to_owned());
        };
        Err(TextFault::new(problem, format!("write {} on one line", TextForm::expected(self))))
    }
}

/// One word out of a closed list.
pub(super) struct OneOf<T: 'static>(pub(super) &'static [(&'static str, T)]);

impl<T: Copy + Sync> TextForm for OneOf<T> {
    type Output = T;

    fn expected(&self) -> String {
        let words: Vec<String> = self.0.iter().map(|(word, _)| format!("\"{word}\"")).collect();
        format!("one of {}", words.join(" or "))
    }

    fn example(&self) -> &'static str {
        self.0.first().map_or("", |(word, _)| word)
    }

    fn parse(&self, text: &str) -> Result<T, TextFault> {
        let found = self.0.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        found.ok_or_else(|| {
            TextFault::new(
                format!("`{}` is not known here", shorten(text)),
                format!("write {}", TextForm::expected(self)),
            )
        })
    }
}

/// A prefix of addresses.
pub(super) struct AddressPrefix;

impl TextForm for AddressPrefix {
    type Output = Prefix;

    fn expected(&self) -> String {
        "an address or a prefix".to_owned()
    }

    fn example(&self) -> &'static str {
        "192.0.2.0/24"
    }

    fn parse(&self, text: &str) -> Result<Prefix, TextFault> {
        text.trim().parse().map_err(|fault| match fault {
            ParsePrefixError::Syntax(_) => TextFault::new(
                format!("`{}` is neither an address nor a prefix", shorten(text)),
                "write for example \"192.0.2.0/24\" or \"2001:db8::/32\"",
            ),
            ParsePrefixError::HostBits { meant, .. } => TextFault::new(
                format!("`{}` has bits set beyond its length", shorten(text)),
                format!("write \"{meant}\""),
            ),
        })
    }
}

/// An address of this machine with a port.
pub(super) struct ListenAddress {
    /// The address advised to whoever wrote a port alone.
    alone: Ipv4Addr,
    example: &'static str,
}

impl ListenAddress {
    /// For visitors: every address of the machine.
    pub(super) const PUBLIC: Self = Self { alone: Ipv4Addr::UNSPECIFIED, example: "0.0.0.0:80" };
    /// For operators: this machine only, so that advice of ours never opens the console to everyone.
    pub(super) const OPERATORS: Self = Self { alone: Ipv4Addr::LOCALHOST, example: "127.0.0.1:9800" };
}

impl TextForm for ListenAddress {
    type Output = SocketAddr;

    fn expected(&self) -> String {
        "an address of this machine with a port".to_owned()
    }

    fn example(&self) -> &'static str {
        self.example
    }

    fn parse(&self, text: &str) -> Result<SocketAddr, TextFault> {
        let trimmed = text.trim();
        if let Ok(address) = trimmed.parse() {
            return Ok(address);
        }
        let meant = guess_address(trimmed, self.alone.into()).map_or_else(
            || format!("write an address and a port, for example \"{}\"", self.example),
            |address| format!("write \"{address}\""),
        );
        Err(TextFault::new(format!("`{}` is not an address with a port", shorten(text)), meant))
    }
}

/// What was probably meant by a listener that cannot be read.
fn guess_address(text: &str, alone: IpAddr) -> Option<SocketAddr> {
    let (scheme_port, rest) = match text.split_once("://") {
        Some(("https", rest)) => (443, rest.trim_end_matches('/')),
        Some((_, rest)) => (80, rest.trim_end_matches('/')),
        None => (80, text),
    };
    if let Ok(address) = rest.parse::<SocketAddr>() {
        return Some(address);
    }
    if let Ok(ip) = rest.trim_matches(['[', ']']).parse::<IpAddr>() {
        return Some(SocketAddr::new(ip, scheme_port));
    }
    let (host, port) = rest.rsplit_once(':').unwrap_or(("", rest));
    let port: u16 = port.parse().ok()?;
    let ip: IpAddr = match host {
        "localhost" => IpAddr::from([127, 0, 0, 1]),
        "" | "*" => alone,
        other => other.parse().ok()?,
    };
    Some(SocketAddr::new(ip, port))
}
