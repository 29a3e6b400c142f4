//! An origin's answer into the edge: the same however it is split, and framed without doubt.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| floodwall_edge::fuzzing::origin_answer(data));
