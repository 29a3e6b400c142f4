//! Every route, asked in memory: what it answers, with which headers, and within which bounds.

use std::sync::Arc;

use axum::body::Body;
use floodwall_console::{Losses, Readiness, Settings, Snapshot};
use http::{Method, Request, StatusCode};
use serde_json::Value;
use tower::ServiceExt;

use crate::sample::{console, console_with, header, snapshot, text};

#[tokio::test]
async fn every_answer_carries_the_protective_headers() {
    let sample = console(snapshot());
    for target in ["/", "/console.js", "/metrics", "/api/v1/sites", "/healthz", "/nowhere", "/api/nowhere"] {
        let response = sample.ask(Method::GET, target).await;
        let policy = header(&response, "content-security-policy");
        assert!(
            policy.contains("script-src 'self';") && policy.contains("frame-ancestors 'none'"),
            "{target}"
        );
        assert!(!policy.contains("unsafe"), "{target}");
        assert_eq!(header(&response, "x-content-type-options"), "nosniff", "{target}");
        assert_eq!(header(&response, "referrer-policy"), "no-referrer", "{target}");
        assert_eq!(header(&response, "cache-control"), "no-store", "{target}");
    }
}

/// Method, target, status and type.
const ANSWERS: &str = "
    GET     /                                            200  text/html
    HEAD    /                                            200  text/html
    GET     /console.js                                  200  text/javascript
    GET     /console.css                                 200  text/css
    GET     /icon.svg                                    200  image/svg+xml
    GET     /events                                      200  text/event-stream
    HEAD    /events                                      200  text/event-stream
    GET     /metrics                                     200  application/openmetrics-text
    GET     /healthz                                     200  text/plain
    GET     /readyz                                      200  text/plain
    GET     /api/v1/sites                                200  application/json
    GET     /api/v1/sites/sos                            200  application/json
    GET     /api/v1/sites/nobody                         404  application/problem+json
    GET     /api/v1/sites/%ff                            400  application/problem+json
    GET     /api/v1/sites/sos/traffic                    200  application/json
    GET     /api/v1/sites/sos/traffic?minutes=1440       200  application/json
    GET     /api/v1/sites/sos/traffic?minutes=0          400  application/problem+json
    GET     /api/v1/sites/sos/traffic?minutes=1441       400  application/problem+json
    GET     /api/v1/sites/sos/traffic?minutes=-1         400  application/problem+json
    GET     /api/v1/sites/sos/traffic?hours=1            400  application/problem+json
    GET     /api/v1/incidents                            200  application/json
    GET     /api/v1/incidents?max=1001                   400  application/problem+json
    GET     /api/v1/incidents/sos-20221108-135527-3      200  application/json
    GET     /api/v1/incidents/nothing                    404  application/problem+json
    GET     /api/v1/incidents/%ff                        400  application/problem+json
    GET     /api/v1/outages                              200  application/json
    GET     /api/v1/outages?max=1001                     400  application/problem+json
    GET     /api/openapi.json                            200  application/json
    GET     /nowhere                                     404  text/html
    GET     /../etc/passwd                               404  text/html
    GET     /api                                         404  application/problem+json
    GET     /api/nowhere                                 404  application/problem+json
    POST    /                                            405  text/html
    DELETE  /api/v1/sites/sos                            405  application/problem+json
    OPTIONS /nowhere                                     405  text/html
";

#[tokio::test]
async fn statuses_and_types() {
    let sample = console(snapshot());
    for line in ANSWERS.lines().filter(|line| !line.trim().is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let response = sample.ask(words[0].parse().unwrap(), words[1]).await;
        let content_type = header(&response, "content-type").split(';').next();
        assert_eq!(response.status().as_str(), words[2], "{line}");
        assert_eq!(content_type, Some(words[3]), "{line}");
        if words[2] == "405" {
            assert_eq!(header(&response, "allow"), "GET, HEAD", "{line}");
        }
    }
}

#[tokio::test]
async fn a_foreign_host_name_is_refused_with_what_to_do() {
    let request = |host: &str| Request::builder().uri("/").header("host", host).body(Body::empty()).unwrap();
    let settings = Settings { host_names: vec!["flood.example.gov".to_owned()], ..Settings::default() };
    let router = console_with(snapshot(), &settings).console.router();
    let refused = router.clone().oneshot(request("evil.example:9800")).await.unwrap();
    assert_eq!(refused.status(), StatusCode::MISDIRECTED_REQUEST);
    let page = text(refused).await;
    assert!(
        page.contains("evil.example") && page.contains("by its IP address") && !page.contains("10.0.0.5"),
        "{page}"
    );
    assert_eq!(router.oneshot(request("flood.example.gov")).await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn alive_while_the_control_loop_reports() {
    let sample = console(snapshot());
    sample.clock.advance(5);
    assert_eq!(sample.get("/healthz").await, (StatusCode::OK, "ok\n".to_owned()));
    sample.clock.advance(1);
    let late = "the control loop has not reported for 6 s\n".to_owned();
    assert_eq!(sample.get("/healthz").await, (StatusCode::SERVICE_UNAVAILABLE, late));
}

#[tokio::test]
async fn ready_only_when_ready() {
    let sample = console(snapshot());
    assert_eq!(sample.get("/readyz").await, (StatusCode::OK, "ready\n".to_owned()));
    let readiness = Readiness::NotReady("the listeners are not open yet".to_owned());
    sample.publisher.send_replace(Arc::new(Snapshot { readiness, ..snapshot() }));
    let reason = "not ready: the listeners are not open yet\n".to_owned();
    assert_eq!(sample.get("/readyz").await, (StatusCode::SERVICE_UNAVAILABLE, reason));
    assert!(
        sample.get("/").await.1.contains("Visitors are not being served: the listeners are not open yet")
    );
}

#[tokio::test]
async fn metrics_read_as_openmetrics() {
    let mut one_site = snapshot();
    one_site.sites.truncate(1);
    insta::assert_snapshot!(console(one_site).get("/metrics").await.1);
}

#[tokio::test]
async fn json_of_one_site() {
    insta::assert_snapshot!(pretty(&console(snapshot()).get("/api/v1/sites/sos").await.1));
}

#[tokio::test]
async fn json_of_past_minutes() {
    insta::assert_snapshot!(pretty(&console(snapshot()).get("/api/v1/sites/sos/traffic?minutes=2").await.1));
}

fn pretty(json: &str) -> String {
    serde_json::to_string_pretty(&serde_json::from_str::<Value>(json).unwrap()).unwrap()
}

#[tokio::test]
async fn the_page_says_it_in_words() {
    let mut one_site = snapshot();
    one_site.sites.truncate(1);
    insta::assert_snapshot!(words(&console(one_site).get("/").await.1));
}

/// The page's text, one line for each line of its source that has any.
fn words(html: &str) -> String {
    let mut words = String::new();
    for line in html.lines() {
        let mut inside_tag = false;
        let mut text = String::new();
        for letter in line.chars() {
            match letter {
                '<' => inside_tag = true,
                '>' => {
                    inside_tag = false;
                    text.push(' ');
                }
                _ if !inside_tag => text.push(letter),
                _ => {}
            }
        }
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        // Two minutes stand for sixty.
        let further_minute = text.starts_with("13:") && !text.ends_with("UTC");
        if !text.is_empty() && !further_minute {
            words.push_str(&text);
            words.push('\n');
        }
    }
    words
}

#[tokio::test]
async fn losses_are_admitted() {
    let losses = Losses { store_records_dropped: 7, ..Losses::default() };
    let page = console(Snapshot { losses, ..snapshot() }).get("/").await.1;
    assert!(page.contains("Some records were lost since the start"));
    assert!(console(snapshot()).get("/").await.1.contains("Nothing was lost since the start."));
}
