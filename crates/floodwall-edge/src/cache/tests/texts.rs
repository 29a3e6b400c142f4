//! RFC 9211: the `Cache-Status` texts administrators read.

use http::{HeaderMap, StatusCode};

use super::super::request::BypassReason;
use super::super::{Forwarded, NotStored, OriginSaid, Served};
use super::headers;

#[test]
fn cache_status_of_answers_from_the_cache() {
    let (ok, not_modified) = (StatusCode::OK, StatusCode::NOT_MODIFIED);
    let text: Vec<String> = [
        (Served::Hit, 599, ok),
        (Served::StaleIfError(OriginSaid::NotAsked), -30, ok),
        (Served::StaleIfError(OriginSaid::Nothing), -30, ok),
        (Served::StaleIfError(OriginSaid::Status(StatusCode::BAD_GATEWAY)), -30, ok),
        (Served::StaleWhileRevalidate, -1, ok),
        (Served::Fetched(Forwarded::UriMiss, ok, None), 600, ok),
        (Served::Fetched(Forwarded::UriMiss, ok, None), 600, not_modified),
        (Served::Fetched(Forwarded::Stale, not_modified, None), 600, ok),
        (Served::Fetched(Forwarded::Stale, not_modified, None), 600, not_modified),
        (Served::Fetched(Forwarded::Stale, not_modified, Some(NotStored::NoStore)), 0, ok),
        (Served::Fetched(Forwarded::VaryMiss, ok, Some(NotStored::Outdated)), 600, ok),
        (Served::Collapsed(Forwarded::UriMiss), 600, ok),
        (Served::Collapsed(Forwarded::Stale), 600, ok),
    ]
    .iter()
    .map(|(served, ttl, sent)| served.cache_status(*ttl, *sent).to_str().unwrap().to_owned())
    .collect();
    insta::assert_snapshot!(text.join("\n"), @r"
    floodwall; hit; ttl=599
    floodwall; hit; ttl=-30; detail=stale-if-error
    floodwall; fwd=stale; ttl=-30; detail=stale-if-error
    floodwall; fwd=stale; fwd-status=502; ttl=-30; detail=stale-if-error
    floodwall; hit; ttl=-1; detail=stale-while-revalidate
    floodwall; fwd=uri-miss; ttl=600; stored
    floodwall; fwd=uri-miss; fwd-status=200; ttl=600; stored
    floodwall; fwd=stale; fwd-status=304; ttl=600; stored
    floodwall; fwd=stale; ttl=600; stored
    floodwall; fwd=stale; fwd-status=304; detail=no-store
    floodwall; fwd=vary-miss; detail=outdated
    floodwall; fwd=uri-miss; collapsed; ttl=600
    floodwall; fwd=stale; collapsed; ttl=600
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
    ");
}

#[test]
fn a_member_is_added_after_those_nearer_to_the_origin() {
    let mut fields: HeaderMap = headers(&[("cache-status", "OriginCache; hit")]);
    Forwarded::UriMiss.annotate(&mut fields, Some(NotStored::Private));
    let members: Vec<_> = fields.get_all("cache-status").iter().collect();
    assert_eq!(members, ["OriginCache; hit", "floodwall; fwd=uri-miss; detail=private"]);
}
