//! The other direction: messages, sets and templates → octets, for the demonstration exporter, tests and benches.
//!
//! What it makes is what [`crate::wire`] reads; a property test holds both together. It checks no sense: a test
//! that wants a malformed message says so by giving raw sets.

use crate::ie::ElementId;
use crate::wire::template::{Template, TemplateId};
use crate::wire::{ipfix, v5, v9};

/// A NetFlow v5 datagram; the header's count is sent as it stands.
pub fn v5(header: v5::Header, records: &[[u8; v5::RECORD]]) -> Vec<u8> {
    let mut octets = Vec::with_capacity(v5::HEADER.saturating_add(records.as_flattened().len()));
    octets.extend(5_u16.to_be_bytes());
    octets.extend(header.count.to_be_bytes());
    octets.extend(header.uptime.to_be_bytes());
    octets.extend(header.seconds.to_be_bytes());
    octets.extend(header.nanoseconds.to_be_bytes());
    octets.extend(header.sequence.to_be_bytes());
    octets.extend([header.engine_type, header.engine_id]);
    octets.extend(header.sampling.to_be_bytes());
    octets.extend(records.as_flattened());
    octets
}

/// A v9 or IPFIX datagram in the making, set by set.
#[derive(Debug, Clone)]
pub struct Message {
    octets: Vec<u8>,
    /// Whether the length field of IPFIX is to be written at the end, and which set ids templates have.
    ipfix: bool,
}

impl Message {
    /// The header's count is sent as it stands.
    pub fn v9(header: v9::Header) -> Self {
        let mut octets = Vec::with_capacity(1500);
        octets.extend(9_u16.to_be_bytes());
        octets.extend(header.count.to_be_bytes());
        octets.extend(header.uptime.to_be_bytes());
        octets.extend(header.seconds.to_be_bytes());
        octets.extend(header.sequence.to_be_bytes());
        octets.extend(header.source_id.to_be_bytes());
        Self { octets, ipfix: false }
    }

    /// The header's length is filled in by [`Message::finish`].
    pub fn ipfix(header: ipfix::Header) -> Self {
        let mut octets = Vec::with_capacity(1500);
        octets.extend(10_u16.to_be_bytes());
        octets.extend([0; 2]);
        octets.extend(header.export_time.to_be_bytes());
        octets.extend(header.sequence.to_be_bytes());
        octets.extend(header.domain.to_be_bytes());
        Self { octets, ipfix: true }
    }

    /// Octets so far, header included.
    pub const fn length(&self) -> usize {
        self.octets.len()
    }

    /// A set of one template or options template.
    #[must_use]
    pub fn template(self, template: &Template) -> Self {
        let id = match (self.ipfix, template.is_options()) {
            (false, false) => v9::TEMPLATE_SET,
            (false, true) => v9::OPTIONS_TEMPLATE_SET,
            (true, false) => ipfix::TEMPLATE_SET,
            (true, true) => ipfix::OPTIONS_TEMPLATE_SET,
        };
        let body = if self.ipfix { ipfix_template(template) } else { v9_template(template) };
        self.padded(id, &body)
    }

    /// A data set; `records` are laid out by the caller. Padded with zeros to four octets.
    #[must_use]
    pub fn data(self, id: TemplateId, records: &[u8]) -> Self {
        self.padded(id.0, records)
    }

    /// A set of any id and any octets, not padded.
    #[must_use]
    pub fn set(mut self, id: u16, body: &[u8]) -> Self {
        self.octets.extend(id.to_be_bytes());
        self.octets.extend(length16(body.len().saturating_add(4)));
        self.octets.extend(body);
        self
    }

    /// The octets of the datagram.
    pub fn finish(mut self) -> Vec<u8> {
        let length = length16(self.octets.len());
        if let (true, Some(field)) = (self.ipfix, self.octets.get_mut(2..4)) {
            field.copy_from_slice(&length);
        }
        self.octets
    }

    fn padded(self, id: u16, body: &[u8]) -> Self {
        let mut body = body.to_vec();
        body.resize(body.len().next_multiple_of(4), 0);
        self.set(id, &body)
    }
}

fn v9_template(template: &Template) -> Vec<u8> {
    let (scope, rest) = template.fields.split_at(template.scopes.min(template.fields.len()));
    let mut body = template.id.0.to_be_bytes().to_vec();
    if template.is_options() {
        body.extend(length16(scope.len().saturating_mul(4)));
        body.extend(length16(rest.len().saturating_mul(4)));
    } else {
        body.extend(length16(rest.len()));
    }
    for field in &template.fields {
        let (ElementId::Iana(number) | ElementId::V9Scope(number) | ElementId::Vendor { id: number, .. }) =
            field.element;
        body.extend(number.to_be_bytes());
        body.extend(field.length.to_be_bytes());
    }
    body
}

fn ipfix_template(template: &Template) -> Vec<u8> {
    let mut body = template.id.0.to_be_bytes().to_vec();
    body.extend(length16(template.fields.len()));
    if template.is_options() {
        body.extend(length16(template.scopes));
    }
    for field in &template.fields {
        match field.element {
            ElementId::Iana(number) | ElementId::V9Scope(number) => {
                body.extend(number.to_be_bytes());
                body.extend(field.length.to_be_bytes());
            }
            ElementId::Vendor { pen, id } => {
                body.extend((id | ipfix::ENTERPRISE).to_be_bytes());
                body.extend(field.length.to_be_bytes());
                body.extend(pen.to_be_bytes());
            }
        }
    }
    body
}

/// A length on the wire; what does not fit stays at the top, which no reader takes for whole.
fn length16(length: usize) -> [u8; 2] {
    u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes()
}
