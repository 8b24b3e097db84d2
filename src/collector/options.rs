//! What exporters say about themselves in options records and counter samples: boot time, sampling, interface names, loss, timeouts.
//!
//! Names come from the network and go to a terminal: control characters are taken out and lengths are bounded here,
//! so that nobody behind has to think of it. Nothing here touches a flow record.

use std::collections::BTreeMap;

use crate::collector::normalize::plausible;
use crate::collector::room::Account;
use crate::flow::{Sampling, SamplingKind, SamplingSource, Timestamp};
use crate::ie::ElementId;
use crate::wire::template::Template;

/// How many names and rates one exporter may announce; those beyond are counted and left out.
pub const NAMES: usize = 4096;
/// Octets of a name that are kept.
pub const NAME_OCTETS: usize = 255;

/// Everything learned from the options records or counter samples of one exporter and domain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExporterFacts {
    /// When it booted (160).
    pub boot: Option<Timestamp>,
    /// The rate of the whole domain.
    pub sampling: Sampling,
    samplers: BTreeMap<u64, Sampling>,
    by_template: BTreeMap<u16, Sampling>,
    pub interfaces: BTreeMap<u32, String>,
    /// Bits per second, as sFlow's counter samples say.
    pub interface_speeds: BTreeMap<u32, u64>,
    /// Names and rates that found no room.
    pub refused: u64,
    /// Octets that names and rates take of the address's room.
    octets: usize,
}

/// Octets of a name, rate or speed besides the text: key and value in a tree that is half empty, and an allocation.
const FACT: usize = 128;

/// The fields of one options record that we read.
#[derive(Debug, Default)]
struct Reading {
    boot: Option<u64>,
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
    interface: Option<u64>,
    name: Option<String>,
}

impl ExporterFacts {
    /// The rate for a record: of its sampler, else of its template, else of the domain.
    pub(super) fn sampling(&self, sampler: Option<u64>, template: u16) -> Sampling {
        if let Some(sampling) = sampler.and_then(|id| self.samplers.get(&id)) {
            return *sampling;
        }
        if self.by_template.is_empty() {
            return self.sampling;
        }
        self.by_template.get(&template).copied().unwrap_or(self.sampling)
    }

    /// Takes one options record, cut into the fields of its template.
    pub(super) fn learn(&mut self, template: &Template, fields: &[&[u8]], room: &mut Account<'_>) {
        let mut reading = Reading::default();
        for (specifier, octets) in template.fields.iter().zip(fields) {
            reading.field(specifier.element, octets);
        }
        if let Some(boot) = reading.boot.and_then(|ms| i64::try_from(ms).ok()).filter(|&ms| ms != 0) {
            self.boot = Some(Timestamp(boot));
        }
        if let Some(sampling) = reading.sampling() {
            self.learn_sampling(&reading, sampling, room);
        }
        if let (Some(index), Some(name)) = (reading.interface, reading.name) {
            let index = u32::try_from(index).unwrap_or(0);
            self.name(index, name, room);
        }
    }

    /// Octets held of the address's room.
    pub(super) const fn octets(&self) -> usize {
        self.octets
    }

    /// Takes the name of an interface as sent.
    pub(super) fn learn_name(&mut self, index: u32, octets: &[u8], room: &mut Account<'_>) {
        let known = self.interfaces.get(&index);
        // It comes again with every counter sample.
        if known.is_some_and(|known| known.as_bytes() == octets) {
            return;
        }
        let name = printable(octets);
        if !name.is_empty() {
            self.name(index, name, room);
        }
    }

    /// Takes the speed of an interface in bits per second; 0 says nothing.
    pub(super) fn learn_speed(&mut self, index: u32, speed: u64, room: &mut Account<'_>) {
        if speed != 0 {
            let octets = keep(&mut self.interface_speeds, index, speed, |_| FACT, room);
            self.book(octets);
        }
    }

    fn name(&mut self, index: u32, name: String, room: &mut Account<'_>) {
        let octets = keep(&mut self.interfaces, index, name, |name| FACT.saturating_add(name.capacity()), room);
        self.book(octets);
    }

    fn learn_sampling(&mut self, reading: &Reading, sampling: Sampling, room: &mut Account<'_>) {
        let octets = match (reading.sampler, reading.template.and_then(|id| u16::try_from(id).ok())) {
            (Some(id), _) => keep(&mut self.samplers, id, sampling, |_| FACT, room),
            (None, Some(template)) => keep(&mut self.by_template, template, sampling, |_| FACT, room),
            (None, None) => {
                self.sampling = sampling;
                return;
            }
        };
        self.book(octets);
        // With one sampler, records that name none were sampled by it.
        if self.samplers.len() == 1 && reading.sampler.is_some_and(|id| self.samplers.contains_key(&id)) {
            self.sampling = sampling;
        }
    }

    /// Takes the octets that a fact holds more than before, or counts that it found no room.
    fn book(&mut self, octets: Option<(usize, usize)>) {
        match octets {
            Some((more, less)) => self.octets = self.octets.saturating_add(more).saturating_sub(less),
            None => self.refused = self.refused.saturating_add(1),
        }
    }
}

impl Reading {
    fn field(&mut self, element: ElementId, octets: &[u8]) {
        match element {
            // v9 scope "interface" and "template" name what the options are about.
            ElementId::V9Scope(2) => self.interface = self.interface.or_else(|| number(octets)),
            ElementId::V9Scope(5) => self.template = number(octets),
            ElementId::Iana(id) => self.iana(id, octets),
            ElementId::V9Scope(_) | ElementId::Vendor { .. } => {}
        }
    }

    fn iana(&mut self, id: u16, octets: &[u8]) {
        match id {
            160 => self.boot = number(octets),
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
            10 => self.interface = number(octets),
            82 => self.name = Some(printable(octets)).filter(|name| !name.is_empty()).or_else(|| self.name.take()),
            83 if self.name.is_none() => self.name = Some(printable(octets)).filter(|name| !name.is_empty()),
            _ => {}
        }
    }

    fn sampling(&self) -> Option<Sampling> {
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

/// Keeps a fact as long as there is room, and returns how many octets it took and gave back.
fn keep<K: Ord, T>(
    known: &mut BTreeMap<K, T>,
    key: K,
    fact: T,
    octets: impl Fn(&T) -> usize,
    room: &mut Account<'_>,
) -> Option<(usize, usize)> {
    let before = known.get(&key).map(&octets);
    let after = octets(&fact);
    if before == Some(after) {
        known.insert(key, fact);
        return Some((0, 0));
    }
    if before.is_none() && NAMES <= known.len() || !room.take(after) {
        return None;
    }
    room.give(before.unwrap_or(0));
    known.insert(key, fact);
    Some((after, before.unwrap_or(0)))
}

/// A number of one to eight octets; wider ones are no number that we read.
fn number(octets: &[u8]) -> Option<u64> {
    (1..=8).contains(&octets.len()).then(|| octets.iter().fold(0, |number, &octet| number << 8 | u64::from(octet)))
}

/// Text for people: up to the first NUL, ill-formed UTF-8 replaced (RFC 7011 §6.1.6), control characters taken out,
/// cut at [`NAME_OCTETS`].
pub(super) fn printable(octets: &[u8]) -> String {
    let text = octets.split(|&octet| octet == 0).next().unwrap_or_default();
    let text = text.get(..text.len().min(NAME_OCTETS)).unwrap_or_default();
    String::from_utf8_lossy(text).chars().filter(|c| !is_unsafe(*c)).collect::<String>().trim().to_owned()
}

/// Characters that would move the cursor, change colours, or turn the reading direction.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}
