//! Who sends, and the state that belongs to it: templates and sequence numbers per session, names and accounts per
//! exporter and domain, sets that wait for a template.
//!
//! Everything hangs below the exporter's address, so that one source can only ever push out what is its own.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use hashlink::LruCache;

use crate::collector::Limits;
use crate::collector::options::ExporterFacts;
use crate::collector::plan::{self, Plan};
use crate::collector::sequence::Sequence;
use crate::collector::stats::{ExporterNames, ExporterStats};
use crate::flow::{ObservationDomainId, Sampling, Timestamp, Version};
use crate::wire::sflow::Source;
use crate::wire::template::{Template, TemplateId};

/// A template and what it compiles to.
#[derive(Debug)]
pub(super) struct Compiled {
    pub(super) template: Template,
    pub(super) plan: Plan,
}

/// All sessions of one address.
#[derive(Debug)]
pub(super) struct Host {
    /// By origin, domain and version: a Transport Session and Observation Domain (RFC 7011 §8.4).
    pub(super) sessions: LruCache<(Origin, ObservationDomainId, Version), Session>,
    pub(super) exporters: LruCache<(ObservationDomainId, Version), Exporter>,
    pub(super) last_seen: Timestamp,
    /// The rate that the operator gave for this address.
    operator: Option<Sampling>,
}

/// What tells the sessions of one address apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Origin {
    /// Of a NetFlow or IPFIX exporter.
    Port(u16),
    /// Of sFlow, where the agent says who it is: several may stand behind one sender, and a port means nothing.
    Agent(IpAddr),
}

/// The state of one session.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) templates: LruCache<TemplateId, Arc<Compiled>>,
    pub(super) sequence: Sequence,
    /// How many samples each source of sFlow said that it had dropped.
    drops: BTreeMap<Source, u32>,
}

/// One exporter and domain, whatever port it sends from.
#[derive(Debug)]
pub(super) struct Exporter {
    /// The newest definition of each template over all sessions, to be borrowed after a change of port.
    newest: LruCache<TemplateId, Arc<Compiled>>,
    pub(super) facts: ExporterFacts,
    pub(super) stats: ExporterStats,
    waiting: BTreeMap<TemplateId, VecDeque<WaitingSet>>,
    waiting_octets: usize,
}

/// A data set that came before its template.
#[derive(Debug)]
pub(super) struct WaitingSet {
    pub(super) received: Timestamp,
    pub(super) export: Timestamp,
    /// The exporter's boot by the header of v9.
    pub(super) boot: Option<Timestamp>,
    /// Where the set's body began in its datagram.
    pub(super) offset: usize,
    pub(super) octets: Box<[u8]>,
}

/// What became of a template record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Learned {
    New,
    Same,
    Redefined,
    Rejected,
}

impl Host {
    pub(super) fn new(limits: &Limits, operator: Option<Sampling>, now: Timestamp) -> Self {
        let (sessions, exporters) = (LruCache::new(limits.sessions), LruCache::new(limits.domains));
        Self { sessions, exporters, last_seen: now, operator }
    }

    /// The session and the exporter that a datagram belongs to, made when they are new.
    pub(super) fn parties(
        &mut self,
        limits: &Limits,
        (address, origin): (IpAddr, Origin),
        (domain, version): (ObservationDomainId, Version),
        now: Timestamp,
    ) -> Option<(&mut Session, &mut Exporter)> {
        self.last_seen = now;
        let key = (origin, domain, version);
        if self.sessions.get(&key).is_none() {
            let sequence = match version {
                Version::V1 | Version::V5 | Version::V7 => Sequence::of_flows(),
                Version::V9 | Version::Sflow => Sequence::of_datagrams(),
                Version::Ipfix => Sequence::of_records(),
            };
            let templates = LruCache::new(limits.templates);
            let session = Session { templates, sequence, drops: BTreeMap::new() };
            self.sessions.insert(key, session);
        }
        let key = (domain, version);
        if self.exporters.get(&key).is_none() {
            let mut exporter = Exporter::new(limits, ExporterStats::new(address, domain, version, now));
            exporter.facts.rates.operator = self.operator;
            exporter.stats.sampling = self.operator.unwrap_or_default();
            self.exporters.insert(key, exporter);
        }
        self.sessions.get_mut(&(origin, domain, version)).zip(self.exporters.get_mut(&key))
    }
}

/// Sources of sFlow per session whose drops are followed; those of more are not counted.
const SOURCES: usize = 4096;

impl Session {
    /// How many samples a source has dropped since the last one, by its own count; that before the first is not ours.
    pub(super) fn dropped(&mut self, source: Source, drops: u32) -> u32 {
        if SOURCES <= self.drops.len() && !self.drops.contains_key(&source) {
            return 0;
        }
        let since = self.drops.insert(source, drops).map_or(0, |before| drops.wrapping_sub(before));
        // A number that fell: the agent began anew.
        if since <= u32::MAX / 2 { since } else { 0 }
    }
}

impl Exporter {
    fn new(limits: &Limits, stats: ExporterStats) -> Self {
        Self {
            newest: LruCache::new(limits.templates),
            facts: ExporterFacts::default(),
            stats,
            waiting: BTreeMap::new(),
            waiting_octets: 0,
        }
    }

    /// A copy of the account, with what the exporter says of itself.
    pub(super) fn account(&self) -> ExporterStats {
        ExporterStats {
            said: self.facts.said,
            unknown_elements: u64::try_from(self.facts.unknown.len()).unwrap_or(u64::MAX),
            refused_facts: self.facts.refused,
            ..self.stats.clone()
        }
    }

    /// What the exporter calls things, if it names any.
    pub(super) fn names(&self) -> Option<ExporterNames> {
        let names = Arc::clone(&self.facts.names);
        let ExporterStats { address, domain, version, .. } = self.stats;
        (!names.is_empty()).then_some(ExporterNames { address, domain, version, names })
    }

    /// Keeps a template for its session and for borrowing.
    pub(super) fn learn(&mut self, session: &mut Session, limits: &Limits, template: Template) -> Learned {
        self.stats.template_records = self.stats.template_records.saturating_add(1);
        // A record of no octets would never end a set, and one longer than a set can be never comes.
        let usable = (1..=usize::from(u16::MAX)).contains(&template.shortest());
        if !usable || limits.fields < template.fields.len() {
            self.stats.rejected_templates = self.stats.rejected_templates.saturating_add(1);
            return Learned::Rejected;
        }
        let known = session.templates.get(&template.id);
        if known.is_some_and(|known| known.template == template) {
            return Learned::Same;
        }
        let learned = if known.is_some() { Learned::Redefined } else { Learned::New };
        if learned == Learned::Redefined {
            self.stats.redefined = self.stats.redefined.saturating_add(1);
        }
        self.facts.note_unknown(&template);
        let plan = plan::compile(&template);
        let id = template.id;
        let compiled = Arc::new(Compiled { template, plan });
        session.templates.insert(id, Arc::clone(&compiled));
        self.newest.insert(id, compiled);
        self.stats.templates = u64::try_from(self.newest.len()).unwrap_or(u64::MAX);
        learned
    }

    /// The session's template, else the newest one of this exporter and domain.
    pub(super) fn template(&mut self, session: &mut Session, id: TemplateId) -> Option<Arc<Compiled>> {
        if let Some(own) = session.templates.get(&id) {
            return Some(Arc::clone(own));
        }
        let borrowed = Arc::clone(self.newest.get(&id)?);
        self.stats.borrowed = self.stats.borrowed.saturating_add(1);
        Some(borrowed)
    }

    /// Puts a set aside until its template comes; `false` when there is no room, which is counted.
    pub(super) fn wait(&mut self, limits: &Limits, id: TemplateId, set: WaitingSet) -> bool {
        let octets = self.waiting_octets.saturating_add(set.octets.len());
        if limits.waiting_octets < octets || limits.waiting_sets <= self.stats.waiting {
            self.stats.expired = self.stats.expired.saturating_add(1);
            return false;
        }
        self.waiting_octets = octets;
        self.stats.waiting = self.stats.waiting.saturating_add(1);
        self.waiting.entry(id).or_default().push_back(set);
        true
    }

    /// Takes the sets that waited for `id`, oldest first.
    pub(super) fn awaited(&mut self, id: TemplateId) -> VecDeque<WaitingSet> {
        let sets = self.waiting.remove(&id).unwrap_or_default();
        self.release(&sets);
        sets
    }

    /// Drops the sets that have waited longer than `limits` allows.
    pub(super) fn expire(&mut self, limits: &Limits, now: Timestamp) {
        if self.waiting.is_empty() {
            return;
        }
        let mut late = VecDeque::new();
        for sets in self.waiting.values_mut() {
            while sets.front().is_some_and(|set| limits.waiting_ms < now.since(set.received)) {
                late.extend(sets.pop_front());
            }
        }
        self.waiting.retain(|_, sets| !sets.is_empty());
        self.release(&late);
        self.stats.expired = self.stats.expired.saturating_add(u64::try_from(late.len()).unwrap_or(0));
    }

    fn release(&mut self, sets: &VecDeque<WaitingSet>) {
        let octets: usize = sets.iter().map(|set| set.octets.len()).sum();
        self.waiting_octets = self.waiting_octets.saturating_sub(octets);
        let count = u64::try_from(sets.len()).unwrap_or(u64::MAX);
        self.stats.waiting = self.stats.waiting.saturating_sub(count);
    }
}
