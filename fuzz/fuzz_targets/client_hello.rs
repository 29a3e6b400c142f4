//! A TLS connection's first bytes, in different splits, into the reader of hellos and the TLS library.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| floodwall_edge::fuzzing::client_hello(data));
