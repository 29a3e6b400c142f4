//! What is probed, and how.

use std::time::Duration;

use url::{Host, Url};

use crate::address::AddressRule;
use crate::expect::Expectations;

/// One target of the watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeTarget {
    /// What is done to it.
    pub check: Check,
    /// One deadline for the whole of a probe of one address; whatever phase it falls in names the cause.
    pub timeout: Duration,
    /// Which addresses it may have.
    pub addresses: AddressRule,
}

/// What a probe does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// Asks for a page over HTTP/1.1, or over HTTPS by HTTP/2 where the server prefers it.
    Http(Box<HttpCheck>),
    /// Connects.
    Tcp {
        /// Name or address.
        host: String,
        /// Port.
        port: u16,
    },
    /// Connects and shakes hands.
    Tls {
        /// Name or address; the certificate must be for it.
        host: String,
        /// Port.
        port: u16,
    },
    /// Asks for the name's addresses.
    Dns {
        /// The name.
        host: String,
        /// Addresses that it must have, all of them and no others; none to be content with any.
        expected: Vec<std::net::IpAddr>,
    },
}

/// A page that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpCheck {
    /// `http` or `https`.
    pub url: Url,
    /// Further fields of the request.
    pub fields: Vec<(http::HeaderName, http::HeaderValue)>,
    /// Whether redirects are followed.
    pub follow: bool,
    /// What the answer must be like.
    pub expect: Expectations,
}

/// A text that is no target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// It is no URL.
    #[error("it is no URL: {0}")]
    Url(String),
    /// It has a scheme that cannot be probed.
    #[error("`{0}:` cannot be probed; write http:, https:, tcp:, tls: or dns:")]
    Scheme(String),
    /// It names no host.
    #[error("it names no host")]
    NoHost,
    /// It names no port, and the scheme has none of its own.
    #[error("it names no port; write it behind the host, as in tcp://host:25")]
    NoPort,
    /// It carries a password, which would be shown wherever the target is.
    #[error("it carries a user name or password; leave them out of the URL")]
    Credentials,
}

impl std::str::FromStr for Check {
    type Err = TargetError;

    /// `https://host/path`, `tcp://host:25`, `tls://host:443`, `dns://host`.
    fn from_str(text: &str) -> Result<Self, TargetError> {
        let url = Url::parse(text).map_err(|error| TargetError::Url(error.to_string()))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(TargetError::Credentials);
        }
        let host = host_of(&url).filter(|host| !host.is_empty()).ok_or(TargetError::NoHost)?;
        match url.scheme() {
            "http" | "https" => Ok(Self::Http(Box::new(HttpCheck {
                url,
                fields: Vec::new(),
                follow: true,
                expect: Expectations::default(),
            }))),
            "tcp" => Ok(Self::Tcp { host, port: url.port().ok_or(TargetError::NoPort)? }),
            "tls" => Ok(Self::Tls { host, port: url.port().unwrap_or(443) }),
            "dns" => Ok(Self::Dns { host, expected: Vec::new() }),
            other => Err(TargetError::Scheme(other.to_owned())),
        }
    }
}

/// The URL's host, as it is asked for: an IPv6 address without its brackets.
pub(crate) fn host_of(url: &Url) -> Option<String> {
    Some(match url.host()? {
        Host::Domain(name) => name.to_owned(),
        Host::Ipv4(address) => address.to_string(),
        Host::Ipv6(address) => address.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_target_says_why() {
        for (text, good) in [
            ("https://www.example.gov/", true),
            ("http://[::1]:8080/x", true),
            ("tcp://mail.example.gov:25", true),
            ("tcp://mail.example.gov", false),
            ("tls://www.example.gov", true),
            ("dns://example.gov", true),
            ("ftp://example.gov/", false),
            ("https://user:word@example.gov/", false),
            ("https://", false),
            ("www.example.gov", false),
            ("", false),
        ] {
            let read: Result<Check, _> = text.parse();
            assert_eq!(read.is_ok(), good, "{text}: {read:?}");
        }
    }
}
