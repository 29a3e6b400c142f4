//! A TLS connection until its handshake is done: the hello is read and looked at, and the handshake paid
//! for, before the TLS library gets the same bytes.

use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use tokio::net::TcpStream;

use super::first_bytes::read_more;
use super::io::Transport;
use super::replayed::Replayed;
use super::state::{ConnectionState, Reading};
use super::{Peer, serve_h2, until_ordered_away};
use crate::client_hello::{HelloFault, HelloReader, Ja4, WIRE_BYTES_MAX};
use crate::handshakes::Begun;
use crate::http1;
use crate::worker::Worker;

/// A hello's bytes, and what it says; of one that only the TLS library can judge it says nothing.
struct Hello {
    bytes: Bytes,
    ja4: Option<Ja4>,
    brings_ticket: bool,
}

pub(super) async fn serve(
    worker: &Rc<Worker>,
    stream: TcpStream,
    first: BytesMut,
    peer: Peer,
    state: &Rc<ConnectionState>,
) {
    let Some(acceptor) = worker.tls_acceptor() else { return };
    // Nothing is kept for a connection that has said nothing.
    if first.is_empty() && until_ordered_away(state, stream.readable()).await.is_none() {
        return;
    }
    state.set_reading(Reading::Head(worker.coarse_now()));
    let hello = match until_ordered_away(state, read_hello(worker, &stream, first)).await {
        Some(Ok(hello)) => hello,
        Some(Err(fault)) => {
            tracing::trace!(?fault, peer = %peer.address, "no TLS hello");
            worker.counters.worker.tls_handshakes_failed.add(1);
            return;
        }
        None => return,
    };
    if let Some(ja4) = hello.ja4 {
        state.set_tls_fingerprint(worker.mark(ja4.as_str()));
    }
    let begun = match Begun::ask(worker, peer.address.ip(), hello.brings_ticket) {
        Ok(begun) => begun,
        Err(refusal) => {
            tracing::trace!(?refusal, peer = %peer.address, "TLS handshake refused");
            worker.counters.worker.tls_handshakes_refused.add(1);
            return;
        }
    };
    let handshake = Box::pin(acceptor.accept(Replayed::new(hello.bytes, stream)));
    let stream = match until_ordered_away(state, handshake).await {
        Some(Ok(stream)) => stream,
        Some(Err(error)) => {
            tracing::trace!(%error, peer = %peer.address, "TLS handshake failed");
            worker.counters.worker.tls_handshakes_failed.add(1);
            return;
        }
        None => return,
    };
    begun.done(stream.get_ref().1.handshake_kind() == Some(rustls::HandshakeKind::Resumed));
    state.set_reading(Reading::Between);
    state.read_progressed(worker.coarse_now());
    let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let transport = Transport::Tls(Box::new(stream));
    if h2 {
        Box::pin(serve_h2(worker, transport, Bytes::new(), peer, state)).await;
    } else {
        Box::pin(http1::serve(worker, transport, BytesMut::new(), peer, state)).await;
    }
}

/// The error is what the bytes are instead of a hello; `None` where there are no more.
async fn read_hello(
    worker: &Worker,
    stream: &TcpStream,
    mut input: BytesMut,
) -> Result<Hello, Option<HelloFault>> {
    let mut reader = HelloReader::default();
    loop {
        let (ja4, brings_ticket) = match reader.read_on(&input) {
            Ok(Some(hello)) => (Some(hello.ja4), hello.claims_ticket),
            Ok(None) if input.len() > WIRE_BYTES_MAX => return Err(Some(HelloFault::TooLong)),
            Ok(None) => match read_more(worker, stream, &mut input).await {
                Ok(0) | Err(_) => return Err(None),
                Ok(_) => continue,
            },
            Err(fault) if fault.is_final() => return Err(Some(fault)),
            // The TLS library tells the visitor what is wrong.
            Err(_) => (None, false),
        };
        return Ok(Hello { bytes: input.freeze(), ja4, brings_ticket });
    }
}
