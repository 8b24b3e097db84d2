//! The rolling aggregate: flow records in, a [`Snapshot`] of the last seconds to hour out.
//!
//! It holds the whole last hour in one form for every span, dimension and filter, so that changing any of them shows the
//! past and not an empty screen. It knows no template, no table and no clock: records come from whoever has them (the
//! live collector, a replayed capture, the database), and the time is an argument.
//!
//! A record speaks of the past. Its counts are spread over the time that it lasted (`slices`), so that rates are those
//! of the traffic and not of the reports, and how late exporters report is learned (`lag`): until then figures are
//! settled. Each record is booked under one lane (`lanes`): a direction of a conversation, and the way it took. What
//! is reported twice is found (`once`). Who looks says which lanes count and which row each adds to (`select`), and
//! gets the largest.
//!
//! Memory is bounded by [`Limits`]. Where too many lanes come the smallest are folded into one, and where their past
//! takes too much room it becomes coarser; sums stay exact.

mod asked;
mod badges;
mod key;
mod lag;
mod lanes;
mod once;
mod packed;
mod select;
mod slices;
mod snapshot;

use std::net::IpAddr;

use crate::filter::{Prefix, Prefixes};
use crate::flow::share::Booking;
use crate::flow::{Counts, FlowRecord, ObservationDomainId, Timestamp};
pub use crate::window::asked::decides;
pub use crate::window::badges::{Badge, Badges};
pub use crate::window::key::{Atlas, ConversationKey, Country, Dimension, Key};
use crate::window::lag::Lags;
pub use crate::window::lanes::Sense;
use crate::window::lanes::{LaneId, LaneKey, Lanes, OTHERS, Place};
pub use crate::window::once::Fold;
use crate::window::once::Once;
use crate::window::select::{Choice, Selection};
use crate::window::slices::Slices;
pub use crate::window::snapshot::{AVERAGES, Point, Row, Snapshot, Sort, Until, View, Ways};

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

/// What is counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    pub counts: Counts,
    /// Flow records that ended in the time that is counted.
    pub flows: u64,
}

impl Tally {
    pub const fn add(&mut self, other: Self) {
        self.counts.add(other.counts);
        self.flows = self.flows.saturating_add(other.flows);
    }

    pub const fn subtract(&mut self, other: Self) {
        self.counts.bytes = self.counts.bytes.saturating_sub(other.counts.bytes);
        self.counts.packets = self.counts.packets.saturating_sub(other.counts.packets);
        self.flows = self.flows.saturating_sub(other.flows);
    }
}

/// When records count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Clock {
    /// While the traffic passed.
    #[default]
    Flow,
    /// When the report arrived, as other monitors do.
    Arrival,
}

/// Bounds of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Lanes held. Beyond, records are booked under "other", and every ten seconds the smallest quarter is given up.
    pub lanes: usize,
    /// Octets that slices may hold. Beyond, the past becomes coarser.
    pub octets: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { lanes: 1_100_000, octets: 64 << 20 }
    }
}

/// Records that are booked at once.
const AT_ONCE: usize = 64;
/// Selections that are kept for the next snapshot: those of the panels of a screen.
const SELECTIONS: usize = 6;

/// The rolling aggregate.
#[derive(Debug, Clone)]
pub struct Window {
    atlas: Atlas,
    clock: Clock,
    lanes: Lanes,
    slices: Slices,
    once: Once,
    lags: Lags,
    /// The one that was asked for last is the last one.
    selections: Vec<Selection>,
    now: Timestamp,
    /// When the first record arrived.
    began: Timestamp,
    clock_off: u64,
    /// Lanes given up to make room.
    given_up: u64,
    /// Empty but while records are booked.
    places: Vec<Place>,
    /// Whether nothing more will be reported.
    is_over: bool,
}

impl Window {
    /// One that takes the usual networks for inside, and books records while their traffic passed.
    pub fn new(limits: Limits) -> Self {
        Self {
            atlas: Atlas::default(),
            clock: Clock::Flow,
            lanes: Lanes::new(limits.lanes),
            slices: Slices::new(limits.octets),
            once: Once::new(),
            lags: Lags::default(),
            selections: Vec::new(),
            now: Timestamp(i64::MIN),
            began: Timestamp(i64::MAX),
            clock_off: 0,
            given_up: 0,
            places: Vec::new(),
            is_over: false,
        }
    }

    /// Knows other networks and countries.
    #[must_use]
    pub fn with_atlas(self, atlas: Atlas) -> Self {
        Self { atlas, ..self }
    }

    /// Books records at another time.
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// Looks back from `end`, which is in the past: nothing that passed from then on is credited, and of records that
    /// lasted longer the part before. What is booked may have been received later.
    #[must_use]
    pub fn with_end(self, end: Timestamp) -> Self {
        let mut window = Self { slices: self.slices.until(end), ..self };
        window.advance(end);
        window
    }

    /// Books a record. `flow.received` moves the window's time forward, never back.
    pub fn record(&mut self, flow: &FlowRecord) {
        self.record_all(std::slice::from_ref(flow));
    }

    /// Books records, some at once: where each goes is worked out before any is booked, so that the processor waits for
    /// the memory of many lanes at the same time.
    pub fn record_all(&mut self, flows: &[FlowRecord]) {
        for flows in flows.chunks(AT_ONCE) {
            self.advance(flows.iter().map(|flow| flow.received).max().unwrap_or(self.now));
            let mut places = std::mem::take(&mut self.places);
            places.extend(flows.iter().map(|flow| self.place(flow)));
            for (flow, place) in flows.iter().zip(places.drain(..)) {
                self.book(flow, &place);
            }
            self.places = places;
        }
    }

    fn place(&mut self, flow: &FlowRecord) -> Place {
        self.began = self.began.min(flow.received);
        self.lags.note(flow);
        let atlas = &self.atlas;
        let is_local = |address| atlas.is_inside(address);
        let seen = self.once.look(flow, is_local);
        let sense = Sense::of(is_local(seen.key.src_ip), is_local(seen.key.dst_ip));
        self.lanes.place(LaneKey::of(seen.key, seen.fold), sense, flow)
    }

    fn book(&mut self, flow: &FlowRecord, place: &Place) {
        let lane = self.lanes.of(place, flow);
        let booking = match self.clock {
            Clock::Flow => Booking::of(flow),
            Clock::Arrival => Booking::new(flow.received, flow.received, flow.received),
        };
        self.clock_off = self.clock_off.saturating_add(u64::from(booking.at_arrival()));
        let newest = self.slices.credit(lane, place.sense, booking, flow.counts);
        self.lanes.touch(lane, newest);
    }

    /// Lets time pass: what is older than an hour leaves.
    pub fn advance(&mut self, now: Timestamp) {
        let now = now.min(self.slices.end());
        if now <= self.now {
            return;
        }
        self.now = now;
        let second = now.0.div_euclid(1000);
        if self.slices.advance(second) {
            self.lanes.expire(self.slices.oldest());
            // Not only when none is left: large ones come at any time.
            if self.lanes.limit() / 16 * 15 <= self.lanes.len() {
                self.give_up();
            } else if self.lanes.len() < self.lanes.limit() / 2 {
                self.lanes.raise_bar(0);
            }
            self.once.advance(now);
            self.lags.advance(second);
        }
    }

    /// How many lanes are held.
    pub fn lanes(&self) -> usize {
        self.lanes.len()
    }

    /// Octets that slices hold.
    pub fn octets(&self) -> usize {
        self.slices.octets()
    }

    /// Seconds after which each exporter and domain has reported nearly everything.
    pub fn lags(&self) -> impl Iterator<Item = ((IpAddr, ObservationDomainId), i64)> + '_ {
        self.lags.each()
    }

    /// Says whether nothing more will be reported, so that all of it is settled.
    pub const fn settle(&mut self, is_over: bool) {
        self.is_over = is_over;
    }

    fn settled_after(&self) -> i64 {
        match self.clock {
            // Of the past, and where nobody reports any more, reports have come.
            Clock::Flow if self.slices.end() == Timestamp(i64::MAX) && !self.is_over => self.lags.settled_after(),
            Clock::Flow | Clock::Arrival => 0,
        }
    }

    /// Folds the smallest quarter of all lanes into those that stand for all others.
    fn give_up(&mut self) {
        self.slices.pack();
        let mut bytes = vec![0_u64; self.lanes.all().len()];
        for line in self.slices.all().iter().flat_map(slices::Slice::lines) {
            if let Some(sum) = bytes.get_mut(line.lane.0 as usize) {
                *sum = sum.saturating_add(line.counts.bytes);
            }
        }
        let mut held: Vec<u32> = (OTHERS..u32::try_from(bytes.len()).unwrap_or(u32::MAX))
            .filter(|id| self.lanes.all().get(*id as usize).is_some_and(|lane| lane.key.is_some()))
            .collect();
        let quarter = held.len() / 4;
        if quarter == 0 {
            return;
        }
        let bytes_of = |id: &u32| bytes.get(*id as usize).copied().unwrap_or(0);
        held.select_nth_unstable_by_key(quarter, bytes_of);
        self.lanes.raise_bar(held.iter().take(quarter).map(bytes_of).max().unwrap_or(0));
        held.truncate(quarter);
        let mut heirs = vec![None; bytes.len()];
        for id in held {
            if let (Some(heir), Some(lane)) = (heirs.get_mut(id as usize), self.lanes.all().get(id as usize)) {
                *heir = Some(lane.sense);
            }
            self.lanes.remove(LaneId(id));
            self.given_up = self.given_up.saturating_add(1);
        }
        self.slices.bequeath(|lane| heirs.get(lane.0 as usize).copied().flatten());
    }

    /// The selection of a choice, which may have been made before.
    fn selection(&mut self, choice: Choice) -> Selection {
        match self.selections.iter().position(|selection| selection.choice == choice) {
            Some(at) => self.selections.remove(at),
            None => Selection::new(choice),
        }
    }

    fn keep_selection(&mut self, selection: Selection) {
        if SELECTIONS <= self.selections.len() {
            self.selections.remove(0);
        }
        self.selections.push(selection);
    }
}

/// The networks that are inside unless told otherwise: private, unique local and link-local (RFC 1918, RFC 4193,
/// RFC 3927, RFC 4291 §2.5.6), and loopback.
pub fn local() -> Prefixes {
    let v4 = [
        ([10, 0, 0, 0], 8),
        ([172, 16, 0, 0], 12),
        ([192, 168, 0, 0], 16),
        ([169, 254, 0, 0], 16),
        ([127, 0, 0, 0], 8),
    ];
    let v6 = [(0xfc00, 7), (0xfe80, 10)];
    let v4 = v4.into_iter().map(|(octets, length)| (IpAddr::from(octets), length));
    let v6 = v6.into_iter().map(|(first, length)| (IpAddr::from([first, 0, 0, 0, 0, 0, 0, 0_u16]), length));
    Prefixes::of(v4.chain(v6).filter_map(|(address, length)| Prefix::new(address, length)))
}

#[cfg(test)]
mod tests;
