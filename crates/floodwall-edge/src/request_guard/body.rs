//! A request's body: its data, the lines around chunks, and the trailers, which are checked and left
//! out (RFC 9112 6 and 7).

use bytes::{Buf, Bytes, BytesMut};

use super::field;
use super::{Expecting, FaultKind, RequestGuard, chunk};

/// Most bytes of trailer fields after one body, line ends included.
const TRAILER_BYTES_MAX: usize = 8 * 1024;

/// Most trailer fields after one body.
const TRAILER_FIELDS_MAX: usize = 64;

/// What of a body is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BodyStep {
    /// Some of its data, which is not empty and shares the memory it was read into.
    Part(Bytes),
    /// More has to come first.
    More,
    /// The body is over, and so is the request.
    End,
}

impl RequestGuard {
    /// Takes the next part of the body off `input`, which begins where the part before ended.
    ///
    /// # Errors
    /// As [`RequestGuard::read_head`].
    pub(crate) fn read_body(&mut self, input: &mut BytesMut) -> Result<BodyStep, FaultKind> {
        if let Some(kind) = self.faulted {
            return Err(kind);
        }
        self.step_through(input).inspect_err(|kind| self.fail(*kind))
    }

    /// Bytes of data still to come, where that is known.
    pub(crate) fn body_left(&self) -> Option<u64> {
        match self.expecting {
            Expecting::RequestLine | Expecting::Fields => Some(0),
            Expecting::BodyBytes => Some(self.remaining),
            _ => None,
        }
    }

    fn step_through(&mut self, input: &mut BytesMut) -> Result<BodyStep, FaultKind> {
        loop {
            let Some(next) = input.first().copied() else {
                let over = matches!(self.expecting, Expecting::RequestLine | Expecting::Fields);
                return Ok(if over { BodyStep::End } else { BodyStep::More });
            };
            match self.expecting {
                Expecting::RequestLine | Expecting::Fields => return Ok(BodyStep::End),
                Expecting::BodyBytes | Expecting::ChunkBytes => {
                    return Ok(BodyStep::Part(self.take_data(input)));
                }
                Expecting::ChunkSize | Expecting::Trailers => {
                    if !self.take_line(input)? {
                        return Ok(BodyStep::More);
                    }
                }
                Expecting::ChunkEndCr if next == b'\r' => self.expect_after(input, Expecting::ChunkEndLf),
                Expecting::ChunkEndCr if next == b'\n' => return Err(FaultKind::BareLf),
                Expecting::ChunkEndLf if next == b'\n' => self.expect_after(input, Expecting::ChunkSize),
                Expecting::ChunkEndCr | Expecting::ChunkEndLf => return Err(FaultKind::ChunkEnd),
            }
        }
    }

    fn expect_after(&mut self, input: &mut BytesMut, expecting: Expecting) {
        input.advance(1);
        self.expecting = expecting;
    }

    fn take_data(&mut self, input: &mut BytesMut) -> Bytes {
        let taken = usize::try_from(self.remaining).map_or(input.len(), |left| left.min(input.len()));
        self.remaining = self.remaining.saturating_sub(u64::try_from(taken).unwrap_or(u64::MAX));
        if self.remaining == 0 {
            let in_chunk = self.expecting == Expecting::ChunkBytes;
            self.expecting = if in_chunk { Expecting::ChunkEndCr } else { Expecting::RequestLine };
        }
        input.split_to(taken).freeze()
    }

    /// Takes one line off `input`; whether there was a whole one.
    fn take_line(&mut self, input: &mut BytesMut) -> Result<bool, FaultKind> {
        let in_trailers = self.expecting == Expecting::Trailers;
        let (room, too_long) = if in_trailers {
            (TRAILER_BYTES_MAX.saturating_sub(self.section_bytes), FaultKind::TrailersTooLarge)
        } else {
            (chunk::LINE_BYTES_MAX, FaultKind::ChunkExtension)
        };
        let line_end = memchr::memchr(b'\n', input);
        let bytes = line_end.map_or(input.len(), |end| end.saturating_add(1));
        if bytes > room {
            return Err(too_long);
        }
        if line_end.is_none() {
            return Ok(false);
        }
        let line = input.get(..bytes).unwrap_or_default();
        let content = line.strip_suffix(b"\r\n").ok_or(FaultKind::BareLf)?;
        match (in_trailers, content.is_empty()) {
            (false, _) => self.chunk_line(content)?,
            (true, false) => self.trailer_line(content)?,
            (true, true) => self.expecting = Expecting::RequestLine,
        }
        if in_trailers {
            self.section_bytes = self.section_bytes.saturating_add(bytes);
        }
        input.advance(bytes);
        Ok(true)
    }

    fn chunk_line(&mut self, line: &[u8]) -> Result<(), FaultKind> {
        let chunk = chunk::check(line)?;
        self.section_bytes = self.section_bytes.saturating_add(chunk.extension_bytes);
        if self.section_bytes > chunk::EXTENSION_BYTES_MAX {
            return Err(FaultKind::ChunkExtension);
        }
        self.remaining = chunk.size;
        if chunk.size > 0 {
            self.expecting = Expecting::ChunkBytes;
        } else {
            self.section_bytes = 0;
            self.trailers = 0;
            self.expecting = Expecting::Trailers;
        }
        Ok(())
    }

    fn trailer_line(&mut self, line: &[u8]) -> Result<(), FaultKind> {
        if matches!(line.first(), Some(b' ' | b'\t')) {
            let first = self.trailers == 0;
            return Err(if first { FaultKind::LeadingWhitespace } else { FaultKind::ObsFold });
        }
        self.trailers = self.trailers.saturating_add(1);
        if self.trailers > TRAILER_FIELDS_MAX {
            return Err(FaultKind::TrailersTooLarge);
        }
        let trailer = field::check(line)?;
        if field::is_forbidden_in_trailers(trailer) { Err(FaultKind::TrailerField) } else { Ok(()) }
    }
}
