//! A request's target into query hygiene.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| floodwall_edge::fuzzing::query(data));
