//! The read side: flows in the order of their keys, and the accounts beside them.
//!
//! It never writes, migrates or waits for the writer, and it does not choose or sum up flows. Its input is a file that
//! a collector may be writing at the same time; each call sees the batches that were committed when it began.

use std::ffi::OsString;
use std::fs;
use std::net::IpAddr;
use std::ops::{ControlFlow, Range};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::collector::stats::{ExporterNames, Health, MissingTemplate, SocketStats};
use crate::collector::templates::KnownTemplate;
use crate::filter::Filter;
use crate::flow::{FlowRecord, Timestamp};
use crate::store::accounts;
pub use crate::store::accounts::{Account, Run, RunId};
use crate::store::acquaintance::{self, Acquaintance};
use crate::store::ask::changes::{self, Changes};
use crate::store::ask::rates::{self, Rates};
use crate::store::ask::{self, FanOut, Question, Ranking};
use crate::store::blocks::{self, Needs};
use crate::store::check::{self, Checked};
use crate::store::files::Identity;
use crate::store::notes::{self, Note};
use crate::store::scan::Watch;
use crate::store::tail::{self, Followed, Tail, Wanted};
use crate::store::top::{self, Dimension, Order, Top};
use crate::store::troubles::{self, Trouble};
use crate::store::{
    Action, BUSY_TIMEOUT, Error, RowKey, exporter_names, files, health, inspect, owner, schema, templates,
};

/// A database, opened to be read.
#[derive(Debug)]
pub struct History {
    path: PathBuf,
    connection: Connection,
    /// Of the file that is open.
    identity: Option<Identity>,
    is_immutable: bool,
}

impl History {
    /// Who may read the file but not write into its folder can read it all the same: beside a collector, or a
    /// write-ahead log with its index, as any other; where there is neither, as a file that nobody changes.
    ///
    /// # Errors
    /// When the file is missing, is not one of this program, or is of another schema version.
    pub fn open(path: &Path) -> Result<Self, Error> {
        inspect(path)?;
        let file = fs::canonicalize(path).map_err(|source| Error::Io {
            action: Action::Read,
            path: path.to_owned(),
            source,
        })?;
        // Before it is opened: should it be replaced in between, that is noticed later.
        let identity = Identity::of(&file);
        let (connection, found, is_immutable) = match Self::checked(path, &file, false) {
            Err(error) if cannot_share(&error) => {
                if !matches!(owner(&file), Ok(None)) || 0 < files::length(&files::log(&file)) {
                    return Err(Error::LogUnreadable { path: path.to_owned() });
                }
                let (connection, found) = Self::checked(path, &file, true)?;
                (connection, found, true)
            }
            checked => checked.map(|(connection, found)| (connection, found, false))?,
        };
        if found < schema::SUPPORTED {
            return Err(Error::OlderSchema { path: path.to_owned(), found, supported: schema::SUPPORTED });
        }
        Ok(Self { path: path.to_owned(), connection, identity, is_immutable })
    }

    /// A connection, and the version of the schema.
    fn checked(path: &Path, file: &Path, is_immutable: bool) -> Result<(Connection, u32), Error> {
        let failed = |source| Error::Sqlite { action: Action::Open, path: path.to_owned(), source };
        let connection = Self::connect(file, is_immutable).map_err(failed)?;
        let found = schema::check(&connection, path)?;
        let half_way = schema::older::is_half_way(&connection).map_err(failed)?;
        // What is missing is still in the table of the version before.
        let found = found - u32::from(half_way);
        Ok((connection, found))
    }

    /// Which file is open, whatever its name.
    pub const fn identity(&self) -> Option<Identity> {
        self.identity
    }

    /// Whether what is open is still what its path names.
    pub fn is_current(&self) -> bool {
        self.identity.is_some() && self.identity == Identity::of(&self.path)
    }

    /// Whether the file was opened as one that nobody changes: what a collector writes from now on is not seen, and may
    /// not even be read rightly.
    pub const fn is_immutable(&self) -> bool {
        self.is_immutable
    }

    /// A number that changes whenever somebody has written.
    ///
    /// # Errors
    /// When SQLite cannot read.
    pub fn version(&self) -> Result<i64, Error> {
        let version = self.connection.query_row("PRAGMA data_version", (), |row| row.get(0));
        version.map_err(|source| self.failed(source))
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
        let read = tail::since(&self.connection, after, limit, flows);
        read.map(|read| read.last).map_err(|source| self.failed(source))
    }

    /// Begins to read on from the newest flows; nothing is read yet.
    ///
    /// # Errors
    /// When SQLite cannot read.
    pub fn tail(&self, wanted: Wanted) -> Result<Tail, Error> {
        self.at_once(|connection| Tail::new(connection, wanted))
    }

    /// Appends about `limit` flows that were written since the call before, each of them once, wherever they stand: first
    /// those that were put between others, then those that follow, in the order of their keys.
    ///
    /// # Errors
    /// When SQLite cannot read. Then nothing was read: what was appended must be thrown away.
    pub fn follow(&self, tail: &mut Tail, limit: usize, flows: &mut Vec<FlowRecord>) -> Result<Followed, Error> {
        let mut next = *tail;
        let followed = self.at_once(|connection| next.follow(connection, limit, flows))?;
        *tail = next;
        Ok(followed)
    }

    /// Appends at most `limit` flows of the past that was not read yet, the newest part of it; none as long as there is
    /// something to follow.
    ///
    /// # Errors
    /// When SQLite cannot read. Then nothing was read: what was appended must be thrown away.
    pub fn fill(&self, tail: &mut Tail, limit: usize, flows: &mut Vec<FlowRecord>) -> Result<(), Error> {
        let mut next = *tail;
        self.at_once(|connection| next.fill(connection, limit, flows))?;
        *tail = next;
        Ok(())
    }

    /// The newest run and its accounts, as its collector had them when it wrote last.
    ///
    /// # Errors
    /// When SQLite cannot read.
    pub fn health(&self) -> Result<Option<(Run, Health)>, Error> {
        self.at_once(health::read)
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

    fn connect(file: &Path, is_immutable: bool) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = match is_immutable {
            true => Connection::open_with_flags(immutable(file), flags | OpenFlags::SQLITE_OPEN_URI)?,
            false => Connection::open_with_flags(file, flags)?,
        };
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.pragma_update(None, "query_only", true)?;
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        Ok(connection)
    }

    fn failed(&self, source: rusqlite::Error) -> Error {
        Error::Sqlite { action: Action::Read, path: self.path.clone(), source }
    }
}

/// Whether SQLite lacks the write-ahead log or its index, and may not make them.
fn cannot_share(error: &Error) -> bool {
    let Error::Sqlite { source, .. } = error else { return false };
    matches!(source.sqlite_error_code(), Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly))
}

/// The name under which SQLite takes no lock and asks for no log (sqlite.org/uri.html).
fn immutable(file: &Path) -> PathBuf {
    let plain = |octet: u8| octet.is_ascii_alphanumeric() || b"/._-~".contains(&octet);
    let mut uri = b"file://".to_vec();
    for &octet in file.as_os_str().as_bytes() {
        match plain(octet) {
            true => uri.push(octet),
            false => uri.extend(format!("%{octet:02X}").into_bytes()),
        }
    }
    uri.extend(b"?immutable=1");
    OsString::from_vec(uri).into()
}
