//! Of which time a snapshot's rates are.

use crate::flow::Timestamp;
use crate::window::slices::{FINE, Slice};
use crate::window::snapshot::{AVERAGES, Until, View};
use crate::window::{Window, lag};

/// However late exporters report, rates are not older than this many seconds; the rest is shown as not settled.
const OLDEST_END: i64 = 120;
/// Seconds that a graph shows at least.
const GRAPH: i64 = 300;

#[derive(Debug)]
pub(super) struct Times {
    pub(super) from: Timestamp,
    pub(super) until: Timestamp,
    pub(super) seconds: u64,
    pub(super) settled: Timestamp,
    /// Seconds that each of [`AVERAGES`] covers, 1 at least.
    pub(super) averages: [u64; AVERAGES.len()],
    /// The same in seconds; whole slices lie between them.
    first: i64,
    end: i64,
    /// Where the graph begins.
    pub(super) graph: i64,
    pub(super) now: Timestamp,
}

impl Times {
    pub(super) fn new(window: &Window, view: &View) -> Self {
        let now_s = window.now.0.div_euclid(1000);
        let settled = lag::settled(window.now, window.settled_after());
        let running = window.slices.running().unwrap_or(now_s);
        // Before anything was credited nothing was seen, and no rate is of that time.
        let earliest = window.slices.all().iter().find(|slice| !slice.is_empty()).map_or(running, |slice| slice.start);
        let boundary = |time: i64| Self::boundary(window, time);
        let mut end = match view.until {
            // Nothing more comes, and what the last slice has is all of it.
            Until::Settled if window.is_over => running.saturating_add(FINE),
            Until::Settled => boundary(settled.0.div_euclid(1000).max(now_s.saturating_sub(OLDEST_END))),
            Until::Now => running.saturating_add(FINE),
        };
        if window.slices.end() <= window.now {
            // A window of the past ends there, whether anything passed or not.
            end = boundary(now_s);
        } else if end <= earliest {
            end = if earliest < running { running } else { running.saturating_add(FINE) };
        }
        let seconds = view.span.seconds();
        let first = boundary(end.saturating_sub(seconds)).max(earliest.min(end));
        let last = end.min(now_s.max(first.saturating_add(1)));
        let graph = end.saturating_sub(seconds.max(GRAPH));
        let mut times = Self {
            from: Timestamp(first.saturating_mul(1000)),
            until: Timestamp(last.saturating_mul(1000)),
            seconds: last.saturating_sub(first).max(1).unsigned_abs(),
            settled,
            first,
            end,
            graph,
            now: window.now,
            averages: [1; AVERAGES.len()],
        };
        times.averages = AVERAGES.map(|seconds| times.covered(window, seconds));
        times
    }

    /// Seconds that the slices have which are part of an average.
    fn covered(&self, window: &Window, seconds: i64) -> u64 {
        let seen = window.slices.all().iter().skip_while(|slice| slice.is_empty());
        let parts = seen.filter(|slice| self.has_of_last(seconds, slice));
        parts.map(|slice| self.passed(slice)).sum::<i64>().max(1).unsigned_abs()
    }

    /// The start of the slice that has this second.
    fn boundary(window: &Window, time: i64) -> i64 {
        let slice = window.slices.all().iter().rev().find(|slice| slice.start <= time);
        slice.map_or(time, |slice| slice.start)
    }

    /// Whether a slice is part of the time of the rates.
    pub(super) const fn has(&self, slice: &Slice) -> bool {
        self.first <= slice.start && slice.end <= self.end
    }

    /// Whether it is part of so many seconds before their end.
    pub(super) const fn has_of_last(&self, seconds: i64, slice: &Slice) -> bool {
        self.end.saturating_sub(seconds) <= slice.start && slice.end <= self.end
    }

    pub(super) const fn shows(&self, slice: &Slice) -> bool {
        self.graph < slice.end
    }

    /// Seconds of a slice that have passed.
    pub(super) const fn passed(&self, slice: &Slice) -> i64 {
        let now = self.now.0.div_euclid(1000);
        let end = if slice.end < now { slice.end } else { now };
        let passed = end.saturating_sub(slice.start);
        if passed < 1 { 1 } else { passed }
    }
}
