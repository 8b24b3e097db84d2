//! Rankings from the roll-ups: whole hours from the hours, the edges of a span from its minutes.
//!
//! It reads raw rows only where they are few and in no roll-up yet. Its input is a file that a collector may be writing
//! at the same time; one ranking sees one state of it.

use std::net::IpAddr;
use std::ops::Range;

use hashbrown::HashMap;
use rusqlite::{Connection, OptionalExtension, Result, Row, params};

use crate::flow::share::Booking;
use crate::flow::{Counts, ObservationDomainId, Timestamp};
use crate::store::accounts;
use crate::store::index::{late_runs, stored};
use crate::store::keys::RowKey;
use crate::store::rollup::checkpoint::SUMS;
use crate::store::rollup::slot::Slot;
use crate::store::rollup::{Book, Grain};
pub use crate::store::rollup::{Dimension, Pair, Sums};

/// By what a ranking is ordered, largest first. Bytes and packets are estimates: sampling is applied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    #[default]
    Bytes,
    Packets,
    Flows,
}

/// What a row of a ranking stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// `a < b`, and the sums are from `a` to `b` and back.
    Conversation {
        a: IpAddr,
        b: IpAddr,
        protocol: u8,
        port: u16,
    },
    /// What it sent, and back what it received.
    Host(IpAddr),
    Service {
        protocol: u8,
        port: u16,
    },
    Protocol(u8),
    Exporter {
        exporter: IpAddr,
        domain: ObservationDomainId,
    },
    /// What came in through it, and back what went out; or one of these.
    Interface {
        exporter: IpAddr,
        domain: ObservationDomainId,
        interface: u32,
    },
    /// What came from an autonomous system, and back what went to it; 0 is unknown.
    As(u32),
    Vlan(u16),
    Dscp(u8),
    Application(u64),
    Pair {
        src: IpAddr,
        dst: IpAddr,
    },
    Path {
        src: IpAddr,
        dst: IpAddr,
        protocol: u8,
        /// Of the destination.
        port: u16,
    },
    /// What belongs to no key.
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ranked {
    pub key: Key,
    pub pair: Pair,
    /// At most so much of the measure that the ranking is by is not in `pair`, since at times the key was too small
    /// to be kept apart. 0 nearly always.
    pub missing: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Top {
    /// How many keys have a row of their own.
    pub keys: usize,
    /// Largest first; of equals in the order of their keys.
    pub rows: Vec<Ranked>,
    /// Everything in the span, what is in no row included.
    pub total: Sums,
    /// Whether rows, order and sums are proven to be those of the raw rows.
    pub exact: bool,
    /// Flows received until then are in it. `None` when all are that had been written.
    pub until: Option<Timestamp>,
}

/// Raw rows that are in no roll-up yet and are added to a ranking, at some 100 ms. When more wait, the ranking leaves
/// them out and says so with [`Top::until`].
const TAIL: u32 = 100_000;

/// Key to its measure, and how much of the floors of all buckets cannot be missing in it.
type Measured = HashMap<Slot, (u64, u64)>;

/// Ranks one dimension over the minutes that begin in `from..to`.
pub(super) fn top(
    connection: &Connection,
    dimension: Dimension,
    order: Order,
    (from, to): (Timestamp, Timestamp),
    rows: usize,
) -> Result<Top> {
    let minutes = minute_after(from)..minute_after(to).max(minute_after(from));
    let tail = Tail::read(connection, dimension, &minutes)?;
    let mut spans: Vec<Span> =
        spans(minutes).into_iter().map(|(grain, buckets)| Span { grain, buckets, filled: Vec::new() }).collect();
    let mut keys: Measured = HashMap::new();
    let (mut all, mut floors) = (tail.total, 0_u64);
    for Span { grain, buckets, filled } in &mut spans {
        let place = (dimension, *grain, &*buckets);
        let rest = floors_of(connection, place, order)?;
        floors = rest.values().fold(floors, |sum, floor| sum.saturating_add(*floor));
        *filled = measure(connection, place, order, &rest, &mut keys)?;
        all.add(total(connection, *grain, buckets)?);
    }
    for (slot, pair) in &tail.keys {
        let (sum, _) = keys.entry(*slot).or_default();
        *sum = sum.saturating_add(order.of(pair));
    }
    let (largest, proven) = largest(&keys, floors, rows);
    let mut rows = Vec::with_capacity(largest.len());
    for Measure { slot, missing, .. } in largest {
        let mut pair = tail.keys.get(&slot).copied().unwrap_or_default();
        for Span { grain, filled, .. } in &spans {
            pair.add(exactly(connection, (dimension, *grain, filled), slot)?);
        }
        rows.push(Ranked { key: key(connection, dimension, slot)?, pair, missing });
    }
    Ok(Top { keys: keys.len(), rows, total: all, exact: proven && tail.until.is_none(), until: tail.until })
}

/// One key on its way into a ranking.
#[derive(Clone, Copy)]
struct Measure {
    sum: u64,
    slot: Slot,
    missing: u64,
}

/// The largest keys in order, and whether it is proven that they are, with their sums.
fn largest(keys: &Measured, floors: u64, rows: usize) -> (Vec<Measure>, bool) {
    let mut all: Vec<Measure> = keys
        .iter()
        .map(|(slot, (sum, covered))| Measure { sum: *sum, slot: *slot, missing: floors.saturating_sub(*covered) })
        .collect();
    let by_size = |a: &Measure, b: &Measure| b.sum.cmp(&a.sum).then_with(|| a.slot.cmp(&b.slot));
    // What has no row may belong to a ranking that has room for it.
    let complete = floors == 0 || rows <= all.len();
    let rows = rows.min(all.len());
    if 0 < rows && rows < all.len() {
        all.select_nth_unstable_by(rows - 1, by_size);
    }
    let others = all.split_off(rows);
    all.sort_unstable_by(by_size);
    let smallest = all.last().map_or(0, |row| row.sum);
    // What has no row at all may have as much as all floors together.
    let beyond = others.iter().map(|row| row.sum.saturating_add(row.missing)).fold(floors, u64::max);
    let proven = complete && all.iter().all(|row| row.missing == 0) && (floors == 0 || beyond <= smallest);
    (all, proven)
}

impl Order {
    /// The measure of a key, both directions together.
    pub fn of(self, pair: &Pair) -> u64 {
        let sum = pair.sum();
        match self {
            Self::Bytes => sum.estimate().bytes,
            Self::Packets => sum.estimate().packets,
            Self::Flows => sum.flows,
        }
    }

    /// The column that bounds what a row lacks of the measure.
    pub(super) const fn missed(self) -> &'static str {
        self.columns().1
    }

    /// The columns whose sum is the measure, the bound of what a row lacks, and the floor of a bucket.
    const fn columns(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Bytes => ("bytes, back_bytes, more_bytes, back_more_bytes", "missed_bytes", "floor_bytes"),
            Self::Packets => {
                ("packets, back_packets, more_packets, back_more_packets", "missed_packets", "floor_packets")
            }
            Self::Flows => ("flows, back_flows, 0, 0", "missed_flows", "floor_flows"),
        }
    }
}

/// How large the largest key without a row is in each bucket that has such keys.
pub(super) fn floors_of(
    connection: &Connection,
    (dimension, grain, buckets): (Dimension, Grain, &Range<i64>),
    order: Order,
) -> Result<HashMap<i64, u64>> {
    let (_, _, floor) = order.columns();
    let mut query = connection.prepare_cached(&format!(
        "SELECT bucket, {floor} FROM rollup_rest
         WHERE dimension = ?1 AND grain = ?2 AND ?3 <= bucket AND bucket < ?4"
    ))?;
    let place = params![dimension as u8, grain as u8, buckets.start, buckets.end];
    let floors = query.query_map(place, |row| Ok((row.get(0)?, row.get(1).map(accounts::counted)?)))?;
    floors.collect()
}

/// Adds the measure of all rows of a span, and nothing else of them: this is what takes time. Returns the buckets that
/// have rows.
fn measure(
    connection: &Connection,
    (dimension, grain, buckets): (Dimension, Grain, &Range<i64>),
    order: Order,
    floors: &HashMap<i64, u64>,
    keys: &mut Measured,
) -> Result<Vec<i64>> {
    let (counts, missed, _) = order.columns();
    let mut query = connection.prepare_cached(&format!(
        "SELECT a, b, c, bucket, {counts}, {missed} FROM rollup
         WHERE dimension = ?1 AND grain = ?2 AND ?3 <= bucket AND bucket < ?4"
    ))?;
    let mut rows = query.query(params![dimension as u8, grain as u8, buckets.start, buckets.end])?;
    let mut filled = Vec::new();
    while let Some(row) = rows.next()? {
        let bucket = row.get(3)?;
        if filled.last() != Some(&bucket) {
            filled.push(bucket);
        }
        let (sum, covered) = keys.entry(Slot::read(row, 0)?).or_default();
        for column in 4..8 {
            *sum = sum.saturating_add(accounts::counted(row.get(column)?));
        }
        if !floors.is_empty() {
            let floor = floors.get(&bucket).copied().unwrap_or(0);
            *covered = covered.saturating_add(floor.saturating_sub(accounts::counted(row.get(8)?)));
        }
    }
    Ok(filled)
}

/// The sums of one key in some buckets.
fn exactly(
    connection: &Connection,
    (dimension, grain, buckets): (Dimension, Grain, &[i64]),
    slot: Slot,
) -> Result<Pair> {
    let mut query = connection.prepare_cached(&format!(
        "SELECT {} FROM rollup WHERE a = ?1 AND b = ?2 AND c = ?3 AND dimension = ?4 AND grain = ?5 AND bucket = ?6",
        SUMS.join(", ")
    ))?;
    slot.bind(&mut query, 1)?;
    query.raw_bind_parameter(4, dimension as u8)?;
    query.raw_bind_parameter(5, grain as u8)?;
    let mut sum = Pair::default();
    for bucket in buckets {
        query.raw_bind_parameter(6, bucket)?;
        let mut rows = query.raw_query();
        if let Some(row) = rows.next()? {
            sum.add(pair(row)?);
        }
    }
    Ok(sum)
}

/// All traffic of a span: what it is by protocol, which is little.
pub(super) fn total(connection: &Connection, grain: Grain, buckets: &Range<i64>) -> Result<Sums> {
    let mut total = Sums::default();
    for table in ["rollup", "rollup_rest"] {
        let mut query = connection.prepare_cached(&format!(
            "SELECT {} FROM {table} WHERE dimension = ?1 AND grain = ?2 AND ?3 <= bucket AND bucket < ?4",
            SUMS.join(", ")
        ))?;
        let mut rows = query.query(params![Dimension::Protocol as u8, grain as u8, buckets.start, buckets.end])?;
        while let Some(row) = rows.next()? {
            total.add(pair(row)?.sum());
        }
    }
    Ok(total)
}

/// What stands in raw rows beyond the roll-ups.
#[derive(Default)]
struct Tail {
    keys: HashMap<Slot, Pair>,
    total: Sums,
    until: Option<Timestamp>,
}

impl Tail {
    fn read(connection: &Connection, dimension: Dimension, minutes: &Range<i64>) -> Result<Self> {
        let (rolled, runs) = tail(connection)?;
        if !is_few(connection, &runs)? {
            return Ok(Self { until: Some(RowKey(rolled).received()), ..Self::default() });
        }
        let mut book = Book::default();
        for run in runs {
            stored(connection, run.start.0..=run.end.before().0, usize::MAX, |_, exporter, flow| {
                book.add(Booking::of(flow), exporter, flow);
                Ok(())
            })?;
        }
        let inside = |dimension| {
            let all = book.minutes(dimension).into_iter();
            all.filter(|(slot, _)| minutes.contains(&slot.bucket().into())).map(|(slot, pair)| (slot.at(0), pair))
        };
        let mut tail = Self::default();
        inside(dimension).for_each(|(slot, pair)| tail.keys.entry(slot).or_default().add(pair));
        inside(Dimension::Protocol).for_each(|(_, pair)| tail.total.add(pair.sum()));
        Ok(tail)
    }
}

/// Up to where the roll-ups reach, and the ranges of keys that are in none yet.
pub(super) fn tail(connection: &Connection) -> Result<(i64, Vec<Range<RowKey>>)> {
    let rolled: i64 = connection.query_row("SELECT rolled FROM derived", (), |row| row.get(0))?;
    let mut runs = late_runs(connection)?;
    runs.retain(|run| *run.end() <= rolled);
    let mut ranges: Vec<_> = runs.iter().map(|run| RowKey(*run.start())..RowKey(run.end().saturating_add(1))).collect();
    ranges.push(RowKey(rolled.saturating_add(1))..RowKey(i64::MAX));
    Ok((rolled, ranges))
}

/// Whether so few rows stand in some ranges that they are added to a ranking.
pub(super) fn is_few(connection: &Connection, ranges: &[Range<RowKey>]) -> Result<bool> {
    let mut count =
        connection.prepare_cached("SELECT count(*) FROM (SELECT 1 FROM flows WHERE id BETWEEN ?1 AND ?2 LIMIT ?3)")?;
    let mut room = TAIL;
    for range in ranges {
        let rows: u32 = count.query_row(params![range.start.0, range.end.before().0, room + 1], |row| row.get(0))?;
        let Some(left) = room.checked_sub(rows) else { return Ok(false) };
        room = left;
    }
    Ok(true)
}

/// Buckets of one grain.
struct Span {
    grain: Grain,
    buckets: Range<i64>,
    /// Those of them that have rows.
    filled: Vec<i64>,
}

/// Whole hours as hours, the edges as minutes.
pub(super) fn spans(minutes: Range<i64>) -> Vec<(Grain, Range<i64>)> {
    let (first, end) = (-(-minutes.start).div_euclid(60), minutes.end.div_euclid(60));
    if end <= first {
        return vec![(Grain::Minute, minutes)];
    }
    vec![(Grain::Minute, minutes.start..first * 60), (Grain::Hour, first..end), (Grain::Minute, end * 60..minutes.end)]
}

/// The first minute that begins at or after a time.
const fn minute_after(time: Timestamp) -> i64 {
    -time.0.saturating_neg().div_euclid(60_000)
}

/// Reads the columns of `SUMS`, which come first.
pub(super) fn pair(row: &Row<'_>) -> Result<Pair> {
    let mut sums = [Sums::default(); 2];
    for (sums, from) in sums.iter_mut().zip([0, 5]) {
        let count = |column: usize| row.get(from + column).map(accounts::counted);
        sums.counts = Counts { bytes: count(0)?, packets: count(1)? };
        sums.flows = count(2)?;
        sums.more = Counts { bytes: count(3)?, packets: count(4)? };
    }
    Ok(Pair(sums))
}

fn key(connection: &Connection, dimension: Dimension, slot: Slot) -> Result<Key> {
    let number = slot.number();
    // The upper and lower half of what `Slot::conversation` put together.
    let [_, protocol, high, low] = number.to_be_bytes();
    let port = u16::from_be_bytes([high, low]);
    Ok(match dimension {
        Dimension::Conversation | Dimension::Reported => {
            Key::Conversation { a: slot.low(), b: slot.high(), protocol, port }
        }
        Dimension::Host => Key::Host(slot.low()),
        Dimension::Service => Key::Service { protocol, port },
        Dimension::Protocol => Key::Protocol(low),
        Dimension::InInterface | Dimension::OutInterface => interface(connection, slot)?,
    })
}

/// The exporter and the number of an interface.
pub(super) fn interface(connection: &Connection, slot: Slot) -> Result<Key> {
    let mut query = connection.prepare_cached("SELECT address, domain, version FROM exporters WHERE id = ?1")?;
    let identity = query.query_row([slot.exporter()], accounts::identity).optional()?;
    // Roll-ups outlive the exporter whose last flow was deleted.
    Ok(identity.map_or(Key::Other, |(exporter, domain, _)| Key::Interface {
        exporter,
        domain,
        interface: slot.number(),
    }))
}
