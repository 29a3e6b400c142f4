//! An HTTP/2 connection's first frames, in different splits, into the reader of openings.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| floodwall_edge::fuzzing::http2_opening(data));
