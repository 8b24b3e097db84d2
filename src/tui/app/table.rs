//! The rows of the table in their order. Rows do not jump: one passes its neighbour when it is larger by an eighth, or
//! when the order has stood for a few seconds.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::sync::Arc;

use crate::filter::Filter;
use crate::flow::Timestamp;
use crate::window::{Badge, Badges, Dimension, Key, Row, Snapshot, Sort, Span, Ways};

/// After so long, rows stand by size alone.
const PATIENCE_MS: i64 = 5_000;

/// Rows beyond which nobody sees the whole order, so that it need not be kept.
const KEPT: usize = 2_000;

/// What rows are wanted, and how.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted<'a> {
    pub sort: Sort,
    /// These come first, in this order.
    pub pins: &'a [Key],
    /// Only rows that have these badges, or do not have them.
    pub badges: &'a [(Badge, bool)],
}

/// A snapshot, and the order of its rows.
#[derive(Debug, Default)]
pub struct Table {
    snapshot: Arc<Snapshot>,
    order: Vec<usize>,
    keys: Vec<Key>,
    /// What all rows have together, once somebody wants to know.
    all: OnceCell<Ways>,
    pinned: usize,
    /// When rows stood by size alone, and by what they were ranked.
    arranged: Timestamp,
    ranked: Option<(Dimension, Filter, [Sort; 2], Span)>,
}

impl Table {
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    pub const fn len(&self) -> usize {
        self.order.len()
    }

    pub const fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    pub fn row(&self, at: usize) -> Option<&Row> {
        self.snapshot.rows.get(*self.order.get(at)?)
    }

    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.order.iter().filter_map(|&at| self.snapshot.rows.get(at))
    }

    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// How many rows at the top are pinned.
    pub const fn pinned(&self) -> usize {
        self.pinned
    }

    pub fn position(&self, key: Key) -> Option<usize> {
        self.keys.iter().position(|other| *other == key)
    }

    /// Takes the rows of a snapshot over.
    pub fn arrange(&mut self, snapshot: Arc<Snapshot>, wanted: Wanted<'_>) {
        let view = &snapshot.view;
        let ranked = (view.dimension, view.filter.clone(), [wanted.sort, view.sort], view.span);
        let is_same = self.ranked.as_ref() == Some(&ranked);
        let is_due = PATIENCE_MS <= snapshot.at.since(self.arranged) || snapshot.at < self.arranged;
        let has = |badges: Badges| wanted.badges.iter().all(|&(badge, wanted)| badges.has(badge) == wanted);
        let rows = &snapshot.rows;
        let mut order: Vec<usize> =
            (0..rows.len()).filter(|&at| rows.get(at).is_some_and(|row| has(row.badges))).collect();
        let size = |at: usize| rows.get(at).map_or(0, |row| measure(row, wanted.sort));
        let key = |at: usize| rows.get(at).map(|row| row.key);
        order.sort_unstable_by(|&a, &b| size(b).cmp(&size(a)).then_with(|| key(a).cmp(&key(b))));
        if is_same && !is_due && rows.len() <= KEPT {
            let places: HashMap<Key, usize> = self.keys.iter().copied().zip(0..).collect();
            let place = |at: usize| key(at).and_then(|key| places.get(&key).copied()).unwrap_or(usize::MAX);
            order.sort_by_key(|&at| place(at));
            settle(&mut order, size);
        } else {
            self.arranged = snapshot.at;
        }
        let pin = |at: usize| key(at).and_then(|key| wanted.pins.iter().position(|pin| *pin == key));
        order.sort_by_key(|&at| pin(at).unwrap_or(usize::MAX));
        self.pinned = order.iter().take_while(|&&at| pin(at).is_some()).count();
        self.keys = order.iter().filter_map(|&at| key(at)).collect();
        (self.order, self.snapshot, self.ranked) = (order, snapshot, Some(ranked));
        self.all = OnceCell::new();
    }

    /// What everything has that is not in the rows before one. Of these and those behind, the fewer are added up: somebody
    /// may look at the end of many.
    pub fn without_first(&self, first: usize) -> Ways {
        let (before, behind) = self.order.split_at(first.min(self.order.len()));
        if before.len() <= behind.len() {
            return self.snapshot.sum.without(self.sum(before));
        }
        let mut rest = self.snapshot.sum.without(*self.all.get_or_init(|| self.sum(&self.order)));
        rest.add(self.sum(behind));
        rest
    }

    fn sum(&self, order: &[usize]) -> Ways {
        let rows = order.iter().filter_map(|&at| self.snapshot.rows.get(at));
        rows.fold(Ways::default(), |mut sum, row| {
            sum.add(row.ways);
            sum
        })
    }

    /// Shows nothing until the next snapshot.
    pub fn clear(&mut self) {
        let arranged = self.arranged;
        *self = Self { arranged, ..Self::default() };
    }
}

/// Moves each row up as long as it is larger than the one above by an eighth.
fn settle(order: &mut [usize], size: impl Fn(usize) -> u64) {
    for from in 1..order.len() {
        let mut at = from;
        while let (Some(above), Some(&row)) = (at.checked_sub(1), order.get(at))
            && let Some(&neighbour) = order.get(above)
            && size(neighbour).saturating_add(size(neighbour) / 8) < size(row)
        {
            order.swap(above, at);
            at = above;
        }
    }
}

/// By what rows are ranked, as the window does it.
pub fn measure(row: &Row, sort: Sort) -> u64 {
    let ways = row.ways;
    match sort {
        Sort::Rate => ways.sum().counts.bytes,
        Sort::Packets => ways.sum().counts.packets,
        Sort::Flows => ways.sum().flows,
        Sort::Down => ways.down.counts.bytes,
        Sort::Up => ways.up.counts.bytes,
        Sort::Total => row.total.sum().counts.bytes,
    }
}

/// All of them, in the order of the key that turns them.
pub const SORTS: [Sort; 6] = [Sort::Rate, Sort::Down, Sort::Up, Sort::Total, Sort::Packets, Sort::Flows];

pub const fn label(sort: Sort) -> &'static str {
    match sort {
        Sort::Rate => "rate",
        Sort::Down => "down",
        Sort::Up => "up",
        Sort::Total => "total",
        Sort::Packets => "packets",
        Sort::Flows => "flows",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::canned;
    use crate::window::View;

    /// Rows of so many bytes, seconds after the beginning.
    fn snapshot(bytes: &[u64], second: i64) -> Arc<Snapshot> {
        let view = View::default();
        let mut snapshot = Snapshot { view, at: canned::NOW.plus(second * 1000), ..Snapshot::default() };
        let some = canned::feed(Span::Minute).views[0].rows[0].clone();
        for (&bytes, last) in bytes.iter().zip(0..) {
            let mut row = Row { key: Key::Host([10, 0, 0, last].into()), badges: Badges::default(), ..some.clone() };
            row.ways.down.counts.bytes = bytes;
            row.ways.up.counts.bytes = 0;
            row.badges.put(Badge::New, bytes == 7);
            snapshot.rows.push(row);
        }
        Arc::new(snapshot)
    }

    fn order(table: &Table) -> Vec<u8> {
        let last = |key: &Key| match key {
            Key::Host(std::net::IpAddr::V4(address)) => address.octets()[3],
            _ => 99,
        };
        table.keys().iter().map(last).collect()
    }

    #[test]
    fn rows_pass_each_other_for_a_reason() {
        let mut table = Table::default();
        let mut arrange = |bytes: &[u64], second| {
            table.arrange(snapshot(bytes, second), Wanted::default());
            order(&table)
        };
        assert_eq!(arrange(&[100, 90, 80], 0), [0, 1, 2]);
        assert_eq!(arrange(&[100, 105, 80], 1), [0, 1, 2], "not by a little");
        assert_eq!(arrange(&[100, 105, 130], 2), [2, 0, 1], "but by an eighth, past all that are smaller");
        assert_eq!(arrange(&[100, 105, 130, 120], 3), [2, 3, 0, 1], "a new one finds its place at once");
        assert_eq!(arrange(&[100, 105, 130, 120], 9), [2, 3, 1, 0], "and after a while by size alone");
    }

    #[test]
    fn pins_come_first_and_badges_are_conditions() {
        let mut table = Table::default();
        let pins = [Key::Host([10, 0, 0, 2].into())];
        table.arrange(snapshot(&[100, 90, 7], 0), Wanted { pins: &pins, ..Wanted::default() });
        assert_eq!((order(&table), table.pinned()), (vec![2, 0, 1], 1));
        let new = [(Badge::New, true)];
        table.arrange(snapshot(&[100, 90, 7], 0), Wanted { badges: &new, ..Wanted::default() });
        assert_eq!(order(&table), [2]);
        let old = [(Badge::New, false)];
        table.arrange(snapshot(&[100, 90, 7], 0), Wanted { badges: &old, ..Wanted::default() });
        assert_eq!(order(&table), [0, 1]);
    }
}
