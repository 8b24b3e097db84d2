//! What was credited when: slices of time, fine where they are young and coarse where they are old.
//!
//! A record is credited to every slice that it lasted through, by [`flow::share`](mod@crate::flow::share), so that sums
//! are exact however slices are merged later. Late records reach slices that are long over. A slice lists lanes and
//! counts and knows no address.
//!
//! Slices are ten seconds long for five minutes, a minute up to a quarter of an hour, and five minutes up to the hour.
//! When they hold more octets than they may, the oldest fine ones are merged before their time: the past becomes
//! coarser, never wrong.

use std::collections::VecDeque;

use crate::flow::share::Booking;
use crate::flow::{Counts, Timestamp};
use crate::window::Tally;
use crate::window::lanes::{LaneId, Sense};
use crate::window::packed::{Line, Packed, fold};

/// Seconds of the finest slice.
pub(super) const FINE: i64 = 10;
/// Grain of the next tier, and the age in seconds from which slices belong to it.
const TIERS: [(i64, i64); 2] = [(60, 300), (300, 900)];
/// Seconds that are held.
pub(super) const HELD: i64 = 3600;
/// Seconds of the past that stay fine, however little room there is.
const ALWAYS_FINE: i64 = 60;
/// Slices from the newest on that most records are credited to.
const YOUNG: usize = 8;
/// Lines of a slice that were not packed yet, from which on it is worth it.
const FRESH: usize = 1024;

/// One span of time.
#[derive(Debug, Clone, Default)]
pub(super) struct Slice {
    /// Seconds since 1970; `end` is not part of it.
    pub(super) start: i64,
    pub(super) end: i64,
    packed: Packed,
    /// In order of arrival.
    fresh: Vec<Line>,
    /// By [`Sense`].
    pub(super) totals: [Tally; Sense::ALL.len()],
}

impl Slice {
    fn add(&mut self, line: Line, sense: Sense) {
        self.fresh.push(line);
        self.totals[sense as usize].add(line.tally());
        // Rarely enough that each line is copied a few times at most.
        if FRESH.max(self.packed.len() / 4) <= self.fresh.len() {
            self.pack();
        }
    }

    pub(super) fn pack(&mut self) {
        if self.fresh.is_empty() {
            return;
        }
        fold(&mut self.fresh);
        self.packed = self.packed.merged(self.fresh.drain(..));
        if 4 * FRESH < self.fresh.capacity() {
            self.fresh = Vec::new();
        }
    }

    /// One line per lane; [`Slices::pack`] must have come before.
    pub(super) fn lines(&self) -> impl Iterator<Item = Line> + '_ {
        self.packed.lines()
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.packed.len() == 0 && self.fresh.is_empty()
    }

    pub(super) const fn len(&self) -> usize {
        self.packed.len()
    }

    pub(super) fn of(&self, lane: LaneId) -> Option<Line> {
        self.packed.of(lane)
    }

    pub(super) const fn seconds(&self) -> i64 {
        self.end.saturating_sub(self.start)
    }

    fn octets(&self) -> usize {
        self.packed.octets().saturating_add(self.fresh.capacity().saturating_mul(size_of::<Line>()))
    }

    /// Takes in the slice that follows.
    fn append(&mut self, mut next: Self) {
        self.pack();
        next.pack();
        self.packed = self.packed.merged(next.packed.lines());
        self.end = next.end;
        self.totals.iter_mut().zip(next.totals).for_each(|(total, more)| total.add(more));
    }
}

/// The slices of the last hour, oldest first, without a gap.
#[derive(Debug, Clone)]
pub(super) struct Slices {
    all: VecDeque<Slice>,
    /// Octets that they may hold.
    limit: usize,
    /// Records that had passed before the oldest slice.
    before: u64,
    /// What passed from then on is not credited.
    end: Timestamp,
}

impl Slices {
    pub(super) const fn new(limit: usize) -> Self {
        Self { all: VecDeque::new(), limit, before: 0, end: Timestamp(i64::MAX) }
    }

    /// Credits nothing of what passed at or after `end`.
    pub(super) fn until(self, end: Timestamp) -> Self {
        Self { end, ..self }
    }

    pub(super) const fn end(&self) -> Timestamp {
        self.end
    }

    /// Oldest first.
    pub(super) const fn all(&self) -> &VecDeque<Slice> {
        &self.all
    }

    /// First second of the slice that runs.
    pub(super) fn running(&self) -> Option<i64> {
        self.all.back().map(|slice| slice.start)
    }

    pub(super) fn oldest(&self) -> i64 {
        self.all.front().map_or(i64::MIN, |slice| slice.start)
    }

    pub(super) const fn before(&self) -> u64 {
        self.before
    }

    /// Credits one record to its lane; returns the start of the newest slice that has something of it.
    ///
    /// What an exporter's clock places in the future counts as now, what passed before the oldest slice not at all.
    pub(super) fn credit(&mut self, lane: LaneId, sense: Sense, booking: Booking, counts: Counts) -> i64 {
        let (first, end) = (booking.first().0, booking.end().0);
        if self.end.0 <= first {
            return i64::MIN;
        }
        let ends = end < self.end.0;
        let mut later = if ends { counts } else { booking.passed(counts, self.end) };
        let mut newest = None;
        for slice in self.all.iter_mut().rev() {
            let start = slice.start.saturating_mul(1000);
            let earlier = booking.passed(counts, Timestamp(start));
            let share = Counts {
                bytes: later.bytes.saturating_sub(earlier.bytes),
                packets: later.packets.saturating_sub(earlier.packets),
            };
            let ends_here = ends && newest.is_none() && start <= end;
            if ends_here || !share.is_zero() {
                slice.add(Line { lane, flows: u32::from(ends_here), counts: share }, sense);
                newest = newest.or(Some(slice.start));
            }
            if start <= first {
                break;
            }
            later = earlier;
        }
        if newest.is_none() {
            self.before = self.before.saturating_add(1);
        }
        newest.unwrap_or(i64::MIN)
    }

    /// Begins the slice that `second` belongs to, and lets go of what is older than an hour. Returns whether a new one
    /// was begun.
    pub(super) fn advance(&mut self, second: i64) -> bool {
        let start = second.div_euclid(FINE).saturating_mul(FINE);
        let Some(running) = self.running() else {
            self.fill(start.saturating_sub(HELD), start);
            return true;
        };
        if start <= running {
            return false;
        }
        if running.saturating_add(2 * HELD) < start {
            // After a silence longer than anything that is held.
            self.all.clear();
            self.fill(start.saturating_sub(HELD), start);
            return true;
        }
        let mut next = running;
        while next < start {
            next = next.saturating_add(FINE);
            self.all.push_back(Slice { start: next, end: next.saturating_add(FINE), ..Slice::default() });
        }
        // Few records come that late; they may take room again.
        for slice in self.all.iter_mut().rev().skip(YOUNG) {
            slice.pack();
            slice.fresh = Vec::new();
        }
        self.coarsen(start);
        while self.all.front().is_some_and(|slice| slice.end <= start.saturating_sub(HELD)) {
            self.all.pop_front();
        }
        true
    }

    /// Empty slices from `from`, the last of which begins at `until`.
    fn fill(&mut self, from: i64, until: i64) {
        let mut start = from.div_euclid(300).saturating_mul(300);
        while start <= until {
            let grain = grain(start, until);
            self.all.push_back(Slice { start, end: start.saturating_add(grain), ..Slice::default() });
            start = start.saturating_add(grain);
        }
    }

    /// Merges what is old enough, and more when there is too little room.
    fn coarsen(&mut self, now: i64) {
        for (grain, age) in TIERS {
            while self.merge_one(grain, now.saturating_sub(age)) {}
        }
        let mut octets: usize = self.all.iter().map(Slice::octets).sum();
        for (grain, _) in TIERS {
            while self.limit < octets && self.merge_one(grain, now.saturating_sub(ALWAYS_FINE)) {
                octets = self.all.iter().map(Slice::octets).sum();
            }
        }
    }

    /// Merges the oldest slices that make a whole one of `grain` and end by `by`.
    fn merge_one(&mut self, grain: i64, by: i64) -> bool {
        let is_short = |slice: &Slice| slice.seconds() < grain;
        let Some(at) = self.all.iter().position(is_short) else { return false };
        let start = self.all[at].start;
        let end = start.div_euclid(grain).saturating_add(1).saturating_mul(grain);
        if by < end {
            return false;
        }
        while self.all.get(at.saturating_add(1)).is_some_and(|next| next.end <= end) {
            let Some(next) = self.all.remove(at.saturating_add(1)) else { break };
            self.all[at].append(next);
        }
        true
    }

    /// Makes every line readable.
    pub(super) fn pack(&mut self) {
        self.all.iter_mut().for_each(Slice::pack);
    }

    /// Gives the lines of lanes that are given up to the lane that stands for all others of their sense.
    pub(super) fn bequeath(&mut self, heir: impl Fn(LaneId) -> Option<Sense>) {
        for slice in &mut self.all {
            slice.pack();
            let mut heirs = Sense::ALL.map(|sense| Line { lane: LaneId(sense as u32), ..Line::default() });
            let mut kept = Vec::with_capacity(slice.packed.len());
            for line in slice.packed.lines() {
                let own = heirs.iter().position(|other| other.lane == line.lane);
                match heir(line.lane).map(|sense| sense as usize).or(own) {
                    Some(heir) => heirs[heir].add(line),
                    None => kept.push(line),
                }
            }
            let heirs = heirs.into_iter().filter(|line| line.flows != 0 || !line.counts.is_zero());
            slice.packed = Packed::new(heirs.chain(kept));
        }
    }

    pub(super) fn octets(&self) -> usize {
        self.all.iter().map(Slice::octets).sum()
    }
}

/// How long a slice is that begins at `start`, seen from `now`.
fn grain(start: i64, now: i64) -> i64 {
    let old_enough = |&&(grain, age): &&(i64, i64)| {
        start.rem_euclid(grain) == 0 && start.saturating_add(grain) <= now.saturating_sub(age)
    };
    TIERS.iter().rev().find(old_enough).map_or(FINE, |&(grain, _)| grain)
}
