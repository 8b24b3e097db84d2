//! What the skip index knows of a flow: each value that a filter may ask for as 64 bits.
//!
//! The bits stand in files, so that no function here may ever change.

use std::net::IpAddr;

use crate::flow::FlowRecord;

/// A value that occurs in a flow, whatever end of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Token {
    Address(IpAddr),
    /// Two lengths per family are indexed: 16 and 24, 48 and 64. See [`Token::prefix`].
    Prefix(IpAddr, u8),
    /// Below `EPHEMERAL`. See [`Token::port`].
    Port(u16),
    Protocol(u8),
    /// The row of `exporters`.
    Exporter(i64),
    InInterface(u32),
    OutInterface(u32),
    /// Not 0, which is "unknown".
    As(u32),
}

/// Ports from here on are chosen anew for each connection, so that nearly every block holds thousands of them.
pub(super) const EPHEMERAL: u16 = 32_768;

impl Token {
    /// What holds for every address of a prefix: the longest indexed prefix that is no longer. `None` when the prefix
    /// is shorter than all of these.
    pub fn prefix(address: IpAddr, length: u8) -> Option<Self> {
        let full = if address.is_ipv4() { 32 } else { 128 };
        if full <= length {
            return Some(Self::Address(address));
        }
        let indexed = lengths(address).into_iter().filter(|indexed| *indexed <= length).max();
        indexed.map(|indexed| Self::Prefix(address, indexed))
    }

    /// `None` for ports that are not indexed.
    pub fn port(port: u16) -> Option<Self> {
        (port < EPHEMERAL).then_some(Self::Port(port))
    }

    pub(super) fn hash(self) -> u64 {
        match self {
            Self::Address(address) => prefix_hash(address, 128),
            Self::Prefix(address, length) => prefix_hash(address, length),
            Self::Port(port) => mix(2, port.into(), 0),
            Self::Protocol(protocol) => mix(3, protocol.into(), 0),
            Self::Exporter(id) => mix(4, id.cast_unsigned(), 0),
            Self::InInterface(index) => mix(5, index.into(), 0),
            Self::OutInterface(index) => mix(6, index.into(), 0),
            Self::As(number) => mix(7, number.into(), 0),
        }
    }
}

/// Tokens of a flow besides its addresses, at most.
pub(super) const PLAIN: usize = 8;

/// The tokens of a flow but its addresses; the same kind in the same place.
pub(super) fn plain(exporter: i64, flow: &FlowRecord) -> [Option<Token>; PLAIN] {
    let number = |number: u32| (number != 0).then_some(Token::As(number));
    [
        Token::port(flow.key.src_port),
        Token::port(flow.key.dst_port),
        number(flow.src_as),
        number(flow.dst_as),
        Some(Token::InInterface(flow.in_if)),
        Some(Token::OutInterface(flow.out_if)),
        Some(Token::Protocol(flow.key.protocol)),
        Some(Token::Exporter(exporter)),
    ]
}

/// The prefix lengths that are indexed, shortest first.
pub(super) const fn lengths(address: IpAddr) -> [u8; 2] {
    match address {
        IpAddr::V4(_) => [16, 24],
        IpAddr::V6(_) => [48, 64],
    }
}

#[expect(clippy::cast_possible_truncation, reason = "each half of 128 bits is 64 bits")]
fn prefix_hash(address: IpAddr, length: u8) -> u64 {
    match address {
        IpAddr::V4(address) => {
            let host_bits = 32_u8.saturating_sub(length);
            mix(u64::from(length) << 8, (address.to_bits() >> host_bits).into(), 0)
        }
        IpAddr::V6(address) => {
            let bits = address.to_bits() >> 128_u8.saturating_sub(length);
            mix(u64::from(length) << 8 | 1, (bits >> 64) as u64, bits as u64)
        }
    }
}

/// Two rounds of the finalizer of MurmurHash3 over all of the input.
const fn mix(kind: u64, high: u64, low: u64) -> u64 {
    finish(finish(high ^ kind.wrapping_mul(0x9e37_79b9_7f4a_7c15)) ^ low.wrapping_mul(0xd6e8_feb8_6659_fd93))
}

const fn finish(bits: u64) -> u64 {
    let bits = (bits ^ bits >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let bits = (bits ^ bits >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    bits ^ bits >> 33
}
