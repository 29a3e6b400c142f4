use crate::body::Payload;
use floodwall_model::ReferenceId;
use floodwall_policy::WorkChallenge;
use http::{HeaderMap, Response, StatusCode, header};
use std::time::Duration;
pub(crate) struct Language;
impl Language {
    pub(crate) fn of(_: &HeaderMap) -> Self {
        Self
    }
}
pub(crate) struct Asking<'a> {
    pub(crate) language: Language,
    pub(crate) reference: ReferenceId,
    pub(crate) ask_again: &'a str,
    pub(crate) retry_after: Duration,
    pub(crate) secure: bool,
}
pub(crate) struct PlaceInLine {
    pub(crate) ahead: u64,
    pub(crate) expected: Duration,
    pub(crate) refresh: Duration,
}
pub(crate) const REFRESH_WITHOUT_TICKET: Duration = Duration::from_secs(10);
fn page(status: StatusCode, a: &Asking<'_>, extra: &str) -> Response<Payload> {
    let mut r = Response::new(Payload::Whole(
        format!(
            "<!doctype html><html lang=en><title>wait</title><main {extra}>{} {}</main>",
            a.reference, a.secure
        )
        .into(),
    ));
    *r.status_mut() = status;
    let s = a.retry_after.as_secs().max(1);
    r.headers_mut().insert(header::RETRY_AFTER, s.into());
    r.headers_mut()
        .insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/html; charset=utf-8"));
    r.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    if let Ok(v) = header::HeaderValue::try_from(format!("{s}; url={}", a.ask_again)) {
        r.headers_mut().insert(header::REFRESH, v);
    }
    r
}
pub(crate) fn choice(a: &Asking<'_>, c: &WorkChallenge, _l: Option<&PlaceInLine>) -> Response<Payload> {
    let json = format!(
        "{{\"algorithm\":\"{}\",\"challenge\":\"{}\",\"maxnumber\":{},\"salt\":\"{}\",\"signature\":\"{}\"}}",
        c.algorithm, c.challenge, c.number_max, c.salt, c.signature
    );
    page(StatusCode::SERVICE_UNAVAILABLE, a, &format!("data-challenge='{json}'"))
}
pub(crate) fn waiting(a: &Asking<'_>, l: Option<&PlaceInLine>) -> Response<Payload> {
    page(
        StatusCode::SERVICE_UNAVAILABLE,
        a,
        &l.map(|l| {
            format!("data-ahead={} data-e={} data-r={}", l.ahead, l.expected.as_secs(), l.refresh.as_secs())
        })
        .unwrap_or_default(),
    )
}
pub(crate) fn busy(a: &Asking<'_>) -> Response<Payload> {
    page(StatusCode::SERVICE_UNAVAILABLE, a, "")
}
pub(crate) fn over_share(a: &Asking<'_>) -> Response<Payload> {
    page(StatusCode::TOO_MANY_REQUESTS, a, "")
}
pub(crate) fn person_reported(_: Language, r: ReferenceId) -> Response<Payload> {
    Response::new(Payload::Whole(r.to_string().into()))
}
