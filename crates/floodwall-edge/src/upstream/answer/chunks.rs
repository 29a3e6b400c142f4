//! The chunked transfer coding (RFC 9112 section 7.1), read as the bytes come.
//!
//! Strict: line ends are CRLF, sizes are hexadecimal digits and nothing else. Blanks between a size
//! and its line end are taken, because servers pad sizes with them.

use bytes::{Buf, Bytes, BytesMut};

use super::AnswerFault;
use crate::plain::is_token_byte;

/// Most bytes of extensions in all chunks of one body together: nobody uses them, and each costs
/// reading for no data.
pub(super) const EXTENSION_BYTES_MAX: u32 = 16 * 1024;

/// Most digits and blanks of one size: a 64-bit number has 16 digits, some servers pad it.
const SIZE_BYTES_MAX: u8 = 32;

/// Most bytes of trailers.
pub(super) const TRAILER_BYTES_MAX: u32 = 16 * 1024;

/// Where in the coding the bytes stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expecting {
    /// A chunk's size, its first digit or any.
    FirstDigit,
    Size,
    Blanks,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    /// The first byte of a trailer's line.
    Trailers,
    TrailerName,
    TrailerValue,
    TrailerLf,
    LastLf,
    Nothing,
}

/// How far a chunked body has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chunks {
    expecting: Expecting,
    /// The chunk's size as far as read, then what is left of its data.
    size: u64,
    size_bytes: u8,
    extension_bytes: u32,
    trailer_bytes: u32,
}

impl Default for Chunks {
    fn default() -> Self {
        Self {
            expecting: Expecting::FirstDigit,
            size: 0,
            size_bytes: 0,
            extension_bytes: 0,
            trailer_bytes: 0,
        }
    }
}

impl Chunks {
    pub(crate) fn is_done(&self) -> bool {
        self.expecting == Expecting::Nothing
    }

    /// Takes the next part of the data off `input`, and all of the coding up to it and after it.
    ///
    /// # Errors
    /// The bytes are not this coding.
    pub(super) fn take(&mut self, input: &mut BytesMut) -> Result<Option<Bytes>, AnswerFault> {
        self.skip_coding(input)?;
        if self.expecting != Expecting::Data || input.is_empty() {
            return Ok(None);
        }
        let taken = usize::try_from(self.size).unwrap_or(usize::MAX).min(input.len());
        self.size = self.size.saturating_sub(u64::try_from(taken).unwrap_or(u64::MAX));
        if self.size == 0 {
            self.expecting = Expecting::DataCr;
        }
        let data = input.split_to(taken).freeze();
        // So that the end of the body is known together with its last part, where both are there.
        self.skip_coding(input)?;
        Ok(Some(data))
    }

    fn skip_coding(&mut self, input: &mut BytesMut) -> Result<(), AnswerFault> {
        let mut skipped = 0;
        for &byte in input.iter() {
            if matches!(self.expecting, Expecting::Data | Expecting::Nothing) {
                break;
            }
            self.step(byte)?;
            skipped += 1;
        }
        input.advance(skipped);
        Ok(())
    }

    fn step(&mut self, byte: u8) -> Result<(), AnswerFault> {
        self.expecting = match (self.expecting, byte) {
            (Expecting::FirstDigit | Expecting::Size, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                self.size_digit(byte)?
            }
            (Expecting::Size | Expecting::Blanks, b' ' | b'\t') => self.count_size(Expecting::Blanks)?,
            (Expecting::Size | Expecting::Blanks, b';') => self.count_extension(Expecting::Extension)?,
            (Expecting::Size | Expecting::Blanks | Expecting::Extension, b'\r') => Expecting::SizeLf,
            (Expecting::Extension, b'\n' | 0) => return Err(AnswerFault::ChunkExtensions),
            (Expecting::Extension, _) => self.count_extension(Expecting::Extension)?,
            (Expecting::SizeLf, b'\n') => {
                self.size_bytes = 0;
                if self.size == 0 { Expecting::Trailers } else { Expecting::Data }
            }
            (Expecting::FirstDigit | Expecting::Size | Expecting::Blanks | Expecting::SizeLf, _) => {
                return Err(AnswerFault::ChunkSize);
            }
            (Expecting::DataCr, b'\r') => Expecting::DataLf,
            (Expecting::DataLf, b'\n') => Expecting::FirstDigit,
            (Expecting::DataCr | Expecting::DataLf, _) => return Err(AnswerFault::ChunkEnd),
            (Expecting::Trailers, b'\r') => Expecting::LastLf,
            (Expecting::TrailerName, b':') => Expecting::TrailerValue,
            (Expecting::Trailers | Expecting::TrailerName, _) if is_token_byte(byte) => {
                self.count_trailer(Expecting::TrailerName)?
            }
            (Expecting::TrailerValue, b'\r') => Expecting::TrailerLf,
            (Expecting::TrailerValue, _) if byte == b'\t' || !byte.is_ascii_control() => {
                self.count_trailer(Expecting::TrailerValue)?
            }
            (Expecting::Trailers | Expecting::TrailerName | Expecting::TrailerValue, _) => {
                return Err(AnswerFault::Trailers);
            }
            (Expecting::TrailerLf, b'\n') => Expecting::Trailers,
            (Expecting::LastLf, b'\n') => Expecting::Nothing,
            (Expecting::TrailerLf | Expecting::LastLf, _) => return Err(AnswerFault::Trailers),
            (Expecting::Data | Expecting::Nothing, _) => self.expecting,
        };
        Ok(())
    }

    fn size_digit(&mut self, byte: u8) -> Result<Expecting, AnswerFault> {
        let digit = char::from(byte).to_digit(16).ok_or(AnswerFault::ChunkSize)?;
        // Below 2^59 before, so below 2^63 after: as for Content-Length.
        if self.size >= 1 << 59 {
            return Err(AnswerFault::ChunkSize);
        }
        self.size = (self.size << 4) | u64::from(digit);
        self.count_size(Expecting::Size)
    }

    fn count_size(&mut self, next: Expecting) -> Result<Expecting, AnswerFault> {
        self.size_bytes = self.size_bytes.saturating_add(1);
        if self.size_bytes > SIZE_BYTES_MAX { Err(AnswerFault::ChunkSize) } else { Ok(next) }
    }

    fn count_extension(&mut self, next: Expecting) -> Result<Expecting, AnswerFault> {
        self.extension_bytes = self.extension_bytes.saturating_add(1);
        if self.extension_bytes > EXTENSION_BYTES_MAX { Err(AnswerFault::ChunkExtensions) } else { Ok(next) }
    }

    fn count_trailer(&mut self, next: Expecting) -> Result<Expecting, AnswerFault> {
        self.trailer_bytes = self.trailer_bytes.saturating_add(1);
        if self.trailer_bytes > TRAILER_BYTES_MAX { Err(AnswerFault::Trailers) } else { Ok(next) }
    }
}
