//! Prefixes with something said of each; the longest that holds an address speaks.
//!
//! Built once, then only read: for each family, the points at which the answer changes, in order. A
//! look-up is one binary search over them (two cache lines or three for a few thousand prefixes), and
//! takes no memory but the points: at most two for each prefix.

use std::net::IpAddr;

use floodwall_model::Prefix;

/// Longest-prefix match over prefixes of both families.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrefixMap<T> {
    v4: Points<u32, T>,
    v6: Points<u128, T>,
    prefixes: usize,
}

/// From each of these addresses on, up to the next, the answer is the one in the same place.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Points<A, T> {
    from: Vec<A>,
    answers: Vec<Option<T>>,
}

impl<A: Copy + Ord, T> Points<A, T> {
    fn get(&self, address: A) -> Option<&T> {
        let after = self.from.partition_point(|from| *from <= address);
        self.answers.get(after.checked_sub(1)?)?.as_ref()
    }
}

impl<T> Default for PrefixMap<T> {
    fn default() -> Self {
        let (v4, v6) = (
            Points { from: Vec::new(), answers: Vec::new() },
            Points { from: Vec::new(), answers: Vec::new() },
        );
        Self { v4, v6, prefixes: 0 }
    }
}

impl<T: Clone> PrefixMap<T> {
    /// Builds the map. Of a prefix that is given twice the last value holds.
    #[must_use]
    pub fn new(prefixes: impl IntoIterator<Item = (Prefix, T)>) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for (prefix, value) in prefixes {
            let family = if prefix.network().is_ipv4() { &mut v4 } else { &mut v6 };
            family.push((range(prefix), value));
        }
        let prefixes = v4.len() + v6.len();
        // The point after the last IPv4 address is none.
        let v4 =
            points(v4).into_iter().filter_map(|(from, answer)| Some((u32::try_from(from).ok()?, answer)));
        let (from, answers) = v4.unzip();
        let v4 = Points { from, answers };
        let (from, answers) = points(v6).into_iter().unzip();
        let v6 = Points { from, answers };
        Self { v4, v6, prefixes }
    }

    /// What the longest prefix that holds the address says; an IPv4-mapped address counts as IPv4.
    #[must_use]
    pub fn get(&self, address: IpAddr) -> Option<&T> {
        match address.to_canonical() {
            IpAddr::V4(v4) => self.v4.get(u32::from(v4)),
            IpAddr::V6(v6) => self.v6.get(u128::from(v6)),
        }
    }

    /// How many prefixes it was built of.
    #[must_use]
    pub fn len(&self) -> usize {
        self.prefixes
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.prefixes == 0
    }
}

/// First and last address.
#[derive(Clone, Copy, Debug)]
struct Range {
    first: u128,
    last: u128,
}

fn range(prefix: Prefix) -> Range {
    let (first, bits) = match prefix.network() {
        IpAddr::V4(v4) => (u128::from(u32::from(v4)), 32),
        IpAddr::V6(v6) => (u128::from(v6), 128),
    };
    let free = bits - u32::from(prefix.length_bits()).min(bits);
    let size = if free == 128 { u128::MAX } else { (1 << free) - 1 };
    Range { first, last: first | size }
}

/// The points at which the answer changes. Prefixes nest or do not touch, so that one stack of those
/// that are open is enough.
fn points<T: Clone>(mut ranges: Vec<(Range, T)>) -> Vec<(u128, Option<T>)> {
    // Outer ones first; of the same one the one that was given last comes last, and so lies inside.
    ranges.sort_by_key(|(range, _)| (range.first, std::cmp::Reverse(range.last)));
    let mut points: Vec<(u128, Option<T>)> = Vec::with_capacity(ranges.len() * 2);
    let mut open: Vec<(u128, T)> = Vec::new();
    let close = |points: &mut Vec<_>, open: &mut Vec<(u128, T)>, before: Option<u128>| {
        while let Some((last, _)) = open.last().filter(|(last, _)| before.is_none_or(|before| *last < before))
        {
            let from = last.checked_add(1);
            open.pop();
            let outer = open.last().map(|(_, value)| value.clone());
            if let Some(from) = from {
                set(points, from, outer);
            }
        }
    };
    for (range, value) in ranges {
        close(&mut points, &mut open, Some(range.first));
        set(&mut points, range.first, Some(value.clone()));
        open.push((range.last, value));
    }
    close(&mut points, &mut open, None);
    points
}

fn set<T>(points: &mut Vec<(u128, Option<T>)>, from: u128, value: Option<T>) {
    match points.last_mut().filter(|(last, _)| *last == from) {
        Some(last) => last.1 = value,
        None => points.push((from, value)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_longest_speaks() {
        let map = PrefixMap::new(
            [
                ("192.0.2.0/24", "network"),
                ("192.0.2.7/32", "host"),
                ("192.0.2.0/25", "half"),
                ("255.255.255.255/32", "last"),
                ("2001:db8::/32", "six"),
                ("2001:db8:1::/48", "inner"),
                ("192.0.2.0/25", "again"),
            ]
            .map(|(prefix, value)| (prefix.parse().unwrap(), value)),
        );
        for (address, expected) in [
            ("192.0.2.7", Some("host")),
            ("192.0.2.8", Some("again")),
            ("192.0.2.6", Some("again")),
            ("192.0.2.128", Some("network")),
            ("192.0.1.255", None),
            ("192.0.3.0", None),
            ("255.255.255.255", Some("last")),
            ("::ffff:192.0.2.7", Some("host")),
            ("2001:db8::1", Some("six")),
            ("2001:db8:1:2::", Some("inner")),
            ("2001:db8:2::", Some("six")),
            ("2001:db9::", None),
            ("::c000:207", None),
        ] {
            assert_eq!(map.get(address.parse().unwrap()).copied(), expected, "{address}");
        }
        assert_eq!(map.len(), 7);
        assert_eq!(PrefixMap::<()>::default().get("192.0.2.7".parse().unwrap()), None);
        let all = PrefixMap::new([("::/0".parse().unwrap(), 6), ("0.0.0.0/0".parse().unwrap(), 4)]);
        for (address, expected) in [("::", 6), ("ffff::", 6), ("0.0.0.0", 4), ("255.255.255.255", 4)] {
            assert_eq!(all.get(address.parse().unwrap()), Some(&expected));
        }
    }

    proptest! {
        #[test]
        fn it_says_what_looking_at_every_prefix_says(
            given in proptest::collection::vec((any::<[u8; 2]>(), 0_u8..=16), 0..40),
            asked in proptest::collection::vec(any::<[u8; 2]>(), 50),
        ) {
            let prefixes: Vec<(Prefix, usize)> = given.iter().enumerate().map(|(place, ([a, b], length))| {
                let network = ipnet_trunc([*a, *b], *length);
                (format!("{network}/{}", length + 16).parse().unwrap(), place)
            }).collect();
            let map = PrefixMap::new(prefixes.clone());
            for [a, b] in asked {
                let address: IpAddr = std::net::Ipv4Addr::new(10, 0, a, b).into();
                let holding = prefixes.iter().filter(|(prefix, _)| prefix.contains(address));
                let expected = holding.max_by_key(|(prefix, place)| (prefix.length_bits(), *place)).map(|(_, place)| place);
                prop_assert_eq!(map.get(address), expected);
            }
        }
    }

    fn ipnet_trunc(bytes: [u8; 2], length: u8) -> std::net::Ipv4Addr {
        let kept = u16::MAX.checked_shl(16 - u32::from(length)).unwrap_or(0) & u16::from_be_bytes(bytes);
        let [a, b] = kept.to_be_bytes();
        std::net::Ipv4Addr::new(10, 0, a, b)
    }
}
