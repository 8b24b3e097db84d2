//! Whether a database is whole: its pages, its roll-ups against the raw rows, and the times without a collector.
//!
//! It only reads, and sees one state of the file while a collector goes on writing. Its input is a file of any age, as
//! large as retention lets it be: memory is one sum per hour.

use std::collections::BTreeMap;

use rusqlite::Connection;

use crate::flow::share::{Booking, CLOCK_OFF_MS};
use crate::flow::{Counts, Timestamp};
use crate::store::accounts::counted;
use crate::store::keys::RowKey;
use crate::store::packed::Times;
use crate::store::rollup::{Dimension, Grain};

/// Faults of pages that are told.
const FAULTS: u32 = 20;

const HOUR_MINUTES: i64 = 60;

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checked {
    /// What SQLite says of the pages; nothing of a sound file.
    pub faults: Vec<String>,
    pub flows: u64,
    /// Hours whose sums were compared.
    pub hours: usize,
    /// Those that differ.
    pub differing: Vec<Difference>,
    /// Rows that wait to be made part of the roll-ups, by the collector that runs or the next one.
    pub behind: u64,
    /// Details of rows that are gone.
    pub orphans: u64,
}

/// An hour whose roll-ups are not the sums of its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Difference {
    pub hour: Timestamp,
    pub raw: Sum,
    pub rolled: Sum,
}

/// Bytes and packets as reported, and flows that ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sum {
    pub counts: Counts,
    pub flows: u64,
}

impl Checked {
    pub fn is_sound(&self) -> bool {
        self.faults.is_empty() && self.differing.is_empty() && self.orphans == 0
    }
}

pub(super) fn check(connection: &Connection) -> rusqlite::Result<Checked> {
    let mut checked = Checked { faults: faults(connection)?, ..Checked::default() };
    if !checked.faults.is_empty() {
        return Ok(checked);
    }
    let count = |sql: &str| connection.query_row(sql, (), |row| row.get::<_, i64>(0)).map(counted);
    checked.flows = count("SELECT count(*) FROM flows")?;
    checked.orphans =
        count("SELECT count(*) FROM details AS d WHERE NOT EXISTS (SELECT 1 FROM flows WHERE id = d.id)")?;
    let rolled: i64 = connection.query_row("SELECT rolled FROM derived", (), |row| row.get(0))?;
    let late = late(connection)?;
    let begin = begin(connection)?;
    let raw = raw(connection, (rolled, &late), begin, &mut checked.behind)?;
    let written = written(connection, begin)?;
    let hours: std::collections::BTreeSet<_> = raw.keys().chain(written.keys()).copied().collect();
    checked.hours = hours.len();
    for hour in hours {
        let sum = |of: &BTreeMap<i64, Sum>| of.get(&hour).copied().unwrap_or_default();
        let (raw, rolled) = (sum(&raw), sum(&written));
        if raw != rolled {
            checked.differing.push(Difference { hour: Timestamp(hour * HOUR_MINUTES * 60_000), raw, rolled });
        }
    }
    Ok(checked)
}

fn faults(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut query = connection.prepare(&format!("PRAGMA integrity_check({FAULTS})"))?;
    let rows = query.query_map((), |row| row.get::<_, String>(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(rows.into_iter().filter(|row| row != "ok").collect())
}

/// Keys below the mark that are not booked yet.
fn late(connection: &Connection) -> rusqlite::Result<Vec<(i64, i64)>> {
    let mut query = connection.prepare("SELECT first, last FROM late")?;
    query.query_map((), |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// The first hour that is compared. Where rows were deleted, their roll-ups stand for them, as late as a row may be
/// booked after it came.
fn begin(connection: &Connection) -> rusqlite::Result<i64> {
    let pruned: i64 =
        connection.query_row("SELECT ifnull(sum(pruned_flows), 0) FROM collector_runs", (), |row| row.get(0))?;
    let oldest: Option<i64> = connection.query_row("SELECT min(id) FROM flows", (), |row| row.get(0))?;
    Ok(match oldest {
        Some(oldest) if 0 < pruned => (RowKey(oldest).received().0 + CLOCK_OFF_MS).div_euclid(3_600_000) + 1,
        _ => i64::MIN,
    })
}

/// The sums of the rows that the roll-ups should have, by hour.
fn raw(
    connection: &Connection,
    (rolled, late): (i64, &[(i64, i64)]),
    begin: i64,
    behind: &mut u64,
) -> rusqlite::Result<BTreeMap<i64, Sum>> {
    let mut sums: BTreeMap<i64, Sum> = BTreeMap::new();
    let mut query = connection.prepare("SELECT id, times, bytes, packets FROM flows")?;
    let mut rows = query.query(())?;
    while let Some(row) = rows.next()? {
        let key = row.get(0)?;
        if rolled < key || late.iter().any(|&(first, last)| (first..=last).contains(&key)) {
            *behind = behind.saturating_add(1);
            continue;
        }
        let received = RowKey(key).received();
        let (first, last) = row.get::<_, Times>(1)?.before(received);
        let booking = Booking::new(received, first, last);
        let counts = Counts { bytes: counted(row.get(2)?), packets: counted(row.get(3)?) };
        let end = booking.end_minute();
        booking.minutes(counts, |minute, counts| {
            let hour = minute.div_euclid(HOUR_MINUTES);
            if begin <= hour {
                let sum = sums.entry(hour).or_default();
                sum.counts.add(counts);
                sum.flows = sum.flows.saturating_add(u64::from(minute == end));
            }
        });
    }
    Ok(sums)
}

/// What the roll-ups say, by hour.
fn written(connection: &Connection, begin: i64) -> rusqlite::Result<BTreeMap<i64, Sum>> {
    let mut sums: BTreeMap<i64, Sum> = BTreeMap::new();
    let mut query = connection.prepare(
        "SELECT bucket, bytes, packets, flows FROM rollup WHERE dimension = ?1 AND grain = ?2 AND ?3 <= bucket
         UNION ALL
         SELECT bucket, bytes, packets, flows FROM rollup_rest WHERE dimension = ?1 AND grain = ?2 AND ?3 <= bucket",
    )?;
    let mut rows = query.query((Dimension::Protocol as u8, Grain::Hour as u8, begin))?;
    while let Some(row) = rows.next()? {
        let sum = sums.entry(row.get(0)?).or_default();
        sum.counts.add(Counts { bytes: counted(row.get(1)?), packets: counted(row.get(2)?) });
        sum.flows = sum.flows.saturating_add(counted(row.get(3)?));
    }
    Ok(sums)
}

#[cfg(test)]
mod tests;
