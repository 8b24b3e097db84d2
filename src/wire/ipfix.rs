//! IPFIX (RFC 7011): a header of 16 octets with the message's length, then Sets.

use crate::ie::ElementId;
use crate::wire::reader::Reader;
use crate::wire::template::{FieldSpecifier, Template, TemplateId, template_id};
use crate::wire::{Malformed, Part, Set, Sets};

/// Set id of templates (RFC 7011 §3.3.2).
pub const TEMPLATE_SET: u16 = 2;
/// Set id of options templates.
pub const OPTIONS_TEMPLATE_SET: u16 = 3;
/// The bit that says "a private enterprise number follows" (RFC 7011 §3.2).
pub const ENTERPRISE: u16 = 0x8000;

/// Octets of the header.
const HEADER: usize = 16;

/// The header (RFC 7011 §3.1), as sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Header {
    /// Octets of the message, header included.
    pub length: u16,
    /// Seconds since 1970.
    pub export_time: u32,
    /// Data records sent before this message.
    pub sequence: u32,
    pub domain: u32,
}

/// A message whose length fits the datagram; its sets are checked while they are walked.
#[derive(Debug, Clone)]
pub struct Message<'a> {
    pub header: Header,
    body: Reader<'a>,
    /// Octets of the datagram behind the message.
    pub trailing: usize,
}

impl<'a> Message<'a> {
    /// Reads a datagram whose version is known to be 10.
    ///
    /// # Errors
    /// When it is shorter than its header, or than the length that the header says.
    pub fn parse(payload: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(payload, 0);
        reader.u16(Part::Header)?;
        let header = Header {
            length: reader.u16(Part::Header)?,
            export_time: reader.u32(Part::Header)?,
            sequence: reader.u32(Part::Header)?,
            domain: reader.u32(Part::Header)?,
        };
        let length = usize::from(header.length);
        let Some(body) = length.checked_sub(HEADER) else {
            return Err(Malformed::SetLength { offset: 2, length });
        };
        let body = Reader::new(reader.bytes(body, Part::Message)?, HEADER);
        Ok(Self { header, body, trailing: reader.remaining() })
    }

    pub const fn sets(&self) -> Sets<'a> {
        Sets::new(self.body)
    }
}

/// What a record of a template set says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Announcement {
    Template(Template),
    /// A field count of 0 (RFC 7011 §8.1); over UDP it MUST be ignored (§8.4).
    Withdrawal(TemplateId),
}

/// Calls `each` for every record of a template set or options template set, in order.
///
/// # Errors
/// When a record is longer than its set, or one of an options template set has no scope (RFC 7011 §3.4.2.2).
pub fn templates(set: Set<'_>, mut each: impl FnMut(Announcement)) -> Result<(), Malformed> {
    walk(set, |id, scopes, count, reader| {
        // A specifier has at least four octets, so what is reserved never exceeds what the set can hold.
        let mut fields = Vec::with_capacity(count.min(reader.remaining().div_ceil(4)));
        specifiers(reader, count, |field| fields.push(field))?;
        each(match count {
            0 => Announcement::Withdrawal(id),
            _ => Announcement::Template(Template { id, scopes, fields }),
        });
        Ok(())
    })
}

/// Whether [`templates`] could read a set, without making anything of it.
///
/// # Errors
/// As those of [`templates`].
pub fn check(set: Set<'_>) -> Result<(), Malformed> {
    walk(set, |_, _, count, reader| specifiers(reader, count, |_| ()))
}

/// Calls `each` behind the head of every record with its id, count of scopes and count of fields.
fn walk<'a>(
    set: Set<'a>,
    mut each: impl FnMut(TemplateId, usize, usize, &mut Reader<'a>) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    let mut reader = Reader::new(set.body, set.offset);
    while 4 <= reader.remaining() && !is_padding(reader) {
        let offset = reader.offset();
        let (id, count) = head(&mut reader, set)?;
        let mut scopes = 0;
        if set.id == OPTIONS_TEMPLATE_SET && count != 0 {
            scopes = usize::from(reader.u16(Part::Template)?);
            if scopes == 0 || count < scopes {
                return Err(Malformed::Scope { offset });
            }
        }
        each(id, scopes, count, &mut reader)?;
    }
    Ok(())
}

/// Template id and field count. A withdrawal of all templates names the set's own id (RFC 7011 §8.1).
fn head(reader: &mut Reader<'_>, set: Set<'_>) -> Result<(TemplateId, usize), Malformed> {
    let mut ahead = *reader;
    if (ahead.u16(Part::Template)?, ahead.u16(Part::Template)?) == (set.id, 0) {
        *reader = ahead;
        return Ok((TemplateId(set.id), 0));
    }
    Ok((template_id(reader)?, usize::from(reader.u16(Part::Template)?)))
}

fn specifiers(reader: &mut Reader<'_>, count: usize, mut each: impl FnMut(FieldSpecifier)) -> Result<(), Malformed> {
    for _ in 0..count {
        let number = reader.u16(Part::Template)?;
        let length = reader.u16(Part::Template)?;
        let element = if number & ENTERPRISE == 0 {
            ElementId::Iana(number)
        } else {
            ElementId::Vendor { pen: reader.u32(Part::Template)?, id: number & !ENTERPRISE }
        };
        each(FieldSpecifier { element, length });
    }
    Ok(())
}

/// A template id of 0 is no template: the rest of the set is padding, however long (Ixia sends up to seven octets).
fn is_padding(mut reader: Reader<'_>) -> bool {
    reader.u16(Part::Template) == Ok(0)
}
