//! The beginning of a packet, as sFlow samples it: Ethernet with VLAN tags, IPv4 or IPv6, ports and
//! TCP flags. What was cut off is left at 0.

use super::FlowRecord;
use super::bytes::Bytes;

const TAGS_MAX: usize = 3;
const TCP: u8 = 6;
const UDP: u8 = 17;

/// From the destination's hardware address on. `None` where it is no IP.
pub(super) fn ethernet(frame: &[u8]) -> Option<FlowRecord> {
    let mut bytes = Bytes::new(frame);
    bytes.skip(12).ok()?;
    for _ in 0..=TAGS_MAX {
        match bytes.u16().ok()? {
            0x0800 | 0x86DD => return ip(bytes.rest()),
            // VLAN tags: 802.1Q, 802.1ad, and what stood for it before.
            0x8100 | 0x88A8 | 0x9100 => bytes.skip(2).ok()?,
            _ => return None,
        }
    }
    None
}

/// From the IP header on.
pub(super) fn ip(packet: &[u8]) -> Option<FlowRecord> {
    match packet.first()? >> 4 {
        4 => v4(packet),
        6 => v6(packet),
        _ => None,
    }
}

fn v4(packet: &[u8]) -> Option<FlowRecord> {
    let header_bytes = usize::from(packet.first()? & 15) * 4;
    let mut bytes = Bytes::new(packet);
    bytes.skip(6).ok()?;
    let fragment = bytes.u16().ok()? & 0x1FFF;
    bytes.skip(1).ok()?;
    let protocol = bytes.u8().ok()?;
    bytes.skip(2).ok()?;
    let (source, destination) = (bytes.v4().ok()?, bytes.v4().ok()?);
    let record = FlowRecord { source, destination, protocol, ..FlowRecord::default() };
    // Only the first fragment has ports.
    let payload = packet.get(header_bytes..).filter(|_| fragment == 0 && header_bytes >= 20);
    Some(with_ports(record, payload.unwrap_or(&[])))
}

fn v6(packet: &[u8]) -> Option<FlowRecord> {
    /// Hop-by-hop options, routing, destination options: a length in units of eight bytes.
    const EXTENSIONS: [u8; 3] = [0, 43, 60];
    const EXTENSIONS_MAX: usize = 8;
    let mut bytes = Bytes::new(packet);
    bytes.skip(6).ok()?;
    let mut protocol = bytes.u8().ok()?;
    bytes.skip(1).ok()?;
    let (source, destination) = (bytes.v6().ok()?, bytes.v6().ok()?);
    for _ in 0..EXTENSIONS_MAX {
        if !EXTENSIONS.contains(&protocol) {
            break;
        }
        let (Ok(next), Ok(length)) = (bytes.u8(), bytes.u8()) else { break };
        if bytes.skip(6 + usize::from(length) * 8).is_err() {
            break;
        }
        protocol = next;
    }
    let record = FlowRecord { source, destination, protocol, ..FlowRecord::default() };
    Some(with_ports(record, bytes.rest()))
}

fn with_ports(mut record: FlowRecord, payload: &[u8]) -> FlowRecord {
    if !matches!(record.protocol, TCP | UDP) {
        return record;
    }
    if let [s1, s2, d1, d2, ..] = payload {
        record.source_port = u16::from_be_bytes([*s1, *s2]);
        record.destination_port = u16::from_be_bytes([*d1, *d2]);
    }
    if record.protocol == TCP {
        record.tcp_flags = payload.get(13).copied().unwrap_or(0);
    }
    record
}
