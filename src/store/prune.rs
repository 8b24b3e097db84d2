//! Deletes the oldest flows and gives space back to the file system, a little at a time.
//!
//! How much may be kept is `retention`'s to say. One call is one short transaction, so that whoever has flows to write
//! never waits long. Its input is the writer's own connection, between two flushes.
//!
//! Pages that deleted flows leave are used again by new ones. Only what is free beyond that goes back to the file
//! system, since each page given back is another one moved. A file that was made without `auto_vacuum` gives back
//! nothing, it only stops growing.

use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension, Result, TransactionBehavior};

use crate::flow::Timestamp;
use crate::store::accounts::{self, RunId};
use crate::store::keys::RowKey;
use crate::store::retention::{Age, Clock, Disk, Pace, Retention, SAFE_MS, milliseconds};
use crate::store::rollup::prune::Before;
use crate::store::{blocks, files, rollup, schema};

/// What keeps a database within its limits.
#[derive(Debug)]
pub(super) struct Pruner {
    age: Age,
    /// In octets.
    size: Option<u64>,
    clock: Clock,
    rows: Pace,
    pages: Pace,
    gives_back: bool,
    /// Whether flows went that were not too old, so that accounts must go with them.
    cut: bool,
}

/// What one step did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Step {
    /// Why flows were deleted.
    pub cause: Option<Cause>,
    /// Flows deleted.
    pub flows: u64,
    /// Octets given back to the file system.
    pub given_back: u64,
    /// Whether the next step has something to do.
    pub more: bool,
    pub took: Duration,
    /// A reader has kept the write-ahead log from being cut for so long that deleting would only make it longer: its
    /// octets. Nothing is deleted until that reader ends.
    pub held_up: Option<u64>,
}

/// Why flows were deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    Age,
    Size,
    /// The file system was nearly full.
    Disk,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Age => "older than `--retention`",
            Self::Size => "larger than `--max-size`",
            Self::Disk => "the file system is nearly full",
        })
    }
}

/// A write-ahead log of so many octets waits for a reader.
const HELD_UP: u64 = 4 * schema::JOURNAL_LIMIT;

/// The smallest row that is found in practice: a step deletes no more rows than the excess can be worth.
const ROW_OCTETS: u64 = 32;

/// How long the roll-ups by minute and by hour are kept, in milliseconds: two weeks, and a year and a month.
const MINUTES_MS: i64 = 14 * 86_400_000;
const HOURS_MS: i64 = 396 * 86_400_000;
/// Rows of them, and blocks of the skip index, that one step deletes.
const DERIVED_ROWS: usize = 10_000;

impl Pruner {
    pub(super) fn new(connection: &Connection, file: &Path, retention: Retention) -> Result<Self> {
        let size = limit(file, retention);
        let gives_back = pragma(connection, "auto_vacuum")? == 2;
        let newest = edge(connection, "max")?.map(RowKey::received);
        Ok(Self {
            age: retention.age,
            size,
            clock: Clock::new(newest),
            rows: Pace::default(),
            pages: Pace::default(),
            gives_back,
            cut: false,
        })
    }

    /// Other limits from now on; the clock goes on.
    pub(super) fn limit(&mut self, file: &Path, retention: Retention) {
        (self.age, self.size) = (retention.age, limit(file, retention));
    }

    /// One step, which should take no longer than half of `budget`.
    pub(super) fn step(
        &mut self,
        connection: &mut Connection,
        file: &Path,
        (now, at): (Timestamp, Instant),
        run: Option<RunId>,
        budget: Duration,
    ) -> Result<Step> {
        // A deletion that a power cut takes back is done again; waiting for the disk would only make the step longer.
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        let stepped = self.unsynced(connection, file, (now, at), run, budget);
        connection.pragma_update(None, "synchronous", "FULL")?;
        stepped
    }

    fn unsynced(
        &mut self,
        connection: &mut Connection,
        file: &Path,
        (now, at): (Timestamp, Instant),
        run: Option<RunId>,
        budget: Duration,
    ) -> Result<Step> {
        let begin = Instant::now();
        let too_old = match self.age {
            Age::Forever => RowKey::START,
            Age::Of(age) => RowKey::at(self.clock.believe(now, at).plus(-milliseconds(age))),
        };
        let space = Space::of(connection, file)?;
        if HELD_UP < space.log {
            return Ok(Step { held_up: Some(space.log), took: begin.elapsed(), ..Step::default() });
        }
        let mut step = match self.excess(connection, too_old, space)? {
            Some((cause, bound, most)) => {
                let flows = delete(connection, bound, self.rows.amount().min(most))?;
                self.rows.adjust(flows, begin.elapsed(), budget);
                self.cut |= cause != Cause::Age;
                Step { cause: Some(cause), flows, more: 0 < flows, ..Step::default() }
            }
            None if 0 < derived(connection, self.too_old_derived(connection, now, at)?, DERIVED_ROWS)? => {
                Step { more: true, ..Step::default() }
            }
            None => {
                let pages = self.surplus(space).min(self.pages.amount());
                vacuum(connection, pages)?;
                self.pages.adjust(pages, begin.elapsed(), budget);
                Step { given_back: pages * space.page, more: 0 < pages, ..Step::default() }
            }
        };
        if !step.more {
            let oldest = edge(connection, "min")?.map(RowKey::received);
            let by_age = too_old.received();
            let too_old = oldest.filter(|_| self.cut).map_or(by_age, |oldest| oldest.max(by_age));
            accounts::forget(connection, run, too_old, oldest)?;
        }
        step.took = begin.elapsed();
        Ok(step)
    }

    /// From when on what was made from flows is kept: the skip index as long as its rows, roll-ups much longer.
    fn too_old_derived(&mut self, connection: &Connection, now: Timestamp, at: Instant) -> Result<Before> {
        let now = self.clock.believe(now, at);
        Ok(Before {
            minute: now.plus(-MINUTES_MS),
            hour: now.plus(-HOURS_MS),
            row: edge(connection, "min")?.unwrap_or(RowKey::START),
        })
    }

    /// Why flows must go, which ones may at most, and how many.
    fn excess(&self, connection: &Connection, too_old: RowKey, space: Space) -> Result<Option<(Cause, RowKey, u64)>> {
        let Some(oldest) = edge(connection, "min")? else { return Ok(None) };
        if oldest < too_old {
            return Ok(Some((Cause::Age, too_old, u64::MAX)));
        }
        let by_size = self
            .size
            .map_or(0, |size| space.used().saturating_sub(size - size / 16 - schema::JOURNAL_LIMIT.min(size / 4)));
        if 0 < by_size {
            return Ok(Some((Cause::Size, RowKey(i64::MAX), (by_size / ROW_OCTETS).max(1))));
        }
        let by_disk = space.missing.saturating_sub(space.free * space.page);
        let newest = edge(connection, "max")?.map_or(RowKey::START, |key| RowKey::at(key.received().plus(-SAFE_MS)));
        if 0 < by_disk && oldest < newest {
            return Ok(Some((Cause::Disk, newest, (by_disk / ROW_OCTETS).max(1))));
        }
        Ok(None)
    }

    /// Free pages that are more than new flows will need soon.
    const fn surplus(&self, space: Space) -> u64 {
        if !self.gives_back {
            return 0;
        }
        let kept = if 0 < space.missing { 0 } else { (space.pages - space.free) / 16 };
        space.free.saturating_sub(kept)
    }
}

/// In octets. A file system that does not tell its size has no share of it.
fn limit(file: &Path, retention: Retention) -> Option<u64> {
    Disk::of(file).map_or_else(
        |_| retention.size.resolve(Disk::default()).filter(|octets| 0 < *octets),
        |disk| retention.size.resolve(disk),
    )
}

/// Figures of the file.
#[derive(Debug, Clone, Copy)]
struct Space {
    pages: u64,
    free: u64,
    /// Octets of a page.
    page: u64,
    /// Octets of the write-ahead log.
    log: u64,
    /// Octets that the file system should have, but has not.
    missing: u64,
}

impl Space {
    fn of(connection: &Connection, file: &Path) -> Result<Self> {
        Ok(Self {
            pages: pragma(connection, "page_count")?,
            free: pragma(connection, "freelist_count")?,
            page: pragma(connection, "page_size")?,
            log: files::length(&files::log(file)),
            missing: Disk::of(file).map_or(0, Disk::missing),
        })
    }

    /// Octets in use. The log has a fixed share beside it: deleting makes it longer, which must not delete more.
    const fn used(self) -> u64 {
        (self.pages - self.free) * self.page
    }
}

/// Deletes about so many rows of what was made from flows, if they are older than `before`; returns how many.
pub(super) fn derived(connection: &mut Connection, before: Before, rows: usize) -> Result<usize> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut gone = rollup::prune::rollups(&transaction, before, rows)?;
    gone += blocks::prune(&transaction, before.row, rows.saturating_sub(gone))?;
    transaction.commit()?;
    Ok(gone)
}

fn delete(connection: &mut Connection, bound: RowKey, rows: u64) -> Result<u64> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let next: Option<i64> = transaction
        .prepare_cached("SELECT id FROM flows ORDER BY id LIMIT 1 OFFSET ?1")?
        .query_row([i64::try_from(rows).unwrap_or(i64::MAX)], |row| row.get(0))
        .optional()?;
    let bound = next.map_or(bound.0, |next| next.min(bound.0));
    let flows = transaction.prepare_cached("DELETE FROM flows WHERE id < ?1")?.execute([bound])?;
    transaction.prepare_cached("DELETE FROM details WHERE id < ?1")?.execute([bound])?;
    transaction.commit()?;
    Ok(flows as u64)
}

/// Moves the last pages of the file into free ones and cuts it. Each row of the statement is a page.
fn vacuum(connection: &Connection, pages: u64) -> Result<()> {
    if pages == 0 {
        return Ok(());
    }
    let mut statement = connection.prepare(&format!("PRAGMA incremental_vacuum({pages})"))?;
    let mut rows = statement.raw_query();
    while rows.next()?.is_some() {}
    Ok(())
}

/// The oldest (`min`) or newest (`max`) key.
pub(super) fn edge(connection: &Connection, which: &str) -> Result<Option<RowKey>> {
    let mut query = connection.prepare_cached(&format!("SELECT {which}(id) FROM flows"))?;
    query.query_row((), |row| row.get::<_, Option<i64>>(0)).map(|key| key.map(RowKey))
}

fn pragma(connection: &Connection, name: &str) -> Result<u64> {
    let mut query = connection.prepare_cached(&format!("PRAGMA {name}"))?;
    query.query_row((), |row| row.get::<_, i64>(0)).map(accounts::counted)
}

#[cfg(test)]
mod tests;
