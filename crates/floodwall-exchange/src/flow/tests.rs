use proptest::prelude::*;

use super::*;

const ROUTER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 254));

/// A datagram in pieces.
#[derive(Clone, Default)]
struct Made(Vec<u8>);

impl Made {
    fn u8(mut self, number: u8) -> Self {
        self.0.push(number);
        self
    }

    fn u16(mut self, numbers: impl IntoIterator<Item = u16>) -> Self {
        numbers.into_iter().for_each(|number| self.0.extend(number.to_be_bytes()));
        self
    }

    fn u32(mut self, numbers: impl IntoIterator<Item = u32>) -> Self {
        numbers.into_iter().for_each(|number| self.0.extend(number.to_be_bytes()));
        self
    }

    fn bytes(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.0.extend(bytes.as_ref());
        self
    }

    fn v4(self, address: &str) -> Self {
        let address: Ipv4Addr = address.parse().unwrap();
        self.bytes(address.octets())
    }

    fn v6(self, address: &str) -> Self {
        let address: std::net::Ipv6Addr = address.parse().unwrap();
        self.bytes(address.octets())
    }

    /// A set, or a sample, with its length before it.
    fn set(self, number: u16, inside: &Made) -> Self {
        let length = u16::try_from(inside.0.len() + 4).unwrap();
        self.u16([number, length]).bytes(&inside.0)
    }

    fn sample(self, format: u32, inside: &Made) -> Self {
        let length = u32::try_from(inside.0.len()).unwrap();
        self.u32([format, length]).bytes(&inside.0)
    }
}

fn ipfix(sets: &Made) -> Made {
    let length = u16::try_from(sets.0.len() + 16).unwrap();
    Made::default().u16([10, length]).u32([1_667_916_000, 1, 7]).bytes(&sets.0)
}

fn v9(sets: &Made) -> Made {
    Made::default().u16([9, 1]).u32([60_000, 1_667_916_000, 1, 7]).bytes(&sets.0)
}

fn read(reader: &mut FlowReader, datagram: &Made) -> (Vec<FlowRecord>, Result<(), FlowFault>) {
    let mut records = Vec::new();
    let outcome = reader.read(ROUTER, &datagram.0, |record| records.push(*record));
    (records, outcome)
}

fn syn() -> FlowRecord {
    FlowRecord {
        source: "203.0.113.9".parse().unwrap(),
        destination: "192.0.2.1".parse().unwrap(),
        source_port: 40_000,
        destination_port: 443,
        protocol: 6,
        tcp_flags: 2,
        packets: 10,
        bytes: 600,
        sampling: 1,
        input_interface: 3,
        first_unix_micros: Some(1_667_915_990_000_000),
        last_unix_micros: Some(1_667_915_999_000_000),
    }
}

#[test]
fn netflow_5() {
    let header = Made::default().u16([5, 1]).u32([60_000, 1_667_916_000, 0, 1]).u16([0, 0x4064]);
    let record = Made::default().v4("203.0.113.9").v4("192.0.2.1").v4("0.0.0.0").u16([3, 4]);
    let record = record.u32([10, 600, 50_000, 59_000]).u16([40_000, 443]).bytes([0, 2, 6, 0]);
    let record = record.u16([0, 0]).bytes([0, 0, 0, 0]);
    let datagram = header.clone().bytes(&record.0);
    assert_eq!(datagram.0.len(), 72);
    let mut reader = FlowReader::new();
    let expected = FlowRecord { sampling: 100, ..syn() };
    assert_eq!(read(&mut reader, &datagram), (vec![expected], Ok(())));
    assert_eq!((expected.packets_estimated(), expected.bytes_estimated()), (1_000, 60_000));
    for (length, fault) in [(71, FlowFault::CutOff), (1, FlowFault::CutOff), (0, FlowFault::CutOff)] {
        let cut = Made(datagram.0[..length].to_vec());
        assert_eq!(read(&mut reader, &cut), (vec![], Err(fault)), "{length}");
    }
    let many = Made::default().u16([5, 31]).bytes(&header.0[4..]);
    assert_eq!(read(&mut reader, &many).1, Err(FlowFault::Length));
    assert_eq!(read(&mut reader, &Made::default().u16([8, 1])).1, Err(FlowFault::Version(8)));
    assert_eq!(reader.counts(), FlowCounts { datagrams: 6, faults: 5, records: 1, ..FlowCounts::default() });
}

/// The fields of `syn`, with times since the router's start.
fn template_v9() -> Made {
    let fields = [8, 4, 12, 4, 7, 2, 11, 2, 4, 1, 6, 1, 2, 4, 1, 4, 10, 2, 22, 4, 21, 4];
    Made::default().u16([300, 11]).u16(fields)
}

fn data_v9() -> Made {
    let data = Made::default().v4("203.0.113.9").v4("192.0.2.1").u16([40_000, 443]).u8(6).u8(2);
    data.u32([10, 600]).u16([3]).u32([50_000, 59_000])
}

#[test]
fn netflow_9_with_templates_options_and_padding() {
    let mut reader = FlowReader::new();
    let data = Made::default().set(300, &data_v9());
    assert_eq!(read(&mut reader, &v9(&data)), (vec![], Ok(())), "not described yet");
    assert_eq!(reader.counts().without_template, 1);
    let described =
        Made::default().set(0, &template_v9()).set(300, &data_v9().bytes(&data_v9().0).bytes([0, 0]));
    assert_eq!(read(&mut reader, &v9(&described)), (vec![syn(), syn()], Ok(())));
    // Options: scope 1 (system) of 4 bytes, sampling interval of 4.
    let options = Made::default().u16([301, 4, 4, 1, 4, 34, 4]);
    let sampled = Made::default().set(1, &options).set(301, &Made::default().u32([1, 64]));
    assert_eq!(read(&mut reader, &v9(&sampled)), (vec![], Ok(())));
    assert_eq!(read(&mut reader, &v9(&data)).0, [FlowRecord { sampling: 64, ..syn() }]);
    // Templates are their exporter's own.
    let mut others = Vec::new();
    reader.read([192, 0, 2, 253].into(), &v9(&data).0, |record| others.push(*record)).unwrap();
    assert!(others.is_empty());
}

#[test]
fn ipfix_with_enterprise_fields_and_lengths_of_their_own() {
    let fields = Made::default().u16([400, 7]).u16([27, 16, 28, 16, 0x8001, 0xFFFF]).u32([9]);
    let fields = fields.u16([4, 1, 11, 2, 152, 8, 2, 8]);
    let data = Made::default().v6("2001:db8::1").v6("2001:db8::2").u8(3).bytes("abc").u8(17).u16([53]);
    let data = data.u32([388, 1_456_906_240]).u32([0, 5]);
    let long = Made::default().v6("2001:db8::1").v6("2001:db8::2").u8(255).u16([300]).bytes([7; 300]);
    let long = long.u8(17).u16([53]).u32([388, 1_456_906_240]).u32([0, 5]);
    let message = ipfix(&Made::default().set(2, &fields).set(400, &data.bytes(&long.0)));
    let mut reader = FlowReader::new();
    let (records, outcome) = read(&mut reader, &message);
    assert_eq!(outcome, Ok(()));
    let expected = FlowRecord {
        source: "2001:db8::1".parse().unwrap(),
        destination: "2001:db8::2".parse().unwrap(),
        destination_port: 53,
        protocol: 17,
        packets: 5,
        first_unix_micros: Some((388 << 32 | 1_456_906_240) * 1_000),
        ..FlowRecord::default()
    };
    assert_eq!(records, [expected, expected]);
    let mut cut = message;
    cut.0.truncate(60);
    assert_eq!(read(&mut reader, &cut).1, Err(FlowFault::CutOff));
}

#[test]
fn templates_are_bounded_and_none_describes_nothing() {
    let mut reader = FlowReader::new();
    let empty = Made::default().set(0, &Made::default().u16([300, 1, 8, 0])).set(300, &data_v9());
    assert_eq!(read(&mut reader, &v9(&empty)), (vec![], Ok(())));
    for number in 0..u16::try_from(TEMPLATES_MAX).unwrap() + 5 {
        let template = Made::default().set(0, &Made::default().u16([256 + number, 1, 8, 4]));
        read(&mut reader, &v9(&template)).1.unwrap();
    }
    assert_eq!(reader.counts().templates_forgotten, 5);
    assert_eq!(reader.templates(), TEMPLATES_MAX);
    let many = Made::default().u16([60_000, 200]).u16([8_u16, 4].repeat(200));
    read(&mut reader, &v9(&Made::default().set(0, &many))).1.unwrap();
    assert_eq!(reader.counts().templates_forgotten, 5, "one of too many fields is not taken");
}

fn sflow(samples: &[Made]) -> Made {
    let header = Made::default().u32([5, 1]).v4("192.0.2.254").u32([0, 1, 1]);
    let count = u32::try_from(samples.len()).unwrap();
    samples.iter().fold(header.u32([count]), |made, sample| made.bytes(&sample.0))
}

/// `syn` as it is on the wire, with a VLAN tag before it.
fn frame() -> Made {
    let frame = Made::default().bytes([0; 12]).u16([0x8100, 5, 0x0800]);
    let frame = frame.bytes([0x45, 0, 0, 40, 0, 1, 0x40, 0, 64, 6, 0, 0]).v4("203.0.113.9").v4("192.0.2.1");
    frame.u16([40_000, 443]).u32([1, 0]).bytes([0x50, 2]).bytes([0; 6])
}

#[test]
fn sflow_5_samples() {
    let length = u32::try_from(frame().0.len()).unwrap();
    let raw = Made::default().u32([1, 64, 4, length]).bytes(&frame().0).bytes([0, 0]);
    let sampled = Made::default().u32([60, 6]).v4("203.0.113.9").v4("192.0.2.1").u32([40_000, 443, 2, 0]);
    let arp = Made::default().u32([1, 64, 4, 14]).bytes([0; 12]).u16([0x0806]).bytes([0, 0]);
    let one = |format, inside: &Made| {
        let head = Made::default().u32([1, 2, 512, 1_000, 0, 3, 4, 1]);
        Made::default().sample(1, &head.sample(format, inside))
    };
    let expanded = Made::default().u32([1, 0, 2, 512, 1_000, 0, 0, 3, 0, 4, 1]).sample(1, &raw);
    let counters = Made::default().sample(2, &Made::default().u32([1, 2, 3]));
    let datagram = sflow(&[
        one(1, &raw),
        counters,
        one(3, &sampled),
        Made::default().sample(3, &expanded),
        one(1, &arp),
    ]);
    let mut reader = FlowReader::new();
    let (records, outcome) = read(&mut reader, &datagram);
    assert_eq!(outcome, Ok(()));
    let expected = |bytes| FlowRecord {
        packets: 1,
        bytes,
        sampling: 512,
        first_unix_micros: None,
        last_unix_micros: None,
        ..syn()
    };
    assert_eq!(records, [expected(64), expected(60), expected(64)]);
    assert_eq!(reader.counts().not_ip, 1);
}

#[test]
fn packets_of_ipv6_are_read_through_their_extensions() {
    let packet =
        Made::default().u32([0x6000_0000]).u16([0]).bytes([0, 64]).v6("2001:db8::1").v6("2001:db8::2");
    let packet = packet.bytes([17, 0, 0, 0, 0, 0, 0, 0]).u16([5_353, 53, 8, 0]);
    let record = frame::ip(&packet.0).unwrap();
    assert_eq!((record.protocol, record.source_port, record.destination_port), (17, 5_353, 53));
    let fragment = [&[0x45, 0, 0, 40, 0, 1, 0x00, 0x10, 64, 17, 0, 0][..], &[1; 16]].concat();
    assert_eq!(frame::ip(&fragment).unwrap().destination_port, 0);
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic_and_within_bounds(
        datagrams in prop::collection::vec((0..5_usize, prop::collection::vec(any::<u8>(), 0..300)), 1..8),
    ) {
        let mut reader = FlowReader::new();
        let template = v9(&Made::default().set(0, &template_v9()));
        read(&mut reader, &template).1.unwrap();
        for (kind, bytes) in datagrams {
            let inside = Made(bytes.clone());
            let datagram = match kind {
                0 => inside,
                1 => v9(&inside),
                2 => ipfix(&inside),
                3 => v9(&Made::default().set(300, &inside)),
                _ => sflow(&[Made::default().sample(1, &inside)]),
            };
            let mut records = 0;
            let _ = reader.read(ROUTER, &datagram.0, |_| records += 1);
            // A record takes at least a byte of its datagram.
            prop_assert!(records <= datagram.0.len());
        }
        prop_assert!(reader.templates() <= TEMPLATES_MAX);
    }
}
