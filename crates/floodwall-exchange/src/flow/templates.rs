//! `NetFlow` version 9 and IPFIX: exporters describe their records first, in templates, and send them
//! after that.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use super::bytes::Bytes;
use super::fields::{Said, Sent};
use super::{FlowCounts, FlowFault, FlowRecord};

/// Templates that are remembered, of all exporters together.
pub const TEMPLATES_MAX: usize = 1_024;
/// Fields of a template; a longer one is not taken.
pub const FIELDS_MAX: usize = 128;

/// A length that stands for one that each record tells by itself.
const VARIABLE: u16 = 0xFFFF;
/// From here on a set's number is that of the template that describes it.
const DATA_FROM: u16 = 256;

/// Whose template it is: exporter, observation domain (source ID), number.
type Key = (IpAddr, u32, u16);

#[derive(Clone, Copy, Debug)]
struct Field {
    /// 0 for those of enterprises, which are not read.
    element: u16,
    length: u16,
}

#[derive(Clone, Debug)]
struct Template {
    fields: Vec<Field>,
    /// Records of options say something of the exporter, not of a flow.
    is_options: bool,
}

impl Template {
    /// Bytes of the shortest record.
    fn bytes_min(&self) -> usize {
        let of = |field: &Field| if field.length == VARIABLE { 1 } else { usize::from(field.length) };
        self.fields.iter().map(of).sum()
    }
}

/// The templates of all exporters, the oldest forgotten first.
#[derive(Debug, Default)]
pub(super) struct Templates {
    known: HashMap<Key, Template>,
    oldest_first: VecDeque<Key>,
    /// One packet in so many, by exporter and domain.
    sampling: HashMap<(IpAddr, u32), u32>,
    forgotten: u64,
}

impl Templates {
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    pub(super) fn forgotten(&self) -> u64 {
        self.forgotten
    }

    fn learn(&mut self, key: Key, template: Template) {
        // A record of no bytes would never end.
        if template.bytes_min() == 0 {
            return;
        }
        if self.known.insert(key, template).is_none() {
            self.oldest_first.push_back(key);
        }
        while self.oldest_first.len() > TEMPLATES_MAX {
            if let Some(oldest) = self.oldest_first.pop_front() {
                self.known.remove(&oldest);
                self.forgotten += 1;
            }
        }
    }

    fn learn_sampling(&mut self, exporter: IpAddr, domain: u32, rate: u32) {
        if self.sampling.len() < TEMPLATES_MAX || self.sampling.contains_key(&(exporter, domain)) {
            self.sampling.insert((exporter, domain), rate);
        }
    }
}

/// The datagram that is being read.
struct Datagram<'t, S> {
    exporter: IpAddr,
    domain: u32,
    sent: Sent,
    is_ipfix: bool,
    templates: &'t mut Templates,
    counts: &'t mut FlowCounts,
    sink: &'t mut S,
}

/// What follows the version of a `NetFlow` 9 datagram.
pub(super) fn read_v9(
    mut bytes: Bytes<'_>,
    exporter: IpAddr,
    templates: &mut Templates,
    counts: &mut FlowCounts,
    sink: &mut impl FnMut(&FlowRecord),
) -> Result<(), FlowFault> {
    bytes.skip(2)?; // count of records; the sets tell their lengths
    let up_ms = bytes.u32()?;
    let unix_micros = i64::from(bytes.u32()?) * 1_000_000;
    bytes.skip(4)?; // sequence
    let domain = bytes.u32()?;
    let sent = Sent { unix_micros, up_ms: Some(up_ms) };
    Datagram { exporter, domain, sent, is_ipfix: false, templates, counts, sink }.sets(bytes)
}

/// What follows the version of an IPFIX message.
pub(super) fn read_ipfix(
    mut bytes: Bytes<'_>,
    exporter: IpAddr,
    templates: &mut Templates,
    counts: &mut FlowCounts,
    sink: &mut impl FnMut(&FlowRecord),
) -> Result<(), FlowFault> {
    let length = usize::from(bytes.u16()?);
    let mut bytes = bytes.take(length.checked_sub(4).ok_or(FlowFault::Length)?)?;
    let unix_micros = i64::from(bytes.u32()?) * 1_000_000;
    bytes.skip(4)?; // sequence
    let domain = bytes.u32()?;
    let sent = Sent { unix_micros, up_ms: None };
    Datagram { exporter, domain, sent, is_ipfix: true, templates, counts, sink }.sets(bytes)
}

impl<S: FnMut(&FlowRecord)> Datagram<'_, S> {
    fn sets(&mut self, mut bytes: Bytes<'_>) -> Result<(), FlowFault> {
        while bytes.len() >= 4 {
            let (number, length) = (bytes.u16()?, usize::from(bytes.u16()?));
            let set = bytes.take(length.checked_sub(4).ok_or(FlowFault::Length)?)?;
            match (number, self.is_ipfix) {
                (0, false) | (2, true) => self.template_set(set)?,
                (1, false) => self.options_v9(set)?,
                (3, true) => self.options_ipfix(set)?,
                (DATA_FROM.., _) => self.data(number, set)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn template_set(&mut self, mut set: Bytes<'_>) -> Result<(), FlowFault> {
        // What is shorter than a template's head is padding.
        while set.len() >= 4 {
            let (number, count) = (set.u16()?, set.u16()?);
            if number < DATA_FROM {
                // Padding again, or nothing that describes a set.
                return Ok(());
            }
            let fields = self.fields(&mut set, count)?;
            self.learn(number, fields, false);
        }
        Ok(())
    }

    /// RFC 3954, section 6.1: the lengths of scopes and options are in bytes.
    fn options_v9(&mut self, mut set: Bytes<'_>) -> Result<(), FlowFault> {
        while set.len() >= 6 {
            let (number, scopes, options) = (set.u16()?, set.u16()?, set.u16()?);
            if number < DATA_FROM {
                return Ok(());
            }
            let mut fields = self.fields(&mut set, scopes / 4)?;
            // Scopes have numbers of their own.
            fields.iter_mut().for_each(|field| field.element = 0);
            fields.append(&mut self.fields(&mut set, options / 4)?);
            self.learn(number, fields, true);
        }
        Ok(())
    }

    /// RFC 7011, section 3.4.2.2.
    fn options_ipfix(&mut self, mut set: Bytes<'_>) -> Result<(), FlowFault> {
        while set.len() >= 6 {
            let (number, count, _scopes) = (set.u16()?, set.u16()?, set.u16()?);
            if number < DATA_FROM {
                return Ok(());
            }
            let fields = self.fields(&mut set, count)?;
            self.learn(number, fields, true);
        }
        Ok(())
    }

    /// So many field specifiers; all are read, though a template that has too many is not taken.
    fn fields(&self, set: &mut Bytes<'_>, count: u16) -> Result<Vec<Field>, FlowFault> {
        let mut fields = Vec::new();
        for _ in 0..count {
            let (mut element, length) = (set.u16()?, set.u16()?);
            if self.is_ipfix && element & 0x8000 != 0 {
                set.skip(4)?; // enterprise
                element = 0;
            }
            if fields.len() <= FIELDS_MAX {
                fields.push(Field { element, length });
            }
        }
        Ok(fields)
    }

    fn learn(&mut self, number: u16, fields: Vec<Field>, is_options: bool) {
        let key = (self.exporter, self.domain, number);
        if fields.len() <= FIELDS_MAX {
            self.templates.learn(key, Template { fields, is_options });
        }
    }

    fn data(&mut self, number: u16, mut set: Bytes<'_>) -> Result<(), FlowFault> {
        let Some(template) = self.templates.known.get(&(self.exporter, self.domain, number)) else {
            self.counts.without_template += 1;
            return Ok(());
        };
        let bytes_min = template.bytes_min();
        let sampling = self.templates.sampling.get(&(self.exporter, self.domain)).copied();
        let mut learnt = None;
        // What is shorter than a record is padding.
        while set.len() >= bytes_min {
            let mut said = Said::default();
            for field in &template.fields {
                let length = if field.length == VARIABLE && self.is_ipfix {
                    variable(&mut set)?
                } else {
                    usize::from(field.length)
                };
                said.take(field.element, set.take(length)?, self.sent);
            }
            if template.is_options {
                learnt = said.sampling.or(learnt);
            } else if said.has_address {
                said.record.sampling = said.sampling.or(sampling).unwrap_or(1);
                (self.sink)(&said.record);
            }
        }
        if let Some(rate) = learnt {
            self.templates.learn_sampling(self.exporter, self.domain, rate);
        }
        Ok(())
    }
}

/// The length of a field that tells its own (RFC 7011, section 7).
fn variable(set: &mut Bytes<'_>) -> Result<usize, FlowFault> {
    match set.u8()? {
        255 => set.u16().map(usize::from),
        short => Ok(short.into()),
    }
}
