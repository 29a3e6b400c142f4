//! Crawlers' published ranges, and what a request's traits are taken from.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| floodwall_policy::fuzzing::known_good(data));
