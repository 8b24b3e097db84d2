//! Which lanes a view shows, and which rows they add to. Worked out once per lane and view, and kept as long as the view
//! is asked for.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::filter::Filter;
use crate::window::key::{Atlas, Country, Dimension, Key, Rows};
use crate::window::lanes::{Lane, Lanes};

/// No row.
pub(super) const NONE: u32 = u32::MAX >> 2;

/// What of a view decides its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) dimension: Dimension,
    pub(super) filter: Filter,
    /// Of the ends, which no filter knows.
    pub(super) countries: Vec<Country>,
    /// Whether what was reported twice is left out the second time.
    pub(super) once: bool,
}

/// Where one lane goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Target {
    /// The row for which it is down, with its [`Sense`](crate::window::Sense) in the two highest bits; [`NONE`] for none.
    down: u32,
    up: u32,
}

impl Target {
    pub(super) const HIDDEN: Self = Self { down: NONE, up: NONE };

    pub(super) const fn down(self) -> u32 {
        self.down & NONE
    }

    pub(super) const fn up(self) -> u32 {
        self.up
    }

    pub(super) const fn sense(self) -> usize {
        (self.down >> 30) as usize
    }

    pub(super) const fn is_shown(self) -> bool {
        self.down() != NONE || self.up != NONE
    }
}

/// The rows of a choice, and the target of each lane.
#[derive(Debug, Clone)]
pub(super) struct Selection {
    pub(super) choice: Choice,
    hasher: DefaultHashBuilder,
    ids: HashTable<u32>,
    keys: Vec<Key>,
    targets: Vec<Target>,
    /// The change of the lanes that it knows last.
    known: u64,
}

impl Selection {
    pub(super) fn new(choice: Choice) -> Self {
        Self {
            choice,
            hasher: DefaultHashBuilder::default(),
            ids: HashTable::new(),
            keys: Vec::new(),
            targets: Vec::new(),
            known: 0,
        }
    }

    /// Learns of the lanes that were made and removed since.
    pub(super) fn catch_up(&mut self, lanes: &Lanes, atlas: &Atlas) {
        // Rows whose lanes are gone stay until they are most of all.
        if lanes.all().len().saturating_mul(4).max(4096) < self.keys.len() {
            *self = Self::new(self.choice.clone());
        }
        self.targets.resize(lanes.all().len(), Target::HIDDEN);
        for (id, lane) in lanes.changed_since(self.known) {
            let target = self.target(lanes, lane, atlas);
            if let Some(place) = self.targets.get_mut(id) {
                *place = target;
            }
        }
        self.known = lanes.changes();
    }

    fn target(&mut self, lanes: &Lanes, lane: &Lane, atlas: &Atlas) -> Target {
        let (Some(key), Some(way)) = (lane.key, lanes.way(lane)) else { return Target::HIDDEN };
        let is_hidden = self.choice.once && key.fold.is_some();
        let matches =
            || self.choice.filter.is_all() || lanes.example(lane).is_some_and(|flow| self.choice.filter.matches(&flow));
        if is_hidden || !matches() || !atlas.touches([key.src, key.dst], &self.choice.countries) {
            return Target::HIDDEN;
        }
        let rows = Rows::of(self.choice.dimension, &key, way, lane.sense, atlas);
        let down = rows.down.map_or(NONE, |key| self.row(key));
        let up = rows.up.map_or(NONE, |key| self.row(key));
        Target { down: down | (lane.sense as u32) << 30, up }
    }

    fn row(&mut self, key: Key) -> u32 {
        let (hasher, keys) = (&self.hasher, &mut self.keys);
        let hash = hasher.hash_one(key);
        if let Some(&id) = self.ids.find(hash, |id| keys.get(*id as usize) == Some(&key)) {
            return id;
        }
        let id = u32::try_from(keys.len()).ok().filter(|id| *id < NONE).unwrap_or(NONE);
        keys.push(key);
        self.ids.insert_unique(hash, id, |id| keys.get(*id as usize).map_or(0, |key| hasher.hash_one(key)));
        id
    }

    pub(super) fn find(&self, key: Key) -> Option<u32> {
        let hash = self.hasher.hash_one(key);
        self.ids.find(hash, |id| self.keys.get(*id as usize) == Some(&key)).copied()
    }

    pub(super) fn keys(&self) -> &[Key] {
        &self.keys
    }

    pub(super) fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// Whether every lane is shown, so that the totals of slices are its own.
    pub(super) fn is_everything(&self, lanes: &Lanes) -> bool {
        let is_all = self.choice.filter.is_all() && self.choice.countries.is_empty();
        is_all && !(self.choice.once && lanes.has_folds())
    }
}
