//! sFlow version 5 (<https://sflow.org/sflow_version_5.txt>): samples of packets, each with how many
//! it stands for. Counter samples are passed over.

use super::bytes::Bytes;
use super::{FlowCounts, FlowFault, FlowRecord, frame};

/// What follows the version.
pub(super) fn read(
    mut bytes: Bytes<'_>,
    counts: &mut FlowCounts,
    sink: &mut impl FnMut(&FlowRecord),
) -> Result<(), FlowFault> {
    match bytes.u32()? {
        1 => bytes.skip(4)?,
        2 => bytes.skip(16)?,
        _ => return Err(FlowFault::Length),
    }
    bytes.skip(12)?; // sub-agent, sequence, time since its start
    let samples = bytes.u32()?;
    for _ in 0..samples {
        let (format, length) = (bytes.u32()?, length(&mut bytes)?);
        let sample = bytes.take(length)?;
        match format {
            1 => flow_sample(sample, false, counts, sink)?,
            3 => flow_sample(sample, true, counts, sink)?,
            _ => {}
        }
    }
    Ok(())
}

fn length(bytes: &mut Bytes<'_>) -> Result<usize, FlowFault> {
    usize::try_from(bytes.u32()?).map_err(|_| FlowFault::Length)
}

/// Numbers of interfaces and sources are twice as long in the expanded form.
fn flow_sample(
    mut sample: Bytes<'_>,
    is_expanded: bool,
    counts: &mut FlowCounts,
    sink: &mut impl FnMut(&FlowRecord),
) -> Result<(), FlowFault> {
    sample.skip(if is_expanded { 12 } else { 8 })?; // sequence, source
    let sampling = sample.u32()?.max(1);
    sample.skip(8)?; // pool, drops
    let input_interface = if is_expanded {
        sample.skip(4)?;
        sample.u32()?
    } else {
        // The two highest bits tell what the number is of.
        sample.u32()? & 0x3FFF_FFFF
    };
    sample.skip(if is_expanded { 8 } else { 4 })?; // output
    let records = sample.u32()?;
    let mut seen = None;
    for _ in 0..records {
        let (format, length) = (sample.u32()?, length(&mut sample)?);
        let data = sample.take(length)?;
        let record = match format {
            1 => raw_packet(data, counts)?,
            3 => sampled_ip(data, Bytes::v4)?,
            4 => sampled_ip(data, Bytes::v6)?,
            _ => None,
        };
        // The same packet may be told of in several ways.
        seen = seen.or(record);
    }
    if let Some(record) = seen {
        sink(&FlowRecord { sampling, input_interface, packets: 1, ..record });
    }
    Ok(())
}

/// The beginning of a packet as it was on the wire.
fn raw_packet(mut data: Bytes<'_>, counts: &mut FlowCounts) -> Result<Option<FlowRecord>, FlowFault> {
    const ETHERNET: u32 = 1;
    const IPV4: u32 = 11;
    const IPV6: u32 = 12;
    let (protocol, frame_bytes) = (data.u32()?, data.u32()?);
    data.skip(4)?; // stripped
    let length = length(&mut data)?;
    let header = data.take(length)?.rest();
    let record = match protocol {
        ETHERNET => frame::ethernet(header),
        IPV4 | IPV6 => frame::ip(header),
        _ => None,
    };
    counts.not_ip += u64::from(record.is_none());
    Ok(record.map(|record| FlowRecord { bytes: frame_bytes.into(), ..record }))
}

/// A packet whose addresses and ports the switch has read itself.
fn sampled_ip<'a>(
    mut data: Bytes<'a>,
    address: fn(&mut Bytes<'a>) -> Result<std::net::IpAddr, FlowFault>,
) -> Result<Option<FlowRecord>, FlowFault> {
    let (bytes, protocol) = (data.u32()?, data.u32()?);
    let (source, destination) = (address(&mut data)?, address(&mut data)?);
    let (source_port, destination_port, flags) = (data.u32()?, data.u32()?, data.u32()?);
    let port = |port: u32| u16::try_from(port).unwrap_or(0);
    Ok(Some(FlowRecord {
        source,
        destination,
        source_port: port(source_port),
        destination_port: port(destination_port),
        protocol: u8::try_from(protocol).unwrap_or(0),
        tcp_flags: u8::try_from(flags & 0xFF).unwrap_or(0),
        bytes: bytes.into(),
        ..FlowRecord::default()
    }))
}
