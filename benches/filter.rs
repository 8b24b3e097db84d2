//! Flow records matched per second on one core by three filters, and how long a filter takes to read.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use flowglass::flow::{Counts, FlowKey, FlowRecord, ObservationDomainId, Timestamp, Version};
use flowglass::{filter, names};

const FILTERS: &[(&str, &str)] = &[
    ("one port", "dst port 443"),
    ("the manual's", "proto tcp and (dst port 443 or port in [80 8080]) and not net 10.0.0.0/8 and bytes > 1m"),
    ("lists and rates", "ip in [10.1/16 10.9/16 172.16/12 192.168/16 2001:db8::/32 fe80::/10] and bps > 10m or dns"),
];

fn flows() -> Vec<FlowRecord> {
    let exporter = [192, 0, 2, 1].into();
    let made = (0..4096_u32).map(|n| {
        let [a, b, c, d] = n.wrapping_mul(2_654_435_761).to_be_bytes();
        FlowRecord {
            key: FlowKey {
                src_ip: [10, a % 16, b, c].into(),
                dst_ip: [203, 0, 113, d].into(),
                src_port: 49_152 + u16::from(a),
                dst_port: [443, 80, 53, 22][usize::from(b % 4)],
                protocol: [6, 17][usize::from(c % 2)],
            },
            counts: Counts { bytes: u64::from(n) * 1000, packets: 1 + u64::from(n) },
            ..FlowRecord::blank(Timestamp(0), exporter, ObservationDomainId(0), Version::V9)
        }
    });
    made.collect()
}

fn matching(c: &mut Criterion) {
    let flows = flows();
    let mut group = c.benchmark_group("filter");
    group.throughput(Throughput::Elements(flows.len() as u64));
    for (name, text) in FILTERS {
        let filter = filter::parse(text, &names::meanings).expect("a filter");
        group
            .bench_function(*name, |b| b.iter(|| black_box(&flows).iter().filter(|flow| filter.matches(flow)).count()));
    }
    group.finish();
}

fn reading(c: &mut Criterion) {
    for (name, text) in FILTERS {
        c.bench_function(&format!("read {name}"), |b| b.iter(|| filter::parse(black_box(text), &names::meanings)));
    }
}

criterion_group!(benches, matching, reading);
criterion_main!(benches);
