//! Visitors' addresses in evidence: cut off, or under a key that is gone after a day.
//!
//! An unkeyed hash of an IPv4 address hides nothing: all of them can be tried. With a key that is
//! made by chance each day and destroyed at its end, equal addresses of one day can be counted, and
//! nobody can find out afterwards whose they were.

use std::fmt::Write as _;
use std::net::IpAddr;

use floodwall_model::Prefix;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// The network an address lies in: its /24 in IPv4, its /48 in IPv6.
#[must_use]
pub fn truncated(address: IpAddr) -> String {
    Prefix::of_network(address).to_string()
}

/// The key of one day.
pub struct AddressKey([u8; 32]);

impl std::fmt::Debug for AddressKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AddressKey")
    }
}

impl AddressKey {
    /// A key of 32 random bytes. Whoever holds it must not keep it longer than its day.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// What stands for a source (IPv4 address, IPv6 /64) that day: 32 hexadecimal digits of
    /// HMAC-SHA-256.
    #[must_use]
    pub fn pseudonym(&self, address: IpAddr) -> String {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { return String::new() };
        mac.update(b"floodwall address\n");
        mac.update(Prefix::of_client(address).to_string().as_bytes());
        let mut text = String::with_capacity(32);
        for byte in mac.finalize().into_bytes().iter().take(16) {
            let _ = write!(text, "{byte:02x}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_sources_are_equal_for_a_day_only() {
        let (today, tomorrow) = (AddressKey::new([1; 32]), AddressKey::new([2; 32]));
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let one = today.pseudonym(address("192.0.2.7"));
        assert_eq!(one.len(), 32);
        assert_eq!(one, today.pseudonym(address("::ffff:192.0.2.7")));
        assert_ne!(one, today.pseudonym(address("192.0.2.8")));
        assert_ne!(one, tomorrow.pseudonym(address("192.0.2.7")));
        let six = today.pseudonym(address("2001:db8::1"));
        assert_eq!(six, today.pseudonym(address("2001:db8::2")), "one /64 is one source");
        assert_eq!(truncated(address("2001:db8:1:2::3")), "2001:db8:1::/48");
        assert_eq!(truncated(address("192.0.2.7")), "192.0.2.0/24");
    }
}
