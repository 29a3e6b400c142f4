//! Who is believed, in which place, and what origins are told.

mod properties;
mod told;

use super::*;

const PEER: &str = "10.0.0.1";

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn trusted() -> Vec<Prefix> {
    ["10.0.0.0/8", "2001:db8:aaaa::/48"].map(|prefix| prefix.parse().unwrap()).to_vec()
}

fn headers(lines: &[(&str, &str)]) -> HeaderMap {
    let line = |(name, value): &(&str, &str)| {
        let name: HeaderName = name.parse().unwrap();
        (name, HeaderValue::from_bytes(value.as_bytes()).unwrap())
    };
    lines.iter().map(line).collect()
}

fn resolve(peer: &str, lines: &[(&str, &str)]) -> ClientAddress {
    client_address(ip(peer), &trusted(), &headers(lines))
}

/// Rows of one header's value, and the address, trusted hops and flag it leads to.
#[track_caller]
fn check(name: &str, rows: &[(&str, &str, usize, bool)]) {
    for (value, address, trusted_hops, malformed) in rows {
        let found = resolve(PEER, &[(name, value)]);
        let expected = ClientAddress {
            address: ip(address),
            scheme_https: found.scheme_https,
            trusted_peer: true,
            trusted_hops: *trusted_hops,
            malformed: *malformed,
        };
        assert_eq!(found, expected, "{name}: {value}");
    }
}

#[test]
fn strangers_headers_are_ignored() {
    for peer in ["198.51.100.7", "2001:db8::1", "::ffff:198.51.100.7"] {
        let found = resolve(
            peer,
            &[
                ("x-forwarded-for", "192.0.2.1"),
                ("forwarded", "for=192.0.2.1"),
                ("x-forwarded-proto", "https"),
            ],
        );
        let address = ip(peer).to_canonical();
        let expected = ClientAddress {
            address,
            scheme_https: None,
            trusted_peer: false,
            trusted_hops: 0,
            malformed: false,
        };
        assert_eq!(found, expected);
    }
}

#[test]
fn x_forwarded_for_is_read_from_the_right() {
    check(
        "x-forwarded-for",
        &[
            ("192.0.2.1", "192.0.2.1", 1, false),
            ("192.0.2.66, 192.0.2.1", "192.0.2.1", 1, false),
            ("192.0.2.1, 10.0.0.2", "192.0.2.1", 2, false),
            ("192.0.2.66,192.0.2.1,10.0.0.2 ,\t2001:db8:aaaa::1", "192.0.2.1", 3, false),
            ("10.0.0.3, 10.0.0.2", "10.0.0.3", 3, false),
            ("192.0.2.1:4711", "192.0.2.1", 1, false),
            ("2001:db8::1", "2001:db8::1", 1, false),
            ("[2001:db8::1]", "2001:db8::1", 1, false),
            ("[2001:db8::1]:4711", "2001:db8::1", 1, false),
            ("::ffff:192.0.2.1", "192.0.2.1", 1, false),
            ("192.0.2.1, ::ffff:10.0.0.2", "192.0.2.1", 2, false),
            (", 192.0.2.1, ,", "192.0.2.1", 1, false),
            ("", PEER, 1, false),
            (", ,", PEER, 1, false),
            // Not said, or nonsense: the last proxy that is known to be there.
            ("unknown", PEER, 1, false),
            ("192.0.2.66, unknown, 10.0.0.2", "10.0.0.2", 2, false),
            ("_x, 10.0.0.2", "10.0.0.2", 2, false),
            ("192.0.2.66, nonsense, 10.0.0.2", "10.0.0.2", 2, true),
            ("192.0.2.256", PEER, 1, true),
            ("192.0.2.1 192.0.2.2", PEER, 1, true),
            ("192.0.2.1:x", PEER, 1, true),
            ("192.0.2.1:123456", PEER, 1, true),
            ("[2001:db8::1", PEER, 1, true),
            ("[2001:db8::1]4711", PEER, 1, true),
            ("fe80::1%eth0", PEER, 1, true),
            ("\"192.0.2.1\"", PEER, 1, true),
            ("0xc0000201", PEER, 1, true),
            ("192.000.002.001", PEER, 1, true),
            ("\u{e9}", PEER, 1, true),
            // Nonsense that a visitor wrote is not even looked at.
            ("nonsense, 192.0.2.1", "192.0.2.1", 1, false),
        ],
    );
}

#[test]
fn forwarded_is_read_from_the_right() {
    check(
        "forwarded",
        &[
            ("for=192.0.2.1", "192.0.2.1", 1, false),
            ("FOR=192.0.2.1; Proto=HTTP ;by=10.0.0.1", "192.0.2.1", 1, false),
            ("for=\"192.0.2.1:4711\"", "192.0.2.1", 1, false),
            ("for=192.0.2.1:4711", "192.0.2.1", 1, false),
            ("for=\"[2001:db8::1]\"", "2001:db8::1", 1, false),
            ("for=\"[2001:db8::1]:_port\"", "2001:db8::1", 1, false),
            ("for=[2001:db8::1]", "2001:db8::1", 1, false),
            ("for=192.0.2.66, for=192.0.2.1;host=\"a,b;c\\\"d\", for=10.0.0.2", "192.0.2.1", 2, false),
            (";;for=192.0.2.1;", "192.0.2.1", 1, false),
            ("for=unknown", PEER, 1, false),
            ("for=_hidden, for=10.0.0.2", "10.0.0.2", 2, false),
            ("for=\"_a.b-c:_d\"", PEER, 1, false),
            ("proto=https", PEER, 1, false),
            ("for=192.0.2.66, by=10.0.0.1, for=10.0.0.2", "10.0.0.2", 2, false),
            ("for", PEER, 1, true),
            ("for=", PEER, 1, true),
            ("=192.0.2.1", PEER, 1, true),
            ("for =192.0.2.1", PEER, 1, true),
            ("for=_", PEER, 1, true),
            ("for=192.0.2.1;for=192.0.2.2", PEER, 1, true),
            ("for=192.0.2.1;proto=http;proto=https", PEER, 1, true),
            ("for=192.0.2.1;proto=gopher", PEER, 1, true),
            ("for=\"192.0.2.1", PEER, 1, true),
            ("for=\"192.0.2.1\"x", PEER, 1, true),
            ("for=\"192.0.2.\\1\"", PEER, 1, true),
            ("192.0.2.1", PEER, 1, true),
            // What a visitor wrote cannot swallow what a proxy appended.
            ("for=\", for=192.0.2.1", "192.0.2.1", 1, false),
            ("for=\"\\, for=192.0.2.1", "192.0.2.1", 1, false),
            ("for=\", for=\"[2001:db8::1]\"", "2001:db8::1", 1, false),
            ("for=\"192.0.2.66, for=192.0.2.1;host=\"a\", for=10.0.0.2", "192.0.2.1", 2, false),
        ],
    );
}

#[test]
fn lines_are_joined() {
    for (name, first, second) in [
        ("x-forwarded-for", "192.0.2.66, 192.0.2.1", "10.0.0.3, 10.0.0.2"),
        ("forwarded", "for=192.0.2.66, for=192.0.2.1", "for=10.0.0.3, for=10.0.0.2"),
    ] {
        let found = resolve(PEER, &[(name, first), (name, second)]);
        assert_eq!((found.address, found.trusted_hops), (ip("192.0.2.1"), 3));
    }
}

#[test]
fn hops_are_bounded() {
    for (name, hop, client) in
        [("x-forwarded-for", "10.0.0.2", "192.0.2.1"), ("forwarded", "for=10.0.0.2", "for=192.0.2.1")]
    {
        let chain = |proxies: usize| format!("{client}{}", format!(", {hop}").repeat(proxies));
        let at_bound = resolve(PEER, &[(name, &chain(HOPS_MAX - 1))]);
        assert_eq!((at_bound.address, at_bound.malformed), (ip("192.0.2.1"), false));
        let beyond = resolve(PEER, &[(name, &chain(HOPS_MAX))]);
        assert_eq!((beyond.address, beyond.malformed), (ip("10.0.0.2"), true));
    }
}

/// Headers, and the scheme and flag they lead to; the visitor is 192.0.2.1 where one is named.
type Row<'a> = (&'a [(&'a str, &'a str)], Option<bool>, bool);

const XFF: &str = "x-forwarded-for";
const FWD: &str = "forwarded";
const XFP: &str = "x-forwarded-proto";

#[track_caller]
fn check_rows(address: &str, rows: &[Row<'_>]) {
    for (lines, https, malformed) in rows {
        let found = resolve(PEER, lines);
        let found = (found.address, found.scheme_https, found.malformed);
        assert_eq!(found, (ip(address), *https, *malformed), "{lines:?}");
    }
}

#[test]
fn schemes() {
    let chain = "192.0.2.1, 10.0.0.2";
    let elements = "for=192.0.2.1;proto=https, for=10.0.0.2;proto=http";
    let forged = "for=192.0.2.66;proto=https, for=192.0.2.1";
    let outvoted = "for=192.0.2.66;proto=https, for=192.0.2.1;proto=http";
    let rows: &[Row<'_>] = &[
        (&[(XFF, "192.0.2.1"), (XFP, "HTTP")], Some(false), false),
        (&[(XFF, "192.0.2.1"), (XFP, "ws")], None, true),
        // The outer proxy got https, the inner one http from it.
        (&[(XFF, chain), (XFP, "https, http")], Some(true), false),
        (&[(XFF, chain), (XFP, "https")], Some(true), false),
        (&[(FWD, elements)], Some(true), false),
        // A visitor's claim is not heard, whether or not the truth is appended to it.
        (&[(XFF, "192.0.2.1"), (XFP, "https, http")], Some(false), false),
        (&[(FWD, outvoted)], Some(false), false),
        (&[(FWD, forged)], None, false),
    ];
    check_rows("192.0.2.1", rows);
    let rows: &[Row<'_>] = &[
        (&[], None, false),
        (&[(XFP, "https")], Some(true), false),
        (&[(FWD, "for=unknown;proto=https")], Some(true), false),
        (&[("x-real-ip", "192.0.2.1"), ("client-ip", "192.0.2.1")], None, false),
    ];
    check_rows(PEER, rows);
}

#[test]
fn disagreements() {
    let (agrees, differs) = ("for=192.0.2.1;proto=https", "for=192.0.2.2;proto=https");
    let rows: &[Row<'_>] = &[
        (&[(XFF, "192.0.2.1"), (FWD, agrees)], Some(true), false),
        (&[(XFF, "192.0.2.1"), (FWD, differs)], None, true),
        (&[(XFF, "192.0.2.1"), (FWD, "nonsense")], None, true),
    ];
    check_rows("192.0.2.1", rows);
    check_rows(PEER, &[(&[(XFF, "nonsense"), (FWD, agrees)], None, true)]);
}

#[test]
fn the_first_letter_tells_most_fields_from_claims() {
    for claim in CLAIMS.iter().chain([&CLAIM_PREFIX]) {
        assert!(is_claim(claim) && is_claim(&claim.replace('-', "_")), "{claim}");
    }
}

#[test]
fn an_introduction_says_what_appending_says() {
    for (peer, https, host) in [
        ("203.0.113.7", false, "a.test"),
        ("2001:db8::1", true, "a.test:8443"),
        ("::ffff:192.0.2.1", true, ""),
    ] {
        let peer: IpAddr = peer.parse().unwrap();
        let mut claims = HeaderMap::new();
        claims.insert("x-forwarded-for", HeaderValue::from_static("198.51.100.1"));
        claims.insert("forwarded", HeaderValue::from_static("for=198.51.100.1"));
        claims.insert("x_forwarded_host", HeaderValue::from_static("evil.test"));
        claims.insert("accept", HeaderValue::from_static("*/*"));
        let mut appended = claims.clone();
        append_forwarding(&mut appended, peer, https, host, false);
        let introduction = Introduction::new(peer, https, host);
        remove_strangers_claims(&mut claims);
        for line in std::str::from_utf8(introduction.lines()).unwrap().split_terminator("\r\n") {
            let (name, value) = line.split_once(": ").unwrap();
            claims.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        assert_eq!(claims, appended, "{peer} {https} {host}");
        assert!(introduction.serves(https, host) && !introduction.serves(!https, host));
    }
}
