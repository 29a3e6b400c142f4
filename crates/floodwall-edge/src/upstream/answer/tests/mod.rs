//! What is taken for an answer, what is refused, and that the split of the bytes changes nothing.

mod against_library;
mod properties;

use http::Method;

use super::*;
use crate::fuzzing::{AnswerRead, read_answer};

fn read(method: &Method, stream: &[u8]) -> AnswerRead {
    let at_once = read_answer(method, std::iter::once(stream));
    for bytes in [1, 2, 3, 7] {
        let split = read_answer(method, stream.chunks(bytes));
        // Which fault a head has that also breaks off depends on how much of it was there at once.
        let shown = stream.escape_ascii();
        assert_eq!(split.fault.is_some(), at_once.fault.is_some(), "in parts of {bytes}: {shown}");
        if split.fault.is_none() {
            assert_eq!(split, at_once, "in parts of {bytes}: {shown}");
        }
    }
    at_once
}

fn get(stream: &[u8]) -> AnswerRead {
    read(&Method::GET, stream)
}

#[test]
fn answers_are_framed_as_they_say() {
    // What comes, the body, whether the connection may be used again.
    let rows: [(&[u8], &[u8], bool); 17] = [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP", b"abc", true),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b"", true),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\nContent-Length: 3\r\n\r\nabc", b"abc", true),
        (b"HTTP/1.1 200\r\nContent-Length: 1\r\nConnection: x, Close\r\n\r\na", b"a", false),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", b"until the end", false),
        (b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n\r\n", b"", false),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na", b"a", false),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: Keep-Alive\r\n\r\na", b"a", true),
        (b"HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\nevil", b"", true),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\nevil", b"", true),
        (b"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\nevil", b"", true),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", b"abcde", true),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=\"y\"\r\nabc\r\n000\r\nA: b\r\n\r\n", b"abc", true),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3   \r\nabc\r\n0\r\n\r\n", b"abc", true),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            b"abc",
            false,
        ),
        (
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na",
            b"a",
            true,
        ),
        (b"\r\nHTTP/1.1 200 OK\nContent-Length: 1\n\na", b"a", true),
    ];
    for (stream, body, keeps_alive) in rows {
        let answer = get(stream);
        let shown = stream.escape_ascii();
        assert_eq!((answer.fault, answer.whole), (None, true), "{shown}");
        assert_eq!(answer.body, body, "{shown}");
        assert_eq!(answer.head.unwrap().2, keeps_alive, "{shown}");
    }
}

#[test]
fn an_answer_to_head_has_no_body() {
    for coding in ["Content-Length: 3", "Transfer-Encoding: chunked", "X: y"] {
        let answer = read(&Method::HEAD, format!("HTTP/1.1 200 OK\r\n{coding}\r\n\r\n").as_bytes());
        assert_eq!((answer.whole, answer.head.unwrap().2), (true, true), "{coding}");
    }
}

#[test]
fn doubtful_answers_are_refused() {
    let head = |fields: &str| format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n");
    let chunked = |body: &str| head("Transfer-Encoding: chunked") + body;
    let rows = [
        (head("Content-Length: 3\r\nContent-Length: 4"), AnswerFault::Length),
        (head("Content-Length: 3, 3"), AnswerFault::Length),
        (head("Content-Length: +3"), AnswerFault::Length),
        (head("Content-Length: -3"), AnswerFault::Length),
        (head("Content-Length:"), AnswerFault::Length),
        (head("Content-Length: 0x3"), AnswerFault::Length),
        (head("Content-Length: 9223372036854775808"), AnswerFault::Length),
        (head("Content-Length: 99999999999999999999"), AnswerFault::Length),
        (head("Transfer-Encoding: gzip, chunked"), AnswerFault::Coding),
        (head("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"), AnswerFault::Coding),
        (head("Transfer-Encoding: xchunked"), AnswerFault::Coding),
        ("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(), AnswerFault::Coding),
        ("HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n".to_owned(), AnswerFault::Switches),
        ("HTTP/1.1 100 Continue\r\n\r\n".repeat(17), AnswerFault::TooManyInterim),
        (head("A: b\r\n c"), AnswerFault::Head(httparse::Error::HeaderName)),
        (head("A : b"), AnswerFault::Head(httparse::Error::HeaderName)),
        (head("A: b\0"), AnswerFault::Head(httparse::Error::HeaderValue)),
        ("HTTP/2 200 OK\r\n\r\n".to_owned(), AnswerFault::Head(httparse::Error::Version)),
        ("SSH-2.0-OpenSSH_9.6\r\n".to_owned(), AnswerFault::Head(httparse::Error::Version)),
        ("HTTP/1.1 99 x\r\n\r\n".to_owned(), AnswerFault::Head(httparse::Error::Status)),
        (head(&"a: b\r\n".repeat(257)), AnswerFault::TooManyFields),
        (head(&format!("a: {}", "b".repeat(128 * 1024))), AnswerFault::HeadTooLarge),
        (format!("HTTP/1.1 200 OK\r\na: {}", "b".repeat(128 * 1024)), AnswerFault::HeadTooLarge),
        (chunked("\r\n"), AnswerFault::ChunkSize),
        (chunked("x\r\n"), AnswerFault::ChunkSize),
        (chunked("-1\r\n"), AnswerFault::ChunkSize),
        (chunked("3 3\r\nabc\r\n"), AnswerFault::ChunkSize),
        (chunked("3\nabc\r\n"), AnswerFault::ChunkSize),
        (chunked("8000000000000000\r\n"), AnswerFault::ChunkSize),
        (chunked(&"0".repeat(33)), AnswerFault::ChunkSize),
        (chunked("3\r\nabcd\r\n"), AnswerFault::ChunkEnd),
        (chunked("3\r\nabc\n0\r\n\r\n"), AnswerFault::ChunkEnd),
        (chunked("3;\nabc"), AnswerFault::ChunkExtensions),
        (chunked(&format!("3;{}", "x".repeat(16 * 1024))), AnswerFault::ChunkExtensions),
        (chunked("0\r\nA: b\nC: d\r\n\r\n"), AnswerFault::Trailers),
        (chunked("0\r\nno field\r\n\r\n"), AnswerFault::Trailers),
        (chunked("0\r\n A: b\r\n\r\n"), AnswerFault::Trailers),
        (chunked("0\r\n: b\r\n\r\n"), AnswerFault::Trailers),
        (chunked(&format!("0\r\nA: {}", "b".repeat(16 * 1024))), AnswerFault::Trailers),
    ];
    for (stream, fault) in rows {
        let shown: String = stream.chars().take(120).collect();
        assert_eq!(get(stream.as_bytes()).fault, Some(fault), "{shown:?}");
    }
}

#[test]
fn an_answer_that_breaks_off_is_not_whole() {
    let heads = ["Content-Length: 5", "Transfer-Encoding: chunked"];
    for (head, body) in heads.into_iter().zip(["abcde", "5\r\nabcde\r\n0\r\n\r\n"]) {
        let stream = format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{body}");
        for end in 0..stream.len() {
            let answer = get(&stream.as_bytes()[..end]);
            assert_eq!((answer.fault, answer.whole), (Some(AnswerFault::BrokeOff), false), "{end}");
        }
        assert!(get(stream.as_bytes()).whole);
    }
}

#[test]
fn extensions_of_many_chunks_add_up() {
    let chunk = format!("1;{}\r\na\r\n", "x".repeat(1023));
    let stream = |chunks| {
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{}0\r\n\r\n", chunk.repeat(chunks))
    };
    assert!(get(stream(16).as_bytes()).whole);
    assert_eq!(get(stream(17).as_bytes()).fault, Some(AnswerFault::ChunkExtensions));
}
