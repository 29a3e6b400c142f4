use std::fmt::Write as _;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::fuzzing::{ReadHello, read_hello as read_in_parts};

/// A hello's body.
fn body(version: u16, ciphers: &[u16], extensions: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut body = version.to_be_bytes().to_vec();
    body.extend([7; 32]);
    body.push(0);
    body.extend(list(&numbers(ciphers)));
    body.extend([1, 0]);
    if !extensions.is_empty() {
        let each =
            extensions.iter().flat_map(|(kind, data)| [kind.to_be_bytes().to_vec(), list(data)].concat());
        body.extend(list(&each.collect::<Vec<u8>>()));
    }
    body
}

fn numbers(numbers: &[u16]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
}

fn list(bytes: &[u8]) -> Vec<u8> {
    [&u16::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

fn short_list(bytes: &[u8]) -> Vec<u8> {
    [&[u8::try_from(bytes.len()).unwrap()], bytes].concat()
}

fn message(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[CLIENT_HELLO], &length[1..], body].concat()
}

/// A message in records of `payload_bytes`.
fn records(message: &[u8], payload_bytes: usize) -> Vec<u8> {
    message.chunks(payload_bytes).flat_map(|part| [&[22, 3, 1][..], &list(part)].concat()).collect()
}

fn hello(version: u16, ciphers: &[u16], extensions: &[(u16, Vec<u8>)]) -> Vec<u8> {
    records(&message(&body(version, ciphers, extensions)), 1 << 14)
}

fn read(stream: &[u8]) -> ReadHello {
    read_in_parts(stream, stream.len()).unwrap().unwrap()
}

fn server_name(name: &str) -> (u16, Vec<u8>) {
    (SERVER_NAME, list(&[&[0][..], &list(name.as_bytes())].concat()))
}

fn alpn(protocols: &[&[u8]]) -> (u16, Vec<u8>) {
    (ALPN, list(&protocols.iter().flat_map(|protocol| short_list(protocol)).collect::<Vec<u8>>()))
}

fn versions(versions: &[u16]) -> (u16, Vec<u8>) {
    (SUPPORTED_VERSIONS, short_list(&numbers(versions)))
}

fn signatures(algorithms: &[u16]) -> (u16, Vec<u8>) {
    (SIGNATURE_ALGORITHMS, list(&numbers(algorithms)))
}

/// Chrome's, as the JA4 documents have it: ciphers, extensions and signature algorithms in the order in
/// which they were sent, with the meaningless values Chrome strews in.
fn chrome() -> Vec<u8> {
    let ciphers = [
        0x5A5A, 0x1301, 0x1302, 0x1303, 0xC02B, 0xC02F, 0xC02C, 0xC030, 0xCCA9, 0xCCA8, 0xC013, 0xC014,
        0x009C, 0x009D, 0x002F, 0x0035,
    ];
    let schemes = [0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601];
    let order = [
        0x2A2A, 0x001B, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002D, 0x000D, 0x0005, 0x0023, 0x0012,
        0x002B, 0xFF01, 0x000B, 0x000A, 0x0015, 0xDADA,
    ];
    let extensions: Vec<(u16, Vec<u8>)> = order
        .iter()
        .map(|kind| match *kind {
            SERVER_NAME => server_name("vote.example.gov"),
            ALPN => alpn(&[b"h2", b"http/1.1"]),
            SIGNATURE_ALGORITHMS => signatures(&schemes),
            SUPPORTED_VERSIONS => versions(&[0x1A1A, 0x0304, 0x0303]),
            other => (other, Vec::new()),
        })
        .collect();
    hello(0x0303, &ciphers, &extensions)
}

#[test]
fn a_browsers_hello_has_its_published_fingerprint() {
    let read = read(&chrome());
    assert_eq!(read.ja4, "t13d1516h2_8daaf6152771_e5627efa2ab1");
    assert_eq!(read.server_name.as_deref(), Some(&b"vote.example.gov"[..]));
    assert_eq!(read.protocols, [&b"h2"[..], b"http/1.1"]);
    assert!(!read.claims_ticket, "an empty ticket asks for one");
}

#[test]
fn the_fingerprints_first_part_follows_the_rules() {
    let many: Vec<u16> = (0..150).map(|number| 0x5000 + number).collect();
    let none: Vec<(u16, Vec<u8>)> = Vec::new();
    let check = |case: &str, version: u16, ciphers: &[u16], extensions: &[(u16, Vec<u8>)], expected: &str| {
        let ja4 = read(&hello(version, ciphers, extensions)).ja4;
        assert_eq!(ja4.get(..expected.len()), Some(expected), "{case}: {ja4}");
    };
    check("nothing but a cipher", 0x0301, &[0x002F], &none, "t10i010000_");
    check("no ciphers and no extensions", 0x0303, &[], &none, "t12i000000_000000000000_000000000000");
    check(
        "only meaningless values",
        0x0303,
        &[0x0A0A, 0xFAFA],
        &[(0x3A3A, vec![])],
        "t12i000000_000000000000_000000000000",
    );
    check("an even pair that is not one of them", 0x0303, &[0x0B0B, 0x0A1A], &none, "t12i020000_");
    check("old versions", 0x0300, &[1], &none, "ts3i010000_");
    check("old versions", 0x0302, &[1], &none, "t11i010000_");
    check("a version nobody knows", 0x0399, &[1], &none, "t00i010000_");
    check("more than two digits", 0x0303, &many, &none, "t12i990000_");
    check(
        "the newest version counts, in any order",
        0x0303,
        &[1],
        &[versions(&[0x0303, 0x0304, 0x7A7A])],
        "t13i010100_",
    );
    check("a host, though its list is empty", 0x0303, &[1], &[(SERVER_NAME, list(&[]))], "t12d010100_");
    for (protocol, code) in [
        (&b"h2"[..], "h2"),
        (b"http/1.1", "h1"),
        (b"x", "xx"),
        (b"\xAB", "ab"),
        (b"\xAB\xCD", "ad"),
        (b"0\xAB", "3b"),
        (b"h!", "61"),
        (b"01\xAB\xCD1", "01"),
    ] {
        let expected = format!("t12i0101{code}_");
        check("the protocol it likes best", 0x0303, &[1], &[alpn(&[protocol, b"zz"])], &expected);
    }
    check("no protocol", 0x0303, &[1], &[(ALPN, list(&[]))], "t12i010100_");
}

#[test]
fn the_order_of_signatures_counts_and_that_of_ciphers_does_not() {
    let ja4 = |ciphers: &[u16], schemes: &[u16]| read(&hello(0x0303, ciphers, &[signatures(schemes)])).ja4;
    assert_eq!(ja4(&[1, 2], &[0x0403, 0x0804]), ja4(&[2, 1], &[0x0403, 0x0804]));
    assert_ne!(ja4(&[1, 2], &[0x0403, 0x0804]), ja4(&[1, 2], &[0x0804, 0x0403]));
    // sha256("0001,0002") and sha256("000d_0403"), by another implementation.
    assert_eq!(ja4(&[1, 2], &[0x0403]), "t12i020100_5b7701cdea2c_79c50902419d");
    // Without signature algorithms there is no underscore: sha256("000a").
    assert_eq!(read(&hello(0x0303, &[1], &[(10, vec![])])).ja4.get(24..), Some("a8f3e973773c"));
}

#[test]
fn tickets_are_seen() {
    for (case, extension, claims) in [
        ("TLS 1.2, asks for one", (SESSION_TICKET, vec![]), false),
        ("TLS 1.2, brings one", (SESSION_TICKET, vec![1, 2, 3]), true),
        ("TLS 1.3, brings one", (PRE_SHARED_KEY, vec![1, 2, 3]), true),
        ("another", (0xFF01, vec![0]), false),
    ] {
        assert_eq!(read(&hello(0x0303, &[1], &[extension])).claims_ticket, claims, "{case}");
    }
}

#[test]
fn what_is_no_hello_is_refused_by_its_first_bytes() {
    let long = [&[22, 3, 1, 0x40, 0][..], &[1, 0, 0x40, 1], &[0; 16_380]].concat();
    let in_crumbs = records(&message(&body(0x0303, &[1, 2, 3], &[])), 1);
    let too_many = hello(0x0303, &(0..600).map(|number| 0x5000 + number).collect::<Vec<u16>>(), &[]);
    let cut = |by: usize| {
        let body = body(0x0303, &[1], &[(10, vec![0, 1, 2])]);
        records(&message(&body[..body.len() - by]), 1 << 14)
    };
    for (case, stream, fault) in [
        ("HTTP in clear text", b"GET / HTTP/1.1\r\n".to_vec(), HelloFault::NotTls),
        ("its first byte", b"G".to_vec(), HelloFault::NotTls),
        ("SSL 2.0", vec![0x80, 0x2E, 1, 0, 2], HelloFault::Ssl2),
        ("high bytes that are not SSL 2.0", vec![0x80, 0x2E, 9], HelloFault::NotTls),
        ("an alert", vec![21, 3, 1, 0, 2, 1, 0], HelloFault::NotTls),
        ("another major version", vec![22, 2, 0], HelloFault::NotTls),
        ("another message", records(&[2, 0, 0, 1, 0], 64), HelloFault::NotTls),
        ("an empty record", vec![22, 3, 1, 0, 0], HelloFault::Malformed),
        ("a record of more than 16 KiB", vec![22, 3, 1, 0x40, 1], HelloFault::Malformed),
        ("a message of more than 16 KiB", long, HelloFault::TooLong),
        ("more records than anybody needs", in_crumbs, HelloFault::TooLong),
        ("more ciphers than there are", too_many, HelloFault::TooLong),
        ("a list that is longer than the message", cut(1), HelloFault::Malformed),
        ("a length cut in two", cut(8), HelloFault::Malformed),
        ("half a cipher", hello_with_odd_ciphers(), HelloFault::Malformed),
    ] {
        assert_eq!(read_in_parts(&stream, stream.len()), Err(fault), "{case}");
        assert_eq!(read_in_parts(&stream, 1), Err(fault), "{case}, byte by byte");
    }
}

fn hello_with_odd_ciphers() -> Vec<u8> {
    let mut body = body(0x0303, &[], &[]);
    let at = 2 + 32 + 1;
    body.splice(at..at + 2, [0, 3, 1, 2, 3]);
    records(&message(&body), 1 << 14)
}

/// Real clients' hellos, as the TLS library makes them.
fn of_library(host: &'static str, protocols: &[&[u8]], tls12_only: bool) -> Vec<u8> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let all = rustls::ALL_VERSIONS;
    let allowed: Vec<_> = all
        .iter()
        .copied()
        .filter(|v| !tls12_only || v.version == rustls::ProtocolVersion::TLSv1_2)
        .collect();
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&allowed)
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    let name = host.to_owned().try_into().unwrap();
    let mut connection = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    let mut bytes = Vec::new();
    connection.write_tls(&mut bytes).unwrap();
    bytes
}

#[test]
fn the_librarys_hellos_are_read_as_the_library_reads_them() {
    for host in ["vote.example.gov", "192.0.2.1", "a.test"] {
        for protocols in [&[][..], &[&b"h2"[..]], &[b"h2", b"http/1.1"], &[b"acme-tls/1"]] {
            for tls12_only in [false, true] {
                let stream = of_library(host, protocols, tls12_only);
                crate::fuzzing::client_hello(&[&[17], &stream[..]].concat());
                let read = read(&stream);
                assert_eq!(read.server_name.is_some(), host != "192.0.2.1", "no names of addresses");
                assert_eq!(read.protocols, protocols);
                let start = if tls12_only { "t12" } else { "t13" };
                assert!(read.ja4.starts_with(start), "{}", read.ja4);
            }
        }
    }
}

proptest! {
    #[test]
    fn records_and_splits_change_nothing(payload_bytes in 20_usize..600, chunk_bytes in 1_usize..600) {
        let whole = chrome();
        let stream = records(&whole[5..], payload_bytes);
        prop_assert_eq!(read_in_parts(&stream, chunk_bytes), Ok(Some(read(&whole))));
        // What follows belongs to somebody else.
        let more = [&stream[..], &[20, 3, 3, 0, 1, 1]].concat();
        prop_assert_eq!(read_in_parts(&more, more.len()), Ok(Some(read(&whole))));
    }

    #[test]
    fn a_changed_hello_keeps_the_promises(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(),
        tls12_only in any::<bool>(),
    ) {
        for mut stream in [chrome(), of_library("a.test", &[b"h2"], tls12_only)] {
            for (place, byte) in &changes {
                let at = place.index(stream.len());
                stream[at] = *byte;
            }
            crate::fuzzing::client_hello(&stream);
            stream.truncate(cut.index(stream.len()));
            crate::fuzzing::client_hello(&stream);
        }
    }

    #[test]
    fn any_bytes_keep_the_promises(data in prop::collection::vec(any::<u8>(), 0..256)) {
        crate::fuzzing::client_hello(&data);
        let after = [&[3, 22, 3, 1][..], &data].concat();
        crate::fuzzing::client_hello(&after);
    }
}

/// Hellos captured elsewhere, with what another implementation says of them: a file named by
/// `FLOODWALL_CLIENT_HELLOS`, in each line a name, the hello in hex, and fingerprints with commas between.
#[test]
fn captured_hellos_have_the_fingerprints_others_print() {
    let Some(file) = std::env::var_os("FLOODWALL_CLIENT_HELLOS") else { return };
    let text = std::fs::read_to_string(file).unwrap();
    let mut faults = String::new();
    for line in text.lines() {
        let [name, hex, expected] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let bytes: Vec<u8> =
            (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[at * 2..at * 2 + 2], 16).unwrap()).collect();
        let ja4 = read_in_parts(&bytes, 100).map(|hello| hello.map(|hello| hello.ja4));
        if !matches!(&ja4, Ok(Some(ja4)) if expected.split(',').any(|one| one == ja4)) {
            let _ = writeln!(faults, "{name}: {ja4:?}, not {expected}");
        }
    }
    assert!(faults.is_empty(), "{faults}");
    assert!(text.lines().count() > 0, "the file is empty");
}
