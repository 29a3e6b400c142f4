//! What is read before there is a request: TLS hellos, how HTTP/2 is opened.

use crate::client_hello::{HELLO_BYTES_MAX, HelloFault, HelloReader};
use crate::connection::proxied::{HEADER_BYTES_MAX, Header, read_header};
use crate::http2_opening::{OpeningReader, Step};

/// A hello as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReadHello {
    pub(crate) server_name: Option<Vec<u8>>,
    pub(crate) protocols: Vec<Vec<u8>>,
    pub(crate) claims_ticket: bool,
    pub(crate) ja4: String,
}

/// Reads a hello from bytes that come in parts of `chunk_bytes`; `None` when it does not come whole.
pub(crate) fn read_hello(stream: &[u8], chunk_bytes: usize) -> Result<Option<ReadHello>, HelloFault> {
    let mut reader = HelloReader::default();
    let mut came = 0;
    while came < stream.len() {
        came = (came + chunk_bytes).min(stream.len());
        if let Some(hello) = reader.read_on(stream.get(..came).unwrap_or_default())? {
            return Ok(Some(ReadHello {
                server_name: hello.server_name.map(<[u8]>::to_vec),
                protocols: hello.protocols().map(<[u8]>::to_vec).collect(),
                claims_ticket: hello.claims_ticket,
                ja4: hello.ja4.as_str().to_owned(),
            }));
        }
    }
    Ok(None)
}

/// The fingerprint of a hello that came at once, for who measures what it costs.
#[must_use]
pub fn fingerprint_of_hello(stream: &[u8]) -> Option<u8> {
    let mut reader = HelloReader::default();
    reader.read_on(stream).ok().flatten().and_then(|hello| hello.ja4.as_str().bytes().last())
}

/// A hello is read the same however its bytes are split; what the TLS library takes is read as well, and
/// read the same. The first byte of `data` chooses the split, the rest is what comes.
pub fn client_hello(data: &[u8]) {
    let Some((choice, stream)) = data.split_first() else { return };
    let at_once = read_hello(stream, stream.len().max(1));
    for chunk_bytes in [1, usize::from(*choice).max(1)] {
        assert_eq!(at_once, read_hello(stream, chunk_bytes), "the split changed what was read");
    }
    let mut acceptor = rustls::server::Acceptor::default();
    let mut rest = stream;
    while !rest.is_empty() && acceptor.read_tls(&mut rest).is_ok_and(|read| read > 0) {
        match acceptor.accept() {
            Ok(None) => {}
            Err(_) => return,
            Ok(Some(accepted)) => {
                let theirs = accepted.client_hello();
                let ours = match &at_once {
                    Err(HelloFault::TooLong) => return,
                    ours => ours.as_ref().ok().and_then(Option::as_ref),
                };
                assert!(ours.is_some(), "the library takes a hello that was not read: {at_once:?}");
                let Some(ours) = ours else { return };
                if let Some(name) = theirs.server_name() {
                    let read = ours.server_name.as_deref().unwrap_or_default();
                    assert!(read.eq_ignore_ascii_case(name.as_bytes()), "another host was read");
                }
                let protocols: Vec<Vec<u8>> =
                    theirs.alpn().map(|list| list.map(<[u8]>::to_vec).collect()).unwrap_or_default();
                assert_eq!(ours.protocols, protocols, "other protocols were read");
                return;
            }
        }
    }
    if let Ok(Some(hello)) = &at_once {
        assert!(
            stream.len() <= HELLO_BYTES_MAX * 2 || hello.ja4.len() == 36,
            "a fingerprint has 36 characters"
        );
    }
}

/// Reads how HTTP/2 is opened from bytes that come in parts of `chunk_bytes`.
pub(crate) fn read_opening(stream: &[u8], chunk_bytes: usize) -> Step {
    let mut reader = OpeningReader::default();
    for chunk in stream.chunks(chunk_bytes.max(1)) {
        match reader.read_on(chunk) {
            Step::Reading => {}
            step => return step,
        }
    }
    Step::Reading
}

/// How HTTP/2 is opened is read the same however the bytes are split, and put into a short line. The
/// first byte of `data` chooses the split; the rest comes after the preface.
pub fn http2_opening(data: &[u8]) {
    let Some((choice, frames)) = data.split_first() else { return };
    let stream = [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], frames].concat();
    let at_once = read_opening(&stream, stream.len());
    for chunk_bytes in [1, usize::from(*choice).max(1)] {
        assert_eq!(at_once, read_opening(&stream, chunk_bytes), "the split changed what was read");
    }
    if let Step::Told(line) = at_once {
        assert!(line.len() <= 640, "a line of {} characters", line.len());
        assert_eq!(line.matches('|').count(), 3, "{line}");
    }
}

/// A PROXY protocol header is read the same however its bytes are split, and is not longer than what
/// came.
pub fn proxy_header(stream: &[u8]) {
    let at_once = read_header(stream);
    let first = (0..=stream.len())
        .map(|came| read_header(stream.get(..came).unwrap_or_default()))
        .find(|header| *header != Header::Partial);
    assert_eq!(first.unwrap_or(Header::Partial), at_once, "the split changed what was read");
    if let Header::Whole { length, .. } = at_once {
        assert!((1..=stream.len().min(HEADER_BYTES_MAX)).contains(&length), "{length} bytes");
    }
}
