//! A datagram, read from its beginning. Numbers are big-endian.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::FlowFault;

#[derive(Clone, Copy, Debug)]
pub(super) struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// What is left.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// The next so many bytes.
    pub(super) fn take(&mut self, length: usize) -> Result<Bytes<'a>, FlowFault> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(FlowFault::CutOff)?;
        self.0 = rest;
        Ok(Bytes(taken))
    }

    pub(super) fn skip(&mut self, length: usize) -> Result<(), FlowFault> {
        self.take(length).map(|_| ())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], FlowFault> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(FlowFault::CutOff)?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(super) fn u8(&mut self) -> Result<u8, FlowFault> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    pub(super) fn u16(&mut self) -> Result<u16, FlowFault> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, FlowFault> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn v4(&mut self) -> Result<IpAddr, FlowFault> {
        self.array::<4>().map(|octets| IpAddr::V4(Ipv4Addr::from(octets)))
    }

    pub(super) fn v6(&mut self) -> Result<IpAddr, FlowFault> {
        self.array::<16>().map(|octets| IpAddr::V6(Ipv6Addr::from(octets)).to_canonical())
    }

    /// All of it as one number; a longer one than 64 bits keeps the lower ones.
    pub(super) fn number(&self) -> u64 {
        self.0.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
    }
}
