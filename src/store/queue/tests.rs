use std::net::Ipv4Addr;
use std::thread;

use super::*;
use crate::flow::{ObservationDomainId, Timestamp, Version};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);

/// So many flows, with the batch's name in each.
fn batch(name: i64, flows: usize) -> Vec<FlowRecord> {
    let exporter = Ipv4Addr::LOCALHOST.into();
    vec![FlowRecord::blank(Timestamp(name), exporter, ObservationDomainId(0), Version::V5); flows]
}

fn names(batches: &[Arc<Parcel>]) -> Vec<i64> {
    let name = |batch: &Arc<Parcel>| batch.each(|flow| Err(flow.received.0)).unwrap_err();
    batches.iter().map(name).collect()
}

#[test]
fn the_oldest_batch_goes_whole_and_is_counted() {
    let queue = Queue::new(10);
    queue.push(&batch(1, 4));
    queue.push(&batch(2, 6));
    queue.push(&[]);
    assert_eq!(queue.waiting(), Waiting { batches: 2, flows: 10, ..Waiting::default() });
    queue.push(&batch(3, 1));
    assert_eq!(queue.waiting(), Waiting { batches: 2, flows: 7, dropped_flows: 4, dropped_batches: 1 });
    queue.push(&batch(4, 11));
    assert_eq!(queue.waiting(), Waiting { batches: 0, flows: 0, dropped_flows: 22, dropped_batches: 4 });
}

#[test]
fn what_a_transaction_holds_is_not_dropped() {
    let queue = Queue::new(16);
    for name in 1..=16 {
        queue.push(&batch(name, 1));
    }
    let held = queue.hold();
    assert_eq!(names(&held), [1, 2], "an eighth of the limit");
    queue.push(&batch(25, 3));
    assert_eq!(queue.waiting().dropped_flows, 3);
    queue.release(false);
    assert_eq!(names(&queue.hold()), [1, 2], "a failed transaction keeps its batches");
    queue.release(true);
    assert_eq!((names(&queue.hold()), queue.waiting().flows), (vec![6, 7], 14));
    queue.push(&batch(26, 100));
    queue.release(true);
    let waiting = queue.waiting();
    assert_eq!((waiting.batches, waiting.flows), (0, 0));
    // 16 + 3 + 100 came, 4 were stored.
    assert_eq!(waiting.dropped_flows, 115);
}

#[test]
fn a_batch_larger_than_a_transaction_is_held_alone() {
    let queue = Queue::new(8);
    queue.push(&batch(1, 5));
    queue.push(&batch(2, 1));
    assert_eq!(names(&queue.hold()), [1]);
}

#[test]
fn a_source_that_can_wait_goes_on_when_there_is_room() {
    let queue = Arc::new(Queue::new(4));
    assert!(queue.has_room(100, Duration::ZERO), "an empty queue takes any batch");
    queue.push(&batch(1, 3));
    assert!(queue.has_room(1, Duration::ZERO));
    assert!(!queue.has_room(2, Duration::ZERO));
    let waiting = thread::spawn({
        let queue = Arc::clone(&queue);
        move || queue.has_room(2, LONG)
    });
    queue.hold();
    queue.release(true);
    assert!(waiting.join().unwrap());
    queue.push(&batch(2, 4));
    queue.abandon();
    assert!(queue.has_room(1, LONG), "nobody waits for a writer that is gone");
}

#[test]
fn the_writer_wakes_up_for_accounts_the_end_and_a_full_queue() {
    let queue = Queue::new(8);
    let later = || Instant::now() + LONG;
    queue.account(Arc::default());
    assert!(queue.wait(later(), true).health.is_some());
    queue.push(&batch(1, 3));
    let wake = queue.wait(later(), true);
    assert!(wake.is_full_enough && !wake.ended && wake.health.is_none());
    assert!(!queue.wait(Instant::now(), false).is_full_enough, "not after a failure");
    queue.end();
    assert!(queue.wait(later(), false).ended);
}
