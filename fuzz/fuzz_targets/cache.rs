//! Request and answer headers into the cache: what is stored, and to whom it is shown.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| floodwall_edge::fuzzing::cache(data));
