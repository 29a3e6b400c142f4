//! An origin's answer from its bytes: the head, and how its body is framed (RFC 9112 section 6.3).
//!
//! Bytes in, decisions out; the socket is `connection.rs`'s. `httparse` reads the lines, what they
//! mean for the connection is decided here, and stricter than the RFC where a doubt would let one
//! visitor's answer run into the next one's:
//!
//! - A transfer coding other than one `chunked` is an error: it would be passed on undecoded.
//! - `Content-Length` beside `Transfer-Encoding`: the coding frames it, and the connection is not
//!   used again.
//! - Values of `Content-Length` that differ are an error, and so are signs and lists.
//!
//! Trailers are read and left out (RFC 9110 section 6.5.1 leaves that to a proxy).

mod chunks;
mod head;
mod lines;
#[cfg(test)]
mod tests;

use bytes::{Bytes, BytesMut};

pub(crate) use chunks::Chunks;
pub(crate) use head::{AnswerHead, HeadReader};
pub(crate) use lines::{AnswerFields, FieldLines, announced};

/// Why bytes are no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AnswerFault {
    #[error("its header is no HTTP/1: {0}")]
    Head(httparse::Error),
    #[error("its header is larger than {} KiB", head::BYTES_MAX / 1024)]
    HeadTooLarge,
    #[error("its header has more than {} fields", head::FIELDS_MAX)]
    TooManyFields,
    #[error("its Content-Length cannot be read, or there are several that differ")]
    Length,
    #[error("its transfer coding is not chunked alone")]
    Coding,
    #[error("it switches protocols, which nobody asked for")]
    Switches,
    #[error("more than {} interim answers came before it", head::INTERIM_MAX)]
    TooManyInterim,
    #[error("the size of a chunk cannot be read")]
    ChunkSize,
    #[error("its chunk extensions are larger than {} KiB", chunks::EXTENSION_BYTES_MAX / 1024)]
    ChunkExtensions,
    #[error("a chunk does not end where it should")]
    ChunkEnd,
    #[error("its trailers are malformed or larger than {} KiB", chunks::TRAILER_BYTES_MAX / 1024)]
    Trailers,
    #[error("it broke off")]
    BrokeOff,
}

/// What is still to come of an answer's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// So many bytes; none for answers without content.
    Length(u64),
    Chunked(Chunks),
    /// Until the origin closes the connection.
    UntilClose,
    /// Until then, and it did.
    Closed,
}

impl Framing {
    pub(crate) const NONE: Self = Self::Length(0);

    /// Whether nothing more is to come.
    pub(crate) fn is_done(&self) -> bool {
        match self {
            Self::Length(left) => *left == 0,
            Self::Chunked(chunks) => chunks.is_done(),
            Self::UntilClose => false,
            Self::Closed => true,
        }
    }

    /// Takes the next part of the body off `input`; `None` when it takes more bytes, or when the
    /// body is done. The part shares the memory that it was read into.
    ///
    /// # Errors
    /// The chunked coding is broken.
    pub(crate) fn take(&mut self, input: &mut BytesMut) -> Result<Option<Bytes>, AnswerFault> {
        match self {
            Self::Length(left) => {
                let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                *left = left.saturating_sub(u64::try_from(taken).unwrap_or(u64::MAX));
                Ok((taken > 0).then(|| input.split_to(taken).freeze()))
            }
            Self::Chunked(chunks) => chunks.take(input),
            Self::UntilClose => Ok((!input.is_empty()).then(|| input.split().freeze())),
            Self::Closed => Ok(None),
        }
    }

    /// The origin has closed the connection, and all that it sent was taken.
    ///
    /// # Errors
    /// More was to come.
    pub(crate) fn close(&mut self) -> Result<(), AnswerFault> {
        match self {
            Self::UntilClose | Self::Closed => {
                *self = Self::Closed;
                Ok(())
            }
            _ if self.is_done() => Ok(()),
            _ => Err(AnswerFault::BrokeOff),
        }
    }

    /// Bytes still to come, where that is known.
    pub(crate) fn bytes_left(&self) -> Option<u64> {
        match self {
            Self::Length(left) => Some(*left),
            Self::Closed => Some(0),
            Self::Chunked(chunks) => chunks.is_done().then_some(0),
            Self::UntilClose => None,
        }
    }
}
