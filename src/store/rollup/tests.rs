use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;
use crate::collector::stats::Health;
use crate::flow::share::{Booking, share};
use crate::flow::{FlowKey, Sampling, SamplingKind, SamplingSource, Timestamp};
use crate::store::history::History;
use crate::store::rollup::prune::Before;
use crate::store::schema;
use crate::store::schema::older::tests::older;
use crate::store::tests::{NOW, Place, batch, flow, flows};
use crate::store::top::{Key, Order, Top};
use crate::store::writer::{Options, Writer};
use crate::store::{Error, RowKey};

const ALWAYS: (Timestamp, Timestamp) = (Timestamp(0), Timestamp(NOW.0 * 2));

pub(in crate::store) fn open(place: &Place, rollups: Limits) -> Writer {
    Writer::open(&place.path, Options { rollups, ..Options::default() }).unwrap()
}

/// Limits that write often: every flush, and in between.
pub(in crate::store) const OFTEN: Limits =
    Limits { slots: 20, flows: 15, interval_ms: 0, minute_rows: 1_000, hour_rows: 1_000 };

fn top(place: &Place, dimension: Dimension, span: (Timestamp, Timestamp), rows: usize) -> Top {
    History::open(&place.path).unwrap().top(dimension, Order::Bytes, span, rows).unwrap()
}

/// The same from the raw rows.
fn from_raw(flows: &[FlowRecord], dimension: Dimension, (from, to): (Timestamp, Timestamp)) -> BTreeMap<Key, Pair> {
    let mut sums: BTreeMap<Key, Pair> = BTreeMap::new();
    for flow in flows {
        let end = Booking::of(flow).end_minute() * 60_000;
        let counts = share(flow, from, to);
        let flows = u64::from(from.0 <= end && end < to.0);
        if counts == Counts::default() && flows == 0 {
            continue;
        }
        // The estimate is of every minute's share; times a whole number it is of their sum.
        let more = u64::from(flow.sampling.rate.max(1) - 1);
        let more = Counts { bytes: counts.bytes * more, packets: counts.packets * more };
        let there = Pair([Sums { counts, flows, more }, Sums::default()]);
        for (key, back) in keys(flow, dimension) {
            sums.entry(key).or_default().add(if back { there.turned() } else { there });
        }
    }
    sums
}

fn keys(flow: &FlowRecord, dimension: Dimension) -> Vec<(Key, bool)> {
    let FlowKey { src_ip, dst_ip, src_port, dst_port, protocol } = flow.key;
    let port = if src_port == 0 || dst_port == 0 { src_port.max(dst_port) } else { src_port.min(dst_port) };
    let interface =
        |interface| vec![(Key::Interface { exporter: flow.exporter, domain: flow.domain, interface }, false)];
    match dimension {
        Dimension::Conversation | Dimension::Reported => {
            let (a, b) = (src_ip.min(dst_ip), src_ip.max(dst_ip));
            vec![(Key::Conversation { a, b, protocol, port }, dst_ip < src_ip)]
        }
        Dimension::Host => vec![(Key::Host(src_ip), false), (Key::Host(dst_ip), true)],
        Dimension::Service => vec![(Key::Service { protocol, port }, false)],
        Dimension::Protocol => vec![(Key::Protocol(protocol), false)],
        Dimension::InInterface => interface(flow.in_if),
        Dimension::OutInterface => interface(flow.out_if),
    }
}

/// All rows of all dimensions in some spans are those of the raw rows.
fn assert_equal(place: &Place, spans: &[(Timestamp, Timestamp)]) {
    let raw = place.read();
    for span in spans.iter().chain([&ALWAYS]) {
        // Of conversations by exporter, questions with a filter are asked.
        for dimension in Dimension::ALL.into_iter().filter(|dimension| *dimension != Dimension::Reported) {
            let expected = from_raw(&raw, dimension, *span);
            let found = top(place, dimension, *span, usize::MAX);
            assert!(found.exact, "{dimension:?}");
            assert!(found.rows.is_sorted_by_key(|row| std::cmp::Reverse(row.pair.sum().estimate().bytes)));
            let rows: BTreeMap<Key, Pair> = found.rows.iter().map(|row| (row.key, row.pair)).collect();
            assert_eq!(rows, expected, "{dimension:?} {span:?}");
            let total = from_raw(&raw, Dimension::Protocol, *span);
            let total = total.values().fold(Pair::default(), |mut sum, pair| {
                sum.add(*pair);
                sum
            });
            assert_eq!(found.total, total.sum());
        }
    }
}

fn written(place: &Place) -> i64 {
    place.ask("SELECT count(*) FROM rollup")
}

#[test]
fn a_conversation_has_two_directions() {
    let place = Place::new();
    let there = flow(NOW, 1);
    let back = FlowRecord { key: there.key.reversed(), counts: Counts { bytes: 7, packets: 1 }, ..there };
    place.write(&[there, back]);
    let rows = top(&place, Dimension::Conversation, ALWAYS, 5).rows;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].pair.0.map(|sums| (sums.counts.bytes, sums.flows)), [(1_001, 1), (7, 1)]);
    let (ip, back): (String, i64) = place
        .sqlite()
        .query_row("SELECT ip, back_bytes FROM rollup_hosts WHERE grain = 'hour' ORDER BY ip", (), |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    assert_eq!((ip.as_str(), back), ("10.0.0.1", 7));
    for view in ["conversations", "services", "protocols", "in_interfaces", "out_interfaces"] {
        assert_eq!(place.ask::<i64>(&format!("SELECT sum(est_bytes) FROM rollup_{view} WHERE grain = 'hour'")), {
            if view == "conversations" { 1_001 } else { 1_008 }
        });
    }
}

#[test]
fn roll_ups_are_written_when_their_time_has_come() {
    let place = Place::new();
    let mut writer = place.writer();
    let health = Health::default();
    writer.flush(NOW, &health).unwrap();
    writer.push(&batch(NOW, 0..5));
    writer.flush(NOW.plus(59_999), &health).unwrap();
    assert_eq!(written(&place), 0);
    // What is not written yet is read from the raw rows.
    assert_equal(&place, &[]);
    writer.flush(NOW.plus(60_000), &health).unwrap();
    assert_ne!(written(&place), 0);
    assert_equal(&place, &[]);
}

#[test]
fn many_flows_or_many_keys_are_written_before_their_time() {
    for (limits, flows) in [
        (Limits { slots: 100, ..Limits::default() }, batch(NOW, 0..100)),
        (Limits { flows: 100, ..Limits::default() }, vec![flow(NOW, 0); 100].into()),
    ] {
        let place = Place::new();
        let mut writer = open(&place, limits);
        writer.flush(NOW, &Health::default()).unwrap();
        writer.push(&flows[..99]);
        writer.flush(NOW, &Health::default()).unwrap();
        assert_eq!(written(&place), 0);
        writer.push(&flows[99..]);
        writer.flush(NOW, &Health::default()).unwrap();
        assert_ne!(written(&place), 0);
        assert_equal(&place, &[]);
    }
}

#[test]
fn a_flush_that_failed_counts_nothing_twice() {
    let place = Place::new();
    let mut writer = open(&place, OFTEN);
    writer.push(&batch(NOW, 0..40));
    writer.flush(NOW, &Health::default()).unwrap();
    let other = place.sqlite();
    let refuse = "CREATE TRIGGER full BEFORE INSERT ON flows WHEN NEW.bytes = 1075
                  BEGIN SELECT raise(ABORT, 'no room for this one'); END";
    other.execute_batch(refuse).unwrap();
    writer.push(&batch(NOW.plus(1), 40..80));
    for _ in 0..2 {
        assert!(matches!(writer.flush(NOW.plus(1), &Health::default()), Err(Error::Sqlite { .. })));
        assert_equal(&place, &[]);
    }
    other.execute_batch("DROP TRIGGER full").unwrap();
    writer.flush(NOW.plus(2), &Health::default()).unwrap();
    assert_equal(&place, &[]);
    writer.close(NOW.plus(3), &Health::default()).unwrap();
    assert_equal(&place, &[]);
}

#[test]
fn a_file_without_roll_ups_gets_them() {
    let (place, new) = (Place::new(), Place::new());
    new.write(&flows(NOW, 0..1_000));
    older(&place, &new, schema::WITHOUT_DERIVED);
    place.write(&flows(NOW.plus(1), 1_000..1_100));
    assert_ne!(written(&place), 0);
    assert_equal(&place, &[]);
}

#[test]
fn counts_beyond_64_bits_stay_at_the_top_and_stop_nothing() {
    let place = Place::new();
    let sampling = Sampling { rate: u32::MAX, kind: SamplingKind::Packet, source: SamplingSource::Record };
    let counts = Counts { bytes: u64::MAX, packets: u64::MAX };
    let hostile = FlowRecord { counts, sampling, first: NOW.plus(-600_000), ..flow(NOW, 0) };
    for _ in 0..3 {
        place.write(&[hostile; 3]);
    }
    let rows = top(&place, Dimension::Protocol, ALWAYS, 1).rows;
    assert!(i64::MAX.cast_unsigned() <= rows[0].pair.0[0].counts.bytes);
    assert_eq!(place.ask::<i64>("SELECT count(*) FROM flows"), 9);
}

/// Three hosts of eight have room.
#[test]
fn what_finds_no_room_is_in_the_sum_and_bounds_what_is_missing() {
    let place = Place::new();
    let limits = Limits { minute_rows: 6, hour_rows: 6, ..OFTEN };
    let mut writer = open(&place, limits);
    let mut sent = Vec::new();
    for round in 0..40 {
        let received = NOW.plus(round * 1_000);
        let mut batch = flows(received, 0..60);
        for (flow, n) in batch.iter_mut().zip(0..) {
            flow.counts.bytes = if n < 3 { 1_000_000 - n } else { 100 + n };
        }
        // One that is small at first and large later.
        batch[50].counts.bytes = if round < 20 { 1 } else { 10_000_000 };
        writer.push(&batch);
        writer.flush(received, &Health::default()).unwrap();
        sent.extend(batch);
    }
    let expected = from_raw(&sent, Dimension::Conversation, ALWAYS);
    let found = top(&place, Dimension::Conversation, ALWAYS, 4);
    assert_eq!(found.total.counts.bytes, sent.iter().map(|flow| flow.counts.bytes).sum::<u64>());
    let late = found.rows[0];
    let truth = expected[&late.key].sum().counts.bytes;
    assert!(!found.exact && 0 < late.missing);
    assert!(late.pair.sum().counts.bytes <= truth && truth <= late.pair.sum().counts.bytes + late.missing);
    for row in &found.rows[1..] {
        assert_eq!((row.pair, row.missing), (expected[&row.key], 0));
    }
    let before = top(&place, Dimension::Conversation, (NOW, NOW.plus(0)), 3);
    assert_eq!(before.rows, []);
    assert!(
        place.ask::<i64>("SELECT max(n) FROM (SELECT count(*) AS n FROM rollup WHERE grain = 1 GROUP BY dimension)")
            < 30
    );
}

#[test]
fn the_largest_are_proven_when_nothing_else_can_be_as_large() {
    let place = Place::new();
    let writer = open(&place, Limits { minute_rows: 20, hour_rows: 20, ..Limits::default() });
    let mut batch = flows(NOW, 0..500);
    for flow in &mut batch[..5] {
        flow.counts.bytes *= 100_000;
    }
    writer.push(&batch);
    writer.close(NOW, &Health::default()).unwrap();
    let found = top(&place, Dimension::Conversation, ALWAYS, 5);
    assert!(found.exact);
    let expected = from_raw(&batch, Dimension::Conversation, ALWAYS);
    assert!(found.rows.iter().all(|row| expected[&row.key] == row.pair && row.missing == 0));
    assert!(!top(&place, Dimension::Conversation, ALWAYS, 10).exact);
}

#[test]
fn old_buckets_go_and_no_others() {
    let place = Place::new();
    let mut writer = place.writer();
    for hour in 0..5 {
        writer.push(&batch(NOW.plus(hour * 3_600_000), 0..3));
    }
    writer.flush(NOW, &Health::default()).unwrap();
    let before = Before { minute: NOW.plus(3 * 3_600_000), hour: NOW.plus(3_600_000), row: RowKey::START };
    let count =
        |grain: u8| place.ask::<i64>(&format!("SELECT count(DISTINCT bucket) FROM rollup WHERE grain = {grain}"));
    assert_eq!((count(0), count(1)), (5, 5));
    let mut gone = 0;
    loop {
        let pruned = writer.prune_derived(before, 4).unwrap();
        gone += pruned;
        if pruned < 4 {
            break;
        }
    }
    assert_eq!((count(0), count(1)), (2, 4));
    // Three conversations, four hosts, one row of each other dimension, and one that says that exporters are not told apart.
    assert_eq!(gone, (3 + 4 + 4 + 1) * 4);
}

fn host() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        (0..6_u32).prop_map(|n| Ipv4Addr::from_bits(0x0a00_0000 | n).into()),
        (0..3_u128).prop_map(|n| Ipv6Addr::from_bits(n).into()),
        // Not the IPv4 address that it maps.
        Just(IpAddr::V6(Ipv6Addr::from_bits(0xffff_0a00_0001))),
    ]
}

/// Flows that are received in some minutes around now and of which some are late.
pub(in crate::store) fn any_flow() -> impl Strategy<Value = FlowRecord> {
    let key = (host(), host(), 0..4_u16, 0..4_u16, prop::sample::select(vec![1_u8, 6, 17]));
    let times = (
        -200_000..200_000_i64,
        prop_oneof![Just(0), -90_000..90_000_i64, Just(100_000_000)],
        prop_oneof![Just(0), 0..200_000_i64, 0..100_000_000_i64],
    );
    let paths = (0..3_u32, 0..3_u32, 0..2_u8);
    (key, times, (0..100_000_u64, 0..100_u64, prop::sample::select(vec![0_u32, 1, 100])), paths).prop_map(
        |(key, (received, ago, lasted), (bytes, packets, rate), (in_if, out_if, exporter))| {
            let (src_ip, dst_ip, src_port, dst_port, protocol) = key;
            let received = NOW.plus(received);
            FlowRecord {
                received,
                last: received.plus(-ago),
                first: received.plus(-ago - lasted),
                exporter: Ipv4Addr::new(192, 0, 2, exporter).into(),
                key: FlowKey { src_ip, dst_ip, src_port, dst_port, protocol },
                counts: Counts { bytes, packets },
                sampling: Sampling { rate, ..Sampling::default() },
                in_if,
                out_if,
                ..flow(received, 0)
            }
        },
    )
}

/// What happens to a writer.
#[derive(Debug, Clone)]
enum Step {
    Flush(Vec<FlowRecord>),
    /// It is killed: what it holds in memory is lost.
    Crash,
    Close,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => prop::collection::vec(any_flow(), 0..40).prop_map(Step::Flush),
        1 => Just(Step::Crash),
        1 => Just(Step::Close),
    ];
    prop::collection::vec(step, 1..12)
}

fn limits() -> impl Strategy<Value = Limits> {
    (prop::sample::select(vec![10, 1_000]), prop::sample::select(vec![7, 1_000]), prop::sample::select(vec![0, 60_000]))
        .prop_map(|(slots, flows, interval_ms)| Limits { slots, flows, interval_ms, ..OFTEN })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn sums_are_those_of_the_raw_rows_whatever_happens(
        steps in steps(),
        limits in limits(),
        cuts in prop::collection::vec(-300..300_i64, 2),
    ) {
        let place = Place::new();
        let mut now = NOW;
        let mut writer = open(&place, limits);
        for step in steps {
            now = now.plus(25_000);
            match step {
                Step::Flush(flows) => {
                    writer.push(&flows);
                    writer.flush(now, &Health::default()).unwrap();
                }
                Step::Crash => {
                    drop(writer);
                    writer = open(&place, limits);
                }
                Step::Close => {
                    writer.close(now, &Health::default()).unwrap();
                    writer = open(&place, limits);
                }
            }
        }
        let minute = |n: i64| Timestamp((NOW.0.div_euclid(60_000) + n) * 60_000);
        let span = (minute(cuts[0].min(cuts[1])), minute(cuts[0].max(cuts[1])));
        assert_equal(&place, &[span]);
        writer.close(now, &Health::default()).unwrap();
        prop_assert_eq!(place.ask::<i64>("SELECT count(*) FROM flows WHERE (SELECT rolled FROM derived) < id"), 0);
        prop_assert_eq!(place.ask::<i64>("SELECT count(*) FROM late"), 0);
        assert_equal(&place, &[span]);
    }
}
