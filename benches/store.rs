//! How fast the writer stores one batch in a file, roll-ups and skip index included. Where every flow is another
//! conversation, these cost most.

use std::net::Ipv4Addr;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use flowglass::collector::stats::Health;
use flowglass::flow::{Counts, FlowKey, FlowRecord, ObservationDomainId, TimeSource, Timestamp, Version};
use flowglass::store::writer::{Options, Writer};

const FLOWS: u32 = 50_000;

/// Received within half a second: what a busy exporter sends, 100 flows to the millisecond.
fn batch(begin: Timestamp, conversations: u32, details: bool) -> Arc<[FlowRecord]> {
    let exporter = Ipv4Addr::new(192, 0, 2, 1).into();
    let flow = |n: u32| {
        let received = begin.plus(i64::from(n / 100));
        let mixed = (n % conversations).wrapping_mul(0x9e37_79b9);
        FlowRecord {
            first: received.plus(-i64::from(mixed >> 16)),
            last: received.plus(-i64::from(mixed >> 24)),
            time_source: TimeSource::Uptime,
            key: FlowKey {
                src_ip: Ipv4Addr::from_bits(0x0a00_0000 | mixed >> 12).into(),
                dst_ip: Ipv4Addr::from_bits(mixed).into(),
                src_port: u16::try_from(mixed >> 16).unwrap_or(0),
                dst_port: 443,
                protocol: 6,
            },
            counts: Counts { bytes: u64::from(mixed >> 10), packets: u64::from(mixed >> 22) },
            tcp_flags: 0x1b,
            in_if: 3,
            out_if: 7,
            src_as: 64_500,
            dst_as: mixed >> 14,
            vlan: u16::from(details),
            ..FlowRecord::blank(received, exporter, ObservationDomainId(0), Version::V9)
        }
    };
    (0..FLOWS).map(flow).collect()
}

fn flush(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("flush");
    group.throughput(Throughput::Elements(FLOWS.into())).sample_size(20);
    for (name, conversations, details) in
        [("plain", FLOWS, false), ("details", FLOWS, true), ("5,000 conversations", 5_000, false)]
    {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("flows.db");
        let mut writer = Writer::open(&path, Options::default()).expect("a new database");
        let mut now = Timestamp(1_790_000_000_000);
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || {
                    now = now.plus(1_000);
                    (now, batch(now, conversations, details))
                },
                |(now, batch)| {
                    writer.push(&batch);
                    writer.flush(now, &Health::default()).expect("a writable database")
                },
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, flush);
criterion_main!(benches);
