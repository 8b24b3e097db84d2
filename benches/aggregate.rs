//! How fast the window takes flows, and how long it takes to put together what the screen shows.

use std::hint::black_box;
use std::net::Ipv4Addr;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use flowglass::flow::{Counts, FlowKey, FlowRecord, ObservationDomainId, Timestamp, Version};
use flowglass::window::{Limits, Span, Window};

const FLOWS: u32 = 100_000;
const BEGIN: Timestamp = Timestamp(1_790_000_000_000);

/// What comes in a second, each flow nine seconds long.
fn flows(second: i64, conversations: u32) -> Vec<FlowRecord> {
    let exporter = Ipv4Addr::new(192, 0, 2, 1).into();
    let flow = |n: u32| {
        let received = BEGIN.plus(second * 1000 + i64::from(n / 100));
        let host = n % conversations;
        FlowRecord {
            first: received.plus(-10_000),
            last: received.plus(-1_000),
            key: FlowKey {
                src_ip: Ipv4Addr::from_bits(0x0a00_0000 + host).into(),
                dst_ip: Ipv4Addr::from_bits(0xc000_0200 + host % 200).into(),
                src_port: 40_000,
                dst_port: 443,
                protocol: 6,
            },
            counts: Counts { bytes: 1000 + u64::from(n), packets: 2 },
            ..FlowRecord::blank(received, exporter, ObservationDomainId(0), Version::V9)
        }
    };
    (0..FLOWS).map(flow).collect()
}

fn aggregate(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("aggregate");
    group.sample_size(20);
    for (name, conversations) in [("500 conversations", 500), ("50,000 conversations", 50_000)] {
        let mut window = Window::new(Limits::default());
        let mut second = 0;
        group.throughput(Throughput::Elements(FLOWS.into()));
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || {
                    second += 1;
                    flows(second, conversations)
                },
                |flows| {
                    flows.iter().for_each(|flow| window.record(flow));
                    flows
                },
                criterion::BatchSize::LargeInput,
            );
        });
        group.throughput(Throughput::Elements(1));
        let now = BEGIN.plus(second * 1000);
        group.bench_function(format!("a snapshot of {name}"), |bencher| {
            bencher.iter(|| black_box(&mut window).snapshot(Span::Minute, now));
        });
    }
    group.finish();
}

criterion_group!(benches, aggregate);
criterion_main!(benches);
