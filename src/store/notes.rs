//! Notes with a time, which people write into the database.
//!
//! A note is written by a second connection while a collector may run: each of the two waits for the other as long as
//! a transaction takes. What a note says is somebody's text, and may hold anything but control characters.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Result, TransactionBehavior, params};

use crate::flow::Timestamp;
use crate::store::{Action, Error, inspect, schema};

/// The table.
pub(super) const TABLE: &str = "
    CREATE TABLE notes (
        id         INTEGER PRIMARY KEY,
        at_ms      INTEGER NOT NULL, -- the moment that it is about
        written_ms INTEGER NOT NULL,
        text       TEXT NOT NULL
    ) STRICT;
    CREATE INDEX notes_at ON notes (at_ms);
";

/// Octets of a note. What is longer is refused.
pub const TEXT: usize = 4096;
/// Notes that are listed at most, the newest of them.
pub const NOTES: usize = 10_000;

/// How long a note waits for the collector's transaction.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    pub at: Timestamp,
    pub written: Timestamp,
    pub text: String,
}

/// Writes a note. The file must be there, and of this program's version; nothing else of it is touched.
///
/// # Errors
/// When the file is missing or of another version, or cannot be written.
pub fn write(path: &Path, note: &Note) -> Result<(), Error> {
    inspect(path)?;
    let failed = |source| Error::Sqlite { action: Action::Write, path: path.to_owned(), source };
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    let found = schema::check(&connection, path)?;
    if found < schema::SUPPORTED {
        return Err(Error::OlderSchema { path: path.to_owned(), found, supported: schema::SUPPORTED });
    }
    insert(&mut connection, note).map_err(failed)
}

fn insert(connection: &mut Connection, note: &Note) -> Result<()> {
    connection.busy_timeout(PATIENCE)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let text: String = note.text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    transaction.execute(
        "INSERT INTO notes (at_ms, written_ms, text) VALUES (?1, ?2, ?3)",
        params![note.at.0, note.written.0, text.trim()],
    )?;
    transaction.commit()
}

/// The notes about a span, in the order of their time.
pub(super) fn read(connection: &Connection, (from, to): (Timestamp, Timestamp)) -> Result<Vec<Note>> {
    let mut query = connection.prepare_cached(
        "SELECT at_ms, written_ms, text FROM notes WHERE ?1 <= at_ms AND at_ms < ?2 ORDER BY at_ms DESC, id DESC LIMIT ?3",
    )?;
    let limit = i64::try_from(NOTES).unwrap_or(i64::MAX);
    let rows = query.query_map(params![from.0, to.0, limit], |row| {
        // Another tool may have written anything.
        let text = row.get::<_, String>(2)?.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        Ok(Note { at: Timestamp(row.get(0)?), written: Timestamp(row.get(1)?), text })
    })?;
    let mut notes = rows.collect::<Result<Vec<_>>>()?;
    notes.reverse();
    Ok(notes)
}

#[cfg(test)]
mod tests;
