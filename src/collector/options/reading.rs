//! One options record: its fields by number → what it says, and of what.
//!
//! Nothing is kept here, and no rate wins over another. The input is the fields of one record with their elements.

use crate::collector::options::Said;
use crate::collector::options::names::{NameKind, printable};
use crate::collector::options::rates::{Scope, plausible};
use crate::flow::{Sampling, SamplingKind, SamplingSource};
use crate::ie::ElementId;

/// The fields of one options record that we read.
#[derive(Debug, Default)]
pub(super) struct Reading {
    pub(super) boot: Option<u64>,
    pub(super) biflow: Option<u64>,
    pub(super) said: Said,
    interval: Option<u64>,
    packet_interval: Option<u64>,
    packet_space: Option<u64>,
    sampled: Option<u64>,
    population: Option<u64>,
    flow_interval: Option<u64>,
    flow_space: Option<u64>,
    flow_selector: bool,
    sampler: Option<u64>,
    template: Option<u64>,
    metering: Option<u64>,
    exporting: Option<u64>,
    /// The interface in the scope, which is what a rate is about.
    scope_interface: Option<u64>,
    /// The interface wherever it stands, which is what a name is about.
    interface: Option<u64>,
    interface_name: Text,
    application: Option<u64>,
    application_name: Text,
    vrf: Option<u64>,
    vrf_name: Text,
}

/// A name, or what describes it where there is no name.
#[derive(Debug, Default)]
struct Text {
    name: String,
    description: String,
}

impl Text {
    fn take(self) -> String {
        if self.name.is_empty() { self.description } else { self.name }
    }
}

impl Reading {
    pub(super) fn field(&mut self, is_scope: bool, element: ElementId, octets: &[u8]) {
        match element {
            // v9 scope "interface" and "template" name what the options are about.
            ElementId::V9Scope(2) => self.interface(true, octets),
            ElementId::V9Scope(5) => self.template = number(octets),
            ElementId::Iana(id) => self.iana(is_scope, id, octets),
            ElementId::V9Scope(_) | ElementId::Vendor { .. } => {}
        }
    }

    fn iana(&mut self, is_scope: bool, id: u16, octets: &[u8]) {
        match id {
            160 => self.boot = number(octets),
            239 => self.biflow = number(octets),
            34 | 50 => self.interval = number(octets),
            305 => self.packet_interval = number(octets),
            306 => self.packet_space = number(octets),
            309 => self.sampled = number(octets),
            310 => self.population = number(octets),
            390 => self.flow_selector = true,
            396 => self.flow_interval = number(octets),
            397 => self.flow_space = number(octets),
            48 | 302 => self.sampler = number(octets),
            145 => self.template = number(octets),
            143 => self.metering = number(octets),
            144 => self.exporting = number(octets),
            10 => self.interface(is_scope, octets),
            14 if is_scope => self.interface(is_scope, octets),
            82 => self.interface_name.name = printable(octets),
            83 => self.interface_name.description = printable(octets),
            95 => self.application = number(octets),
            96 => self.application_name.name = printable(octets),
            94 => self.application_name.description = printable(octets),
            234 | 235 => self.vrf = self.vrf.or_else(|| number(octets)),
            236 => self.vrf_name.name = printable(octets),
            _ => {
                if let Some((_, _, count)) = self.said.fields().into_iter().find(|(element, ..)| *element == id) {
                    *count = number(octets);
                }
            }
        }
    }

    fn interface(&mut self, is_scope: bool, octets: &[u8]) {
        let index = number(octets);
        self.interface = self.interface.or(index);
        if is_scope {
            self.scope_interface = self.scope_interface.or(index);
        }
    }

    /// What the record calls things.
    pub(super) fn names(self) -> impl Iterator<Item = (NameKind, u64, String)> {
        [
            (NameKind::Interface, self.interface, self.interface_name),
            (NameKind::Application, self.application, self.application_name),
            (NameKind::Vrf, self.vrf, self.vrf_name),
        ]
        .into_iter()
        .filter_map(|(kind, id, text)| Some((kind, id?, text.take())))
    }

    /// What a rate in the record is about, most particular first. Interface 0 is none.
    pub(super) fn scope(&self) -> Scope {
        let template = || self.template.and_then(|id| u16::try_from(id).ok()).map(Scope::Template);
        let index = || self.scope_interface.and_then(|index| u32::try_from(index).ok()).filter(|&index| index != 0);
        self.sampler
            .map(Scope::Sampler)
            .or_else(template)
            .or_else(|| index().map(Scope::Interface))
            .or_else(|| self.metering.map(Scope::MeteringProcess))
            .or_else(|| self.exporting.map(Scope::ExportingProcess))
            .unwrap_or(Scope::Domain)
    }

    /// Whether its numbers are those of the whole domain or a process in it, and not of one template or interface.
    pub(super) const fn is_of_whole(&self) -> bool {
        self.template.is_none() && self.scope_interface.is_none()
    }

    pub(super) fn sampling(&self) -> Option<Sampling> {
        let ratio = |whole: u64, part: u64| whole.checked_div(part);
        let spaced = |interval: Option<u64>, space: Option<u64>| match (interval, space) {
            (Some(interval), Some(space)) => ratio(interval.saturating_add(space), interval),
            (interval, None) => interval,
            (None, Some(_)) => None,
        };
        let flow = spaced(self.flow_interval, self.flow_space);
        let n_of_n = self.sampled.zip(self.population).and_then(|(n, of)| ratio(of, n));
        let rate = flow.or(n_of_n).or_else(|| spaced(self.packet_interval, self.packet_space)).or(self.interval)?;
        let kind = if flow.is_some() || self.flow_selector { SamplingKind::Flow } else { SamplingKind::Packet };
        Some(Sampling { rate: plausible(rate)?, kind, source: SamplingSource::Options })
    }
}

/// A number of one to eight octets; wider ones are no number that we read.
fn number(octets: &[u8]) -> Option<u64> {
    (1..=8).contains(&octets.len()).then(|| octets.iter().fold(0, |number, &octet| number << 8 | u64::from(octet)))
}
