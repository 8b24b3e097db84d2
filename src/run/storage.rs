//! The storage thread: collects batches and writes them to the database in one transaction per flush interval.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use crossbeam_channel::{Receiver, RecvTimeoutError};
use tokio::sync::watch;
use tracing::{error, info, warn};

use crate::capture::quarantine::Quarantine;
use crate::collector::stats::Health;
use crate::flow::Counts;
use crate::run::now;
use crate::run::pipeline::Message;
use crate::store::{
    self,
    writer::{Options, Writer, WriterStats},
};

/// Opens the database, with the hint of what to do when that fails.
pub(super) fn open(path: &Path) -> Result<Writer> {
    Writer::open(path, Options::default()).map_err(|error| told(&error))
}

/// A store error as one line and a hint.
pub(super) fn told(error: &store::Error) -> anyhow::Error {
    match error.hint() {
        Some(hint) => anyhow!("{error}\nhint: {hint}"),
        None => anyhow!("{error}"),
    }
}

/// State of the storage thread.
pub(super) struct Storage {
    writer: Writer,
    quarantine: Quarantine,
    interval: Duration,
    stats: watch::Sender<Option<WriterStats>>,
    health: Health,
    /// Since the last flush, for the log.
    counts: Counts,
    datagrams: u64,
}

impl Storage {
    pub(super) fn new(writer: Writer, interval: Duration, stats: watch::Sender<Option<WriterStats>>) -> Self {
        // The screen shows where flows go before the first of them came.
        stats.send_replace(Some(writer.stats()));
        let quarantine = Quarantine::beside(&writer.stats().path);
        Self { writer, quarantine, interval, stats, health: Health::default(), counts: Counts::default(), datagrams: 0 }
    }

    /// Runs until the source is gone; returns how many flows could not be written.
    pub(super) fn run(mut self, messages: &Receiver<Message>) -> u64 {
        let mut due = Instant::now() + self.interval;
        loop {
            match messages.recv_deadline(due) {
                Ok(message) => self.take(message),
                Err(RecvTimeoutError::Disconnected) => return self.close(),
                Err(RecvTimeoutError::Timeout) => {}
            }
            // A long queue is no reason to be late.
            if due <= Instant::now() || self.writer.is_full_enough() {
                self.flush();
                due = Instant::now() + self.interval;
            }
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Flows(flows) => {
                for flow in flows.iter() {
                    self.counts.add(flow.counts);
                }
                self.writer.push(flows);
            }
            Message::Health(health) => {
                self.health = Health::clone(&health);
                self.stats.send_replace(Some(self.writer.stats()));
            }
            Message::Templates(templates) => self.writer.keep_templates(templates),
            Message::Caught(caught) => self.quarantine.add(*caught),
            Message::Now(_) | Message::Span(_) | Message::Shown(_) => {}
        }
    }

    fn flush(&mut self) {
        match self.writer.flush(now(), &self.health) {
            Ok(flush) => self.log(flush.rows, flush.took),
            Err(problem) => {
                let kept = self.writer.stats().buffered;
                error!(%problem, kept, "flush failed; the flows are kept and tried again");
            }
        }
        self.stats.send_replace(Some(self.writer.stats()));
        self.show_quarantine();
    }

    /// Lets people look at what could not be decoded. That this fails costs no flow.
    fn show_quarantine(&mut self) {
        match self.quarantine.save() {
            Ok(None) => {}
            Ok(Some(saved)) => info!(
                datagrams = saved.datagrams,
                displaced = saved.displaced,
                skipped = saved.skipped,
                path = %self.quarantine.path().display(),
                "quarantine written"
            ),
            Err(problem) => warn!(%problem, path = %self.quarantine.path().display(), "quarantine not written"),
        }
    }

    /// The one line per flush of a headless run.
    fn log(&mut self, rows: u64, took: Duration) {
        let totals = self.health.totals;
        let kernel_dropped: u64 = self.health.sockets.iter().map(|socket| socket.dropped).sum();
        info!(
            flows = rows,
            bytes = self.counts.bytes,
            packets = self.counts.packets,
            took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            datagrams = totals.datagrams.saturating_sub(self.datagrams),
            exporters = self.health.exporters.len(),
            waiting = totals.waiting,
            lost = totals.lost,
            kernel_dropped,
            malformed = totals.malformed,
            foreign = totals.foreign,
            unstored = self.writer.stats().dropped_flows,
            "flush"
        );
        self.counts = Counts::default();
        self.datagrams = totals.datagrams;
    }

    fn close(mut self) -> u64 {
        self.show_quarantine();
        let stats = self.writer.stats();
        match self.writer.close(now(), &self.health) {
            Ok(closed) => {
                info!(rows = closed.rows, path = %closed.path.display(), "database closed");
                closed.dropped_flows
            }
            Err(problem) => {
                error!(%problem, "the last flush failed");
                stats.dropped_flows.saturating_add(u64::try_from(stats.buffered).unwrap_or(u64::MAX))
            }
        }
    }
}
