//! Whole datagrams through one collector. Octets come from `wire::emit`, so that a test shows the layout it means.

mod conformance;
mod limits;
mod quirks;
mod templates;

use std::net::{Ipv4Addr, Ipv6Addr};

use hex_literal::hex;
use proptest::prelude::*;

use super::*;
use crate::collector::options::names::NameKind;
use crate::flow::{Counts, Direction, TimeSource};
use crate::ie::{ElementId, REVERSE};
use crate::wire::emit::{self, Message};
use crate::wire::template::{FieldSpecifier, VARIABLE};

/// 2023-11-14 22:13:20 UTC.
const NOW: Timestamp = Timestamp(1_700_000_000_000);
const SECONDS: u32 = 1_700_000_000;

fn sender(port: u16) -> SocketAddr {
    (Ipv4Addr::new(192, 0, 2, 1), port).into()
}

fn iana(fields: &[(u16, u16)]) -> Vec<FieldSpecifier> {
    fields.iter().map(|&(id, length)| FieldSpecifier { element: ElementId::Iana(id), length }).collect()
}

fn vendor(pen: u32, id: u16, length: u16) -> FieldSpecifier {
    FieldSpecifier { element: ElementId::Vendor { pen, id }, length }
}

fn template(id: u16, fields: &[(u16, u16)]) -> Template {
    Template { id: TemplateId(id), scopes: 0, fields: iana(fields) }
}

fn options(id: u16, scopes: usize, fields: &[(u16, u16)]) -> Template {
    Template { id: TemplateId(id), scopes, fields: iana(fields) }
}

fn ipfix(sequence: u32) -> Message {
    Message::ipfix(ipfix::Header { export_time: SECONDS, sequence, ..Default::default() })
}

fn v9(sequence: u32) -> Message {
    Message::v9(v9::Header { uptime: 100_000, seconds: SECONDS, sequence, ..Default::default() })
}

/// A collector and everything that came out of it.
struct Bench {
    collector: Collector,
    flows: Vec<FlowRecord>,
}

impl Bench {
    fn new() -> Self {
        Self::with(Limits::default())
    }

    fn with(limits: Limits) -> Self {
        Self { collector: Collector::new(limits), flows: Vec::new() }
    }

    fn send(&mut self, message: Message) -> Result<(), Malformed> {
        self.send_at(NOW, 50_000, message)
    }

    fn send_at(&mut self, received: Timestamp, port: u16, message: Message) -> Result<(), Malformed> {
        self.collector.datagram(received, sender(port), &message.finish(), &mut self.flows)
    }

    fn stats(&self) -> stats::ExporterStats {
        self.collector.health().exporters.remove(0)
    }

    fn bytes(&self) -> Vec<u64> {
        self.flows.iter().map(|flow| flow.counts.bytes).collect()
    }
}

/// The one flow of a template and a record.
fn one(fields: &[(u16, u16)], record: &[u8]) -> FlowRecord {
    let mut bench = Bench::new();
    bench.send(ipfix(0).template(&template(256, fields)).set(256, record)).unwrap();
    assert_eq!(bench.flows.len(), 1);
    bench.flows[0]
}

#[test]
fn templates_and_data_mixed_in_one_datagram_all_decode() {
    let mut bench = Bench::new();
    let (a, b) = (template(256, &[(8, 4), (1, 4)]), template(257, &[(27, 16), (1, 4)]));
    let four = [10, 0, 0, 1, 0, 0, 0, 7];
    let six = [[0xfe; 16].as_slice(), &[0, 0, 0, 9]].concat();
    // Data for 257 and 258 stands before 257's template; 258 never comes.
    let message = ipfix(0)
        .data(TemplateId(257), &six)
        .data(TemplateId(258), &[1; 8])
        .template(&a)
        .data(TemplateId(256), &four)
        .template(&b)
        .data(TemplateId(256), &four)
        .data(TemplateId(257), &six);
    bench.send(message).unwrap();
    assert_eq!(bench.bytes(), [7, 9, 7, 9]);
    let health = bench.collector.health();
    assert_eq!((health.totals.waiting, health.totals.decoded, health.totals.malformed), (1, 1, 0));
}

#[test]
fn a_set_that_waited_keeps_its_own_receive_time() {
    let mut bench = Bench::new();
    bench.send(v9(0).data(TemplateId(256), &[0, 0, 0, 5])).unwrap();
    assert!(bench.flows.is_empty());
    bench.send_at(NOW.plus(5000), 50_000, v9(1).template(&template(256, &[(1, 4)]))).unwrap();
    assert_eq!((bench.flows[0].received, bench.flows[0].counts.bytes), (NOW, 5));
    assert_eq!(bench.stats().waiting, 0);
}

#[test]
fn waiting_is_bounded_in_sets_octets_and_time() {
    let mut bench = Bench::with(Limits { waiting_sets: 2, waiting_octets: 16, ..Default::default() });
    let set = |octets: usize| v9(0).data(TemplateId(256), &vec![0; octets]);
    bench.send(set(20)).unwrap();
    assert_eq!((bench.stats().waiting, bench.stats().expired), (0, 1));
    for _ in 0..3 {
        bench.send(set(4)).unwrap();
    }
    assert_eq!((bench.stats().waiting, bench.stats().expired), (2, 2));
    bench.collector.tick(NOW.plus(120_000));
    assert_eq!(bench.stats().waiting, 2);
    bench.collector.tick(NOW.plus(120_001));
    assert_eq!((bench.stats().waiting, bench.stats().expired), (0, 4));
}

#[test]
fn a_template_is_borrowed_after_a_change_of_port_but_not_across_domains() {
    let mut bench = Bench::new();
    bench.send_at(NOW, 1000, ipfix(0).template(&template(256, &[(1, 4)]))).unwrap();
    bench.send_at(NOW, 2000, ipfix(0).data(TemplateId(256), &[0, 0, 0, 5])).unwrap();
    assert_eq!((bench.bytes(), bench.stats().borrowed), (vec![5], 1));
    let other = Message::ipfix(ipfix::Header { domain: 9, ..Default::default() });
    bench.send_at(NOW, 1000, other.data(TemplateId(256), &[0, 0, 0, 5])).unwrap();
    assert_eq!(bench.bytes(), [5]);
    // Its own definition wins as soon as it has one.
    bench.send_at(NOW, 2000, ipfix(1).template(&template(256, &[(2, 2), (1, 2)]))).unwrap();
    bench.send_at(NOW, 2000, ipfix(1).data(TemplateId(256), &[0, 1, 0, 6])).unwrap();
    bench.send_at(NOW, 1000, ipfix(0).data(TemplateId(256), &[0, 0, 0, 7])).unwrap();
    assert_eq!(bench.bytes(), [5, 6, 7]);
}

#[test]
fn a_redefined_template_replaces_the_old_one_at_once() {
    let mut bench = Bench::new();
    bench.send(v9(0).template(&template(256, &[(1, 4)])).data(TemplateId(256), &[0, 0, 0, 1])).unwrap();
    bench.send(v9(1).template(&template(256, &[(1, 2), (2, 2)])).data(TemplateId(256), &[0, 2, 0, 3])).unwrap();
    assert_eq!(bench.bytes(), [1, 2]);
    assert_eq!((bench.stats().redefined, bench.stats().templates, bench.stats().template_records), (1, 1, 2));
}

#[test]
fn withdrawals_over_udp_are_ignored() {
    let mut bench = Bench::new();
    bench.send(ipfix(0).template(&template(256, &[(1, 4)]))).unwrap();
    bench.send(ipfix(0).set(ipfix::TEMPLATE_SET, &[1, 0, 0, 0])).unwrap();
    bench.send(ipfix(0).data(TemplateId(256), &[0, 0, 0, 5])).unwrap();
    assert_eq!((bench.bytes(), bench.stats().withdrawals), (vec![5], 1));
}

#[test]
fn a_malformed_ipfix_message_teaches_nothing_and_v9_keeps_what_stood_before() {
    let fault = [1, 1, 0, 9, 0, 8];
    let mut bench = Bench::new();
    let learned = template(256, &[(1, 4)]);
    let message = |start: Message, id| start.template(&learned).data(TemplateId(256), &[0, 0, 0, 5]).set(id, &fault);
    assert!(bench.send(message(ipfix(0), ipfix::TEMPLATE_SET)).is_err());
    let health = bench.collector.health();
    assert_eq!((health.totals.malformed, health.exporters.len()), (1, 0), "garbage makes nobody known");
    bench.send(ipfix(0)).unwrap();
    assert!(bench.send(message(ipfix(0), ipfix::TEMPLATE_SET)).is_err());
    assert_eq!((bench.bytes(), bench.stats().templates, bench.stats().malformed), (vec![], 0, 1));
    let mut bench = Bench::new();
    assert!(bench.send(message(v9(0), v9::TEMPLATE_SET)).is_err());
    assert_eq!((bench.bytes(), bench.stats().templates, bench.stats().malformed), (vec![5], 1, 1));
}

#[test]
fn foreign_datagrams_are_counted_with_their_sender() {
    let mut bench = Bench::new();
    for octets in [&b"GET / HTTP/1.1"[..], &[], &[0]] {
        assert!(bench.collector.datagram(NOW, sender(7), octets, &mut bench.flows).is_err());
    }
    let totals = bench.collector.health().totals;
    assert_eq!((totals.foreign, totals.datagrams, totals.last_foreign), (3, 3, Some((sender(7), 0))));
}

#[test]
fn templates_of_no_octets_and_of_too_many_fields_are_rejected() {
    let mut bench = Bench::with(Limits { fields: 3, ..Default::default() });
    bench.send(ipfix(0).template(&template(256, &[(1, 0), (2, 0)]))).unwrap();
    bench.send(ipfix(0).template(&template(257, &[(1, 4); 4]))).unwrap();
    bench.send(ipfix(0).data(TemplateId(256), &[0; 64])).unwrap();
    assert_eq!((bench.stats().rejected_templates, bench.stats().templates, bench.stats().waiting), (2, 0, 1));
    // A field of no octets beside others is legal.
    bench.send(ipfix(0).template(&template(258, &[(8, 0), (1, 4)])).data(TemplateId(258), &[0, 0, 0, 5])).unwrap();
    assert_eq!(bench.bytes(), [5]);
}

#[test]
fn the_least_recently_used_template_goes_when_there_are_too_many() {
    let mut bench = Bench::with(Limits { templates: 2, ..Default::default() });
    let data = |id| ipfix(0).data(TemplateId(id), &[0, 0, 0, 1]);
    for id in 256..260 {
        bench.send(ipfix(0).template(&template(id, &[(1, 4)])).data(TemplateId(id), &[0, 0, 0, 1])).unwrap();
    }
    assert_eq!((bench.flows.len(), bench.stats().templates), (4, 2));
    for id in 256..260 {
        bench.send(data(id)).unwrap();
    }
    assert_eq!((bench.flows.len(), bench.stats().waiting), (6, 2));
}

#[test]
fn one_source_cannot_push_out_another() {
    let mut bench = Bench::with(Limits { exporters: 2, sessions: 2, domains: 2, ..Default::default() });
    let known = template(256, &[(1, 4)]);
    bench.send(ipfix(0).template(&known)).unwrap();
    let flood = |n: u32| Message::ipfix(ipfix::Header { domain: n, ..Default::default() }).template(&known).finish();
    for n in 0..100_u32 {
        let from = (Ipv4Addr::from_bits(0x0a00_0000 + n), 9).into();
        bench.collector.datagram(NOW, from, &flood(0), &mut bench.flows).unwrap();
        let from = (Ipv4Addr::new(10, 0, 0, 0), 9).into();
        bench.collector.datagram(NOW, from, &flood(n), &mut bench.flows).unwrap();
    }
    bench.send(ipfix(0).data(TemplateId(256), &[0, 0, 0, 5])).unwrap();
    assert_eq!(bench.bytes(), [5]);
    let health = bench.collector.health();
    assert_eq!((health.totals.refused, health.exporters.len()), (99, 3));
    // A silent address gives up its place.
    let from = (Ipv4Addr::new(10, 9, 9, 9), 9).into();
    bench.collector.datagram(NOW.plus(600_000), from, &flood(0), &mut bench.flows).unwrap();
    assert_eq!(bench.collector.health().totals.refused, 99);
}

#[test]
fn counters_of_every_width() {
    for width in 1..=10_u16 {
        let mut record = vec![0; usize::from(width)];
        *record.last_mut().unwrap() = 0xfe;
        assert_eq!(one(&[(8, 4), (1, width)], &[&[10, 0, 0, 1], record.as_slice()].concat()).counts.bytes, 0xfe);
    }
    let wide = one(&[(1, 8), (2, 3)], &[0xff, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0]);
    assert_eq!(wide.counts, Counts { bytes: 0xff00_0000_0000_0001, packets: 0x1_0000 });
}

#[test]
fn deltas_win_over_totals_and_the_first_of_a_kind_over_its_repetition() {
    assert_eq!(one(&[(85, 4), (1, 4)], &[0, 0, 0, 9, 0, 0, 0, 4]).counts.bytes, 4);
    assert_eq!(one(&[(85, 4)], &[0, 0, 0, 9]).counts.bytes, 9);
    assert_eq!(one(&[(1, 1), (1, 1)], &[3, 4]).counts.bytes, 3);
}

#[test]
fn two_directions_in_one_record_are_two_flows() {
    let check = |fields: Vec<FieldSpecifier>, record: &[u8]| {
        let mut bench = Bench::new();
        let template = Template { id: TemplateId(256), scopes: 0, fields };
        bench.send(ipfix(0).template(&template).data(TemplateId(256), record)).unwrap();
        let [forward, back] = bench.flows[..] else { panic!("{:?}", bench.flows) };
        assert_eq!((forward.counts.bytes, back.counts.bytes), (10, 20));
        assert_eq!(back.key, forward.key.reversed());
        assert_eq!((forward.reverse, back.reverse), (false, true));
        assert_eq!(bench.stats().records, 1);
    };
    let key = [10, 0, 0, 1, 10, 0, 0, 2];
    let with = |tail: &[u8]| [key.as_slice(), tail].concat();
    check(iana(&[(8, 4), (12, 4), (1, 1), (23, 1)]), &with(&[10, 20]));
    check(iana(&[(8, 4), (12, 4), (231, 4), (232, 4)]), &with(&[0, 0, 0, 10, 0, 0, 0, 20]));
    let mut biflow = iana(&[(8, 4), (12, 4), (1, 1)]);
    biflow.push(FieldSpecifier { element: ElementId::Vendor { pen: REVERSE, id: 1 }, length: 1 });
    check(biflow, &with(&[10, 20]));
}

#[test]
fn huawei_232_in_two_octets_is_no_counter() {
    assert_eq!(one(&[(231, 4), (232, 2)], &[0, 0, 0, 10, 0, 20]).counts.bytes, 10);
}

#[test]
fn variable_length_records_of_no_octets_are_not_lost() {
    let mut bench = Bench::new();
    let template = template(300, &[(8, 4), (82, VARIABLE)]);
    let record = [1, 2, 3, 4, 1, b'a', 5, 6, 7, 8, 0, 9, 9, 9, 9, 1, b'z'];
    bench.send(ipfix(0).template(&template).set(300, &record)).unwrap();
    let sources: Vec<_> = bench.flows.iter().map(|flow| flow.key.src_ip.to_string()).collect();
    assert_eq!(sources, ["1.2.3.4", "5.6.7.8", "9.9.9.9"]);
    // A record that runs over its set is one overrun; those before it stand.
    bench.send(ipfix(3).set(300, &[1, 2, 3, 4, 0, 5, 6, 7, 8, 9, 1])).unwrap();
    assert_eq!((bench.flows.len(), bench.stats().overruns), (4, 1));
}

#[test]
fn every_time_form() {
    let ms = |time: i64| time.to_be_bytes();
    let check = |fields: &[(u16, u16)], record: &[u8], first: i64, last: i64, source: TimeSource| {
        let flow = one(fields, record);
        assert_eq!((flow.first.0 - NOW.0, flow.last.0 - NOW.0, flow.time_source), (first, last, source), "{fields:?}");
    };
    let pair = |a: &[u8], b: &[u8]| [a, b, &[1]].concat();
    let absolute = TimeSource::Absolute;
    check(&[(152, 8), (153, 8), (1, 1)], &pair(&ms(NOW.0 - 2500), &ms(NOW.0 - 500)), -2500, -500, absolute);
    let seconds = |offset: u32| (SECONDS - offset).to_be_bytes();
    check(&[(150, 4), (151, 4), (1, 1)], &pair(&seconds(9), &seconds(3)), -9000, -3000, absolute);
    // NTP time, microseconds: the low bits of the fraction are to be ignored, and are below a millisecond.
    let ntp = |offset: u64| (((1_700_000_000_u64 - offset + 2_208_988_800) << 32) | 0x8000_07ff).to_be_bytes();
    check(&[(154, 8), (155, 8), (1, 1)], &pair(&ntp(4), &ntp(2)), -3500, -1500, absolute);
    check(&[(156, 8), (157, 8), (1, 1)], &pair(&ntp(4), &ntp(2)), -3500, -1500, absolute);
    let micros = |n: u32| n.to_be_bytes();
    check(&[(158, 4), (159, 4), (1, 1)], &pair(&micros(7_000_000), &micros(1_500)), -7000, -1, TimeSource::Delta);
    check(&[(323, 8), (1, 1)], &pair(&ms(NOW.0 - 42), &[]), -42, -42, TimeSource::Event);
    check(&[(153, 8), (161, 4), (1, 1)], &pair(&ms(NOW.0), &micros(800)), -800, 0, absolute);
    // Relative times without a boot time keep their span; without any time there is the export time.
    check(&[(22, 4), (21, 4), (1, 1)], &pair(&micros(1000), &micros(4000)), -3000, 0, TimeSource::Export);
    check(&[(8, 4), (1, 1)], &pair(&[10, 0, 0, 1], &[]), 0, 0, TimeSource::Export);
    // An end before the beginning is an instant.
    check(&[(152, 8), (153, 8), (1, 1)], &pair(&ms(NOW.0), &ms(NOW.0 - 5)), -5, -5, absolute);
}

#[test]
fn uptimes_wrap_and_ipfix_takes_its_boot_time_from_options() {
    let fields = template(256, &[(22, 4), (21, 4), (1, 1)]);
    let record = |first: u32, last: u32| [&first.to_be_bytes()[..], &last.to_be_bytes(), &[1]].concat();
    let mut bench = Bench::new();
    bench.send(v9(0).template(&fields).data(TemplateId(256), &record(u32::MAX - 999, 99_000))).unwrap();
    // The header's uptime is 100 s: the flow began a second before the counter wrapped.
    assert_eq!((bench.flows[0].first.0 - NOW.0, bench.flows[0].last.0 - NOW.0), (-101_000, -1000));
    let boot = options(257, 1, &[(149, 4), (160, 8)]);
    let told = [&[0, 0, 0, 0][..], &(NOW.0 - 50_000).to_be_bytes()].concat();
    let message = ipfix(0).template(&boot).data(TemplateId(257), &told).template(&fields);
    bench.send(message.data(TemplateId(256), &record(40_000, 45_000))).unwrap();
    let flow = bench.flows[1];
    assert_eq!((flow.first.0 - NOW.0, flow.last.0 - NOW.0, flow.time_source), (-10_000, -5_000, TimeSource::Uptime));
}

/// One datagram of v1 or v7: everything up to the ports is the same, `rest` is what follows them.
fn fixed(header: &[u8], rest: &[u8]) -> FlowRecord {
    let common = hex!("0a000001 0a000002 0a0000fe 0003 ffff 00000007 00000300 00015f90 00017318 01bb c000");
    let mut bench = Bench::new();
    let datagram = [header, &common, rest].concat();
    bench.collector.datagram(NOW, sender(1), &datagram, &mut bench.flows).unwrap();
    let [flow] = bench.flows.try_into().unwrap();
    let key = (flow.key.src_ip.to_string(), flow.key.dst_ip.to_string(), flow.key.src_port, flow.key.dst_port);
    assert_eq!(key, ("10.0.0.1".to_owned(), "10.0.0.2".to_owned(), 443, 49_152));
    assert_eq!((flow.counts, flow.in_if, flow.out_if), (Counts { bytes: 768, packets: 7 }, 3, 0));
    assert_eq!((flow.first, flow.last), (NOW.plus(-10_000), NOW.plus(-5_000)));
    assert_eq!((flow.key.protocol, flow.tos, flow.tcp_flags), (6, 0xb8, 0x1b));
    flow
}

#[test]
fn v1_has_its_flags_elsewhere_and_neither_systems_nor_masks() {
    let header = hex!("0001 0001 000186a0 6553f100 00000000");
    let flow = fixed(&header, &hex!("ffff 06 b8 1b ffffff ffffffff"));
    assert_eq!(flow.version, Version::V1);
    assert_eq!((flow.src_as, flow.dst_as, flow.src_mask, flow.dst_mask), (0, 0, 0, 0));
}

#[test]
fn v7_is_v5_and_six_octets() {
    let header = hex!("0007 0001 000186a0 6553f100 00000000 00000009 00000000");
    let flow = fixed(&header, &hex!("00 1b 06 b8 0001 0002 18 10 0000 c0000201"));
    assert_eq!(flow.version, Version::V7);
    assert_eq!((flow.src_as, flow.dst_as, flow.src_mask, flow.dst_mask), (1, 2, 24, 16));
}

#[test]
fn v7_counts_flows_and_v1_counts_nothing() {
    let lost = |datagrams: [&[u8]; 2]| {
        let mut bench = Bench::new();
        for datagram in datagrams {
            let datagram = [datagram, &[0; 52]].concat();
            bench.collector.datagram(NOW, sender(1), &datagram, &mut bench.flows).unwrap();
        }
        bench.stats().lost
    };
    let v7 = |sequence| [&hex!("0007 0001 000186a0 6553f100 00000000")[..], &[0, 0, 0, sequence, 0, 0, 0, 0]].concat();
    assert_eq!(lost([&v7(5), &v7(6)]), 0);
    assert_eq!(lost([&v7(5), &v7(9)]), 3);
    let v1 = hex!("0001 0001 000186a0 6553f100 00000000");
    assert_eq!(lost([&v1, &v1]), 0);
}

#[test]
fn sampling_comes_from_record_options_or_header_and_is_never_applied() {
    let from_record = one(&[(34, 4), (1, 1)], &[0, 0, 0, 100, 7]);
    let expected = |rate, kind, source| Sampling { rate, kind, source };
    assert_eq!(from_record.sampling, expected(100, SamplingKind::Packet, SamplingSource::Record));
    assert_eq!(from_record.counts.bytes, 7);
    let mut bench = Bench::new();
    // ipt_NETFLOW announces flow sampling in one and two octets.
    let told = options(257, 1, &[(302, 1), (390, 2), (396, 1), (397, 2)]);
    let message = ipfix(0).template(&told).data(TemplateId(257), &[1, 0, 1, 1, 0, 9]);
    bench.send(message.template(&template(256, &[(1, 1), (302, 1)])).data(TemplateId(256), &[7, 1])).unwrap();
    assert_eq!(bench.flows[0].sampling, expected(10, SamplingKind::Flow, SamplingSource::Options));
    for (field, rate) in [(0x4064_u16, 100), (0x8064, 100), (0xc350, 50_000), (0x03e8, 1000), (0, 0)] {
        let header = v5::Header { count: 1, seconds: SECONDS, sampling: field, ..Default::default() };
        bench.collector.datagram(NOW, sender(1), &emit::v5(header, &[[0; 48]]), &mut bench.flows).unwrap();
        assert_eq!(bench.flows.last().unwrap().sampling.rate, rate);
    }
}

#[test]
fn addresses_of_both_families_and_of_odd_lengths() {
    let v6: Ipv6Addr = "2001:db8::5".parse().unwrap();
    let both = one(&[(8, 4), (27, 16), (1, 1)], &[&[0; 4][..], &v6.octets(), &[1]].concat());
    assert_eq!(both.key.src_ip, IpAddr::V6(v6));
    let both = one(&[(8, 4), (27, 16), (1, 1)], &[&[10, 0, 0, 1][..], &[0; 16], &[1]].concat());
    assert_eq!(both.key.src_ip.to_string(), "10.0.0.1");
    assert_eq!(one(&[(8, 16), (1, 1)], &[&v6.octets()[..], &[1]].concat()).key.src_ip, IpAddr::V6(v6));
    assert_eq!(one(&[(8, 2), (1, 1)], &[9, 9, 1]).key.src_ip.to_string(), "0.0.0.0");
}

#[test]
fn icmp_type_and_code_come_from_three_places_and_never_read_as_ports() {
    let check = |fields: &[(u16, u16)], record: &[u8]| {
        let flow = one(fields, record);
        assert_eq!((flow.icmp, flow.key.src_port, flow.key.dst_port), (0x0803, 0, 0));
    };
    check(&[(4, 1), (11, 2), (1, 1)], &[1, 8, 3, 1]);
    check(&[(4, 1), (7, 2), (11, 2), (1, 1)], &[1, 8, 3, 0, 0, 1]);
    check(&[(4, 1), (7, 2), (11, 2), (1, 1)], &[1, 0, 8, 0, 3, 1]);
    check(&[(4, 1), (139, 2), (1, 1)], &[58, 8, 3, 1]);
    check(&[(4, 1), (176, 1), (177, 1), (1, 1)], &[1, 8, 3, 1]);
}

#[test]
fn attributes_land_in_their_fields() {
    let flow = one(
        &[(10, 2), (252, 2), (14, 4), (6, 2), (5, 1), (61, 1), (58, 2), (56, 6), (225, 4), (227, 2), (136, 1), (1, 1)],
        &[
            0xff, 0xff, 0, 7, 0, 0, 0, 9, 1, 0x12, 0xb8, 1, 0xf0, 0x64, 1, 2, 3, 4, 5, 6, 203, 0, 113, 5, 0x30, 0x39,
            2, 1,
        ],
    );
    assert_eq!((flow.in_if, flow.out_if, flow.tcp_flags, flow.tos), (7, 9, 0x112, 0xb8));
    assert_eq!(
        (flow.direction, flow.vlan, flow.src_mac, flow.end_reason),
        (Direction::Egress, 100, [1, 2, 3, 4, 5, 6], 2)
    );
    assert_eq!((flow.nat_src_ip.map(|ip| ip.to_string()), flow.nat_src_port), (Some("203.0.113.5".into()), 12_345));
}

#[test]
fn interface_names_are_stripped_of_what_a_terminal_would_obey() {
    let mut bench = Bench::new();
    let told = options(257, 1, &[(10, 2), (82, VARIABLE)]);
    bench.send(ipfix(0).template(&told).set(257, b"\x00\x05\x08br0\x1b[2J\n")).unwrap();
    let facts = bench.collector.facts(sender(1).ip(), ObservationDomainId(0), Version::Ipfix).unwrap();
    assert_eq!(facts.names.find(NameKind::Interface, 5), Some("br0[2J"));
}

#[test]
fn loss_is_counted_in_the_units_of_each_version() {
    let mut bench = Bench::new();
    let known = template(256, &[(1, 1)]);
    bench.send(ipfix(100).template(&known).set(256, &[1, 1, 1])).unwrap();
    bench.send(ipfix(103).set(256, &[1, 1])).unwrap();
    assert_eq!(bench.stats().lost, 0);
    bench.send(ipfix(115).set(256, &[1])).unwrap();
    assert_eq!(bench.stats().lost, 10);
    // Overtaken: the ten come late after all.
    bench.send(ipfix(105).set(256, &[1; 10])).unwrap();
    assert_eq!((bench.stats().lost, bench.stats().reordered), (0, 1));
    // What cannot be counted raises no alarm.
    bench.send(ipfix(116).set(300, &[1; 7])).unwrap();
    bench.send(ipfix(123).set(256, &[1])).unwrap();
    assert_eq!(bench.stats().lost, 0);
    bench.send(ipfix(0).set(256, &[1])).unwrap();
    assert_eq!((bench.stats().lost, bench.stats().restarts), (0, 0), "a small step back is an old datagram");

    let mut bench = Bench::new();
    bench.send(v9(u32::MAX).template(&known)).unwrap();
    bench.send(v9(0).set(256, &[1; 9])).unwrap();
    bench.send(v9(4).set(256, &[1; 9])).unwrap();
    assert_eq!(bench.stats().lost, 3);
    bench.send(v9(2_000_000_000).set(256, &[1])).unwrap();
    assert_eq!((bench.stats().lost, bench.stats().restarts), (3, 1));
}

#[test]
fn accounts_balance() {
    let mut bench = Bench::new();
    let _ = bench.send(ipfix(0).template(&template(256, &[(1, 4)])).data(TemplateId(256), &[0; 8]));
    let _ = bench.send(ipfix(2).data(TemplateId(999), &[0; 8]));
    let _ = bench.send(ipfix(2).set(2, &[1, 0, 0, 9]));
    let _ = bench.collector.datagram(NOW, sender(1), b"hello", &mut bench.flows);
    let totals = bench.collector.health().totals;
    assert_eq!(totals.datagrams, totals.decoded + totals.malformed + totals.foreign + totals.refused);
    assert_eq!((totals.flows, totals.decoded, totals.malformed, totals.foreign), (2, 2, 1, 1));
}

proptest! {
    #[test]
    fn no_sequence_of_datagrams_panics(
        datagrams in proptest::collection::vec((0..3_u8, proptest::collection::vec(any::<u8>(), 0..120)), 1..20)
    ) {
        let mut bench = Bench::new();
        for (kind, octets) in datagrams {
            let payload = match kind {
                0 => octets,
                1 => v9(0).set(u16::from(octets.len() % 2 == 0), &octets).set(256, &octets).finish(),
                _ => ipfix(0).set(2 + u16::from(octets.len() % 2 == 0), &octets).set(256, &octets).finish(),
            };
            let _ = bench.collector.datagram(NOW, sender(1), &payload, &mut bench.flows);
        }
        let totals = bench.collector.health().totals;
        prop_assert_eq!(totals.datagrams, totals.decoded + totals.malformed + totals.foreign + totals.refused);
        prop_assert!(bench.flows.iter().all(|flow| flow.first <= flow.last));
    }

    /// How an exporter spreads its sets over datagrams changes nothing, and neither does where the template stands.
    #[test]
    fn split_and_order_of_sets_do_not_matter(
        sizes in proptest::collection::vec(1..5_u8, 1..8),
        cut in 0..8_usize,
        template_at in 0..8_usize,
    ) {
        let known = template(256, &[(8, 4), (1, 2)]);
        let sets: Vec<Vec<u8>> = sizes
            .iter()
            .zip(0..)
            .map(|(&n, set)| (0..n).flat_map(|r| [10, 0, set, r, set, r]).collect())
            .collect();
        let mut whole = Bench::new();
        let message = sets.iter().fold(ipfix(0).template(&known), |message, set| message.set(256, set));
        whole.send(message).unwrap();
        let mut split = Bench::new();
        let template_at = template_at.min(sets.len());
        let mut message = ipfix(0);
        for (index, set) in sets.iter().enumerate() {
            if index == template_at {
                message = message.template(&known);
            }
            message = message.set(256, set);
            if index == cut {
                split.send(std::mem::replace(&mut message, ipfix(0))).unwrap();
            }
        }
        if template_at == sets.len() {
            message = message.template(&known);
        }
        split.send(message).unwrap();
        let mut flows = (whole.flows, split.flows);
        flows.0.sort_by_key(|flow| (flow.key, flow.counts));
        flows.1.sort_by_key(|flow| (flow.key, flow.counts));
        prop_assert_eq!(flows.0, flows.1);
    }
}
