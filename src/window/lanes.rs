//! The lanes of a window: traffic of one direction that nothing tells apart but its time.
//!
//! A lane is two addresses, a protocol, a service port, and what the exporter said of the way: everything that a
//! dimension can rank or a filter can ask of many records at once. The ephemeral port is folded, so that a thousand
//! connections to one service are one lane; what differs from record to record (counts, duration, flags) is not in it.
//! Lanes are bounded by [`Limits::lanes`](crate::window::Limits); what finds no room is booked under one of four that
//! stand for all others.

use std::hash::BuildHasher;
use std::net::IpAddr;

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::flow::{Direction, FlowKey, FlowRecord, ObservationDomainId, Sampling, SamplingSource, Timestamp, Version};
use crate::window::once::Fold;

/// The number of a lane.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct LaneId(pub(super) u32);

/// From where to where, seen from the networks that are called local.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Sense {
    /// From outside to inside: a download of somebody inside.
    In = 0,
    Out = 1,
    /// Both ends are inside.
    Internal = 2,
    /// Neither end is.
    #[default]
    Transit = 3,
}

impl Sense {
    pub const ALL: [Self; 4] = [Self::In, Self::Out, Self::Internal, Self::Transit];

    pub(super) const fn of(src_is_local: bool, dst_is_local: bool) -> Self {
        match (src_is_local, dst_is_local) {
            (false, true) => Self::In,
            (true, false) => Self::Out,
            (true, true) => Self::Internal,
            (false, false) => Self::Transit,
        }
    }
}

/// Who opened a conversation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Opener {
    #[default]
    Unknown,
    Src,
    Dst,
}

/// What the exporter said of the way that the traffic took. Few are distinct; lanes share them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Way {
    pub(super) exporter: IpAddr,
    pub(super) domain: ObservationDomainId,
    pub(super) version: Version,
    pub(super) direction: Direction,
    pub(super) in_if: u32,
    pub(super) out_if: u32,
    pub(super) src_as: u32,
    pub(super) dst_as: u32,
    pub(super) vlan: u16,
    pub(super) post_vlan: u16,
    pub(super) tos: u8,
    pub(super) application: u64,
    pub(super) sampling: Sampling,
}

impl Way {
    fn of(flow: &FlowRecord) -> Self {
        Self {
            exporter: flow.exporter,
            domain: flow.domain,
            version: flow.version,
            direction: flow.direction,
            in_if: flow.in_if,
            out_if: flow.out_if,
            src_as: flow.src_as,
            dst_as: flow.dst_as,
            vlan: flow.vlan,
            post_vlan: flow.post_vlan,
            tos: flow.tos,
            application: flow.application,
            sampling: flow.sampling,
        }
    }
}

/// The key of a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct LaneKey {
    pub(super) src: IpAddr,
    pub(super) dst: IpAddr,
    pub(super) protocol: u8,
    /// The lower port is the service. The other one is [`EPHEMERAL`] when it is none of the well-known ones.
    pub(super) src_port: u16,
    pub(super) dst_port: u16,
    /// Whether it was reported by somebody else as well, and by which rule that was found.
    pub(super) fold: Option<Fold>,
}

/// Stands for any port from 1024 on, where the other port is the service.
pub(super) const EPHEMERAL: u16 = u16::MAX;
/// The first port that is not well known.
pub(super) const UNPRIVILEGED: u16 = 1024;

impl LaneKey {
    /// The key is not that of the record where it was translated.
    pub(super) const fn of(key: FlowKey, fold: Option<Fold>) -> Self {
        let (src_port, dst_port) = match (key.src_port, key.dst_port) {
            (service, other) if service <= other && UNPRIVILEGED <= other && service != 0 => (service, EPHEMERAL),
            (other, service) if service < other && UNPRIVILEGED <= other && service != 0 => (EPHEMERAL, service),
            ports => ports,
        };
        Self { src: key.src_ip, dst: key.dst_ip, protocol: key.protocol, src_port, dst_port, fold }
    }

    /// 0 for protocols without ports.
    pub(super) const fn service(&self) -> u16 {
        match (self.src_port, self.dst_port) {
            (0, port) | (port, 0) => port,
            (src, dst) if src < dst => src,
            (_, dst) => dst,
        }
    }

    /// Whether this is what the service answers, as far as ports tell.
    pub(super) const fn is_answer(&self) -> bool {
        self.src_port != 0 && (self.src_port < self.dst_port || self.dst_port == 0)
    }
}

/// One lane. What counts is in the slices.
#[derive(Debug, Clone)]
pub(super) struct Lane {
    /// `None` for a lane that is free, and for the first four, which stand for all others.
    pub(super) key: Option<LaneKey>,
    pub(super) way: u32,
    pub(super) sense: Sense,
    pub(super) opener: Opener,
    /// TCP control bits of all records together; the upper ones are not kept.
    pub(super) flags: u8,
    /// Start of the newest slice that has something of it, in seconds since 1970.
    pub(super) last: i64,
}

/// Lanes that stand for all that found no room, one per [`Sense`].
pub(super) const OTHERS: u32 = 4;

/// What a record becomes part of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    key: LaneKey,
    pub(super) sense: Sense,
    /// `None` when there is no room for its way.
    way: Option<u32>,
    hash: u64,
}

/// The table of lanes and ways.
#[derive(Debug, Clone)]
pub(super) struct Lanes {
    limit: usize,
    hasher: DefaultHashBuilder,
    ids: HashTable<u32>,
    all: Vec<Lane>,
    /// By lane, the change that made or removed it; apart from the lanes, since it is looked through often.
    changed: Vec<u64>,
    free: Vec<u32>,
    ways: Ways,
    /// Lanes made and removed since the beginning.
    changes: u64,
    /// Whether any lane was of traffic reported twice.
    has_folds: bool,
    /// Records that found no room.
    folded: u64,
    /// Bytes of the largest lane that was given up last; 0 while room is plenty.
    bar: u64,
    dice: u64,
    /// Whether any rate of sampling but 1 was seen.
    sampled: bool,
}

impl Lanes {
    pub(super) fn new(limit: usize) -> Self {
        let other = |sense| Lane { key: None, way: 0, sense, opener: Opener::Unknown, flags: 0, last: i64::MIN };
        Self {
            limit,
            hasher: DefaultHashBuilder::default(),
            ids: HashTable::new(),
            all: Sense::ALL.map(other).into(),
            changed: vec![0; Sense::ALL.len()],
            free: Vec::new(),
            ways: Ways::default(),
            changes: 0,
            has_folds: false,
            folded: 0,
            bar: 0,
            dice: 0x9e37_79b9_7f4a_7c15,
            sampled: false,
        }
    }

    /// Where a record goes. It holds until time passes, which may take away what nobody has.
    pub(super) fn place(&mut self, key: LaneKey, sense: Sense, flow: &FlowRecord) -> Place {
        let way = self.ways.of(&self.hasher, flow, self.limit);
        let hash = way.map_or(0, |way| self.hasher.hash_one((&key, way)));
        Place { key, sense, way, hash }
    }

    /// The lane of a record, made if need be.
    pub(super) fn of(&mut self, place: &Place, flow: &FlowRecord) -> LaneId {
        let Some(way) = place.way else {
            self.folded = self.folded.saturating_add(1);
            return LaneId(place.sense as u32);
        };
        let hash = place.hash;
        let is_it = |id: &u32| {
            self.all.get(*id as usize).is_some_and(|lane| lane.way == way && lane.key.as_ref() == Some(&place.key))
        };
        if let Some(&id) = self.ids.find(hash, is_it) {
            self.note(id, flow);
            return LaneId(id);
        }
        if self.limit <= self.ids.len() || !self.admits(flow.counts.bytes) {
            self.folded = self.folded.saturating_add(1);
            return LaneId(place.sense as u32);
        }
        let id = self.make(place, way);
        let (all, hasher) = (&self.all, &self.hasher);
        self.ids.insert_unique(hash, id, |id| rehash(all, hasher, *id));
        self.note(id, flow);
        LaneId(id)
    }

    fn make(&mut self, place: &Place, way: u32) -> u32 {
        self.ways.take(way);
        self.changes = self.changes.saturating_add(1);
        let (key, sense) = (Some(place.key), place.sense);
        let lane = Lane { key, way, sense, opener: Opener::Unknown, flags: 0, last: i64::MIN };
        self.has_folds |= place.key.fold.is_some();
        if let Some(id) = self.free.pop() {
            self.all[id as usize] = lane;
            self.changed[id as usize] = self.changes;
            return id;
        }
        let id = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        self.all.push(lane);
        self.changed.push(self.changes);
        id
    }

    /// Whether room that is scarce is for a record: the larger it is, the likelier, so that small lanes which were given
    /// up do not take it from large ones that come later.
    const fn admits(&mut self, bytes: u64) -> bool {
        if bytes < self.bar {
            self.dice ^= self.dice << 13;
            self.dice ^= self.dice >> 7;
            self.dice ^= self.dice << 17;
            return self.dice % self.bar < bytes;
        }
        true
    }

    /// From now on new lanes have to be as large as those that were given up.
    pub(super) const fn raise_bar(&mut self, bytes: u64) {
        self.bar = bytes;
    }

    /// What a record says of the lane beyond its counts.
    fn note(&mut self, id: u32, flow: &FlowRecord) {
        self.sampled |= 1 < flow.sampling.rate;
        let Some(lane) = self.all.get_mut(id as usize) else { return };
        lane.flags |= flow.tcp_flags.to_le_bytes()[0];
        if lane.opener == Opener::Unknown {
            lane.opener = opener(flow);
        }
    }

    pub(super) fn touch(&mut self, id: LaneId, second: i64) {
        if let Some(lane) = self.all.get_mut(id.0 as usize) {
            lane.last = lane.last.max(second);
        }
    }

    /// Forgets the lanes that have nothing in any slice that begins at or after `second`.
    pub(super) fn expire(&mut self, second: i64) {
        for id in OTHERS..u32::try_from(self.all.len()).unwrap_or(u32::MAX) {
            if self.all[id as usize].last < second {
                self.remove(LaneId(id));
            }
        }
        self.ways.sweep(&self.hasher);
    }

    pub(super) fn remove(&mut self, LaneId(id): LaneId) {
        let Some(lane) = self.all.get(id as usize) else { return };
        let (Some(key), way) = (lane.key, lane.way) else { return };
        let hash = self.hasher.hash_one((&key, way));
        if let Ok(entry) = self.ids.find_entry(hash, |other| *other == id) {
            entry.remove();
        }
        self.ways.release(&self.hasher, way);
        self.all[id as usize].key = None;
        self.free.push(id);
        self.changes = self.changes.saturating_add(1);
        self.changed[id as usize] = self.changes;
    }

    pub(super) fn all(&self) -> &[Lane] {
        &self.all
    }

    pub(super) fn way(&self, lane: &Lane) -> Option<&Way> {
        self.ways.all.get(lane.way as usize).map(|(way, _)| way)
    }

    /// How many are held, the four for all others not counted.
    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    pub(super) const fn limit(&self) -> usize {
        self.limit
    }

    pub(super) const fn changes(&self) -> u64 {
        self.changes
    }

    /// Lanes that were made or removed after a change.
    pub(super) fn changed_since(&self, known: u64) -> impl Iterator<Item = (usize, &Lane)> {
        let changed = self.changed.iter().enumerate().filter(move |(_, change)| known < **change);
        changed.filter_map(|(id, _)| Some((id, self.all.get(id)?)))
    }

    pub(super) const fn has_folds(&self) -> bool {
        self.has_folds
    }

    pub(super) const fn folded(&self) -> u64 {
        self.folded
    }

    pub(super) const fn is_sampled(&self) -> bool {
        self.sampled
    }

    /// A record that a filter answers as it answers every record of the lane, as long as it asks only for what
    /// [`decides`](crate::window::asked::decides) names.
    pub(super) fn example(&self, lane: &Lane) -> Option<FlowRecord> {
        let (key, way) = (lane.key?, self.way(lane)?);
        let mut flow = FlowRecord::blank(Timestamp::default(), way.exporter, way.domain, way.version);
        flow.key.src_ip = key.src;
        flow.key.dst_ip = key.dst;
        flow.key.src_port = key.src_port;
        flow.key.dst_port = key.dst_port;
        flow.key.protocol = key.protocol;
        flow.direction = way.direction;
        (flow.in_if, flow.out_if) = (way.in_if, way.out_if);
        (flow.src_as, flow.dst_as) = (way.src_as, way.dst_as);
        (flow.vlan, flow.post_vlan) = (way.vlan, way.post_vlan);
        (flow.tos, flow.application, flow.sampling) = (way.tos, way.application, way.sampling);
        Some(flow)
    }
}

impl Lane {
    /// Whether all its records are of connections that nobody answered.
    pub(super) fn is_syn_only(&self) -> bool {
        self.key.is_some_and(|key| key.protocol == 6) && self.flags & (SYN | ACK) == SYN
    }
}

const SYN: u8 = 0x02;
const ACK: u8 = 0x10;

/// A two-way record says it; else a SYN without an ACK; else the ports.
fn opener(flow: &FlowRecord) -> Opener {
    let [flags, _] = flow.tcp_flags.to_le_bytes();
    if flow.reverse {
        return Opener::Dst;
    }
    if flow.key.protocol == 6 && flags & (SYN | ACK) == SYN {
        return Opener::Src;
    }
    match flow.key.src_port.cmp(&flow.key.dst_port) {
        std::cmp::Ordering::Less => Opener::Dst,
        std::cmp::Ordering::Greater => Opener::Src,
        std::cmp::Ordering::Equal => Opener::Unknown,
    }
}

fn rehash(all: &[Lane], hasher: &DefaultHashBuilder, id: u32) -> u64 {
    let lane = all.get(id as usize);
    lane.and_then(|lane| Some(hasher.hash_one((&lane.key?, lane.way)))).unwrap_or(0)
}

/// Ways with how many lanes have each; there are never more than lanes may be.
#[derive(Debug, Clone, Default)]
struct Ways {
    ids: HashTable<u32>,
    all: Vec<(Way, u32)>,
    free: Vec<u32>,
    /// Of the record before, since neighbours mostly went the same way.
    last: Option<u32>,
}

impl Ways {
    fn of(&mut self, hasher: &DefaultHashBuilder, flow: &FlowRecord, limit: usize) -> Option<u32> {
        let way = Way::of(flow);
        if let Some(id) = self.last.filter(|id| self.all.get(*id as usize).is_some_and(|(known, _)| *known == way)) {
            return Some(id);
        }
        let hash = hasher.hash_one(way);
        let is_it = |id: &u32| self.all.get(*id as usize).is_some_and(|(known, _)| *known == way);
        if let Some(&id) = self.ids.find(hash, is_it) {
            self.last = Some(id);
            return Some(id);
        }
        if limit <= self.ids.len() {
            return None;
        }
        let id = if let Some(id) = self.free.pop() {
            self.all[id as usize] = (way, 0);
            id
        } else {
            self.all.push((way, 0));
            u32::try_from(self.all.len().saturating_sub(1)).unwrap_or(u32::MAX)
        };
        let all = &self.all;
        let rehash = |id: &u32| all.get(*id as usize).map_or(0, |(way, _)| hasher.hash_one(way));
        self.ids.insert_unique(hash, id, rehash);
        self.last = Some(id);
        Some(id)
    }

    /// Forgets those whose records found no room for a lane.
    fn sweep(&mut self, hasher: &DefaultHashBuilder) {
        for id in 0..u32::try_from(self.all.len()).unwrap_or(u32::MAX) {
            self.release_if_new(hasher, id);
        }
    }

    fn take(&mut self, id: u32) {
        if let Some((_, lanes)) = self.all.get_mut(id as usize) {
            *lanes = lanes.saturating_add(1);
        }
    }

    fn release(&mut self, hasher: &DefaultHashBuilder, id: u32) {
        if let Some((_, lanes)) = self.all.get_mut(id as usize) {
            *lanes = lanes.saturating_sub(1);
        }
        self.release_if_new(hasher, id);
    }

    /// Forgets a way that no lane has.
    fn release_if_new(&mut self, hasher: &DefaultHashBuilder, id: u32) {
        let Some((way, 0)) = self.all.get(id as usize) else { return };
        if let Ok(entry) = self.ids.find_entry(hasher.hash_one(way), |other| *other == id) {
            entry.remove();
            self.free.push(id);
        }
        self.last = self.last.filter(|last| *last != id);
    }
}

impl Way {
    /// Whether the operator gave the rate, so that estimates rest on what nobody measured.
    pub(super) fn is_assumed(&self) -> bool {
        1 < self.sampling.rate && self.sampling.source == SamplingSource::Operator
    }
}
