//! Information Elements: what an element is called, what type it has and in which units it counts.
//!
//! This module knows no record and decides nothing about a flow; a length on the wire never follows from
//! a type here (RFC 7011 §6.2, and vendors go further). The rows come from the IANA registry, which a test
//! compares with the copy in `fixtures/iana`.

mod registry;

use std::fmt;

/// Enterprise number of the reverse direction of a biflow: the element number is the IANA one (RFC 5103 §6.1).
pub const REVERSE: u32 = 29_305;

/// The name of a field on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ElementId {
    /// An IANA number, or a NetFlow v9 field type: below 128 both mean the same (RFC 7012 §4). v9 types from
    /// 32768 are a vendor's own, since v9 has no enterprise bit (RFC 3954 §8).
    Iana(u16),
    /// A vendor's element: its private enterprise number and the number without the enterprise bit (RFC 7011 §3.2).
    Vendor { pen: u32, id: u16 },
    /// A scope field of a v9 options template, which has a number space of its own (RFC 3954 §6.1).
    V9Scope(u16),
}

/// One row of the registry.
#[derive(Debug, PartialEq, Eq)]
pub struct Element {
    pub id: u16,
    pub name: &'static str,
    pub kind: Kind,
    /// As in the registry: `octets`, `packets`, `milliseconds`, …; empty where there is none.
    pub units: &'static str,
}

/// Abstract data types (RFC 7012 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    OctetArray,
    Unsigned8,
    Unsigned16,
    Unsigned32,
    Unsigned64,
    Unsigned256,
    Signed8,
    Signed16,
    Signed32,
    Signed64,
    Float32,
    Float64,
    Boolean,
    MacAddress,
    String,
    DateTimeSeconds,
    DateTimeMilliseconds,
    DateTimeMicroseconds,
    DateTimeNanoseconds,
    Ipv4Address,
    Ipv6Address,
    BasicList,
    SubTemplateList,
    SubTemplateMultiList,
}

impl ElementId {
    /// The registry's row; of the forward element for a reverse one (RFC 5103 §6.1).
    pub fn element(self) -> Option<&'static Element> {
        match self {
            Self::Iana(id) | Self::Vendor { pen: REVERSE, id } => find(registry::IANA, id),
            Self::Vendor { pen, id } => {
                let at = registry::VENDOR.binary_search_by_key(&pen, |&(pen, _)| pen).ok()?;
                find(registry::VENDOR.get(at)?.1, id)
            }
            Self::V9Scope(_) => None,
        }
    }
}

fn find(rows: &'static [Element], id: u16) -> Option<&'static Element> {
    rows.get(rows.binary_search_by_key(&id, |row| row.id).ok()?)
}

impl fmt::Display for ElementId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, self.element()) {
            (Self::Vendor { pen: REVERSE, .. }, Some(element)) => write!(f, "reverse {}", element.name),
            (_, Some(element)) => f.write_str(element.name),
            (Self::Iana(id), None) => write!(f, "element {id}"),
            (Self::Vendor { pen, id }, None) => write!(f, "element {pen}/{id}"),
            (Self::V9Scope(id), None) => f.write_str(match id {
                1 => "scope system",
                2 => "scope interface",
                3 => "scope line card",
                4 => "scope cache",
                5 => "scope template",
                _ => return write!(f, "scope {id}"),
            }),
        }
    }
}

#[cfg(test)]
mod tests;
