//! Who sends, and the state that belongs to it: templates and sequence numbers per session, names and accounts per
//! exporter and domain, sets that wait for a template.
//!
//! Everything hangs below the exporter's address, so that one source can only ever push out what is its own.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use crate::collector::Limits;
use crate::collector::options::ExporterFacts;
use crate::collector::places::Places;
use crate::collector::plan::{self, Plan};
use crate::collector::room::{Account, Held, Pools, Room};
use crate::collector::sequence::Sequence;
use crate::collector::shelf::Shelf;
use crate::collector::stats::{
    ExporterNames, ExporterStats, LISTED, MissingTemplate, TemplateAge, TemplateAges, Totals,
};
use crate::collector::templates::{KnownTemplate, Revision};
use crate::flow::{ObservationDomainId, Sampling, Timestamp, Version};
use crate::wire::Set;
use crate::wire::sflow::Source;
use crate::wire::template::{FieldSpecifier, Template, TemplateId};

/// A template and what it compiles to.
#[derive(Debug)]
pub(super) struct Compiled {
    pub(super) template: Arc<Template>,
    pub(super) plan: Plan,
}

impl Compiled {
    fn new(template: Arc<Template>) -> Arc<Self> {
        let plan = plan::compile(&template);
        Arc::new(Self { template, plan })
    }

    /// Octets that it takes, each time that it is kept: the structure, its fields and the steps of its plan.
    pub(super) fn octets(&self) -> usize {
        size_of::<Self>()
            .saturating_add(ALLOCATION.saturating_mul(3))
            .saturating_add(self.template.fields.capacity().saturating_mul(size_of::<FieldSpecifier>()))
            .saturating_add(self.plan.octets())
    }
}

/// Octets that an allocation takes besides what was asked for, and the counts of an `Arc`.
pub(super) const ALLOCATION: usize = 32;

/// All sessions of one address.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) sessions: Places<Session>,
    pub(super) exporters: Places<Exporter>,
    pub(super) last_seen: Timestamp,
    pub(super) held: Held,
    /// The rate that the operator gave for this address.
    operator: Option<Sampling>,
}

/// Whom a datagram concerns, and the room that its address has.
pub(super) type Parties<'a> = (&'a mut Session, &'a mut Exporter, Room<'a>);

/// What tells the sessions of one address apart, beside domain and version: a Transport Session and Observation Domain
/// (RFC 7011 §8.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// Of a NetFlow or IPFIX exporter.
    Port(u16),
    /// Of sFlow, where the agent says who it is: several may stand behind one sender, and a port means nothing.
    Agent(IpAddr),
}

impl Origin {
    /// Domain, port and version side by side, which leaves only agents to be told apart.
    fn number(self, domain: ObservationDomainId, version: Version) -> u64 {
        let port = match self {
            Self::Port(port) => port,
            Self::Agent(_) => 0,
        };
        number(domain, version) | u64::from(port) << 16
    }
}

/// Domain and version side by side.
pub(super) fn number(domain: ObservationDomainId, version: Version) -> u64 {
    u64::from(domain.0) << 32 | u64::from(version.number())
}

/// The state of one session.
#[derive(Debug)]
pub(super) struct Session {
    origin: Origin,
    templates: Shelf,
    pub(super) sequence: Sequence,
    /// How many samples each source of sFlow said that it had dropped.
    drops: BTreeMap<Source, u32>,
}

/// One exporter and domain, whatever port it sends from.
#[derive(Debug)]
pub(super) struct Exporter {
    /// The last received definition of each template over all sessions and the run before, to be borrowed after a
    /// change of port or a restart of the collector.
    newest: Shelf,
    /// What template records did since it was last taken.
    pub(super) revision: Revision,
    pub(super) facts: ExporterFacts,
    pub(super) stats: ExporterStats,
    /// By the template that is missing; a few stay when what waited is gone, so that people see since when it is.
    waiting: BTreeMap<TemplateId, Awaiting>,
    waiting_octets: usize,
}

/// What needs a template that did not come.
#[derive(Debug)]
struct Awaiting {
    /// When the first and the last set came that need it.
    since: Timestamp,
    last: Timestamp,
    sets: VecDeque<WaitingSet>,
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
        let (sessions, exporters) = (Places::new(limits.sessions), Places::new(limits.domains));
        Self { sessions, exporters, last_seen: now, held: Held::default(), operator }
    }

    /// The session and the exporter that a datagram belongs to, made when they are new.
    pub(super) fn parties<'a>(
        &'a mut self,
        limits: &Limits,
        (address, origin): (IpAddr, Origin),
        (domain, version): (ObservationDomainId, Version),
        now: Timestamp,
        (pools, totals): (&'a mut Pools, &mut Totals),
    ) -> Parties<'a> {
        self.last_seen = now;
        let mut room = Room { pools, held: &mut self.held };
        let is = |session: &Session| session.origin == origin;
        let new = || Session::new(limits, origin, version);
        let number = origin.number(domain, version);
        // Both are looked for before anything is made: of an address among many, none of this is in the cache, and the
        // processor can wait for both at once.
        let found = (self.sessions.find(number, is), find(&self.exporters, domain, version));
        let session = self.sessions.place(found.0, number, new, |oldest| oldest.leave(&mut room));
        let of = (found.1, self.operator);
        let identity = (address, domain, version);
        let exporter = exporter(&mut self.exporters, limits, identity, (now, of), (&mut room, totals));
        (session, exporter, room)
    }

    /// Takes another rate of the operator, or none.
    pub(super) fn set_operator(&mut self, operator: Option<Sampling>) {
        self.operator = operator;
        for exporter in self.exporters.values_mut() {
            exporter.facts.rates.operator = operator;
            exporter.stats.sampling = operator.unwrap_or_else(|| exporter.facts.sampling());
        }
    }

    /// The session and the exporter of a datagram that must not make new ones.
    pub(super) fn acquainted(
        &mut self,
        origin: Origin,
        (domain, version): (ObservationDomainId, Version),
    ) -> Option<(&mut Session, &mut Exporter)> {
        let is = |session: &Session| session.origin == origin;
        let session = self.sessions.peek_mut(origin.number(domain, version), is)?;
        Some((session, self.exporters.peek_mut(number(domain, version), |_| true)?))
    }

    /// Takes back a template that a former run of the collector had received; `false` when there is no room.
    pub(super) fn restore(
        &mut self,
        limits: &Limits,
        known: KnownTemplate,
        (pools, totals): (&mut Pools, &mut Totals),
    ) -> bool {
        let KnownTemplate { exporter: address, domain, version, template, received } = known;
        self.last_seen = received;
        let mut room = Room { pools, held: &mut self.held };
        let identity = (address, domain, version);
        let of = (find(&self.exporters, domain, version), self.operator);
        let exporter = exporter(&mut self.exporters, limits, identity, (received, of), (&mut room, totals));
        exporter.keep(Compiled::new(template), received, &mut room.templates())
    }

    /// Drops the sets that have waited longer than `limits` allows, up to a sixteenth late, so that not every exporter
    /// of the address is asked each time.
    pub(super) fn expire(&mut self, limits: &Limits, now: Timestamp, pools: &mut Pools) {
        if self.held.due.is_none_or(|due| now <= due) {
            return;
        }
        let mut room = Room { pools, held: &mut self.held };
        let mut due = None::<Timestamp>;
        for exporter in self.exporters.values_mut() {
            exporter.expire(limits, now, &mut room);
            due = due.into_iter().chain(exporter.due(limits)).min();
        }
        self.held.due = due.map(|due| due.max(now.plus(limits.waiting_ms / 16)));
    }

    /// Gives its room back, and keeps its accounts in `totals`.
    pub(super) fn leave(&mut self, pools: &mut Pools, totals: &mut Totals) {
        self.exporters.values().for_each(|exporter| totals.bury(&exporter.stats));
        Room { pools, held: &mut self.held }.leave();
    }

    /// How many templates could be borrowed now.
    pub(super) fn known(&self) -> usize {
        self.exporters.values().map(|exporter| exporter.newest.len()).sum()
    }

    /// The templates that could be borrowed now.
    pub(super) fn templates(&self) -> impl Iterator<Item = KnownTemplate> {
        self.exporters.values().flat_map(|exporter| {
            let ExporterStats { address, domain, version, .. } = exporter.stats;
            exporter.newest.iter().map(move |(compiled, received)| KnownTemplate {
                exporter: address,
                domain,
                version,
                template: Arc::clone(&compiled.template),
                received,
            })
        })
    }
}

fn find(exporters: &Places<Exporter>, domain: ObservationDomainId, version: Version) -> Option<usize> {
    exporters.find(number(domain, version), |_| true)
}

/// An exporter, made when it is new.
fn exporter<'a>(
    exporters: &'a mut Places<Exporter>,
    limits: &Limits,
    (address, domain, version): (IpAddr, ObservationDomainId, Version),
    (now, (found, operator)): (Timestamp, (Option<usize>, Option<Sampling>)),
    (room, totals): (&mut Room<'_>, &mut Totals),
) -> &'a mut Exporter {
    let new = || {
        let mut exporter = Exporter::new(limits, ExporterStats::new(address, domain, version, now));
        exporter.facts.rates.operator = operator;
        exporter.stats.sampling = operator.unwrap_or_default();
        exporter
    };
    exporters.place(found, number(domain, version), new, |oldest| {
        totals.bury(&oldest.stats);
        oldest.leave(room);
    })
}

/// Octets of an address, of a session and of a domain, with what leads to each, and twice: for a table that is half empty
/// and a place that was given up.
pub(super) const HOST: usize = 2 * (size_of::<Host>() + NODE);
pub(super) const SESSION: usize = 2 * (size_of::<Session>() + NODE);
pub(super) const EXPORTER: usize = 2 * (size_of::<Exporter>() + NODE) + MISSING * (size_of::<Awaiting>() + NODE);
/// Octets of a key, links, and a place in a table.
const NODE: usize = 96;

/// Missing templates of a domain that are remembered when no set waits for them any more.
const MISSING: usize = 4;

/// Sources of sFlow per session whose drops are followed; those of more are not counted.
const SOURCES: usize = 4096;
/// Octets that the drops of a source take in a tree that is half empty.
const SOURCE: usize = 64;
/// Octets that a waiting set takes besides its own: a queue begins with room for four, in a tree that is half empty.
pub(super) const WAITING_SET: usize = 6 * size_of::<WaitingSet>() + ALLOCATION * 3;

impl Session {
    fn new(limits: &Limits, origin: Origin, version: Version) -> Self {
        let sequence = match version {
            Version::V1 | Version::V5 | Version::V7 => Sequence::of_flows(),
            Version::V9 | Version::Sflow => Sequence::of_datagrams(),
            Version::Ipfix => Sequence::of_records(),
        };
        Self { origin, templates: Shelf::new(limits.templates), sequence, drops: BTreeMap::new() }
    }

    /// How many samples a source has dropped since the last one, by its own count; that before the first is not ours.
    pub(super) fn dropped(&mut self, source: Source, drops: u32, facts: &mut Account<'_>) -> u32 {
        if !self.drops.contains_key(&source) && (SOURCES <= self.drops.len() || !facts.take(SOURCE)) {
            return 0;
        }
        let since = self.drops.insert(source, drops).map_or(0, |before| drops.wrapping_sub(before));
        // A number that fell: the agent began anew.
        if since <= u32::MAX / 2 { since } else { 0 }
    }

    fn leave(&self, room: &mut Room<'_>) {
        room.templates().give(self.templates.octets());
        room.facts().give(self.drops.len().saturating_mul(SOURCE));
    }
}

impl Limits {
    /// Whether data can be read with a template. One of no octets would never end a set, and a record longer than a
    /// set can be never comes.
    pub(super) fn allow(&self, template: &Template) -> bool {
        (1..=usize::from(u16::MAX)).contains(&template.shortest()) && template.fields.len() <= self.fields
    }
}

impl Exporter {
    pub(super) fn new(limits: &Limits, stats: ExporterStats) -> Self {
        Self {
            newest: Shelf::new(limits.templates),
            revision: Revision::default(),
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

    /// The templates that could be borrowed now, and when each last came, if there are any.
    pub(super) fn templates(&self) -> Option<TemplateAges> {
        let ExporterStats { address, domain, version, .. } = self.stats;
        let age = |(compiled, received): (&Arc<Compiled>, Timestamp)| {
            let Template { id, fields, .. } = &*compiled.template;
            TemplateAge { id: *id, fields: fields.len(), is_options: compiled.template.is_options(), received }
        };
        let ids = || self.newest.iter().map(|(compiled, _)| compiled.template.id);
        Some(TemplateAges {
            address,
            domain,
            version,
            count: u64::try_from(self.newest.len()).unwrap_or(u64::MAX),
            ids: (ids().min()?, ids().max()?),
            oldest: self.newest.iter().map(|(_, received)| received).min()?,
            list: self.newest.iter().map(age).take(LISTED).collect(),
        })
    }

    /// The templates that are missing, and since when.
    pub(super) fn missing(&self) -> impl Iterator<Item = MissingTemplate> {
        let ExporterStats { address, domain, version, .. } = self.stats;
        self.waiting.iter().map(move |(&template, awaiting)| MissingTemplate {
            address,
            domain,
            version,
            template,
            since: awaiting.since,
            last: awaiting.last,
            sets: u64::try_from(awaiting.sets.len()).unwrap_or(u64::MAX),
        })
    }

    /// Keeps a template for its session and for borrowing.
    pub(super) fn learn(
        &mut self,
        session: &mut Session,
        limits: &Limits,
        mut template: Template,
        received: Timestamp,
        room: &mut Room<'_>,
    ) -> Learned {
        self.stats.template_records = self.stats.template_records.saturating_add(1);
        if !limits.allow(&template) {
            self.stats.rejected_templates = self.stats.rejected_templates.saturating_add(1);
            return Learned::Rejected;
        }
        thin(&mut template);
        let known = session.templates.get(template.id);
        if let Some(same) = known.filter(|known| *known.template == template) {
            let same = Arc::clone(same);
            session.templates.renew(&same, received);
            self.keep(same, received, &mut room.templates());
            return Learned::Same;
        }
        let learned = if known.is_some() { Learned::Redefined } else { Learned::New };
        if learned == Learned::Redefined {
            self.stats.redefined = self.stats.redefined.saturating_add(1);
        }
        self.facts.note_unknown(&template, &mut room.facts());
        let account = &mut room.templates();
        // Another session, most often the one before a change of port, has sent the same.
        let same = self.newest.get(template.id).filter(|newest| *newest.template == template).map(Arc::clone);
        let compiled = same.unwrap_or_else(|| Compiled::new(template.into()));
        let of_session = session.templates.put(Arc::clone(&compiled), received, account);
        self.forgotten(of_session);
        if !self.keep(compiled, received, account) && of_session.is_none() {
            self.stats.rejected_templates = self.stats.rejected_templates.saturating_add(1);
            return Learned::Rejected;
        }
        learned
    }

    /// Keeps a template for borrowing; `false` when there is no room.
    fn keep(&mut self, compiled: Arc<Compiled>, received: Timestamp, account: &mut Account<'_>) -> bool {
        self.revision.records = self.revision.records.saturating_add(1);
        if self.newest.renew(&compiled, received) {
            return true;
        }
        self.revision.definitions = self.revision.definitions.saturating_add(1);
        let kept = self.newest.put(compiled, received, account);
        self.forgotten(kept);
        self.stats.templates = u64::try_from(self.newest.len()).unwrap_or(u64::MAX);
        kept.is_some()
    }

    const fn forgotten(&mut self, pushed_out: Option<u64>) {
        let Some(pushed_out) = pushed_out else { return };
        self.stats.forgotten_templates = self.stats.forgotten_templates.saturating_add(pushed_out);
    }

    /// The session's template, else the newest one of this exporter and domain.
    pub(super) fn template(&mut self, session: &mut Session, id: TemplateId) -> Option<Arc<Compiled>> {
        if let Some(own) = session.templates.get(id) {
            return Some(Arc::clone(own));
        }
        let borrowed = Arc::clone(self.newest.get(id)?);
        self.stats.borrowed = self.stats.borrowed.saturating_add(1);
        Some(borrowed)
    }

    /// Puts a set aside until its template comes; one that finds no room is counted, and costs no copy.
    pub(super) fn wait(
        &mut self,
        limits: &Limits,
        set: Set<'_>,
        (received, export, boot): (Timestamp, Timestamp, Option<Timestamp>),
        room: &mut Room<'_>,
    ) {
        let octets = self.waiting_octets.saturating_add(set.body.len());
        let fits = octets <= limits.waiting_octets && self.stats.waiting < limits.waiting_sets;
        if !fits || !room.waiting().take(waiting_held(set.body.len(), 1)) {
            self.stats.expired = self.stats.expired.saturating_add(1);
            return;
        }
        let due = received.plus(limits.waiting_ms);
        room.held.due = Some(room.held.due.map_or(due, |before| before.min(due)));
        self.waiting_octets = octets;
        self.stats.waiting = self.stats.waiting.saturating_add(1);
        let waiting = WaitingSet { received, export, boot, offset: set.offset, octets: set.body.into() };
        let new = || Awaiting { since: received, last: received, sets: VecDeque::new() };
        let awaiting = self.waiting.entry(TemplateId(set.id)).or_insert_with(new);
        awaiting.last = received;
        awaiting.sets.push_back(waiting);
    }

    /// Takes the sets that waited for `id`, oldest first.
    pub(super) fn awaited(&mut self, id: TemplateId, room: &mut Room<'_>) -> VecDeque<WaitingSet> {
        let sets = self.waiting.remove(&id).map(|awaiting| awaiting.sets).unwrap_or_default();
        self.release(&sets, room);
        sets
    }

    /// When the first set will have waited long enough.
    fn due(&self, limits: &Limits) -> Option<Timestamp> {
        let oldest = self.waiting.values().filter_map(|awaiting| awaiting.sets.front());
        let first = oldest.map(|set| set.received).min()?;
        Some(first.plus(limits.waiting_ms))
    }

    /// Drops the sets that have waited longer than `limits` allows.
    fn expire(&mut self, limits: &Limits, now: Timestamp, room: &mut Room<'_>) {
        if self.waiting.is_empty() {
            return;
        }
        let mut late = VecDeque::new();
        let mut emptied = 0_usize;
        self.waiting.retain(|_, awaiting| {
            let sets = &mut awaiting.sets;
            while sets.front().is_some_and(|set| limits.waiting_ms < now.since(set.received)) {
                late.extend(sets.pop_front());
            }
            if !sets.is_empty() {
                return true;
            }
            // What waited once took memory.
            *sets = VecDeque::new();
            emptied = emptied.saturating_add(1);
            emptied <= MISSING
        });
        self.release(&late, room);
        self.stats.expired = self.stats.expired.saturating_add(u64::try_from(late.len()).unwrap_or(0));
    }

    fn leave(&self, room: &mut Room<'_>) {
        room.templates().give(self.newest.octets());
        room.facts().give(self.facts.octets());
        room.waiting().give(waiting_held(self.waiting_octets, self.stats.waiting));
    }

    fn release(&mut self, sets: &VecDeque<WaitingSet>, room: &mut Room<'_>) {
        let octets: usize = sets.iter().map(|set| set.octets.len()).sum();
        self.waiting_octets = self.waiting_octets.saturating_sub(octets);
        let count = u64::try_from(sets.len()).unwrap_or(u64::MAX);
        self.stats.waiting = self.stats.waiting.saturating_sub(count);
        room.waiting().give(waiting_held(octets, count));
    }
}

/// What so many sets hold of the address's room.
fn waiting_held(octets: usize, sets: u64) -> usize {
    usize::try_from(sets).unwrap_or(usize::MAX).saturating_mul(WAITING_SET).saturating_add(octets)
}

/// Takes out fields of no octets, which say nothing, so that a record costs no more than its octets. The first one
/// stays: the only scope may be empty.
fn thin(template: &mut Template) {
    let is_kept = |(index, field): (usize, &FieldSpecifier)| index == 0 || field.length != 0;
    if template.fields.iter().enumerate().all(is_kept) {
        return;
    }
    let scopes = template.fields.iter().take(template.scopes);
    template.scopes = scopes.enumerate().filter(|&entry| is_kept(entry)).count();
    let mut index = 0_usize;
    template.fields.retain(|field| {
        let kept = is_kept((index, field));
        index = index.saturating_add(1);
        kept
    });
    template.fields.shrink_to_fit();
}
