//! Floods of packets: one packet an arrival, to the edge, from an address where nobody is.

use crate::hosts::{HostsError, Packet, PacketSocket};
use crate::plan::FloodArrival;
use crate::random::{Chance, Seed};
use crate::scenario::FloodKind;

use super::Post;

/// Ports below are reserved; clients come from those above.
const PORTS_FROM: u16 = 1_024;
/// A name server's: what answers of a reflected flood claim to come from.
const DNS: u16 = 53;
/// Payload of a datagram: an answer of a name server that says much.
const PAYLOAD_BYTES: u16 = 1_400;

/// Sends the packets of one flood.
#[derive(Debug)]
pub(super) struct Packets {
    socket: PacketSocket,
    kind: FloodKind,
    port: u16,
    chance: Chance,
}

impl Packets {
    /// `None` for floods of another kind.
    pub(super) fn open(post: &Post, place: usize) -> Result<Option<Self>, HostsError> {
        let Some(flood) = post.plan.scenario.floods.get(place).filter(|flood| flood.kind.is_packets()) else {
            return Ok(None);
        };
        let port = post.tls.as_ref().filter(|_| post.plan.scenario.tls).map_or(post.port, |tls| tls.port);
        let stream = u64::try_from(place).unwrap_or(0);
        let chance = Seed(post.plan.seed).stream("packets", stream);
        Ok(Some(Self { socket: post.own.packets(flood.ipv6)?, kind: flood.kind, port, chance }))
    }

    /// Sends one; returns whether the system took it.
    pub(super) fn send(&mut self, arrival: &FloodArrival) -> bool {
        let mut port = || {
            let above = self.chance.below(u64::from(u16::MAX - PORTS_FROM));
            PORTS_FROM.saturating_add(u16::try_from(above).unwrap_or(0))
        };
        let packet = match self.kind {
            FloodKind::Udp => Packet::Udp { from_port: DNS, port: port(), payload_bytes: PAYLOAD_BYTES },
            _ => {
                let from_port = port();
                let sequence = u32::try_from(self.chance.below(1 << 32)).unwrap_or(0);
                Packet::Syn { from_port, port: self.port, sequence }
            }
        };
        self.socket.send(arrival.source, packet).is_ok()
    }
}
