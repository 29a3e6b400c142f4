use proptest::prelude::*;

use super::*;

/// A line as it was read, in a form that rows can be compared with.
fn told(line: Line<'_>) -> String {
    let text = |text: Option<&[u8]>| text.map_or("-".to_owned(), |text| text.escape_ascii().to_string());
    match line {
        Line::Request(record) => {
            let time = jiff::Timestamp::from_microsecond(record.unix_micros).unwrap();
            let time = if record.within_second { format!("{time:.3}") } else { time.to_string() };
            let method = text(Some(record.method));
            let target = text(Some(record.path))
                + &record.query.map_or(String::new(), |q| format!("?{}", q.escape_ascii()));
            let number = |number: Option<u64>| number.map_or("-".to_owned(), |number| number.to_string());
            let status = number(record.status.map(u64::from));
            let mut said = format!("{time} {} {method} {target} {status}", record.client);
            said += &format!(" {} B", number(record.body_bytes));
            for (name, value) in [
                ("host", record.host),
                ("for", record.forwarded_for),
                ("referer", record.referer),
                ("agent", record.user_agent),
            ] {
                if value.is_some() {
                    said += &format!(" {name}={}", text(value));
                }
            }
            for (name, value) in [("took_us", record.duration_us), ("origin_us", record.origin_us)] {
                said += &value.map_or(String::new(), |value| format!(" {name}={value}"));
            }
            if record.origin != OriginUse::Unknown {
                said += &format!(" {:?}", record.origin);
            }
            said
        }
        Line::Count(count) => {
            format!("{} {}", jiff::Timestamp::from_microsecond(count.unix_micros).unwrap(), count.count)
        }
        Line::Nothing => "nothing".to_owned(),
        Line::Fault(fault) => format!("fault: {fault}"),
    }
}

/// What a reader makes of these lines; local times are an hour ahead of UTC.
fn read(format: LogFormat, lines: &[&str]) -> String {
    let mut reader = LogReader::new(format, 3_600);
    lines.iter().map(|line| told(reader.read(line.as_bytes())) + "\n").collect()
}

#[test]
fn combined_lines() {
    insta::assert_snapshot!(read(
        LogFormat::Combined,
        &[
            // Apache, combined and common.
            r#"83.149.9.216 - - [17/May/2015:10:05:03 +0000] "GET /a/b.png?x=1 HTTP/1.1" 200 203023 "http://example.org/a/" "Mozilla/5.0 (X11)""#,
            r#"127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif HTTP/1.0" 200 2326"#,
            // nothing sent back, nothing asked for, an agent with quotes
            r#"2001:db8::7 - - [29/Feb/2024:23:59:60 +0530] "-" 408 - "-" "-""#,
            r#"::ffff:192.0.2.1 - - [01/Jan/2024:00:00:00 +0000] "\x16\x03\x01\x02" 400 157 "-" "say \"hi\" \\""#,
            // a user with spaces and brackets
            r#"192.0.2.1 - John [x] Doe [01/Jan/2024:00:00:00 +0000] "POST /login HTTP/2.0" 302 0 "-" "curl/8.5.0""#,
            // vhost_combined; nginx `main` with its proxy's word; durations
            r#"www.example.gov:443 192.0.2.1 - - [01/Jan/2024:00:00:00 +0000] "HEAD / HTTP/1.1" 200 5 "-" "-""#,
            r#"10.0.0.1 - - [01/Jan/2024:00:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "x" "203.0.113.9, 10.0.0.7" rt=0.125 uct="0.001" urt="0.120""#,
            r#"10.0.0.1 - - [01/Jan/2024:00:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "x" 0.005 cs=HIT"#,
            // through syslog
            r#"Jan  1 01:00:00 web1 nginx: 192.0.2.1 - - [01/Jan/2024:00:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "x""#,
            // cut off by a full disk
            r#"192.0.2.1 - - [01/Jan/2024:00:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "Mozi"#,
            // HTTP/0.9, a target with spaces
            r#"192.0.2.1 - - [01/Jan/2024:00:00:00 +0000] "GET /old" 200 5"#,
            r#"192.0.2.1 - - [01/Jan/2024:00:00:00 +0000] "GET /a b c HTTP/1.1" 404 5"#,
            "",
            "# made by hand",
        ]
    ));
    insta::assert_snapshot!(read(
        LogFormat::Combined,
        &[
            "hello",
            r#"crawl-66.example.com - - [01/Jan/2024:00:00:00 +0000] "GET / HTTP/1.1" 200 5"#,
            r#"unix: - - [01/Jan/2024:00:00:00 +0000] "GET / HTTP/1.1" 200 5"#,
            r#"192.0.2.256 - - [01/Jan/2024:00:00:00 +0000] "GET / HTTP/1.1" 200 5"#,
            r#"192.0.2.1 - - [32/Jan/2024:00:00:00 +0000] "GET / HTTP/1.1" 200 5"#,
            r#"192.0.2.1 - - [01/Foo/2024:00:00:00 +0000] "GET / HTTP/1.1" 200 5"#,
            r#"192.0.2.1 - - [01/Jan/2024:00:00:00 +0000] "GET / HTTP/1.1"#,
            r#"192.0.2.1 - - [01/Jan/2024:00:00:00 +0000] "GET / HTTP/1.1" abc 5"#,
            r#"192.0.2.1 - - [01/Jan/2024:00:00:00 +0000] "GET / HTTP/1.1" 200 5x"#,
        ]
    ));
}

#[test]
fn json_lines() {
    insta::assert_snapshot!(read(
        LogFormat::Json,
        &[
            // nginx, as people write it
            r#"{"time_iso8601":"2024-01-01T02:00:00+02:00","remote_addr":"192.0.2.1","request":"GET /a?b=c HTTP/1.1","status":"200","body_bytes_sent":"512","request_time":"0.025","http_referer":"","http_user_agent":"Mozilla/5.0 \"x\"","upstream_response_time":"0.020, 0.024","upstream_cache_status":"MISS","host":"www.example.gov"}"#,
            r#"{"msec":"1704067200.125", "time_local": "01/Jan/2024:00:00:00 +0000", "remote_addr": "10.0.0.1", "http_x_forwarded_for":"203.0.113.9", "request_method":"POST", "uri":"/index.php", "request_uri":"/form", "status": 200, "upstream_addr": "-"}"#,
            r#"{"@timestamp":"2024-01-01T00:00:00Z","@fields":{"remote_addr":"192.0.2.1","request_method":"GET","uri":"/x","args":"y","status":"404"}}"#,
            // Caddy
            r#"{"level":"info","ts":1646861401.5241024,"logger":"http.log.access","msg":"handled request","request":{"remote_ip":"127.0.0.1","remote_port":"41342","client_ip":"203.0.113.9","proto":"HTTP/2.0","method":"GET","host":"localhost","uri":"/a?b","headers":{"User-Agent":["curl/7.82.0"],"Accept":["*/*"],"Status":["500"]},"tls":{"resumed":false,"version":772,"server_name":"example.com"}},"bytes_read":0,"user_id":"","duration":0.000929675,"size":10900,"status":200,"resp_headers":{"Server":["Caddy"],"Status":["x"]}}"#,
            // our own
            r#"{"time":"2022-11-08T14:02:07.125Z","client":"203.0.113.9","site":"sos","host":"www.sos.example.gov","method":"GET","target":"/register?county=ada","protocol":"HTTP/1.1","status":200,"body_bytes":10240,"duration_us":1834,"referer":null,"user_agent":"Mozilla/5.0","cache":"hit","reference":"28T5-CY4T-QKFF"}"#,
            "{}",
            r#"{"time":"2022-11-08T14:02:07Z"}"#,
            r#"{"time":"yesterday","client":"203.0.113.9"}"#,
            r#"{"time":"2022-11-08T14:02:07Z","client":"203.0.113.9""#,
            r#"{"time":"2022-11-08T14:02:07Z","client":"203.0.113.9"} x"#,
            "[1]",
        ]
    ));
}

#[test]
fn haproxy_lines() {
    insta::assert_snapshot!(read(
        LogFormat::Haproxy,
        &[
            r#"Feb  6 12:14:14 localhost haproxy[14389]: 10.0.1.2:33317 [06/Feb/2009:12:14:14.655] http-in static/srv1 10/0/30/69/109 200 2750 - - ---- 1/1/1/1/0 0/0 {1wt.eu} {} "GET /index.html?a HTTP/1.1""#,
            r#"2012-06-12T17:56:11+00:00 localhost haproxy[21732]: 127.0.0.1:40074 [12/Jun/2012:17:56:10.548] front~ back/i-8bcc18ed:9105 14/0/0/283/575 200 107 - - ---- 232/162/162/5/0 0/0 "POST /intake HTTP/1.1""#,
            r#"haproxy[1]: 2001:db8::1:5000 [12/Jun/2012:17:56:10.548] in in/<NOSRV> -1/-1/-1/-1/5 400 187 - - PR-- 1/1/0/0/0 0/0 "<BADREQ>""#,
            r#"192.0.2.9:1 [12/Jun/2012:17:56:10.548] in b/s 0/0/1/2/+3 -1 +5 - - CD-- 1/1/0/0/0 0/0 {www.example.gov|Mozilla/5.0 (X11)|203.0.113.4} "GET / HTTP/1.1""#,
            "Feb  6 12:12:09 localhost haproxy[14385]: Connect from 10.0.1.2:33312 to 10.0.3.31:8012 (www/HTTP)",
            "haproxy[1]: 10.0.1.2:33313 [06/Feb/2009:12:12:51.443] fnt bck/srv1 0/0/5007 212 -- 0/0/0/0/3 0/0",
        ]
    ));
}

#[test]
fn w3c_lines() {
    insta::assert_snapshot!(read(
        LogFormat::W3c,
        &[
            "2024-01-01 00:00:00 192.0.2.1 GET / - 200",
            "#Software: Microsoft Internet Information Services 10.0",
            "#Version: 1.0",
            "#Date: 2024-01-01 00:00:00",
            "#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) sc-status sc-substatus sc-win32-status time-taken",
            "2024-01-01 00:00:01 10.0.0.4 GET /default.aspx id=4&x=y 443 - 203.0.113.9 Mozilla/5.0+(Windows+NT+10.0) https://www.example.gov/ 200 0 0 46\r",
            "2024-01-01 00:00:01 10.0.0.4 GET /default.aspx - 443 - 203.0.113.9 -",
            "2024-01-01 00:00:01 10.0.0.4 GET /a - 443 - - - - 200 0 0 46",
            "#Software: CloudFront",
            "#Fields: time c-ip cs-method cs-uri-stem sc-status sc-bytes time-taken x-edge-result-type cs(Host)",
            "00:00:02\t203.0.113.9\tGET\t/a\t304\t312\t0.002\tRefreshHit\tabc.cloudfront.net",
            "00:00:02\t203.0.113.9\tGET\t/a\t304\t312\t0.002\tMiss\tabc.cloudfront.net\tmore",
        ]
    ));
}

#[test]
fn plain_counts() {
    insta::assert_snapshot!(read(
        LogFormat::Counts,
        &[
            "period,count",
            "1998-04-30 21:30:00,2",
            "1998-04-30T21:31:00Z;11",
            "1998-04-30 21:32\t16.5",
            "\"2024-01-01 00:00:00+01:00\", \"7\"",
            "893971860,9",
            "893971860000,9",
            "1998-04-30 21:33:00,-4",
            "1998-04-31x,4",
            "7",
        ]
    ));
}

#[test]
fn formats_are_recognised_by_their_first_lines() {
    let broken = "garbage\n\nmore of it, with commas\n";
    for (sample, format) in [
        (r#"192.0.2.1 - - [01/Jan/2024:00:00:00 +0000] "GET / HTTP/1.1" 200 5"#, Some(LogFormat::Combined)),
        (r#"{"time":"2022-11-08T14:02:07Z","client":"203.0.113.9"}"#, Some(LogFormat::Json)),
        (
            r#"haproxy[1]: 10.0.1.2:33317 [06/Feb/2009:12:14:14.655] i b/s 10/0/30/69/109 200 2750 - - ---- 1/1/1/1/0 0/0 "GET / HTTP/1.1""#,
            Some(LogFormat::Haproxy),
        ),
        ("#Fields: date time c-ip\n2024-01-01 00:00:01 192.0.2.1", Some(LogFormat::W3c)),
        ("period,count\n1998-04-30 21:30:00,2", Some(LogFormat::Counts)),
        ("", None),
        ("hello\nworld\n", None),
    ] {
        let sample = format!("{broken}{sample}\n{sample}\n");
        assert_eq!(LogFormat::detect(sample.as_bytes()), format, "{sample}");
    }
    for name in ["combined", "common", "nginx-json", "caddy", "json", "haproxy", "w3c", "iis", "counts"] {
        assert!(name.parse::<LogFormat>().is_ok(), "{name}");
    }
    assert!("apache".parse::<LogFormat>().is_err());
}

#[test]
fn lines_of_another_format_are_read_where_that_is_wanted() {
    let combined = br#"192.0.2.1 - - [01/Jan/2024:00:00:00 +0000] "GET / HTTP/1.1" 200 5"#;
    let json = br#"{"time":"2022-11-08T14:02:07Z","client":"203.0.113.9"}"#;
    let mut strict = LogReader::new(LogFormat::Combined, 0);
    assert_eq!(strict.read(json), Line::Fault(LineFault::Form));
    let mut mixed = LogReader::new(LogFormat::Combined, 0).mixed();
    for (line, others) in [(&combined[..], 0), (json, 1), (b"nothing of the kind", 1)] {
        let record = matches!(mixed.read(line), Line::Request(_));
        assert_eq!((record, mixed.other_format()), (!line.starts_with(b"nothing"), others));
    }
}

#[test]
fn offsets_from_utc_are_read() {
    for (text, seconds) in [
        ("Z", Some(0)),
        ("+02:00", Some(7_200)),
        ("-0330", Some(-12_600)),
        ("+05", Some(18_000)),
        ("02:00", None),
        ("+2", None),
        ("+02:60", None),
        ("Europe/Berlin", None),
    ] {
        assert_eq!(parse_utc_offset(text), seconds, "{text}");
    }
}

#[test]
fn a_line_of_megabytes_is_a_fault_of_its_own() {
    let line = [b"192.0.2.1 - - [01/Jan/2024:00:00:00 +0000] \"GET /".to_vec(), vec![b'a'; 3 << 20]].concat();
    let mut reader = LogReader::new(LogFormat::Combined, 0).mixed();
    assert_eq!(reader.read(&line), Line::Fault(LineFault::TooLong));
}

/// Bytes that look like a log in places.
fn near_lines() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop::sample::select(vec![
        "192.0.2.1 - - ",
        "[01/Jan/2024:00:00:00 +0000] ",
        "\"GET / HTTP/1.1\" ",
        "200 5 ",
        "\"",
        "\\",
        "{",
        "}",
        "\"time\":",
        "\"2022-11-08T14:02:07Z\"",
        ",\"client\":",
        "\"::1\"",
        "\"request\":",
        "[",
        "]",
        "#Fields: ",
        "date time c-ip cs-uri",
        "\t",
        " ",
        ",",
        "haproxy[1]: ",
        "10.0.1.2:333 ",
        "1/2/3/4/5 ",
        "-1",
        "9999999999999999999",
        "\u{feff}",
        "\r\n",
        "%",
        "?",
        "+",
        ".",
        ":",
        "é",
    ]);
    let piece = prop_oneof![
        4 => pieces.prop_map(|piece| piece.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..8),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic_and_texts_come_from_the_line(
        lines in prop::collection::vec(near_lines(), 1..4),
    ) {
        for format in LogFormat::ALL {
            let mut reader = LogReader::new(*format, 0).mixed();
            for line in &lines {
                let Line::Request(record) = reader.read(line) else { continue };
                prop_assert!((0..253_402_300_800_000_000_i64 * 4).contains(&(record.unix_micros + 86_400_000_000)));
                for text in [Some(record.path), record.query, record.user_agent, record.referer].into_iter().flatten() {
                    prop_assert!(text.is_empty() || line.windows(text.len()).any(|part| part == text));
                }
            }
        }
        let _ = LogFormat::detect(&lines.join(&b'\n'));
    }

    #[test]
    fn times_are_read_as_a_calendar_library_writes_them(unix_s in 0..253_370_764_800_i64, micros in 0..1_000_000_i64) {
        let time = jiff::Timestamp::from_microsecond(unix_s * 1_000_000 + micros).unwrap();
        let read = times::any(format!("{time:.6}").as_bytes(), 7).unwrap();
        prop_assert_eq!(read.unix_micros, time.as_microsecond());
        let civil = time.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string();
        let read = times::any(civil.as_bytes(), 7).unwrap();
        prop_assert_eq!(read.unix_micros, unix_s * 1_000_000);
    }

    #[test]
    fn what_is_written_is_read_again(
        seconds in 0..4_000_000_000_i64, v6 in any::<u128>(), status in 100..600_u16, body_bytes in 0..u64::from(u32::MAX),
        path in "/[a-z0-9./-]{0,40}", agent in "[A-Za-z0-9/ ();.]{1,60}",
    ) {
        let record = AccessRecord {
            received: Timestamp::new(std::time::Duration::ZERO, seconds * 1_000_000),
            client: std::net::IpAddr::V6(v6.into()),
            site: None, method: "GET".to_owned(), target: format!("{path}?q=1"), host: "h".to_owned(),
            protocol: floodwall_model::Protocol::Http11, status, body_bytes,
            duration: std::time::Duration::from_micros(12), referer: None, user_agent: Some(agent.clone()),
            cache: Some("miss"), reference: floodwall_model::ReferenceId::from_random(7),
        };
        for (format, push) in [
            (LogFormat::Combined, push_combined as fn(&mut Vec<u8>, &AccessRecord)),
            (LogFormat::Json, push_json),
        ] {
            let mut line = Vec::new();
            push(&mut line, &record);
            let mut reader = LogReader::new(format, 0);
            let Line::Request(read) = reader.read(&line) else { return Err(TestCaseError::fail("not read")) };
            prop_assert_eq!(read.unix_micros, seconds * 1_000_000);
            prop_assert_eq!(read.client, record.client.to_canonical());
            prop_assert_eq!((read.method, read.path), (&b"GET"[..], path.as_bytes()));
            prop_assert_eq!((read.status, read.body_bytes), (Some(status), Some(body_bytes)));
            prop_assert_eq!(read.user_agent.unwrap(), agent.as_bytes());
        }
    }
}
