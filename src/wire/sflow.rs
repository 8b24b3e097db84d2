//! sFlow version 5 (sflow.org, July 2004): a header, then samples, each of which is a few fields and then records.
//!
//! What a record says is not read here. Everything is XDR (RFC 4506): numbers of 32 bits, and octets filled up to a
//! multiple of four. Samples and records are framed alike, by a format and a length, so that what nobody knows is
//! skipped by its length; a format is the number of an enterprise in 20 bits and 12 bits of its own, and all that is
//! read here is of enterprise 0.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::wire::reader::Reader;
use crate::wire::{Malformed, Part};

/// What a datagram begins with. NetFlow v5 has its 5 in the first two octets.
pub const VERSION: [u8; 4] = [0, 0, 0, 5];

/// The header, as sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// By which the agent calls itself, whatever address its datagrams come from; `0.0.0.0` when it says none.
    pub agent: IpAddr,
    pub sub_agent: u32,
    /// Datagrams of this agent and sub-agent.
    pub sequence: u32,
    /// Milliseconds since the agent's boot.
    pub uptime: u32,
}

/// A datagram whose header is whole; its samples are checked while they are walked.
#[derive(Debug, Clone)]
pub struct Datagram<'a> {
    pub header: Header,
    pub samples: Structures<'a>,
}

impl<'a> Datagram<'a> {
    /// Reads a datagram that begins with [`VERSION`].
    ///
    /// # Errors
    /// When it is shorter than its header, or the agent's address is of an unknown family and so of unknown length.
    pub fn parse(payload: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(payload, 0);
        reader.u32(Part::Header)?;
        let header = Header {
            agent: address(&mut reader, Part::Header)?.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            sub_agent: reader.u32(Part::Header)?,
            sequence: reader.u32(Part::Header)?,
            uptime: reader.u32(Part::Header)?,
        };
        let left = reader.u32(Part::Header)?;
        Ok(Self { header, samples: Structures { reader, left, part: Part::Sample } })
    }
}

/// One sample or record.
#[derive(Debug, Clone, Copy)]
pub struct Structure<'a> {
    pub format: u32,
    pub body: Reader<'a>,
}

/// Walks samples or records by their lengths. A fault ends the walk after it was returned once.
#[derive(Debug, Clone)]
pub struct Structures<'a> {
    reader: Reader<'a>,
    /// By the count that precedes them; it may be any number.
    left: u32,
    part: Part,
}

impl<'a> Structures<'a> {
    /// Octets that were not walked.
    pub const fn remaining(&self) -> usize {
        self.reader.remaining()
    }

    fn read(&mut self) -> Result<Structure<'a>, Malformed> {
        let format = self.reader.u32(self.part)?;
        let length = length(&mut self.reader, self.part)?;
        let offset = self.reader.offset();
        let body = Reader::new(self.reader.bytes(length, self.part)?, offset);
        // The last one may lack what fills it up.
        let fill = length.wrapping_neg() & 3;
        self.reader.bytes(fill.min(self.reader.remaining()), self.part)?;
        Ok(Structure { format, body })
    }
}

impl<'a> Iterator for Structures<'a> {
    type Item = Result<Structure<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let read = self.read();
        if read.is_err() {
            self.left = 0;
        }
        Some(read)
    }
}

/// A sample whose own fields are whole.
#[derive(Debug, Clone)]
pub enum Sample<'a> {
    /// One packet out of many.
    Flow(FlowSample<'a>),
    /// What an interface or a processor counted.
    Counters { source: Source, records: Structures<'a> },
    /// A format that we do not read.
    Unknown,
}

#[derive(Debug, Clone)]
pub struct FlowSample<'a> {
    pub source: Source,
    /// One of so many packets is sampled.
    pub rate: u32,
    /// How many samples the source has dropped since it began, for lack of resources.
    pub drops: u32,
    pub input: Interface,
    pub output: Interface,
    pub records: Structures<'a>,
}

/// What a sample speaks of: of kind 0, an interface by its SNMP index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source {
    pub kind: u32,
    pub index: u32,
}

/// Where a packet came from or went to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interface {
    /// 0 when `value` is an SNMP index, 1 when it is the reason of a discard, 2 when it counts interfaces.
    pub format: u32,
    pub value: u32,
}

impl<'a> Sample<'a> {
    /// Reads the fields of a sample, in the compact forms (1, 2) or the expanded ones (3, 4), which have room for an
    /// index of more than 24 or 30 bits.
    ///
    /// # Errors
    /// When the sample is shorter than they are.
    pub fn parse(structure: Structure<'a>) -> Result<Self, Malformed> {
        let (mut reader, is_expanded) = (structure.body, 2 < structure.format);
        if !(1..=4).contains(&structure.format) {
            return Ok(Self::Unknown);
        }
        reader.u32(Part::Sample)?;
        let (kind, index) = split(&mut reader, is_expanded, 24)?;
        let source = Source { kind, index };
        if matches!(structure.format, 2 | 4) {
            return Ok(Self::Counters { source, records: records(reader)? });
        }
        let rate = reader.u32(Part::Sample)?;
        // The pool, of which nothing is made: it is the rate once more, as it turned out.
        reader.u32(Part::Sample)?;
        let drops = reader.u32(Part::Sample)?;
        let mut interface = || {
            let (format, value) = split(&mut reader, is_expanded, 30)?;
            Ok(Interface { format, value })
        };
        let (input, output) = (interface()?, interface()?);
        Ok(Self::Flow(FlowSample { source, rate, drops, input, output, records: records(reader)? }))
    }
}

/// Two numbers: one after the other, or in one of 32 bits of which the second has the lower `bits`.
fn split(reader: &mut Reader<'_>, is_expanded: bool, bits: u32) -> Result<(u32, u32), Malformed> {
    let first = reader.u32(Part::Sample)?;
    if is_expanded {
        return Ok((first, reader.u32(Part::Sample)?));
    }
    let upper = first.unbounded_shr(bits);
    Ok((upper, first ^ upper.unbounded_shl(bits)))
}

fn records(mut reader: Reader<'_>) -> Result<Structures<'_>, Malformed> {
    let left = reader.u32(Part::Sample)?;
    Ok(Structures { reader, left, part: Part::Record })
}

/// A number of octets; one that does not fit stays at the top, where no datagram holds it.
fn length(reader: &mut Reader<'_>, part: Part) -> Result<usize, Malformed> {
    Ok(usize::try_from(reader.u32(part)?).unwrap_or(usize::MAX))
}

/// Octets of any number, with the number before them.
///
/// # Errors
/// When there are fewer.
pub fn opaque<'a>(reader: &mut Reader<'a>, part: Part) -> Result<&'a [u8], Malformed> {
    let length = length(reader, part)?;
    reader.bytes(length, part)
}

/// An address with its family before it; `None` for the family 0, which has no octets.
///
/// # Errors
/// When it is cut short, or of a family whose length nobody knows.
pub fn address(reader: &mut Reader<'_>, part: Part) -> Result<Option<IpAddr>, Malformed> {
    let offset = reader.offset();
    match reader.u32(part)? {
        0 => Ok(None),
        1 => Ok(Some(Ipv4Addr::from(reader.array(part)?).into())),
        2 => Ok(Some(Ipv6Addr::from(reader.array::<16>(part)?).into())),
        family => Err(Malformed::AddressFamily { offset, family }),
    }
}
