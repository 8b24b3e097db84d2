//! The first octets of a packet, as a switch saw it → what a flow record says of it.
//!
//! It follows headers from the outside to the ports: Ethernet with its tags, PPPoE, MPLS, IPv4 or IPv6 with extension
//! headers. Of a tunnel it sees the outer packet. No checksum is verified and nothing is put together. What a cut header
//! would have said stays unknown: that is no fault, since a sample is a prefix by nature.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::flow::{FlowKey, FlowRecord};
use crate::wire::Part;
use crate::wire::reader::Reader;

/// What the first header is, by the numbers of sFlow.
const ETHERNET: u32 = 1;
const IPV4: u32 = 11;
const IPV6: u32 = 12;
const MPLS: u32 = 13;

/// The IP layer of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ip {
    /// Octets before it.
    pub(super) offset: usize,
    /// Octets of it by its own header; 0 when that does not say, as before segmentation by a network card.
    pub(super) length: u32,
}

/// Fills in what the headers say. `None` when there is no IP layer, or not so much of it that its addresses are known.
pub(super) fn read(protocol: u32, octets: &[u8], flow: &mut FlowRecord) -> Option<Ip> {
    let mut reader = Reader::new(octets, 0);
    let ether_type = match protocol {
        ETHERNET => ethernet(&mut reader, flow)?,
        IPV4 => 0x0800,
        IPV6 => 0x86dd,
        MPLS => mpls(&mut reader, flow)?,
        _ => return None,
    };
    let offset = reader.offset();
    let length = match ether_type {
        0x0800 => ipv4(&mut reader, flow)?,
        0x86dd => ipv6(&mut reader, flow)?,
        _ => return None,
    };
    Some(Ip { offset, length })
}

/// Takes off what precedes the IP layer, and returns the type of what follows.
fn ethernet(reader: &mut Reader<'_>, flow: &mut FlowRecord) -> Option<u16> {
    flow.dst_mac = reader.array(Part::Field).ok()?;
    flow.src_mac = reader.array(Part::Field).ok()?;
    loop {
        match reader.u16(Part::Field).ok()? {
            // 802.1Q, 802.1ad and what was sent before it. The outermost id is the one outside the customer's network.
            0x8100 | 0x88a8 | 0x9100 => {
                let id = reader.u16(Part::Field).ok()? & 0xfff;
                if flow.vlan == 0 {
                    flow.vlan = id;
                }
            }
            0x8847 | 0x8848 => return mpls(reader, flow),
            0x8864 => return pppoe(reader),
            other => return Some(other),
        }
    }
}

/// MPLS does not say what it carries; the first four bits of IP are its version (RFC 4928 §3).
fn mpls(reader: &mut Reader<'_>, flow: &mut FlowRecord) -> Option<u16> {
    let mut entry = reader.u32(Part::Field).ok()?;
    flow.mpls = entry >> 8;
    while entry & 0x100 == 0 {
        entry = reader.u32(Part::Field).ok()?;
    }
    let mut ahead = *reader;
    match ahead.u8(Part::Field).ok()? >> 4 {
        4 => Some(0x0800),
        6 => Some(0x86dd),
        _ => None,
    }
}

/// Six octets of a session, then the protocol of PPP.
fn pppoe(reader: &mut Reader<'_>) -> Option<u16> {
    reader.bytes(6, Part::Field).ok()?;
    match reader.u16(Part::Field).ok()? {
        0x0021 => Some(0x0800),
        0x0057 => Some(0x86dd),
        _ => None,
    }
}

fn ipv4(reader: &mut Reader<'_>, flow: &mut FlowRecord) -> Option<u32> {
    let [first, tos, total @ ..]: [u8; 4] = reader.array(Part::Field).ok()?;
    let [_, _, fragment @ ..]: [u8; 4] = reader.array(Part::Field).ok()?;
    let [_, protocol, _, _]: [u8; 4] = reader.array(Part::Field).ok()?;
    let source: [u8; 4] = reader.array(Part::Field).ok()?;
    let destination: [u8; 4] = reader.array(Part::Field).ok()?;
    let options = usize::from(first & 0xf).checked_sub(5)?.saturating_mul(4);
    if first >> 4 != 4 {
        return None;
    }
    let (src_ip, dst_ip) = (Ipv4Addr::from(source).into(), Ipv4Addr::from(destination).into());
    flow.key = FlowKey { src_ip, dst_ip, protocol, ..FlowKey::default() };
    flow.tos = tos;
    // Only the first fragment has the ports.
    let is_first = u16::from_be_bytes(fragment) & 0x1fff == 0;
    if is_first && reader.bytes(options, Part::Field).is_ok() {
        transport(reader, flow);
    }
    Some(u16::from_be_bytes(total).into())
}

fn ipv6(reader: &mut Reader<'_>, flow: &mut FlowRecord) -> Option<u32> {
    let first = reader.u32(Part::Field).ok()?;
    let payload = u32::from(reader.u16(Part::Field).ok()?);
    let [protocol, _]: [u8; 2] = reader.array(Part::Field).ok()?;
    let source: [u8; 16] = reader.array(Part::Field).ok()?;
    let destination: [u8; 16] = reader.array(Part::Field).ok()?;
    if first >> 28 != 6 {
        return None;
    }
    let (src_ip, dst_ip) = (Ipv6Addr::from(source).into(), Ipv6Addr::from(destination).into());
    flow.key = FlowKey { src_ip, dst_ip, protocol, ..FlowKey::default() };
    // Four bits of version, eight of traffic class, twenty of flow label.
    let [tos, ..] = (first << 4).to_be_bytes();
    flow.tos = tos;
    if extensions(reader, &mut flow.key.protocol).is_some() {
        transport(reader, flow);
    }
    // 0 is a jumbogram, or a packet before segmentation.
    Some(if payload == 0 { 0 } else { payload.saturating_add(40) })
}

/// Goes behind the extension headers (RFC 8200 §4), each of which is at least eight octets long. `None` where no
/// transport header follows.
fn extensions(reader: &mut Reader<'_>, protocol: &mut u8) -> Option<()> {
    loop {
        let unit = match *protocol {
            // Hop-by-hop, routing, destination options, mobility, HIP, shim6: eight octets, and `length` times as many.
            0 | 43 | 60 | 135 | 139 | 140 => 8,
            // Authentication (RFC 4302 §2.2) counts by fours.
            51 => 4,
            44 => {
                let [next, _, fragment @ ..]: [u8; 4] = reader.array(Part::Field).ok()?;
                reader.u32(Part::Field).ok()?;
                *protocol = next;
                if u16::from_be_bytes(fragment) & 0xfff8 != 0 {
                    return None;
                }
                continue;
            }
            _ => return Some(()),
        };
        let [next, length]: [u8; 2] = reader.array(Part::Field).ok()?;
        reader.bytes(usize::from(length).saturating_mul(unit).saturating_add(6), Part::Field).ok()?;
        *protocol = next;
    }
}

/// Ports and flags, or the type of ICMP; as much as is there.
fn transport(reader: &mut Reader<'_>, flow: &mut FlowRecord) -> Option<()> {
    match flow.key.protocol {
        1 | 58 => flow.icmp = reader.u16(Part::Field).ok()?,
        // TCP, UDP, DCCP, SCTP, UDP-Lite.
        protocol @ (6 | 17 | 33 | 132 | 136) => {
            let ports = reader.u32(Part::Field).ok()?;
            let [a, b, c, d] = ports.to_be_bytes();
            flow.key.src_port = u16::from_be_bytes([a, b]);
            flow.key.dst_port = u16::from_be_bytes([c, d]);
            if protocol == 6 {
                reader.bytes(8, Part::Field).ok()?;
                flow.tcp_flags = reader.u16(Part::Field).ok()? & 0xfff;
            }
        }
        _ => {}
    }
    Some(())
}

#[cfg(test)]
mod tests;
