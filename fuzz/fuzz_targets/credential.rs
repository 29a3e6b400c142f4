//! A cookie or form field into the verifiers of tokens, tickets and solved challenges.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| floodwall_policy::fuzzing::credential(data));
