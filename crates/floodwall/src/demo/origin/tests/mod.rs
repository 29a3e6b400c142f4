//! The sample site asked directly, and once over real sockets.

mod html;
mod lookups;
mod markup;
mod routes;
mod served;

use std::sync::Arc;

use http::{Method, Request};
use http_body_util::BodyExt;

use super::counters::Counters;
use super::site::{Answer, Site};

pub(super) fn site() -> Arc<Site> {
    Arc::new(Site::new(Arc::new(Counters::default())).unwrap())
}

pub(super) fn request(method: Method, target: &str, headers: &[(&'static str, &str)]) -> Request<()> {
    let mut request = Request::builder().method(method).uri(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap()
}

pub(super) async fn get(site: &Site, target: &str) -> Answer {
    site.answer(&request(Method::GET, target, &[])).await
}

pub(super) fn header<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

#[expect(clippy::disallowed_methods, reason = "the body is one our own site made in memory")]
pub(super) async fn text(answer: Answer) -> String {
    String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}
