//! What exporters say about themselves in options records and counter samples: boot time, sampling, names, loss, timeouts.
//!
//! Which rate wins stands in `rates`, how names are made fit for a terminal in [`names`]. Nothing here touches a flow
//! record. The input is options records, cut into fields by their template.

pub mod names;
mod rates;
mod reading;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::collector::options::names::{NAME_OCTETS, NameKind, Names, printable};
use crate::collector::options::rates::Scope;
pub(super) use crate::collector::options::rates::{Named, Rates, SetRates};
pub use crate::collector::options::rates::{Overrides, plausible};
use crate::collector::options::reading::Reading;
use crate::collector::room::Account;
use crate::flow::{Sampling, Timestamp};
use crate::ie::ElementId;
use crate::wire::template::Template;

/// How many names one exporter and domain may announce, how many rates, and how many speeds of interfaces; those beyond
/// are left out and counted. A rate that finds no room holds for the domain.
pub const FACTS: usize = 4096;
/// How many unknown elements are kept per exporter and domain; those beyond are left out and counted.
pub const UNKNOWN: usize = 256;

/// Everything learned from the options records or counter samples of one exporter and domain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExporterFacts {
    /// When it booted (160).
    pub boot: Option<Timestamp>,
    /// Shared with the accounts, which are copied each second.
    pub names: Arc<Names>,
    pub said: Said,
    /// Bits per second, as sFlow's counter samples say.
    pub interface_speeds: BTreeMap<u32, u64>,
    /// Elements that templates used and the registry does not know (RFC 7011 §9), with the length in the template.
    pub unknown: BTreeSet<(ElementId, u16)>,
    /// Names, rates, speeds and unknown elements that found no room.
    pub refused: u64,
    /// Whether the source of biflows is the responder (239, RFC 5103 §6.3).
    pub(super) is_biflow_turned: bool,
    pub(super) rates: Rates,
    /// Octets that all of it takes of the address's room.
    octets: usize,
}

/// Octets of a rate, speed or element: key and value in a tree that is half empty.
const FACT: usize = 128;
/// Octets of a name, the longest one; the accounts hold a second copy for a moment when one has changed.
const NAME: usize = FACT + NAME_OCTETS;

/// What an exporter counts and is set to by its own account; `None` where it never said. Of several processes in one
/// domain it is what the last one said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Said {
    /// Octets, messages and flow records that were sent to this collector since the exporter began (40, 41, 42).
    pub exported_octets: Option<u64>,
    pub exported_messages: Option<u64>,
    pub exported_flows: Option<u64>,
    /// Flows that were observed (163).
    pub observed_flows: Option<u64>,
    /// What the metering process did not look at (164, 165).
    pub ignored_packets: Option<u64>,
    pub ignored_octets: Option<u64>,
    /// Flow records that were dropped before they were sent, and what they had counted (166, 167, 168).
    pub not_sent_flows: Option<u64>,
    pub not_sent_packets: Option<u64>,
    pub not_sent_octets: Option<u64>,
    /// Seconds after which a flow is sent though it goes on (36).
    pub active_timeout_s: Option<u64>,
    /// Seconds of silence after which a flow has ended (37).
    pub idle_timeout_s: Option<u64>,
}

impl Said {
    /// Each number with the element that it comes in and the name that it has everywhere.
    pub const fn fields(&mut self) -> [(u16, &'static str, &mut Option<u64>); 11] {
        [
            (40, "exported_octets", &mut self.exported_octets),
            (41, "exported_messages", &mut self.exported_messages),
            (42, "exported_flows", &mut self.exported_flows),
            (163, "observed_flows", &mut self.observed_flows),
            (164, "ignored_packets", &mut self.ignored_packets),
            (165, "ignored_octets", &mut self.ignored_octets),
            (166, "not_sent_flows", &mut self.not_sent_flows),
            (167, "not_sent_packets", &mut self.not_sent_packets),
            (168, "not_sent_octets", &mut self.not_sent_octets),
            (36, "active_timeout_s", &mut self.active_timeout_s),
            (37, "idle_timeout_s", &mut self.idle_timeout_s),
        ]
    }
}

impl ExporterFacts {
    /// The rate of a record that says nothing of where it was sampled.
    pub fn sampling(&self) -> Sampling {
        self.rates.of_domain()
    }

    /// Takes one options record, cut into the fields of its template.
    pub(super) fn learn(&mut self, template: &Template, fields: &[&[u8]], room: &mut Account<'_>) {
        let mut reading = Reading::default();
        for (index, (specifier, octets)) in template.fields.iter().zip(fields).enumerate() {
            reading.field(index < template.scopes, specifier.element, octets);
        }
        if let Some(boot) = reading.boot.and_then(|ms| i64::try_from(ms).ok()).filter(|&ms| ms != 0) {
            self.boot = Some(Timestamp(boot));
        }
        if let Some(sampling) = reading.sampling() {
            self.learn_rate(reading.scope(), sampling, room);
        }
        if let Some(method) = reading.biflow {
            self.is_biflow_turned = method == REVERSE_INITIATOR;
        }
        if reading.is_of_whole() {
            self.listen(reading.said);
        }
        for (kind, id, name) in reading.names() {
            self.learn_printable(kind, id, name, room);
        }
    }

    /// Takes the name of an interface as sent.
    pub(super) fn learn_name(&mut self, index: u32, octets: &[u8], room: &mut Account<'_>) {
        // It comes again with every counter sample.
        let known = self.names.find(NameKind::Interface, index.into());
        if known.is_none_or(|known| known.as_bytes() != octets) {
            self.learn_printable(NameKind::Interface, index.into(), printable(octets), room);
        }
    }

    /// Takes the speed of an interface in bits per second; 0 says nothing.
    pub(super) fn learn_speed(&mut self, index: u32, speed: u64, room: &mut Account<'_>) {
        if speed != 0 {
            let octets = if self.interface_speeds.contains_key(&index) { 0 } else { FACT };
            self.take_in(octets, room, |facts| keep(&mut facts.interface_speeds, FACTS, index, speed));
        }
    }

    /// Notes what a new template has that nobody knows (RFC 7011 §9).
    pub(super) fn note_unknown(&mut self, template: &Template, room: &mut Account<'_>) {
        for field in &template.fields {
            let is_known = matches!(field.element, ElementId::V9Scope(1..=5)) || field.element.element().is_some();
            if is_known || self.unknown.contains(&(field.element, field.length)) {
                continue;
            }
            self.take_in(FACT, room, |facts| {
                let fits = facts.unknown.len() < UNKNOWN;
                u64::from(!fits || !facts.unknown.insert((field.element, field.length)))
            });
        }
    }

    /// A name is copied only when it is new: the accounts share the old ones.
    fn learn_printable(&mut self, kind: NameKind, id: u64, name: String, room: &mut Account<'_>) {
        let known = self.names.find(kind, id);
        if name.is_empty() || known == Some(name.as_str()) {
            return;
        }
        if known.is_none() && FACTS <= self.names.len() {
            self.refused = self.refused.saturating_add(1);
            return;
        }
        let octets = if known.is_some() { 0 } else { NAME };
        self.take_in(octets, room, |facts| Arc::make_mut(&mut facts.names).insert(kind, id, name));
    }

    /// A rate that finds no room holds for the domain.
    fn learn_rate(&mut self, scope: Scope, sampling: Sampling, room: &mut Account<'_>) {
        let octets = if self.rates.knows(scope) { 0 } else { FACT };
        if !self.take_in(octets, room, |facts| facts.rates.learn(scope, sampling)) {
            self.rates.learn(Scope::Domain, sampling);
        }
    }

    /// Octets held of the address's room.
    pub(super) const fn octets(&self) -> usize {
        self.octets
    }

    fn listen(&mut self, mut said: Said) {
        for ((_, _, kept), (_, _, new)) in self.said.fields().into_iter().zip(said.fields()) {
            *kept = new.or(*kept);
        }
    }

    /// Learns what takes so many octets more, and counts it when it found no room; `learn` gives how many did not.
    fn take_in(&mut self, octets: usize, room: &mut Account<'_>, learn: impl FnOnce(&mut Self) -> u64) -> bool {
        let has_room = room.take(octets);
        let refused = if has_room { learn(self) } else { 1 };
        self.refused = self.refused.saturating_add(refused);
        match (has_room, refused) {
            (true, 0) => self.octets = self.octets.saturating_add(octets),
            (true, _) => room.give(octets),
            (false, _) => {}
        }
        refused == 0
    }
}

/// What 239 says when the source of a biflow is the responder; 0 is arbitrary, 1 the initiator, 3 the perimeter
/// (RFC 5103 §6.3).
pub(super) const REVERSE_INITIATOR: u64 = 2;

/// Keeps a fact as long as there is room, and returns how many found none.
fn keep<K: Ord, T>(known: &mut BTreeMap<K, T>, limit: usize, key: K, fact: T) -> u64 {
    if limit <= known.len() && !known.contains_key(&key) {
        return 1;
    }
    known.insert(key, fact);
    0
}

#[cfg(test)]
mod tests;
