//! The sending end of a channel to a thread, bounded in messages and in the flows within them.
//!
//! A batch has one flow or sixteen thousand, so that a bound of messages alone says little of memory.

use std::ops::Deref;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, SendError, Sender, TrySendError, bounded};

use crate::flow::FlowRecord;
use crate::run::pipeline::Message;

/// Messages that may wait for a thread.
const MESSAGES: usize = 1024;
/// Flows that may wait for a thread, 232 octets each: a second at full speed.
const FLOWS: usize = 500_000;
/// How long a source that can wait does so before it looks again.
const NAP: Duration = Duration::from_millis(1);

#[derive(Debug, Clone)]
pub(super) struct Outlet {
    sender: Sender<Message>,
    /// Flows that wait.
    waiting: Arc<AtomicUsize>,
    /// Gone when nobody takes messages any more; those in the channel wait for ever then.
    taker: Weak<()>,
}

/// The other end.
pub(super) struct Inbox {
    receiver: Receiver<Message>,
    _taker: Arc<()>,
}

/// A batch on its way to a thread; it counts as waiting until it is let go.
#[derive(Debug)]
pub(super) struct Batch {
    flows: Arc<[FlowRecord]>,
    waiting: Arc<AtomicUsize>,
}

impl Outlet {
    pub(super) fn new() -> (Self, Inbox) {
        let (sender, receiver) = bounded(MESSAGES);
        let taker = Arc::new(());
        let outlet = Self { sender, waiting: Arc::default(), taker: Arc::downgrade(&taker) };
        (outlet, Inbox { receiver, _taker: taker })
    }

    /// For those who send no flows.
    pub(super) fn sender(&self) -> Sender<Message> {
        self.sender.clone()
    }

    /// Waits until there is room.
    pub(super) fn send(&self, message: Message) -> Result<(), SendError<Message>> {
        self.sender.send(message)
    }

    pub(super) fn try_send(&self, message: Message) -> Result<(), TrySendError<Message>> {
        self.sender.try_send(message)
    }

    /// Waits until there is room for them; an error says that the thread has gone.
    pub(super) fn send_flows(&self, flows: Arc<[FlowRecord]>) -> Result<(), SendError<Message>> {
        self.wait(flows.len());
        self.sender.send(Message::Flows(self.batch(flows)))
    }

    /// The same, of flows that were stored long before.
    pub(super) fn send_past(&self, flows: Arc<[FlowRecord]>) -> Result<(), SendError<Message>> {
        self.wait(flows.len());
        self.sender.send(Message::Past(self.batch(flows)))
    }

    fn wait(&self, flows: usize) {
        while !self.has_room(flows) && self.taker.strong_count() != 0 {
            thread::sleep(NAP);
        }
    }

    pub(super) fn try_send_flows(&self, flows: Arc<[FlowRecord]>) -> Result<(), TrySendError<Message>> {
        let has_room = self.has_room(flows.len());
        let batch = Message::Flows(self.batch(flows));
        if has_room { self.sender.try_send(batch) } else { Err(TrySendError::Full(batch)) }
    }

    /// Whoever has nothing to do takes any batch.
    fn has_room(&self, flows: usize) -> bool {
        let waiting = self.waiting.load(Ordering::Relaxed);
        waiting == 0 || waiting.saturating_add(flows) <= FLOWS
    }

    fn batch(&self, flows: Arc<[FlowRecord]>) -> Batch {
        self.waiting.fetch_add(flows.len(), Ordering::Relaxed);
        Batch { flows, waiting: Arc::clone(&self.waiting) }
    }
}

impl Batch {
    /// The flows, for who keeps them beyond their way.
    pub(super) fn shared(&self) -> Arc<[FlowRecord]> {
        Arc::clone(&self.flows)
    }
}

impl Deref for Inbox {
    type Target = Receiver<Message>;

    fn deref(&self) -> &Self::Target {
        &self.receiver
    }
}

impl Deref for Batch {
    type Target = [FlowRecord];

    fn deref(&self) -> &Self::Target {
        &self.flows
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.waiting.fetch_sub(self.flows.len(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::flow::{ObservationDomainId, Timestamp, Version};

    fn flows(count: usize) -> Arc<[FlowRecord]> {
        let nobody = Ipv4Addr::UNSPECIFIED.into();
        vec![FlowRecord::blank(Timestamp(0), nobody, ObservationDomainId(0), Version::V9); count].into()
    }

    #[test]
    fn what_waits_is_bounded_in_flows_and_a_batch_that_is_let_go_makes_room() {
        let (outlet, receiver) = Outlet::new();
        let batch = flows(FLOWS / 10);
        (0..10).for_each(|_| outlet.try_send_flows(Arc::clone(&batch)).unwrap());
        assert!(matches!(outlet.try_send_flows(Arc::clone(&batch)), Err(TrySendError::Full(_))));
        // What was refused does not count as waiting.
        assert_eq!(outlet.waiting.load(Ordering::Relaxed), FLOWS / 10 * 10);
        drop(receiver.recv().unwrap());
        outlet.try_send_flows(batch).unwrap();
    }

    #[test]
    fn a_batch_larger_than_the_bound_goes_to_a_thread_that_has_nothing_to_do() {
        let (outlet, receiver) = Outlet::new();
        outlet.try_send_flows(flows(FLOWS + 1)).unwrap();
        assert!(outlet.try_send_flows(flows(1)).is_err());
        assert!(matches!(receiver.recv().unwrap(), Message::Flows(batch) if batch.len() == FLOWS + 1));
        assert!(outlet.try_send_flows(flows(1)).is_ok());
    }

    #[test]
    fn a_source_that_waits_goes_on_when_there_is_room_and_when_nobody_is_left() {
        let (outlet, receiver) = Outlet::new();
        outlet.send_flows(flows(FLOWS)).unwrap();
        let waits = {
            let outlet = outlet.clone();
            thread::spawn(move || outlet.send_flows(flows(1)).is_ok())
        };
        drop(receiver.recv().unwrap());
        assert!(waits.join().unwrap());
        drop(receiver);
        assert!(outlet.send_flows(flows(FLOWS)).is_err());
    }
}
