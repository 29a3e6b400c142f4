//! Flow telemetry of routers and switches: `NetFlow` version 5 and 9 (RFC 3954), IPFIX (RFC 7011) and
//! sFlow version 5, each datagram into [`FlowRecord`]s of one form.
//!
//! For those whose router sees more than the host. A reader of our own: the crates there are read
//! clocks by themselves, which a pure crate must not, and keep more of a datagram than is asked here.
//!
//! Datagrams are a stranger's bytes. What is malformed ends the datagram, not the reader; what a
//! template has not described yet is passed over and counted. Memory is bounded: [`TEMPLATES_MAX`]
//! templates of at most [`FIELDS_MAX`] fields, the oldest forgotten first. UDP has no proof of who
//! sent: take datagrams only from routers that are named in the settings.

mod bytes;
mod fields;
mod frame;
mod netflow_v5;
mod sflow;
mod templates;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr};

use bytes::Bytes;
use templates::Templates;
pub use templates::{FIELDS_MAX, TEMPLATES_MAX};

/// Packets of one direction between two addresses and ports, as a router counted them. What was not
/// told is 0 or `None`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowRecord {
    /// Who sent.
    pub source: IpAddr,
    /// Who was sent to.
    pub destination: IpAddr,
    /// Port of the sender; 0 where the protocol has none.
    pub source_port: u16,
    /// Port of the receiver; 0 where the protocol has none.
    pub destination_port: u16,
    /// IP protocol number: 6 TCP, 17 UDP, 1 and 58 ICMP.
    pub protocol: u8,
    /// All TCP flags that were seen, in their places in the TCP header.
    pub tcp_flags: u8,
    /// Packets that were counted, before they are multiplied by `sampling`.
    pub packets: u64,
    /// Bytes of these packets.
    pub bytes: u64,
    /// One packet in so many was counted; 1 where the exporter says nothing of sampling.
    pub sampling: u32,
    /// The interface the packets came in by.
    pub input_interface: u32,
    /// First packet, microseconds since 1970.
    pub first_unix_micros: Option<i64>,
    /// Last packet, microseconds since 1970.
    pub last_unix_micros: Option<i64>,
}

impl Default for FlowRecord {
    fn default() -> Self {
        let nobody = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        Self {
            source: nobody,
            destination: nobody,
            source_port: 0,
            destination_port: 0,
            protocol: 0,
            tcp_flags: 0,
            packets: 0,
            bytes: 0,
            sampling: 1,
            input_interface: 0,
            first_unix_micros: None,
            last_unix_micros: None,
        }
    }
}

impl FlowRecord {
    /// Packets there were, as far as sampling tells.
    #[must_use]
    pub fn packets_estimated(&self) -> u64 {
        self.packets.saturating_mul(u64::from(self.sampling.max(1)))
    }

    /// Bytes there were, as far as sampling tells.
    #[must_use]
    pub fn bytes_estimated(&self) -> u64 {
        self.bytes.saturating_mul(u64::from(self.sampling.max(1)))
    }
}

/// Why a datagram, or what is left of it, cannot be read. One closed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum FlowFault {
    /// Something is shorter than it says it is.
    #[error("the datagram is cut off")]
    CutOff,
    /// Neither of the versions that are read.
    #[error("version {0} of flow telemetry is not read; NetFlow 5 and 9, IPFIX (10) and sFlow 5 are")]
    Version(u32),
    /// A length that cannot be.
    #[error("a length in the datagram cannot be")]
    Length,
}

/// What reading datagrams came to. Every figure only grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlowCounts {
    /// Datagrams read, with or without faults.
    pub datagrams: u64,
    /// Of these, with a fault: what stood before it was read.
    pub faults: u64,
    /// Records given out.
    pub records: u64,
    /// Sets of records passed over because no template described them yet.
    pub without_template: u64,
    /// Templates forgotten because there were too many.
    pub templates_forgotten: u64,
    /// Samples of packets that are neither IPv4 nor IPv6.
    pub not_ip: u64,
}

/// Reads the datagrams of all exporters.
#[derive(Debug, Default)]
pub struct FlowReader {
    templates: Templates,
    counts: FlowCounts,
}

impl FlowReader {
    /// A reader that knows no template yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads one datagram that came from `exporter`, and gives each record to `sink`.
    ///
    /// # Errors
    /// The datagram is malformed from some place on; records before it have been given out.
    pub fn read(
        &mut self,
        exporter: IpAddr,
        datagram: &[u8],
        mut sink: impl FnMut(&FlowRecord),
    ) -> Result<(), FlowFault> {
        self.counts.datagrams += 1;
        let mut records = 0;
        let mut counting = |record: &FlowRecord| {
            records += 1;
            sink(record);
        };
        let outcome = self.read_versions(exporter, datagram, &mut counting);
        self.counts.records += records;
        self.counts.faults += u64::from(outcome.is_err());
        self.counts.templates_forgotten = self.templates.forgotten();
        outcome
    }

    /// What reading came to so far.
    #[must_use]
    pub fn counts(&self) -> FlowCounts {
        self.counts
    }

    /// Templates that are known now, of all exporters together.
    #[must_use]
    pub fn templates(&self) -> usize {
        self.templates.len()
    }

    fn read_versions(
        &mut self,
        exporter: IpAddr,
        datagram: &[u8],
        sink: &mut impl FnMut(&FlowRecord),
    ) -> Result<(), FlowFault> {
        let mut bytes = Bytes::new(datagram);
        match bytes.u16()? {
            5 => netflow_v5::read(bytes, sink),
            9 => templates::read_v9(bytes, exporter, &mut self.templates, &mut self.counts, sink),
            10 => templates::read_ipfix(bytes, exporter, &mut self.templates, &mut self.counts, sink),
            // sFlow has its version in four bytes.
            0 => match bytes.u16()? {
                5 => sflow::read(bytes, &mut self.counts, sink),
                other => Err(FlowFault::Version(other.into())),
            },
            other => Err(FlowFault::Version(other.into())),
        }
    }
}
