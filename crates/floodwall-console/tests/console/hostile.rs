//! Texts and sources that mean no good: names that try to break out of where they stand, a history
//! that fails, more sites than a page should hold.

use floodwall_console::{Readiness, Snapshot};
use http::StatusCode;
use serde_json::Value;

use crate::events::first_event;
use crate::sample::{console, snapshot};

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
        for gate in &mut site.state.gates {
            gate.class = evil.into();
        }
    }
    for target in &mut hostile.watched {
        target.name = evil.into();
        target.site = Some(evil.into());
        target.vantage = evil.into();
        for outage in target.families.iter_mut().filter_map(|family| family.outage.as_mut()) {
            outage.target = evil.into();
        }
    }
    hostile
}

#[tokio::test]
async fn hostile_names_stay_texts() {
    let sample = console(hostile());
    let page = sample.get("/").await.1;
    assert!(!page.contains("<script>alert") && !page.contains("\"'>"), "{page}");
    assert!(page.contains("{{7*7}}"));

    let metrics = sample.get("/metrics").await.1;
    for line in metrics.lines() {
        let known = ["floodwall_", "probe_", "# "];
        assert!(known.iter().any(|start| line.starts_with(start)), "{line}");
    }
    let escaped = r#"site="\"'><script>alert(1)</script>\n\\{{7*7}}"#;
    assert!(metrics.contains(escaped), "{metrics}");

    let sites: Value = serde_json::from_str(&sample.get("/api/v1/sites").await.1).unwrap();
    assert_eq!(sites["sites"][0]["name"], *hostile().sites[0].state.name);
    // One line of data: a line break inside would end the event.
    let event = first_event(&sample).await;
    assert_eq!(event.lines().filter(|line| line.starts_with("data:")).count(), 1, "{event}");
}

#[tokio::test]
async fn a_history_that_fails_costs_only_the_past_minutes() {
    let mut broken = snapshot();
    broken.sites[0].state.name = "broken".into();
    let sample = console(broken);
    let (status, page) = sample.get("/").await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains("Past minutes cannot be shown: <bdi>the disk is &#60;full&#62;</bdi>."), "{page}");
    assert!(page.contains("1,234,567"));
    let (status, answer) = sample.get("/api/v1/sites/broken/traffic").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.contains("Past minutes could not be read: the disk is <full>."), "{answer}");
}

#[tokio::test]
async fn many_sites_do_not_grow_the_reads_of_the_store() {
    let mut many = snapshot();
    many.sites = (0..100).map(|_| many.sites[0].clone()).collect();
    let page = console(many).get("/").await.1;
    assert_eq!(page.matches("Last 60 minutes as a table").count(), 20);
    assert_eq!(page.matches("Past minutes of this site are not in this page").count(), 80);
}
