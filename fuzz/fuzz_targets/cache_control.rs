//! Cache-Control lines into the cache's reading of them.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| floodwall_edge::fuzzing::cache_control(data));
