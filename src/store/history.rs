//! The read side: flows in the order of their keys, and the accounts beside them.
//!
//! It never writes, migrates or waits for the writer, and it does not choose or sum up flows. Its input is a file that
//! a collector may be writing at the same time; each call sees the batches that were committed when it began.

use std::collections::HashMap;
use std::fs;
use std::net::IpAddr;
use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::{Connection, OpenFlags, params};

use crate::collector::stats::{ExporterNames, MissingTemplate, SocketStats};
use crate::collector::templates::KnownTemplate;
use crate::filter::Filter;
use crate::flow::{FlowRecord, Timestamp};
use crate::store::accounts::{self, Identity};
pub use crate::store::accounts::{Account, Run, RunId};
use crate::store::acquaintance::{self, Acquaintance};
use crate::store::ask::changes::{self, Changes};
use crate::store::ask::rates::{self, Rates};
use crate::store::ask::{self, FanOut, Question, Ranking};
use crate::store::blocks::{self, Needs};
use crate::store::check::{self, Checked};
use crate::store::notes::{self, Note};
use crate::store::scan::Watch;
use crate::store::top::{self, Dimension, Order, Top};
use crate::store::troubles::{self, Trouble};
use crate::store::{Action, BUSY_TIMEOUT, Error, RowKey, exporter_names, inspect, row, schema, templates};

/// A database, opened to be read.
#[derive(Debug)]
pub struct History {
    path: PathBuf,
    connection: Connection,
}

impl History {
    /// # Errors
    /// When the file is missing, is not one of this program, or is of another schema version.
    pub fn open(path: &Path) -> Result<Self, Error> {
        inspect(path)?;
        let file = fs::canonicalize(path).map_err(|source| Error::Io {
            action: Action::Open,
            path: path.to_owned(),
            source,
        })?;
        let connection = Self::connect(&file).map_err(|source| Error::Sqlite {
            action: Action::Open,
            path: path.to_owned(),
            source,
        })?;
        let found = schema::check(&connection, path)?;
        if found < schema::SUPPORTED {
            return Err(Error::OlderSchema { path: path.to_owned(), found, supported: schema::SUPPORTED });
        }
        Ok(Self { path: path.to_owned(), connection })
    }

    /// The key of the newest flow, `None` when there is none.
    ///
    /// # Errors
    /// When SQLite cannot read.
    pub fn newest(&self) -> Result<Option<RowKey>, Error> {
        let newest = self.connection.query_row("SELECT max(id) FROM flows", (), |row| row.get::<_, Option<i64>>(0));
        newest.map(|key| key.map(RowKey)).map_err(|source| self.failed(source))
    }

    /// The key of the oldest flow, `None` when there is none.
    ///
    /// # Errors
    /// When SQLite cannot read.
    pub fn oldest(&self) -> Result<Option<RowKey>, Error> {
        let oldest = self.connection.query_row("SELECT min(id) FROM flows", (), |row| row.get::<_, Option<i64>>(0));
        oldest.map(|key| key.map(RowKey)).map_err(|source| self.failed(source))
    }

    /// Appends at most `limit` flows that follow `after`, in the order of their keys, and returns the last one's key:
    /// the `after` of the next call. `None` when nothing followed.
    ///
    /// A flow stands at its receive time, not at the time it was written. One whose set had waited for a template, or
    /// that came after the clock was set back, can appear before a key that was already read.
    ///
    /// # Errors
    /// When SQLite cannot read. Some flows may have been appended by then.
    pub fn since(&self, after: RowKey, limit: usize, flows: &mut Vec<FlowRecord>) -> Result<Option<RowKey>, Error> {
        self.read(after, limit, flows).map_err(|source| self.failed(source))
    }

    /// The newest accounts of all exporters, by address, domain and version.
    ///
    /// # Errors
    /// When SQLite cannot read.
    pub fn exporters(&self) -> Result<Vec<Account>, Error> {
        accounts::exporters(&self.connection).map_err(|source| self.failed(source))
    }

    /// What exporters call things, by address, domain and version; of those that name anything.
    ///
    /// # Errors
    /// When SQLite cannot read.
    pub fn names(&self) -> Result<Vec<ExporterNames>, Error> {
        exporter_names::read(&self.connection).map_err(|source| self.failed(source))
    }

    /// The newest `limit` runs of collectors, newest first. Between one's `last_alive` and the next one's `started`
    /// nobody listened.
    ///
    /// # Errors
    /// When SQLite cannot read.
    pub fn runs(&self, limit: usize) -> Result<Vec<Run>, Error> {
        accounts::runs(&self.connection, limit).map_err(|source| self.failed(source))
    }

    /// Whether the file is whole. It reads all of it.
    ///
    /// # Errors
    /// When SQLite cannot read.
    pub fn check(&self) -> Result<Checked, Error> {
        self.at_once(check::check)
    }

    /// What went wrong, by its kind.
    ///
    /// # Errors
    /// When SQLite cannot read.
    pub fn troubles(&self) -> Result<Vec<Trouble>, Error> {
        troubles::troubles(&self.connection).map_err(|source| self.failed(source))
    }

    /// The sockets of the run that wrote last, and which run that is.
    ///
    /// # Errors
    /// When SQLite cannot read.
    pub fn sockets(&self) -> Result<Vec<(RunId, SocketStats)>, Error> {
        troubles::sockets(&self.connection).map_err(|source| self.failed(source))
    }

    /// Templates that sets need, and that did not come.
    ///
    /// # Errors
    /// When SQLite cannot read.
    pub fn missing_templates(&self) -> Result<Vec<MissingTemplate>, Error> {
        troubles::missing(&self.connection).map_err(|source| self.failed(source))
    }

    /// The templates that are stored for the next run.
    ///
    /// # Errors
    /// When SQLite cannot read.
    pub fn templates(&self) -> Result<Vec<KnownTemplate>, Error> {
        let stored = templates::load(&self.connection).map_err(|source| self.failed(source))?;
        Ok(stored.templates)
    }

    /// The notes about a span, in the order of their time.
    ///
    /// # Errors
    /// When SQLite cannot read.
    pub fn notes(&self, span: (Timestamp, Timestamp)) -> Result<Vec<Note>, Error> {
        notes::read(&self.connection, span).map_err(|source| self.failed(source))
    }

    /// Ranks one dimension over the minutes that begin in `from..to`, by the time of the flows; at most `rows` rows.
    ///
    /// # Errors
    /// When SQLite cannot read.
    pub fn top(
        &self,
        dimension: Dimension,
        order: Order,
        (from, to): (Timestamp, Timestamp),
        rows: usize,
    ) -> Result<Top, Error> {
        self.at_once(|connection| top::top(connection, dimension, order, (from, to), rows))
    }

    /// Answers a question with at most `rows` rows.
    ///
    /// # Errors
    /// When SQLite cannot read, or was stopped.
    pub fn ranking(&self, question: &Question<'_>, rows: usize, watch: &Watch<'_>) -> Result<Ranking, Error> {
        self.at_once(|connection| ask::ranking(connection, question, rows, watch))
    }

    /// Ranks the sources of a filter by how many targets they have, and gives the account of the answer.
    ///
    /// # Errors
    /// When SQLite cannot read, or was stopped.
    pub fn fan_out(
        &self,
        question: &Question<'_>,
        rows: usize,
        watch: &Watch<'_>,
    ) -> Result<(Vec<FanOut>, Ranking), Error> {
        self.at_once(|connection| ask::fan_out(connection, question, rows, watch))
    }

    /// What of a filter passed in each step of a span; `by` and the measure of the question do not matter.
    ///
    /// # Errors
    /// When SQLite cannot read, or was stopped.
    pub fn rates(&self, question: &Question<'_>, step_ms: i64, watch: &Watch<'_>) -> Result<Rates, Error> {
        self.at_once(|connection| rates::rates(connection, question, step_ms, watch))
    }

    /// Compares the span of a question with others of its length; with several, with their median.
    ///
    /// # Errors
    /// When SQLite cannot read, or was stopped.
    pub fn changes(
        &self,
        question: &Question<'_>,
        before: &[(Timestamp, Timestamp)],
        rows: usize,
        watch: &Watch<'_>,
    ) -> Result<Changes, Error> {
        self.at_once(|connection| changes::changes(connection, question, before, rows, watch))
    }

    /// What the roll-ups know of a host, and what it had in the hour before `now` on the days before.
    ///
    /// # Errors
    /// When SQLite cannot read, or was stopped.
    pub fn acquaintance(&self, host: IpAddr, now: Timestamp) -> Result<Acquaintance, Error> {
        self.at_once(|connection| acquaintance::acquaintance(connection, host, now))
    }

    /// Hands out the flows that a filter chooses and that have a part in a span, in the order of their receive time,
    /// until `take` has enough; returns how many these were.
    ///
    /// # Errors
    /// When SQLite cannot read, or was stopped. Some flows may have been handed out by then.
    pub fn flows(
        &self,
        filter: &Filter,
        span: (Timestamp, Timestamp),
        watch: &Watch<'_>,
        take: impl FnMut(&FlowRecord) -> ControlFlow<()>,
    ) -> Result<u64, Error> {
        self.at_once(|connection| ask::flows(connection, (filter, span), watch, take))
    }

    /// From now on a read that is under way ends with an error when `stop` says so.
    ///
    /// # Errors
    /// When SQLite cannot be told.
    pub fn stop_on(&mut self, stop: Arc<AtomicBool>) -> Result<(), Error> {
        let stopped = move || stop.load(Ordering::Relaxed);
        self.connection.progress_handler(10_000, Some(stopped)).map_err(|source| self.failed(source))
    }

    /// The ranges of keys in which flows may stand that meet `needs` and passed at some time in `from..to`; in order,
    /// without overlap. Flows that are in no block yet are always among them.
    ///
    /// # Errors
    /// When SQLite cannot read.
    pub fn ranges(&self, needs: &Needs, (from, to): (Timestamp, Timestamp)) -> Result<Vec<Range<RowKey>>, Error> {
        self.at_once(|connection| blocks::ranges(connection, needs, from, to))
    }

    /// Several queries that see one state of the file.
    fn at_once<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, Error> {
        let transaction = self.connection.unchecked_transaction();
        transaction.and_then(|transaction| read(&transaction)).map_err(|source| self.failed(source))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    fn connect(file: &Path) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(file, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.pragma_update(None, "query_only", true)?;
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        Ok(connection)
    }

    fn read(&self, after: RowKey, limit: usize, flows: &mut Vec<FlowRecord>) -> rusqlite::Result<Option<RowKey>> {
        let mut query = self.connection.prepare_cached(&format!(
            "SELECT {} FROM flows AS f LEFT JOIN details AS d USING (id) WHERE ?1 < f.id ORDER BY f.id LIMIT ?2",
            row::COLUMNS
        ))?;
        let mut rows = query.query(params![after.0, i64::try_from(limit).unwrap_or(i64::MAX)])?;
        let mut exporters = HashMap::new();
        let mut last = None;
        while let Some(found) = rows.next()? {
            let exporter = found.get(1)?;
            let identity = match exporters.get(&exporter) {
                Some(identity) => *identity,
                None => *exporters.entry(exporter).or_insert(self.exporter(exporter)?),
            };
            flows.push(row::read(found, identity)?);
            last = Some(RowKey(found.get(0)?));
        }
        Ok(last)
    }

    fn exporter(&self, id: i64) -> rusqlite::Result<Identity> {
        let mut query =
            self.connection.prepare_cached("SELECT address, domain, version FROM exporters WHERE id = ?1")?;
        query.query_row([id], accounts::identity)
    }

    fn failed(&self, source: rusqlite::Error) -> Error {
        Error::Sqlite { action: Action::Read, path: self.path.clone(), source }
    }
}
