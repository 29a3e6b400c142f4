//! Answers made up of pieces that matter, whole, broken and out of order.

use http::HeaderMap;
use proptest::prelude::*;

use super::*;

pub(super) fn pieces() -> impl Strategy<Value = Vec<u8>> {
    const PIECES: [&str; 34] = [
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 204 No Content\r\n",
        "HTTP/1.1 304 Not Modified\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.0 200 OK\r\n",
        "HTTP/1.1 500\r\n",
        "Content-Length: 3\r\n",
        "Content-Length: 5\r\n",
        "content-length: 03\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Connection: close\r\n",
        "Connection: keep-alive\r\n",
        "X: y\r\n",
        "\r\n",
        "\n",
        "\r",
        " ",
        ":",
        ";",
        "\0",
        "0\r\n",
        "0\r\n\r\n",
        "3\r\nabc\r\n",
        "1;x\r\na\r\n",
        "A\r\n0123456789\r\n",
        "5 \r\nabcde\r\n",
        "ffffffffffffffff\r\n",
        "abc",
        "abcde",
        "T: railer\r\n",
        "HTTP",
        "0",
        "3",
    ];
    let piece = prop_oneof![
        12 => proptest::sample::select(&PIECES[..]).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 1..4),
    ];
    let start = proptest::sample::select(vec![
        "",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    ]);
    (start, proptest::collection::vec(piece, 0..10)).prop_map(|(start, pieces)| {
        let mut stream = start.as_bytes().to_vec();
        stream.extend(pieces.concat());
        stream
    })
}

/// Answers that are whole, in any framing.
pub(super) fn whole() -> impl Strategy<Value = Vec<u8>> {
    let interim = proptest::sample::select(vec!["", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"]);
    let status = proptest::sample::select(vec!["200 OK", "204 No Content", "304", "404 Not Found"]);
    let fields = proptest::sample::select(vec!["", "X: y\r\n", "Connection: close\r\nDate: today\r\n"]);
    let parts = proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..40), 0..4);
    (interim, status, fields, parts, 0_u8..3).prop_map(|(interim, status, fields, parts, coding)| {
        let mut stream = format!("{interim}HTTP/1.1 {status}\r\n{fields}").into_bytes();
        let body = parts.concat();
        match coding {
            0 => stream.extend(format!("Content-Length: {}\r\n\r\n", body.len()).into_bytes()),
            1 => stream.extend(b"Transfer-Encoding: chunked\r\n\r\n"),
            _ => stream.extend(b"\r\n"),
        }
        if coding != 1 {
            stream.extend(body);
            return stream;
        }
        for part in parts {
            stream.extend(format!("{:x}\r\n", part.len()).into_bytes());
            stream.extend(part);
            stream.extend(b"\r\n");
        }
        stream.extend(b"0\r\n\r\n");
        stream
    })
}

/// Field lines that are passed on, that are not, and that frame.
fn field_lines() -> impl Strategy<Value = Vec<&'static str>> {
    proptest::collection::vec(
        proptest::sample::select(vec![
            "Content-Type: text/html\r\n",
            "X:  y \t\r\n",
            "Empty:\r\n",
            "Colons: a:b:c\r\n",
            "SET-cookie: a=b\r\n",
            "Set-Cookie: c=d\r\n",
            "date: today\r\n",
            "Connection: close\r\n",
            "Connection: x, keep-alive\r\n",
            "Keep-Alive: 5\r\n",
            "Trailer: t\r\n",
            "Content-Length: 3\r\n",
            "content-LENGTH:3\r\n",
            "Content-Length: 4\r\n",
            "CONNECTION: Keep-Alive\r\n",
            "Connection: x\r\n",
            "Proxy-Connection: a\r\n",
            "proxy-authenticate: a\r\n",
            "TE: a\r\n",
            "Upgrade: a\r\n",
            "!#$%&'*+-.^_`|~09: a\r\n",
            "Much-longer-than-a-word: as long as this and a little longer, x=\"y\"\r\n",
            "Transfer-Encoding: chunked\r\n",
            "Obs: \u{e4}\r\n",
        ]),
        0..12,
    )
}

/// The head's fields: whether they are lines, as a table, and how the body is framed.
fn fields_of(head: &str) -> Result<(bool, HeaderMap, Framing, bool), AnswerFault> {
    let head = HeadReader::default().take(&mut head.as_bytes().into(), &Method::GET)?.unwrap();
    let lines = matches!(head.fields, AnswerFields::Lines(_));
    Ok((lines, head.fields.into_table(announced(head.framing))?, head.framing, head.keeps_alive))
}

proptest! {
    /// A line that ends with LF alone has the fields read into a table.
    #[test]
    fn lines_say_what_a_table_would(lines in field_lines()) {
        let head = |last: &str| format!("HTTP/1.1 200 OK\r\n{}{last}\r\n", lines.concat());
        match (fields_of(&head("")), fields_of(&head("X-Lf: 1\n"))) {
            (Ok((lines, of_lines, framing, keeps)), Ok((false, mut of_table, table_framing, table_keeps))) => {
                of_table.remove("x-lf");
                prop_assert_eq!(&of_lines, &of_table);
                prop_assert_eq!((framing, keeps), (table_framing, table_keeps));
                prop_assert!(lines || of_lines.get("connection").is_none());
            }
            (of_lines, of_table) => prop_assert_eq!(of_lines.err(), of_table.err()),
        }
    }

    #[test]
    fn the_split_changes_nothing(stream in pieces(), choice in any::<u8>()) {
        let mut data = vec![choice];
        data.extend(&stream);
        crate::fuzzing::origin_answer(&data);
    }

    #[test]
    fn a_chunked_body_comes_as_it_was_sent(
        parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..600), 0..6),
        bytes in 1_usize..700,
    ) {
        let mut stream = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        for part in &parts {
            stream.extend(format!("{:X}\r\n", part.len()).into_bytes());
            stream.extend(part);
            stream.extend(b"\r\n");
        }
        stream.extend(b"0\r\n\r\n");
        let answer = read_answer(&Method::GET, stream.chunks(bytes));
        prop_assert_eq!(answer.body, parts.concat());
        prop_assert!(answer.whole);
    }
}
