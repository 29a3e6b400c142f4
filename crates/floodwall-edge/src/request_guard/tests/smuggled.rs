//! Framing that two recipients might read differently, one row each.

use super::FaultKind::*;
use super::*;

#[test]
fn content_lengths() {
    check_fields(&[
        (b"Content-Length: 5\r\nContent-Length: 5", ContentLengthRepeated),
        (b"Content-Length: 5\r\nContent-Length: 6", ContentLengthRepeated),
        (b"Content-Length: 0\r\ncontent-LENGTH: 0", ContentLengthRepeated),
        (b"Content-Length: 5, 5", ContentLengthValue),
        (b"Content-Length: 5,", ContentLengthValue),
        (b"Content-Length: +5", ContentLengthValue),
        (b"Content-Length: -5", ContentLengthValue),
        (b"Content-Length: -0", ContentLengthValue),
        (b"Content-Length: 0x5", ContentLengthValue),
        (b"Content-Length: 5 5", ContentLengthValue),
        (b"Content-Length: 5.0", ContentLengthValue),
        (b"Content-Length: 1e1", ContentLengthValue),
        (b"Content-Length: 1_0", ContentLengthValue),
        (b"Content-Length: \"5\"", ContentLengthValue),
        (b"Content-Length: \xd9\xa5", ContentLengthValue),
        (b"Content-Length:", ContentLengthValue),
        (b"Content-Length:  \t ", ContentLengthValue),
        (b"Content-Length: 9223372036854775808", ContentLengthValue),
        (b"Content-Length: 18446744073709551621", ContentLengthValue),
        (b"Content-Length: 00000000000000000005", ContentLengthValue),
        (b"Content-Length: \x0b5", ControlCharacter),
        (b"Content-Length : 5", SpaceBeforeColon),
        (b"Content-Length\t: 5", SpaceBeforeColon),
        (b"Content_Length: 5", FramingLookalike),
        (b"content_length: 5", FramingLookalike),
    ]);
}

#[test]
fn transfer_encodings_repeated_or_beside_a_length() {
    check_fields(&[
        (b"Content-Length: 4\r\nTransfer-Encoding: chunked", LengthBesideTransferEncoding),
        (b"Transfer-Encoding: chunked\r\nContent-Length: 4", LengthBesideTransferEncoding),
        (b"Content-Length: 0\r\nTransfer-Encoding: chunked", LengthBesideTransferEncoding),
        (b"Content-Length: 4\r\nTransfer-Encoding: identity", LengthBesideTransferEncoding),
        (b"Content-Length: 4\r\nTransfer-Encoding:", LengthBesideTransferEncoding),
        (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", TransferEncodingRepeated),
        (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", TransferEncodingRepeated),
        (b"Transfer-Encoding: chunked\r\nTransfer-encoding: cow", TransferEncodingRepeated),
    ]);
}

#[test]
fn transfer_encodings_disguised() {
    check_fields(&[
        (b"Transfer-Encoding: xchunked", TransferEncodingValue),
        (b"Transfer-Encoding: chunkedx", TransferEncodingValue),
        (b"Transfer-Encoding: chunked, identity", TransferEncodingValue),
        (b"Transfer-Encoding: chunked, chunked", TransferEncodingValue),
        (b"Transfer-Encoding: chunked,", TransferEncodingValue),
        (b"Transfer-Encoding: ,chunked", TransferEncodingValue),
        (b"Transfer-Encoding: chunked;q=1", TransferEncodingValue),
        (b"Transfer-Encoding: chunked chunked", TransferEncodingValue),
        (b"Transfer-Encoding: \"chunked\"", TransferEncodingValue),
        (b"Transfer-Encoding: 'chunked'", TransferEncodingValue),
        (b"Transfer-Encoding: identity", TransferEncodingValue),
        (b"Transfer-Encoding: gzip", TransferEncodingValue),
        (b"Transfer-Encoding: x chunked", TransferEncodingValue),
        (b"Transfer-Encoding: chun\xc2\xadked", TransferEncodingValue),
        (b"Transfer-Encoding: \xa0chunked", TransferEncodingValue),
        (b"Transfer-Encoding:", TransferEncodingValue),
        (b"Transfer-Encoding: gzip, chunked", TransferCodingUnsupported),
        (b"Transfer-Encoding: identity,chunked", TransferCodingUnsupported),
        (b"Transfer-Encoding: \x0bchunked", ControlCharacter),
        (b"Transfer-Encoding: chunked\x00", ControlCharacter),
        (b"Transfer-Encoding : chunked", SpaceBeforeColon),
        (b"Transfer-Encoding\x0b: chunked", FieldName),
        (b"X: y\r\n Transfer-Encoding: chunked", ObsFold),
        (b"Transfer-Encoding:\r\n chunked", TransferEncodingValue),
        (b"Transfer_Encoding: chunked", FramingLookalike),
    ]);
    check_streams(&[(
        b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        TransferEncodingInHttp10,
    )]);
}

#[test]
fn chunked_bodies() {
    check_chunked(&[
        (b"\r\n", ChunkSize),
        (b";a=b\r\n", ChunkSize),
        (b"0x5\r\nhello\r\n0\r\n\r\n", ChunkSize),
        (b"+5\r\nhello\r\n", ChunkSize),
        (b"-5\r\nhello\r\n", ChunkSize),
        (b" 5\r\nhello\r\n", ChunkSize),
        (b"5 \r\nhello\r\n", ChunkSize),
        (b"5 ;a\r\nhello\r\n", ChunkSize),
        (b"5\x00\r\nhello\r\n", ChunkSize),
        (b"5_0\r\nhello\r\n", ChunkSize),
        (b"g\r\n", ChunkSize),
        (b"8000000000000000\r\n", ChunkSize),
        (b"ffffffffffffffff\r\n", ChunkSize),
        (b"10000000000000005\r\nhello\r\n", ChunkSize),
        (b"00000000000000005\r\nhello\r\n", ChunkSize),
        (b"5\nhello\r\n0\r\n\r\n", BareLf),
        (b"5;a\nhello\r\n0\r\n\r\n", BareLf),
        (b"5\r\r\nhello\r\n", BareCr),
        (b"5;a\rb\r\nhello\r\n", BareCr),
        (b"5;a\x00\r\nhello\r\n", ChunkExtension),
        (b"5;a\x80\r\nhello\r\n", ChunkExtension),
        (b"5\r\nhello\n0\r\n\r\n", BareLf),
        (b"5\r\nhello0\r\n\r\n", ChunkEnd),
        (b"5\r\nhello!\r\n0\r\n\r\n", ChunkEnd),
        (b"5\r\nhello\rX0\r\n\r\n", ChunkEnd),
        (b"3\r\nhello\r\n0\r\n\r\n", ChunkEnd),
        (b"7\r\nhello\r\n0\r\n\r\n", ChunkEnd),
    ]);
}

#[test]
fn trailers() {
    check_chunked(&[
        (b"0\r\n\n", BareLf),
        (b"0\r\nX: y\n\r\n", BareLf),
        (b"0\r\nX: a\rb\r\n\r\n", BareCr),
        (b"0\r\n X: y\r\n\r\n", LeadingWhitespace),
        (b"0\r\nX: y\r\n z\r\n\r\n", ObsFold),
        (b"0\r\nX : y\r\n\r\n", SpaceBeforeColon),
        (b"0\r\nX\r\n\r\n", FieldName),
        (b"0\r\nX: \x00\r\n\r\n", ControlCharacter),
        (b"0\r\nContent-Length: 3\r\n\r\n", TrailerField),
        (b"0\r\nTransfer-Encoding: chunked\r\n\r\n", TrailerField),
        (b"0\r\nHost: b\r\n\r\n", TrailerField),
        (b"0\r\nauthorization: x\r\n\r\n", TrailerField),
        (b"0\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n", TrailerField),
        (b"0\r\nContent_Length: 3\r\n\r\n", FramingLookalike),
        // What would be the next request, were the body to end without an empty line.
        (b"0\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n", FieldName),
    ]);
}

/// The shapes in which smuggling is usually tried, as whole attacks.
#[test]
fn smuggling() {
    check_streams(&[
        // CL.TE
        (
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 13\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nSMUGGLED",
            LengthBesideTransferEncoding,
        ),
        // TE.CL
        (
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n8\r\nSMUGGLED\r\n0\r\n\r\n",
            LengthBesideTransferEncoding,
        ),
        // TE.TE
        (
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n",
            TransferEncodingRepeated,
        ),
        // A chunk extension that hides a line end from one of two parsers.
        (
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2;\nxx\r\n10\r\n\r\n0\r\n\r\n",
            BareLf,
        ),
        // A size that overflows 64 bits to 5.
        (
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000005\r\nhello\r\n0\r\n\r\n",
            ChunkSize,
        ),
        (b"GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n", HostDisagrees),
    ]);
}

/// What follows a body is a request of its own: one hidden behind a short Content-Length is read
/// as such, and the request it is hidden behind is still answered.
#[test]
fn what_follows_a_body_is_judged_by_itself() {
    let post = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nabcd";
    for (next, kind) in [
        (&b"efg GET /x HTTP/1.1\r\n"[..], RequestLine),
        (b"GET /x HTTP/1.1\r\n\r\n", HostMissing),
        (b"0\r\n\r\n", RequestLine),
    ] {
        let stream = [&post[..], next].concat();
        assert_eq!(
            guard().inspect(&stream),
            Err(Fault { kind, accepted: post.len() }),
            "{}",
            next.escape_ascii()
        );
    }
}
