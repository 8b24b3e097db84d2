//! A list that is scrolled: which entry is selected, and which is the first in sight. The selection belongs to the entry's
//! key and never to its place, so that it stays with what it marks when rows move.
//!
//! It holds no entries. Whoever has them says how many there are and where a key stands.

use crate::tui::keys::Motion;

/// State of one list.
#[derive(Debug, Clone)]
pub struct List<K> {
    selected: Option<K>,
    /// The place of the selection; where it was last, when it is not among the entries.
    cursor: usize,
    offset: usize,
    /// How many fit.
    room: usize,
}

impl<K> Default for List<K> {
    fn default() -> Self {
        Self { selected: None, cursor: 0, offset: 0, room: 0 }
    }
}

impl<K: Copy + PartialEq> List<K> {
    pub const fn selected(&self) -> Option<K> {
        self.selected
    }

    /// The first entry in sight.
    pub const fn offset(&self) -> usize {
        self.offset
    }

    pub const fn room(&self) -> usize {
        self.room
    }

    /// Selects an entry wherever it is; the next [`List::arrange`] finds it.
    pub fn select(&mut self, key: Option<K>) {
        self.selected = key;
        if self.selected.is_none() {
            (self.cursor, self.offset) = (0, 0);
        }
    }

    /// So many fit now.
    pub fn make_room(&mut self, room: usize, keys: &[K]) {
        self.room = room;
        self.arrange(keys);
    }

    /// The entries are these now, in this order.
    pub fn arrange(&mut self, keys: &[K]) {
        let found = self.selected.and_then(|key| keys.iter().position(|other| *other == key));
        if let Some(at) = found {
            self.cursor = at;
        }
        self.follow(found.is_some(), keys.len());
    }

    /// Moves the selection; false when there is nothing to select.
    pub fn scroll(&mut self, motion: Motion, keys: &[K]) -> bool {
        let Some(last) = keys.len().checked_sub(1) else { return false };
        self.cursor = match (self.selected, motion) {
            (None, Motion::Up | Motion::Down) => self.offset.min(last),
            _ => moved(self.cursor, motion, self.room, last),
        };
        self.selected = keys.get(self.cursor).copied();
        self.follow(true, keys.len());
        true
    }

    /// Keeps the selection in sight, and no room empty below the last entry.
    fn follow(&mut self, is_there: bool, length: usize) {
        let room = self.room.max(1);
        if is_there {
            self.offset = self.offset.clamp(self.cursor.saturating_sub(room - 1), self.cursor);
        }
        self.offset = self.offset.min(length.saturating_sub(room));
    }
}

/// Where a motion leads to from a place, where `room` entries fit and `last` is the last place.
pub fn moved(from: usize, motion: Motion, room: usize, last: usize) -> usize {
    let page = room.max(1);
    let half = (room / 2).max(1);
    let to = match motion {
        Motion::Up => from.saturating_sub(1),
        Motion::Down => from.saturating_add(1),
        Motion::HalfPageUp => from.saturating_sub(half),
        Motion::HalfPageDown => from.saturating_add(half),
        Motion::PageUp => from.saturating_sub(page),
        Motion::PageDown => from.saturating_add(page),
        Motion::First => 0,
        Motion::Last => last,
    };
    to.min(last)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MOTIONS: [Motion; 8] = [
        Motion::Up,
        Motion::Down,
        Motion::HalfPageUp,
        Motion::HalfPageDown,
        Motion::PageUp,
        Motion::PageDown,
        Motion::First,
        Motion::Last,
    ];

    #[test]
    fn the_selection_stays_with_its_key() {
        let mut list = List::default();
        list.make_room(3, &[1, 2, 3, 4, 5]);
        for _ in 0..4 {
            list.scroll(Motion::Down, &[1, 2, 3, 4, 5]);
        }
        assert_eq!((list.selected(), list.offset()), (Some(4), 1));
        list.arrange(&[4, 1, 2, 3, 5]);
        assert_eq!((list.selected(), list.offset()), (Some(4), 0));
        // It leaves, and its place is remembered.
        list.arrange(&[1, 2, 3, 5]);
        assert_eq!(list.selected(), Some(4));
        list.scroll(Motion::Down, &[1, 2, 3, 5]);
        assert_eq!(list.selected(), Some(2));
        list.select(None);
        assert_eq!((list.selected(), list.offset()), (None, 0));
        assert!(!list.scroll(Motion::Down, &[]));
    }

    proptest! {
        #[test]
        fn the_selection_is_in_sight(
            steps in proptest::collection::vec((0..8_usize, 0..40_usize, 0..12_usize, any::<u64>()), 1..60)
        ) {
            let mut list = List::default();
            for (motion, length, room, seed) in steps {
                let mut keys: Vec<usize> = (0..length).collect();
                let turn = usize::try_from(seed % 41).unwrap_or(0);
                keys.rotate_left(turn % length.max(1));
                list.make_room(room, &keys);
                list.scroll(MOTIONS[motion], &keys);
                if let Some(at) = keys.iter().position(|key| Some(*key) == list.selected()) {
                    prop_assert!((list.offset()..list.offset() + room.max(1)).contains(&at));
                }
                prop_assert!(list.offset() <= length.saturating_sub(room.max(1)));
            }
        }
    }
}
