//! Template Records and Options Template Records, the same type for v9 and IPFIX.
//!
//! A template says how long fields are and what they are called; it does not say what they mean.

use std::fmt;

use crate::ie::ElementId;
use crate::wire::reader::Reader;
use crate::wire::{Malformed, Part};

/// Names a template within one session and domain, and the data sets that follow it; 256 or above.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TemplateId(pub u16);

impl TemplateId {
    /// The lowest set id that is a data set (RFC 7011 §3.3.2, RFC 3954 §5.2).
    pub const FIRST: u16 = 256;
}

impl fmt::Display for TemplateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The length that says "read it from the record" (RFC 7011 §7). H3C sends it in v9 too.
pub const VARIABLE: u16 = 65_535;

/// One field of a template (RFC 7011 §3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldSpecifier {
    pub element: ElementId,
    /// Octets in each record, 0 included; [`VARIABLE`] when each record says its own.
    pub length: u16,
}

/// How the records of a data set are cut into fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    pub id: TemplateId,
    /// How many of `fields`, from the front, are scope; 0 makes it a template of flows.
    pub scopes: usize,
    pub fields: Vec<FieldSpecifier>,
}

impl Template {
    /// Whether its records speak about the exporter and not about flows.
    pub const fn is_options(&self) -> bool {
        self.scopes > 0
    }

    /// The octets of the shortest possible record. A template of which this is 0 describes nothing, and a reader
    /// that believed it would never come to the end of a set.
    pub fn shortest(&self) -> usize {
        self.fields.iter().map(|field| if field.length == VARIABLE { 1 } else { usize::from(field.length) }).sum()
    }

    /// Whether a field's length stands in the record.
    pub fn is_variable(&self) -> bool {
        self.fields.iter().any(|field| field.length == VARIABLE)
    }

    /// Cuts one record off the front of `reader` and hands each field to `each`.
    ///
    /// # Errors
    /// When the record is longer than what is left.
    pub fn record<'a>(&self, reader: &mut Reader<'a>, mut each: impl FnMut(usize, &'a [u8])) -> Result<(), Malformed> {
        for (index, field) in self.fields.iter().enumerate() {
            let length = match field.length {
                VARIABLE => variable_length(reader)?,
                fixed => usize::from(fixed),
            };
            each(index, reader.bytes(length, Part::Field)?);
        }
        Ok(())
    }
}

/// One octet, or 255 and two octets (RFC 7011 §7). 0 is legal, and so is a short length in the long form.
fn variable_length(reader: &mut Reader<'_>) -> Result<usize, Malformed> {
    match reader.u8(Part::Field)? {
        255 => reader.u16(Part::Field).map(usize::from),
        short => Ok(usize::from(short)),
    }
}

/// The id of a template record, which must be one that a data set can have.
pub(super) fn template_id(reader: &mut Reader<'_>) -> Result<TemplateId, Malformed> {
    let offset = reader.offset();
    let id = reader.u16(Part::Template)?;
    if id < TemplateId::FIRST {
        return Err(Malformed::TemplateId { offset, id });
    }
    Ok(TemplateId(id))
}
