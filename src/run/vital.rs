//! Whether a run still works, for whoever asks from outside: the service manager's watchdog and a monitoring system.
//!
//! It reads what the threads tell of themselves, and holds none of them up.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::collector::Limits;
use crate::collector::stats::Health;
use crate::flow::Timestamp;
use crate::metrics;
use crate::store::retention::Space;
use crate::store::writer::{Options, WriterStats};

/// A source that has been silent for so long is stuck: it tells its accounts once a second.
const STUCK: Duration = Duration::from_secs(20);

/// A sign of life of the source, and its accounts.
#[derive(Debug, Clone)]
pub(super) struct Beat {
    at: Instant,
    pub(super) health: Arc<Health>,
}

impl Beat {
    pub(super) fn new(health: Arc<Health>) -> Self {
        Self { at: Instant::now(), health }
    }
}

/// What the threads of a run tell of themselves.
#[derive(Debug, Clone)]
pub(super) struct Vital {
    pub(super) beats: watch::Receiver<Beat>,
    /// `None` of a run that stores nothing.
    pub(super) storage: Option<watch::Receiver<Option<WriterStats>>>,
    pub(super) database: Option<PathBuf>,
    pub(super) started: Timestamp,
}

impl Vital {
    /// Why the run should be started anew, if it should: nothing else would help.
    pub(super) fn stuck(&self) -> Option<String> {
        let silent = self.beats.borrow().at.elapsed();
        if STUCK < silent {
            return Some(format!("the source has told nothing for {} s", silent.as_secs()));
        }
        let is_gone = self.storage.as_ref().is_some_and(|storage| storage.has_changed().is_err());
        is_gone.then(|| "the storage thread has ended".to_owned())
    }

    /// What is not as it should be.
    pub(super) fn ailment(&self) -> Option<String> {
        let stats = self.storage.as_ref().and_then(|storage| storage.borrow().clone());
        let failing = stats.filter(|stats| 0 < stats.failures).and_then(|stats| stats.last_error);
        self.stuck().or_else(|| failing.map(|error| format!("flows cannot be stored: {error}")))
    }

    /// One line of what it does.
    pub(super) fn status(&self) -> String {
        if let Some(ailment) = self.ailment() {
            return ailment;
        }
        let health = Arc::clone(&self.beats.borrow().health);
        let (flows, exporters) = (health.totals.flows, health.exporters.len());
        format!("{flows} flows of {exporters} exporters in {} datagrams", health.totals.datagrams)
    }

    pub(super) fn metrics(&self) -> metrics::Facts {
        metrics::Facts {
            health: Arc::clone(&self.beats.borrow().health),
            limits: Limits::default(),
            queue_limit: Options::default().buffer_flows as u64,
            storage: self.storage.as_ref().and_then(|storage| storage.borrow().clone()),
            space: self.database.as_deref().and_then(|path| Space::of(path).ok()),
            started: self.started,
        }
    }
}

#[cfg(test)]
mod tests;
