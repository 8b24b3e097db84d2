//! A batch of flows as it waits to be written, packed.
//!
//! What waits is met again when no cache holds it any more, and the whole buffer may be full of it. Most flows are
//! between IPv4 hosts and say nothing that only `details` can hold: they take 88 octets here, not a whole record.
//! Nothing is lost and nothing changes its place; [`Parcel::flows`] gives back what [`Parcel::new`] was given.

use std::net::{IpAddr, Ipv4Addr};

use crate::flow::{Counts, Direction, FlowKey, FlowRecord, Sampling, TimeSource, Timestamp};
use crate::store::accounts::Identity;
use crate::store::row::has_details;

/// See the module.
#[derive(Debug)]
pub struct Parcel {
    /// Whether each flow is the next one of `plain`, or of `others`.
    order: Vec<bool>,
    plain: Vec<Plain>,
    others: Vec<FlowRecord>,
    /// Who reported the plain ones; one after the other, so that one may stand here several times.
    reporters: Vec<Identity>,
}

#[derive(Debug)]
struct Plain {
    received: Timestamp,
    first: Timestamp,
    last: Timestamp,
    counts: Counts,
    src: Ipv4Addr,
    dst: Ipv4Addr,
    in_if: u32,
    out_if: u32,
    src_as: u32,
    dst_as: u32,
    sampling: Sampling,
    /// Its place in `reporters`.
    reporter: u32,
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
        let plain = flows.iter().filter(|flow| plain_ends(flow).is_some()).count();
        let mut parcel = Self {
            order: Vec::with_capacity(flows.len()),
            plain: Vec::with_capacity(plain),
            others: Vec::with_capacity(flows.len() - plain),
            reporters: Vec::new(),
        };
        for flow in flows {
            parcel.pack(flow);
        }
        parcel
    }

    fn pack(&mut self, flow: &FlowRecord) {
        let ends = plain_ends(flow);
        self.order.push(ends.is_some());
        let Some((src, dst)) = ends else { return self.others.push(*flow) };
        let reporter = (flow.exporter, flow.domain, flow.version);
        if self.reporters.last() != Some(&reporter) {
            self.reporters.push(reporter);
        }
        self.plain.push(Plain {
            received: flow.received,
            first: flow.first,
            last: flow.last,
            counts: flow.counts,
            src,
            dst,
            in_if: flow.in_if,
            out_if: flow.out_if,
            src_as: flow.src_as,
            dst_as: flow.dst_as,
            sampling: flow.sampling,
            reporter: u32::try_from(self.reporters.len() - 1).unwrap_or(u32::MAX),
            src_port: flow.key.src_port,
            dst_port: flow.key.dst_port,
            tcp_flags: flow.tcp_flags,
            icmp: flow.icmp,
            protocol: flow.key.protocol,
            tos: flow.tos,
            direction: flow.direction,
            time_source: flow.time_source,
        });
    }

    pub fn len(&self) -> usize {
        self.order.len()
    }

    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// What it was made of, in the same order.
    pub fn flows(&self) -> impl Iterator<Item = FlowRecord> {
        let (mut plain, mut others) = (self.plain.iter(), self.others.iter());
        self.order.iter().filter_map(move |is_plain| match is_plain {
            true => plain.next().and_then(|plain| self.unpack(plain)),
            false => others.next().copied(),
        })
    }

    fn unpack(&self, plain: &Plain) -> Option<FlowRecord> {
        let &(exporter, domain, version) = self.reporters.get(plain.reporter as usize)?;
        Some(FlowRecord {
            first: plain.first,
            last: plain.last,
            time_source: plain.time_source,
            key: FlowKey {
                src_ip: plain.src.into(),
                dst_ip: plain.dst.into(),
                src_port: plain.src_port,
                dst_port: plain.dst_port,
                protocol: plain.protocol,
            },
            counts: plain.counts,
            sampling: plain.sampling,
            tcp_flags: plain.tcp_flags,
            tos: plain.tos,
            icmp: plain.icmp,
            direction: plain.direction,
            in_if: plain.in_if,
            out_if: plain.out_if,
            src_as: plain.src_as,
            dst_as: plain.dst_as,
            ..FlowRecord::blank(plain.received, exporter, domain, version)
        })
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
