//! The numbers of a flow record that can be compared, and the sets of numbers they are compared with.
//!
//! It reads no text. A comparison is a set as well: `> 1023` is everything from 1024 to the highest value of the
//! field, so that one kind of test answers all.

use crate::filter::{End, Side};
use crate::flow::FlowRecord;

/// A number of a flow record. In rates, a flow of no duration has none: it reads as 0, as in nfdump.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Number {
    Protocol,
    Port,
    /// The lower port that is not 0: what conversations and services are told apart by.
    Service,
    NatPort,
    As,
    Mask,
    Interface,
    Vlan,
    Mac,
    Tos,
    /// The upper six bits of the type of service.
    Dscp,
    /// Of ICMP and ICMPv6; a flow of another protocol has none, and never matches.
    IcmpType,
    IcmpCode,
    /// As reported, sampling not applied; so are the rates.
    Packets,
    Bytes,
    /// Milliseconds.
    Duration,
    /// Packets per second.
    Pps,
    /// Bits per second.
    Bps,
    /// Bytes per packet.
    Bpp,
    Domain,
    Version,
    Direction,
    Sampling,
    Event,
    EndReason,
    Forwarding,
    /// The label alone, without its experimental and stack bits.
    Mpls,
    Vrf,
    /// As a signed number, as in the database: ids with the highest bit match nothing but `not`.
    Application,
}

/// Two values of a field, and by which words they are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sides {
    One,
    SrcDst,
    InOut,
}

/// How a field's values are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Digits.
    Plain,
    /// Digits, with `k`, `m`, `g` or `t` for thousands.
    Scaled,
    /// Milliseconds, or with a unit of time.
    Time,
    Mac,
    Protocol,
    Port,
    Application,
    /// One of these words, or a number when `true`.
    Named(&'static [(&'static str, i64)], bool),
}

/// What the language knows of a number. The first word is the one that is printed.
pub(super) struct Row {
    pub(super) number: Number,
    pub(super) words: &'static [&'static str],
    pub(super) max: i64,
    pub(super) sides: Sides,
    pub(super) form: Form,
}

const fn row(number: Number, words: &'static [&'static str], max: i64, sides: Sides, form: Form) -> Row {
    Row { number, words, max, sides, form }
}

const U8: i64 = u8::MAX as i64;
const U16: i64 = u16::MAX as i64;
const U32: i64 = u32::MAX as i64;
const VERSIONS: &[(&str, i64)] = &[("ipfix", 10), ("sflow", 105), ("v1", 1), ("v5", 5), ("v7", 7), ("v9", 9)];
const DIRECTIONS: &[(&str, i64)] = &[("unknown", 0), ("ingress", 1), ("egress", 2)];

/// In the order of [`Number`].
pub(super) const ROWS: &[Row] = &[
    row(Number::Protocol, &["proto", "protocol"], U8, Sides::One, Form::Protocol),
    row(Number::Port, &["port"], U16, Sides::SrcDst, Form::Port),
    row(Number::Service, &["service"], U16, Sides::One, Form::Port),
    row(Number::NatPort, &["nport", "xport"], U16, Sides::SrcDst, Form::Port),
    row(Number::As, &["as", "asn"], U32, Sides::SrcDst, Form::Plain),
    row(Number::Mask, &["mask"], U8, Sides::SrcDst, Form::Plain),
    row(Number::Interface, &["if", "interface"], U32, Sides::InOut, Form::Plain),
    row(Number::Vlan, &["vlan"], U16, Sides::SrcDst, Form::Plain),
    row(Number::Mac, &["mac"], (1 << 48) - 1, Sides::SrcDst, Form::Mac),
    row(Number::Tos, &["tos"], U8, Sides::One, Form::Plain),
    row(Number::Dscp, &["dscp"], 63, Sides::One, Form::Plain),
    row(Number::IcmpType, &["icmp-type", "icmptype"], U8, Sides::One, Form::Plain),
    row(Number::IcmpCode, &["icmp-code", "icmpcode"], U8, Sides::One, Form::Plain),
    row(Number::Packets, &["packets"], i64::MAX, Sides::One, Form::Scaled),
    row(Number::Bytes, &["bytes", "octets"], i64::MAX, Sides::One, Form::Scaled),
    row(Number::Duration, &["duration"], i64::MAX, Sides::One, Form::Time),
    row(Number::Pps, &["pps"], i64::MAX, Sides::One, Form::Scaled),
    row(Number::Bps, &["bps"], i64::MAX, Sides::One, Form::Scaled),
    row(Number::Bpp, &["bpp"], i64::MAX, Sides::One, Form::Scaled),
    row(Number::Domain, &["domain"], U32, Sides::One, Form::Plain),
    row(Number::Version, &["version"], U16, Sides::One, Form::Named(VERSIONS, true)),
    row(Number::Direction, &["dir", "direction", "flowdir"], 2, Sides::One, Form::Named(DIRECTIONS, false)),
    row(Number::Sampling, &["sampling"], U32, Sides::One, Form::Plain),
    row(Number::Event, &["event"], U8, Sides::One, Form::Plain),
    row(Number::EndReason, &["end-reason"], U8, Sides::One, Form::Plain),
    row(Number::Forwarding, &["forwarding"], U8, Sides::One, Form::Plain),
    row(Number::Mpls, &["mpls"], (1 << 20) - 1, Sides::One, Form::Plain),
    row(Number::Vrf, &["vrf"], U32, Sides::One, Form::Plain),
    row(Number::Application, &["application", "app"], i64::MAX, Sides::One, Form::Application),
];

impl Number {
    pub(super) const fn row(self) -> &'static Row {
        &ROWS[self as usize]
    }

    /// Whether a flow has two of it.
    pub const fn is_sided(self) -> bool {
        !matches!(self.row().sides, Sides::One)
    }

    /// The value of a flow; fields that have one give it for both ends. `None` where the protocol has no such thing.
    pub fn of(self, flow: &FlowRecord, end: End) -> Option<i64> {
        let key = &flow.key;
        Some(match self {
            Self::Protocol => key.protocol.into(),
            Self::Port => end.pick(key.src_port, key.dst_port).into(),
            Self::Service => key.service_port().into(),
            Self::NatPort => end.pick(flow.nat_src_port, flow.nat_dst_port).into(),
            Self::As => end.pick(flow.src_as, flow.dst_as).into(),
            Self::Mask => end.pick(flow.src_mask, flow.dst_mask).into(),
            Self::Interface => end.pick(flow.in_if, flow.out_if).into(),
            Self::Vlan => end.pick(flow.vlan, flow.post_vlan).into(),
            Self::Mac => {
                let [a, b, c, d, e, f] = end.pick(flow.src_mac, flow.dst_mac);
                i64::from_be_bytes([0, 0, a, b, c, d, e, f])
            }
            Self::Tos => flow.tos.into(),
            Self::Dscp => (flow.tos >> 2).into(),
            Self::IcmpType | Self::IcmpCode if !ICMP.contains(&key.protocol) => return None,
            Self::IcmpType => (flow.icmp >> 8).into(),
            Self::IcmpCode => (flow.icmp & 0xff).into(),
            Self::Packets => counted(flow.counts.packets),
            Self::Bytes => counted(flow.counts.bytes),
            Self::Duration => flow.last.since(flow.first).max(0),
            Self::Pps => per_second(flow, counted(flow.counts.packets), 1000.0),
            Self::Bps => per_second(flow, counted(flow.counts.bytes), 8000.0),
            Self::Bpp => counted(flow.counts.bytes).checked_div(counted(flow.counts.packets)).unwrap_or(0),
            Self::Domain => flow.domain.0.into(),
            Self::Version => flow.version.number().into(),
            Self::Direction => flow.direction as i64,
            Self::Sampling => flow.sampling.rate.into(),
            Self::Event => flow.event.into(),
            Self::EndReason => flow.end_reason.into(),
            Self::Forwarding => flow.forwarding.into(),
            Self::Mpls => (flow.mpls >> 4).into(),
            Self::Vrf => flow.vrf.into(),
            Self::Application => flow.application.cast_signed(),
        })
    }
}

/// ICMP and ICMPv6.
const ICMP: [u8; 2] = [1, 58];

impl End {
    pub(super) const fn pick<T: Copy>(self, src: T, dst: T) -> T {
        match self {
            Self::Src => src,
            Self::Dst => dst,
        }
    }
}

fn counted(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// In floating point, as SQLite computes it: the product may not fit 64 bits.
#[expect(clippy::cast_possible_truncation, reason = "saturates, as SQLite's CAST does")]
fn per_second(flow: &FlowRecord, count: i64, factor: f64) -> i64 {
    match flow.last.since(flow.first) {
        duration if duration <= 0 => 0,
        duration => (count as f64 * factor / duration as f64) as i64,
    }
}

/// A set of numbers from 0, as ranges with both ends: ordered, apart from each other, and at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ranges(Vec<(i64, i64)>);

impl Ranges {
    /// `None` when there is nothing in it.
    pub(super) fn new(mut ranges: Vec<(i64, i64)>) -> Option<Self> {
        ranges.retain(|(first, last)| 0 <= *first && first <= last);
        ranges.sort_unstable();
        ranges.dedup_by(|next, kept| {
            let touches = next.0 <= kept.1.saturating_add(1);
            if touches {
                kept.1 = kept.1.max(next.1);
            }
            touches
        });
        (!ranges.is_empty()).then_some(Self(ranges))
    }

    /// One number alone.
    pub fn one(number: u32) -> Self {
        Self(vec![(number.into(), number.into())])
    }

    pub fn as_slice(&self) -> &[(i64, i64)] {
        &self.0
    }

    pub fn contains(&self, number: i64) -> bool {
        if let [(first, last)] = self.0.as_slice() {
            return *first <= number && number <= *last;
        }
        let behind = self.0.partition_point(|(first, _)| *first <= number);
        behind.checked_sub(1).and_then(|at| self.0.get(at)).is_some_and(|(_, last)| number <= *last)
    }
}

impl Side {
    /// The words before a field's name.
    pub(super) const fn words(self, sides: Sides) -> &'static str {
        match (self, sides) {
            (Self::Any, _) | (_, Sides::One) => "",
            (Self::Src, Sides::SrcDst) => "src ",
            (Self::Dst, Sides::SrcDst) => "dst ",
            (Self::Both, Sides::SrcDst) => "src and dst ",
            (Self::Src, Sides::InOut) => "in ",
            (Self::Dst, Sides::InOut) => "out ",
            (Self::Both, Sides::InOut) => "in and out ",
        }
    }
}
