//! Entry points for fuzzing: each takes arbitrary bytes and panics when a promise is broken.

use std::net::{IpAddr, Ipv4Addr};

use floodwall_model::Prefix;
use http::header::FORWARDED;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::forwarded::{HOPS_MAX, append_forwarding, client_address};
use crate::request_guard::{FaultKind, GuardLimits, RequestGuard};

/// Feeds the chunks to a new guard; its verdict, and how many bytes it lets pass.
fn guard_verdict<'a>(chunks: impl Iterator<Item = &'a [u8]>) -> (Option<FaultKind>, usize) {
    let mut guard = RequestGuard::new(GuardLimits { head_bytes_max: 512, fields_max: 8 });
    let mut passed = 0;
    for chunk in chunks {
        match guard.inspect(chunk) {
            Ok(()) => passed += chunk.len(),
            Err(fault) => {
                assert!(fault.accepted <= chunk.len(), "accepts more than it was shown");
                return (Some(fault.kind), passed + fault.accepted);
            }
        }
    }
    (None, passed)
}

/// The request guard gives the same verdict however the bytes are split, and never lets less pass
/// than the whole requests before a fault. The first byte of `data` chooses the split, the rest is
/// the connection.
pub fn request_guard(data: &[u8]) {
    let Some((split, stream)) = data.split_first() else {
        return;
    };
    let (verdict, passed) = guard_verdict(std::iter::once(stream));
    for chunk_bytes in [1, usize::from(*split).max(1)] {
        let (split_verdict, split_passed) = guard_verdict(stream.chunks(chunk_bytes));
        assert_eq!(verdict, split_verdict, "the split changed the verdict");
        assert!(split_passed >= passed, "the split held whole requests back");
    }
    // What was accepted of the stream is free of faults and ends between two requests.
    if verdict.is_some() {
        let accepted = stream.get(..passed).unwrap_or_default();
        assert_eq!(guard_verdict(std::iter::once(accepted)), (None, passed), "accepted bytes are faulty");
    }
}

/// Client addresses: strangers are believed nothing, what is told to the origin is well-formed, and
/// a further edge that trusts this one sees the same client. `data` is header lines separated by
/// line feeds; the first byte of each chooses the header.
pub fn forwarded(data: &[u8]) {
    let mut headers = HeaderMap::new();
    for line in data.split(|&b| b == b'\n').take(16) {
        let Some((chosen, value)) = line.split_first() else {
            continue;
        };
        let name = match chosen % 3 {
            0 => HeaderName::from_static("x-forwarded-for"),
            1 => FORWARDED,
            _ => HeaderName::from_static("x-forwarded-proto"),
        };
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.append(name, value);
        }
    }
    let trusted: Vec<Prefix> = "10.0.0.0/8".parse().into_iter().collect();
    let [proxy, next_proxy] = [1, 2].map(|last| IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)));
    let stranger = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

    assert_eq!(client_address(stranger, &trusted, &headers).address, stranger, "a stranger was believed");
    let mut told = headers.clone();
    append_forwarding(&mut told, stranger, true, "a.example", false);
    let seen = client_address(next_proxy, &trusted, &told);
    assert_eq!((seen.address, seen.scheme_https, seen.malformed), (stranger, Some(true), false), "forged");

    let client = client_address(proxy, &trusted, &headers);
    append_forwarding(&mut headers, proxy, true, "a.example", true);
    let seen = client_address(next_proxy, &trusted, &headers);
    if !client.malformed && client.trusted_hops < HOPS_MAX {
        assert_eq!(
            (seen.address, seen.malformed),
            (client.address, false),
            "the next edge sees another client"
        );
    }
}
