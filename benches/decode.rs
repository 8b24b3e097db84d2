//! Flow records per second on one core: `Collector::datagram` over datagrams as routers send them, and the crate
//! `netflow_parser` over the same octets in the same run.

use std::hint::black_box;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use flowglass::collector::{Collector, Limits};
use flowglass::flow::Timestamp;
use flowglass::ie::ElementId;
use flowglass::wire::emit::{self, Message};
use flowglass::wire::template::{FieldSpecifier, Template, TemplateId};
use flowglass::wire::{ipfix, v5, v9};
use netflow_parser::variable_versions::{ipfix as ipfix_peer, v9 as v9_peer};
use netflow_parser::{NetflowPacket, NetflowParser};

const NOW: Timestamp = Timestamp(1_700_000_000_000);
const SECONDS: u32 = 1_700_000_000;
const RECORDS: u16 = 24;
/// Turns of each decoder, and how long one is.
const ROUNDS: usize = 15;
const SLICE: Duration = Duration::from_millis(200);

/// 19 fields, as Cisco routers send them.
const V9: &[(u16, u16)] = &[
    (8, 4),
    (12, 4),
    (15, 4),
    (10, 4),
    (14, 4),
    (2, 4),
    (1, 4),
    (22, 4),
    (21, 4),
    (7, 2),
    (11, 2),
    (6, 1),
    (4, 1),
    (5, 1),
    (16, 4),
    (17, 4),
    (9, 1),
    (13, 1),
    (61, 1),
];
/// 20 fields with absolute times and IPv6, as Juniper routers send them.
const IPFIX: &[(u16, u16)] = &[
    (27, 16),
    (28, 16),
    (5, 1),
    (4, 1),
    (7, 2),
    (11, 2),
    (139, 2),
    (10, 4),
    (58, 2),
    (29, 1),
    (30, 1),
    (16, 4),
    (17, 4),
    (62, 16),
    (6, 1),
    (14, 4),
    (1, 8),
    (2, 8),
    (152, 8),
    (153, 8),
];

fn template(fields: &[(u16, u16)]) -> Template {
    let field = |&(id, length): &(u16, u16)| FieldSpecifier { element: ElementId::Iana(id), length };
    Template { id: TemplateId(256), scopes: 0, fields: fields.iter().map(field).collect() }
}

fn records(fields: &[(u16, u16)]) -> Vec<u8> {
    let size: u16 = fields.iter().map(|&(_, length)| length).sum();
    (0..u32::from(size) * u32::from(RECORDS)).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect()
}

/// One kind of datagram, and what is sent before it.
struct Case {
    name: &'static str,
    template: Option<Vec<u8>>,
    data: Vec<u8>,
    flows: usize,
}

fn cases() -> [Case; 3] {
    let header = v5::Header { count: 30, uptime: 1_000_000, seconds: SECONDS, ..Default::default() };
    let records_v5: Vec<_> = (0..30).map(|n| [n; v5::RECORD]).collect();
    let v9 = || Message::v9(v9::Header { uptime: 1_000_000, seconds: SECONDS, ..Default::default() });
    let ipfix = || Message::ipfix(ipfix::Header { export_time: SECONDS, ..Default::default() });
    [
        Case { name: "v5, 30 records", template: None, data: emit::v5(header, &records_v5), flows: 30 },
        Case {
            name: "v9, 19 fields",
            template: Some(v9().template(&template(V9)).finish()),
            data: v9().set(256, &records(V9)).finish(),
            flows: RECORDS.into(),
        },
        Case {
            name: "IPFIX, 20 fields, IPv6",
            template: Some(ipfix().template(&template(IPFIX)).finish()),
            data: ipfix().set(256, &records(IPFIX)).finish(),
            flows: RECORDS.into(),
        },
    ]
}

/// Runs `decode` for [`SLICE`] and gives flow records per second.
fn rate(flows: usize, mut decode: impl FnMut() -> usize) -> f64 {
    let start = Instant::now();
    let mut done = 0_usize;
    while start.elapsed() < SLICE {
        for _ in 0..256 {
            assert_eq!(decode(), flows, "a datagram decodes whole");
            done += flows;
        }
    }
    done as f64 / start.elapsed().as_secs_f64()
}

/// Rates of this collector and of `netflow_parser`, sorted. They take turns, so that both see the same machine.
fn measure(case: &Case) -> (Vec<f64>, Vec<f64>) {
    let from: SocketAddr = ([192, 0, 2, 1], 50_000).into();
    let mut collector = Collector::new(Limits::default());
    let mut flows = Vec::with_capacity(64);
    let mut peer = NetflowParser::default();
    if let Some(template) = &case.template {
        collector.datagram(NOW, from, template, &mut flows).expect("a template");
        assert!(peer.parse_bytes(template).is_ok());
    }
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(rate(case.flows, || {
            flows.clear();
            collector.datagram(NOW, from, black_box(&case.data), &mut flows).expect("a whole datagram");
            black_box(&flows).len()
        }));
        theirs.push(rate(case.flows, || {
            black_box(peer.parse_bytes(black_box(&case.data))).packets.iter().map(count).sum()
        }));
    }
    ours.sort_by(f64::total_cmp);
    theirs.sort_by(f64::total_cmp);
    (ours, theirs)
}

/// The flow records in a packet of `netflow_parser`.
fn count(packet: &NetflowPacket) -> usize {
    match packet {
        NetflowPacket::V5(packet) => packet.flowsets.len(),
        NetflowPacket::V9(packet) => packet
            .flowsets
            .iter()
            .map(|set| match &set.body {
                v9_peer::FlowSetBody::Data(data) => data.fields.len(),
                _ => 0,
            })
            .sum(),
        NetflowPacket::IPFix(packet) => packet
            .flowsets
            .iter()
            .map(|set| match &set.body {
                ipfix_peer::FlowSetBody::Data(data) => data.fields.len(),
                _ => 0,
            })
            .sum(),
        _ => 0,
    }
}

#[expect(clippy::print_stdout, reason = "a bench prints its table")]
fn main() {
    println!("million flow records a second on one core: median and best of {ROUNDS} turns of {SLICE:?}");
    println!("{:<24}{:>18}{:>24}{:>16}", "datagram", "flowglass", "netflow_parser", "ratio (median)");
    for case in cases() {
        let (ours, theirs) = measure(&case);
        let (median, best) = (|rates: &[f64]| rates[ROUNDS / 2] / 1e6, |rates: &[f64]| rates[ROUNDS - 1] / 1e6);
        println!(
            "{:<24}{:>9.1} {:>8.1}{:>15.2} {:>8.2}{:>16.1}",
            case.name,
            median(&ours),
            best(&ours),
            median(&theirs),
            best(&theirs),
            median(&ours) / median(&theirs),
        );
    }
}
