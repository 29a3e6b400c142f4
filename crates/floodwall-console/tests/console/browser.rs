//! The console page in a real browser: accessible in every form it takes, complete without
//! JavaScript, live with it, usable by keyboard.

use std::sync::Arc;

use fantoccini::Locator;
use fantoccini::actions::{InputSource, KeyAction, KeyActions};
use fantoccini::key::Key;
use floodwall_console::{Snapshot, serve};
use floodwall_model::OriginHealth;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::sample::{self, Sample, snapshot};
use floodwall_browser::{Browser, in_browser};

/// A sample console on a port of its own.
struct Served {
    sample: Sample,
    address: String,
    stop: oneshot::Sender<()>,
    server: JoinHandle<()>,
}

async fn served(snapshot: Snapshot) -> Served {
    let sample = sample::console(snapshot);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async {
        let _ = stopped.await;
    };
    let server = tokio::spawn(serve(listener, sample.console.clone(), shutdown));
    Served { sample, address, stop, server }
}

#[tokio::test]
async fn accessible_at_every_width_and_in_both_schemes() {
    in_browser(|browser| async move {
        let served = served(snapshot()).await;
        for (width, scheme) in [(1280, "light"), (1280, "dark"), (320, "light"), (320, "dark")] {
            for (name, path, ready) in [
                ("console", "/", "//*[@id='connection' and contains(., 'updated every second')]"),
                ("fault", "/nowhere", "//h1[.='Not Found']"),
            ] {
                browser.set_viewport(width, 800).await;
                browser.set_color_scheme(scheme).await;
                browser.client.goto(&format!("{}{path}", served.address)).await.unwrap();
                browser.wait_for(ready).await;
                browser.picture(&format!("{name}-{scheme}-{width}"), width).await;
                // What is folded away must be right too.
                browser
                    .run("document.querySelectorAll('details').forEach((it) => { it.open = true; })")
                    .await;
                let place = format!("{path} at {width} px, {scheme}");
                assert_eq!(browser.axe_violations().await, "", "{place}");
                assert_eq!(browser.sideways_px().await, 0, "{place}: scrolls sideways");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn complete_without_javascript() {
    in_browser(|browser| async move {
        let served = served(snapshot()).await;
        browser.set_scripts(false).await;
        browser.client.goto(&served.address).await.unwrap();
        // From here on only to read the page: its own script is not run any more.
        browser.set_scripts(true).await;
        let text = browser.client.find(Locator::Css("body")).await.unwrap().text().await.unwrap();
        for shown in [
            "1,234,567",
            "What is happening",
            "An attack on site sos since 2022-11-08 13:55:26 UTC: 97 % likely.",
            "pictures, scripts and style sheets fetched for each page: 0.0 (usually 6.2)",
            "Incidents that are over, newest first; times in UTC",
            "results-20221108-120000-2",
            "Down: it does not answer",
            "Figures as of 2022-11-08 14:02:07 UTC.",
            "They do not change by themselves. Reload",
            "Requests per minute, last 60 minutes.",
            "New visitors choose: their browser does some work, or they wait in line.",
            "The origin works on 38 of at most 40 requests at once.",
            "reference 7F3K-9QWX-02MB",
        ] {
            assert!(text.contains(shown), "`{shown}` is missing: {text}");
        }
        browser.client.find(Locator::Css("summary")).await.unwrap().click().await.unwrap();
        browser.wait_for("//tbody[@data-minutes]//th[.='14:01']/following-sibling::td[1][.='7,620']").await;
    })
    .await;
}

#[tokio::test]
async fn an_incident_comes_and_goes_without_a_reload() {
    in_browser(|browser| async move {
        let calm = Snapshot { incidents: Vec::new(), ..snapshot() };
        let served = served(calm.clone()).await;
        browser.client.goto(&served.address).await.unwrap();
        browser.wait_for("//*[@id='connection' and contains(., 'updated every second')]").await;
        browser.run("window.loaded = 'once'").await;
        wait_for_figure(&browser, "happening.summary", "Nothing unusual.").await;
        served.sample.publisher.send_replace(Arc::new(snapshot()));
        browser.wait_for("//article//h3[contains(., 'An attack on site sos')]").await;
        assert_eq!(
            announcement(&browser).await,
            "An attack on site sos since 2022-11-08 13:55:26 UTC: 97 % likely."
        );
        assert_eq!(browser.axe_violations().await, "");
        served.sample.publisher.send_replace(Arc::new(calm));
        browser.wait_for("//main[not(.//article)]").await;
        assert_eq!(browser.run("return window.loaded").await, json!("once"), "the page was loaded anew");
    })
    .await;
}

#[tokio::test]
async fn figures_follow_the_stream_without_a_reload() {
    in_browser(|browser| async move {
        let served = served(snapshot()).await;
        browser.client.goto(&served.address).await.unwrap();
        browser.wait_for("//*[@id='connection' and contains(., 'updated every second')]").await;
        browser.run("window.loaded = 'once'").await;

        let mut later = snapshot();
        later.sites[0].state.counts.requests += 1;
        served.sample.publisher.send_replace(Arc::new(later.clone()));
        wait_for_figure(&browser, "site.0.requests.total", "1,234,568").await;
        assert_eq!(announcement(&browser).await, "", "a figure was read out");

        later.sites[0].state.origins[1].health = OriginHealth::Up;
        served.sample.publisher.send_replace(Arc::new(later.clone()));
        browser
            .wait_for("//*[@data-state='site.0.origin.1' and @data-health='up']//*[@href='#shape-up']")
            .await;
        assert_eq!(announcement(&browser).await, "Site sos: origin http://10.0.0.6:8080 is now up.");

        assert_eq!(browser.run("return window.loaded").await, json!("once"), "the page was loaded anew");
        later.sites.pop();
        served.sample.publisher.send_replace(Arc::new(later));
        browser.wait_for("//body[not(.//*[@id='site-1'])]").await;
        assert_eq!(browser.run("return window.loaded").await, Value::Null, "the page was not loaded anew");
    })
    .await;
}

#[tokio::test]
async fn what_is_asked_of_visitors_follows_the_stream_and_is_one_line_in_calm() {
    in_browser(|browser| async move {
        let served = served(snapshot()).await;
        browser.client.goto(&served.address).await.unwrap();
        browser.wait_for("//*[@id='connection' and contains(., 'updated every second')]").await;
        let lines = "return Array.from(document.querySelectorAll('[aria-labelledby=site-1] .gate p'),
             (it) => it.getBoundingClientRect().height > 0).filter(Boolean).length";
        assert_eq!(browser.run(lines).await, json!(1), "calm takes more than one line");

        let mut later = snapshot();
        later.sites[1].state.gates[0].rung = 4;
        later.sites[1].state.gates[0].in_waiting_room = 1;
        served.sample.publisher.send_replace(Arc::new(later));
        let told = "0 requests wait for the origin now; the line of the waiting room has 1 ticket.";
        wait_for_figure(&browser, "site.1.gate.0.waiting", told).await;
        browser
            .wait_for(
                "//*[@data-state='site.1.gate.0' and @data-health='pressed']//*[@href='#shape-pressed']",
            )
            .await;
        let said = "Site results: Visitors who have proven nothing yet wait in line.";
        assert_eq!(announcement(&browser).await, said);
        assert_eq!(browser.run(lines).await, json!(4));

        served.sample.publisher.send_replace(Arc::new(snapshot()));
        browser.wait_for("//*[@data-state='site.1.gate.0' and @data-health='up']").await;
        assert_eq!(announcement(&browser).await, "Site results: Nothing is asked of visitors.");
        assert_eq!(browser.run(lines).await, json!(1));
    })
    .await;
}

/// Waits until the figure of that key has that text.
async fn wait_for_figure(browser: &Browser, key: &str, text: &str) {
    browser.wait_for(&format!("//*[@data-figure='{key}' and normalize-space(.)='{text}']")).await;
}

async fn announcement(browser: &Browser) -> String {
    let text = browser.run("return document.querySelector('#announcements').textContent").await;
    text.as_str().unwrap().to_owned()
}

#[tokio::test]
async fn past_minutes_are_renewed_when_a_minute_has_passed() {
    in_browser(|browser| async move {
        let served = served(snapshot()).await;
        browser.client.goto(&served.address).await.unwrap();
        browser.wait_for("//*[@id='connection' and contains(., 'updated every second')]").await;
        let newest = "//tbody[@data-minutes='site-0-table']/tr[1]/th";
        browser.wait_for(&format!("{newest}[.='14:01']")).await;
        served.sample.clock.advance(60);
        let at = sample::now().plus(std::time::Duration::from_secs(60));
        served.sample.publisher.send_replace(Arc::new(Snapshot { at, ..snapshot() }));
        browser.wait_for(&format!("{newest}[.='14:02']")).await;
        wait_for_figure(&browser, "as_of", "2022-11-08 14:03:07 UTC").await;
    })
    .await;
}

#[tokio::test]
async fn a_broken_stream_is_said_with_the_age_of_the_figures() {
    in_browser(|browser| async move {
        let served = served(snapshot()).await;
        browser.client.goto(&served.address).await.unwrap();
        browser.wait_for("//*[@id='connection' and contains(., 'updated every second')]").await;
        served.stop.send(()).unwrap();
        // An open stream does not hold up the shutdown.
        served.server.await.unwrap();
        let said = "Connection lost: the figures are from 14:02:07 UTC. Trying to connect again.";
        browser.wait_for(&format!("//*[@id='lost' and not(@hidden) and .='{said}']")).await;
        assert_eq!(announcement(&browser).await, said);
    })
    .await;
}

#[tokio::test]
async fn everything_is_reached_by_keyboard_and_seen() {
    in_browser(|browser| async move {
        let served = served(snapshot()).await;
        browser.set_viewport(1280, 800).await;
        browser.client.goto(&served.address).await.unwrap();
        browser
            .wait_for("//*[@id='connection' and contains(., 'updated every second')]")
            .await;
        let mut reached = Vec::new();
        for _ in 0..21 {
            let tab = KeyActions::new("keyboard".to_owned())
                .then(KeyAction::Down {
                    value: Key::Tab.into(),
                })
                .then(KeyAction::Up {
                    value: Key::Tab.into(),
                });
            browser.client.perform_actions(tab).await.unwrap();
            let focus = browser
                .run(
                    "const it = document.activeElement;
                     const box = it.getBoundingClientRect();
                     const seen = getComputedStyle(it).outlineStyle !== 'none'
                       && box.bottom > 0 && box.top < innerHeight && box.right > 0;
                     return [it.getAttribute('href') ?? it.tagName, seen];",
                )
                .await;
            assert_eq!(focus[1], json!(true), "the focus cannot be seen: {focus}");
            reached.push(focus[0].as_str().unwrap().to_owned());
        }
        insta::assert_snapshot!(reached.join(" "), @"#sites / #site-0 #site-1 /api/v1/incidents/sos-20221108-135527-3 DIV /api/v1/incidents/results-20221108-120000-2 /api/v1/incidents/results-20221107-120000-1 DIV DIV /api/v1/outages DIV SUMMARY DIV SUMMARY /api/v1/sites /api/v1/incidents /api/openapi.json /metrics /healthz /readyz");
    })
    .await;
}
