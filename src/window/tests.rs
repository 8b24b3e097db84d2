//! The window against a plain list of everything that it was given.

use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::*;
use crate::flow::{FlowKey, ObservationDomainId, Version};

fn flow(ms: i64, host: u8, bytes: u64) -> FlowRecord {
    let exporter = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let mut flow = FlowRecord::blank(Timestamp(ms), exporter, ObservationDomainId(0), Version::V9);
    flow.key = FlowKey {
        src_ip: IpAddr::V4(Ipv4Addr::new(10, 0, 0, host)),
        dst_ip: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
        src_port: 50_000,
        dst_port: 443,
        protocol: if host.is_multiple_of(2) { 6 } else { 17 },
    };
    flow.counts = Counts { bytes, packets: 1 };
    flow
}

fn limits(conversations: usize) -> Limits {
    Limits { conversations, rows: 10 }
}

#[test]
fn each_span_holds_its_own_past() {
    let mut window = Window::new(limits(100));
    for second in 0..4000 {
        window.record(&flow(second * 1000, 2, 10));
    }
    let mut check = |span: Span, flows: u64, seconds: u64| {
        let snapshot = window.snapshot(span, Timestamp(3_999_000));
        assert_eq!((snapshot.total.flows, snapshot.seconds), (flows, seconds), "{span:?}");
        assert_eq!(snapshot.total.counts.bytes, flows * 10);
        assert_eq!(snapshot.series.len() as i64, span.seconds());
    };
    check(Span::TenSeconds, 10, 10);
    check(Span::Minute, 60, 60);
    check(Span::FiveMinutes, 300, 300);
    check(Span::QuarterHour, 940, 940);
    check(Span::Hour, 3640, 3640);
}

#[test]
fn silence_empties_the_window_and_frees_its_rows() {
    let mut window = Window::new(limits(100));
    for host in 0..50 {
        window.record(&flow(0, host, 1));
    }
    assert_eq!(window.snapshot(Span::Hour, Timestamp(3_000_000)).conversation_count, 50);
    assert_eq!(window.snapshot(Span::Minute, Timestamp(3_000_000)).conversation_count, 0);
    assert_eq!(window.snapshot(Span::Hour, Timestamp(86_400_000)).conversation_count, 0);
    assert_eq!(window.conversations(), 0);
    window.record(&flow(86_400_000, 3, 7));
    assert_eq!(window.snapshot(Span::Hour, Timestamp(86_400_500)).total.counts.bytes, 7);
}

#[test]
fn what_finds_no_room_is_booked_under_other() {
    let mut window = Window::new(limits(2));
    for host in 0..5 {
        window.record(&flow(1000, host, 10));
    }
    let snapshot = window.snapshot(Span::Minute, Timestamp(1500));
    assert_eq!((snapshot.conversation_count, snapshot.folded), (2, 3));
    assert_eq!((snapshot.other.counts.bytes, snapshot.total.counts.bytes), (30, 50));
    let shares: u64 = snapshot.protocols.iter().map(|share| share.tally.counts.bytes).sum();
    assert_eq!(shares, 50);
}

#[test]
fn the_largest_under_every_measure_are_shown() {
    let mut window = Window::new(Limits { conversations: 1000, rows: 2 });
    for host in 0..100 {
        let mut record = flow(1000, host, u64::from(host) + 100);
        record.counts.packets = 1000 - u64::from(host);
        window.record(&record);
    }
    for _ in 0..50 {
        window.record(&flow(1000, 50, 0));
    }
    let shown = window.snapshot(Span::Minute, Timestamp(1000)).conversations;
    let has = |host| shown.iter().any(|c| c.key.src_ip == IpAddr::V4(Ipv4Addr::new(10, 0, 0, host)));
    assert!([99, 98, 0, 1, 50].into_iter().all(has));
    assert!(shown.len() <= 6);
    assert!(shown.is_sorted_by(|a, b| a.tally.counts.bytes >= b.tally.counts.bytes));
}

#[test]
fn a_late_record_is_booked_when_it_comes() {
    let mut window = Window::new(limits(100));
    window.record(&flow(100_000, 1, 1));
    window.record(&flow(40_000, 1, 2));
    assert_eq!(window.snapshot(Span::TenSeconds, Timestamp(100_500)).total.counts.bytes, 3);
}

proptest! {
    #[test]
    fn tallies_equal_the_records_of_their_seconds(
        steps in proptest::collection::vec((0..90_000_i64, 0..8_u8, 0..1000_u64), 1..300)
    ) {
        let mut window = Window::new(limits(5));
        let mut records = Vec::new();
        let mut now = 1_700_000_000_000;
        for (wait, host, bytes) in steps {
            now += wait;
            let record = flow(now, host, bytes);
            window.record(&record);
            records.push(record);
        }
        for span in Span::ALL {
            let snapshot = window.snapshot(span, Timestamp(now));
            let grain = match span {
                Span::TenSeconds | Span::Minute => 1,
                Span::FiveMinutes => 10,
                Span::QuarterHour | Span::Hour => 60,
            };
            let oldest = (now / 1000 - span.seconds() + 1) / grain * grain;
            let inside = records.iter().filter(|record| oldest <= record.received.0 / 1000);
            let (bytes, flows) = inside.fold((0, 0), |(bytes, flows), r| (bytes + r.counts.bytes, flows + 1));
            prop_assert_eq!((snapshot.total.counts.bytes, snapshot.total.flows), (bytes, flows), "{:?}", span);
            let rows: u64 = snapshot.conversations.iter().map(|c| c.tally.counts.bytes).sum();
            prop_assert_eq!(rows + snapshot.other.counts.bytes, bytes);
        }
    }
}
