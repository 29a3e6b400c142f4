//! What admission would have done.

use serde_json::Value;

use crate::logs::{START, calm, flood};
use crate::{Logs, Said};

fn refused(said: &Said) -> (u64, u64) {
    let json = said.json();
    let refused = &json["admission"]["refused"];
    (refused["all"].as_u64().unwrap(), refused["from_browsers"].as_u64().unwrap())
}

fn count(json: &Value, path: &str) -> u64 {
    json.pointer(path).and_then(Value::as_u64).unwrap_or_else(|| panic!("no {path} in {json}"))
}

#[test]
fn in_calm_times_nobody_is_refused_challenged_or_kept_waiting() {
    let logs = Logs::new();
    let mut log = String::new();
    calm(&mut log, START, 3_600);
    logs.file("calm.log", &log);
    let json = logs.replay(&["--json", "calm.log"]).json();
    assert!(count(&json, "/admission/offered") > 5_000);
    assert_eq!(count(&json, "/admission/admitted"), count(&json, "/admission/offered"));
    for nobody in
        ["waited", "refused/all", "challenged/redirect", "challenged/choice", "challenged/waiting_room"]
    {
        assert_eq!(count(&json, &format!("/admission/{nobody}")), 0, "{nobody}");
    }
    assert_eq!(json["admission"]["worst_minutes"], Value::Array(Vec::new()));
}

#[test]
fn a_flood_is_refused_or_challenged_and_people_are_not_refused_with_it() {
    let logs = Logs::new();
    let mut log = String::new();
    calm(&mut log, START, 600);
    logs.file("calm.log", &log);
    log.clear();
    flood(&mut log, START + 300, 60, 1_000, 400);
    logs.file("flood.log", &log);
    let json = logs.replay(&["--json", "--origin-capacity", "100", "calm.log", "flood.log"]).json();
    let (offered, admitted) = (count(&json, "/admission/offered"), count(&json, "/admission/admitted"));
    // The origin has 100 answers a second for the minute of the flood, and what it had to spare before.
    assert!(admitted < offered - 45_000, "{admitted} of {offered}");
    assert!(count(&json, "/admission/challenged/redirect") > 0);
    let (all, browsers) =
        (count(&json, "/admission/refused/all"), count(&json, "/admission/refused/from_browsers"));
    assert!(browsers * 20 < all.max(20), "{browsers} of {all} refused load the parts of pages");
    let worst = json["admission"]["worst_minutes"][0]["minute"].as_str().unwrap();
    assert!(["2024-01-01T00:05:00Z", "2024-01-01T00:06:00Z"].contains(&worst), "{worst}");
}

#[test]
fn an_origin_that_can_do_more_refuses_less() {
    let logs = Logs::new();
    let mut log = String::new();
    calm(&mut log, START, 120);
    flood(&mut log, START + 60, 30, 400, 400);
    logs.file("flood.log", &log);
    let admitted = |capacity: &str| {
        let json = logs.replay(&["--json", "--origin-capacity", capacity, "flood.log"]).json();
        count(&json, "/admission/admitted")
    };
    let (little, much) = (admitted("50"), admitted("5000"));
    assert!(little < much, "{little} {much}");
}

#[test]
fn limits_of_a_settings_file_are_applied() {
    let logs = Logs::new();
    let mut log = String::new();
    flood(&mut log, START, 10, 20, 1);
    logs.file("one.log", &log);
    assert_eq!(refused(&logs.replay(&["--json", "one.log"])).0, 0);
    let settings = "[[site]]\nname = \"sos\"\nhosts = [\"a.test\"]\norigin = [\"http://127.0.0.1:9\"]\n\
                    [site.limits]\norigin_requests_per_second = 1\norigin_burst = 5\n";
    logs.file("f.toml", settings);
    let said = logs.replay(&["--json", "--config", "f.toml", "one.log"]);
    let json = said.json();
    let limited = count(&json, "/admission/refused/limit");
    assert!((150..200).contains(&limited), "{limited}");
}

#[test]
fn latencies_of_the_log_are_used_unless_one_is_given() {
    let logs = Logs::new();
    let line = crate::logs::line(START, "192.0.2.1", "/", "-", "x") + " 0.250\n";
    logs.file("timed.log", line.repeat(3));
    let json = logs.replay(&["--json", "timed.log"]).json();
    assert_eq!(count(&json, "/admission/origin_latencies_from_log"), 3);
    assert_eq!(json["admission"]["origin_latency_ms"], Value::Null);
    let json = logs.replay(&["--json", "--origin-latency", "20ms", "timed.log"]).json();
    assert_eq!(count(&json, "/admission/origin_latency_ms"), 20);
    assert_eq!(count(&json, "/admission/origin_latencies_from_log"), 0);
}
