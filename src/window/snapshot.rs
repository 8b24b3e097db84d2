//! What a screen or a report needs of a [`Window`], copied out so that nobody has to lock anything.
//!
//! A snapshot never changes: freezing a screen is keeping one. It is made in two passes over the slices: the first ranks
//! all rows by one measure, the second works out everything of the few that are shown.

mod detail;
mod rank;
mod times;

use crate::filter::Filter;
use crate::flow::Timestamp;
use crate::window::badges::Badges;
use crate::window::key::{Country, Dimension, Key};
use crate::window::lanes::Sense;
use crate::window::once::Fold;
use crate::window::select::Choice;
use crate::window::snapshot::times::Times;
use crate::window::{Span, Tally, Window};

/// What somebody wants to see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    pub span: Span,
    pub until: Until,
    pub dimension: Dimension,
    /// One that [`decides`](crate::window::decides); a filter that asks for more wants a window of its own.
    pub filter: Filter,
    /// One end must be in each of these.
    pub countries: Vec<Country>,
    pub sort: Sort,
    /// Whether what was reported twice counts once.
    pub once: bool,
    /// Whether sampling is applied.
    pub estimated: bool,
    /// The most rows that are wanted.
    pub rows: usize,
    /// Keys that are wanted however small they are: what is selected or pinned.
    pub keep: Vec<Key>,
}

impl Default for View {
    fn default() -> Self {
        Self {
            span: Span::default(),
            until: Until::default(),
            dimension: Dimension::default(),
            filter: Filter::all(),
            countries: Vec::new(),
            sort: Sort::default(),
            once: true,
            estimated: true,
            rows: 200,
            keep: Vec::new(),
        }
    }
}

/// Where the time of the rates ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Until {
    /// Where exporters have reported nearly everything.
    #[default]
    Settled,
    /// Now, whatever is still to be reported: everything that was received counts.
    Now,
}

impl From<Span> for View {
    /// Everything over a span.
    fn from(span: Span) -> Self {
        Self { span, ..Self::default() }
    }
}

/// By what rows are ranked, the largest first; both directions together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sort {
    /// Bytes within the span, which is the order of the rates.
    #[default]
    Rate,
    Packets,
    Flows,
    Down,
    Up,
    /// Bytes of the whole hour.
    Total,
}

/// Both directions of something.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ways {
    pub down: Tally,
    pub up: Tally,
}

impl Ways {
    pub const fn add(&mut self, other: Self) {
        self.down.add(other.down);
        self.up.add(other.up);
    }

    pub const fn sum(self) -> Tally {
        let mut sum = self.down;
        sum.add(self.up);
        sum
    }

    /// What is left of it when a part is taken away.
    #[must_use]
    pub const fn without(mut self, part: Self) -> Self {
        self.down.subtract(part.down);
        self.up.subtract(part.up);
        self
    }
}

/// Rows of a selection up to which all of them are worked out while they are ranked.
const FEW: usize = 1024;

/// Seconds over which the three averages of a row go.
pub const AVERAGES: [i64; 3] = [10, 60, 300];

/// What was seen at the end of a [`View`].
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    pub at: Timestamp,
    pub view: View,
    /// Rates and tallies of rows are of this time. It ends where figures are settled, or at [`Snapshot::at`] when the
    /// window is so young that nothing is.
    pub from: Timestamp,
    pub until: Timestamp,
    /// Seconds between the two; what rates are divided by.
    pub seconds: u64,
    /// Exporters have reported nearly everything that passed before.
    pub settled: Timestamp,
    /// When the first record arrived. Of what passed before, only a part is known.
    pub began: Timestamp,
    /// What is shown, within the time of the rates, by [`Sense`].
    pub total: [Tally; Sense::ALL.len()],
    /// Slices of the graph, oldest first, the one that runs last; of five minutes at least.
    pub series: Vec<Point>,
    /// In order, the largest first; what is kept for its key alone comes last.
    pub rows: Vec<Row>,
    /// How many have anything of the measure.
    pub row_count: usize,
    /// Sum of all rows, shown or not. Where a dimension shows both ends of a flow, it is in two of them.
    pub sum: Ways,
    /// What found no room among the lanes, within the time of the rates; in no row.
    pub other: Tally,
    /// What was reported twice, by [`Fold`], within the time of the rates, whether it counts or not.
    pub folds: [Tally; Fold::ALL.len()],
    /// Whether a rate of sampling was seen that is more than 1.
    pub is_sampled: bool,
    /// Records that found all lanes taken since the beginning, and lanes given up to make room.
    pub folded: u64,
    /// Records whose times were not believed, and records that had passed before the window begins.
    pub clock_off: u64,
    pub before: u64,
}

/// One slice of the graph.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Point {
    /// Seconds since 1970.
    pub start: i64,
    /// How long it lasts; of the one that runs, how long it has lasted, and 1 at least.
    pub seconds: u64,
    /// By [`Sense`].
    pub tallies: [Tally; Sense::ALL.len()],
    /// Whether exporters may still report of it.
    pub is_settled: bool,
}

impl Point {
    /// Into the inside, and out of it; what neither enters nor leaves is in neither.
    pub const fn ways(&self) -> Ways {
        let [down, up, _, _] = self.tallies;
        Ways { down, up }
    }

    pub fn sum(&self) -> Tally {
        let mut sum = Tally::default();
        self.tallies.iter().for_each(|tally| sum.add(*tally));
        sum
    }
}

/// One row of a ranking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub key: Key,
    /// Within the time of the rates.
    pub ways: Ways,
    /// Bytes per second down and up over the last [`AVERAGES`] before [`Snapshot::until`].
    pub averages: [[u64; 2]; AVERAGES.len()],
    /// Of everything that the window holds.
    pub total: Ways,
    /// Bytes per second of the busiest slice, both directions together.
    pub peak: u64,
    /// Bytes of each point of [`Snapshot::series`], both directions together.
    pub series: Vec<u64>,
    /// Start of the first and of the last slice that has something of it, in seconds since 1970.
    pub first: i64,
    pub last: i64,
    /// Of a conversation, whether the inside opened it.
    pub opened_inside: Option<bool>,
    pub badges: Badges,
}

impl Row {
    /// Bytes per second over the time of the rates, down and up.
    pub const fn rates(&self, snapshot: &Snapshot) -> [u64; 2] {
        [snapshot.per_second(self.ways.down.counts.bytes), snapshot.per_second(self.ways.up.counts.bytes)]
    }
}

impl Snapshot {
    /// Bytes, packets or flows per second, over the time of the rates.
    pub const fn per_second(&self, amount: u64) -> u64 {
        match self.seconds {
            0 => 0,
            seconds => amount / seconds,
        }
    }

    /// Everything that is shown, whichever way it goes.
    pub fn everything(&self) -> Tally {
        let mut sum = Tally::default();
        self.total.iter().for_each(|tally| sum.add(*tally));
        sum
    }

    /// Seconds that are not settled yet.
    pub const fn unsettled_s(&self) -> i64 {
        self.at.since(self.settled) / 1000
    }
}

impl Window {
    /// Looks back from `now`. What the filter of the view does not decide by lanes is not looked at.
    pub fn snapshot(&mut self, view: &View, now: Timestamp) -> Snapshot {
        self.advance(now);
        self.slices.pack();
        let (filter, countries) = (view.filter.clone(), view.countries.clone());
        let choice = Choice { dimension: view.dimension, filter, countries, once: view.once };
        let mut selection = self.selection(choice);
        selection.catch_up(&self.lanes, &self.atlas);
        let times = Times::new(self, view);
        let scale = rank::Scale::new(&self.lanes, view.estimated);
        // Of few rows all are worked out while they are ranked, so that lanes are passed once.
        let is_few = selection.keys().len() <= FEW;
        let mut drafts = is_few.then(|| detail::Drafts::of_all(self, &selection, &times));
        let ranked = rank::rank(self, (&selection, &scale), &times, view, drafts.as_mut());
        let rows = match drafts {
            Some(drafts) => drafts.rows(&times, &ranked.chosen),
            None => detail::rows(self, &selection, &times, &scale, &ranked.chosen),
        };
        self.keep_selection(selection);
        Snapshot {
            at: self.now,
            view: view.clone(),
            from: times.from,
            until: times.until,
            seconds: times.seconds,
            settled: times.settled,
            began: self.began,
            total: ranked.total,
            series: ranked.series,
            rows,
            row_count: ranked.row_count,
            sum: ranked.sum,
            other: ranked.other,
            folds: ranked.folds,
            is_sampled: self.lanes.is_sampled(),
            folded: self.lanes.folded().saturating_add(self.given_up),
            clock_off: self.clock_off,
            before: self.slices.before(),
        }
    }
}
