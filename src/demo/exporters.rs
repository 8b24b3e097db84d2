//! Flows → datagrams, as three kinds of exporter send them: an ipt_NETFLOW gateway, a v9 switch and a v5 router.
//!
//! They hold sequence numbers and what was announced when, and nothing else: no socket and no clock. Here stands which
//! fields are sent, and in which order; `packer` puts records and templates into datagrams, and framing is that of
//! [`crate::wire::emit`].

mod packer;

use std::net::IpAddr;

use crate::demo::exporters::packer::{Packer, Protocol, Templates};
use crate::demo::traffic::{Flow, Sense};
use crate::flow::Timestamp;
use crate::wire::emit;
use crate::wire::v5;

/// Octets of the longest datagram: with the headers of UDP and IP it still passes every tunnel.
pub const PAYLOAD: usize = 1400;
/// How often names and sampling are told again, and how often counters are, in milliseconds.
const NAMES_MS: i64 = 300_000;
const COUNTERS_MS: i64 = 60_000;

/// One with IPFIX in the shape of ipt_NETFLOW, which is what UniFi gateways run.
///
/// Each combination of features has a template of its own: address family, protocol with ports or ICMP. It is announced
/// in a set of its own right before the first record that needs it, so that template and data sets mix in one datagram.
#[derive(Debug, Clone)]
pub struct IptNetflow {
    packer: Packer,
    boot: Timestamp,
    templates: Templates<Shape>,
    /// When names and counters are due.
    names_due: Timestamp,
    counters_due: Timestamp,
    flows: u32,
}

/// What decides over the fields of a record of ipt_NETFLOW.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Shape {
    SysInitTime,
    MeterStatistics,
    InterfaceNames,
    Flow { is_six: bool, layer4: Layer4 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Layer4 {
    Tcp,
    Udp,
    Icmp,
}

/// An interface of an exporter: index, name and description.
type Interface = (u16, &'static str, &'static str);

const WAN: Interface = (3, "eth4", "Internet");
const LAN: Interface = (12, "br0", "Home network");
/// The port that is behind the bridge.
const LAN_PORT: Interface = (9, "switch0", "Ports 1 to 4");

impl IptNetflow {
    pub fn new(boot: Timestamp) -> Self {
        Self {
            packer: Packer::new(Protocol::Ipfix { domain: 0 }),
            boot,
            templates: Templates::default(),
            names_due: boot,
            counters_due: boot,
            flows: 0,
        }
    }

    /// Appends the datagrams that carry `flows`, and what else is due.
    pub fn export(&mut self, now: Timestamp, flows: &[Flow], datagrams: &mut Vec<Vec<u8>>) {
        if self.names_due <= now {
            self.names_due = now.plus(NAMES_MS);
            self.names(now, datagrams);
        }
        if self.counters_due <= now {
            self.counters_due = now.plus(COUNTERS_MS);
            self.counters(now, datagrams);
        }
        for flow in flows {
            let shape = Shape::of(flow);
            let template = self.templates.of(shape, || shape.fields());
            self.packer.record(now, template, &shape.record(flow), datagrams);
            self.flows = self.flows.wrapping_add(1);
        }
        self.packer.flush(now, datagrams);
    }

    /// When it booted and what it is, then its interfaces.
    fn names(&mut self, now: Timestamp, datagrams: &mut Vec<Vec<u8>>) {
        let (boot, at) = (milliseconds(self.boot), milliseconds(now));
        let name = text::<128>("ipt_NETFLOW 2.6");
        let record = [[0; 4].as_slice(), &boot, &name, &boot, &at].concat();
        let template = self.templates.of(Shape::SysInitTime, || Shape::SysInitTime.fields());
        self.packer.record(now, template, &record, datagrams);
        for (index, name, description) in [WAN, LAN_PORT, LAN] {
            let names = (text::<16>(name), text::<32>(description));
            let record = [[0; 4].as_slice(), &index.to_be_bytes(), &names.0, &names.1].concat();
            let template = self.templates.of(Shape::InterfaceNames, || Shape::InterfaceNames.fields());
            self.packer.record(now, template, &record, datagrams);
        }
    }

    fn counters(&mut self, now: Timestamp, datagrams: &mut Vec<Vec<u8>>) {
        let wide = |number: u64| number.to_be_bytes();
        let (messages, octets) = (self.packer.datagrams, self.packer.octets);
        let flows = wide(self.flows.into());
        let record = [[0; 4].as_slice(), &wide(messages), &flows, &wide(octets), &flows].concat();
        let template = self.templates.of(Shape::MeterStatistics, || Shape::MeterStatistics.fields());
        self.packer.record(now, template, &record, datagrams);
    }
}

impl Shape {
    fn of(flow: &Flow) -> Self {
        let layer4 = match flow.key.protocol {
            1 | 58 => Layer4::Icmp,
            6 => Layer4::Tcp,
            _ => Layer4::Udp,
        };
        Self::Flow { is_six: flow.key.src_ip.is_ipv6(), layer4 }
    }

    /// Scope fields and fields, in the order of the original.
    fn fields(self) -> (usize, Vec<(u16, u16)>) {
        let (is_six, layer4) = match self {
            Self::SysInitTime => return (1, vec![(149, 4), (160, 8), (300, 128), (152, 8), (153, 8)]),
            Self::MeterStatistics => return (1, vec![(149, 4), (41, 8), (42, 8), (40, 8), (163, 8)]),
            Self::InterfaceNames => return (1, vec![(149, 4), (10, 2), (82, 16), (83, 32)]),
            Self::Flow { is_six, layer4 } => (is_six, layer4),
        };
        let mut fields = if is_six { vec![(27, 16), (28, 16), (62, 16)] } else { vec![(8, 4), (12, 4), (15, 4)] };
        match layer4 {
            Layer4::Icmp if is_six => fields.push((139, 2)),
            Layer4::Icmp => fields.push((32, 2)),
            Layer4::Tcp | Layer4::Udp => fields.extend([(7, 2), (11, 2), (6, 1)]),
        }
        fields.extend([(10, 2), (14, 2), (252, 2), (253, 2), (2, 4), (1, 4), (152, 8), (153, 8), (4, 1), (5, 1)]);
        fields.push((136, 1));
        if layer4 == Layer4::Tcp {
            // tcpOptions in four octets of its eight.
            fields.push((209, 4));
        }
        (0, fields)
    }

    /// The octets of a flow of this shape; options are laid out where they are made.
    fn record(self, flow: &Flow) -> Vec<u8> {
        let Self::Flow { layer4, .. } = self else { return Vec::new() };
        let mut record = Vec::with_capacity(120);
        address(&mut record, flow.key.src_ip);
        address(&mut record, flow.key.dst_ip);
        // The next hop is told in the same family, and here there is none.
        let before = record.len() / 2;
        record.extend(std::iter::repeat_n(0, before));
        match layer4 {
            Layer4::Icmp => record.extend(flow.icmp.to_be_bytes()),
            Layer4::Tcp | Layer4::Udp => {
                record.extend(flow.key.src_port.to_be_bytes());
                record.extend(flow.key.dst_port.to_be_bytes());
                record.push(flow.tcp_flags);
            }
        }
        let (input, output) = match flow.sense {
            Sense::Out => ([LAN.0, LAN_PORT.0], [WAN.0, WAN.0]),
            Sense::In => ([WAN.0, WAN.0], [LAN.0, LAN_PORT.0]),
            Sense::Inside => ([LAN.0, LAN_PORT.0], [LAN.0, LAN_PORT.0]),
        };
        for index in [input[0], output[0], input[1], output[1]] {
            record.extend(index.to_be_bytes());
        }
        record.extend(low32(flow.counts.packets));
        record.extend(low32(flow.counts.bytes));
        record.extend(milliseconds(flow.first));
        record.extend(milliseconds(flow.last));
        record.extend([flow.key.protocol, flow.tos, end_reason(flow)]);
        if layer4 == Layer4::Tcp {
            record.extend([0; 4]);
        }
        record
    }
}

/// RFC 5102 §5.11.3: 1 idle timeout, 2 active timeout, 3 end of flow detected.
const fn end_reason(flow: &Flow) -> u8 {
    match (flow.is_over, flow.tcp_flags & 1) {
        (false, _) => 2,
        (true, 0) => 1,
        (true, _) => 3,
    }
}

/// One with NetFlow v9, which tells that it does not sample.
#[derive(Debug, Clone)]
pub struct Switch {
    packer: Packer,
    boot: Timestamp,
    templates: Templates<SwitchShape>,
    names_due: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum SwitchShape {
    Ipv4,
    Ipv6,
    Sampling,
}

impl Switch {
    pub fn new(boot: Timestamp, source_id: u32) -> Self {
        let packer = Packer::new(Protocol::V9 { boot, source_id });
        Self { packer, boot, templates: Templates::default(), names_due: boot }
    }

    /// Appends the datagrams that carry `flows`, and what else is due.
    pub fn export(&mut self, now: Timestamp, flows: &[Flow], datagrams: &mut Vec<Vec<u8>>) {
        if self.names_due <= now {
            self.names_due = now.plus(NAMES_MS);
            // Scope "system"; sampler 1, deterministic, one of one.
            let template = self.templates.of(SwitchShape::Sampling, || SwitchShape::Sampling.fields());
            self.packer.record(now, template, &[0, 0, 0, 0, 1, 1, 0, 0, 0, 1], datagrams);
        }
        for flow in flows {
            let shape = if flow.key.src_ip.is_ipv6() { SwitchShape::Ipv6 } else { SwitchShape::Ipv4 };
            let template = self.templates.of(shape, || shape.fields());
            self.packer.record(now, template, &record_v9(flow, self.boot), datagrams);
        }
        self.packer.flush(now, datagrams);
    }
}

impl SwitchShape {
    fn fields(self) -> (usize, Vec<(u16, u16)>) {
        let addresses = match self {
            Self::Sampling => return (1, vec![(1, 4), (48, 1), (49, 1), (50, 4)]),
            Self::Ipv4 => [(8, 4), (12, 4)],
            Self::Ipv6 => [(27, 16), (28, 16)],
        };
        let rest =
            [(7, 2), (11, 2), (10, 2), (14, 2), (2, 4), (1, 4), (22, 4), (21, 4), (4, 1), (6, 1), (5, 1), (61, 1)];
        (0, [addresses.as_slice(), &rest].concat())
    }
}

fn record_v9(flow: &Flow, boot: Timestamp) -> Vec<u8> {
    let mut record = Vec::with_capacity(60);
    address(&mut record, flow.key.src_ip);
    address(&mut record, flow.key.dst_ip);
    record.extend(flow.key.src_port.to_be_bytes());
    record.extend(port_or_icmp(flow));
    for host in [flow.key.src_ip, flow.key.dst_ip] {
        record.extend(port_of(host).to_be_bytes());
    }
    record.extend(low32(flow.counts.packets));
    record.extend(low32(flow.counts.bytes));
    record.extend(uptime(flow.first, boot).to_be_bytes());
    record.extend(uptime(flow.last, boot).to_be_bytes());
    record.extend([flow.key.protocol, flow.tcp_flags, flow.tos, 0]);
    record
}

/// The port of the switch on which a host hangs; 48 ports for the last octets of the house.
fn port_of(host: IpAddr) -> u16 {
    let last = match host {
        IpAddr::V4(ip) => ip.octets()[3],
        IpAddr::V6(ip) => ip.octets()[15],
    };
    u16::from(last) % 48 + 1
}

/// One with NetFlow v5, which knows no IPv6 and no template.
#[derive(Debug, Clone)]
pub struct Router {
    boot: Timestamp,
    engine_id: u8,
    sequence: u32,
}

impl Router {
    pub const fn new(boot: Timestamp, engine_id: u8) -> Self {
        Self { boot, engine_id, sequence: 0 }
    }

    /// Appends the datagrams that carry those of `flows` that are IPv4.
    pub fn export(&mut self, now: Timestamp, flows: &[Flow], datagrams: &mut Vec<Vec<u8>>) {
        let records: Vec<_> = flows.iter().filter_map(|flow| self.record(flow)).collect();
        for records in records.chunks((PAYLOAD - v5::HEADER) / v5::RECORD) {
            let count = u16::try_from(records.len()).unwrap_or(0);
            let header = v5::Header {
                count,
                uptime: uptime(now, self.boot),
                seconds: seconds(now),
                nanoseconds: u32::try_from(now.0.rem_euclid(1000)).unwrap_or(0) * 1_000_000,
                sequence: self.sequence,
                engine_type: 0,
                engine_id: self.engine_id,
                sampling: 0,
            };
            self.sequence = self.sequence.wrapping_add(count.into());
            datagrams.push(emit::v5(header, records));
        }
    }

    fn record(&self, flow: &Flow) -> Option<[u8; v5::RECORD]> {
        use v5::field as f;
        let (IpAddr::V4(source), IpAddr::V4(destination)) = (flow.key.src_ip, flow.key.dst_ip) else { return None };
        let (input, output) = if flow.sense == Sense::Out { (2_u16, 1_u16) } else { (1, 2) };
        let mut record = [0; v5::RECORD];
        let mut put = |at: usize, octets: &[u8]| {
            if let Some(field) = record.get_mut(at..at + octets.len()) {
                field.copy_from_slice(octets);
            }
        };
        put(f::SRC_IP_32, &source.octets());
        put(f::DST_IP_32, &destination.octets());
        put(f::IN_IF_16, &input.to_be_bytes());
        put(f::OUT_IF_16, &output.to_be_bytes());
        put(f::PACKETS_32, &low32(flow.counts.packets));
        put(f::BYTES_32, &low32(flow.counts.bytes));
        put(f::FIRST_32, &uptime(flow.first, self.boot).to_be_bytes());
        put(f::LAST_32, &uptime(flow.last, self.boot).to_be_bytes());
        put(f::SRC_PORT_16, &flow.key.src_port.to_be_bytes());
        put(f::DST_PORT_16, &port_or_icmp(flow));
        put(f::TCP_FLAGS_8, &[flow.tcp_flags]);
        put(f::PROTOCOL_8, &[flow.key.protocol]);
        put(f::TOS_8, &[flow.tos]);
        Some(record)
    }
}

fn address(record: &mut Vec<u8>, ip: IpAddr) {
    match ip {
        IpAddr::V4(ip) => record.extend(ip.octets()),
        IpAddr::V6(ip) => record.extend(ip.octets()),
    }
}

/// v5 and v9 have ICMP type and code where others have the destination port.
fn port_or_icmp(flow: &Flow) -> [u8; 2] {
    let number = if matches!(flow.key.protocol, 1 | 58) { flow.icmp } else { flow.key.dst_port };
    number.to_be_bytes()
}

/// Text in a field of fixed length, cut or filled with zeros.
fn text<const LENGTH: usize>(text: &str) -> [u8; LENGTH] {
    let mut field = [0; LENGTH];
    for (to, from) in field.iter_mut().zip(text.bytes()) {
        *to = from;
    }
    field
}

const fn milliseconds(at: Timestamp) -> [u8; 8] {
    at.0.to_be_bytes()
}

fn seconds(at: Timestamp) -> u32 {
    u32::try_from(at.0.div_euclid(1000)).unwrap_or(u32::MAX)
}

/// Milliseconds since boot in 32 bits, which wrap after 49.7 days as they do in real exporters.
const fn uptime(at: Timestamp, boot: Timestamp) -> u32 {
    let [.., a, b, c, d] = at.since(boot).to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}

/// A counter of four octets; the model makes none that is larger.
fn low32(number: u64) -> [u8; 4] {
    u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes()
}
