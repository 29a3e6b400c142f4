//! A proxied connection's first bytes, in every split, into the reader of PROXY protocol headers.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| floodwall_edge::fuzzing::proxy_header(data));
