//! Which information elements are read (IANA's IPFIX registry; `NetFlow` 9 has the same numbers), and
//! what they say of a record.

use super::FlowRecord;
use super::bytes::Bytes;
use super::netflow_v5::since_start;

/// When a datagram was sent, for times that are relative to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    pub(super) unix_micros: i64,
    /// Milliseconds since the exporter's start; `None` in IPFIX.
    pub(super) up_ms: Option<u32>,
}

/// What a record's fields have said so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Said {
    pub(super) record: FlowRecord,
    /// Some field was an address: without one it is no flow.
    pub(super) has_address: bool,
    /// What an option record says of sampling.
    pub(super) sampling: Option<u32>,
}

impl Said {
    /// Takes one field of a record.
    pub(super) fn take(&mut self, element: u16, mut value: Bytes<'_>, sent: Sent) {
        let number = value.number();
        let record = &mut self.record;
        match element {
            1 | 85 => record.bytes = number,
            2 | 86 => record.packets = number,
            4 => record.protocol = low_u8(number),
            6 => record.tcp_flags = low_u8(number),
            7 => record.source_port = low_u16(number),
            11 => record.destination_port = low_u16(number),
            10 => record.input_interface = u32::try_from(number).unwrap_or(0),
            8 => {
                if let Ok(address) = value.v4() {
                    (record.source, self.has_address) = (address, true);
                }
            }
            12 => {
                if let Ok(address) = value.v4() {
                    (record.destination, self.has_address) = (address, true);
                }
            }
            27 => {
                if let Ok(address) = value.v6() {
                    (record.source, self.has_address) = (address, true);
                }
            }
            28 => {
                if let Ok(address) = value.v6() {
                    (record.destination, self.has_address) = (address, true);
                }
            }
            34 | 50 | 305 => self.sampling = u32::try_from(number).ok().filter(|rate| *rate > 0),
            21 => record.last_unix_micros = up(number, sent),
            22 => record.first_unix_micros = up(number, sent),
            150 => record.first_unix_micros = scaled(number, 1_000_000),
            151 => record.last_unix_micros = scaled(number, 1_000_000),
            152 => record.first_unix_micros = scaled(number, 1_000),
            153 => record.last_unix_micros = scaled(number, 1_000),
            154 | 156 => record.first_unix_micros = ntp(number),
            155 | 157 => record.last_unix_micros = ntp(number),
            _ => {}
        }
    }
}

fn low_u8(number: u64) -> u8 {
    let [.., low] = number.to_be_bytes();
    low
}

fn low_u16(number: u64) -> u16 {
    let [.., high, low] = number.to_be_bytes();
    u16::from_be_bytes([high, low])
}

fn up(number: u64, sent: Sent) -> Option<i64> {
    Some(since_start(sent.unix_micros, sent.up_ms?, u32::try_from(number).ok()?))
}

fn scaled(number: u64, micros: i64) -> Option<i64> {
    i64::try_from(number).ok()?.checked_mul(micros)
}

/// Micro- and nanoseconds are sent in the form of NTP: seconds since 1900 and a binary fraction
/// (RFC 7011, section 6.1.9).
fn ntp(number: u64) -> Option<i64> {
    const UNIX_SINCE_1900_S: i64 = 2_208_988_800;
    let seconds = i64::try_from(number >> 32).ok()? - UNIX_SINCE_1900_S;
    let fraction = i64::try_from(((number & 0xFFFF_FFFF) * 1_000_000) >> 32).ok()?;
    Some(seconds * 1_000_000 + fraction)
}
