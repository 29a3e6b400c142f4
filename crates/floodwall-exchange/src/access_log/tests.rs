use std::net::IpAddr;
use std::time::Duration;

use floodwall_model::{Protocol, ReferenceId};
use proptest::prelude::*;

use super::*;

fn record() -> AccessRecord {
    AccessRecord {
        received: Timestamp::new(Duration::ZERO, 1_667_916_127_125_000),
        client: "203.0.113.9".parse().unwrap(),
        site: Some("sos".into()),
        method: "GET".to_owned(),
        target: "/register?county=ada".to_owned(),
        host: "www.sos.example.gov".to_owned(),
        protocol: Protocol::Http11,
        status: 200,
        body_bytes: 10_240,
        duration: Duration::from_micros(1834),
        referer: Some("https://www.example.gov/".to_owned()),
        user_agent: Some("Mozilla/5.0 (X11; Linux x86_64)".to_owned()),
        cache: Some("hit"),
        reference: ReferenceId::from_random(0x0123_4567_89AB_CDEF),
    }
}

/// A request as hostile as its fields allow.
fn hostile() -> AccessRecord {
    AccessRecord {
        received: Timestamp::new(Duration::ZERO, i64::MAX),
        client: "2001:db8::1".parse().unwrap(),
        site: None,
        method: "G\"T".to_owned(),
        target: "/a b\" 200 5 \"-\" \"-\"\r\n127.0.0.1 - - [".to_owned(),
        host: "h\",\"status\":200,\"x\":\"\\".to_owned(),
        protocol: Protocol::Http2,
        status: 429,
        body_bytes: 0,
        duration: Duration::MAX,
        referer: Some("\u{1b}[2J\u{9b}31m\u{7f}\0\t".to_owned()),
        user_agent: Some("\u{202e}moc\u{2028}é\u{1f6a8}\\".to_owned()),
        cache: None,
        reference: ReferenceId::from_random(0),
    }
}

fn line(push: fn(&mut Vec<u8>, &AccessRecord), record: &AccessRecord) -> String {
    let mut line = Vec::new();
    push(&mut line, record);
    let text = String::from_utf8(line).unwrap();
    text.strip_suffix('\n').expect("a line ends in a newline").to_owned()
}

#[test]
fn combined_lines_read_as_apache_and_nginx_write_them() {
    insta::assert_snapshot!(line(push_combined, &record()), @r#"203.0.113.9 - - [08/Nov/2022:14:02:07 +0000] "GET /register?county=ada HTTP/1.1" 200 10240 "https://www.example.gov/" "Mozilla/5.0 (X11; Linux x86_64)""#);
    insta::assert_snapshot!(line(push_combined, &hostile()), @r#"2001:db8::1 - - [30/Dec/9999:22:00:00 +0000] "G\"T /a\x20b\"\x20200\x205\x20\"-\"\x20\"-\"\x0D\x0A127.0.0.1\x20-\x20-\x20[ HTTP/2.0" 429 0 "\x1B[2J\xC2\x9B31m\x7F\x00\x09" "\xE2\x80\xAEmoc\xE2\x80\xA8\xC3\xA9\xF0\x9F\x9A\xA8\\""#);
    let nothing_sent = AccessRecord {
        method: String::new(),
        target: String::new(),
        referer: None,
        user_agent: None,
        status: 400,
        body_bytes: 0,
        ..record()
    };
    insta::assert_snapshot!(line(push_combined, &nothing_sent), @r#"203.0.113.9 - - [08/Nov/2022:14:02:07 +0000] "- - HTTP/1.1" 400 0 "-" "-""#);
}

#[test]
fn json_lines_say_units_and_null() {
    insta::assert_snapshot!(line(push_json, &record()), @r#"{"time":"2022-11-08T14:02:07.125Z","client":"203.0.113.9","site":"sos","host":"www.sos.example.gov","method":"GET","target":"/register?county=ada","protocol":"HTTP/1.1","status":200,"body_bytes":10240,"duration_us":1834,"referer":"https://www.example.gov/","user_agent":"Mozilla/5.0 (X11; Linux x86_64)","cache":"hit","reference":"28T5-CY4T-QKFF"}"#);
    insta::assert_snapshot!(line(push_json, &hostile()), @r#"{"time":"9999-12-30T22:00:00.999Z","client":"2001:db8::1","site":null,"host":"h\",\"status\":200,\"x\":\"\\","method":"G\"T","target":"/a b\" 200 5 \"-\" \"-\"\u000D\u000A127.0.0.1 - - [","protocol":"HTTP/2.0","status":429,"body_bytes":0,"duration_us":18446744073709551615,"referer":"\u001B[2J\u009B31m\u007F\u0000\u0009","user_agent":"\u202Emoc\u2028é🚨\\","cache":null,"reference":"0000-0000-0000"}"#);
}

#[test]
fn times_of_every_year_have_their_form() {
    for (micros, text) in [
        (0, "01/Jan/1970:00:00:00 +0000"),
        (-1, "31/Dec/1969:23:59:59 +0000"),
        (951_782_400_000_000, "29/Feb/2000:00:00:00 +0000"),
        (1_735_689_599_999_999, "31/Dec/2024:23:59:59 +0000"),
        (i64::MIN, "02/Jan/-9999:01:59:59 +0000"),
    ] {
        let mut line = Vec::new();
        push_combined_time(&mut line, Timestamp::new(Duration::ZERO, micros));
        assert_eq!(String::from_utf8(line).unwrap(), text);
    }
}

#[test]
fn a_long_text_is_cut_between_characters() {
    let long = AccessRecord { user_agent: Some("é".repeat(TEXT_BYTES_MAX)), ..record() };
    let json: serde_json::Value = serde_json::from_str(&line(push_json, &long)).unwrap();
    assert_eq!(json["user_agent"], format!("{}...", "é".repeat(TEXT_BYTES_MAX / 2)));
    let odd = AccessRecord { user_agent: Some(format!("x{}", "é".repeat(TEXT_BYTES_MAX))), ..record() };
    let agent = format!("x{}...", "\\xC3\\xA9".repeat(TEXT_BYTES_MAX / 2 - 1));
    assert!(line(push_combined, &odd).ends_with(&format!(" \"{agent}\"")));
}

/// Splits a combined line as its readers do: at spaces, save within quotes and brackets; gives the
/// raw fields, or nothing when the line has not the form.
fn fields(line: &str) -> Option<Vec<String>> {
    let mut fields = Vec::new();
    let mut rest = line;
    while !rest.is_empty() {
        let (field, after) = if let Some(quoted) = rest.strip_prefix('"') {
            let mut escaped = false;
            let end = quoted.find(|letter| {
                let ends = letter == '"' && !escaped;
                escaped = letter == '\\' && !escaped;
                ends
            })?;
            (&quoted[..end], &quoted[end + 1..])
        } else if let Some(bracketed) = rest.strip_prefix('[') {
            bracketed.split_once(']')?
        } else {
            rest.split_at(rest.find(' ').unwrap_or(rest.len()))
        };
        fields.push(field.to_owned());
        rest = if after.is_empty() { after } else { after.strip_prefix(' ')? };
    }
    Some(fields)
}

fn unescape(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'\\' => match rest.next().unwrap() {
                b'x' => {
                    let digits = [rest.next().unwrap(), rest.next().unwrap()];
                    u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
                }
                other => other,
            },
            other => other,
        });
    }
    String::from_utf8(bytes).unwrap()
}

fn any_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        any::<String>(),
        "[\"\\\\ \\[\\]\r\n\t\u{0}-\u{20}]{0,8}",
        Just("\\x22 \\u0022 \\n".to_owned()),
        "[\u{80}-\u{9f}\u{2028}\u{2029}\u{202a}-\u{202e}\u{feff}]{0,4}",
    ];
    proptest::collection::vec(piece, 0..4).prop_map(|pieces| pieces.concat())
}

prop_compose! {
    fn any_record()(
        (method, target, host) in (any_text(), any_text(), any_text()),
        referer in proptest::option::of(any_text()),
        user_agent in proptest::option::of(any_text()),
        site in proptest::option::of(any_text()),
        client in any::<IpAddr>(),
        (micros, duration, status, body_bytes) in any::<(i64, Duration, u16, u64)>(),
        bits in any::<u64>(),
    ) -> AccessRecord {
        AccessRecord {
            received: Timestamp::new(Duration::ZERO, micros),
            client, method, target, host, status, body_bytes, duration, referer, user_agent,
            site: site.map(Into::into),
            protocol: Protocol::Http10,
            cache: None,
            reference: ReferenceId::from_random(bits),
        }
    }
}

proptest! {
    #[test]
    fn a_combined_line_has_nine_fields_and_gives_every_text_back(record in any_record()) {
        let line = line(push_combined, &record);
        prop_assert!(line.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{line}");
        let fields = fields(&line).expect("the line has the form");
        let [client, _, _, _, request, status, body_bytes, referer, agent] = &fields[..] else {
            panic!("{} fields: {line}", fields.len());
        };
        prop_assert_eq!(client.parse::<IpAddr>().unwrap(), record.client);
        prop_assert_eq!(status, &record.status.to_string());
        prop_assert_eq!(body_bytes, &record.body_bytes.to_string());
        let or_dash = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
        let parts: Vec<_> = request.split(' ').map(unescape).collect();
        prop_assert_eq!(parts, [or_dash(&record.method), or_dash(&record.target), "HTTP/1.0".to_owned()]);
        prop_assert_eq!(unescape(referer), record.referer.as_deref().unwrap_or("-"));
        prop_assert_eq!(unescape(agent), record.user_agent.as_deref().unwrap_or("-"));
    }

    #[test]
    fn a_json_line_parses_and_gives_every_text_back(record in any_record()) {
        let line = line(push_json, &record);
        prop_assert!(!line.chars().any(|l| l.is_control() || ('\u{2028}'..='\u{202e}').contains(&l)), "{line}");
        let json: serde_json::Value = serde_json::from_str(&line).expect("JSON always parses");
        prop_assert_eq!(json["site"].as_str(), record.site.as_deref());
        prop_assert_eq!(json["host"].as_str(), Some(&*record.host));
        prop_assert_eq!(json["method"].as_str(), Some(&*record.method));
        prop_assert_eq!(json["target"].as_str(), Some(&*record.target));
        prop_assert_eq!(json["referer"].as_str(), record.referer.as_deref());
        prop_assert_eq!(json["user_agent"].as_str(), record.user_agent.as_deref());
        prop_assert_eq!(json["client"].as_str(), Some(&*record.client.to_string()));
        prop_assert_eq!(json["body_bytes"].as_u64(), Some(record.body_bytes));
        prop_assert_eq!(json["status"].as_u64(), Some(u64::from(record.status)));
        prop_assert_eq!(json["reference"].as_str(), Some(&*record.reference.to_string()));
        prop_assert_eq!(json.as_object().unwrap().len(), 14);
    }

    #[test]
    fn lines_follow_one_another(records in proptest::collection::vec(any_record(), 0..5)) {
        for push in [push_combined, push_json] {
            let mut log = Vec::new();
            records.iter().for_each(|record| push(&mut log, record));
            prop_assert_eq!(log.iter().filter(|byte| **byte == b'\n').count(), records.len());
            prop_assert!(log.is_empty() || log.ends_with(b"\n"));
        }
    }
}
