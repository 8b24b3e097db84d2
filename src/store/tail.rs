//! Reads on where it stopped: every row of a file that somebody writes, exactly once.
//!
//! Rows are read forwards from a moment near the newest one, and, where more of the past is wanted, backwards from there,
//! so that what is new never waits for what is old. What the writer puts between rows that were read already is found by
//! its own notes (`insertions`). Each call sees one state of the file, in which all rows of the part that was read, and
//! no others, have been handed out.
//!
//! It waits for nothing and keeps no row. A part that the writer has deleted, or notes that are gone, are told as
//! [`Followed::Lost`]: then nothing that was handed out before counts any more.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, Params, Result, params};

use crate::flow::{FlowRecord, Timestamp};
use crate::store::accounts::{self, Identity};
use crate::store::keys::RowKey;
use crate::store::prune::edge;
use crate::store::{insertions, row};

/// Where a reader stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tail {
    /// Rows up to this one were read, down to `begin`.
    after: RowKey,
    /// Rows up to this one were not, and of these none up to `floor` is wanted.
    begin: RowKey,
    floor: RowKey,
    /// The newest row that was read, if any was.
    last: Option<RowKey>,
    /// The number of the last run of inserted rows that was read.
    insertion: i64,
}

/// What a call found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Followed {
    /// There may be more right now.
    More,
    /// That is all so far.
    All,
    /// It is not known what was missed: begin anew.
    Lost,
}

/// How much of what is stored is wanted, in milliseconds before the newest row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Read first.
    pub first: i64,
    /// Read at all.
    pub all: i64,
}

impl Tail {
    pub(super) fn new(connection: &Connection, wanted: Wanted) -> Result<Self> {
        let newest = edge(connection, "max")?.map(RowKey::received);
        let back = |ms: i64| newest.map_or(RowKey::START, |newest| RowKey::at(newest.plus(-ms)).before());
        let begin = back(wanted.first);
        let (_, insertion) = insertions::numbers(connection)?;
        Ok(Self { after: begin, begin, floor: back(wanted.all), last: None, insertion })
    }

    /// Whether all of the past that is wanted was read.
    pub fn is_whole(&self) -> bool {
        self.begin <= self.floor
    }

    /// From when on everything was read, as long as that is not all.
    pub fn complete_from(&self) -> Option<Timestamp> {
        (!self.is_whole()).then(|| self.begin.received())
    }

    /// Appends about `limit` rows that are new since the call before.
    pub(super) fn follow(
        &mut self,
        connection: &Connection,
        limit: usize,
        flows: &mut Vec<FlowRecord>,
    ) -> Result<Followed> {
        if self.has_lost(connection)? {
            return Ok(Followed::Lost);
        }
        let until = flows.len().saturating_add(limit);
        // Those first: as long as one is left, nothing else may be read, or the one would be read twice.
        for (number, first, last) in insertions::behind(connection, self.insertion)? {
            if until <= flows.len() {
                return Ok(Followed::More);
            }
            let (first, last) = (first.max(RowKey(self.begin.0.saturating_add(1))), last.min(self.after));
            if first <= last {
                read(connection, "?1 <= f.id AND f.id <= ?2 ORDER BY f.id", params![first.0, last.0], flows)?;
            }
            self.insertion = number;
        }
        let room = until.saturating_sub(flows.len());
        let read = since(connection, self.after, room, flows)?;
        if let Some(last) = read.last {
            (self.after, self.last) = (last, Some(last));
        }
        Ok(if read.rows < room { Followed::All } else { Followed::More })
    }

    /// Appends at most `limit` rows of the past, in the order of their keys, each call older ones.
    pub(super) fn fill(&mut self, connection: &Connection, limit: usize, flows: &mut Vec<FlowRecord>) -> Result<()> {
        // What was inserted since is read by `follow`, up to where it has come.
        let (_, newest) = insertions::numbers(connection)?;
        if self.is_whole() || self.insertion < newest {
            return Ok(());
        }
        let from = flows.len();
        let sql = "?1 < f.id AND f.id <= ?2 ORDER BY f.id DESC LIMIT ?3";
        let read = read(connection, sql, params![self.floor.0, self.begin.0, bound(limit)], flows)?;
        flows.get_mut(from..).unwrap_or_default().reverse();
        self.begin = match read.last {
            Some(oldest) if limit <= read.rows => oldest.before(),
            _ => self.floor,
        };
        Ok(())
    }

    /// Whether the newest row that was read is gone, and with it whatever stood before, or notes of inserted rows.
    fn has_lost(&self, connection: &Connection) -> Result<bool> {
        let (oldest, newest) = insertions::numbers(connection)?;
        if self.insertion.saturating_add(1) < oldest || newest < self.insertion {
            return Ok(true);
        }
        let Some(last) = self.last else { return Ok(false) };
        let mut query = connection.prepare_cached("SELECT 1 FROM flows WHERE id = ?1")?;
        query.query_row([last.0], |_| Ok(())).optional().map(|found| found.is_none())
    }
}

/// What was read.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Taken {
    pub(super) rows: usize,
    /// The key of the last one.
    pub(super) last: Option<RowKey>,
}

/// Appends at most `limit` flows that follow `after`.
pub(super) fn since(
    connection: &Connection,
    after: RowKey,
    limit: usize,
    flows: &mut Vec<FlowRecord>,
) -> Result<Taken> {
    read(connection, "?1 < f.id ORDER BY f.id LIMIT ?2", params![after.0, bound(limit)], flows)
}

/// Appends the flows that some SQL chooses, in its order.
fn read(connection: &Connection, which: &str, params: impl Params, flows: &mut Vec<FlowRecord>) -> Result<Taken> {
    let mut query = connection.prepare_cached(&format!(
        "SELECT {} FROM flows AS f LEFT JOIN details AS d USING (id) WHERE {which}",
        row::columns()
    ))?;
    let mut rows = query.query(params)?;
    let mut exporters = HashMap::new();
    let mut taken = Taken::default();
    while let Some(found) = rows.next()? {
        let id = row::exporter(found)?;
        let identity = match exporters.get(&id) {
            Some(identity) => *identity,
            None => *exporters.entry(id).or_insert(exporter(connection, id)?),
        };
        flows.push(row::read(found, identity)?);
        taken = Taken { rows: taken.rows + 1, last: Some(RowKey(found.get(0)?)) };
    }
    Ok(taken)
}

fn exporter(connection: &Connection, id: i64) -> Result<Identity> {
    let mut query = connection.prepare_cached("SELECT address, domain, version FROM exporters WHERE id = ?1")?;
    query.query_row([id], accounts::identity)
}

fn bound(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
