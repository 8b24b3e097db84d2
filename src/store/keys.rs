//! Row keys: when a flow was received, and the how-manieth of its millisecond it was.
//!
//! Nothing here knows what stands in a row.

use std::collections::HashMap;

use rusqlite::{Connection, Result, params};

use crate::flow::Timestamp;

/// The primary key of a flow: `received_ms << 20 | n`, where `n` counts the flows of that millisecond.
///
/// Keys order flows by receive time. 43 bits of milliseconds last until the year 2248; receive times beyond what a key
/// can hold are moved to the edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowKey(pub i64);

impl RowKey {
    /// Before all rows.
    pub const START: Self = Self(i64::MIN);

    /// How far the receive time is shifted.
    pub const SHIFT: u32 = 20;

    /// The first key of a millisecond.
    pub const fn at(received: Timestamp) -> Self {
        Self::new(millisecond(received), 0)
    }

    /// The key right before this one: [`History::since`] it begins with this one.
    ///
    /// [`History::since`]: crate::store::history::History::since
    pub const fn before(self) -> Self {
        Self(self.0.saturating_sub(1))
    }

    /// The receive time of the row.
    pub const fn received(self) -> Timestamp {
        Timestamp(self.0 >> Self::SHIFT)
    }

    const fn new(millisecond: i64, n: i64) -> Self {
        Self(millisecond << Self::SHIFT | n)
    }

    const fn n(self) -> i64 {
        self.0 & LAST
    }
}

/// The highest `n`. When a millisecond holds more flows, the rest of them move to the next one that has room.
const LAST: i64 = (1 << RowKey::SHIFT) - 1;

/// The latest millisecond of a key that is not a moved one; the room behind it is for those that are.
const LATEST: i64 = (1 << (63 - RowKey::SHIFT)) - (1 << 20);

const fn millisecond(received: Timestamp) -> i64 {
    if received.0 < -LATEST {
        -LATEST
    } else if LATEST < received.0 {
        LATEST
    } else {
        received.0
    }
}

/// Hands out the keys of one transaction: unique and, per millisecond, in order, whatever the clock does.
///
/// A millisecond that is newer than the newest row needs no look into the table. One that is not, since the clock was
/// set back or the flow's set had waited for its template, costs one key-range query per transaction.
#[derive(Debug)]
pub(super) struct Keys {
    newest: i64,
    /// The highest key of the table when the transaction began.
    highest: RowKey,
    /// The millisecond of the last key handed out, and its next `n`.
    current: (i64, i64),
    /// The next `n` of the milliseconds met so far.
    next: HashMap<i64, i64>,
}

impl Keys {
    pub(super) fn new(connection: &Connection) -> Result<Self> {
        let newest: Option<i64> = connection.query_row("SELECT max(id) FROM flows", (), |row| row.get(0))?;
        let newest = newest.map_or(RowKey::START, RowKey);
        let millisecond = newest.received().0;
        Ok(Self { newest: millisecond, highest: newest, current: (millisecond, newest.n() + 1), next: HashMap::new() })
    }

    pub(super) const fn highest(&self) -> RowKey {
        self.highest
    }

    pub(super) fn take(&mut self, connection: &Connection, received: Timestamp) -> Result<RowKey> {
        let mut millisecond = millisecond(received);
        loop {
            let n = self.count(connection, millisecond)?;
            if n <= LAST {
                return Ok(RowKey::new(millisecond, n));
            }
            millisecond += 1;
        }
    }

    fn count(&mut self, connection: &Connection, millisecond: i64) -> Result<i64> {
        if millisecond != self.current.0 {
            let n = if self.newest < millisecond {
                self.newest = millisecond;
                0
            } else if let Some(n) = self.next.get(&millisecond) {
                *n
            } else {
                first_free(connection, millisecond)?
            };
            self.next.insert(self.current.0, self.current.1);
            self.current = (millisecond, n);
        }
        let n = self.current.1;
        self.current.1 += 1;
        Ok(n)
    }
}

fn first_free(connection: &Connection, millisecond: i64) -> Result<i64> {
    let mut query = connection.prepare_cached("SELECT max(id) FROM flows WHERE id BETWEEN ?1 AND ?2")?;
    let range = params![RowKey::new(millisecond, 0).0, RowKey::new(millisecond, LAST).0];
    let newest: Option<i64> = query.query_row(range, |row| row.get(0))?;
    Ok(newest.map_or(0, |key| RowKey(key).n() + 1))
}
