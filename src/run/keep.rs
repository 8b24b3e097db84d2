//! What a live run keeps beside its flows: templates for the run after it, and malformed datagrams for a look.
//!
//! It decides when they are handed to the storage thread, and writes nothing. A replay keeps neither: its datagrams
//! are in a file already, and what its exporters said is of another time.

use std::mem::take;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::{info, warn};

use crate::capture::quarantine::Caught;
use crate::collector::Collector;
use crate::collector::templates::{KnownTemplate, Revision};
use crate::flow::Timestamp;
use crate::run::storage::told;
use crate::store::templates::Stored;
use crate::store::writer::Writer;
use crate::wire::Malformed;

/// How often templates that were only repeated are handed on, in milliseconds; new ones are at once.
const REPEATED_MS: i64 = 60_000;

/// What lies ready for the storage thread.
#[derive(Debug, Default)]
pub(super) struct Aside(Mutex<(Option<Arc<[KnownTemplate]>>, Caught)>);

impl Aside {
    /// Newer templates take the place of older ones.
    fn put_templates(&self, templates: Arc<[KnownTemplate]>) {
        self.lock().0 = Some(templates);
    }

    /// Leaves what was caught where it is as long as storage has not taken what was caught before, but for the last time.
    fn put_caught(&self, caught: &mut Caught, is_last: bool) {
        let room = &mut self.lock().1;
        if room.is_empty() || is_last {
            room.append(take(caught));
        }
    }

    pub(super) fn take(&self) -> (Option<Arc<[KnownTemplate]>>, Caught) {
        take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, (Option<Arc<[KnownTemplate]>>, Caught)> {
        // A panic elsewhere leaves whole values behind.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// On its way from the source to storage.
#[derive(Debug)]
pub(super) struct Keeper {
    aside: Arc<Aside>,
    caught: Caught,
    /// What storage knows of the templates, and since when.
    told: Option<(Revision, Timestamp)>,
    /// Templates that are too many or too old to be stored.
    lost: usize,
}

impl Keeper {
    pub(super) fn new(aside: Arc<Aside>) -> Self {
        Self { aside, caught: Caught::default(), told: None, lost: 0 }
    }

    pub(super) fn malformed(
        &mut self,
        at: Timestamp,
        (from, to): (SocketAddr, SocketAddr),
        reason: Malformed,
        payload: &[u8],
    ) {
        self.caught.take(at, from, to, reason, payload);
    }

    /// Hands on what is new; to be called about once a second, and with `is_last` when the run ends.
    pub(super) fn hand_on(&mut self, now: Timestamp, collector: &Collector, is_last: bool) {
        if !self.caught.is_empty() {
            self.aside.put_caught(&mut self.caught, is_last);
        }
        let revision = collector.revision();
        if is_due(self.told, revision, now, is_last) {
            self.told = Some((revision, now));
            let templates = collector.templates_to_store(now);
            self.tell_lost(collector.template_count().saturating_sub(templates.len()));
            self.aside.put_templates(templates.into());
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
