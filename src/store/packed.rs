//! What of a flow shares a column of `flows`: packed, unpacked, and the SQL that reads one of it.
//!
//! A column costs an octet of each row even when it is empty, and a part of the work of writing and reading it. So both
//! ports are one number and so are both systems, and what says how a flow travelled is another one, frequent values in its
//! lower bits, since a number is stored in as few octets as it needs. It opens no database; `row` binds and reads, `schema`
//! has the table.

use std::net::Ipv4Addr;

use crate::flow::{Direction, FlowRecord, TimeSource};

/// Ports in SQL, for a query `FROM flows AS f`, like all that follows.
pub(super) const SRC_PORT: &str = "((f.ports >> 16) & 65535)";
pub(super) const DST_PORT: &str = "(f.ports & 65535)";

/// Numbers of autonomous systems.
pub(super) const SRC_AS: &str = "((f.systems >> 32) & 4294967295)";
pub(super) const DST_AS: &str = "(f.systems & 4294967295)";

/// See [`traits`].
pub(super) const PROTOCOL: &str = "(f.traits & 255)";
pub(super) const TCP_FLAGS: &str = "(((f.traits >> 8) & 255) | ((f.traits >> 37) & 65280))";
pub(super) const DIRECTION: &str = "((f.traits >> 16) & 3)";
pub(super) const TIME_SOURCE: &str = "((f.traits >> 18) & 7)";
pub(super) const TOS: &str = "((f.traits >> 21) & 255)";
pub(super) const ICMP: &str = "((f.traits >> 29) & 65535)";

/// The columns of `flows` of an older file, up to version 11, as those of this one. Each row of `unpacked` has one value
/// per column, and addresses without a sign.
pub(super) const FROM_UNPACKED: &str = "
    CASE typeof(src) WHEN 'integer' THEN (src << 32) >> 32 ELSE src END,
    CASE typeof(dst) WHEN 'integer' THEN (dst << 32) >> 32 ELSE dst END,
    (((src_port << 16) | dst_port) << 32) >> 32,
    protocol | ((tcp_flags & 255) << 8) | (direction << 16) | (time_source << 18) | (tos << 21) | (icmp << 29)
        | ((tcp_flags >> 8) << 45),
    exporter, first_ago, last_ago, bytes, packets, sampling, in_if, out_if, (src_as << 32) | dst_as, id";

/// 32 bits as a signed number: half of all addresses take four octets in the place of six.
pub(super) fn narrow(address: Ipv4Addr) -> i64 {
    address.to_bits().cast_signed().into()
}

/// Both ports, as a signed number of 32 bits.
pub(super) fn ports(flow: &FlowRecord) -> i64 {
    (u32::from(flow.key.src_port) << 16 | u32::from(flow.key.dst_port)).cast_signed().into()
}

/// The numbers of both autonomous systems. Most exporters know none.
pub(super) fn systems(flow: &FlowRecord) -> i64 {
    (u64::from(flow.src_as) << 32 | u64::from(flow.dst_as)).cast_signed()
}

/// Protocol, TCP flags, direction, source of the times, type of service and ICMP. Of a TCP flow nearly always three octets.
pub(super) fn traits(flow: &FlowRecord) -> i64 {
    let [high, low] = flow.tcp_flags.to_be_bytes();
    i64::from(flow.key.protocol)
        | i64::from(low) << 8
        | (flow.direction as i64) << 16
        | (flow.time_source as i64) << 18
        | i64::from(flow.tos) << 21
        | i64::from(flow.icmp) << 29
        | i64::from(high) << 45
}

/// Gives a flow what [`ports`] has packed. Other bits, which no program of ours writes, mean nothing.
#[expect(clippy::cast_possible_truncation, reason = "each is cut to its bits")]
pub(super) const fn put_ports(packed: i64, flow: &mut FlowRecord) {
    flow.key.src_port = (packed >> 16) as u16;
    flow.key.dst_port = packed as u16;
}

/// Gives a flow what [`systems`] has packed.
#[expect(clippy::cast_possible_truncation, reason = "each is cut to its bits")]
pub(super) const fn put_systems(packed: i64, flow: &mut FlowRecord) {
    flow.src_as = (packed >> 32) as u32;
    flow.dst_as = packed as u32;
}

/// Gives a flow its protocol alone, from what [`traits`] has packed.
#[expect(clippy::cast_possible_truncation, reason = "it is cut to its bits")]
pub(super) const fn put_protocol(packed: i64, flow: &mut FlowRecord) {
    flow.key.protocol = packed as u8;
}

/// Gives a flow all that [`traits`] has packed.
#[expect(clippy::cast_possible_truncation, reason = "each is cut to its bits")]
pub(super) const fn put_traits(packed: i64, flow: &mut FlowRecord) {
    put_protocol(packed, flow);
    flow.tcp_flags = u16::from_be_bytes([(packed >> 45) as u8, (packed >> 8) as u8]);
    flow.direction = match packed >> 16 & 3 {
        1 => Direction::Ingress,
        2 => Direction::Egress,
        _ => Direction::Unknown,
    };
    flow.time_source = match packed >> 18 & 7 {
        0 => TimeSource::Absolute,
        1 => TimeSource::Delta,
        2 => TimeSource::Uptime,
        3 => TimeSource::Event,
        _ => TimeSource::Export,
    };
    flow.tos = (packed >> 21) as u8;
    flow.icmp = (packed >> 29) as u16;
}

#[cfg(test)]
pub(super) mod tests;
