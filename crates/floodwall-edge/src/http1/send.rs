//! An answer on its way to the visitor: head and first part in one write, the rest as it comes.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::Response;
use http_body::Body;

use super::head::{self, Fields, Framing};
use super::{Asked, Http1};
use crate::body::ResponseBody;
use crate::connection::Order;

/// What came of sending an answer.
pub(super) enum Sent {
    /// The connection is free for the next request.
    Persists,
    /// The answer has left, and with it the connection is over. `still_sending`: some of the request
    /// has not been read.
    Closes { still_sending: bool },
    /// The visitor does not take it, or it broke off at the origin: there is nothing more to say.
    Broken,
}

impl Http1 {
    /// Sends an answer to its end.
    pub(super) async fn send(&self, response: Response<ResponseBody>, asked: Asked) -> Sent {
        let (parts, mut body) = response.into_parts();
        let mut framing = Framing::of(parts.status, asked, body.size_hint().exact());
        let persists = {
            let mut wire = self.wire.borrow_mut();
            // Nobody will read the rest of a body whose request is answered whole.
            let unread = body.is_whole() && wire.is_in_body() && !wire.skip_body(&self.state);
            let persists = asked.persists
                && !unread
                && framing != Framing::UntilClose
                && self.state.order() != Order::Drain
                && !head::asks_to_close(&parts.headers);
            let connection = match (persists, asked.http10) {
                (false, _) => Some("close"),
                (true, true) => Some("keep-alive"),
                (true, false) => None,
            };
            let date = self.worker.http_date(body.received());
            wire.begin_answer(&self.worker);
            let fields = Fields { table: &parts.headers, lines: body.take_lines() };
            head::write(&mut wire.out.text, parts.status, &fields, framing, connection, &date.text);
            persists
        };
        drop(parts);
        if poll_fn(|cx| self.poll_send(cx, &mut body, &mut framing)).await.is_err() {
            return Sent::Broken;
        }
        drop(body);
        let mut wire = self.wire.borrow_mut();
        wire.end_answer(&self.worker);
        let still_sending = wire.is_in_body() && !wire.skip_body(&self.state);
        if persists && !still_sending { Sent::Persists } else { Sent::Closes { still_sending } }
    }

    pub(super) fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.wire.borrow_mut().poll_flush(cx, &self.worker, &self.state)
    }

    fn poll_write(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.wire.borrow_mut().poll_write(cx, &self.worker, &self.state)
    }

    fn poll_send(
        &self,
        cx: &mut Context<'_>,
        body: &mut ResponseBody,
        framing: &mut Framing,
    ) -> Poll<io::Result<()>> {
        // `None`: the last part has been taken.
        while *framing != Framing::None {
            if self.holds_part() {
                ready!(self.poll_write(cx))?;
            }
            match Pin::new(&mut *body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    let data = frame.into_data().unwrap_or_default();
                    self.put(data, framing, body.is_end_stream())?;
                }
                Poll::Ready(Some(Err(_))) => return broken(),
                Poll::Ready(None) => self.put(Bytes::new(), framing, true)?,
                Poll::Pending => {
                    if self.poll_flush(cx)?.is_ready()
                        && self.wire.borrow_mut().poll_gone(cx, &self.worker, &self.state)
                    {
                        return broken();
                    }
                    return Poll::Pending;
                }
            }
        }
        self.poll_flush(cx)
    }

    fn holds_part(&self) -> bool {
        let wire = self.wire.borrow();
        !wire.out.part.is_empty() || !wire.out.tail.is_empty()
    }

    /// Puts a part of the body behind what is to be written; with `last`, the body's end.
    ///
    /// # Errors
    /// There is more or less than was announced.
    fn put(&self, data: Bytes, framing: &mut Framing, last: bool) -> io::Result<()> {
        let out = &mut self.wire.borrow_mut().out;
        match framing {
            Framing::Length(left) => {
                let bytes = u64::try_from(data.len()).unwrap_or(u64::MAX);
                *left = left.checked_sub(bytes).ok_or(io::ErrorKind::InvalidData)?;
                out.part = data;
                if last && *left > 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            Framing::Chunked if data.is_empty() && last => out.text.extend_from_slice(b"0\r\n\r\n"),
            Framing::Chunked if data.is_empty() => {}
            Framing::Chunked => {
                out.put_chunk(data);
                if last {
                    out.tail = b"\r\n0\r\n\r\n";
                }
            }
            Framing::UntilClose | Framing::None => out.part = data,
        }
        if last {
            *framing = Framing::None;
        }
        Ok(())
    }
}

fn broken() -> Poll<io::Result<()>> {
    Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
}
