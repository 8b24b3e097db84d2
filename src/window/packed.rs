//! The lines of a slice, packed: sorted by lane, each number in as few octets as it needs.
//!
//! A busy window holds most of its memory in slices that are read once per snapshot, from front to back. A line takes
//! 6 octets or so instead of 24, and never more than [`LINE_MAX`].

use crate::flow::Counts;
use crate::window::Tally;
use crate::window::lanes::LaneId;

/// One line: a lane, and what is credited to it within the slice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) lane: LaneId,
    pub(super) flows: u32,
    pub(super) counts: Counts,
}

impl Line {
    pub(super) fn tally(self) -> Tally {
        Tally { counts: self.counts, flows: self.flows.into() }
    }

    pub(super) const fn add(&mut self, other: Self) {
        self.counts.add(other.counts);
        self.flows = self.flows.saturating_add(other.flows);
    }
}

/// Octets that a line takes at most: four numbers, twice of 32 bits and twice of 64, by seven bits per octet.
#[cfg(test)]
const LINE_MAX: usize = 2 * 5 + 2 * 10;
/// Lines between two places at which reading can begin.
const STRIDE: usize = 64;

/// Lines in rising order of their lanes, one per lane.
#[derive(Debug, Clone, Default)]
pub(super) struct Packed {
    octets: Box<[u8]>,
    /// Of every so many lines: the lane before it, and where it begins.
    marks: Box<[(u32, u32)]>,
    lines: usize,
}

impl Packed {
    /// Lines must come in rising order.
    pub(super) fn new(all: impl Iterator<Item = Line>) -> Self {
        let (mut octets, mut marks, mut lines) = (Vec::new(), Vec::new(), 0_usize);
        let mut before = 0;
        for Line { lane: LaneId(lane), flows, counts } in all {
            if lines.is_multiple_of(STRIDE) {
                marks.push((before, u32::try_from(octets.len()).unwrap_or(u32::MAX)));
            }
            put(&mut octets, u64::from(lane.wrapping_sub(before)));
            before = lane;
            for number in [counts.bytes, counts.packets, flows.into()] {
                put(&mut octets, number);
            }
            lines = lines.saturating_add(1);
        }
        Self { octets: octets.into(), marks: marks.into(), lines }
    }

    pub(super) const fn len(&self) -> usize {
        self.lines
    }

    pub(super) const fn octets(&self) -> usize {
        self.octets.len().saturating_add(self.marks.len().saturating_mul(8))
    }

    pub(super) fn lines(&self) -> Lines<'_> {
        Lines { octets: &self.octets, before: 0 }
    }

    /// The line of one lane.
    pub(super) fn of(&self, lane: LaneId) -> Option<Line> {
        let behind = self.marks.partition_point(|(before, _)| *before < lane.0);
        // The mark before may have the lane itself behind it.
        let &(before, at) = self.marks.get(behind.saturating_sub(1))?;
        let octets = self.octets.get(at as usize..)?;
        Lines { octets, before }.take_while(|line| line.lane <= lane).find(|line| line.lane == lane)
    }

    /// Both together, one line per lane.
    pub(super) fn merged(&self, other: impl Iterator<Item = Line>) -> Self {
        Self::new(Merge { left: self.lines().peekable(), right: other.peekable() })
    }
}

/// The lines of a slice, from its front.
#[derive(Debug, Clone)]
pub(super) struct Lines<'a> {
    octets: &'a [u8],
    before: u32,
}

impl Iterator for Lines<'_> {
    type Item = Line;

    fn next(&mut self) -> Option<Line> {
        if self.octets.is_empty() {
            return None;
        }
        let step = take(&mut self.octets);
        self.before = self.before.wrapping_add(low(step));
        let [bytes, packets, flows] = std::array::from_fn(|_| take(&mut self.octets));
        Some(Line { lane: LaneId(self.before), flows: low(flows), counts: Counts { bytes, packets } })
    }
}

/// What [`put`] wrote of a number of 32 bits.
#[expect(clippy::cast_possible_truncation, reason = "it was one of 32 bits")]
const fn low(number: u64) -> u32 {
    number as u32
}

struct Merge<L: Iterator<Item = Line>, R: Iterator<Item = Line>> {
    left: std::iter::Peekable<L>,
    right: std::iter::Peekable<R>,
}

impl<L: Iterator<Item = Line>, R: Iterator<Item = Line>> Iterator for Merge<L, R> {
    type Item = Line;

    fn next(&mut self) -> Option<Line> {
        let (Some(left), Some(right)) = (self.left.peek(), self.right.peek()) else {
            return self.left.next().or_else(|| self.right.next());
        };
        match left.lane.cmp(&right.lane) {
            std::cmp::Ordering::Less => self.left.next(),
            std::cmp::Ordering::Greater => self.right.next(),
            std::cmp::Ordering::Equal => {
                let mut line = self.left.next()?;
                line.add(self.right.next()?);
                Some(line)
            }
        }
    }
}

/// Seven bits per octet, lowest first; the highest bit says that more follow.
#[expect(clippy::cast_possible_truncation, reason = "the upper bits follow in the next octets")]
fn put(octets: &mut Vec<u8>, mut number: u64) {
    while 0x7f < number {
        octets.push(number as u8 | 0x80);
        number >>= 7;
    }
    octets.push(number as u8);
}

fn take(octets: &mut &[u8]) -> u64 {
    let (mut number, mut shift) = (0, 0);
    while let Some((&octet, rest)) = octets.split_first() {
        *octets = rest;
        number |= u64::from(octet & 0x7f) << shift;
        shift += 7;
        if octet & 0x80 == 0 || 63 < shift {
            break;
        }
    }
    number
}

/// Leaves one line per lane, in rising order.
pub(super) fn fold(lines: &mut Vec<Line>) {
    lines.sort_unstable_by_key(|line| line.lane);
    lines.dedup_by(|line, kept| {
        let same = line.lane == kept.lane;
        if same {
            kept.add(*line);
        }
        same
    });
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn lines() -> impl Strategy<Value = BTreeMap<u32, (u64, u64, u32)>> {
        let number = || prop_oneof![0..200_u64, any::<u64>(), Just(u64::MAX)];
        let lane = prop_oneof![0..2000_u32, any::<u32>()];
        prop::collection::btree_map(lane, (number(), number(), any::<u32>()), 0..900)
    }

    fn packed(lines: &BTreeMap<u32, (u64, u64, u32)>) -> Packed {
        Packed::new(lines.iter().map(|(&lane, &numbers)| line(lane, numbers)))
    }

    fn line(lane: u32, (bytes, packets, flows): (u64, u64, u32)) -> Line {
        Line { lane: LaneId(lane), flows, counts: Counts { bytes, packets } }
    }

    proptest! {
        #[test]
        fn what_is_packed_comes_out_again(lines in lines(), other in any::<u32>()) {
            let packed = packed(&lines);
            let out: Vec<Line> = packed.lines().collect();
            prop_assert_eq!(&out, &lines.iter().map(|(&lane, &numbers)| line(lane, numbers)).collect::<Vec<_>>());
            prop_assert!(packed.octets() <= lines.len() * LINE_MAX + 8 * lines.len().div_ceil(STRIDE));
            prop_assert_eq!(packed.len(), lines.len());
            for lane in lines.keys().copied().chain([other, 0, 1000]) {
                prop_assert_eq!(packed.of(LaneId(lane)), lines.get(&lane).map(|&numbers| line(lane, numbers)));
            }
        }

        #[test]
        fn merging_adds_line_by_line(left in lines(), right in lines()) {
            let mut sums = left.clone();
            for (lane, more) in &right {
                let sum = sums.entry(*lane).or_default();
                *sum = (sum.0.saturating_add(more.0), sum.1.saturating_add(more.1), sum.2.saturating_add(more.2));
            }
            let merged = packed(&left).merged(packed(&right).lines());
            prop_assert_eq!(merged.lines().collect::<Vec<_>>(), packed(&sums).lines().collect::<Vec<_>>());
            let mut folded: Vec<Line> = packed(&right).lines().chain(packed(&left).lines()).collect();
            fold(&mut folded);
            prop_assert_eq!(folded, packed(&sums).lines().collect::<Vec<_>>());
        }
    }

    #[test]
    fn an_ordinary_line_takes_a_quarter_of_its_plain_form() {
        let lines = (0..1000).map(|lane| (lane, (64_000, 50, 3))).collect();
        assert_eq!(packed(&lines).octets(), 1000 * 6 + 8 * 16);
        assert_eq!(size_of::<Line>(), 24);
    }
}
