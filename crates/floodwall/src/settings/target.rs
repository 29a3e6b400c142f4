//! The names a site answers to and the servers its pages come from.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::forms::{TextFault, TextForm, shorten};

/// The hosts a site answers to, lower-case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum HostPattern {
    /// One name or address: `www.example.gov`.
    Exact(String),
    /// Every name below this one, at any depth, but not itself: `*.example.gov`, kept without
    /// `*.`. An exact name of another site goes first, and so does a longer pattern.
    Below(String),
    /// Every host: only where a single site was given on the command line.
    Any,
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => f.write_str(name),
            Self::Below(name) => write!(f, "*.{name}"),
            Self::Any => f.write_str("*"),
        }
    }
}

/// Reads a [`HostPattern`]. `*` alone is read; whether it is allowed is decided later.
pub(super) struct Host;

impl TextForm for Host {
    type Output = HostPattern;

    fn expected(&self) -> String {
        "a host name, or `*.` and a name for all below it".to_owned()
    }

    fn example(&self) -> &'static str {
        "www.example.gov"
    }

    fn parse(&self, text: &str) -> Result<HostPattern, TextFault> {
        let host = text.trim().to_ascii_lowercase();
        if host == "*" {
            return Ok(HostPattern::Any);
        }
        if is_address_literal(&host) {
            return Ok(HostPattern::Exact(host));
        }
        let name = host.strip_prefix("*.").unwrap_or(&host);
        let Some(fix) = fault_in_name(name, &host) else {
            return Ok(match host.strip_prefix("*.") {
                Some(below) => HostPattern::Below(below.to_owned()),
                None => HostPattern::Exact(host),
            });
        };
        Err(TextFault::new(format!("`{}` is not a host name", shorten(text)), fix))
    }
}

/// Reads one host name, no pattern.
pub(super) struct HostName;

impl TextForm for HostName {
    type Output = String;

    fn expected(&self) -> String {
        "a host name".to_owned()
    }

    fn example(&self) -> &'static str {
        "floodwall.example.gov"
    }

    fn parse(&self, text: &str) -> Result<String, TextFault> {
        match Host.parse(text)? {
            HostPattern::Exact(name) => Ok(name),
            HostPattern::Below(_) | HostPattern::Any => Err(TextFault::new(
                format!("`{}` stands for many names", shorten(text)),
                "write each name in full".to_owned(),
            )),
        }
    }
}

/// As it stands in a `Host` header: IPv6 in brackets (RFC 3986, section 3.2.2).
fn is_address_literal(host: &str) -> bool {
    let bracketed = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    host.parse::<Ipv4Addr>().is_ok() || bracketed.is_some_and(|v6| v6.parse::<Ipv6Addr>().is_ok())
}

/// What to write instead of a faulty name; `None` when the name is good (RFC 1123, section 2.1;
/// underscores are let through, since they are in use).
fn fault_in_name(name: &str, whole: &str) -> Option<String> {
    let general = "write the name only, for example \"www.example.gov\" or \"*.example.gov\"";
    if !whole.is_ascii() {
        return Some("write the name in its ASCII form, which begins with `xn--`".to_owned());
    }
    if let Ok(IpAddr::V6(v6)) = whole.parse() {
        return Some(format!("write \"[{v6}]\""));
    }
    let good_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let good = |name: &str| (1..=253).contains(&name.len()) && name.split('.').all(good_label);
    if good(name) {
        return None;
    }
    let after_scheme = whole.split_once("://").map_or(whole, |(_, rest)| rest);
    let host = after_scheme.split(['/', ':', '?']).next().unwrap_or_default().trim_end_matches('.');
    let core = host.strip_prefix("*.").unwrap_or(host);
    if host != whole && good(core) {
        return Some(format!("write \"{host}\": without scheme, port, path or final dot"));
    }
    if whole.contains('*') {
        return Some(
            "`*` stands only as the whole first label: write for example \"*.example.gov\"".to_owned(),
        );
    }
    Some(general.to_owned())
}

/// A server a site's pages come from, reached by HTTP in clear text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    /// Name or address, lower-case, IPv6 without brackets.
    pub(crate) host: String,
    /// TCP port.
    pub(crate) port: u16,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "http://[{}]:{}", self.host, self.port)
        } else {
            write!(f, "http://{}:{}", self.host, self.port)
        }
    }
}

impl Origin {
    /// The address, where the origin is given by one (`localhost` counts as 127.0.0.1, and the
    /// unspecified address as loopback, which is what connecting to it means).
    #[must_use]
    pub(crate) fn literal_address(&self) -> Option<SocketAddr> {
        let ip = if self.host == "localhost" {
            IpAddr::V4(Ipv4Addr::LOCALHOST)
        } else {
            self.host.parse::<IpAddr>().ok()?.to_canonical()
        };
        let ip = match ip {
            IpAddr::V4(v4) if v4.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(v6) if v6.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
            other => other,
        };
        Some(SocketAddr::new(ip, self.port))
    }
}

/// Reads an [`Origin`].
pub(super) struct OriginUrl;

impl TextForm for OriginUrl {
    type Output = Origin;

    fn expected(&self) -> String {
        "a URL `http://host:port`".to_owned()
    }

    fn example(&self) -> &'static str {
        "http://10.0.0.5:8080"
    }

    fn parse(&self, text: &str) -> Result<Origin, TextFault> {
        let trimmed = text.trim();
        let shown = shorten(trimmed);
        let Some((scheme, rest)) = trimmed.split_once("://") else {
            let fix = match authority(trimmed.trim_end_matches('/'), 80) {
                Some(origin) => format!("write \"{origin}\""),
                None => "write for example \"http://10.0.0.5:8080\"".to_owned(),
            };
            return Err(TextFault::new(format!("`{shown}` does not begin with `http://`"), fix));
        };
        if rest.contains('@') {
            return Err(TextFault::new(
                format!("`{shown}` holds a user name or password"),
                "write the URL without them; an origin is protected by its own network, not by a password here",
            ));
        }
        let (host, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let default_port = if scheme.eq_ignore_ascii_case("https") { 443 } else { 80 };
        let Some(origin) = authority(host, default_port) else {
            let fix = "write scheme, host and port, for example \"http://10.0.0.5:8080\" or \"http://[2001:db8::5]:8080\"";
            return Err(TextFault::new(format!("`{shown}` is not a URL of a server"), fix));
        };
        match scheme.to_ascii_lowercase().as_str() {
            "http" => {}
            "https" => {
                return Err(TextFault::new(
                    "this version reaches origins by `http://` only; TLS towards origins comes with a later version",
                    format!(
                        "write \"http://{}:PORT\" with the port on which the origin answers clear text, over a network that only you use",
                        bracketed(&origin.host)
                    ),
                ));
            }
            _ => {
                return Err(TextFault::new(
                    format!("`{shown}` is not an HTTP server"),
                    format!("write \"{origin}\""),
                ));
            }
        }
        if !matches!(path, "" | "/") {
            return Err(TextFault::new(
                format!("`{shown}` has a path; requests keep the path the visitor asked for"),
                format!("write \"{origin}\""),
            ));
        }
        Ok(origin)
    }
}

fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

/// Host and port of a URL's authority; `None` when it is none.
fn authority(text: &str, default_port: u16) -> Option<Origin> {
    let text = text.to_ascii_lowercase();
    if let Some(rest) = text.strip_prefix('[') {
        let (v6, after) = rest.split_once(']')?;
        let port = if after.is_empty() { default_port } else { after.strip_prefix(':')?.parse().ok()? };
        return origin(v6.parse::<Ipv6Addr>().ok()?.to_string(), port);
    }
    let (host, port) = match text.split_once(':') {
        Some((host, port)) => (host, port.parse().ok()?),
        None => (text.as_str(), default_port),
    };
    let good = is_address_literal(host) || fault_in_name(host, host).is_none();
    if good { origin(host.to_owned(), port) } else { None }
}

fn origin(host: String, port: u16) -> Option<Origin> {
    (port != 0).then_some(Origin { host, port })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(text: &str) -> Result<String, String> {
        Host.parse(text).map(|h| h.to_string()).map_err(|f| f.fix)
    }

    fn url(text: &str) -> Result<String, String> {
        OriginUrl.parse(text).map(|o| o.to_string()).map_err(|f| f.fix)
    }

    #[test]
    fn hosts_that_are_read() {
        for (text, read) in [
            ("www.example.gov", "www.example.gov"),
            ("WWW.Example.GOV", "www.example.gov"),
            ("*.example.gov", "*.example.gov"),
            ("192.0.2.1", "192.0.2.1"),
            ("[2001:db8::1]", "[2001:db8::1]"),
            ("localhost", "localhost"),
            ("*", "*"),
        ] {
            assert_eq!(host(text).as_deref(), Ok(read));
        }
    }

    #[test]
    fn hosts_that_are_not_say_what_to_write() {
        let only_name = |h: &str| format!("write \"{h}\": without scheme, port, path or final dot");
        for (text, fix) in [
            ("https://www.example.gov/", only_name("www.example.gov")),
            ("www.example.gov:443", only_name("www.example.gov")),
            ("*.example.gov.", only_name("*.example.gov")),
            ("2001:db8::1", "write \"[2001:db8::1]\"".to_owned()),
            ("wählen.example.gov", "write the name in its ASCII form, which begins with `xn--`".to_owned()),
            (
                "www*.example.gov",
                "`*` stands only as the whole first label: write for example \"*.example.gov\"".to_owned(),
            ),
            ("a b", "write the name only, for example \"www.example.gov\" or \"*.example.gov\"".to_owned()),
            ("", "write the name only, for example \"www.example.gov\" or \"*.example.gov\"".to_owned()),
        ] {
            assert_eq!(host(text), Err(fix), "{text}");
        }
    }

    #[test]
    fn origins_that_are_read() {
        for (text, read) in [
            ("http://10.0.0.5:8080", "http://10.0.0.5:8080"),
            ("http://App.Internal/", "http://app.internal:80"),
            ("http://[2001:DB8::5]:8080", "http://[2001:db8::5]:8080"),
            ("HTTP://localhost:3000", "http://localhost:3000"),
        ] {
            assert_eq!(url(text).as_deref(), Ok(read));
        }
    }

    #[test]
    fn origins_that_are_not_say_what_to_write() {
        for (text, fix) in [
            ("10.0.0.5:8080", "write \"http://10.0.0.5:8080\""),
            ("http://10.0.0.5:8080/app", "write \"http://10.0.0.5:8080\""),
            ("ftp://10.0.0.5:21", "write \"http://10.0.0.5:21\""),
            (
                "http://10.0.0.5:99999",
                "write scheme, host and port, for example \"http://10.0.0.5:8080\" or \"http://[2001:db8::5]:8080\"",
            ),
            (
                "https://10.0.0.5",
                "write \"http://10.0.0.5:PORT\" with the port on which the origin answers clear text, over a network that only you use",
            ),
        ] {
            assert_eq!(url(text), Err(fix.to_owned()), "{text}");
        }
        let fault = OriginUrl.parse("http://joe:s3cret@10.0.0.5:80").err().unwrap();
        assert!(!format!("{} {}", fault.problem, fault.fix).contains("s3cret"));
        assert!(fault.problem.contains("password"));
    }
}
