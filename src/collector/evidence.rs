//! From which octets a flow was made: its record is looked for in its datagram, with the template that is known.
//!
//! It changes nothing and counts nothing: a datagram is read once more, record by record, until one gives the flow. What
//! options records and the operator said is not asked, since it changes neither who talked nor how much.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::collector::normalize::{self, Context};
use crate::collector::options::ExporterFacts;
use crate::collector::plan::{self, Plan, Registers};
use crate::collector::{Collector, sflow};
use crate::flow::{FlowRecord, Sampling, Timestamp, Version};
use crate::wire::reader::Reader;
use crate::wire::sflow::{Datagram, Sample};
use crate::wire::template::{FieldSpecifier, Template, TemplateId};
use crate::wire::{self, Part, Set, ipfix, v5, v9};

/// The record that a flow was made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// As it was sent; of sFlow the whole sample.
    pub octets: Box<[u8]>,
    /// Where it begins in its datagram, and how long that is.
    pub offset: usize,
    pub datagram: usize,
    /// What cuts it into fields; `None` where the layout is fixed.
    pub template: Option<Arc<Template>>,
}

impl Evidence {
    /// The fields of the template with the octets that each of them has.
    pub fn fields(&self) -> Vec<(FieldSpecifier, &[u8])> {
        let Some(template) = &self.template else { return Vec::new() };
        let mut fields = Vec::with_capacity(template.fields.len());
        // The record was cut by this very template.
        let _ = template.record(&mut Reader::new(&self.octets, 0), |at, octets| {
            fields.extend(template.fields.get(at).map(|field| (*field, octets)));
        });
        fields
    }
}

/// How sure it must be that a record gives the flow.
#[derive(Debug, Clone, Copy)]
enum Likeness {
    /// All but the sampling rate.
    Whole,
    /// Who and how much, where the times depend on what an options record told.
    Figures,
}

/// What is looked for, and where.
struct Search<'a> {
    flow: &'a FlowRecord,
    likeness: Likeness,
    /// Octets of the datagram.
    length: usize,
    template: &'a dyn Fn(TemplateId) -> Option<Arc<Template>>,
}

impl Collector {
    /// The record of `payload` that gave `flow`, in a datagram that `from` sent when the flow was received. `None` when
    /// none of its records does, or when its template has changed since.
    pub fn evidence(&self, from: SocketAddr, payload: &[u8], flow: &FlowRecord) -> Option<Evidence> {
        if from.ip().to_canonical() != flow.exporter {
            return None;
        }
        let template = |id: TemplateId| {
            let all = self.hosts.get(&flow.exporter)?.templates();
            let mut own = all.filter(|known| (known.domain, known.version) == (flow.domain, flow.version));
            own.find(|known| known.template.id == id).map(|known| known.template)
        };
        [Likeness::Whole, Likeness::Figures].into_iter().find_map(|likeness| {
            Search { flow, likeness, length: payload.len(), template: &template }.datagram(payload)
        })
    }
}

impl Search<'_> {
    fn datagram(&self, payload: &[u8]) -> Option<Evidence> {
        let is_of = wire::version(payload) == Some(self.flow.version.number());
        match self.flow.version {
            Version::Sflow if payload.starts_with(&wire::sflow::VERSION) => self.sflow(payload),
            Version::V1 if is_of => self.fixed(&v5::Packet::parse_v1(payload).ok()?, normalize::v1),
            Version::V5 if is_of => self.fixed(&v5::Packet::parse(payload).ok()?, normalize::v5),
            Version::V7 if is_of => self.fixed(&v5::Packet::parse_v7(payload).ok()?, normalize::v5),
            Version::V9 if is_of => {
                let packet = v9::Packet::parse(payload).ok()?;
                self.is_domain(packet.header.source_id)?;
                let export = normalize::from_seconds(packet.header.seconds, self.flow.received);
                let boot = export.plus(i64::from(packet.header.uptime).saturating_neg());
                packet.sets().map_while(Result::ok).find_map(|set| self.set(set, (export, Some(boot))))
            }
            Version::Ipfix if is_of => {
                let message = ipfix::Message::parse(payload).ok()?;
                self.is_domain(message.header.domain)?;
                let export = normalize::from_seconds(message.header.export_time, self.flow.received);
                message.sets().map_while(Result::ok).find_map(|set| self.set(set, (export, None)))
            }
            _ => None,
        }
    }

    fn is_domain(&self, domain: u32) -> Option<()> {
        (self.flow.domain.0 == domain).then_some(())
    }

    fn blank(&self) -> FlowRecord {
        FlowRecord::blank(self.flow.received, self.flow.exporter, self.flow.domain, self.flow.version)
    }

    fn is_it(&self, made: &FlowRecord) -> bool {
        let wanted = self.flow;
        match self.likeness {
            Likeness::Whole => FlowRecord { sampling: wanted.sampling, ..*made } == *wanted,
            Likeness::Figures => (made.key, made.counts) == (wanted.key, wanted.counts),
        }
    }

    fn found(&self, octets: &[u8], offset: usize, template: Option<Arc<Template>>) -> Evidence {
        Evidence { octets: octets.into(), offset, datagram: self.length, template }
    }

    fn fixed<const N: usize>(
        &self,
        packet: &v5::Packet<'_, N>,
        normalize: impl Fn(&[u8; N], &Context<'_>, Sampling) -> FlowRecord,
    ) -> Option<Evidence> {
        let header = packet.header;
        let nanos = i64::from(header.nanoseconds.checked_div(1_000_000).unwrap_or(0)).min(999);
        let export = normalize::from_seconds(header.seconds, self.flow.received).plus(nanos);
        let boot = Some(export.plus(i64::from(header.uptime).saturating_neg()));
        let facts = ExporterFacts::default();
        let context =
            Context { blank: self.blank(), export, boot, rates: facts.rates.of_set(0), is_biflow_turned: false };
        let records = packet.records();
        let at = records.iter().position(|record| self.is_it(&normalize(record, &context, self.flow.sampling)))?;
        let behind = records.len().saturating_sub(at).saturating_mul(N).saturating_add(packet.trailing);
        Some(self.found(records.get(at)?, self.length.saturating_sub(behind), None))
    }

    fn sflow(&self, payload: &[u8]) -> Option<Evidence> {
        let datagram = Datagram::parse(payload).ok()?;
        self.is_domain(datagram.header.sub_agent)?;
        datagram.samples.map_while(Result::ok).find_map(|structure| {
            let Ok(Sample::Flow(sample)) = Sample::parse(structure) else { return None };
            let made = sflow::flow(sample, self.blank()).ok()?;
            let mut body = structure.body;
            let offset = body.offset();
            let octets = body.bytes(body.remaining(), Part::Sample).ok()?;
            self.is_it(&made).then(|| self.found(octets, offset, None))
        })
    }

    fn set(&self, set: Set<'_>, (export, boot): (Timestamp, Option<Timestamp>)) -> Option<Evidence> {
        let template = (set.id >= TemplateId::FIRST).then(|| (self.template)(TemplateId(set.id))).flatten()?;
        let plan = plan::compile(&template);
        if template.is_options() || !plan.is_flow() {
            return None;
        }
        let mut reader = Reader::new(set.body, set.offset);
        let mut registers = Registers::new();
        while template.shortest() <= reader.remaining() {
            let (offset, before) = (reader.offset(), reader);
            load(&plan, &template, &mut reader, &mut registers)?;
            if self.is_made(&plan, &registers, (export, boot)) {
                let length = before.remaining().saturating_sub(reader.remaining());
                let mut record = before;
                let octets = record.bytes(length, Part::Record).ok()?;
                return Some(self.found(octets, offset, Some(template)));
            }
        }
        None
    }

    /// Whether a record gives the flow, as it stands or with its directions turned.
    fn is_made(&self, plan: &Plan, registers: &Registers, (export, boot): (Timestamp, Option<Timestamp>)) -> bool {
        let facts = ExporterFacts::default();
        let mut made = Vec::with_capacity(4);
        for is_biflow_turned in [false, true] {
            let blank = FlowRecord { time_source: normalize::time_source(plan, boot), ..self.blank() };
            let rates = facts.rates.of_set(0);
            normalize::push(plan, registers, &Context { blank, export, boot, rates, is_biflow_turned }, &mut made);
        }
        made.iter().any(|made| self.is_it(made))
    }
}

/// Fills the registers from the next record.
fn load(plan: &Plan, template: &Template, reader: &mut Reader<'_>, registers: &mut Registers) -> Option<()> {
    match plan.size {
        Some(size) => plan.each(size, reader.bytes(size, Part::Record).ok()?, registers, |_| {}),
        None => plan.load_variable(template, reader, &mut Vec::new(), registers).ok()?,
    }
    Some(())
}
