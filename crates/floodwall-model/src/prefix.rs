//! Address prefixes: the unit in which sources are counted and limited.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// An IPv4 or IPv6 prefix in canonical form (no host bits set, never an IPv4-mapped IPv6 address).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix(IpNet);

impl Prefix {
    /// The prefix by which one client is told from another: its /32 in IPv4, its /64 in IPv6
    /// (one subscriber is commonly given at least a /64: RFC 6177). IPv4-mapped IPv6 addresses
    /// count as the IPv4 address they carry.
    #[must_use]
    pub fn of_client(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self(IpNet::V4(Ipv4Net::from(v4))),
            IpAddr::V6(v6) => {
                let network = Ipv6Addr::from(u128::from(v6) & (u128::MAX << 64));
                // 64 is a valid length; the fallback (/128) only narrows.
                Self(IpNet::V6(Ipv6Net::new(network, 64).unwrap_or_else(|_| Ipv6Net::from(network))))
            }
        }
    }

    /// The network a client's prefix lies in: its /24 in IPv4, its /48 in IPv6, as one site is
    /// commonly given (RFC 6177).
    #[must_use]
    pub fn of_network(address: IpAddr) -> Self {
        let (network, length) = match address.to_canonical() {
            IpAddr::V4(v4) => (IpAddr::V4((u32::from(v4) & (u32::MAX << 8)).into()), 24),
            IpAddr::V6(v6) => (IpAddr::V6((u128::from(v6) & (u128::MAX << 80)).into()), 48),
        };
        // Both lengths are valid for their family; the fallback (one address) only narrows.
        Self(IpNet::new(network, length).unwrap_or_else(|_| IpNet::from(network)))
    }

    /// Whether `address` lies inside; an IPv4-mapped IPv6 address is compared as IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }

    /// Length in bits: 0-32 for IPv4, 0-128 for IPv6.
    #[must_use]
    pub fn length_bits(&self) -> u8 {
        self.0.prefix_len()
    }

    /// The first address of the prefix.
    #[must_use]
    pub fn network(&self) -> IpAddr {
        self.0.network()
    }

    /// A number unique to this prefix among prefixes of its kind (`of_client` or `of_network`), for
    /// hashing: the upper 64 bits of an IPv6 prefix, or the IPv4 address marked by a bit pattern
    /// that lies in no routable IPv6 prefix (`::/16`).
    #[must_use]
    pub fn client_key(&self) -> u64 {
        match self.0 {
            IpNet::V4(v4) => 0x0000_0001_0000_0000 | u64::from(u32::from(v4.network())),
            IpNet::V6(v6) => u64::try_from(u128::from(v6.network()) >> 64).unwrap_or(u64::MAX),
        }
    }
}

impl Prefix {
    /// The client's prefix that has this [`client_key`](Self::client_key): a /32 in IPv4, a /64 in
    /// IPv6.
    #[must_use]
    pub fn of_client_key(key: u64) -> Self {
        let v4 = key.checked_sub(0x0000_0001_0000_0000).and_then(|bits| u32::try_from(bits).ok());
        match v4 {
            Some(bits) => Self::of_client(IpAddr::V4(bits.into())),
            None => Self::of_client(IpAddr::V6(Ipv6Addr::from(u128::from(key) << 64))),
        }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why a text is not a prefix. The message says what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParsePrefixError {
    /// Neither an address nor `address/length`.
    #[error("`{0}` is not an address or prefix; write for example 192.0.2.0/24 or 2001:db8::/32")]
    Syntax(String),
    /// Host bits are set, so that it is unclear which network is meant.
    #[error("`{given}` has bits set beyond its length; write {meant}")]
    HostBits {
        /// What was written.
        given: String,
        /// The prefix with these bits cleared.
        meant: String,
    },
}

impl FromStr for Prefix {
    type Err = ParsePrefixError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self(IpNet::from(address.to_canonical())));
        }
        let net: IpNet = text.parse().map_err(|_| ParsePrefixError::Syntax(text.to_owned()))?;
        if net.trunc() != net {
            let meant = net.trunc().to_string();
            return Err(ParsePrefixError::HostBits { given: text.to_owned(), meant });
        }
        Ok(Self(net))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_keyed_by_v4_32_and_v6_64() {
        for (address, prefix) in [
            ("192.0.2.7", "192.0.2.7/32"),
            ("::ffff:192.0.2.7", "192.0.2.7/32"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ] {
            let address: IpAddr = address.parse().unwrap();
            assert_eq!(Prefix::of_client(address).to_string(), prefix);
            assert!(Prefix::of_client(address).contains(address));
        }
    }

    #[test]
    fn networks_are_v4_24_and_v6_48() {
        for (address, prefix) in [
            ("192.0.2.7", "192.0.2.0/24"),
            ("::ffff:192.0.2.7", "192.0.2.0/24"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"),
        ] {
            let network = Prefix::of_network(address.parse().unwrap());
            assert_eq!(network.to_string(), prefix);
            assert!(network.contains(address.parse().unwrap()));
        }
    }

    #[test]
    fn client_keys_differ_between_families() {
        let v4 = Prefix::of_client("0.0.0.1".parse().unwrap());
        let v6 = Prefix::of_client("::1:0:0:0:1".parse().unwrap());
        assert_ne!(v4.client_key(), v6.client_key());
    }

    #[test]
    fn a_client_key_leads_back_to_its_prefix() {
        for address in ["192.0.2.7", "255.255.255.255", "0.0.0.0", "2001:db8:1:2::", "fe80::"] {
            let prefix = Prefix::of_client(address.parse().unwrap());
            assert_eq!(Prefix::of_client_key(prefix.client_key()), prefix);
        }
    }

    #[test]
    fn faulty_prefixes_say_what_to_write() {
        let host_bits = "192.0.2.9/24".parse::<Prefix>().unwrap_err();
        assert_eq!(
            host_bits.to_string(),
            "`192.0.2.9/24` has bits set beyond its length; write 192.0.2.0/24"
        );
        assert!("10.0.0.0/33".parse::<Prefix>().is_err());
        assert_eq!("192.0.2.1".parse::<Prefix>().unwrap().length_bits(), 32);
    }
}
