//! Formats of other tools, both ways: bytes in, values out, and back
