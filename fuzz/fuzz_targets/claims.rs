//! Files of claims into the readers of Telegram exports, feeds, tables and lists of targets.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| floodwall_exchange::fuzzing::claims(data));
