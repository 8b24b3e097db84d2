//! Sums by key in bounded memory: what a question groups, from roll-ups and raw rows alike.
//!
//! It reads nothing. When there are more keys than room, the smaller half goes into one sum, and every key that is
//! made afterwards notes how much of it may have gone there before: each figure is exact, or has a bound.

use hashbrown::HashMap;

use crate::store::rollup::slot::Slot;
use crate::store::rollup::{Pair, Sums};
use crate::store::top::Order;

/// Keys held, some 150 MB; what a hash table of 2²⁰ holds. Beyond, the smaller half becomes one sum, and rows that are
/// in doubt say how much they may lack.
pub(super) const KEYS: usize = 917_504;

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Group {
    pub(super) pair: Pair,
    /// At most so much of it went into the common sum before.
    missed: u64,
    /// So much of the floors of all buckets is not missing in it.
    covered: u64,
}

#[derive(Debug)]
pub(super) struct Groups {
    keys: HashMap<Slot, Group>,
    order: Order,
    limit: usize,
    /// No key that is not held has more than this in the common sum.
    floor: u64,
    /// No key has more than this in the rests of all buckets.
    pub(super) rest: u64,
    /// Everything, each flow once.
    pub(super) total: Sums,
}

/// One key, and at most how much of its measure is not in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Largest {
    pub(super) slot: Slot,
    pub(super) pair: Pair,
    pub(super) missing: u64,
}

impl Groups {
    pub(super) fn new(order: Order, limit: usize) -> Self {
        Self { keys: HashMap::new(), order, limit: limit.max(2), floor: 0, rest: 0, total: Sums::default() }
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether nothing is missing in any key.
    pub(super) const fn is_exact(&self) -> bool {
        self.floor == 0 && self.rest == 0
    }

    pub(super) fn add(&mut self, slot: Slot, pair: Pair, covered: u64) {
        if let Some(group) = self.keys.get_mut(&slot) {
            group.pair.add(pair);
            group.covered = group.covered.saturating_add(covered);
            return;
        }
        if self.limit <= self.keys.len() {
            self.shrink();
        }
        self.keys.insert(slot, Group { pair, missed: self.floor, covered });
    }

    fn shrink(&mut self) {
        let order = self.order;
        let mut sizes: Vec<u64> = self.keys.values().map(|group| order.of(&group.pair)).collect();
        let middle = sizes.len() / 2;
        let (_, median, _) = sizes.select_nth_unstable(middle);
        let median = *median;
        // Of keys as large as the median some may stay and some go, as long as the half goes.
        let mut going = middle.max(1);
        let mut largest = 0;
        self.keys.retain(|_, group| {
            let size = order.of(&group.pair);
            let goes = size <= median && 0 < going;
            if goes {
                going -= 1;
                largest = largest.max(size);
            }
            !goes
        });
        self.floor = self.floor.saturating_add(largest);
    }

    /// The largest keys in order, and whether it is proven that they are, with their sums.
    pub(super) fn largest(&self, rows: usize) -> (Vec<Largest>, bool) {
        let order = self.order;
        let mut all: Vec<(u64, Largest)> = self.all().map(|row| (order.of(&row.pair), row)).collect();
        let by_size = |(a, x): &(u64, Largest), (b, y): &(u64, Largest)| b.cmp(a).then_with(|| x.slot.cmp(&y.slot));
        let complete = self.is_exact() || rows <= all.len();
        let rows = rows.min(all.len());
        if 0 < rows && rows < all.len() {
            all.select_nth_unstable_by(rows - 1, by_size);
        }
        let others = all.split_off(rows);
        all.sort_unstable_by(by_size);
        let smallest = all.last().map_or(0, |(size, _)| *size);
        let unknown = self.floor.saturating_add(self.rest);
        let beyond = others.iter().map(|(size, row)| size.saturating_add(row.missing)).fold(unknown, u64::max);
        let whole = all.iter().all(|(_, row)| row.missing == 0);
        let proven = complete && whole && (self.is_exact() || beyond <= smallest);
        (all.into_iter().map(|(_, row)| row).collect(), proven)
    }

    /// All keys, in no order.
    pub(super) fn all(&self) -> impl Iterator<Item = Largest> + '_ {
        self.keys.iter().map(|(slot, group)| Largest {
            slot: *slot,
            pair: group.pair,
            missing: group.missed.saturating_add(self.rest.saturating_sub(group.covered)),
        })
    }
}

#[cfg(test)]
mod tests;
