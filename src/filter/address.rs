//! The addresses of a flow record, and the sets of prefixes they are compared with.
//!
//! It reads no text. A host is a prefix of full length, and `inet` is the prefix `0.0.0.0/0` on both sides.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::filter::End;
use crate::filter::number::Sides;
use crate::flow::FlowRecord;

/// An address of a flow record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Address {
    Host,
    /// After translation.
    Nat,
    NextHop,
    /// Only whole addresses are asked for, since the database keeps exporters as text.
    Exporter,
}

impl Address {
    pub const fn is_sided(self) -> bool {
        matches!(self, Self::Host | Self::Nat)
    }

    pub(super) const fn sides(self) -> Sides {
        if self.is_sided() { Sides::SrcDst } else { Sides::One }
    }

    /// `None` where the exporter sent none.
    pub fn of(self, flow: &FlowRecord, end: End) -> Option<IpAddr> {
        match self {
            Self::Host => Some(end.pick(flow.key.src_ip, flow.key.dst_ip)),
            Self::Nat => end.pick(flow.nat_src_ip, flow.nat_dst_ip),
            Self::NextHop => flow.next_hop,
            Self::Exporter => Some(flow.exporter),
        }
    }
}

/// A prefix; the bits behind its length are zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    address: IpAddr,
    length: u8,
}

impl Prefix {
    /// Clears the bits behind `length`. `None` when the address has fewer bits.
    pub fn new(address: IpAddr, length: u8) -> Option<Self> {
        let address = match address {
            IpAddr::V4(address) if length <= 32 => Ipv4Addr::from_bits(address.to_bits() & !host_v4(length)).into(),
            IpAddr::V6(address) if length <= 128 => Ipv6Addr::from_bits(address.to_bits() & !host_v6(length)).into(),
            _ => return None,
        };
        Some(Self { address, length })
    }

    pub const fn host(address: IpAddr) -> Self {
        let length = if address.is_ipv4() { 32 } else { 128 };
        Self { address, length }
    }

    pub const fn first(self) -> IpAddr {
        self.address
    }

    pub fn last(self) -> IpAddr {
        match self.address {
            IpAddr::V4(address) => Ipv4Addr::from_bits(address.to_bits() | host_v4(self.length)).into(),
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() | host_v6(self.length)).into(),
        }
    }

    pub const fn length(self) -> u8 {
        self.length
    }

    pub const fn is_host(self) -> bool {
        self.length == if self.address.is_ipv4() { 32 } else { 128 }
    }

    pub fn contains(self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(address)) => address.to_bits() & !host_v4(self.length) == own.to_bits(),
            (IpAddr::V6(own), IpAddr::V6(address)) => address.to_bits() & !host_v6(self.length) == own.to_bits(),
            _ => false,
        }
    }
}

/// The bits behind the length.
fn host_v4(length: u8) -> u32 {
    u32::MAX.checked_shr(length.into()).unwrap_or(0)
}

fn host_v6(length: u8) -> u128 {
    u128::MAX.checked_shr(length.into()).unwrap_or(0)
}

/// A set of prefixes: ordered, none inside another; in a filter, at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefixes(Vec<Prefix>);

impl Prefixes {
    /// `None` when there is nothing in it.
    pub(super) fn new(mut prefixes: Vec<Prefix>) -> Option<Self> {
        prefixes.sort_unstable();
        prefixes.dedup_by(|next, kept| kept.contains(next.address));
        (!prefixes.is_empty()).then_some(Self(prefixes))
    }

    pub fn one(prefix: Prefix) -> Self {
        Self(vec![prefix])
    }

    /// Of none at all nothing is part.
    pub fn of(prefixes: impl IntoIterator<Item = Prefix>) -> Self {
        Self::new(prefixes.into_iter().collect()).unwrap_or(Self(Vec::new()))
    }

    pub fn as_slice(&self) -> &[Prefix] {
        &self.0
    }

    pub fn contains(&self, address: IpAddr) -> bool {
        if let [prefix] = self.0.as_slice() {
            return prefix.contains(address);
        }
        let behind = self.0.partition_point(|prefix| prefix.address <= address);
        behind.checked_sub(1).and_then(|at| self.0.get(at)).is_some_and(|prefix| prefix.contains(address))
    }
}
