//! Framing: octets ⇄ messages, sets, templates, records.
//!
//! Nothing in here knows what a field means, keeps state between two datagrams, reads a clock or allocates for
//! a data record. The input is one UDP payload from anybody: every read is checked, no octets panic, and what is
//! allocated for a template is bounded by the octets that describe it.
//!
//! The contract of every `parse`: what it returns has its lengths checked, so that the accessors behind it cannot
//! fail. A set is the unit of work: [`Sets`] walks by the length in each set's header and by nothing else.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

pub mod emit;
pub mod ipfix;
pub mod reader;
pub mod sflow;
pub mod template;
pub mod v5;
pub mod v9;

use std::fmt;

use crate::wire::reader::Reader;

/// The protocol version in the first two octets, if there are two; 0 for sFlow, whose version is twice as wide.
pub fn version(payload: &[u8]) -> Option<u16> {
    Some(u16::from_be_bytes(*payload.first_chunk()?))
}

/// Why octets could not be read as what they claim to be. Offsets count from the start of the datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Malformed {
    /// A part needs more octets than are left.
    Truncated { part: Part, offset: usize, needed: usize, available: usize },
    /// Not a version that we read; NetFlow is not what this sender speaks.
    Version { version: u16 },
    /// An IPFIX message or a set says a length that is shorter than its own header.
    SetLength { offset: usize, length: usize },
    /// An options template without a scope (RFC 7011 §3.4.2.2), or with more scope than fields.
    Scope { offset: usize },
    /// v9 scope or option length that is not a multiple of four octets (RFC 3954 §6.1).
    OptionLength { offset: usize, length: usize },
    /// An address of sFlow whose family, and so whose length, nobody knows.
    AddressFamily { offset: usize, family: u32 },
    /// A template id below 256, which no data set can name (RFC 7011 §3.4.1).
    TemplateId { offset: usize, id: u16 },
}

/// What was cut short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    Header,
    Message,
    Set,
    Template,
    Record,
    Field,
    Sample,
}

impl Malformed {
    /// A short word for counters and file names.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Truncated { .. } => "truncated",
            Self::Version { .. } => "version",
            Self::SetLength { .. } => "set-length",
            Self::Scope { .. } => "scope",
            Self::OptionLength { .. } => "option-length",
            Self::AddressFamily { .. } => "address-family",
            Self::TemplateId { .. } => "template-id",
        }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Truncated { part, offset, needed, available } => {
                write!(f, "message truncated: {part} needs {needed} octets at offset {offset}, {available} left")
            }
            Self::Version { version } => {
                write!(f, "version {version} is not NetFlow v1, v5, v7, v9, IPFIX or sFlow v5")
            }
            Self::SetLength { offset, length } => {
                write!(f, "length {length} at offset {offset} is shorter than its own header")
            }
            Self::Scope { offset } => write!(f, "options template at offset {offset} has no valid scope"),
            Self::OptionLength { offset, length } => {
                write!(f, "options template at offset {offset}: length {length} is not a multiple of 4")
            }
            Self::AddressFamily { offset, family } => {
                write!(f, "address at offset {offset} is of family {family}, neither IPv4 nor IPv6")
            }
            Self::TemplateId { offset, id } => write!(f, "template id {id} at offset {offset} is below 256"),
        }
    }
}

impl std::error::Error for Malformed {}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header => "header",
            Self::Message => "message",
            Self::Set => "set",
            Self::Template => "template record",
            Self::Record => "data record",
            Self::Field => "field",
            Self::Sample => "sample",
        })
    }
}

/// One Set of IPFIX or FlowSet of v9: the octets behind its header of four.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Set<'a> {
    pub id: u16,
    /// Where `body` begins in the datagram.
    pub offset: usize,
    pub body: &'a [u8],
}

/// Octets of the header of a set.
const SET_HEADER: usize = 4;

/// Walks sets by their lengths. A fault ends the walk after it was returned once.
#[derive(Debug, Clone)]
pub struct Sets<'a> {
    reader: Reader<'a>,
    failed: bool,
}

impl<'a> Sets<'a> {
    pub const fn new(reader: Reader<'a>) -> Self {
        Self { reader, failed: false }
    }

    fn read(&mut self) -> Result<Option<Set<'a>>, Malformed> {
        // Fewer than four octets can hold no set: some exporters pad the end of a message.
        if self.reader.remaining() < SET_HEADER {
            return Ok(None);
        }
        let offset = self.reader.offset();
        let id = self.reader.u16(Part::Set)?;
        let length = usize::from(self.reader.u16(Part::Set)?);
        // PAN-OS and Cisco ACI fill the datagram with zeros; "set 0 of length 0" ends it quietly.
        if id == 0 && length == 0 {
            return Ok(None);
        }
        let Some(body) = length.checked_sub(SET_HEADER) else {
            return Err(Malformed::SetLength { offset, length });
        };
        let offset = self.reader.offset();
        let body = self.reader.bytes(body, Part::Set)?;
        Ok(Some(Set { id, offset, body }))
    }
}

impl<'a> Iterator for Sets<'a> {
    type Item = Result<Set<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let set = self.read().transpose();
        self.failed = matches!(set, None | Some(Err(_)));
        set
    }
}

#[cfg(test)]
mod tests;
