//! What there is to look at: the window of everything, a second one for what it cannot answer, and the last records.
//!
//! A filter that lanes do not decide, and the time of arrival, want a window of their own. It takes in matching records
//! alone, from when it was asked for; what was before is read back from the database (`past`).

use std::collections::VecDeque;
use std::sync::Arc;

use crate::filter::Filter;
use crate::flow::{FlowRecord, Timestamp};
use crate::run::live::past::{Past, Piece};
use crate::tui::app::{Feed, Wish};
use crate::window::{Atlas, Clock, Limits, Snapshot, View, Window, decides};

/// Records that are kept for the live tail.
const TAIL: usize = 5_000;

/// Windows, and a tail. A copy is all that it takes to let time stand still.
#[derive(Debug, Clone)]
pub(super) struct Looking {
    window: Window,
    narrow: Option<Narrow>,
    past: Past,
    atlas: Atlas,
    /// Batches as they came, the last one the newest.
    tail: VecDeque<Arc<[FlowRecord]>>,
    /// Records in them.
    held: usize,
    /// When the newest record was received.
    last: Timestamp,
    /// Whether nothing more will come.
    is_over: bool,
}

/// A window for one question.
#[derive(Debug, Clone)]
struct Narrow {
    filter: Filter,
    clock: Clock,
    window: Window,
    /// When it began; everything from then on is in it.
    since: Timestamp,
    /// Who reads what was before, until all of it is in.
    question: Option<u64>,
    is_whole: bool,
}

impl Looking {
    pub(super) fn new(atlas: Atlas, past: Past) -> Self {
        let window = Window::new(Limits::default()).with_atlas(atlas.clone());
        Self {
            window,
            narrow: None,
            past,
            atlas,
            tail: VecDeque::new(),
            held: 0,
            last: Timestamp::default(),
            is_over: false,
        }
    }

    pub(super) fn record(&mut self, flows: Arc<[FlowRecord]>) {
        self.window.record_all(&flows);
        if let Some(narrow) = &mut self.narrow {
            flows.iter().filter(|flow| narrow.filter.matches(flow)).for_each(|flow| narrow.window.record(flow));
        }
        self.last = flows.iter().map(|flow| flow.received).fold(self.last, Timestamp::max);
        self.held += flows.len();
        self.tail.push_back(flows);
        while let Some(oldest) = self.tail.front().map(|batch| batch.len())
            && TAIL + oldest <= self.held
        {
            self.held -= oldest;
            self.tail.pop_front();
        }
    }

    /// Takes in what was stored long before. A second window reads that itself.
    pub(super) fn record_past(&mut self, flows: &[FlowRecord]) {
        self.window.record_all(flows);
    }

    /// Says whether nothing more will come, as of a database that nobody adds to.
    pub(super) const fn settle(&mut self, is_over: bool) {
        self.is_over = is_over;
    }

    /// Begins anew: nothing that was recorded counts any more.
    pub(super) fn clear(&mut self, wish: &Wish) {
        *self = Self::new(self.atlas.clone(), self.past.fork());
        self.prepare(wish);
    }

    /// Has the second window that a wish wants, from the last records on. What was before is
    /// looked up.
    pub(super) fn prepare(&mut self, wish: &Wish) {
        let (_, filter) = split(&wish.filter);
        if filter.is_all() && wish.clock == Clock::Flow {
            self.narrow = None;
            return;
        }
        if self.narrow.as_ref().is_some_and(|narrow| narrow.filter == filter && narrow.clock == wish.clock) {
            return;
        }
        let mut window = Window::new(Limits::default()).with_atlas(self.atlas.clone()).with_clock(wish.clock);
        // Of the first millisecond some may have left the tail.
        let tail = || self.tail.iter().flat_map(|batch| batch.iter());
        let since = tail().next().map_or(self.last, |flow| flow.received).plus(1);
        for flow in tail().filter(|flow| since <= flow.received && filter.matches(flow)) {
            window.record(flow);
        }
        let question = self.past.ask(filter.clone(), since);
        self.narrow = Some(Narrow { filter, clock: wish.clock, window, since, question, is_whole: false });
    }

    /// A copy that goes its own way from here.
    pub(super) fn fork(&self) -> Self {
        Self { past: self.past.fork(), ..self.clone() }
    }

    /// Takes in a piece of the past; false when it is of another question.
    pub(super) fn remember(&mut self, piece: &Piece) -> bool {
        let is_asked = |narrow: &&mut Narrow| narrow.question == Some(piece.question);
        let Some(narrow) = self.narrow.as_mut().filter(is_asked) else { return false };
        narrow.window.record_all(&piece.flows);
        narrow.is_whole |= piece.is_last;
        true
    }

    /// Everything that a wish asks of the flows, at a moment that is not before the last record.
    pub(super) fn look(&mut self, wish: &Arc<Wish>, now: Timestamp) -> Feed {
        let past = self.narrow.as_ref().filter(|narrow| !narrow.is_whole).map(|narrow| narrow.since);
        let window = self.narrow.as_mut().map_or(&mut self.window, |narrow| &mut narrow.window);
        window.settle(self.is_over);
        let views = snapshots(window, wish, now);
        // How late exporters report is learned from all records.
        let lags = self.window.lags().collect();
        Feed { wish: Arc::clone(wish), views, tail: self.newest(wish), lags, past, ..Feed::default() }
    }

    fn newest(&self, wish: &Wish) -> Arc<[FlowRecord]> {
        let all = self.tail.iter().rev().flat_map(|batch| batch.iter().rev());
        let touches = |flow: &FlowRecord| self.atlas.touches([flow.key.src_ip, flow.key.dst_ip], &wish.tail_countries);
        all.filter(|flow| wish.filter.matches(flow) && wish.tail_filter.matches(flow) && touches(flow))
            .take(wish.tail)
            .copied()
            .collect()
    }
}

/// What of a person's filter lanes decide, and what records must meet to be in a window: all of it is one or the other.
pub(super) fn split(filter: &Filter) -> (Filter, Filter) {
    if decides(filter) { (filter.clone(), Filter::all()) } else { (Filter::all(), filter.clone()) }
}

/// The views of a wish, of a window that has what they cannot tell apart already.
pub(super) fn snapshots(window: &mut Window, wish: &Wish, now: Timestamp) -> Vec<Arc<Snapshot>> {
    let (by_lanes, _) = split(&wish.filter);
    let filtered = |view: &View| View { filter: by_lanes.clone().and(view.filter.clone()), ..view.clone() };
    wish.views.iter().map(|view| Arc::new(window.snapshot(&filtered(view), now))).collect()
}

#[cfg(test)]
mod tests;
