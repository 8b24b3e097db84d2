//! Flow records per second on one core: `Collector::datagram` over datagrams as routers send them.

use std::hint::black_box;
use std::net::SocketAddr;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use flowglass::collector::{Collector, Limits};
use flowglass::flow::Timestamp;
use flowglass::ie::ElementId;
use flowglass::wire::emit::{self, Message};
use flowglass::wire::template::{FieldSpecifier, Template, TemplateId};
use flowglass::wire::{ipfix, v5, v9};

const NOW: Timestamp = Timestamp(1_700_000_000_000);
const SECONDS: u32 = 1_700_000_000;
const RECORDS: u16 = 24;

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

fn measure(c: &mut Criterion, name: &str, template: Option<Vec<u8>>, data: &[u8], flows: u64) {
    let from: SocketAddr = ([192, 0, 2, 1], 50_000).into();
    let mut group = c.benchmark_group("decode");
    group.throughput(Throughput::Elements(flows));
    group.bench_function(name, |b| {
        let mut collector = Collector::new(Limits::default());
        let mut out = Vec::with_capacity(64);
        if let Some(template) = &template {
            collector.datagram(NOW, from, template, &mut out).expect("a template");
        }
        b.iter_batched_ref(
            || (),
            |()| {
                out.clear();
                collector.datagram(NOW, from, black_box(data), &mut out).expect("a whole datagram");
                assert_eq!(out.len() as u64, flows);
                black_box(&out);
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

fn decode(c: &mut Criterion) {
    let header = v5::Header { count: 30, uptime: 1_000_000, seconds: SECONDS, ..Default::default() };
    let record = |n: u8| [n; v5::RECORD];
    measure(c, "v5, 30 records", None, &emit::v5(header, &(0..30).map(record).collect::<Vec<_>>()), 30);
    let message = || Message::v9(v9::Header { uptime: 1_000_000, seconds: SECONDS, ..Default::default() });
    let told = message().template(&template(V9)).finish();
    let data = message().set(256, &records(V9)).finish();
    measure(c, "v9, 19 fields", Some(told), &data, RECORDS.into());
    let message = || Message::ipfix(ipfix::Header { export_time: SECONDS, ..Default::default() });
    let told = message().template(&template(IPFIX)).finish();
    let data = message().set(256, &records(IPFIX)).finish();
    measure(c, "IPFIX, 20 fields", Some(told), &data, RECORDS.into());
}

criterion_group!(benches, decode);
criterion_main!(benches);
