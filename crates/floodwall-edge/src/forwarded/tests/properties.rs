//! What holds whatever visitors write.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// Text as a visitor may put it into a header: no control characters.
fn visitors_text() -> impl Strategy<Value = String> {
    prop_oneof!["[ -~]{0,40}", "([0-9a-f.:,;=\"\\\\ _\\[\\]]|for|proto|unknown|10\\.0\\.0\\.2){0,12}"]
}

fn stranger() -> impl Strategy<Value = IpAddr> {
    let addresses = prop_oneof![
        any::<u32>().prop_map(|bits| IpAddr::V4(bits.into())),
        any::<u128>().prop_map(|bits| IpAddr::V6(bits.into()).to_canonical()),
    ];
    addresses.prop_filter("trusted", |address| !trusted().iter().any(|prefix| prefix.contains(*address)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Whatever a visitor writes, what our proxy appends to it decides.
    #[test]
    fn visitors_cannot_forge(text in visitors_text(), visitor in stranger(), same_line: bool) {
        let element = match visitor {
            IpAddr::V4(address) => format!("for={address}"),
            IpAddr::V6(address) => format!("for=\"[{address}]\""),
        };
        for (name, appended) in [("x-forwarded-for", visitor.to_string()), ("forwarded", element)] {
            let joined = format!("{text}, {appended}");
            let found = if same_line {
                resolve(PEER, &[(name, &joined)])
            } else {
                resolve(PEER, &[(name, &text), (name, &appended)])
            };
            prop_assert_eq!((found.address, found.malformed), (visitor, false), "{}", name);
        }
    }

    /// A further edge that trusts this one sees the same visitor in both headers.
    #[test]
    fn what_is_told_is_believed(
        lines in vec((prop::sample::select(&["x-forwarded-for", "forwarded", "x-forwarded-proto"][..]), visitors_text()), 0..4),
        visitor in stranger(),
        https: bool,
    ) {
        let lines: Vec<(&str, &str)> = lines.iter().map(|(name, value)| (*name, &value[..])).collect();
        let mut from_stranger = headers(&lines);
        append_forwarding(&mut from_stranger, visitor, https, "a", false);
        let found = client_address(ip(PEER), &trusted(), &from_stranger);
        let expected = ClientAddress {
            address: visitor,
            scheme_https: Some(https),
            trusted_peer: true,
            trusted_hops: 1,
            malformed: false,
        };
        prop_assert_eq!(found, expected);

        let here = resolve(PEER, &lines);
        if !here.malformed && here.trusted_hops < HOPS_MAX {
            let mut from_proxy = headers(&lines);
            append_forwarding(&mut from_proxy, ip(PEER), https, "a", true);
            let there = client_address(ip("10.9.9.9"), &trusted(), &from_proxy);
            prop_assert_eq!((there.address, there.malformed), (here.address, false), "{:?}", from_proxy);
            prop_assert_eq!(there.trusted_hops, here.trusted_hops + 1);
        }
    }
}
