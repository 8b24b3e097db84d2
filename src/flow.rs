//! The flow record, the only currency behind the collector, and the quantities it is made of.
//!
//! Nothing here knows a template, a wire format or a table: window, filter, database, JSON, reports and screen
//! see flows only in this shape. [`crate::collector`] makes the records; the database gives them back.

pub mod share;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

pub use crate::flow::share::share;

/// Milliseconds since 1970-01-01 00:00 UTC, leap seconds not counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Milliseconds from `earlier` until `self`, negative when `self` is the earlier one.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// `self` moved by `ms` milliseconds.
    pub const fn plus(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }
}

/// Observation Domain ID of IPFIX (RFC 7011 §2), Source ID of NetFlow v9 (RFC 3954 §5.1), engine type and id
/// of NetFlow v5 as `type << 8 | id`, sub-agent of sFlow; 0 for NetFlow v1 and v7, which have none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObservationDomainId(pub u32);

impl fmt::Display for ObservationDomainId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The export protocol, told by the first octets of a datagram: two for NetFlow and IPFIX, four for sFlow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    V1,
    V5,
    V7,
    V9,
    Ipfix,
    /// sFlow version 5, the only one that is read.
    Sflow,
}

impl Version {
    pub const ALL: [Self; 6] = [Self::V1, Self::V5, Self::V7, Self::V9, Self::Ipfix, Self::Sflow];

    /// The number in the header: 1, 5, 7, 9 or 10. sFlow calls itself 5 as well; it is 105 here, in the database and
    /// in JSON, so that one number says one protocol.
    pub const fn number(self) -> u16 {
        match self {
            Self::V1 => 1,
            Self::V5 => 5,
            Self::V7 => 7,
            Self::V9 => 9,
            Self::Ipfix => 10,
            Self::Sflow => 105,
        }
    }

    pub fn from_number(number: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|version| version.number() == number)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V1 => "v1",
            Self::V5 => "v5",
            Self::V7 => "v7",
            Self::V9 => "v9",
            Self::Ipfix => "IPFIX",
            Self::Sflow => "sFlow",
        })
    }
}

/// Who talked to whom: the five values that make a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowKey {
    /// `0.0.0.0` where the exporter sent no address.
    pub src_ip: IpAddr,
    pub dst_ip: IpAddr,
    /// 0 for protocols without ports.
    pub src_port: u16,
    pub dst_port: u16,
    /// IANA protocol number.
    pub protocol: u8,
}

impl FlowKey {
    /// The key of the answer.
    pub const fn reversed(self) -> Self {
        Self {
            src_ip: self.dst_ip,
            dst_ip: self.src_ip,
            src_port: self.dst_port,
            dst_port: self.src_port,
            protocol: self.protocol,
        }
    }

    /// The port that says what is spoken: the lower one, or the only one.
    pub const fn service_port(&self) -> u16 {
        match (self.src_port, self.dst_port) {
            (0, port) | (port, 0) => port,
            (src, dst) if src < dst => src,
            (_, dst) => dst,
        }
    }
}

impl Default for FlowKey {
    fn default() -> Self {
        let none = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        Self { src_ip: none, dst_ip: none, src_port: 0, dst_port: 0, protocol: 0 }
    }
}

/// Octets and packets of the IP layer as the exporter reported them; sampling is not applied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Counts {
    pub bytes: u64,
    pub packets: u64,
}

impl Counts {
    /// Adds without wrapping; a sum of 2⁶⁴ octets stays at the top, since a hostile exporter can claim any number.
    pub const fn add(&mut self, other: Self) {
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.packets = self.packets.saturating_add(other.packets);
    }

    pub const fn is_zero(self) -> bool {
        self.bytes == 0 && self.packets == 0
    }
}

/// How much of the traffic the exporter looked at. It stands beside [`Counts`] and is never folded into them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sampling {
    /// One of `rate` packets or flows was counted; 0 when unknown, which reads as 1.
    pub rate: u32,
    pub kind: SamplingKind,
    pub source: SamplingSource,
}

/// What was sampled: of sampled packets each flow's counts are estimates, of sampled flows only totals are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum SamplingKind {
    #[default]
    Packet = 0,
    /// RFC 7014; the counts of a reported flow are exact.
    Flow = 1,
}

/// Who told the rate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum SamplingSource {
    #[default]
    None = 0,
    /// The flow record itself.
    Record = 1,
    /// An options record of the exporter.
    Options = 2,
    /// The header of a NetFlow v5 datagram.
    Header = 3,
    /// The person who runs the collector.
    Operator = 4,
}

impl Sampling {
    /// Packs rate, kind and source into one integer for the database; [`Sampling::unpack`] is its mirror image.
    pub fn pack(self) -> i64 {
        i64::from(self.rate) << 8 | i64::from(self.kind as u8) << 4 | i64::from(self.source as u8)
    }

    /// Values that [`Sampling::pack`] never makes read as no sampling.
    pub fn unpack(packed: i64) -> Self {
        let kind = if packed >> 4 & 0xf == 1 { SamplingKind::Flow } else { SamplingKind::Packet };
        let source = match packed & 0xf {
            1 => SamplingSource::Record,
            2 => SamplingSource::Options,
            3 => SamplingSource::Header,
            4 => SamplingSource::Operator,
            _ => SamplingSource::None,
        };
        Self { rate: u32::try_from(packed >> 8).unwrap_or(0), kind, source }
    }
}

/// Which rule gave a record its times; the higher one in this list wins where a record carries several.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum TimeSource {
    /// Absolute times in the record (elements 150 to 157).
    Absolute = 0,
    /// Microseconds before the export time (158, 159).
    Delta = 1,
    /// Milliseconds since the exporter's boot (21, 22), boot known from the header or from element 160.
    Uptime = 2,
    /// The moment of an event (258, 322 to 325).
    Event = 3,
    /// The export time of the message, for lack of anything better.
    #[default]
    Export = 4,
}

/// Where the packets were seen (element 61).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Direction {
    #[default]
    Unknown = 0,
    Ingress = 1,
    Egress = 2,
}

/// One direction of one conversation over some span of time, as an exporter reported it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlowRecord {
    /// When the datagram reached this host, by the kernel's clock.
    pub received: Timestamp,
    /// Start and end of the flow by the exporter's clock; `first <= last` always.
    pub first: Timestamp,
    pub last: Timestamp,
    pub time_source: TimeSource,
    pub exporter: IpAddr,
    pub domain: ObservationDomainId,
    pub version: Version,
    pub key: FlowKey,
    pub counts: Counts,
    pub sampling: Sampling,
    /// TCP control bits seen, ored together.
    pub tcp_flags: u16,
    /// The IP type of service or traffic class; DSCP is its upper six bits.
    pub tos: u8,
    /// ICMP type and code as `type << 8 | code`.
    pub icmp: u16,
    pub direction: Direction,
    /// SNMP interface index, 0 when unknown.
    pub in_if: u32,
    pub out_if: u32,
    /// Autonomous system numbers, 0 when unknown.
    pub src_as: u32,
    pub dst_as: u32,
    /// Prefix lengths of the routes, 0 when unknown.
    pub src_mask: u8,
    pub dst_mask: u8,
    pub next_hop: Option<IpAddr>,
    /// VLAN ids before and after the exporter, 0 when untagged or unknown.
    pub vlan: u16,
    pub post_vlan: u16,
    /// Ethernet addresses, all zero when unknown.
    pub src_mac: [u8; 6],
    pub dst_mac: [u8; 6],
    /// Addresses and ports after translation.
    pub nat_src_ip: Option<IpAddr>,
    pub nat_dst_ip: Option<IpAddr>,
    pub nat_src_port: u16,
    pub nat_dst_port: u16,
    /// A firewall's or translator's event (233 or 230), 0 for an ordinary flow.
    pub event: u8,
    /// Why the flow ended (136), 0 when unknown.
    pub end_reason: u8,
    /// What became of the packets (89), 0 when unknown.
    pub forwarding: u8,
    /// Top MPLS label with its three octets as sent, 0 without.
    pub mpls: u32,
    /// Application id (95), the engine in the upper octet; 0 when unknown.
    pub application: u64,
    /// Ingress VRF (234), 0 when unknown.
    pub vrf: u32,
    /// Whether this is the answering half of a record that held both directions.
    pub reverse: bool,
}

impl FlowRecord {
    /// A record of nothing, to be filled in.
    pub fn blank(received: Timestamp, exporter: IpAddr, domain: ObservationDomainId, version: Version) -> Self {
        Self {
            received,
            first: received,
            last: received,
            time_source: TimeSource::Export,
            exporter,
            domain,
            version,
            key: FlowKey::default(),
            counts: Counts::default(),
            sampling: Sampling::default(),
            tcp_flags: 0,
            tos: 0,
            icmp: 0,
            direction: Direction::Unknown,
            in_if: 0,
            out_if: 0,
            src_as: 0,
            dst_as: 0,
            src_mask: 0,
            dst_mask: 0,
            next_hop: None,
            vlan: 0,
            post_vlan: 0,
            src_mac: [0; 6],
            dst_mac: [0; 6],
            nat_src_ip: None,
            nat_dst_ip: None,
            nat_src_port: 0,
            nat_dst_port: 0,
            event: 0,
            end_reason: 0,
            forwarding: 0,
            mpls: 0,
            application: 0,
            vrf: 0,
            reverse: false,
        }
    }

    /// The same record seen from the answering side, with its own counts and flags.
    pub fn answered(&self, counts: Counts, tcp_flags: u16) -> Self {
        Self {
            key: self.key.reversed(),
            counts,
            tcp_flags,
            in_if: self.out_if,
            out_if: self.in_if,
            src_as: self.dst_as,
            dst_as: self.src_as,
            src_mask: self.dst_mask,
            dst_mask: self.src_mask,
            next_hop: None,
            vlan: self.post_vlan,
            post_vlan: self.vlan,
            src_mac: self.dst_mac,
            dst_mac: self.src_mac,
            nat_src_ip: self.nat_dst_ip,
            nat_dst_ip: self.nat_src_ip,
            nat_src_port: self.nat_dst_port,
            nat_dst_port: self.nat_src_port,
            reverse: true,
            ..*self
        }
    }
}
