//! What waits to be written: batches of flows between the source of a run and its writer, bounded in flows.
//!
//! A source that brings more than can be written is not held up: the oldest batch that no transaction holds is dropped,
//! whole and counted. A source that can wait asks [`Queue::has_room`] first. Nothing is written here and nothing is
//! looked at; the lock is taken once per batch, never per flow.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::collector::stats::Health;
use crate::flow::FlowRecord;
use crate::store::parcel::Parcel;

/// A transaction holds at most one of so many parts of what may wait. By default that is 250,000 flows, which take a
/// third of a second at most: nobody waits a second for a flush, even when the roll-ups are due in it. Twice as many are in
/// memory at most as long as storage keeps up.
const PARTS: usize = 8;

/// A bounded queue with one source at its one end and the writer at the other.
#[derive(Debug)]
pub struct Queue {
    /// Flows that may wait, those of a transaction under way included.
    limit: usize,
    state: Mutex<State>,
    /// Something for the writer to do.
    work: Condvar,
    /// Something was written or dropped.
    room: Condvar,
}

#[derive(Debug, Default)]
struct State {
    batches: VecDeque<Arc<Parcel>>,
    /// Batches at the front that a transaction holds. It may be committed already, so they are never dropped.
    held: usize,
    waiting: Waiting,
    /// The newest accounts that the writer has not taken yet.
    health: Option<Arc<Health>>,
    ended: bool,
    abandoned: bool,
}

/// How much waits, and what found no room.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Waiting {
    pub batches: usize,
    pub flows: usize,
    pub dropped_flows: u64,
    pub dropped_batches: u64,
}

/// Why the writer woke up.
#[derive(Debug)]
pub struct Wake {
    /// Nothing will come any more.
    pub ended: bool,
    /// So much waits that it should be written before its time.
    pub is_full_enough: bool,
    /// The newest accounts, if they are new.
    pub health: Option<Arc<Health>>,
}

impl Queue {
    pub fn new(limit: usize) -> Self {
        Self { limit, state: Mutex::default(), work: Condvar::new(), room: Condvar::new() }
    }

    /// Takes a batch, and drops the oldest ones when they would be more than the limit together.
    pub fn push(&self, batch: &[FlowRecord]) {
        if batch.is_empty() {
            return;
        }
        let batch = Arc::new(Parcel::new(batch));
        let mut state = self.state();
        state.waiting.flows += batch.len();
        state.batches.push_back(batch);
        while self.limit < state.waiting.flows {
            let held = state.held;
            let Some(oldest) = state.batches.remove(held) else { break };
            state.waiting.flows -= oldest.len();
            state.waiting.dropped_flows += oldest.len() as u64;
            state.waiting.dropped_batches += 1;
        }
        if self.is_full_enough(&state) {
            self.work.notify_one();
        }
    }

    /// Waits until `flows` more fit without a drop, at most so long; whether they do. An empty queue has room for any
    /// batch, and so has one whose writer is gone.
    pub fn has_room(&self, flows: usize, timeout: Duration) -> bool {
        let full = |state: &mut State| {
            !state.abandoned && 0 < state.waiting.flows && self.limit < state.waiting.flows.saturating_add(flows)
        };
        let waited = self.room.wait_timeout_while(self.state(), timeout, full);
        let (_state, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        !waited.timed_out()
    }

    /// Tells the writer the accounts; only the newest ones are kept.
    pub fn account(&self, health: Arc<Health>) {
        self.state().health = Some(health);
        self.work.notify_one();
    }

    /// Tells the writer that nothing will come any more.
    pub fn end(&self) {
        self.state().ended = true;
        self.work.notify_one();
    }

    /// Waits for something to do until `deadline`; a queue that is full enough counts only if it may be written `early`.
    pub fn wait(&self, deadline: Instant, early: bool) -> Wake {
        let idle = |state: &mut State| !state.ended && state.health.is_none() && !(early && self.is_full_enough(state));
        let timeout = deadline.saturating_duration_since(Instant::now());
        let (mut state, _) =
            self.work.wait_timeout_while(self.state(), timeout, idle).unwrap_or_else(PoisonError::into_inner);
        Wake { ended: state.ended, is_full_enough: early && self.is_full_enough(&state), health: state.health.take() }
    }

    pub fn waiting(&self) -> Waiting {
        let state = self.state();
        Waiting { batches: state.batches.len(), ..state.waiting }
    }

    /// The oldest batches, for one transaction: at most an eighth of the limit, so that newer ones can still be dropped
    /// for newest ones while it lasts, but at least one batch.
    pub(super) fn hold(&self) -> Vec<Arc<Parcel>> {
        let mut state = self.state();
        let mut flows = 0;
        let fits = |batch: &&Arc<Parcel>| {
            let is_first = flows == 0;
            flows += batch.len();
            is_first || flows <= self.limit / PARTS
        };
        let held: Vec<_> = state.batches.iter().take_while(fits).cloned().collect();
        state.held = held.len();
        held
    }

    /// The transaction is over: what it held is `stored`, or waits on.
    pub(super) fn release(&self, stored: bool) {
        let mut state = self.state();
        let held = std::mem::take(&mut state.held);
        if stored {
            let flows: usize = state.batches.drain(..held).map(|batch| batch.len()).sum();
            state.waiting.flows -= flows;
            self.room.notify_one();
        }
    }

    /// The writer goes: nobody needs to wait for it.
    pub(super) fn abandon(&self) {
        self.state().abandoned = true;
        self.room.notify_one();
    }

    /// Above what one transaction holds.
    const fn is_full_enough(&self, state: &State) -> bool {
        self.limit / PARTS < state.waiting.flows
    }

    /// A thread that panicked while it held the lock left whole batches behind, whichever they are.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
