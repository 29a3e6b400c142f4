//! Formats of other tools, both ways: bytes in, values out, and back.
//!
//! Pure: nothing here opens a file or reads a clock. Texts that came from the network are escaped
//! here, at the border, so that no reader of a file or terminal is misled by them.

pub mod access_log;
pub mod claims;
pub mod flow;
#[doc(hidden)]
pub mod fuzzing;
