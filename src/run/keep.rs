//! What a live run keeps beside its flows: templates for the run after it, and malformed datagrams for a look.
//!
//! It decides when they are handed to the storage thread, and writes nothing. A replay keeps neither: its datagrams
//! are in a file already, and what its exporters said is of another time.

use std::net::SocketAddr;

use crossbeam_channel::Sender;
use tracing::{info, warn};

use crate::capture::quarantine::Caught;
use crate::collector::Collector;
use crate::collector::templates::Revision;
use crate::flow::Timestamp;
use crate::run::pipeline::Message;
use crate::run::storage::told;
use crate::store::templates::Stored;
use crate::store::writer::Writer;
use crate::wire::Malformed;

/// How often templates that were only repeated are handed on, in milliseconds; new ones are at once.
const REPEATED_MS: i64 = 60_000;

/// On its way from the source to storage.
#[derive(Debug)]
pub(super) struct Keeper {
    storage: Sender<Message>,
    /// Where datagrams are received.
    to: SocketAddr,
    caught: Caught,
    /// What storage knows of the templates, and since when.
    told: Option<(Revision, Timestamp)>,
    /// Templates that are too many or too old to be stored.
    lost: usize,
}

impl Keeper {
    pub(super) const fn new(storage: Sender<Message>, to: SocketAddr, caught: Caught) -> Self {
        Self { storage, to, caught, told: None, lost: 0 }
    }

    pub(super) fn malformed(&mut self, at: Timestamp, from: SocketAddr, reason: Malformed, payload: &[u8]) {
        self.caught.take(at, from, self.to, reason, payload);
    }

    /// Hands on what is new; to be called about once a second, and with `is_last` when the run ends.
    pub(super) fn hand_on(&mut self, now: Timestamp, collector: &Collector, is_last: bool) {
        if !self.caught.is_empty() {
            let caught = std::mem::take(&mut self.caught);
            let _ = self.storage.send(Message::Caught(Box::new(caught)));
        }
        let revision = collector.revision();
        if is_due(self.told, revision, now, is_last) {
            self.told = Some((revision, now));
            let templates = collector.templates_to_store(now);
            self.tell_lost(collector.template_count().saturating_sub(templates.len()));
            let _ = self.storage.send(Message::Templates(templates.into()));
        }
    }

    /// Says once, not every second, that a restart will cost templates.
    fn tell_lost(&mut self, lost: usize) {
        if self.lost == 0 && lost != 0 {
            warn!(lost, "templates too many or too old to be stored: after a restart they have to come again");
        }
        self.lost = lost;
    }
}

fn is_due(told: Option<(Revision, Timestamp)>, revision: Revision, now: Timestamp, is_last: bool) -> bool {
    // The first time, what is too old leaves the table.
    let Some((known, at)) = told else { return true };
    let is_time = is_last || !(0..REPEATED_MS).contains(&now.since(at));
    known.definitions != revision.definitions || (known != revision && is_time)
}

/// The templates of the run before. Without them the run begins as if there had been none.
pub(super) fn stored(writer: &Writer) -> Stored {
    writer.stored_templates().unwrap_or_else(|error| {
        warn!("templates of the run before: {:#}", told(&error));
        Stored::default()
    })
}

/// Gives the collector the templates of the run before.
pub(super) fn restore(collector: &mut Collector, now: Timestamp, stored: Stored) {
    if stored == Stored::default() {
        return;
    }
    let restored = collector.restore(now, stored.templates);
    info!(
        templates = restored.templates,
        outdated = restored.outdated,
        damaged = stored.damaged.saturating_add(restored.unusable),
        "templates of the run before are known"
    );
}

#[cfg(test)]
mod tests;
