//! What a claim names: a host in the one form in which hosts are compared, or an address.
//!
//! Names come from strangers. They are shown in ASCII (punycode) only, so that no letter of another
//! script passes for one of ours; what is odd about them is flagged in words.

use std::fmt;
use std::net::IpAddr;

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use serde::{Deserialize, Serialize};
use unicode_security::MixedScript as _;
use unicode_security::confusable_detection::skeleton;

/// Longest text that is looked at for a name, in bytes.
const RAW_BYTES_MAX: usize = 2048;

/// A host or an address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetName {
    /// A host: lower case, ASCII (A-labels), without a dot at its end.
    Host(String),
    /// An address.
    Address(IpAddr),
}

/// What is odd about a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostFlag {
    /// It has letters beyond ASCII, and is shown in punycode.
    International,
    /// One label mixes scripts that no language mixes (UTS #39, 5.1).
    MixedScripts,
    /// Letters that do not show, or that turn the direction of writing, were in it; they are left out.
    Invisible,
    /// It was written so that no program makes a link of it (`example[.]gov`).
    Defanged,
}

impl HostFlag {
    /// In words.
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::International => "has letters beyond ASCII, shown in punycode",
            Self::MixedScripts => "mixes scripts as no language does: made to be mistaken",
            Self::Invisible => "had letters in it that do not show",
            Self::Defanged => "was written so that it is no link",
        }
    }
}

/// Why a text is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostFault;

impl fmt::Display for HostFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it is neither a host name nor an address; write `www.example.gov` or `192.0.2.7`")
    }
}

impl std::error::Error for HostFault {}

impl fmt::Display for TargetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(host) => f.write_str(host),
            Self::Address(address) => address.fmt(f),
        }
    }
}

impl TargetName {
    /// Reads a name, an address, or the one in a URL; with what is odd about it.
    ///
    /// # Errors
    /// [`HostFault`]: nothing that a name could lead to.
    pub fn parse(raw: &str) -> Result<(Self, Vec<HostFlag>), HostFault> {
        if raw.len() > RAW_BYTES_MAX {
            return Err(HostFault);
        }
        let mut flags = Vec::new();
        let mut text: String = raw.trim().chars().filter(|c| !does_not_show(*c)).collect();
        if text.chars().count() < raw.trim().chars().count() {
            flags.push(HostFlag::Invisible);
        }
        for (written, meant) in [("[.]", "."), ("(.)", "."), ("[dot]", "."), ("hxxp", "http"), ("[:]", ":")] {
            if text.contains(written) {
                text = text.replace(written, meant);
                flags.push(HostFlag::Defanged);
            }
        }
        flags.dedup();
        let host = host_of(&text);
        if let Ok(address) = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
            return Ok((Self::Address(address), flags));
        }
        let ascii = Uts46::new()
            .to_ascii(host.as_bytes(), AsciiDenyList::STD3, Hyphens::Allow, DnsLength::VerifyAllowRootDot)
            .map_err(|_| HostFault)?;
        let ascii = ascii.trim_end_matches('.').to_owned();
        if !is_a_name(&ascii) {
            return Err(HostFault);
        }
        if ascii.split('.').any(|label| label.starts_with("xn--")) {
            flags.push(HostFlag::International);
            if unicode_of(&ascii).split('.').any(|label| !label.is_single_script()) {
                flags.push(HostFlag::MixedScripts);
            }
        }
        flags.sort_unstable();
        flags.dedup();
        Ok((Self::Host(ascii), flags))
    }

    /// The host, where it is one.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        match self {
            Self::Host(host) => Some(host),
            Self::Address(_) => None,
        }
    }
}

/// Whether two hosts, in ASCII, look alike to people though they are two (UTS #39, 4).
pub(crate) fn looks_like(one: &str, other: &str) -> bool {
    one != other && look_of(one) == look_of(other)
}

fn look_of(ascii: &str) -> String {
    // What people type for one another in lower case: 1 and l, 0 and o.
    let plain: String = skeleton(&unicode_of(ascii)).collect();
    plain.to_lowercase().replace(['1', 'i', '|'], "l").replace('0', "o")
}

fn unicode_of(ascii: &str) -> String {
    Uts46::new().to_unicode(ascii.as_bytes(), AsciiDenyList::STD3, Hyphens::Allow).0.into_owned()
}

/// The host in a URL, or what is before a path, a port or a query.
fn host_of(text: &str) -> &str {
    let text = text.find("://").and_then(|at| text.get(at + 3..)).unwrap_or(text);
    let text = text.trim_start_matches("//");
    let text = text.split(['/', '?', '#', '\\']).next().unwrap_or(text);
    let text = text.rsplit('@').next().unwrap_or(text);
    if text.starts_with('[') {
        return text.split_inclusive(']').next().unwrap_or(text);
    }
    // An IPv6 address without brackets has more than one colon, and no port.
    match text.split_once(':') {
        Some((host, port)) if !port.contains(':') => host,
        _ => text,
    }
}

/// At least two labels, the last of which is none of digits only.
fn is_a_name(ascii: &str) -> bool {
    let mut labels = ascii.rsplit('.');
    let last = labels.next().unwrap_or_default();
    let is_top = last.len() >= 2 && !last.bytes().all(|byte| byte.is_ascii_digit());
    is_top && labels.next().is_some_and(|label| !label.is_empty()) && !ascii.starts_with('.')
}

/// Letters that leave no mark, and those that turn the direction of writing.
pub(crate) fn does_not_show(letter: char) -> bool {
    matches!(letter,
        '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
        | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}'
        | '\u{FFF0}'..='\u{FFF8}' | '\u{E0000}'..='\u{E0FFF}')
        || (letter.is_control() && !letter.is_whitespace())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_in_every_dress_become_one() {
        use HostFlag::{Defanged, International, Invisible, MixedScripts};
        let check = |raw: &str, name: &str, flags: &[HostFlag]| {
            let (parsed, found) = TargetName::parse(raw).unwrap_or_else(|_| panic!("{raw} is no name"));
            assert_eq!((parsed.to_string().as_str(), found.as_slice()), (name, flags), "{raw}");
        };
        check("www.sos.example.gov", "www.sos.example.gov", &[]);
        check("WWW.SOS.Example.GOV.", "www.sos.example.gov", &[]);
        check("https://user:x@www.sos.example.gov:8443/a?b#c", "www.sos.example.gov", &[]);
        check("hxxps://sos[.]example[.]gov/", "sos.example.gov", &[Defanged]);
        check("//sos.example.gov/path", "sos.example.gov", &[]);
        check("http://192.0.2.7:80/", "192.0.2.7", &[]);
        check("[2001:db8::7]:443", "2001:db8::7", &[]);
        check("2001:db8::7", "2001:db8::7", &[]);
        check("sos\u{200B}.example.gov", "sos.example.gov", &[Invisible]);
        check("\u{202E}sos.example.gov", "sos.example.gov", &[Invisible]);
        check("выборы.рф", "xn--90ab1bi6cd.xn--p1ai", &[International]);
        check("XN--90AB1BI6CD.xn--p1ai", "xn--90ab1bi6cd.xn--p1ai", &[International]);
        // Cyrillic letters that look like Latin ones, among Latin ones.
        check("sоs.example.gov", "xn--ss-fmc.example.gov", &[International, MixedScripts]);
        check("sos。example．gov", "sos.example.gov", &[]);
        check("ｓｏｓ.example.gov", "sos.example.gov", &[]);
    }

    #[test]
    fn what_leads_nowhere_is_no_name() {
        for raw in [
            "",
            ".",
            "gov",
            "localhost",
            "1.2",
            "v1.10",
            "a b.gov",
            "exa_mple.gov<script>",
            "..gov",
            "a..gov",
            "xn--zzzzzzz99999.gov.",
            "https://",
            "-",
            "...",
            "a.b.c.1",
        ] {
            assert_eq!(TargetName::parse(raw), Err(HostFault), "{raw}");
        }
        assert!(TargetName::parse(&"a.".repeat(5_000)).is_err());
    }

    #[test]
    fn look_alikes_are_seen() {
        let alike = |one: &str, other: &str| {
            let (one, other) = (TargetName::parse(one).unwrap().0, TargetName::parse(other).unwrap().0);
            looks_like(one.host().unwrap(), other.host().unwrap())
        };
        assert!(alike("sоs.example.gov", "sos.example.gov"));
        assert!(alike("s0s.example.gov", "sos.example.gov"));
        assert!(alike("e1ections.example.gov", "elections.example.gov"));
        assert!(!alike("sos.example.gov", "sos.example.gov"));
        assert!(!alike("sos.example.com", "sos.example.gov"));
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic_and_a_name_is_its_own_name(raw in "\\PC{0,60}") {
            if let Ok((name, _)) = TargetName::parse(&raw) {
                let shown = name.to_string();
                prop_assert!(shown.is_ascii());
                prop_assert_eq!(TargetName::parse(&shown).map(|(again, _)| again), Ok(name));
            }
        }
    }
}
