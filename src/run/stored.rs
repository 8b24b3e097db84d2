//! The source thread of a run that receives nothing: flows come from the database, those that a collector adds included.
//!
//! It is never a second collector: it binds no socket, takes no lock and writes nothing, so that any number may look at
//! once. It follows what the path names ([`reader`]) and says who writes it, if anybody does ([`told`]). Nothing that
//! happens to the file or its collector ends it: what cannot be read now is tried again.

mod reader;
mod told;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use tracing::warn;

use crate::config::Output;
use crate::flow::FlowRecord;
use crate::run::live::span_of;
use crate::run::pipeline::{Message, Outlets};
use crate::run::storage::told as with_hint;
use crate::run::stored::reader::{Read, Reader};
use crate::run::stored::told::Teller;
pub(super) use crate::run::stored::told::Viewed;
use crate::run::vital::Beat;
use crate::store::tail::Wanted;
use crate::tui::app::Source;

/// Between two looks for new rows; a collector writes every ten seconds.
const PAUSE: Duration = Duration::from_millis(500);
/// How long a collector that has just started may take to make its database.
const PATIENCE: Duration = Duration::from_secs(5);
/// Of the past, the longest span, and of that the usual one first, so that there is something to see at once.
const HOUR_MS: i64 = 3_600_000;
const MINUTE_MS: i64 = 60_000;
/// The oldest slice of a window is so much longer than the span that is asked for.
const SLICE_MS: i64 = 300_000;
/// How long what was written until the end is read for a table.
const LAST_READS: Duration = Duration::from_secs(10);

/// A database opened for reading.
pub(super) struct Stored {
    reader: Reader,
    teller: Teller,
    stop: Arc<AtomicBool>,
    /// A table is of everything that was stored when it is printed.
    is_table: bool,
    /// It waits for nobody where nobody collected when it was asked for.
    is_over: bool,
}

impl Stored {
    pub(super) fn open(path: PathBuf, output: &Output, stop: Arc<AtomicBool>) -> Result<Self> {
        let mut teller = Teller::new(path.clone());
        let mut reader = Reader::new(path, wanted(output));
        let begin = Instant::now();
        teller.owner();
        while let Err(error) = reader.open() {
            if teller.owner().is_none() || PATIENCE < begin.elapsed() || stop.load(Ordering::Relaxed) {
                return Err(with_hint(&error));
            }
            thread::sleep(PAUSE);
        }
        let is_table = matches!(output, Output::Table { .. });
        let is_over = is_table && teller.owner().is_none();
        Ok(Self { reader, teller, stop, is_table, is_over })
    }

    pub(super) fn shown(&self) -> Source {
        self.teller.source()
    }

    pub(super) fn run(mut self, outlets: &Outlets) -> Result<()> {
        let mut stopped: Option<Instant> = None;
        loop {
            if self.stop.load(Ordering::Relaxed) {
                if stopped.is_none() {
                    self.reader.look_again();
                }
                let since = *stopped.get_or_insert_with(Instant::now);
                if !self.is_table || LAST_READS < since.elapsed() {
                    break;
                }
            }
            let is_over = stopped.is_some() || self.is_over;
            let begin = Instant::now();
            let mut flows = Vec::new();
            let read = self.reader.read(self.teller.owner(), &mut flows);
            self.teller.judge(read.as_ref().err());
            match read {
                Ok(Read::Anew) => drop(outlets.window.send(Message::Anew)),
                Ok(Read::Lost) => warn!("some of what was stored is gone unread: beginning anew with what is there"),
                Ok(Read::Flows) => {
                    if !hand_on(outlets, flows) {
                        return Ok(());
                    }
                }
                Ok(Read::Past) => {
                    drop(outlets.window.send_past(flows.into()));
                    // The past has time: a collector beside it may need the processor.
                    thread::sleep(begin.elapsed().min(PAUSE));
                }
                Ok(Read::Accounts(accounts)) => self.teller.account(*accounts),
                Ok(Read::Nothing) if is_over => break,
                Ok(Read::Nothing) | Err(_) => thread::sleep(PAUSE),
            }
            if self.teller.is_due() {
                self.tell(outlets);
            }
        }
        self.tell(outlets);
        Ok(())
    }

    /// Tells the screen what it should know beside the flows, and everybody else that the run lives.
    fn tell(&mut self, outlets: &Outlets) {
        let (health, known) = self.teller.accounts();
        outlets.beats.send_replace(Beat::new(Arc::clone(&health)));
        let viewed = Box::new(self.teller.tell(self.reader.complete_from()));
        // Whoever has gone needs to know nothing.
        for message in [Message::Health(health), Message::Viewed(viewed), Message::Now(known)] {
            let _ = outlets.window.send(message);
        }
    }
}

/// How much of the past a run shows.
fn wanted(output: &Output) -> Wanted {
    match output {
        Output::Screen(_) => Wanted { first: MINUTE_MS, all: HOUR_MS },
        Output::Table { seconds: Some(seconds), .. } => {
            let all = 1000 * span_of(*seconds).seconds() + SLICE_MS;
            Wanted { first: all, all }
        }
        // In one order.
        Output::Table { seconds: None, .. } | Output::Json | Output::Log => Wanted { first: HOUR_MS, all: HOUR_MS },
    }
}

/// Hands new flows on; false when the reader of the JSON lines has gone, and with it whoever wanted them.
fn hand_on(outlets: &Outlets, flows: Vec<FlowRecord>) -> bool {
    if let Some(json) = &outlets.json
        && json.send_flows(flows.as_slice().into()).is_err()
    {
        return false;
    }
    if outlets.shows {
        let _ = outlets.window.send_flows(flows.into());
    }
    true
}
