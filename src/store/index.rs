//! What is derived from the raw rows while they are written: roll-ups and skip index, and how far each reaches.
//!
//! It writes no raw row and begins no transaction; all that it writes belongs to the transaction of a flush. Its input
//! is each flow with the key of its row, and after a start the raw rows that no roll-up or block covers yet.
//!
//! # After a crash
//!
//! Flows are booked in memory and written once a minute, together with the mark `derived.rolled`: rows up to it are in
//! the roll-ups. Blocks have a mark of their own. A key at or below one of the marks, since its set had waited for a
//! template or the clock was set back, is noted in `late` in the flush that writes the row. So at any time what is
//! missing is known from the file alone: rows beyond the marks, and the runs in `late`. It is read back a bounded
//! number of rows per flush, before what comes in; as long as it is not at the end, what comes in stands beyond the
//! place it has reached, and waits for it in the table. A file that never had roll-ups is no other case.

use std::ops::RangeInclusive;

use rusqlite::{Connection, Result, params};

use crate::flow::share::Booking;
use crate::flow::{FlowRecord, Timestamp};
use crate::store::blocks::Open;
use crate::store::keys::RowKey;
use crate::store::rollup::{Book, Limits};
use crate::store::row;

/// Rows that each flush reads back at least while something is missing: some 0.5 s of work. When twice as many come
/// in, it reads twice as many as come in, so that it does arrive.
const BACK_ROWS: usize = 500_000;

/// Shares of minutes that are booked together: enough for a machine to have the look-ups of several under way at the same time.
const TOGETHER: usize = 32;

/// The derived tables, as the writer keeps them.
#[derive(Debug)]
pub(super) struct Index {
    limits: Limits,
    /// `None` before the first flush and after a failed one: then the file knows better.
    marks: Option<Marks>,
    book: Book,
    block: Open,
    late: Open,
    /// Late keys that follow each other, not noted yet.
    run: Option<RangeInclusive<i64>>,
    written: Timestamp,
}

/// How far everything reaches, in keys.
#[derive(Debug, Clone, Copy)]
struct Marks {
    rolled: RowKey,
    blocked: RowKey,
    /// Rows up to it are booked, in the file or in memory.
    reached: RowKey,
    /// Whether no row stands beyond `reached`.
    live: bool,
}

impl Index {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            marks: None,
            book: Book::default(),
            block: Open::default(),
            late: Open::default(),
            run: None,
            written: Timestamp(i64::MIN),
        }
    }

    /// Whether raw rows are still read back, so that the roll-ups end in the past.
    pub(super) fn is_behind(&self) -> bool {
        self.marks.is_some_and(|marks| !marks.live)
    }

    /// After a transaction that failed.
    pub(super) fn forget(&mut self) {
        self.marks = None;
        self.book.clear();
        self.block.clear();
        self.late.clear();
        self.run = None;
    }

    /// Begins a flush of so many flows.
    pub(super) fn begin(&mut self, connection: &Connection, flows: usize) -> Result<()> {
        if self.marks.is_none() {
            self.open(connection)?;
        }
        if self.is_behind() {
            self.read_back(connection, flows.saturating_mul(2).max(BACK_ROWS))?;
        }
        Ok(())
    }

    /// Takes a row that is inserted by the same transaction.
    pub(super) fn take(
        &mut self,
        connection: &Connection,
        key: RowKey,
        exporter: i64,
        flow: &FlowRecord,
    ) -> Result<()> {
        let Some(marks) = &mut self.marks else { return Ok(()) };
        let booking = Booking::new(key.received(), flow.first, flow.last);
        if !marks.live || key <= marks.rolled.max(marks.blocked).max(marks.reached) {
            return self.take_late(connection, key, booking, exporter, flow);
        }
        // Nearly always: it stands beyond everything that was there.
        marks.reached = key;
        self.block.add(key, booking, exporter, flow);
        self.close_full(connection)?;
        self.book.stage(booking, exporter, flow);
        if self.book.staged() < TOGETHER { Ok(()) } else { self.settle(connection) }
    }

    /// Takes a row at or below what was there, or one that is read back later.
    fn take_late(
        &mut self,
        connection: &Connection,
        key: RowKey,
        booking: Booking,
        exporter: i64,
        flow: &FlowRecord,
    ) -> Result<()> {
        let Some(marks) = self.marks else { return Ok(()) };
        if key <= marks.rolled.max(marks.blocked) {
            self.note(connection, key)?;
        }
        if key <= marks.rolled.max(marks.reached) {
            self.book.add(booking, exporter, flow);
        }
        if key <= marks.blocked {
            self.late.add(key, booking, exporter, flow);
        } else if key <= marks.reached {
            self.block.add(key, booking, exporter, flow);
        }
        self.make_room(connection)
    }

    /// Ends a flush: writes what is due, or everything at the end of a run.
    pub(super) fn end(&mut self, connection: &Connection, now: Timestamp, ended: bool) -> Result<()> {
        self.settle(connection)?;
        self.note_run(connection)?;
        let age = now.since(self.written);
        // A clock that was set back begins a new interval.
        if ended || age < 0 || self.limits.interval_ms <= age {
            self.written = now;
            self.write(connection)?;
        }
        Ok(())
    }

    /// Reads the marks, and what was noted as late since they were written.
    fn open(&mut self, connection: &Connection) -> Result<()> {
        let (rolled, blocked) = connection.query_row("SELECT rolled, blocked FROM derived", (), |row| {
            Ok((RowKey(row.get(0)?), RowKey(row.get(1)?)))
        })?;
        self.marks = Some(Marks { rolled, blocked, reached: rolled.min(blocked), live: false });
        let exporters: i64 = connection.query_row("SELECT count(*) FROM exporters", (), |row| row.get(0))?;
        if 1 < exporters {
            self.book.expect_several();
        }
        let (book, late) = (&mut self.book, &mut self.late);
        for run in late_runs(connection)? {
            stored(connection, run, usize::MAX, |key, exporter, flow| {
                let booking = Booking::of(flow);
                if key <= rolled {
                    book.add(booking, exporter, flow);
                }
                if key <= blocked {
                    late.add(key, booking, exporter, flow);
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Books at most `rows` stored rows that follow the place it has reached.
    fn read_back(&mut self, connection: &Connection, rows: usize) -> Result<()> {
        let Some(marks) = self.marks else { return Ok(()) };
        let beyond = marks.reached.0.saturating_add(1)..=i64::MAX;
        let read = stored(connection, beyond, rows, |key, exporter, flow| {
            let Some(marks) = &mut self.marks else { return Ok(()) };
            marks.reached = key;
            let marks = *marks;
            let booking = Booking::of(flow);
            if marks.rolled < key {
                self.book.add(booking, exporter, flow);
            }
            if marks.blocked < key {
                self.block.add(key, booking, exporter, flow);
            }
            self.make_room(connection)
        })?;
        if let Some(marks) = &mut self.marks {
            marks.live = read < rows;
        }
        Ok(())
    }

    /// Books what was staged.
    fn settle(&mut self, connection: &Connection) -> Result<()> {
        self.book.settle();
        self.make_room(connection)
    }

    fn make_room(&mut self, connection: &Connection) -> Result<()> {
        self.close_full(connection)?;
        self.book.spare(&self.limits);
        if self.late.is_full() {
            self.late.close(connection, true)?;
        }
        if self.book.is_full(&self.limits) {
            self.write(connection)?;
        }
        Ok(())
    }

    /// Writes the block if it is full, and moves its mark.
    fn close_full(&mut self, connection: &Connection) -> Result<()> {
        if self.block.is_full() {
            self.block.close(connection, false)?;
            if let Some(marks) = &mut self.marks {
                marks.blocked = marks.reached;
                connection.execute("UPDATE derived SET blocked = ?1", [marks.blocked.0])?;
            }
        }
        Ok(())
    }

    /// Writes the roll-ups and what is late, and moves the mark.
    fn write(&mut self, connection: &Connection) -> Result<()> {
        let Some(marks) = &mut self.marks else { return Ok(()) };
        if !self.book.is_empty() {
            self.book.write(connection, &self.limits)?;
        }
        if !self.late.is_empty() {
            self.late.close(connection, true)?;
        }
        marks.rolled = marks.rolled.max(marks.reached);
        connection.execute("UPDATE derived SET rolled = ?1", [marks.rolled.0])?;
        // All of them are in the roll-ups and in a block now.
        connection.execute("DELETE FROM late", ())?;
        self.run = None;
        Ok(())
    }

    /// Notes a late key. A run never covers a row that it does not mean: it goes on only with the next number of its
    /// millisecond, or with the first one of the next.
    fn note(&mut self, connection: &Connection, key: RowKey) -> Result<()> {
        if let Some(run) = &mut self.run {
            let next_millisecond = RowKey::at(RowKey(*run.end()).received().plus(1));
            if key.0 == run.end() + 1 || key == next_millisecond {
                *run = *run.start()..=key.0;
                return Ok(());
            }
        }
        self.note_run(connection)?;
        self.run = Some(key.0..=key.0);
        Ok(())
    }

    fn note_run(&mut self, connection: &Connection) -> Result<()> {
        let Some(run) = self.run.take() else { return Ok(()) };
        let mut insert = connection.prepare_cached("INSERT INTO late (first, last) VALUES (?1, ?2)")?;
        insert.execute([run.start(), run.end()]).map(drop)
    }
}

/// Runs of keys that were given at or below the marks since these were written.
pub(super) fn late_runs(connection: &Connection) -> Result<Vec<RangeInclusive<i64>>> {
    let mut query = connection.prepare_cached("SELECT first, last FROM late ORDER BY first")?;
    let runs = query.query_map((), |row| Ok(row.get(0)?..=row.get(1)?))?;
    runs.collect()
}

/// Hands out at most `limit` rows of a range of keys, without their exporters and rare fields; returns how many.
pub(super) fn stored(
    connection: &Connection,
    keys: RangeInclusive<i64>,
    limit: usize,
    mut take: impl FnMut(RowKey, i64, &FlowRecord) -> Result<()>,
) -> Result<usize> {
    let mut query = connection.prepare_cached(&format!(
        "SELECT {} FROM flows AS f WHERE f.id BETWEEN ?1 AND ?2 ORDER BY f.id LIMIT ?3",
        row::plain_columns()
    ))?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = query.query(params![keys.start(), keys.end(), limit])?;
    let mut count = 0;
    while let Some(found) = rows.next()? {
        take(RowKey(found.get(0)?), row::exporter(found)?, &row::read_plain(found)?)?;
        count += 1;
    }
    Ok(count)
}
