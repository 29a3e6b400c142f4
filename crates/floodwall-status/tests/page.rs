//! The page over made-up facts: what it says in both languages, as snapshots; how large it gets; and in a
//! real browser.

#![expect(clippy::unwrap_used, reason = "the lint's exception for tests does not reach the helpers of one")]

use std::time::Duration;

use fantoccini::Locator;
use floodwall_browser::in_browser;
use floodwall_outage::{
    Cause, CauseCount, Edge, Family, FamilyStatus, Outage, OutageRecord, Span, State, TargetStatus,
    UnknownCause, UnknownRecord, WatchRecord, WatchedRecord,
};
use floodwall_status::{
    Facts, File, Incident, IncidentKind, PAGE_BYTES_MAX, Service, ServiceState, Site, Wording, files,
};
use jiff::tz::TimeZone;

/// 2022-11-08T19:02:07Z: the afternoon of an election day in New York.
const NOW: i64 = 1_667_934_127_000_000;
const MINUTE: i64 = 60_000_000;
const DAY: i64 = 86_400_000_000;

fn edge(ago: i64) -> Edge {
    Edge { earliest_unix_micros: Some(NOW - ago - MINUTE), latest_unix_micros: NOW - ago }
}

fn outage(target: &str, family: Family, from_ago: i64, to_ago: Option<i64>, cause: Cause) -> OutageRecord {
    let outage = Outage {
        start: edge(from_ago),
        end: to_ago.map(edge),
        causes: vec![CauseCount { cause, samples: 3 }],
        unknown_micros: 0,
    };
    OutageRecord {
        key: floodwall_outage::outage_key(target, Some(family), &outage),
        target: target.into(),
        site: Some("sos".into()),
        vantage: "county data centre".into(),
        family: Some(family),
        outage,
    }
}

fn target(name: &str, families: Vec<(Family, State, Option<OutageRecord>)>) -> TargetStatus {
    let families = families.into_iter().map(|(family, state, outage)| FamilyStatus {
        family: Some(family),
        state,
        outage,
        known_until_unix_micros: NOW - 30_000_000,
        probe: None,
    });
    TargetStatus {
        name: name.into(),
        site: Some("sos".into()),
        vantage: "county data centre".into(),
        families: families.collect(),
    }
}

fn watched(target: &str, since_ago: i64) -> WatchedRecord {
    WatchedRecord {
        target: target.into(),
        site: Some("sos".into()),
        vantage: "county data centre".into(),
        family: Some(Family::V4),
        since_unix_micros: NOW - since_ago,
        known_until_unix_micros: NOW,
    }
}

fn record() -> WatchRecord {
    WatchRecord {
        outages: vec![
            outage("Home page", Family::V4, 3 * DAY, Some(3 * DAY - 23 * MINUTE), Cause::StatusServerError),
            outage("Home page", Family::V6, 5 * DAY, Some(4 * DAY), Cause::ConnectTimeout),
        ],
        unknown: vec![UnknownRecord {
            target: "Home page".into(),
            vantage: "county data centre".into(),
            family: Some(Family::V4),
            span: Span { start_unix_micros: NOW - 20 * DAY, end_unix_micros: NOW - 20 * DAY + 150 * MINUTE },
            cause: UnknownCause::Silent,
        }],
        watched: vec![watched("Home page", 60 * DAY), watched("Polling place look-up", 30 * DAY)],
    }
}

fn facts() -> Facts {
    let open = outage("Polling place look-up", Family::V4, 40 * MINUTE, None, Cause::ConnectRefused);
    let home = target("Home page", vec![(Family::V4, State::Up, None), (Family::V6, State::Up, None)]);
    let look_up = target("Polling place look-up", vec![(Family::V4, State::Down, Some(open))]);
    let unknown = target("Results", vec![(Family::V4, State::Unknown(UnknownCause::EgressGone), None)]);
    let service = |status: &TargetStatus| {
        let spanish = [("Home page", "Página principal"), ("Polling place look-up", "Dónde votar")];
        let name_es = spanish.iter().find(|(name, _)| *name == &*status.name).map(|(_, es)| (*es).to_owned());
        Service { name_es, ..Service::new(status, &record(), NOW) }
    };
    Facts {
        made_unix_micros: NOW,
        good_for: Duration::from_secs(300),
        zone: TimeZone::posix("EST5EDT,M3.2.0,M11.1.0").unwrap(),
        title: Wording {
            english: "Secretary of State: status of our websites".to_owned(),
            spanish: "Secretaría de Estado: estado de nuestros sitios web".to_owned(),
        },
        help: Some(Wording {
            english: "Call 555-0100 to learn where you vote.".to_owned(),
            spanish: "Llame al 555-0100 para saber dónde votar.".to_owned(),
        }),
        url: Some("https://status.example.gov/".to_owned()),
        sites: vec![
            Site {
                name: "www.sos.example.gov".to_owned(),
                services: vec![service(&home), service(&look_up)],
            },
            Site { name: "results.example.gov".to_owned(), services: vec![service(&unknown)] },
        ],
        incidents: vec![Incident {
            site: "www.sos.example.gov".to_owned(),
            kind: IncidentKind::Crowd,
            onset_unix_micros: NOW - 90 * MINUTE,
            end_unix_micros: None,
            is_interrupted: false,
        }],
    }
}

fn file(facts: &Facts, name: &str) -> String {
    let all = files(facts).unwrap();
    all.into_iter().find(|file| file.name == name).unwrap().content
}

/// The page's text, one line for each line of its source that has any.
fn words(html: &str) -> String {
    let body = html.split_once("</style>").unwrap().1;
    let mut words = String::new();
    for line in body.lines() {
        let (mut inside, mut text) = (false, String::new());
        for letter in line.chars() {
            match letter {
                '<' => {
                    inside = true;
                    text.push(' ');
                }
                '>' => inside = false,
                letter if !inside => text.push(letter),
                _ => {}
            }
        }
        let text = text.replace('\u{a0}', " ").split_whitespace().collect::<Vec<_>>().join(" ");
        if !text.is_empty() {
            words.push_str(&text);
            words.push('\n');
        }
    }
    words
}

#[test]
fn the_page_in_english() {
    insta::assert_snapshot!(words(&file(&facts(), "index.html")));
}

#[test]
fn the_page_in_spanish() {
    insta::assert_snapshot!(words(&file(&facts(), "es.html")));
}

#[test]
fn the_feed() {
    insta::assert_snapshot!(file(&facts(), "feed.atom"));
}

#[test]
fn the_json() {
    let json: serde_json::Value = serde_json::from_str(&file(&facts(), "status.json")).unwrap();
    let service = &json["sites"][0]["services"][0];
    let days = service["days_with_outages_or_unknown_time"].as_array().unwrap();
    let days: Vec<_> = days.iter().map(|day| day["day"].as_str().unwrap()).collect();
    assert_eq!(days, ["2022-11-05", "2022-10-19"]);
    assert_eq!(service["last_90_days"]["down_seconds"], 23 * 60);
    assert_eq!(service["last_90_days"]["unknown_seconds"], 150 * 60);
    assert_eq!(service["outages_ipv6_only"].as_array().unwrap().len(), 1);
    assert_eq!(json["sites"][1]["services"][0]["state"], "unknown");
    insta::assert_snapshot!(format!("{json:#}"));
}

#[test]
fn a_service_is_what_visitors_meet() {
    let now = |families| Service::new(&target("x", families), &WatchRecord::default(), NOW).state;
    let open = |family| Some(outage("x", family, MINUTE, None, Cause::ConnectTimeout));
    let unknown = State::Unknown(UnknownCause::Silent);
    for (families, expected) in [
        (vec![(Family::V4, State::Up, None), (Family::V6, State::Up, None)], ServiceState::Up),
        (
            vec![(Family::V4, State::Up, None), (Family::V6, State::Down, open(Family::V6))],
            ServiceState::UpOverIpv4,
        ),
        (
            vec![(Family::V4, State::Down, open(Family::V4)), (Family::V6, State::Up, None)],
            ServiceState::Down,
        ),
        (vec![(Family::V6, State::Down, open(Family::V6))], ServiceState::Down),
        (vec![(Family::V4, State::Up, None), (Family::V6, unknown, None)], ServiceState::Up),
        (vec![], ServiceState::Unknown),
    ] {
        assert_eq!(now(families.clone()), expected, "{families:?}");
    }
}

/// As much as fits, each day another, names that are long and mean no good.
fn crowded() -> Facts {
    let evil = "\"'><script>alert(1)</script>{{7*7}} &amp; ".repeat(2);
    let mut sites = Vec::new();
    for site in 0..23 {
        let mut services = Vec::new();
        for service in 0..14 {
            let name = format!("{site}-{service} {evil}");
            let mut record = WatchRecord::default();
            record.watched.push(watched(&name, 100 * DAY));
            for day in 0..40 {
                let (from, long) = (day * DAY + 3600 * 1_000_000, (day % 50 + service + 2) * MINUTE);
                record.outages.push(outage(
                    &name,
                    Family::V4,
                    from + long,
                    Some(from),
                    Cause::StatusServerError,
                ));
            }
            services.push(Service::new(&target(&name, vec![(Family::V4, State::Up, None)]), &record, NOW));
        }
        sites.push((format!("site{site}.example.gov {evil}"), services));
    }
    let sites = sites.into_iter().map(|(name, services)| Site { name, services });
    Facts { sites: sites.collect(), ..facts() }
}

#[test]
fn a_page_stays_small_and_names_stay_texts() {
    let page = file(&facts(), "index.html");
    assert!(page.len() < 30_000, "{} bytes", page.len());
    let crowded = crowded();
    for name in ["index.html", "es.html", "feed.atom"] {
        let page = file(&crowded, name);
        assert!(page.len() < PAGE_BYTES_MAX, "{name}: {} bytes", page.len());
        assert!(!page.contains("<script") && !page.contains("\"'>"), "{name}");
    }
    assert!(file(&crowded, "index.html").contains("More is on record than this page has room for"));
}

#[test]
fn nothing_to_show_is_said() {
    let empty = Facts { sites: Vec::new(), incidents: Vec::new(), url: None, ..facts() };
    let names: Vec<_> = files(&empty).unwrap().into_iter().map(|file| file.name).collect();
    assert_eq!(names, ["index.html", "es.html", "status.json"]);
    assert!(file(&empty, "index.html").contains("No outage is on record."));
}

#[tokio::test]
async fn accessible_at_every_width_and_in_both_schemes_and_both_languages() {
    in_browser(|browser| async move {
        let directory = tempfile::tempdir().unwrap();
        for File { name, content } in files(&facts()).unwrap() {
            std::fs::write(directory.path().join(name), content).unwrap();
        }
        for name in ["index.html", "es.html"] {
            for (width, scheme) in [(1280, "light"), (1280, "dark"), (320, "light"), (320, "dark")] {
                browser.set_viewport(width, 800).await;
                browser.set_color_scheme(scheme).await;
                let address = format!("file://{}", directory.path().join(name).display());
                browser.client.goto(&address).await.unwrap();
                browser.picture(&format!("status-{name}-{scheme}-{width}"), width).await;
                browser
                    .run("document.querySelectorAll('details').forEach((it) => { it.open = true; })")
                    .await;
                let place = format!("{name} at {width} px, {scheme}");
                assert_eq!(browser.axe_violations().await, "", "{place}");
                assert_eq!(browser.sideways_px().await, 0, "{place}: scrolls sideways");
                browser.picture(&format!("status-{name}-{scheme}-{width}-open"), width).await;
            }
        }
        // The other language is one step away.
        browser.client.find(Locator::Css("a[hreflang=en]")).await.unwrap().click().await.unwrap();
        browser.wait_for("//html[@lang='en']").await;
    })
    .await;
}
