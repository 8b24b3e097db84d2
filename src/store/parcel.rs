//! A batch of flows as it waits to be written, packed.
//!
//! What waits is met again when no cache holds it any more, and the whole buffer may be full of it. Most flows are
//! between IPv4 hosts and say nothing that only `details` can hold: they take 64 octets here, not a whole record.
//! Nothing is lost and nothing changes its place; [`Parcel::each`] gives back what [`Parcel::new`] was given.

use std::net::{IpAddr, Ipv4Addr};

use crate::flow::{Counts, Direction, FlowKey, FlowRecord, Sampling, TimeSource, Timestamp};
use crate::store::accounts::Identity;
use crate::store::row::has_details;

/// See the module.
#[derive(Debug)]
pub struct Parcel {
    runs: Vec<Run>,
    plain: Vec<Plain>,
    others: Vec<FlowRecord>,
}

/// So many flows of one kind in a row.
#[derive(Debug)]
struct Run {
    /// What plain ones have in common; `None` for others.
    common: Option<Common>,
    flows: usize,
}

/// What is the same for most flows of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Common {
    reporter: Identity,
    received: Timestamp,
    sampling: Sampling,
}

/// A flow between IPv4 hosts, without what only `details` can hold.
#[derive(Debug)]
struct Plain {
    counts: Counts,
    src: Ipv4Addr,
    dst: Ipv4Addr,
    in_if: u32,
    out_if: u32,
    src_as: u32,
    dst_as: u32,
    /// Milliseconds before it was received.
    first_ago: i32,
    last_ago: i32,
    src_port: u16,
    dst_port: u16,
    tcp_flags: u16,
    icmp: u16,
    protocol: u8,
    tos: u8,
    direction: Direction,
    time_source: TimeSource,
}

impl Parcel {
    pub fn new(flows: &[FlowRecord]) -> Self {
        let mut parcel = Self { runs: Vec::new(), plain: Vec::with_capacity(flows.len()), others: Vec::new() };
        flows.iter().for_each(|flow| parcel.pack(flow));
        // Many of them may wait.
        parcel.runs.shrink_to_fit();
        parcel.plain.shrink_to_fit();
        parcel.others.shrink_to_fit();
        parcel
    }

    fn pack(&mut self, flow: &FlowRecord) {
        let plain = Plain::of(flow);
        let common = plain.is_some().then(|| Common::of(flow));
        match self.runs.last_mut() {
            Some(run) if run.common == common => run.flows += 1,
            _ => self.runs.push(Run { common, flows: 1 }),
        }
        match plain {
            Some(plain) => self.plain.push(plain),
            None => self.others.push(*flow),
        }
    }

    pub const fn len(&self) -> usize {
        self.plain.len() + self.others.len()
    }

    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Hands out what it was made of, in the same order, until an error.
    pub fn each<E>(&self, mut take: impl FnMut(&FlowRecord) -> Result<(), E>) -> Result<(), E> {
        let (mut plain, mut others) = (self.plain.iter(), self.others.iter());
        for run in &self.runs {
            let Some(common) = run.common else {
                others.by_ref().take(run.flows).try_for_each(&mut take)?;
                continue;
            };
            let mut flow = common.blank();
            for plain in plain.by_ref().take(run.flows) {
                plain.put(&mut flow);
                take(&flow)?;
            }
        }
        Ok(())
    }
}

impl Common {
    const fn of(flow: &FlowRecord) -> Self {
        Self { reporter: (flow.exporter, flow.domain, flow.version), received: flow.received, sampling: flow.sampling }
    }

    fn blank(self) -> FlowRecord {
        let (exporter, domain, version) = self.reporter;
        FlowRecord { sampling: self.sampling, ..FlowRecord::blank(self.received, exporter, domain, version) }
    }
}

impl Plain {
    /// `None` for a flow that is none, or whose times are weeks from its arrival.
    fn of(flow: &FlowRecord) -> Option<Self> {
        let (src, dst) = plain_ends(flow)?;
        Some(Self {
            counts: flow.counts,
            src,
            dst,
            in_if: flow.in_if,
            out_if: flow.out_if,
            src_as: flow.src_as,
            dst_as: flow.dst_as,
            first_ago: i32::try_from(flow.received.since(flow.first)).ok()?,
            last_ago: i32::try_from(flow.received.since(flow.last)).ok()?,
            src_port: flow.key.src_port,
            dst_port: flow.key.dst_port,
            tcp_flags: flow.tcp_flags,
            icmp: flow.icmp,
            protocol: flow.key.protocol,
            tos: flow.tos,
            direction: flow.direction,
            time_source: flow.time_source,
        })
    }

    /// Puts all that it knows into a flow that holds what it does not.
    fn put(&self, flow: &mut FlowRecord) {
        flow.first = flow.received.plus(-i64::from(self.first_ago));
        flow.last = flow.received.plus(-i64::from(self.last_ago));
        flow.time_source = self.time_source;
        flow.key = FlowKey {
            src_ip: self.src.into(),
            dst_ip: self.dst.into(),
            src_port: self.src_port,
            dst_port: self.dst_port,
            protocol: self.protocol,
        };
        flow.counts = self.counts;
        flow.tcp_flags = self.tcp_flags;
        flow.tos = self.tos;
        flow.icmp = self.icmp;
        flow.direction = self.direction;
        flow.in_if = self.in_if;
        flow.out_if = self.out_if;
        flow.src_as = self.src_as;
        flow.dst_as = self.dst_as;
    }
}

/// Both addresses of a flow that is a plain one.
fn plain_ends(flow: &FlowRecord) -> Option<(Ipv4Addr, Ipv4Addr)> {
    match (flow.key.src_ip, flow.key.dst_ip) {
        (IpAddr::V4(src), IpAddr::V4(dst)) if !has_details(flow) => Some((src, dst)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
