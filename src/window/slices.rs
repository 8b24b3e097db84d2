//! What arrived when: slices of one second, ten seconds and one minute, each span losing its oldest slice in time.
//!
//! A slice lists entries and tallies and knows no conversation. Young slices are fine and old ones coarse: the spans
//! up to a minute move by the second, five minutes by ten seconds, longer ones by the minute.

use std::collections::VecDeque;

use crate::window::{EntryId, Span, Tally};

/// What arrived within one slice of time.
#[derive(Debug, Clone, Default)]
struct Slice {
    /// First second of the slice since 1970.
    start: i64,
    /// At most one line per entry once `merged`.
    lines: Vec<(EntryId, Tally)>,
}

/// One grain of slices, youngest last.
#[derive(Debug)]
struct Tier {
    /// Seconds per slice.
    grain: i64,
    slices: VecDeque<Slice>,
}

/// The slices of all grains, and the totals of every second of the last hour.
#[derive(Debug)]
pub(super) struct Slices {
    second: i64,
    now: Slice,
    tiers: [Tier; 3],
    /// Totals per second, youngest last; the last one is the second that runs.
    totals: VecDeque<Tally>,
    started: bool,
}

/// Where each span takes leave of a slice: the tier that holds its end.
const ENDS: [(Span, usize); Span::ALL.len()] =
    [(Span::TenSeconds, 0), (Span::Minute, 0), (Span::FiveMinutes, 1), (Span::QuarterHour, 2), (Span::Hour, 2)];
/// Seconds after which the slices of a tier go into the next one.
const HOLDS: [i64; 3] = [60, 300, 3600];

impl Slices {
    pub(super) fn new() -> Self {
        let tier = |grain| Tier { grain, slices: VecDeque::new() };
        Self {
            second: i64::MIN,
            now: Slice::default(),
            tiers: [tier(1), tier(10), tier(60)],
            totals: VecDeque::from([Tally::default()]),
            started: false,
        }
    }

    /// The second that runs.
    pub(super) const fn second(&self) -> i64 {
        self.second
    }

    /// Totals per second, oldest first, the running one last.
    pub(super) const fn totals(&self) -> &VecDeque<Tally> {
        &self.totals
    }

    /// Seconds that the tallies of a span cover: it ends with a whole slice.
    pub(super) const fn covered(&self, span: Span) -> i64 {
        let grain = self.tiers[ENDS[span as usize].1].grain;
        let oldest = self.second.saturating_sub(span.seconds()).saturating_add(1);
        self.second.saturating_add(1).saturating_sub(oldest.div_euclid(grain).saturating_mul(grain))
    }

    pub(super) fn add(&mut self, id: EntryId, tally: Tally) {
        self.now.lines.push((id, tally));
        if let Some(last) = self.totals.back_mut() {
            last.add(tally);
        }
        // A busy second lists each entry many times; fold it before it grows past reason.
        if self.now.lines.len().is_multiple_of(1 << 20) {
            merge(&mut self.now.lines);
        }
    }

    /// Closes the running second and calls `leave` for whatever leaves a span thereby. After a silence longer than
    /// the longest span, `until` is reached at once.
    pub(super) fn next_second(&mut self, until: i64, mut leave: impl FnMut(Span, EntryId, Tally)) {
        if !self.started {
            self.started = true;
            self.second = until;
            self.now.start = until;
            return;
        }
        let mut closed = std::mem::take(&mut self.now);
        merge(&mut closed.lines);
        if !closed.lines.is_empty() {
            self.tiers[0].slices.push_back(closed);
        }
        let empty = self.tiers.iter().all(|tier| tier.slices.is_empty());
        self.second = if empty { until } else { self.second.saturating_add(1) };
        self.now.start = self.second;
        if empty {
            self.totals.clear();
        }
        self.totals.push_back(Tally::default());
        // A minute more than an hour, since its oldest slice is held until it has wholly passed.
        while Span::Hour.seconds() + 60 < i64::try_from(self.totals.len()).unwrap_or(i64::MAX) {
            self.totals.pop_front();
        }
        for tier in 0..self.tiers.len() {
            self.expire(tier, &mut leave);
        }
    }

    /// Hands out what leaves the spans that end in this tier, and moves its oldest slices to the next one.
    fn expire(&mut self, tier: usize, leave: &mut impl FnMut(Span, EntryId, Tally)) {
        let grain = self.tiers[tier].grain;
        for (span, at) in ENDS {
            // A span that ends before the tier does loses each slice in the second in which it has wholly passed.
            if at == tier && span.seconds() < HOLDS[tier] {
                let end = self.second.saturating_sub(span.seconds());
                let passed = |slice: &&Slice| slice.start.saturating_add(grain) == end.saturating_add(1);
                for slice in self.tiers[tier].slices.iter().filter(passed) {
                    slice.lines.iter().for_each(|&(id, tally)| leave(span, id, tally));
                }
            }
        }
        let end = self.second.saturating_sub(HOLDS[tier]);
        while self.tiers[tier]
            .slices
            .front()
            .is_some_and(|slice| slice.start.saturating_add(grain) <= end.saturating_add(1))
        {
            let Some(slice) = self.tiers[tier].slices.pop_front() else { break };
            for (span, at) in ENDS {
                if at == tier && span.seconds() == HOLDS[tier] {
                    slice.lines.iter().for_each(|&(id, tally)| leave(span, id, tally));
                }
            }
            if let Some(next) = self.tiers.get_mut(tier.saturating_add(1)) {
                next.take(slice);
            }
        }
    }
}

impl Tier {
    /// Puts an older slice into the coarser one that it belongs to.
    fn take(&mut self, slice: Slice) {
        let start = slice.start.div_euclid(self.grain).saturating_mul(self.grain);
        match self.slices.back_mut().filter(|last| last.start == start) {
            Some(last) => {
                last.lines.extend(slice.lines);
                merge(&mut last.lines);
            }
            None => self.slices.push_back(Slice { start, lines: slice.lines }),
        }
    }
}

/// Leaves one line per entry.
fn merge(lines: &mut Vec<(EntryId, Tally)>) {
    lines.sort_unstable_by_key(|&(id, _)| id);
    lines.dedup_by(|(id, tally), (kept, total)| {
        let same = id == kept;
        if same {
            total.add(*tally);
        }
        same
    });
    lines.shrink_to_fit();
}
