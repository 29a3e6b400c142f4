//! `NetFlow` version 5: a header of 24 bytes and up to 30 records of 48.

use super::bytes::Bytes;
use super::{FlowFault, FlowRecord};

/// Records of one datagram.
const RECORDS_MAX: u16 = 30;

pub(super) fn read(mut bytes: Bytes<'_>, sink: &mut impl FnMut(&FlowRecord)) -> Result<(), FlowFault> {
    let count = bytes.u16()?;
    if count == 0 || count > RECORDS_MAX {
        return Err(FlowFault::Length);
    }
    let up_ms = bytes.u32()?;
    let (unix_s, nanos) = (bytes.u32()?, bytes.u32()?);
    let unix_micros = i64::from(unix_s) * 1_000_000 + i64::from(nanos / 1_000);
    bytes.skip(6)?; // sequence, engine
    let sampling = u32::from(bytes.u16()? & 0x3FFF).max(1);
    for _ in 0..count {
        let (source, destination) = (bytes.v4()?, bytes.v4()?);
        bytes.skip(4)?; // next hop
        let input_interface = bytes.u16()?.into();
        bytes.skip(2)?; // output interface
        let (packets, octets) = (bytes.u32()?, bytes.u32()?);
        let (first_ms, last_ms) = (bytes.u32()?, bytes.u32()?);
        let (source_port, destination_port) = (bytes.u16()?, bytes.u16()?);
        bytes.skip(1)?;
        let (tcp_flags, protocol) = (bytes.u8()?, bytes.u8()?);
        bytes.skip(9)?; // class of service, autonomous systems, masks
        let at = |ms| Some(since_start(unix_micros, up_ms, ms));
        sink(&FlowRecord {
            source,
            destination,
            source_port,
            destination_port,
            protocol,
            tcp_flags,
            packets: packets.into(),
            bytes: octets.into(),
            sampling,
            input_interface,
            first_unix_micros: at(first_ms),
            last_unix_micros: at(last_ms),
        });
    }
    Ok(())
}

/// A time in milliseconds since the router's start, by when it says it is now. The counter begins anew
/// after 49.7 days; a difference of less than half of that is meant.
pub(super) fn since_start(unix_micros: i64, up_ms: u32, at_ms: u32) -> i64 {
    let ago_ms = i64::from(up_ms.wrapping_sub(at_ms).cast_signed());
    unix_micros.saturating_sub(ago_ms * 1_000)
}
