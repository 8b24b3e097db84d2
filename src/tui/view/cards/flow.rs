//! Every field of a flow with its name, and which rule gave its time, its sampling and its direction.

use std::net::IpAddr;

use crate::flow::{Direction, FlowRecord, SamplingKind, SamplingSource, TimeSource, Timestamp};
use crate::names;
use crate::tui::app::App;
use crate::tui::units;
use crate::tui::view::card::{Entry, Section};
use crate::tui::view::cards::record;
use crate::tui::view::flows;

pub(super) fn sections(app: &App, flow: &FlowRecord) -> Vec<Section> {
    let section = super::section;
    vec![
        section("Who", who(app, flow)),
        section("How much", amount(app, flow)),
        section("When", when(app, flow)),
        section("Seen by", seen_by(app, flow)),
        section("As sent, where it is not nothing", raw(app, flow)),
        record::section(app, flow),
    ]
}

/// A rule, and the elements of the record that it went by.
fn rule(app: &App, flow: &FlowRecord, rule: &str, elements: &[u16]) -> String {
    match record::elements(app, flow, elements) {
        Some(names) => format!("{rule}: {names}"),
        None => rule.to_owned(),
    }
}

fn who(app: &App, flow: &FlowRecord) -> Vec<Entry> {
    let (labels, key) = (app.labels(), flow.key);
    let end = |address: IpAddr, port: u16, number: u32, mask: u8| {
        let mut text = labels.host(address);
        if labels.host(address) != labels.address(address) {
            text.push_str(&format!(" ({})", labels.address(address)));
        }
        if port != 0 {
            text.push_str(&format!(", port {port}"));
        }
        if number != 0 {
            text.push_str(&format!(", AS{number}"));
        }
        if mask != 0 {
            text.push_str(&format!(", route of /{mask}"));
        }
        let place = labels.place(address);
        if place.is_empty() { text } else { format!("{text}, {place}") }
    };
    let mut entries = vec![
        Entry::named("source", end(key.src_ip, key.src_port, flow.src_as, flow.src_mask)),
        Entry::named("destination", end(key.dst_ip, key.dst_port, flow.dst_as, flow.dst_mask)),
        Entry::named("protocol", format!("{} ({})", names::protocol_label(key.protocol), key.protocol)),
        Entry::named("service", format!("{}, by the lower port", flows::service(app, flow))),
    ];
    if flow.nat_src_ip.is_some() || flow.nat_dst_ip.is_some() {
        let end = |address: Option<IpAddr>, port| {
            format!("{} port {port}", address.map_or_else(|| "-".to_owned(), |address| labels.address(address)))
        };
        let text =
            format!("{} to {}", end(flow.nat_src_ip, flow.nat_src_port), end(flow.nat_dst_ip, flow.nat_dst_port));
        entries.push(Entry::named("translated", text));
    }
    entries.extend(flow.next_hop.map(|hop| Entry::named("next hop", labels.address(hop))));
    entries
}

/// Elements by which a record says how it was sampled.
const SAMPLING: [u16; 6] = [34, 50, 305, 306, 396, 397];

fn amount(app: &App, flow: &FlowRecord) -> Vec<Entry> {
    let counts = flow.counts;
    let mut entries = vec![
        Entry::named("bytes", format!("{} as reported", units::exact(counts.bytes))),
        Entry::named("packets", format!("{} as reported", units::exact(counts.packets))),
    ];
    let kind = match flow.sampling.kind {
        SamplingKind::Packet => "packets",
        SamplingKind::Flow => "flows",
    };
    let source = match flow.sampling.source {
        SamplingSource::None => "nobody announced any",
        SamplingSource::Record => "the record itself says so",
        SamplingSource::Options => "an options record of the exporter says so",
        SamplingSource::Header => "the header of its datagrams says so",
        SamplingSource::Operator => "the operator says so",
    };
    let rate = flow.sampling.rate.max(1);
    let elements: &[u16] = if flow.sampling.source == SamplingSource::Record { &SAMPLING } else { &[] };
    let source = rule(app, flow, source, elements);
    entries.push(Entry::named("sampling", format!("1 of {rate} {kind}: {source}")));
    if 1 < rate {
        let estimate = flows::counted(app, flow, counts.bytes);
        entries.push(Entry::named("estimate", format!("{} bytes", units::exact(estimate))));
    }
    entries
}

fn when(app: &App, flow: &FlowRecord) -> Vec<Entry> {
    let offset = app.feed().utc_offset_s;
    let at = |at: Timestamp| format!("{}.{:03}", units::clock(at, offset), at.0.rem_euclid(1000));
    let (how, elements): (_, &[u16]) = match flow.time_source {
        TimeSource::Absolute => {
            ("times in the record (elements 150 to 157)", &[150, 151, 152, 153, 154, 155, 156, 157])
        }
        TimeSource::Delta => ("microseconds before the export (elements 158, 159)", &[158, 159]),
        TimeSource::Uptime => ("milliseconds since the exporter's boot (elements 21, 22)", &[21, 22]),
        TimeSource::Event => ("the moment of an event (elements 258, 322 to 325)", &[258, 322, 323, 324, 325]),
        TimeSource::Export => ("the time of the export, for lack of anything better", &[]),
    };
    vec![
        Entry::named("first", at(flow.first)),
        Entry::named("last", format!("{}, after {}", at(flow.last), flows::lasted(flow))),
        Entry::named("rule", rule(app, flow, how, elements)),
        Entry::named(
            "received",
            format!("{}, {} after its end", at(flow.received), units::duration(flow.received.since(flow.last))),
        ),
    ]
}

fn seen_by(app: &App, flow: &FlowRecord) -> Vec<Entry> {
    use crate::collector::options::names::NameKind;
    let of = (flow.exporter, flow.domain);
    let interface = |index: u32| {
        let name = app.labels().own_name(of, NameKind::Interface, index.into(), &app.feed().health);
        name.map_or_else(|| index.to_string(), |name| format!("{name} ({index})"))
    };
    let direction = match flow.direction {
        Direction::Unknown => "not told (no element 61); inside and outside decide",
        Direction::Ingress => "as it came in (element 61 is 0)",
        Direction::Egress => "as it went out (element 61 is 1)",
    };
    let mut entries = vec![
        Entry::named("exporter", format!("{}, {}", app.labels().exporter(of.0, of.1), flow.version)),
        Entry::named("interfaces", format!("{} > {}", interface(flow.in_if), interface(flow.out_if))),
        Entry::named("direction", direction),
    ];
    if flow.vlan != 0 || flow.post_vlan != 0 {
        entries.push(Entry::named("VLAN", format!("{} > {}", flow.vlan, flow.post_vlan)));
    }
    if flow.reverse {
        entries.push(Entry::named("half", "the answering one of a record of both directions"));
    }
    entries
}

/// The rest, in hex as it was on the wire.
fn raw(app: &App, flow: &FlowRecord) -> Vec<Entry> {
    let mac = |octets: [u8; 6]| {
        let octets: Vec<String> = octets.iter().map(|octet| format!("{octet:02x}")).collect();
        app.labels().text(&octets.join(":")).to_owned()
    };
    let mut entries = Vec::new();
    let mut say = |name: &str, is_there: bool, text: String| {
        if is_there {
            entries.push(Entry::named(name, text));
        }
    };
    let is_tcp = flow.key.protocol == 6;
    say("flags", is_tcp, format!("0x{:04x}  {}", flow.tcp_flags, flows::flags(flow.tcp_flags)));
    say("class", true, format!("0x{:02x}  DSCP {}, ECN {}", flow.tos, flow.tos >> 2, flow.tos & 3));
    say("ICMP", flow.icmp != 0, format!("0x{:04x}  type {}, code {}", flow.icmp, flow.icmp >> 8, flow.icmp & 0xff));
    say("source MAC", flow.src_mac != [0; 6], mac(flow.src_mac));
    say("destination MAC", flow.dst_mac != [0; 6], mac(flow.dst_mac));
    say("MPLS", flow.mpls != 0, format!("0x{:06x}  label {}", flow.mpls, flow.mpls >> 4));
    let application = flow.application;
    say("application", application != 0, format!("0x{application:x}  engine {}", application >> 24));
    say("VRF", flow.vrf != 0, format!("0x{:08x}", flow.vrf));
    say("event", flow.event != 0, format!("0x{:02x}", flow.event));
    say("forwarding", flow.forwarding != 0, format!("0x{:02x}", flow.forwarding));
    let why = match flow.end_reason {
        1 => "idle timeout",
        2 => "active timeout, it goes on",
        3 => "end of the flow",
        4 => "forced",
        5 => "lack of room",
        _ => "unknown",
    };
    say("end", flow.end_reason != 0, format!("0x{:02x}  {why}", flow.end_reason));
    entries
}
