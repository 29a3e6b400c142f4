//! A language and a target into the pages of an overloaded site.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| floodwall_edge::fuzzing::page(data));
