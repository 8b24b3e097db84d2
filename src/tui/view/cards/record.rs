//! The record of a flow: the template that cut it into fields, and the octets of each as they were sent.

use crate::collector::evidence::Evidence;
use crate::flow::FlowRecord;
use crate::ie::{ElementId, REVERSE};
use crate::tui::app::{App, Source, Told};
use crate::tui::view::card::{Entry, Section};
use crate::wire::template::{FieldSpecifier, VARIABLE};

/// Octets in a line of those that no template names.
const LINE: usize = 16;

/// What is known of the record of this flow by now: nothing yet, or not held.
fn told<'a>(app: &'a App, flow: &FlowRecord) -> Option<Option<&'a Evidence>> {
    match &app.feed().told {
        Some(Told::Octets(of, evidence)) if of == flow => Some(evidence.as_deref()),
        _ => None,
    }
}

/// Which elements of some its record has, with their numbers.
pub(super) fn elements(app: &App, flow: &FlowRecord, wanted: &[u16]) -> Option<String> {
    let fields = told(app, flow)??.fields();
    let is_wanted = |field: &FieldSpecifier| matches!(field.element, ElementId::Iana(id) if wanted.contains(&id));
    let names: Vec<String> =
        fields.iter().filter(|(field, _)| is_wanted(field)).map(|(field, _)| name(*field)).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

pub(super) fn section(app: &App, flow: &FlowRecord) -> Section {
    let evidence = match told(app, flow) {
        None => return super::section("Its record", vec![Entry::note("one moment")]),
        Some(None) => return super::section("Its record", vec![Entry::note(absent(app))]),
        Some(Some(evidence)) => evidence,
    };
    let what = match &evidence.template {
        Some(template) => format!("template {}, {} fields", template.id, template.fields.len()),
        None => format!("the fixed layout of {}", flow.version),
    };
    let place =
        format!("{} octets at {} of a datagram of {}", evidence.octets.len(), evidence.offset, evidence.datagram);
    let mut entries = vec![Entry::text(place)];
    entries.extend(match evidence.template {
        Some(_) => fields(app, evidence),
        None => evidence.octets.chunks(LINE).map(|octets| Entry::text(octets_of(app, octets))).collect(),
    });
    super::section(&format!("Its record: {what}"), entries)
}

/// Why there are no octets to show.
fn absent(app: &App) -> &'static str {
    match app.feed().source {
        Source::Stored { .. } => "not held: the database has flows, and no datagrams",
        _ => "not held any more: the last 8 MiB of datagrams are",
    }
}

fn fields(app: &App, evidence: &Evidence) -> Vec<Entry> {
    let fields = evidence.fields();
    let width = fields.iter().map(|(field, _)| name(*field).chars().count()).max().unwrap_or(0);
    let line = |(field, octets): &(FieldSpecifier, &[u8])| {
        let length = if field.length == VARIABLE { format!("{}*", octets.len()) } else { field.length.to_string() };
        Entry::text(format!("{:width$} {length:>5}  {}", name(*field), octets_of(app, octets)))
    };
    fields.iter().map(line).collect()
}

/// `sourceIPv4Address (8)`.
fn name(field: FieldSpecifier) -> String {
    match field.element {
        ElementId::Iana(id) if field.element.element().is_some() => format!("{} ({id})", field.element),
        ElementId::Vendor { pen: REVERSE, id } => format!("{} ({id})", field.element),
        ElementId::Vendor { pen, id } if field.element.element().is_some() => format!("{} ({pen}/{id})", field.element),
        // Their numbers are their names.
        other => other.to_string(),
    }
}

/// In hex, as long as that tells nobody who somebody is.
fn octets_of(app: &App, octets: &[u8]) -> String {
    let hex: Vec<String> = octets.iter().map(|octet| format!("{octet:02x}")).collect();
    app.labels().text(&hex.join(" ")).to_owned()
}
