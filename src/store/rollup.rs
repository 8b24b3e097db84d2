//! Roll-ups: what passed in every minute and every hour, by conversation, host, service, protocol and interface.
//!
//! It reads no raw row and decides not when it writes; `index` does both. Its input is stored flows. What is spread
//! over time is [`flow::share`]'s to say, so that the sums of any span are those of the raw rows to the byte.
//!
//! A flow costs one look-up per minute that it touches, in a map of conversations, and one in a small map of
//! interfaces. Everything else is derived from these two when they are written (`checkpoint`).
//!
//! [`flow::share`]: mod@crate::flow::share

pub(super) mod checkpoint;
mod conversations;
pub(super) mod prune;
pub(super) mod slot;
#[cfg(test)]
pub(super) mod tests;

use std::hash::{Hash, Hasher};

use hashbrown::HashMap;

use crate::flow::share::Booking;
use crate::flow::{Counts, FlowRecord};
use crate::store::accounts::{counted, stored};
use crate::store::rollup::conversations::Conversations;

/// By what roll-ups are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Dimension {
    /// Two addresses, protocol and service port, both directions in one row.
    Conversation = 0,
    /// An address; what it sent, and back what it received.
    Host = 1,
    /// Protocol and service port.
    Service = 2,
    Protocol = 3,
    /// Exporter and the interface through which traffic came in.
    InInterface = 4,
    /// Exporter and the interface through which traffic went out.
    OutInterface = 5,
    /// A conversation, as one exporter reports it.
    Reported = 6,
}

impl Dimension {
    pub const ALL: [Self; 7] = [
        Self::Conversation,
        Self::Host,
        Self::Service,
        Self::Protocol,
        Self::InInterface,
        Self::OutInterface,
        Self::Reported,
    ];
}

/// The length of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Grain {
    Minute = 0,
    Hour = 1,
}

/// What is summed, in one direction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sums {
    /// As reported.
    pub counts: Counts,
    /// Flow records that ended in the span.
    pub flows: u64,
    /// What sampling adds to `counts` for an estimate.
    pub more: Counts,
}

impl Sums {
    pub const fn add(&mut self, other: Self) {
        self.counts.add(other.counts);
        self.more.add(other.more);
        self.flows = self.flows.saturating_add(other.flows);
    }

    /// With sampling applied.
    pub const fn estimate(self) -> Counts {
        let mut counts = self.counts;
        counts.add(self.more);
        counts
    }
}

/// Both directions of one key: from `a` to `b`, and back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pair(pub [Sums; 2]);

impl Pair {
    pub const fn add(&mut self, other: Self) {
        let Self([there, back]) = other;
        self.0[0].add(there);
        self.0[1].add(back);
    }

    /// Both directions together.
    pub const fn sum(self) -> Sums {
        let [mut sum, back] = self.0;
        sum.add(back);
        sum
    }

    const fn turned(self) -> Self {
        let Self([there, back]) = self;
        Self([back, there])
    }
}

/// Bounds of the roll-ups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Conversations and minutes held in memory, some 70 octets each, of IPv6 135. Beyond, they are written before their time.
    pub slots: usize,
    /// Flows held in memory. Beyond, they are written before their time, so that a start after a crash need not read
    /// back more than this many.
    pub flows: usize,
    /// Between two writes.
    pub interval_ms: i64,
    /// Rows per dimension and minute. Beyond, the largest stay apart and the others are one row of `rollup_rest`.
    pub minute_rows: usize,
    /// Rows per dimension and hour.
    pub hour_rows: usize,
}

impl Default for Limits {
    fn default() -> Self {
        // 229,376 is what a hash table of 2¹⁸ holds.
        Self { slots: 229_376, flows: 4_000_000, interval_ms: 60_000, minute_rows: 1_000, hour_rows: 5_000 }
    }
}

/// What is not written yet.
#[derive(Debug, Default)]
pub(super) struct Book {
    conversations: Conversations,
    /// Exporters with both interfaces, from which the sums of each interface are made.
    paths: HashMap<Path, Sums>,
    flows: usize,
    /// The first exporter that was met.
    exporter: Option<i64>,
    /// Whether others were. Of one alone, conversations by exporter are conversations.
    several: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Path {
    exporter: i64,
    in_if: u32,
    out_if: u32,
    bucket: i32,
}

/// As few words as it takes.
impl Hash for Path {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.exporter.cast_unsigned() ^ u64::from(self.bucket.cast_unsigned()) << 32);
        state.write_u64(u64::from(self.in_if) << 32 | u64::from(self.out_if));
    }
}

impl Book {
    /// Books one flow; `exporter` is the row of its exporter.
    pub(super) fn add(&mut self, booking: Booking, exporter: i64, flow: &FlowRecord) {
        self.stage(booking, exporter, flow);
        self.settle();
    }

    /// Takes one flow, to be booked by [`Book::settle`] before anything else is asked of the book.
    pub(super) fn stage(&mut self, booking: Booking, exporter: i64, flow: &FlowRecord) {
        let more = u64::from(flow.sampling.rate.saturating_sub(1));
        let end = booking.end_minute();
        self.several |= *self.exporter.get_or_insert(exporter) != exporter;
        // What the raw row holds.
        let counts = Counts { bytes: held(flow.counts.bytes), packets: held(flow.counts.packets) };
        // Rows of exporters are counted from 1, and few.
        let lane = self.conversations.lane(u32::try_from(exporter).unwrap_or(0), flow);
        booking.minutes(counts, |minute, counts| {
            let (bucket, ends) = (bucket(minute), minute == end);
            self.conversations.stage(lane, bucket, ends, counts);
            let more =
                Counts { bytes: counts.bytes.saturating_mul(more), packets: counts.packets.saturating_mul(more) };
            let path = Path { exporter, in_if: flow.in_if, out_if: flow.out_if, bucket };
            self.paths.entry(path).or_default().add(Sums { counts, flows: ends.into(), more });
        });
        self.flows += 1;
    }

    /// Shares of minutes that wait for [`Book::settle`].
    pub(super) const fn staged(&self) -> usize {
        self.conversations.staged()
    }

    pub(super) fn settle(&mut self) {
        self.conversations.settle();
    }

    /// Tells exporters apart from the start, since the file knows several.
    pub(super) const fn expect_several(&mut self) {
        self.several = true;
    }

    /// Where several exporters report the same conversations, lines multiply. Before these take the room that the
    /// conversations need, they are told apart no more until all is written.
    pub(super) fn spare(&mut self, limits: &Limits) {
        if self.several && self.conversations.tells_exporters() && limits.slots / 4 * 3 <= self.conversations.len() {
            self.conversations.merge();
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.flows == 0
    }

    pub(super) fn is_full(&self, limits: &Limits) -> bool {
        limits.slots <= self.conversations.len() || limits.slots <= self.paths.len() || limits.flows <= self.flows
    }

    /// Forgets everything, and keeps the room that it took.
    pub(super) fn clear(&mut self) {
        self.conversations.clear();
        self.paths.clear();
        self.flows = 0;
    }
}

/// Row keys end in the year 2248, and no booking is further than a day from one.
fn bucket(minute: i64) -> i32 {
    i32::try_from(minute).unwrap_or(i32::MAX)
}

fn held(count: u64) -> u64 {
    counted(stored(count))
}
