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
        let indexed = lengths(&address).into_iter().filter(|indexed| *indexed <= length).max();
        indexed.map(|indexed| Self::Prefix(address, indexed))
    }

    /// `None` for ports that are not indexed.
    pub fn port(port: u16) -> Option<Self> {
        (port < EPHEMERAL).then_some(Self::Port(port))
    }

    pub(super) fn hash(self) -> u64 {
        match self {
            Self::Address(address) => address_hash(&address),
            Self::Prefix(address, length) => prefix_hash(&address, length),
            Self::Port(port) => mix(PORT, port.into(), 0),
            Self::Protocol(protocol) => mix(PROTOCOL, protocol.into(), 0),
            Self::Exporter(id) => mix(EXPORTER, id.cast_unsigned(), 0),
            Self::InInterface(index) => mix(IN_INTERFACE, index.into(), 0),
            Self::OutInterface(index) => mix(OUT_INTERFACE, index.into(), 0),
            Self::As(number) => mix(AS, number.into(), 0),
        }
    }
}

const PORT: u64 = 2;
const PROTOCOL: u64 = 3;
const EXPORTER: u64 = 4;
const IN_INTERFACE: u64 = 5;
const OUT_INTERFACE: u64 = 6;
const AS: u64 = 7;

/// Tokens of a flow besides its addresses, at most.
const PLAIN: usize = 8;

/// In the place of a number that is no token, and of one that was not met. No other one is as large: exporters are counted
/// from 1.
const NONE: u64 = u64::MAX;

/// Numbers that were met lately, by kind and lower bits. Nearly all of them are met again, and need no hash then.
#[derive(Debug)]
pub(super) struct Met(Box<[[u64; 64]; PLAIN]>);

impl Default for Met {
    fn default() -> Self {
        Self(Box::new([[NONE; 64]; PLAIN]))
    }
}

impl Met {
    /// The hashes of a flow's tokens besides its addresses, as far as they are not known to have been given before.
    pub(super) fn new_ones(&mut self, exporter: i64, flow: &FlowRecord) -> impl Iterator<Item = u64> {
        plain(exporter, flow).into_iter().zip(self.0.iter_mut()).filter_map(|((kind, number), met)| {
            let met = &mut met[(number & 63) as usize];
            (*met != number && number != NONE).then(|| {
                *met = number;
                mix(kind, number, 0)
            })
        })
    }
}

/// The tokens of a flow but its addresses, as kind and number; the same kind in the same place.
fn plain(exporter: i64, flow: &FlowRecord) -> [(u64, u64); PLAIN] {
    let port = |port: u16| (PORT, Token::port(port).map_or(NONE, |_| port.into()));
    let system = |number: u32| (AS, if number == 0 { NONE } else { number.into() });
    [
        port(flow.key.src_port),
        port(flow.key.dst_port),
        system(flow.src_as),
        system(flow.dst_as),
        (IN_INTERFACE, flow.in_if.into()),
        (OUT_INTERFACE, flow.out_if.into()),
        (PROTOCOL, flow.key.protocol.into()),
        (EXPORTER, exporter.cast_unsigned()),
    ]
}

/// The prefix lengths that are indexed, shortest first.
pub(super) const fn lengths(address: &IpAddr) -> [u8; 2] {
    match address {
        IpAddr::V4(_) => [16, 24],
        IpAddr::V6(_) => [48, 64],
    }
}

/// The hash of [`Token::Address`].
pub(super) fn address_hash(address: &IpAddr) -> u64 {
    prefix_hash(address, 128)
}

/// The hash of [`Token::Prefix`].
#[expect(clippy::cast_possible_truncation, reason = "each half of 128 bits is 64 bits")]
pub(super) fn prefix_hash(address: &IpAddr, length: u8) -> u64 {
    match *address {
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
