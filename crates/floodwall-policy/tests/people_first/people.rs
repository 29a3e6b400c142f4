//! Visitors: where they come from and what their browsers can do.

use std::net::IpAddr;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// An address of its own, JavaScript.
    Browser,
    /// An address of its own, no JavaScript.
    NoScript,
    /// Slow, behind one of eight addresses of a carrier, and changing between them.
    Phone,
    /// One of 500 behind one address.
    Office,
    /// A /64 of its own.
    Ipv6,
}

impl Kind {
    /// Of a hundred visitors.
    pub(crate) fn of_percent(percent: u64) -> Self {
        match percent {
            0..60 => Self::Browser,
            60..66 => Self::NoScript,
            66..82 => Self::Phone,
            82..95 => Self::Office,
            _ => Self::Ipv6,
        }
    }

    pub(crate) fn has_script(self) -> bool {
        self != Self::NoScript
    }

    /// Hashes a second its browser does.
    pub(crate) fn hashes_per_second(self) -> f64 {
        if self == Self::Phone { 150_000.0 } else { 600_000.0 }
    }

    pub(crate) fn address(self, visitor: u64, random: u64) -> IpAddr {
        let own = u32::try_from(visitor % (1 << 22)).unwrap();
        match self {
            Self::Browser | Self::NoScript => IpAddr::V4((0x1800_0000 + own * 7).into()),
            Self::Phone => IpAddr::V4((0x2600_0000 + u32::try_from(random % 8).unwrap()).into()),
            Self::Office => "198.51.100.7".parse().unwrap(),
            Self::Ipv6 => IpAddr::V6((0x2001_0db8_u128 << 96 | u128::from(visitor) << 64 | 1).into()),
        }
    }

    /// A few browsers make up most of it.
    pub(crate) fn fingerprint(self, visitor: u64) -> u32 {
        match (self, visitor % 10) {
            (Self::Phone, _) => 1,
            (_, 0..5) => 2,
            (_, 5..8) => 3,
            (_, other) => 4 + u32::try_from(other).unwrap(),
        }
    }
}
