//! NetFlow v5 (Cisco; it has no RFC): a header of 24 octets and up to 30 records of 48, in one fixed layout.
//!
//! Field positions are named here and read by the collector; what lies behind the last record is counted, not read.

use crate::wire::reader::Reader;
use crate::wire::{Malformed, Part};

/// Octets of a record.
pub const RECORD: usize = 48;
/// Octets of the header.
pub const HEADER: usize = 24;

/// The header, as sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Header {
    pub count: u16,
    /// Milliseconds since the exporter's boot.
    pub uptime: u32,
    /// Seconds since 1970 at which the datagram was sent, and the rest in nanoseconds.
    pub seconds: u32,
    pub nanoseconds: u32,
    /// Flows sent before this datagram.
    pub sequence: u32,
    pub engine_type: u8,
    pub engine_id: u8,
    /// Two bits of mode and 14 of interval; Juniper uses all 16 for the interval.
    pub sampling: u16,
}

/// A datagram whose count fits its length.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'a> {
    pub header: Header,
    records: &'a [[u8; RECORD]],
    /// Octets behind the last record.
    pub trailing: usize,
}

impl<'a> Packet<'a> {
    /// Reads a datagram whose version is known to be 5.
    ///
    /// # Errors
    /// When it is shorter than its header, or than the records that the header counts.
    pub fn parse(payload: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(payload, 0);
        reader.u16(Part::Header)?;
        let header = Header {
            count: reader.u16(Part::Header)?,
            uptime: reader.u32(Part::Header)?,
            seconds: reader.u32(Part::Header)?,
            nanoseconds: reader.u32(Part::Header)?,
            sequence: reader.u32(Part::Header)?,
            engine_type: reader.u8(Part::Header)?,
            engine_id: reader.u8(Part::Header)?,
            sampling: reader.u16(Part::Header)?,
        };
        let length = usize::from(header.count).saturating_mul(RECORD);
        let (records, _) = reader.bytes(length, Part::Record)?.as_chunks();
        Ok(Self { header, records, trailing: reader.remaining() })
    }

    pub const fn records(&self) -> &'a [[u8; RECORD]] {
        self.records
    }
}

/// Where each field begins in a record; the name carries its width in bits.
pub mod field {
    pub const SRC_IP_32: usize = 0;
    pub const DST_IP_32: usize = 4;
    pub const NEXT_HOP_32: usize = 8;
    pub const IN_IF_16: usize = 12;
    pub const OUT_IF_16: usize = 14;
    pub const PACKETS_32: usize = 16;
    pub const BYTES_32: usize = 20;
    pub const FIRST_32: usize = 24;
    pub const LAST_32: usize = 28;
    pub const SRC_PORT_16: usize = 32;
    pub const DST_PORT_16: usize = 34;
    pub const TCP_FLAGS_8: usize = 37;
    pub const PROTOCOL_8: usize = 38;
    pub const TOS_8: usize = 39;
    pub const SRC_AS_16: usize = 40;
    pub const DST_AS_16: usize = 42;
    pub const SRC_MASK_8: usize = 44;
    pub const DST_MASK_8: usize = 45;
}
