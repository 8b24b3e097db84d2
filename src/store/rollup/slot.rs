//! The key of one row of a roll-up, in memory and in its columns.
//!
//! One shape serves all dimensions, so that one table, one map and one statement do.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rusqlite::types::{FromSql, FromSqlResult, ValueRef};
use rusqlite::{Result, Row, Statement};

use crate::flow::FlowRecord;
use crate::window::ConversationKey;

/// The columns `a`, `b` and `c` of a row, and its bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::store) struct Slot {
    /// Which of `a` (1) and `b` (2) is IPv6.
    wide: u8,
    a: [u64; 2],
    b: [u64; 2],
    c: u64,
    bucket: i32,
}

impl Slot {
    /// A conversation, and whether the flow goes from its higher address to the lower one.
    pub(in crate::store) fn conversation(flow: &FlowRecord) -> (Self, bool) {
        let key = ConversationKey::of(flow);
        let back = key.dst_ip < key.src_ip;
        let (low, high) = if back { (key.dst_ip, key.src_ip) } else { (key.src_ip, key.dst_ip) };
        let c = u64::from(key.protocol) << 16 | u64::from(key.port);
        let wide = u8::from(low.is_ipv6()) | u8::from(high.is_ipv6()) << 1;
        (Self { wide, a: bits(low), b: bits(high), c, bucket: 0 }, back)
    }

    /// A conversation between two IPv4 hosts.
    pub(super) fn between(a: u32, b: u32, c: u32) -> Self {
        Self { wide: 0, a: [0, a.into()], b: [0, b.into()], c: c.into(), bucket: 0 }
    }

    /// All of it but which address is IPv6, for a hash.
    pub(super) fn words(self) -> [u64; 5] {
        let ([a, b], [c, d]) = (self.a, self.b);
        [a, b, c, d, self.c.rotate_left(32) ^ u64::from(self.bucket.cast_unsigned())]
    }

    /// The two hosts of a conversation, and one of them when it talks to itself.
    pub(in crate::store) fn hosts(self) -> (Self, Option<Self>) {
        let low = Self { wide: self.wide & 1, b: [0; 2], c: 0, ..self };
        let high = Self { wide: self.wide >> 1, a: self.b, b: [0; 2], c: 0, bucket: self.bucket };
        (low, (low != high).then_some(high))
    }

    pub(in crate::store) fn service(self) -> Self {
        Self { wide: 0, a: [0; 2], b: [0; 2], ..self }
    }

    pub(in crate::store) fn protocol(self) -> Self {
        Self { c: self.c >> 16, ..self.service() }
    }

    pub(in crate::store) fn interface(exporter: i64, interface: u32) -> Self {
        Self { wide: 0, a: [0, exporter.cast_unsigned()], b: [0; 2], c: interface.into(), bucket: 0 }
    }

    /// An address alone.
    pub(in crate::store) fn address(address: IpAddr) -> Self {
        Self { wide: address.is_ipv6().into(), a: bits(address), b: [0; 2], c: 0, bucket: 0 }
    }

    /// Two addresses in this order, and a number.
    pub(in crate::store) fn path(a: IpAddr, b: IpAddr, c: u32) -> Self {
        let wide = u8::from(a.is_ipv6()) | u8::from(b.is_ipv6()) << 1;
        Self { wide, a: bits(a), b: bits(b), c: c.into(), bucket: 0 }
    }

    /// A number of 64 bits, and one of 32.
    pub(in crate::store) const fn numbers(large: u64, small: u32) -> Self {
        Self { wide: 0, a: [0, large], b: [0; 2], c: small as u64, bucket: 0 }
    }

    pub(in crate::store) const fn at(self, bucket: i32) -> Self {
        Self { bucket, ..self }
    }

    pub(in crate::store) const fn bucket(self) -> i32 {
        self.bucket
    }

    /// Reads the columns `a`, `b` and `c`, the first of which is column `from`.
    pub(in crate::store) fn read(row: &Row<'_>, from: usize) -> Result<Self> {
        let (Half(a, a_wide), Half(b, b_wide)) = (row.get(from)?, row.get(from + 1)?);
        let c: i64 = row.get(from + 2)?;
        Ok(Self { wide: a_wide | b_wide << 1, a, b, c: c.cast_unsigned(), bucket: 0 })
    }

    /// Binds the columns `a`, `b` and `c`, the first of which is parameter `at`.
    pub(in crate::store) fn bind(self, statement: &mut Statement<'_>, at: usize) -> Result<()> {
        for (at, half, wide) in [(at, self.a, self.wide & 1), (at + 1, self.b, self.wide >> 1)] {
            match wide {
                0 => statement.raw_bind_parameter(at, half[1].cast_signed())?,
                _ => statement.raw_bind_parameter(at, octets(half))?,
            }
        }
        statement.raw_bind_parameter(at + 2, self.c.cast_signed())
    }

    /// `a` as an address.
    pub(in crate::store) fn low(self) -> IpAddr {
        address(self.a, self.wide & 1)
    }

    /// `b` as an address.
    pub(in crate::store) fn high(self) -> IpAddr {
        address(self.b, self.wide >> 1)
    }

    pub(in crate::store) const fn exporter(self) -> i64 {
        self.a[1].cast_signed()
    }

    pub(in crate::store) const fn large(self) -> u64 {
        self.a[1]
    }

    #[expect(clippy::cast_possible_truncation, reason = "the upper half is the reporter")]
    pub(in crate::store) const fn number(self) -> u32 {
        self.c as u32
    }

    /// The same, as one exporter reports it.
    pub(super) fn by(self, exporter: u32) -> Self {
        Self { c: u64::from(self.number()) | u64::from(exporter) << 32, ..self }
    }

    /// The row of `exporters` that reports it; 0 where that is not told apart.
    pub(in crate::store) const fn reporter(self) -> i64 {
        (self.c >> 32).cast_signed()
    }

    /// The same, whoever reports it.
    pub(in crate::store) fn unreported(self) -> Self {
        Self { c: self.number().into(), ..self }
    }
}

/// A column of type ANY: an integer, or the 16 octets of an IPv6 address.
struct Half([u64; 2], u8);

impl FromSql for Half {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value {
            ValueRef::Integer(number) => Ok(Self([0, number.cast_unsigned()], 0)),
            _ => <[u8; 16]>::column_result(value).map(|octets| Self(halves(u128::from_be_bytes(octets)), 1)),
        }
    }
}

fn bits(address: IpAddr) -> [u64; 2] {
    match address {
        IpAddr::V4(address) => [0, address.to_bits().into()],
        IpAddr::V6(address) => halves(address.to_bits()),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "each half of 128 bits is 64 bits")]
const fn halves(bits: u128) -> [u64; 2] {
    [(bits >> 64) as u64, bits as u64]
}

fn address(half: [u64; 2], wide: u8) -> IpAddr {
    match wide {
        // Nothing but what `bits` made of an IPv4 address stands here.
        0 => Ipv4Addr::from_bits(u32::try_from(half[1]).unwrap_or(u32::MAX)).into(),
        _ => Ipv6Addr::from(octets(half)).into(),
    }
}

fn octets([high, low]: [u64; 2]) -> [u8; 16] {
    (u128::from(high) << 64 | u128::from(low)).to_be_bytes()
}
