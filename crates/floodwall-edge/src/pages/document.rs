//! What all pages have in common: the frame of the document and the answer's fields.

use std::time::Duration;

use bytes::Bytes;
use floodwall_model::ReferenceId;
use http::{HeaderValue, Response, StatusCode, header};

use super::Language;
use crate::body::Payload;

/// Who a page is for: in which language, and which reference it shows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Addressee {
    pub(crate) language: Language,
    pub(crate) reference: ReferenceId,
}

/// Somebody whose language is not known.
impl From<ReferenceId> for Addressee {
    fn from(reference: ReferenceId) -> Self {
        Self { language: Language::default(), reference }
    }
}

/// Small enough to be in every page, so that none needs a second request.
pub(super) const STYLE: &str = include_str!("page.css");

/// A document that is being written.
pub(super) struct Document {
    html: String,
    to: Addressee,
}

impl Document {
    /// Opens the document's body and writes its heading. `capacity` is what it is likely to take;
    /// `in_head` goes into the head as it is.
    pub(super) fn open(to: Addressee, title: &str, capacity: usize, in_head: &str) -> Self {
        let mut html = String::with_capacity(capacity);
        html.push_str("<!doctype html>\n<html lang=\"");
        html.push_str(to.language.tag());
        html.push_str(
            "\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>",
        );
        html.push_str(title);
        html.push_str("</title>\n<style>");
        html.push_str(STYLE);
        html.push_str("</style>\n");
        html.push_str(in_head);
        html.push_str("</head>\n<body>\n");
        Self { html, to }
    }

    /// Writes what is markup already.
    pub(super) fn markup(&mut self, markup: &str) -> &mut Self {
        self.html.push_str(markup);
        self
    }

    /// Writes an element without attributes around a text that holds no markup.
    pub(super) fn element(&mut self, name: &str, text: &str) -> &mut Self {
        for part in ["<", name, ">", text, "</", name, ">\n"] {
            self.html.push_str(part);
        }
        self
    }

    /// Writes what formats itself as markup.
    pub(super) fn written(&mut self, markup: std::fmt::Arguments<'_>) -> &mut Self {
        let _ = std::fmt::Write::write_fmt(&mut self.html, markup);
        self
    }

    /// Writes the reference, the script if there is one, and closes the document.
    pub(super) fn close(mut self, script: Option<&str>) -> String {
        let Addressee { language, reference } = self.to;
        let before = language.texts().reference;
        self.written(format_args!("<p>{before} <code>{reference}</code></p>\n</main>\n"));
        if let Some(script) = script {
            self.markup("<script>").markup(script).markup("</script>\n");
        }
        self.markup("</body>\n</html>\n");
        self.html
    }
}

/// At least one second: `Retry-After: 0` invites the next request at once.
pub(super) fn whole_seconds(span: Duration) -> u64 {
    span.as_secs().saturating_add(u64::from(span.subsec_nanos() > 0)).max(1)
}

/// An answer of the edge's own; never to be stored.
pub(super) fn response(
    status: StatusCode,
    html: String,
    policy: &HeaderValue,
    to: Addressee,
) -> Response<Payload> {
    let mut response = Response::new(Payload::Whole(Bytes::from(html)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(to.language.tag()));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::CONTENT_SECURITY_POLICY, policy.clone());
    if let Ok(id) = HeaderValue::from_str(&to.reference.to_string()) {
        headers.insert("x-request-id", id);
    }
    response
}
