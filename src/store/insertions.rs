//! Rows that were stored before rows which were there already: which ones they are, for whoever reads on from the newest.
//!
//! A flow stands at its receive time. One whose set had waited for a template, or that came after the clock was set back,
//! gets a key below the newest one, where a reader has been before. Each transaction notes the keys that it gave there,
//! in runs that hold nothing else, so that a reader finds them by a number that only grows ([`tail`]).
//!
//! It writes no flow and begins no transaction. Runs are bounded in number: a reader who has missed some sees that by
//! their numbers, and begins anew.
//!
//! [`tail`]: crate::store::tail

use rusqlite::{Connection, Result};

use crate::store::keys::RowKey;

/// The table. The newest run always stays, so that no number is given twice.
pub(super) const TABLE: &str = "
    -- Runs of rows that were given keys below the newest one that was there; the newest runs, whatever their age.
    CREATE TABLE insertions (
        n     INTEGER PRIMARY KEY, -- grows by one with each run
        first INTEGER NOT NULL,    -- flows.id, both ends included; every row between them belongs to the run
        last  INTEGER NOT NULL
    ) STRICT;
";

/// Runs that are kept. A clock that was set back makes one for each datagram: these are those of a minute under heavy
/// load, and readers come every half second.
const RUNS: i64 = 65_536;
/// Keys of one run at most, so that who reads it reads a bounded number of rows.
const KEYS: i64 = 4096;

/// What one transaction inserts.
#[derive(Debug)]
pub(super) struct Insertions {
    /// The highest key when the transaction began.
    newest: RowKey,
    /// Keys that follow each other, not noted yet.
    run: Option<(RowKey, RowKey)>,
}

impl Insertions {
    pub(super) const fn new(newest: RowKey) -> Self {
        Self { newest, run: None }
    }

    /// Takes a key that was given.
    pub(super) fn take(&mut self, connection: &Connection, key: RowKey) -> Result<()> {
        // Nearly always.
        if self.newest < key {
            return Ok(());
        }
        match &mut self.run {
            Some((begin, end)) if end.0 + 1 == key.0 && key.0 - begin.0 < KEYS => *end = key,
            run => {
                let before = run.replace((key, key));
                before.map_or(Ok(()), |run| note(connection, run))?;
            }
        }
        Ok(())
    }

    /// Notes what is left, and lets the oldest runs go.
    pub(super) fn finish(self, connection: &Connection) -> Result<()> {
        let Some(run) = self.run else { return Ok(()) };
        note(connection, run)?;
        let mut bound =
            connection.prepare_cached("DELETE FROM insertions WHERE n <= (SELECT max(n) FROM insertions) - ?1")?;
        bound.execute([RUNS]).map(drop)
    }
}

fn note(connection: &Connection, (first, last): (RowKey, RowKey)) -> Result<()> {
    let mut insert = connection.prepare_cached("INSERT INTO insertions (first, last) VALUES (?1, ?2)")?;
    insert.execute([first.0, last.0]).map(drop)
}

/// The numbers of the oldest and the newest run; 1 and 0 where there is none.
pub(super) fn numbers(connection: &Connection) -> Result<(i64, i64)> {
    // Two questions: of one with both, SQLite reads the whole table.
    let mut query = connection.prepare_cached(
        "SELECT ifnull((SELECT min(n) FROM insertions), 1), ifnull((SELECT max(n) FROM insertions), 0)",
    )?;
    query.query_row((), |row| Ok((row.get(0)?, row.get(1)?)))
}

/// The runs behind one, by their number.
pub(super) fn behind(connection: &Connection, number: i64) -> Result<Vec<(i64, RowKey, RowKey)>> {
    let mut query = connection.prepare_cached("SELECT n, first, last FROM insertions WHERE ?1 < n ORDER BY n")?;
    let runs = query.query_map([number], |row| Ok((row.get(0)?, RowKey(row.get(1)?), RowKey(row.get(2)?))))?;
    runs.collect()
}
