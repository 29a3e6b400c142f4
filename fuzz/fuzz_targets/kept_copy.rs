//! Bytes of a file into the reading of a kept copy.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| floodwall_edge::fuzzing::kept_copy(data));
