//! One flow as one line of JSON. Fields that most exporters never fill are left out while they say nothing.

use std::io::{self, Write};
use std::net::IpAddr;

use serde::Serialize;

use crate::flow::{Direction, FlowRecord, SamplingKind, SamplingSource, TimeSource, Version};

#[derive(Debug, Serialize)]
struct JsonFlow {
    received_ms: i64,
    first_ms: i64,
    last_ms: i64,
    time_source: &'static str,
    exporter: IpAddr,
    domain: u32,
    version: u16,
    src_ip: IpAddr,
    dst_ip: IpAddr,
    src_port: u16,
    dst_port: u16,
    protocol: u8,
    tcp_flags: u16,
    tos: u8,
    bytes: u64,
    packets: u64,
    in_if: u32,
    out_if: u32,
    #[serde(skip_serializing_if = "none")]
    sampling: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    sampling_kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sampling_source: Option<&'static str>,
    #[serde(skip_serializing_if = "none")]
    icmp: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    direction: Option<&'static str>,
    #[serde(skip_serializing_if = "none")]
    src_as: u32,
    #[serde(skip_serializing_if = "none")]
    dst_as: u32,
    #[serde(skip_serializing_if = "none")]
    src_mask: u8,
    #[serde(skip_serializing_if = "none")]
    dst_mask: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_hop: Option<IpAddr>,
    #[serde(skip_serializing_if = "none")]
    vlan: u16,
    #[serde(skip_serializing_if = "none")]
    post_vlan: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    src_mac: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dst_mac: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nat_src_ip: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nat_dst_ip: Option<IpAddr>,
    #[serde(skip_serializing_if = "none")]
    nat_src_port: u16,
    #[serde(skip_serializing_if = "none")]
    nat_dst_port: u16,
    #[serde(skip_serializing_if = "none")]
    event: u8,
    #[serde(skip_serializing_if = "none")]
    end_reason: u8,
    #[serde(skip_serializing_if = "none")]
    forwarding: u8,
    #[serde(skip_serializing_if = "none")]
    mpls: u32,
    #[serde(skip_serializing_if = "none")]
    application: u64,
    #[serde(skip_serializing_if = "none")]
    vrf: u32,
    #[serde(skip_serializing_if = "none")]
    reverse: bool,
}

/// The names of all fields, in their order.
pub(super) const COLUMNS: [&str; 43] = [
    "received_ms",
    "first_ms",
    "last_ms",
    "time_source",
    "exporter",
    "domain",
    "version",
    "src_ip",
    "dst_ip",
    "src_port",
    "dst_port",
    "protocol",
    "tcp_flags",
    "tos",
    "bytes",
    "packets",
    "in_if",
    "out_if",
    "sampling",
    "sampling_kind",
    "sampling_source",
    "icmp",
    "direction",
    "src_as",
    "dst_as",
    "src_mask",
    "dst_mask",
    "next_hop",
    "vlan",
    "post_vlan",
    "src_mac",
    "dst_mac",
    "nat_src_ip",
    "nat_dst_ip",
    "nat_src_port",
    "nat_dst_port",
    "event",
    "end_reason",
    "forwarding",
    "mpls",
    "application",
    "vrf",
    "reverse",
];

/// The values of a flow under [`COLUMNS`]; null where it has none.
pub(super) fn values(flow: &FlowRecord) -> io::Result<Vec<serde_json::Value>> {
    let mut fields = serde_json::to_value(JsonFlow::from(flow))?;
    Ok(COLUMNS
        .iter()
        .map(|name| fields.get_mut(*name).map_or(serde_json::Value::Null, serde_json::Value::take))
        .collect())
}

/// Writes one flow and a line feed.
///
/// # Errors
/// When `out` fails.
pub fn json_line(out: &mut impl Write, flow: &FlowRecord) -> io::Result<()> {
    serde_json::to_writer(&mut *out, &JsonFlow::from(flow))?;
    out.write_all(b"\n")
}

impl From<&FlowRecord> for JsonFlow {
    fn from(flow: &FlowRecord) -> Self {
        let sampled = flow.sampling.source != SamplingSource::None;
        Self {
            received_ms: flow.received.0,
            first_ms: flow.first.0,
            last_ms: flow.last.0,
            time_source: time_source(flow.time_source),
            exporter: flow.exporter,
            domain: flow.domain.0,
            version: Version::number(flow.version),
            src_ip: flow.key.src_ip,
            dst_ip: flow.key.dst_ip,
            src_port: flow.key.src_port,
            dst_port: flow.key.dst_port,
            protocol: flow.key.protocol,
            tcp_flags: flow.tcp_flags,
            tos: flow.tos,
            bytes: flow.counts.bytes,
            packets: flow.counts.packets,
            in_if: flow.in_if,
            out_if: flow.out_if,
            sampling: flow.sampling.rate,
            sampling_kind: sampled.then(|| sampling_kind(flow.sampling.kind)),
            sampling_source: sampled.then(|| sampling_source(flow.sampling.source)),
            icmp: flow.icmp,
            direction: direction(flow.direction),
            src_as: flow.src_as,
            dst_as: flow.dst_as,
            src_mask: flow.src_mask,
            dst_mask: flow.dst_mask,
            next_hop: flow.next_hop,
            vlan: flow.vlan,
            post_vlan: flow.post_vlan,
            src_mac: mac(flow.src_mac),
            dst_mac: mac(flow.dst_mac),
            nat_src_ip: flow.nat_src_ip,
            nat_dst_ip: flow.nat_dst_ip,
            nat_src_port: flow.nat_src_port,
            nat_dst_port: flow.nat_dst_port,
            event: flow.event,
            end_reason: flow.end_reason,
            forwarding: flow.forwarding,
            mpls: flow.mpls,
            application: flow.application,
            vrf: flow.vrf,
            reverse: flow.reverse,
        }
    }
}

fn none<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

pub(super) fn mac(octets: [u8; 6]) -> Option<String> {
    let [a, b, c, d, e, f] = octets;
    (octets != [0; 6]).then(|| format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}"))
}

pub(super) const fn time_source(source: TimeSource) -> &'static str {
    match source {
        TimeSource::Absolute => "absolute",
        TimeSource::Delta => "delta",
        TimeSource::Uptime => "uptime",
        TimeSource::Event => "event",
        TimeSource::Export => "export",
    }
}

pub(super) const fn sampling_kind(kind: SamplingKind) -> &'static str {
    match kind {
        SamplingKind::Packet => "packet",
        SamplingKind::Flow => "flow",
    }
}

pub(super) const fn sampling_source(source: SamplingSource) -> &'static str {
    match source {
        SamplingSource::None => "none",
        SamplingSource::Record => "record",
        SamplingSource::Options => "options",
        SamplingSource::Header => "header",
        SamplingSource::Operator => "operator",
    }
}

pub(super) const fn direction(direction: Direction) -> Option<&'static str> {
    match direction {
        Direction::Unknown => None,
        Direction::Ingress => Some("ingress"),
        Direction::Egress => Some("egress"),
    }
}
