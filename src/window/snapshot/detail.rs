//! The second pass: everything of the rows that are shown.

use crate::window::badges::{Badge, Badges};
use crate::window::key::Key;
use crate::window::lanes::{Lane, LaneId, Opener, Way};
use crate::window::packed::Line;
use crate::window::select::{NONE, Selection};
use crate::window::slices::Slice;
use crate::window::snapshot::rank::Scale;
use crate::window::snapshot::times::Times;
use crate::window::snapshot::{AVERAGES, Row, Ways};
use crate::window::{Tally, Window};

/// From so many lanes on, with less than so many bytes in each, a host fans out.
const FAN: u64 = 100;
const FAN_BYTES: u64 = 4096;
/// Grown is what has so many times the rate of the hour before, at so many bytes per second or more.
const GROWN: u64 = 4;
const GROWN_FROM: u64 = 12_500;
/// Seconds without traffic after which something is gone, and before which something is too young to have grown.
const GONE_S: i64 = 60;
const YOUNG_S: i64 = 120;
/// Lines of a slice beyond which single lanes are looked for in it instead of reading it.
const SEARCH: usize = 64;

/// One lane that adds to a row that is shown.
struct Part {
    lane: LaneId,
    row: usize,
    is_down: bool,
}

/// What a slice is part of.
struct SlicePart<'a> {
    slice: &'a Slice,
    passed: u64,
    point: Option<usize>,
    averages: [bool; AVERAGES.len()],
    is_rated: bool,
    is_before: bool,
}

impl<'a> SlicePart<'a> {
    fn new(slice: &'a Slice, times: &Times, point: usize) -> Self {
        Self {
            slice,
            passed: times.passed(slice).unsigned_abs().max(1),
            point: times.shows(slice).then_some(point),
            averages: AVERAGES.map(|seconds| times.has_of_last(seconds, slice)),
            is_rated: times.has(slice),
            is_before: slice.end.saturating_mul(1000) <= times.from.0,
        }
    }
}

/// A row on its way.
struct Draft {
    row: Row,
    bytes: [[u64; 2]; AVERAGES.len()],
    /// Bytes and seconds before the time of the rates.
    before: (u64, i64),
    /// The most lanes of a slice that go up, in the time of the rates, and the bytes of all of these.
    fan: (u64, u64),
    syn_only: bool,
    /// What the slice that is being booked has, and how many lanes of it go up.
    open: Ways,
    lanes: u64,
}

pub(super) fn rows(window: &Window, selection: &Selection, times: &Times, scale: &Scale, chosen: &[u32]) -> Vec<Row> {
    let parts = parts(selection, chosen);
    let points = window.slices.all().iter().filter(|slice| times.shows(slice)).count();
    let key = |row: u32| selection.keys().get(row as usize).copied();
    let mut drafts: Vec<Draft> =
        chosen.iter().map(|row| Draft::new(key(*row).unwrap_or(Key::Protocol(0)), points)).collect();
    for part in &parts {
        let lane = window.lanes.all().get(part.lane.0 as usize);
        if let (Some(lane), Some(draft)) = (lane, drafts.get_mut(part.row)) {
            draft.describe(lane, part.is_down, window);
        }
    }
    let mut point = 0_usize;
    for slice in window.slices.all() {
        let mut book = |part: &Part, line: &Line| {
            if let Some(draft) = drafts.get_mut(part.row) {
                draft.book(part.is_down, scale.apply(line));
            }
        };
        each(slice, &parts, &mut book);
        let part = SlicePart::new(slice, times, point);
        point = point.saturating_add(usize::from(part.point.is_some()));
        drafts.iter_mut().for_each(|draft| draft.close(&part));
    }
    drafts.into_iter().map(|draft| draft.finish(times)).collect()
}

/// The lanes of the rows that are shown, in rising order.
fn parts(selection: &Selection, chosen: &[u32]) -> Vec<Part> {
    let mut places = vec![u32::MAX; selection.keys().len()];
    for (row, place) in chosen.iter().zip(0..) {
        if let Some(entry) = places.get_mut(*row as usize) {
            *entry = place;
        }
    }
    let place = |row: u32| {
        let place = if row == NONE { None } else { places.get(row as usize).copied() };
        place.filter(|place| *place != u32::MAX).map(|place| place as usize)
    };
    let mut parts = Vec::new();
    for (target, lane) in selection.targets().iter().zip(0..) {
        let lane = LaneId(lane);
        parts.extend(place(target.down()).map(|row| Part { lane, row, is_down: true }));
        parts.extend(place(target.up()).map(|row| Part { lane, row, is_down: false }));
    }
    parts
}

/// Hands out the lines of these lanes: by looking for them when they are few, by reading on when they are many.
fn each(slice: &Slice, parts: &[Part], book: &mut impl FnMut(&Part, &Line)) {
    if parts.len().saturating_mul(SEARCH) < slice.len() {
        let found = parts.iter().filter_map(|part| Some((part, slice.of(part.lane)?)));
        found.for_each(|(part, line)| book(part, &line));
        return;
    }
    let mut parts = parts.iter().peekable();
    for line in slice.lines() {
        while parts.next_if(|part| part.lane < line.lane).is_some() {}
        while let Some(part) = parts.next_if(|part| part.lane == line.lane) {
            book(part, &line);
        }
        if parts.peek().is_none() {
            break;
        }
    }
}

impl Draft {
    fn new(key: Key, points: usize) -> Self {
        let row = Row {
            key,
            ways: Ways::default(),
            averages: [[0; 2]; AVERAGES.len()],
            total: Ways::default(),
            peak: 0,
            series: vec![0; points],
            first: i64::MAX,
            last: i64::MIN,
            opened_inside: None,
            badges: Badges::default(),
        };
        Self {
            row,
            bytes: [[0; 2]; AVERAGES.len()],
            before: (0, 0),
            fan: (0, 0),
            syn_only: true,
            open: Ways::default(),
            lanes: 0,
        }
    }

    /// What the lane says beyond its counts.
    fn describe(&mut self, lane: &Lane, is_down: bool, window: &Window) {
        self.syn_only &= lane.is_syn_only();
        let opener = match (lane.opener, is_down) {
            (Opener::Src, false) | (Opener::Dst, true) => Some(true),
            (Opener::Src, true) | (Opener::Dst, false) => Some(false),
            (Opener::Unknown, _) => None,
        };
        if matches!(self.row.key, Key::Conversation { .. }) {
            self.row.opened_inside = self.row.opened_inside.or(opener);
        }
        let way = window.lanes.way(lane);
        self.row.badges.put(Badge::Estimated, way.is_some_and(|way| 1 < way.sampling.rate));
        self.row.badges.put(Badge::Assumed, way.is_some_and(Way::is_assumed));
    }

    fn book(&mut self, is_down: bool, tally: Tally) {
        if is_down {
            self.open.down.add(tally);
        } else {
            self.open.up.add(tally);
            self.lanes = self.lanes.saturating_add(1);
        }
    }

    /// Every line of a slice was booked.
    fn close(&mut self, part: &SlicePart<'_>) {
        let (ways, lanes) = (std::mem::take(&mut self.open), std::mem::take(&mut self.lanes));
        let (row, bytes, start) = (&mut self.row, ways.sum().counts.bytes, part.slice.start);
        if part.is_before && (row.first <= start || ways != Ways::default()) {
            let (sum, seconds) = self.before;
            self.before = (sum.saturating_add(bytes), seconds.saturating_add(part.slice.seconds()));
        }
        if ways == Ways::default() {
            return;
        }
        row.total.add(ways);
        row.peak = row.peak.max(bytes / part.passed);
        row.first = row.first.min(start);
        row.last = row.last.max(start);
        if let Some(sum) = part.point.and_then(|point| row.series.get_mut(point)) {
            *sum = bytes;
        }
        let [down, up] = [ways.down.counts.bytes, ways.up.counts.bytes];
        for (sums, _) in self.bytes.iter_mut().zip(part.averages).filter(|(_, is_part)| *is_part) {
            *sums = [sums[0].saturating_add(down), sums[1].saturating_add(up)];
        }
        if part.is_rated {
            row.ways.add(ways);
            self.fan = (self.fan.0.max(lanes), self.fan.1.saturating_add(up));
        }
    }

    fn finish(mut self, times: &Times) -> Row {
        let until = times.until.0.div_euclid(1000);
        for ((average, sums), seconds) in self.row.averages.iter_mut().zip(self.bytes).zip(times.averages) {
            *average = sums.map(|sum| sum / seconds);
        }
        let row = &mut self.row;
        let (ways, rate) = (row.ways, row.ways.sum().counts.bytes / times.seconds.max(1));
        let conversation = matches!(row.key, Key::Conversation { .. });
        let (down, up) = (ways.down.counts.packets, ways.up.counts.packets);
        row.badges.put(Badge::OneWay, conversation && (down == 0) != (up == 0));
        row.badges.put(Badge::SynOnly, conversation && self.syn_only && (down != 0 || up != 0));
        let is_host = matches!(row.key, Key::Host(_) | Key::Source(_));
        row.badges.put(Badge::FanOut, is_host && FAN <= self.fan.0 && self.fan.1 / self.fan.0.max(1) < FAN_BYTES);
        row.badges.put(Badge::Gone, ways == Ways::default() && row.last.saturating_add(GONE_S) < until);
        let (before, seconds) = self.before;
        if YOUNG_S <= seconds && GROWN_FROM <= rate {
            let usual = (before / seconds.unsigned_abs()).max(1);
            row.badges.put(Badge::Grown, GROWN <= rate / usual);
            row.badges.growth = u16::try_from(rate / usual).unwrap_or(u16::MAX);
        }
        self.row
    }
}
