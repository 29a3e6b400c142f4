//! The line before each chunk of a chunked body (RFC 9112 7.1).

use super::fault::FaultKind;

/// Longest line before a chunk, extensions and line end included.
pub(super) const LINE_BYTES_MAX: usize = 256;

/// Most bytes of extensions in all chunks of one body together: nobody uses them, and each costs
/// reading for no data.
pub(super) const EXTENSION_BYTES_MAX: usize = 8 * 1024;

/// What a chunk-size line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ChunkLine {
    /// Bytes of data that follow; 0 for the last chunk.
    pub(super) size: u64,
    /// Bytes from the first semicolon to the line end.
    pub(super) extension_bytes: usize,
}

/// Checks a chunk-size line, given without its line end.
///
/// Stricter than the grammar, which has recipients tolerate whitespace around the semicolon: none
/// may follow the size, since parsers differ on what else they then skip.
pub(super) fn check(line: &[u8]) -> Result<ChunkLine, FaultKind> {
    if memchr::memchr(b'\r', line).is_some() {
        return Err(FaultKind::BareCr);
    }
    let digits = line.iter().position(|b| !b.is_ascii_hexdigit()).unwrap_or(line.len());
    let (size, extension) = line.split_at_checked(digits).ok_or(FaultKind::ChunkSize)?;
    if !matches!(extension.first(), None | Some(b';')) {
        return Err(FaultKind::ChunkSize);
    }
    // 16 digits fill 64 bits exactly; fewer than 2^63 are taken, as for Content-Length.
    if size.is_empty() || size.len() > 16 {
        return Err(FaultKind::ChunkSize);
    }
    let size = std::str::from_utf8(size).ok().and_then(|text| u64::from_str_radix(text, 16).ok());
    let size = size.filter(|&size| i64::try_from(size).is_ok()).ok_or(FaultKind::ChunkSize)?;
    if !extension.iter().all(|&b| b == b'\t' || (b' '..=b'~').contains(&b)) {
        return Err(FaultKind::ChunkExtension);
    }
    Ok(ChunkLine { size, extension_bytes: extension.len() })
}
