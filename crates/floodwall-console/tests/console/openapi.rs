//! `/api/openapi.json` is true: it names the routes there are, and every answer has the form, the
//! status and the type it says.

use axum::body::Body;
use floodwall_console::ROUTES;
use http::Request;
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

use crate::sample;

fn description() -> Value {
    serde_json::from_str(include_str!("../../assets/openapi.json")).unwrap()
}

#[test]
fn it_names_every_route_and_no_other() {
    let description = description();
    let mut described: Vec<&str> =
        description["paths"].as_object().unwrap().keys().map(String::as_str).collect();
    let mut routes = ROUTES.to_vec();
    described.sort_unstable();
    routes.sort_unstable();
    assert_eq!(described, routes);
}

#[tokio::test]
async fn every_answer_is_as_described() {
    let description = description();
    let mut checked = 0;
    for (path, target) in [
        ("/", "/"),
        ("/console.js", "/console.js"),
        ("/console.css", "/console.css"),
        ("/icon.svg", "/icon.svg"),
        ("/metrics", "/metrics"),
        ("/healthz", "/healthz"),
        ("/readyz", "/readyz"),
        ("/api/v1/sites", "/api/v1/sites"),
        ("/api/v1/sites/{name}", "/api/v1/sites/sos"),
        ("/api/v1/sites/{name}", "/api/v1/sites/results"),
        ("/api/v1/sites/{name}", "/api/v1/sites/nobody"),
        ("/api/v1/sites/{name}/traffic", "/api/v1/sites/sos/traffic"),
        ("/api/v1/sites/{name}/traffic", "/api/v1/sites/sos/traffic?minutes=x"),
        ("/api/v1/sites/{name}/traffic", "/api/v1/sites/nobody/traffic"),
        ("/api/v1/incidents", "/api/v1/incidents"),
        ("/api/v1/incidents", "/api/v1/incidents?max=0"),
        ("/api/v1/incidents/{id}", "/api/v1/incidents/sos-20221108-135527-3"),
        ("/api/v1/incidents/{id}", "/api/v1/incidents/nothing"),
        ("/api/v1/outages", "/api/v1/outages"),
        ("/api/v1/outages", "/api/v1/outages?min=1"),
        ("/api/openapi.json", "/api/openapi.json"),
    ] {
        let router = sample::console(sample::snapshot()).console.router();
        let request = Request::builder().uri(target).header("host", "localhost").body(Body::empty()).unwrap();
        let response = router.oneshot(request).await.unwrap();
        let status = response.status().as_u16().to_string();
        let content_type = response.headers()["content-type"].to_str().unwrap().to_owned();
        let described =
            &description["paths"][path]["get"]["responses"][&status]["content"][&content_type]["schema"];
        assert!(described.is_object(), "{target}: {status} {content_type} is not described");
        if content_type.ends_with("json") {
            let body = response.into_body().collect().await.unwrap().to_bytes();
            check(&description, described, &serde_json::from_slice(&body).unwrap(), target);
            checked += 1;
        }
    }
    assert_eq!(checked, 14);
}

/// Checks `value` against the parts of JSON Schema that the description uses.
fn check(description: &Value, schema: &Value, value: &Value, place: &str) {
    if let Some(reference) = schema["$ref"].as_str() {
        let schema = description.pointer(reference.trim_start_matches('#')).unwrap();
        return check(description, schema, value, place);
    }
    let is = |name: &Value| match name.as_str().unwrap() {
        "string" => value.is_string(),
        "integer" => value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        "null" => value.is_null(),
        other => panic!("the description uses type {other}"),
    };
    let types = schema["type"].as_array().cloned().unwrap_or_else(|| vec![schema["type"].clone()]);
    assert!(types.iter().any(is), "{place}: {value} is not of {types:?}");
    if let Some(allowed) = schema["enum"].as_array() {
        assert!(allowed.contains(value), "{place}: {value}");
    }
    if schema["format"] == "date-time" && !value.is_null() {
        let time = value.as_str().unwrap();
        assert!(time.ends_with('Z') && time.parse::<jiff::Timestamp>().is_ok(), "{place}: {time}");
    }
    if let (Some(properties), Some(object)) = (schema["properties"].as_object(), value.as_object()) {
        for name in schema["required"].as_array().unwrap() {
            assert!(object.contains_key(name.as_str().unwrap()), "{place}: {name} is missing");
        }
        for (name, value) in object {
            let property = properties.get(name).unwrap_or_else(|| panic!("{place}: {name} is not described"));
            check(description, property, value, &format!("{place} {name}"));
        }
    }
    for item in value.as_array().into_iter().flatten() {
        check(description, &schema["items"], item, place);
    }
}
