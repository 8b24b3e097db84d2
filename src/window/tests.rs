//! The window against a plain list of everything that it was given.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::*;
use crate::filter::{self, Filter};
use crate::flow::{FlowKey, Sampling, SamplingKind, SamplingSource, Version, share};

/// A whole five minutes, in seconds.
const NOON: i64 = 1_773_057_600;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp((NOON + seconds) * 1000)
}

/// From a host inside to a server, over so many seconds until `last`, received two seconds later.
fn flow(host: u8, (first, last): (i64, i64), bytes: u64) -> FlowRecord {
    let exporter = ip("192.0.2.1");
    let blank = FlowRecord::blank(at(last + 2), exporter, ObservationDomainId(0), Version::V9);
    let key = FlowKey {
        src_ip: IpAddr::V4(Ipv4Addr::new(10, 0, 0, host)),
        dst_ip: ip("198.51.100.1"),
        src_port: 50_000,
        dst_port: 443,
        protocol: if host.is_multiple_of(2) { 6 } else { 17 },
    };
    FlowRecord {
        first: at(first),
        last: at(last),
        counts: Counts { bytes, packets: bytes.div_ceil(1000) },
        key,
        ..blank
    }
}

fn answer(flow: &FlowRecord, bytes: u64) -> FlowRecord {
    FlowRecord { key: flow.key.reversed(), counts: Counts { bytes, packets: 1 }, ..*flow }
}

fn window(limits: Limits) -> Window {
    Window::new(limits)
}

fn filled(flows: &[FlowRecord]) -> Window {
    let mut window = window(Limits::default());
    flows.iter().for_each(|flow| window.record(flow));
    window
}

fn hour() -> View {
    View { span: Span::Hour, ..View::default() }
}

/// Bits per second of each settled point that has something.
fn settled_rates(snapshot: &Snapshot) -> Vec<u64> {
    let settled = snapshot.series.iter().filter(|point| point.is_settled);
    settled.map(|point| point.sum().counts.bytes * 8 / point.seconds).filter(|rate| *rate != 0).collect()
}

#[test]
fn a_download_reads_its_rate_for_its_whole_life_however_seldom_it_is_reported() {
    let mbit = 12_500_000_u64;
    for timeout in [60_i64, 300, 1800] {
        let slices = 3600 / timeout;
        let mut window = window(Limits::default());
        let mut server = flow(2, (0, 0), 0);
        server.key = server.key.reversed();
        for n in 0..slices {
            let (first, last) = (n * timeout, (n + 1) * timeout);
            let bytes = mbit * timeout.unsigned_abs();
            window.record(&FlowRecord { key: server.key, ..flow(2, (first, last), bytes) });
        }
        let snapshot = window.snapshot(&hour(), at(3602));
        let rates = settled_rates(&snapshot);
        let inner = &rates[1..rates.len() - 1];
        assert!(3 <= inner.len(), "{timeout}: {rates:?}");
        assert!(inner.iter().all(|rate| (98_000_000..=102_000_000).contains(rate)), "{timeout}: {inner:?}");
        // At arrival it is a few spikes and silence between them.
        let mut arrival = Window::new(Limits::default()).with_clock(Clock::Arrival);
        for n in 0..slices {
            let (first, last) = (n * timeout, (n + 1) * timeout);
            arrival.record(&flow(2, (first, last), mbit * timeout.unsigned_abs()));
        }
        let spikes = settled_rates(&arrival.snapshot(&hour(), at(3612)));
        assert!(spikes.iter().any(|rate| 550_000_000 < *rate), "{timeout}: {spikes:?}");
    }
}

#[test]
fn rates_end_where_figures_are_settled() {
    let mut window = window(Limits::default());
    for n in 0..20 {
        window.record(&flow(2, (n * 60, n * 60 + 60), 60_000));
    }
    let snapshot = window.snapshot(&View::default(), at(1203));
    assert_eq!(snapshot.unsettled_s(), 65);
    assert_eq!((snapshot.from, snapshot.until, snapshot.seconds), (at(1070), at(1130), 60));
    let [row] = snapshot.rows.as_slice() else { panic!("{:?}", snapshot.rows) };
    assert_eq!(row.rates(&snapshot), [0, 1000]);
    assert_eq!(row.averages, [[0, 1000]; 3]);
    assert_eq!((row.peak, row.total.up.counts.bytes), (1000, 1_200_000));
    assert_eq!(window.lags().map(|(_, lag)| lag).collect::<Vec<_>>(), [65]);
}

#[test]
fn the_first_seconds_show_what_came() {
    let mut window = window(Limits::default());
    window.record(&flow(2, (0, 1), 5000));
    let snapshot = window.snapshot(&View::default(), at(4));
    assert_eq!((snapshot.everything().counts.bytes, snapshot.rows.len()), (5000, 1));
    assert!(snapshot.seconds <= 10);
}

#[test]
fn a_conversation_is_one_row_with_the_inside_first() {
    let mut request = flow(2, (0, 30), 1000);
    request.tcp_flags = 0x02;
    let mut local_client = request;
    local_client.key.dst_ip = ip("10.0.0.1");
    let mut window = filled(&[request, answer(&request, 9000), local_client, answer(&local_client, 70)]);
    let snapshot = window.snapshot(&hour(), at(200));
    let rows: Vec<_> =
        snapshot.rows.iter().map(|row| (row.key, row.total.down.counts.bytes, row.total.up.counts.bytes)).collect();
    let key = |outside| Key::Conversation { inside: ip("10.0.0.2"), outside, protocol: 6, port: 443 };
    assert!(rows.contains(&(key(ip("198.51.100.1")), 9000, 1000)), "{rows:?}");
    assert!(rows.contains(&(key(ip("10.0.0.1")), 70, 1000)), "{rows:?}");
    assert!(snapshot.rows.iter().all(|row| row.opened_inside == Some(true)));
    let hosts = View { dimension: Dimension::Host, ..hour() };
    let hosts = window.snapshot(&hosts, at(200));
    let server = hosts.rows.iter().find(|row| row.key == Key::Host(ip("198.51.100.1"))).unwrap();
    assert_eq!((server.total.down.counts.bytes, server.total.up.counts.bytes), (1000, 9000));
}

#[test]
fn what_is_reported_twice_counts_once_unless_told_otherwise() {
    let other = |flow: &FlowRecord| FlowRecord { exporter: ip("192.0.2.2"), ..*flow };
    let mut flows = vec![flow(9, (0, 5), 10), other(&flow(8, (0, 5), 10))];
    for n in 0..10 {
        let first = flow(2, (n * 10, n * 10 + 10), 1000);
        flows.extend([first, other(&first)]);
    }
    let mut window = filled(&flows);
    let once = window.snapshot(&hour(), at(300));
    let twice = window.snapshot(&View { once: false, ..hour() }, at(300));
    let bytes = |snapshot: &Snapshot| snapshot.rows[0].ways.up.counts.bytes;
    assert_eq!((bytes(&once), bytes(&twice)), (10_000, 20_000));
    assert_eq!(twice.folds[Fold::Path as usize].counts.bytes, 10_000);
    assert_eq!(once.folds[Fold::Path as usize].counts.bytes, 10_000);
}

#[test]
fn countries_are_those_of_the_atlas() {
    let atlas = Atlas::new(|address| (address == ip("198.51.100.1")).then_some(*b"NL"));
    let mut window = filled(&[flow(2, (0, 30), 500), answer(&flow(2, (0, 30), 0), 70)]).with_atlas(atlas);
    let snapshot = window.snapshot(&View { dimension: Dimension::Country, ..hour() }, at(100));
    let rows: Vec<_> = snapshot.rows.iter().map(|row| (row.key, row.total.down.counts.bytes)).collect();
    assert_eq!(rows, [(Key::Country(None), 500), (Key::Country(Some(*b"NL")), 70)]);
    let mut within = |countries: &[Option<[u8; 2]>]| {
        let view = View { countries: countries.to_vec(), ..hour() };
        window.snapshot(&view, at(100)).rows.len()
    };
    assert_eq!([within(&[]), within(&[Some(*b"NL")]), within(&[Some(*b"NL"), None])], [1; 3]);
    assert_eq!(within(&[Some(*b"DE")]), 0);
}

#[test]
fn what_is_inside_is_the_operators_to_say() {
    let local = Prefixes::one(Prefix::new(ip("198.51.100.0"), 24).unwrap());
    let mut window = window(Limits::default()).with_atlas(Atlas::default().with_local(local));
    window.record(&flow(2, (0, 30), 500));
    let snapshot = window.snapshot(&hour(), at(100));
    assert_eq!(snapshot.total[Sense::In as usize].counts.bytes, 500);
    let Key::Conversation { inside, .. } = snapshot.rows[0].key else { panic!("{:?}", snapshot.rows) };
    assert_eq!(inside, ip("198.51.100.1"));
}

#[test]
fn sampling_is_applied_when_asked_and_marked() {
    let sampling = Sampling { rate: 100, kind: SamplingKind::Packet, source: SamplingSource::Operator };
    let mut window = filled(&[FlowRecord { sampling, ..flow(2, (0, 30), 500) }]);
    let estimated = window.snapshot(&hour(), at(200));
    let raw = window.snapshot(&View { estimated: false, ..hour() }, at(200));
    assert_eq!(estimated.rows[0].ways.up.counts.bytes, 50_000);
    assert_eq!(raw.rows[0].ways.up.counts.bytes, 500);
    assert_eq!((estimated.rows[0].ways.up.flows, estimated.is_sampled), (1, true));
    let badges = estimated.rows[0].badges;
    assert!(badges.has(Badge::Estimated) && badges.has(Badge::Assumed));
}

#[test]
fn what_is_remarkable_has_a_badge() {
    let mut flows = Vec::new();
    for n in 0..200_u8 {
        let mut scan = flow(66, (560, 561), 60);
        scan.key.dst_ip = IpAddr::V4(Ipv4Addr::new(203, 0, 113, n));
        scan.tcp_flags = 0x02;
        flows.push(scan);
    }
    for n in 0..60 {
        flows.push(flow(4, (n * 10, n * 10 + 10), if n < 50 { 10_000 } else { 10_000_000 }));
        flows.push(flow(6, (n * 5, n * 5 + 5), 10_000));
        flows.push(answer(&flow(6, (n * 5, n * 5 + 5), 0), 10_000));
    }
    flows.sort_by_key(|flow| flow.received);
    let mut window = filled(&flows);
    let view = View { keep: vec![Key::Host(ip("10.0.0.6"))], dimension: Dimension::Host, ..View::default() };
    let hosts = window.snapshot(&view, at(640));
    let has = |snapshot: &Snapshot, of: &dyn Fn(&Row) -> bool, badge| {
        snapshot.rows.iter().find(|row| of(row)).unwrap().badges.has(badge)
    };
    let is = |host: &'static str| move |row: &Row| row.key == Key::Host(ip(host));
    assert!(has(&hosts, &is("10.0.0.66"), Badge::FanOut));
    assert!(!has(&hosts, &is("10.0.0.4"), Badge::FanOut));
    assert!(has(&hosts, &is("10.0.0.4"), Badge::Grown));
    assert!(has(&hosts, &is("10.0.0.6"), Badge::Gone) && !has(&hosts, &is("10.0.0.4"), Badge::Gone));
    let conversations = window.snapshot(&hour(), at(640));
    let from =
        |host: &'static str| move |row: &Row| matches!(row.key, Key::Conversation { inside, .. } if inside == ip(host));
    assert!(
        has(&conversations, &from("10.0.0.66"), Badge::SynOnly)
            && has(&conversations, &from("10.0.0.66"), Badge::OneWay)
    );
    assert!(!has(&conversations, &from("10.0.0.6"), Badge::OneWay));
}

#[test]
fn the_smallest_lanes_are_given_up_and_sums_stay() {
    let mut window = window(Limits { lanes: 8, ..Limits::default() });
    for second in 0..60_i64 {
        for host in 0..12 {
            window.record(&flow(host, (second * 5, second * 5 + 1), u64::from(host) * 1000 + 10));
        }
    }
    let snapshot = window.snapshot(&hour(), at(500));
    let all: u64 = (0..12).map(|host| host * 1000 + 10).sum::<u64>() * 60;
    assert_eq!(snapshot.everything().counts.bytes, all);
    assert_eq!(snapshot.sum.sum().counts.bytes + snapshot.other.counts.bytes, all);
    assert!(window.lanes() <= 8 && 0 < snapshot.folded);
    // Whoever is large has found room, though all places were taken when it came.
    let Key::Conversation { inside, .. } = snapshot.rows[0].key else { panic!("{:?}", snapshot.rows) };
    assert!(ip("10.0.0.9") <= inside, "{inside}");
}

#[test]
fn little_room_makes_the_past_coarser_and_never_wrong() {
    let small = Limits { octets: 20_000, ..Limits::default() };
    let (mut roomy, mut tight) = (window(Limits::default()), window(small));
    for second in 0..1800_i64 {
        for n in 0..4 {
            let record = flow(u8::try_from((second * 4 + n) % 250).unwrap(), (second, second + 1), 1000);
            roomy.record(&record);
            tight.record(&record);
        }
    }
    assert!(tight.octets() < 25_000 && 30_000 < roomy.octets(), "{} {}", tight.octets(), roomy.octets());
    let sums = |window: &mut Window| window.snapshot(&hour(), at(1900)).everything();
    assert_eq!(sums(&mut tight), sums(&mut roomy));
}

#[test]
fn silence_empties_the_window_and_frees_its_lanes() {
    let mut window = filled(&(0..50).map(|host| flow(host, (0, 1), 100)).collect::<Vec<_>>());
    assert_eq!(window.snapshot(&hour(), at(3000)).row_count, 50);
    assert_eq!(window.snapshot(&hour(), at(8000)).row_count, 0);
    assert_eq!(window.lanes(), 0);
    assert_eq!(window.snapshot(&hour(), at(100_000)).row_count, 0);
    window.record(&flow(3, (100_000, 100_001), 7));
    assert_eq!(window.snapshot(&hour(), at(100_060)).everything().counts.bytes, 7);
}

#[test]
fn what_began_before_the_window_credits_its_share_alone_and_wrong_clocks_count() {
    let mut window = window(Limits::default());
    window.record(&flow(1, (7200, 7201), 1));
    // Three quarters of it are older than the hour that is held.
    window.record(&FlowRecord { received: at(7205), ..flow(2, (0, 4800), 4_800_000) });
    window.record(&FlowRecord { received: at(7206), ..flow(3, (0, 60), 500) });
    window.record(&FlowRecord { received: at(7207), ..flow(4, (-200_000, -100_000), 30) });
    window.record(&FlowRecord { received: at(7208), ..flow(6, (7200, 9000), 40) });
    let held = window.slices.all().iter().flat_map(|slice| slice.totals).fold(0, |sum, tally| sum + tally.counts.bytes);
    assert_eq!(held, 1 + 1_200_000 + 30 + 40);
    let snapshot = window.snapshot(&hour(), at(7300));
    assert_eq!((snapshot.before, snapshot.clock_off), (1, 1));
}

/// A record of one of a few hosts, some seconds long, that comes some seconds late.
fn any_flow() -> impl Strategy<Value = FlowRecord> {
    (0..6_u8, 0..1500_i64, 0..400_i64, 0..90_i64, 0..100_000_u64, any::<bool>(), 0..3_u8, 0..3_u16).prop_map(
        |(host, first, lasting, late, bytes, turned, exporter, port)| {
            let mut record = flow(host, (first, first + lasting), bytes);
            record.received = at(first + lasting + late);
            record.exporter = IpAddr::V4(Ipv4Addr::new(192, 0, 2, exporter));
            record.key.dst_port = [443, 53, 8080][usize::from(port)];
            record.in_if = u32::from(port);
            if turned {
                record.key = record.key.reversed();
            }
            record
        },
    )
}

fn any_flows() -> impl Strategy<Value = Vec<FlowRecord>> {
    prop::collection::vec(any_flow(), 1..120).prop_map(|mut flows| {
        flows.sort_by_key(|flow| flow.received);
        flows
    })
}

/// What the records that match come to within the time of a snapshot, by conversation.
fn expected(flows: &[FlowRecord], filter: &Filter, snapshot: &Snapshot) -> BTreeMap<Key, u64> {
    let mut sums = BTreeMap::new();
    for flow in flows.iter().filter(|flow| filter.matches(flow)) {
        let (inside, outside) = match local().contains(flow.key.src_ip) {
            true => (flow.key.src_ip, flow.key.dst_ip),
            false => (flow.key.dst_ip, flow.key.src_ip),
        };
        let port = flow.key.src_port.min(flow.key.dst_port);
        let key = Key::Conversation { inside, outside, protocol: flow.key.protocol, port };
        *sums.entry(key).or_insert(0) += share(flow, snapshot.from, snapshot.until).bytes;
    }
    sums.retain(|_, bytes| *bytes != 0);
    sums
}

const FILTERS: [&str; 8] = [
    "any",
    "src ip 10.0.0.2",
    "not net 10.0.0.0/31 and proto udp",
    "dst port 443 or port 53",
    "router ip 192.0.2.1",
    "in if [1 2]",
    "src port > 1023 and not host 10.0.0.4",
    "dst net 198.51.100.0/24",
];

proptest! {
    #[test]
    fn rows_are_the_records_that_match_in_the_time_of_the_rates(flows in any_flows(), span in 0..5_usize, text in 0..8_usize) {
        let filter = filter::parse(FILTERS[text], &|_| Vec::new()).unwrap();
        prop_assert!(decides(&filter));
        let view = View { span: Span::ALL[span], filter: filter.clone(), once: false, ..View::default() };
        let mut window = filled(&flows);
        let snapshot = window.snapshot(&view, at(2100));
        let rows: BTreeMap<Key, u64> =
            snapshot.rows.iter().map(|row| (row.key, row.ways.sum().counts.bytes)).collect();
        prop_assert_eq!(&rows, &expected(&flows, &filter, &snapshot));
        let sum: u64 = rows.values().sum();
        prop_assert_eq!((snapshot.everything().counts.bytes, snapshot.sum.sum().counts.bytes), (sum, sum));
        prop_assert!(snapshot.rows.is_sorted_by_key(|row| std::cmp::Reverse(row.ways.sum().counts.bytes)));
    }

    #[test]
    fn credited_bytes_are_reported_bytes_in_every_dimension(flows in any_flows()) {
        let mut window = filled(&flows);
        let all: u64 = flows.iter().map(|flow| flow.counts.bytes).sum();
        let held: Vec<Tally> = window.slices.all().iter().flat_map(|slice| slice.totals).collect();
        prop_assert_eq!(held.iter().map(|tally| tally.counts.bytes).sum::<u64>(), all);
        prop_assert_eq!(held.iter().map(|tally| tally.flows).sum::<u64>(), flows.len() as u64);
        for dimension in Dimension::ALL {
            let view = View { dimension, once: false, sort: Sort::Total, ..hour() };
            let snapshot = window.snapshot(&view, at(2000));
            let total: u64 = snapshot.rows.iter().map(|row| row.total.sum().counts.bytes).sum();
            let ends = match dimension {
                Dimension::Host | Dimension::Interface | Dimension::As | Dimension::Country => 2,
                _ => 1,
            };
            prop_assert_eq!(total, all * ends, "{:?}", dimension);
        }
    }

    #[test]
    fn a_window_of_the_past_has_what_passed_before_its_end_in_any_order(
        (flows, order) in any_flows().prop_flat_map(|flows| (Just(flows.clone()), Just(flows).prop_shuffle())),
        end in 60..200_i64,
    ) {
        let end = at(end * 10);
        let mut window = window(Limits::default()).with_end(end);
        window.record_all(&order);
        let view = View { span: Span::Hour, once: false, ..View::default() };
        let snapshot = window.snapshot(&view, at(9000));
        prop_assert_eq!((snapshot.at, snapshot.until, snapshot.unsettled_s()), (end, end, 0));
        let rows: BTreeMap<Key, u64> =
            snapshot.rows.iter().map(|row| (row.key, row.ways.sum().counts.bytes)).collect();
        let mut rows = rows;
        rows.retain(|_, bytes| *bytes != 0);
        prop_assert_eq!(&rows, &expected(&flows, &Filter::all(), &snapshot));
        let ended = flows.iter().filter(|flow| flow.last < end || flow.first < flow.last && flow.last == end).count();
        prop_assert_eq!(snapshot.everything().flows, ended as u64);
    }

    #[test]
    fn a_flow_in_many_slices_is_the_flow_in_one(first in 0..300_i64, parts in prop::collection::vec(1..120_i64, 1..12), rate in 1..100_000_u64) {
        let lasting: i64 = parts.iter().sum();
        let whole = flow(2, (first, first + lasting), rate * lasting.unsigned_abs());
        let mut start = first;
        let slices: Vec<FlowRecord> = parts.iter().map(|seconds| {
            let slice = flow(2, (start, start + seconds), rate * seconds.unsigned_abs());
            start += seconds;
            slice
        }).collect();
        let series = |flows: &[FlowRecord]| {
            let slices: Vec<u64> = filled(flows).slices.all().iter().map(|slice| slice.totals[Sense::Out as usize].counts.bytes).collect();
            slices
        };
        let (one, many) = (series(&[whole]), series(&slices));
        for (one, many) in one.iter().zip(&many) {
            // Each slice rounds by less than a byte at both ends.
            prop_assert!(one.abs_diff(*many) <= 2 * parts.len() as u64, "{} {}", one, many);
        }
        prop_assert_eq!(one.iter().sum::<u64>(), many.iter().sum::<u64>());
    }
}
