//! The storage thread: writes what waits in one go per flush interval, and keeps the database within its limits in between.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use tokio::sync::watch;
use tracing::{error, info, warn};

use crate::capture::quarantine::Quarantine;
use crate::collector::stats::Health;
use crate::config::{Adjustable, Config, Source};
use crate::flow::FlowRecord;
use crate::run::keep::Aside;
use crate::run::{examine, now};
use crate::store::writer::{Cause, Flush, Options, Step, Writer, WriterStats};
use crate::store::{self, Owner, queue::Queue};

/// How long a patient source waits for room before it looks whether it should stop.
const NAP: Duration = Duration::from_millis(200);
/// How long the last flush is tried again, when the database is locked or its disk full.
const LAST_TRIES: Duration = Duration::from_secs(10);

/// Opens the database of a run that stores. Where another collector holds it, a run with a screen becomes a viewer: the
/// lock decides, so that of two that start at once one collects and the other one looks.
///
/// # Errors
/// When it cannot be opened, with the hint of what to do.
pub(super) fn claim(config: &mut Config, path: &Path) -> Result<Option<Writer>> {
    if matches!(config.source, Source::Stored) {
        return Ok(None);
    }
    let may_view = matches!(config.source, Source::Live(_)) && config.has_screen();
    // Who may not write may not even ask for the lock.
    let is_held = may_view && owner(path).is_some();
    let options = Options { retention: config.retention, ..Options::default() };
    match Writer::open_telling(path, options, &mut upgrading()) {
        Err(store::Error::InUse { .. }) if may_view => {}
        Err(_) if is_held => {}
        opened => return opened.map(Some).map_err(|error| told(&error)),
    }
    config.source = Source::Stored;
    Ok(None)
}

/// Says how far the flows of an older version are, every few seconds: until all of them are, nothing is collected.
fn upgrading() -> impl FnMut(u64, u64) {
    let began = Instant::now();
    let mut next = Duration::from_secs(1);
    move |all, done| {
        if next <= began.elapsed() {
            next = began.elapsed() + Duration::from_secs(5);
            let share = done.saturating_mul(100).checked_div(all).unwrap_or(100);
            let _ = writeln!(io::stderr(), "the database is brought up to date, once: {share} % of {all} flows");
        }
    }
}

/// Who collects into a database now: whoever holds its lock. Where this user may not open that, the kernel tells.
pub(super) fn owner(path: &Path) -> Option<Owner> {
    store::owner(path).unwrap_or_else(|_| examine::holder(path).map(|pid| Owner { pid: Some(pid) }))
}

/// A store error as one line and a hint.
pub(super) fn told(error: &store::Error) -> anyhow::Error {
    match error.hint() {
        Some(hint) => anyhow!("{error}\nhint: {hint}"),
        None => anyhow!("{error}"),
    }
}

/// The end of the write queue that a source owns. When it goes, nothing will come any more.
#[derive(Debug)]
pub(super) struct Inlet {
    queue: Arc<Queue>,
    /// A source that waits until there is room, unless this says stop; others make the queue drop its oldest batch.
    patient: Option<Arc<AtomicBool>>,
    aside: Arc<Aside>,
}

impl Inlet {
    pub(super) const fn new(queue: Arc<Queue>, aside: Arc<Aside>, patient: Option<Arc<AtomicBool>>) -> Self {
        Self { queue, patient, aside }
    }

    /// Where a source lays what it keeps beside its flows.
    pub(super) fn aside(&self) -> Arc<Aside> {
        Arc::clone(&self.aside)
    }

    pub(super) fn push(&self, batch: &[FlowRecord]) {
        if let Some(stop) = &self.patient {
            while !self.queue.has_room(batch.len(), NAP) && !stop.load(Ordering::Relaxed) {}
        }
        self.queue.push(batch);
    }

    pub(super) fn account(&self, health: Arc<Health>) {
        self.queue.account(health);
    }
}

impl Drop for Inlet {
    fn drop(&mut self) {
        self.queue.end();
    }
}

/// State of the storage thread.
pub(super) struct Storage {
    writer: Writer,
    quarantine: Quarantine,
    aside: Arc<Aside>,
    queue: Arc<Queue>,
    interval: Duration,
    stats: watch::Sender<Option<WriterStats>>,
    settings: watch::Receiver<Adjustable>,
    health: Arc<Health>,
    /// At the last flush, for the log.
    datagrams: u64,
    dropped: u64,
    /// What was deleted since there was something to delete.
    pruned: Pruned,
}

/// Sums of many steps, for one line of the log.
#[derive(Debug, Default)]
struct Pruned {
    cause: Option<Cause>,
    flows: u64,
    given_back: u64,
    steps: u64,
    worst: Duration,
}

impl Storage {
    pub(super) fn new(
        writer: Writer,
        aside: Arc<Aside>,
        settings: watch::Receiver<Adjustable>,
        stats: watch::Sender<Option<WriterStats>>,
    ) -> Self {
        let interval = settings.borrow().flush_interval;
        Self {
            queue: writer.queue(),
            quarantine: Quarantine::beside(&writer.stats().path),
            aside,
            writer,
            interval,
            stats,
            settings,
            health: Arc::default(),
            datagrams: 0,
            dropped: 0,
            pruned: Pruned::default(),
        }
    }

    /// Runs until the source is gone; returns how many flows could not be written.
    pub(super) fn run(mut self) -> u64 {
        // The run stands in the database from its start on, and the screen shows where flows go before the first came.
        let mut flushed = self.flush();
        let mut prunes = true;
        let mut due = Instant::now() + self.interval;
        loop {
            let until = if prunes { Instant::now() } else { due };
            // After a failure the next try waits for its time: the queue is bounded anyway.
            let wake = self.queue.wait(until, flushed);
            if self.settings.has_changed().unwrap_or(false) {
                let settings = self.settings.borrow_and_update().clone();
                self.interval = settings.flush_interval;
                self.writer.retain(settings.retention);
                (prunes, due) = (true, due.min(Instant::now() + self.interval));
            }
            if let Some(health) = wake.health {
                self.health = health;
                self.publish();
            }
            if wake.ended {
                return self.close();
            }
            if due <= Instant::now() || wake.is_full_enough {
                flushed = self.flush();
                prunes = true;
                due = Instant::now() + self.interval;
            } else if prunes {
                prunes = self.prune();
            }
        }
    }

    /// Whether it could write.
    fn flush(&mut self) -> bool {
        self.take_aside();
        let flushed = self.writer.flush(now(), &self.health);
        self.tell();
        match &flushed {
            Ok(flush) if self.writer.stats().flushes == 1 && flush.rows == 0 => {
                info!(path = %self.writer.stats().path.display(), "storing");
            }
            Ok(flush) => self.log(flush),
            Err(problem) => {
                let kept = self.writer.stats().buffered;
                error!(%problem, kept, dropped = self.newly_dropped(), "flush failed; the flows are kept and tried again");
            }
        }
        self.publish();
        flushed.is_ok()
    }

    /// Takes what the source keeps beside its flows. The quarantine is a file of its own, so that people can look at what
    /// could not be decoded; that this fails costs no flow.
    fn take_aside(&mut self) {
        let (templates, caught) = self.aside.take();
        if let Some(templates) = templates {
            self.writer.keep_templates(templates);
        }
        self.quarantine.add(caught);
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

    /// One step of what keeps the database within its limits; whether there is more to do. It is over in a fraction of
    /// the interval, so that no flush waits long for it.
    fn prune(&mut self) -> bool {
        match self.writer.prune(now(), Instant::now(), self.interval / 10) {
            Ok(step) => {
                self.pruned.add(&step);
                if let Some(octets) = step.held_up {
                    warn!(
                        octets,
                        "nothing is deleted: a program that reads the database keeps its write-ahead log long"
                    );
                }
                if !step.more {
                    self.log_pruned();
                    self.publish();
                }
                step.more
            }
            Err(problem) => {
                self.tell();
                warn!(%problem, "old flows could not be deleted; tried again after the next flush");
                false
            }
        }
    }

    /// What happened to the file, loudly.
    fn tell(&mut self) {
        for incident in self.writer.incidents() {
            error!("{incident}");
        }
    }

    fn publish(&self) {
        self.stats.send_replace(Some(self.writer.stats()));
    }

    /// Flows dropped since this was asked last.
    fn newly_dropped(&mut self) -> u64 {
        let dropped = self.writer.stats().dropped_flows;
        dropped - std::mem::replace(&mut self.dropped, dropped)
    }

    /// The one line per flush of a headless run.
    fn log(&mut self, flush: &Flush) {
        let dropped = self.newly_dropped();
        if 0 < dropped {
            warn!(flows = dropped, "flows were dropped: the database could not be written for too long");
        }
        let totals = self.health.totals;
        let kernel_dropped: u64 = self.health.sockets.iter().map(|socket| socket.dropped).sum();
        info!(
            flows = flush.rows,
            bytes = flush.counts.bytes,
            packets = flush.counts.packets,
            took_ms = u64::try_from(flush.took.as_millis()).unwrap_or(u64::MAX),
            datagrams = totals.datagrams.saturating_sub(self.datagrams),
            exporters = self.health.exporters.len(),
            waiting = totals.waiting,
            lost = totals.lost,
            kernel_dropped,
            malformed = totals.malformed,
            foreign = totals.foreign,
            unstored = self.dropped,
            "flush"
        );
        self.datagrams = totals.datagrams;
    }

    /// The one line per time that something was deleted.
    fn log_pruned(&mut self) {
        let pruned = std::mem::take(&mut self.pruned);
        if pruned.flows == 0 && pruned.given_back == 0 {
            return;
        }
        let stats = self.writer.stats();
        info!(
            flows = pruned.flows,
            because = pruned.cause.map(tracing::field::display),
            given_back = pruned.given_back,
            oldest =
                stats.oldest.and_then(|at| jiff::Timestamp::from_millisecond(at.0).ok()).map(tracing::field::display),
            size = stats.size,
            steps = pruned.steps,
            worst_ms = u64::try_from(pruned.worst.as_millis()).unwrap_or(u64::MAX),
            "pruned"
        );
    }

    /// The last flush, tried again for a while where that can help.
    fn close(mut self) -> u64 {
        self.take_aside();
        let until = Instant::now() + LAST_TRIES;
        while let Err(problem) = self.writer.flush(now(), &self.health) {
            self.tell();
            self.publish();
            if until < Instant::now() || !problem.is_passing() {
                break;
            }
            thread::sleep(NAP);
        }
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

impl Pruned {
    fn add(&mut self, step: &Step) {
        self.cause = step.cause.or(self.cause);
        self.flows += step.flows;
        self.given_back += step.given_back;
        self.steps += 1;
        self.worst = self.worst.max(step.took);
    }
}

#[cfg(test)]
mod tests;
