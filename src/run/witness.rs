//! The last datagrams as they came, for who wants to see of which octets a flow was made.
//!
//! Only a run with a screen has them. They lie in one ring, so that a datagram costs a copy and no allocation; the oldest
//! make room. While time stands still on the screen, so does the ring, since what is looked at is of then.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::watch;

use crate::collector::Collector;
use crate::collector::evidence::Evidence;
use crate::flow::{FlowRecord, Timestamp};

/// Octets of all datagrams that are held; older ones go.
const OCTETS: usize = 8 << 20;
/// Datagrams that are held, however short they are; older ones go.
const DATAGRAMS: usize = 32_768;

/// What the screen wants of whoever has the datagrams.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Asked {
    /// The flow whose record is wanted.
    pub(super) flow: Option<FlowRecord>,
    /// Whether time stands still.
    pub(super) is_frozen: bool,
}

/// A record, or that it is not held.
pub(super) type Found = (FlowRecord, Option<Arc<Evidence>>);

#[derive(Debug)]
pub(super) struct Witness {
    octets: VecDeque<u8>,
    datagrams: VecDeque<Datagram>,
    asked: watch::Receiver<Asked>,
    now: Asked,
}

/// Whose octets follow those of the one before.
#[derive(Debug, Clone, Copy)]
struct Datagram {
    received: Timestamp,
    from: SocketAddr,
    length: usize,
}

impl Witness {
    pub(super) fn new(asked: watch::Receiver<Asked>) -> Self {
        let octets = VecDeque::with_capacity(OCTETS);
        Self { octets, datagrams: VecDeque::with_capacity(DATAGRAMS), asked, now: Asked::default() }
    }

    /// Holds a datagram, unless time stands still.
    pub(super) fn hold(&mut self, received: Timestamp, from: SocketAddr, payload: &[u8]) {
        if self.now.is_frozen {
            return;
        }
        while OCTETS < self.octets.len() + payload.len() || DATAGRAMS <= self.datagrams.len() {
            let Some(oldest) = self.datagrams.pop_front() else { return };
            self.octets.drain(..oldest.length);
        }
        self.octets.extend(payload);
        self.datagrams.push_back(Datagram { received, from, length: payload.len() });
    }

    /// The answer to a question that is new.
    pub(super) fn answer(&mut self, collector: &Collector) -> Option<Found> {
        if !self.asked.has_changed().unwrap_or(false) {
            return None;
        }
        self.now = *self.asked.borrow_and_update();
        let flow = self.now.flow?;
        Some((flow, self.find(collector, &flow).map(Arc::new)))
    }

    fn find(&self, collector: &Collector, flow: &FlowRecord) -> Option<Evidence> {
        let mut begin = 0;
        self.datagrams.iter().find_map(|datagram| {
            let place = begin..begin + datagram.length;
            begin = place.end;
            if (datagram.received, datagram.from.ip().to_canonical()) != (flow.received, flow.exporter) {
                return None;
            }
            let payload: Vec<u8> = self.octets.range(place).copied().collect();
            collector.evidence(datagram.from, &payload, flow)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::Limits;
    use crate::wire::{emit, v5};

    const FROM: &str = "192.0.2.1:50000";

    /// A collector that has heard a datagram a millisecond, and what it made of them.
    fn heard(datagrams: i64) -> (Witness, watch::Sender<Asked>, Collector, Vec<FlowRecord>) {
        let (ask, asked) = watch::channel(Asked::default());
        let (mut witness, mut collector) = (Witness::new(asked), Collector::new(Limits::default()));
        let mut flows = Vec::new();
        for at in 0..datagrams {
            let mut records = [[1; v5::RECORD]; 30];
            records[7][..4].copy_from_slice(&u32::try_from(at).unwrap().to_be_bytes());
            let payload = emit::v5(v5::Header { count: 30, ..v5::Header::default() }, &records);
            let received = Timestamp(1_700_000_000_000 + at);
            witness.hold(received, FROM.parse().unwrap(), &payload);
            collector.datagram(received, FROM.parse().unwrap(), &payload, &mut flows).unwrap();
        }
        (witness, ask, collector, flows)
    }

    #[test]
    fn the_record_of_a_flow_is_found_as_long_as_it_is_held() {
        let (mut witness, ask, collector, flows) = heard(20_000);
        assert!(witness.octets.len() <= OCTETS && OCTETS - 2_000 < witness.octets.len(), "{}", witness.octets.len());
        assert_eq!(witness.octets.capacity(), OCTETS, "nothing was allocated again");
        assert_eq!(witness.answer(&collector), None, "nobody asked");
        let mut asked = |flow| {
            ask.send_replace(Asked { flow: Some(flow), is_frozen: false });
            let (of, found) = witness.answer(&collector).unwrap();
            assert_eq!(of, flow);
            found
        };
        let flow = flows[19_999 * 30 + 7];
        let found = asked(flow).unwrap();
        assert_eq!((found.octets.len(), found.offset), (v5::RECORD, v5::HEADER + 7 * v5::RECORD));
        assert_eq!(found.octets[..4], 19_999_u32.to_be_bytes());
        assert_eq!(asked(flows[7]), None, "that of the first datagram has made room");
    }

    #[test]
    fn while_time_stands_still_nothing_makes_room() {
        let (mut witness, ask, collector, flows) = heard(10);
        ask.send_replace(Asked { flow: None, is_frozen: true });
        assert_eq!(witness.answer(&collector), None);
        (0..20_000).for_each(|_| witness.hold(Timestamp(0), FROM.parse().unwrap(), &[0; 1_000]));
        assert_eq!(witness.datagrams.len(), 10);
        ask.send_replace(Asked { flow: Some(flows[7]), is_frozen: true });
        assert!(witness.answer(&collector).unwrap().1.is_some());
    }

    #[test]
    fn short_datagrams_are_bounded_by_their_number() {
        let (mut witness, ..) = heard(0);
        (0..2 * DATAGRAMS).for_each(|_| witness.hold(Timestamp(0), FROM.parse().unwrap(), &[0]));
        assert_eq!((witness.datagrams.len(), witness.octets.len()), (DATAGRAMS, DATAGRAMS));
        assert_eq!(witness.datagrams.capacity(), DATAGRAMS);
    }
}
