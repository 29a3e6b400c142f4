//! What an answer must be like.

use floodwall_model::ReferenceId;
use floodwall_outage::Cause;
use http::{HeaderMap, HeaderName, StatusCode};
use serde_json::Value;

/// What an answer must be like. The default: a status of success.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expectations {
    /// Any of these; none for 200 to 299.
    pub status: Vec<u16>,
    /// Fields that must be there, each with a part of its value (letters' case counts).
    pub fields: Vec<(HeaderName, String)>,
    /// Texts the body must contain.
    pub contains: Vec<String>,
    /// Texts the body must not contain.
    pub lacks: Vec<String>,
    /// Values in a JSON body.
    pub json: Vec<JsonExpectation>,
    /// SHA-256 of the body that was approved.
    pub approved_sha256: Option<[u8; 32]>,
}

/// A value in a JSON body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonExpectation {
    /// Where it is, as a JSON Pointer (RFC 6901): `/status/0/ok`.
    pub pointer: String,
    /// What it must be; `None` when it must only be there.
    pub value: Option<Value>,
}

impl Expectations {
    /// Compares an answer's head, before its body is read.
    pub(crate) fn check_head(&self, status: StatusCode, headers: &HeaderMap) -> Result<(), Cause> {
        let is_expected =
            if self.status.is_empty() { status.is_success() } else { self.status.contains(&status.as_u16()) };
        if !is_expected {
            return Err(of_status(status, headers));
        }
        let has = |(name, part): &(HeaderName, String)| {
            let mut values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
            values.any(|value| value.contains(part.as_str()))
        };
        if self.fields.iter().all(has) { Ok(()) } else { Err(Cause::HeaderMismatch) }
    }

    /// Compares a whole body.
    pub(crate) fn check_body(&self, body: &[u8], sha256: &[u8; 32]) -> Result<(), Cause> {
        let has = |text: &String| contains(body, text.as_bytes());
        if !self.contains.iter().all(has) || self.lacks.iter().any(has) {
            return Err(Cause::BodyMismatch);
        }
        if !self.json.is_empty() {
            let document: Value = serde_json::from_slice(body).map_err(|_| Cause::JsonMismatch)?;
            let fits = |expected: &JsonExpectation| {
                let found = document.pointer(&expected.pointer);
                found.is_some_and(|found| expected.value.as_ref().is_none_or(|value| value == found))
            };
            if !self.json.iter().all(fits) {
                return Err(Cause::JsonMismatch);
            }
        }
        if self.approved_sha256.as_ref().is_some_and(|approved| approved != sha256) {
            return Err(Cause::ContentChanged);
        }
        Ok(())
    }
}

/// What a status says that was not expected. The edge's own refusals carry a reference ID in
/// `X-Request-Id` and are 429 or 503: then the site's defence turned the probe away.
fn of_status(status: StatusCode, headers: &HeaderMap) -> Cause {
    let is_refusal = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
    let reference = headers.get("x-request-id").and_then(|value| value.to_str().ok());
    if is_refusal && reference.is_some_and(|text| text.len() == 14 && text.parse::<ReferenceId>().is_ok()) {
        Cause::RefusedByDefence
    } else if status.is_client_error() {
        Cause::StatusClientError
    } else if status.is_server_error() {
        Cause::StatusServerError
    } else {
        Cause::StatusUnexpected
    }
}

fn contains(body: &[u8], text: &[u8]) -> bool {
    text.is_empty() || body.windows(text.len()).any(|window| window == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_of_our_own_is_known_by_its_reference() {
        for (status, id, expected) in [
            (503, "7F3K-9QWX-02MB", Cause::RefusedByDefence),
            (429, "7F3K-9QWX-02MB", Cause::RefusedByDefence),
            (503, "8f14e45f-ceea-467f-a8d4-91df2a8b1d2f", Cause::StatusServerError),
            (502, "7F3K-9QWX-02MB", Cause::StatusServerError),
            (404, "7F3K-9QWX-02MB", Cause::StatusClientError),
            (302, "", Cause::StatusUnexpected),
        ] {
            let headers =
                HeaderMap::from_iter([(HeaderName::from_static("x-request-id"), id.parse().unwrap())]);
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(Expectations::default().check_head(status, &headers), Err(expected), "{status} {id}");
        }
    }

    #[test]
    fn bodies_are_compared_by_text_and_by_value() {
        let check = |expect: Expectations| expect.check_body(br#"{"ok":true,"n":[1,2]}"#, &[0; 32]);
        let json = |pointer: &str, value: Option<Value>| Expectations {
            json: vec![JsonExpectation { pointer: pointer.to_owned(), value }],
            ..Expectations::default()
        };
        assert_eq!(check(json("/ok", Some(Value::Bool(true)))), Ok(()));
        assert_eq!(check(json("/n/1", Some(2.into()))), Ok(()));
        assert_eq!(check(json("/n/1", Some(3.into()))), Err(Cause::JsonMismatch));
        assert_eq!(check(json("/gone", None)), Err(Cause::JsonMismatch));
        let text = |contains: &str, lacks: &str| Expectations {
            contains: vec![contains.to_owned()],
            lacks: vec![lacks.to_owned()],
            ..Expectations::default()
        };
        assert_eq!(check(text("\"ok\"", "hacked")), Ok(()));
        assert_eq!(check(text("ok", "true")), Err(Cause::BodyMismatch));
        let approved = Expectations { approved_sha256: Some([1; 32]), ..Expectations::default() };
        assert_eq!(check(approved), Err(Cause::ContentChanged));
    }
}
