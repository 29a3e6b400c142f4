//! Datagrams into the readers of NetFlow, IPFIX and sFlow.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| floodwall_exchange::fuzzing::flow(data));
