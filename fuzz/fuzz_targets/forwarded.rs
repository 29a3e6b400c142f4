//! Header lines about a request's way, from strangers and from trusted proxies.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| floodwall_edge::fuzzing::forwarded(data));
