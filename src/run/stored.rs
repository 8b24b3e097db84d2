//! The source thread of a run that receives nothing: flows come from the database, those that another collector adds
//! included.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::Result;

use crate::flow::Timestamp;
use crate::run::pipeline::{Message, Outlets};
use crate::run::storage::told;
use crate::run::vital::Beat;
use crate::store::RowKey;
use crate::store::history::History;
use crate::tui::app::Source;

/// Rows per read, so that a long history neither fills memory nor holds up the end.
const ROWS: usize = 50_000;
/// How far before the newest flow the screen begins: the longest span.
const BACK_MS: i64 = 3_600_000;
/// Between two looks for new rows; a collector writes every ten seconds.
const PAUSE: Duration = Duration::from_millis(500);

/// A database opened for reading.
pub(super) struct Stored {
    history: History,
    path: PathBuf,
    stop: Arc<AtomicBool>,
}

impl Stored {
    pub(super) fn open(path: PathBuf, stop: Arc<AtomicBool>) -> Result<Self> {
        let history = History::open(&path).map_err(|error| told(&error))?;
        Ok(Self { history, path, stop })
    }

    pub(super) fn shown(&self) -> Source {
        Source::Stored { path: self.path.display().to_string() }
    }

    pub(super) fn run(self, outlets: &Outlets) -> Result<()> {
        let newest = self.history.newest().map_err(|error| told(&error))?;
        let from = newest.map_or_else(Timestamp::default, |key| key.received().plus(-BACK_MS));
        let mut after = RowKey::at(from);
        while !self.stop.load(Ordering::Relaxed) {
            outlets.beats.send_replace(Beat::new(Arc::default()));
            let mut flows = Vec::new();
            let read = self.history.since(after, ROWS, &mut flows).map_err(|error| told(&error))?;
            let Some(key) = read else {
                thread::sleep(PAUSE);
                continue;
            };
            after = key;
            let latest = flows.last().map_or(from, |flow| flow.received);
            if let Some(json) = &outlets.json
                && json.send_flows(flows.as_slice().into()).is_err()
            {
                // The reader of the JSON lines has gone, and with it whoever wanted them.
                return Ok(());
            }
            if outlets.shows {
                let _ = outlets.window.send_flows(flows.into());
            }
            let _ = outlets.window.send(Message::Now(latest));
        }
        Ok(())
    }
}
