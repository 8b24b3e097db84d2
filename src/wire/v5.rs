//! NetFlow v5 and its neighbours v1 and v7 (Cisco; they have no RFC): a header and up to 30 records in one fixed layout.
//!
//! Field positions are named here and read by the collector; what lies behind the last record is counted, not read.

use crate::wire::reader::Reader;
use crate::wire::{Malformed, Part};

/// Octets of a record of v1 or v5.
pub const RECORD: usize = 48;
/// Octets of a record of v7.
pub const V7_RECORD: usize = 52;
/// Octets of the header of v5 or v7; v1 has 16, without sequence number and what follows it.
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
    /// Flows sent before this datagram; 0 in v1, which does not count them.
    pub sequence: u32,
    /// Zero in v1 and v7, as is all that follows.
    pub engine_type: u8,
    pub engine_id: u8,
    /// Two bits of mode and 14 of interval; Juniper uses all 16 for the interval.
    pub sampling: u16,
}

/// A datagram whose count fits its length; `N` is the octets of a record.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'a, const N: usize> {
    pub header: Header,
    records: &'a [[u8; N]],
    /// Octets behind the last record.
    pub trailing: usize,
}

impl<'a> Packet<'a, RECORD> {
    /// Reads a datagram whose version is known to be 5.
    ///
    /// # Errors
    /// When it is shorter than its header, or than the records that the header counts.
    pub fn parse(payload: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(payload, 0);
        let mut header = Header::begin(&mut reader)?;
        header.sequence = reader.u32(Part::Header)?;
        header.engine_type = reader.u8(Part::Header)?;
        header.engine_id = reader.u8(Part::Header)?;
        header.sampling = reader.u16(Part::Header)?;
        Self::with(header, reader)
    }

    /// Reads a datagram whose version is known to be 1.
    ///
    /// # Errors
    /// As for v5.
    pub fn parse_v1(payload: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(payload, 0);
        let header = Header::begin(&mut reader)?;
        Self::with(header, reader)
    }
}

impl<'a> Packet<'a, V7_RECORD> {
    /// Reads a datagram whose version is known to be 7.
    ///
    /// # Errors
    /// As for v5.
    pub fn parse_v7(payload: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(payload, 0);
        let mut header = Header::begin(&mut reader)?;
        header.sequence = reader.u32(Part::Header)?;
        reader.u32(Part::Header)?;
        Self::with(header, reader)
    }
}

impl<'a, const N: usize> Packet<'a, N> {
    pub const fn records(&self) -> &'a [[u8; N]] {
        self.records
    }

    fn with(header: Header, mut reader: Reader<'a>) -> Result<Self, Malformed> {
        let length = usize::from(header.count).saturating_mul(N);
        let (records, _) = reader.bytes(length, Part::Record)?.as_chunks();
        Ok(Self { header, records, trailing: reader.remaining() })
    }
}

impl Header {
    /// The 16 octets that all three versions begin with.
    fn begin(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        reader.u16(Part::Header)?;
        Ok(Self {
            count: reader.u16(Part::Header)?,
            uptime: reader.u32(Part::Header)?,
            seconds: reader.u32(Part::Header)?,
            nanoseconds: reader.u32(Part::Header)?,
            ..Self::default()
        })
    }
}

/// Where each field begins in a record; the name carries its width in bits. v7 adds six octets at the end, which nobody
/// reads; v1 has its TCP flags elsewhere, and neither systems nor masks.
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
    pub const V1_TCP_FLAGS_8: usize = 40;
}
