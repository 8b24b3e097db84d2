//! Writing what a book holds: minutes and hours of all dimensions, the largest of each bucket.
//!
//! It begins no transaction. A bucket is written as often as flows for it come, so that each write adds to what stands
//! there. A row that was made once is never given up; what finds no room goes into `rollup_rest`, with a floor that
//! says how large the largest of it was. A new row notes how much of it may have gone there before, so that every
//! figure is exact, or has a bound.

use std::cmp::Reverse;

use hashbrown::{HashMap, HashSet};
use rusqlite::{CachedStatement, Connection, Result, params};

use crate::store::accounts::{counted, places, stored};
use crate::store::rollup::slot::Slot;
use crate::store::rollup::{Book, Dimension, Grain, Limits, Pair, Path, Sums};

/// Rows that a write may make where its share of the room is taken, for keys that are larger than all that went into
/// the rest can be: what becomes large late is not overlooked. A bucket never has more than twice its rows and these.
const LATECOMERS: usize = 8;

/// Of the room that is left in an hour each write takes one of so many parts; of a minute, which is written only a few
/// times, half.
const PARTS_OF_HOUR: usize = 16;

impl Book {
    /// Writes everything and forgets it.
    pub(in crate::store) fn write(&mut self, connection: &Connection, limits: &Limits) -> Result<()> {
        self.settle();
        let mut writing = Writing::new(connection, limits)?;
        for dimension in Dimension::ALL {
            if dimension != Dimension::Reported || self.several && self.conversations.tells_exporters() {
                writing.both(dimension, &self.minutes(dimension))?;
            } else {
                writing.unnamed(dimension, &self.totals())?;
            }
        }
        self.clear();
        Ok(())
    }

    /// What it holds of one dimension, by minute.
    pub(in crate::store) fn minutes(&self, dimension: Dimension) -> HashMap<Slot, Pair> {
        match dimension {
            Dimension::Conversation => self.conversations(),
            Dimension::Host => self.hosts(),
            Dimension::Service => self.services(Slot::service),
            Dimension::Protocol => self.services(Slot::protocol),
            Dimension::InInterface => self.interfaces(|path| path.in_if),
            Dimension::OutInterface => self.interfaces(|path| path.out_if),
            Dimension::Reported => self.reported(),
        }
    }

    fn conversations(&self) -> HashMap<Slot, Pair> {
        let mut conversations: HashMap<Slot, Pair> = HashMap::with_capacity(self.conversations.len());
        self.conversations.each(|slot, pair| conversations.entry(slot).or_default().add(pair));
        conversations
    }

    /// All of it, by minute.
    fn totals(&self) -> HashMap<i32, Pair> {
        let mut totals: HashMap<i32, Pair> = HashMap::new();
        self.conversations.each(|slot, pair| totals.entry(slot.bucket()).or_default().add(pair));
        totals
    }

    fn reported(&self) -> HashMap<Slot, Pair> {
        let mut reported: HashMap<Slot, Pair> = HashMap::with_capacity(self.conversations.len());
        self.conversations
            .each_reported(|exporter, slot, pair| reported.entry(slot.by(exporter)).or_default().add(pair));
        reported
    }

    fn hosts(&self) -> HashMap<Slot, Pair> {
        let mut hosts: HashMap<Slot, Pair> = HashMap::with_capacity(self.conversations.len());
        self.conversations.each(|slot, pair| {
            let (low, high) = slot.hosts();
            match high {
                Some(high) => {
                    hosts.entry(low).or_default().add(pair);
                    hosts.entry(high).or_default().add(pair.turned());
                }
                // It sends and receives the same bytes.
                None => hosts.entry(low).or_default().add(Pair([pair.sum(); 2])),
            }
        });
        hosts
    }

    fn services(&self, key: impl Fn(Slot) -> Slot) -> HashMap<Slot, Pair> {
        let mut services: HashMap<Slot, Pair> = HashMap::new();
        self.conversations.each(|slot, pair| services.entry(key(slot)).or_default().0[0].add(pair.sum()));
        services
    }

    fn interfaces(&self, side: impl Fn(&Path) -> u32) -> HashMap<Slot, Pair> {
        let mut interfaces: HashMap<Slot, Pair> = HashMap::new();
        for (path, sums) in &self.paths {
            let slot = Slot::interface(path.exporter, side(path)).at(path.bucket);
            interfaces.entry(slot).or_default().0[0].add(*sums);
        }
        interfaces
    }
}

/// The statements of one write.
struct Writing<'a> {
    connection: &'a Connection,
    limits: &'a Limits,
    row: CachedStatement<'a>,
    rest: CachedStatement<'a>,
}

/// The sums of a row, in the order in which [`sums`] gives them.
pub(in crate::store) const SUMS: [&str; 10] = [
    "bytes",
    "packets",
    "flows",
    "more_bytes",
    "more_packets",
    "back_bytes",
    "back_packets",
    "back_flows",
    "back_more_bytes",
    "back_more_packets",
];

/// The floor of a bucket of which some keys were not told apart: any of them may have anything in its rest.
pub(in crate::store) const UNBOUNDED: u64 = i64::MAX.cast_unsigned();

/// A key and its sums in a bucket.
struct Entry<'a>(&'a Slot, &'a Pair);

impl Entry<'_> {
    /// By what the largest are chosen: estimates of both directions together.
    fn measures(&self) -> [u64; 3] {
        let sum = self.1.sum();
        let estimate = sum.estimate();
        [estimate.bytes, estimate.packets, sum.flows]
    }
}

impl<'a> Writing<'a> {
    fn new(connection: &'a Connection, limits: &'a Limits) -> Result<Self> {
        let row = format!(
            "INSERT INTO rollup (dimension, grain, bucket, a, b, c, {sums}, missed_bytes, missed_packets, missed_flows)
             VALUES ({places}) ON CONFLICT DO UPDATE SET {adding}",
            sums = SUMS.join(", "),
            places = places(SUMS.len() + 9),
            adding = adding(&SUMS),
        );
        let floors = ["floor_bytes", "floor_packets", "floor_flows"];
        let rest = format!(
            "INSERT INTO rollup_rest (dimension, grain, bucket, {sums}, {floors_list}) VALUES ({places})
             ON CONFLICT DO UPDATE SET {adding}, {adding_floors}",
            sums = SUMS.join(", "),
            floors_list = floors.join(", "),
            places = places(SUMS.len() + 6),
            adding = adding(&SUMS),
            adding_floors = adding(&floors),
        );
        let (row, rest) = (connection.prepare_cached(&row)?, connection.prepare_cached(&rest)?);
        Ok(Self { connection, limits, row, rest })
    }

    fn both(&mut self, dimension: Dimension, minutes: &HashMap<Slot, Pair>) -> Result<()> {
        self.grain(dimension, Grain::Minute, minutes)?;
        let mut hours: HashMap<Slot, Pair> = HashMap::with_capacity(minutes.len());
        for (slot, pair) in minutes {
            hours.entry(slot.at(slot.bucket().div_euclid(60))).or_default().add(*pair);
        }
        self.grain(dimension, Grain::Hour, &hours)
    }

    fn grain(&mut self, dimension: Dimension, grain: Grain, all: &HashMap<Slot, Pair>) -> Result<()> {
        let mut buckets: HashMap<i32, Vec<Entry<'_>>> = HashMap::new();
        for (slot, pair) in all {
            buckets.entry(slot.bucket()).or_default().push(Entry(slot, pair));
        }
        for (bucket, mut entries) in buckets {
            let place = (dimension, grain, bucket);
            let missed = self.missed(place)?;
            let kept = self.choose(place, missed, &mut entries)?;
            let (kept, rest) = entries.split_at_mut(kept);
            // Neighbours of the table one after the other.
            kept.sort_unstable_by_key(|entry| *entry.0);
            for Entry(slot, pair) in &*kept {
                bind_place(&mut self.row, place)?;
                slot.bind(&mut self.row, 4)?;
                bind(&mut self.row, 7, sums(pair))?;
                bind(&mut self.row, 7 + SUMS.len(), missed)?;
                self.row.raw_execute()?;
            }
            self.fold(place, rest)?;
        }
        Ok(())
    }

    /// How much a key without a row may have in the rest of a bucket.
    fn missed(&self, (dimension, grain, bucket): (Dimension, Grain, i32)) -> Result<[u64; 3]> {
        let mut query = self.connection.prepare_cached(
            "SELECT floor_bytes, floor_packets, floor_flows FROM rollup_rest
             WHERE dimension = ?1 AND grain = ?2 AND bucket = ?3",
        )?;
        let mut rows = query.query(params![dimension as u8, grain as u8, bucket])?;
        let Some(row) = rows.next()? else { return Ok([0; 3]) };
        Ok([counted(row.get(0)?), counted(row.get(1)?), counted(row.get(2)?)])
    }

    /// Moves what gets a row to the front, and returns how many these are: all, as long as there is room; then those
    /// that have a row, and the largest of the others.
    fn choose(&self, place: (Dimension, Grain, i32), missed: [u64; 3], entries: &mut [Entry<'_>]) -> Result<usize> {
        let (dimension, grain, bucket) = place;
        let bound = match grain {
            Grain::Minute => self.limits.minute_rows,
            Grain::Hour => self.limits.hour_rows,
        };
        let mut count = self
            .connection
            .prepare_cached("SELECT count(*) FROM rollup WHERE dimension = ?1 AND grain = ?2 AND bucket = ?3")?;
        let rows: u32 = count.query_row(params![dimension as u8, grain as u8, bucket], |row| row.get(0))?;
        let room = bound.saturating_sub(rows as usize);
        if entries.len() <= room {
            return Ok(entries.len());
        }
        let members = if rows == 0 { HashSet::new() } else { self.members(place)? };
        let mut known = 0;
        for at in 0..entries.len() {
            if members.contains(entries[at].0) {
                entries.swap(known, at);
                known += 1;
            }
        }
        let parts = if grain == Grain::Minute || rows == 0 { 2 } else { PARTS_OF_HOUR };
        let mut kept = known + largest(&mut entries[known..], room / parts);
        // Nobody comes late to the first write.
        let open = missed != [0; 3] && (rows as usize) < 2 * bound;
        let late = if open { largest(&mut entries[kept..], LATECOMERS) } else { 0 };
        let candidates = kept..kept + late;
        for at in candidates {
            if entries[at].measures().into_iter().zip(missed).any(|(measure, missed)| missed < measure) {
                entries.swap(kept, at);
                kept += 1;
            }
        }
        Ok(kept)
    }

    fn members(&self, (dimension, grain, bucket): (Dimension, Grain, i32)) -> Result<HashSet<Slot>> {
        let mut query = self
            .connection
            .prepare_cached("SELECT a, b, c FROM rollup WHERE dimension = ?1 AND grain = ?2 AND bucket = ?3")?;
        let members = query.query_map(params![dimension as u8, grain as u8, bucket], |row| Slot::read(row, 0))?;
        members.map(|slot| slot.map(|slot| slot.at(bucket))).collect()
    }

    /// Adds what gets no row to the rest of its bucket.
    fn fold(&mut self, place: (Dimension, Grain, i32), entries: &[Entry<'_>]) -> Result<()> {
        if entries.is_empty() {
            return Ok(());
        }
        let (mut pair, mut floors) = (Pair::default(), [0; 3]);
        for entry in entries {
            pair.add(*entry.1);
            for (floor, measure) in floors.iter_mut().zip(entry.measures()) {
                *floor = measure.max(*floor);
            }
        }
        self.add_rest(place, &pair, floors)
    }

    /// Adds all of some minutes to the rest, since their keys are not told apart.
    fn unnamed(&mut self, dimension: Dimension, minutes: &HashMap<i32, Pair>) -> Result<()> {
        for (minute, pair) in minutes {
            for (grain, bucket) in [(Grain::Minute, *minute), (Grain::Hour, minute.div_euclid(60))] {
                self.add_rest((dimension, grain, bucket), pair, [UNBOUNDED; 3])?;
            }
        }
        Ok(())
    }

    fn add_rest(&mut self, place: (Dimension, Grain, i32), pair: &Pair, floors: [u64; 3]) -> Result<()> {
        bind_place(&mut self.rest, place)?;
        bind(&mut self.rest, 4, sums(pair))?;
        bind(&mut self.rest, 4 + SUMS.len(), floors)?;
        self.rest.raw_execute().map(drop)
    }
}

/// Moves the `quota` largest to the front: three quarters by bytes, and an eighth each by packets and by flows, so
/// that a scan or a flood of small packets has its place too. Returns how many.
fn largest(entries: &mut [Entry<'_>], quota: usize) -> usize {
    let eighth = quota / 8;
    let mut kept = 0;
    for (measure, part) in [(0, quota - 2 * eighth), (1, eighth), (2, eighth)] {
        let rest = &mut entries[kept..];
        if part < rest.len() {
            rest.select_nth_unstable_by_key(part, |entry| Reverse(entry.measures()[measure]));
        }
        kept += part.min(rest.len());
    }
    kept
}

fn sums(Pair(pair): &Pair) -> impl IntoIterator<Item = u64> {
    pair.map(|Sums { counts, flows, more }| [counts.bytes, counts.packets, flows, more.bytes, more.packets])
        .into_iter()
        .flatten()
}

fn bind_place(statement: &mut CachedStatement<'_>, place: (Dimension, Grain, i32)) -> Result<()> {
    let (dimension, grain, bucket) = place;
    statement.raw_bind_parameter(1, dimension as u8)?;
    statement.raw_bind_parameter(2, grain as u8)?;
    statement.raw_bind_parameter(3, bucket)
}

fn bind(statement: &mut CachedStatement<'_>, from: usize, counts: impl IntoIterator<Item = u64>) -> Result<()> {
    for (at, count) in (from..).zip(counts) {
        statement.raw_bind_parameter(at, stored(count))?;
    }
    Ok(())
}

/// Adds without wrapping: a sum beyond 64 bits stays at the top, where SQLite would make it a REAL and refuse it.
fn adding(columns: &[&str]) -> String {
    let top = i64::MAX;
    let columns: Vec<String> = columns
        .iter()
        .map(|column| format!("{column} = {column} + min(excluded.{column}, {top} - {column})"))
        .collect();
    columns.join(", ")
}
