//! The write side: a bounded buffer, and a flush that stores all of it or nothing.
//!
//! It starts no thread and reads no clock but to time its own work; the caller decides when to flush. Its input is
//! batches of flows from the collector and the collector's accounts.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::TransactionBehavior;

use crate::collector::stats::Health;
use crate::collector::templates::KnownTemplate;
use crate::flow::{Counts, FlowRecord, Timestamp};
use crate::store::accounts::{self, Exporters, RunId};
pub use crate::store::database::Incident;
use crate::store::database::{self, Database};
use crate::store::files;
use crate::store::index::Index;
use crate::store::insertions::Insertions;
use crate::store::keys::{Keys, RowKey};
use crate::store::parcel::Parcel;
use crate::store::prune::{self, Pruner};
pub use crate::store::prune::{Cause, Step};
use crate::store::queue::{Queue, Waiting};
use crate::store::retention::Retention;
pub use crate::store::rollup::Limits;
use crate::store::row::Insert;
use crate::store::schema::older::Progress;
use crate::store::templates::{self, Stored};
use crate::store::{Action, Error, exporter_names, troubles};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Flows that may wait to be written. When a batch would exceed it, the oldest batches are dropped, each as a
    /// whole, and counted.
    pub buffer_flows: usize,
    pub retention: Retention,
    pub rollups: Limits,
}

/// Flows that may wait unless told otherwise.
pub const DEFAULT_BUFFER: usize = 2_000_000;

impl Default for Options {
    fn default() -> Self {
        Self { buffer_flows: DEFAULT_BUFFER, retention: Retention::default(), rollups: Limits::default() }
    }
}

/// The one writer of a database.
///
/// Dropping it loses what is buffered; [`Writer::close`] does not.
#[derive(Debug)]
pub struct Writer {
    database: Database,
    retention: Retention,
    queue: Arc<Queue>,
    pruner: Pruner,
    exporters: Exporters,
    names: exporter_names::Written,
    /// What the collector knows of templates, once it has told.
    templates: Option<Arc<[KnownTemplate]>>,
    /// Whether the table has them.
    templates_written: bool,
    index: Index,
    run: Option<RunId>,
    stats: WriterStats,
    incidents: Vec<Incident>,
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
    /// Flows deleted, since they were too old or too many.
    pub pruned: u64,
    /// Receive time of the oldest flow.
    pub oldest: Option<Timestamp>,
    /// What happened to the file last.
    pub notice: Option<String>,
}

/// What one flush did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flush {
    pub rows: u64,
    /// Sums of these rows.
    pub counts: Counts,
    pub took: Duration,
}

impl Writer {
    /// Opens or makes the database, with its folders, and takes the lock. Files are made with mode 0640, less what the
    /// umask takes away. A damaged file is set aside, and a new one begun; [`Writer::incidents`] tells.
    ///
    /// # Errors
    /// When the file is no database or another program's, of a newer schema, in use by another collector, or when it
    /// cannot be made or written.
    pub fn open(path: &Path, options: Options) -> Result<Self, Error> {
        Self::open_telling(path, options, &mut |_, _| ())
    }

    /// [`Writer::open`], which tells while it brings the flows of an older version over: a minute or two for 100 million.
    ///
    /// # Errors
    /// Those of [`Writer::open`].
    pub fn open_telling(path: &Path, options: Options, progress: Progress<'_>) -> Result<Self, Error> {
        let mut incidents = Vec::new();
        let database = Database::open(path, &mut incidents, progress)?;
        let pruner = Pruner::new(database.connection(), database.file(), options.retention)
            .map_err(|source| Error::Sqlite { action: Action::Open, path: path.to_owned(), source })?;
        let stats = WriterStats { path: path.to_owned(), size: files::size(database.file()), ..WriterStats::default() };
        Ok(Self {
            database,
            retention: options.retention,
            queue: Arc::new(Queue::new(options.buffer_flows)),
            pruner,
            exporters: Exporters::default(),
            names: exporter_names::Written::default(),
            templates: None,
            templates_written: false,
            index: Index::new(options.rollups),
            run: None,
            stats,
            incidents,
        })
    }

    /// Keeps more or less from now on.
    pub fn retain(&mut self, retention: Retention) {
        self.retention = retention;
        self.pruner.limit(self.database.file(), retention);
    }

    /// What waits to be written; a source puts its batches there.
    pub fn queue(&self) -> Arc<Queue> {
        Arc::clone(&self.queue)
    }

    /// Takes a batch, to be written by the next flush.
    pub fn push(&self, batch: &[FlowRecord]) {
        self.queue.push(batch);
    }

    /// Takes the templates that the next flush writes in the place of those stored.
    pub fn keep_templates(&mut self, templates: Arc<[KnownTemplate]>) {
        self.templates = Some(templates);
        self.templates_written = false;
    }

    /// The templates that are stored. A damaged row costs the template in it.
    ///
    /// # Errors
    /// When SQLite cannot read.
    pub fn stored_templates(&self) -> Result<Stored, Error> {
        let failed = |source| Error::Sqlite { action: Action::Read, path: self.stats.path.clone(), source };
        templates::load(self.database.connection()).map_err(failed)
    }

    /// Writes everything that waits, the templates and the accounts. A transaction holds at most an eighth of what may
    /// wait, so that more than that takes several. The first flush begins the run in `collector_runs`: a caller that
    /// wants its start to be exact flushes once when it starts.
    ///
    /// A file that was deleted, replaced or found damaged is told by [`Writer::incidents`]; what waits is written to
    /// the one that is in its place.
    ///
    /// # Errors
    /// When SQLite cannot write. Then nothing of the transaction is stored, and its batches wait on.
    pub fn flush(&mut self, now: Timestamp, health: &Health) -> Result<Flush, Error> {
        self.timed(now, health, false)
    }

    /// Deletes a little of what is too old or too much, or gives back a little space, in one short transaction that
    /// should take half of `budget`; `at` is a steady clock beside `now`. To be called between two flushes for as long
    /// as there is more.
    ///
    /// # Errors
    /// When SQLite cannot write. Then the next call tries again.
    pub fn prune(&mut self, now: Timestamp, at: Instant, budget: Duration) -> Result<Step, Error> {
        let file = self.database.file().to_owned();
        match self.pruner.step(self.database.connection_mut(), &file, (now, at), self.run, budget) {
            Ok(step) => {
                self.stats.pruned += step.flows;
                if !step.more {
                    // An exporter that was forgotten has no row any more.
                    self.exporters.forget();
                    self.stats.oldest = self.oldest();
                    self.stats.size = files::size(&file);
                }
                Ok(step)
            }
            Err(source) => Err(self.mended(source)),
        }
    }

    /// Flushes, marks the run as ended, and moves the write-ahead log into the database.
    ///
    /// # Errors
    /// When SQLite cannot write. Then what was buffered is lost; a caller who can wait flushes before.
    pub fn close(mut self, now: Timestamp, health: &Health) -> Result<WriterStats, Error> {
        self.timed(now, health, true)?;
        // A reader may be in the way of the checkpoint; the next collector does it then. No flow depends on it.
        let checkpoint = self.database.connection().query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(()));
        self.stats.last_error = checkpoint.err().map(|error| error.to_string());
        self.stats.size = files::size(self.database.file());
        Ok(self.stats())
    }

    pub fn stats(&self) -> WriterStats {
        let Waiting { flows: buffered, dropped_flows, dropped_batches, .. } = self.queue.waiting();
        WriterStats { buffered, dropped_flows, dropped_batches, ..self.stats.clone() }
    }

    #[cfg(test)]
    pub(super) fn prune_derived(
        &mut self,
        before: crate::store::rollup::prune::Before,
        rows: usize,
    ) -> rusqlite::Result<usize> {
        prune::derived(self.database.connection_mut(), before, rows)
    }

    #[cfg(test)]
    pub(super) const fn connection(&self) -> &rusqlite::Connection {
        self.database.connection()
    }

    /// What happened to the file since the last call.
    pub fn incidents(&mut self) -> Vec<Incident> {
        if let Some(last) = self.incidents.last() {
            self.stats.notice = Some(last.to_string());
        }
        std::mem::take(&mut self.incidents)
    }

    fn timed(&mut self, now: Timestamp, health: &Health, ended: bool) -> Result<Flush, Error> {
        let begin = Instant::now();
        let written = self.write_all(now, health, ended);
        let took = begin.elapsed();
        self.stats.took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        match written {
            Ok(flush) => {
                self.stats.flushes += 1;
                self.stats.failures = 0;
                self.stats.last_error = None;
                self.stats.last_flush = Some(now);
                self.stats.rollups_behind = self.index.is_behind();
                self.stats.size = files::size(self.database.file());
                Ok(Flush { took, ..flush })
            }
            Err(error) => {
                self.stats.failures += 1;
                self.stats.last_error = Some(error.to_string());
                Err(error)
            }
        }
    }

    /// All batches that wait now, transaction by transaction.
    fn write_all(&mut self, now: Timestamp, health: &Health, ended: bool) -> Result<Flush, Error> {
        if self.database.follow(&mut self.incidents)? {
            self.started_anew()?;
        }
        let mut left = self.queue.waiting().batches;
        let mut sum = Flush::default();
        loop {
            let batches = self.queue.hold();
            let written = match self.write(now, health, ended, &batches) {
                // What SQLite finds damaged is set aside, and the transaction begun again in the new file.
                Err(source) if database::is_damage(&source) => {
                    self.renewed(&source).map(|()| self.write(now, health, ended, &batches))
                }
                written => Ok(written),
            };
            if !matches!(written, Ok(Ok(_))) {
                self.index.forget();
            }
            self.queue.release(matches!(written, Ok(Ok(_))));
            let (run, flush) = written?.map_err(|source| self.failed(source))?;
            self.run = Some(run);
            self.names.committed(&health.names);
            self.templates_written = true;
            self.stats.rows += flush.rows;
            sum.rows += flush.rows;
            sum.counts.add(flush.counts);
            left = left.saturating_sub(batches.len());
            if left == 0 || batches.is_empty() {
                return Ok(sum);
            }
        }
    }

    /// One transaction; it is rolled back when it is dropped on the way.
    fn write(
        &mut self,
        now: Timestamp,
        health: &Health,
        ended: bool,
        batches: &[Arc<Parcel>],
    ) -> rusqlite::Result<(RunId, Flush)> {
        // Each transaction looks its exporters up again, which keeps their `last_seen_ms` near their flows.
        self.exporters.forget();
        let lost = accounts::Lost { dropped: self.queue.waiting().dropped_flows, pruned: self.stats.pruned };
        let transaction = self.database.connection_mut().transaction_with_behavior(TransactionBehavior::Immediate)?;
        let run = accounts::save_run(&transaction, self.run, (now, ended), health, lost)?;
        accounts::save_exporters(&transaction, run, &health.exporters)?;
        troubles::save(&transaction, run, now, health, lost)?;
        self.names.save(&transaction, run, &health.names)?;
        if let Some(known) = self.templates.as_ref().filter(|_| !self.templates_written) {
            templates::save(&transaction, known)?;
        }
        self.index.begin(&transaction, batches.iter().map(|batch| batch.len()).sum())?;
        let mut flush = Flush::default();
        if !batches.is_empty() {
            let mut keys = Keys::new(&transaction)?;
            let mut insert = Insert::new(&transaction, keys.highest())?;
            let mut insertions = Insertions::new(keys.highest());
            for batch in batches {
                batch.each(|flow| -> rusqlite::Result<()> {
                    let exporter = self.exporters.id(&transaction, flow)?;
                    let key = keys.take(&transaction, flow.received)?;
                    insert.take(key, exporter, flow)?;
                    insertions.take(&transaction, key)?;
                    self.index.take(&transaction, key, exporter, flow)?;
                    flush.rows += 1;
                    flush.counts.add(flow.counts);
                    Ok(())
                })?;
            }
            insert.finish()?;
            insertions.finish(&transaction)?;
        }
        self.index.end(&transaction, now, ended)?;
        transaction.commit()?;
        Ok((run, flush))
    }

    /// The damaged file is set aside, and a new one in its place.
    fn renewed(&mut self, why: &rusqlite::Error) -> Result<(), Error> {
        self.database.replace(why, &mut self.incidents)?;
        self.started_anew()
    }

    /// After something else than a flush failed: as [`Writer::renewed`] where the file is damaged.
    fn mended(&mut self, source: rusqlite::Error) -> Error {
        if database::is_damage(&source)
            && let Err(error) = self.renewed(&source)
        {
            return error;
        }
        self.failed(source)
    }

    /// Forgets what stood in the file before.
    fn started_anew(&mut self) -> Result<(), Error> {
        self.run = None;
        self.exporters.forget();
        self.index.forget();
        self.names = exporter_names::Written::default();
        self.templates_written = false;
        let pruner = Pruner::new(self.database.connection(), self.database.file(), self.retention);
        self.pruner = pruner.map_err(|source| self.failed(source))?;
        Ok(())
    }

    fn oldest(&self) -> Option<Timestamp> {
        prune::edge(self.database.connection(), "min").ok().flatten().map(RowKey::received)
    }

    fn failed(&self, source: rusqlite::Error) -> Error {
        Error::Sqlite { action: Action::Write, path: self.stats.path.clone(), source }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue.abandon();
    }
}
