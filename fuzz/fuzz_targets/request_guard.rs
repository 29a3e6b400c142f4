//! A connection's bytes, in different splits, into the request guard.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| floodwall_edge::fuzzing::request_guard(data));
