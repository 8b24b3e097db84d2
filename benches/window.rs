//! The window alone: what a record costs, what a snapshot takes, and what it holds, over simulated minutes.
//!
//! ```sh
//! cargo bench --bench window                          # a million conversations at 200,000 flows/s for 10 minutes
//! cargo bench --bench window -- 2000 200 3600         # a home: conversations, flows per second, seconds
//! ```

#[path = "support/common.rs"]
mod support;

use std::env;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use flowglass::filter;
use flowglass::flow::{Counts, FlowKey, FlowRecord, ObservationDomainId, Timestamp, Version};
use flowglass::window::{Dimension, Limits, Span, View, Window};

use crate::support::{resident, say};

const BEGIN: i64 = 1_773_057_600_000;
/// Flows that arrive between two snapshots, at most.
const BATCH: i64 = 1_000_000;

fn main() {
    let numbers: Vec<i64> = env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let number = |at: usize, default| numbers.get(at).copied().unwrap_or(default);
    let (conversations, rate, seconds) = (number(0, 1_000_000), number(1, 200_000), number(2, 600));
    let mut window = Window::new(Limits::default());
    let (mut sent, mut recording) = (0_i64, Duration::ZERO);
    let mut worst = Duration::ZERO;
    let before = resident("self");
    while sent < rate * seconds {
        let batch: Vec<FlowRecord> = (sent..sent + BATCH.min(rate)).map(|n| flow(n, conversations, rate)).collect();
        sent += i64::try_from(batch.len()).unwrap_or(0);
        let begin = Instant::now();
        batch.iter().for_each(|flow| window.record(flow));
        recording += begin.elapsed();
        // Once a second, as the screen asks.
        let begin = Instant::now();
        window.snapshot(&View::default(), now(sent, rate));
        worst = worst.max(begin.elapsed());
    }
    let per_flow = recording.as_nanos() / u128::from(sent.unsigned_abs()).max(1);
    say(&format!("{sent} flows of {conversations} conversations over {seconds} s: {per_flow} ns per flow"));
    say(&format!(
        "{} lanes, slices {} MiB, resident {} MiB more; worst snapshot on the way {:.0} ms",
        window.lanes(),
        window.octets() >> 20,
        resident("self").saturating_sub(before),
        worst.as_secs_f64() * 1e3
    ));
    snapshots(&mut window, now(sent, rate));
}

fn snapshots(window: &mut Window, now: Timestamp) {
    let host = filter::parse("ip 10.0.0.9", &|_| Vec::new()).expect("a filter");
    let net = filter::parse("net 10.0.0.0/12 and proto tcp", &|_| Vec::new()).expect("a filter");
    for (name, view) in [
        ("conversations, 10 s", View::from(Span::TenSeconds)),
        ("conversations, 1 min", View::from(Span::Minute)),
        ("conversations, 5 min", View::from(Span::FiveMinutes)),
        ("conversations, 60 min", View::from(Span::Hour)),
        ("hosts, 5 min", View { dimension: Dimension::Host, ..View::from(Span::FiveMinutes) }),
        ("services, 5 min", View { dimension: Dimension::Service, ..View::from(Span::FiveMinutes) }),
        ("one host, 60 min", View { filter: host, ..View::from(Span::Hour) }),
        ("a network, 5 min", View { filter: net, ..View::from(Span::FiveMinutes) }),
    ] {
        let begin = Instant::now();
        let rows = window.snapshot(&view, now).row_count;
        let first = begin.elapsed().as_secs_f64() * 1e3;
        let begin = Instant::now();
        window.snapshot(&view, now);
        let again = begin.elapsed().as_secs_f64() * 1e3;
        say(&format!("snapshot of {name}: {rows} rows, {first:.1} ms at first, {again:.1} ms when asked again"));
    }
}

fn now(sent: i64, rate: i64) -> Timestamp {
    Timestamp(BEGIN + sent * 1000 / rate)
}

/// Each conversation reports every few seconds, from a new port.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "numbers made up to fit")]
fn flow(n: i64, conversations: i64, rate: i64) -> FlowRecord {
    let conversation = (n % conversations) as u32;
    let received = now(n, rate);
    let lasting = (conversations * 1000 / rate).clamp(1, 60_000);
    let exporter = IpAddr::V4(Ipv4Addr::new(192, 0, 2, (conversation % 4) as u8));
    let mixed = conversation.wrapping_mul(0x9e37_79b9);
    let key = FlowKey {
        src_ip: Ipv4Addr::from_bits(0x0a00_0000 + conversation / 4).into(),
        dst_ip: Ipv4Addr::from_bits(0xcb00_7100 + mixed % 50_000).into(),
        src_port: 0x8000 | (n / conversations) as u16,
        dst_port: [443, 53, 22, 8080][(conversation % 4) as usize],
        protocol: if conversation.is_multiple_of(5) { 17 } else { 6 },
    };
    FlowRecord {
        first: received.plus(-lasting - 500),
        last: received.plus(-500),
        key,
        counts: Counts { bytes: u64::from(40 + mixed % 30_000), packets: u64::from(1 + mixed % 30) },
        in_if: conversation % 8,
        out_if: conversation / 8 % 8,
        ..FlowRecord::blank(received, exporter, ObservationDomainId(0), Version::V9)
    }
}
