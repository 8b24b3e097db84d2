//! The rolling aggregate: flow records in, a [`Snapshot`] of the last seconds to hour out.
//!
//! It holds every span at once, so that changing the span shows the past and not an empty screen. It knows no
//! template, no table and no clock: records come from whoever has them (the live collector, a replayed capture, the
//! database), and the time is an argument. Records are booked in the second in which they arrived.
//!
//! Each conversation has one entry with a running tally per span. A record adds to all of them; when a slice of time
//! leaves a span, what it held is taken from that span's tallies. So a record costs one look-up however many spans
//! there are, and a snapshot is one pass over the entries. Memory is bounded by [`Limits::conversations`].

mod slices;
mod snapshot;

use std::net::IpAddr;

use hashbrown::HashMap;

use crate::flow::{Counts, FlowRecord, Timestamp};
use crate::window::slices::Slices;
pub use crate::window::snapshot::{Conversation, ProtocolShare, Snapshot};

/// How far back a snapshot looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Span {
    TenSeconds,
    #[default]
    Minute,
    FiveMinutes,
    QuarterHour,
    Hour,
}

impl Span {
    pub const ALL: [Self; 5] = [Self::TenSeconds, Self::Minute, Self::FiveMinutes, Self::QuarterHour, Self::Hour];

    pub const fn seconds(self) -> i64 {
        match self {
            Self::TenSeconds => 10,
            Self::Minute => 60,
            Self::FiveMinutes => 300,
            Self::QuarterHour => 900,
            Self::Hour => 3600,
        }
    }

    /// As on screen: `10 s`, `1 min`, …
    pub const fn label(self) -> &'static str {
        match self {
            Self::TenSeconds => "10 s",
            Self::Minute => "1 min",
            Self::FiveMinutes => "5 min",
            Self::QuarterHour => "15 min",
            Self::Hour => "60 min",
        }
    }

    /// The next shorter one, or the shortest.
    #[must_use]
    pub const fn shorter(self) -> Self {
        match self {
            Self::TenSeconds | Self::Minute => Self::TenSeconds,
            Self::FiveMinutes => Self::Minute,
            Self::QuarterHour => Self::FiveMinutes,
            Self::Hour => Self::QuarterHour,
        }
    }

    /// The next longer one, or the longest.
    #[must_use]
    pub const fn longer(self) -> Self {
        match self {
            Self::TenSeconds => Self::Minute,
            Self::Minute => Self::FiveMinutes,
            Self::FiveMinutes => Self::QuarterHour,
            Self::QuarterHour | Self::Hour => Self::Hour,
        }
    }
}

/// What is counted per conversation, span and second. Bytes and packets are as reported; sampling is not applied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    pub counts: Counts,
    /// Flow records.
    pub flows: u64,
}

impl Tally {
    const fn add(&mut self, other: Self) {
        self.counts.add(other.counts);
        self.flows = self.flows.saturating_add(other.flows);
    }

    const fn subtract(&mut self, other: Self) {
        self.counts.bytes = self.counts.bytes.saturating_sub(other.counts.bytes);
        self.counts.packets = self.counts.packets.saturating_sub(other.counts.packets);
        self.flows = self.flows.saturating_sub(other.flows);
    }
}

/// Who sends to whom over which service. Ephemeral ports are folded: of two ports the lower one is the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConversationKey {
    pub src_ip: IpAddr,
    pub dst_ip: IpAddr,
    pub protocol: u8,
    /// 0 for protocols without ports.
    pub port: u16,
}

impl ConversationKey {
    pub fn of(flow: &FlowRecord) -> Self {
        let key = flow.key;
        let port = match (key.src_port, key.dst_port) {
            (0, port) | (port, 0) => port,
            (src, dst) => src.min(dst),
        };
        Self { src_ip: key.src_ip, dst_ip: key.dst_ip, protocol: key.protocol, port }
    }
}

/// Bounds of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Conversations held; what comes beyond is booked under "other", so that sums stay exact.
    pub conversations: usize,
    /// Rows of a snapshot under each measure.
    pub rows: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { conversations: 200_000, rows: 500 }
    }
}

/// The number of an entry, small enough to be held once per slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct EntryId(u32);

/// The entry that stands for all conversations which found no room.
const OTHER: EntryId = EntryId(0);

#[derive(Debug, Clone)]
struct Entry {
    /// `None` for [`OTHER`], and for an entry that is free.
    key: Option<ConversationKey>,
    tallies: [Tally; Span::ALL.len()],
}

/// The rolling aggregate.
#[derive(Debug)]
pub struct Window {
    limits: Limits,
    ids: HashMap<ConversationKey, EntryId>,
    entries: Vec<Entry>,
    free: Vec<EntryId>,
    slices: Slices,
    /// Conversations that found no room, counted once per record.
    folded: u64,
}

impl Window {
    pub fn new(limits: Limits) -> Self {
        let other = Entry { key: None, tallies: Default::default() };
        Self { limits, ids: HashMap::new(), entries: vec![other], free: Vec::new(), slices: Slices::new(), folded: 0 }
    }

    /// Books a record. `flow.received` moves the window's time forward, never back: a record that is older than a
    /// second, since it waited for its template, is booked now.
    pub fn record(&mut self, flow: &FlowRecord) {
        self.advance(flow.received);
        let tally = Tally { counts: flow.counts, flows: 1 };
        let id = self.id(ConversationKey::of(flow));
        if let Some(entry) = self.entries.get_mut(id.0 as usize) {
            entry.tallies.iter_mut().for_each(|total| total.add(tally));
        }
        self.slices.add(id, tally);
    }

    /// Lets time pass: what is older than a span leaves it.
    pub fn advance(&mut self, now: Timestamp) {
        let second = now.0.div_euclid(1000);
        while self.slices.second() < second {
            let entries = &mut self.entries;
            let mut emptied = Vec::new();
            self.slices.next_second(second, |span, id, tally| {
                let Some(entry) = entries.get_mut(id.0 as usize) else { return };
                entry.tallies[span as usize].subtract(tally);
                if span == Span::Hour && entry.tallies[span as usize].flows == 0 {
                    emptied.push(id);
                }
            });
            self.release(emptied);
        }
    }

    /// How many conversations are held.
    pub fn conversations(&self) -> usize {
        self.ids.len()
    }

    fn id(&mut self, key: ConversationKey) -> EntryId {
        if let Some(id) = self.ids.get(&key) {
            return *id;
        }
        if self.limits.conversations <= self.ids.len() {
            self.folded = self.folded.saturating_add(1);
            return OTHER;
        }
        let entry = Entry { key: Some(key), tallies: Default::default() };
        let id = if let Some(id) = self.free.pop() {
            self.entries[id.0 as usize] = entry;
            id
        } else {
            let Ok(id) = u32::try_from(self.entries.len()) else { return OTHER };
            self.entries.push(entry);
            EntryId(id)
        };
        self.ids.insert(key, id);
        id
    }

    fn release(&mut self, emptied: Vec<EntryId>) {
        for id in emptied {
            let Some(entry) = self.entries.get_mut(id.0 as usize) else { continue };
            if entry.tallies[Span::Hour as usize].flows != 0 {
                continue;
            }
            if let Some(key) = entry.key.take() {
                self.ids.remove(&key);
                self.free.push(id);
            }
        }
    }
}

#[cfg(test)]
mod tests;
