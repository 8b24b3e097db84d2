//! When the bytes of a flow record are held to have passed: the one function that decides every share of time.
//!
//! It sums nothing and keeps nothing; window, roll-ups and reports ask it, so that every grain agrees to the byte. Its
//! input is a record and a span of time. The packets of a record are shared like its bytes.

use crate::flow::{Counts, FlowRecord, Timestamp};

/// The counts of `record` that fall into `from..to`: additive over any partition of time, exact in total.
///
/// `⌊bytes·(to−first)/(last−first)⌋ − ⌊bytes·(from−first)/(last−first)⌋`, both clamped to [first, last].
pub fn share(record: &FlowRecord, from: Timestamp, to: Timestamp) -> Counts {
    Booking::of(record).share(record.counts, from, to)
}

/// The span over which a record's counts are spread. It depends on nothing but the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Booking {
    first: i64,
    last: i64,
    at_arrival: bool,
}

/// A record whose end is further from its receive time has a clock that says nothing: it is booked at arrival.
pub const CLOCK_OFF_MS: i64 = 86_400_000;

/// A record that claims to have lasted longer is booked at arrival as well.
pub const LASTING_MS: i64 = 366 * 86_400_000;

/// A record that lasted longer than so many minutes is booked in so many equal lumps instead of evenly, so that no
/// record touches more than this many minutes and one more, whatever it claims.
pub const LUMPS: u64 = 60;

const MINUTE_MS: i64 = 60_000;
const LONGEST_MS: u64 = LUMPS * MINUTE_MS.unsigned_abs();

impl Booking {
    pub const fn of(record: &FlowRecord) -> Self {
        Self::new(record.received, record.first, record.last)
    }

    /// For a record whose receive time is another one in the database, where a millisecond can be full.
    pub const fn new(received: Timestamp, first: Timestamp, last: Timestamp) -> Self {
        let off = received.since(last);
        if off < -CLOCK_OFF_MS || CLOCK_OFF_MS < off || last.since(first) < 0 || LASTING_MS < last.since(first) {
            return Self { first: received.0, last: received.0, at_arrival: true };
        }
        Self { first: first.0, last: last.0, at_arrival: false }
    }

    /// Whether the times of the record were not believed.
    pub const fn at_arrival(self) -> bool {
        self.at_arrival
    }

    pub const fn first(self) -> Timestamp {
        Timestamp(self.first)
    }

    pub const fn last(self) -> Timestamp {
        Timestamp(self.last)
    }

    /// The last millisecond that has something of the record: where it counts as a flow.
    pub const fn end(self) -> Timestamp {
        if self.first == self.last { Timestamp(self.last) } else { Timestamp(self.last - 1) }
    }

    /// The minute, counted from 1970, in which the record ends: where it counts as a flow.
    ///
    /// A record that ends with a minute ends in that minute and not in the next one, which has none of its bytes.
    pub const fn end_minute(self) -> i64 {
        minute(self.end().0)
    }

    /// Whether the record counts as a flow of `from..to`: whether its last instant is in it.
    pub const fn ends_in(self, from: Timestamp, to: Timestamp) -> bool {
        let end = if self.first == self.last { self.last } else { self.last - 1 };
        from.0 <= end && end < to.0
    }

    /// Whether a record counts in `from..to`: with bytes or packets, or as one that ended.
    pub const fn has_part(self, counts: Counts, from: Timestamp, to: Timestamp) -> bool {
        self.ends_in(from, to) || !self.share(counts, from, to).is_zero()
    }

    /// The share of counts that falls into `from..to`.
    pub const fn share(self, counts: Counts, from: Timestamp, to: Timestamp) -> Counts {
        // Most records lie in the span as a whole, and need no division.
        if from.0 <= self.first && self.last < to.0 {
            return counts;
        }
        let (before, after) = (from.0, to.0);
        Counts {
            bytes: self.until(counts.bytes, after).saturating_sub(self.until(counts.bytes, before)),
            packets: self.until(counts.packets, after).saturating_sub(self.until(counts.packets, before)),
        }
    }

    /// Hands out the share of every minute that has one, in order of time; the end minute in any case.
    pub fn minutes(self, counts: Counts, mut book: impl FnMut(i64, Counts)) {
        let end = self.end_minute();
        let mut minute = self.lump_after(self.first).min(end);
        let mut done = Counts::default();
        while minute < end {
            let until = (minute + 1) * MINUTE_MS;
            let now = Counts { bytes: self.until(counts.bytes, until), packets: self.until(counts.packets, until) };
            if now != done {
                book(minute, minus(now, done));
                done = now;
            }
            minute = self.lump_after(until);
        }
        book(end, minus(counts, done));
    }

    /// How much of the counts has passed right before `time`.
    pub const fn passed(self, counts: Counts, time: Timestamp) -> Counts {
        Counts { bytes: self.until(counts.bytes, time.0), packets: self.until(counts.packets, time.0) }
    }

    /// How much of `count` has passed right before `time`.
    const fn until(self, count: u64, time: i64) -> u64 {
        if time <= self.first {
            return 0;
        }
        if self.last <= time {
            // What happened in an instant belongs to the span that begins with it.
            return if self.last == time && self.first == self.last { 0 } else { count };
        }
        let (elapsed, span) = (time.abs_diff(self.first), self.last.abs_diff(self.first));
        if span <= LONGEST_MS { part(count, elapsed, span) } else { part(count, elapsed * LUMPS / span, LUMPS) }
    }

    /// The next minute after `time`, which has the next lump when there are lumps.
    const fn lump_after(self, time: i64) -> i64 {
        let span = self.last.abs_diff(self.first);
        if span <= LONGEST_MS {
            return minute(time);
        }
        let lump = time.abs_diff(self.first) * LUMPS / span + 1;
        // A year of milliseconds times 60 is far from the end of 64 bits.
        let elapsed = (lump * span).div_ceil(LUMPS);
        minute(self.first.saturating_add_unsigned(elapsed) - 1)
    }
}

/// The minute of a time, counted from 1970.
pub const fn minute(time: i64) -> i64 {
    time.div_euclid(MINUTE_MS)
}

/// `⌊count · elapsed / span⌋`, in 64 bits where that is enough, since division in 128 bits takes ten times as long.
#[expect(clippy::cast_possible_truncation, reason = "at most `count`, as `elapsed` is at most `span`")]
const fn part(count: u64, elapsed: u64, span: u64) -> u64 {
    match count.checked_mul(elapsed) {
        Some(product) => product / span,
        None => (count as u128 * elapsed as u128 / span as u128) as u64,
    }
}

const fn minus(counts: Counts, done: Counts) -> Counts {
    Counts { bytes: counts.bytes.saturating_sub(done.bytes), packets: counts.packets.saturating_sub(done.packets) }
}

#[cfg(test)]
mod tests;
