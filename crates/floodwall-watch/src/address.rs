//! Which addresses a probe may connect to. A name under somebody else's control can lead anywhere; a
//! probe that follows it must not become a way into the prober's own network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Which addresses a target may have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AddressRule {
    /// Addresses of the public internet only.
    #[default]
    PublicOnly,
    /// Any: the operator said that this target is inside.
    Any,
}

impl AddressRule {
    /// Whether a target under this rule may be reached at `address`.
    #[must_use]
    pub fn allows(self, address: IpAddr) -> bool {
        match self {
            Self::Any => true,
            Self::PublicOnly => is_public(address),
        }
    }
}

/// Whether `address` is one of the public internet, by the special-purpose registries of IANA
/// (RFC 6890 and later). Addresses that carry an IPv4 address are judged by that one.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = matches!(
        (a, b, c),
        (0 | 10 | 127, ..)            // this network, private, loopback
            | (100, 64..=127, _)      // shared by a provider's customers, RFC 6598
            | (169, 254, _)           // link-local, and clouds' metadata
            | (172, 16..=31, _)       // private
            | (192, 0, 0 | 2)         // protocol assignments, documentation
            | (192, 88, 99)           // 6to4 relays
            | (192, 168, _)           // private
            | (198, 18 | 19, _)       // benchmarks
            | (198, 51, 100)          // documentation
            | (203, 0, 113)           // documentation
            | (224..=255, ..) // multicast, reserved, broadcast
    );
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(inner) = address.to_ipv4_mapped() {
        return is_public_v4(inner);
    }
    let [a, b, c, d, e, f, g, h] = address.segments();
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match a {
        0x2002 => v4(b, c),                                                // 6to4
        0x0064 if b == 0xff9b && (c, d, e, f) == (0, 0, 0, 0) => v4(g, h), // NAT64
        0x2001 if b == 0x0db8 || b < 0x0200 => false,                      // documentation, Teredo, protocols
        0x3fff if b < 0x1000 => false,                                     // documentation, RFC 9637
        0x2000..=0x3fff => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_public_internet_is_public() {
        for (address, public) in [
            ("8.8.8.8", true),
            ("127.0.0.1", false),
            ("10.1.2.3", false),
            ("172.16.0.1", false),
            ("172.32.0.1", true),
            ("192.168.1.1", false),
            ("169.254.169.254", false),
            ("100.64.0.1", false),
            ("100.128.0.1", true),
            ("0.0.0.0", false),
            ("255.255.255.255", false),
            ("192.0.2.1", false),
            ("::1", false),
            ("::", false),
            ("fe80::1", false),
            ("fd00::1", false),
            ("ff02::1", false),
            ("::ffff:10.0.0.1", false),
            ("::ffff:8.8.8.8", true),
            ("64:ff9b::a00:1", false),
            ("64:ff9b::808:808", true),
            ("2002:a00:1::1", false),
            ("2001:db8::1", false),
            ("2001:4860:4860::8888", true),
            ("2a00:1450:4001::1", true),
        ] {
            assert_eq!(is_public(address.parse().unwrap()), public, "{address}");
        }
        assert!(AddressRule::Any.allows("127.0.0.1".parse().unwrap()));
    }
}
