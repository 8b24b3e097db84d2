//! The first pass: which rows are the largest, and what all of them come to.

use crate::flow::SamplingKind;
use crate::window::key::Key;
use crate::window::lanes::{Lanes, OTHERS, Sense};
use crate::window::once::Fold;
use crate::window::packed::Line;
use crate::window::select::{NONE, Selection, Target};
use crate::window::slices::Slice;
use crate::window::snapshot::detail::Drafts;
use crate::window::snapshot::times::Times;
use crate::window::snapshot::{Point, Sort, View, Ways};
use crate::window::{Tally, Window};

/// What sampling makes of each lane; nothing is held where nothing is sampled.
pub(super) struct Scale {
    /// By lane: the rate, and whether flows were sampled, not packets.
    rates: Option<Vec<(u32, bool)>>,
}

impl Scale {
    pub(super) fn new(lanes: &Lanes, estimated: bool) -> Self {
        let rate = |lane| {
            let sampling = lanes.way(lane).map(|way| way.sampling).unwrap_or_default();
            (sampling.rate.max(1), sampling.kind == SamplingKind::Flow)
        };
        let rates = (estimated && lanes.is_sampled()).then(|| lanes.all().iter().map(rate).collect());
        Self { rates }
    }

    pub(super) fn apply(&self, line: &Line) -> Tally {
        let mut tally = line.tally();
        if let Some(&(rate, of_flows)) = self.rates.as_ref().and_then(|rates| rates.get(line.lane.0 as usize)) {
            let rate = u64::from(rate);
            tally.counts.bytes = tally.counts.bytes.saturating_mul(rate);
            tally.counts.packets = tally.counts.packets.saturating_mul(rate);
            if of_flows {
                tally.flows = tally.flows.saturating_mul(rate);
            }
        }
        tally
    }

    const fn is_plain(&self) -> bool {
        self.rates.is_none()
    }
}

/// What the first pass finds.
#[derive(Debug, Default)]
pub(super) struct Ranked {
    pub(super) total: [Tally; Sense::ALL.len()],
    pub(super) series: Vec<Point>,
    pub(super) sum: Ways,
    pub(super) other: Tally,
    pub(super) folds: [Tally; Fold::ALL.len()],
    pub(super) row_count: usize,
    /// Numbers of the rows to be shown, in order.
    pub(super) chosen: Vec<u32>,
}

/// By row, the measure.
struct Measures {
    sort: Sort,
    of: Vec<u64>,
}

impl Measures {
    fn add(&mut self, target: Target, tally: Tally) {
        let measure = match self.sort {
            Sort::Rate | Sort::Total | Sort::Down | Sort::Up => tally.counts.bytes,
            Sort::Packets => tally.counts.packets,
            Sort::Flows => tally.flows,
        };
        let (down, up) = (self.sort != Sort::Up, self.sort != Sort::Down);
        for row in
            [(target.down(), down), (target.up(), up)].into_iter().filter_map(|(row, counts)| counts.then_some(row))
        {
            if let Some(sum) = self.of.get_mut(row as usize) {
                *sum = sum.saturating_add(measure);
            }
        }
    }
}

/// Works out the rows on its way where there are drafts of all of them.
pub(super) fn rank(
    window: &Window,
    (selection, scale): (&Selection, &Scale),
    times: &Times,
    view: &View,
    mut drafts: Option<&mut Drafts>,
) -> Ranked {
    let mut measures = Measures { sort: view.sort, of: vec![0; selection.keys().len()] };
    let mut ranked = Ranked::default();
    let is_plain = scale.is_plain() && selection.is_everything(&window.lanes);
    for slice in window.slices.all() {
        let (rates, shows) = (times.has(slice), times.shows(slice));
        let counts = rates || view.sort == Sort::Total;
        let mut tallies = slice.totals;
        if counts || shows && !is_plain || drafts.is_some() {
            tallies = pass(slice, selection, scale, |target, tally, lane| {
                if let Some(drafts) = &mut drafts {
                    drafts.book(target, tally);
                }
                if counts {
                    measures.add(target, tally);
                }
                if rates {
                    ranked.book(window, target, tally, lane);
                }
            });
        }
        if let Some(drafts) = &mut drafts {
            drafts.close(slice, times);
        }
        if rates {
            ranked.total.iter_mut().zip(tallies).for_each(|(total, more)| total.add(more));
        }
        if shows {
            let seconds = times.passed(slice).unsigned_abs();
            let is_settled = slice.end <= times.settled.0.div_euclid(1000);
            ranked.series.push(Point { start: slice.start, seconds, tallies, is_settled });
        }
    }
    ranked.choose(&measures, selection, view);
    ranked
}

/// Hands out every line of a slice; returns the sums of those that are shown, and of what found no room.
fn pass(
    slice: &Slice,
    selection: &Selection,
    scale: &Scale,
    mut each: impl FnMut(Target, Tally, u32),
) -> [Tally; Sense::ALL.len()] {
    let (targets, everything) = (selection.targets(), selection.choice.filter.is_all());
    let mut sums = [Tally::default(); Sense::ALL.len()];
    for line in slice.lines() {
        let Some(&target) = targets.get(line.lane.0 as usize) else { continue };
        let tally = scale.apply(&line);
        if target.is_shown() {
            sums[target.sense()].add(tally);
        } else if line.lane.0 < OTHERS && everything {
            sums[line.lane.0 as usize].add(tally);
        }
        each(target, tally, line.lane.0);
    }
    sums
}

impl Ranked {
    fn book(&mut self, window: &Window, target: Target, tally: Tally, lane: u32) {
        if target.down() != NONE {
            self.sum.down.add(tally);
        }
        if target.up() != NONE {
            self.sum.up.add(tally);
        }
        if lane < OTHERS {
            self.other.add(tally);
        }
        if window.lanes.has_folds() {
            let fold = window.lanes.all().get(lane as usize).and_then(|lane| lane.key?.fold);
            if let Some(fold) = fold {
                self.folds[fold as usize].add(tally);
            }
        }
    }

    /// The largest, and those that are wanted for their key.
    fn choose(&mut self, measures: &Measures, selection: &Selection, view: &View) {
        let keys = selection.keys();
        let key = |row: u32| keys.get(row as usize).copied().unwrap_or(Key::Protocol(0));
        // Numbers alone: there may be a million of them.
        let measure = |row: u32| measures.of.get(row as usize).copied().unwrap_or(0);
        let mut all: Vec<u32> = (0..).take(measures.of.len()).filter(|row| measure(*row) != 0).collect();
        self.row_count = all.len();
        let order = |a: &u32, b: &u32| measure(*b).cmp(&measure(*a)).then_with(|| key(*a).cmp(&key(*b)));
        if view.rows < all.len() {
            all.select_nth_unstable_by(view.rows, order);
            all.truncate(view.rows);
        }
        all.sort_unstable_by(order);
        self.chosen = all;
        for row in view.keep.iter().filter_map(|key| selection.find(*key)) {
            if !self.chosen.contains(&row) {
                self.chosen.push(row);
            }
        }
    }
}
