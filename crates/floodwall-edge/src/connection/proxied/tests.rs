use proptest::prelude::*;

use super::*;

const V2_START: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

fn version_2(command: u8, family: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
    [V2_START, &[0x20 | command, family], &length, payload].concat()
}

fn ipv4(additions: usize) -> Vec<u8> {
    [&[192, 0, 2, 7, 203, 0, 113, 1, 0x30, 0x39, 0x01, 0xBB][..], &vec![4; additions]].concat()
}

fn ipv6(source: &str) -> Vec<u8> {
    let address = |text: &str| text.parse::<std::net::Ipv6Addr>().unwrap().octets();
    [&address(source)[..], &address("2001:db8::ff"), &[0x30, 0x39, 0x01, 0xBB]].concat()
}

#[test]
fn headers_say_whose_the_connection_is() {
    let some = |text: &str| Some(text.parse::<SocketAddr>().unwrap());
    for (case, header, source) in [
        ("1, IPv4", b"PROXY TCP4 192.0.2.7 203.0.113.1 12345 443\r\n".to_vec(), some("192.0.2.7:12345")),
        (
            "1, IPv6",
            b"PROXY TCP6 2001:db8::1 2001:db8::ff 12345 443\r\n".to_vec(),
            some("[2001:db8::1]:12345"),
        ),
        ("1, unknown", b"PROXY UNKNOWN\r\n".to_vec(), None),
        ("1, unknown with addresses", b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n".to_vec(), None),
        ("2, IPv4", version_2(1, 0x11, &ipv4(0)), some("192.0.2.7:12345")),
        ("2, IPv4 with additions", version_2(1, 0x11, &ipv4(300)), some("192.0.2.7:12345")),
        ("2, IPv6", version_2(1, 0x21, &ipv6("2001:db8::1")), some("[2001:db8::1]:12345")),
        ("2, IPv4 in IPv6", version_2(1, 0x21, &ipv6("::ffff:192.0.2.7")), some("192.0.2.7:12345")),
        ("2, the proxy's own", version_2(0, 0x11, &ipv4(0)), None),
        ("2, the proxy's own without addresses", version_2(0, 0, &[]), None),
        ("2, unix", version_2(1, 0x31, &[0; 216]), None),
    ] {
        let stream = [&header[..], b"GET / HTTP/1.1\r\n"].concat();
        assert_eq!(read_header(&stream), Header::Whole { length: header.len(), source }, "{case}");
        for cut in 0..header.len() {
            assert_eq!(read_header(&header[..cut]), Header::Partial, "{case}, {cut} bytes of it");
        }
    }
}

#[test]
fn what_is_none_is_refused() {
    let long = [&b"PROXY UNKNOWN "[..], &[b'x'; 120], b"\r\n"].concat();
    for (case, stream) in [
        ("a request", b"GET / HTTP/1.1\r\n".to_vec()),
        ("a TLS hello", vec![22, 3, 1, 2, 0]),
        ("a name for an address", b"PROXY TCP4 localhost 203.0.113.1 1 2\r\n".to_vec()),
        ("an address of the other kind", b"PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n".to_vec()),
        ("a port too large", b"PROXY TCP4 192.0.2.7 203.0.113.1 65536 2\r\n".to_vec()),
        ("no ports", b"PROXY TCP4 192.0.2.7 203.0.113.1\r\n".to_vec()),
        ("a line feed alone", b"PROXY TCP4 192.0.2.7 203.0.113.1 1 2\n".to_vec()),
        ("another protocol", b"PROXY UDP4 192.0.2.7 203.0.113.1 1 2\r\n".to_vec()),
        ("too long a line", long.clone()),
        ("too long a line, before its end", long[..110].to_vec()),
        ("version 3", [V2_START, &[0x31, 0x11, 0, 12], &ipv4(0)].concat()),
        ("another command", version_2(2, 0x11, &ipv4(0))),
        ("addresses cut short", version_2(1, 0x11, &[0; 11])),
        ("more than is read", version_2(1, 0x11, &ipv4(5_000))),
    ] {
        assert_eq!(read_header(&stream), Header::Fault, "{case}");
    }
}

proptest! {
    #[test]
    fn any_bytes_keep_the_promises(data in prop::collection::vec(any::<u8>(), 0..64), kind in 0_u8..3) {
        let start: &[u8] = match kind { 0 => b"", 1 => b"PROXY TCP4 ", _ => V2_START };
        crate::fuzzing::proxy_header(&[start, &data].concat());
    }
}
