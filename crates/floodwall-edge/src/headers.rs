//! Header fields that belong to one connection only and must not be passed on
//! (RFC 9110 section 7.6.1).

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use smallvec::SmallVec;

use crate::admission::has_own_cookie;

/// Fields of a request that are for one hop, whether `Connection` names them or not; and two that
/// the edge does not pass on either: interim answers it gives itself (RFC 9110 section 10.1.1), and
/// trailers it leaves out.
fn is_for_the_edge(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "keep-alive"
            | "proxy-connection"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "expect"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
    )
}

/// Whether the fields of a request are as the origin gets them: one `Host`, which is `authority`, one
/// `Cookie` at the most without what visitors carry for the edge, and nothing that [`remove_hop_by_hop`] or `removes` takes out. That is so of
/// nearly all, and one look tells. A `Connection` that asks for nothing but to be kept is removed here.
pub(crate) fn are_as_the_origin_gets_them(
    headers: &mut HeaderMap,
    authority: &str,
    removes: impl Fn(&HeaderName) -> bool,
) -> bool {
    let (mut hosts, mut cookies, mut connections) = (0, 0, 0);
    for (name, value) in &*headers {
        if *name == header::HOST {
            hosts += 1;
            if value.as_bytes() != authority.as_bytes() {
                return false;
            }
        } else if *name == header::COOKIE {
            cookies += 1;
            if has_own_cookie(value.as_bytes()) {
                return false;
            }
        } else if *name == header::CONNECTION {
            connections += 1;
            if !value.as_bytes().eq_ignore_ascii_case(b"keep-alive") {
                return false;
            }
        } else if is_for_the_edge(name) || removes(name) {
            return false;
        }
    }
    if connections == 1 {
        headers.remove(header::CONNECTION);
    }
    hosts == 1 && cookies <= 1 && connections <= 1
}

/// Removes from a request what is for one hop: the fields above, and those that `Connection` names.
/// Answers come without them; see `upstream/answer/head.rs`.
pub(crate) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    // Most headers have one of them or none; looking at the few names there are is cheaper than
    // asking for each.
    let present: SmallVec<[HeaderName; 4]> =
        headers.keys().filter(|name| is_for_the_edge(name)).cloned().collect();
    if present.contains(&header::CONNECTION) {
        let named: SmallVec<[HeaderName; 4]> = headers
            .get_all(header::CONNECTION)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(str::trim)
            // What nearly every `Connection` says; the field of that name goes anyway.
            .filter(|name| !name.eq_ignore_ascii_case("keep-alive"))
            .filter_map(|name| HeaderName::from_bytes(name.as_bytes()).ok())
            // A visitor must not have the edge strip what the origin needs to know of the hop.
            .filter(|name| !is_kept_whatever_connection_says(name))
            .collect();
        for name in named {
            headers.remove(name);
        }
    }
    for name in present {
        headers.remove(name);
    }
}

/// End-to-end by definition, or set by the edge itself: naming them in `Connection` is an attempt
/// to have them dropped on the way (RFC 9110 section 7.6.1: never for fields meant for all).
pub(crate) fn is_kept_whatever_connection_says(name: &HeaderName) -> bool {
    const KEPT: [HeaderName; 7] = [
        header::HOST,
        header::CACHE_CONTROL,
        header::AUTHORIZATION,
        header::COOKIE,
        header::CONTENT_LENGTH,
        header::CONTENT_TYPE,
        header::FORWARDED,
    ];
    KEPT.contains(name) || name.as_str().starts_with("x-forwarded-")
}

/// Whether a request has been through this edge before.
pub(crate) fn has_been_here(headers: &HeaderMap, via: &HeaderValue) -> bool {
    let Some(own) = via.to_str().ok().and_then(|v| v.split(' ').next_back()) else { return false };
    headers
        .get_all(header::VIA)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|hop| hop.split_whitespace().nth(1) == Some(own))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&str, &str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap()))
            .collect()
    }

    #[test]
    fn removes_what_is_for_one_hop_and_no_more() {
        let mut given = headers(&[
            ("connection", "close, X-Token, host, cookie, x-forwarded-host"),
            ("x-forwarded-host", "a.test"),
            ("x-token", "1"),
            ("keep-alive", "5"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("host", "a.test"),
            ("cookie", "a=b"),
            ("accept", "*/*"),
        ]);
        remove_hop_by_hop(&mut given);
        assert_eq!(
            given,
            headers(&[
                ("x-forwarded-host", "a.test"),
                ("host", "a.test"),
                ("cookie", "a=b"),
                ("accept", "*/*")
            ])
        );
    }

    #[test]
    fn fields_that_go_on_as_they_are_are_told_at_a_look() {
        let check = |lines: &[(&str, &str)], as_they_are: bool| {
            let mut looked_at = headers(lines);
            let removes = |name: &HeaderName| *name == "x-real-ip";
            assert_eq!(
                are_as_the_origin_gets_them(&mut looked_at, "a.test", removes),
                as_they_are,
                "{lines:?}"
            );
            let mut worked_on = headers(lines);
            remove_hop_by_hop(&mut worked_on);
            assert!(!as_they_are || looked_at == worked_on, "{lines:?}");
        };
        let host = ("host", "a.test");
        check(&[host], true);
        check(&[host, ("accept", "*/*"), ("cookie", "a=b"), ("connection", "Keep-Alive")], true);
        for other in [
            ("connection", "keep-alive, x-token"),
            ("connection", "close"),
            ("te", "trailers"),
            ("keep-alive", "5"),
            ("transfer-encoding", "chunked"),
            ("x-real-ip", "192.0.2.1"),
        ] {
            check(&[host, other], false);
        }
        let twice: HeaderMap = [host, ("cookie", "a=b")].into_iter().chain([("cookie", "c=d")]).fold(
            HeaderMap::new(),
            |mut all, (name, value)| {
                all.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
                all
            },
        );
        assert!(!are_as_the_origin_gets_them(&mut twice.clone(), "a.test", |_| false));
        check(&[("host", "A.test")], false);
        check(&[("accept", "*/*")], false);
    }

    #[test]
    fn sees_itself_in_via() {
        let own = HeaderValue::from_static("1.1 floodwall-0a1b2c3d");
        for (via, seen) in [
            ("1.1 floodwall-0a1b2c3d", true),
            ("1.0 fred, 2.0 floodwall-0a1b2c3d (comment)", true),
            ("1.1 floodwall-ffffffff", false),
            ("floodwall-0a1b2c3d", false),
        ] {
            assert_eq!(has_been_here(&headers(&[("via", via)]), &own), seen, "{via}");
        }
    }
}
