//! Bytes into the readers of access logs and of plain counts.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| floodwall_exchange::fuzzing::access_log(data));
