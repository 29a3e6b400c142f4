//! What detection would have said.

use crate::Logs;
use crate::logs::{START, calm, flood, line};

/// Calm traffic with a flood of a minute in it, in two files.
fn flooded(logs: &Logs) {
    let mut log = String::new();
    calm(&mut log, START, 1_800);
    logs.file("calm.log", &log);
    log.clear();
    flood(&mut log, START + 900, 60, 800, 400);
    logs.file("flood.log", &log);
}

#[test]
fn a_flood_is_an_attack_with_reasons_onset_and_end() {
    let logs = Logs::new();
    flooded(&logs);
    let json = logs.replay(&["--json", "calm.log", "flood.log"]).json();
    let episodes = json["episodes"].as_array().unwrap();
    assert_eq!(episodes.len(), 1, "{episodes:#?}");
    let episode = &episodes[0];
    assert_eq!(episode["verdict"], "attack", "{episode:#}");
    assert!(episode["likelihood"].as_f64().unwrap() > 0.5, "{episode:#}");
    assert!(!episode["reasons"].as_array().unwrap().is_empty());
    let onset = episode["onset"].as_str().unwrap();
    // Within half a minute of 00:15:00: the detector says most likely, not to the second.
    assert!(("2024-01-01T00:14:30Z".."2024-01-01T00:15:30Z").contains(&onset), "{onset}");
    let end = episode["end"].as_str().unwrap();
    assert!(end.starts_with("2024-01-01T00:1"), "{end}");
}

#[test]
fn calm_traffic_is_no_episode() {
    let logs = Logs::new();
    flooded(&logs);
    let json = logs.replay(&["--json", "calm.log"]).json();
    assert_eq!(json["episodes"], serde_json::json!([]));
}

#[test]
fn what_is_learned_is_kept_and_taken_up_again() {
    let logs = Logs::new();
    let every_5_s = |from_s: i64, hours: i64| {
        let lines = (0..hours * 720).map(|number| {
            let client = format!("203.0.113.{}", 1 + number % 200);
            line(from_s + number * 5, &client, "/", "-", "Mozilla/5.0 Firefox/128.0") + "\n"
        });
        lines.collect::<String>()
    };
    logs.file("days.log", every_5_s(START, 13));
    logs.file("next.log", every_5_s(START + 86_400, 1));
    let expected = |arguments: &[&str]| {
        let json = logs.replay(&[&["--json"], arguments].concat()).json();
        json["traffic"]["steps"][0]["expected_requests_per_second_high"].clone()
    };
    assert!(expected(&["next.log"]).is_null());
    expected(&["--learn", "learned.json", "days.log"]);
    assert!(expected(&["--baseline", "learned.json", "next.log"]).as_f64().unwrap() > 0.2);
    logs.file("other.json", "{}");
    let said = logs.replay(&["--baseline", "other.json", "next.log"]);
    assert_eq!(said.status, 2);
    assert!(said.err.contains("other.json: these are no saved baselines"), "{}", said.err);
    assert_eq!(logs.replay(&["--baseline", "nowhere.json", "next.log"]).status, 2);
    assert_eq!(logs.replay(&["--learn", "nowhere/learned.json", "next.log"]).status, 1);
}
