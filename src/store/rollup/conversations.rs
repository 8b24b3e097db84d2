//! The conversations of a book, laid out for a machine's caches: most flows meet one that no cache holds any more.
//!
//! It knows nothing of dimensions and writes nothing. Between two IPv4 hosts, what passed in a minute is one line of 64
//! octets; a table of numbers finds it. Flows are staged and booked many at once, so that the machine waits for the
//! lines of several at the same time.

use std::hash::{BuildHasher, Hash, Hasher};
use std::net::IpAddr;

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::flow::{Counts, FlowRecord};
use crate::store::rollup::slot::Slot;
use crate::store::rollup::{Pair, Sums};

#[derive(Debug, Default)]
pub(super) struct Conversations {
    narrow: Table<Narrow>,
    wide: Table<Wide>,
    /// Whether lines are of anybody: exporters are told apart no more.
    merged: bool,
}

/// What tells lines apart, and what they are lines of.
trait Key: Copy + Eq + Hash {
    fn slot(&self) -> Slot;

    fn exporter(&self) -> u32;

    /// The same, whoever reports it.
    fn of_anybody(self) -> Self;

    /// What sampling adds for each that was counted. A factor of all of a line is one of its sums.
    fn more(&self) -> u32;
}

/// In the place of the row of an exporter: these are counted from 1.
const ANYBODY: u32 = 0;

/// A direction of a conversation, in no minute yet.
#[derive(Debug, Clone, Copy)]
pub(super) enum Lane {
    Narrow(Narrow, bool),
    Wide(Wide, bool),
}

/// Between two IPv4 hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Narrow {
    a: u32,
    b: u32,
    c: u32,
    bucket: i32,
    more: u32,
    /// The row of `exporters`.
    exporter: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Wide {
    slot: Slot,
    more: u32,
    exporter: u32,
}

/// Sums of both directions.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
struct Line<K> {
    key: K,
    flows: [u32; 2],
    bytes: [u64; 2],
    packets: [u64; 2],
}

#[derive(Debug)]
struct Table<K> {
    hasher: DefaultHashBuilder,
    /// Places in `lines`, by the hash of the key.
    places: HashTable<u32>,
    lines: Vec<Line<K>>,
    staged: Vec<Staged<K>>,
}

/// The share of a flow in a minute.
#[derive(Debug)]
struct Staged<K> {
    hash: u64,
    key: K,
    /// Where its line should be, and whether it is there.
    found: (usize, bool),
    /// From the higher address to the lower one.
    back: bool,
    ends: bool,
    counts: Counts,
}

impl Conversations {
    /// The direction that a flow went, and whether that is from the higher address to the lower one.
    pub(super) fn lane(&self, exporter: u32, flow: &FlowRecord) -> Lane {
        let more = flow.sampling.rate.saturating_sub(1);
        let exporter = if self.merged { ANYBODY } else { exporter };
        if let (IpAddr::V4(src), IpAddr::V4(dst)) = (&flow.key.src_ip, &flow.key.dst_ip) {
            let (src, dst) = (src.to_bits(), dst.to_bits());
            let c = u32::from(flow.key.protocol) << 16 | u32::from(flow.key.service_port());
            Lane::Narrow(Narrow { a: src.min(dst), b: src.max(dst), c, bucket: 0, more, exporter }, dst < src)
        } else {
            let (slot, back) = Slot::conversation(flow);
            Lane::Wide(Wide { slot, more, exporter }, back)
        }
    }

    /// Stages what passed in a minute, and whether it is one of the minute's flows.
    pub(super) fn stage(&mut self, lane: Lane, bucket: i32, ends: bool, counts: Counts) {
        match lane {
            Lane::Narrow(key, back) => self.narrow.stage(Narrow { bucket, ..key }, back, ends, counts),
            Lane::Wide(key, back) => {
                self.wide.stage(Wide { slot: key.slot.at(bucket), ..key }, back, ends, counts);
            }
        }
    }

    /// What is staged.
    pub(super) const fn staged(&self) -> usize {
        self.narrow.staged.len() + self.wide.staged.len()
    }

    /// Books what was staged.
    pub(super) fn settle(&mut self) {
        self.narrow.settle();
        self.wide.settle();
    }

    /// Tells exporters apart no more until it is cleared, and makes one line of those that only these tell apart.
    pub(super) fn merge(&mut self) {
        self.merged = true;
        self.narrow.merge();
        self.wide.merge();
    }

    /// Whether lines say who reports them.
    pub(super) const fn tells_exporters(&self) -> bool {
        !self.merged
    }

    /// Lines that are taken.
    pub(super) const fn len(&self) -> usize {
        self.narrow.lines.len() + self.wide.lines.len()
    }

    /// Hands out every line; one conversation has several where several exporters report it, or sample at several rates.
    pub(super) fn each(&self, mut each: impl FnMut(Slot, Pair)) {
        self.each_reported(|_, slot, pair| each(slot, pair));
    }

    /// The same, with the row of the exporter.
    pub(super) fn each_reported(&self, mut each: impl FnMut(u32, Slot, Pair)) {
        self.narrow.lines.iter().for_each(|line| each(line.key.exporter(), line.key.slot(), line.pair()));
        self.wide.lines.iter().for_each(|line| each(line.key.exporter(), line.key.slot(), line.pair()));
    }

    /// Forgets everything, and keeps the room that it took.
    pub(super) fn clear(&mut self) {
        self.narrow.clear();
        self.wide.clear();
        self.merged = false;
    }
}

impl<K: Key> Table<K> {
    fn stage(&mut self, key: K, back: bool, ends: bool, counts: Counts) {
        let hash = self.hasher.hash_one(key);
        self.staged.push(Staged { hash, key, found: (0, false), back, ends, counts });
    }

    /// Reads all places, then all lines, and only then books: no look-up waits for the one before, nor guesses how it
    /// ends, so that the machine has many of them under way.
    fn settle(&mut self) {
        let mut staged = std::mem::take(&mut self.staged);
        for Staged { hash, found, .. } in &mut staged {
            found.0 = self.places.find(*hash, |_| true).map_or(usize::MAX, |place| *place as usize);
        }
        for Staged { key, found, .. } in &mut staged {
            found.1 = self.lines.get(found.0).is_some_and(|line| line.key == *key);
        }
        for Staged { hash, key, found: (at, is_there), back, ends, counts } in staged.drain(..) {
            let line = if is_there { self.lines.get_mut(at) } else { self.line(hash, key) };
            if let Some(line) = line {
                line.add(usize::from(back), ends.into(), counts);
            }
        }
        self.staged = staged;
    }

    /// The line of a key, a new one if there is none.
    fn line(&mut self, hash: u64, key: K) -> Option<&mut Line<K>> {
        let Self { hasher, places, lines, .. } = self;
        let place = places.find(hash, |place| lines.get(*place as usize).is_some_and(|line| line.key == key));
        let at = match place {
            Some(place) => *place as usize,
            None => {
                let at = lines.len();
                lines.push(Line { key, flows: [0; 2], bytes: [0; 2], packets: [0; 2] });
                let hash_of = |place: &u32| lines.get(*place as usize).map_or(0, |line| hasher.hash_one(line.key));
                // The limits of a book are far below 2³² lines.
                places.insert_unique(hash, u32::try_from(at).unwrap_or(u32::MAX), hash_of);
                at
            }
        };
        lines.get_mut(at)
    }

    fn merge(&mut self) {
        self.places.clear();
        for old in std::mem::take(&mut self.lines) {
            let key = old.key.of_anybody();
            let Some(line) = self.line(self.hasher.hash_one(key), key) else { continue };
            for direction in [0, 1] {
                let counts = Counts { bytes: old.bytes[direction], packets: old.packets[direction] };
                line.add(direction, old.flows[direction], counts);
            }
        }
    }

    fn clear(&mut self) {
        self.places.clear();
        self.lines.clear();
        self.staged.clear();
    }
}

impl<K> Default for Table<K> {
    fn default() -> Self {
        let hasher = DefaultHashBuilder::default();
        Self { hasher, places: HashTable::new(), lines: Vec::new(), staged: Vec::new() }
    }
}

impl<K: Key> Line<K> {
    fn add(&mut self, direction: usize, flows: u32, counts: Counts) {
        self.flows[direction] = self.flows[direction].saturating_add(flows);
        self.bytes[direction] = self.bytes[direction].saturating_add(counts.bytes);
        self.packets[direction] = self.packets[direction].saturating_add(counts.packets);
    }

    fn pair(&self) -> Pair {
        let more = u64::from(self.key.more());
        let sums = |direction: usize| {
            let counts = Counts { bytes: self.bytes[direction], packets: self.packets[direction] };
            let times = |count: u64| count.saturating_mul(more);
            let more = Counts { bytes: times(counts.bytes), packets: times(counts.packets) };
            Sums { counts, flows: self.flows[direction].into(), more }
        };
        Pair([sums(0), sums(1)])
    }
}

impl Key for Narrow {
    fn slot(&self) -> Slot {
        Slot::between(self.a, self.b, self.c).at(self.bucket)
    }

    fn exporter(&self) -> u32 {
        self.exporter
    }

    fn of_anybody(self) -> Self {
        Self { exporter: ANYBODY, ..self }
    }

    fn more(&self) -> u32 {
        self.more
    }
}

impl Key for Wide {
    fn slot(&self) -> Slot {
        self.slot
    }

    fn exporter(&self) -> u32 {
        self.exporter
    }

    fn of_anybody(self) -> Self {
        Self { exporter: ANYBODY, ..self }
    }

    fn more(&self) -> u32 {
        self.more
    }
}

/// As few words as it takes.
impl Hash for Narrow {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { a, b, c, bucket, more, exporter } = *self;
        for (high, low) in [(a, b), (c, bucket.cast_unsigned()), (more, exporter)] {
            state.write_u64(u64::from(high) << 32 | u64::from(low));
        }
    }
}

impl Hash for Slot {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.words().into_iter().for_each(|number| state.write_u64(number));
    }
}
