//! The second pass: everything of the rows that are shown.

use crate::window::badges::{Badge, Badges};
use crate::window::key::Key;
use crate::window::lanes::{Lane, LaneId, Opener};
use crate::window::packed::Line;
use crate::window::select::{Selection, Target};
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
/// Lanes of the rows that are shown, beyond which every line of every slice is looked at.
const PARTS: usize = 1 << 16;
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
}

/// What the slice that is being booked has of a row, and how many lanes of it go up. Apart from the drafts, so that many
/// rows are near each other while every line is looked at.
#[derive(Debug, Clone, Copy, Default)]
struct Open {
    ways: Ways,
    lanes: u64,
}

/// Rows on their way, each in its place, and the slice that is being booked.
pub(super) struct Drafts {
    all: Vec<Draft>,
    open: Vec<Open>,
    point: usize,
}

impl Drafts {
    fn new(window: &Window, selection: &Selection, times: &Times, chosen: &[u32]) -> Self {
        let points = window.slices.all().iter().filter(|slice| times.shows(slice)).count();
        let key = |row: u32| selection.keys().get(row as usize).copied().unwrap_or(Key::Protocol(0));
        let all: Vec<Draft> = chosen.iter().map(|row| Draft::new(key(*row), points)).collect();
        Self { open: vec![Open::default(); all.len()], all, point: 0 }
    }

    /// All rows of a selection, each in the place of its number: for few of them, which the first pass can work out on its
    /// way.
    pub(super) fn of_all(window: &Window, selection: &Selection, times: &Times) -> Self {
        let chosen: Vec<u32> = (0..).take(selection.keys().len()).collect();
        let mut drafts = Self::new(window, selection, times, &chosen);
        drafts.describe(window, selection, &Places::new(selection, &chosen), |_| false);
        drafts
    }

    /// Has each row know what its lanes say beyond their counts, and hands out the parts that these are of rows, as long
    /// as somebody wants them.
    fn describe(
        &mut self,
        window: &Window,
        selection: &Selection,
        places: &Places,
        mut hand_out: impl FnMut(Part) -> bool,
    ) {
        // Of other rows lanes say nothing, and there may be a million of them.
        let tells = window.lanes.is_sampled() || self.all.iter().any(Draft::is_conversation);
        let mut is_wanted = true;
        for ((target, id), lane) in selection.targets().iter().zip(0..).zip(window.lanes.all()) {
            if !tells && !is_wanted {
                break;
            }
            for (row, is_down) in places.of(*target) {
                if let Some(draft) = self.all.get_mut(row).filter(|_| tells) {
                    draft.describe(lane, is_down, window);
                }
                is_wanted = is_wanted && hand_out(Part { lane: LaneId(id), row, is_down });
            }
        }
    }

    /// Books a line of the slice that is being read for the rows that have its numbers as their places.
    pub(super) fn book(&mut self, target: Target, tally: Tally) {
        self.book_row(target.down() as usize, true, tally);
        self.book_row(target.up() as usize, false, tally);
    }

    fn book_row(&mut self, row: usize, is_down: bool, tally: Tally) {
        if let Some(open) = self.open.get_mut(row) {
            open.book(is_down, tally);
        }
    }

    /// Every line of a slice was booked.
    pub(super) fn close(&mut self, slice: &Slice, times: &Times) {
        let part = SlicePart::new(slice, times, self.point);
        self.point = self.point.saturating_add(usize::from(part.point.is_some()));
        for (draft, open) in self.all.iter_mut().zip(&mut self.open) {
            draft.close(&part, std::mem::take(open));
        }
    }

    /// Those at some places, in this order.
    pub(super) fn rows(self, times: &Times, chosen: &[u32]) -> Vec<Row> {
        let mut all: Vec<Option<Draft>> = self.all.into_iter().map(Some).collect();
        let row = |row: &u32| Some(all.get_mut(*row as usize)?.take()?.finish(times));
        chosen.iter().filter_map(row).collect()
    }
}

pub(super) fn rows(window: &Window, selection: &Selection, times: &Times, scale: &Scale, chosen: &[u32]) -> Vec<Row> {
    let mut drafts = Drafts::new(window, selection, times, chosen);
    let places = Places::new(selection, chosen);
    let mut parts = Vec::new();
    drafts.describe(window, selection, &places, |part| {
        parts.push(part);
        parts.len() <= PARTS
    });
    for slice in window.slices.all() {
        let mut book = |row: usize, is_down, line: &Line| drafts.book_row(row, is_down, scale.apply(line));
        if parts.len() <= PARTS {
            each(slice, &parts, &mut book);
        } else {
            for line in slice.lines() {
                let target = selection.targets().get(line.lane.0 as usize).copied().unwrap_or(Target::HIDDEN);
                places.of(target).for_each(|(row, is_down)| book(row, is_down, &line));
            }
        }
        drafts.close(slice, times);
    }
    drafts.all.into_iter().map(|draft| draft.finish(times)).collect()
}

/// Where each row stands among those that are shown.
struct Places(Vec<u32>);

impl Places {
    fn new(selection: &Selection, chosen: &[u32]) -> Self {
        let mut places = vec![u32::MAX; selection.keys().len()];
        for (row, place) in chosen.iter().zip(0..) {
            if let Some(entry) = places.get_mut(*row as usize) {
                *entry = place;
            }
        }
        Self(places)
    }

    /// The places of the rows of a lane, and whether it is down for them.
    fn of(&self, target: Target) -> impl Iterator<Item = (usize, bool)> {
        let place = |row: u32| self.0.get(row as usize).copied().filter(|place| *place != u32::MAX);
        let both = [(place(target.down()), true), (place(target.up()), false)];
        both.into_iter().filter_map(|(place, is_down)| Some((place? as usize, is_down)))
    }
}

/// Hands out the lines of these lanes: by looking for them when they are few, by reading on when they are many.
fn each(slice: &Slice, parts: &[Part], book: &mut impl FnMut(usize, bool, &Line)) {
    if parts.len().saturating_mul(SEARCH) < slice.len() {
        let found = parts.iter().filter_map(|part| Some((part, slice.of(part.lane)?)));
        found.for_each(|(part, line)| book(part.row, part.is_down, &line));
        return;
    }
    let mut parts = parts.iter().peekable();
    for line in slice.lines() {
        while parts.next_if(|part| part.lane < line.lane).is_some() {}
        while let Some(part) = parts.next_if(|part| part.lane == line.lane) {
            book(part.row, part.is_down, &line);
        }
        if parts.peek().is_none() {
            break;
        }
    }
}

impl Open {
    fn book(&mut self, is_down: bool, tally: Tally) {
        if is_down {
            self.ways.down.add(tally);
        } else {
            self.ways.up.add(tally);
            self.lanes = self.lanes.saturating_add(1);
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
        Self { row, bytes: [[0; 2]; AVERAGES.len()], before: (0, 0), fan: (0, 0), syn_only: true }
    }

    const fn is_conversation(&self) -> bool {
        matches!(self.row.key, Key::Conversation { .. })
    }

    /// What the lane says beyond its counts.
    fn describe(&mut self, lane: &Lane, is_down: bool, window: &Window) {
        self.syn_only &= lane.is_syn_only();
        let opener = match (lane.opener, is_down) {
            (Opener::Src, false) | (Opener::Dst, true) => Some(true),
            (Opener::Src, true) | (Opener::Dst, false) => Some(false),
            (Opener::Unknown, _) => None,
        };
        if self.is_conversation() {
            self.row.opened_inside = self.row.opened_inside.or(opener);
        }
        // One lane is enough.
        let Some(way) = window.lanes.way(lane) else { return };
        if 1 < way.sampling.rate {
            self.row.badges.put(Badge::Estimated, true);
        }
        if way.is_assumed() {
            self.row.badges.put(Badge::Assumed, true);
        }
    }

    /// Every line of a slice was booked.
    fn close(&mut self, part: &SlicePart<'_>, Open { ways, lanes }: Open) {
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
