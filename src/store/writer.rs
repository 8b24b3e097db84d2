//! The write side: a bounded buffer, and a flush that stores all of it or nothing.
//!
//! It starts no thread and reads no clock but to time its own work; the caller decides when to flush. Its input is
//! batches of flows from the collector and the collector's accounts.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::{Connection, FileControl, OpenFlags, TransactionBehavior};

use crate::collector::stats::Health;
use crate::flow::{FlowRecord, Timestamp};
use crate::store::accounts::{self, Exporters, RunId};
use crate::store::index::Index;
use crate::store::keys::Keys;
pub use crate::store::rollup::Limits;
use crate::store::rollup::prune;
pub use crate::store::rollup::prune::Before;
use crate::store::row::Insert;
use crate::store::{Action, BUSY_TIMEOUT, Error, blocks, inspect, schema};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Flows that may wait to be written. When a batch would exceed it, the oldest batches are dropped, each as a
    /// whole, and counted.
    pub buffer_flows: usize,
    pub rollups: Limits,
}

impl Default for Options {
    fn default() -> Self {
        Self { buffer_flows: 2_000_000, rollups: Limits::default() }
    }
}

/// The one writer of a database.
///
/// Dropping it loses what is buffered; [`Writer::close`] does not.
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    connection: Connection,
    options: Options,
    batches: VecDeque<Arc<[FlowRecord]>>,
    exporters: Exporters,
    index: Index,
    run: Option<RunId>,
    stats: WriterStats,
    /// Locked until it is closed.
    _lock: File,
}

/// What the writer did, and what stands in its way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WriterStats {
    pub path: PathBuf,
    /// Flows written.
    pub rows: u64,
    pub flushes: u64,
    /// Flows in the buffer now.
    pub buffered: usize,
    /// Flows dropped since the buffer was full.
    pub dropped_flows: u64,
    pub dropped_batches: u64,
    /// Flushes that failed since the last one that did not.
    pub failures: u64,
    /// Why the last flush failed; `None` once one succeeds.
    pub last_error: Option<String>,
    pub last_flush: Option<Timestamp>,
    /// How long the last flush took, in milliseconds.
    pub took_ms: u64,
    /// Whether raw rows of former runs are still read back for the roll-ups, which end in the past until then.
    pub rollups_behind: bool,
    /// Octets of the database on disk after the last flush, its write-ahead log included.
    pub size: u64,
}

/// What one flush did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flush {
    pub rows: u64,
    pub took: Duration,
}

impl Writer {
    /// Opens or makes the database, with its folders, and takes the lock. Files are made with mode 0640, less what the
    /// umask takes away.
    ///
    /// # Errors
    /// When the file is no database or another program's, of a newer schema, in use by another collector, or when it
    /// cannot be made or written.
    pub fn open(path: &Path, options: Options) -> Result<Self, Error> {
        let failed = |source| Error::Io { action: Action::Open, path: path.to_owned(), source };
        match inspect(path) {
            Ok(()) | Err(Error::Missing { .. }) => (),
            Err(error) => return Err(error),
        }
        let file = resolve(path).map_err(failed)?;
        let lock = lock(&file, path)?;
        create(&file).map_err(failed)?;
        let mut connection =
            connect(&file).map_err(|source| Error::Sqlite { action: Action::Open, path: path.to_owned(), source })?;
        schema::migrate(&mut connection, path)?;
        let stats = WriterStats { path: path.to_owned(), size: size(&file), ..WriterStats::default() };
        Ok(Self {
            path: file,
            connection,
            options,
            batches: VecDeque::new(),
            exporters: Exporters::default(),
            index: Index::new(options.rollups),
            run: None,
            stats,
            _lock: lock,
        })
    }

    /// Takes a batch, to be written by the next flush.
    pub fn push(&mut self, batch: Arc<[FlowRecord]>) {
        if batch.is_empty() {
            return;
        }
        self.stats.buffered += batch.len();
        self.batches.push_back(batch);
        while self.options.buffer_flows < self.stats.buffered {
            let Some(oldest) = self.batches.pop_front() else { break };
            self.stats.buffered -= oldest.len();
            self.stats.dropped_flows += oldest.len() as u64;
            self.stats.dropped_batches += 1;
        }
    }

    /// Whether the buffer is above a quarter of its bound, and a flush should not wait for its time.
    pub const fn is_full_enough(&self) -> bool {
        self.options.buffer_flows / 4 < self.stats.buffered
    }

    /// Writes everything buffered and the accounts in one transaction. The first flush begins the run in
    /// `collector_runs`: a caller that wants its start to be exact flushes once when it starts.
    ///
    /// # Errors
    /// When SQLite cannot write. Then nothing of it is stored, and the batches stay in the buffer.
    pub fn flush(&mut self, now: Timestamp, health: &Health) -> Result<Flush, Error> {
        self.timed(now, health, false)
    }

    /// Flushes, marks the run as ended, and moves the write-ahead log into the database.
    ///
    /// # Errors
    /// When SQLite cannot write. Then what was buffered is lost; a caller who can wait flushes before.
    pub fn close(mut self, now: Timestamp, health: &Health) -> Result<WriterStats, Error> {
        self.timed(now, health, true)?;
        // A reader may be in the way of the checkpoint; the next collector does it then. No flow depends on it.
        let checkpoint = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(()));
        self.stats.last_error = checkpoint.err().map(|error| error.to_string());
        self.stats.size = size(&self.path);
        Ok(self.stats)
    }

    /// Forgets minutes and hours of the roll-ups before a time, and blocks of the skip index before a key, at most
    /// about `budget` rows; returns how many. Less than `budget` says that nothing older is left.
    ///
    /// # Errors
    /// When SQLite cannot write. Then nothing is forgotten.
    pub fn prune(&mut self, before: Before, budget: usize) -> Result<usize, Error> {
        let pruned =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate).and_then(|transaction| {
                let mut rows = prune::rollups(&transaction, before, budget)?;
                rows += blocks::prune(&transaction, before.row, budget.saturating_sub(rows))?;
                transaction.commit()?;
                Ok(rows)
            });
        let path = &self.stats.path;
        pruned.map_err(|source| Error::Sqlite { action: Action::Write, path: path.clone(), source })
    }

    pub fn stats(&self) -> WriterStats {
        self.stats.clone()
    }

    fn timed(&mut self, now: Timestamp, health: &Health, ended: bool) -> Result<Flush, Error> {
        let begin = Instant::now();
        let written = self.write(now, health, ended);
        let took = begin.elapsed();
        self.stats.took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        match written {
            Ok((run, rows)) => {
                self.run = Some(run);
                self.batches.clear();
                self.stats.buffered = 0;
                self.stats.rows += rows;
                self.stats.flushes += 1;
                self.stats.failures = 0;
                self.stats.last_error = None;
                self.stats.last_flush = Some(now);
                self.stats.rollups_behind = self.index.is_behind();
                self.stats.size = size(&self.path);
                Ok(Flush { rows, took })
            }
            Err(source) => {
                self.exporters.forget();
                self.index.forget();
                let error = Error::Sqlite { action: Action::Write, path: self.stats.path.clone(), source };
                self.stats.failures += 1;
                self.stats.last_error = Some(error.to_string());
                Err(error)
            }
        }
    }

    /// One transaction; it is rolled back when it is dropped on the way.
    fn write(&mut self, now: Timestamp, health: &Health, ended: bool) -> rusqlite::Result<(RunId, u64)> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let run = accounts::save_run(&transaction, self.run, (now, ended), health, self.stats.dropped_flows)?;
        accounts::save_exporters(&transaction, run, &health.exporters)?;
        self.index.begin(&transaction, self.stats.buffered)?;
        let mut rows = 0;
        if !self.batches.is_empty() {
            let mut keys = Keys::new(&transaction)?;
            let mut insert = Insert::new(&transaction)?;
            for flow in self.batches.iter().flat_map(|batch| batch.iter()) {
                let exporter = self.exporters.id(&transaction, flow)?;
                let key = keys.take(&transaction, flow.received)?;
                insert.row(key, exporter, flow)?;
                self.index.row(&transaction, key, exporter, flow)?;
                rows += 1;
            }
        }
        self.index.end(&transaction, now, ended)?;
        transaction.commit()?;
        Ok((run, rows))
    }
}

/// Makes the folders, and gives the one name of the file under which every collector locks it.
fn resolve(path: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            let folder = folder.unwrap_or_else(|| Path::new("."));
            fs::create_dir_all(folder)?;
            Ok(fs::canonicalize(folder)?.join(name))
        }
        resolved => resolved,
    }
}

/// The lock file stays behind when the collector ends: removing it would race with the next one's lock.
fn lock(file: &Path, path: &Path) -> Result<File, Error> {
    let name = beside(file, ".lock");
    let failed = |source| Error::Io { action: Action::Open, path: name.clone(), source };
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(MODE);
    let mut lock = options.open(&name).map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => (),
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            let pid = lock.take(32).read_to_string(&mut text).ok().and_then(|_| text.trim().parse().ok());
            return Err(Error::InUse { path: path.to_owned(), pid });
        }
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    lock.set_len(0).and_then(|()| writeln!(lock, "{}", std::process::id())).map_err(failed)?;
    Ok(lock)
}

/// SQLite gives the write-ahead log and its index the mode of the database.
fn create(file: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(MODE).open(file).map(drop)
}

/// The service's group may read.
const MODE: u32 = 0o640;

fn connect(file: &Path) -> rusqlite::Result<Connection> {
    let connection =
        Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // Without the log and its index in place, a reader who may not write to the folder cannot open the file.
    let mut persist = 1;
    connection.file_control(None::<&str>, FileControl::PersistWal(&mut persist))?;
    Ok(connection)
}

/// Octets of the file and its write-ahead log.
fn size(file: &Path) -> u64 {
    let length = |path: &Path| fs::metadata(path).map_or(0, |metadata| metadata.len());
    length(file) + length(&beside(file, "-wal"))
}

fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
