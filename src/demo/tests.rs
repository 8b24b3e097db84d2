//! A minute of the house, from the model through the wire into a collector, and once over real sockets.

use std::collections::BTreeSet;
use std::time::Instant;

use super::*;
use crate::collector::stats::Health;
use crate::collector::{Collector, Limits};
use crate::flow::{FlowRecord, ObservationDomainId, TimeSource, Version};
use crate::names::{protocol, service};
use crate::wire::{ipfix, v9};

const START: Timestamp = Timestamp(1_700_000_000_123);
const MINUTE_MS: i64 = 60_000;

/// What came of a simulated minute.
struct Minute {
    sent: Sent,
    datagrams: Vec<(Via, Vec<u8>)>,
    flows: Vec<FlowRecord>,
    health: Health,
    collector: Collector,
}

fn source(via: Via) -> SocketAddr {
    let last = match via {
        Via::Gateway => 11,
        Via::Switch => 12,
        Via::Router => 13,
    };
    SocketAddr::new(Ipv4Addr::new(127, 0, 0, last).into(), 50_000)
}

fn minute(seed: u64) -> Minute {
    let mut house = House::new(seed, START);
    let mut collector = Collector::new(Limits::default());
    let (mut datagrams, mut flows, mut sent) = (Vec::new(), Vec::new(), Sent::default());
    for step in 1..=MINUTE_MS / 200 {
        let now = START.plus(step * 200);
        sent.add(house.step(now, |via, datagram| {
            datagrams.push((via, datagram.to_vec()));
            collector.datagram(now, source(via), datagram, &mut flows).unwrap();
        }));
    }
    let health = collector.health();
    Minute { sent, datagrams, flows, health, collector }
}

#[test]
fn everything_that_is_sent_is_decoded() {
    let minute = minute(1);
    let got = minute.flows.iter().fold(Sent::default(), |mut sum, flow| {
        sum.add(Sent { datagrams: 0, flows: 1, bytes: flow.counts.bytes, packets: flow.counts.packets });
        sum
    });
    let totals = minute.health.totals;
    assert_eq!(Sent { datagrams: totals.datagrams, ..got }, minute.sent);
    assert_eq!((totals.lost, totals.malformed, totals.foreign, totals.refused), (0, 0, 0, 0));
    assert_eq!((totals.waiting, totals.expired), (0, 0));
    for exporter in &minute.health.exporters {
        let bad = [exporter.overruns, exporter.redefined, exporter.restarts, exporter.reordered, exporter.meaningless];
        assert_eq!(bad, [0; 5], "{exporter:?}");
        assert_eq!((exporter.trailing, exporter.reserved, exporter.rejected_templates), (0, 0, 0));
    }
    let longest = minute.datagrams.iter().map(|(_, datagram)| datagram.len()).max().unwrap();
    assert!((1200..=exporters::PAYLOAD).contains(&longest), "{longest} octets");
}

#[test]
fn every_field_arrives_as_the_model_made_it() {
    let mut house = House::new(5, START);
    let mut collector = Collector::new(Limits::default());
    for step in 1..=100 {
        let now = START.plus(step * 200);
        let mut made = Vec::new();
        house.traffic.clone().step(now, &mut made);
        let mut flows = Vec::new();
        house.step(now, |via, datagram| collector.datagram(now, source(via), datagram, &mut flows).unwrap());
        made.sort_by_key(|flow| flow.via);
        assert_eq!(made.len(), flows.len());
        for (made, got) in made.iter().zip(&flows) {
            let mut key = made.key;
            if matches!(key.protocol, 1 | 58) {
                (key.src_port, key.dst_port) = (0, 0);
            }
            assert_eq!((got.key, got.counts, got.icmp, got.tos), (key, made.counts, made.icmp, made.tos));
            assert_eq!((got.first, got.last), (made.first, made.last), "{made:?}");
            assert_eq!(got.tcp_flags, u16::from(made.tcp_flags));
            assert!(got.in_if != 0 && got.out_if != 0);
        }
    }
}

#[test]
fn all_three_versions_and_both_families_are_there() {
    let minute = minute(2);
    let kinds: BTreeSet<_> = minute.flows.iter().map(|flow| (flow.version, flow.key.src_ip.is_ipv6())).collect();
    let all = [(Version::V5, false), (Version::V9, false), (Version::V9, true)];
    assert_eq!(Vec::from_iter(kinds), [&all[..], &[(Version::Ipfix, false), (Version::Ipfix, true)]].concat());
    for flow in &minute.flows {
        let expected = if flow.version == Version::Ipfix { TimeSource::Absolute } else { TimeSource::Uptime };
        assert_eq!(flow.time_source, expected);
        assert!(flow.last <= flow.received && START <= flow.first, "{flow:?}");
    }
}

#[test]
fn it_looks_like_a_house() {
    let minute = minute(3);
    let per_second = minute.sent.flows / 60;
    assert!((50..=150).contains(&per_second), "{per_second} flows/s");
    let megabits = minute.sent.bytes * 8 / 60 / 1_000_000;
    assert!((60..=160).contains(&megabits), "{megabits} Mbit/s");

    let services: BTreeSet<&str> = minute
        .flows
        .iter()
        .filter_map(|flow| service(flow.key.protocol, flow.key.dst_port).or_else(|| protocol(flow.key.protocol)))
        .collect();
    for name in ["https", "quic", "dns", "ntp", "ssh", "smtp", "imaps", "rtsp", "smb", "mdns", "wireguard", "icmp"] {
        assert!(services.contains(name), "{name} is missing in {services:?}");
    }

    let inside = |ip: IpAddr| names().iter().any(|(known, name)| *known == ip && name.ends_with(".home.example"));
    let hosts: BTreeSet<_> = minute.flows.iter().map(|flow| flow.key.src_ip).filter(|&ip| inside(ip)).collect();
    let servers: BTreeSet<_> = minute.flows.iter().map(|flow| flow.key.dst_ip).filter(|&ip| !inside(ip)).collect();
    assert!(12 <= hosts.len() && 60 <= servers.len(), "{} hosts, {} servers", hosts.len(), servers.len());
}

#[test]
fn the_download_runs_at_forty_megabits_and_is_told_in_slices() {
    let minute = minute(4);
    let is_download =
        |flow: &&FlowRecord| flow.key.dst_ip == IpAddr::from([192, 168, 1, 21]) && flow.key.src_port == 443;
    let longest = minute.flows.iter().filter(is_download).max_by_key(|flow| flow.counts.bytes).unwrap().key;
    let slices: Vec<_> = minute.flows.iter().filter(|flow| flow.key == longest).collect();
    assert!((10..=14).contains(&slices.len()), "{} slices", slices.len());
    assert!(slices.windows(2).all(|pair| pair[0].last == pair[1].first), "no gap and no overlap");
    let bytes: u64 = slices.iter().map(|flow| flow.counts.bytes).sum();
    let span = slices.last().unwrap().last.since(slices[0].first);
    let megabits = bytes * 8 / u64::try_from(span).unwrap() / 1000;
    assert!((38..=44).contains(&megabits), "{megabits} Mbit/s");
    // Its acknowledgements go the other way, in the same slices.
    let answers = minute.flows.iter().filter(|flow| flow.key == longest.reversed()).count();
    assert_eq!(answers, slices.len());
}

#[test]
fn the_scan_is_syn_without_answer() {
    let scanner = IpAddr::from([198, 51, 100, 166]);
    let minute = minute(5);
    let tries: Vec<_> = minute.flows.iter().filter(|flow| flow.key.src_ip == scanner).collect();
    let doors: BTreeSet<u16> = tries.iter().map(|flow| flow.key.dst_port).collect();
    assert_eq!(doors.len(), 12);
    assert!(tries.iter().all(|flow| (flow.tcp_flags, flow.counts.packets) == (2, 1)));
    assert!(minute.flows.iter().all(|flow| flow.key.dst_ip != scanner));
}

#[test]
fn the_same_seed_gives_the_same_octets() {
    assert_eq!(minute(7).datagrams, minute(7).datagrams);
    assert_ne!(minute(7).datagrams, minute(8).datagrams);
}

/// The ids of the sets of a datagram of the gateway, in order; of a template set that of its template, negative.
fn shape(datagram: &[u8]) -> Vec<i32> {
    let message = ipfix::Message::parse(datagram).unwrap();
    let id = |set: crate::wire::Set<'_>| {
        let template = i32::from(u16::from_be_bytes(*set.body.first_chunk().unwrap()));
        if set.id < 256 { -template } else { set.id.into() }
    };
    message.sets().map(|set| id(set.unwrap())).collect()
}

#[test]
fn the_gateway_mixes_templates_and_data() {
    let minute = minute(6);
    let shapes: Vec<_> =
        minute.datagrams.iter().filter(|(via, _)| *via == Via::Gateway).map(|(_, datagram)| shape(datagram)).collect();
    // The first one: boot time, interface names, counters, each behind its options template, then flows.
    assert_eq!(shapes[0][..6], [-256, 256, -257, 257, -258, 258]);
    let is_mixed = |shape: &&Vec<i32>| {
        let data: BTreeSet<_> = shape.iter().filter(|&&id| 258 < id).collect();
        shape.iter().any(|&id| id < -258) && 2 <= data.len()
    };
    let mixed = shapes.iter().filter(is_mixed).count();
    assert!(5 <= mixed, "{mixed} of {} datagrams", shapes.len());
    assert!(shapes.iter().any(|shape| shape.iter().all(|&id| 0 < id)), "and some carry data alone");

    let mut announced = std::collections::BTreeMap::new();
    for (number, shape) in shapes.iter().enumerate() {
        for (at, &id) in shape.iter().enumerate() {
            if id < 0 {
                // Right before the first record that needs it, and again only after more than 20 datagrams.
                assert_eq!(shape.get(at + 1), Some(&-id), "{shape:?}");
                let before = announced.insert(-id, number);
                assert!(before.is_none_or(|before| 20 < number - before), "{id} in {before:?} and {number}");
            } else {
                assert!(number - announced[&id] <= 20, "{id} in {number}, announced in {}", announced[&id]);
            }
        }
    }
    // Two families with TCP, UDP and ICMP each, and three of options.
    assert_eq!(announced.len(), 9);
}

#[test]
fn options_tell_names_boot_and_sampling() {
    let minute = minute(9);
    let facts = |via, version, domain| {
        minute.collector.facts(source(via).ip(), ObservationDomainId(domain), version).unwrap().clone()
    };
    let gateway = facts(Via::Gateway, Version::Ipfix, 0);
    assert_eq!(gateway.boot, Some(START.plus(-UPTIME_MS)));
    let names: Vec<_> = gateway.names.iter().map(|(_, index, name)| (index, name)).collect();
    assert_eq!(names, [(3, "eth4"), (9, "switch0"), (12, "br0")]);
    assert_eq!(facts(Via::Switch, Version::V9, 1).sampling().rate, 1);
    let options: Vec<u64> = minute.health.exporters.iter().map(|exporter| exporter.options_records).collect();
    assert_eq!(options, [5, 1, 0]);
}

#[test]
fn v9_counts_its_records() {
    let minute = minute(10);
    for (_, datagram) in minute.datagrams.iter().filter(|(via, _)| *via == Via::Switch) {
        let packet = v9::Packet::parse(datagram).unwrap();
        let mut collector = Collector::new(Limits::default());
        let mut flows = Vec::new();
        collector.datagram(START, source(Via::Switch), datagram, &mut flows).unwrap();
        let stats = &collector.health().exporters[0];
        if stats.waiting == 0 {
            assert_eq!(u64::from(packet.header.count), stats.records + stats.options_records + stats.template_records);
        }
    }
}

#[test]
fn it_runs_over_real_sockets_and_is_alive_at_once() {
    for listen in ["127.0.0.1:0", "[::1]:0"] {
        let socket = UdpSocket::bind(listen).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let target = socket.local_addr().unwrap();
        let stop = AtomicBool::new(false);
        let mut collector = Collector::new(Limits::default());
        let (mut flows, mut octets) = (Vec::new(), [0; 2000]);
        let began = Instant::now();
        let sent = thread::scope(|scope| {
            let thread = scope.spawn(|| Demo::new(target, 1).run(&stop).unwrap());
            let mut exporters = BTreeSet::new();
            while flows.len() < 300 || exporters.len() < 3 {
                let (length, from) = socket.recv_from(&mut octets).unwrap();
                exporters.insert(from);
                collector.datagram(now(), from, &octets[..length], &mut flows).unwrap();
            }
            assert!(began.elapsed() < Duration::from_secs(2), "alive within two seconds");
            stop.store(true, Ordering::Relaxed);
            thread.thread().unpark();
            let addresses: BTreeSet<_> = exporters.iter().map(SocketAddr::ip).collect();
            assert_eq!(addresses.len(), if target.is_ipv4() { 3 } else { 1 });
            thread.join().unwrap()
        });
        while collector.health().totals.datagrams < sent.datagrams {
            let (length, from) = socket.recv_from(&mut octets).unwrap();
            collector.datagram(now(), from, &octets[..length], &mut flows).unwrap();
        }
        let got = (flows.iter().map(|flow| flow.counts.bytes).sum(), flows.len());
        assert_eq!(got, (sent.bytes, usize::try_from(sent.flows).unwrap()));
        assert_eq!(collector.health().totals.lost, 0);
    }
}

#[test]
fn an_unspecified_target_is_reached_over_loopback() {
    for listen in ["0.0.0.0:2055", "[::]:2055"] {
        assert_eq!(reachable(listen.parse().unwrap()), "127.0.0.1:2055".parse().unwrap());
    }
    let other = "192.0.2.1:2055".parse().unwrap();
    assert_eq!(reachable(other), other);
}
