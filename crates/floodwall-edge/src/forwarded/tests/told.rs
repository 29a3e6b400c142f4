//! What origins are told.

use super::*;

/// Rows of the request's headers and those the origin gets.
#[track_caller]
fn check_told(peer: &str, trusted: bool, host: &str, given: &[(&str, &str)], told: &[(&str, &str)]) {
    let mut forwarding = headers(given);
    append_forwarding(&mut forwarding, ip(peer), true, host, trusted);
    assert_eq!(forwarding, headers(told), "{given:?}");
}

#[test]
fn origins_are_told_of_a_visitor() {
    let forged = [
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-proto", "gopher"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-port", "1"),
        ("x-forwarded", "x"),
        ("forwarded", "for=127.0.0.1"),
        ("x-real-ip", "127.0.0.1"),
        ("true-client-ip", "127.0.0.1"),
        ("x_forwarded_for", "127.0.0.1"),
        ("x-forwarded_for", "127.0.0.1"),
        ("x_real_ip", "127.0.0.1"),
        ("accept", "*/*"),
        ("x-forward", "not ours"),
    ];
    let kept = [("accept", "*/*"), ("x-forward", "not ours")];
    for (peer, host, address, element) in [
        ("192.0.2.1", "a.example", "192.0.2.1", "for=192.0.2.1;host=a.example;proto=https"),
        ("::ffff:192.0.2.1", "a:8080", "192.0.2.1", "for=192.0.2.1;host=\"a:8080\";proto=https"),
        ("2001:db8::1", "[::1]:80", "2001:db8::1", "for=\"[2001:db8::1]\";host=\"[::1]:80\";proto=https"),
        ("192.0.2.1", "a\"b\\c", "192.0.2.1", "for=192.0.2.1;host=\"a\\\"b\\\\c\";proto=https"),
    ] {
        let set = [
            ("x-forwarded-for", address),
            ("forwarded", element),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", host),
        ];
        check_told(peer, false, host, &forged, &[&kept[..], &set].concat());
    }
}

#[test]
fn origins_are_told_of_the_proxies_in_between() {
    let own = "for=10.0.0.1;host=a;proto=https";
    for (given, addresses, elements) in [
        (&[][..], "10.0.0.1", own.to_owned()),
        (
            &[("x-forwarded-for", "192.0.2.1, 2001:db8::1"), ("x-forwarded-for", "unknown")],
            "192.0.2.1, 2001:db8::1, unknown, 10.0.0.1",
            format!("for=192.0.2.1, for=\"[2001:db8::1]\", for=unknown, {own}"),
        ),
        (
            &[("forwarded", "for=\"192.0.2.1:80\";proto=http;secret=x, for=_x, by=_y")],
            "192.0.2.1, unknown, unknown, 10.0.0.1",
            format!("for=\"192.0.2.1:80\";proto=http;secret=x, for=_x, by=_y, {own}"),
        ),
        (
            &[("x-forwarded-for", "192.0.2.1"), ("forwarded", "for=192.0.2.1")],
            "192.0.2.1, 10.0.0.1",
            format!("for=192.0.2.1, {own}"),
        ),
        // What cannot be read, and what lies beyond it, is not passed on.
        (
            &[("x-forwarded-for", "192.0.2.66, <script>, 192.0.2.1")],
            "192.0.2.1, 10.0.0.1",
            format!("for=192.0.2.1, {own}"),
        ),
        (
            &[("forwarded", "for=192.0.2.66, for=\", for=192.0.2.1")],
            "192.0.2.1, 10.0.0.1",
            format!("for=192.0.2.1, {own}"),
        ),
        (&[("x_forwarded_for", "192.0.2.66")], "10.0.0.1", own.to_owned()),
    ] {
        let told = [
            ("x-forwarded-for", addresses),
            ("forwarded", &elements),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "a"),
        ];
        check_told(PEER, true, "a", given, &told);
    }
    let mut rewritten = headers(&[("x-forwarded-host", "outside.example"), ("x-real-ip", "192.0.2.1")]);
    append_forwarding(&mut rewritten, ip(PEER), false, "inside", true);
    assert_eq!(rewritten["x-forwarded-host"], "outside.example");
    assert_eq!(rewritten["x-real-ip"], "192.0.2.1");
    assert_eq!(rewritten["x-forwarded-proto"], "http");
}
