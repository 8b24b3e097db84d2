//! What an exporter calls its interfaces, applications and VRFs, fit for a terminal and bounded.
//!
//! Names come from the network and go to a screen and a database: control characters are taken out and lengths are
//! bounded here, so that nobody behind has to think of it. The input is text as options records and counter samples
//! carry it.

use std::collections::BTreeMap;

use crate::collector::options::{FACTS, keep};

/// Octets of a name that are kept.
pub const NAME_OCTETS: usize = 255;

/// What a name belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum NameKind {
    /// By SNMP interface index (elements 82 and 83).
    Interface = 1,
    /// By application id as in [`FlowRecord::application`] (94 and 96).
    ///
    /// [`FlowRecord::application`]: crate::flow::FlowRecord::application
    Application = 2,
    /// By the id of a VRF as in [`FlowRecord::vrf`] (236).
    ///
    /// [`FlowRecord::vrf`]: crate::flow::FlowRecord::vrf
    Vrf = 3,
}

impl NameKind {
    pub const ALL: [Self; 3] = [Self::Interface, Self::Application, Self::Vrf];
}

/// The names of one exporter and domain, at most [`FACTS`] of all kinds together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names(BTreeMap<(NameKind, u64), String>);

impl Names {
    /// What the exporter calls it.
    pub fn find(&self, kind: NameKind, id: u64) -> Option<&str> {
        self.0.get(&(kind, id)).map(String::as_str)
    }

    /// All names, by kind and id.
    pub fn iter(&self) -> impl Iterator<Item = (NameKind, u64, &str)> {
        self.0.iter().map(|(&(kind, id), name)| (kind, id, name.as_str()))
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Keeps a name as long as there is room, and returns how many found none.
    pub fn insert(&mut self, kind: NameKind, id: u64, name: String) -> u64 {
        keep(&mut self.0, FACTS, (kind, id), name)
    }
}

/// Text for people: up to the first NUL, ill-formed UTF-8 replaced (RFC 7011 §6.1.6), control characters taken out,
/// cut at [`NAME_OCTETS`].
pub(in crate::collector) fn printable(octets: &[u8]) -> String {
    let text = octets.split(|&octet| octet == 0).next().unwrap_or_default();
    let text = text.get(..text.len().min(NAME_OCTETS)).unwrap_or_default();
    String::from_utf8_lossy(text).chars().filter(|c| !is_unsafe(*c)).collect::<String>().trim().to_owned()
}

/// Characters that would move the cursor, change colours, or turn the reading direction.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}
