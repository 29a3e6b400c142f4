//! Faults of HTTP, on both families.

use floodwall_outage::Cause;
use floodwall_watch::{AddressRule, Check, Expectations, Failure, JsonExpectation};

use crate::servers::{Answer, V4, V6, serve};
use crate::{check_failed, probe, probe_with};

fn bytes(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

fn whole(status: &str, fields: &str, body: &str) -> Answer {
    let length = body.len();
    Answer::Bytes(bytes(&format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{fields}\r\n{body}")))
}

#[tokio::test]
async fn every_way_of_answering_badly_has_its_cause() {
    let ok = "HTTP/1.1 200 OK\r\n";
    let refusal = "X-Request-Id: 7F3K-9QWX-02MB\r\n";
    for (name, answer, expected) in [
        ("silence", Answer::Hang(Vec::new()), Cause::FirstByteTimeout),
        ("a header that stops", Answer::Hang(bytes("HTTP/1.1 200 OK\r\nA: b")), Cause::HeaderTimeout),
        (
            "a body that stops",
            Answer::Hang(bytes(&format!("{ok}Content-Length: 10\r\n\r\nabc"))),
            Cause::TransferTimeout,
        ),
        ("a close", Answer::Bytes(Vec::new()), Cause::AnswerMissing),
        ("a reset", Answer::Reset(Vec::new()), Cause::AnswerReset),
        ("half a header", Answer::Bytes(bytes("HTTP/1.1 200 OK\r\nA: b")), Cause::Truncated),
        ("another protocol", Answer::Bytes(bytes("SSH-2.0-OpenSSH_9.6\r\n\r\n")), Cause::AnswerMalformed),
        ("no status", Answer::Bytes(bytes("HTTP/1.1 abc\r\n\r\n")), Cause::AnswerMalformed),
        (
            "a header without end",
            Answer::Endless(bytes(ok), bytes("A: bbbbbbbbbbbbbbbbbbbbbbbb\r\n")),
            Cause::HeaderEndless,
        ),
        (
            "a body without end",
            Answer::Endless(bytes(&format!("{ok}\r\n")), vec![b'x'; 65_536]),
            Cause::BodyEndless,
        ),
        (
            "a short body",
            Answer::Bytes(bytes(&format!("{ok}Content-Length: 10\r\n\r\nabc"))),
            Cause::Truncated,
        ),
        (
            "short chunks",
            Answer::Bytes(bytes(&format!("{ok}Transfer-Encoding: chunked\r\n\r\n5\r\nab"))),
            Cause::Truncated,
        ),
        (
            "a reset in the body",
            Answer::Reset(bytes(&format!("{ok}Content-Length: 10\r\n\r\nabc"))),
            Cause::TransferReset,
        ),
        (
            "bad chunks",
            Answer::Hang(bytes(&format!("{ok}Transfer-Encoding: chunked\r\n\r\nzz\r\nab"))),
            Cause::TransferMalformed,
        ),
        ("404", whole("404 Not Found", "", "no"), Cause::StatusClientError),
        ("500", whole("500 Oh", "", "no"), Cause::StatusServerError),
        ("304", Answer::Bytes(bytes("HTTP/1.1 304 Not Modified\r\n\r\n")), Cause::StatusUnexpected),
        ("503", whole("503 Busy", "", "no"), Cause::StatusServerError),
        ("our own 503", whole("503 Busy", refusal, "no"), Cause::RefusedByDefence),
        ("our own 429", whole("429 Slow", refusal, "no"), Cause::RefusedByDefence),
        ("a circle", whole("302 Found", "Location: /\r\n", ""), Cause::RedirectLoop),
        ("a way to nowhere", whole("302 Found", "Location: mailto:a@b\r\n", ""), Cause::RedirectInvalid),
        ("a redirect without a place", whole("302 Found", "", ""), Cause::StatusUnexpected),
    ] {
        for ip in [V4, V6] {
            let address = serve(ip, answer.clone()).await;
            let report = probe(&format!("http://{address}/")).await;
            assert_eq!(report.outcome(), Err(Failure::Target(expected)), "{name}: {report:#?}");
            check_failed(&report, Failure::Target(expected));
            let stamps = report.attempts[0].stamps;
            assert!(stamps.connect.unwrap().done.is_some() && stamps.request.is_some(), "{name}: {stamps:?}");
        }
    }
}

#[tokio::test]
async fn a_page_as_it_should_be_is_up_with_every_phase_timed() {
    let address = serve(V4, whole("200 OK", "Content-Type: text/html\r\n", "hello")).await;
    let report = probe(&format!("http://{address}/")).await;
    assert_eq!(report.outcome(), Ok(()), "{report:#?}");
    let attempt = &report.attempts[0];
    for span in
        [attempt.stamps.connect, attempt.stamps.request, attempt.stamps.first_byte, attempt.stamps.transfer]
    {
        assert!(span.unwrap().length().is_some(), "{:?}", attempt.stamps);
    }
    assert_eq!((attempt.status, attempt.body_bytes), (Some(200), 5));
    assert!(attempt.evidence.is_none());
}

#[tokio::test]
async fn what_is_expected_of_a_page_is_compared() {
    let address = serve(V4, whole("200 OK", "X-A: b\r\n", r#"{"ok":false}"#)).await;
    let with = |change: fn(&mut Expectations)| {
        let Ok(Check::Http(mut check)) = format!("http://{address}/").parse() else { panic!("it is HTTP") };
        change(&mut check.expect);
        Check::Http(check)
    };
    for (check, expected) in [
        (with(|_| ()), None),
        (with(|e| e.status = vec![204]), Some(Cause::StatusUnexpected)),
        (with(|e| e.fields = vec![("x-a".parse().unwrap(), "c".to_owned())]), Some(Cause::HeaderMismatch)),
        (with(|e| e.contains = vec!["true".to_owned()]), Some(Cause::BodyMismatch)),
        (with(|e| e.lacks = vec!["false".to_owned()]), Some(Cause::BodyMismatch)),
        (
            with(|e| e.json = vec![JsonExpectation { pointer: "/ok".to_owned(), value: Some(true.into()) }]),
            Some(Cause::JsonMismatch),
        ),
        (with(|e| e.approved_sha256 = Some([7; 32])), Some(Cause::ContentChanged)),
    ] {
        let report = probe_with(check.clone(), &[], &[], AddressRule::Any).await;
        assert_eq!(report.outcome().err(), expected.map(Failure::Target), "{check:?}");
    }
}
