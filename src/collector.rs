//! One datagram in, flow records out: templates, options and sequence numbers, and what was lost.
//!
//! [`Collector::datagram`] is the whole input side. It does no I/O and reads no clock: octets, sender and receive time
//! come in as arguments, flow records go out through one. It locks nothing, logs nothing and spawns nothing; what goes
//! wrong is counted in [`stats`]. Its input is whatever the network sends.
//!
//! A set, not a message, is the unit of failure: a set without a template waits for it, an unknown set is skipped, and
//! only a broken length is malformed. Then IPFIX learns nothing from the message (RFC 7011 §9.1), while v9 keeps the
//! sets, and sFlow the samples, that stood before the fault.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

pub mod evidence;
mod normalize;
pub mod options;
mod packet;
mod places;
mod plan;
mod recent;
mod room;
mod sequence;
mod session;
mod sflow;
mod shelf;
pub mod stats;
pub mod templates;

use std::mem::take;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use hashbrown::HashMap;

use crate::collector::normalize::Context;
use crate::collector::options::{ExporterFacts, Overrides};
use crate::collector::plan::Registers;
use crate::collector::room::{Pools, Room};
use crate::collector::sequence::Units;
use crate::collector::session::{Compiled, Exporter, Host, Learned, Origin, Parties, Session};
use crate::collector::stats::{Health, Totals};
use crate::collector::templates::Revision;
use crate::flow::{FlowRecord, ObservationDomainId, Sampling, SamplingKind, SamplingSource, Timestamp, Version};
use crate::wire::ipfix::Announcement;
use crate::wire::reader::Reader;
use crate::wire::template::{Template, TemplateId};
use crate::wire::{self, Malformed, Set, ipfix, v5, v9};

/// Bounds on everything that the network can fill. What happens at each bound stands beside it.
///
/// The bounds of one address, session or domain multiply to more than a host has; the three whose names begin with
/// `all_` bound the sums, in octets estimated from the sizes of the structures and their allocations, never below them.
/// Half of each is dealt out in equal shares, one per address, which nobody else can use up; the other half is for those
/// that hold more, as long as it lasts. Nothing that one address holds is ever pushed out by another. [`Limits::octets`]
/// is the bound of everything together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Addresses. A new one takes the place of one that was silent for `idle_ms`, else its datagrams are refused.
    pub exporters: usize,
    /// Sessions per address; the least recently used one of that address goes.
    pub sessions: usize,
    /// Observation domains per address; the least recently used one of that address goes.
    pub domains: usize,
    /// Templates per session; the least recently used one goes.
    pub templates: usize,
    /// Fields per template; longer ones are rejected.
    pub fields: usize,
    /// Sets that wait per domain; more are dropped.
    pub waiting_sets: u64,
    /// Octets of sets that wait per domain; more are dropped.
    pub waiting_octets: usize,
    /// Octets of all sets that wait; a set that finds no room is dropped.
    pub all_waiting_octets: usize,
    /// Octets of all templates, where one that two hold counts twice. A template that finds no room takes the place of
    /// the least recently used ones of its own session, and is rejected when that is not enough.
    pub all_template_octets: usize,
    /// Octets of all names, rates and speeds, and of the drop counts of sFlow; what finds no room is left out.
    pub all_fact_octets: usize,
    /// Octets that must have come for each flow record of v9 and IPFIX: a datagram gives as many as its length has of
    /// these, and so does each set that had waited. Records beyond are counted, not handed out. The shortest record with
    /// two addresses has eight; one flow record takes 232 octets of memory.
    pub flow_octets: usize,
    /// How long a set waits, in milliseconds; then it is dropped.
    pub waiting_ms: i64,
    /// How long an address must be silent before another may take its place, in milliseconds.
    pub idle_ms: i64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            exporters: 1024,
            sessions: 64,
            domains: 64,
            templates: 1024,
            fields: 1024,
            waiting_sets: 1024,
            waiting_octets: 256 * 1024,
            all_waiting_octets: 64 * 1024 * 1024,
            all_template_octets: 128 * 1024 * 1024,
            all_fact_octets: 64 * 1024 * 1024,
            flow_octets: 4,
            waiting_ms: 120_000,
            idle_ms: 600_000,
        }
    }
}

impl Limits {
    /// The most octets that a collector takes between two datagrams: what is bounded as a sum, and addresses, sessions
    /// and domains themselves, each of which is counted twice for a table of hashes that is half empty and a place that
    /// was given up.
    pub const fn octets(&self) -> usize {
        let sessions = self.sessions.saturating_mul(session::SESSION);
        let domains = self.domains.saturating_mul(session::EXPORTER);
        let host = session::HOST.saturating_add(sessions).saturating_add(domains);
        self.all_waiting_octets
            .saturating_add(self.all_template_octets)
            .saturating_add(self.all_fact_octets)
            .saturating_add(self.exporters.saturating_add(1).saturating_mul(host))
    }
}

/// The collecting process (RFC 7011 §2) without its sockets.
#[derive(Debug)]
pub struct Collector {
    limits: Limits,
    overrides: Overrides,
    hosts: HashMap<IpAddr, Box<Host>>,
    /// While all places are taken: none of them falls free before. Who is heard after this was found stays longer.
    taken_until: Timestamp,
    /// Of exporters, only what those had counted that are gone.
    totals: Totals,
    revision: Revision,
    pools: Pools,
}

impl Collector {
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            overrides: Overrides::default(),
            hosts: HashMap::new(),
            taken_until: Timestamp(i64::MIN),
            totals: Totals::default(),
            revision: Revision::default(),
            pools: Pools::new(&limits),
        }
    }

    /// Rates that the operator knows better than the exporters; for a collector that has not heard anybody yet.
    #[must_use]
    pub fn with_overrides(self, overrides: Overrides) -> Self {
        Self { overrides, ..self }
    }

    /// Decodes one UDP payload and appends its flow records to `flows`, those of sets that had waited included.
    ///
    /// # Errors
    /// When the datagram is malformed or of a foreign protocol. It is counted; records of v9 and samples
    /// of sFlow that stood before the fault are in `flows` all the same.
    ///
    /// ```
    /// use flowglass::collector::{Collector, Limits};
    /// use flowglass::flow::Timestamp;
    /// use flowglass::wire::{emit, v5};
    ///
    /// let mut collector = Collector::new(Limits::default());
    /// let datagram = emit::v5(v5::Header { count: 1, ..Default::default() }, &[[1; v5::RECORD]]);
    /// let mut flows = Vec::new();
    /// let exporter = "192.0.2.1:50000".parse().unwrap();
    /// collector.datagram(Timestamp(1_700_000_000_000), exporter, &datagram, &mut flows).unwrap();
    /// assert_eq!(flows.len(), 1);
    /// ```
    pub fn datagram(
        &mut self,
        received: Timestamp,
        exporter: SocketAddr,
        payload: &[u8],
        flows: &mut Vec<FlowRecord>,
    ) -> Result<(), Malformed> {
        self.totals.datagrams = self.totals.datagrams.saturating_add(1);
        self.totals.octets = self.totals.octets.saturating_add(octets(payload));
        let before = flows.len();
        let from = Sender { address: exporter.ip().to_canonical(), port: exporter.port(), received };
        let result = match wire::version(payload) {
            Some(1) => v5::Packet::parse_v1(payload)
                .map(|packet| self.fixed(from, payload, Version::V1, packet, normalize::v1, flows)),
            Some(5) => v5::Packet::parse(payload)
                .map(|packet| self.fixed(from, payload, Version::V5, packet, normalize::v5, flows)),
            Some(7) => v5::Packet::parse_v7(payload)
                .map(|packet| self.fixed(from, payload, Version::V7, packet, normalize::v5, flows)),
            Some(9) => self.v9(from, payload, flows),
            Some(10) => self.ipfix(from, payload, flows),
            Some(0) if payload.starts_with(&wire::sflow::VERSION) => self.sflow(from, payload, flows),
            version => {
                let version = version.unwrap_or(0);
                self.totals.foreign = self.totals.foreign.saturating_add(1);
                self.totals.last_foreign = Some((exporter, version));
                return Err(Malformed::Version { version });
            }
        };
        let made = flows.len().saturating_sub(before);
        self.totals.flows = self.totals.flows.saturating_add(u64::try_from(made).unwrap_or(u64::MAX));
        match result {
            Ok(Fate::Decoded) => self.totals.decoded = self.totals.decoded.saturating_add(1),
            Ok(Fate::Refused) => self.totals.refused = self.totals.refused.saturating_add(1),
            Err(_) => self.totals.malformed = self.totals.malformed.saturating_add(1),
        }
        result.map(|_| ())
    }

    /// Lets go of sets that have waited too long; to be called about once a second.
    pub fn tick(&mut self, now: Timestamp) {
        for host in self.hosts.values_mut() {
            host.expire(&self.limits, now, &mut self.pools);
        }
    }

    /// A copy of the accounts.
    pub fn health(&self) -> Health {
        let known = self.hosts.values().flat_map(|host| host.exporters.values());
        // Of an exporter whose templates were restored nothing may have come yet.
        let mut exporters: Vec<_> = known.filter(|exporter| 0 < exporter.stats.datagrams).collect();
        // What is sorted are references: an account is large, and there may be many.
        exporters
            .sort_unstable_by_key(|exporter| (exporter.stats.address, exporter.stats.domain, exporter.stats.version));
        let mut totals = self.totals;
        exporters.iter().for_each(|exporter| totals.add(&exporter.stats));
        let [waiting, templates, facts] = self.pools.held().map(|octets| u64::try_from(octets).unwrap_or(u64::MAX));
        (totals.waiting_octets, totals.template_octets, totals.fact_octets) = (waiting, templates, facts);
        let names = exporters.iter().filter_map(|exporter| exporter.names()).collect();
        let missing = exporters.iter().flat_map(|exporter| exporter.missing()).take(stats::MISSING).collect();
        let templates = exporters.iter().filter_map(|exporter| exporter.templates()).take(stats::LISTS).collect();
        let exporters = exporters.into_iter().map(|exporter| exporter.account()).collect();
        Health { totals, exporters, missing, templates, names, ..Health::default() }
    }

    /// Other rates of the operator, for what comes from now on.
    pub fn set_overrides(&mut self, overrides: Overrides) {
        for (&address, host) in &mut self.hosts {
            host.set_operator(overrides.sampling(address));
        }
        self.overrides = overrides;
    }

    /// What the options records of an exporter and domain said.
    pub fn facts(&self, address: IpAddr, domain: ObservationDomainId, version: Version) -> Option<&ExporterFacts> {
        Some(&self.hosts.get(&address)?.exporters.peek(session::number(domain, version))?.facts)
    }

    /// The versions of one fixed layout: 1, 5 and 7. Without a sequence number, v1 cannot say what was lost.
    fn fixed<const N: usize>(
        &mut self,
        from: Sender,
        payload: &[u8],
        version: Version,
        packet: v5::Packet<'_, N>,
        normalize: impl Fn(&[u8; N], &Context<'_>, Sampling) -> FlowRecord,
        flows: &mut Vec<FlowRecord>,
    ) -> Fate {
        let header = packet.header;
        let domain = ObservationDomainId(u32::from(u16::from_be_bytes([header.engine_type, header.engine_id])));
        let Some((session, exporter, _)) = self.parties(from, Origin::Port(from.port), domain, version) else {
            return Fate::Refused;
        };
        let nanos = i64::from(header.nanoseconds.checked_div(1_000_000).unwrap_or(0)).min(999);
        let export = normalize::from_seconds(header.seconds, from.received).plus(nanos);
        exporter.stats.seen(from.received, payload, export);
        let sampling = exporter.facts.rates.operator.unwrap_or_else(|| v5_sampling(header.sampling));
        exporter.stats.sampling = sampling;
        let context = Context {
            blank: FlowRecord::blank(from.received, from.address, domain, version),
            export,
            boot: Some(export.plus(i64::from(header.uptime).saturating_neg())),
            rates: exporter.facts.rates.of_set(0),
            is_biflow_turned: false,
        };
        flows.extend(packet.records().iter().map(|record| normalize(record, &context, sampling)));
        exporter.stats.count_records(packet.records().len(), packet.records().len());
        exporter.stats.trailing = exporter.stats.trailing.saturating_add(packet.trailing as u64);
        if version != Version::V1 {
            let flows = Some(header.count.into());
            exporter.stats.observe(session, header.sequence, Units { flows, records: flows, templates: 0 });
        }
        Fate::Decoded
    }

    fn v9(&mut self, from: Sender, payload: &[u8], flows: &mut Vec<FlowRecord>) -> Result<Fate, Malformed> {
        let packet = v9::Packet::parse(payload)?;
        let header = packet.header;
        let domain = ObservationDomainId(header.source_id);
        let limits = self.limits;
        let origin = Origin::Port(from.port);
        let export = normalize::from_seconds(header.seconds, from.received);
        if let Some(Err(malformed)) = packet.sets().next() {
            self.disbelieved(from, origin, (domain, Version::V9), (payload, export, header.sequence));
            return Err(malformed);
        }
        let Some((session, exporter, room)) = self.parties(from, origin, domain, Version::V9) else {
            return Ok(Fate::Refused);
        };
        exporter.stats.seen(from.received, payload, export);
        let mut decoder = Decoder {
            limits: &limits,
            session,
            exporter,
            room,
            allowance: allowance(&limits, payload.len()),
            blank: FlowRecord::blank(from.received, from.address, domain, Version::V9),
            export,
            boot: Some(export.plus(i64::from(header.uptime).saturating_neg())),
            flows,
            units: NOTHING,
        };
        let walked = packet.sets().try_for_each(|set| decoder.v9_set(set?));
        let units = if walked.is_ok() { decoder.units } else { UNKNOWN };
        exporter.stats.observe(session, header.sequence, units);
        exporter.stats.malformed = exporter.stats.malformed.saturating_add(u64::from(walked.is_err()));
        let news = take(&mut exporter.revision);
        self.revision.add(news);
        walked.map(|()| Fate::Decoded)
    }

    fn ipfix(&mut self, from: Sender, payload: &[u8], flows: &mut Vec<FlowRecord>) -> Result<Fate, Malformed> {
        let message = ipfix::Message::parse(payload)?;
        let header = message.header;
        let domain = ObservationDomainId(header.domain);
        let limits = self.limits;
        let origin = Origin::Port(from.port);
        let export = normalize::from_seconds(header.export_time, from.received);
        // The whole message is checked before anything of it is believed (RFC 7011 §9.1).
        if let Err(malformed) = message.sets().try_for_each(|set| check(set?)) {
            self.disbelieved(from, origin, (domain, Version::Ipfix), (payload, export, header.sequence));
            return Err(malformed);
        }
        let Some((session, exporter, room)) = self.parties(from, origin, domain, Version::Ipfix) else {
            return Ok(Fate::Refused);
        };
        exporter.stats.seen(from.received, payload, export);
        exporter.stats.trailing = exporter.stats.trailing.saturating_add(message.trailing as u64);
        let mut decoder = Decoder {
            limits: &limits,
            session,
            exporter,
            room,
            allowance: allowance(&limits, payload.len()),
            blank: FlowRecord::blank(from.received, from.address, domain, Version::Ipfix),
            export,
            boot: None,
            flows,
            units: NOTHING,
        };
        message.sets().try_for_each(|set| decoder.ipfix_set(set?))?;
        let units = decoder.units;
        exporter.stats.observe(session, header.sequence, units);
        let news = take(&mut exporter.revision);
        self.revision.add(news);
        Ok(Fate::Decoded)
    }

    /// Counts a malformed message to whom it says that it is from, if we know them: garbage makes nobody known, and
    /// takes nobody's place.
    fn disbelieved(
        &mut self,
        from: Sender,
        origin: Origin,
        of: (ObservationDomainId, Version),
        (payload, export, sequence): (&[u8], Timestamp, u32),
    ) {
        let Some((session, exporter)) = self.hosts.get_mut(&from.address).and_then(|host| host.acquainted(origin, of))
        else {
            return;
        };
        exporter.stats.seen(from.received, payload, export);
        exporter.stats.malformed = exporter.stats.malformed.saturating_add(1);
        exporter.stats.observe(session, sequence, UNKNOWN);
    }

    fn parties(
        &mut self,
        from: Sender,
        origin: Origin,
        domain: ObservationDomainId,
        version: Version,
    ) -> Option<Parties<'_>> {
        if !self.hosts.contains_key(&from.address) {
            if !self.has_room(from.received) {
                return None;
            }
            self.take_in(from.address, from.received);
        }
        let Self { limits, hosts, pools, totals, .. } = self;
        let host = hosts.get_mut(&from.address)?;
        Some(host.parties(limits, (from.address, origin), (domain, version), from.received, (pools, totals)))
    }

    /// Whether another address can be taken in, in the place of one that was silent long enough if need be. To look at
    /// all of them for each datagram of a stranger would cost too much, and nobody becomes idle sooner by being heard.
    fn has_room(&mut self, now: Timestamp) -> bool {
        if self.hosts.len() < self.limits.exporters {
            return true;
        }
        if now < self.taken_until {
            return false;
        }
        let Some(oldest) = self.hosts.values().map(|host| host.last_seen).min() else { return false };
        self.taken_until = oldest.plus(self.limits.idle_ms);
        self.taken_until <= now
    }

    /// Makes an address known that is not yet, in the place of the oldest one when there is no other.
    fn take_in(&mut self, address: IpAddr, now: Timestamp) {
        let Self { limits, overrides, hosts, pools, totals, .. } = self;
        let is_full = limits.exporters <= hosts.len();
        let oldest = is_full.then(|| hosts.iter().map(|(&address, host)| (host.last_seen, address)).min()).flatten();
        if let Some(mut oldest) = oldest.and_then(|(_, address)| hosts.remove(&address)) {
            oldest.leave(pools, totals);
        }
        hosts.insert(address, Box::new(Host::new(limits, overrides.sampling(address), now)));
    }
}

/// Where a datagram came from, and when.
#[derive(Debug, Clone, Copy)]
struct Sender {
    address: IpAddr,
    port: u16,
    received: Timestamp,
}

/// What became of a datagram that was not malformed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Decoded,
    Refused,
}

/// One message on its way through its sets.
struct Decoder<'a> {
    limits: &'a Limits,
    session: &'a mut Session,
    exporter: &'a mut Exporter,
    room: Room<'a>,
    /// How many flow records may still come out.
    allowance: usize,
    blank: FlowRecord,
    export: Timestamp,
    boot: Option<Timestamp>,
    flows: &'a mut Vec<FlowRecord>,
    /// What the message carried so far.
    units: Units,
}

const NOTHING: Units = Units { flows: Some(0), records: Some(0), templates: 0 };
/// Of a message that could not be read to its end.
const UNKNOWN: Units = Units { flows: None, records: None, templates: 0 };

impl Decoder<'_> {
    fn v9_set(&mut self, set: Set<'_>) -> Result<(), Malformed> {
        match set.id {
            v9::TEMPLATE_SET => v9::templates(set, |template| self.learn(template)),
            v9::OPTIONS_TEMPLATE_SET => v9::options_templates(set, |template| self.learn(template)),
            _ => {
                self.other_set(set);
                Ok(())
            }
        }
    }

    fn ipfix_set(&mut self, set: Set<'_>) -> Result<(), Malformed> {
        match set.id {
            ipfix::TEMPLATE_SET | ipfix::OPTIONS_TEMPLATE_SET => ipfix::templates(set, |record| self.announced(record)),
            _ => {
                self.other_set(set);
                Ok(())
            }
        }
    }

    /// A data set, or one whose id is reserved: it is skipped by its length.
    fn other_set(&mut self, set: Set<'_>) {
        if TemplateId::FIRST <= set.id {
            self.exporter.stats.data_sets = self.exporter.stats.data_sets.saturating_add(1);
            self.data_set(set);
        } else {
            self.exporter.stats.reserved = self.exporter.stats.reserved.saturating_add(1);
        }
    }

    fn announced(&mut self, record: Announcement) {
        match record {
            Announcement::Template(template) => self.learn(template),
            Announcement::Withdrawal(_) => {
                self.exporter.stats.withdrawals = self.exporter.stats.withdrawals.saturating_add(1);
            }
        }
    }

    /// Keeps a template, and decodes the sets that had waited for it with the times of their own datagrams.
    fn learn(&mut self, template: Template) {
        let id = template.id;
        self.units.templates = self.units.templates.wrapping_add(1);
        let received = self.blank.received;
        let learned = self.exporter.learn(self.session, self.limits, template, received, &mut self.room);
        if !matches!(learned, Learned::New | Learned::Redefined) {
            return;
        }
        for set in self.exporter.awaited(id, &mut self.room) {
            self.allowance = self.allowance.saturating_add(allowance(self.limits, set.octets.len()));
            let now = (self.blank, self.export, self.boot, self.units);
            self.blank.received = set.received;
            self.export = set.export;
            self.boot = set.boot;
            self.data_set(Set { id: id.0, offset: set.offset, body: &set.octets });
            (self.blank, self.export, self.boot, self.units) = now;
        }
    }

    /// Decodes a data set, or puts it aside.
    fn data_set(&mut self, set: Set<'_>) {
        let id = TemplateId(set.id);
        let Some(compiled) = self.exporter.template(self.session, id) else {
            let times = (self.blank.received, self.export, self.boot);
            self.exporter.wait(self.limits, set, times, &mut self.room);
            (self.units.flows, self.units.records) = (None, None);
            return;
        };
        self.exporter.stats.decoded_sets = self.exporter.stats.decoded_sets.saturating_add(1);
        let (flows, options) = if compiled.template.is_options() {
            (0, self.options_set(&compiled, set))
        } else {
            (self.flow_set(&compiled, set), 0)
        };
        let add = |sum: &mut Option<u32>, more: usize| {
            *sum = sum.and_then(|sum| Some(sum.wrapping_add(u32::try_from(more).ok()?)));
        };
        add(&mut self.units.flows, flows);
        add(&mut self.units.records, flows.saturating_add(options));
    }

    fn options_set(&mut self, compiled: &Compiled, set: Set<'_>) -> usize {
        let mut reader = Reader::new(set.body, set.offset);
        let mut fields = Vec::with_capacity(compiled.template.fields.len());
        let mut records = 0_usize;
        let shortest = compiled.template.shortest();
        while shortest <= reader.remaining() {
            fields.clear();
            if compiled.template.record(&mut reader, |_, octets| fields.push(octets)).is_err() {
                self.exporter.stats.overruns = self.exporter.stats.overruns.saturating_add(1);
                break;
            }
            self.exporter.facts.learn(&compiled.template, &fields, &mut self.room.facts());
            records = records.saturating_add(1);
        }
        let stats = &mut self.exporter.stats;
        stats.options_records = stats.options_records.saturating_add(records as u64);
        stats.sampling = self.exporter.facts.sampling();
        records
    }

    fn flow_set(&mut self, compiled: &Arc<Compiled>, set: Set<'_>) -> usize {
        let plan = &compiled.plan;
        let before = self.flows.len();
        let boot = self.boot.or(self.exporter.facts.boot);
        let rates = self.exporter.facts.rates.of_set(set.id);
        let context = Context {
            blank: FlowRecord {
                time_source: normalize::time_source(plan, boot),
                // For records that name no sampler of their own.
                sampling: rates.of_all(),
                ..self.blank
            },
            export: self.export,
            boot,
            rates,
            is_biflow_turned: self.exporter.facts.is_biflow_turned,
        };
        let mut registers = Registers::new();
        let end = before.saturating_add(self.allowance);
        let (mut records, mut surplus) = (0_usize, 0_usize);
        let mut overrun = false;
        if let Some(size) = plan.size {
            records = set.body.len().checked_div(size).unwrap_or(0);
            if plan.is_flow() {
                self.flows.reserve(records.min(self.allowance));
                plan.each(size, set.body, &mut registers, |registers| {
                    if self.flows.len() < end {
                        normalize::push(plan, registers, &context, self.flows);
                    } else {
                        surplus = surplus.saturating_add(1);
                    }
                });
            }
        } else {
            let mut reader = Reader::new(set.body, set.offset);
            let mut fields = Vec::with_capacity(compiled.template.fields.len());
            let shortest = compiled.template.shortest();
            while shortest <= reader.remaining() {
                if plan.load_variable(&compiled.template, &mut reader, &mut fields, &mut registers).is_err() {
                    overrun = true;
                    break;
                }
                match plan.is_flow() {
                    true if self.flows.len() < end => normalize::push(plan, &registers, &context, self.flows),
                    is_flow => surplus = surplus.saturating_add(is_flow.into()),
                }
                records = records.saturating_add(1);
            }
        }
        let made = self.flows.len().saturating_sub(before);
        self.allowance = self.allowance.saturating_sub(made);
        let stats = &mut self.exporter.stats;
        stats.overruns = stats.overruns.saturating_add(u64::from(overrun));
        stats.surplus = stats.surplus.saturating_add(surplus as u64);
        stats.count_records(records, made);
        if !plan.is_flow() {
            stats.meaningless = stats.meaningless.saturating_add(records as u64);
        }
        records
    }
}

impl stats::ExporterStats {
    fn seen(&mut self, received: Timestamp, payload: &[u8], export: Timestamp) {
        if self.datagrams == 0 {
            self.first_seen = received;
        }
        self.datagrams = self.datagrams.saturating_add(1);
        self.octets = self.octets.saturating_add(octets(payload));
        self.last_seen = received;
        self.clock_skew_ms = export.since(received);
    }

    const fn count_records(&mut self, records: usize, flows: usize) {
        self.records = self.records.saturating_add(records as u64);
        self.flows = self.flows.saturating_add(flows as u64);
    }

    /// Takes a sequence number, and books what it says about loss to the exporter.
    fn observe(&mut self, session: &mut Session, number: u32, units: Units) {
        let Some((before, after)) = session.sequence.observe(number, units) else { return };
        self.lost = self.lost.saturating_add(after.lost).saturating_sub(before.lost);
        self.reordered = self.reordered.saturating_add(after.reordered.saturating_sub(before.reordered));
        self.restarts = self.restarts.saturating_add(after.restarts.saturating_sub(before.restarts));
    }
}

/// How many flow records so many octets may give.
fn allowance(limits: &Limits, octets: usize) -> usize {
    octets.checked_div(limits.flow_octets).unwrap_or(usize::MAX)
}

/// Whether the templates of a set can be read.
fn check(set: Set<'_>) -> Result<(), Malformed> {
    match set.id {
        ipfix::TEMPLATE_SET | ipfix::OPTIONS_TEMPLATE_SET => ipfix::check(set),
        _ => Ok(()),
    }
}

/// Two bits of mode and 14 of interval. Juniper uses all 16 for the interval, which is told by a mode that is none.
fn v5_sampling(field: u16) -> Sampling {
    let rate = match field >> 14 {
        1 | 2 => field & 0x3fff,
        _ => field,
    };
    if rate == 0 {
        return Sampling::default();
    }
    Sampling { rate: rate.into(), kind: SamplingKind::Packet, source: SamplingSource::Header }
}

fn octets(payload: &[u8]) -> u64 {
    u64::try_from(payload.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test may overflow, and fails then")]
mod tests;
