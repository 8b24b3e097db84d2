//! sFlow: each sampled packet → a flow record of one packet, and what counter samples say about interfaces.
//!
//! Counts stay those of the one packet, with the sampling rate beside them; nothing is multiplied and nothing put
//! together to flows. The counters of interfaces are no flows and are not kept. Its input is what [`crate::wire::sflow`]
//! has cut into samples and records.

use crate::collector::options::plausible;
use crate::collector::room::{Account, Room};
use crate::collector::session::{Exporter, Origin, Session};
use crate::collector::{Collector, Fate, Sender, UNKNOWN, Units, options, packet};
use crate::flow::{
    Direction, FlowKey, FlowRecord, ObservationDomainId, Sampling, SamplingKind, SamplingSource, Version,
};
use crate::wire::reader::Reader;
use crate::wire::sflow::{Datagram, FlowSample, Interface, Sample, Source, Structure, Structures, address, opaque};
use crate::wire::{Malformed, Part};

impl Collector {
    pub(super) fn sflow(
        &mut self,
        from: Sender,
        payload: &[u8],
        flows: &mut Vec<FlowRecord>,
    ) -> Result<Fate, Malformed> {
        let Datagram { header, mut samples } = Datagram::parse(payload)?;
        let domain = ObservationDomainId(header.sub_agent);
        let parties = self.parties(from, Origin::Agent(header.agent), domain, Version::Sflow);
        let Some((session, exporter, mut room)) = parties else { return Ok(Fate::Refused) };
        // There is no time in a datagram but the agent's uptime: a packet is as old as its sample.
        exporter.stats.seen(from.received, payload, from.received);
        let before = (flows.len(), exporter.stats.counter_samples);
        let blank = FlowRecord::blank(from.received, from.address, domain, Version::Sflow);
        let walked = samples.try_for_each(|structure| take(structure?, (session, exporter, &mut room), &blank, flows));
        let made = flows.len().saturating_sub(before.0);
        let stats = &mut exporter.stats;
        stats.count_records(made, made);
        let counters = stats.counter_samples.saturating_sub(before.1);
        let units = Units {
            flows: u32::try_from(made).ok(),
            records: u32::try_from(counters.saturating_add(made as u64)).ok(),
            templates: 0,
        };
        stats.observe(session, header.sequence, if walked.is_ok() { units } else { UNKNOWN });
        match walked {
            Ok(()) => stats.trailing = stats.trailing.saturating_add(samples.remaining() as u64),
            Err(_) => stats.malformed = stats.malformed.saturating_add(1),
        }
        walked.map(|()| Fate::Decoded)
    }
}

/// Takes one sample, whole or not at all.
fn take(
    structure: Structure<'_>,
    (session, exporter, room): (&mut Session, &mut Exporter, &mut Room<'_>),
    blank: &FlowRecord,
    flows: &mut Vec<FlowRecord>,
) -> Result<(), Malformed> {
    let stats = &mut exporter.stats;
    match Sample::parse(structure)? {
        Sample::Flow(sample) => {
            let (source, drops) = (sample.source, sample.drops);
            let mut flow = flow(sample, *blank)?;
            flow.sampling = exporter.facts.rates.operator.unwrap_or(flow.sampling);
            let dropped = u64::from(session.dropped(source, drops, &mut room.facts()));
            stats.sampler_drops = stats.sampler_drops.saturating_add(dropped);
            stats.sampling = flow.sampling;
            flows.push(flow);
        }
        Sample::Counters { source, records } => {
            counters(source, records, &mut exporter.facts, &mut room.facts())?;
            stats.counter_samples = stats.counter_samples.saturating_add(1);
        }
        Sample::Unknown => stats.reserved = stats.reserved.saturating_add(1),
    }
    Ok(())
}

pub(super) fn flow(sample: FlowSample<'_>, blank: FlowRecord) -> Result<FlowRecord, Malformed> {
    let (in_if, out_if) = (index(sample.input), index(sample.output));
    let mut flow = FlowRecord {
        in_if,
        out_if,
        direction: direction(sample.source, in_if, out_if),
        forwarding: forwarding(sample.output),
        ..blank
    };
    if let Some(rate) = plausible(sample.rate.into()) {
        flow.sampling = Sampling { rate, kind: SamplingKind::Packet, source: SamplingSource::Record };
    }
    flow.counts.packets = 1;
    let mut has_header = false;
    for record in sample.records {
        let Structure { format, body: mut reader } = record?;
        match format {
            1 => has_header |= packet_header(&mut reader, &mut flow)?,
            2 => ethernet(&mut reader, &mut flow)?,
            // What an agent tells about the IP layer is less than the packet itself does.
            3 if !has_header => ip::<4>(&mut reader, &mut flow)?,
            4 if !has_header => ip::<16>(&mut reader, &mut flow)?,
            1001 => switch(&mut reader, &mut flow)?,
            1002 => router(&mut reader, &mut flow)?,
            1003 => gateway(&mut reader, &mut flow)?,
            _ => {}
        }
    }
    Ok(flow)
}

/// The first octets of the packet. Returns whether its IP layer was found.
///
/// A flow record counts octets of the IP layer. The agent tells the length of the frame, its check sequence and the
/// filling of short frames included; so the length in the IP header counts, as far as the frame holds that much. Where
/// the IP header does not tell, it is what remains of the frame. A packet without an IP layer counts as the frame.
fn packet_header(reader: &mut Reader<'_>, flow: &mut FlowRecord) -> Result<bool, Malformed> {
    let protocol = reader.u32(Part::Record)?;
    let frame = reader.u32(Part::Record)?;
    let stripped = reader.u32(Part::Record)?;
    let octets = opaque(reader, Part::Record)?;
    let size = |octets: usize| u32::try_from(octets).unwrap_or(u32::MAX);
    let frame = frame.max(size(octets.len()));
    let ip = packet::read(protocol, octets, flow);
    let bytes = match ip {
        Some(ip) => {
            let rest = frame.saturating_sub(size(ip.offset));
            if ip.length == 0 { rest.saturating_sub(stripped) } else { ip.length.min(rest) }
        }
        None if flow.counts.bytes == 0 => frame,
        None => return Ok(false),
    };
    flow.counts.bytes = bytes.into();
    Ok(ip.is_some())
}

/// An Ethernet frame without its octets.
fn ethernet(reader: &mut Reader<'_>, flow: &mut FlowRecord) -> Result<(), Malformed> {
    let length = reader.u32(Part::Record)?;
    let [src_mac @ .., _, _]: [u8; 8] = reader.array(Part::Record)?;
    let [dst_mac @ .., _, _]: [u8; 8] = reader.array(Part::Record)?;
    (flow.src_mac, flow.dst_mac) = (src_mac, dst_mac);
    if flow.counts.bytes == 0 {
        flow.counts.bytes = length.into();
    }
    Ok(())
}

/// An IP packet without its octets; `N` is the length of an address.
fn ip<const N: usize>(reader: &mut Reader<'_>, flow: &mut FlowRecord) -> Result<(), Malformed>
where
    std::net::IpAddr: From<[u8; N]>,
{
    flow.counts.bytes = reader.u32(Part::Record)?.into();
    let protocol = low8(reader.u32(Part::Record)?);
    let (src_ip, dst_ip) = (reader.array::<N>(Part::Record)?.into(), reader.array::<N>(Part::Record)?.into());
    let (src_port, dst_port) = (low16(reader.u32(Part::Record)?), low16(reader.u32(Part::Record)?));
    flow.key = FlowKey { src_ip, dst_ip, src_port, dst_port, protocol };
    flow.tcp_flags = low16(reader.u32(Part::Record)?);
    flow.tos = low8(reader.u32(Part::Record)?);
    // Type and code of ICMP stand in the places of the ports; some agents send the type in the second one alone.
    if matches!(protocol, 1 | 58) {
        flow.icmp = if src_port == 0 { dst_port << 8 } else { src_port << 8 | dst_port & 0xff };
        (flow.key.src_port, flow.key.dst_port) = (0, 0);
    }
    Ok(())
}

/// VLANs before and after, each with a priority.
fn switch(reader: &mut Reader<'_>, flow: &mut FlowRecord) -> Result<(), Malformed> {
    let mut vlan = || {
        let id = reader.u32(Part::Record)?;
        reader.u32(Part::Record)?;
        // 4095 and above is no VLAN; all ones say that it is unknown.
        Ok(u16::try_from(id).ok().filter(|id| (1..4095).contains(id)))
    };
    let (before, after) = (vlan()?, vlan()?);
    flow.vlan = before.unwrap_or(flow.vlan);
    flow.post_vlan = after.unwrap_or(flow.post_vlan);
    Ok(())
}

fn router(reader: &mut Reader<'_>, flow: &mut FlowRecord) -> Result<(), Malformed> {
    next_hop(reader, flow)?;
    flow.src_mask = low8(reader.u32(Part::Record)?);
    flow.dst_mask = low8(reader.u32(Part::Record)?);
    Ok(())
}

/// What BGP knows: the destination is the last system of the path. As in NetFlow, the router's own system is 0.
fn gateway(reader: &mut Reader<'_>, flow: &mut FlowRecord) -> Result<(), Malformed> {
    next_hop(reader, flow)?;
    reader.u32(Part::Record)?;
    flow.src_as = reader.u32(Part::Record)?;
    reader.u32(Part::Record)?;
    for _ in 0..reader.u32(Part::Record)? {
        reader.u32(Part::Record)?;
        let systems = usize::try_from(reader.u32(Part::Record)?).unwrap_or(usize::MAX);
        let (systems, _) = reader.bytes(systems.saturating_mul(4), Part::Record)?.as_chunks();
        flow.dst_as = systems.last().map_or(flow.dst_as, |system| u32::from_be_bytes(*system));
    }
    Ok(())
}

fn next_hop(reader: &mut Reader<'_>, flow: &mut FlowRecord) -> Result<(), Malformed> {
    flow.next_hop = address(reader, Part::Record)?.filter(|hop| !hop.is_unspecified()).or(flow.next_hop);
    Ok(())
}

/// SNMP index, 0 for what is none: the agent itself, several interfaces, a discard.
const fn index(interface: Interface) -> u32 {
    match interface {
        Interface { format: 0, value: 0x3fff_ffff | u32::MAX } => 0,
        Interface { format: 0, value } => value,
        Interface { .. } => 0,
    }
}

/// A source that is an interface has seen the packet where it came in or where it went out.
const fn direction(source: Source, in_if: u32, out_if: u32) -> Direction {
    match (source.kind == 0 && source.index == in_if, source.kind == 0 && source.index == out_if) {
        (true, false) => Direction::Ingress,
        (false, true) => Direction::Egress,
        _ => Direction::Unknown,
    }
}

/// The reason of a discard as forwardingStatus (element 89) puts it. Reasons below 256 are codes of "ICMP unreachable".
const fn forwarding(output: Interface) -> u8 {
    match output {
        Interface { format: 1, value } => match value {
            // Filtered: by a list, or administratively (RFC 1812 §5.2.7.1).
            258 | 9 | 10 | 13 => 129,
            0 | 1 => 131,
            4 | 262 => 133,
            257 => 137,
            261 => 138,
            260 => 139,
            _ => 128,
        },
        Interface { .. } => 0,
    }
}

/// Speeds and names of interfaces.
fn counters(
    source: Source,
    records: Structures<'_>,
    facts: &mut options::ExporterFacts,
    room: &mut Account<'_>,
) -> Result<(), Malformed> {
    for record in records {
        let Structure { format, body: mut reader } = record?;
        match format {
            1 => {
                let index = reader.u32(Part::Record)?;
                reader.u32(Part::Record)?;
                let [high, low] = [reader.u32(Part::Record)?, reader.u32(Part::Record)?].map(u64::from);
                facts.learn_speed(index, high << 32 | low, room);
            }
            1005 if source.kind == 0 => facts.learn_name(source.index, opaque(&mut reader, Part::Record)?, room),
            _ => {}
        }
    }
    Ok(())
}

const fn low8(value: u32) -> u8 {
    let [.., octet] = value.to_be_bytes();
    octet
}

const fn low16(value: u32) -> u16 {
    let [.., a, b] = value.to_be_bytes();
    u16::from_be_bytes([a, b])
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test may overflow, and fails then")]
mod tests;
