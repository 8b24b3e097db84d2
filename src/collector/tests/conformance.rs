//! Rules of RFC 7011, 3954 and 5103 and of NetFlow v5, one test each; `docs/conformance.md` says which rule each holds.

use super::*;
use crate::collector::options::Said;
use crate::collector::options::names::NameKind;

fn domain(domain: u32) -> Message {
    Message::ipfix(ipfix::Header { export_time: SECONDS, domain, ..Default::default() })
}

/// What options records told of the exporter of `bench`.
fn facts(bench: &Bench, version: Version) -> &ExporterFacts {
    bench.collector.facts(sender(1).ip(), ObservationDomainId(0), version).unwrap()
}

fn send_octets(bench: &mut Bench, octets: &[u8]) -> Result<(), Malformed> {
    bench.collector.datagram(NOW, sender(50_000), octets, &mut bench.flows)
}

#[test]
fn an_ipfix_message_must_fit_its_datagram() {
    let mut bench = Bench::new();
    let whole = ipfix(0).template(&template(256, &[(1, 4)])).set(256, &[0, 0, 0, 5]).finish();
    for length in [15, 0, u16::try_from(whole.len()).unwrap() + 1] {
        let mut lying = whole.clone();
        lying[2..4].copy_from_slice(&length.to_be_bytes());
        assert!(send_octets(&mut bench, &lying).is_err(), "{length}");
    }
    assert!(bench.flows.is_empty());
    send_octets(&mut bench, &[whole.as_slice(), &[0xff; 3]].concat()).unwrap();
    assert_eq!((bench.bytes(), bench.stats().trailing), (vec![5], 3));
}

#[test]
fn an_enterprise_number_follows_its_element_in_every_kind_of_template() {
    let mut bench = Bench::new();
    let mut flows = template(256, &[(1, 1)]);
    flows.fields.insert(0, vendor(6876, 880, 2));
    bench.send(ipfix(0).template(&flows).set(256, &[9, 9, 5])).unwrap();
    assert_eq!(bench.bytes(), [5]);
    // As a scope, and as an option.
    let fields = [vec![vendor(9, 1, 2)], iana(&[(160, 8)]), vec![vendor(9, 1, 1)]].concat();
    let told = Template { id: TemplateId(257), scopes: 1, fields };
    let record = [&[1, 1][..], &NOW.0.to_be_bytes(), &[1]].concat();
    bench.send(ipfix(1).template(&told).set(257, &record)).unwrap();
    assert_eq!(facts(&bench, Version::Ipfix).boot, Some(NOW));
}

#[test]
fn padding_is_shorter_than_a_record_and_may_hold_anything() {
    for pad in [[0; 3], [0xff; 3]] {
        let mut bench = Bench::new();
        let body = [&hex!("0100 0001 0001 0004")[..], &pad].concat();
        let data = [&[0, 0, 0, 5][..], &pad].concat();
        bench.send(ipfix(0).set(2, &body).set(256, &data)).unwrap();
        bench.send(v9(0).set(0, &body).set(256, &data)).unwrap();
        assert_eq!(bench.bytes(), [5, 5]);
        let told = hex!("0101 0002 0001 0090 0004 0022 0002");
        bench
            .send(ipfix(1).set(3, &[&told[..], &pad].concat()).set(257, &[&[0, 0, 0, 1, 0, 7][..], &pad].concat()))
            .unwrap();
        let told = hex!("0101 0004 0004 0001 0004 0022 0002");
        bench
            .send(v9(1).set(1, &[&told[..], &pad].concat()).set(257, &[&[0, 0, 0, 1, 0, 7][..], &pad].concat()))
            .unwrap();
        for version in [Version::Ipfix, Version::V9] {
            assert_eq!(facts(&bench, version).sampling().rate, 7);
        }
        assert_eq!(bench.collector.health().totals.malformed, 0);
    }
}

#[test]
fn reserved_sets_are_skipped_by_their_length() {
    let mut bench = Bench::new();
    let known = template(256, &[(1, 4)]);
    let body = &[0xff; 7];
    bench.send(ipfix(0).set(0, body).set(4, body).set(255, body).template(&known).set(256, &[0, 0, 0, 5])).unwrap();
    assert_eq!((bench.bytes(), bench.stats().reserved), (vec![5], 3));
    let mut bench = Bench::new();
    bench.send(v9(0).set(2, body).set(255, body).template(&known).set(256, &[0, 0, 0, 5])).unwrap();
    assert_eq!((bench.bytes(), bench.stats().reserved), (vec![5], 2));
}

#[test]
fn template_ids_need_no_order() {
    let mut bench = Bench::new();
    for id in [65_535, 256, 40_000, 300] {
        bench.send(ipfix(0).template(&template(id, &[(1, 4)])).set(id, &[0, 0, 0, 5])).unwrap();
    }
    assert_eq!((bench.bytes(), bench.stats().templates), (vec![5; 4], 4));
}

#[test]
fn options_are_known_by_their_elements_and_not_by_id_or_scope() {
    for (scope, id) in [149_u16, 144, 143, 145, 141, 130, 131, 10].into_iter().zip((256..).step_by(99)) {
        let mut bench = Bench::new();
        let told = options(id, 1, &[(scope, 4), (160, 8), (41, 8)]);
        let record = [&[0, 0, 0, 1][..], &NOW.0.to_be_bytes(), &[0; 8]].concat();
        bench.send(ipfix(0).template(&told).set(id, &record)).unwrap();
        assert_eq!(facts(&bench, Version::Ipfix).boot, Some(NOW), "scope {scope}");
        assert_eq!((bench.flows.len(), bench.stats().options_records), (0, 1));
    }
}

#[test]
fn times_go_on_after_2036_and_2106() {
    let check = |now: i64, fields: &[(u16, u16)], record: &[u8], before: i64| {
        let mut bench = Bench::new();
        let export_time = u32::try_from((now / 1000) & 0xffff_ffff).unwrap();
        let message = Message::ipfix(ipfix::Header { export_time, ..Default::default() });
        bench.send_at(Timestamp(now), 1, message.template(&template(256, fields)).set(256, record)).unwrap();
        assert_eq!((bench.flows[0].first.0, bench.stats().clock_skew_ms), (now - before, 0));
    };
    // A hundred seconds after 32 bits of seconds since 1970 are full; the flow began a minute before they were.
    let now = (i64::from(u32::MAX) + 101) * 1000;
    check(now, &[(150, 4), (151, 4), (1, 1)], &hex!("ffffffc4 00000000 01"), 160_000);
    // The same with seconds since 1900.
    let now = (i64::from(u32::MAX) + 101 - 2_208_988_800) * 1000;
    check(now, &[(154, 8), (155, 8), (1, 1)], &hex!("ffffffc4 00000000 00000000 00000000 01"), 160_000);
}

#[test]
fn ill_formed_text_is_replaced_and_its_record_kept() {
    let mut bench = Bench::new();
    let told = options(257, 1, &[(10, 4), (82, 4)]);
    bench.send(ipfix(0).template(&told).set(257, b"\0\0\0\x05e\xff0\0")).unwrap();
    assert_eq!(facts(&bench, Version::Ipfix).names.find(NameKind::Interface, 5), Some("e\u{fffd}0"));
}

#[test]
fn times_have_no_reduced_size() {
    let flow = one(&[(152, 4), (153, 4), (1, 1)], &[0, 0, 0, 1, 0, 0, 0, 2, 7]);
    assert_eq!((flow.first, flow.time_source, flow.counts.bytes), (NOW, TimeSource::Export, 7));
}

#[test]
fn a_short_value_may_have_its_length_in_three_octets() {
    let flow = one(&[(82, VARIABLE), (1, 1)], &[255, 0, 2, b'e', b'0', 7]);
    assert_eq!(flow.counts.bytes, 7);
}

#[test]
fn the_same_id_in_two_domains_is_two_templates() {
    let mut bench = Bench::new();
    bench.send(domain(1).template(&template(256, &[(1, 2), (2, 2)]))).unwrap();
    bench.send(domain(2).template(&template(256, &[(2, 2), (1, 2)]))).unwrap();
    for n in [1, 2] {
        bench.send(domain(n).set(256, &[0, 1, 0, 2])).unwrap();
    }
    assert_eq!(bench.bytes(), [1, 2]);
    let v9_of = |source_id| Message::v9(v9::Header { seconds: SECONDS, source_id, ..Default::default() });
    bench.send(v9_of(1).template(&template(256, &[(1, 2), (2, 2)]))).unwrap();
    bench.send(v9_of(2).template(&template(256, &[(2, 2), (1, 2)]))).unwrap();
    for n in [1, 2] {
        bench.send(v9_of(n).set(256, &[0, 3, 0, 4])).unwrap();
    }
    assert_eq!(bench.bytes(), [1, 2, 3, 4]);
}

#[test]
fn a_repeated_template_changes_nothing() {
    let mut bench = Bench::new();
    for start in [ipfix(0), ipfix(0), ipfix(0)] {
        bench.send(start.template(&template(256, &[(1, 4)]))).unwrap();
    }
    let stats = bench.stats();
    assert_eq!((stats.template_records, stats.templates, stats.redefined), (3, 1, 0));
}

#[test]
fn unknown_elements_are_skipped_by_their_length() {
    let mut bench = Bench::new();
    let mut known = template(256, &[(7232, 3), (501, VARIABLE), (1, 1)]);
    known.fields.insert(0, vendor(99_999, 7, VARIABLE));
    bench.send(ipfix(0).template(&known).set(256, &[2, 9, 9, 8, 8, 8, 1, 7, 5])).unwrap();
    assert_eq!(bench.bytes(), [5]);
    assert_eq!(one(&[(501, 3), (1, 1)], &[9, 9, 9, 5]).counts.bytes, 5);
}

#[test]
fn a_message_of_65535_octets_is_whole() {
    let mut bench = Bench::new();
    // 16 octets of header, 12 of template set, 4 of set header; the rest are records of one octet.
    let records = vec![1; 65_535 - 16 - 12 - 4];
    let octets = ipfix(0).template(&template(256, &[(1, 1)])).set(256, &records).finish();
    assert_eq!(octets.len(), 65_535);
    send_octets(&mut bench, &octets).unwrap();
    assert_eq!(bench.stats().records, records.len() as u64);
}

#[test]
fn nobody_believes_the_count_of_v9() {
    for count in [0, 1, u16::MAX] {
        let mut bench = Bench::new();
        let header = v9::Header { count, seconds: SECONDS, ..Default::default() };
        bench.send(Message::v9(header).template(&template(256, &[(1, 1)])).set(256, &[1, 2, 3])).unwrap();
        assert_eq!(bench.bytes(), [1, 2, 3]);
    }
}

#[test]
fn several_templates_share_a_set_and_several_sets_a_datagram() {
    let both = hex!("0100 0001 0001 0001 0101 0002 0002 0001 0001 0001");
    let third = hex!("0102 0001 0001 0002");
    for (start, id) in [(ipfix(0), ipfix::TEMPLATE_SET), (v9(0), v9::TEMPLATE_SET)] {
        let mut bench = Bench::new();
        let message = start.set(id, &both).set(256, &[1]).set(id, &third).set(257, &[9, 2]).set(258, &[0, 3]);
        bench.send(message).unwrap();
        assert_eq!((bench.bytes(), bench.stats().template_records), (vec![1, 2, 3], 3));
    }
}

#[test]
fn v9_scopes_name_interfaces_and_templates() {
    let mut bench = Bench::new();
    let names = options(300, 1, &[(2, 4), (82, 4), (83, 8)]);
    bench.send(v9(0).template(&names).set(300, b"\0\0\0\x07eth0uplink\0\0")).unwrap();
    assert_eq!(facts(&bench, Version::V9).names.find(NameKind::Interface, 7), Some("eth0"));
    let rates = options(301, 1, &[(5, 2), (34, 4)]);
    bench.send(v9(1).template(&rates).set(301, &[1, 0, 0, 0, 0, 100])).unwrap();
    for id in [256, 257] {
        bench.send(v9(2).template(&template(id, &[(1, 1)])).set(id, &[1])).unwrap();
    }
    assert_eq!(bench.flows.iter().map(|flow| flow.sampling.rate).collect::<Vec<_>>(), [100, 0]);
}

#[test]
fn v9_options_may_have_every_scope() {
    for scope in 1..=5 {
        let mut bench = Bench::new();
        let told = options(300, 1, &[(scope, 4), (36, 2), (37, 2)]);
        bench.send(v9(0).template(&told).set(300, &[0, 0, 0, 1, 0, 60, 0, 15])).unwrap();
        assert_eq!((bench.stats().options_records, bench.stats().malformed), (1, 0), "scope {scope}");
    }
}

#[test]
fn the_top_mpls_label_is_kept_as_sent() {
    assert_eq!(one(&[(70, 3), (71, 3), (1, 1)], &[0x12, 0x34, 0x51, 9, 9, 9, 1]).mpls, 0x12_3451);
}

#[test]
fn a_clock_that_jumps_costs_no_template() {
    let mut bench = Bench::new();
    bench.send(v9(0).template(&template(256, &[(1, 1)]))).unwrap();
    let header = v9::Header { seconds: SECONDS - 86_400, uptime: 5, sequence: 1, ..Default::default() };
    bench.send(Message::v9(header).set(256, &[5])).unwrap();
    assert_eq!((bench.bytes(), bench.stats().clock_skew_ms), (vec![5], -86_400_000));
}

#[test]
fn a_v5_record_has_every_field_in_its_place() {
    let record = hex!(
        "0a000001 0a000002 0a0000fe 0003 ffff 00000007 00000300 00015f90 00017318 01bb c000 00 1b 06 b8 5ba0 0002 18 10 0000"
    );
    let header =
        v5::Header { count: 1, uptime: 100_000, seconds: SECONDS, engine_type: 1, engine_id: 2, ..Default::default() };
    let mut bench = Bench::new();
    send_octets(&mut bench, &[emit::v5(header, &[record]).as_slice(), &[0; 5]].concat()).unwrap();
    let flow = bench.flows[0];
    assert_eq!((flow.domain, bench.stats().trailing), (ObservationDomainId(0x0102), 5));
    assert_eq!((flow.key.src_port, flow.key.dst_port, flow.key.protocol), (443, 49_152, 6));
    assert_eq!((flow.first, flow.last), (NOW.plus(-10_000), NOW.plus(-5_000)));
    // 65535 is no interface; 23456 stands for a number of four octets (RFC 6793) and stays what it is.
    assert_eq!((flow.in_if, flow.out_if, flow.src_as, flow.dst_as), (3, 0, 23_456, 2));
    assert_eq!((flow.counts, flow.tcp_flags, flow.tos), (Counts { bytes: 768, packets: 7 }, 0x1b, 0xb8));
    assert_eq!(flow.next_hop.map(|hop| hop.to_string()).as_deref(), Some("10.0.0.254"));
}

#[test]
fn v5_has_icmp_in_the_destination_port() {
    let mut record = [0; v5::RECORD];
    record[v5::field::PROTOCOL_8] = 1;
    record[v5::field::DST_PORT_16] = 3;
    record[v5::field::DST_PORT_16 + 1] = 1;
    let header = v5::Header { count: 1, seconds: SECONDS, ..Default::default() };
    let mut bench = Bench::new();
    send_octets(&mut bench, &emit::v5(header, &[record])).unwrap();
    assert_eq!((bench.flows[0].icmp, bench.flows[0].key.dst_port), (0x0301, 0));
}

/// The flows of one biflow record of addresses, the given forward fields and the given reverse ones.
fn biflow(forward: &[(u16, u16)], reverse: &[(u16, u16)], record: &[u8]) -> Vec<FlowRecord> {
    let mut fields = iana(&[(8, 4), (12, 4)]);
    fields.extend(iana(forward));
    fields.extend(reverse.iter().map(|&(id, length)| vendor(REVERSE, id, length)));
    let template = Template { id: TemplateId(256), scopes: 0, fields };
    let mut bench = Bench::new();
    let record = [&[10, 0, 0, 1, 10, 0, 0, 2], record].concat();
    bench.send(ipfix(0).template(&template).set(256, &record)).unwrap();
    bench.flows
}

#[test]
fn an_answer_has_its_own_counts_and_flags_and_the_other_sides_interfaces() {
    let forward = [(1, 2), (2, 1), (6, 1), (10, 1), (14, 1), (34, 1)];
    let [there, back] = biflow(&forward, &[(1, 3), (2, 1), (6, 2)], &hex!("0100 02 02 03 04 64 000200 05 0012"))[..]
    else {
        panic!("two flows")
    };
    assert_eq!((there.counts, back.counts), (Counts { bytes: 256, packets: 2 }, Counts { bytes: 512, packets: 5 }));
    assert_eq!((there.tcp_flags, back.tcp_flags), (2, 0x12));
    assert_eq!((there.in_if, there.out_if, back.in_if, back.out_if), (3, 4, 4, 3));
    assert_eq!((there.sampling.rate, back.sampling), (100, there.sampling));
}

#[test]
fn reverse_counts_of_zero_are_no_answer() {
    assert_eq!(biflow(&[(1, 1)], &[(1, 4), (2, 4)], &[7, 0, 0, 0, 0, 0, 0, 0, 0]).len(), 1);
    assert_eq!(biflow(&[(1, 1)], &[], &[7]).len(), 1);
}

#[test]
fn what_cannot_be_reversed_is_ignored() {
    let reverse = [(8, 4), (11, 2), (4, 1), (149, 4), (210, 2)];
    let flows = biflow(&[(1, 1), (239, 1)], &reverse, &hex!("07 01 cb007105 1234 11 00000001 ffff"));
    assert_eq!(flows.len(), 1);
    assert_eq!((flows[0].key.src_ip.to_string(), flows[0].key.dst_port), ("10.0.0.1".to_owned(), 0));
}

#[test]
fn rates_of_interfaces_and_processes_hold_for_their_records() {
    let mut bench = Bench::new();
    let rates = options(300, 1, &[(10, 4), (34, 4)]);
    let outward = options(301, 1, &[(14, 4), (34, 4)]);
    let process = options(302, 1, &[(143, 4), (34, 4)]);
    let flows = template(256, &[(10, 1), (14, 1), (61, 1), (143, 1), (1, 1)]);
    let message = ipfix(0).template(&rates).template(&outward).template(&process).template(&flows);
    let message = message.set(300, &hex!("00000003 00000064 00000004 000000c8")).set(301, &hex!("00000005 0000012c"));
    let message = message.set(302, &hex!("00000008 00000008 00000009 00000009"));
    bench.send(message.set(256, &hex!("0305000001 0305010001 0405000001 0707000801 0707000101"))).unwrap();
    let rates: Vec<_> = bench.flows.iter().map(|flow| flow.sampling.rate).collect();
    // In by 3, out by 5, in by 4, of process 8, and of one that announced nothing.
    assert_eq!(rates, [100, 300, 200, 8, 9]);
    // The scope of v9.
    let mut bench = Bench::new();
    let (rates, flows) = (options(300, 1, &[(2, 4), (34, 4)]), template(256, &[(10, 2), (1, 2)]));
    let message = v9(0).template(&rates).set(300, &hex!("00000003 00000064")).template(&flows);
    bench.send(message.set(256, &hex!("0003 0001 0004 0001"))).unwrap();
    assert_eq!(bench.flows.iter().map(|flow| flow.sampling.rate).collect::<Vec<_>>(), [100, 0]);
}

#[test]
fn the_operator_overrides_every_rate() {
    let mut bench = Bench::new();
    let overrides = Overrides::new([("192.0.2.0/24".parse().unwrap(), 512)]);
    bench.collector = Collector::new(Limits::default()).with_overrides(overrides);
    bench.send(ipfix(0).template(&template(256, &[(34, 4), (1, 1)])).set(256, &hex!("00000064 01"))).unwrap();
    let header = v5::Header { count: 1, seconds: SECONDS, sampling: 0x4064, ..Default::default() };
    send_octets(&mut bench, &emit::v5(header, &[[0; v5::RECORD]])).unwrap();
    let expected = Sampling { rate: 512, kind: SamplingKind::Packet, source: SamplingSource::Operator };
    assert_eq!(bench.flows.iter().map(|flow| flow.sampling).collect::<Vec<_>>(), [expected; 2]);
    assert!(bench.collector.health().exporters.iter().all(|stats| stats.sampling == expected));
    // Another exporter is believed.
    let message = ipfix(0).template(&template(256, &[(34, 4), (1, 1)])).set(256, &hex!("00000064 01")).finish();
    bench.collector.datagram(NOW, "198.51.100.1:9".parse().unwrap(), &message, &mut bench.flows).unwrap();
    assert_eq!((bench.flows[2].sampling.rate, bench.flows[2].sampling.source), (100, SamplingSource::Record));
}

#[test]
fn what_exporters_count_of_themselves_stands_in_the_accounts() {
    let fields = [(41, 4), (40, 8), (42, 4), (163, 4), (164, 4), (165, 4), (166, 4), (167, 4), (168, 4)];
    let record =
        hex!("00000001 00000002 0000000000000003 00000004 00000005 00000006 00000007 00000008 00000009 00000000");
    for (start, scope) in [(ipfix(0), 144), (v9(0), 1)] {
        let told = options(300, 1, &[[(scope, 4)].as_slice(), &fields].concat());
        let mut bench = Bench::new();
        bench.send(start.template(&told)).unwrap();
        assert_eq!(bench.stats().said, Said::default(), "nothing was said yet");
        let start = if scope == 1 { v9(1) } else { ipfix(0) };
        bench.send(start.set(300, &record)).unwrap();
        let said = Said {
            exported_messages: Some(2),
            exported_octets: Some(3),
            exported_flows: Some(4),
            observed_flows: Some(5),
            ignored_packets: Some(6),
            ignored_octets: Some(7),
            not_sent_flows: Some(8),
            not_sent_packets: Some(9),
            not_sent_octets: Some(0),
            ..Default::default()
        };
        assert_eq!(bench.stats().said, said);
    }
}

#[test]
fn timeouts_stand_in_the_accounts() {
    for start in [ipfix(0), v9(0)] {
        let mut bench = Bench::new();
        let told = options(300, 1, &[(1, 4), (36, 2), (37, 2)]);
        bench.send(start.template(&told).set(300, &hex!("00000001 003c 000f"))).unwrap();
        let said = bench.stats().said;
        assert_eq!((said.active_timeout_s, said.idle_timeout_s), (Some(60), Some(15)));
    }
}

#[test]
fn unknown_elements_are_noted_once_with_their_length() {
    let mut bench = Bench::new();
    let mut known = template(256, &[(7232, 3), (1, 1)]);
    known.fields.insert(0, vendor(99_999, 7, VARIABLE));
    known.fields.push(vendor(REVERSE, 1, 4));
    for id in [256, 257] {
        bench.send(ipfix(0).template(&Template { id: TemplateId(id), ..known.clone() })).unwrap();
    }
    let unknown: Vec<_> = facts(&bench, Version::Ipfix).unknown.iter().copied().collect();
    let expected = [(ElementId::Iana(7232), 3), (ElementId::Vendor { pen: 99_999, id: 7 }, VARIABLE)];
    assert_eq!((unknown.as_slice(), bench.stats().unknown_elements), (expected.as_slice(), 2));
    bench.send(v9(0).template(&options(300, 1, &[(1, 4), (34, 4)]))).unwrap();
    assert!(facts(&bench, Version::V9).unknown.is_empty(), "a scope of v9 is no element");
}

#[test]
fn an_answer_has_its_own_type_of_service_and_icmp() {
    let [there, back] = biflow(&[(1, 1), (5, 1), (6, 1)], &[(1, 1), (5, 1), (6, 1)], &hex!("01 b8 02 02 28 12"))[..]
    else {
        panic!("two flows")
    };
    assert_eq!(((there.tos, there.tcp_flags), (back.tos, back.tcp_flags)), ((0xb8, 2), (0x28, 0x12)));
    let check = |forward: &[(u16, u16)], reverse: &[(u16, u16)], record: &[u8]| {
        let flows = biflow(forward, reverse, record);
        assert_eq!(flows.iter().map(|flow| flow.icmp).collect::<Vec<_>>(), [0x0800, 0x0000], "{forward:?}");
    };
    check(&[(4, 1), (32, 2), (1, 1)], &[(32, 2), (1, 1)], &hex!("01 0800 01 0000 02"));
    check(&[(4, 1), (139, 2), (1, 1)], &[(139, 2), (1, 1)], &hex!("3a 0800 01 0000 02"));
    check(&[(4, 1), (176, 1), (177, 1), (1, 1)], &[(176, 1), (177, 1), (1, 1)], &hex!("01 08 00 01 00 00 02"));
    // Of a protocol without types, a reverse type means nothing.
    assert_eq!(biflow(&[(4, 1), (1, 1)], &[(32, 2), (1, 1)], &hex!("06 01 0800 02"))[1].icmp, 0);
}

#[test]
fn the_initiator_is_the_source_of_a_turned_record() {
    // Arbitrary, initiator, perimeter, and a value that nobody has defined: as the exporter says it.
    for method in [0, 1, 3, 4] {
        let flows = biflow(&[(1, 1), (239, 1)], &[(1, 1)], &[7, method, 9]);
        assert_eq!((flows[0].counts.bytes, flows[0].reverse, flows[1].reverse), (7, false, true), "{method}");
    }
    let turned = biflow(&[(1, 1), (10, 1), (239, 1)], &[(1, 1)], &[7, 3, 2, 9]);
    let [there, back] = turned[..] else { panic!("two flows") };
    assert_eq!((there.key.src_ip.to_string(), there.counts.bytes, there.reverse), ("10.0.0.2".to_owned(), 9, false));
    assert_eq!((back.key, back.counts.bytes, back.reverse), (there.key.reversed(), 7, true));
    assert_eq!((there.out_if, back.in_if), (3, 3));
    // Elements that name their side count for it, whichever side is the source.
    let role = [(231, 4), (232, 4), (239, 1)];
    let turned = biflow(&role, &[], &hex!("00000007 00000009 02"));
    let rows = |flows: &[FlowRecord]| -> Vec<_> {
        flows.iter().map(|flow| (flow.key.src_ip.to_string(), flow.counts.bytes, flow.reverse)).collect()
    };
    assert_eq!(rows(&turned), [("10.0.0.2".to_owned(), 7, false), ("10.0.0.1".to_owned(), 9, true)]);
    let unanswered = biflow(&role, &[], &hex!("00000007 00000000 02"));
    assert_eq!(rows(&unanswered), [("10.0.0.2".to_owned(), 7, false)]);
    let answer = biflow(&role, &[], &hex!("00000000 00000009 02"));
    assert_eq!(rows(&answer), [("10.0.0.1".to_owned(), 9, true)]);
    // One direction alone has nothing to be turned.
    let [only] = biflow(&[(1, 1), (239, 1)], &[(1, 1)], &[7, 2, 0])[..] else { panic!("one flow") };
    assert_eq!((only.key.src_ip.to_string(), only.reverse), ("10.0.0.1".to_owned(), false));
}

#[test]
fn the_method_of_direction_may_stand_in_options() {
    let mut bench = Bench::new();
    let told = options(300, 1, &[(149, 4), (239, 1)]);
    let mut known = template(256, &[(8, 4), (12, 4), (1, 1)]);
    known.fields.push(vendor(REVERSE, 1, 1));
    let record = hex!("0a000001 0a000002 07 09");
    let message = ipfix(0).template(&told).template(&known).set(300, &hex!("00000000 02")).set(256, &record);
    bench.send(message.set(300, &hex!("00000000 01")).set(256, &record)).unwrap();
    assert_eq!(bench.bytes(), [9, 7, 7, 9]);
}
