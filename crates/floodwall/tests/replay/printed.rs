//! What is printed, as a whole.

use crate::Logs;
use crate::logs::{START, calm, flood, line};

/// An hour of calm with a flood in it, and what real logs hold besides.
fn log() -> String {
    let mut log = String::from("# from the web server\n");
    calm(&mut log, START, 1_500);
    log += "192.0.2.1 - - [01/Jan/2024:00:24:59 +0000] \"GET / HTTP/1.1\"\n";
    flood(&mut log, START + 1_500, 60, 600, 300);
    log += "crawler.example.com - - [01/Jan/2024:00:26:00 +0000] \"GET / HTTP/1.1\" 200 5\n";
    calm(&mut log, START + 1_560, 2_040);
    log += &(line(START, "192.0.2.1", "/", "-", "late") + "\n");
    log
}

#[test]
fn an_outcome_in_words() {
    let logs = Logs::new();
    logs.file("access.log", log());
    let said = logs.replay(&["access.log"]);
    assert_eq!((said.status, said.err.as_str()), (0, ""));
    insta::assert_snapshot!(said.out);
}

#[test]
fn an_outcome_as_json() {
    let logs = Logs::new();
    logs.file("access.log", log());
    let mut json = logs.replay(&["--json", "access.log"]).json();
    // An hour of minutes says no more than two of them.
    json["traffic"]["steps"].as_array_mut().unwrap().truncate(2);
    insta::assert_json_snapshot!(json);
}

#[test]
fn an_outcome_of_plain_counts() {
    let logs = Logs::new();
    let rows = (0..300)
        .map(|minute| format!("2024-01-01 {:02}:{:02}:00,{}\n", minute / 60, minute % 60, 600 + minute % 7));
    logs.file("counts.csv", "period,count\n".to_owned() + &rows.collect::<String>());
    insta::assert_snapshot!(logs.replay(&["counts.csv"]).out);
}

#[test]
fn a_picture_says_in_words_what_it_shows() {
    let logs = Logs::new();
    logs.file("access.log", log());
    assert_eq!(logs.replay(&["--plot", "plot.svg", "access.log"]).status, 0);
    let svg = std::fs::read_to_string(logs.path("plot.svg")).unwrap();
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    assert!(svg.contains("role=\"img\"") && svg.contains("<title id=\"title\">"));
    let words = svg.split("<desc id=\"desc\">").nth(1).unwrap().split("</desc>").next().unwrap();
    insta::assert_snapshot!(words);
    let said = logs.replay(&["--plot", "nowhere/plot.svg", "access.log"]);
    assert_eq!(said.status, 1);
    assert!(said.err.contains("nowhere/plot.svg"));
}

#[test]
fn every_format_is_recognised() {
    let logs = Logs::new();
    let nginx = r#"{"time_iso8601":"2024-01-01T00:00:00+00:00","remote_addr":"192.0.2.1","request":"GET / HTTP/1.1","status":200}"#;
    let caddy = r#"{"level":"info","ts":1704067200.5,"request":{"remote_ip":"192.0.2.1","method":"GET","uri":"/","headers":{}},"status":200}"#;
    let haproxy = r#"Jan  1 00:00:00 lb haproxy[7]: 192.0.2.1:33317 [01/Jan/2024:01:00:00.000] in web/s1 0/0/1/2/3 200 5 - - ---- 1/1/1/1/0 0/0 "GET / HTTP/1.1""#;
    let iis =
        "#Fields: date time c-ip cs-method cs-uri-stem sc-status\n2024-01-01 00:00:00 192.0.2.1 GET / 200";
    let common = r#"192.0.2.1 - - [31/Dec/2023:19:00:00 -0500] "GET / HTTP/1.1" 200 5"#;
    for (line, format, options) in [
        (nginx, "json", &[][..]),
        (caddy, "json", &[]),
        (haproxy, "haproxy", &["--utc-offset", "+01:00"]),
        (iis, "w3c", &[]),
        (common, "combined", &[]),
        ("2024-01-01T00:00:00Z,7", "counts", &[]),
    ] {
        logs.file("a.log", format!("{line}\n"));
        let json = logs.replay(&[options, &["--json", "a.log"]].concat()).json();
        let file = &json["read"]["files"][0];
        assert_eq!((&file["format"], &file["records"]), (&format.into(), &1.into()), "{line}");
        assert_eq!(json["read"]["from"], "2024-01-01T00:00:00Z", "{line}");
    }
}
