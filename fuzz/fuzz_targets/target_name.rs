//! Posts into the reader of what they assert: names, words, sizes; and statements into their linter.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| floodwall_assessment::fuzzing::post(data));
