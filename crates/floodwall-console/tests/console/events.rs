//! The live stream: what one event says, that it agrees with the page, and how many there may be.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use floodwall_console::{Snapshot, serve};
use http::{Method, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::sample::{self, Sample, console, header, snapshot};

async fn frame(body: &mut Body) -> String {
    let data = body.frame().await.unwrap().unwrap().into_data().unwrap();
    String::from_utf8(data.to_vec()).unwrap()
}

pub(crate) async fn first_event(sample: &Sample) -> String {
    frame(&mut sample.ask(Method::GET, "/events").await.into_body()).await
}

fn data(event: &str) -> Value {
    serde_json::from_str(event.lines().find_map(|line| line.strip_prefix("data: ")).unwrap()).unwrap()
}

#[tokio::test]
async fn page_and_stream_show_the_same_figures() {
    let sample = console(snapshot());
    let event = data(&first_event(&sample).await);
    let page = sample.get("/").await.1;
    let figures = event["figures"].as_object().unwrap();
    for (key, figure) in figures {
        let place = format!("data-figure=\"{key}\">{}</span>", figure.as_str().unwrap());
        assert_eq!(page.matches(&place).count(), 1, "{place}");
    }
    assert_eq!(page.matches("data-figure=").count(), figures.len());
    for (key, state) in event["states"].as_object().unwrap() {
        let place = format!("data-state=\"{key}\" data-health=\"{}\"", state["health"].as_str().unwrap());
        assert_eq!(page.matches(&place).count(), 1, "{place}");
    }
    assert!(page.contains(&format!("data-layout=\"{}\"", event["layout"].as_str().unwrap())));
}

#[tokio::test]
async fn each_snapshot_is_one_event() {
    let sample = console(snapshot());
    let mut body = sample.ask(Method::GET, "/events").await.into_body();
    assert_eq!(data(&frame(&mut body).await)["as_of"], "2022-11-08T14:02:07.125Z");
    sample
        .publisher
        .send_replace(Arc::new(Snapshot { at: sample::now().plus(Duration::from_secs(1)), ..snapshot() }));
    assert_eq!(data(&frame(&mut body).await)["as_of"], "2022-11-08T14:02:08.125Z");
    sample.console.close_event_streams();
    assert!(body.frame().await.is_none(), "the stream goes on after the console was closed");
}

#[tokio::test]
async fn the_layout_changes_with_the_sites_but_not_with_the_figures() {
    let layout =
        |snapshot: Snapshot| async { data(&first_event(&console(snapshot)).await)["layout"].clone() };
    let before = layout(snapshot()).await;
    let mut busier = snapshot();
    busier.sites[0].state.counts = sample::traffic(9_999_999);
    busier.sites[0].state.origins[0].health = floodwall_model::OriginHealth::Down;
    busier.sites[0].state.gates[1].rung = 4;
    busier.sites[0].state.person_reports += 1;
    assert_eq!(layout(busier).await, before);
    let mut one_class = snapshot();
    one_class.sites[0].state.gates.pop();
    assert_ne!(layout(one_class).await, before);
    let mut fewer = snapshot();
    fewer.sites.pop();
    assert_ne!(layout(fewer).await, before);
}

#[tokio::test]
async fn live_streams_are_bounded_and_their_places_come_back() {
    let sample = console(snapshot());
    let mut open = Vec::new();
    for _ in 0..32 {
        let response = sample.ask(Method::GET, "/events").await;
        assert_eq!(response.status(), StatusCode::OK);
        open.push(response);
    }
    let refused = sample.ask(Method::GET, "/events").await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(header(&refused, "retry-after"), "5");
    let metrics = sample.get("/metrics").await.1;
    assert!(metrics.contains("floodwall_console_streams_open 32\n"), "{metrics}");
    assert!(metrics.contains("floodwall_console_streams_refused_total 1\n"), "{metrics}");

    drop(open);
    while sample.get("/metrics").await.1.contains("floodwall_console_streams_open 32\n") {
        tokio::task::yield_now().await;
    }
    assert_eq!(sample.ask(Method::GET, "/events").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn an_open_stream_does_not_hold_up_the_shutdown() {
    let sample = console(snapshot());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async {
        let _ = stopped.await;
    };
    let server = tokio::spawn(serve(listener, sample.console.clone(), shutdown));
    let mut reader = TcpStream::connect(address).await.unwrap();
    let request = format!("GET /events HTTP/1.1\r\nHost: {address}\r\n\r\n");
    reader.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let mut lines = BufReader::new(reader).lines();
    while !answer.contains("data: ") {
        answer.push_str(&lines.next_line().await.unwrap().unwrap());
    }
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    stop.send(()).unwrap();
    server.await.unwrap();
    while lines.next_line().await.unwrap().is_some() {}
    assert!(TcpStream::connect(address).await.is_err(), "it still accepts connections");
}
