//! RFC 9211: the `Cache-Status` texts administrators read.

use http::HeaderMap;

use super::super::request::BypassReason;
use super::super::{Forwarded, NotStored, Served};
use super::headers;

#[test]
fn cache_status_of_answers_from_the_cache() {
    let text: Vec<String> = [
        (Served::Hit, 599),
        (Served::StaleIfError, -30),
        (Served::StaleWhileRevalidate, -1),
        (Served::Revalidated, 600),
        (Served::Collapsed, 600),
    ]
    .iter()
    .map(|(served, ttl)| served.cache_status(*ttl).to_str().unwrap().to_owned())
    .collect();
    insta::assert_snapshot!(text.join("\n"), @r"
    floodwall; hit; ttl=599
    floodwall; hit; ttl=-30; detail=stale-if-error
    floodwall; hit; ttl=-1; detail=stale-while-revalidate
    floodwall; fwd=stale; fwd-status=304; ttl=600; stored
    floodwall; fwd=uri-miss; collapsed; ttl=600
    ");
}

#[test]
fn cache_status_of_forwarded_requests() {
    let text: Vec<String> = [
        (Forwarded::UriMiss, None),
        (Forwarded::UriMiss, Some(NotStored::SetCookie)),
        (Forwarded::UriMiss, Some(NotStored::Request)),
        (Forwarded::VaryMiss, None),
        (Forwarded::Stale, None),
        (Forwarded::Stale, Some(NotStored::ServerError)),
        (Forwarded::Bypass(BypassReason::Method), Some(NotStored::Request)),
        (Forwarded::Bypass(BypassReason::Body), Some(NotStored::Request)),
        (Forwarded::Bypass(BypassReason::KeyTooLong), Some(NotStored::Request)),
        (Forwarded::Bypass(BypassReason::Authorization), Some(NotStored::Request)),
        (Forwarded::Bypass(BypassReason::Range), None),
    ]
    .iter()
    .map(|(forwarded, not_stored)| forwarded.cache_status(*not_stored).to_str().unwrap().to_owned())
    .collect();
    insta::assert_snapshot!(text.join("\n"), @r"
    floodwall; fwd=uri-miss; stored
    floodwall; fwd=uri-miss; detail=set-cookie
    floodwall; fwd=uri-miss; detail=request
    floodwall; fwd=vary-miss; stored
    floodwall; fwd=stale; stored
    floodwall; fwd=stale; detail=server-error
    floodwall; fwd=method
    floodwall; fwd=bypass; detail=body
    floodwall; fwd=bypass; detail=key-too-long
    floodwall; fwd=request; detail=authorization
    floodwall; fwd=partial
    ");
}

#[test]
fn a_member_is_added_after_those_nearer_to_the_origin() {
    let mut fields: HeaderMap = headers(&[("cache-status", "OriginCache; hit")]);
    Forwarded::UriMiss.annotate(&mut fields, Some(NotStored::Private));
    let members: Vec<_> = fields.get_all("cache-status").iter().collect();
    assert_eq!(members, ["OriginCache; hit", "floodwall; fwd=uri-miss; detail=private"]);
}
