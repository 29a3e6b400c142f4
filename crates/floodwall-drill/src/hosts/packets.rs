//! Packets written byte by byte, sent from the flood's namespace to the edge and nowhere else.
//!
//! Sources are in the half of the flood's network where nobody is (see [`NOBODY_FROM`]). The socket can
//! be had only from an [`OwnHost`], which has made sure that this process is in a namespace with no way
//! out.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};

use super::OwnHost;
use crate::plan::{NOBODY_FROM, Source};

/// Protocol numbers of IPv4 (RFC 790).
const TCP: u8 = 6;
const UDP: u8 = 17;
/// "Raw": the header that we write says which protocol it is.
const RAW: i32 = 255;

const IPV4_BYTES: u16 = 20;
const IPV6_BYTES: usize = 40;
/// With the option that every real client sends: its segment size.
const TCP_BYTES: u16 = 24;
const UDP_BYTES: u16 = 8;
/// Packets that may wait in the socket, in bytes.
const SEND_BUFFER_BYTES: usize = 4 << 20;
/// The largest payload: what fits an ordinary frame of 1,500 bytes, over IPv6 too.
const PAYLOAD_BYTES_MAX: u16 = 1_452;

/// A packet, without its addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packet {
    /// The first packet of a TCP connection.
    Syn {
        /// Port it claims to come from.
        from_port: u16,
        /// Port it is for.
        port: u16,
        /// Its sequence number.
        sequence: u32,
    },
    /// A datagram.
    Udp {
        /// Port it claims to come from.
        from_port: u16,
        /// Port it is for.
        port: u16,
        /// Bytes of payload, all zero; what would be more than a frame is left out.
        payload_bytes: u16,
    },
}

/// Sends packets to the edge.
#[derive(Debug)]
pub struct PacketSocket {
    socket: Socket,
    own: OwnHost,
    to: IpAddr,
}

impl PacketSocket {
    pub(super) fn open(own: OwnHost, v6: bool) -> io::Result<Self> {
        let any: IpAddr = if v6 { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
        let to = own.edge(any, 0).socket().ip();
        let socket = Socket::new(
            if to.is_ipv6() { Domain::IPV6 } else { Domain::IPV4 },
            Type::RAW,
            Some(Protocol::from(RAW)),
        )?;
        // With IPv6, "raw" says it already (rawv6_init_sk in Linux).
        if to.is_ipv4() {
            socket.set_header_included_v4(true)?;
        }
        socket.set_nonblocking(true)?;
        // Packets that wait for the edge's processor are the edge's trouble; the system cuts this to
        // the most that it allows.
        let _ = socket.set_send_buffer_size(SEND_BUFFER_BYTES);
        Ok(Self { socket, own, to })
    }

    /// Sends a packet that claims to come from `source`, which is taken into the half where nobody is.
    ///
    /// # Errors
    /// The operating system's: its queue is full, mostly.
    pub fn send(&self, source: Source, packet: Packet) -> io::Result<()> {
        let silent = match source {
            Source::V4(number) => Source::V4(number | NOBODY_FROM),
            Source::V6(number) => Source::V6(number | NOBODY_FROM),
        };
        let bytes = match (self.own.source(silent), self.to) {
            (IpAddr::V4(source), IpAddr::V4(to)) => packet.bytes(source, to),
            (IpAddr::V6(source), IpAddr::V6(to)) => packet.bytes_v6(source, to),
            _ => return Err(io::ErrorKind::Unsupported.into()),
        };
        self.socket.send_to(&bytes, &SocketAddr::from((self.to, 0)).into()).map(drop)
    }
}

impl Packet {
    /// TCP (RFC 9293) or UDP (RFC 768), its checksum zero.
    fn segment(self) -> (u8, Vec<u8>) {
        match self {
            Self::Syn { from_port, port, sequence } => (TCP, syn(from_port, port, sequence)),
            Self::Udp { from_port, port, payload_bytes } => {
                (UDP, datagram(from_port, port, payload_bytes.min(PAYLOAD_BYTES_MAX)))
            }
        }
    }

    /// The whole packet over IPv6 (RFC 8200).
    fn bytes_v6(self, source: Ipv6Addr, to: Ipv6Addr) -> Vec<u8> {
        let (protocol, mut segment) = self.segment();
        let length = u16::try_from(segment.len()).unwrap_or(u16::MAX);
        // The pseudo-header of section 8.1.
        let mut pseudo = [source.octets(), to.octets()].concat();
        pseudo.extend(u32::from(length).to_be_bytes());
        pseudo.extend([0, 0, 0, protocol]);
        pseudo.extend(&segment);
        // With UDP zero would mean that there is none, which IPv6 does not allow.
        let sum = match (protocol, checksum(&pseudo)) {
            (UDP, 0) => u16::MAX,
            (_, sum) => sum,
        };
        put(&mut segment, checksum_at(protocol), sum);
        let mut packet = Vec::with_capacity(IPV6_BYTES + segment.len());
        // Version 6, no traffic class, no flow; 64 hops.
        packet.extend([0x60, 0, 0, 0]);
        packet.extend(length.to_be_bytes());
        packet.extend([protocol, 64]);
        packet.extend(source.octets());
        packet.extend(to.octets());
        packet.extend(segment);
        packet
    }

    /// The whole packet over IPv4 (RFC 791).
    fn bytes(self, source: Ipv4Addr, to: Ipv4Addr) -> Vec<u8> {
        let (protocol, mut segment) = self.segment();
        let length = u16::try_from(segment.len()).unwrap_or(u16::MAX);
        let mut packet = Vec::with_capacity(usize::from(IPV4_BYTES) + segment.len());
        // Version 4, five words of header, no service class.
        packet.extend([0x45, 0]);
        packet.extend(IPV4_BYTES.saturating_add(length).to_be_bytes());
        // No identification, do not fragment, 64 hops.
        packet.extend([0, 0, 0x40, 0, 64, protocol, 0, 0]);
        packet.extend(source.octets());
        packet.extend(to.octets());
        let sum = checksum(&packet);
        put(&mut packet, 10, sum);
        // The pseudo-header that both protocols check with.
        let mut pseudo = [source.octets(), to.octets()].concat();
        pseudo.extend([0, protocol]);
        pseudo.extend(length.to_be_bytes());
        pseudo.extend(&segment);
        put(&mut segment, checksum_at(protocol), checksum(&pseudo));
        packet.extend(segment);
        packet
    }
}

fn syn(from_port: u16, port: u16, sequence: u32) -> Vec<u8> {
    let mut segment = Vec::with_capacity(usize::from(TCP_BYTES));
    segment.extend(from_port.to_be_bytes());
    segment.extend(port.to_be_bytes());
    segment.extend(sequence.to_be_bytes());
    // Acknowledges nothing; six words of header; SYN; the usual window; checksum and urgent pointer.
    segment.extend([0, 0, 0, 0, 0x60, 0x02, 0xfa, 0xf0, 0, 0, 0, 0]);
    // Segments of 1,460 bytes.
    segment.extend([2, 4, 0x05, 0xb4]);
    segment
}

fn datagram(from_port: u16, port: u16, payload_bytes: u16) -> Vec<u8> {
    let length = UDP_BYTES.saturating_add(payload_bytes);
    let mut segment = Vec::with_capacity(usize::from(length));
    for field in [from_port, port, length, 0] {
        segment.extend(field.to_be_bytes());
    }
    segment.resize(usize::from(length), 0);
    segment
}

/// Where in a segment its checksum is.
fn checksum_at(protocol: u8) -> usize {
    if protocol == TCP { 16 } else { 6 }
}

/// Writes a number at a place in what is there.
fn put(bytes: &mut [u8], at: usize, number: u16) {
    for (byte, value) in bytes.iter_mut().skip(at).zip(number.to_be_bytes()) {
        *byte = value;
    }
}

/// The internet checksum (RFC 1071) of bytes whose own checksum is zero.
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|pair| match pair {
        [high, low] => u32::from(u16::from_be_bytes([*high, *low])),
        [high] => u32::from(*high) << 8,
        _ => 0,
    });
    let sum: u32 = words.sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let folded = (folded & 0xffff) + (folded >> 16);
    !u16::try_from(folded).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hosts::{Host, HostsError, Network};

    const FROM: Ipv4Addr = Ipv4Addr::new(198, 19, 200, 7);
    const TO: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

    fn word(bytes: &[u8], at: usize) -> u16 {
        u16::from_be_bytes([bytes[at], bytes[at + 1]])
    }

    /// Sums to all ones where every checksum within is right (RFC 1071, section 1).
    fn sum(bytes: &[u8]) -> u16 {
        !checksum(bytes)
    }

    /// Source, destination, protocol and length, as both protocols check with.
    fn pseudo(packet: &[u8]) -> Vec<u8> {
        let segment = &packet[20..];
        let length = u16::try_from(segment.len()).unwrap().to_be_bytes();
        [&packet[12..20], &[0, packet[9]], &length, segment].concat()
    }

    #[test]
    fn the_checksum_is_the_one_of_a_packet_from_the_books() {
        let header = [
            0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11, 0x00, 0x00, 0xc0, 0xa8, 0x00, 0x01,
            0xc0, 0xa8, 0x00, 0xc7,
        ];
        assert_eq!(checksum(&header), 0xb861);
        assert_eq!(checksum(&[0xff]), 0x00ff);
        assert_eq!(checksum(&[0xff; 3_000]), 0);
    }

    #[test]
    fn a_syn_is_a_syn() {
        let packet = Packet::Syn { from_port: 40_000, port: 8_080, sequence: 0xdead_beef }.bytes(FROM, TO);
        assert_eq!(packet.len(), 44);
        assert_eq!((packet[0], word(&packet, 2), packet[9]), (0x45, 44, 6));
        assert_eq!((&packet[12..16], &packet[16..20]), (&FROM.octets()[..], &TO.octets()[..]));
        assert_eq!((word(&packet, 20), word(&packet, 22)), (40_000, 8_080));
        assert_eq!(&packet[24..28], [0xde, 0xad, 0xbe, 0xef]);
        // Six words long, the SYN flag and no other.
        assert_eq!((packet[32], packet[33]), (0x60, 0x02));
        assert_eq!((sum(&packet[..20]), sum(&pseudo(&packet))), (0xffff, 0xffff));
    }

    #[test]
    fn a_datagram_fits_a_frame() {
        for (asked, got) in [(0, 0), (7, 7), (1_400, 1_400), (60_000, PAYLOAD_BYTES_MAX)] {
            let packet = Packet::Udp { from_port: 53, port: 9, payload_bytes: asked }.bytes(FROM, TO);
            assert_eq!(packet.len(), usize::from(28 + got));
            assert_eq!((packet[9], word(&packet, 2), word(&packet, 24)), (17, 28 + got, 8 + got));
            assert_eq!((sum(&packet[..20]), sum(&pseudo(&packet))), (0xffff, 0xffff));
        }
    }

    #[test]
    fn over_ipv6_they_are_the_same_in_another_header() {
        let (from, to): (Ipv6Addr, Ipv6Addr) =
            ("2001:db8:2:8007::1".parse().unwrap(), "2001:db8:e::1".parse().unwrap());
        for (packet, protocol, length) in [
            (Packet::Syn { from_port: 40_000, port: 8_080, sequence: 7 }, 6, 24),
            (Packet::Udp { from_port: 53, port: 9, payload_bytes: 1_401 }, 17, 1_409),
            (Packet::Udp { from_port: 53, port: 9, payload_bytes: 60_000 }, 17, 8 + PAYLOAD_BYTES_MAX),
        ] {
            let bytes = packet.bytes_v6(from, to);
            assert_eq!(bytes.len(), 40 + usize::from(length));
            assert_eq!((bytes[0] >> 4, word(&bytes, 4), bytes[6], bytes[7]), (6, length, protocol, 64));
            assert_eq!((&bytes[8..24], &bytes[24..40]), (&from.octets()[..], &to.octets()[..]));
            // The same segment as over IPv4, but for its checksum.
            let mut segments = [packet.bytes(FROM, TO)[20..].to_vec(), bytes[40..].to_vec()];
            let pseudo = [&bytes[8..40], &[0, 0], &length.to_be_bytes(), &[0, 0, 0, protocol], &segments[1]];
            assert_eq!(sum(&pseudo.concat()), 0xffff, "{packet:?}");
            for segment in &mut segments {
                put(segment, checksum_at(protocol), 0);
            }
            assert_eq!(segments[0], segments[1]);
        }
    }

    #[test]
    fn packets_are_for_the_floods_own_namespace() {
        for (network, host) in [
            (Network::Loopback, Host::Flood),
            (Network::Loopback, Host::Visitors),
            (Network::Namespaces, Host::Visitors),
            (Network::Namespaces, Host::Edge),
        ] {
            let own = OwnHost { network, host };
            for v6 in [false, true] {
                assert!(matches!(own.packets(v6), Err(HostsError::NoPackets)), "{own:?}");
            }
        }
    }
}
