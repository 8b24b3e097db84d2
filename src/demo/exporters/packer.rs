//! Records and the templates that they need → datagrams of v9 and IPFIX, with the sequence numbers of each.
//!
//! It decides when a template comes again and when a datagram is full, and knows no field. Its input are the records
//! of the exporters beside it.

use std::collections::BTreeMap;

use crate::demo::exporters::{PAYLOAD, seconds, uptime};
use crate::flow::Timestamp;
use crate::ie::ElementId;
use crate::wire::emit::Message;
use crate::wire::template::{FieldSpecifier, Template, TemplateId};
use crate::wire::{ipfix, v9};

/// A template comes again before the next record that needs it once more than so many datagrams went out since
/// (`refresh-rate` of ipt_NETFLOW).
const REFRESH: u64 = 20;

/// What differs between v9 and IPFIX on the way into a datagram.
#[derive(Debug, Clone, Copy)]
pub(super) enum Protocol {
    /// Counts datagrams.
    V9 { boot: Timestamp, source_id: u32 },
    /// Counts data records.
    Ipfix { domain: u32 },
}

/// Fills datagrams with records, and with the templates that they need.
#[derive(Debug, Clone)]
pub(super) struct Packer {
    protocol: Protocol,
    sequence: u32,
    /// Datagrams and octets that went out.
    pub(super) datagrams: u64,
    pub(super) octets: u64,
    /// How many datagrams had gone out when a template was announced last.
    announced: BTreeMap<TemplateId, u64>,
    sets: Vec<Set>,
    /// Octets of the datagram with `sets` and their padding.
    length: usize,
    /// Records in `sets`, without templates and with them.
    records: u32,
    count: u16,
}

/// A set of the datagram being filled.
#[derive(Debug, Clone)]
enum Set {
    Template(Template),
    Data(TemplateId, Vec<u8>),
}

impl Packer {
    pub(super) fn new(protocol: Protocol) -> Self {
        let mut packer = Self {
            protocol,
            sequence: 0,
            datagrams: 0,
            octets: 0,
            announced: BTreeMap::new(),
            sets: Vec::new(),
            length: 0,
            records: 0,
            count: 0,
        };
        packer.length = packer.message(Timestamp(0)).length();
        packer
    }

    /// Adds one record, and its template before it when that is due. What does not fit begins the next datagram.
    pub(super) fn record(&mut self, now: Timestamp, template: &Template, octets: &[u8], datagrams: &mut Vec<Vec<u8>>) {
        if PAYLOAD < self.length + self.growth(template, octets) {
            self.flush(now, datagrams);
        }
        self.length += self.growth(template, octets);
        if self.is_due(template.id) {
            self.announced.insert(template.id, self.datagrams);
            self.sets.push(Set::Template(template.clone()));
            self.count += 1;
        }
        match self.sets.last_mut() {
            Some(Set::Data(id, body)) if *id == template.id => body.extend(octets),
            _ => self.sets.push(Set::Data(template.id, octets.to_vec())),
        }
        self.records += 1;
        self.count += 1;
    }

    /// Finishes the datagram, if there is something in it.
    pub(super) fn flush(&mut self, now: Timestamp, datagrams: &mut Vec<Vec<u8>>) {
        if self.sets.is_empty() {
            return;
        }
        let empty = self.message(now);
        self.length = empty.length();
        let full = self.sets.drain(..).fold(empty, |message, set| match set {
            Set::Template(template) => message.template(&template),
            Set::Data(id, records) => message.data(id, &records),
        });
        let octets = full.finish();
        self.datagrams += 1;
        self.octets += u64::try_from(octets.len()).unwrap_or(0);
        self.sequence = self.sequence.wrapping_add(match self.protocol {
            Protocol::V9 { .. } => 1,
            Protocol::Ipfix { .. } => self.records,
        });
        self.records = 0;
        self.count = 0;
        datagrams.push(octets);
    }

    /// A datagram with nothing but its header.
    fn message(&self, now: Timestamp) -> Message {
        let sequence = self.sequence;
        match self.protocol {
            Protocol::V9 { boot, source_id } => {
                // Both are cut to the second, so that the boot which they tell does not wander by up to one.
                let whole = Timestamp(now.0 - now.0.rem_euclid(1000));
                let uptime = uptime(whole, boot);
                Message::v9(v9::Header { count: self.count, uptime, seconds: seconds(whole), sequence, source_id })
            }
            Protocol::Ipfix { domain } => {
                Message::ipfix(ipfix::Header { length: 0, export_time: seconds(now), sequence, domain })
            }
        }
    }

    fn is_due(&self, id: TemplateId) -> bool {
        self.announced.get(&id).is_none_or(|&at| REFRESH < self.datagrams - at)
    }

    /// Octets that a record adds to the datagram.
    fn growth(&self, template: &Template, octets: &[u8]) -> usize {
        const SET_HEADER: usize = 4;
        let padded = |length: usize| length.next_multiple_of(4);
        match self.sets.last() {
            _ if self.is_due(template.id) => {
                let empty = self.message(Timestamp(0));
                let header = empty.length();
                empty.template(template).length() - header + SET_HEADER + padded(octets.len())
            }
            Some(Set::Data(id, body)) if *id == template.id => padded(body.len() + octets.len()) - padded(body.len()),
            _ => SET_HEADER + padded(octets.len()),
        }
    }
}

/// The templates of one exporter, numbered as they are first needed.
#[derive(Debug, Clone)]
pub(super) struct Templates<S>(BTreeMap<S, Template>);

impl<S> Default for Templates<S> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<S: Ord> Templates<S> {
    /// `fields` gives the number of scope fields and all fields.
    pub(super) fn of(&mut self, shape: S, fields: impl FnOnce() -> (usize, Vec<(u16, u16)>)) -> &Template {
        let next = TemplateId::FIRST + u16::try_from(self.0.len()).unwrap_or(0);
        self.0.entry(shape).or_insert_with(|| {
            let (scopes, fields) = fields();
            let field = |(id, length)| FieldSpecifier { element: ElementId::Iana(id), length };
            Template { id: TemplateId(next), scopes, fields: fields.into_iter().map(field).collect() }
        })
    }
}
