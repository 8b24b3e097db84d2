//! NetFlow v9 (RFC 3954): a header of 20 octets, then FlowSets.
//!
//! The header's Count is read and believed by nobody: exporters count records, or FlowSets, or something else.

use crate::ie::ElementId;
use crate::wire::reader::Reader;
use crate::wire::template::{FieldSpecifier, Template, template_id};
use crate::wire::{Malformed, Part, Set, Sets};

/// FlowSet id of templates (RFC 3954 §5.2).
pub const TEMPLATE_SET: u16 = 0;
/// FlowSet id of options templates (RFC 3954 §6.1).
pub const OPTIONS_TEMPLATE_SET: u16 = 1;

/// The header (RFC 3954 §5.1), as sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Header {
    pub count: u16,
    /// Milliseconds since the exporter's boot.
    pub uptime: u32,
    /// Seconds since 1970.
    pub seconds: u32,
    /// Export packets sent before this one.
    pub sequence: u32,
    pub source_id: u32,
}

/// A datagram whose header is whole; its sets are checked while they are walked.
#[derive(Debug, Clone)]
pub struct Packet<'a> {
    pub header: Header,
    body: Reader<'a>,
}

impl<'a> Packet<'a> {
    /// Reads a datagram whose version is known to be 9.
    ///
    /// # Errors
    /// When it is shorter than its header.
    pub fn parse(payload: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(payload, 0);
        reader.u16(Part::Header)?;
        let header = Header {
            count: reader.u16(Part::Header)?,
            uptime: reader.u32(Part::Header)?,
            seconds: reader.u32(Part::Header)?,
            sequence: reader.u32(Part::Header)?,
            source_id: reader.u32(Part::Header)?,
        };
        Ok(Self { header, body: reader })
    }

    pub const fn sets(&self) -> Sets<'a> {
        Sets::new(self.body)
    }
}

/// Calls `each` for every template of a template FlowSet, in order.
///
/// # Errors
/// When a template is longer than its set; those before it were handed out.
pub fn templates(set: Set<'_>, mut each: impl FnMut(Template)) -> Result<(), Malformed> {
    let mut reader = Reader::new(set.body, set.offset);
    while 4 <= reader.remaining() && !is_padding(reader) {
        let id = template_id(&mut reader)?;
        let count = usize::from(reader.u16(Part::Template)?);
        let fields = fields(&mut reader, count.saturating_mul(4), ElementId::Iana)?;
        each(Template { id, scopes: 0, fields });
    }
    Ok(())
}

/// Calls `each` for every template of an options template FlowSet, in order.
///
/// # Errors
/// When a template is longer than its set or its lengths are not whole fields; those before it were handed out.
pub fn options_templates(set: Set<'_>, mut each: impl FnMut(Template)) -> Result<(), Malformed> {
    let mut reader = Reader::new(set.body, set.offset);
    while 6 <= reader.remaining() && !is_padding(reader) {
        let offset = reader.offset();
        let id = template_id(&mut reader)?;
        let scope = usize::from(reader.u16(Part::Template)?);
        let option = usize::from(reader.u16(Part::Template)?);
        for length in [scope, option] {
            if !length.is_multiple_of(4) {
                return Err(Malformed::OptionLength { offset, length });
            }
        }
        let mut all = fields(&mut reader, scope, ElementId::V9Scope)?;
        let scopes = all.len();
        all.extend(fields(&mut reader, option, ElementId::Iana)?);
        if scopes == 0 {
            return Err(Malformed::Scope { offset });
        }
        each(Template { id, scopes, fields: all });
    }
    Ok(())
}

/// `octets` of type and length pairs; `space` says what the types name.
fn fields(
    reader: &mut Reader<'_>,
    octets: usize,
    space: fn(u16) -> ElementId,
) -> Result<Vec<FieldSpecifier>, Malformed> {
    let (pairs, _) = reader.bytes(octets, Part::Template)?.as_chunks::<4>();
    Ok(pairs
        .iter()
        .map(|&[a, b, c, d]| FieldSpecifier {
            element: space(u16::from_be_bytes([a, b])),
            length: u16::from_be_bytes([c, d]),
        })
        .collect())
}

/// A template id of 0 is no template: the rest of the set is padding.
fn is_padding(mut reader: Reader<'_>) -> bool {
    reader.u16(Part::Template) == Ok(0)
}
