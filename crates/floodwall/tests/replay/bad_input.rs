//! Files that are not there, lines that are none, clocks that are wrong: counted and shown, and never
//! the end of a replay.

use serde_json::Value;

use crate::logs::{START, calm, line};
use crate::{Logs, gzip};

/// What one file was read as: requests, broken lines, and the fault of the first.
fn read(json: &Value) -> (u64, u64, String) {
    let file = &json["read"]["files"][0];
    let first = &file["first_broken_lines"][0];
    let fault = match first["fault"].as_str() {
        Some(fault) => format!("{} {fault}", first["line"]),
        None => String::new(),
    };
    (file["records"].as_u64().unwrap(), file["broken_lines"].as_u64().unwrap(), fault)
}

fn good(number: i64) -> String {
    line(START + number, "192.0.2.1", "/", "-", "x") + "\n"
}

#[test]
fn files_that_cannot_be_read_are_all_named_at_once() {
    let logs = Logs::new();
    std::fs::create_dir(logs.path("directory")).unwrap();
    logs.file("packed.zst", b"\x28\xB5\x2F\xFDxxxx");
    let said = logs.replay(&["nowhere.log", "directory", "packed.zst"]);
    assert_eq!((said.status, said.out.as_str()), (2, ""));
    for words in
        ["nowhere.log: No such file", "directory is a directory", "directory/*", "zstd -d -c packed.zst"]
    {
        assert!(said.err.contains(words), "no {words:?} in\n{}", said.err);
    }
}

#[test]
fn options_that_are_none_say_what_to_write() {
    let logs = Logs::new();
    logs.file("a.log", good(0));
    for (option, value, words) in [
        ("--format", "apache", "combined, common, nginx-json, caddy, haproxy, w3c or counts, or auto"),
        ("--utc-offset", "CET", "+02:00"),
        ("--origin-capacity", "0", "from 0.1 to 1000000"),
        ("--origin-latency", "80", "80s"),
        ("--trusted-proxies", "10.0.0.1/8", "10.0.0.0/8"),
    ] {
        let said = logs.replay(&[option, value, "a.log"]);
        assert_eq!(said.status, 2, "{option}");
        assert!(said.err.contains(words), "no {words:?} in\n{}", said.err);
    }
    assert_eq!(logs.replay(&[]).status, 2);
    let said = logs.replay(&["--config", "nowhere.toml", "a.log"]);
    assert_eq!(said.status, 2);
    assert!(said.err.contains("nowhere.toml"));
}

#[test]
fn broken_lines_are_counted_and_the_first_are_shown() {
    let logs = Logs::new();
    let long = format!("192.0.2.1 - - [{}", "a".repeat(3 << 20));
    let not_utf8 = [good(2).trim_end().trim_end_matches("x\"").as_bytes(), b"\xFF\xFE\"\n"].concat();
    for (name, content, expected) in [
        ("one", good(0).into_bytes(), (1, 0, "")),
        ("without newline", good(0).trim_end().into(), (1, 0, "")),
        ("windows", good(0).replace('\n', "\r\n").into(), (1, 0, "")),
        ("garbage", format!("{}what\n\n{}", good(0), good(1)).into(), (2, 1, "2 form")),
        ("megabytes", format!("{}{long}\n{}", good(0), good(1)).into(), (2, 1, "2 too_long")),
        ("not utf-8", not_utf8, (1, 0, "")),
        ("a hole", [good(0).as_bytes(), &[0; 5_000], b"\n", good(1).as_bytes()].concat(), (2, 1, "2 form")),
        (
            "other formats",
            format!("{}{{\"time\":\"2024-01-01T00:00:01Z\",\"client\":\"::1\"}}\n", good(0)).into(),
            (2, 0, ""),
        ),
    ] {
        logs.file("a.log", &content);
        let json = logs.replay(&["--json", "a.log"]).json();
        let (records, broken, fault) = expected;
        assert_eq!(read(&json), (records, broken, fault.to_owned()), "{name}");
    }
}

#[test]
fn a_file_without_a_readable_line_exits_with_1() {
    let logs = Logs::new();
    logs.file("empty.log", "");
    logs.file("prose.log", "It was a dark and stormy night.\n");
    logs.file("good.log", good(0));
    for files in [&["empty.log"][..], &["prose.log"], &["good.log", "prose.log"]] {
        let said = logs.replay(files);
        assert_eq!(said.status, 1, "{files:?}");
        assert!(
            said.err.contains("no line of it could be read; name its format with --format"),
            "{}",
            said.err
        );
    }
}

#[test]
fn gzip_that_breaks_off_counts_as_far_as_it_goes() {
    let logs = Logs::new();
    let mut log = String::new();
    calm(&mut log, START, 2_000);
    let packed = gzip(&log);
    let whole = read(&logs.replay(&["--json", &logs.file("a.log.gz", &packed)]).json());
    assert_eq!((whole.0, whole.1), (u64::try_from(log.lines().count()).unwrap(), 0));
    // Two members, as logrotate and `cat` leave them.
    let double = [packed.clone(), gzip(good(9_000))].concat();
    assert_eq!(read(&logs.replay(&["--json", &logs.file("b.gz", double)]).json()).0, whole.0 + 1);
    let half = logs.file("half.log.gz", &packed[..packed.len() / 2]);
    let json = logs.replay(&["--json", &half]).json();
    let records = read(&json).0;
    assert!(records > whole.0 / 4 && records < whole.0, "{records} of {}", whole.0);
    assert!(json["read"]["files"][0]["broken_off"].is_string());
}

#[test]
fn clocks_that_are_wrong_lose_at_most_their_line() {
    let logs = Logs::new();
    let hour = 3_600;
    let run = |from: i64, to: i64| (from..to).map(good).collect::<String>();
    for (name, content, requests, strays, put_back) in [
        ("from the future", run(0, 50) + &good(10 * 365 * 24 * hour) + &run(50, 100), 100, 1, 0),
        ("put back by an hour", run(4_000, 4_100) + &run(4_100 - hour, 4_200 - hour), 200, 0, 1),
        ("a gap of a year", run(0, 50) + &run(365 * 24 * hour, 365 * 24 * hour + 50), 100, 0, 0),
    ] {
        logs.file("a.log", content);
        let json = logs.replay(&["--json", "a.log"]).json();
        let file = &json["read"]["files"][0];
        let said = (&json["read"]["requests"], &file["stray_lines"], &file["clock_put_back_times"]);
        assert_eq!(said, (&requests.into(), &strays.into(), &put_back.into()), "{name}");
    }
}

#[test]
fn files_in_any_order_are_one_log() {
    let logs = Logs::new();
    let mut log = String::new();
    calm(&mut log, START, 3_000);
    let lines: Vec<_> = log.lines().collect();
    let part = |keep: &dyn Fn(usize) -> bool| {
        let kept = lines.iter().enumerate().filter(|(number, _)| keep(*number));
        kept.fold(String::new(), |text, (_, line)| text + line + "\n")
    };
    let half = lines.len() / 2;
    logs.file("all.log", &log);
    logs.file("first.log.gz", gzip(part(&|number| number < half)));
    logs.file("second.log", part(&|number| number >= half));
    logs.file("even.log", part(&|number| number % 2 == 0));
    logs.file("odd.log", part(&|number| number % 2 == 1));
    let outcome = |files: &[&str]| {
        let json = logs.replay(&[&["--json"], files].concat()).json();
        let read = &json["read"];
        (
            read["requests"].clone(),
            read["from"].clone(),
            read["until"].clone(),
            read["late_requests"].clone(),
            json["traffic"].clone(),
        )
    };
    let all = outcome(&["all.log"]);
    assert_eq!(all.3, 0);
    assert_eq!(outcome(&["second.log", "first.log.gz"]), all);
    assert_eq!(outcome(&["odd.log", "even.log"]), all);
    // Within the window lines may be shuffled.
    let shuffled = lines
        .chunks(50)
        .flat_map(|chunk| chunk.iter().rev())
        .fold(String::new(), |text, line| text + line + "\n");
    logs.file("shuffled.log", shuffled);
    assert_eq!(outcome(&["shuffled.log"]), all);
}

#[test]
fn what_is_far_out_of_order_is_counted() {
    let logs = Logs::new();
    let content = (5_000..5_100).chain(0..3).map(|second| good(second * 10)).collect::<String>();
    logs.file("a.log", content);
    let json = logs.replay(&["--json", "a.log"]).json();
    assert_eq!((&json["read"]["requests"], &json["read"]["late_requests"]), (&100.into(), &3.into()));
}

#[test]
fn standard_input_is_read_too() {
    let logs = Logs::new();
    let said = logs.replay_with(&["--json", "-"], (good(0) + &good(1)).as_bytes());
    assert_eq!(read(&said.json()), (2, 0, String::new()));
}

#[test]
fn proxies_are_noticed_and_their_word_taken_where_they_are_trusted() {
    let logs = Logs::new();
    let content = (0..400).fold(String::new(), |text, number| {
        let line = line(START + number, "10.0.0.1", "/", "-", &format!("browser {}", number % 30));
        text + &line + &format!(" \"203.0.113.{}\"\n", number % 200)
    });
    logs.file("a.log", content);
    let json = logs.replay(&["--json", "a.log"]).json();
    assert_eq!(json["proxies"], serde_json::json!(["10.0.0.1"]));
    assert!(logs.replay(&["a.log"]).out.contains("these are your proxy's addresses"));
    let json = logs.replay(&["--json", "--trusted-proxies", "10.0.0.0/8", "a.log"]).json();
    assert_eq!(json["proxies"], serde_json::json!([]));
}
