use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use rusqlite::Connection;
use tempfile::TempDir;

use super::*;
use crate::flow::{ObservationDomainId, Timestamp, Version};
use crate::store::RowKey;
use crate::store::history::History;

/// A storage thread on a database of its own, with little room in its queue.
struct Run {
    _folder: TempDir,
    path: PathBuf,
    queue: Arc<Queue>,
    stats: watch::Receiver<Option<WriterStats>>,
    thread: thread::JoinHandle<u64>,
}

impl Run {
    fn start(buffer_flows: usize) -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("flows.db");
        let writer = Writer::open(&path, Options { buffer_flows, ..Options::default() }).unwrap();
        let queue = writer.queue();
        let (sender, stats) = watch::channel(None);
        let storage = {
            let settings = Adjustable { flush_interval: Duration::from_secs(1), ..Adjustable::default() };
            Storage::new(writer, Arc::default(), watch::channel(settings).1, sender)
        };
        let thread = thread::spawn(move || storage.run());
        Self { _folder: folder, path, queue, stats, thread }
    }

    /// Waits until the published figures are as wanted.
    fn wait_for(&self, wanted: impl Fn(&WriterStats) -> bool) -> WriterStats {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut stats = self.stats.clone();
        let seen = runtime.block_on(stats.wait_for(|stats| stats.as_ref().is_some_and(&wanted)));
        seen.unwrap().clone().unwrap()
    }

    /// Locks the database against every writer until it is dropped, as a program with a long transaction does.
    fn lock(&self) -> Connection {
        let other = Connection::open(&self.path).unwrap();
        other.busy_timeout(Duration::from_secs(60)).unwrap();
        other.execute_batch("BEGIN EXCLUSIVE").unwrap();
        other
    }

    /// Ends the source and waits for the thread; what is stored: so many flows of each batch.
    fn end(self, inlet: Inlet) -> BTreeMap<i64, usize> {
        drop(inlet);
        let lost = self.thread.join().unwrap();
        let mut flows = Vec::new();
        History::open(&self.path).unwrap().since(RowKey::START, usize::MAX, &mut flows).unwrap();
        let mut batches = BTreeMap::new();
        for flow in flows {
            *batches.entry(flow.received.0).or_default() += 1;
        }
        assert_eq!(lost, self.stats.borrow().as_ref().unwrap().dropped_flows);
        batches
    }
}

/// Flows of a batch.
const FLOWS: usize = 50;

/// Batch `n`, which is known by its time.
fn batch(n: i64) -> Arc<[FlowRecord]> {
    let exporter = Ipv4Addr::LOCALHOST.into();
    vec![FlowRecord::blank(Timestamp(n), exporter, ObservationDomainId(0), Version::V5); FLOWS].into()
}

#[test]
fn a_source_goes_on_while_the_database_is_locked_and_the_oldest_batches_are_dropped_whole() {
    let run = Run::start(1_000);
    run.wait_for(|stats| stats.flushes == 1);
    let inlet = Inlet::new(Arc::clone(&run.queue), Arc::default(), None);
    inlet.push(&batch(1));
    run.wait_for(|stats| stats.rows == 50);
    let lock = run.lock();
    // None of these waits: the lock is held until they are all through.
    (2..=100).for_each(|n| inlet.push(&batch(n)));
    let failing = run.wait_for(|stats| 0 < stats.failures);
    assert_eq!((failing.rows, failing.buffered), (50, 1_000));
    assert_eq!(failing.dropped_flows, 99 * 50 - 1_000);
    assert_eq!(failing.dropped_batches, 79);
    assert!(failing.last_error.unwrap().contains("locked"));
    (101..=110).for_each(|n| inlet.push(&batch(n)));
    drop(lock);
    let stored = run.wait_for(|stats| stats.buffered == 0 && stats.failures == 0);
    assert_eq!(stored.rows + stored.dropped_flows, 110 * 50);
    let batches = run.end(inlet);
    assert!(batches.values().all(|flows| *flows == FLOWS), "no batch half, and no row twice: {batches:?}");
    assert_eq!(batches.values().sum::<usize>() as u64, stored.rows);
    assert!((101..=110).all(|n| batches.contains_key(&n)), "the newest are there");
}

#[test]
fn a_replay_waits_for_room_and_loses_nothing() {
    let run = Run::start(200);
    run.wait_for(|stats| stats.flushes == 1);
    let lock = run.lock();
    let inlet = Inlet::new(Arc::clone(&run.queue), Arc::default(), Some(Arc::default()));
    let source = thread::spawn(move || {
        (1..=40).for_each(|n| inlet.push(&batch(n)));
        inlet
    });
    let failing = run.wait_for(|stats| 0 < stats.failures);
    assert!(failing.buffered <= 200 && failing.dropped_flows == 0, "{failing:?}");
    drop(lock);
    let inlet = source.join().unwrap();
    let batches = run.end(inlet);
    assert_eq!(batches, (1..=40).map(|n| (n, FLOWS)).collect());
}

#[test]
fn a_replay_that_is_stopped_does_not_wait() {
    let queue = Arc::new(Queue::new(50));
    let inlet = Inlet::new(Arc::clone(&queue), Arc::default(), Some(Arc::new(AtomicBool::new(true))));
    inlet.push(&batch(1));
    inlet.push(&batch(2));
    assert_eq!(queue.waiting().dropped_flows, 50);
}

#[test]
fn the_last_flush_is_tried_again_while_the_database_is_locked() {
    let run = Run::start(1_000);
    run.wait_for(|stats| stats.flushes == 1);
    let inlet = Inlet::new(Arc::clone(&run.queue), Arc::default(), None);
    let lock = run.lock();
    inlet.push(&batch(1));
    let failures = run.stats.clone();
    let unlock = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut failures = failures;
        let _ = runtime.block_on(failures.wait_for(|stats| stats.as_ref().is_some_and(|stats| 0 < stats.failures)));
        drop(lock);
    });
    assert_eq!(run.end(inlet), BTreeMap::from([(1, FLOWS)]));
    unlock.join().unwrap();
}
