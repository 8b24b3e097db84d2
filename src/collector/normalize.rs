//! Meaning: the numbers of one record → a flow record, or two when the record held both directions.
//!
//! This is the only place that says which counter, time, address or rate wins where a record carries several. It
//! does no framing and keeps no state; what the exporter said elsewhere comes in as [`Context`].

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::collector::options::{Named, REVERSE_INITIATOR, SetRates, plausible};
use crate::collector::plan::{Plan, Register, Registers, TimeForm};
use crate::flow::{
    Counts, Direction, FlowKey, FlowRecord, Sampling, SamplingKind, SamplingSource, TimeSource, Timestamp,
};
use crate::wire::v5;

/// What holds for every record of one set.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context<'a> {
    /// A record with the exporter, domain, version and receive time filled in.
    pub(super) blank: FlowRecord,
    /// When the exporter says that it sent the message.
    pub(super) export: Timestamp,
    /// When the exporter booted, if the header or an options record told.
    pub(super) boot: Option<Timestamp>,
    pub(super) rates: SetRates<'a>,
    /// Whether options records say that the source of a record of both directions is the responder.
    pub(super) is_biflow_turned: bool,
}

/// Makes the flow record of one data record, and pushes the answering half too where there is one.
#[inline]
pub(super) fn push(plan: &Plan, registers: &Registers, context: &Context<'_>, flows: &mut Vec<FlowRecord>) {
    // The record is filled where it lies, since it is large and there are millions of them.
    flows.push(context.blank);
    let Some(flow) = flows.last_mut() else { return };
    addresses(plan, registers, flow);
    times(plan, registers, context, flow);
    attributes(plan, registers, flow);
    let pair = |(bytes, packets)| Counts { bytes: registers.get(bytes), packets: registers.get(packets) };
    if plan.has_rare {
        rare(registers, flow);
    }
    if plan.has_sampling || context.rates.is_by_record() {
        flow.sampling = sampling(plan, registers, &context.rates, flow);
    }
    let (mut forward, mut reverse) = (pair(plan.forward), pair(plan.reverse));
    let is_turned = match plan.says_direction {
        true => registers.get(Register::BiflowDirection) == REVERSE_INITIATOR,
        false => context.is_biflow_turned,
    };
    if is_turned && plan.is_by_role {
        (forward, reverse) = (reverse, forward);
        // With nothing of the initiator, the record is the answer alone.
        flow.reverse = reverse.is_zero() && !forward.is_zero();
    }
    flow.counts = forward;
    if !reverse.is_zero() {
        let mut other = flow.answered(reverse, low16(registers.get(Register::ReverseTcpFlags)));
        answer(plan, registers, &mut other);
        if is_turned {
            (flow.reverse, other.reverse) = (true, false);
            std::mem::swap(flow, &mut other);
            // An answer that was none.
            if other.counts.is_zero() {
                return;
            }
        }
        flows.push(other);
    }
}

/// What the answering half has of its own beside counts and flags; without it, what the forward half has.
fn answer(plan: &Plan, r: &Registers, flow: &mut FlowRecord) {
    if plan.present.has(Register::ReverseTos) {
        flow.tos = low8(r.get(Register::ReverseTos));
    }
    if !matches!(flow.key.protocol, 1 | 58) {
        return;
    }
    if plan.present.has(Register::ReverseIcmp) {
        flow.icmp = low16(r.get(Register::ReverseIcmp));
    } else if plan.present.has(Register::ReverseIcmpType) {
        let (kind, code) = (r.get(Register::ReverseIcmpType), r.get(Register::ReverseIcmpCode));
        flow.icmp = u16::from_be_bytes([low8(kind), low8(code)]);
    }
}

/// IPv4 unless the record has only an IPv6 address, or both and the IPv4 one is zero.
#[inline]
fn addresses(plan: &Plan, r: &Registers, flow: &mut FlowRecord) {
    let four = r.get(Register::SrcIpv4) | r.get(Register::DstIpv4) != 0;
    if plan.has_ipv6 && !four {
        flow.key.src_ip = ipv6(r, Register::SrcIpv6High, Register::SrcIpv6Low);
        flow.key.dst_ip = ipv6(r, Register::DstIpv6High, Register::DstIpv6Low);
        flow.src_mask = low8(r.get(Register::SrcMask6));
        flow.dst_mask = low8(r.get(Register::DstMask6));
    } else {
        flow.key.src_ip = ipv4(r.get(Register::SrcIpv4));
        flow.key.dst_ip = ipv4(r.get(Register::DstIpv4));
        flow.src_mask = low8(r.get(Register::SrcMask));
        flow.dst_mask = low8(r.get(Register::DstMask));
    }
    flow.key.src_port = low16(r.get(Register::SrcPort));
    flow.key.dst_port = low16(r.get(Register::DstPort));
    flow.key.protocol = low8(r.get(Register::Protocol));
    flow.next_hop = either(r, Register::NextHop4, (Register::NextHop6High, Register::NextHop6Low));
}

/// An address that a record has in one of two families; zero means that it has none.
#[inline]
fn either(r: &Registers, four: Register, six: (Register, Register)) -> Option<IpAddr> {
    if r.get(four) != 0 {
        return Some(ipv4(r.get(four)));
    }
    (r.get(six.0) | r.get(six.1) != 0).then(|| ipv6(r, six.0, six.1))
}

fn attributes(plan: &Plan, r: &Registers, flow: &mut FlowRecord) {
    flow.tcp_flags = low16(r.get(Register::TcpFlags));
    flow.tos = low8(r.get(Register::Tos));
    if matches!(flow.key.protocol, 1 | 58) {
        flow.icmp = icmp(plan, r, flow.key);
        // ICMP has no ports; a type and code that an exporter put there are not a service.
        flow.key.src_port = 0;
        flow.key.dst_port = 0;
    }
    flow.direction = match (plan.present.has(Register::Direction), r.get(Register::Direction)) {
        (true, 0) => Direction::Ingress,
        (true, 1) => Direction::Egress,
        _ => Direction::Unknown,
    };
    flow.in_if = interface(r, Register::InIf, Register::PhysicalInIf);
    flow.out_if = interface(r, Register::OutIf, Register::PhysicalOutIf);
    flow.src_as = low32(r.get(Register::SrcAs));
    flow.dst_as = low32(r.get(Register::DstAs));
}

/// What most templates have nothing of.
fn rare(r: &Registers, flow: &mut FlowRecord) {
    flow.nat_src_ip = either(r, Register::NatSrc4, (Register::NatSrc6High, Register::NatSrc6Low));
    flow.nat_dst_ip = either(r, Register::NatDst4, (Register::NatDst6High, Register::NatDst6Low));
    flow.nat_src_port = low16(r.get(Register::NatSrcPort));
    flow.nat_dst_port = low16(r.get(Register::NatDstPort));
    flow.vlan = low16(r.get(Register::Vlan)) & 0xfff;
    flow.post_vlan = low16(r.get(Register::PostVlan)) & 0xfff;
    flow.src_mac = mac(r.get(Register::SrcMac));
    flow.dst_mac = mac(r.get(Register::DstMac));
    flow.event = low8(r.get(Register::Event));
    flow.end_reason = low8(r.get(Register::EndReason));
    flow.forwarding = low8(r.get(Register::Forwarding));
    flow.mpls = low32(r.get(Register::Mpls));
    flow.application = r.get(Register::Application);
    flow.vrf = low32(r.get(Register::Vrf));
}

/// The three places of type and code: an element of their own, two elements, or the destination port (v9), which
/// some Cisco boxes mistake for the source port.
fn icmp(plan: &Plan, r: &Registers, key: FlowKey) -> u16 {
    if plan.present.has(Register::Icmp) {
        return low16(r.get(Register::Icmp));
    }
    if plan.present.has(Register::IcmpType) {
        return u16::from_be_bytes([low8(r.get(Register::IcmpType)), low8(r.get(Register::IcmpCode))]);
    }
    icmp_of_ports(key.src_port, key.dst_port)
}

/// Type and code that stand where ports do: both in the destination port, as nearly everybody has it; both in the source
/// port (some Cisco boxes); or the type in the source port and the code in the destination port (fprobe).
const fn icmp_of_ports(src: u16, dst: u16) -> u16 {
    match (src, dst) {
        (1..=255, 0..=255) => src << 8 | dst,
        (_, 0) => src,
        _ => dst,
    }
}

/// 65535 says "none" for exporters that send two octets (ipt_NETFLOW).
fn interface(r: &Registers, logical: Register, physical: Register) -> u32 {
    match low32(r.get(logical)) {
        0 | 0xffff => match low32(r.get(physical)) {
            0xffff => 0,
            index => index,
        },
        index => index,
    }
}

/// The operator's rate, else that in the record, else what options records announced; `options::rates` has the order.
fn sampling(plan: &Plan, r: &Registers, rates: &SetRates<'_>, flow: &FlowRecord) -> Sampling {
    let has = |register| plan.present.has(register);
    if let Some(operator) = rates.operator {
        return operator;
    }
    if has(Register::SamplingInterval) {
        let interval = r.get(Register::SamplingInterval);
        let rate = if has(Register::SamplingSpace) {
            interval.saturating_add(r.get(Register::SamplingSpace)).checked_div(interval).unwrap_or(0)
        } else {
            interval
        };
        let kind = if plan.is_flow_sampling { SamplingKind::Flow } else { SamplingKind::Packet };
        if let Some(rate) = plausible(rate) {
            return Sampling { rate, kind, source: SamplingSource::Record };
        }
    }
    let named = |register| has(register).then(|| r.get(register));
    rates.of(flow, || Named {
        sampler: named(Register::SamplerId),
        metering: named(Register::MeteringProcess),
        exporting: named(Register::ExportingProcess),
    })
}

/// Which rule gives the records of a template their times; [`times`] follows it.
pub(super) fn time_source(plan: &Plan, boot: Option<Timestamp>) -> TimeSource {
    match plan.last.min(plan.first) {
        TimeForm::Uptime if boot.is_none() => TimeSource::Export,
        TimeForm::Absent => TimeSource::Export,
        _ if plan.is_event_time => TimeSource::Event,
        TimeForm::Uptime => TimeSource::Uptime,
        TimeForm::MicrosecondsBefore => TimeSource::Delta,
        TimeForm::Milliseconds | TimeForm::Ntp | TimeForm::Seconds => TimeSource::Absolute,
    }
}

#[inline]
fn times(plan: &Plan, r: &Registers, context: &Context<'_>, flow: &mut FlowRecord) {
    let (first, last) = match (plan.first, plan.last, context.boot) {
        // What nearly every exporter sends.
        (TimeForm::Uptime, TimeForm::Uptime, Some(boot)) => {
            let at = |register| from_uptime(boot, low32(r.get(register)), context.export);
            (at(Register::First), at(Register::Last))
        }
        _ => other_times(plan, r, context),
    };
    // A flow that ends before it begins is an instant; its end is what the exporter knew last.
    flow.first = first.min(last);
    flow.last = last;
}

fn other_times(plan: &Plan, r: &Registers, context: &Context<'_>) -> (Timestamp, Timestamp) {
    let end = |form, register| absolute(form, r.get(register), context);
    let (first, last) = (end(plan.first, Register::First), end(plan.last, Register::Last));
    if let (Some(first), Some(last)) = (first, last) {
        return (first, last);
    }
    let duration = plan.present.has(Register::Duration).then(|| {
        let units = i64::try_from(r.get(Register::Duration)).unwrap_or(i64::MAX);
        if plan.is_duration_micros { units / 1000 } else { units }
    });
    match (first, last, duration) {
        (None, Some(last), Some(duration)) => (last.plus(duration.saturating_neg()), last),
        (Some(first), _, Some(duration)) => (first, first.plus(duration)),
        (_, Some(only), None) | (Some(only), None, None) => (only, only),
        (None, None, duration) => {
            // Uptime without a boot time still says how long the flow was.
            let span = match (plan.first, plan.last) {
                (TimeForm::Uptime, TimeForm::Uptime) => {
                    i64::from(low32(r.get(Register::Last)).wrapping_sub(low32(r.get(Register::First))))
                }
                _ => duration.unwrap_or(0),
            };
            (context.export.plus(span.saturating_neg()), context.export)
        }
    }
}

fn absolute(form: TimeForm, value: u64, context: &Context<'_>) -> Option<Timestamp> {
    match form {
        TimeForm::Milliseconds => i64::try_from(value).ok().map(Timestamp),
        TimeForm::Seconds => Some(from_seconds(low32(value), context.blank.received)),
        TimeForm::Ntp => Some(from_ntp(value, context.blank.received)),
        TimeForm::MicrosecondsBefore => {
            Some(context.export.plus(i64::try_from(value / 1000).unwrap_or(i64::MAX).saturating_neg()))
        }
        TimeForm::Uptime => context.boot.map(|boot| from_uptime(boot, low32(value), context.export)),
        TimeForm::Absent => None,
    }
}

/// Seconds since 1970 in 32 bits, in the era that is nearest to `near` (RFC 7011 §5.2: they wrap in 2106).
pub(super) fn from_seconds(seconds: u32, near: Timestamp) -> Timestamp {
    let near_seconds = near.0.div_euclid(1000);
    let ahead = wrapped(i64::from(seconds).wrapping_sub(near_seconds));
    Timestamp(near_seconds.saturating_add(ahead).saturating_mul(1000))
}

/// Seconds since 1900 and their fraction, in the NTP era that is nearest to `near`: the next one begins in 2036.
fn from_ntp(value: u64, near: Timestamp) -> Timestamp {
    const UNIX_IN_NTP: u32 = 2_208_988_800;
    let [.., a, b, c, d] = (value >> 32).to_be_bytes();
    let seconds = u32::from_be_bytes([a, b, c, d]).wrapping_sub(UNIX_IN_NTP);
    let millis = (value & 0xffff_ffff).saturating_mul(1000) >> 32;
    from_seconds(seconds, near).plus(i64::try_from(millis).unwrap_or(0))
}

/// Milliseconds since boot in 32 bits, which wrap every 49.7 days: the turn that lies nearest to the export time.
fn from_uptime(boot: Timestamp, uptime: u32, export: Timestamp) -> Timestamp {
    let now = export.since(boot);
    let ahead = wrapped(i64::from(uptime).wrapping_sub(now));
    export.plus(ahead)
}

/// The number within ±2³¹ that equals `difference` modulo 2³².
fn wrapped(difference: i64) -> i64 {
    let [.., a, b, c, d] = difference.to_be_bytes();
    i64::from(i32::from_be_bytes([a, b, c, d]))
}

/// The flow record of one record of NetFlow v1: it is that of v5 up to the ports.
pub(super) fn v1(record: &[u8; v5::RECORD], context: &Context<'_>, sampling: Sampling) -> FlowRecord {
    FlowRecord {
        tcp_flags: record[v5::field::V1_TCP_FLAGS_8].into(),
        src_as: 0,
        dst_as: 0,
        src_mask: 0,
        dst_mask: 0,
        ..v5(record, context, sampling)
    }
}

/// The flow record of one record of NetFlow v5 or v7. Inlined, since a call that hands back a whole record halves the
/// speed, and with three callers the compiler would make one.
#[expect(clippy::indexing_slicing, reason = "every position is below the 48 octets of the shorter array")]
#[inline]
pub(super) fn v5<const N: usize>(record: &[u8; N], context: &Context<'_>, sampling: Sampling) -> FlowRecord {
    use v5::field as f;
    let u8_at = |at: usize| record[at];
    let u16_at = |at: usize| u16::from_be_bytes([record[at], record[at.wrapping_add(1)]]);
    let u32_at = |at: usize| u32::from(u16_at(at)) << 16 | u32::from(u16_at(at.wrapping_add(2)));
    let mut flow = context.blank;
    flow.key = FlowKey {
        src_ip: Ipv4Addr::from_bits(u32_at(f::SRC_IP_32)).into(),
        dst_ip: Ipv4Addr::from_bits(u32_at(f::DST_IP_32)).into(),
        src_port: u16_at(f::SRC_PORT_16),
        dst_port: u16_at(f::DST_PORT_16),
        protocol: u8_at(f::PROTOCOL_8),
    };
    flow.counts = Counts { bytes: u32_at(f::BYTES_32).into(), packets: u32_at(f::PACKETS_32).into() };
    let boot = context.boot.unwrap_or(context.export);
    let last = from_uptime(boot, u32_at(f::LAST_32), context.export);
    flow.first = from_uptime(boot, u32_at(f::FIRST_32), context.export).min(last);
    flow.last = last;
    flow.time_source = TimeSource::Uptime;
    flow.sampling = sampling;
    flow.tcp_flags = u8_at(f::TCP_FLAGS_8).into();
    flow.tos = u8_at(f::TOS_8);
    if matches!(flow.key.protocol, 1 | 58) {
        flow.icmp = icmp_of_ports(flow.key.src_port, flow.key.dst_port);
        flow.key.src_port = 0;
        flow.key.dst_port = 0;
    }
    let none_is_zero = |index: u16| if index == u16::MAX { 0 } else { u32::from(index) };
    flow.in_if = none_is_zero(u16_at(f::IN_IF_16));
    flow.out_if = none_is_zero(u16_at(f::OUT_IF_16));
    flow.src_as = u16_at(f::SRC_AS_16).into();
    flow.dst_as = u16_at(f::DST_AS_16).into();
    flow.src_mask = u8_at(f::SRC_MASK_8);
    flow.dst_mask = u8_at(f::DST_MASK_8);
    flow.next_hop = match u32_at(f::NEXT_HOP_32) {
        0 => None,
        hop => Some(Ipv4Addr::from_bits(hop).into()),
    };
    flow
}

fn ipv4(bits: u64) -> IpAddr {
    Ipv4Addr::from_bits(low32(bits)).into()
}

fn ipv6(r: &Registers, high: Register, low: Register) -> IpAddr {
    Ipv6Addr::from_bits(u128::from(r.get(high)) << 64 | u128::from(r.get(low))).into()
}

const fn mac(bits: u64) -> [u8; 6] {
    let [_, _, a, b, c, d, e, f] = bits.to_be_bytes();
    [a, b, c, d, e, f]
}

const fn low8(value: u64) -> u8 {
    let [.., octet] = value.to_be_bytes();
    octet
}

const fn low16(value: u64) -> u16 {
    let [.., a, b] = value.to_be_bytes();
    u16::from_be_bytes([a, b])
}

const fn low32(value: u64) -> u32 {
    let [.., a, b, c, d] = value.to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}
