//! Every route, asked in memory: what it answers, with which headers, and within which bounds.

#![expect(
    clippy::disallowed_methods,
    reason = "answers of our own routes, over made-up figures, are small"
)]
#![expect(
    unreachable_pub,
    reason = "the sample is shared by several test programs"
)]

mod sample;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use floodwall_console::{Losses, Readiness, Settings, Snapshot};
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use sample::{Sample, console, console_with, snapshot};
use serde_json::Value;
use tower::ServiceExt;

async fn ask(sample: &Sample, method: Method, target: &str) -> Response<Body> {
    let request = Request::builder()
        .method(method)
        .uri(target)
        .header("host", "localhost:9800");
    sample
        .console
        .router()
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap()
}

async fn text(response: Response<Body>) -> String {
    String::from_utf8(
        response
            .into_body()
            .collect()
            .await
            .unwrap()
            .to_bytes()
            .to_vec(),
    )
    .unwrap()
}

async fn get(sample: &Sample, target: &str) -> (StatusCode, String) {
    let response = ask(sample, Method::GET, target).await;
    (response.status(), text(response).await)
}

fn header<'r>(response: &'r Response<Body>, name: &str) -> &'r str {
    response
        .headers()
        .get(name)
        .map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn every_answer_carries_the_protective_headers() {
    let sample = console(snapshot());
    for target in [
        "/",
        "/console.js",
        "/metrics",
        "/api/v1/sites",
        "/healthz",
        "/nowhere",
        "/api/nowhere",
    ] {
        let response = ask(&sample, Method::GET, target).await;
        let policy = header(&response, "content-security-policy");
        assert!(
            policy.contains("script-src 'self';") && policy.contains("frame-ancestors 'none'"),
            "{target}"
        );
        assert!(!policy.contains("unsafe"), "{target}");
        assert_eq!(
            header(&response, "x-content-type-options"),
            "nosniff",
            "{target}"
        );
        assert_eq!(
            header(&response, "referrer-policy"),
            "no-referrer",
            "{target}"
        );
        assert_eq!(header(&response, "cache-control"), "no-store", "{target}");
    }
}

#[tokio::test]
async fn statuses_and_types() {
    let sample = console(snapshot());
    for (method, target, status, content_type) in [
        (Method::GET, "/", 200, "text/html; charset=utf-8"),
        (Method::HEAD, "/", 200, "text/html; charset=utf-8"),
        (
            Method::GET,
            "/console.js",
            200,
            "text/javascript; charset=utf-8",
        ),
        (Method::GET, "/console.css", 200, "text/css; charset=utf-8"),
        (Method::GET, "/icon.svg", 200, "image/svg+xml"),
        (Method::GET, "/events", 200, "text/event-stream"),
        (
            Method::GET,
            "/metrics",
            200,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        ),
        (Method::GET, "/healthz", 200, "text/plain; charset=utf-8"),
        (Method::GET, "/readyz", 200, "text/plain; charset=utf-8"),
        (Method::GET, "/api/v1/sites", 200, "application/json"),
        (Method::GET, "/api/v1/sites/sos", 200, "application/json"),
        (
            Method::GET,
            "/api/v1/sites/nobody",
            404,
            "application/problem+json",
        ),
        (
            Method::GET,
            "/api/v1/sites/%ff",
            400,
            "application/problem+json",
        ),
        (
            Method::GET,
            "/api/v1/sites/sos/traffic",
            200,
            "application/json",
        ),
        (
            Method::GET,
            "/api/v1/sites/sos/traffic?minutes=1440",
            200,
            "application/json",
        ),
        (
            Method::GET,
            "/api/v1/sites/sos/traffic?minutes=0",
            400,
            "application/problem+json",
        ),
        (
            Method::GET,
            "/api/v1/sites/sos/traffic?minutes=1441",
            400,
            "application/problem+json",
        ),
        (
            Method::GET,
            "/api/v1/sites/sos/traffic?minutes=-1",
            400,
            "application/problem+json",
        ),
        (
            Method::GET,
            "/api/v1/sites/sos/traffic?hours=1",
            400,
            "application/problem+json",
        ),
        (Method::GET, "/api/openapi.json", 200, "application/json"),
        (Method::GET, "/nowhere", 404, "text/html; charset=utf-8"),
        (
            Method::GET,
            "/../etc/passwd",
            404,
            "text/html; charset=utf-8",
        ),
        (Method::GET, "/api/nowhere", 404, "application/problem+json"),
        (Method::POST, "/", 405, "text/html; charset=utf-8"),
        (
            Method::DELETE,
            "/api/v1/sites/sos",
            405,
            "application/problem+json",
        ),
        (Method::OPTIONS, "/nowhere", 405, "text/html; charset=utf-8"),
    ] {
        let response = ask(&sample, method.clone(), target).await;
        assert_eq!(
            (
                response.status().as_u16(),
                header(&response, "content-type")
            ),
            (status, content_type),
            "{method} {target}"
        );
        if status == 405 {
            assert_eq!(header(&response, "allow"), "GET, HEAD", "{method} {target}");
        }
    }
}

#[tokio::test]
async fn a_foreign_host_name_is_refused_with_what_to_do() {
    let request = |host: &str| {
        Request::builder()
            .uri("/")
            .header("host", host)
            .body(Body::empty())
            .unwrap()
    };
    let settings = Settings {
        host_names: vec!["flood.example.gov".to_owned()],
        ..Settings::default()
    };
    let router = console_with(snapshot(), &settings).console.router();
    let refused = router
        .clone()
        .oneshot(request("evil.example:9800"))
        .await
        .unwrap();
    assert_eq!(refused.status(), StatusCode::MISDIRECTED_REQUEST);
    let page = text(refused).await;
    assert!(
        page.contains("evil.example") && page.contains("admin_hosts") && !page.contains("10.0.0.5"),
        "{page}"
    );
    assert_eq!(
        router
            .oneshot(request("flood.example.gov"))
            .await
            .unwrap()
            .status(),
        StatusCode::OK
    );
}

#[tokio::test]
async fn alive_while_the_control_loop_reports() {
    let sample = console(snapshot());
    sample.clock.advance(5);
    assert_eq!(
        get(&sample, "/healthz").await,
        (StatusCode::OK, "ok\n".to_owned())
    );
    sample.clock.advance(1);
    let late = "the control loop has not reported for 6 s\n".to_owned();
    assert_eq!(
        get(&sample, "/healthz").await,
        (StatusCode::SERVICE_UNAVAILABLE, late)
    );
}

#[tokio::test]
async fn ready_only_when_ready() {
    let sample = console(snapshot());
    assert_eq!(
        get(&sample, "/readyz").await,
        (StatusCode::OK, "ready\n".to_owned())
    );
    let readiness = Readiness::NotReady("the listeners are not open yet".to_owned());
    sample.publisher.send_replace(Arc::new(Snapshot {
        readiness,
        ..snapshot()
    }));
    let reason = "not ready: the listeners are not open yet\n".to_owned();
    assert_eq!(
        get(&sample, "/readyz").await,
        (StatusCode::SERVICE_UNAVAILABLE, reason)
    );
    assert!(
        get(&sample, "/")
            .await
            .1
            .contains("Visitors are not being served: the listeners are not open yet")
    );
}

#[tokio::test]
async fn metrics_read_as_openmetrics() {
    let mut one_site = snapshot();
    one_site.sites.truncate(1);
    insta::assert_snapshot!(get(&console(one_site), "/metrics").await.1);
}

#[tokio::test]
async fn json_of_one_site() {
    insta::assert_snapshot!(pretty(
        &get(&console(snapshot()), "/api/v1/sites/sos").await.1
    ));
}

#[tokio::test]
async fn json_of_past_minutes() {
    insta::assert_snapshot!(pretty(
        &get(&console(snapshot()), "/api/v1/sites/sos/traffic?minutes=2")
            .await
            .1
    ));
}

fn pretty(json: &str) -> String {
    serde_json::to_string_pretty(&serde_json::from_str::<Value>(json).unwrap()).unwrap()
}

#[tokio::test]
async fn the_page_says_it_in_words() {
    let mut one_site = snapshot();
    one_site.sites.truncate(1);
    insta::assert_snapshot!(words(&get(&console(one_site), "/").await.1));
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
    let losses = Losses {
        store_records_dropped: 7,
        ..Losses::default()
    };
    let page = get(
        &console(Snapshot {
            losses,
            ..snapshot()
        }),
        "/",
    )
    .await
    .1;
    assert!(page.contains("Some records were lost since the start"));
    assert!(
        get(&console(snapshot()), "/")
            .await
            .1
            .contains("Nothing was lost since the start.")
    );
}

/// A snapshot whose every text tries to break out of where it stands.
fn hostile() -> Snapshot {
    let evil = "\"'><script>alert(1)</script>\n\\{{7*7}}\u{202e}&amp;";
    let mut hostile = snapshot();
    hostile.readiness = Readiness::NotReady(evil.to_owned());
    hostile.listeners = vec![evil.to_owned()];
    for site in &mut hostile.sites {
        site.state.name = evil.into();
        site.state.hosts = vec![evil.into()];
        site.state.role = Some(evil.into());
        for origin in &mut site.state.origins {
            origin.url = evil.into();
            origin.last_failure = Some(evil.into());
        }
    }
    hostile
}

#[tokio::test]
async fn hostile_names_stay_texts() {
    let sample = console(hostile());
    let page = get(&sample, "/").await.1;
    assert!(
        !page.contains("<script>alert") && !page.contains("\"'>"),
        "{page}"
    );
    assert!(page.contains("{{7*7}}"));

    let metrics = get(&sample, "/metrics").await.1;
    for line in metrics.lines() {
        assert!(
            line.starts_with("floodwall_") || line.starts_with("# "),
            "{line}"
        );
    }
    let escaped = r#"site="\"'><script>alert(1)</script>\n\\{{7*7}}"#;
    assert!(metrics.contains(escaped), "{metrics}");

    let sites: Value = serde_json::from_str(&get(&sample, "/api/v1/sites").await.1).unwrap();
    assert_eq!(sites["sites"][0]["name"], *hostile().sites[0].state.name);
    // One line of data: a line break inside would end the event.
    let event = first_event(&sample).await;
    assert_eq!(
        event
            .lines()
            .filter(|line| line.starts_with("data:"))
            .count(),
        1,
        "{event}"
    );
}

#[tokio::test]
async fn a_history_that_fails_costs_only_the_past_minutes() {
    let mut broken = snapshot();
    broken.sites[0].state.name = "broken".into();
    let sample = console(broken);
    let (status, page) = get(&sample, "/").await;
    assert_eq!(status, StatusCode::OK);
    assert!(
        page.contains("Past minutes cannot be shown: <bdi>the disk is &#60;full&#62;</bdi>."),
        "{page}"
    );
    assert!(page.contains("1,234,567"));
    let (status, answer) = get(&sample, "/api/v1/sites/broken/traffic").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(
        answer.contains("Past minutes could not be read: the disk is <full>."),
        "{answer}"
    );
}

#[tokio::test]
async fn many_sites_do_not_grow_the_reads_of_the_store() {
    let mut many = snapshot();
    many.sites = (0..100).map(|_| many.sites[0].clone()).collect();
    let page = get(&console(many), "/").await.1;
    assert_eq!(page.matches("Last 60 minutes as a table").count(), 20);
    assert_eq!(
        page.matches("Past minutes of this site are not in this page")
            .count(),
        80
    );
}

async fn frame(body: &mut Body) -> String {
    let data = body.frame().await.unwrap().unwrap().into_data().unwrap();
    String::from_utf8(data.to_vec()).unwrap()
}

async fn first_event(sample: &Sample) -> String {
    frame(&mut ask(sample, Method::GET, "/events").await.into_body()).await
}

fn data(event: &str) -> Value {
    serde_json::from_str(
        event
            .lines()
            .find_map(|line| line.strip_prefix("data: "))
            .unwrap(),
    )
    .unwrap()
}

#[tokio::test]
async fn page_and_stream_show_the_same_figures() {
    let sample = console(snapshot());
    let event = data(&first_event(&sample).await);
    let page = get(&sample, "/").await.1;
    let figures = event["figures"].as_object().unwrap();
    for (key, figure) in figures {
        let place = format!("data-figure=\"{key}\">{}</span>", figure.as_str().unwrap());
        assert_eq!(page.matches(&place).count(), 1, "{place}");
    }
    assert_eq!(page.matches("data-figure=").count(), figures.len());
    for (key, state) in event["states"].as_object().unwrap() {
        let place = format!(
            "data-state=\"{key}\" data-health=\"{}\"",
            state["health"].as_str().unwrap()
        );
        assert_eq!(page.matches(&place).count(), 1, "{place}");
    }
    assert!(page.contains(&format!(
        "data-layout=\"{}\"",
        event["layout"].as_str().unwrap()
    )));
}

#[tokio::test]
async fn each_snapshot_is_one_event() {
    let sample = console(snapshot());
    let mut body = ask(&sample, Method::GET, "/events").await.into_body();
    assert_eq!(
        data(&frame(&mut body).await)["as_of"],
        "2022-11-08T14:02:07.125Z"
    );
    sample.publisher.send_replace(Arc::new(Snapshot {
        at: sample::now().plus(Duration::from_secs(1)),
        ..snapshot()
    }));
    assert_eq!(
        data(&frame(&mut body).await)["as_of"],
        "2022-11-08T14:02:08.125Z"
    );
    sample.console.close_event_streams();
    assert!(
        body.frame().await.is_none(),
        "the stream goes on after the console was closed"
    );
}

#[tokio::test]
async fn the_layout_changes_with_the_sites_but_not_with_the_figures() {
    let layout = |snapshot: Snapshot| async {
        data(&first_event(&console(snapshot)).await)["layout"].clone()
    };
    let before = layout(snapshot()).await;
    let mut busier = snapshot();
    busier.sites[0].state.counts = sample::traffic(9_999_999);
    busier.sites[0].state.origins[0].health = floodwall_model::OriginHealth::Down;
    assert_eq!(layout(busier).await, before);
    let mut fewer = snapshot();
    fewer.sites.pop();
    assert_ne!(layout(fewer).await, before);
}

#[tokio::test]
async fn live_streams_are_bounded_and_their_places_come_back() {
    let sample = console(snapshot());
    let mut open = Vec::new();
    for _ in 0..32 {
        let response = ask(&sample, Method::GET, "/events").await;
        assert_eq!(response.status(), StatusCode::OK);
        open.push(response);
    }
    let refused = ask(&sample, Method::GET, "/events").await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(header(&refused, "retry-after"), "5");
    let metrics = get(&sample, "/metrics").await.1;
    assert!(
        metrics.contains("floodwall_console_streams_open 32\n"),
        "{metrics}"
    );
    assert!(
        metrics.contains("floodwall_console_streams_refused_total 1\n"),
        "{metrics}"
    );

    drop(open);
    while get(&sample, "/metrics")
        .await
        .1
        .contains("floodwall_console_streams_open 32\n")
    {
        tokio::task::yield_now().await;
    }
    assert_eq!(
        ask(&sample, Method::GET, "/events").await.status(),
        StatusCode::OK
    );
}
